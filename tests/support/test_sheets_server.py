"""What the stand-in promises beyond the recordings: atomic batches, identity by metadata, faults, people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gspread
import pytest
import requests
from gspread.exceptions import APIError

from tests.support.sheets import Document, SheetsServer, Tab
from tests.support.sheets.client import connect

Json = dict[str, Any]
LOOK = (
    "developerMetadata,"
    "sheets(properties,data(columnMetadata(developerMetadata),rowData.values(formattedValue)))"
)


@pytest.fixture
def server() -> Iterator[SheetsServer]:
    with SheetsServer() as server:
        yield server


@pytest.fixture
def document(server: SheetsServer) -> Document:
    return server.create("Results")


@pytest.fixture
def tab(document: Document) -> Tab:
    return document.tab("Sheet1")


@pytest.fixture
def client(server: SheetsServer) -> Iterator[gspread.Client]:
    with connect(server) as client:
        yield client


@pytest.fixture
def sheet(client: gspread.Client, document: Document) -> gspread.Spreadsheet:
    return client.open_by_key(document.key)


def batch(sheet: gspread.Spreadsheet, *items: Json, **more: Any) -> Json:
    answer: Json = sheet.batch_update({"requests": list(items)} | more)
    return answer


def look(sheet: gspread.Spreadsheet, **params: Any) -> Json:
    return dict(sheet.fetch_sheet_metadata({"fields": LOOK} | params))


def post(sheet: gspread.Spreadsheet, path: str, body: Json) -> Json:
    url = f"https://sheets.googleapis.com/v4/spreadsheets/{sheet.id}{path}"
    found: Json = sheet.client.request("post", url, json=body).json()
    return found


def refused(sheet: gspread.Spreadsheet, *items: Json) -> str:
    """The message with which a batch is refused."""
    with pytest.raises(APIError) as caught:
        batch(sheet, *items)
    assert caught.value.code == 400
    return str(caught.value.error["message"])


def line(index: int, dimension: str = "COLUMNS", count: int = 1) -> Json:
    return {"sheetId": 0, "dimension": dimension, "startIndex": index, "endIndex": index + count}


def on_column(index: int) -> Json:
    return {"dimensionRange": line(index)}


def create(number: int, value: str = "", location: Json | None = None, key: str = "k") -> Json:
    meta = {"metadataId": number, "metadataKey": key, "metadataValue": value, "visibility": "DOCUMENT"}
    return {
        "createDeveloperMetadata": {
            "developerMetadata": meta | {"location": location or {"spreadsheet": True}}
        }
    }


def delete(**lookup: Any) -> Json:
    return {"deleteDeveloperMetadata": {"dataFilter": {"developerMetadataLookup": lookup}}}


def insert(index: int, dimension: str = "ROWS", before: bool = True, count: int = 1) -> Json:
    return {"insertDimension": {"range": line(index, dimension, count), "inheritFromBefore": before}}


def update(row: int, *values: Any, column: int = 0) -> Json:
    """updateCells of one row with typed values; None clears."""
    kinds = {bool: "boolValue", int: "numberValue", float: "numberValue", str: "stringValue"}
    cells = [
        {"userEnteredValue": {kinds[type(value)]: value}} if value is not None else {} for value in values
    ]
    start = {"sheetId": 0, "rowIndex": row, "columnIndex": column}
    return {"updateCells": {"start": start, "rows": [{"values": cells}], "fields": "userEnteredValue"}}


class TestBatches:
    def test_a_batch_applies_all_or_nothing(self, sheet: gspread.Spreadsheet, document: Document) -> None:
        batch(sheet, create(7))
        before = document.snapshot()
        assert "Invalid requests[2].createDeveloperMetadata" in refused(
            sheet, update(0, "lost"), insert(1), create(7)
        )
        assert document.snapshot() == before

    def test_a_nonce_is_compared_and_swapped(self, sheet: gspread.Spreadsheet, tab: Tab) -> None:
        """Deleting by id and value and creating anew passes once for each value that was read."""
        batch(sheet, create(7, "one"))
        swap = delete(metadataId=7, metadataValue="one"), create(7, "two")
        batch(sheet, *swap, update(0, "first"))
        refused(sheet, *swap, update(0, "second"))
        assert tab.values() == [["first"]]

    def test_a_column_is_guarded_by_its_place(self, sheet: gspread.Spreadsheet, tab: Tab) -> None:
        batch(sheet, create(1, location=on_column(1)))
        where = {"metadataLocation": on_column(1), "locationMatchingStrategy": "EXACT_LOCATION"}
        guard = delete(metadataId=1, **where), create(1, location=on_column(1))
        tab.sort("A")
        batch(sheet, *guard)
        tab.insert_columns("A")
        refused(sheet, *guard)

    def test_unknown_names_are_refused(self, sheet: gspread.Spreadsheet) -> None:
        assert "Unknown name \"paint_cells\" at 'requests[0]': Cannot find field." in refused(
            sheet, {"paintCells": {}}
        )
        odd = {"insertDimension": {"range": line(1), "inheritBefore": True}}
        assert "Unknown name \"inherit_before\" at 'requests[0].insert_dimension'" in refused(sheet, odd)

    def test_the_answer_can_show_the_document(self, sheet: gspread.Spreadsheet, tab: Tab) -> None:
        """responseRanges are read after all requests have been applied."""
        tab.fill("A1", [["id", "loss"], ["a", 1.5]])
        more = {"includeSpreadsheetInResponse": True, "responseIncludeGridData": True}
        answer = batch(sheet, update(1, "b"), responseRanges=["Sheet1!A2:B2"], **more)
        (data,) = answer["updatedSpreadsheet"]["sheets"][0]["data"]
        assert data["startRow"] == 1
        assert [cell["formattedValue"] for cell in data["rowData"][0]["values"]] == ["b", "1.5"]

    def test_text_is_never_a_formula(self, sheet: gspread.Spreadsheet, tab: Tab) -> None:
        batch(sheet, update(0, "=1+1", "0042", True, 2**53, 0.1))
        assert tab.values() == [["=1+1", "0042", True, 2**53, 0.1]]
        assert tab.formatted() == [["=1+1", "0042", "TRUE", "9.0072E+15", "0.1"]]

    @pytest.mark.parametrize(
        ("item", "text"),
        [
            (insert(0, before=True), "range.startIndex must be > 0"),
            (insert(1000, before=False), "range.startIndex must be less than the grid size (1000)"),
            (insert(1001, before=True), "is beyond the grid size"),
            ({"deleteDimension": {"range": line(1000, "ROWS")}}, "Cannot delete a row that doesn't exist."),
            ({"deleteDimension": {"range": line(0, "ROWS", 1000)}}, "You can't delete all the rows"),
            ({"deleteSheet": {"sheetId": 0}}, "You can't remove all the visible sheets"),
            ({"deleteSheet": {"sheetId": 5}}, "No grid with id: 5"),
            (update(1000, "x"), "Attempting to write row: 1000, beyond the last requested row of: 999"),
            (
                update(0, "x", column=26),
                "Attempting to write column: 26, beyond the last requested column of: 25",
            ),
            (update(0, "x" * 50_001), "more than the maximum of 50000 characters in a single cell"),
            (
                {"appendDimension": {"sheetId": 0, "dimension": "ROWS", "length": 400_000}},
                "limit of 10000000 cells",
            ),
            ({"addSheet": {"properties": {"title": "sheet1"}}}, 'with the name "sheet1" already exists'),
            ({"addSheet": {"properties": {"title": "x", "sheetId": 0}}}, "already exists"),
            (create(1, location={"dimensionRange": line(1, count=2)}), "must be a single row or column"),
            (create(1, location=on_column(26)), "beyond the grid"),
            (create(1, value="x" * 30_000), "limit of 30000 characters"),
            (create(2**31), "TYPE_INT32"),
        ],
    )
    def test_refusals(self, sheet: gspread.Spreadsheet, item: Json, text: str) -> None:
        assert text in refused(sheet, item)

    def test_frozen_rows_cannot_be_all_that_is_left(self, sheet: gspread.Spreadsheet, tab: Tab) -> None:
        tab.freeze(1)
        message = refused(sheet, {"deleteDimension": {"range": line(1, "ROWS", 999)}})
        assert "not possible to delete all non-frozen rows" in message

    def test_append_cells_go_under_everything(self, sheet: gspread.Spreadsheet, tab: Tab) -> None:
        """A note far down in column C is data too; the grid grows."""
        tab.resize(10, 5)
        tab.put("C10", "total")
        cell = {"userEnteredValue": {"stringValue": "new"}}
        batch(
            sheet, {"appendCells": {"sheetId": 0, "rows": [{"values": [cell]}], "fields": "userEnteredValue"}}
        )
        assert tab.values()[9:] == [[None, None, "total"], ["new"]]
        assert tab.size == (11, 5)

    def test_formats_and_notes_stay_under_a_value_mask(self, sheet: gspread.Spreadsheet, tab: Tab) -> None:
        bold = {"textFormat": {"bold": True}}
        tab.put("A1", "old")
        tab.format("A1", bold)
        tab.note("A1", "mine")
        batch(sheet, update(0, None))
        assert tab.values() == []
        assert (tab.look("A1").format, tab.look("A1").note) == (bold, "mine")

    def test_repeat_cell_sets_a_part_of_the_format(self, sheet: gspread.Spreadsheet, tab: Tab) -> None:
        tab.format("B2", {"textFormat": {"bold": True}})
        shape = {"type": "DATE_TIME", "pattern": 'yyyy-mm-dd hh:mm:ss" UTC"'}
        span = {"sheetId": 0, "startRowIndex": 1, "startColumnIndex": 1, "endColumnIndex": 2}
        form = {"userEnteredFormat": {"numberFormat": shape}}
        mask = "userEnteredFormat.numberFormat"
        batch(sheet, {"repeatCell": {"range": span, "cell": form, "fields": mask}})
        batch(sheet, update(1, 45292.5 + 1 / 86400, column=1))
        assert tab.formatted()[1] == ["", "2024-01-01 12:00:01 UTC"]
        assert tab.look("B2").format == {"textFormat": {"bold": True}, "numberFormat": shape}

    def test_cells_are_copied_to_another_tab(
        self, sheet: gspread.Spreadsheet, document: Document, tab: Tab
    ) -> None:
        """PASTE_VALUES takes what a formula comes to; blanks overwrite."""
        other = document.add_tab("_kept", number=9)
        other.put("B1", "old")
        tab.fill("A1", [["=2*3", None]])
        source = {
            "sheetId": 0,
            "startRowIndex": 0,
            "endRowIndex": 1,
            "startColumnIndex": 0,
            "endColumnIndex": 2,
        }
        paste = {"source": source, "destination": source | {"sheetId": 9}, "pasteType": "PASTE_VALUES"}
        batch(sheet, {"copyPaste": paste})
        assert other.values() == [[6]]
        batch(sheet, {"copyPaste": paste | {"pasteType": "PASTE_NORMAL"}})
        assert other.entered() == [["=2*3"]]

    def test_protected_ranges_lock_our_account_out(self, sheet: gspread.Spreadsheet, tab: Tab) -> None:
        tab.protect("B2:C3")
        for item in (update(1, "x", column=1), {"deleteDimension": {"range": line(2, "ROWS")}}, insert(2)):
            assert "You are trying to edit a protected cell or object." in refused(sheet, item)
        with pytest.raises(APIError, match="protected cell"):
            sheet.sheet1.update([["x"]], "B2")
        batch(sheet, update(0, "free"), insert(1))
        tab.put("B3", "the owner may")
        assert tab.values() == [["free"], [], [None, "the owner may"]]


class TestMetadata:
    def test_columns_keep_their_marks(self, sheet: gspread.Spreadsheet, tab: Tab) -> None:
        """Moved, inserted before, cut, deleted: where each mark is afterwards."""
        batch(sheet, *(create(number + 1, location=on_column(number)) for number in range(4)))
        tab.fill("A1", [["a", "b", "c", "d"]])
        tab.move_columns("A", to="D")
        assert places(tab) == {1: 2, 2: 0, 3: 1, 4: 3}
        tab.insert_columns("B", 2)
        assert places(tab) == {1: 4, 2: 0, 3: 3, 4: 5}
        tab.cut("A1:A1", "B1")
        assert places(tab)[2] == 0
        tab.delete_columns("E")
        assert places(tab) == {2: 0, 3: 3, 4: 4}
        assert tab.values() == [[None, "b", None, "c", "d"]]

    def test_rows_keep_their_marks_but_not_in_a_sort(self, sheet: gspread.Spreadsheet, tab: Tab) -> None:
        tab.fill("A1", [["id"], ["b"], ["a"]])
        batch(sheet, create(1, location={"dimensionRange": line(1, "ROWS")}))
        tab.sort("A")
        assert (tab.values(), places(tab)) == ([["id"], ["a"], ["b"]], {1: 1})
        tab.insert_rows(1, 3)
        assert places(tab) == {1: 4}
        tab.delete_rows(5)
        assert places(tab) == {}

    def test_one_read_shows_nonce_columns_and_header(self, sheet: gspread.Spreadsheet, tab: Tab) -> None:
        batch(sheet, create(1, "nonce"), create(2, "run_id", on_column(1)), create(3, "tab", {"sheetId": 0}))
        tab.put("B1", "run_id")
        tab.put("A2", "not asked for")
        found = look(sheet, ranges="'Sheet1'!1:1")
        assert [meta["metadataId"] for meta in found["developerMetadata"]] == [1]
        (own,) = sheet.fetch_sheet_metadata({"fields": "sheets.developerMetadata"})["sheets"]
        assert [meta["metadataId"] for meta in own["developerMetadata"]] == [3]
        (data,) = found["sheets"][0]["data"]
        assert data["rowData"] == [{"values": [{}, {"formattedValue": "run_id"}]}]
        marks = [
            [meta["metadataValue"] for meta in column.get("developerMetadata", [])]
            for column in data["columnMetadata"]
        ]
        assert marks == [[], ["run_id"]] + [[]] * 24

    def test_lookups(self, sheet: gspread.Spreadsheet, document: Document) -> None:
        row = {"dimensionRange": line(3, "ROWS")}
        batch(
            sheet,
            create(1),
            create(2, location={"sheetId": 0}),
            create(3, "v", on_column(1)),
            create(4, "v", row),
        )

        def found(**lookup: Any) -> list[int]:
            answer = post(
                sheet, "/developerMetadata:search", {"dataFilters": [{"developerMetadataLookup": lookup}]}
            )
            return [
                item["developerMetadata"]["metadataId"] for item in answer.get("matchedDeveloperMetadata", [])
            ]

        exact = {"locationMatchingStrategy": "EXACT_LOCATION"}
        assert found(metadataKey="k") == [1, 2, 3, 4]
        assert found(metadataValue="v", locationType="ROW") == [4]
        assert found(metadataLocation=on_column(1), **exact) == [3]
        assert found(metadataLocation=on_column(1)) == [2, 3, 4]
        assert found(metadataLocation={"sheetId": 0}) == [2, 3, 4]
        assert found(metadataLocation={"spreadsheet": True}) == [1]
        assert found(metadataId=3, metadataValue="other") == []
        with pytest.raises(APIError, match="locationType must be unspecified"):
            found(metadataLocation=on_column(1), locationType="COLUMN", **exact)

    def test_values_are_found_by_metadata(self, sheet: gspread.Spreadsheet, tab: Tab) -> None:
        batch(sheet, create(5, location=on_column(1)))
        tab.fill("A1", [[1, "run_id"], [2, "a"], [3, None], [4, "b"]])
        wanted = [{"developerMetadataLookup": {"metadataId": 5}}, {"a1Range": "Sheet1!A1:A2"}]
        body = {"dataFilters": wanted, "majorDimension": "COLUMNS", "valueRenderOption": "UNFORMATTED_VALUE"}
        answer = post(sheet, "/values:batchGetByDataFilter", body)
        first, second = answer["valueRanges"]
        assert first["valueRange"]["range"] == "Sheet1!B1:B1000"
        assert first["valueRange"]["values"] == [["run_id", "a", "", "b"]]
        assert second == {"valueRange": second["valueRange"], "dataFilters": [wanted[1]]}
        assert second["valueRange"]["values"] == [[1, 2]]
        body = {"valueInputOption": "RAW", "data": [{"dataFilter": wanted[0], "values": [["id"]]}]}
        assert post(sheet, "/values:batchUpdateByDataFilter", body)["totalUpdatedCells"] == 1
        assert tab.values()[0] == [1, "id"]

    def test_a_copy_of_a_tab_has_marks_of_its_own(
        self, sheet: gspread.Spreadsheet, document: Document
    ) -> None:
        batch(sheet, create(5, "run_id", on_column(1)))
        copied = document.duplicate_tab("Sheet1", "Copy").marks()
        assert [(meta.key, meta.value, meta.place.index) for meta in copied] == [("k", "run_id", 1)]
        assert copied[0].id != 5
        document.delete_tab("Copy")
        assert [meta.id for meta in document.metadata] == [5]

    def test_an_entry_is_updated_in_place(self, sheet: gspread.Spreadsheet, tab: Tab) -> None:
        batch(sheet, create(5, "one", on_column(1)))
        wanted = [{"developerMetadataLookup": {"metadataId": 5}}]
        new = {"metadataValue": "two", "location": on_column(2)}
        body = {"dataFilters": wanted, "developerMetadata": new, "fields": "metadataValue,location"}
        batch(sheet, {"updateDeveloperMetadata": body})
        assert [(meta.value, meta.key, meta.place.index) for meta in tab.marks()] == [("two", "k", 2)]


def places(tab: Tab) -> dict[int, int | None]:
    """The index of each mark on a tab."""
    return {meta.id: meta.place.index for meta in tab.marks()}


class TestValues:
    def test_ranges_outside_of_the_grid(self, sheet: gspread.Spreadsheet, tab: Tab) -> None:
        tab.resize(10, 5)
        with pytest.raises(
            APIError, match=r"Range \(Sheet1!A11\) exceeds grid limits. Max rows: 10, max columns: 5"
        ):
            sheet.sheet1.update([["x"]], "A11")
        with pytest.raises(APIError, match="exceeds grid limits"):
            sheet.sheet1.update([["x"]] * 3, "A9")
        with pytest.raises(APIError, match="tried writing to column"):
            sheet.sheet1.update([["x", "y"]], "A1:A2")
        with pytest.raises(APIError, match="Unable to parse range: Nowhere!A1"):
            sheet.values_get("Nowhere!A1")
        assert tab.values() == []

    def test_append_to_a_table_by_its_corner(self, sheet: gspread.Spreadsheet, tab: Tab) -> None:
        """A blank row ends the table: the append runs over what follows, as in Google's."""
        tab.fill("A1", [["id"], ["a"], [None], ["note", "kept"]])
        answer = sheet.sheet1.append_rows([["b"], ["c"]], table_range="A1")
        assert answer["updates"]["updatedRange"] == "Sheet1!A3:A4"
        assert tab.values() == [["id"], ["a"], ["b"], ["c", "kept"]]

    def test_append_to_the_last_table(self, sheet: gspread.Spreadsheet, tab: Tab) -> None:
        """Notes far below and to the left are the last table, although the other is wider."""
        tab.fill("C1", [["id", "loss"], ["a", 1]])
        tab.put("B9", "note")
        assert sheet.sheet1.append_row(["b", 2])["tableRange"] == "Sheet1!B9"
        assert tab.values()[9] == [None, "b", 2]

    def test_typed_values(self, sheet: gspread.Spreadsheet, tab: Tab) -> None:
        typed = ["0042", "=1+1", "12%", "1e3", "true", "2020-01-01", "'007", "+A1", "1,000.5"]
        sheet.sheet1.update([typed], "A1", value_input_option="USER_ENTERED")  # type: ignore[arg-type]
        assert tab.values() == [[42, 2, 0.12, 1000, True, 43831, "007", 42, 1000.5]]
        assert tab.formatted()[0][2:6] == ["12%", "1.00E+03", "TRUE", "2020-01-01"]
        sheet.sheet1.update([typed], "A1", value_input_option="RAW")  # type: ignore[arg-type]
        assert tab.values() == [typed]

    def test_bodies_that_are_no_values(self, sheet: gspread.Spreadsheet, tab: Tab) -> None:
        with pytest.raises(APIError, match="list_value"):
            sheet.sheet1.update([["a", ["b"]]], "A1")
        assert tab.values() == []

    def test_nan_is_no_json(self, server: SheetsServer, document: Document) -> None:
        url = f"{server.url}/v4/spreadsheets/{document.key}/values/A1?valueInputOption=RAW"
        answer = requests.put(
            url, data=b'{"values": [[NaN]]}', headers={"Authorization": "Bearer x"}, timeout=10
        )
        assert answer.status_code == 400
        assert "Invalid JSON payload received. Unexpected token." in answer.json()["error"]["message"]


class TestFields:
    def test_a_mask_of_sheets_brings_the_cells(self, sheet: gspread.Spreadsheet, tab: Tab) -> None:
        tab.put("A1", 1)
        assert "data" in sheet.fetch_sheet_metadata({"fields": "sheets"})["sheets"][0]
        assert "data" not in sheet.fetch_sheet_metadata({"fields": "sheets.properties"})["sheets"][0]

    def test_hidden_columns_show_in_the_metadata(self, sheet: gspread.Spreadsheet, tab: Tab) -> None:
        tab.hide_column("B")
        tab.insert_columns("A")
        mask = "sheets.data.columnMetadata(hiddenByUser)"
        found = sheet.fetch_sheet_metadata({"fields": mask, "ranges": "A1:D1"})
        assert found["sheets"][0]["data"][0]["columnMetadata"] == [{}, {}, {"hiddenByUser": True}, {}]

    def test_data_come_with_the_mask(self, sheet: gspread.Spreadsheet, tab: Tab) -> None:
        tab.fill("B2", [["=1+1"]])
        found = sheet.fetch_sheet_metadata(
            {"fields": "sheets/data(startRow,startColumn,rowData/values)", "ranges": "B2:C9"}
        )
        cell = {
            "userEnteredValue": {"formulaValue": "=1+1"},
            "effectiveValue": {"numberValue": 2},
            "formattedValue": "2",
        }
        assert found == {
            "sheets": [{"data": [{"startRow": 1, "startColumn": 1, "rowData": [{"values": [cell]}]}]}]
        }

    def test_only_tabs_in_the_ranges_are_shown(self, sheet: gspread.Spreadsheet, document: Document) -> None:
        document.add_tab("Other")
        found = sheet.fetch_sheet_metadata({"fields": "sheets.properties.title", "ranges": "Other!A1"})
        assert found == {"sheets": [{"properties": {"title": "Other"}}]}

    @pytest.mark.parametrize("mask", ["sheets(", "sheets.nothing", "sheets,,properties"])
    def test_bad_masks_are_refused(self, sheet: gspread.Spreadsheet, mask: str) -> None:
        with pytest.raises(APIError):
            sheet.fetch_sheet_metadata({"fields": mask})
