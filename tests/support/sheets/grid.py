"""What one tab holds: its rows of cells and what becomes of them when lines come, go and move.

A Row is never changed after it was made: a write puts a new Row in its place, so that two versions of a
tab share all rows that are equal and copying a tab of 100,000 rows copies one list of references. A cell
is a bare scalar; formats and notes are rare and sit beside it. Rows after the last written one are not
stored. Grid knows neither metadata nor other tabs: `state` does.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

from tests.support.sheets.a1 import Area
from tests.support.sheets.shifts import Axis, Delete, Insert, Move, Shift


class Formula(str):
    """A formula as entered, '=' included."""

    __slots__ = ()


Value = float | bool | str | Formula
"""Numbers are doubles, as in Sheets; an empty cell is None."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a cell has beside its value: its userEnteredFormat and its note."""

    format: dict[str, Any] | None = None
    note: str | None = None


PLAIN = Look()


class Row:
    """Cells from column A on (what is missing is empty), and the looks of the few that have one."""

    __slots__ = ("cells", "looks")

    def __init__(self, cells: list[Value | None], looks: dict[int, Look]) -> None:
        self.cells = cells
        self.looks = looks

    def cell(self, column: int) -> Value | None:
        return self.cells[column] if column < len(self.cells) else None

    def look(self, column: int) -> Look:
        return self.looks.get(column, PLAIN)

    def width(self) -> int:
        """One past the last column with a value."""
        end = len(self.cells)
        while end and self.cells[end - 1] is None:
            end -= 1
        return end

    def reach(self) -> int:
        """One past the last column with a value, a format or a note."""
        return max(self.width(), max(self.looks, default=-1) + 1)

    def formulas(self) -> Iterator[tuple[int, Formula]]:
        for column, value in enumerate(self.cells):
            if isinstance(value, Formula):
                yield column, value

    def write(self, values: dict[int, Value | None]) -> Row:
        """A copy with these values."""
        cells = self.cells + [None] * (max(values, default=-1) + 1 - len(self.cells))
        for column, value in values.items():
            cells[column] = value
        return Row(cells, self.looks)

    def dress(self, looks: dict[int, Look]) -> Row:
        """A copy with these looks; PLAIN takes a look away."""
        merged = {column: look for column, look in (self.looks | looks).items() if look != PLAIN}
        return Row(self.cells, merged)

    def formats(self) -> Row:
        """What a neighbour inserted beside this row inherits."""
        if not self.looks:
            return EMPTY
        return Row([], {column: Look(look.format) for column, look in self.looks.items() if look.format})


EMPTY = Row([], {})


@dataclass(frozen=True, slots=True)
class Line:
    """Properties of one row or column."""

    hidden: bool = False
    size: int | None = None


@dataclass
class Grid:
    """One tab. `extras` are parts stored as they came (charts, conditional formats, protected ranges...)."""

    id: int
    title: str
    height: int = 1000
    width: int = 26
    rows: list[Row] = field(default_factory=list)
    lines: dict[Axis, dict[int, Line]] = field(default_factory=lambda: {"ROWS": {}, "COLUMNS": {}})
    props: dict[str, Any] = field(default_factory=dict)
    layout: dict[str, Any] = field(default_factory=dict)
    merges: list[Area] = field(default_factory=list)
    extras: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    calculates: bool = False

    def fork(self) -> Self:
        """A version that can be changed while this one stays."""
        twin = copy.copy(self)
        twin.rows = self.rows.copy()
        twin.lines = {axis: lines.copy() for axis, lines in self.lines.items()}
        twin.props, twin.layout = self.props.copy(), self.layout.copy()
        twin.merges = self.merges.copy()
        twin.extras = {name: items.copy() for name, items in self.extras.items()}
        return twin

    @property
    def hidden(self) -> bool:
        return bool(self.props.get("hidden"))

    @property
    def area(self) -> Area:
        return Area(0, 0, self.height, self.width)

    def count(self, axis: Axis) -> int:
        return self.height if axis == "ROWS" else self.width

    def row(self, index: int) -> Row:
        return self.rows[index] if index < len(self.rows) else EMPTY

    def value(self, row: int, column: int) -> Value | None:
        return self.row(row).cell(column)

    def replace(self, index: int, row: Row) -> None:
        """Put a row in place of the one at the index."""
        if index >= len(self.rows):
            if row is EMPTY:
                return
            self.rows.extend([EMPTY] * (index + 1 - len(self.rows)))
        self.rows[index] = row

    def write(self, row: int, values: dict[int, Value | None]) -> None:
        """Set cells of one row; None clears."""
        self.calculates = self.calculates or any(isinstance(value, Formula) for value in values.values())
        if row < len(self.rows) or any(value is not None for value in values.values()):
            self.replace(row, self.row(row).write(values))

    def dress(self, row: int, looks: dict[int, Look]) -> None:
        self.replace(row, self.row(row).dress(looks))

    def last_row(self) -> int:
        """One past the last row with a value."""
        for index in range(len(self.rows) - 1, -1, -1):
            if self.rows[index].width():
                return index + 1
        return 0

    def formulas(self) -> Iterator[tuple[int, int, Formula]]:
        if self.calculates:
            for index, row in enumerate(self.rows):
                for column, formula in row.formulas():
                    yield index, column, formula

    def resize(self, axis: Axis, count: int) -> None:
        """Add lines at the end, or cut them off (their contents go)."""
        if axis == "ROWS":
            del self.rows[count:]
            self.height = count
        else:
            if count < self.width:
                self._each_row(lambda cells: cells[:count], lambda column: column if column < count else None)
            self.width = count
        self.lines[axis] = {index: line for index, line in self.lines[axis].items() if index < count}

    def shift(self, shift: Shift, before: bool = False) -> None:
        """Move cells, line properties and merges. `before`: new lines look like the line before them."""
        match shift:
            case Insert(axis="ROWS"):
                self._insert_rows(shift, before)
            case Insert():
                self._insert_columns(shift, before)
            case Delete(axis="ROWS"):
                del self.rows[shift.start : shift.end]
                self.height -= shift.end - shift.start
            case Delete():
                self._each_row(lambda cells: cells[: shift.start] + cells[shift.end :], shift.point)
                self.width -= shift.end - shift.start
            case Move(axis="ROWS"):
                self.rows.extend([EMPTY] * (max(shift.end, shift.to) - len(self.rows)))
                self.rows = _moved(self.rows, shift)
            case Move():
                reach = max(shift.end, shift.to)
                self._each_row(
                    lambda cells: _moved(cells + [None] * (reach - len(cells)), shift), shift.point
                )
        self._shift_lines(shift, before)
        self.merges = [area for old in self.merges if (area := shift_area(old, shift))]

    def _insert_rows(self, shift: Insert, before: bool) -> None:
        pattern = self.row(shift.at - 1 if before else shift.at).formats()
        if shift.at < len(self.rows) or pattern is not EMPTY:
            self.rows.extend([EMPTY] * (shift.at - len(self.rows)))
            self.rows[shift.at : shift.at] = [pattern] * shift.count
        self.height += shift.count

    def _insert_columns(self, shift: Insert, before: bool) -> None:
        at, blank = shift.at, [None] * shift.count
        model = at - 1 if before else at + shift.count
        self._each_row(
            lambda cells: cells[:at] + blank + cells[at:] if at < len(cells) else cells, shift.point
        )
        self.width += shift.count
        for index, row in enumerate(self.rows):
            if look := row.look(model).format:
                self.rows[index] = row.dress({column: Look(look) for column in range(at, at + shift.count)})

    def _each_row(self, cells: Any, place: Any) -> None:
        """Rebuild all rows with a function for the list of cells and one for the column of a look."""
        for index, row in enumerate(self.rows):
            if row is not EMPTY:
                looks = {to: look for column, look in row.looks.items() if (to := place(column)) is not None}
                self.rows[index] = Row(cells(row.cells), looks)

    def _shift_lines(self, shift: Shift, before: bool) -> None:
        lines = self.lines[shift.axis]
        model = lines.get(shift.at - 1 if before else shift.at) if isinstance(shift, Insert) else None
        moved = {to: line for index, line in lines.items() if (to := shift.point(index)) is not None}
        if isinstance(shift, Insert) and model and model.size:
            moved |= {index: Line(size=model.size) for index in range(shift.at, shift.at + shift.count)}
        self.lines[shift.axis] = moved


def shift_area(area: Area, shift: Shift) -> Area | None:
    """The area after a shift on its tab; None when nothing is left of it."""
    if shift.axis == "ROWS":
        span = shift.span(area.top, area.bottom)
        return area._replace(top=span[0], bottom=span[1]) if span else None
    span = shift.span(area.left, area.right)
    return area._replace(left=span[0], right=span[1]) if span else None


def trim(values: Iterable[Any], blank: Any = None) -> list[Any]:
    """Without trailing blanks."""
    kept = list(values)
    while kept and kept[-1] == blank:
        kept.pop()
    return kept


def _moved(items: list[Any], shift: Move) -> list[Any]:
    block = items[shift.start : shift.end]
    if shift.to <= shift.start:
        return items[: shift.to] + block + items[shift.to : shift.start] + items[shift.end :]
    return items[: shift.start] + items[shift.end : shift.to] + block + items[shift.to :]
