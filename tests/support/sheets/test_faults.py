"""Who may ask, and what goes wrong on the way: keys, tokens, sharing, and each fault of the script."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gspread
import pytest
import requests
from google.oauth2.service_account import Credentials
from gspread.exceptions import APIError, SpreadsheetNotFound

from tests.support.sheets import (
    ACCOUNT,
    Document,
    SheetsServer,
    Tab,
    applied,
    hang,
    late,
    people,
    refuse,
    reset,
    truncate,
)
from tests.support.sheets.client import connect


@pytest.fixture
def server() -> Iterator[SheetsServer]:
    with SheetsServer() as server:
        yield server


@pytest.fixture
def client(server: SheetsServer) -> Iterator[gspread.Client]:
    with connect(server) as client:
        yield client


@pytest.fixture
def document(server: SheetsServer) -> Document:
    return server.create("Results")


@pytest.fixture
def tab(document: Document) -> Tab:
    return document.tab("Sheet1")


@pytest.fixture
def sheet(client: gspread.Client, document: Document) -> gspread.Spreadsheet:
    return client.open_by_key(document.key)


def write(sheet: gspread.Spreadsheet, row: int, text: str) -> None:
    """One batchUpdate with one typed cell in column A."""
    cells = [{"values": [{"userEnteredValue": {"stringValue": text}}]}]
    start = {"sheetId": 0, "rowIndex": row, "columnIndex": 0}
    body = {"start": start, "rows": cells, "fields": "userEnteredValue"}
    sheet.batch_update({"requests": [{"updateCells": body}]})


class TestAccess:
    def test_a_key_file_buys_a_token(
        self, server: SheetsServer, tmp_path: Path, document: Document, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = server.key_file(tmp_path / "key.json")
        scopes = ["https://www.googleapis.com/auth/spreadsheets"]
        found = Credentials.from_service_account_file(str(path), scopes=scopes)  # type: ignore[no-untyped-call]
        found.refresh(Transport())
        assert server.count("token") == 1
        headers = {"Authorization": f"Bearer {found.token}"}
        url = f"{server.url}/v4/spreadsheets/{document.key}"
        assert requests.get(url, headers=headers, timeout=10).status_code == 200
        assert requests.get(f"{server.url}/drive/v3/files", headers=headers, timeout=10).status_code == 403
        assert server.requests[1].account == ACCOUNT
        server.expire_tokens()
        assert requests.get(url, headers=headers, timeout=10).status_code == 401

    def test_a_revoked_key_is_refused(self, server: SheetsServer, tmp_path: Path) -> None:
        path = server.key_file(tmp_path / "key.json")
        server.revoke_keys()
        found = Credentials.from_service_account_file(str(path), scopes=["x"])  # type: ignore[no-untyped-call]
        with pytest.raises(Exception, match="invalid_grant"):
            found.refresh(Transport())

    def test_no_token_no_answer(self, server: SheetsServer, document: Document) -> None:
        answer = requests.get(f"{server.url}/v4/spreadsheets/{document.key}", timeout=10)
        assert (answer.status_code, answer.json()["error"]["status"]) == (401, "UNAUTHENTICATED")

    def test_sharing(self, server: SheetsServer, client: gspread.Client) -> None:
        hidden = server.create("Hidden", shared=False)
        with pytest.raises(PermissionError):
            client.open_by_key(hidden.key)
        assert client.openall("Hidden") == []
        hidden.share(ACCOUNT, "reader")
        sheet = client.open_by_key(hidden.key)
        with pytest.raises(APIError, match="403"):
            sheet.sheet1.update([["x"]], "A1")
        with pytest.raises(SpreadsheetNotFound):
            client.open_by_key("nothing")

    def test_files_are_found_by_title(self, server: SheetsServer, client: gspread.Client) -> None:
        quoted = server.create('It\'s "quoted" \\ here')
        server.create("Other")
        query = "mimeType='application/vnd.google-apps.spreadsheet' and name = 'It\\'s \"quoted\" \\\\ here'"
        url = "https://www.googleapis.com/drive/v3/files"
        found = client.http_client.request("get", url, params={"q": query}).json()
        assert [(file["id"], file["name"]) for file in found["files"]] == [(quoted.key, quoted.title)]
        pages = client.http_client.request(
            "get", url, params={"pageSize": 1, "fields": "nextPageToken"}
        ).json()
        assert pages == {"nextPageToken": "1"}
        assert client.open("Other").title == "Other"


class Transport:
    """google-auth's interface to a session, without its background threads."""

    def __call__(self, url: str, method: str = "GET", body: Any = None, headers: Any = None, **_: Any) -> Any:
        answer = requests.request(method, url, data=body, headers=headers, timeout=10)

        class Response:
            status = answer.status_code
            headers = answer.headers
            data = answer.content

        return Response


class TestFaults:
    def test_requests_are_recorded_by_kind(self, server: SheetsServer, sheet: gspread.Spreadsheet) -> None:
        write(sheet, 0, "x")
        sheet.client.request("post", f"{server.url}/v4/spreadsheets/{sheet.id}:getByDataFilter", json={})
        assert [request.kind for request in server.requests] == ["read", "write", "read"]
        assert (server.count(), server.count("write")) == (3, 1)
        wrote = server.requests[1]
        assert (wrote.method, wrote.types, wrote.status) == ("POST", ["updateCells"], 200)
        assert min(wrote.sent, wrote.received) > 50

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_refused_before_it_applies(
        self, server: SheetsServer, sheet: gspread.Spreadsheet, status: int
    ) -> None:
        server.script(refuse(status, kind="write", nth=2))
        write(sheet, 0, "first")
        with pytest.raises(APIError) as caught:
            write(sheet, 1, "second")
        assert caught.value.code == status
        write(sheet, 2, "third")
        assert server.documents[sheet.id].tab("Sheet1").values() == [["first"], [], ["third"]]

    def test_a_bad_gateway_speaks_html(self, server: SheetsServer, sheet: gspread.Spreadsheet) -> None:
        server.script(refuse(502))
        with pytest.raises(APIError) as caught:
            write(sheet, 0, "x")
        assert (caught.value.code, caught.value.response.status_code) == (-1, 502)

    @pytest.mark.parametrize(
        "fault", [applied("reset"), applied("hang"), applied(503), truncate()], ids=lambda f: f.deed
    )
    def test_applied_but_the_answer_is_lost(
        self, server: SheetsServer, client: gspread.Client, sheet: gspread.Spreadsheet, tab: Tab, fault: Any
    ) -> None:
        client.set_timeout(0.2)
        server.script(fault)
        with pytest.raises((APIError, requests.exceptions.RequestException)):
            write(sheet, 0, "x")
        assert tab.values() == [["x"]]
        write(sheet, 0, "y")

    @pytest.mark.parametrize("fault", [reset(), hang()], ids=lambda f: f.deed)
    def test_lost_before_it_applies(
        self, server: SheetsServer, client: gspread.Client, sheet: gspread.Spreadsheet, tab: Tab, fault: Any
    ) -> None:
        client.set_timeout(0.2)
        server.script(fault)
        with pytest.raises(requests.exceptions.RequestException):
            write(sheet, 0, "x")
        assert tab.values() == []

    def test_applied_when_released(self, server: SheetsServer, sheet: gspread.Spreadsheet, tab: Tab) -> None:
        server.script(late(kind="write"))
        with pytest.raises(requests.exceptions.ConnectionError):
            write(sheet, 0, "late")
        write(sheet, 0, "soon")
        assert tab.values() == [["soon"]]
        assert server.release() == 1
        assert tab.values() == [["late"]]

    def test_applied_before_a_later_request(
        self, server: SheetsServer, sheet: gspread.Spreadsheet, tab: Tab
    ) -> None:
        server.script(late(before=2, kind="write"))
        with pytest.raises(requests.exceptions.ConnectionError):
            write(sheet, 0, "late")
        write(sheet, 1, "next")
        assert tab.values() == [[], ["next"]]
        assert sheet.sheet1.acell("A1").value == "late"

    def test_people_work_in_between(self, server: SheetsServer, sheet: gspread.Spreadsheet, tab: Tab) -> None:
        server.script(
            people(before=lambda document: document.tab("Sheet1").insert_columns("A"), kind="write"),
            people(after=lambda document: document.tab("Sheet1").put("A1", "mine"), kind="write", nth=2),
        )
        write(sheet, 0, "ours")
        assert tab.values() == [["ours"]]
        assert tab.size == (1000, 27)
        write(sheet, 0, "again")
        assert tab.values() == [["mine"]]

    def test_callbacks_see_each_request(
        self, server: SheetsServer, sheet: gspread.Spreadsheet, tab: Tab
    ) -> None:
        seen: list[object] = []
        server.before_request = lambda request: seen.append(tab.values())
        server.after_request = lambda request: seen.append(tab.values())
        write(sheet, 0, "x")
        assert seen == [[], [["x"]]]

    def test_the_token_endpoint_fails_too(self, server: SheetsServer) -> None:
        server.script(refuse(400, kind="token"), refuse(502, kind="token"))
        url = f"{server.url}/token"
        assert requests.post(url, timeout=10).json()["error"] == "invalid_grant"
        assert requests.post(url, timeout=10).text.startswith("<!DOCTYPE html>")
