"""Requests of spreadsheets.batchUpdate, of which batches are made. Pure: JSON in, JSON out.

Every batch writes only into cells that it has inserted itself, so nothing that a person typed can
be overwritten, whenever they typed it.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from runsheet.model import Column

Json = dict[str, Any]

PAYLOAD_BYTES = 2_000_000
"""Google recommends at most 2 MB a request: a batch is never larger, but for what has to go together."""

UNBOUNDED = 1 << 40
"""More than any request: for what has to go together, whatever Google recommends."""


def date_format(zone_name: str) -> Json:
    """The number format of a date column: it states the zone in every cell."""
    quoted = zone_name.replace('"', "")
    return {"numberFormat": {"type": "DATE_TIME", "pattern": f'yyyy-mm-dd hh:mm:ss" {quoted}"'}}


def segments(indexes: Sequence[int]) -> list[tuple[int, list[int]]]:
    """Grid columns in runs without a gap: (first grid column, positions in `indexes`).

    Between our columns stand columns of people, which a write must not cover.
    """
    order = sorted(range(len(indexes)), key=lambda position: indexes[position])
    parts: list[tuple[int, list[int]]] = []
    for before, position in pairwise([-1, *order]):
        if before >= 0 and indexes[position] == indexes[before] + 1:
            parts[-1][1].append(position)
        else:
            parts.append((indexes[position], [position]))
    return parts


def insert(tab: int, dimension: str, start: int, count: int, inherit: bool) -> Json:
    """Insert rows or columns before index `start`; `inherit`: take the formats of the one before."""
    return {
        "insertDimension": {
            "range": {
                "sheetId": tab,
                "dimension": dimension,
                "startIndex": start,
                "endIndex": start + count,
            },
            "inheritFromBefore": inherit,
        }
    }


def append_dimension(tab: int, dimension: str, count: int) -> Json:
    """Add rows or columns at the edge of the grid."""
    return {"appendDimension": {"sheetId": tab, "dimension": dimension, "length": count}}


def header_json(tab: int, start: int, columns: Sequence[Column]) -> Json:
    """The header texts of new columns that stand side by side."""
    values = [{"userEnteredValue": {"stringValue": column.title}} for column in columns]
    return {
        "updateCells": {
            "start": {"sheetId": tab, "rowIndex": 0, "columnIndex": start},
            "rows": [{"values": values}],
            "fields": "userEnteredValue",
        }
    }


def repeat(tab: int, rows: tuple[int, int | None], columns: tuple[int, int], cell: Json, fields: str) -> Json:
    """Give all cells of a range the same format; an end of None is the end of the grid."""
    span: Json = {
        "sheetId": tab,
        "startRowIndex": rows[0],
        "startColumnIndex": columns[0],
        "endColumnIndex": columns[1],
    }
    if rows[1] is not None:
        span["endRowIndex"] = rows[1]
    return {"repeatCell": {"range": span, "cell": {"userEnteredFormat": cell}, "fields": fields}}


def bold_header(tab: int, start: int, count: int) -> Json:
    return repeat(
        tab,
        (0, 1),
        (start, start + count),
        {"textFormat": {"bold": True}},
        "userEnteredFormat.textFormat.bold",
    )


def plain_numbers(tab: int, columns: tuple[int, int]) -> Json:
    """Take the number format from new columns, which they may have inherited."""
    return repeat(tab, (1, None), columns, {}, "userEnteredFormat.numberFormat")


def dates(tab: int, rows: tuple[int, int | None], index: int, zone_name: str) -> Json:
    return repeat(tab, rows, (index, index + 1), date_format(zone_name), "userEnteredFormat.numberFormat")


def fit_width(tab: int, index: int) -> Json:
    """Make a column as wide as what it holds."""
    span = {"sheetId": tab, "dimension": "COLUMNS", "startIndex": index, "endIndex": index + 1}
    return {"autoResizeDimensions": {"dimensions": span}}


def freeze(tab: int, rows: int = 1) -> Json:
    return {
        "updateSheetProperties": {
            "properties": {"sheetId": tab, "gridProperties": {"frozenRowCount": rows}},
            "fields": "gridProperties.frozenRowCount",
        }
    }


def add_tab(tab: int, title: str, rows: int, columns: int, *, hidden: bool = False) -> Json:
    grid = {"rowCount": rows, "columnCount": columns}
    return {
        "addSheet": {"properties": {"sheetId": tab, "title": title, "hidden": hidden, "gridProperties": grid}}
    }


def delete_tab(tab: int) -> Json:
    return {"deleteSheet": {"sheetId": tab}}


def append_texts(tab: int, texts: Iterable[str]) -> Json:
    """Append one-cell rows of text to a tab that is ours alone."""
    rows = [{"values": [{"userEnteredValue": {"stringValue": text}}]} for text in texts]
    return {"appendCells": {"sheetId": tab, "rows": rows, "fields": "userEnteredValue"}}
