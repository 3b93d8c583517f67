"""The destination gsheet: a worksheet of a Google spreadsheet, written exactly once.

Reads cost one request, two with candidates; writes are atomic batches that a moved sheet refuses
(gsheet_marks.py says how, docs/exactly-once.md why).
"""

import logging
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, tzinfo
from typing import Any
from urllib.parse import quote, urlsplit

from runsheet.destinations import gsheet_batch as batch
from runsheet.destinations import gsheet_marks as marks
from runsheet.destinations.base import Limits
from runsheet.destinations.google_client import DRIVE_FILES, Google, Rejected
from runsheet.destinations.gsheet_marks import Json
from runsheet.destinations.gsheet_writer import Batch, Look, Standing, batches, parse_note
from runsheet.errors import AccessError, Changed, ConfigError, NotFound, ServiceError, SheetError
from runsheet.model import Content, Owned, Placed, Plan, RowId, Shape

log = logging.getLogger(__name__)

CELLS = 10_000_000
"""The most cells a spreadsheet can have, blank ones of every tab included."""

LOOK_AT_CELLS = 2_000_000
"""From this size on a tick also asks how large the other tabs are."""

_HEADER_FIELDS = (
    "developerMetadata,"
    "sheets(properties,data(columnMetadata(developerMetadata),rowData.values(formattedValue)))"
)
_TABS_FIELDS = "developerMetadata,sheets(properties,developerMetadata)"
_KEY = re.compile(r"/spreadsheets/(?:u/\d+/)?d/([A-Za-z0-9_-]+)")


class GsheetDestination:
    """A worksheet of a Google spreadsheet.

    `spreadsheet` is a URL, a key or a title; a title needs the Drive API to be looked up.
    `worksheet` is the tab's title, "" for the tab made earlier, else the first one. `room`: a new
    tab has that many columns. Dates are written on the clock of `zone`.
    """

    name = "gsheet"
    limits = Limits(cell_chars=50_000, rows=CELLS, columns=18_278)

    def __init__(
        self,
        google: Google,
        spreadsheet: str,
        worksheet: str = "",
        *,
        room: int = 100,
        zone: tzinfo = UTC,
        zone_name: str = "UTC",
    ) -> None:
        self._google = google
        self._spreadsheet = spreadsheet
        self._title = worksheet
        self._look = Look(worksheet, room, zone, zone_name)
        self._key = spreadsheet_key(spreadsheet)
        self._tabs: list[Mapping[str, Any]] = []

    @property
    def requests(self) -> int:
        return self._google.requests

    @property
    def what(self) -> str:
        return f"spreadsheet {self._spreadsheet!r}"

    def close(self) -> None:
        self._google.session.close()

    # --- reading -----------------------------------------------------------------------------

    def read(self) -> Shape:
        if not self._key:
            self._key = self._find_key()
        if self._title:
            try:
                return self._shape(self._header(self._title))
            except Rejected:
                log.debug("no tab %r: looking for a renamed one", self._title)
        return self._look_around()

    def _look_around(self) -> Shape:
        """Find our tab among all tabs: by its mark, else (no WORKSHEET given) the first one."""
        answer = self._get({"fields": _TABS_FIELDS})
        self._tabs = answer.get("sheets", [])
        wanted = self._look.worksheet
        visible = [tab for tab in self._tabs if not tab["properties"].get("hidden")]
        ours = [tab for tab in self._tabs if marks.table_of(tab) == wanted]
        chosen = ours or ([] if wanted else visible)
        if not chosen:
            standing = Standing(wanted or "runs", marks.nonce(answer))
            return Shape(exists=False, empty=True, token=standing)
        self._title = chosen[0]["properties"]["title"]
        return self._shape(self._header(self._title))

    def _shape(self, answer: Mapping[str, Any]) -> Shape:
        sheet = answer["sheets"][0]
        found = marks.column_marks(sheet)
        header = _header_texts(sheet)
        ours = tuple(mark for mark in found if mark.key == marks.KEY_COLUMN)
        standing = _standing(self._title, answer, found, len(header))
        owned = tuple(Owned(mark.value, mark.index, _at(header, mark.index)) for mark in ours)
        if any(item.title for item in owned) or (not owned and any(header)):
            return Shape(True, False, header, owned, replace(standing, made=bool(owned)))
        if any(any(texts) for texts in self._columns(standing, {"": (0, standing.columns)}).values()):
            if owned:
                raise SheetError(
                    f"row 1 of the worksheet {self._title!r} shows none of our headers any more: put the "
                    "header back into row 1, or clear the worksheet to start over. Nothing was written"
                )
            return Shape(True, False, header, (), standing)
        # Cleared, header included: what marks are left belong to nothing.
        return Shape(True, True, (), (), replace(standing, marks=ours, made=bool(ours)))

    def content(self, shape: Shape, adopted: Sequence[Placed] = ()) -> Content:
        standing: Standing = shape.token
        if standing.nonce is None and shape.empty:
            return Content()
        wanted = [*(mark.id for mark in _identity(shape, standing).values()), marks.NOTES]
        lookups: list[Json] = [{"developerMetadataLookup": {"metadataId": mark}} for mark in wanted]
        answer = self._values(lookups, "the rows")
        found = {key: texts for item in answer for key, texts in _by_filter(item)}
        notes = self._notes(found.get(marks.NOTES), standing)
        if shape.empty:
            return Content(notes=notes or ())
        identity = _identity(shape, standing)
        if any(mark.id not in found for mark in identity.values()):
            raise Changed("a column was removed while it was read")
        columns = {key: found[mark.id] for key, mark in identity.items()}
        deep = bool(adopted) or notes is None
        if deep:
            spans = {owned.key: (owned.index, owned.index + 1) for owned in shape.owned}
            spans |= {p.column.key: (p.index, p.index + 1) for p in adopted}
            columns = self._columns(standing, spans)
        adopting = not shape.owned and notes is None
        return Content(_row_ids(columns, deep), () if adopting else notes)

    def _notes(self, texts: Sequence[str] | None, standing: Standing) -> tuple[tuple[str, ...], ...] | None:
        """The notes of our table, None when the book-keeping tab is gone."""
        if texts is None:
            return None
        parsed = (parse_note(text) for text in texts)
        return tuple(item[1] for item in parsed if item and item[0] == standing.tab)

    def _columns(self, standing: Standing, spans: Mapping[str, tuple[int, int]]) -> dict[str, list[str]]:
        """All texts of grid columns `start` to `end` by key, in one list."""
        filters = [
            {"gridRange": {"sheetId": standing.tab, "startColumnIndex": start, "endColumnIndex": end}}
            for start, end in spans.values()
        ]
        keys = {start: key for key, (start, _) in spans.items()}
        columns: dict[str, list[str]] = {}
        for item in self._values(filters, "the columns"):
            for span in _filters(item, "gridRange"):
                key = keys[int(span.get("startColumnIndex", 0))]
                columns[key] = [text for column in _lists(item) for text in column]
        return columns

    # --- writing -----------------------------------------------------------------------------

    def apply(self, plan: Plan) -> Iterator[int]:
        if plan.nothing:
            return
        standing: Standing = plan.shape.token
        if standing.nonce is None:
            self._probe()
        standing = self._notes_standing(plan, standing)
        if plan.new and not plan.shape.empty:
            standing = replace(standing, used=standing.used + self._used_beyond(standing))
        standing, give_back, room = self._fit(plan, standing)
        look = replace(self._look, room=room)
        for part in batches(plan, standing, look, give_back):
            self._send(part)
            yield len(part.rows)

    def _notes_standing(self, plan: Plan, standing: Standing) -> Standing:
        """Whether the book-keeping tab exists: asked only when its mark was not found."""
        if plan.content.notes and standing.nonce is not None:
            return replace(standing, notes="ready")
        tabs = self._all_tabs()
        if any(tab["properties"]["sheetId"] == marks.NOTES_TAB for tab in tabs):
            found = self._values(
                [{"developerMetadataLookup": {"metadataId": marks.NOTES}}], "the book-keeping"
            )
            return replace(standing, notes="ready" if found else "unmarked")
        titles = {tab["properties"]["title"] for tab in tabs}
        free = (f"_runsheet{suffix}" for suffix in ("", *(f" {n}" for n in range(2, 99))))
        return replace(standing, notes="", notes_title=next(t for t in free if t not in titles))

    def _fit(self, plan: Plan, standing: Standing) -> tuple[Standing, int, int]:
        """Make sure that the plan fits into 10 million cells: give back room that nobody uses.

        Returns the standing, the number of blank columns at the right edge to delete, and the
        columns of a new tab. Raises SheetError when it cannot fit.
        """
        room, needed = self._look.room, len(plan.columns)
        rows = standing.rows + len(plan.rows) + (0 if standing.tab is not None else 101)
        width = standing.columns + len(plan.new) if standing.tab is not None else max(room, needed)
        if rows * width < LOOK_AT_CELLS:
            return standing, 0, room
        free = CELLS - self._cells_elsewhere(standing.tab)
        if rows * width <= free:
            return standing, 0, room
        if plan.shape.empty:
            give, narrow = 0, max(needed, standing.columns)
        else:
            give, narrow = self._spare(standing), width
        if rows * (narrow - give) > free:
            raise SheetError(
                f"{len(plan.rows):,} new rows of {narrow - give} columns do not fit: a spreadsheet holds "
                f"{CELLS:,} cells, and {CELLS - free:,} are in other tabs. Move old rows to another "
                "spreadsheet, lower MAX_COLUMNS or name another SPREADSHEET_NAME. Nothing was written"
            )
        return standing, give, narrow if plan.shape.empty else room

    def _used_beyond(self, standing: Standing) -> int:
        """How many columns to the right of the header are in use, the last one with a value included."""
        if standing.columns <= standing.used:
            return 0
        beyond = {"sheetId": standing.tab, "startColumnIndex": standing.used}
        found = self._values([{"gridRange": beyond}], "the columns beside the table")
        filled = [n for item in found for n, column in enumerate(_lists(item), 1) if any(column)]
        return max(filled, default=0)

    def _spare(self, standing: Standing) -> int:
        """How many columns at the right edge hold nothing."""
        return standing.columns - standing.used - self._used_beyond(standing)

    def _cells_elsewhere(self, tab: int | None) -> int:
        grids = [
            t["properties"].get("gridProperties", {})
            for t in self._all_tabs()
            if t["properties"]["sheetId"] != tab
        ]
        return sum(int(grid.get("rowCount", 0)) * int(grid.get("columnCount", 0)) for grid in grids)

    def _all_tabs(self) -> list[Mapping[str, Any]]:
        if not self._tabs:
            self._tabs = self._get({"fields": _TABS_FIELDS}).get("sheets", [])
        return self._tabs

    def _send(self, part: Batch) -> None:
        """Send one batch. A refusal is a change if the sheet is not as the batch took it to be."""
        try:
            self._batch(part.requests)
        except Rejected as refusal:
            if self._moved(part.before):
                raise Changed("a guard refused the batch") from refusal
            raise SheetError(_advice(str(refusal), self.what)) from refusal

    def _moved(self, before: Standing) -> bool:
        answer = self._get({"fields": _TABS_FIELDS})
        if marks.nonce(answer) != before.nonce:
            return True
        tabs = {tab["properties"]["sheetId"]: tab for tab in answer.get("sheets", [])}
        if before.tab is None:
            return before.title in {tab["properties"]["title"] for tab in tabs.values()}
        if before.tab not in tabs:
            return True
        title = tabs[before.tab]["properties"]["title"]
        sheet = self._header(title)["sheets"][0]
        now = {mark.id: mark.index for mark in marks.column_marks(sheet)}
        then = [*before.marks, *([before.end] if before.end else [])]
        grid = sheet["properties"].get("gridProperties", {})
        return (
            any(now.get(mark.id) != mark.index for mark in then) or grid.get("columnCount") != before.columns
        )

    def _probe(self) -> None:
        """First contact: make sure that the service keeps the rules that exactly-once rests on."""
        for text, accepted, requests in marks.probes(secrets.token_hex(8), secrets.token_hex(8)):
            try:
                self._batch(requests)
            except Rejected as refusal:
                if accepted:
                    raise ServiceError(
                        f"Google Sheets does not behave as it must ({text}: refused, {refusal}). "
                        "Nothing was written to the worksheet"
                    ) from refusal
            else:
                if not accepted:
                    self._batch([marks.delete(metadataId=marks.PROBE)])
                    raise ServiceError(
                        f"Google Sheets does not behave as it must ({text}: it was not). Rows could be "
                        "doubled, so nothing was written to the worksheet"
                    )

    # --- requests ----------------------------------------------------------------------------

    def _get(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return self._google.read("get", quote(self._key, safe=""), what=self.what, params=dict(params))

    def _header(self, title: str) -> dict[str, Any]:
        return self._get({"ranges": f"{_quoted(title)}!1:1", "fields": _HEADER_FIELDS})

    def _values(self, filters: Sequence[Json], what: str) -> list[dict[str, Any]]:
        """Texts of the ranges that the filters match, column by column."""
        body = {"dataFilters": list(filters), "majorDimension": "COLUMNS"}
        path = f"{quote(self._key, safe='')}/values:batchGetByDataFilter"
        try:
            answer = self._google.read("post", path, what=self.what, json=body)
        except Rejected as error:
            raise Changed(f"{what} could not be read: {error}") from error
        return list(answer.get("valueRanges", []))

    def _batch(self, requests: Sequence[Json]) -> None:
        body = batch.encode(requests)
        self._google.write(f"{quote(self._key, safe='')}:batchUpdate", body, what=self.what)

    def _find_key(self) -> str:
        """The key of the spreadsheet of that title. Two of one title are an error, not a guess."""
        title = self._spreadsheet
        escaped = title.replace("\\", "\\\\").replace("'", "\\'")
        params = {
            "q": f"name='{escaped}' and mimeType='application/vnd.google-apps.spreadsheet' and trashed=false",
            "fields": "files(id,name)",
            "pageSize": 10,
            "supportsAllDrives": True,
            "includeItemsFromAllDrives": True,
        }
        try:
            answer = self._google.read("get", DRIVE_FILES, what=self.what, params=params)
        except AccessError as error:
            raise AccessError(
                f"a title is looked up by the Google Drive API, which is not open to {self._google.email}: "
                f"enable it, or name the spreadsheet by its URL in SPREADSHEET_NAME ({error})"
            ) from error
        files = [item for item in answer.get("files", []) if item.get("name", title) == title]
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
            f"share it with this address as editor, or name it by its URL in SPREADSHEET_NAME"
        )


def spreadsheet_key(text: str) -> str:
    """The key in a URL or a bare key; "" for a title."""
    if match := _KEY.search(urlsplit(text).path if "://" in text else text):
        return match[1]
    return text if re.fullmatch(r"[A-Za-z0-9_-]{40,}", text) else ""


def _quoted(title: str) -> str:
    return "'" + title.replace("'", "''") + "'"


def _header_texts(sheet: Mapping[str, Any]) -> tuple[str, ...]:
    for data in sheet.get("data", ()):
        for row in data.get("rowData", ()):
            texts = [str(value.get("formattedValue", "")) for value in row.get("values", ())]
            while texts and not texts[-1].strip():
                texts.pop()
            return tuple(texts)
    return ()


def _standing(title: str, answer: Mapping[str, Any], found: Sequence[marks.Mark], header: int) -> Standing:
    properties = answer["sheets"][0]["properties"]
    grid = properties.get("gridProperties", {})
    ours = tuple(mark for mark in found if mark.key == marks.KEY_COLUMN)
    ends = [mark for mark in found if mark.key == marks.KEY_END]
    return Standing(
        title,
        marks.nonce(answer),
        tab=int(properties["sheetId"]),
        rows=int(grid.get("rowCount", 0)),
        columns=int(grid.get("columnCount", 0)),
        used=max(header, *(mark.index + 1 for mark in ours), 0),
        marks=ours,
        end=ends[-1] if ends else None,
    )


def _at(header: Sequence[str], index: int) -> str:
    return header[index] if index < len(header) else ""


def _identity(shape: Shape, standing: Standing) -> dict[str, marks.Mark]:
    """The marks of the columns that tell which run a row is."""
    return {
        mark.value: mark for mark in standing.marks if shape.owned and mark.value in ("run_id", "project")
    }


def _lists(item: Mapping[str, Any]) -> list[list[str]]:
    return [[str(text) for text in column] for column in item.get("valueRange", {}).get("values", [])]


def _by_filter(item: Mapping[str, Any]) -> Iterator[tuple[int, list[str]]]:
    """The metadata ids that an answer is for, with the texts of its first column."""
    texts = (_lists(item) or [[]])[0]
    for lookup in _filters(item, "developerMetadataLookup"):
        yield int(lookup.get("metadataId", -1)), texts


def _filters(item: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    """The filters of one kind that a range of an answer was asked for with."""
    return [data_filter[kind] for data_filter in item.get("dataFilters", ()) if kind in data_filter]


def _row_ids(columns: Mapping[str, Sequence[str]], filled: bool) -> tuple[RowId, ...]:
    """Rows below the header with text in the run_id column."""
    ids, projects = columns.get("run_id", ()), columns.get("project", ())
    others = [texts for key, texts in columns.items() if key != "run_id"]
    rows: list[RowId] = []
    for index, text in enumerate(ids):
        if index and text.strip():
            full = not filled or any(_at(texts, index).strip() for texts in others)
            rows.append(RowId(text, _at(projects, index), index, full))
    return tuple(rows)


def _advice(text: str, what: str) -> str:
    if "protected" in text:
        return f"{what} has a protected range that we may not write: {text} Nothing was written"
    if "10000000" in text.replace(",", "") or "number of cells" in text:
        return f"{what} is full: {text} Move old rows to another spreadsheet. Nothing was written"
    return f"{what} does not take the rows: {text}"
