"""Reports that live in the sheet: which there are, and their rows, as runs for the sync. Pure.

A row of a report is kept like that of a run which goes on for ever: the numbers follow, and cells, rows and
columns of people stay (P2). Its id is the text that names the row for people.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from runsheet import cells
from runsheet.columns import Choice, Header
from runsheet.fields import CONFIG
from runsheet.model import Run, Scope
from runsheet.reports.usage import Usage
from runsheet.rules import Rules

THERE, GONE = "running", "gone"
"""States of rows: those of groups that have no run any more get no row, but keep the one they have."""

DECIMALS = 2
"""Of hours in a report."""

MILLISECONDS = 1000
"""In a second. Hours are summed in these: of whole numbers the order makes no difference."""

NOBODY = "(no user)"
NO_PROJECT = "(no project)"
UNDATED = "(no date)"

_MONTHLY = re.compile(rf"(.+) (\d{{4}}-\d\d|{re.escape(UNDATED)})")

Row = Mapping[str, Any]
"""The cells of a row by the key of its column."""


@dataclass(frozen=True, slots=True)
class Table:
    """A report: its name, which is that of its worksheet, too; its columns, the first of which holds the id;
    what it says of runs; and what it says of a group that has none, by its id. Ids come in the order in which
    new rows do."""

    name: str
    headers: tuple[Header, ...]
    rows: Callable[[Iterable[Usage], Mapping[str, str]], Mapping[str, Row]]
    gone: Callable[[str, Mapping[str, str]], Row]

    @property
    def scope(self) -> Scope:
        """Where the rows live that stand for runs."""
        return Scope("runsheet", "", self.name)

    @property
    def rules(self) -> Rules:
        choice = Choice(self.headers, (), len(self.headers))
        return Rules(choice, states=frozenset({THERE}), live=True)

    def runs(
        self, used: Iterable[Usage], known: Collection[str], names: Mapping[str, str], now: datetime
    ) -> list[Run]:
        """The rows as runs. `known`: ids of rows that may stand in the sheet; `names` maps user names to the
        names shown."""
        rows = self.rows(used, names)
        lost = sorted(set(known) - rows.keys())
        runs = [self._run(row_id, THERE, row, now) for row_id, row in rows.items()]
        return runs + [self._run(row_id, GONE, self.gone(row_id, names), now) for row_id in lost]

    def _run(self, row_id: str, state: str, row: Row, now: datetime) -> Run:
        return Run(self.scope, row_id, state=state, created=now, heartbeat=now, config=row)


@dataclass(slots=True)
class _Sum:
    """What the runs of a group used together, times in milliseconds."""

    runs: int = 0
    cpu: int = 0
    unknown: int = 0
    time: int = 0
    gpu_time: int = 0

    def add(self, one: Usage) -> None:
        time = round(one.seconds * MILLISECONDS)
        self.runs += 1
        self.time += time
        if one.cpu:
            self.cpu += 1
        elif one.gpus is None:
            self.unknown += 1
        else:
            self.gpu_time += time * one.gpus

    def row(self) -> Row:
        on_gpus = self.runs - self.cpu
        return {
            "runs": self.runs,
            "gpu_hours": _hours(self.gpu_time),
            "runtime_hours": _hours(self.time),
            "gpu_hours_per_run": _hours(self.gpu_time / on_gpus) if on_gpus else 0.0,
            "cpu_runs": self.cpu,
            "unknown": self.unknown,
        }


def gpu_hours(used: Iterable[Usage], names: Mapping[str, str]) -> Mapping[str, Row]:
    """What was used by each project, and by each user in each month. A run counts in the month of its end
    (UTC), once it is over."""
    projects: dict[str, _Sum] = defaultdict(_Sum)
    months: dict[tuple[str, str], _Sum] = defaultdict(_Sum)
    for one in used:
        if one.status != "in progress" and not one.skipped:
            projects[cells.text(one.scope.project).strip() or NO_PROJECT].add(one)
            month = f"{one.end.year:04}-{one.end.month:02}" if one.end else UNDATED
            months[month, cells.text(one.user).strip() or NOBODY].add(one)
    rows = {_project_id(project): _by_project(project, projects[project]) for project in sorted(projects)}
    for month, user in sorted(months):
        rows[f"{user} {month}"] = _by_month(user, month, months[month, user], names)
    return rows


def gone(row_id: str, names: Mapping[str, str]) -> Row:
    """The row of a project, or of a user in a month, that has no run any more."""
    if monthly := _MONTHLY.fullmatch(row_id):
        return _by_month(monthly[1], monthly[2], _Sum(), names)
    return _by_project(row_id.removesuffix(_SUFFIX), _Sum())


_SUFFIX = " (project)"


def _project_id(project: str) -> str:
    """A project by its name; one that might be a user in a month is told apart."""
    return f"{project}{_SUFFIX}" if _MONTHLY.fullmatch(project) else project


def _by_project(project: str, total: _Sum) -> Row:
    return {"kind": "project", "project": project, **total.row()}


def _by_month(user: str, month: str, total: _Sum, names: Mapping[str, str]) -> Row:
    who = {"kind": "user and month", "user": names.get(user, user), "month": month}
    return {**who, **total.row()}


def _hours(milliseconds: float) -> float:
    return round(milliseconds / MILLISECONDS / 3600, DECIMALS)


def _headers(titles: Mapping[str, str]) -> tuple[Header, ...]:
    return (
        Header("run_id", "Key"),
        *(Header(f"{CONFIG}{key}", title) for key, title in titles.items()),
    )


GPU_HOURS = Table(
    "GPU-hours",
    _headers(
        {
            "kind": "Kind",
            "user": "User",
            "month": "Month",
            "project": "Project",
            "runs": "Runs",
            "gpu_hours": "GPU-hours",
            "runtime_hours": "Runtime hours",
            "gpu_hours_per_run": "GPU-hours per run",
            "cpu_runs": "CPU runs",
            "unknown": "Runs with unknown GPUs",
        }
    ),
    gpu_hours,
    gone,
)

TABLES: Mapping[str, Table] = {table.name: table for table in (GPU_HOURS,)}
"""All reports by name. The next one is an entry here."""

COMPARISON = "Comparison"
"""The worksheet of comparisons (compare_sheet.py), unless another is named."""
