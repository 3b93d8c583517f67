"""A new workbook by openpyxl: the frame without cells, which are put in as in any other workbook.

So there is one way in which values become cells, and a new workbook looks like one that grew.
"""

import io
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from runsheet.destinations.a1 import letters
from runsheet.destinations.xlsx import markup as xml
from runsheet.destinations.xlsx.book import NOTES
from runsheet.destinations.xlsx.package import Package
from runsheet.errors import MissingPackage
from runsheet.model import Cell, Column, Row

_NARROW, _WIDE = 8.0, 40.0
_LOOK_AT = 100
"""Rows that decide how wide a column is."""
_DATE = 24.0


def frame(worksheet: str, widths: Mapping[int, float]) -> bytes:
    """A workbook with an empty tab `worksheet`, its first row frozen and its columns as wide as
    told, and the hidden tab of the book-keeping."""
    try:
        import openpyxl
    except ImportError as error:
        raise MissingPackage("a new workbook needs openpyxl: pip install openpyxl") from error
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    assert sheet is not None
    sheet.title = worksheet
    sheet.freeze_panes = "A2"
    for index, width in widths.items():
        sheet.column_dimensions[letters(index)].width = width
    workbook.create_sheet(NOTES).sheet_state = "hidden"
    workbook.properties.creator = "runsheet"
    file = io.BytesIO()
    workbook.save(file)
    workbook.close()
    return file.getvalue()


def part(worksheet: str, widths: Mapping[int, float]) -> bytes:
    """The part of such a tab, to be added to another workbook. Not selected: people would type
    into both tabs at once."""
    package = Package(io.BytesIO(frame(worksheet, widths)))
    document = package.document("xl/worksheets/sheet1.xml")
    edits = [
        xml.set_attrs(view, document.data, tabSelected="0")
        for view in document.all("worksheet/sheetViews/sheetView")
    ]
    return xml.splice(document.data, edits)


def widths(columns: Sequence[Column], rows: Iterable[Row]) -> list[float]:
    """How wide each column should be, by its title and its first cells."""
    found: list[float] = []
    first = [row.cells for row in islice(rows, _LOOK_AT)]
    for index, column in enumerate(columns):
        cells = [row[index] for row in first]
        longest = max([_width(column.title) + 2, *(_width(_text(cell)) + 1 for cell in cells)])
        is_date = column.date or any(hasattr(cell, "tzinfo") for cell in cells)
        found.append(_DATE if is_date else min(_WIDE, max(_NARROW, longest)))
    return found


def _text(cell: Cell) -> str:
    """About what the cell will show: Excel rounds numbers to what fits."""
    if isinstance(cell, float):
        return f"{cell:.6g}"
    return "" if cell is None else str(cell).split("\n")[0]


def _width(text: str) -> float:
    """Characters of East Asian scripts are twice as wide."""
    return float(sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text[:80]))
