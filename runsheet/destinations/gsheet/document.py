"""Requests to one spreadsheet: which one is meant, what is read of it, how a batch is sent."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from runsheet.clock import Clock
from runsheet.destinations.gsheet import encoding
from runsheet.destinations.gsheet.batch import Json
from runsheet.destinations.gsheet.client import DRIVE_FILES, Forbidden, Google, Rejected
from runsheet.destinations.gsheet.credentials import NO_ACCOUNT
from runsheet.errors import AccessError, Changed, ConfigError, NotFound, Unreachable

_MARK = "developerMetadata(metadataId,metadataKey,metadataValue)"
_TAB = "properties(sheetId,title,hidden,gridProperties)"
_HEADER_FIELDS = (
    f"{_MARK},sheets({_TAB},{_MARK},data(columnMetadata({_MARK}),rowData.values(formattedValue)))"
)
_WHOLE_FIELDS = _HEADER_FIELDS.replace("formattedValue", "formattedValue,effectiveValue")
_TABS_FIELDS = f"{_MARK},sheets({_TAB},{_MARK})"
_VALUES_FIELDS = (
    "valueRanges(valueRange(range,majorDimension,values),"
    "dataFilters(developerMetadataLookup.metadataId,gridRange.startColumnIndex))"
)
_WIDTH_FIELDS = f"sheets({_TAB},data(rowData.values(userEnteredValue,effectiveValue,note,dataValidation)))"
_PROTECTED_FIELDS = f"sheets({_TAB},protectedRanges(range,description,requestingUserCanEdit,warningOnly))"
_LIVE_FIELDS = (
    f"sheets({_TAB},data(startRow,startColumn,rowMetadata(developerMetadata(metadataId)),"
    "columnMetadata(developerMetadata(metadataId,metadataKey,metadataValue)),"
    "rowData.values(userEnteredValue)))"
)
_ANSWER_FIELDS = (
    f"updatedSpreadsheet(sheets({_TAB},"
    "data(startRow,startColumn,rowData.values(userEnteredValue,formattedValue))))"
)
_CELL_FIELDS = f"sheets({_TAB},data(rowData.values(userEnteredValue,userEnteredFormat.numberFormat)))"
_URL = re.compile(r"/spreadsheets/(?:u/\d+/)?d/([A-Za-z0-9_-]+)")


class Spreadsheet:
    """One spreadsheet, named by URL, key or title. A title is looked up at the first request."""

    def __init__(self, google: Google, name: str) -> None:
        self._google = google
        self._name = name
        self._key = spreadsheet_key(name)

    @property
    def requests(self) -> int:
        return self._google.requests

    @property
    def account(self) -> str:
        """The address of the account in use."""
        return self._google.email

    @property
    def clock(self) -> Clock:
        return self._google.clock

    @property
    def key(self) -> str:
        """The spreadsheet's key; a title is looked up."""
        self._key = self._key or self._find()
        return self._key

    def __str__(self) -> str:
        return f"spreadsheet {self._name!r}"

    def close(self) -> None:
        self._google.session.close()

    def header(self, title: str, *, whole: bool = False) -> dict[str, Any]:
        """Row 1 of a tab, its marks, those on its columns, its size, and the nonce; `whole`: all its rows,
        with their values. Raises Rejected when there is no such tab."""
        range_, fields = (quoted(title), _WHOLE_FIELDS) if whole else (f"{quoted(title)}!1:1", _HEADER_FIELDS)
        answer = self._get({"ranges": range_, "fields": fields})
        if not answer["sheets"]:
            raise Unreachable(f"Google's answer on {self} lacks the tab {title!r}")
        return answer

    def tabs(self) -> dict[str, Any]:
        """Properties and table marks of all tabs, and the nonce."""
        return self._get({"fields": _TABS_FIELDS})

    def values(self, filters: Sequence[Json]) -> list[dict[str, Any]]:
        """Values of the ranges that filters match, column by column. A look-up that matches nothing
        is left out of the answer. Raises Changed when a range lies outside the grid by now."""
        body = {
            "dataFilters": list(filters),
            "majorDimension": "COLUMNS",
            "valueRenderOption": "UNFORMATTED_VALUE",
        }
        path, params = f"{self._path}/values:batchGetByDataFilter", {"fields": _VALUES_FIELDS}
        try:
            answer = self._google.read("post", path, what=str(self), params=params, json=body)
        except Rejected as error:
            raise Changed(f"the values could not be read: {error}") from error
        return list(answer.get("valueRanges") or [])

    def inhabited(self, tab: int, rows: Sequence[int]) -> set[int]:
        """Those of a tab's rows in which anything at all stands. Raises Changed when they are not there by
        now."""
        spans = [{"sheetId": tab, "startRowIndex": row, "endRowIndex": row + 1} for row in rows]
        params = {"fields": _WIDTH_FIELDS.replace("data(", "data(startRow,")}
        body = {"dataFilters": [{"gridRange": span} for span in spans]}
        path = f"{self._path}:getByDataFilter"
        try:
            answer = self._google.read("post", path, what=str(self), params=params, json=body)
        except Rejected as error:
            raise Changed(f"the rows could not be read: {error}") from error
        return {
            row
            for sheet in self._tabs_of(answer)
            for data in sheet.get("data", ())
            for row, line in enumerate(data.get("rowData", ()), data.get("startRow", 0))
            if any(line.get("values", ()))
        }

    def width(self, tab: int, start: int, end: int) -> int:
        """How many of a tab's columns `start` to `end` there are up to the last that holds anything
        at all: values, formulas and what they spill, notes, or rules for what may be typed. Raises
        Changed when the columns are not there by now."""
        span = {"sheetId": tab, "startColumnIndex": start, "endColumnIndex": end}
        params = {"fields": _WIDTH_FIELDS}
        body = {"dataFilters": [{"gridRange": span}]}
        path = f"{self._path}:getByDataFilter"
        try:
            answer = self._google.read("post", path, what=str(self), params=params, json=body)
        except Rejected as error:
            raise Changed(f"the columns could not be read: {error}") from error
        parts = [data for sheet in self._tabs_of(answer) for data in sheet.get("data", ())]
        rows = [row.get("values", ()) for data in parts for row in data.get("rowData", ())]
        return max((n for row in rows for n, value in enumerate(row, 1) if value), default=0)

    def entered(self, tab: int, start: int, end: int) -> list[dict[str, Any]]:
        """Rows `start` to `end` of a tab with what was entered and its number formats; blank ones at
        the end are left out. Raises Changed when they are not there by now."""
        span = {"sheetId": tab, "startRowIndex": start, "endRowIndex": end}
        body = {"dataFilters": [{"gridRange": span}]}
        path, params = f"{self._path}:getByDataFilter", {"fields": _CELL_FIELDS}
        try:
            answer = self._google.read("post", path, what=str(self), params=params, json=body)
        except Rejected as error:
            raise Changed(f"the cells could not be read: {error}") from error
        parts = [data for sheet in self._tabs_of(answer) for data in sheet.get("data", ())]
        return [row for data in parts for row in data.get("rowData", ())]

    def title(self) -> str:
        answer = self._google.read("get", self._path, what=str(self), params={"fields": "properties.title"})
        return str(answer.get("properties", {}).get("title", ""))

    def copy(self, title: str) -> None:
        """Copy the spreadsheet in Drive, once. Raises AccessError when Drive or the scopes do not allow
        it, Unanswered when nobody knows whether there is a copy."""
        path = f"{DRIVE_FILES}/{self._path}/copy?supportsAllDrives=true"
        try:
            self._google.write(path, json.dumps({"name": title}).encode(), what=str(self), fields="id")
        except Forbidden as error:
            raise AccessError(f"{self.account} may not copy {self} ({error.text})") from error

    def uncount(self, since: int) -> int:
        """As Google.uncount."""
        return self._google.uncount(since)

    def protections(self) -> list[dict[str, Any]]:
        """All tabs with their protected ranges."""
        return self._tabs_of(self._get({"fields": _PROTECTED_FIELDS}))

    def find(self, filters: Sequence[Json]) -> dict[int, dict[str, Any]]:
        """Typed cells of ranges and look-ups, by tab id. Raises Rejected when a range lies on no tab, or
        beyond the grid."""
        path, params = f"{self._path}:getByDataFilter", {"fields": _LIVE_FIELDS}
        body = {"dataFilters": list(filters)}
        answer = self._google.read("post", path, what=str(self), params=params, json=body)
        return _by_id(answer.get("sheets", ()))

    def update(self, requests: Sequence[Json], show: Sequence[str] = ()) -> dict[int, dict[str, Any]]:
        """Send one batch. Returns, by tab id, what these ranges hold afterwards. Raises as `send`."""
        return self.send(encoding.body(requests, show), shows=bool(show))

    def send(self, body: bytes, *, shows: bool) -> dict[int, dict[str, Any]]:
        """Send one batch. Returns, by tab id, what the ranges that it wants to be shown hold afterwards.
        Raises Rejected (refused as a whole), Unanswered (outcome unknown) and AccessError: the spreadsheet
        could be read, so it is shared for that only."""
        path, fields = f"{self._path}:batchUpdate", _ANSWER_FIELDS if shows else "spreadsheetId"
        try:
            answer = self._google.write(path, body, what=str(self), fields=fields)
        except Forbidden as error:
            raise AccessError(
                f"{self} is shared read-only with {self.account} ({error.text}): share it with this address "
                "as editor"
            ) from error
        return _by_id(answer.get("updatedSpreadsheet", {}).get("sheets", ()))

    @property
    def _path(self) -> str:
        return quote(self.key, safe="")

    def _get(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """spreadsheets.get; what it returns holds a list of tabs with their properties."""
        answer = self._google.read("get", self._path, what=str(self), params=dict(params))
        self._tabs_of(answer)
        return answer

    def _tabs_of(self, answer: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The tabs of an answer, known to have properties. Raises Unreachable for another answer."""
        sheets = answer.get("sheets")
        if not isinstance(sheets, list) or not all(_is_tab(sheet) for sheet in sheets):
            raise Unreachable(f"Google's answer on {self} is not what was asked for")
        return sheets

    def _find(self) -> str:
        """The key of the spreadsheet of that title. Two of one title are an error, not a guess."""
        title = self._name
        files = [item for item in self._titled(title) if item.get("name", title) == title]
        if len(files) > 1:
            urls = ", ".join(f"https://docs.google.com/spreadsheets/d/{item['id']}" for item in files)
            raise ConfigError(
                f"SPREADSHEET_NAME: {len(files)} spreadsheets are titled {title!r}: name one by its URL: "
                f"{urls}"
            )
        if files:
            return str(files[0]["id"])
        if re.fullmatch(r"[A-Za-z0-9_-]{15,}", title):
            return title  # No such title, but it may be a key.
        raise NotFound(
            f"there is no spreadsheet titled {title!r} that is shared with {self._google.email}: make one, "
            f"share it with this address as editor, or name it by its URL in SPREADSHEET_NAME. {NO_ACCOUNT}"
        )

    def _titled(self, title: str) -> list[dict[str, Any]]:
        escaped = title.replace("\\", "\\\\").replace("'", "\\'")
        kind = "mimeType='application/vnd.google-apps.spreadsheet'"
        params = {
            "q": f"name='{escaped}' and {kind} and trashed=false",
            "fields": "files(id,name)",
            "pageSize": 10,
            "supportsAllDrives": True,
            "includeItemsFromAllDrives": True,
        }
        try:
            answer = self._google.read("get", DRIVE_FILES, what=str(self), params=params)
        except AccessError as error:
            raise AccessError(
                f"a title is looked up by the Google Drive API, which is not open to {self._google.email}: "
                f"enable it, or name the spreadsheet by its URL in SPREADSHEET_NAME ({error})"
            ) from error
        return list(answer.get("files", []))


def _by_id(sheets: Any) -> dict[int, dict[str, Any]]:
    """Tabs of an answer by their id; what is no tab is left out."""
    return {int(sheet["properties"].get("sheetId", 0)): sheet for sheet in sheets if _is_tab(sheet)}


def _is_tab(sheet: Any) -> bool:
    properties = sheet.get("properties") if isinstance(sheet, dict) else None
    return isinstance(properties, dict) and "title" in properties


def spreadsheet_key(name: str) -> str:
    """The key in a URL or a bare key; "" for a title."""
    if match := _URL.search(urlsplit(name).path if "://" in name else name):
        return match[1]
    return name if re.fullmatch(r"[A-Za-z0-9_-]{40,}", name) else ""


def quoted(title: str) -> str:
    """A tab title as A1 notation wants it."""
    return "'" + title.replace("'", "''") + "'"
