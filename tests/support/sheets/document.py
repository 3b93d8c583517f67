"""A spreadsheet as the server keeps it, and the hands of a person who works in it.

All methods take effect at once and hold the server's lock, so that they may be called from a test while
requests are served, or by a callback in the middle of one. Rows are numbered and columns lettered as on
the screen. People are not stopped by protected ranges: those lock our account out.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.support.sheets import a1, cells, requests, view
from tests.support.sheets.a1 import Area
from tests.support.sheets.evaluate import Evaluator, Failure, Result
from tests.support.sheets.grid import Formula, Grid, Line, Look, Value, trim
from tests.support.sheets.metadata import Meta
from tests.support.sheets.schema import check
from tests.support.sheets.shifts import Axis, Insert, Move
from tests.support.sheets.state import Protection, State

ANYONE = "*"
ROLES = ("reader", "writer")


@dataclass(frozen=True)
class Snapshot:
    """All that one tab is; two are equal when nothing on it differs. Field by field it says what does."""

    title: str
    index: int
    size: tuple[int, int]
    values: tuple[tuple[object, ...], ...]
    looks: tuple[tuple[int, int, str, str], ...]
    lines: tuple[tuple[str, int, Line], ...]
    marks: tuple[Meta, ...]
    protected: tuple[str, ...]
    rest: str


class Document:
    """One spreadsheet: its state now, who may see it, and when it changed."""

    def __init__(self, key: str, title: str, lock: threading.RLock, roles: dict[str, str]) -> None:
        self.key = key
        self.state = State(title)
        self.lock = lock
        self.roles = roles
        self.created = self.modified = datetime.now(UTC)

    def __repr__(self) -> str:
        return f"<Document {self.state.title!r} {[grid.title for grid in self.state.grids]}>"

    @property
    def title(self) -> str:
        return self.state.title

    @property
    def url(self) -> str:
        return f"https://docs.google.com/spreadsheets/d/{self.key}/edit"

    @contextmanager
    def change(self, owner: bool = False) -> Iterator[State]:
        """A fork to work on, which becomes the document's state unless an exception is raised."""
        with self.lock:
            draft = self.state.fork()
            draft.owner = owner
            yield draft
            draft.owner = False
            self.state = draft
            self.modified = datetime.now(UTC)

    def share(self, email: str = ANYONE, role: str = "writer") -> None:
        """Let an account (or anyone) in, as 'reader' or 'writer'."""
        if role not in ROLES:
            raise ValueError(f"role must be one of {ROLES}, not {role!r}")
        self.roles[email] = role

    def unshare(self, email: str = ANYONE) -> None:
        self.roles.pop(email, None)

    def role(self, email: str) -> str | None:
        """'reader', 'writer' or None for an account."""
        return self.roles.get(email) or self.roles.get(ANYONE)

    @property
    def metadata(self) -> list[Meta]:
        """All developer metadata of the document, by id."""
        return sorted(self.state.metadata.values(), key=lambda meta: meta.id)

    @property
    def tabs(self) -> list[Tab]:
        return [Tab(self, grid.id) for grid in self.state.grids]

    def tab(self, title: str) -> Tab:
        """The tab with that title; raises KeyError when there is none."""
        with self.lock:
            for grid in self.state.grids:
                if grid.title == title:
                    return Tab(self, grid.id)
        raise KeyError(f"no tab {title!r} in {self!r}")

    def add_tab(
        self,
        title: str,
        rows: int = 1000,
        columns: int = 26,
        index: int | None = None,
        number: int | None = None,
    ) -> Tab:
        with self.change(owner=True) as state:
            number = state.new_tab() if number is None else number
            state.add_grid(Grid(number, title, rows, columns), index)
        return Tab(self, number)

    def delete_tab(self, title: str) -> None:
        with self.change(owner=True) as state:
            state.delete_grid(self.tab(title).id)

    def duplicate_tab(self, title: str, new: str | None = None) -> Tab:
        """A copy right behind the tab, as the menu makes it; metadata is copied under new ids."""
        source = self.tab(title)
        with self.change(owner=True) as state:
            index = state.grids.index(state.grid(source.id)) + 1
            number = state.new_tab()
            state.duplicate_grid(source.id, number, new or f"Copy of {title}", index)
        return Tab(self, number)

    def request(self, *items: dict[str, Any]) -> list[dict[str, Any]]:
        """Carry out requests of a batchUpdate as the owner; answers their replies."""
        check("BatchUpdate", {"requests": list(items)})
        with self.change(owner=True) as state:
            return requests.apply(state, list(items))

    def snapshot(self) -> tuple[Snapshot, ...]:
        """All tabs."""
        with self.lock:
            return tuple(tab.snapshot() for tab in self.tabs)


class Tab:
    """One tab in the hands of a person; stays valid when the tab is renamed or moved."""

    def __init__(self, document: Document, number: int) -> None:
        self.document = document
        self.id = number

    def __repr__(self) -> str:
        return f"<Tab {self.title!r} of {self.document.title!r}>"

    @property
    def grid(self) -> Grid:
        """The tab's contents now; to be read, not changed."""
        return self.document.state.grid(self.id)

    @property
    def title(self) -> str:
        return self.grid.title

    @property
    def hidden(self) -> bool:
        return self.grid.hidden

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the grid."""
        return self.grid.height, self.grid.width

    # -- looking

    def values(self) -> list[list[Any]]:
        """Effective values as numbers, booleans and text; empty cells are None, trailing ones are trimmed."""
        return self._rows(lambda value, look: _scalar(value), None)

    def formatted(self) -> list[list[str]]:
        """What people see, trimmed likewise."""
        return self._rows(lambda value, look: view.text(value, look.format), "")

    def entered(self) -> list[list[Value | None]]:
        """What was entered: as values(), but formulas as their text."""
        return trim((trim(_scalar(cell) for cell in row.cells) for row in self.grid.rows), [])

    def value(self, cell: str) -> Any:
        """The effective value of 'B3'."""
        with self.document.lock:
            return _scalar(Evaluator(self.document.state).value(self.grid, *a1.cell(cell)))

    def look(self, cell: str) -> Look:
        """Format and note of a cell."""
        row, column = a1.cell(cell)
        return self.grid.row(row).look(column)

    def marks(self) -> list[Meta]:
        """Developer metadata on the tab and on its rows and columns."""
        return [meta for meta in self.document.metadata if meta.place.tab == self.id]

    def hidden_columns(self) -> list[str]:
        return [
            a1.letters(index) for index, line in sorted(self.grid.lines["COLUMNS"].items()) if line.hidden
        ]

    def snapshot(self) -> Snapshot:
        with self.document.lock:
            return _snapshot(self.document.state, self.grid)

    # -- writing

    def put(self, cell: str, value: Any) -> None:
        """Enter a value at 'B3': text that begins with '=' is a formula, other text is text, None clears."""
        self.fill(cell, [[value]])

    def fill(self, cell: str, rows: list[list[Any]]) -> None:
        """Enter rows of values from a cell on; the grid grows as needed."""
        top, left = a1.cell(cell)
        with self._change() as (_, grid):
            grid.height = max(grid.height, top + len(rows))
            grid.width = max(grid.width, left + max(map(len, rows), default=0))
            for index, row in enumerate(rows, top):
                grid.write(index, {column: _typed(value) for column, value in enumerate(row, left)})

    def append(self, *values: Any) -> None:
        """Enter a row under the last one with a value."""
        with self.document.lock:
            self.fill(f"A{self.grid.last_row() + 1}", [list(values)])

    def clear(self, span: str | None = None) -> None:
        """Empty cells (all of them); formats and notes stay, as with the delete key."""
        with self._change() as (_, grid):
            area = self._area(grid, span)
            for row in range(area.top, min(area.bottom, len(grid.rows))):
                grid.write(row, dict.fromkeys(area.columns))

    def note(self, cell: str, text: str | None) -> None:
        row, column = a1.cell(cell)
        with self._change() as (_, grid):
            grid.dress(row, {column: Look(grid.row(row).look(column).format, text or None)})

    def format(self, span: str, look: dict[str, Any]) -> None:
        """Set the userEnteredFormat of all cells of a range."""
        with self._change() as (_, grid):
            area = self._area(grid, span)
            for row in area.rows:
                grid.dress(row, {c: Look(look or None, grid.row(row).look(c).note) for c in area.columns})

    def copy(self, source: str, to: str, values: bool = False) -> None:
        """Copy a range to a place on the same tab, with formats or as values only."""
        with self._change() as (state, grid):
            row, column = a1.cell(to)
            goal = view.span(self.id, Area(row, column, row + 1, column + 1))
            kind = "PASTE_VALUES" if values else "PASTE_NORMAL"
            span = view.span(self.id, self._area(grid, source))
            cells.copy_paste(state, {"source": span, "destination": goal, "pasteType": kind})

    def cut(self, source: str, to: str) -> None:
        """Cut a range and paste it; developer metadata stays behind."""
        with self._change() as (state, grid):
            row, column = a1.cell(to)
            goal = {"sheetId": self.id, "rowIndex": row, "columnIndex": column}
            span = view.span(self.id, self._area(grid, source))
            cells.cut_paste(state, {"source": span, "destination": goal})

    def sort(self, by: str, ascending: bool = True, within: str | None = None, header: int = 1) -> None:
        """Sort by a column: a range, or all rows under the header rows."""
        with self._change() as (state, grid):
            area = self._area(grid, within)
            if within is None:
                area = area._replace(top=header, bottom=max(header + 1, len(grid.rows)))
            order = "ASCENDING" if ascending else "DESCENDING"
            specs = [{"dimensionIndex": a1.number(by), "sortOrder": order}]
            cells.sort_range(state, {"range": view.span(self.id, area), "sortSpecs": specs})

    # -- lines

    def insert_rows(self, before: int, count: int = 1) -> None:
        """New rows above row `before`."""
        self._shift(Insert("ROWS", before - 1, count))

    def insert_columns(self, before: str, count: int = 1) -> None:
        """New columns to the left of column `before`."""
        self._shift(Insert("COLUMNS", a1.number(before), count))

    def delete_rows(self, first: int, count: int = 1) -> None:
        self._delete("ROWS", first - 1, count)

    def delete_columns(self, first: str, count: int = 1) -> None:
        self._delete("COLUMNS", a1.number(first), count)

    def move_rows(self, first: int, to: int, count: int = 1) -> None:
        """Drag rows so that they stand above what is now row `to`."""
        self._move("ROWS", first - 1, to - 1, count)

    def move_columns(self, first: str, to: str, count: int = 1) -> None:
        """Drag columns so that they stand to the left of what is now column `to`."""
        self._move("COLUMNS", a1.number(first), a1.number(to), count)

    def hide_column(self, column: str, hidden: bool = True) -> None:
        self._hide("COLUMNS", a1.number(column), hidden)

    def hide_row(self, row: int, hidden: bool = True) -> None:
        self._hide("ROWS", row - 1, hidden)

    # -- the tab itself

    def rename(self, title: str) -> None:
        with self._change() as (state, grid):
            state.rename_grid(grid, title)

    def hide(self, hidden: bool = True) -> None:
        with self._change() as (_, grid):
            grid.props["hidden"] = hidden

    def resize(self, rows: int, columns: int) -> None:
        """Set the size of the grid; what lies beyond goes."""
        props = {"sheetId": self.id, "gridProperties": {"rowCount": rows, "columnCount": columns}}
        change = {"properties": props, "fields": "gridProperties(rowCount,columnCount)"}
        self.document.request({"updateSheetProperties": change})

    def freeze(self, rows: int) -> None:
        with self._change() as (_, grid):
            grid.layout["frozenRowCount"] = rows

    def filter(self, span: str | None = None) -> None:
        """Put a basic filter on a range."""
        with self._change() as (_, grid):
            grid.extras["basicFilter"] = [{"range": self._area(grid, span)}]

    def protect(self, span: str | None = None, editable: bool = False, description: str = "") -> int:
        """Protect a range, or the tab; our account is locked out unless `editable`. Answers the id."""
        with self._change() as (state, grid):
            number = state.new_protection()
            extra = {"description": description} if description else {}
            item = Protection(number, self.id, self._area(grid, span), editable, extra, span is None)
            state.protections.append(item)
        return number

    def unprotect(self) -> None:
        """Take all protections off the tab."""
        with self._change() as (state, _):
            state.protections = [item for item in state.protections if item.tab != self.id]

    # -- inside

    @contextmanager
    def _change(self) -> Iterator[tuple[State, Grid]]:
        with self.document.change(owner=True) as state:
            yield state, state.grid(self.id)

    def _rows(self, show: Any, blank: Any) -> list[list[Any]]:
        with self.document.lock:
            evaluator, grid = Evaluator(self.document.state), self.grid
            rows = (
                trim(
                    (
                        blank
                        if cell is None
                        else show(evaluator.value(grid, index, column), row.look(column))
                        for column, cell in enumerate(row.cells)
                    ),
                    blank,
                )
                for index, row in enumerate(grid.rows)
            )
            return trim(rows, [])

    def _area(self, grid: Grid, span: str | None) -> Area:
        if span is None:
            return grid.area
        bounds = a1.parse(span)
        if bounds is None:
            raise ValueError(f"not a range: {span!r}")
        return bounds.within(grid.height, grid.width)

    def _shift(self, shift: Insert | Move) -> None:
        with self._change() as (state, grid):
            state.shift(grid, shift)

    def _delete(self, axis: Axis, start: int, count: int) -> None:
        with self._change() as (state, grid):
            requests.cut(state, grid, axis, start, start + count)

    def _move(self, axis: Axis, start: int, to: int, count: int) -> None:
        if not start <= to <= start + count:
            self._shift(Move(axis, start, start + count, to))

    def _hide(self, axis: Axis, index: int, hidden: bool) -> None:
        with self._change() as (_, grid):
            old = grid.lines[axis].get(index, Line())
            grid.lines[axis][index] = Line(hidden, old.size)


def _typed(value: Any) -> Value | None:
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return Formula(value) if value.startswith("=") and len(value) > 1 else value
    return value if isinstance(value, bool) else float(value)


def _scalar(value: Result | Formula) -> Any:
    if isinstance(value, Failure | Formula):
        return str(value)
    if isinstance(value, bool) or not isinstance(value, float):
        return value
    return view.number(value)


def _kept(grid: Grid) -> tuple[tuple[object, ...], ...]:
    """What was entered, each value with its type (1 is not TRUE), without what is empty at the ends."""
    rows = (
        tuple(trim((type(cell), cell) if cell is not None else None for cell in row.cells))
        for row in grid.rows
    )
    return tuple(trim(rows, ()))


def _snapshot(state: State, grid: Grid) -> Snapshot:
    rest = {"props": grid.props, "layout": grid.layout, "merges": grid.merges, "extras": grid.extras}
    return Snapshot(
        title=grid.title,
        index=state.grids.index(grid),
        size=(grid.height, grid.width),
        values=_kept(grid),
        looks=tuple(
            (index, column, json.dumps(look.format, sort_keys=True), look.note or "")
            for index, row in enumerate(grid.rows)
            for column, look in sorted(row.looks.items())
        ),
        lines=tuple(
            (axis, index, line)
            for axis, lines in sorted(grid.lines.items())
            for index, line in sorted(lines.items())
            if line != Line()
        ),
        marks=tuple(meta for _, meta in sorted(state.metadata.items()) if meta.place.tab == grid.id),
        protected=tuple(repr(item) for item in state.protections if item.tab == grid.id),
        rest=json.dumps(rest, sort_keys=True),
    )
