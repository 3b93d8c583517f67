"""A spreadsheet as JSON: what spreadsheets.get answers, built only as far as the field mask asks.

Not modelled: effectiveFormat and everything else about presentation, but for what was entered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.support.sheets import formats
from tests.support.sheets.a1 import Area
from tests.support.sheets.evaluate import Evaluator, Failure, Result
from tests.support.sheets.fields import EVERYTHING, Mask
from tests.support.sheets.grid import EMPTY, Formula, Grid, Line, Row
from tests.support.sheets.metadata import Meta, Place
from tests.support.sheets.shifts import Axis
from tests.support.sheets.state import Named, Protection, State

PIXELS: dict[Axis, int] = {"ROWS": 21, "COLUMNS": 100}
PROPERTIES = {"locale": "en_US", "autoRecalc": "ON_CHANGE", "timeZone": "Etc/GMT"}
Ranges = Sequence[tuple[Grid, Area]]


def spreadsheet(
    key: str,
    state: State,
    url: str,
    mask: Mask = EVERYTHING,
    ranges: Ranges | None = None,
    cells: bool = False,
) -> dict[str, Any]:
    """The document; `ranges` limits it to tabs and areas, `cells` asks for data when the mask does not."""
    cells = mask.wants("sheets", "data") if mask.tree else cells  # as documented: a mask decides alone
    answer: dict[str, Any] = {"spreadsheetId": key, "spreadsheetUrl": url}
    answer["properties"] = {"title": state.title} | PROPERTIES
    if mask.wants("sheets"):
        answer["sheets"] = _sheets(state, mask.sub("sheets") or EVERYTHING, ranges, cells)
    answer["namedRanges"] = [named(item) for item in state.named]
    if mask.wants("developerMetadata"):
        answer["developerMetadata"] = _marks(state, Place("SPREADSHEET"))
    return mask.cut({name: part for name, part in answer.items() if part != []})


def properties(state: State, grid: Grid) -> dict[str, Any]:
    """SheetProperties."""
    size = {"rowCount": grid.height, "columnCount": grid.width}
    return {
        "sheetId": grid.id,
        "title": grid.title,
        "index": state.grids.index(grid),
        "sheetType": "GRID",
        "gridProperties": size | {name: value for name, value in grid.layout.items() if value},
    } | {name: value for name, value in grid.props.items() if value not in (None, False)}


def span(tab: int, area: Area) -> dict[str, int]:
    """A GridRange; the id 0 is left out, as Google's JSON does with zeros that are no indices."""
    found = {"sheetId": tab} if tab else {}
    return found | {
        "startRowIndex": area.top,
        "endRowIndex": area.bottom,
        "startColumnIndex": area.left,
        "endColumnIndex": area.right,
    }


def named(item: Named) -> dict[str, Any]:
    return {"namedRangeId": item.id, "name": item.name, "range": span(item.tab, item.area)}


def protection(item: Protection) -> dict[str, Any]:
    area: dict[str, int] = span(item.tab, item.area)
    if item.whole:
        area = {"sheetId": item.tab} if item.tab else {}
    shown: dict[str, Any] = {"protectedRangeId": item.id, "range": area}
    if item.editable:
        shown["requestingUserCanEdit"] = True
    return shown | item.extra


def extended(value: Result | Formula) -> dict[str, Any]:
    """An ExtendedValue."""
    match value:
        case bool():
            return {"boolValue": value}
        case Formula():
            return {"formulaValue": str(value)}
        case str():
            return {"stringValue": value}
        case Failure():
            return {"errorValue": {"type": value.kind, "message": str(value)}}
        case None:
            return {}
    return {"numberValue": number(value)}


def number(value: float) -> float | int:
    """A double as Google prints it: without a point while it is a whole number that a double holds."""
    return int(value) if value == int(value) and abs(value) <= 2**53 else value


def _sheets(state: State, mask: Mask, ranges: Ranges | None, cells: bool) -> list[dict[str, Any]]:
    evaluator = Evaluator(state)
    shown = []
    for grid in state.grids:
        areas = [area for other, area in ranges if other is grid] if ranges else [grid.area]
        if not areas:
            continue
        sheet = _sheet(state, grid, mask)
        if cells and (data := mask.sub("data")):
            sheet["data"] = [_data(evaluator, grid, area, data) for area in areas]
        shown.append({name: part for name, part in sheet.items() if part != [] or name == "data"})
    return shown


def _sheet(state: State, grid: Grid, mask: Mask) -> dict[str, Any]:
    sheet: dict[str, Any] = {"properties": properties(state, grid)}
    sheet["merges"] = [span(grid.id, area) for area in grid.merges]
    sheet["protectedRanges"] = [protection(item) for item in state.protections if item.tab == grid.id]
    if mask.wants("developerMetadata"):
        sheet["developerMetadata"] = _marks(state, Place("SHEET", grid.id))
    sheet |= {name: items for name, items in grid.extras.items() if name != "basicFilter"}
    for kept in grid.extras.get("basicFilter", []):
        sheet["basicFilter"] = kept | {"range": span(grid.id, kept["range"])}
    return sheet


def _marks(state: State, place: Place) -> list[dict[str, Any]]:
    return [meta.json() for meta in state.metadata.values() if meta.place == place]


def _data(evaluator: Evaluator, grid: Grid, area: Area, mask: Mask) -> dict[str, Any]:
    data: dict[str, Any] = {}
    if area.top:
        data["startRow"] = area.top
    if area.left:
        data["startColumn"] = area.left
    if mask.wants("rowData"):
        sub = mask.sub("rowData") or EVERYTHING
        data["rowData"] = _rows(evaluator, grid, area, sub.sub("values"))
    for name, axis, indices in (
        ("rowMetadata", "ROWS", area.rows),
        ("columnMetadata", "COLUMNS", area.columns),
    ):
        if (line := mask.sub(name)) is not None:
            data[name] = _lines(evaluator.state, grid, axis, indices, line)  # type: ignore[arg-type]
    return mask.cut({name: part for name, part in data.items() if part != []})


def _rows(evaluator: Evaluator, grid: Grid, area: Area, mask: Mask | None) -> list[dict[str, Any]]:
    """RowData up to the last row and column of the area that hold a value, a format or a note."""
    rows: list[dict[str, Any]] = []
    for index in range(area.top, min(area.bottom, len(grid.rows))):
        row = grid.rows[index]
        if row is EMPTY:
            rows.append({})
            continue
        end = min(area.right, row.reach())
        if mask is None or end <= area.left:
            rows.append({})
            continue
        values = [_cell(evaluator, grid, index, row, column, mask) for column in range(area.left, end)]
        rows.append({"values": values} if _filled(row, area.left, end) else {})
    while rows and not rows[-1]:
        rows.pop()
    return rows


def _filled(row: Row, left: int, right: int) -> bool:
    return any(cell is not None for cell in row.cells[left:right]) or any(
        left <= column < right for column in row.looks
    )


def _cell(evaluator: Evaluator, grid: Grid, index: int, row: Row, column: int, mask: Mask) -> dict[str, Any]:
    entered, look = row.cell(column), row.look(column)
    cell: dict[str, Any] = {}
    if entered is not None:
        value = evaluator.value(grid, index, column) if isinstance(entered, Formula) else entered
        if mask.wants("userEnteredValue"):
            cell["userEnteredValue"] = extended(entered)
        if mask.wants("effectiveValue"):
            cell["effectiveValue"] = extended(value)
        if mask.wants("formattedValue"):
            cell["formattedValue"] = text(value, look.format)
    if look.format and mask.wants("userEnteredFormat"):
        cell["userEnteredFormat"] = look.format
    if look.note and mask.wants("note"):
        cell["note"] = look.note
    return mask.cut(cell)


def text(value: Result, look: dict[str, Any] | None) -> str:
    """formattedValue."""
    return str(value) if isinstance(value, Failure) else formats.show(value, look)


def _lines(state: State, grid: Grid, axis: Axis, indices: range, mask: Mask) -> list[dict[str, Any]]:
    marks: dict[int, list[Meta]] = {}
    if mask.wants("developerMetadata"):
        kind = "ROW" if axis == "ROWS" else "COLUMN"
        for meta in state.metadata.values():
            if meta.place.tab == grid.id and meta.place.kind == kind and meta.place.index is not None:
                marks.setdefault(meta.place.index, []).append(meta)
    lines = grid.lines[axis]
    return [_line(lines.get(index, Line()), PIXELS[axis], marks.get(index, []), mask) for index in indices]


def _line(line: Line, pixels: int, marks: list[Meta], mask: Mask) -> dict[str, Any]:
    shown: dict[str, Any] = {"hiddenByUser": True} if line.hidden else {}
    shown["pixelSize"] = line.size or pixels
    if marks:
        shown["developerMetadata"] = [meta.json() for meta in marks]
    return mask.cut(shown)
