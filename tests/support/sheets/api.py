"""The methods of the two services: from a request to an answer, without any transport.

`Api.handle` is called under the server's lock. It raises ApiError, GrantError or answers JSON.
"""

from __future__ import annotations

import csv
import io
import json
import re
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from tests.support.sheets import access, drive, ranges, requests, values, view
from tests.support.sheets.access import Access, Bearer
from tests.support.sheets.document import ANYONE, Document
from tests.support.sheets.errors import ApiError, bad, violation
from tests.support.sheets.fields import Mask, parse
from tests.support.sheets.grid import Grid
from tests.support.sheets.metadata import Meta
from tests.support.sheets.schema import check
from tests.support.sheets.state import State

Json = dict[str, Any]
Query = dict[str, list[str]]
READS = ("getByDataFilter", "batchGetByDataFilter", "search")
SHEET = re.compile(r"/v4/spreadsheets(?:/(?P<key>[^/:]+))?(?P<rest>.*)")
FILE = re.compile(r"/drive/v3/files(?:/(?P<key>[^/]+))?(?P<rest>/\w+)?")
DRIVE_READ = (
    access.DRIVE,
    f"{access.DRIVE}.readonly",
    f"{access.DRIVE}.metadata.readonly",
    f"{access.DRIVE}.file",
)
DRIVE_WRITE = (access.DRIVE, f"{access.DRIVE}.file")
SHEETS_WRITE = (access.SHEETS, *DRIVE_WRITE)
SHEETS_READ = (*SHEETS_WRITE, f"{access.SHEETS}.readonly", f"{access.DRIVE}.readonly")


class Api:
    """All spreadsheets of one server, and the answers to requests about them."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.documents: dict[str, Document] = {}
        self.access = Access()

    def create(self, title: str, key: str | None = None, roles: dict[str, str] | None = None) -> Document:
        """A document without tabs."""
        key = key or f"key-{len(self.documents) + 1:040d}"
        document = Document(key, title, self.lock, {ANYONE: "writer"} if roles is None else roles)
        self.documents[key] = document
        return document

    def handle(self, method: str, path: str, query: Query, body: Any, who: Bearer) -> Any:
        """The JSON answer, or bytes; raises ApiError."""
        if match := FILE.fullmatch(path):
            return self._drive(method, match["key"], match["rest"] or "", query, body or {}, who)
        if match := SHEET.fullmatch(path):
            return self._sheets(method, match["key"], match["rest"], query, body, who)
        raise ApiError(404, f"The requested URL {path} was not found on this server.")

    def document(self, path: str) -> Document | None:
        """The document that a path is about, if there is one."""
        match = SHEET.fullmatch(path) or FILE.fullmatch(path)
        return self.documents.get(match["key"]) if match and match["key"] else None

    # -- Sheets

    def _sheets(self, method: str, key: str | None, rest: str, query: Query, body: Any, who: Bearer) -> Any:
        route, name = _route(method, rest)
        writes = kind(method, f"/v4/spreadsheets{rest}") == "write"
        _scoped(who, SHEETS_WRITE if writes else SHEETS_READ)
        mask_of = ANSWERS.get(route)
        mask = parse(_one(query, "fields"), mask_of)
        if key is None:
            if method != "POST" or rest:
                raise ApiError(404, "Requested entity was not found.")
            return self._new(body or {}, who, mask)
        document = self._open(key, who, writes)
        call = METHODS.get(route)
        if call is None:
            raise ApiError(404, f"The requested URL {method} {rest} was not found on this server.")
        check(BODIES.get(route, "Empty"), body or {}, BODY_PATHS.get(route, ""))
        answer = call(document, name, query, body or {}, mask)
        return answer if mask_of == "Spreadsheet" else mask.cut(answer)

    def _open(self, key: str, who: Bearer, writes: bool) -> Document:
        document = self.documents.get(key)
        if document is None:
            raise ApiError(404, "Requested entity was not found.")
        role = document.role(who.account)
        if role is None or (writes and role == "reader"):
            raise ApiError(403, "The caller does not have permission")
        return document

    def _new(self, body: Json, who: Bearer, mask: Mask) -> Json:
        """spreadsheets.create: title and tabs by their properties."""
        title = (body.get("properties") or {}).get("title") or "Untitled spreadsheet"
        document = self.create(title, roles={who.account: "writer"})
        sheets = body.get("sheets") or [{"properties": {"title": "Sheet1", "sheetId": 0}}]
        with document.change() as state:
            for sheet in sheets:
                requests.add_sheet(state, {"properties": sheet.get("properties") or {}})
        return view.spreadsheet(document.key, document.state, document.url, mask)

    # -- Drive

    def _drive(self, method: str, key: str | None, rest: str, query: Query, body: Json, who: Bearer) -> Any:
        _scoped(who, DRIVE_READ if method == "GET" else DRIVE_WRITE)
        if key is None:
            if method == "GET":
                return drive.listing(list(self.documents.values()), who.account, query)
            return drive.brief(self._make(body.get("name") or "Untitled", who))
        document = self.documents.get(key)
        if document is None or not document.role(who.account):
            raise drive.missing(key)
        match method, rest:
            case "GET", "":
                fields = _one(query, "fields")
                return drive.file(document, fields) if fields else drive.brief(document)
            case "DELETE", "":
                del self.documents[key]
                return b""
            case "POST", "/copy":
                return drive.brief(self._copy(document, body.get("name"), who))
            case "GET", "/comments":  # gspread asks when it copies a file; nobody has made any
                return {"comments": []}
            case "GET", "/export" if _one(query, "mimeType") == "text/csv":
                return _csv(document)
        raise ApiError(404, f"The stand-in does not model {method} files{rest}.")

    def _make(self, title: str, who: Bearer) -> Document:
        document = self.create(title, roles={who.account: "writer"})
        with document.change() as state:
            state.add_grid(Grid(0, "Sheet1"))
        return document

    def _copy(self, source: Document, title: str | None, who: Bearer) -> Document:
        """A copy has the same tab and metadata ids, and is nobody else's."""
        twin = self.create(title or f"Copy of {source.title}", roles={who.account: "writer"})
        name, twin.state = twin.title, source.state.fork()
        twin.state.title = name
        return twin


def kind(method: str, path: str) -> str:
    """'read', 'write', 'token' or 'drive': which quota a request counts against."""
    if path == "/token":
        return "token"
    if path.startswith("/drive/"):
        return "drive"
    return "read" if method == "GET" or path.rpartition(":")[2] in READS else "write"


def load(body: bytes) -> Any:
    """The JSON of a request's body; raises ApiError for text that is none, NaN included."""

    def refuse(name: str) -> None:
        raise ValueError(name)

    try:
        value = json.loads(body.decode("utf-8"), parse_constant=refuse) if body else None
        if b"\\ud" in body:  # half of a pair is no text (assumed to be refused)
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except ValueError:
        text = "Invalid JSON payload received. Unexpected token.\n" + body[:40].decode(errors="replace")
        raise violation("", text) from None


# -- the methods on one spreadsheet; each takes (document, name, query, body, mask)


def _get(document: Document, name: str, query: Query, body: Json, mask: Mask) -> Json:
    state = document.state
    chosen = [ranges.named(state, text)[:2] for text in query.get("ranges", [])] or None
    cells = _one(query, "includeGridData").lower() == "true"
    return view.spreadsheet(document.key, state, document.url, mask, chosen, cells)


def _get_filtered(document: Document, name: str, query: Query, body: Json, mask: Mask) -> Json:
    state = document.state
    chosen = [found for data in body.get("dataFilters") or [] for found in ranges.areas(state, data)]
    if body.get("dataFilters") and not chosen:
        return mask.cut({"spreadsheetId": document.key, "spreadsheetUrl": document.url})
    return view.spreadsheet(
        document.key, state, document.url, mask, chosen or None, bool(body.get("includeGridData"))
    )


def _batch_update(document: Document, name: str, query: Query, body: Json, mask: Mask) -> Json:
    with document.change() as state:
        replies = requests.apply(state, body.get("requests") or [])
        answer: Json = {"spreadsheetId": document.key, "replies": replies}
        if body.get("includeSpreadsheetInResponse"):
            chosen = [ranges.named(state, text)[:2] for text in body.get("responseRanges") or []] or None
            sub, cells = mask.sub("updatedSpreadsheet"), bool(body.get("responseIncludeGridData"))
            if sub is not None:
                shown = view.spreadsheet(document.key, state, document.url, sub, chosen, cells)
                answer["updatedSpreadsheet"] = shown
    return answer


def _values_get(document: Document, name: str, query: Query, body: Json, mask: Mask) -> Json:
    return values.get(document.state, name, _options(query))


def _values_put(document: Document, name: str, query: Query, body: Json, mask: Mask) -> Json:
    with document.change() as state:
        done = values.update(
            state, name, body, _options(query) | {"majorDimension": body.get("majorDimension")}
        )
    return {"spreadsheetId": document.key} | done


def _values_append(document: Document, name: str, query: Query, body: Json, mask: Mask) -> Json:
    with document.change() as state:
        done = values.append(state, name, body, _options(query))
    done["updates"] = {"spreadsheetId": document.key} | done["updates"]
    return {"spreadsheetId": document.key} | done


def _values_clear(document: Document, name: str, query: Query, body: Json, mask: Mask) -> Json:
    with document.change() as state:
        return {"spreadsheetId": document.key, "clearedRange": values.clear(state, name)}


def _values_batch_get(document: Document, name: str, query: Query, body: Json, mask: Mask) -> Json:
    found = [values.get(document.state, text, _options(query)) for text in query.get("ranges", [])]
    return {"spreadsheetId": document.key} | ({"valueRanges": found} if found else {})


def _values_batch_update(document: Document, name: str, query: Query, body: Json, mask: Mask) -> Json:
    with document.change() as state:
        done = [
            values.update(
                state, data.get("range") or "", data, body | {"majorDimension": data.get("majorDimension")}
            )
            for data in body.get("data") or []
        ]
    return _totals(document, done)


def _values_batch_clear(document: Document, name: str, query: Query, body: Json, mask: Mask) -> Json:
    with document.change() as state:
        cleared = [values.clear(state, text) for text in body.get("ranges") or []]
    return {"spreadsheetId": document.key, "clearedRanges": cleared}


def _values_filtered(document: Document, name: str, query: Query, body: Json, mask: Mask) -> Json:
    """One entry for each range that a filter finds, with all filters that find it."""
    state, found = document.state, dict[tuple[int, Any], Json]()
    for data in body.get("dataFilters") or []:
        for grid, area in ranges.areas(state, data):
            entry = found.get((grid.id, area))
            if entry is None:
                entry = {"valueRange": values.read(state, grid, area, body), "dataFilters": []}
                found[grid.id, area] = entry
            entry["dataFilters"].append(data)
    return {"spreadsheetId": document.key} | ({"valueRanges": list(found.values())} if found else {})


def _values_update_filtered(document: Document, name: str, query: Query, body: Json, mask: Mask) -> Json:
    done = []
    with document.change() as state:
        for data in body.get("data") or []:
            for grid, area in ranges.areas(state, data.get("dataFilter") or {}):
                text, major = ranges.text(grid, area), data.get("majorDimension")
                part = {"values": data.get("values"), "majorDimension": major}
                written = values.update(state, text, part, body | {"majorDimension": major})
                done.append(written | {"dataFilter": data["dataFilter"]})
    return _totals(document, done)


def _metadata_get(document: Document, name: str, query: Query, body: Json, mask: Mask) -> Json:
    meta = document.state.metadata.get(int(name)) if name.isdigit() else None
    if meta is None:
        raise ApiError(404, "Requested entity was not found.")
    return meta.json()


def _metadata_search(document: Document, name: str, query: Query, body: Json, mask: Mask) -> Json:
    found: dict[int, tuple[Meta, list[Json]]] = {}
    for data in body.get("dataFilters") or []:
        for meta in ranges.marks(document.state, data):
            found.setdefault(meta.id, (meta, []))[1].append(data)
    matched = [{"developerMetadata": meta.json(), "dataFilters": filters} for meta, filters in found.values()]
    return {"matchedDeveloperMetadata": matched} if matched else {}


Call = Callable[[Document, str, Query, Json, Mask], Json]
METHODS: dict[str, Call] = {
    "GET": _get,
    "POST :getByDataFilter": _get_filtered,
    "POST :batchUpdate": _batch_update,
    "GET /values/": _values_get,
    "PUT /values/": _values_put,
    "POST /values/:append": _values_append,
    "POST /values/:clear": _values_clear,
    "GET /values:batchGet": _values_batch_get,
    "POST /values:batchUpdate": _values_batch_update,
    "POST /values:batchClear": _values_batch_clear,
    "POST /values:batchGetByDataFilter": _values_filtered,
    "POST /values:batchUpdateByDataFilter": _values_update_filtered,
    "GET /developerMetadata/": _metadata_get,
    "POST /developerMetadata:search": _metadata_search,
}
BODIES = {
    "POST :getByDataFilter": "ByDataFilter",
    "POST :batchUpdate": "BatchUpdate",
    "PUT /values/": "ValueRange",
    "POST /values/:append": "ValueRange",
    "POST /values:batchUpdate": "ValuesUpdate",
    "POST /values:batchClear": "ValuesClear",
    "POST /values:batchGetByDataFilter": "ValuesGetByFilter",
    "POST /values:batchUpdateByDataFilter": "ValuesUpdateByFilter",
    "POST /developerMetadata:search": "Search",
}
BODY_PATHS = {"PUT /values/": "data", "POST /values/:append": "data"}
ANSWERS = {
    "GET": "Spreadsheet",
    "POST": "Spreadsheet",
    "POST :getByDataFilter": "Spreadsheet",
    "POST :batchUpdate": "BatchUpdated",
}


def _route(method: str, rest: str) -> tuple[str, str]:
    """The key into METHODS and the name in the path: 'POST /values/:append' and 'A1:B2'."""
    for folder in ("/values/", "/developerMetadata/"):
        if rest.startswith(folder):
            name, verb = unquote(rest[len(folder) :]), ""
            if method == "POST":
                name, _, verb = name.rpartition(":")
                verb = f":{verb}"
            return f"{method} {folder}{verb}", name
    return f"{method} {rest}".rstrip(), ""


def _scoped(who: Bearer, accepted: tuple[str, ...]) -> None:
    if not who.may(*accepted):
        entry = {
            "message": "Insufficient Permission",
            "domain": "global",
            "reason": "insufficientPermissions",
        }
        raise ApiError(403, "Request had insufficient authentication scopes.", errors=[entry])


def _one(query: Query, name: str) -> str:
    return query.get(name, [""])[0]


def _options(query: Query) -> Json:
    """The parameters of a values method; raises ApiError for a value that Google does not know."""
    options: Json = {name: items[0] for name, items in query.items()}
    for name, known in KNOWN.items():
        if options.get(name) is not None and options[name] not in known:
            raise bad(f"Invalid value at '{name}' (TYPE_ENUM), \"{options[name]}\"")
    options["includeValuesInResponse"] = str(options.get("includeValuesInResponse")).lower() == "true"
    return options


KNOWN = {
    "valueInputOption": ("RAW", "USER_ENTERED"),
    "insertDataOption": ("OVERWRITE", "INSERT_ROWS"),
    "majorDimension": ("ROWS", "COLUMNS"),
    "valueRenderOption": ("FORMATTED_VALUE", "UNFORMATTED_VALUE", "FORMULA"),
    "dateTimeRenderOption": ("SERIAL_NUMBER", "FORMATTED_STRING"),
}


def _totals(document: Document, done: list[Json]) -> Json:
    """Sums over the parts, but for columns: those of the widest part."""
    answer: Json = {"spreadsheetId": document.key}
    columns = max((part.get("updatedColumns", 0) for part in done), default=0)
    counts = {
        "totalUpdatedRows": sum(part.get("updatedRows", 0) for part in done),
        "totalUpdatedColumns": columns,
        "totalUpdatedCells": sum(part.get("updatedCells", 0) for part in done),
        "totalUpdatedSheets": len({part["updatedRange"].rpartition("!")[0] for part in done}),
    }
    answer |= {name: number for name, number in counts.items() if number}
    return answer | {"responses": [{"spreadsheetId": document.key} | part for part in done]}


def _csv(document: Document) -> bytes:
    state: State = document.state
    out = io.StringIO()
    shown = values.read(state, state.grids[0], state.grids[0].area, {})
    csv.writer(out, lineterminator="\r\n").writerows(shown.get("values", []))
    return out.getvalue().removesuffix("\r\n").encode()
