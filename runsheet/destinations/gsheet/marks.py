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
"""

import json
from collections.abc import Iterable, Mapping
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
COLUMN_KEYS = (KEY_COLUMN, KEY_ADOPTED)

TAB_CHARS = 30_000
"""Google keeps as many characters of metadata for a tab and its columns, keys and values together."""

PRINT_CHARS = 6

SPARE_CHARS = 1_000
"""What we leave of it to the mark of the tab, to that of its end, and to other programs."""


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


def remember(old: Made | None, fresh: Iterable[str], columns: Iterable[Mark], new_id: int) -> Made:
    """The mark that also remembers `fresh` fingerprints, beside the marks of `columns`. What there is
    no room for is forgotten, the oldest first."""
    prints = tuple(dict.fromkeys((*(old.prints if old else ()), *fresh)))
    used = SPARE_CHARS + len(KEY_MADE) + sum(len(mark.key) + len(mark.value) for mark in columns)
    room = max(0, TAB_CHARS - used) // PRINT_CHARS
    return Made(old.id if old else new_id, prints[max(0, len(prints) - room) :])


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
    for item in sheet.get("developerMetadata", ()):
        if item.get("metadataKey") == KEY_TABLE:
            try:
                name, tab, worksheet = json.loads(item.get("metadataValue", ""))
                return Table(str(name), int(tab), str(worksheet), int(item["metadataId"]))
            except (ValueError, TypeError):
                continue
    return None


def made_of(sheet: Mapping[str, Any]) -> Made | None:
    """What a tab remembers of its columns, None when it has no such mark."""
    for item in sheet.get("developerMetadata", ()):
        if item.get("metadataKey") == KEY_MADE:
            value = str(item.get("metadataValue", ""))
            prints = (value[at : at + PRINT_CHARS] for at in range(0, len(value), PRINT_CHARS))
            return Made(int(item["metadataId"]), tuple(prints))
    return None


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
    another place, deletes nothing: three rules in one request.
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
