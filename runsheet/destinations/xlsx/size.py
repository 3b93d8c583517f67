"""How large a worksheet gets: what does not fit, and what comes near. Pure."""

from runsheet.destinations.xlsx.cell_xml import COLUMNS, ROWS
from runsheet.errors import SheetError

NEAR_PERCENT = 80
"""From here on people are told."""


def check(first: int, rows: int, right: int, columns: int) -> None:
    """Raise SheetError when `rows` from the row `first` (from 1) on, or `columns` right of the column
    `right` (from 0), go beyond the end of a worksheet."""
    if first + rows - 1 > ROWS:
        raise SheetError(
            f"{rows:,} rows do not fit below row {first - 1:,}: a worksheet ends at row {ROWS:,}. Move what "
            "is far below the table, or begin a new tab with WORKSHEET. Nothing was written"
        )
    if columns and right + columns >= COLUMNS:
        raise SheetError(
            f"{columns:,} new columns do not fit right of column {right + 1:,}: a worksheet has {COLUMNS:,}. "
            "Move what is far to the right, or choose columns with DYNAMIC_HEADERS. Nothing was written"
        )


def remarks(last: int) -> tuple[str, ...]:
    """Lines for people on a worksheet whose last row (from 1) is `last`."""
    percent = last * 100 // ROWS
    if percent < NEAR_PERCENT:
        return ()
    return (
        f"the worksheet is filled up to row {last:,} of {ROWS:,} ({percent} %). Begin a new tab with "
        "WORKSHEET or another workbook, or move what is far below the table",
    )
