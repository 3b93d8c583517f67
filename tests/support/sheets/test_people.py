"""What people do in a document, without HTTP: formulas follow, sorts move contents, snapshots see all."""

from __future__ import annotations

import threading

import pytest

from tests.support.sheets import Document, Tab
from tests.support.sheets.grid import Grid


@pytest.fixture
def document() -> Document:
    document = Document("key", "Results", threading.RLock(), {})
    document.state.add_grid(Grid(0, "Sheet1"))
    return document


@pytest.fixture
def tab(document: Document) -> Tab:
    return document.tab("Sheet1")


class TestPeople:
    def test_formulas_follow_their_cells(self, document: Document, tab: Tab) -> None:
        other = document.add_tab("Other tab")
        tab.fill("A1", [["n", "double"], [1, "=A2*2"], [2, "=$A3*2"], ["=SUM(A2:A3)", '=A1&"A1"']])
        other.put("A1", "=Sheet1!A2+'Sheet1'!A3")
        assert (tab.value("A4"), other.value("A1"), tab.value("B4")) == (3, 3, "nA1")
        tab.insert_rows(3)
        tab.insert_columns("A")
        assert tab.entered()[4] == [None, "=SUM(B2:B4)", '=B1&"A1"']
        assert other.entered() == [["=Sheet1!B2+'Sheet1'!B4"]]
        tab.rename("Runs 1")
        tab.delete_rows(2)
        assert other.entered() == [["=#REF!+'Runs 1'!B3"]]
        assert other.formatted() == [["#REF!"]]
        assert tab.value("B4") == 2

    def test_what_cannot_be_worked_out_shows_an_error(self, tab: Tab) -> None:
        tab.fill(
            "A1", [["=NOSUCH(1)", "=1/0", "=A1", '=1+"x"', "=E1", "=B2+", "=(1+2)*3^2", "=-2^2", "=50%"]]
        )
        errors = ["#NAME?", "#DIV/0!", "#NAME?", "#VALUE!", "#REF!", "#ERROR!"]
        assert tab.values() == [[*errors, 27, 4, 0.5]]

    def test_a_sort_moves_contents_only(self, tab: Tab) -> None:
        tab.fill("A1", [["id", "n"], ["b", 2], [None, 1], ["A", True], [3, "=A5"]])
        tab.hide_row(2)
        tab.sort("A", ascending=False)
        assert tab.values() == [["id", "n"], ["b", 2], ["A", True], [3, 3], [None, 1]]
        assert tab.entered()[3] == [3, "=A4"]

    def test_a_snapshot_tells_any_difference(self, tab: Tab) -> None:
        seen = {tab.snapshot()}
        for change in (
            lambda: tab.put("A1", 1),
            lambda: tab.put("A1", True),
            lambda: tab.note("B2", "note"),
            lambda: tab.format("B2", {"textFormat": {"bold": True}}),
            lambda: tab.hide_column("C"),
            lambda: tab.filter("A1:B2"),
            lambda: tab.protect("A1"),
            lambda: tab.rename("New"),
            lambda: tab.resize(10, 10),
        ):
            change()
            assert tab.snapshot() not in seen
            seen.add(tab.snapshot())

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (1 / 3, "0.3333333333"),
            (1234567.891234, "1234567.891"),
            (-2.5, "-2.5"),
            (1e20, "1E+20"),
            (43831, "43831"),
        ],
    )
    def test_general_format(self, tab: Tab, value: float, text: str) -> None:
        tab.put("A1", value)
        assert tab.formatted() == [[text]]
