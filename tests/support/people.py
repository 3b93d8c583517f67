"""People with a sheet open: everything that they may do to it, in a browser (here) and in an office
program (office.py).

Rows and columns count from 0; row 0 is the header. Each deed takes effect at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from tests.support.sheets import Tab
from tests.support.sheets.a1 import letters
from tests.support.sheets.grid import Formula, Look

Value = str | float | bool | None
Place = tuple[int, int]

THEIRS = "theirs"
"""The titles of tabs that people add begin so."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One cell: what was typed (a formula as its text), the note on it and its colour, RRGGBB."""

    value: Value = None
    formula: bool = False
    note: str = ""
    colour: str = ""


@dataclass(frozen=True)
class View:
    """All that a worksheet shows. `rest` is what else people made in it and beside it: the tab's
    title, frozen rows, filter, rules, charts, protection, and the tabs made by other_tab and copy_tab."""

    cells: Mapping[Place, Seen] = field(default_factory=dict)
    hidden: frozenset[int] = frozenset()
    rest: Mapping[str, object] = field(default_factory=dict)


class Person(Protocol):
    """Somebody with one worksheet open; stays with it when it is renamed."""

    def look(self) -> View: ...
    def put(self, row: int, column: int, value: Value) -> None:
        """Type a value; a text that begins with "=" is a formula, None empties the cell."""
        ...

    def note(self, row: int, column: int, text: str) -> None: ...
    def paint(self, row: int, column: int, colour: str) -> None: ...
    def insert_column(self, column: int) -> None: ...
    def delete_column(self, column: int) -> None: ...
    def move_column(self, column: int, to: int) -> None:
        """Drag a column so that it stands to the left of what is now column `to`."""
        ...

    def hide_column(self, column: int) -> None: ...
    def insert_row(self, row: int) -> None: ...
    def delete_row(self, row: int) -> None: ...
    def move_row(self, row: int, to: int) -> None:
        """Drag a row so that it stands above what is now row `to`."""
        ...

    def sort(self, column: int, *, descending: bool = False) -> None:
        """Sort all rows but the header."""
        ...

    def filter(self) -> None:
        """Put a filter on everything there is."""
        ...

    def freeze(self, rows: int) -> None: ...
    def rule(self) -> None:
        """Add a conditional format."""
        ...

    def chart(self) -> None: ...
    def protect(self) -> None:
        """Protect something that does not keep us out."""
        ...

    def lock(self) -> None:
        """Protect the worksheet, which keeps us out."""
        ...

    def unlock(self) -> None: ...
    def grow(self, columns: int) -> None:
        """Add blank rows and columns at the edge, where a sheet has an edge."""
        ...

    def trim(self) -> None:
        """Delete the blank rows and columns at the edge, where a sheet has an edge."""
        ...

    def rename(self, title: str) -> None: ...
    def other_tab(self, title: str) -> None:
        """Add a tab, and type something into it. Its title begins with THEIRS."""
        ...

    def copy_tab(self, title: str) -> None:
        """Copy the worksheet. The title begins with THEIRS."""
        ...


class Browser:
    """Works in a tab of the stand-in's document."""

    def __init__(self, tab: Tab) -> None:
        self.tab = tab

    def look(self) -> View:
        with self.tab.document.lock:
            grid = self.tab.grid
            cells = {
                (row, column): _seen(line.cell(column), line.look(column))
                for row, line in enumerate(grid.rows)
                for column in {*range(len(line.cells)), *line.looks}
            }
            rest: dict[str, object] = {
                "title": grid.title,
                "frozen": grid.layout.get("frozenRowCount", 0),
                "extras": {name: len(items) for name, items in grid.extras.items()},
                "protected": len(self.tab.snapshot().protected),
            }
            for tab in self.tab.document.tabs:
                if tab.title.startswith(THEIRS):
                    rest[tab.title] = replace(tab.snapshot(), index=0)
            hidden = {index for index, line in grid.lines["COLUMNS"].items() if line.hidden}
            return View(cells, frozenset(hidden), rest)

    def put(self, row: int, column: int, value: Value) -> None:
        self.tab.put(_a1(row, column), value)

    def note(self, row: int, column: int, text: str) -> None:
        self.tab.note(_a1(row, column), text)

    def paint(self, row: int, column: int, colour: str) -> None:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
        look = {"backgroundColor": dict(zip(("red", "green", "blue"), parts, strict=True))}
        self.tab.format(_a1(row, column), look)

    def insert_column(self, column: int) -> None:
        self.tab.insert_columns(letters(column))

    def delete_column(self, column: int) -> None:
        self.tab.delete_columns(letters(column))

    def move_column(self, column: int, to: int) -> None:
        self.tab.move_columns(letters(column), letters(to))

    def hide_column(self, column: int) -> None:
        self.tab.hide_column(letters(column))

    def insert_row(self, row: int) -> None:
        self.tab.insert_rows(row + 1)

    def delete_row(self, row: int) -> None:
        self.tab.delete_rows(row + 1)

    def move_row(self, row: int, to: int) -> None:
        self.tab.move_rows(row + 1, to + 1)

    def sort(self, column: int, *, descending: bool = False) -> None:
        self.tab.sort(letters(column), ascending=not descending)

    def filter(self) -> None:
        self.tab.filter()

    def freeze(self, rows: int) -> None:
        self.tab.freeze(rows)

    def rule(self) -> None:
        span = {"sheetId": self.tab.id, "startRowIndex": 1, "startColumnIndex": 0, "endColumnIndex": 1}
        look = {"backgroundColor": {"red": 1}}
        blank = {"condition": {"type": "NOT_BLANK"}, "format": look}
        rule = {"ranges": [span], "booleanRule": blank}
        self.tab.document.request({"addConditionalFormatRule": {"rule": rule, "index": 0}})

    def chart(self) -> None:
        corner = {"sheetId": self.tab.id, "rowIndex": 1, "columnIndex": 1}
        place = {"overlayPosition": {"anchorCell": corner}}
        self.tab.document.request({"addChart": {"chart": {"spec": {"title": "loss"}, "position": place}}})

    def protect(self) -> None:
        self.tab.protect("A1:A1", editable=True)

    def lock(self) -> None:
        self.tab.protect()

    def unlock(self) -> None:
        self.tab.unprotect()

    def grow(self, columns: int) -> None:
        rows, width = self.tab.size
        self.tab.resize(rows + 5, width + columns)

    def trim(self) -> None:
        grid = self.tab.grid
        rows = max(grid.layout.get("frozenRowCount", 0) + 1, len(grid.rows))
        self.tab.resize(rows, max(len(row.cells) for row in grid.rows))

    def rename(self, title: str) -> None:
        self.tab.rename(title)

    def other_tab(self, title: str) -> None:
        self.tab.document.add_tab(title).put("B2", "typed")

    def copy_tab(self, title: str) -> None:
        self.tab.document.duplicate_tab(self.tab.title, title)


def _a1(row: int, column: int) -> str:
    return f"{letters(column)}{row + 1}"


def _seen(value: Formula | Value, look: Look) -> Seen:
    colour = (look.format or {}).get("backgroundColor", {})
    parts = [round(colour.get(name, 0) * 255) for name in ("red", "green", "blue")]
    shown = "".join(f"{part:02X}" for part in parts) if colour else ""
    typed = str(value) if isinstance(value, Formula) else value
    return Seen(typed, isinstance(value, Formula), look.note or "", shown)
