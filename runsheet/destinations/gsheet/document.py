"""Requests to one spreadsheet: which one is meant, what is read of it, how a batch is sent."""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from runsheet.destinations.gsheet import batch
from runsheet.destinations.gsheet.batch import Json
from runsheet.destinations.gsheet.client import DRIVE_FILES, Google, Rejected
from runsheet.destinations.gsheet.credentials import NO_ACCOUNT
from runsheet.errors import AccessError, Changed, ConfigError, NotFound, Unreachable

_HEADER_FIELDS = (
    "developerMetadata,"
    "sheets(properties,developerMetadata,data(columnMetadata(developerMetadata),rowData.values(formattedValue)))"
)
_TABS_FIELDS = "developerMetadata,sheets(properties,developerMetadata)"
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

    def __str__(self) -> str:
        return f"spreadsheet {self._name!r}"

    def close(self) -> None:
        self._google.session.close()

    def header(self, title: str) -> dict[str, Any]:
        """Row 1 of a tab, its marks, those on its columns, its size, and the nonce. Raises Rejected
        when there is no such tab."""
        answer = self._get({"ranges": f"{quoted(title)}!1:1", "fields": _HEADER_FIELDS})
        if not answer["sheets"]:
            raise Unreachable(f"Google's answer on {self} lacks the tab {title!r}")
        return answer

    def tabs(self) -> dict[str, Any]:
        """Properties and table marks of all tabs, and the nonce."""
        return self._get({"fields": _TABS_FIELDS})

    def values(self, filters: Sequence[Json], render: str = "UNFORMATTED_VALUE") -> list[dict[str, Any]]:
        """Values of the ranges that filters match, column by column. A look-up that matches nothing
        is left out of the answer. Raises Changed when a range lies outside the grid by now."""
        body = {
            "dataFilters": list(filters),
            "majorDimension": "COLUMNS",
            "valueRenderOption": render,
        }
        path = f"{self._path}/values:batchGetByDataFilter"
        try:
            answer = self._google.read("post", path, what=str(self), json=body)
        except Rejected as error:
            raise Changed(f"the values could not be read: {error}") from error
        return list(answer.get("valueRanges") or [])

    def width(self, title: str, columns: tuple[str, str]) -> int:
        """How many of the columns (first and last, by letter) there are up to the last that holds
        anything at all: values, formulas, notes or rules for what may be typed."""
        span = f"{quoted(title)}!{columns[0]}:{columns[1]}"
        fields = "sheets(properties,data(rowData.values(userEnteredValue,note,dataValidation)))"
        answer = self._get({"ranges": span, "fields": fields})
        rows = [row for data in answer["sheets"][0].get("data", ()) for row in data.get("rowData", ())]
        filled = [n for row in rows for n, value in enumerate(row.get("values", ()), 1) if value]
        return max(filled, default=0)

    def update(self, requests: Sequence[Json]) -> None:
        """Send one batch. Raises Rejected (refused as a whole) and Unanswered (outcome unknown)."""
        self._google.write(f"{self._path}:batchUpdate", batch.encode(requests), what=str(self))

    @property
    def _path(self) -> str:
        self._key = self._key or self._find()
        return quote(self._key, safe="")

    def _get(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """spreadsheets.get; what it returns holds a list of tabs with their properties."""
        answer = self._google.read("get", self._path, what=str(self), params=dict(params))
        sheets = answer.get("sheets")
        if not isinstance(sheets, list) or not all(_is_tab(sheet) for sheet in sheets):
            raise Unreachable(f"Google's answer on {self} is not what was asked for")
        return answer

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
