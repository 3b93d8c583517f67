"""The destination in memory keeps the promises of a destination."""

from collections.abc import Callable

import pytest

from runsheet.destinations.memory import MemoryDestination, MemorySheet
from runsheet.model import Cell
from tests.contract.destination_contract import DestinationContract, Place


class MemoryPerson:
    """Edits the sheet's lists. Changing columns raises the version, as every program would notice."""

    def __init__(self, sheet: MemorySheet) -> None:
        self._sheet = sheet

    def values(self) -> list[list[Cell]]:
        rows = [_trimmed(row) for row in self._sheet.rows]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    def put(self, row: int, column: int, value: Cell) -> None:
        rows = self._sheet.rows
        rows += [[] for _ in range(row + 1 - len(rows))]
        rows[row] += [None] * (column + 1 - len(rows[row]))
        rows[row][column] = value

    def insert_column(self, column: int) -> None:
        self._columns(lambda cells: cells.insert(column, None))

    def delete_column(self, column: int) -> None:
        self._columns(lambda cells: cells.pop(column))

    def move_column(self, column: int, to: int) -> None:
        self._columns(lambda cells: cells.insert(to, cells.pop(column)))

    def delete_row(self, row: int) -> None:
        del self._sheet.rows[row]

    def sort(self, column: int, *, descending: bool = False) -> None:
        header, *rows = self._sheet.rows
        self._sheet.rows = [header, *sorted(rows, key=lambda row: str(row[column]), reverse=descending)]

    def clear(self) -> None:
        self._sheet.rows = [[None for _ in row] for row in self._sheet.rows]

    def delete_tab(self, name: str | None = None) -> None:
        if name == "_runsheet":
            self._sheet.notes = None
        else:
            self._sheet.rows, self._sheet.marks = [], []

    def add_tab(self, name: str) -> None:
        if name == "runs":
            self._sheet.rows = [[None]]

    def _columns(self, change: Callable[[list[Cell]], object]) -> None:
        sheet = self._sheet
        marks: list[Cell] = list(sheet.marks)
        width = max([len(marks), *(len(row) for row in sheet.rows)])
        for cells in (*sheet.rows, marks):
            cells += [None] * (width - len(cells))
            change(cells)
        sheet.marks = [None if mark is None else str(mark) for mark in marks]
        sheet.version += 1


def _trimmed(row: list[Cell]) -> list[Cell]:
    while row and row[-1] is None:
        row = row[:-1]
    return list(row)


class TestMemory(DestinationContract):
    formulas = False

    @pytest.fixture
    def make(self) -> Place:
        sheet = MemorySheet()
        return Place(lambda: MemoryDestination(sheet), MemoryPerson(sheet))
