"""What we leave in a spreadsheet beside the cells: developer metadata, and how it guards a write.

Metadata ids are unique in a spreadsheet, a batch is applied whole or not at all, and deleting what
is not there is no error. So *delete, if it is as I read it; create again* is a compare-and-swap:
if something else stands there by now, its id still exists, creating is refused, and with it the
whole batch (docs/exactly-once.md).

    NONCE     on the spreadsheet; its value changes with every batch of ours
    NOTES     on the only column of the book-keeping tab
    column    on each column of ours; value: its key
    end       on the last column of the grid: it moves when any column left of it comes or goes
    adopted   as column, on a column that stood there before us: it has no format of ours
    table     on the tab; value: the table's name in the book-keeping, the tab's own id (a copy of
              the tab carries another's), and the WORKSHEET it is looked up by
    made      on the tab; value: the fingerprints of the keys of all columns ever made, six
              characters each, oldest first: what is left to tell a column that a person deleted
              when the book-keeping tab is gone
    watermarks  on the tab; value: the number of the grid's rows and the plan's watermarks, as JSON
    elsewhere on the tab; value: how many cells the other tabs had when they were last looked at, and
              when that was, in seconds since 1970
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

NONCE = 1_920_298_611
NOTES = 1_920_298_612
PROBE = 1_920_298_613
PROBE_TAB = 1_920_298_615
NOTES_TAB = 1_920_298_614
"""The book-keeping tab's sheet id. All four are fixed, so that no machine has to look them up."""

KEY_NONCE = "runsheet.nonce"
KEY_NOTES = "runsheet.notes"
KEY_COLUMN = "runsheet.column"
KEY_ADOPTED = "runsheet.adopted"
KEY_END = "runsheet.end"
KEY_TABLE = "runsheet.table"
KEY_MADE = "runsheet.made"
KEY_WATERMARKS = "runsheet.watermarks"
KEY_ELSEWHERE = "runsheet.elsewhere"
COLUMN_KEYS = (KEY_COLUMN, KEY_ADOPTED)

TAB_CHARS = 30_000
"""Google keeps as many characters of metadata for a tab and its columns, keys and values together."""

PRINT_CHARS = 6

SPARE_CHARS = 1_000
"""What we leave of it to the mark of the tab, to those of its ends and of what stands elsewhere, and to other
programs."""


def image_tabs(table: int) -> dict[int, int]:
    """The sheet ids of both tabs of images of a table (images.py), each with the id of a mark on its first
    column; `table` is the id of the table's own mark."""
    return {table + 2: table + 4, table + 3: table + 5}


@dataclass(frozen=True, slots=True)
class Mark:
    """One piece of metadata on a column of a tab."""

    id: int
    key: str
    value: str
    index: int


@dataclass(frozen=True, slots=True)
class Table:
    """The mark of a tab. `name` keys its notes and never changes; `tab` is the tab it was made on."""

    name: str
    tab: int
    worksheet: str
    id: int

    @property
    def value(self) -> str:
        return json.dumps([self.name, self.tab, self.worksheet], ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Made:
    """The mark of a tab that remembers columns: fingerprints, oldest first."""

    id: int
    prints: tuple[str, ...]

    @property
    def value(self) -> str:
        return "".join(self.prints)


@dataclass(frozen=True, slots=True)
class Watermarks:
    """The mark of a tab that keeps the watermarks. `rows` had the grid then."""

    id: int
    texts: tuple[str, ...]
    rows: int = 0

    @property
    def value(self) -> str:
        return json.dumps([self.rows, *self.texts], ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The mark of a tab that remembers how many `cells` the other tabs had `at` a second since 1970."""

    id: int
    cells: int
    at: int

    @property
    def value(self) -> str:
        return f"{self.cells} {self.at}"


def column_place(tab: int, index: int) -> Json:
    return {
        "dimensionRange": {
            "sheetId": tab,
            "dimension": "COLUMNS",
            "startIndex": index,
            "endIndex": index + 1,
        }
    }


def create(mark_id: int, key: str, value: str, place: Json) -> Json:
    """A request that makes metadata, and fails the batch when the id exists."""
    return {
        "createDeveloperMetadata": {
            "developerMetadata": {
                "metadataId": mark_id,
                "metadataKey": key,
                "metadataValue": value,
                "location": place,
                "visibility": "DOCUMENT",
            }
        }
    }


def delete(**lookup: Any) -> Json:
    """A request that deletes the metadata that a lookup matches, if any."""
    return {"deleteDeveloperMetadata": {"dataFilter": {"developerMetadataLookup": lookup}}}


def find(mark_id: int) -> Json:
    """The data filter that looks a mark up."""
    return {"developerMetadataLookup": {"metadataId": mark_id}}


def swap(old: str | None, new: str) -> list[Json]:
    """Requests that pass only if the nonce is `old` (None: if there is none), and leave `new`."""
    place = {"spreadsheet": True}
    made = create(NONCE, KEY_NONCE, new, place)
    return [made] if old is None else [delete(metadataId=NONCE, metadataValue=old), made]


def guard(tab: int, marks: Iterable[Mark]) -> list[Json]:
    """Requests that pass only if each mark is on the column where it was read."""
    requests = []
    for mark in marks:
        place = column_place(tab, mark.index)
        requests.append(delete_at(mark, tab))
        requests.append(create(mark.id, mark.key, mark.value, place))
    return requests


def remember(
    old: Made | None, fresh: Iterable[str], columns: Iterable[Mark], new_id: int, beside: int = 0
) -> Made:
    """The mark that also remembers `fresh` fingerprints, beside the marks of `columns` and `beside`
    characters more. What there is no room for is forgotten, the oldest first."""
    prints = tuple(dict.fromkeys((*(old.prints if old else ()), *fresh)))
    room = max(0, _room(columns) - beside) // PRINT_CHARS
    return Made(old.id if old else new_id, prints[max(0, len(prints) - room) :])


def fits(watermarks: Watermarks, columns: Collection[Mark]) -> bool:
    """Whether there is room for watermarks beside the marks of columns and their fingerprints."""
    return chars(watermarks) + PRINT_CHARS * len(columns) <= _room(columns)


def chars(watermarks: Watermarks | None) -> int:
    """What watermarks take of TAB_CHARS."""
    return len(KEY_WATERMARKS) + len(watermarks.value) if watermarks else 0


def _room(columns: Iterable[Mark]) -> int:
    """What is left of TAB_CHARS for fingerprints and watermarks."""
    return TAB_CHARS - SPARE_CHARS - len(KEY_MADE) - sum(len(mark.key) + len(mark.value) for mark in columns)


def delete_at(mark: Mark, tab: int) -> Json:
    """A request that deletes a mark if it is on the column where it was read."""
    return delete(
        metadataId=mark.id,
        metadataLocation=column_place(tab, mark.index),
        locationMatchingStrategy="EXACT_LOCATION",
    )


def nonce(spreadsheet: Mapping[str, Any]) -> str | None:
    """The nonce in an answer of spreadsheets.get, None when there is none."""
    for item in spreadsheet.get("developerMetadata", ()):
        if item.get("metadataId") == NONCE:
            return str(item.get("metadataValue", ""))
    return None


def column_marks(sheet: Mapping[str, Any]) -> list[Mark]:
    """Our marks on the columns of a tab, left to right. Copies that people made by duplicating
    a tab are on that other tab, so they never show here."""
    marks = []
    for data in sheet.get("data", ()):
        start = data.get("startColumn", 0)
        for offset, column in enumerate(data.get("columnMetadata", ())):
            marks += [_mark(item, start + offset) for item in column.get("developerMetadata", ())]
    return [mark for mark in marks if mark.key in (*COLUMN_KEYS, KEY_END)]


def table_of(sheet: Mapping[str, Any]) -> Table | None:
    """The table that a tab is, None when it is not ours."""
    for mark_id, value in _on_tab(sheet, KEY_TABLE):
        try:
            name, tab, worksheet = json.loads(value)
            return Table(str(name), int(tab), str(worksheet), mark_id)
        except (ValueError, TypeError):
            continue
    return None


def made_of(sheet: Mapping[str, Any]) -> Made | None:
    """What a tab remembers of its columns, None when it has no such mark."""
    for mark_id, value in _on_tab(sheet, KEY_MADE):
        prints = (value[at : at + PRINT_CHARS] for at in range(0, len(value), PRINT_CHARS))
        return Made(mark_id, tuple(prints))
    return None


def watermarks_of(sheet: Mapping[str, Any]) -> Watermarks | None:
    """The watermarks on a tab, None when it has no such mark; none in one that makes no sense."""
    for mark_id, value in _on_tab(sheet, KEY_WATERMARKS):
        try:
            rows, *texts = json.loads(value)
        except (ValueError, TypeError):
            rows, texts = 0, []
        return Watermarks(mark_id, tuple(map(str, texts)), rows if isinstance(rows, int) else 0)
    return None


def elsewhere_of(sheet: Mapping[str, Any]) -> Elsewhere | None:
    """What a tab remembers of the others, None when it has no such mark; one that makes no sense is very
    old."""
    for mark_id, value in _on_tab(sheet, KEY_ELSEWHERE):
        match = re.fullmatch(r"(\d{1,12}) (\d{1,12})", value)
        return Elsewhere(mark_id, int(match[1]), int(match[2])) if match else Elsewhere(mark_id, 0, 0)
    return None


def _on_tab(sheet: Mapping[str, Any], key: str) -> Iterator[tuple[int, str]]:
    """Id and value of the marks with a key on a tab itself."""
    for item in sheet.get("developerMetadata", ()):
        if item.get("metadataKey") == key:
            yield int(item["metadataId"]), str(item.get("metadataValue", ""))


def tab_id(sheet: Mapping[str, Any]) -> int:
    return int(sheet["properties"].get("sheetId", 0))


def is_copy(sheet: Mapping[str, Any]) -> bool:
    """Whether a tab carries the mark of another: people duplicate tabs."""
    table = table_of(sheet)
    return table is not None and table.tab != tab_id(sheet)


def _mark(item: Mapping[str, Any], index: int) -> Mark:
    return Mark(
        int(item["metadataId"]), str(item.get("metadataKey", "")), str(item.get("metadataValue", "")), index
    )


def probes(first: str, second: str) -> list[tuple[str, bool, list[Json]]]:
    """Two batches that show whether a service keeps the rules above: what is tried, whether it has
    to be accepted, and the requests. Neither leaves anything behind when the rules hold.

    The first is refused only if an id is not given twice *and* a delete by another value, or at
    another place, deletes nothing: three rules in one request. On them rests that no row is doubled. Where
    the second is not accepted no batch would be, so nothing is written either.
    """
    grid = {"rowCount": 1, "columnCount": 2}  # the spreadsheet may be almost full
    properties = {"sheetId": PROBE_TAB, "title": f"_probe {first}", "hidden": True, "gridProperties": grid}
    tab = {"addSheet": {"properties": properties}}
    here, there = column_place(PROBE_TAB, 0), column_place(PROBE_TAB, 1)
    made, again = create(PROBE, KEY_NONCE, first, here), create(PROBE, KEY_NONCE, second, here)

    def at(place: Json) -> Json:
        return delete(metadataId=PROBE, metadataLocation=place, locationMatchingStrategy="EXACT_LOCATION")

    return [
        (
            "metadata of another value or place is kept, and no id is given twice",
            False,
            [tab, made, delete(metadataId=PROBE, metadataValue=second), at(there), again],
        ),
        (
            "metadata whose value and place are as read is replaced",
            True,
            [tab, made, delete(metadataId=PROBE, metadataValue=first), again, at(here), made, *unprobe()],
        ),
    ]


def unprobe() -> list[Json]:
    """Requests that remove what a probe would leave behind."""
    return [delete(metadataId=PROBE), {"deleteSheet": {"sheetId": PROBE_TAB}}]
