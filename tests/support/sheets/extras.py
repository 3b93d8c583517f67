"""Requests of a batchUpdate on what lies beside the cells: metadata, protections, names, filters, charts.

Conditional formats, charts and row groups are stored as they come and shown again, nothing more.
"""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Any

from tests.support.sheets import fields, ranges, view
from tests.support.sheets.errors import bad
from tests.support.sheets.metadata import Meta, parse_place
from tests.support.sheets.state import Named, Protection, State

Json = dict[str, Any]


def create_mark(state: State, body: Json) -> Json:
    given = body.get("developerMetadata") or {}
    number = given.get("metadataId")
    meta = Meta(
        state.fresh(state.metadata.__contains__) if number is None else number,
        given.get("metadataKey") or "",
        given.get("metadataValue") or "",
        given.get("visibility") or "",
        parse_place(given.get("location")),
    )
    _complete(meta)
    state.add_meta(meta)
    return {"createDeveloperMetadata": {"developerMetadata": meta.json()}}


def update_marks(state: State, body: Json) -> Json:
    given, changed = body.get("developerMetadata") or {}, []
    names = {path[0] for path in fields.updates(body.get("fields")).paths()}
    for data in body.get("dataFilters") or []:
        for meta in ranges.marks(state, data):
            new = _updated(meta, given, names)
            del state.metadata[meta.id]
            state.add_meta(new)
            changed.append(new.json())
    return {"updateDeveloperMetadata": {"developerMetadata": changed}}


def delete_marks(state: State, body: Json) -> Json:
    """Finding nothing is no error."""
    gone = ranges.marks(state, body.get("dataFilter") or {})
    for meta in gone:
        del state.metadata[meta.id]
    found = [meta.json() for meta in gone]
    return {"deleteDeveloperMetadata": {"deletedDeveloperMetadata": found} if found else {}}


def add_protection(state: State, body: Json) -> Json:
    """Whoever adds a protection may edit in it; people who lock our account out use `Tab.protect`."""
    given = body.get("protectedRange") or {}
    span = given.get("range") or {}
    grid, area = ranges.area(state, span)
    number = given.get("protectedRangeId")
    number = state.new_protection() if number is None else number
    if any(item.id == number for item in state.protections):
        raise bad(f"A protected range with the id {number} already exists.")
    extra: Json = {name: given[name] for name in ("description", "warningOnly") if given.get(name)}
    item = Protection(number, grid.id, area, True, extra | {"editors": {}}, not set(span) - {"sheetId"})
    state.protections.append(item)
    return {"addProtectedRange": {"protectedRange": view.protection(item)}}


def delete_protection(state: State, body: Json) -> Json:
    number = body.get("protectedRangeId") or 0
    item = next((item for item in state.protections if item.id == number), None)
    if item is None:
        raise bad(f"No protected range with id: {number}")
    if not item.editable:
        raise bad("You do not have permission to delete this protected range.")
    state.protections.remove(item)
    return {}


def add_name(state: State, body: Json) -> Json:
    given = body.get("namedRange") or {}
    grid, area = ranges.area(state, given.get("range"))
    if any(item.name.casefold() == (given.get("name") or "").casefold() for item in state.named):
        raise bad(f"A named range with the name {given.get('name')} already exists.")
    number = given.get("namedRangeId") or str(state.fresh(lambda number: False))
    item = Named(number, given.get("name") or "", grid.id, area)
    state.named.append(item)
    return {"addNamedRange": {"namedRange": view.named(item)}}


def update_name(state: State, body: Json) -> Json:
    given, item = (
        body.get("namedRange") or {},
        _name(state, (body.get("namedRange") or {}).get("namedRangeId")),
    )
    new = item
    for path in fields.updates(body.get("fields")).paths():
        if path[0] in ("name", "*"):
            new = replace(new, name=given.get("name") or "")
        if path[0] in ("range", "*"):
            grid, area = ranges.area(state, given.get("range"))
            new = replace(new, tab=grid.id, area=area)
    state.named[state.named.index(item)] = new
    return {}


def delete_name(state: State, body: Json) -> Json:
    state.named.remove(_name(state, body.get("namedRangeId")))
    return {}


def set_filter(state: State, body: Json) -> Json:
    given = body.get("filter") or {}
    grid, area = ranges.area(state, given.get("range"))
    grid.extras["basicFilter"] = [given | {"range": area}]
    return {}


def clear_filter(state: State, body: Json) -> Json:
    state.grid(body.get("sheetId") or 0).extras.pop("basicFilter", None)
    return {}


def add_group(state: State, body: Json) -> Json:
    """Groups side by side; one inside of another is not modelled."""
    grid, axis, start, end = ranges.lines(state, body.get("range"))
    groups = grid.extras.setdefault(GROUPS[axis], [])
    if any(
        group["range"]["startIndex"] < (end or 0) and (start or 0) < group["range"]["endIndex"]
        for group in groups
    ):
        raise bad("The stand-in does not model nested groups.")
    span = {"sheetId": grid.id} if grid.id else {}
    groups.append({"range": span | {"dimension": axis, "startIndex": start, "endIndex": end}, "depth": 1})
    grid.layout["rowGroupControlAfter" if axis == "ROWS" else "columnGroupControlAfter"] = True
    return {"addDimensionGroup": {"dimensionGroups": list(groups)}}


def delete_group(state: State, body: Json) -> Json:
    grid, axis, start, end = ranges.lines(state, body.get("range"))
    groups = grid.extras.get(GROUPS[axis], [])
    left = [
        group
        for group in groups
        if (group["range"]["startIndex"], group["range"]["endIndex"]) != (start, end)
    ]
    if len(left) == len(groups):
        raise bad("There is no group at this range.")
    grid.extras[GROUPS[axis]] = left
    return {"deleteDimensionGroup": {"dimensionGroups": left} if left else {}}


def add_rule(state: State, body: Json) -> Json:
    rule = body.get("rule") or {}
    grid = ranges.area(state, (rule.get("ranges") or [{}])[0])[0]
    grid.extras.setdefault("conditionalFormats", []).insert(body.get("index") or 0, rule)
    return {}


def add_chart(state: State, body: Json) -> Json:
    chart = dict(body.get("chart") or {})
    anchor = ((chart.get("position") or {}).get("overlayPosition") or {}).get("anchorCell")
    if anchor is None:
        raise bad("The stand-in models charts with an overlayPosition only.")
    chart.setdefault("chartId", state.fresh(lambda number: False))
    grid = state.grid(anchor.get("sheetId") or 0)
    grid.extras.setdefault("charts", []).append(chart)
    return {"addChart": {"chart": chart}}


def quantised(color: Json | None) -> Json | None:
    """A colour as it comes back: eight bits a channel, single precision, zeros left out."""
    if color is None:
        return None
    steps = {name: int(part * 255 + 0.49) / 255 for name, part in color.items() if part}
    return {name: _single(part) for name, part in steps.items() if part}


GROUPS = {"ROWS": "rowGroups", "COLUMNS": "columnGroups"}


def _single(value: float) -> float | int:
    """The shortest text of a single-precision number, as a number."""
    near = struct.unpack("f", struct.pack("f", value))[0]
    short = next(float(text) for digits in range(1, 10) if _same(text := f"{near:.{digits}g}", near))
    return int(short) if short == int(short) else short


def _same(text: str, value: float) -> bool:
    return bool(struct.unpack("f", struct.pack("f", float(text)))[0] == value)


def _complete(meta: Meta) -> None:
    """Key, visibility and a positive id are required."""
    if meta.id <= 0:
        raise bad("metadataId must be positive.")
    if not meta.key:
        raise bad("Developer metadata must have a key specified.")
    if not meta.visibility:
        raise bad("Developer metadata must have a visibility specified.")


def _updated(meta: Meta, given: Json, names: set[str]) -> Meta:
    if everything := "*" in names:
        names = {"metadataKey", "metadataValue", "visibility", "location"} & set(given)
    if not everything and not names <= {"metadataKey", "metadataValue", "visibility", "location"}:
        raise bad(f"Invalid fields: {', '.join(sorted(names))}")
    new = Meta(
        meta.id,
        given.get("metadataKey") or "" if "metadataKey" in names else meta.key,
        given.get("metadataValue") or "" if "metadataValue" in names else meta.value,
        given.get("visibility") or "" if "visibility" in names else meta.visibility,
        parse_place(given.get("location")) if "location" in names else meta.place,
    )
    _complete(new)
    return new


def _name(state: State, number: str | None) -> Named:
    for item in state.named:
        if item.id == number:
            return item
    raise bad(f"No named range with id: {number}")
