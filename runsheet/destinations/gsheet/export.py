"""A tab of a spreadsheet as an .xlsx file, read a part at a time: for backups.

Values come as they were entered, with their types: only so is a text that begins with "=" told from
a formula. Dates stay dates; other formats, notes and what the tab looks like are not kept, and a
tab that people edit meanwhile may be caught between two edits.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any

from runsheet.destinations.gsheet.document import Spreadsheet
from runsheet.destinations.gsheet.standing import Standing
from runsheet.destinations.xlsx.stream import Dated, Formula, Value
from runsheet.errors import RunsheetError, Stopped

log = logging.getLogger(__name__)

CHUNK_CELLS = 50_000
CHUNK_ROWS = 5_000
"""The most that is read at once, blank cells included: some 5 MB where texts are short."""

CHUNK_CHARS = 4_000_000
"""Where texts are long, fewer rows are read at once, so that these many characters come."""

_DATES = {"DATE": "yyyy-mm-dd", "TIME": "hh:mm:ss", "DATE_TIME": "yyyy-mm-dd hh:mm:ss"}
_SAME_IN_EXCEL = re.compile(r'(?:[ymdhs/:., -]|"[^"]*")+')


def rows(sheets: Spreadsheet, now: Standing) -> Iterator[list[Value]]:
    """All rows of the tab, blank ones included, up to the end of its grid. Raises as reads do, Changed
    when the tab is gone or has fewer rows by now, Stopped between two requests."""
    assert now.tab is not None, "a tab that is not there needs no backup"
    most = max(1, min(CHUNK_ROWS, CHUNK_CELLS // max(1, now.columns)))
    start, count = 0, most
    while start < now.rows:
        sheets.clock.check()
        end = min(start + count, now.rows)
        found = [_row(row) for row in sheets.entered(now.tab, start, end)]
        chars = sum(len(value) for row in found for value in row if isinstance(value, str))
        yield from found
        for _ in range(end - start - len(found)):
            yield []
        count = max(1, min(most, (end - start) * CHUNK_CHARS // chars)) if chars else most
        start = end


def copy(sheets: Spreadsheet) -> None:
    """Copy the whole spreadsheet in Google Drive. It comes on top of the file, so a failure is only
    logged as a warning."""
    try:
        title = f"{sheets.title()} backup {sheets.clock.now():%Y-%m-%d}"
        sheets.copy(title)
    except Stopped:
        raise
    except RunsheetError as error:
        log.warning("DRIVE_COPY: Google Drive made no copy, the backup on this machine stands: %s", error)
    else:
        log.info("copied in Google Drive: %s", title)


def _row(row: Mapping[str, Any]) -> list[Value]:
    values = [_value(cell) for cell in row.get("values", ())]
    while values and values[-1] is None:
        values.pop()
    return values


def _value(cell: Mapping[str, Any]) -> Value:
    entered = cell.get("userEnteredValue") or {}
    if "formulaValue" in entered:
        return Formula(entered["formulaValue"])
    if "numberValue" in entered:
        form = _date_format(cell)
        return Dated(entered["numberValue"], form) if form else float(entered["numberValue"])
    if "boolValue" in entered:
        return bool(entered["boolValue"])
    if "errorValue" in entered:
        error = entered["errorValue"]
        return str(error.get("message") or error.get("type"))
    return entered.get("stringValue")


def _date_format(cell: Mapping[str, Any]) -> str:
    """The number format of a date, "" of other numbers. Google's pattern is kept where Excel reads it
    alike."""
    form = cell.get("userEnteredFormat", {}).get("numberFormat", {})
    pattern = str(form.get("pattern", ""))
    usual = _DATES.get(form.get("type", ""), "")
    return pattern if usual and _SAME_IN_EXCEL.fullmatch(pattern) else usual
