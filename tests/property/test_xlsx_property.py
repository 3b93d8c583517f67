"""Rows go into workbooks as people make them, and nothing else in them changes (P2, P5)."""

import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from runsheet import cells
from runsheet.destinations.xlsx.cell_xml import unescaped
from runsheet.model import Cell, Change, Edit, Plan, Row, Scope, Stored
from tests.support.workbooks import append, column, frame_of, opened, raw_members, rich, shapes

MAY_CHANGE = {
    "[Content_Types].xml",
    "xl/workbook.xml",
    "xl/_rels/workbook.xml.rels",
    "xl/worksheets/sheet1.xml",
    "xl/styles.xml",
    "xl/tables/table1.xml",
}

texts = (
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).map(cells.text).filter(bool)
)
moments = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)).map(
    lambda moment: moment.replace(microsecond=0, tzinfo=cells.UTC)
)
# The fourth column shows dates: a bare number in it would read as one.
values = st.one_of(
    st.none(),
    texts,
    st.sampled_from(["=1+1", "_x0041_", " a ", "a\nb", "]]>", "_x005F_", "x_x0041_y"]),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    moments,
)
books = st.fixed_dictionaries(
    {
        "rows": st.integers(1, 5),
        "table": st.booleans(),
        "totals": st.integers(0, 4),
        "empty_styled": st.integers(0, 3),
        "shift": st.integers(0, 2),
    }
)


@settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
@given(
    book=books,
    new=st.booleans(),
    added=st.lists(st.tuples(values, values, moments | texts, values), max_size=4),
)
def test_nothing_but_our_cells_changes(
    book: dict[str, int], new: bool, added: list[tuple[Cell, Cell, Cell, Cell]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = rich(Path(folder) / "runs.xlsx", **book)
        old_members, old_cells, old_frame = raw_members(path), shapes(path), frame_of(path)
        rows = [(f"new{count}", *row, *["extra"] * new) for count, row in enumerate(added)]
        append(opened(path), rows, adopt=True, new=("extra",) if new else ())
        new_members, new_cells = raw_members(path), shapes(path)

        same = set(old_members) - MAY_CHANGE
        assert {name: new_members[name] for name in same} == {name: old_members[name] for name in same}
        assert [name for name in new_members if name in old_members] == list(old_members)
        assert frame_of(path) == old_frame
        for place, cell in old_cells.items():
            if cell[0] is not None:
                assert new_cells[place] == cell

        left, first = 1 + book["shift"], _first(book)
        expected = {
            ("runs", first + number, left + index): value
            for number, row in enumerate(rows)
            for index, value in enumerate(row)
            if value is not None
        }
        if new:
            expected["runs", 1, left + 5] = "extra"
        found = {
            place: _plain(unescaped(cell[0]) if isinstance(cell[0], str) else cell[0])
            for place, cell in new_cells.items()
            if place[0] == "runs" and cell[0] is not None and (place not in old_cells or place in expected)
        }
        assert found == {place: _plain(value) for place, value in expected.items()}


def _first(book: dict[str, int]) -> int:
    """The row that rows go to, counted from 1: below everything."""
    return max(book["rows"] + 1, book["rows"] + 1 + book["totals"] if book["totals"] else 0) + 1


def _plain(value: object) -> object:
    """With its type, as both sides can say it: openpyxl has dates without zones, and reads what
    looks like a whole number as int."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float, float(value)
    return type(value), value


stored = st.one_of(
    st.none(),
    texts,
    st.sampled_from(["=1+1", "_x0041_", " a ", "a\nb", "]]>"]),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
)


@settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
@given(
    book=books,
    wanted=st.dictionaries(st.tuples(st.integers(0, 4), st.sampled_from(["Name", "lr", "extra"])), stored),
    row=st.none() | values,
)
def test_nothing_but_the_named_cells_changes(
    book: dict[str, int], wanted: dict[tuple[int, str], Stored], row: Cell
) -> None:
    """Changes, a row and a column in one save; each cell keeps its look."""
    with tempfile.TemporaryDirectory() as folder:
        path = rich(Path(folder) / "runs.xlsx", **book)
        append(opened(path), [], adopt=True)
        old_members, old_cells, old_frame = raw_members(path), shapes(path), frame_of(path)
        decided = _plan(path, wanted, row)
        if not decided.nothing:
            list(opened(path).apply(decided))
        new_members, new_cells = raw_members(path), shapes(path)

        same_parts = set(old_members) - MAY_CHANGE - {"xl/worksheets/runsheet.xml"}
        assert all(new_members[name] == old_members[name] for name in same_parts)
        assert frame_of(path) == old_frame
        left = 1 + book["shift"]
        at = {"Name": left + 1, "lr": left + 2, "extra": left + 5}
        expected = {place: cell for place, cell in old_cells.items() if place[0] != "_runsheet"}
        for change in decided.changes:
            for edit in change.cells:
                place = ("runs", change.row.index + 1, at[edit.key])
                _, look, note = old_cells.get(place, (None, PLAIN, None))
                expected[place] = (edit.after, look, note)
        if decided.new:
            expected["runs", 1, left + 5] = ("extra", old_cells["runs", 1, left][1], None)
        for index, value in enumerate(["new", row] if row is not None else []):
            expected["runs", _first(book), left + index] = (value, PLAIN, None)
        found = {
            place: (unescaped(cell[0]) if isinstance(cell[0], str) else cell[0], *cell[1:])
            for place, cell in new_cells.items()
            if place[0] != "_runsheet"
        }
        assert _seen(found, _first(book)) == _seen(expected, _first(book))


PLAIN = ("General", False, "00000000")


def _plan(path: Path, wanted: dict[tuple[int, str], Stored], row: Cell) -> Plan:
    """The cells wanted, as far as there are such rows; `row` is the name in a new one, if any."""
    destination = opened(path)
    shape = destination.read()
    content = destination.content(shape)
    there = destination.cells(shape, content, content.rows).rows
    changes = tuple(
        Change(
            found,
            None,
            tuple(
                Edit(key, there[found.index].get(key), after)
                for (number, key), after in wanted.items()
                if number == count
            ),
        )
        for count, found in enumerate(content.rows)
    )
    changes = tuple(change for change in changes if change.cells)
    new = (column("extra"),) if any(edit.key == "extra" for item in changes for edit in item.cells) else ()
    columns = (*(column(item.key) for item in shape.owned), *new)
    cells_of = ("new", row, *[None] * (len(columns) - 2))
    rows = (Row(Scope("wandb", "h", "p"), "new", cells_of),) if row is not None else ()
    last = max(item.index for item in content.rows)
    return Plan(shape, content, columns, shape.owned, new=new, rows=rows, after=last, changes=changes)


def _seen(cells: dict[tuple[str, int, int], tuple[Any, ...]], new_row: int) -> dict[Any, Any]:
    """What a person sees, with its type. How a cell of a new row looks is another test's; a cell that
    holds nothing and looks like nothing is not there."""
    return {
        place: (_plain(value), place[1] != new_row and look, note)
        for place, (value, look, note) in cells.items()
        if value is not None or note or (look != PLAIN and place[1] != new_row)
    }
