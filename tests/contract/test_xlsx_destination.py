"""The workbook on disk keeps the promises of a destination. The person here is openpyxl, which
reads and writes workbooks by other code than ours, and saves texts as shared strings, as Excel does."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.workbook import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from runsheet.clock import Clock
from runsheet.destinations.a1 import column, letters
from runsheet.destinations.xlsx import XlsxDestination
from runsheet.destinations.xlsx.cell_xml import unescaped
from runsheet.errors import ConfigError, SheetError
from runsheet.model import Cell
from tests.contract.destination_contract import DestinationContract, Place
from tests.support.builders import run, tick
from tests.support.workbooks import unpack


class XlsxPerson:
    """Does to names what Excel does when columns are inserted, moved and deleted."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def values(self) -> list[list[Cell]]:
        rows = [[_cell(cell) for cell in row] for row in self._load()["runs"].iter_rows(values_only=True)]
        return _without_end([_without_end(row) for row in rows])

    def put(self, row: int, column: int, value: Cell) -> None:
        self._change(lambda sheet: setattr(sheet.cell(row + 1, column + 1), "value", value))

    def insert_column(self, column: int) -> None:
        self._change(lambda sheet: sheet.insert_cols(column + 1))
        self._rename(lambda index: index + (index >= column))

    def delete_column(self, column: int) -> None:
        self._change(lambda sheet: sheet.delete_cols(column + 1))
        self._rename(lambda index: None if index == column else index - (index > column))

    def move_column(self, column: int, to: int) -> None:
        order = list(range(20))
        order.insert(to, order.pop(column))

        def move(sheet: Worksheet) -> None:
            for row in sheet.iter_rows(max_col=20):
                values = [cell.value for cell in row]
                for cell, index in zip(row, order, strict=True):
                    cell.value = values[index]

        self._change(move)
        self._rename(order.index)

    def delete_row(self, row: int) -> None:
        self._change(lambda sheet: sheet.delete_rows(row + 1))

    def sort(self, column: int, *, descending: bool = False) -> None:
        def sort(sheet: Worksheet) -> None:
            rows = [list(row) for row in sheet.iter_rows(min_row=2, values_only=True)]
            rows.sort(key=lambda row: str(row[column]), reverse=descending)
            for number, row in enumerate(rows, 2):
                for index, value in enumerate(row, 1):
                    sheet.cell(number, index).value = value

        self._change(sort)

    def clear(self) -> None:
        def clear(sheet: Worksheet) -> None:
            for row in sheet.iter_rows():
                for cell in row:
                    cell.value = None

        self._change(clear)

    def delete_tab(self, name: str | None = None) -> None:
        book = self._load()
        del book[name or "runs"]
        if name is None:
            for defined in book.defined_names.values():
                defined.attr_text = "#REF!"
        book.save(self._path)

    def add_tab(self, name: str) -> None:
        book = self._load() if self._path.exists() else Workbook()
        if self._path.exists():
            book.create_sheet(name)
        else:
            book.worksheets[0].title = name
        book.save(self._path)

    def _load(self) -> Workbook:
        return openpyxl.load_workbook(self._path)

    def _change(self, deed: Callable[[Worksheet], object]) -> None:
        book = self._load()
        deed(book["runs"])
        book.save(self._path)

    def _rename(self, moved: Callable[[int], int | None]) -> None:
        book = self._load()
        for name in book.defined_names.values():
            found = re.fullmatch(r"'?runs'?!\$([A-Z]+):\$\1", name.attr_text)
            if found:
                index = moved(column(found[1]))
                whole = "" if index is None else f"${letters(index)}:${letters(index)}"
                name.attr_text = f"runs!{whole}" if whole else "#REF!"
        book.save(self._path)


def _cell(value: object) -> Cell:
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC)
    if isinstance(value, str):
        return unescaped(value)  # openpyxl shows Excel's escapes raw
    assert value is None or isinstance(value, (bool, int, float))
    return value


def _without_end(items: list[Any]) -> list[Any]:
    while items and items[-1] in (None, []):
        items.pop()
    return items


class TestXlsx(DestinationContract):
    @pytest.fixture
    def make(self, tmp_path: Path) -> Place:
        path = tmp_path / "runs.xlsx"
        return Place(lambda: XlsxDestination(path, clock=Clock()), XlsxPerson(path))


def test_two_tables_in_one_workbook(tmp_path: Path) -> None:
    """Each WORKSHEET is a table of its own, with its own marks and book-keeping."""
    path = tmp_path / "runs.xlsx"
    for worksheet in ("one", "two", "one", "two"):
        tick(XlsxDestination(path, worksheet=worksheet, clock=Clock()), [run(1), run(2)])
    book = openpyxl.load_workbook(path)
    for worksheet in ("one", "two"):
        ids = [row[0] for row in book[worksheet].iter_rows(values_only=True)]
        assert ids == ["run_id", "run0001", "run0002"]


def test_no_mark_is_given_twice(tmp_path: Path) -> None:
    """The name of a column that was deleted stays behind: it never comes to stand for another."""
    path = tmp_path / "runs.xlsx"
    tick(XlsxDestination(path, clock=Clock()), [run(1)])
    person = XlsxPerson(path)
    person.delete_column(len(person.values()[0]) - 1)
    tick(XlsxDestination(path, clock=Clock()), [run(1), run(2, config={"fresh": 1})])
    names = re.findall(rb"_rs_\d+", unpack(path)["xl/workbook.xml"])
    assert len(names) == len(set(names))
    assert person.values()[0][-1] == "fresh"


def _book(path: Path, *rows: list[Any], protect: bool = False) -> Path:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = "runs"
    for row in rows:
        sheet.append(row)
    sheet.protection.sheet = protect
    book.save(path)
    return path


def test_adopting_a_workbook_is_no_loss(tmp_path: Path) -> None:
    """A workbook that never had book-keeping has lost none."""
    path = _book(tmp_path / "runs.xlsx", ["run_id", "name"], ["run0001", "kim"])
    report = tick(XlsxDestination(path, clock=Clock()), [run(1), run(2)])
    assert (report.added_ids, report.lost_notes) == (("run0002",), False)


def test_a_protected_worksheet_is_left_alone(tmp_path: Path) -> None:
    """Protection is a person's wish, with or without a password."""
    path = _book(tmp_path / "runs.xlsx", ["run_id", "name"], protect=True)
    before = path.read_bytes()
    with pytest.raises(SheetError, match="protected"):
        tick(XlsxDestination(path, clock=Clock()), [run(1)])
    assert path.read_bytes() == before


def test_a_name_that_is_no_workbook(tmp_path: Path) -> None:
    """A workbook under another ending would be opened by nothing."""
    with pytest.raises(ConfigError, match=r"\.xlsx"):
        XlsxDestination(tmp_path / "runs.csv", clock=Clock())
