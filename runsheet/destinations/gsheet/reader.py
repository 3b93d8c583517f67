"""Answers of the Sheets API become a standing, header texts and rows with ids. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from runsheet.destinations.gsheet import marks
from runsheet.destinations.gsheet.standing import Standing
from runsheet.model import Owned, RowId

Answer = Mapping[str, Any]


def header_texts(sheet: Answer) -> tuple[str, ...]:
    """The texts of row 1, without trailing blanks."""
    for data in sheet.get("data", ()):
        for row in data.get("rowData", ()):
            texts = [str(value.get("formattedValue", "")) for value in row.get("values", ())]
            while texts and not texts[-1].strip():
                texts.pop()
            return tuple(texts)
    return ()


def standing(title: str, answer: Answer, header: Sequence[str]) -> Standing:
    """How a tab stands, from the answer to Spreadsheet.header."""
    sheet = answer["sheets"][0]
    grid = sheet["properties"].get("gridProperties", {})
    found = marks.column_marks(sheet)
    ours = tuple(mark for mark in found if mark.key in marks.COLUMN_KEYS)
    ends = [mark for mark in found if mark.key == marks.KEY_END]
    return Standing(
        title,
        marks.nonce(answer),
        tab=marks.tab_id(sheet),
        table_mark=marks.table_of(sheet),
        made=marks.made_of(sheet),
        frozen=int(grid.get("frozenRowCount", 0)),
        rows=int(grid.get("rowCount", 0)),
        columns=int(grid.get("columnCount", 0)),
        used=max(len(header), *(mark.index + 1 for mark in ours), 0),
        marks=ours,
        end=ends[-1] if ends else None,
        watermarks=marks.watermarks_of(sheet),
        elsewhere=marks.elsewhere_of(sheet),
    )


def cells(sheet: Answer) -> int:
    """The cells of a tab's grid, blank ones included."""
    grid = sheet["properties"].get("gridProperties", {})
    return int(grid.get("rowCount", 0)) * int(grid.get("columnCount", 0))


def columns(sheet: Answer) -> list[list[str]]:
    """All texts of a tab that was read whole, column by column."""
    rows = [line.get("values", ()) for data in sheet.get("data", ()) for line in data.get("rowData", ())]
    texts = [[_value(cell.get("effectiveValue", {})) for cell in row] for row in rows]
    return [list(column) for column in zip_longest(*texts, fillvalue="")]


def watermarks(now: Standing) -> tuple[str, ...]:
    """The watermarks of a table; none of a copy."""
    return now.watermarks.texts if now.watermarks and now.is_ours else ()


def touched(now: Standing) -> bool:
    """Whether rows came or went since the watermarks were written."""
    return now.watermarks is not None and now.watermarks.rows != now.rows


def owned(now: Standing, header: Sequence[str]) -> tuple[Owned, ...]:
    """Our columns with the titles that people see."""
    return tuple(Owned(mark.value, mark.index, at(header, mark.index)) for mark in now.marks)


IDENTITY = ("run_id", "project")
"""The keys of the columns that tell which run a row is."""


def wanted(now: Standing, owned: Sequence[Owned]) -> dict[str, marks.Mark]:
    """The marks of the columns whose texts are needed: those that tell which run a row is, and those
    whose header is blank."""
    blank = {item.key for item in owned if not item.title.strip()}
    return {mark.value: mark for mark in now.marks if mark.value in IDENTITY or mark.value in blank}


def strayed(now: Standing, owned: Sequence[Owned]) -> bool:
    """Whether a column that tells which run a row is stands elsewhere than its mark."""
    places = {mark.value: mark.index for mark in now.marks}
    return any(item.key in IDENTITY and places.get(item.key) != item.index for item in owned)


def blank(owned: Sequence[Owned], texts: Mapping[str, Sequence[str]]) -> dict[str, frozenset[int]]:
    """The rows in which columns with a blank header hold something."""
    return {
        item.key: frozenset(row for row, text in enumerate(texts[item.key]) if row and text.strip())
        for item in owned
        if not item.title.strip() and item.key in texts
    }


def by_mark(ranges: Sequence[Answer]) -> dict[int, list[str]]:
    """The texts of columns that were looked up by mark, by the mark's id."""
    return {mark: (texts(item) or [[]])[0] for item in ranges for mark in looked_up(item)}


def looked_up(item: Answer) -> list[int]:
    """The ids of the marks that a value range was looked up by."""
    return [int(lookup.get("metadataId", -1)) for lookup in _filters(item, "developerMetadataLookup")]


def by_start(ranges: Sequence[Answer]) -> dict[int, list[str]]:
    """All texts of the spans that were asked for by place, by their first grid column."""
    return {
        int(span.get("startColumnIndex", 0)): [text for column in texts(item) for text in column]
        for item in ranges
        for span in _filters(item, "gridRange")
    }


def texts(item: Answer) -> list[list[str]]:
    """The columns of one value range. Trailing blanks are left out by the service."""
    span = item.get("valueRange", {})
    columns = span.get("values", [])
    if span.get("majorDimension") == "ROWS":  # a private endpoint may not turn them for us
        columns = list(zip_longest(*columns, fillvalue=""))
    return [[value if type(value) is str else _text(value) for value in column] for column in columns]


def _text(value: Any) -> str:
    """A value as it stands in a cell, not as its format shows it: an id of digits may have become a
    number that is shown as 12,345."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _value(extended: Answer) -> str:
    """The text of an ExtendedValue, which names its only field by its kind; an error is one, too."""
    return "".join(_text(value) for value in extended.values())


def begins_at_column_a(item: Answer) -> bool:
    """Whether a value range is of column A."""
    area = str(item.get("valueRange", {}).get("range", "")).rpartition("!")[2]
    return re.match(r"\$?A\$?(\d|:|$)", area) is not None


def row_ids(columns: Mapping[str, Sequence[str]], *, filled: bool) -> Iterator[RowId]:
    """Rows below the header with text in the run_id column; `filled`: look at the other columns."""
    ids, projects = columns.get("run_id", ()), columns.get("project", ())
    others = [cells for key, cells in columns.items() if key != "run_id"]
    for index, text in enumerate(map(str.strip, ids)):
        if index and text:
            full = not filled or any(at(cells, index).strip() for cells in others)
            yield RowId(text, at(projects, index).strip(), index, full)


def at(cells: Sequence[str], index: int) -> str:
    """A text of a column or row whose trailing blanks are left out."""
    return cells[index] if index < len(cells) else ""


def _filters(item: Answer, kind: str) -> list[Answer]:
    """The filters of one kind that a range of an answer was asked for with."""
    return [data_filter[kind] for data_filter in item.get("dataFilters", ()) if kind in data_filter]
