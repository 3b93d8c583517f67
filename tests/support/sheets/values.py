"""The values endpoints: read, write, append and clear ranges of bare values.

Table detection of append follows the recordings: filled cells that touch (corners too) are one table, the
last one in the range wins, rows go below it from its first column; an empty cell named as range is no table.
"""

from __future__ import annotations

from typing import Any

from tests.support.sheets import a1, formats, ranges, view
from tests.support.sheets.a1 import Area, Bounds
from tests.support.sheets.cells import check_text
from tests.support.sheets.errors import bad
from tests.support.sheets.evaluate import Evaluator, Failure
from tests.support.sheets.grid import Formula, Grid, Look, Value, trim
from tests.support.sheets.shifts import Insert
from tests.support.sheets.state import State

Json = dict[str, Any]


def get(state: State, text: str, options: Json) -> Json:
    """A ValueRange; options are majorDimension, valueRenderOption and dateTimeRenderOption."""
    grid, area, _ = ranges.named(state, text)
    return read(state, grid, area, options)


def read(state: State, grid: Grid, area: Area, options: Json) -> Json:
    major = options.get("majorDimension") or "ROWS"
    answer: Json = {"range": ranges.text(grid, area), "majorDimension": major}
    evaluator = Evaluator(state)
    rows = [
        _read_row(evaluator, grid, row, area, options)
        for row in range(area.top, min(area.bottom, len(grid.rows)))
    ]
    rows = trim(rows, [])
    if major == "COLUMNS":
        width = max(map(len, rows), default=0)
        columns = [[row[index] if index < len(row) else "" for row in rows] for index in range(width)]
        rows = [trim(column, "") for column in columns]
    return answer | ({"values": rows} if rows else {})


def update(state: State, text: str, body: Json, options: Json) -> Json:
    """Write a ValueRange; raises ApiError when the values leave the range or the grid."""
    grid, area, bounds = ranges.named(state, text)
    if body.get("range") and ranges.named(state, body["range"])[:2] != (grid, area):
        raise bad(f"Requested writing within range [{text}], but the body names [{body['range']}]")
    rows = _rows_of(body)
    limit = area if not bounds.single else Area(area.top, area.left, grid.height, grid.width)
    _fits(grid, limit, rows, bounds)
    return write(state, grid, area, rows, options)


def write(state: State, grid: Grid, area: Area, rows: list[list[Any]], options: Json) -> Json:
    """Put the rows at the corner of the area, which they fit; null leaves a cell as it is."""
    typed = options.get("valueInputOption")
    if typed not in ("RAW", "USER_ENTERED"):
        raise bad("'valueInputOption' is required but not specified")
    height, width = len(rows), max(map(len, rows), default=0)
    filled = Area(area.top, area.left, area.top + max(height, 1), area.left + max(width, 1))
    touched_rows, touched_columns, count = 0, set[int](), 0
    if height and width:
        state.guard(grid.id, filled)
    for index, row in enumerate(rows):
        entered = {area.left + place: item for place, item in enumerate(row) if item is not None}
        _enter(grid, area.top + index, entered, typed == "USER_ENTERED", index)
        touched_rows, count = touched_rows + bool(entered), count + len(entered)
        touched_columns |= set(entered)
    counts = {"updatedRows": touched_rows, "updatedColumns": len(touched_columns), "updatedCells": count}
    answer: Json = {"updatedRange": ranges.text(grid, filled)}
    answer |= {name: number for name, number in counts.items() if number}
    if options.get("includeValuesInResponse"):
        renders = {
            "valueRenderOption": options.get("responseValueRenderOption"),
            "dateTimeRenderOption": options.get("responseDateTimeRenderOption"),
            "majorDimension": options.get("majorDimension"),
        }
        answer["updatedData"] = read(state, grid, filled, renders)
    return answer


def append(state: State, text: str, body: Json, options: Json) -> Json:
    grid, area, bounds = ranges.named(state, text)
    rows = _rows_of(body)
    found = table(grid, area)
    if found:
        at = Area(found.bottom, found.left, found.bottom + 1, found.left + 1)
    elif bounds.single:
        at = area
    else:
        at = Area(area.top, area.left, area.top + 1, area.left + 1)
    if options.get("insertDataOption") == "INSERT_ROWS" and rows and at.top < grid.height:
        state.shift(grid, Insert("ROWS", at.top, len(rows)), at.top > 0)
    grid.height = max(grid.height, at.top + len(rows))
    grid.width = max(grid.width, at.left + max(map(len, rows), default=0))
    state.measure()
    answer: Json = {"tableRange": ranges.text(grid, found)} if found else {}
    return answer | {"updates": write(state, grid, at, rows, options)}


def clear(state: State, text: str) -> str:
    """Take the values of a range away, not its formats and notes; answers the range."""
    grid, area, _ = ranges.named(state, text)
    return clear_area(state, grid, area)


def clear_area(state: State, grid: Grid, area: Area) -> str:
    state.guard(grid.id, area)
    for row in range(area.top, min(area.bottom, len(grid.rows))):
        end = min(area.right, len(grid.rows[row].cells))
        grid.write(row, dict.fromkeys(range(area.left, end)))
    return ranges.text(grid, area)


def table(grid: Grid, area: Area) -> Area | None:
    """The last table that lies in the area, at least in part."""
    tables: list[Area] = []
    for index, row in enumerate(grid.rows):
        for left, right in _runs([column for column, cell in enumerate(row.cells) if cell is not None]):
            run = Area(index, left, index + 1, right)
            tables = _joined(tables, run)
    inside = [found for found in tables if found.meets(area)]
    return max(inside, key=lambda found: (found.bottom, found.left), default=None)


def _joined(tables: list[Area], run: Area) -> list[Area]:
    """The tables with a run of cells added; all that it touches become one."""
    apart, near = [], run
    for found in reversed(tables):
        wide = Area(near.top - 1, near.left - 1, near.bottom + 1, near.right + 1)
        if wide.meets(found):
            near = Area(
                min(near.top, found.top),
                min(near.left, found.left),
                max(near.bottom, found.bottom),
                max(near.right, found.right),
            )
        else:
            apart.append(found)
    return [*reversed(apart), near]


def _runs(columns: list[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for column in columns:
        if runs and runs[-1][1] == column:
            runs[-1] = runs[-1][0], column + 1
        else:
            runs.append((column, column + 1))
    return runs


def _read_row(evaluator: Evaluator, grid: Grid, index: int, area: Area, options: Json) -> list[Any]:
    row = grid.rows[index]
    cells = row.cells[area.left : area.right]
    shown = [
        "" if cell is None else _render(evaluator, grid, index, column, cell, row.look(column), options)
        for column, cell in enumerate(cells, area.left)
    ]
    return trim(shown, "")


def _render(
    evaluator: Evaluator, grid: Grid, row: int, column: int, cell: Value, look: Look, options: Json
) -> Any:
    render = options.get("valueRenderOption") or "FORMATTED_VALUE"
    if render == "FORMULA" and isinstance(cell, Formula):
        return str(cell)
    value = evaluator.formula(grid, row, column, cell) if isinstance(cell, Formula) else cell
    dated = options.get("dateTimeRenderOption") == "FORMATTED_STRING" and formats.is_date(look.format)
    if render == "FORMATTED_VALUE" or isinstance(value, Failure) or (dated and isinstance(value, float)):
        return view.text(value, look.format)
    return view.number(value) if isinstance(value, float) else value


def _rows_of(body: Json) -> list[list[Any]]:
    """The values as rows, whatever the major dimension."""
    given = body.get("values") or []
    if body.get("majorDimension") != "COLUMNS":
        return given
    height = max(map(len, given), default=0)
    return [[column[row] if row < len(column) else None for column in given] for row in range(height)]


def _fits(grid: Grid, limit: Area, rows: list[list[Any]], bounds: Bounds) -> None:
    height, width = len(rows), max(map(len, rows), default=0)
    edge = limit.top + height > grid.height or limit.left + width > grid.width
    if edge and (bounds.single or limit.bottom == grid.height or limit.right == grid.width):
        raise ranges.beyond(grid, Area(limit.top, limit.left, limit.top + height, limit.left + width))
    text = ranges.text(grid, limit)
    if limit.left + width > limit.right:
        column = a1.letters(limit.right)
        raise bad(f"Requested writing within range [{text}], but tried writing to column [{column}]")
    if limit.top + height > limit.bottom:
        raise bad(f"Requested writing within range [{text}], but tried writing to row [{limit.bottom + 1}]")


def _enter(grid: Grid, row: int, entered: dict[int, Any], typed: bool, index: int) -> None:
    values: dict[int, Value | None] = {}
    looks: dict[int, Look] = {}
    for place, (column, item) in enumerate(entered.items()):
        if isinstance(item, list | dict):
            kind = "list_value" if isinstance(item, list) else "struct_value"
            raise bad(f"Invalid values[{index}][{place}]: {kind} {{\n}}\n")
        value: Value | None = item
        if isinstance(item, str):
            value, shape = formats.read(item) if typed else (item or None, None)
            if shape and not grid.row(row).look(column).format:
                looks[column] = Look({"numberFormat": shape}, grid.row(row).look(column).note)
        elif not isinstance(item, bool):
            value = float(item)
        check_text(value)
        values[column] = value
    grid.write(row, values)
    if looks:
        grid.dress(row, looks)
