"""Workbooks for tests: bare ones from XML by hand, and rich ones by openpyxl."""

import struct
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.comments import Comment
from openpyxl.formatting.rule import CellIsRule
from openpyxl.styles import Font, PatternFill
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.table import Table

from runsheet.clock import Clock
from runsheet.destinations.base import Destination
from runsheet.destinations.xlsx import XlsxDestination
from runsheet.model import Cell, Column, Placed, Plan, Row, Scope, Written

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
WHEN = datetime(2026, 11, 21, 9, 30, 15, tzinfo=UTC)

CONTENT_TYPES = (
    f'<Types xmlns="{PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    '<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.'
    'spreadsheetml.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/'
    'vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>'
)


def relations(*items: tuple[str, str, str]) -> str:
    """A relationships part: (id, last word of the type, target)."""
    body = "".join(
        f'<Relationship Id="{name}" Type="{RELATIONS}/{kind}" Target="{target}"/>'
        for name, kind, target in items
    )
    return f'<Relationships xmlns="{PACKAGE}/relationships">{body}</Relationships>'


def bare(path: Path, sheet: str | bytes, **parts: str | bytes) -> Path:
    """A workbook with one tab `runs` from the XML given, and no formats; `parts` replace or add
    members, with "/" in their names written as "__" and ".xml" left out."""
    book = (
        f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}"><sheets>'
        '<sheet name="runs" sheetId="1" r:id="rId1"/></sheets></workbook>'
    )
    members: dict[str, str | bytes] = {
        "[Content_Types].xml": CONTENT_TYPES,
        "_rels/.rels": relations(("rId1", "officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": book,
        "xl/_rels/workbook.xml.rels": relations(("rId1", "worksheet", "worksheets/sheet1.xml")),
        "xl/worksheets/sheet1.xml": sheet,
    }
    members |= {f"{name.replace('__', '/')}.xml": data for name, data in parts.items()}
    return pack(path, members)


def pack(path: Path, members: Mapping[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def unpack(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def worksheet(body: str, *, before: str = "", after: str = "") -> str:
    return f'<worksheet xmlns="{MAIN}">{before}<sheetData>{body}</sheetData>{after}</worksheet>'


def raw_members(path: Path) -> dict[str, bytes]:
    """Each member as it lies in the file, with its local header, up to the next."""
    data = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
        start = struct.unpack_from("<I", data, data.rindex(b"PK\x05\x06") + 16)[0]
    ends = [*(info.header_offset for info in infos[1:]), start]
    return {info.filename: data[info.header_offset : end] for info, end in zip(infos, ends, strict=True)}


def column(title: str) -> Column:
    return Column(title, title, title)


def append(
    destination: Destination,
    rows: list[tuple[Cell, ...]],
    *,
    adopt: bool = False,
    new: tuple[str, ...] = (),
) -> Plan:
    """Append rows to the columns that are ours, or, with `adopt`, to all that have a title."""
    shape = destination.read()
    adopted: tuple[Placed, ...] = ()
    if adopt:
        titles = enumerate(shape.header)
        adopted = tuple(Placed(column(title), index) for index, title in titles if title)
    content = destination.content(shape, adopted)
    plan = Plan(
        shape,
        content,
        columns=(
            *(column(item.key) for item in shape.owned),
            *(placed.column for placed in adopted),
            *map(column, new),
        ),
        owned=shape.owned,
        adopted=adopted,
        new=tuple(map(column, new)),
        rows=tuple(Row(Scope("wandb", "h", "p"), str(cells[0]), cells) for cells in rows),
        after=max((row.index for row in content.rows), default=0),
    )
    assert list(destination.apply(plan)) == ([Written(len(rows))] if not plan.nothing else [])
    return plan


def opened(path: Path, **options: Any) -> XlsxDestination:
    return XlsxDestination(path, clock=Clock(), **options)


def rich(
    path: Path,
    rows: int = 6,
    *,
    table: bool = True,
    totals: int = 0,
    empty_styled: int = 0,
    shift: int = 0,
) -> Path:
    """A workbook as people make them: formats, formulas, comments, merged cells, a table, rules,
    another tab. `totals`: a sum that many rows below; `shift`: blank columns at the left."""
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = "runs"
    left = shift + 1
    for index, title in enumerate(["run_id", "Name", "lr", "when", "double"]):
        sheet.cell(1, left + index, title).font = Font(bold=True)
    for row in range(2, rows + 2):
        cells = [f"r{row}", f"name <{row}> & more", row / 7, WHEN.replace(tzinfo=None)]
        for index, value in enumerate(cells):
            sheet.cell(row, left + index, value)
        sheet.cell(row, left + 4, f"=C{row}*2")
        sheet.cell(row, left + 1).fill = PatternFill("solid", fgColor="FFFF00")
    sheet.cell(2, left + 1).comment = Comment("look here", "ann")
    for row in range(rows + 2, rows + 2 + empty_styled):
        sheet.cell(row, left).fill = PatternFill("solid", fgColor="00FF00")
    if totals:
        sheet.cell(rows + 1 + totals, left + 2, f"=SUM(C2:C{rows + 1})")
    if table:
        last = openpyxl.utils.get_column_letter(left + 4)
        first = openpyxl.utils.get_column_letter(left)
        sheet.add_table(Table(displayName="Runs", ref=f"{first}1:{last}{rows + 1}"))
    sheet.conditional_formatting.add("C2:C99", CellIsRule("greaterThan", ["0.5"], font=Font(color="FF0000")))
    choice = DataValidation("list", formula1='"a,b"')
    choice.add("H1:H9")
    sheet.add_data_validation(choice)
    sheet.freeze_panes = "B2"
    sheet.column_dimensions["A"].width = 20
    other = book.create_sheet("plots")
    other["A1"] = "=SUM(runs!C:C)"
    other.merge_cells("B2:D4")
    other["B2"] = "merged"
    book.save(path)
    return path


def shapes(path: Path) -> dict[tuple[str, int, int], tuple[Any, ...]]:
    """Every cell of every tab, with what a person sees of it, as openpyxl reads it."""
    book = openpyxl.load_workbook(path)
    found: dict[tuple[str, int, int], tuple[Any, ...]] = {}
    for sheet in book.worksheets:
        for row in sheet.iter_rows():
            for cell in row:
                look = (cell.number_format, cell.font.b, cell.fill.fgColor.rgb)
                note = cell.comment.text if cell.comment else None
                if cell.value is not None or cell.has_style or note:
                    found[sheet.title, cell.row, cell.column] = (cell.value, look, note)
    book.close()
    return found


def frame_of(path: Path) -> dict[str, Any]:
    """What else openpyxl knows of the tabs but their cells."""
    book = openpyxl.load_workbook(path)
    return {
        sheet.title: (
            sheet.freeze_panes,
            str(sheet.merged_cells),
            [str(rule.sqref) for rule in sheet.conditional_formatting],
            len(sheet.data_validations.dataValidation),
            sheet.column_dimensions["A"].width,
        )
        for sheet in book.worksheets
        if sheet.title != "_runsheet"
    }


def names_in(folder: Path) -> list[str]:
    return sorted(item.name for item in folder.iterdir())
