"""A destination that holds its worksheet in memory: the interface at its simplest.

`MemorySheet` is the document, which outlives a destination as a spreadsheet does; tests edit it
as people would.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from runsheet import ledger
from runsheet.errors import Changed
from runsheet.ledger import Note
from runsheet.model import Cell, Content, Limits, Owned, Placed, Plan, RowId, Shape


@dataclass(slots=True)
class MemorySheet:
    """A worksheet: rows of cells (row 0 is the header), a mark or None for each column, the
    book-keeping, and a version that every batch and every person's edit of columns raises."""

    rows: list[list[Cell]] = field(default_factory=list)
    marks: list[str | None] = field(default_factory=list)
    notes: list[Note] | None = None
    version: int = 0

    def text(self, row: int, column: int) -> str:
        cells = self.rows[row] if row < len(self.rows) else []
        cell = cells[column] if column < len(cells) else None
        return "" if cell is None else str(cell)


class MemoryDestination:
    """Applies plans to a MemorySheet."""

    name = "memory"
    limits = Limits()
    requests = 0

    def __init__(self, sheet: MemorySheet) -> None:
        self.sheet = sheet

    def read(self) -> Shape:
        sheet = self.sheet
        empty = not any(cell not in (None, "") for row in sheet.rows for cell in row)
        header = [sheet.text(0, index) for index in range(len(sheet.rows[0]))] if sheet.rows else []
        while header and not header[-1]:
            header.pop()
        owned = tuple(Owned(key, index, sheet.text(0, index)) for index, key in enumerate(sheet.marks) if key)
        return Shape(bool(sheet.rows), empty, tuple(header), () if empty else owned, sheet.version)

    def content(self, shape: Shape, adopted: Sequence[Placed] = ()) -> Content:
        sheet = self.sheet
        if sheet.version != shape.token:
            raise Changed("somebody else wrote")
        places = {owned.key: owned.index for owned in shape.owned}
        places |= {placed.column.key: placed.index for placed in adopted}
        notes = None if sheet.notes is None else tuple(sheet.notes)
        if notes is None and not shape.owned:
            notes = ()
        return Content(tuple(self._row_ids(places)), notes)

    def _row_ids(self, places: dict[str, int]) -> Iterator[RowId]:
        if "run_id" not in places:
            return
        others = [index for key, index in places.items() if key != "run_id"]
        for row in range(1, len(self.sheet.rows)):
            if run_id := self.sheet.text(row, places["run_id"]).strip():
                project = self.sheet.text(row, places["project"]) if "project" in places else ""
                filled = any(self.sheet.text(row, index) for index in others)
                yield RowId(run_id, project, row, filled)

    def apply(self, plan: Plan) -> Iterator[int]:
        if plan.nothing:
            return
        sheet = self.sheet
        if sheet.version != plan.shape.token:
            raise Changed("somebody else wrote")
        sheet.version += 1
        if plan.shape.empty:
            sheet.rows[:0] = [[]]
            sheet.marks = [None] * len(sheet.marks)
        width = max((len(row) for row in sheet.rows), default=0)
        sheet.marks += [None] * (width - len(sheet.marks))
        for placed in plan.adopted:
            sheet.marks[placed.index] = placed.column.key
        start = 0 if plan.shape.empty else width
        self._add_columns(plan, start)
        places = {key: index for index, key in enumerate(sheet.marks) if key}
        rows: list[list[Cell]] = []
        for row in plan.rows:
            cells: list[Cell] = [None] * len(sheet.marks)
            for column, cell in zip(plan.columns, row.cells, strict=True):
                cells[places[column.key]] = cell
            rows.append(cells)
        sheet.rows[plan.after + 1 : plan.after + 1] = rows
        sheet.notes = [*(sheet.notes or ()), *plan.notes, *ledger.added(plan.rows)]
        yield len(rows)

    def _add_columns(self, plan: Plan, start: int) -> None:
        sheet = self.sheet
        header = sheet.rows[0]
        header += [None] * (start - len(header))
        sheet.marks += [None] * (start + len(plan.new) - len(sheet.marks))
        for offset, column in enumerate(plan.new):
            header.insert(start + offset, column.title)
            sheet.marks[start + offset] = column.key

    def probe(self) -> Iterator[str]:
        yield "memory needs no rules"

    def close(self) -> None:
        """Nothing is held."""
