"""Pages of runs by offset, as the service is reported to serve them.

A cursor is an offset in disguise: runs that are added, deleted or reordered while a client pages
shift what comes next, so that it sees some twice and some never (wandb issues 6614 and 7666).
"""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import GraphQLError

from tests.support.wandb.data import Project, Run
from tests.support.wandb.filters import arrange, matches

LARGEST = 1000
"""Runs in one page at most (W&B support article)."""


@dataclass(frozen=True)
class Page:
    """One page: `first` is the offset of its first run among all `total`.

    `runs` holds None for a node that is null. `stuck` is the one cursor that a broken server
    keeps giving.
    """

    runs: list[Run | None]
    first: int
    total: int
    stuck: str | None = None

    @property
    def more(self) -> bool:
        return self.stuck is not None or self.first + len(self.runs) < self.total

    @property
    def end(self) -> str | None:
        return self.stuck or (cursor(self.first + len(self.runs) - 1) if self.runs else None)


@dataclass
class Script:
    """What to do wrong while paging, or sampling.

    `shifts`: added to the offset of each following page in turn (1 skips a run, -1 repeats one);
    pages asked for without a cursor take none. `stuck`: every page has the same cursor and says
    that there are more. `nulls`: ids of runs whose node is null. `ignores`: what is overlooked in a
    question, of "filters" and "order". `refuses`: fields that are unknown in a filter. `cap`: rows
    of a stream that are given at most, however many are asked for.
    """

    shifts: list[int] = field(default_factory=list)
    stuck: bool = False
    nulls: set[str] = field(default_factory=set)
    ignores: set[str] = field(default_factory=set)
    refuses: set[str] = field(default_factory=set)
    cap: int = 500


def cursor(offset: int) -> str:
    """The cursor of the run at `offset`; the page after it begins one further."""
    return b64encode(f"offset:{offset + 1}".encode()).decode()


def offset(text: str | None) -> int:
    """Where the page after a cursor begins. Raises GraphQLError for text that is no cursor."""
    try:
        return int(b64decode(text).decode().removeprefix("offset:")) if text else 0
    except ValueError:
        raise GraphQLError(f"invalid cursor: {text}") from None


def candidates(project: Project, rule: Mapping[str, Any]) -> Iterable[Run]:
    """The runs that may match, in the order in which they were added: where ids are named those only, as a
    database would look them up."""
    for part in (rule, *rule.get("$and", ())):
        names = part.get("name")
        if isinstance(names, dict) and "$in" in names:
            wanted = set(names["$in"])
            return [run for run in project.runs.values() if run.id in wanted]
    return project.runs.values()


def listing(project: Project, rule: Mapping[str, Any], order: str) -> list[Run]:
    """The runs that match, in order; kept until any run changes. Raises BadFilter."""
    key = (Run.edits, len(project.runs), repr(rule), order)
    if project.sorted_runs[0] != key:
        found = [run for run in candidates(project, rule) if matches(run, rule)]
        project.sorted_runs = (key, arrange(found, order))
    return project.sorted_runs[1]


def page(runs: list[Run], after: str | None, size: int | None, script: Script) -> Page:
    """The page behind a cursor, played by the script."""
    start = offset(after)
    if after and script.shifts:
        start = max(0, start + script.shifts.pop(0))
    wanted = runs[start : start + min(50 if size is None else size, LARGEST)]
    shown: list[Run | None] = [None if run.id in script.nulls else run for run in wanted]
    return Page(shown, start, len(runs), cursor(0) if script.stuck else None)
