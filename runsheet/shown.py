"""Which runs the rows of a sheet stand for: one row is one run's (P1). Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from runsheet.ledger import Ledger
from runsheet.model import RowId, Scope


class Identified(Protocol):
    """What is known of a run here: who it is."""

    @property
    def scope(self) -> Scope: ...
    @property
    def run_id(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Who:
    """A run, as far as it is identified."""

    scope: Scope
    run_id: str


class Shown:
    """Which runs the sheet shows, or showed when it was adopted: then nobody could tell the scope of
    a row yet. A row stands for any run of its id that its project cell fits, unless the
    book-keeping gives it to another: each row stands for one run."""

    def __init__(self, rows: Iterable[RowId], book: Ledger) -> None:
        self._rows: dict[str, list[RowId]] = defaultdict(list)
        for row in rows:
            self._rows[row.run_id].append(row)
        self._book = book
        self._claims: dict[str, list[Scope]] = defaultdict(list)

    def claim(self, run: Identified) -> bool:
        """Whether there is a row for a run that the book-keeping lacks; the row is then taken."""
        found = [project for project, ids in self._book.found.items() if run.run_id in ids]
        if not found and run.run_id not in self._rows:
            return False
        rows = _fitting(self._projects(run.run_id) | Counter(found), run.scope)
        others = self._scopes(run.run_id)
        others += self._claims[run.run_id]
        taken = sum(scope != run.scope and bool(_fitting(rows, scope)) for scope in others)
        if rows.total() <= taken:
            return False
        self._claims[run.run_id].append(run.scope)
        return True

    def row(self, run: Identified) -> RowId | None:
        """The row of a known run: the one whose project cell fits best, of several the upper one, since a
        person copied it. None when it is gone, or when another run of that id could be meant as well."""
        rows = self._rows.get(run.run_id, ())
        best = max((_fit(row.project, run.scope) for row in rows), default=0)
        if not best:
            return None
        found = next(row for row in rows if _fit(row.project, run.scope) == best)
        rivals = [scope for scope in self._scopes(run.run_id) if scope != run.scope]
        return None if any(_fit(found.project, scope) >= best for scope in rivals) else found

    def count(self, runs: Iterable[Identified]) -> int:
        """How many of the runs have a row."""
        return sum(
            any(_fits(row.project, run.scope) for row in self._rows.get(run.run_id, ())) for run in runs
        )

    def doubles(self) -> tuple[str, ...]:
        """Ids that stand in more rows of one project than there are runs for them."""
        return tuple(run_id for run_id in self._rows if self._is_double(run_id))

    def _is_double(self, run_id: str) -> bool:
        if len(self._rows[run_id]) == 1:
            return False
        rows = self._projects(run_id)
        scopes = self._scopes(run_id)
        runs = {project: sum(_fits(project, scope) for scope in scopes) for project in rows}
        return any(count > max(1, runs[project]) for project, count in rows.items())

    def _projects(self, run_id: str) -> Counter[str]:
        return Counter(row.project for row in self._rows.get(run_id, ()))

    def _scopes(self, run_id: str) -> list[Scope]:
        return [scope for scope, ids in self._book.ids.items() if run_id in ids]


def _fitting(rows: Counter[str], scope: Scope) -> Counter[str]:
    return Counter({project: count for project, count in rows.items() if _fits(project, scope)})


def _fits(shown: str, scope: Scope) -> bool:
    """Whether a project cell may stand for a scope: it may be blank, or lack the entity."""
    return _fit(shown, scope) > 0


def _fit(shown: str, scope: Scope) -> int:
    """How well a project cell names the project of a scope: 3 if wholly, 2 if it lacks the entity, 1 if it is
    blank, 0 if it names another."""
    ways = ("", scope.project.rpartition("/")[2], scope.project)
    return max((rank for rank, way in enumerate(ways, 1) if shown == way), default=0)
