"""From the ranges of requests to areas of tabs: GridRange, DimensionRange, A1 text and data filters."""

from __future__ import annotations

from typing import Any

from tests.support.sheets import a1
from tests.support.sheets.a1 import Area, Bounds
from tests.support.sheets.errors import ApiError, bad
from tests.support.sheets.grid import Grid
from tests.support.sheets.metadata import Meta, parse_lookup
from tests.support.sheets.shifts import Axis
from tests.support.sheets.state import State


def area(state: State, span: dict[str, Any] | None) -> tuple[Grid, Area]:
    """The tab and area of a GridRange; raises ApiError when it leaves the grid or is empty."""
    span = span or {}
    grid = state.grid(span.get("sheetId") or 0)
    top, bottom = _ends(span.get("startRowIndex"), span.get("endRowIndex"), grid.height, "row")
    left, right = _ends(span.get("startColumnIndex"), span.get("endColumnIndex"), grid.width, "column")
    return grid, Area(top, left, bottom, right)


def lines(state: State, span: dict[str, Any] | None) -> tuple[Grid, Axis, int | None, int | None]:
    """The tab, axis and ends of a DimensionRange; ends that are not set are None, the others not negative."""
    span = span or {}
    grid = state.grid(span.get("sheetId") or 0)
    axis = span.get("dimension")
    if axis not in ("ROWS", "COLUMNS"):
        raise bad("range.dimension must be set")
    start, end = span.get("startIndex"), span.get("endIndex")
    if any(index is not None and index < 0 for index in (start, end)):
        raise bad("DimensionRange indexes must be >= 0")
    if start is not None and end is not None and start >= end:
        raise bad(f"range.endIndex[{end}] must be greater than range.startIndex[{start}]")
    return grid, axis, start, end


def named(state: State, text: str) -> tuple[Grid, Area, Bounds]:
    """What an A1 text means: the tab, the area on its grid, and the bounds as written.

    Raises ApiError when it cannot be parsed or begins outside of the grid.
    """
    title, rest = a1.split(text)
    if not text:
        raise bad("Unable to parse range: ")
    grid = state.grids[0] if title is None else state.titled(title)
    bounds = a1.parse(rest) if rest else Bounds()
    if bounds is None and title is None and (tab := state.titled(rest)):
        grid, bounds = tab, Bounds()
    if bounds is None:
        grid, bounds = _by_name(state, rest, grid)
    if grid is None or bounds is None:
        raise bad(f"Unable to parse range: {text}")
    inside = bounds.within(grid.height, grid.width)
    if inside.top >= grid.height or inside.left >= grid.width:
        raise beyond(grid, bounds)
    return grid, inside, bounds


def beyond(grid: Grid, bounds: Bounds | Area) -> ApiError:
    """The refusal of a range outside of the grid."""
    top, left = bounds.top or 0, bounds.left or 0
    whole = Area(
        top, left, bounds.bottom or max(grid.height, top + 1), bounds.right or max(grid.width, left + 1)
    )
    return bad(
        f"Range ({a1.quote(grid.title)}!{a1.name(whole)}) exceeds grid limits. "
        f"Max rows: {grid.height}, max columns: {grid.width}"
    )


def text(grid: Grid, area: Area) -> str:
    """'Sheet1!A1:B2' as in Google's answers."""
    return f"{a1.quote(grid.title)}!{a1.name(area)}"


def marks(state: State, data: dict[str, Any]) -> list[Meta]:
    """The developer metadata that a DataFilter selects: by lookup, or all on rows and columns of a range."""
    if data.get("developerMetadataLookup") is not None:
        lookup = parse_lookup(data["developerMetadataLookup"])
        if lookup.id is not None:
            found = state.metadata.get(lookup.id)
            return [found] if found and lookup.finds(found) else []
        return [meta for meta in state.metadata.values() if lookup.finds(meta)]
    grid, inside = _filtered(state, data)
    return [meta for meta in state.metadata.values() if meta.place.within(grid.id, inside)]


def areas(state: State, data: dict[str, Any]) -> list[tuple[Grid, Area]]:
    """The areas that a DataFilter selects: its range, or the row, column or tab of each metadata it finds."""
    if data.get("developerMetadataLookup") is None:
        return [_filtered(state, data)]
    return [_area_of(state, meta) for meta in marks(state, data) if meta.place.tab is not None]


def _area_of(state: State, meta: Meta) -> tuple[Grid, Area]:
    grid = state.grid(meta.place.tab or 0)
    index = meta.place.index or 0
    match meta.place.kind:
        case "ROW":
            return grid, Area(index, 0, index + 1, grid.width)
        case "COLUMN":
            return grid, Area(0, index, grid.height, index + 1)
    return grid, grid.area


def _filtered(state: State, data: dict[str, Any]) -> tuple[Grid, Area]:
    if data.get("a1Range") is not None:
        return named(state, data["a1Range"])[:2]
    if data.get("gridRange") is not None:
        return area(state, data["gridRange"])
    raise bad("A data filter must be specified.")


def _by_name(state: State, name: str, grid: Grid | None) -> tuple[Grid | None, Bounds | None]:
    for item in state.named:
        if item.name.casefold() == name.casefold():
            return state.grid(item.tab), Bounds(*item.area)
    return grid, None


def _ends(start: int | None, end: int | None, count: int, kind: str) -> tuple[int, int]:
    first, last = start or 0, count if end is None else end
    if first < 0 or last <= first:
        raise bad(f"end{kind.title()}Index[{last}] must be greater than start{kind.title()}Index[{first}]")
    if last > count:
        raise bad(f"end{kind.title()}Index[{last}] is after last {kind} in grid[{count}]")
    return first, last
