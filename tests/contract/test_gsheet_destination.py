"""The Google worksheet keeps the promises of a destination, over HTTP with the unmodified client."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runsheet.destinations.base import Destination
from runsheet.destinations.gsheet.marks import NOTES_TAB
from runsheet.errors import Unanswered
from runsheet.model import Cell, Plan
from tests.contract.destination_contract import DestinationContract, Place
from tests.support.builders import Desk, tick
from tests.support.sheets import Document, SheetsServer, Tab

TITLE = "runs"


def letters(column: int) -> str:
    return chr(ord("A") + column)


class SheetsPerson:
    """Works in the stand-in's document, as somebody in a browser would."""

    def __init__(self, document: Document) -> None:
        self._document = document

    @property
    def _tab(self) -> Tab:
        return self._document.tab(TITLE)

    def values(self) -> list[list[Cell]]:
        shown = self._tab.formatted()
        return [
            [_cell(value, text) for value, text in zip(row, texts, strict=True)]
            for row, texts in zip(self._tab.values(), shown, strict=True)
        ]

    def put(self, row: int, column: int, value: Cell) -> None:
        self._tab.put(f"{letters(column)}{row + 1}", value)

    def insert_column(self, column: int) -> None:
        self._tab.insert_columns(letters(column))

    def delete_column(self, column: int) -> None:
        self._tab.delete_columns(letters(column))

    def move_column(self, column: int, to: int) -> None:
        self._tab.move_columns(letters(column), letters(to + (to > column)))

    def delete_row(self, row: int) -> None:
        self._tab.delete_rows(row + 1)

    def sort(self, column: int, *, descending: bool = False) -> None:
        self._tab.sort(letters(column), ascending=not descending)

    def clear(self) -> None:
        self._tab.clear()

    def delete_tab(self, name: str | None = None) -> None:
        hidden = next((tab.title for tab in self._document.tabs if tab.id == NOTES_TAB), "")
        self._document.delete_tab(hidden if name == "_runsheet" else TITLE)

    def add_tab(self, name: str) -> None:
        self._document.add_tab(name)


def _cell(value: Cell, shown: str) -> Cell:
    """A number that is shown as a date is a date."""
    if isinstance(value, float | int) and not isinstance(value, bool) and shown.endswith(" UTC"):
        moment = datetime(1899, 12, 30, tzinfo=UTC) + timedelta(days=value)
        return (moment + timedelta(milliseconds=500)).replace(microsecond=0)
    return value


class TestGsheet(DestinationContract):
    @pytest.fixture
    def make(self, tmp_path: Path) -> Iterator[Place]:
        with SheetsServer() as server:
            desk = Desk(server, tmp_path)
            yield Place(lambda: desk.connect(TITLE), SheetsPerson(desk.document))

    def clash(self, destination: Destination, late: Plan) -> None:
        """The service has no condition on what a cell holds: the next plan puts back what was there."""
        with pytest.raises(Unanswered):
            list(destination.apply(replace(late, tick="20261121T093015Z-0a1b")))
        assert tick(destination, []).put_back == 1
