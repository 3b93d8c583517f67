"""The rows of one run of a project: those in the database, then those that wait in the inbox.

The inbox is read first, so that a row which is imported meanwhile comes from both: its `log_id` tells, and it
counts once. Values stay as Trackio writes them: NaN and the infinities are texts.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

from runsheet.clock import Clock
from runsheet.model import Sample
from runsheet.sources.base import Logged, Rows, Stream
from runsheet.sources.trackio_db.inbox import METRIC, SYSTEM_METRIC, Line
from runsheet.sources.trackio_db.run_facts import instant, parse
from runsheet.sources.trackio_db.tables import table, text

TABLES: Mapping[Stream, str] = {Stream.HISTORY: "metrics", Stream.SYSTEM: "system_metrics"}
KINDS: Mapping[Stream, str] = {Stream.HISTORY: METRIC, Stream.SYSTEM: SYSTEM_METRIC}
"""Where a stream is in the database, and how its rows are marked in the inbox."""

NEEDED, OPTIONAL = ("timestamp", "metrics"), ("step", "log_id")
"""The columns of both tables."""


class _Entry(NamedTuple):
    """A row. `log_id` is "" where it has none."""

    time: float
    step: int
    log_id: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RunRows:
    """The rows of the run `id`: `lines` are those of the inbox; `connection` leads to the database, if there
    is one. Rows that cannot be read are left out, as in a listing, which tells how many they are."""

    id: str
    lines: Sequence[Line]
    clock: Clock
    connection: sqlite3.Connection | None = None

    def there(self) -> bool:
        """Whether the run is known at all: it may have a config and no rows."""
        needed = {"configs": ("config",), **dict.fromkeys(TABLES.values(), NEEDED)}
        return bool(self.lines) or any(True for name in needed for _ in self._of_run(name, needed[name]))

    def logged(self) -> Logged:
        """The keys of both streams, each with the number of its rows."""
        history, system = (
            Counter(key for entry in self._entries(stream) for key in entry.values)
            for stream in (Stream.HISTORY, Stream.SYSTEM)
        )
        return Logged(history, system)

    def rows(self, stream: Stream, wanted: Callable[[str], bool]) -> Rows:
        """The rows of a stream by time and step: those of an inbox that is imported late are old."""
        found = []
        for entry in self._entries(stream):
            values = {key: value for key, value in entry.values.items() if wanted(key)}
            if values:
                found.append((entry.time, entry.step, Sample(entry.time, values)))
        found.sort(key=itemgetter(0, 1))
        return Rows(tuple(sample for _, _, sample in found))

    def _entries(self, stream: Stream) -> Iterator[_Entry]:
        """The rows of a stream, each once."""
        known: set[str] = set()
        for entry in chain(self._stored(stream), self._waiting(stream)):
            if entry.log_id not in known:
                yield entry
            if entry.log_id:
                known.add(entry.log_id)

    def _stored(self, stream: Stream) -> Iterator[_Entry]:
        for time, raw, step, log_id in self._of_run(TABLES[stream], NEEDED, OPTIONAL):
            moment = instant(text(time))
            try:
                values = parse(raw if isinstance(raw, bytes) else "")
            except ValueError:
                continue
            if moment is not None:
                yield _Entry(moment, step if isinstance(step, int) else 0, text(log_id), values)

    def _of_run(
        self, name: str, needed: Sequence[str], optional: Sequence[str] = ()
    ) -> Iterator[tuple[Any, ...]]:
        """These columns of the rows in a table, in the order in which they came; None for one that is
        optional and not there. Raises as `table` does."""
        if self.connection is None:
            return
        found = table(self.connection, name, "run_name", *needed)
        if found:
            columns = ", ".join([*needed, *(found.or_else(column, "NULL") for column in optional)])
            sql = f"SELECT {columns} FROM {name} WHERE {found.of_run} ORDER BY rowid"
            yield from self.clock.watched(self.connection.execute(sql, {"id": self.id, "none": None}))

    def _waiting(self, stream: Stream) -> Iterator[_Entry]:
        lines = (line for line in self.lines if line.kind == KINDS[stream])
        return (_Entry(line.time, line.step, line.log_id, line.metrics) for line in lines)
