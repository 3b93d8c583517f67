"""The whole of one spreadsheet at one moment, and the rules that hold between its tabs.

A batch works on a fork and the document swaps it in at the end, so that it applies all or nothing.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Self, TypeVar

from tests.support.sheets import formulas
from tests.support.sheets.a1 import Area
from tests.support.sheets.errors import bad
from tests.support.sheets.grid import Formula, Grid, shift_area
from tests.support.sheets.metadata import ROOM, Meta, Place
from tests.support.sheets.shifts import Shift

MOST_CELLS = 10_000_000
MOST_CHARACTERS = 50_000
PROTECTED = (
    "You are trying to edit a protected cell or object. "
    "Please contact the spreadsheet owner to remove protection if you need to edit."
)


@dataclass(frozen=True)
class Protection:
    """A protected area of a tab; `whole` when the range was given without bounds: the tab."""

    id: int
    tab: int
    area: Area
    editable: bool
    extra: dict[str, Any] = field(default_factory=dict)
    whole: bool = False


@dataclass(frozen=True)
class Named:
    """A named range."""

    id: str
    name: str
    tab: int
    area: Area


Item = TypeVar("Item", Protection, Named)


@dataclass
class State:
    """Tabs in their order, developer metadata by id, protections and named ranges."""

    title: str
    grids: list[Grid] = field(default_factory=list)
    metadata: dict[int, Meta] = field(default_factory=dict)
    protections: list[Protection] = field(default_factory=list)
    named: list[Named] = field(default_factory=list)
    ids: random.Random = field(default_factory=lambda: random.Random(7))
    owner: bool = False
    """Whether the owner is at work, whom protections do not stop."""

    def fork(self) -> Self:
        twin = copy.copy(self)
        twin.grids = [grid.fork() for grid in self.grids]
        twin.metadata = self.metadata.copy()
        twin.protections, twin.named = self.protections.copy(), self.named.copy()
        return twin

    # -- tabs

    def grid(self, tab: int) -> Grid:
        """The tab with that id; raises ApiError when there is none."""
        for grid in self.grids:
            if grid.id == tab:
                return grid
        raise bad(f"No grid with id: {tab}")

    def titled(self, title: str) -> Grid | None:
        """The tab with that title; case does not matter, as nowhere in Sheets."""
        for grid in self.grids:
            if grid.title.casefold() == title.casefold():
                return grid
        return None

    def fresh(self, taken: Callable[[int], bool]) -> int:
        """A new id; the same ones in the same order for each document, so that tests repeat."""
        while taken(number := self.ids.randrange(1, 2**31 - 1)):
            pass
        return number

    def new_tab(self) -> int:
        return self.fresh(lambda number: any(grid.id == number for grid in self.grids))

    def new_protection(self) -> int:
        return self.fresh(lambda number: any(item.id == number for item in self.protections))

    def add_grid(self, grid: Grid, index: int | None = None) -> None:
        if self.titled(grid.title):
            raise bad(f'A sheet with the name "{grid.title}" already exists. Please enter another name.')
        if any(other.id == grid.id for other in self.grids):
            raise bad(f"A sheet with the id {grid.id} already exists.")
        self.grids.insert(len(self.grids) if index is None else index, grid)
        self.measure()

    def delete_grid(self, tab: int) -> None:
        grid = self.grid(tab)
        if all(other.hidden for other in self.grids if other is not grid):
            raise bad("You can't remove all the visible sheets in a document.")
        self.grids.remove(grid)
        self.metadata = {meta.id: meta for meta in self.metadata.values() if meta.place.tab != tab}
        self.protections = [item for item in self.protections if item.tab != tab]
        self.named = [item for item in self.named if item.tab != tab]
        self._rewrite(lambda formula, home: formulas.forget(formula, home.title, grid.title))

    def duplicate_grid(self, tab: int, number: int, title: str, index: int) -> Grid:
        """A copy of a tab with all that is on it; its metadata comes along under new ids."""
        twin = self.grid(tab).fork()
        twin.id, twin.title = number, title
        twin.props = {name: value for name, value in twin.props.items() if name != "hidden"}
        self.add_grid(twin, index)
        for meta in [meta for meta in self.metadata.values() if meta.place.tab == tab]:
            place = Place(meta.place.kind, number, meta.place.index)
            self.add_meta(replace(meta, id=self.fresh(self.metadata.__contains__), place=place))
        for item in [item for item in self.protections if item.tab == tab]:
            self.protections.append(replace(item, id=self.new_protection(), tab=number))
        return twin

    def rename_grid(self, grid: Grid, title: str) -> None:
        other = self.titled(title)
        if other not in (None, grid):
            raise bad(f'A sheet with the name "{title}" already exists. Please enter another name.')
        old, grid.title = grid.title, title
        self._rewrite(lambda formula, home: formulas.rename(formula, old, title))

    # -- limits and protections

    def measure(self) -> None:
        """Raise ApiError when the spreadsheet has become too large."""
        if sum(grid.height * grid.width for grid in self.grids) > MOST_CELLS:
            raise bad(
                "This action would increase the number of cells in the workbook "
                f"above the limit of {MOST_CELLS} cells."
            )

    def guard(self, tab: int, area: Area) -> None:
        """Raise ApiError when a protection keeps our account from changing the area."""
        for item in self.protections if not self.owner else ():
            if item.tab == tab and not item.editable and (item.whole or item.area.meets(area)):
                raise bad(PROTECTED)

    def guard_insert(self, tab: int, axis: str, at: int) -> None:
        """Lines may be inserted beside a protected area but not inside it (assumed)."""
        for item in self.protections if not self.owner else ():
            start, end = (
                (item.area.top, item.area.bottom) if axis == "ROWS" else (item.area.left, item.area.right)
            )
            if item.tab == tab and not item.editable and (item.whole or start < at < end):
                raise bad(PROTECTED)

    # -- metadata

    def add_meta(self, meta: Meta) -> None:
        """Raises ApiError when the id is taken, the place does not exist or there is no room left."""
        if meta.id in self.metadata:
            # The refusal is documented ("unique"), its wording is assumed.
            raise bad(f"A developer metadata entry with the metadataId {meta.id} already exists.")
        if meta.place.tab is not None:
            grid = self.grid(meta.place.tab)
            count = grid.height if meta.place.kind == "ROW" else grid.width
            if meta.place.index is not None and meta.place.index >= count:
                raise bad(
                    f"The developer metadata location is beyond the grid: {meta.place.index} >= {count}"
                )
        used = sum(
            len(other.key) + len(other.value)
            for other in self.metadata.values()
            if other.place.tab == meta.place.tab
        )
        if used + len(meta.key) + len(meta.value) > ROOM:
            raise bad(f"Developer metadata exceeds the limit of {ROOM} characters.")
        self.metadata[meta.id] = meta

    # -- shifts

    def shift(self, grid: Grid, shift: Shift, before: bool = False) -> None:
        """Insert, delete or move lines of a tab, and all that refers to them."""
        grid.shift(shift, before)
        moved = (meta.shifted(grid.id, shift) for meta in self.metadata.values())
        self.metadata = {meta.id: meta for meta in moved if meta}
        self.protections = [item for old in self.protections if (item := _shifted(old, grid.id, shift))]
        self.named = [name for old in self.named if (name := _shifted(old, grid.id, shift))]
        self._rewrite(lambda formula, home: formulas.shift(formula, home.title, grid.title, shift))
        if grid.extras.get("basicFilter"):
            (kept,) = grid.extras["basicFilter"]
            area = shift_area(kept["range"], shift)
            grid.extras["basicFilter"] = [kept | {"range": area}] if area else []

    def _rewrite(self, change: Callable[[Formula, Grid], str]) -> None:
        """Apply a change to each formula of the spreadsheet; the function is told the tab it is on."""
        for home in self.grids:
            for row, column, formula in list(home.formulas()):
                changed = change(formula, home)
                if changed != formula:
                    home.write(row, {column: Formula(changed)})


def _shifted(item: Item, tab: int, shift: Shift) -> Item | None:
    if item.tab != tab:
        return item
    area = shift_area(item.area, shift)
    return replace(item, area=area) if area else None
