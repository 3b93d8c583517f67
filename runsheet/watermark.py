"""How far a project was listed when the table was last written: a tick asks for what is new. Pure.

A *watermark* speaks of the runs of a project whose last sign of life is later than its `floor`: the newest
ones, a few hundred at most. A tick lists those alone. When they are the same as they were, and the project
has no more runs than they explain, nothing is new, and neither ids nor book-keeping have to be read.

The floor lies OVERLAP below the newest sign of life, since some come late and clocks differ, and below
that of every run that has not settled. What still comes in below it (a run that was recorded offline and
uploaded days later) is found by the number of runs, and at the latest by the next full listing.
"""

import heapq
import json
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from runsheet.model import Column, Owned, Run, Scope
from runsheet.packing import json_text, parse_scope, scope_text
from runsheet.rules import Rules
from runsheet.sources.base import Query, Recent

OVERLAP = timedelta(hours=2)
"""Signs of life may arrive so much later than others that are as old."""

MOST = 300
"""A watermark speaks of so many runs at most: with those that are new they fit into one small page."""

SECOND = timedelta(seconds=1)

LEAST = datetime(1970, 1, 3, tzinfo=UTC)
"""The floor where nothing is known."""

CHARS = 12_000
"""Room for all watermarks of a table; the oldest have to go. One takes about a hundred."""

Key = tuple[Scope, str]
"""What a watermark is for: a project, and the fingerprint of the rules by which its runs qualify."""


@dataclass(frozen=True, slots=True)
class Watermark:
    """`digest` stands for the settled, qualifying runs whose heartbeat is later than `floor`, `size` is the
    number of all runs that are, `total` that of all runs of the project (None: unknown), each as last
    listed. `full` is when all runs were listed."""

    scope: Scope
    rules: str
    floor: datetime
    digest: str
    size: int
    total: int | None
    full: datetime

    @property
    def key(self) -> Key:
        return self.scope, self.rules

    def lacks(self, recent: Recent) -> bool:
        """Whether there are more runs now than those above the floor explain: some came in below it."""
        if self.total is None or recent.total is None:
            return False
        size = sum(run.heartbeat is not None for run in recent.runs)
        return recent.total - self.total > size - self.size


class Gauge:
    """Measures a listing: add each light run, then make the watermark."""

    def __init__(self) -> None:
        self._newest: list[tuple[datetime, str, str]] = []
        self._waiting: datetime | None = None
        self._listed = 0

    def add(self, run: Run, text: str, *, waits: bool) -> None:
        """`text` says how a settled, qualifying run stands, "" for others. `waits`: the run has not settled,
        and may not show another sign of life when it does."""
        self._listed += 1
        if run.heartbeat is None:
            return
        if waits:
            self.wait_for(run)
        entry = (run.heartbeat, run.id, text)
        if len(self._newest) <= MOST:
            heapq.heappush(self._newest, entry)
        else:
            heapq.heappushpop(self._newest, entry)

    def wait_for(self, run: Run) -> None:
        """A run is to be looked at again, though it may not show another sign of life."""
        if run.heartbeat is not None:
            self._waiting = min(self._waiting or run.heartbeat, run.heartbeat)

    def pass_over(self, count: int) -> None:
        """Count runs that were listed, and could not be read."""
        self._listed += count

    def drop(self, run_id: str) -> None:
        """A run does not qualify after all, or is gone: it does not count as one that has its row."""
        self._newest = [(at, name, "" if name == run_id else text) for at, name, text in self._newest]

    def above(self, floor: datetime) -> str:
        """The digest of the runs above a floor."""
        return digest(text for heartbeat, _, text in self._newest if text and heartbeat > floor)

    def mark(
        self, key: Key, now: datetime, *, last: Watermark | None = None, total: int | None = None
    ) -> Watermark:
        """The watermark of a listing that is complete: of all runs, or of those above the floor of the
        watermark `last`, when the project had `total` runs."""
        floor = self._floor(now, last.floor if last else LEAST)
        size = sum(heartbeat > floor for heartbeat, _, _ in self._newest)
        count, full = (total, last.full) if last else (self._listed, now)
        return Watermark(*key, floor, self.above(floor), size, count, full)

    def _floor(self, now: datetime, least: datetime) -> datetime:
        """Where to begin the next time: whole seconds, not below `least`."""
        # A run whose clock is ahead must not lift the floor above what is to come.
        newest = min(max((heartbeat for heartbeat, _, _ in self._newest), default=least), now)
        floor = max(least, newest - OVERLAP)
        if self._waiting is not None:
            floor = max(least, min(floor, self._waiting - SECOND))
        floor = floor.replace(microsecond=0)
        if len(self._newest) > MOST:  # What is not above this one was not kept.
            floor = max(floor, self._newest[0][0].replace(microsecond=0) + SECOND)
        return floor


def digest(texts: Iterable[str]) -> str:
    """What stands for a set of texts, in 8 characters."""
    joined = json_text(sorted(texts)).encode("utf-8", "surrogatepass")
    return urlsafe_b64encode(sha256(joined).digest())[:8].decode()


def fingerprint(rules: Rules, query: Query) -> str:
    """What stands for all that decides which runs qualify: with other rules all runs are looked at again."""
    qualify = [sorted(rules.states), sorted(rules.users), rules.settle_hours, rules.live, rules.counted]
    asked = [sorted(query.users), json.dumps(query.filters, sort_keys=True, default=str)]
    return digest([json_text(qualify), json_text(asked)])[:6]


def of_columns(columns: Iterable[Column | Owned]) -> str:
    """The text that says which columns of ours there were, and what they were called, when the watermarks
    were written."""
    return f"columns {digest(f'{column.key} {column.title}' for column in columns)}"


def read(texts: Iterable[str]) -> dict[Key, Watermark]:
    """The watermarks of a table; texts that make no sense are passed over."""
    return {mark.key: mark for text in texts for mark in _parsed(text)}


def merged(
    texts: Iterable[str], fresh: Mapping[Key, Watermark], columns: Iterable[Column | Owned] = ()
) -> tuple[str, ...]:
    """The texts of the watermarks with fresh ones put in, as many as there is room for, the latest first, and
    that of the table's columns."""
    marks = sorted({**read(texts), **fresh}.values(), key=lambda mark: mark.full, reverse=True)
    kept = [of_columns(columns)] if marks else []
    left = CHARS
    for text in map(_text, marks):
        left -= len(text) + 4
        if left < 0:
            break
        kept.append(text)
    return tuple(kept)


def _text(mark: Watermark) -> str:
    total = -1 if mark.total is None else mark.total
    times = [int(mark.floor.timestamp()), int(mark.full.timestamp())]
    return json_text([scope_text(mark.scope), mark.rules, mark.digest, mark.size, total, *times])


def _parsed(text: str) -> Iterator[Watermark]:
    try:
        where, rules, done, size, total, floor, full = json.loads(text)
        scope = parse_scope(where)
        times = [datetime.fromtimestamp(seconds, UTC) for seconds in (floor, full)]
        if scope and isinstance(rules, str) and isinstance(done, str):
            count = None if int(total) < 0 else int(total)
            yield Watermark(scope, rules, times[0], done, int(size), count, times[1])
    except (ValueError, TypeError, AttributeError, OverflowError, OSError, RecursionError):
        return
