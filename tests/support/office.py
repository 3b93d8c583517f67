"""People with a workbook open: each deed opens the file, changes it and saves it, with openpyxl.

openpyxl leaves to its user what an office program does by itself: to move names with the columns that
they stand for, and formats, notes and hidden columns with their cells.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.chart import BarChart
from openpyxl.comments import Comment
from openpyxl.formatting.rule import CellIsRule
from openpyxl.styles import Font, PatternFill
from openpyxl.workbook import Workbook
from openpyxl.workbook.protection import WorkbookProtection
from openpyxl.worksheet.dimensions import ColumnDimension
from openpyxl.worksheet.worksheet import Worksheet

from tests.support.people import THEIRS, Place, Seen, Value, View
from tests.support.sheets.a1 import letters, number


class Shelf:
    """A workbook file; what it shows is read once for all who look, until it changes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[bytes, dict[str, View]] = (b"", {})

    def views(self) -> dict[str, View]:
        """Each tab, by its title; none while there is no file."""
        data = self.path.read_bytes() if self.path.exists() else b""
        if data != self._seen[0]:
            book: Workbook = openpyxl.load_workbook(self.path)
            self._seen = (data, {sheet.title: Office.view(sheet) for sheet in book.worksheets})
        return self._seen[1]


class Office:
    """Works in a tab of a workbook, as office programs do: names move with the columns that they
    stand for, formats and notes with their cells."""

    def __init__(self, shelf: "Shelf", title: str) -> None:
        self.shelf = shelf
        self.title = title

    def look(self) -> View:
        return self.shelf.views()[self.title]

    @staticmethod
    def view(sheet: Worksheet) -> View:
        """All that a worksheet of a workbook that was opened shows."""
        book = sheet.parent
        assert book
        rest: dict[str, object] = {
            "title": sheet.title,
            "frozen": sheet.freeze_panes,
            "filter": bool(sheet.auto_filter.ref),
            "rules": len(sheet.conditional_formatting),
            "charts": len(sheet._charts),
            "protected": (sheet.protection.sheet, book.security is not None and book.security.lockStructure),
        }
        for other in book.worksheets:
            if other.title.startswith(THEIRS):
                rest[other.title] = _cells(other)
        hidden = {index for index, line in _columns(sheet).items() if line.hidden}
        return View(_cells(sheet), frozenset(hidden), rest)

    def put(self, row: int, column: int, value: Value) -> None:
        with self._work() as sheet:
            sheet.cell(row + 1, column + 1).value = value

    def note(self, row: int, column: int, text: str) -> None:
        with self._work() as sheet:
            sheet.cell(row + 1, column + 1).comment = Comment(text, "kim")

    def paint(self, row: int, column: int, colour: str) -> None:
        with self._work() as sheet:
            sheet.cell(row + 1, column + 1).fill = PatternFill("solid", fgColor=f"FF{colour}")

    def insert_column(self, column: int) -> None:
        self._move_columns(lambda index: index + (index >= column))

    def delete_column(self, column: int) -> None:
        self._move_columns(lambda index: None if index == column else index - (index > column))

    def move_column(self, column: int, to: int) -> None:
        self._move_columns(_dragged(column, to))

    def hide_column(self, column: int) -> None:
        with self._work() as sheet:
            lines = _columns(sheet)
            lines[column] = ColumnDimension(sheet, index=letters(column), hidden=True)
            _lay(sheet, lines)

    def insert_row(self, row: int) -> None:
        self._move_rows(lambda index: index + (index >= row))

    def delete_row(self, row: int) -> None:
        self._move_rows(lambda index: None if index == row else index - (index > row))

    def move_row(self, row: int, to: int) -> None:
        self._move_rows(_dragged(row, to))

    def sort(self, column: int, *, descending: bool = False) -> None:
        """Numbers, then texts, then blanks."""
        cells = self.look().cells
        rows = sorted({row for row, _ in cells} - {0})

        def key(row: int) -> tuple[bool, float, str]:
            value = cells.get((row, column), Seen()).value
            if isinstance(value, str):
                return True, 0, value
            return False, float(value or 0), ""

        blank = [row for row in rows if cells.get((row, column), Seen()).value is None]
        full = sorted((row for row in rows if row not in blank), key=key, reverse=descending)
        places = dict(zip([*full, *blank], rows, strict=True))
        self._move_rows(lambda row: places.get(row, row))

    def filter(self) -> None:
        with self._work() as sheet:
            sheet.auto_filter.ref = sheet.dimensions

    def freeze(self, rows: int) -> None:
        with self._work() as sheet:
            sheet.freeze_panes = f"A{rows + 1}"

    def rule(self) -> None:
        with self._work() as sheet:
            bold = CellIsRule("greaterThan", ["0.5"], font=Font(bold=True))
            sheet.conditional_formatting.add(f"A2:A{99 + len(sheet.conditional_formatting)}", bold)

    def chart(self) -> None:
        with self._work() as sheet:
            sheet.add_chart(BarChart(), "N20")

    def protect(self) -> None:
        """The order of the tabs."""
        with self._work() as sheet:
            assert sheet.parent
            sheet.parent.security = WorkbookProtection(lockStructure=True)

    def lock(self) -> None:
        with self._work() as sheet:
            sheet.protection.sheet = True

    def unlock(self) -> None:
        with self._work() as sheet:
            sheet.protection.sheet = False

    def grow(self, columns: int) -> None:
        """A workbook has no edge: give the columns beyond the table a width."""
        with self._work() as sheet:
            sheet.column_dimensions[letters(sheet.max_column + columns)].width = 20

    def trim(self) -> None:
        """A workbook has no edge."""

    def rename(self, title: str) -> None:
        with self._work() as sheet:
            assert sheet.parent
            for name in sheet.parent.defined_names.values():
                tab, _, place = name.attr_text.rpartition("!")
                if tab.strip("'") == self.title:
                    name.attr_text = f"'{title}'!{place}"
            sheet.title = self.title = title

    def other_tab(self, title: str) -> None:
        with self._work() as sheet:
            assert sheet.parent
            sheet.parent.create_sheet(title)["B2"] = "typed"

    def copy_tab(self, title: str) -> None:
        with self._work() as sheet:
            assert sheet.parent
            sheet.parent.copy_worksheet(sheet).title = title

    @contextmanager
    def _work(self) -> Iterator[Worksheet]:
        """The worksheet, saved when the deed is done: beside the file, and then in its place."""
        book = openpyxl.load_workbook(self.shelf.path)
        yield book[self.title]
        beside = self.shelf.path.with_name("saving.tmp")
        book.save(beside)
        beside.replace(self.shelf.path)

    def _move_rows(self, moved: Callable[[int], int | None]) -> None:
        with self._work() as sheet:
            _rearrange(sheet, moved, lambda column: column)

    def _move_columns(self, moved: Callable[[int], int | None]) -> None:
        with self._work() as sheet:
            _rearrange(sheet, lambda row: row, moved)
            lines = {moved(index): line for index, line in _columns(sheet).items()}
            _lay(sheet, {index: line for index, line in lines.items() if index is not None})
            assert sheet.parent
            for name in sheet.parent.defined_names.values():
                found = re.fullmatch(rf"('?){re.escape(self.title)}\1!\$([A-Z]+):\$\2", name.attr_text)
                if found:
                    index = moved(number(found[2]))
                    whole = "#REF!" if index is None else f"${letters(index)}:${letters(index)}"
                    name.attr_text = f"'{self.title}'!{whole}"


def _dragged(line: int, to: int) -> Callable[[int], int]:
    """Where each line is after one was dragged to the place above, or left of, what is now `to`."""
    goal = to - (to > line)

    def moved(index: int) -> int:
        if index == line:
            return goal
        index -= index > line
        return index + (index >= goal)

    return moved


def _rearrange(
    sheet: Worksheet, rows: Callable[[int], int | None], columns: Callable[[int], int | None]
) -> None:
    """Give every cell, with its format and note, another place; None for those that go."""
    cells: list[Any] = list(sheet._cells.values())
    sheet._cells.clear()
    for cell in cells:
        row, column = rows(cell.row - 1), columns(cell.column - 1)
        if row is not None and column is not None:
            cell.row, cell.column = row + 1, column + 1
            sheet._cells[cell.row, cell.column] = cell


def _columns(sheet: Worksheet) -> dict[int, ColumnDimension]:
    """What is set for whole columns, by column: the file has it by range."""
    return {
        index - 1: line
        for line in sheet.column_dimensions.values()
        for index in range(line.min or 1, (line.max or 0) + 1)
    }


def _lay(sheet: Worksheet, lines: Mapping[int, ColumnDimension]) -> None:
    sheet.column_dimensions.clear()
    for index, line in sorted(lines.items()):
        name = letters(index)
        sheet.column_dimensions[name] = ColumnDimension(
            sheet, index=name, width=line.width, hidden=line.hidden
        )


def _cells(sheet: Worksheet) -> dict[Place, Seen]:
    cells: list[Any] = list(sheet._cells.values())
    return {(cell.row - 1, cell.column - 1): _typed(cell) for cell in cells}


def _typed(cell: Any) -> Seen:
    note = cell.comment.text if cell.comment else ""
    colour = str(cell.fill.fgColor.rgb)[2:] if cell.fill.fill_type == "solid" else ""
    return Seen(cell.value, cell.data_type == "f", note, colour)
