"""The rows of a plan on their way into batches: looked at once, in order, encoded once. Pure."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from runsheet.destinations.gsheet.encoding import Cells, dump
from runsheet.model import Plan, Row
from runsheet.packing import TEXT_CHARS, json_text, scope_text, word
from runsheet.stored import Stores, keep


@dataclass(frozen=True, slots=True)
class Encoded:
    """A row, and its RowData for each segment. `size`: the bytes of these in a body. `told`: about as many
    take its notes."""

    row: Row
    parts: tuple[bytes, ...]
    size: int
    told: float


class Feed:
    """The rows that are left. `segments`: the places in a row of the cells that stand side by side. `stored`
    tells what the sheet makes of a cell. Holds the rows of one batch at most, and one more."""

    def __init__(self, plan: Plan, segments: Sequence[Sequence[int]], cells: Cells, stored: Stores) -> None:
        self._plan = plan
        self._rows = iter(plan.rows)
        self._segments = segments
        self._cells = cells
        self._stored = stored
        self._keys = [column.key for column in plan.columns]
        self._head = len(dump(json_text(json_text({"keys": self._keys})))) if plan.tick else 0
        self._scope = cache(lambda scope: len(scope_text(scope)))
        self._left: deque[Encoded] = deque()

    @property
    def more(self) -> bool:
        """Whether there is another row."""
        if not self._left and (row := next(self._rows, None)) is not None:
            self._left.append(self._encode(row))
        return bool(self._left)

    def take(self, room: float, least: int) -> list[Encoded]:
        """The next rows, as many as take `room` bytes with their notes, but `least` at least."""
        taken: list[Encoded] = []
        while self.more:
            room -= self._left[0].size + self._left[0].told
            if room < 0 and len(taken) >= least:
                break
            taken.append(self._left.popleft())
        return taken

    def give_back(self, taken: list[Encoded], over: float, least: int) -> None:
        """Take rows off the end of what was taken, until `over` bytes less are left or `least` rows."""
        while over > 0 and len(taken) > least:
            over -= taken[-1].size + taken[-1].told
            self._left.appendleft(taken.pop())

    def _encode(self, row: Row) -> Encoded:
        parts = tuple(self._cells.row(row.cells, places) for places in self._segments)
        return Encoded(row, parts, sum(map(len, parts)) + len(parts), self._told(row))

    def _told(self, row: Row) -> float:
        """What the ledger and the journal say of a row that is one of many (ledger.written). Their texts are
        quoted twice in the body."""
        size: float = len(word(row.run_id)) + len(row.end) + 2
        if self._plan.tick:
            size += len(row.run_id) + 26
            # Each note of the journal begins with all keys.
            share = (len(row.run_id) + self._scope(row.scope) + 30) / max(1, TEXT_CHARS - self._head)
            size += min(1.0, share) * (self._head + 200)
        if row.live:
            cells = zip(self._keys, map(self._stored, row.cells), strict=True)
            kept = {key: keep(value) for key, value in cells if value is not None}
            size += len(dump(json_text(json_text({row.run_id: kept})))) - 2
        return size
