"""P2: cells are copied aside before they are written, at the columns where they stand, by guarded batches.

Mutants: a copy without the ids; a copy at another column; a formula written instead of copied back; the
floor guarded wherever it is; empty cells that keep what they held.
"""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runsheet.destinations.gsheet import images, marks
from runsheet.destinations.gsheet.marks import Mark
from runsheet.destinations.gsheet.standing import Standing
from runsheet.model import Change, Edit, Foreign, RowId, Stored
from tests.support.builders import scope

TABS = marks.image_tabs(7)
ONE, TWO = TABS
AT = {"run_id": 0, "project": 4, "loss": 5, "note": 7}


def change(index: int, *edits: Edit) -> Change:
    return Change(RowId("x", "", index), scope(), edits)


def span(tab: int, row: int, start: int, end: int) -> dict[str, int]:
    return {
        "sheetId": tab,
        "startRowIndex": row,
        "endRowIndex": row + 1,
        "startColumnIndex": start,
        "endColumnIndex": end,
    }


def test_two_tabs_take_turns() -> None:
    """A batch fills the tab that does not stand; the journal knows which that was."""
    standing = ((), (ONE,), (TWO,), (ONE, TWO))
    assert [images.other(TABS, tabs) for tabs in standing] == [ONE, TWO, ONE, ONE]
    name = images.name(TWO, "ab12")
    assert (images.tab_of(name), images.title(name)) == (TWO, "_runsheet images ab12")


def test_tables_share_no_tab() -> None:
    """Each has two tabs and marks of its own: what one table still has to look at, another leaves alone."""
    tables = [marks.image_tabs(table) for table in (7, 100)]
    taken = [number for tabs in tables for number in (*tabs, *tabs.values())]
    assert len({*taken, 7, 8, 100, 101}) == 12
    standing = Standing("runs", table_mark=marks.Table("t", 5, "runs", 7))
    assert (standing.image_tabs, standing.floor_id) == (TABS, 8)
    assert Standing("new").image_tabs == {}


@pytest.mark.parametrize("name", ["", "x", "12345678901:ab", ":ab", "１:ab", "-1:ab"])
def test_a_name_that_makes_no_sense(name: str) -> None:
    """A person wrote it: no tab, and above all none of theirs."""
    assert images.tab_of(name) == 0


def test_the_tab_is_hidden_and_found_again() -> None:
    """It is made with its mark on column A, so a look-up finds it whatever people call it."""
    tab, mark = images.make(images.name(ONE, "ab"), TABS[ONE], 3, 26)
    assert tab["addSheet"]["properties"] == {
        "sheetId": ONE,
        "title": "_runsheet images ab",
        "hidden": True,
        "gridProperties": {"rowCount": 3, "columnCount": 26},
    }
    data = mark["createDeveloperMetadata"]["developerMetadata"]
    assert (data["metadataId"], data["location"]) == (TABS[ONE], marks.column_place(ONE, 0))


def test_copies() -> None:
    """Each row has one row of images, with the cells that say whose it is, at the same columns."""
    changes = [change(9, Edit("loss", 1, 2), Edit("new", None, 3)), change(3, Edit("note", 1, 2))]
    copies = [item["copyPaste"] for item in images.copies(5, ONE, changes, AT)]
    assert {item["pasteType"] for item in copies} == {"PASTE_FORMULA"}
    assert [(item["source"], item["destination"]) for item in copies] == [
        (span(5, 9, 0, 1), span(ONE, 0, 0, 1)),
        (span(5, 9, 4, 6), span(ONE, 0, 4, 6)),
        (span(5, 3, 0, 1), span(ONE, 1, 0, 1)),
        (span(5, 3, 4, 5), span(ONE, 1, 4, 5)),
        (span(5, 3, 7, 8), span(ONE, 1, 7, 8)),
    ]


def update(row: int, column: int, *values: dict[str, Any]) -> dict[str, Any]:
    return {
        "updateCells": {
            "start": {"sheetId": 5, "rowIndex": row, "columnIndex": column},
            "rows": [{"values": list(values)}],
            "fields": "userEnteredValue",
        }
    }


def number(value: float) -> dict[str, Any]:
    return {"userEnteredValue": {"numberValue": value}}


WRITES: dict[str, tuple[tuple[Edit, ...], int, list[dict[str, Any]]]] = {
    # edits, the tab with the images of the batch before, requests
    "values only": ((Edit("loss", 1, 2),), 0, [update(9, 5, number(2))]),
    "side by side": (
        (Edit("loss", 1, 2), Edit("project", "a", "=b")),
        0,
        [update(9, 4, {"userEnteredValue": {"stringValue": "=b"}}, number(2))],
    ),
    "a person's column between": (
        (Edit("loss", 1, 2), Edit("note", "a", True)),
        0,
        [update(9, 5, number(2)), update(9, 7, {"userEnteredValue": {"boolValue": True}})],
    ),
    "emptied": ((Edit("loss", 1, None),), 0, [update(9, 5, {})]),
    "an edit put back": ((Edit("loss", 1, 7, True, 2),), ONE, [update(9, 5, number(7))]),
    "a formula put back": (
        (Edit("loss", 1, Foreign("=A1"), True, 2),),
        ONE,
        [images.copy(span(ONE, 2, 6, 7), span(5, 9, 5, 6))],
    ),
    "a formula whose image is gone": (
        (Edit("loss", 1, Foreign("=A1"), True, 2),),
        0,
        [update(9, 5, {"userEnteredValue": {"formulaValue": "=A1"}})],
    ),
}


@pytest.mark.parametrize(("edits", "old", "requests"), WRITES.values(), ids=WRITES)
def test_writes(edits: tuple[Edit, ...], old: int, requests: list[dict[str, Any]]) -> None:
    """Only the cells of the change are written, values only; a formula comes back as it stood, from the
    column where it was then."""
    assert list(images.writes(5, [change(9, *edits)], AT, old, {"loss": 6})) == requests


VALUES: st.SearchStrategy[Stored] = (
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(min_size=1)
    | st.builds(Foreign, st.text())
)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(VALUES)
def test_a_cell_comes_back_as_what_it_was(value: Stored) -> None:
    """What is put back is what was read: kinds stay."""
    again = images.read_cell(images.stored_json(value))
    assert (type(again), again) == (type(value), value)


def test_images_of_an_answer() -> None:
    """As many as the batch changed rows, each by column; what an answer leaves out is blank."""
    data = [
        {"startRow": 1, "startColumn": 4, "rowData": [{"values": [number(1), {}]}]},
        {"rowData": [{"values": [number(3)]}, {"values": [number(4)]}, {}]},
    ]
    assert images.images({"data": data}, 4) == ({0: 3.0}, {0: 4.0, 4: 1.0, 5: None}, {}, {})
    assert images.images({}, 1) == ({},)


FLOOR = Mark(8, images.KEY_FLOOR, "", 99)


def test_the_floor_is_found_on_its_row() -> None:
    data = {"startRow": 90, "rowMetadata": [{}] * 9 + [{"developerMetadata": [{"metadataId": 8}]}]}
    assert images.floor({"data": [{}, data]}, 8) == FLOOR
    assert images.floor({"data": [data]}, 9) is None


def test_a_batch_passes_only_if_the_floor_is_where_it_was_read() -> None:
    """It is deleted at its row alone and made again on the last one; where it still exists that fails."""
    new = Mark(8, images.KEY_FLOOR, "", 120)
    gone, made = images.guard_floor(5, FLOOR, new)
    lookup = gone["deleteDeveloperMetadata"]["dataFilter"]["developerMetadataLookup"]
    assert lookup == {
        "metadataId": 8,
        "metadataLocation": images.row_place(5, 99),
        "locationMatchingStrategy": "EXACT_LOCATION",
    }
    data = made["createDeveloperMetadata"]["developerMetadata"]
    assert (data["metadataId"], data["location"]) == (8, images.row_place(5, 120))
    assert images.guard_floor(5, None, new) == [made]


TEXTS = st.text(max_size=600) | st.sampled_from(["실" * 400, "v" * 3_000])
CHANGES = st.lists(st.lists(st.builds(Edit, st.just("loss"), VALUES | TEXTS, VALUES | TEXTS), max_size=4))


@settings(max_examples=100, derandomize=True, deadline=None)
@given(CHANGES, st.integers(1_000, 9_000))
def test_chunks(rows: list[list[Edit]], room: int) -> None:
    """All changes come in order, in parts whose texts take at most the room; a longer one comes alone."""
    changes = [change(index, *edits) for index, edits in enumerate(rows)]
    parts = list(images.chunks(changes, room, AT))
    assert [item for part in parts for item in part] == changes
    for part in parts:
        values = [value for item in part for edit in item.cells for value in (edit.before, edit.after)]
        size = sum(2 * len(value.encode()) for value in values if isinstance(value, str))
        assert size <= room or len(part) == 1
