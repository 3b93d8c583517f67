"""The cells of rows, and what the last change found: the third read of a tick, if it needs one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from runsheet import ledger, repair
from runsheet.destinations.gsheet import images, marks
from runsheet.destinations.gsheet.batch import Json
from runsheet.destinations.gsheet.client import Rejected
from runsheet.destinations.gsheet.document import Spreadsheet
from runsheet.destinations.gsheet.marks import Mark
from runsheet.destinations.gsheet.standing import Standing
from runsheet.errors import Changed
from runsheet.journal import Batch
from runsheet.model import Cells, Content, Foreign, RowId, Shape

Sheets = Mapping[int, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Looked:
    """What was read: the cells, the mark on the last row, and the tabs of images that stand."""

    cells: Cells
    floor: Mark | None
    images: tuple[int, ...]


def look(sheets: Spreadsheet, shape: Shape, content: Content, rows: Sequence[RowId]) -> Looked:
    """Read the cells of our columns in these rows, and the images of the last batch that changed cells
    unless that is known to have met nobody. Rows that are not there, or whose id is a formula, are left
    out. Raises Changed when a row is another by now."""
    now: Standing = shape.token
    pending = ledger.pending(content.notes or ())
    there = [row for row in rows if row.index < now.rows]
    found = _find(sheets, _filters(shape, there), pending)
    ours = found.get(now.tab or 0, {})
    if there and not {*marks.column_marks(ours)} >= {*now.marks}:
        raise Changed("columns were moved while they were read")
    shown = images.grid(ours)
    places = {owned.key: owned.index for owned in shape.owned}
    cells = {
        row.index: {key: shown.get(row.index, {}).get(at) for key, at in places.items()} for row in there
    }
    # Whose row it is where somebody put a formula nobody can tell.
    cells = {index: row for index, row in cells.items() if not isinstance(row.get("run_id"), Foreign)}
    if any(repair.text(cells[row.index].get("run_id")) != row.run_id for row in there if row.index in cells):
        raise Changed("rows were moved while they were read")
    standing = tuple(tab for tab in now.image_tabs if tab in found)
    return Looked(Cells(cells, _images(found, pending)), images.floor(ours, now.floor_id), standing)


def _find(sheets: Spreadsheet, filters: Sequence[Json], pending: Batch | None) -> Sheets:
    tab = images.tab_of(pending.images) if pending else 0
    try:
        return sheets.find([*filters, {"gridRange": {"sheetId": tab}}] if tab else filters)
    except Rejected:
        pass  # Somebody may have deleted the tab of the images.
    try:
        return sheets.find(filters)
    except Rejected as error:
        raise Changed(f"the rows could not be read: {error}") from error


def _images(found: Sheets, pending: Batch | None) -> tuple[repair.Image, ...] | None:
    sheet = found.get(images.tab_of(pending.images)) if pending else None
    if not (pending and sheet) or sheet["properties"]["title"] != images.title(pending.images):
        return None
    return images.images(sheet, len(pending.rows))


def _filters(shape: Shape, rows: Sequence[RowId]) -> list[Json]:
    """One range for rows that stand together, and the look-ups."""
    now: Standing = shape.token
    columns = [*(owned.index for owned in shape.owned), *(mark.index for mark in now.marks)]
    edges = {"startColumnIndex": min(columns), "endColumnIndex": max(columns) + 1}
    indexes = sorted(row.index for row in rows)
    starts = indexes[:1] + [after for before, after in pairwise(indexes) if after != before + 1]
    ends = [before for before, after in pairwise(indexes) if after != before + 1] + indexes[-1:]
    spans: list[Json] = [
        {"gridRange": {"sheetId": now.tab, "startRowIndex": start, "endRowIndex": end + 1, **edges}}
        for start, end in zip(starts, ends, strict=True)
    ]
    wanted = [*now.image_tabs.values(), *([now.floor_id] if now.floor_id else [])]
    return spans + [marks.find(mark) for mark in wanted]
