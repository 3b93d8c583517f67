"""Comparisons in a worksheet: a row for each run, kept by the machinery that keeps runs there.

A row is like that of a run which goes on for ever: comparing the run again refreshes it, and cells, rows and
columns of people stay (P2 to P4). Its id is that of the run. Rows of earlier comparisons stay as they are.

A row has all keys of its run, whatever the columns show: columns of an earlier comparison go on to be true.
What is no key of a run's is in the summary under names that begin with "_", as no metric's does.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from runsheet import ledger, sync
from runsheet.clock import Clock
from runsheet.columns import Choice, Header
from runsheet.destinations.base import Destination
from runsheet.errors import ConfigError
from runsheet.fields import CONFIG, DECIMALS, PATH_CHARS, SUMMARY
from runsheet.model import Cell, Run, Scope
from runsheet.report import Report, count
from runsheet.reports.compare import Comparison, is_finite
from runsheet.reports.compare_tables import GPU
from runsheet.reports.keeper import frozen, stands
from runsheet.reports.live_table import THERE
from runsheet.rules import Rules
from runsheet.sources.base import Query
from runsheet.sources.memory import MemorySource

PREFIX = "compared "
"""Before the source in the scopes of rows: they are no rows of runs."""

FIRST = {"state": "State", "best_in": "Best in"}
LAST = {
    **{name: f"{label[:1].upper()}{label[1:]}" for name, (label, _, _) in GPU.items()},
    "gpu_from": "GPU values from",
    "hours": "Hours",
    "gpus": "GPUs",
    "gpu_hours": "GPU-hours",
}
"""Titles of the columns before and after those of the config and the metrics, by name."""


def keep(
    found: Comparison, tab: str, columns: int, destination: Destination, clock: Clock, mode: sync.Mode
) -> Report:
    """Make the worksheet `tab` show a comparison, in no more than so many `columns` of ours.

    Raises ConfigError for a worksheet that holds other rows of ours, and otherwise as sync.tick does.
    """
    content = stands(destination)
    book = ledger.parse(content.notes or ())
    if others := [scope for scope in book.ids if not scope.source.startswith(PREFIX)]:
        raise ConfigError(
            f"the worksheet {tab} is that of {others[0].project}: name another with --worksheet"
        )
    runs = [row(found, place, clock.now()) for place in range(len(found.sides))]
    shown = {line.run_id for line in content.rows}
    ours = {run_id for ids in book.ids.values() for run_id in ids}
    lone = {run.id for run in runs if run.id in shown and book.base(run.scope, run.id) is None}
    earlier = (shown & ours) - {run.id for run in runs}
    headers, left_out = _headers(found, {*book.columns}, columns)
    report = sync.tick(
        MemorySource({tab: runs}),
        destination,
        Rules(Choice(headers, (), len(headers)), states=frozenset({THERE}), live=True),
        Query(),
        clock,
        mode=replace(mode, cache=None),
    )
    return replace(
        report,
        name=tab,
        left_out=left_out,
        notices=(*report.notices, *frozen(lone), *_stay(earlier)),
        source="",
    )


def row(found: Comparison, place: int, now: datetime) -> Run:
    """The row of one of the runs."""
    run, scope = found.sides[place].run, found.sides[place].run.scope
    return Run(
        Scope(f"{PREFIX}{scope.source}", scope.host, scope.project),
        run.id,
        run.name,
        THERE,
        created=now,
        heartbeat=now,
        config={setting.key: setting.values[place] for setting in found.settings},
        summary={**found.numbers[place], **{f"_{name}": cell for name, cell in _facts(found, place).items()}},
    )


def _facts(found: Comparison, place: int) -> dict[str, Cell]:
    """The cells of a row that are none of its run's own keys."""
    side = found.sides[place]
    cells = {
        "state": side.run.state,
        "best_in": ", ".join(found.best_in(place)),
        **{name: read(side.gpu) for name, (_, read, _) in GPU.items()},
        "gpu_from": side.gpu.stream,
        "hours": side.hours,
        "gpus": side.gpus,
        "gpu_hours": side.gpu_hours,
    }
    return {name: round(cell, DECIMALS) if isinstance(cell, float) else cell for name, cell in cells.items()}


def _headers(
    found: Comparison, standing: Collection[str], columns: int
) -> tuple[tuple[Header, ...], tuple[str, ...]]:
    """The columns of a comparison, and the titles of those for which there is no room beside the columns that
    are `standing`. Metrics go first."""
    first = [Header("run_id", "Run"), Header("run_name", "Name"), Header("project", "Project"), *_own(FIRST)]
    numbers = (metric for metric in found.metrics if any(map(is_finite, metric.values)))
    metrics = [Header(f"{SUMMARY}{metric.key}", metric.key) for metric in numbers]
    settings = [Header(f"{CONFIG}{setting.key}", setting.key) for setting in found.differing]
    taken = {*standing, *(header.key for header in (*first, *_own(LAST)))}
    new = [header for header in (*metrics, *settings) if header.key not in taken]
    left_out = new[max(0, columns - len(taken)) :] + [h for h in new if len(h.key) > PATH_CHARS]
    shown = [header for header in (*settings, *metrics) if header not in left_out]
    return (*first, *shown, *_own(LAST)), tuple(dict.fromkeys(header.title for header in left_out))


def _own(titles: Mapping[str, str]) -> list[Header]:
    return [Header(f"{SUMMARY}_{name}", title) for name, title in titles.items()]


def _stay(earlier: Collection[str]) -> Iterator[str]:
    if earlier:
        yield f"{count(len(earlier), 'row')} of earlier comparisons: left as they are"
