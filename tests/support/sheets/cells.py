"""Requests of a batchUpdate that change what cells hold: write, repeat, paste, sort, merge."""

from __future__ import annotations

from typing import Any

from tests.support.sheets import fields, formulas, ranges
from tests.support.sheets.a1 import Area
from tests.support.sheets.errors import bad
from tests.support.sheets.evaluate import Evaluator, Failure, Result
from tests.support.sheets.fields import Mask
from tests.support.sheets.grid import Formula, Grid, Look, Row, Value
from tests.support.sheets.schema import MESSAGES
from tests.support.sheets.state import MOST_CHARACTERS, State

Json = dict[str, Any]
WRITTEN = {"userEnteredValue", "userEnteredFormat", "note", "*"}
"""Fields of a cell that the stand-in stores; masks that name others are refused, not ignored."""


def update_cells(state: State, body: Json) -> Json:
    mask = cell_mask(body.get("fields"))
    rows = body.get("rows") or []
    if body.get("start"):
        start = body["start"]
        grid = state.grid(start.get("sheetId") or 0)
        top, left = start.get("rowIndex") or 0, start.get("columnIndex") or 0
        limit = Area(top, left, grid.height, grid.width)
        filled = _reach(rows, limit)
    elif body.get("range"):
        grid, limit = ranges.area(state, body["range"])
        _reach(rows, limit)
        filled = limit
    else:
        raise bad("One of 'start' or 'range' must be set.")
    if filled.top < filled.bottom and filled.left < filled.right:
        state.guard(grid.id, filled)
    _write(grid, filled, rows, mask)
    return {}


def append_cells(state: State, body: Json) -> Json:
    """Rows go under the last row with a value, from column A; the grid grows as needed."""
    mask = cell_mask(body.get("fields"))
    grid, rows = state.grid(body.get("sheetId") or 0), body.get("rows") or []
    top = grid.last_row()
    grid.height = max(grid.height, top + len(rows))
    state.measure()
    filled = _reach(rows, Area(top, 0, grid.height, grid.width))
    if rows:
        state.guard(grid.id, filled)
        _write(grid, filled, rows, mask)
    return {}


def repeat_cell(state: State, body: Json) -> Json:
    mask = cell_mask(body.get("fields"))
    grid, area = ranges.area(state, body.get("range"))
    state.guard(grid.id, area)
    cell = body.get("cell") or {}
    for row in area.rows:
        _write_row(grid, row, dict.fromkeys(area.columns, cell), mask)
    if isinstance(entered := _entered(cell), Formula) and mask.wants("userEnteredValue"):
        for row in area.rows:
            moved = {
                c: Formula(formulas.offset(entered, row - area.top, c - area.left)) for c in area.columns
            }
            grid.write(row, dict(moved))
    return {}


def copy_paste(state: State, body: Json) -> Json:
    """The source is repeated in a destination that is a multiple of it, and pasted once in a smaller one."""
    if body.get("pasteOrientation") == "TRANSPOSE":
        raise bad("TRANSPOSE is not modelled by the stand-in.")
    source, area = ranges.area(state, body.get("source"))
    target, goal = ranges.area(state, body.get("destination"))
    height, width = area.bottom - area.top, area.right - area.left
    down = max(1, (goal.bottom - goal.top) // height)
    across = max(1, (goal.right - goal.left) // width)
    filled = Area(goal.top, goal.left, goal.top + down * height, goal.left + across * width)
    if filled.bottom > target.height or filled.right > target.width:
        raise bad("The destination does not fit into the grid.")
    state.guard(target.id, filled)
    clip = _clip(Evaluator(state), source, area, body.get("pasteType") or "PASTE_NORMAL")
    for row in filled.rows:
        cells = clip[(row - filled.top) % height]
        places = {column: cells[(column - filled.left) % width] for column in filled.columns}
        _paste(target, row, places)
    return {}


def cut_paste(state: State, body: Json) -> Json:
    """Values, formats and notes move; metadata stays where it was. References to the cells do not follow."""
    source, area = ranges.area(state, body.get("source"))
    goal = body.get("destination") or {}
    target = state.grid(goal.get("sheetId") or 0)
    top, left = goal.get("rowIndex") or 0, goal.get("columnIndex") or 0
    filled = Area(top, left, top + area.bottom - area.top, left + area.right - area.left)
    if filled.bottom > target.height or filled.right > target.width:
        raise bad("The destination does not fit into the grid.")
    state.guard(source.id, area)
    state.guard(target.id, filled)
    taken = [[_taken(source, row, column) for column in area.columns] for row in area.rows]
    for row in area.rows:
        _paste(source, row, {column: (None, Look(), None) for column in area.columns})
    for row, cells in zip(filled.rows, taken, strict=True):
        _paste(target, row, dict(zip(filled.columns, cells, strict=True)))
    return {}


def sort_range(state: State, body: Json) -> Json:
    """Contents move, row metadata and hidden flags do not; blanks go last whichever way the order is."""
    grid, area = ranges.area(state, body.get("range"))
    state.guard(grid.id, area)
    evaluator = Evaluator(state)
    order = [row for row in area.rows if row < len(grid.rows)]
    for spec in reversed(body.get("sortSpecs") or []):
        column, descending = spec.get("dimensionIndex") or 0, spec.get("sortOrder") == "DESCENDING"
        shown = {row: evaluator.value(grid, row, column) for row in order}
        keys = {row: sort_key(value) for row, value in shown.items() if value is not None}
        filled = sorted(keys, key=keys.__getitem__, reverse=descending)
        order = filled + [row for row in order if row not in keys]
    _rearrange(grid, area, order)
    return {}


def merge_cells(state: State, body: Json) -> Json:
    grid, area = ranges.area(state, body.get("range"))
    state.guard(grid.id, area)
    if any(area.meets(other) for other in grid.merges):
        raise bad("You can't merge cells that overlap an existing merge.")
    match body.get("mergeType") or "MERGE_ALL":
        case "MERGE_ALL":
            parts = [area]
        case "MERGE_ROWS":
            parts = [Area(row, area.left, row + 1, area.right) for row in area.rows]
        case _:
            parts = [Area(area.top, column, area.bottom, column + 1) for column in area.columns]
    for part in parts:
        for row in part.rows:
            gone: dict[int, Value | None] = {
                c: None for c in part.columns if (row, c) != (part.top, part.left)
            }
            grid.write(row, gone)
    grid.merges.extend(parts)
    return {}


def unmerge_cells(state: State, body: Json) -> Json:
    grid, area = ranges.area(state, body.get("range"))
    grid.merges = [other for other in grid.merges if not area.meets(other)]
    return {}


def sort_key(value: Result) -> tuple[int, Any]:
    """Numbers, then text without regard to case, then booleans, then errors."""
    match value:
        case bool():
            return 2, value
        case str():
            return 1, value.casefold()
        case Failure():
            return 3, value.kind
    return 0, value


def cell_mask(text: str | None) -> Mask:
    """The mask of a request on cells; raises ApiError for fields that are unknown or not modelled."""
    mask = fields.updates(text)
    for name in mask.tree:
        if name not in MESSAGES["CellData"] and name != "*":
            raise bad(f"Invalid field: {name}")
        if name not in WRITTEN:
            raise bad(f"The stand-in does not model writing the field {name}.")
    return mask


def check_text(value: Value | None) -> None:
    """Raise ApiError when a cell cannot hold the text."""
    # Counted in UTF-16 units, the stricter reading of "characters" (assumed).
    if isinstance(value, str) and len(value.encode("utf-16-le", "replace")) > 2 * MOST_CHARACTERS:
        raise bad(
            f"Your input contains more than the maximum of {MOST_CHARACTERS} characters in a single cell."
        )


def _reach(rows: list[Json], limit: Area) -> Area:
    """The area that the rows cover from the corner of the limit; raises ApiError when they leave it."""
    width = max((len(row.get("values") or []) for row in rows), default=0)
    filled = Area(limit.top, limit.left, limit.top + len(rows), limit.left + width)
    if filled.bottom > limit.bottom:
        raise bad(
            f"Attempting to write row: {limit.bottom}, beyond the last requested row of: {limit.bottom - 1}"
        )
    if filled.right > limit.right:
        last = limit.right - 1
        raise bad(f"Attempting to write column: {limit.right}, beyond the last requested column of: {last}")
    return filled


def _write(grid: Grid, area: Area, rows: list[Json], mask: Mask) -> None:
    """Set the masked fields of all cells of the area; what the rows leave out is cleared."""
    for row in area.rows:
        given = rows[row - area.top].get("values") or [] if row - area.top < len(rows) else []
        blank = len(given) == 0 and row >= len(grid.rows)
        if not blank:
            cells = {
                c: given[c - area.left] or {} if c - area.left < len(given) else {} for c in area.columns
            }
            _write_row(grid, row, cells, mask)


def _write_row(grid: Grid, row: int, cells: dict[int, Json], mask: Mask) -> None:
    if mask.wants("userEnteredValue"):
        grid.write(row, {column: _entered(cell) for column, cell in cells.items()})
    if not (mask.wants("userEnteredFormat") or mask.wants("note")):
        return
    old = grid.row(row)
    looks = {column: _dressed(old.look(column), cell, mask) for column, cell in cells.items()}
    if old.looks or any(look != Look() for look in looks.values()):
        grid.dress(row, looks)


def _entered(cell: Json) -> Value | None:
    """The value of a CellData, checked; an empty string leaves the cell empty (assumed)."""
    value = {name: item for name, item in (cell.get("userEnteredValue") or {}).items() if item is not None}
    if not value:
        return None
    if len(value) > 1:
        raise bad("Invalid value: oneof field 'value' is already set.")
    ((kind, item),) = value.items()
    if kind == "errorValue":
        raise bad("errorValue cannot be entered.")
    if kind == "numberValue":
        return float(item)
    if kind == "formulaValue":
        if not item.startswith("="):
            raise bad("formulaValue must begin with '='.")
        item = Formula(item)
    check_text(item)
    return item if item != "" else None


def _dressed(look: Look, cell: Json, mask: Mask) -> Look:
    form, note = look.format, look.note
    if (sub := mask.sub("userEnteredFormat")) is not None:
        form = _merged(form or {}, cell.get("userEnteredFormat") or {}, sub) or None
    if mask.wants("note"):
        note = cell.get("note") or None
    return Look(form, note)


def _merged(old: Json, new: Json, mask: Mask) -> Json:
    """The format with the masked parts taken from the new one."""
    if mask.everything:
        return new
    merged = dict(old)
    for name, sub in mask.tree.items():
        inner = new.get(name)
        if not sub.everything:
            inner = _merged(old.get(name) or {}, inner or {}, sub)
        merged[name] = inner
    return {name: item for name, item in merged.items() if item not in (None, {})}


Clip = tuple[Value | None, Look | None, tuple[int, int] | None]
"""A cell on the clipboard: value, look (None leaves the target's) and, when copied, where it came from."""


def _taken(grid: Grid, row: int, column: int) -> Clip:
    return grid.value(row, column), grid.row(row).look(column), None


def _rearrange(grid: Grid, area: Area, order: list[int]) -> None:
    """Put the parts of rows that lie in the area into another order, from its top on."""
    if area.columns == grid.area.columns:  # whole rows: quick for large tabs
        moved = [_lowered(grid.rows[row], place - row) for place, row in enumerate(order, area.top)]
        grid.rows[area.top : area.top + len(order)] = moved
        return
    clip = {row: _clip_row(grid, row, area) for row in order}
    for place, row in enumerate(order, area.top):
        if place != row:
            _paste(grid, place, dict(zip(area.columns, clip[row], strict=True)))


def _lowered(row: Row, by: int) -> Row:
    """The row some rows further down: the references of its formulas move along."""
    values: dict[int, Value | None] = {column: _offset(cell, by, 0) for column, cell in row.formulas()}
    return row.write(values) if values and by else row


def _clip_row(grid: Grid, row: int, area: Area) -> list[Clip]:
    return [(grid.value(row, column), grid.row(row).look(column), (row, column)) for column in area.columns]


def _clip(evaluator: Evaluator, grid: Grid, area: Area, kind: str) -> list[list[Clip]]:
    if kind not in ("PASTE_NORMAL", "PASTE_VALUES", "PASTE_FORMULA"):
        raise bad(f"{kind} is not modelled by the stand-in.")
    clip: list[list[Clip]] = []
    for row in area.rows:
        cells: list[Clip] = []
        for column in area.columns:
            look = grid.row(row).look(column) if kind == "PASTE_NORMAL" else None
            value: Any = grid.value(row, column)
            if kind == "PASTE_VALUES":
                shown = evaluator.value(grid, row, column)
                value = str(shown) if isinstance(shown, Failure) else shown
            cells.append((value, look, (row, column)))
        clip.append(cells)
    return clip


def _paste(grid: Grid, row: int, cells: dict[int, Clip]) -> None:
    """Put clipboard cells into one row; the references of a formula that was copied move along."""
    values = {
        column: _offset(value, row - origin[0], column - origin[1]) if origin else value
        for column, (value, _, origin) in cells.items()
    }
    grid.write(row, values)
    looks = {column: look for column, (_, look, _) in cells.items() if look is not None}
    if grid.row(row).looks or any(look != Look() for look in looks.values()):
        grid.dress(row, looks)


def _offset(value: Value | None, rows: int, columns: int) -> Value | None:
    return Formula(formulas.offset(value, rows, columns)) if isinstance(value, Formula) else value
