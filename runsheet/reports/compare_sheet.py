"""Comparisons in a worksheet: a row for each run, kept by the machinery that keeps runs there.

A row is like that of a run which goes on for ever: comparing the run again refreshes it, and cells, rows and
columns of people stay (P2 to P4). Project and id say whose row it is, whichever source told of the run. Rows
of earlier comparisons stay as they are.

A row has all keys of its run, whatever the columns show: columns of an earlier comparison go on to be true.
What is no key of a run's is in the summary under names that begin with "_", as no metric's does.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from runsheet import ledger, sync
from runsheet.clock import Clock
from runsheet.columns import Choice, Header, fingerprint
from runsheet.destinations.base import Destination
from runsheet.fields import CONFIG, DECIMALS, PATH_CHARS, SUMMARY
from runsheet.ledger import Ledger
from runsheet.model import Cell, Content, Run, Scope, Shape
from runsheet.report import Report, count
from runsheet.reports.compare import Comparison, is_finite
from runsheet.reports.compare_tables import GPU
from runsheet.reports.keeper import frozen, stands
from runsheet.reports.live_table import THERE
from runsheet.rules import Rules
from runsheet.shown import Shown, Who
from runsheet.sources.base import Query
from runsheet.sources.memory import MemorySource

SOURCE = "compared"
"""The source in the scopes of rows, whichever the runs came from: they are no rows of runs."""

REMEDY = "delete these rows, let the runs in again with runsheet forget, and compare anew"
"""What helps where nobody knows any more what was last written to rows: the tab may hold many others."""

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

    Raises as sync.tick does.
    """
    shape, content = stands(destination)
    book = ledger.parse(content.notes or ())
    runs = [row(found, place, clock.now()) for place in range(len(found.sides))]
    headers, left_out = _headers(found, shape, book, columns)
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
        notices=(*report.notices, *_untouched(runs, content, book)),
        source="",
    )


def row(found: Comparison, place: int, now: datetime) -> Run:
    """The row of one of the runs."""
    run = found.sides[place].run
    return Run(
        Scope(SOURCE, "", run.scope.project),
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
    found: Comparison, shape: Shape, book: Ledger, columns: int
) -> tuple[tuple[Header, ...], tuple[str, ...]]:
    """The columns of a comparison, and the titles of those for which there is no room beside the columns that
    stand. Those that people deleted stay away and take none. Metrics go first."""
    first = [Header("run_id", "Run"), Header("run_name", "Name"), Header("project", "Project"), *_own(FIRST)]
    last = _own(LAST)
    numbers = (metric for metric in found.metrics if any(map(is_finite, metric.values)))
    metrics = [Header(f"{SUMMARY}{metric.key}", metric.key) for metric in numbers]
    settings = [Header(f"{CONFIG}{setting.key}", setting.key) for setting in found.differing]
    ever = {owned.key for owned in shape.owned} | book.columns.keys()

    def new(headers: Iterable[Header]) -> list[Header]:
        return [each for each in headers if each.key not in ever and fingerprint(each.key) not in shape.made]

    room = max(0, columns - len(shape.owned) - len(new([*first, *last])))
    wanted = new([*metrics, *settings])
    fitting = [header for header in wanted if len(header.key) <= PATH_CHARS]
    left_out = [*fitting[room:], *(header for header in wanted if len(header.key) > PATH_CHARS)]
    without = {*left_out}
    shown = (header for header in (*settings, *metrics) if header not in without)
    return (*first, *shown, *last), tuple(dict.fromkeys(header.title for header in left_out))


def _own(titles: Mapping[str, str]) -> list[Header]:
    return [Header(f"{SUMMARY}_{name}", title) for name, title in titles.items()]


def _untouched(runs: Iterable[Run], content: Content, book: Ledger) -> Iterator[str]:
    """What a person should know of rows that stay as they are: of these runs, and of earlier ones."""
    shown = Shown(content.rows, book)
    ours = dict.fromkeys(Who(run.scope, run.id) for run in runs)
    lone = [who for who in ours if shown.row(who) and book.base(who.scope, who.run_id) is None]
    yield from frozen([who.run_id for who in lone], REMEDY)
    known = (Who(scope, run_id) for scope, ids in book.ids.items() for run_id in ids)
    if earlier := [who for who in known if who not in ours and shown.row(who)]:
        yield f"{count(len(earlier), 'row')} of earlier comparisons: left as they are"
