"""Developer metadata: what it is, where it sits, which of it a lookup finds. Pure.

As Google documents it: ids are unique in a spreadsheet; a lookup by location takes in all that intersects
it unless it says EXACT_LOCATION; what sits on the spreadsheet intersects nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from tests.support.sheets.a1 import Area
from tests.support.sheets.errors import bad
from tests.support.sheets.shifts import Shift

Kind = Literal["SPREADSHEET", "SHEET", "ROW", "COLUMN"]
AXES: dict[Kind, str] = {"ROW": "ROWS", "COLUMN": "COLUMNS"}
ROOM = 30_000
"""Characters of keys and values on one tab (with its rows and columns), and on the spreadsheet itself."""


@dataclass(frozen=True, slots=True)
class Place:
    """The spreadsheet, a tab, or one row or column of a tab."""

    kind: Kind
    tab: int | None = None
    index: int | None = None

    def meets(self, other: Place) -> bool:
        """Rows and columns of a tab cross each other and lie on it; the spreadsheet meets only itself."""
        return self.tab == other.tab and (self.kind != other.kind or self.index == other.index)

    def within(self, tab: int, area: Area) -> bool:
        """Whether it is a row or column that crosses the area."""
        if self.tab != tab or self.index is None:
            return False
        return self.index in (area.rows if self.kind == "ROW" else area.columns)

    def json(self) -> dict[str, Any]:
        if self.kind == "SPREADSHEET":
            return {"locationType": self.kind, "spreadsheet": True}
        if self.index is None:
            return {"locationType": self.kind, "sheetId": self.tab}
        line: dict[str, Any] = {"sheetId": self.tab} if self.tab else {}
        line |= {"dimension": AXES[self.kind], "startIndex": self.index, "endIndex": self.index + 1}
        return {"locationType": self.kind, "dimensionRange": line}


@dataclass(frozen=True, slots=True)
class Meta:
    """One entry."""

    id: int
    key: str
    value: str
    visibility: str
    place: Place

    def json(self) -> dict[str, Any]:
        entry: dict[str, Any] = {"metadataId": self.id, "metadataKey": self.key}
        if self.value:
            entry["metadataValue"] = self.value
        return entry | {"location": self.place.json(), "visibility": self.visibility}

    def shifted(self, tab: int, shift: Shift) -> Meta | None:
        """The entry after a shift on a tab; None when its row or column is gone."""
        place = self.place
        if place.tab != tab or place.index is None or AXES[place.kind] != shift.axis:
            return self
        index = shift.point(place.index)
        return None if index is None else replace(self, place=replace(place, index=index))


def parse_place(location: dict[str, Any] | None) -> Place:
    """The place that a JSON location names; raises ApiError when it names none or more than one line."""
    location = location or {}
    if location.get("spreadsheet"):
        return Place("SPREADSHEET")
    if line := location.get("dimensionRange"):
        start, end = line.get("startIndex"), line.get("endIndex")
        if start is None or end is None or end != start + 1 or start < 0:
            raise bad("The dimensionRange of a developer metadata location must be a single row or column.")
        if line.get("dimension") not in ("ROWS", "COLUMNS"):
            raise bad("dimensionRange.dimension must be set.")
        return Place("ROW" if line["dimension"] == "ROWS" else "COLUMN", line.get("sheetId", 0), start)
    if location.get("sheetId") is not None:
        return Place("SHEET", location["sheetId"])
    raise bad("A developer metadata location must be specified.")


@dataclass(frozen=True, slots=True)
class Lookup:
    """A DeveloperMetadataLookup; what is None selects all."""

    id: int | None
    key: str | None
    value: str | None
    visibility: str | None
    kind: str | None
    place: Place | None
    exact: bool

    def finds(self, meta: Meta) -> bool:
        wanted = (
            (self.id, meta.id),
            (self.key, meta.key),
            (self.value, meta.value),
            (self.visibility, meta.visibility),
            (self.kind, meta.place.kind),
        )
        if any(want is not None and want != got for want, got in wanted):
            return False
        if self.place is None:
            return True
        return self.place == meta.place if self.exact else self.place.meets(meta.place)


def parse_lookup(lookup: dict[str, Any]) -> Lookup:
    """Read a lookup; raises ApiError for combinations that Google's reference rules out."""
    place = parse_place(lookup["metadataLocation"]) if lookup.get("metadataLocation") else None
    strategy, kind = lookup.get("locationMatchingStrategy"), lookup.get("locationType")
    if strategy and place is None:
        raise bad("locationMatchingStrategy needs a metadataLocation.")
    if strategy == "EXACT_LOCATION" and kind:
        raise bad("locationType must be unspecified when the locationMatchingStrategy is EXACT_LOCATION.")
    if kind == "SPREADSHEET" and place and place.kind != "SPREADSHEET":
        raise bad("locationType cannot be SPREADSHEET with a metadataLocation that is not the spreadsheet.")
    return Lookup(
        id=lookup.get("metadataId"),
        key=lookup.get("metadataKey"),
        value=lookup.get("metadataValue"),
        visibility=lookup.get("visibility"),
        kind=kind,
        place=place,
        exact=strategy == "EXACT_LOCATION",
    )
