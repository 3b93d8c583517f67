"""Requests of a batchUpdate that the recordings and test_sheets_server leave out, applied without HTTP."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.sheets import ApiError, Document, Tab
from tests.support.sheets.grid import Grid
from tests.support.sheets.shifts import Delete, Insert, Move, Shift

Json = dict[str, Any]
AREA = {"sheetId": 0, "startRowIndex": 0, "endRowIndex": 2, "startColumnIndex": 0, "endColumnIndex": 2}


def fresh() -> Document:
    document = Document("key", "Results", threading.RLock(), {})
    document.state.add_grid(Grid(0, "Sheet1", 6, 6))
    return document


@pytest.fixture
def document() -> Document:
    return fresh()


@pytest.fixture
def tab(document: Document) -> Tab:
    tab = document.tab("Sheet1")
    tab.fill("A1", [["a", "b"], ["c", "d"], ["e"]])
    return tab


def refused(document: Document, item: Json) -> str:
    with pytest.raises(ApiError) as caught:
        document.request(item)
    return caught.value.message


def lines(start: int, end: int, dimension: str = "COLUMNS") -> Json:
    return {"sheetId": 0, "dimension": dimension, "startIndex": start, "endIndex": end}


def test_move_dimension_counts_from_before_the_move(document: Document, tab: Tab) -> None:
    document.request({"moveDimension": {"source": lines(0, 1), "destinationIndex": 2}})
    assert tab.values()[0] == ["b", "a"]
    document.request({"moveDimension": {"source": lines(1, 2, "ROWS"), "destinationIndex": 0}})
    assert tab.values()[0] == ["d", "c"]
    inside = {"moveDimension": {"source": lines(0, 3), "destinationIndex": 1}}
    assert "must not be inside of the source" in refused(document, inside)


def test_dimension_properties(document: Document, tab: Tab) -> None:
    change = {"range": lines(1, 3), "properties": {"hiddenByUser": True}, "fields": "hiddenByUser"}
    document.request({"updateDimensionProperties": change})
    assert tab.hidden_columns() == ["B", "C"]
    document.request({"autoResizeDimensions": {"dimensions": lines(0, 2)}})


def test_sheet_properties(document: Document, tab: Tab) -> None:
    props = {"sheetId": 0, "title": "Runs", "gridProperties": {"rowCount": 2, "frozenRowCount": 1}}
    mask = "title,gridProperties(rowCount,frozenRowCount)"
    document.request({"updateSheetProperties": {"properties": props, "fields": mask}})
    assert (tab.title, tab.size, tab.values()) == ("Runs", (2, 6), [["a", "b"], ["c", "d"]])
    hide = {"updateSheetProperties": {"properties": {"sheetId": 0, "hidden": True}, "fields": "hidden"}}
    assert "You can't hide all the visible sheets" in refused(document, hide)
    freeze = {
        "properties": {"gridProperties": {"frozenRowCount": 2}},
        "fields": "gridProperties.frozenRowCount",
    }
    assert "You can't freeze all visible rows" in refused(document, {"updateSheetProperties": freeze})


def test_duplicated_and_deleted_tabs(document: Document, tab: Tab) -> None:
    copy = {"sourceSheetId": 0, "newSheetId": 5, "newSheetName": "Copy", "insertSheetIndex": 1}
    (reply,) = document.request({"duplicateSheet": copy})
    assert reply["duplicateSheet"]["properties"]["sheetId"] == 5
    tab.put("A1", "changed")
    assert document.tab("Copy").values() == [["a", "b"], ["c", "d"], ["e"]]
    document.request({"deleteSheet": {"sheetId": 0}})
    assert [tab.title for tab in document.tabs] == ["Copy"]


def test_cut_paste_leaves_marks_behind(document: Document, tab: Tab) -> None:
    mark = {"metadataId": 1, "metadataKey": "k", "visibility": "DOCUMENT"}
    mark["location"] = {"dimensionRange": lines(0, 1)}
    document.request({"createDeveloperMetadata": {"developerMetadata": mark}})
    source = {"sheetId": 0, "startColumnIndex": 0, "endColumnIndex": 1}
    goal = {"sheetId": 0, "rowIndex": 0, "columnIndex": 2}
    tab.note("A1", "note")
    document.request({"cutPaste": {"source": source, "destination": goal, "pasteType": "PASTE_NORMAL"}})
    assert tab.values() == [[None, "b", "a"], [None, "d", "c"], [None, None, "e"]]
    assert (tab.look("A1").note, tab.look("C1").note) == (None, "note")
    assert tab.marks()[0].place.index == 0


def test_copied_formulas_and_repeats(document: Document, tab: Tab) -> None:
    tab.fill("A1", [[1, "=A1+$A$1"]])
    source = AREA | {"endRowIndex": 1, "startColumnIndex": 1}
    target = source | {"startRowIndex": 1, "endRowIndex": 3}
    document.request({"copyPaste": {"source": source, "destination": target, "pasteType": "PASTE_NORMAL"}})
    assert [row[1] for row in tab.entered()] == ["=A1+$A$1", "=A2+$A$1", "=A3+$A$1"]
    cell = {"userEnteredValue": {"formulaValue": "=A1"}}
    repeat = {"range": AREA | {"startColumnIndex": 1}, "cell": cell, "fields": "userEnteredValue"}
    document.request({"repeatCell": repeat})
    assert [row[1] for row in tab.entered()[:2]] == ["=A1", "=A2"]


def test_merges_keep_one_value(document: Document, tab: Tab) -> None:
    document.request({"mergeCells": {"range": AREA, "mergeType": "MERGE_ALL"}})
    assert tab.values() == [["a"], [], ["e"]]
    assert "overlap an existing merge" in refused(document, {"mergeCells": {"range": AREA}})
    document.request({"unmergeCells": {"range": AREA}})


def test_filters_and_names_follow_inserted_rows(document: Document, tab: Tab) -> None:
    document.request(
        {"setBasicFilter": {"filter": {"range": AREA}}},
        {"addNamedRange": {"namedRange": {"name": "Here", "range": AREA}}},
    )
    tab.insert_rows(2)
    (kept,) = tab.grid.extras["basicFilter"]
    assert kept["range"] == document.state.named[0].area == (0, 0, 3, 2)


def test_protections_come_and_go(document: Document, tab: Tab) -> None:
    tab.protect("A1")
    tab.unprotect()
    (reply,) = document.request({"addProtectedRange": {"protectedRange": {"range": AREA}}})
    number = reply["addProtectedRange"]["protectedRange"]["protectedRangeId"]
    document.request({"deleteProtectedRange": {"protectedRangeId": number}})
    assert "No protected range with id" in refused(
        document, {"deleteProtectedRange": {"protectedRangeId": number}}
    )


def test_charts_and_rules_are_kept_as_they_come(document: Document, tab: Tab) -> None:
    place = {"overlayPosition": {"anchorCell": {"sheetId": 0}}}
    (reply, _) = document.request(
        {"addChart": {"chart": {"spec": {"title": "loss"}, "position": place}}},
        {"addConditionalFormatRule": {"rule": {"ranges": [AREA]}, "index": 0}},
    )
    assert reply["addChart"]["chart"]["chartId"] > 0
    assert set(tab.grid.extras) == {"charts", "conditionalFormats"}


@pytest.mark.parametrize(
    "item",
    [
        {"updateCells": {"range": AREA, "fields": ""}},
        {"updateCells": {"range": AREA, "fields": "colour"}},
        {"updateCells": {"range": AREA, "fields": "dataValidation"}},
        {"updateCells": {"rows": [], "fields": "note"}},
        {"repeatCell": {"range": AREA | {"endRowIndex": 7}, "cell": {}, "fields": "note"}},
        {"insertDimension": {"range": {"sheetId": 0, "dimension": "ROWS", "endIndex": 2}}},
        {"appendDimension": {"sheetId": 0, "dimension": "ROWS", "length": 0}},
        {"createDeveloperMetadata": {"developerMetadata": {"metadataKey": "k", "visibility": "DOCUMENT"}}},
        {"copyPaste": {"source": AREA, "destination": AREA, "pasteType": "PASTE_FORMAT"}},
        {"addSheet": {}, "deleteSheet": {}},
        {},
    ],
    ids=str,
)
def test_refusals(document: Document, tab: Tab, item: Json) -> None:
    before = document.snapshot()
    refused(document, item)
    assert document.snapshot() == before


def shifts() -> st.SearchStrategy[Shift]:
    """Shifts of six columns."""
    insert = st.builds(Insert, st.just("COLUMNS"), st.integers(0, 5), st.integers(1, 3))
    pair = st.tuples(st.integers(0, 5), st.integers(1, 3)).map(lambda pair: (pair[0], min(6, sum(pair))))
    delete = pair.filter(lambda ends: ends != (0, 6)).map(lambda ends: Delete("COLUMNS", *ends))
    move = st.tuples(pair, st.integers(0, 6)).filter(lambda item: not item[0][0] <= item[1] <= item[0][1])
    return insert | delete | move.map(lambda item: Move("COLUMNS", *item[0], item[1]))


@given(shifts())
@settings(max_examples=150, deadline=None)
def test_marks_and_formulas_stay_with_their_cells(shift: Shift) -> None:
    """The oracle is the row itself: each letter is where the shift says it is."""
    document = fresh()
    tab = document.tab("Sheet1")
    other = document.add_tab("Other")
    tab.fill("A1", [list("abcdef")])
    other.fill("A1", [[f"=Sheet1!{letter}1" for letter in "ABCDEF"]])
    with document.change() as state:
        state.shift(state.grid(0), shift)
    row = tab.values()[0]
    for index, letter in enumerate("abcdef"):
        place = shift.point(index)
        assert (row[place] if place is not None else None) == (letter if letter in row else None)
        shown = other.values()[0][index]
        assert shown == (letter if letter in row else "#REF!")
