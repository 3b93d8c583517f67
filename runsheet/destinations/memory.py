"""A destination that holds its worksheet in memory: the interface at its simplest.

`MemorySheet` is the document, which outlives a destination as a spreadsheet does; tests edit it
as people would.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from runsheet import columns, ledger
from runsheet.destinations.xlsx import stream
from runsheet.errors import Changed
from runsheet.model import (
    Cell,
    Cells,
    Content,
    Edit,
    Foreign,
    Limits,
    Owned,
    Placed,
    Plan,
    RowId,
    Shape,
    Stored,
    Written,
)
from runsheet.packing import Note
from runsheet.stored import same


@dataclass(slots=True)
class MemorySheet:
    """A worksheet: rows of cells (row 0 is the header), a mark or None for each column, the
    book-keeping, a version that every batch and every person's edit of columns raises, the
    fingerprints of the columns ever made, and the watermarks."""

    rows: list[list[Cell]] = field(default_factory=list)
    marks: list[str | None] = field(default_factory=list)
    notes: list[Note] | None = None
    version: int = 0
    made: frozenset[str] = frozenset()
    watermarks: tuple[str, ...] = ()

    def text(self, row: int, column: int) -> str:
        cells = self.rows[row] if row < len(self.rows) else []
        cell = cells[column] if column < len(cells) else None
        return "" if cell is None else str(cell)


class MemoryDestination:
    """Applies plans to a MemorySheet."""

    name = "memory"
    limits = Limits()
    requests = 0
    remarks = ()
    zone = ""

    def __init__(self, sheet: MemorySheet) -> None:
        self.sheet = sheet

    def read(self) -> Shape:
        sheet = self.sheet
        empty = not any(cell not in (None, "") for row in sheet.rows for cell in row)
        header = [sheet.text(0, index) for index in range(len(sheet.rows[0]))] if sheet.rows else []
        while header and not header[-1]:
            header.pop()
        if empty:
            return Shape(bool(sheet.rows), True, tuple(header), token=sheet.version)
        owned = tuple(Owned(key, index, sheet.text(0, index)) for index, key in enumerate(sheet.marks) if key)
        hollow = sheet.notes is not None and not any(
            sheet.text(row, item.index) for item in owned for row in range(len(sheet.rows))
        )
        marks = () if hollow else sheet.watermarks
        return Shape(True, False, tuple(header), owned, sheet.version, sheet.made, hollow, watermarks=marks)

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

    def cells(self, shape: Shape, content: Content, rows: Sequence[RowId]) -> Cells:
        places = {owned.key: owned.index for owned in shape.owned}
        ids = places.get("run_id")
        if ids is not None and any(self.sheet.text(r.index, ids).strip() != r.run_id for r in rows):
            raise Changed("a row moved")
        return Cells(
            {row.index: {key: self._cell(row.index, at) for key, at in places.items()} for row in rows}
        )

    def _cell(self, row: int, column: int) -> Stored:
        cells = self.sheet.rows[row] if row < len(self.sheet.rows) else []
        return self.stored(cells[column]) if column < len(cells) else None

    def use_zone(self, name: str) -> None:
        """Dates are dates here."""

    def stored(self, cell: Cell) -> Stored:
        return cell.timestamp() if isinstance(cell, datetime) else cell

    def apply(self, plan: Plan) -> Iterator[Written]:
        if plan.nothing:
            return
        sheet = self.sheet
        if sheet.version != plan.shape.token:
            raise Changed("somebody else wrote")
        marks = {owned.key: owned.index for owned in plan.owned}
        for change in plan.changes:
            for edit in change.cells:
                if edit.key in marks and not same(edit.before, self._cell(change.row.index, marks[edit.key])):
                    raise Changed("somebody edited a cell")
        sheet.version += 1
        if plan.shape.empty:
            sheet.rows[:0] = [[]]
            sheet.made = frozenset()
        if plan.shape.empty or plan.shape.hollow:
            sheet.marks = [None] * len(sheet.marks)
        width = max((len(row) for row in sheet.rows), default=0)
        sheet.marks += [None] * (width - len(sheet.marks))
        if marks:  # A column that was cut and pasted stands elsewhere than its mark.
            at = {index: key for key, index in marks.items()}
            sheet.marks = [at.get(index) for index in range(len(sheet.marks))]
        for placed in plan.adopted:
            sheet.marks[placed.index] = placed.column.key
        start = 0 if plan.shape.empty else width
        self._add_columns(plan, start)
        places = {key: index for index, key in enumerate(sheet.marks) if key}
        sheet.made |= set(map(columns.fingerprint, places))
        for change in plan.changes:
            for edit in change.cells:
                self._put(change.row.index, places[edit.key], edit, plan)
        rows: list[list[Cell]] = []
        for row in plan.rows:
            cells: list[Cell] = [None] * len(sheet.marks)
            for column, cell in zip(plan.columns, row.cells, strict=True):
                cells[places[column.key]] = cell
            rows.append(cells)
        sheet.rows[plan.after + 1 : plan.after + 1] = rows
        written = ledger.written(plan, plan.rows, plan.changes, self.stored)
        sheet.notes = [*(sheet.notes or ()), *plan.notes, *written, *plan.closing]
        over = plan.shape.empty or plan.shape.hollow
        kept = () if over else sheet.watermarks
        sheet.watermarks = kept if plan.watermarks is None else plan.watermarks
        yield Written(len(rows), len(plan.changes))

    def _put(self, row: int, column: int, edit: Edit, plan: Plan) -> None:
        cells = self.sheet.rows[row]
        cells += [None] * (column + 1 - len(cells))
        date = any(item.key == edit.key and item.date for item in plan.columns)
        value = edit.after.text if isinstance(edit.after, Foreign) else edit.after
        is_date = date and isinstance(value, (int, float))
        cells[column] = datetime.fromtimestamp(float(value), UTC) if is_date and value is not None else value

    def remove(self, shape: Shape, content: Content, rows: Sequence[RowId]) -> tuple[RowId, ...]:
        if self.sheet.version != shape.token:
            raise Changed("somebody else wrote")
        there = self.sheet.rows
        blank = [row for row in rows if not any(cell not in (None, "") for cell in there[row.index])]
        for row in sorted(blank, key=lambda row: -row.index):
            del there[row.index]
        return tuple(blank)

    def _add_columns(self, plan: Plan, start: int) -> None:
        sheet = self.sheet
        header = sheet.rows[0]
        header += [None] * (start - len(header))
        sheet.marks += [None] * (start + len(plan.new) - len(sheet.marks))
        for offset, column in enumerate(plan.new):
            header.insert(start + offset, column.title)
            sheet.marks[start + offset] = column.key

    def backup(self, shape: Shape, path: Path) -> None:
        stream.write(path, "memory", self.sheet.rows)

    def backup_name(self, shape: Shape) -> str:
        return "memory.xlsx"

    def made(self, shape: Shape) -> datetime | None:
        return None

    def probe(self) -> Iterator[str]:
        yield "memory needs no rules"

    def close(self) -> None:
        """Nothing is held."""
