"""batchUpdate: the requests by name, and those that change tabs, rows and columns.

`apply` works on a fork of the document's state; whoever calls it keeps the fork only if all went well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.support.sheets import cells, extras, fields, ranges, view
from tests.support.sheets.a1 import Area
from tests.support.sheets.errors import ApiError, bad, violation
from tests.support.sheets.grid import Grid, Line
from tests.support.sheets.schema import check
from tests.support.sheets.shifts import Axis, Delete, Insert, Move
from tests.support.sheets.state import State

Json = dict[str, Any]


def apply(state: State, requests: list[Json]) -> list[Json]:
    """Carry out requests of checked form and answer their replies; raises ApiError when one fails."""
    if not requests:
        raise bad("Must specify at least one request.")
    return [_one(state, index, request) for index, request in enumerate(requests)]


def _one(state: State, index: int, request: Json) -> Json:
    given = [(name, body) for name, body in request.items() if body is not None]
    if len(given) != 1:
        text = f"Invalid value at 'requests[{index}]' (oneof), exactly one request must be set."
        raise violation(f"requests[{index}]", text)
    ((name, body),) = given
    try:
        return REQUESTS[name](state, body)
    except ApiError as error:
        raise ApiError(error.code, f"Invalid requests[{index}].{name}: {error.message}") from error


def add_sheet(state: State, body: Json) -> Json:
    given = body.get("properties") or {}
    size = given.get("gridProperties") or {}
    number = given.get("sheetId")
    number = state.new_tab() if number is None else number
    if number < 0:
        raise bad("sheetId must be >= 0")
    grid = Grid(number, given.get("title") or _free_title(state))
    grid.height, grid.width = size.get("rowCount", 1000), size.get("columnCount", 26)
    state.add_grid(grid, given.get("index"))
    rest = {
        name: item for name, item in given.items() if name not in ("sheetId", "title", "index", "sheetType")
    }
    _set_properties(state, grid, rest)
    return {"addSheet": {"properties": view.properties(state, grid)}}


def delete_sheet(state: State, body: Json) -> Json:
    grid = state.grid(body.get("sheetId") or 0)
    state.guard(grid.id, grid.area)
    state.delete_grid(grid.id)
    return {}


def duplicate_sheet(state: State, body: Json) -> Json:
    grid = state.grid(body.get("sourceSheetId") or 0)
    number = body.get("newSheetId")
    number = state.new_tab() if number is None else number
    title = body.get("newSheetName") or f"Copy of {grid.title}"
    twin = state.duplicate_grid(grid.id, number, title, body.get("insertSheetIndex") or 0)
    return {"duplicateSheet": {"properties": view.properties(state, twin)}}


def update_sheet(state: State, body: Json) -> Json:
    given, mask = body.get("properties") or {}, fields.updates(body.get("fields"))
    grid = state.grid(given.get("sheetId") or 0)
    chosen: Json = {}
    for path in mask.paths():
        if path == ("*",):
            chosen = {name: item for name, item in given.items() if name != "sheetId"}
        elif path[0] == "gridProperties" and len(path) > 1:
            inner = given.get("gridProperties") or {}
            chosen.setdefault(path[0], {})[path[1]] = inner.get(path[1])
        else:
            chosen[path[0]] = given.get(path[0])
    check("SheetProperties", chosen, "properties")
    _set_properties(state, grid, chosen)
    return {}


def update_spreadsheet(state: State, body: Json) -> Json:
    given = body.get("properties") or {}
    for name, *_ in fields.updates(body.get("fields")).paths():
        if name not in ("title", "*"):
            raise bad(f"The stand-in does not model the spreadsheet property {name}.")
    state.title = given.get("title") or state.title
    return {}


def insert_dimension(state: State, body: Json) -> Json:
    grid, axis, start, end = ranges.lines(state, body.get("range"))
    before, count = bool(body.get("inheritFromBefore")), grid.count(axis)
    if start is None or end is None:
        raise bad(f"range.{'startIndex' if start is None else 'endIndex'} must be set")
    if before and start == 0:
        raise bad("range.startIndex must be > 0 if inheritFromBefore is true.")
    if not before and start >= count:
        raise bad(
            f"range.startIndex must be less than the grid size ({count}) if inheritFromBefore is false."
        )
    if start > count:
        raise bad(f"range.startIndex[{start}] is beyond the grid size ({count}).")
    state.guard_insert(grid.id, axis, start)
    state.shift(grid, Insert(axis, start, end - start), before)
    _refreeze(grid, axis, lambda frozen: frozen + end - start if start < frozen else frozen)
    state.measure()
    return {}


def append_dimension(state: State, body: Json) -> Json:
    grid, length, axis = state.grid(body.get("sheetId") or 0), body.get("length") or 0, body.get("dimension")
    if axis not in ("ROWS", "COLUMNS"):
        raise bad("dimension must be set")
    if length <= 0:
        raise bad("length must be > 0")
    grid.resize(axis, grid.count(axis) + length)
    state.measure()
    return {}


def delete_dimension(state: State, body: Json) -> Json:
    grid, axis, start, end = ranges.lines(state, body.get("range"))
    count, kind = grid.count(axis), "row" if axis == "ROWS" else "column"
    start, end = start or 0, count if end is None else end
    if end > count:
        raise bad(
            f"Cannot delete a {kind} that doesn't exist. "
            f"Tried to delete {kind} index {end - 1} but there are only {count} {kind}s."
        )
    state.guard(grid.id, _strip(grid, axis, start, end))
    cut(state, grid, axis, start, end)
    return {}


def cut(state: State, grid: Grid, axis: Axis, start: int, end: int) -> None:
    """Delete lines and what is on them; raises ApiError when none that is not frozen would be left."""
    kind = "rows" if axis == "ROWS" else "columns"
    frozen = grid.layout.get(FROZEN[axis]) or 0
    if end - start == grid.count(axis):
        raise bad(f"You can't delete all the {kind} on the sheet.")
    if start <= frozen and end == grid.count(axis) and frozen:
        raise bad(f"Sorry, it is not possible to delete all non-frozen {kind}.")
    state.shift(grid, Delete(axis, start, end))
    _refreeze(grid, axis, lambda frozen: frozen - max(0, min(end, frozen) - start))


def move_dimension(state: State, body: Json) -> Json:
    grid, axis, start, end = ranges.lines(state, body.get("source"))
    count, to = grid.count(axis), body.get("destinationIndex") or 0
    start, end = start or 0, count if end is None else end
    if end > count or not 0 <= to <= count:
        raise bad(f"The source or the destination is beyond the grid size ({count}).")
    if start < to < end:
        raise bad("The destination must not be inside of the source.")
    low, high = min(start, to), max(end, to)
    state.guard(grid.id, _strip(grid, axis, low, high))
    if to not in (start, end):
        state.shift(grid, Move(axis, start, end, to))
    return {}


def update_dimension(state: State, body: Json) -> Json:
    grid, axis, start, end = ranges.lines(state, body.get("range"))
    given = body.get("properties") or {}
    stop = grid.count(axis) if end is None else end
    if stop > grid.count(axis):
        raise bad(f"range.endIndex[{stop}] is beyond the grid size ({grid.count(axis)}).")
    for path in fields.updates(body.get("fields")).paths():
        if path[0] not in ("hiddenByUser", "pixelSize", "*"):
            raise bad(f"Invalid field: {path[0]}")
        for index in range(start or 0, stop):
            old = grid.lines[axis].get(index, Line())
            hidden = old.hidden if path[0] == "pixelSize" else bool(given.get("hiddenByUser"))
            size = old.size if path[0] == "hiddenByUser" else given.get("pixelSize")
            grid.lines[axis][index] = Line(hidden, size)
    return {}


def auto_resize(state: State, body: Json) -> Json:
    """Checked and forgotten: widths depend on fonts, which the stand-in does not have."""
    ranges.lines(state, body.get("dimensions"))
    return {}


FROZEN: dict[Axis, str] = {"ROWS": "frozenRowCount", "COLUMNS": "frozenColumnCount"}
COUNTS: dict[str, Axis] = {"rowCount": "ROWS", "columnCount": "COLUMNS"}


def _set_properties(state: State, grid: Grid, given: Json) -> None:
    if "title" in given:
        if not given["title"]:
            raise bad("The name of a sheet must not be empty.")
        state.rename_grid(grid, given["title"])
    if given.get("index") is not None:
        _reorder(state, grid, given["index"])
    for name in ("hidden", "rightToLeft"):
        if name in given:
            grid.props[name] = bool(given[name])
    for name in ("tabColor", "tabColorStyle"):
        if name in given:
            color = given[name]
            rgb = color if name == "tabColor" or not color else color.get("rgbColor")
            grid.props["tabColor"] = extras.quantised(rgb)
            grid.props["tabColorStyle"] = {"rgbColor": extras.quantised(rgb)} if rgb is not None else None
    if all(other.hidden for other in state.grids):
        raise bad("You can't hide all the visible sheets in a document.")
    _lay_out(state, grid, given.get("gridProperties") or {})


def _lay_out(state: State, grid: Grid, given: Json) -> None:
    """Rows before columns, with the limit checked in between, as the service does."""
    for name, axis in COUNTS.items():
        if name in given:
            _resize(state, grid, axis, given[name] or 0)
    for name, value in given.items():
        if name not in COUNTS:
            grid.layout[name] = value
    for axis, name in FROZEN.items():
        if (grid.layout.get(name) or 0) >= grid.count(axis):
            raise bad(f"You can't freeze all visible {axis.lower()} on the sheet.")


def _resize(state: State, grid: Grid, axis: Axis, count: int) -> None:
    old = grid.count(axis)
    if count <= 0:
        raise bad(f"You can't delete all the {axis.lower()} on the sheet.")
    if count < old:
        state.guard(grid.id, _strip(grid, axis, count, old))
        state.shift(grid, Delete(axis, count, old))
    else:
        grid.resize(axis, count)
        state.measure()


def _reorder(state: State, grid: Grid, index: int) -> None:
    """Indices are those before the move: one past the own place changes nothing."""
    old = state.grids.index(grid)
    if not 0 <= index <= len(state.grids):
        raise bad(f"Invalid index: {index}")
    if index not in (old, old + 1):
        state.grids.pop(old)
        state.grids.insert(index - (index > old), grid)


def _refreeze(grid: Grid, axis: Axis, change: Callable[[int], int]) -> None:
    if frozen := grid.layout.get(FROZEN[axis]):
        grid.layout[FROZEN[axis]] = change(frozen)


def _strip(grid: Grid, axis: Axis, start: int, end: int) -> Area:
    return Area(start, 0, end, grid.width) if axis == "ROWS" else Area(0, start, grid.height, end)


def _free_title(state: State) -> str:
    number = len(state.grids) + 1
    while state.titled(f"Sheet{number}"):
        number += 1
    return f"Sheet{number}"


REQUESTS: dict[str, Callable[[State, Json], Json]] = {
    "addSheet": add_sheet,
    "deleteSheet": delete_sheet,
    "duplicateSheet": duplicate_sheet,
    "updateSheetProperties": update_sheet,
    "updateSpreadsheetProperties": update_spreadsheet,
    "insertDimension": insert_dimension,
    "appendDimension": append_dimension,
    "deleteDimension": delete_dimension,
    "moveDimension": move_dimension,
    "updateDimensionProperties": update_dimension,
    "autoResizeDimensions": auto_resize,
    "updateCells": cells.update_cells,
    "appendCells": cells.append_cells,
    "repeatCell": cells.repeat_cell,
    "copyPaste": cells.copy_paste,
    "cutPaste": cells.cut_paste,
    "sortRange": cells.sort_range,
    "mergeCells": cells.merge_cells,
    "unmergeCells": cells.unmerge_cells,
    "createDeveloperMetadata": extras.create_mark,
    "updateDeveloperMetadata": extras.update_marks,
    "deleteDeveloperMetadata": extras.delete_marks,
    "addProtectedRange": extras.add_protection,
    "deleteProtectedRange": extras.delete_protection,
    "addNamedRange": extras.add_name,
    "updateNamedRange": extras.update_name,
    "deleteNamedRange": extras.delete_name,
    "setBasicFilter": extras.set_filter,
    "clearBasicFilter": extras.clear_filter,
    "addDimensionGroup": extras.add_group,
    "deleteDimensionGroup": extras.delete_group,
    "addConditionalFormatRule": extras.add_rule,
    "addChart": extras.add_chart,
}
