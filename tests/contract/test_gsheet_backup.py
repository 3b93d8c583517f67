"""A tab of Google Sheets as an .xlsx file: in parts, outside the budget of a tick, with a copy in Drive if
that is wanted and allowed.

Mutants that were tried, each seen to fail: rows of all parts from the first, blank rows left out, requests
that count, formulas as text, a copy in Drive that is not asked for, a refusal of Drive that stops the backup.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from runsheet import backends
from runsheet.backup import Backups
from runsheet.config import Config
from runsheet.destinations.gsheet import GsheetDestination, export
from runsheet.destinations.gsheet.client import Google
from runsheet.destinations.gsheet.credentials import SCOPE_COPIES, SCOPE_SHEETS, load_key
from runsheet.destinations.xlsx import stream
from runsheet.errors import Changed, ServiceError, Stopped
from tests.support.builders import Desk, FakeClock
from tests.support.sheets import SheetsServer
from tests.support.sheets.faults import refuse


@pytest.fixture
def sheet(desk: Desk) -> Callable[..., GsheetDestination]:
    """A way to the spreadsheet with the scopes that are named."""

    def connect(*scopes: str, **more: Any) -> GsheetDestination:
        credentials = load_key(str(desk.key_file), [SCOPE_SHEETS, *scopes])
        google = Google(credentials, FakeClock(), desk.server.url)
        return GsheetDestination(google, desk.document.key, "Sheet1", **more)

    return connect


def parts(server: SheetsServer) -> list[tuple[int, int]]:
    """The rows that were asked for, part by part."""
    spans = [
        data["gridRange"]
        for request in server.requests
        if request.path.endswith(":getByDataFilter") and isinstance(request.body, dict)
        for data in request.body["dataFilters"]
    ]
    return [(span["startRowIndex"], span["endRowIndex"]) for span in spans if "startRowIndex" in span]


def copied(destination: GsheetDestination, path: Path) -> list[list[Any]]:
    destination.backup(destination.read(), path)
    return [list(row) for row in openpyxl.load_workbook(path).worksheets[0].iter_rows(values_only=True)]


def test_a_large_tab_is_read_in_parts(
    desk: Desk,
    server: SheetsServer,
    sheet: Callable[..., GsheetDestination],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No part has more cells than is allowed, and each row stands where it stood."""
    tab = desk.document.tab("Sheet1")
    for row in (1, 2, 39, 40, 41, 160, 333):
        tab.put(f"A{row}", f"row {row}")
    tab.put("C333", "=A1")
    monkeypatch.setattr(export, "CHUNK_CELLS", 26 * 40)
    rows = copied(sheet(), tmp_path / "backup.xlsx")
    shown = {number: [cell for cell in row if cell] for number, row in enumerate(rows, 1) if any(row)}
    assert shown == {row: [f"row {row}"] for row in (1, 2, 39, 40, 41, 160)} | {333: ["row 333", "=A1"]}
    spans = parts(server)
    assert len(spans) == 25
    assert all(end - start <= 40 for start, end in spans)
    assert [start for start, _ in spans[1:]] == [end for _, end in spans[:-1]]
    assert (spans[0][0], spans[-1][1]) == (0, 1000)


def test_long_texts_come_in_smaller_parts(
    desk: Desk,
    server: SheetsServer,
    sheet: Callable[..., GsheetDestination],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tab = desk.document.tab("Sheet1")
    for row in range(1, 101):
        tab.put(f"A{row}", "x" * 1_000)
    monkeypatch.setattr(export, "CHUNK_ROWS", 20)
    monkeypatch.setattr(export, "CHUNK_CHARS", 5_000)
    rows = copied(sheet(), tmp_path / "backup.xlsx")
    assert sum(row[0] == "x" * 1_000 for row in rows) == 100
    spans = parts(server)
    assert spans[:3] == [(0, 20), (20, 25), (25, 30)]
    assert max(end - start for start, end in spans) == 20


def test_requests_are_outside_the_budget(
    desk: Desk,
    server: SheetsServer,
    sheet: Callable[..., GsheetDestination],
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    """They do not show in the tick's line; the log tells how many there were."""
    desk.document.tab("Sheet1").put("A1", "mine")
    destination = sheet()
    shape = destination.read()
    before, seen = destination.requests, server.count("read")
    with caplog.at_level(logging.INFO):
        destination.backup(shape, tmp_path / "backup.xlsx")
    assert server.count("read") == seen + 1
    assert destination.requests == before
    assert "requests: 1" in caplog.text


@pytest.mark.parametrize(
    ("typed", "value", "kind"),
    [
        ("=SUM(A1:A2)", "=SUM(A1:A2)", "f"),
        ("=SUM(D2:D)", "=SUM(D2:D)", "s"),
        ("=Other!A1", "=Other!A1", "s"),
        (12.5, 12.5, "n"),
        (True, True, "b"),
        ("a\x01b", "a_x0001_b", "s"),
        ("x" * 40_000, "x" * 32_742 + "… [cut: 40000 characters]", "s"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_value_is_kept(
    desk: Desk, sheet: Callable[..., GsheetDestination], tmp_path: Path, typed: Any, value: Any, kind: str
) -> None:
    """A formula that Excel would call damage is kept as text, what no file can hold is seen."""
    desk.document.add_tab("Other")
    desk.document.tab("Sheet1").put("B2", typed)
    path = tmp_path / "backup.xlsx"
    copied(sheet(), path)
    cell = openpyxl.load_workbook(path).worksheets[0]["B2"]
    assert (cell.value, cell.data_type) == (value, kind)


@pytest.mark.parametrize(
    ("form", "shown"),
    [
        ({"type": "DATE", "pattern": "d. mmmm yyyy"}, "d. mmmm yyyy"),
        ({"type": "DATE_TIME", "pattern": 'yyyy-mm-dd hh:mm" UTC"'}, 'yyyy-mm-dd hh:mm" UTC"'),
        ({"type": "DATE_TIME"}, "yyyy-mm-dd hh:mm:ss"),
        ({"type": "DATE", "pattern": "ddd+ yyyy"}, "yyyy-mm-dd"),
        ({"type": "NUMBER", "pattern": "0.00"}, "General"),
    ],
    ids=str,
)
def test_a_date_stays_one(form: dict[str, str], shown: str, tmp_path: Path) -> None:
    cell = {"userEnteredValue": {"numberValue": 46347}, "userEnteredFormat": {"numberFormat": form}}
    path = tmp_path / "backup.xlsx"
    stream.write(path, "t", [export._row({"values": [cell]})])
    found = openpyxl.load_workbook(path).worksheets[0]["A1"]
    assert found.number_format == shown
    assert found.value == (46347 if shown == "General" else datetime(2026, 11, 21))


def test_a_tab_that_goes_meanwhile(
    desk: Desk, sheet: Callable[..., GsheetDestination], tmp_path: Path
) -> None:
    desk.document.add_tab("Other")
    desk.document.tab("Sheet1").put("A1", "mine")
    destination = sheet()
    shape = destination.read()
    desk.document.delete_tab("Sheet1")
    with pytest.raises(Changed):
        destination.backup(shape, tmp_path / "backup.xlsx")


def test_a_stop_signal_ends_it(desk: Desk, tmp_path: Path) -> None:
    clock = FakeClock()
    google = Google(load_key(str(desk.key_file), [SCOPE_SHEETS]), clock, desk.server.url)
    destination = GsheetDestination(google, desk.document.key, "Sheet1")
    desk.document.tab("Sheet1").put("A1", "mine")
    shape = destination.read()
    clock.stop()
    with pytest.raises(Stopped):
        destination.backup(shape, tmp_path / "backup.xlsx")


def test_first_contact_without_an_answer_writes_nothing(
    desk: Desk, server: SheetsServer, sheet: Callable[..., GsheetDestination], tmp_path: Path
) -> None:
    desk.document.tab("Sheet1").put("A1", "mine")
    destination = sheet()
    shape = destination.read()
    server.script(refuse(503, times=99))
    with pytest.raises(ServiceError, match="Nothing was written"):
        Backups(tmp_path / "backups", 3, FakeClock()).before_write(destination, shape)
    assert list((tmp_path / "backups").iterdir()) == []


def test_names_tell_spreadsheets_and_tabs_apart(desk: Desk, server: SheetsServer) -> None:
    other = server.create("Results", tabs=("one", "two"))
    desk.document.add_tab("one")
    places = [("one", desk.document.key), ("one", other.key), ("two", other.key)]
    found = []
    for worksheet, key in places:
        server.documents[key].tab(worksheet).put("A1", "mine")
        destination = desk.connect(worksheet, key)
        found.append(destination.backup_name(destination.read()))
    assert len(set(found)) == 3
    assert [name.partition("-")[0] for name in found] == ["one", "one", "two"]


class TestDriveCopy:
    def test_it_is_made_when_wanted(
        self, desk: Desk, server: SheetsServer, sheet: Callable[..., GsheetDestination], tmp_path: Path
    ) -> None:
        """Named by the date, and with what the spreadsheet holds."""
        desk.document.tab("Sheet1").put("A1", "mine")
        destination = sheet(SCOPE_COPIES, drive_copy=True)
        copied(destination, tmp_path / "backup.xlsx")
        twins = [document for document in server.documents.values() if document is not desk.document]
        assert [twin.title for twin in twins] == ["Results backup 2026-11-20"]
        assert twins[0].tab("Sheet1").values() == [["mine"]]

    def test_none_is_made_otherwise(
        self, desk: Desk, server: SheetsServer, sheet: Callable[..., GsheetDestination], tmp_path: Path
    ) -> None:
        desk.document.tab("Sheet1").put("A1", "mine")
        copied(sheet(SCOPE_COPIES), tmp_path / "backup.xlsx")
        assert list(server.documents) == [desk.document.key]
        assert server.count("drive") == 0

    @pytest.mark.parametrize(
        "fault", [None, refuse(500, kind="drive", times=9), refuse(404, kind="drive", times=9)]
    )
    def test_a_refusal_is_a_warning(
        self,
        desk: Desk,
        server: SheetsServer,
        sheet: Callable[..., GsheetDestination],
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
        fault: Any,
    ) -> None:
        """At first contact, too: the file is there. None: the scope was not granted."""
        desk.document.tab("Sheet1").put("A1", "mine")
        destination = sheet(*([SCOPE_COPIES] if fault else []), drive_copy=True)
        shape = destination.read()
        if fault:
            server.script(fault)
        with caplog.at_level(logging.WARNING):
            remark = Backups(tmp_path / "backups", 3, FakeClock()).before_write(destination, shape)
        assert remark.startswith("backup: Sheet1-")
        assert "DRIVE_COPY: Google Drive made no copy" in caplog.text
        assert len(list((tmp_path / "backups").iterdir())) == 1
        assert list(server.documents) == [desk.document.key]

    @pytest.mark.parametrize("wanted", [True, False])
    def test_the_scope_is_asked_for_only_then(self, desk: Desk, server: SheetsServer, wanted: bool) -> None:
        config = Config(
            GCP_JSON=str(desk.key_file),
            SPREADSHEET_NAME=desk.document.key,
            GOOGLE_API_ENDPOINT=server.url,
            DRIVE_COPY=wanted,
        )
        destination = backends.destination(backends.Setup(config, FakeClock(), {}))
        destination.read()
        destination.close()
        scopes = [scope for bearer in server.api.access.tokens.values() for scope in bearer.scopes]
        assert (SCOPE_COPIES in scopes) is wanted
