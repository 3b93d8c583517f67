"""What goes wrong, and when: a script of faults for the server.

    server.script(refuse(503, kind="write", nth=3), applied("reset", kind="write"))

Each fault counts the requests that it looks at (`kind`, `when`) from the moment it was scripted, and strikes
`times` times from the `nth` on. Of several that would strike one request the first does, the others wait for
the next: script(refuse(503), reset()) spoils two requests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack

if TYPE_CHECKING:
    from tests.support.sheets.document import Document

Kind = Literal["read", "write", "token", "drive"]
Deed = Literal["pass", "refuse", "hang", "reset", "truncate", "late"]
People = Callable[["Document"], object]


@dataclass
class Request:
    """One request as it was recorded; `status` stays 0 when no answer was given, `compressed`: it takes one
    that is."""

    method: str
    path: str
    query: dict[str, list[str]]
    body: object
    kind: Kind
    account: str = ""
    received: int = 0
    sent: int = 0
    status: int = 0
    compressed: bool = False

    @property
    def types(self) -> list[str]:
        """The names of the requests in a batchUpdate."""
        items = self.body.get("requests", []) if isinstance(self.body, dict) else []
        return [name for item in items for name in item]


@dataclass
class Fault:
    """One entry of the script; made by the functions below."""

    deed: Deed
    status: int = 503
    applies: bool = False
    before: People | None = None
    after: People | None = None
    wait: int | None = None
    kind: Kind | None = None
    nth: int = 1
    times: int = 1
    when: Callable[[Request], bool] | None = None
    seen: int = field(default=0, init=False)

    def strikes(self, request: Request) -> bool:
        """Whether this request is hit; to be asked once for each request."""
        if self.kind not in (None, request.kind) or (self.when and not self.when(request)):
            return False
        self.seen += 1
        return self.nth <= self.seen < self.nth + self.times

    def wait_on(self) -> None:
        """Let the request that was struck by another fault not count."""
        self.seen -= 1

    @property
    def spent(self) -> bool:
        return self.seen >= self.nth + self.times - 1


class Where(TypedDict, total=False):
    """Which requests a fault looks at and which of them it hits; see the module's docstring."""

    kind: Kind
    nth: int
    times: int
    when: Callable[[Request], bool]


def refuse(status: int = 503, **where: Unpack[Where]) -> Fault:
    """Answer an error without applying: JSON, but HTML for 502 as Google's front ends do."""
    return Fault("refuse", status=status, **where)


def hang(**where: Unpack[Where]) -> Fault:
    """Neither apply nor answer until the client gives up or the server is closed."""
    return Fault("hang", **where)


def reset(**where: Unpack[Where]) -> Fault:
    """Reset the connection without applying."""
    return Fault("reset", **where)


def truncate(**where: Unpack[Where]) -> Fault:
    """Apply, send the head and half of the body, close the connection."""
    return Fault("truncate", applies=True, **where)


def applied(then: Literal["reset", "hang"] | int, **where: Unpack[Where]) -> Fault:
    """Apply, and then lose the answer: reset, hang, or answer an error status."""
    if isinstance(then, int):
        return Fault("refuse", status=then, applies=True, **where)
    return Fault(then, applies=True, **where)


def late(before: int | None = None, **where: Unpack[Where]) -> Fault:
    """Reset now, apply later: on `server.release()`, or right before the `before`-th request from then on."""
    return Fault("late", wait=before, **where)


def people(before: People | None = None, after: People | None = None, **where: Unpack[Where]) -> Fault:
    """Let somebody work in the document right before or right after the request is applied; nothing fails."""
    return Fault("pass", applies=True, before=before, after=after, **where)
