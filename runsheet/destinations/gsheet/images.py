"""Changing cells that stand, on a service that has no condition on what a cell holds. Pure.

A batch that changes cells first copies each of them, and the cells that say whose row it is, to a
hidden tab of its own: the *images*, at the column where they stand, a row for each row that is
changed. The answer to the batch shows them, and a later read does, if that answer was lost. repair.py
says what follows from them.

Each table has two such tabs, of which one stands at a time: a batch that puts cells back takes them from the
one while it fills the other, and a formula that is copied forth and back refers to what it referred to.

The *floor* is a mark on the last row of the grid. A batch that changes cells passes only if it is where
it was read, which it is not when rows above it were inserted or deleted since.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from runsheet import packing
from runsheet.destinations.gsheet import batch, marks
from runsheet.destinations.gsheet.batch import Json
from runsheet.destinations.gsheet.marks import Mark
from runsheet.model import Change, Edit, Foreign, Stored
from runsheet.repair import Image

Answer = Mapping[str, Any]

KEY_IMAGES = "runsheet.images"
KEY_FLOOR = "runsheet.floor"

IDENTITY = ("run_id", "project")


def other(tabs: Iterable[int], standing: Iterable[int]) -> int:
    """The tab of both that a batch fills: one that does not stand."""
    both = list(tabs)
    return next((tab for tab in both if tab not in set(standing)), both[0])


def name(tab: int, stamp: str) -> str:
    """How the journal calls the images of one batch."""
    return f"{tab}:{stamp}"


def tab_of(images: str) -> int:
    """The tab of images by their name; 0 for a name that makes no sense."""
    tab = images.partition(":")[0]
    return int(tab) if tab.isascii() and tab.isdigit() and len(tab) < 11 else 0


def title(images: str) -> str:
    return f"_runsheet images {images.partition(':')[2]}"


def make(images: str, mark_id: int, rows: int, columns: int) -> list[Json]:
    """Requests that make the tab."""
    tab = tab_of(images)
    mark = marks.create(mark_id, KEY_IMAGES, "", marks.column_place(tab, 0))
    return [batch.add_tab(tab, title(images), rows, columns, hidden=True), mark]


def probe(title: str) -> list[Json]:
    """Requests that make a hidden tab with a formula and a copy of it."""
    tab = marks.PROBE_TAB
    cell = {"start": {"sheetId": tab, "rowIndex": 0, "columnIndex": 0}, "fields": "userEnteredValue"}
    formula = {"rows": [{"values": [stored_json(PROBED[0][0])]}]}
    return [
        batch.add_tab(tab, title, 2, 1, hidden=True),
        {"updateCells": cell | formula},
        copy(span(tab, 0, 0, 1), span(tab, 1, 0, 1)),
    ]


PROBED: dict[int, dict[int, Stored]] = {0: {0: Foreign("=1+1")}, 1: {0: Foreign("=1+1")}}
"""What the probe leaves, by row and column."""


def copies(tab: int, images: int, changes: Sequence[Change], at: Mapping[str, int]) -> Iterator[Json]:
    """Requests that copy what changes will write over, and who the rows are."""
    for number, change in enumerate(changes):
        places = {at[key] for key in (*IDENTITY, *(edit.key for edit in change.cells)) if key in at}
        for start, part in batch.segments(sorted(places)):
            yield copy(span(tab, change.row.index, start, len(part)), span(images, number, start, len(part)))


def copy(source: Json, target: Json) -> Json:
    """Copy values and formulas, and no format."""
    return {"copyPaste": {"source": source, "destination": target, "pasteType": "PASTE_FORMULA"}}


def writes(
    tab: int, changes: Sequence[Change], at: Mapping[str, int], old: int, was_at: Mapping[str, int]
) -> Iterator[Json]:
    """Requests that write the changes. A formula that is put back is copied from the images of the
    batch before, on the tab `old` (0: gone), where its column was `was_at`."""
    for change in changes:
        row, plain = change.row.index, []
        for edit in change.cells:
            if isinstance(edit.after, Foreign) and edit.image is not None and old and edit.key in was_at:
                source = span(old, edit.image, was_at[edit.key], 1)
                yield copy(source, span(tab, row, at[edit.key], 1))
            else:
                plain.append(edit)
        places = [at[edit.key] for edit in plain]
        for start, part in batch.segments(places):
            yield {
                "updateCells": {
                    "start": {"sheetId": tab, "rowIndex": row, "columnIndex": start},
                    "rows": [{"values": [stored_json(plain[position].after) for position in part]}],
                    "fields": "userEnteredValue",
                }
            }


def stored_json(value: Stored) -> Json:
    """A cell to write, as the sheet tells it; None empties it."""
    if value is None:
        return {}
    if isinstance(value, Foreign):
        return {"userEnteredValue": {"formulaValue": value.text}}
    if isinstance(value, bool):
        return {"userEnteredValue": {"boolValue": value}}
    if isinstance(value, (int, float)):
        return {"userEnteredValue": {"numberValue": value}}
    return {"userEnteredValue": {"stringValue": value}}


def read_cell(cell: Answer) -> Stored:
    """What a cell of an answer holds."""
    entered = cell.get("userEnteredValue", {})
    if "formulaValue" in entered:
        return Foreign(str(entered["formulaValue"]))
    if "boolValue" in entered:
        return bool(entered["boolValue"])
    if "numberValue" in entered:
        return float(entered["numberValue"])
    return str(entered["stringValue"]) if entered.get("stringValue") else None


def grid(sheet: Answer) -> dict[int, dict[int, Stored]]:
    """The cells of a tab in an answer, by row and column, of all ranges that were asked for."""
    found: dict[int, dict[int, Stored]] = {}
    for data in sheet.get("data", ()):
        top, left = data.get("startRow", 0), data.get("startColumn", 0)
        for row, line in enumerate(data.get("rowData", ()), top):
            cells = found.setdefault(row, {})
            cells |= {column: read_cell(cell) for column, cell in enumerate(line.get("values", ()), left)}
    return found


def images(sheet: Answer, rows: int) -> tuple[Image, ...]:
    """The images on a tab in an answer: as many rows as the batch changed."""
    found = grid(sheet)
    return tuple(found.get(number, {}) for number in range(rows))


def floor(sheet: Answer, mark_id: int) -> Mark | None:
    """The mark on the last row, from an answer in which it was looked up."""
    for data in sheet.get("data", ()):
        for row, line in enumerate(data.get("rowMetadata", ()), data.get("startRow", 0)):
            if any(item.get("metadataId") == mark_id for item in line.get("developerMetadata", ())):
                return Mark(mark_id, KEY_FLOOR, "", row)
    return None


def guard_floor(tab: int, old: Mark | None, new: Mark) -> list[Json]:
    """Requests that pass only if the floor is where it was read, and leave it on the last row."""
    gone = (
        [
            marks.delete(
                metadataId=old.id,
                metadataLocation=row_place(tab, old.index),
                locationMatchingStrategy="EXACT_LOCATION",
            )
        ]
        if old
        else []
    )
    return [*gone, marks.create(new.id, new.key, new.value, row_place(tab, new.index))]


def row_place(tab: int, index: int) -> Json:
    return {
        "dimensionRange": {"sheetId": tab, "dimension": "ROWS", "startIndex": index, "endIndex": index + 1}
    }


def chunks(changes: Sequence[Change], room: int, at: Mapping[str, int]) -> Iterator[list[Change]]:
    """Split changes so that the requests of each part take about `room` bytes at most; `at` tells the
    column of each key."""
    return packing.parts(changes, room, lambda change: _cost(change, at))


def _cost(change: Change, at: Mapping[str, int]) -> int:
    """Bytes of the requests and the journal of one row."""
    places = {at.get(key, -1) for key in (*IDENTITY, *(edit.key for edit in change.cells))}
    return 300 + 600 * len(batch.segments(sorted(places))) + sum(130 + _size(edit) for edit in change.cells)


def _size(edit: Edit) -> int:
    """Bytes of a cell's text, written once and journaled."""
    values = (edit.before, edit.after)
    return sum(2 * len(value.encode()) for value in values if isinstance(value, str))


def span(tab: int, row: int, column: int, count: int) -> Json:
    """`count` cells of one row."""
    return {
        "sheetId": tab,
        "startRowIndex": row,
        "endRowIndex": row + 1,
        "startColumnIndex": column,
        "endColumnIndex": column + count,
    }
