"""A new workbook of one tab, written row by row: for backups, of which no more than a row is held.

openpyxl's write-only mode is not used: it first writes all rows to the folder of temporary files,
which is memory in a container, and leaves that file behind when a row cannot be had.
Kept are values and formulas, and dates as dates. Other formats and notes are not.
"""

import re
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from runsheet import cells
from runsheet.destinations.a1 import letters
from runsheet.destinations.xlsx.cell_xml import CELL_CHARS, COLUMNS, ROWS, Calendar, escaped
from runsheet.destinations.xlsx.markup import MAIN, RELATIONS, text
from runsheet.errors import SheetError
from runsheet.model import Cell

if TYPE_CHECKING:
    from openpyxl.formula.tokenizer import Token

FORMULA_CHARS = 8_192
TITLE_CHARS = 31
PART_BYTES = 2_000_000_000
"""A part of a plain zip file may have 2 GiB; beyond it is a zip64, which not every program reads."""

_SHEET = "xl/worksheets/sheet1.xml"
_FIRST_FORMAT = 164  # lower numbers are those of built-in formats
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_PLACE = r"\$?[A-Z]{1,3}\$?[1-9][0-9]{0,6}"
_RANGE = re.compile(
    rf"{_PLACE}(:{_PLACE})?|\$?[A-Z]{{1,3}}:\$?[A-Z]{{1,3}}|\$?[1-9][0-9]*:\$?[1-9][0-9]*|[^\W\d][\w.]*"
)


class Formula(str):
    """A formula, with its "="."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Dated:
    """A number that is shown as a date: days since 1899-12-30, and the number format."""

    serial: float
    format: str


Value = Cell | Formula | Dated


def write(path: Path, title: str, rows: Iterable[Sequence[Value]]) -> None:
    """Write a workbook at `path`; its tab has the `title`, as far as Excel takes it.

    Raises SheetError when it cannot hold the rows, OSError when the file cannot be written.
    """
    formats: dict[str, int] = {}
    size = 0
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open(_SHEET, "w") as part:
            part.write(f'{_XML}<worksheet xmlns="{MAIN}"><sheetData>'.encode())
            for number, row in enumerate(rows, 1):
                line = _row(number, row, formats).encode()
                size += len(line)
                if line and (number > ROWS or len(row) > COLUMNS or size > PART_BYTES):
                    raise SheetError("the worksheet holds more than an .xlsx file can")
                part.write(line)
            part.write(b"</sheetData></worksheet>")
        for name, content in _frame(title, formats):
            archive.writestr(name, content)


def fits(formula: str) -> bool:
    """Whether Excel opens a file with this formula in a tab that is alone.

    Google's formulas may have open ranges (A2:A), arrays of ranges, semicolons between arguments
    and other tabs, each of which makes Excel call the file damaged. Unknown functions do not.
    """
    if len(formula) > FORMULA_CHARS or _CONTROL.search(formula):
        return False
    from openpyxl.formula.tokenizer import Tokenizer, TokenizerError  # large, and few tabs have formulas

    try:
        tokens = Tokenizer(formula).items
    except (TokenizerError, IndexError, AssertionError, AttributeError):  # the last three: ")" too many
        return False
    return bool(tokens) and all(map(_plain, tokens))


def _plain(token: "Token") -> bool:
    if token.type == "OPERAND" and token.subtype == "RANGE":
        return _RANGE.fullmatch(token.value) is not None
    union = token.type == "OPERATOR-INFIX" and token.value == ","
    return not union and token.type != "ARRAY" and token.value != ";"


def _row(number: int, row: Sequence[Value], formats: dict[str, int]) -> str:
    found = "".join(
        _cell(f"{letters(index)}{number}", value, formats)
        for index, value in enumerate(row)
        if value is not None
    )
    return f'<row r="{number}">{found}</row>' if found else ""


def _cell(ref: str, value: Value, formats: dict[str, int]) -> str:
    if isinstance(value, datetime):
        serial = Calendar().serial(value)
        value = value.isoformat(" ") if serial is None else Dated(serial, Calendar().format)
    if isinstance(value, Dated):
        style = formats.setdefault(value.format, len(formats) + 1)
        return f'<c r="{ref}" s="{style}"><v>{value.serial!r}</v></c>'
    if isinstance(value, bool):
        return f'<c r="{ref}" t="b"><v>{int(value)}</v></c>'
    if isinstance(value, (int, float)):
        return f'<c r="{ref}"><v>{value!r}</v></c>'
    if isinstance(value, Formula) and fits(value):
        return f'<c r="{ref}"><f>{text(value[1:])}</f></c>'
    return f'<c r="{ref}" t="inlineStr"><is><t xml:space="preserve">{_text(str(value))}</t></is></c>'


def _text(value: str) -> str:
    """Text for XML: cut with a mark where it is too long, control characters as Excel's escapes
    (_x0001_), which Excel turns back and other programs show, halves of characters as U+FFFD."""
    whole = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    plain = escaped(str(cells.fit(whole, CELL_CHARS)))
    return text(_CONTROL.sub(lambda match: f"_x{ord(match[0]):04X}_", plain))


_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def _frame(title: str, formats: dict[str, int]) -> list[tuple[str, str]]:
    """The other parts of the file: names and contents."""
    name = re.sub(r"[\[\]:*?/\\\x00-\x1f]", "_", title)[:TITLE_CHARS].strip("'") or "backup"
    types = "".join(
        f'<Override PartName="/{part}" ContentType="{_KIND}.{kind}+xml"/>'
        for part, kind in (
            ("xl/workbook.xml", "sheet.main"),
            (_SHEET, "worksheet"),
            ("xl/styles.xml", "styles"),
        )
    )
    return [
        (
            "[Content_Types].xml",
            f'{_XML}<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
            f'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>{types}</Types>',
        ),
        ("_rels/.rels", _relations(("officeDocument", "xl/workbook.xml"))),
        (
            "xl/workbook.xml",
            f'{_XML}<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}"><sheets>'
            f'<sheet name={quoteattr(name)} sheetId="1" r:id="rId1"/></sheets></workbook>',
        ),
        (
            "xl/_rels/workbook.xml.rels",
            _relations(("worksheet", "worksheets/sheet1.xml"), ("styles", "styles.xml")),
        ),
        ("xl/styles.xml", _styles(list(formats))),
    ]


def _relations(*targets: tuple[str, str]) -> str:
    items = "".join(
        f'<Relationship Id="rId{number}" Type="{RELATIONS}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(targets, 1)
    )
    return f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{items}</Relationships>'


def _styles(formats: Sequence[str]) -> str:
    """Cell style 0 is the plain one, style n has the n-th number format."""
    numbers = "".join(
        f'<numFmt numFmtId="{_FIRST_FORMAT + index}" formatCode={quoteattr(form)}/>'
        for index, form in enumerate(formats)
    )
    styles = "".join(
        f'<xf numFmtId="{number}" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
        for number in (0, *(_FIRST_FORMAT + index for index in range(len(formats))))
    )
    return (
        f'{_XML}<styleSheet xmlns="{MAIN}">'
        + (f'<numFmts count="{len(formats)}">{numbers}</numFmts>' if formats else "")
        + '<fonts count="1"><font><sz val="11"/><name val="Calibri"/></font></fonts>'
        '<fills count="2"><fill><patternFill patternType="none"/></fill>'
        '<fill><patternFill patternType="gray125"/></fill></fills>'
        '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
        '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
        f'<cellXfs count="{len(formats) + 1}">{styles}</cellXfs>'
        '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
    )
