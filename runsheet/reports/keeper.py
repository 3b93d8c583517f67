"""Keeps the reports of REPORTS in the sheet true, by the machinery that keeps runs there."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runsheet import ledger, sync
from runsheet.clock import Clock
from runsheet.destinations.base import Destination
from runsheet.model import Content, Shape
from runsheet.report import Report, count, some
from runsheet.reports.gather import Gather
from runsheet.reports.live_table import THERE, Table
from runsheet.reports.store import Store
from runsheet.reports.usage import Settings, Usage
from runsheet.sources.base import Query, Source
from runsheet.sources.memory import MemorySource

ANEW = "delete the tab, and it is made again"
"""What helps where nobody knows any more what was last written to the rows of a report."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a report is made of: all runs of all users that `filters` (as in Query) let through. `settings`
    say how GPUs are counted, `names` what users are called."""

    table: Table
    settings: Settings
    filters: Mapping[str, Any]
    names: Mapping[str, str]

    @property
    def query(self) -> Query:
        return Query(filters=self.filters, gpus=True)

    @property
    def stored(self) -> str:
        """What stands for the runs that there are, and for what is kept of them."""
        keys = [*self.settings.world_size_keys, "", self.settings.accelerator_key]
        return json.dumps([keys, self.filters], sort_keys=True)


class Keeper:
    """Makes reports. `folder` is where it keeps what need not be asked for again (store.py), None for no
    file: then it knows that until the process ends."""

    def __init__(self, folder: Path | None, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._stores: dict[str, Store] = {}

    def make(self, wish: Wish, source: Source, destination: Destination, mode: sync.Mode) -> Report:
        """Make the table of a report true once, and say what was done. Raises RunsheetError; then the table
        is as it was, or half done, which the next time completes."""
        started, requests = self._clock.monotonic(), source.requests
        table, skipped = wish.table, list[str]()
        _, content = stands(destination)
        book = ledger.parse(content.notes or ())
        store = self._store(wish)
        with store.opened():
            used = Gather(source, wish.query, wish.settings, self._clock, store)
            known = book.ids.get(table.scope, ())
            runs = table.runs(_counted(used, skipped), known, wish.names, self._clock.now())
        lone = [row.run_id for row in content.rows if book.base(table.scope, row.run_id) is None]
        report = sync.tick(
            MemorySource({table.name: runs}),
            destination,
            table.rules,
            Query(),
            self._clock,
            mode=replace(mode, cache=None),
        )
        rows = sum(run.state == THERE for run in runs)
        return replace(
            report,
            name=table.name,
            seen=rows,
            total=rows,
            waiting={},
            notices=(*report.notices, *frozen({run.id for run in runs} & {*lone}, ANEW), *_left_out(skipped)),
            source=source.name,
            source_requests=source.requests - requests,
            seconds=self._clock.monotonic() - started,
        )

    def _store(self, wish: Wish) -> Store:
        if wish.stored not in self._stores:
            self._stores.clear()  # The old one is of no use any more.
            self._stores[wish.stored] = Store(self._folder, wish.stored)
        return self._stores[wish.stored]


def stands(destination: Destination) -> tuple[Shape, Content]:
    """What stands in the worksheet of a report; no columns and no rows where that is still to be made."""
    shape = destination.read()
    if not shape.owned or shape.empty or shape.hollow:
        return replace(shape, owned=(), made=frozenset()), Content()
    return shape, destination.content(shape)


def _counted(used: Iterable[Usage], skipped: list[str]) -> Iterator[Usage]:
    for one in used:
        if one.skipped and one.status != "in progress":
            skipped.append(one.run_id)
        yield one


def frozen(lone: Collection[str], remedy: str) -> Iterator[str]:
    """What a person should know of rows of a report of which nobody knows what was last written there, and
    what helps."""
    if lone:
        yield (
            f"{count(len(lone), 'row')} not kept up to date, since the book-keeping does not know what was "
            f"written there ({some(sorted(lone))}): {remedy}"
        )


def _left_out(skipped: Sequence[str]) -> Iterator[str]:
    if skipped:
        yield f"{count(len(skipped), 'run')} left out, since the world size is no number: {some(skipped)}"
