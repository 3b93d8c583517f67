"""What was written into columns that a person replaced in that very second is taken out again. Pure.

A guard on a column passes when a person deletes the column and inserts another one at its very place, or
clears it with its header: the mark is then made on what stands there now. The answer to the batch shows
it, since the header is another (base.Overtaken). A column in which nothing stands but what that batch
wrote is not ours any more: its mark goes, and so do those values.
"""

from collections.abc import Collection, Iterator
from dataclasses import replace

from runsheet.destinations.base import Overtaken
from runsheet.model import Cells, Change, Content, Edit, Plan, RowId, Shape
from runsheet.stored import Stores, same


def questioned(shape: Shape, keys: Collection[str]) -> Shape:
    """The shape with the headers of these columns blank, so that `content` tells what is in them."""
    owned = tuple(replace(item, title="") if item.key in keys else item for item in shape.owned)
    return replace(shape, owned=owned)


def rows(overtaken: Overtaken, content: Content) -> tuple[RowId, ...]:
    """The rows that the batch appended."""
    ids = {row.run_id for row in overtaken.rows}
    return tuple(row for row in content.rows if row.run_id in ids)


def build(
    shape: Shape, content: Content, cells: Cells, overtaken: Overtaken, stored: Stores, tick: str
) -> Plan:
    """The plan that gives up such columns; `cells` are those of `rows`."""
    written = rows(overtaken, content)
    places = {row.index for row in written}
    filled = {owned.key: content.blank.get(owned.key, frozenset()) for owned in shape.owned}
    alone = all(indexes <= places for indexes in filled.values())
    # Without other rows a column that was renamed looks like one that was replaced: then only a
    # worksheet that was cleared counts.
    cleared = not any(owned.title.strip() for owned in shape.owned)
    lost = [key for key, indexes in filled.items() if key in overtaken.keys and indexes <= places]
    dropped = frozenset(lost if cleared or not alone else ()) | (overtaken.replaced & filled.keys())
    return Plan(
        shape,
        content,
        owned=shape.owned,
        changes=tuple(_changes(cells, written, dropped, overtaken, stored)),
        dropped=dropped,
        tick=tick,
    )


def _changes(
    cells: Cells, written: tuple[RowId, ...], dropped: frozenset[str], overtaken: Overtaken, stored: Stores
) -> Iterator[Change]:
    ours = {
        row.run_id: dict(zip(overtaken.columns, map(stored, row.cells), strict=True))
        for row in overtaken.rows
    }
    for row in written:
        shown = cells.rows.get(row.index, {})
        edits = tuple(
            Edit(key, shown[key], None, back=True)
            for key in sorted(dropped)
            if shown.get(key) is not None and same(ours[row.run_id].get(key), shown[key])
        )
        if edits:
            yield Change(row, None, edits)
