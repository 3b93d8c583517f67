"""The batches of one plan: what each holds, and in which order. Pure.

A batch is filled up to the limit. Its rows are encoded before it is known whether they still fit, and its
notes are made of them; what is too much goes into the next.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from runsheet import ledger
from runsheet.destinations.gsheet import batch, encoding
from runsheet.destinations.gsheet import images as images_of
from runsheet.destinations.gsheet.batch import Json
from runsheet.destinations.gsheet.encoding import Cells, Request
from runsheet.destinations.gsheet.feed import Encoded, Feed
from runsheet.destinations.gsheet.marks import Elsewhere
from runsheet.destinations.gsheet.standing import Standing
from runsheet.destinations.gsheet.writer import Look, Writer
from runsheet.model import Change, Plan, Row
from runsheet.stored import Stores

OVERHEAD_BYTES = 20_000
"""Room in a request for what the estimate of changes misses."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A body of requests that are applied together, what is in them, and how the sheet has to stand before.

    `images` names the place where the cells of `changes` are kept as they were, `show` are the ranges
    that the answer has to show. `floor`: the batch is refused also if rows moved. `first` is the place
    of its rows. `last`: no other batch of the plan follows.
    """

    body: bytes
    rows: Sequence[Row]
    before: Standing
    changes: Sequence[Change] = ()
    images: str = ""
    show: tuple[str, ...] = ()
    floor: bool = False
    first: int = 0
    last: bool = True


def batches(
    plan: Plan, standing: Standing, look: Look, width: int, stored: Stores, elsewhere: Elsewhere | None = None
) -> Iterator[Batch]:
    """The batches of a plan, each to be sent after the one before was accepted: changes first, since
    they speak of rows where they were read. Rows are looked at once, in order, those of one batch at a time.

    `width`: the columns that a tab which is new or empty gets. `stored` tells what the sheet makes of
    a cell. `elsewhere`: what the tab shall remember of the others, None to leave that.
    """
    maker = _Maker(plan, standing, Writer(plan, standing, look, width, elsewhere), stored)
    while True:
        part = maker.make()
        last = part.last
        yield part
        del part  # While the next is made nobody should have to hold both.
        if last:
            return


class _Maker:
    """Fills one batch after the other."""

    def __init__(self, plan: Plan, standing: Standing, writer: Writer, stored: Stores) -> None:
        self._plan = plan
        self._writer = writer
        self._stored = stored
        self._before = standing
        self._requests: list[Request] = [*writer.structure()]
        self._notes = plan.notes
        self._after = writer.widths()
        self._row = plan.after + 1
        used = encoding.size([*self._requests, *writer.notes(self._notes)])
        self._changes = deque(_changes(plan, batch.PAYLOAD_BYTES - OVERHEAD_BYTES - used))
        self._feed = Feed(plan, writer.segments, Cells(writer.zone), stored)
        self._least = 0  # The first batch has something to write without rows, too.

    def make(self) -> Batch:
        """The next batch."""
        writer, before, row = self._writer, self._before, self._row
        changes = self._changes.popleft() if self._changes else []
        images = writer.change(self._requests, changes)
        show = writer.show(before, images)
        rows, told, last = self._fill(changes, images, show)
        requests = [*self._requests, *writer.rows(rows, row), *self._after, *told]
        if not last:
            self._before, self._requests = writer.standing, [*writer.passport()]
            self._notes, self._after, self._row, self._least = (), [], row + len(rows), 1
        plain = [item.row for item in rows]
        body = encoding.body(requests, show)
        return Batch(body, plain, before, changes, images, show, bool(changes), row, last)

    def _fill(
        self, changes: Sequence[Change], images: str, show: Sequence[str]
    ) -> tuple[list[Encoded], list[Json], bool]:
        """The rows of a batch, its last requests, and whether it is the last."""
        head = [*self._requests, *self._after]
        room = batch.PAYLOAD_BYTES - len(encoding.body(head, show)) - self._writer.frame
        wait, least = bool(self._changes), 0 if changes else self._least
        first = encoding.size(self._writer.notes(self._notes))
        rows = [] if wait else self._feed.take(room - first, least)
        while True:
            last = not wait and not self._feed.more
            told = self._told(rows, changes, images, last=last)
            over = sum(item.size for item in rows) + encoding.size(told) - room
            if over <= 0 or len(rows) <= least:
                return rows, told, last
            if last:  # What closes the plan may go with a single row as well.
                over = max(1, over - encoding.size(self._closing(len(rows))))
            self._feed.give_back(rows, over, least)

    def _told(
        self, rows: Sequence[Encoded], changes: Sequence[Change], images: str, *, last: bool
    ) -> list[Json]:
        """The requests that note what a batch does; in the last one also what closes the plan."""
        plan = self._plan
        written = ledger.written(plan, [item.row for item in rows], changes, self._stored, images)
        return self._writer.notes([*self._notes, *written]) + (self._closing(len(rows)) if last else [])

    def _closing(self, rows: int) -> list[Json]:
        """The requests that close the plan, in a batch of so many rows."""
        return self._writer.notes(self._plan.closing) + self._writer.watermarks(rows, self._row)


def _changes(plan: Plan, room: int) -> list[list[Change]]:
    """The changes of each batch, which take `room` bytes at most; where rows follow, half of it."""
    few = room // 2 if plan.rows else room
    if any(edit.image is not None for change in plan.changes for edit in change.cells):
        few = batch.UNBOUNDED  # The images that they come from are gone after the batch.
    return list(images_of.chunks(plan.changes, few, {owned.key: owned.index for owned in plan.owned}))
