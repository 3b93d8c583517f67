"""Where a world is attacked: a spreadsheet on the stand-in server, or a workbook file.

A stage opens destinations, breaks one step of a tick, or lets somebody act in the middle of it.
"""

import errno
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from runsheet.destinations.base import Destination
from runsheet.destinations.gsheet import GsheetDestination
from runsheet.destinations.gsheet.client import Google
from runsheet.destinations.xlsx import XlsxDestination
from runsheet.destinations.xlsx.disk import Disk
from runsheet.model import Content, Placed, Plan, Shape
from tests.support.builders import FakeClock
from tests.support.office import Office, Shelf
from tests.support.people import Browser, Person
from tests.support.sheets import Fault, Request, SheetsServer, applied, hang, late, refuse, reset, truncate

Act = Callable[[], None]

HANGS = 0.1
"""Seconds that a client waits for a server that hangs, real ones."""


@dataclass
class Strike:
    """Whether what was scripted has come to pass."""

    done: bool = False


class Stage(Protocol):
    """One place, empty at first, and what may go wrong there."""

    faults: tuple[str, ...]
    """Kinds of faults."""
    steps: int
    """How many steps of a tick there are to act before or after."""
    races: frozenset[str]
    """Deeds that are left out between a tick's look and its write: an open defect, which has a test of its
    own in tests/contract/test_gsheet_attack.py."""

    @property
    def pending(self) -> bool:
        """Whether a request waits somewhere to be applied late."""
        ...

    def open(self, worksheet: str) -> Destination: ...
    def person(self, worksheet: str) -> Person | None:
        """Somebody with that worksheet open; None while it does not exist."""
        ...

    def fault(self, kind: str, nth: int) -> AbstractContextManager[Strike]:
        """Within it the nth step that it can strike fails."""
        ...

    def during(self, nth: int, after: bool, act: Act) -> AbstractContextManager[Strike]:
        """Within it `act` is called once, before or after the nth step."""
        ...

    def deliver(self) -> None:
        """What waits is applied now."""
        ...


FAULTS: dict[str, Callable[[int], Fault]] = {
    "applied, reset": lambda nth: applied("reset", nth=nth),
    "applied, hangs": lambda nth: applied("hang", nth=nth),
    "applied, 503": lambda nth: applied(503, nth=nth),
    "applied write, 500": lambda nth: applied(500, nth=min(nth, 2), kind="write"),
    "applied write, reset": lambda nth: applied("reset", nth=min(nth, 2), kind="write"),
    "reset": lambda nth: reset(nth=nth),
    "hangs": lambda nth: hang(nth=nth),
    "429": lambda nth: refuse(429, nth=nth),
    "429 for long": lambda nth: refuse(429, nth=nth, times=30),
    "502": lambda nth: refuse(502, nth=nth),
    "cut": lambda nth: truncate(nth=nth),
    "late": lambda nth: late(nth=nth),
    "late write": lambda nth: late(nth=min(nth, 2), kind="write"),
    "late write, soon": lambda nth: late(2, nth=min(nth, 2), kind="write"),
}


class GoogleStage:
    """A spreadsheet of its own on a server that is shared."""

    faults = tuple(FAULTS)
    steps = 6
    races: frozenset[str] = frozenset()

    def __init__(self, server: SheetsServer, google: Google) -> None:
        server.unscript()
        server.release()
        self.server = server
        self.google = google
        self.document = server.create("World")

    def open(self, worksheet: str) -> Destination:
        return GsheetDestination(self.google, self.document.key, worksheet)

    def person(self, worksheet: str) -> Person | None:
        return next((Browser(tab) for tab in self.document.tabs if tab.title == worksheet), None)

    @contextmanager
    def fault(self, kind: str, nth: int) -> Iterator[Strike]:
        fault, strike = FAULTS[kind](nth), Strike()
        timeout = self.google.timeout
        if "hang" in kind:
            self.google.set_timeout((5.0, HANGS))
        self.server.script(fault)
        try:
            yield strike
        finally:
            self.server.unscript()
            self.google.timeout = timeout
            strike.done = fault.seen >= fault.nth

    @contextmanager
    def during(self, nth: int, after: bool, act: Act) -> Iterator[Strike]:
        strike, count = Strike(), 0

        def look(request: Request) -> None:
            nonlocal count
            if request.kind not in ("read", "write"):
                return
            count += 1
            if count == nth:
                strike.done = True
                act()

        self._hook(look, after)
        try:
            yield strike
        finally:
            self._hook(None, after)

    def _hook(self, look: Callable[[Request], object] | None, after: bool) -> None:
        if after:
            self.server.after_request = look
        else:
            self.server.before_request = look

    @property
    def pending(self) -> bool:
        return bool(self.server._waiting)

    def deliver(self) -> None:
        self.server.release()


class Killed(BaseException):
    """The process ends at once: nothing is caught, nothing is cleaned up."""


STEPS = ("create", "write", "flush", "like", "replace", "flush_folder")
"""File operations of a save, in order."""

PROMISED = {"read", "content", "apply", *STEPS} - {"replace"}
"""Steps before which somebody may act. Not between the last look at the file and the rename."""


@dataclass
class Script:
    """What happens at the steps of a tick: `at(step, after)` is called before and after each."""

    at: Callable[[str, bool], None] = lambda step, after: None
    dead: bool = False


class ScriptedDisk(Disk):
    """Tells the script of each operation."""

    def __init__(self, script: Script) -> None:
        self.script = script

    def _around(self, step: str, deed: Callable[..., Any], *args: Any) -> Any:
        self.script.at(step, False)
        result = deed(*args)
        self.script.at(step, True)
        return result

    def create(self, path: Path) -> IO[bytes]:
        self.script.at("create", False)
        file = super().create(path)
        try:
            self.script.at("create", True)
        except BaseException:
            file.close()
            raise
        return file

    def flush(self, file: IO[bytes]) -> None:
        """The content has been written by now, at least to the memory of the system."""
        file.flush()
        self.script.at("write", True)
        self._around("flush", super().flush, file)

    def like(self, old: Path, new: Path) -> None:
        self._around("like", super().like, old, new)

    def replace(self, new: Path, old: Path) -> None:
        self._around("replace", super().replace, new, old)

    def flush_folder(self, folder: Path) -> None:
        self._around("flush_folder", super().flush_folder, folder)

    def remove(self, path: Path) -> None:
        if not self.script.dead:
            super().remove(path)


class ScriptedWorkbook(XlsxDestination):
    """Tells the script of each call, too."""

    def __init__(self, path: Path, worksheet: str, script: Script) -> None:
        super().__init__(path, worksheet=worksheet, clock=FakeClock(), disk=ScriptedDisk(script))
        self.script = script

    def read(self) -> Shape:
        self.script.at("read", False)
        shape = super().read()
        self.script.at("read", True)
        return shape

    def content(self, shape: Shape, adopted: Sequence[Placed] = ()) -> Content:
        self.script.at("content", False)
        content = super().content(shape, adopted)
        self.script.at("content", True)
        return content

    def apply(self, plan: Plan) -> Iterator[Any]:
        self.script.at("apply", False)
        yield from super().apply(plan)
        self.script.at("apply", True)


class WorkbookStage:
    """A workbook in a folder of its own."""

    faults = (
        *(f"{what} {when} {step}" for what in ("full", "killed") for when in ("before", "after")
          for step in STEPS if (when, step) != ("before", "write")),
        "open in Excel",
        "open in LibreOffice",
    )  # fmt: skip
    steps = 16
    pending = False
    races: frozenset[str] = frozenset()

    def __init__(self, folder: Path) -> None:
        self.path = folder / "runs.xlsx"
        self.shelf = Shelf(self.path)
        self.script = Script()

    def open(self, worksheet: str) -> Destination:
        return ScriptedWorkbook(self.path, worksheet, self.script)

    def person(self, worksheet: str) -> Person | None:
        return Office(self.shelf, worksheet) if worksheet in self.shelf.views() else None

    @contextmanager
    def fault(self, kind: str, nth: int) -> Iterator[Strike]:
        strike = Strike()
        if kind.startswith("open in"):
            name = "~$runs.xlsx" if kind.endswith("Excel") else ".~lock.runs.xlsx#"
            lock = self.path.with_name(name)
            lock.write_bytes(b"")
            strike.done = True
            try:
                yield strike
            finally:
                lock.unlink()
            return
        what, when, step = kind.split()

        def blow(at: str, after: bool) -> None:
            if (at, after) != (step, when == "after") or strike.done:
                return
            strike.done = True
            if what == "full":
                raise OSError(errno.ENOSPC, "No space left on device")
            self.script.dead = True
            raise Killed

        with self._scripted(blow), suppress(Killed):
            yield strike

    @contextmanager
    def during(self, nth: int, after: bool, act: Act) -> Iterator[Strike]:
        strike, count = Strike(), 0

        def look(step: str, behind: bool) -> None:
            nonlocal count
            if strike.done or behind != after or (step not in PROMISED and not after):
                return
            count += 1
            if count == nth:
                strike.done = True
                act()

        with self._scripted(look):
            yield strike

    @contextmanager
    def _scripted(self, at: Callable[[str, bool], None]) -> Iterator[None]:
        self.script.at = at
        try:
            yield
        finally:
            self.script.at = Script().at
            self.script.dead = False

    def deliver(self) -> None:
        """Nothing waits."""
