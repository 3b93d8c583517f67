"""What fits into a spreadsheet is known before anything is written."""

from dataclasses import replace

import pytest

from runsheet.destinations.gsheet import size
from runsheet.destinations.gsheet.standing import Standing
from runsheet.errors import SheetError
from runsheet.model import Column, Content, Plan, Row, Scope, Shape

COLUMNS = tuple(Column(f"key{n}", f"key{n}", "") for n in range(20_000))


def plan(rows: int, new: int, *, empty: bool = False, after: int = 0) -> Plan:
    added = tuple(Row(Scope("wandb", "", "p"), f"r{n}", ()) for n in range(rows))
    shape = Shape(not empty, empty)
    return Plan(shape, Content(), columns=COLUMNS[:new], new=COLUMNS[:new], rows=added, after=after)


@pytest.mark.parametrize(
    ("new", "there", "width"),
    [(4, 0, 26), (21, 0, 26), (22, 0, 27), (300, 0, 305), (4, 40, 40), (18_276, 0, 18_278)],
)
def test_a_new_tab_gets_a_few_columns_more(new: int, there: int, width: int) -> None:
    now = Standing("runs", tab=1, rows=1, columns=there) if there else Standing("runs")
    assert size.fit(plan(3, new, empty=True), now, 0).width == width


def test_a_new_tab_is_as_wide_as_there_is_room() -> None:
    """104 rows, and five notes at most."""
    elsewhere = size.CELLS - 104 * 10 - 5
    assert size.fit(plan(3, 4, empty=True), Standing("runs"), elsewhere).width == 10
    assert size.fit(plan(3, 10, empty=True), Standing("runs"), elsewhere).width == 10
    with pytest.raises(SheetError, match="3 new rows of 11 columns do not fit"):
        size.fit(plan(3, 11, empty=True), Standing("runs"), elsewhere)


@pytest.mark.parametrize(
    ("rows", "columns", "after", "used", "more"),
    [
        (200, 10, 50, 8, 0),
        (200, 10, 198, 8, 0),
        (200, 10, 199, 8, 12),
        (200, 10, 50, 10, 203),
    ],
    ids=["inside", "above the last row", "at the last row", "at the last column"],
)
def test_the_edge_of_the_grid_takes_one_more(
    rows: int, columns: int, after: int, used: int, more: int
) -> None:
    """The cells that a plan of 3 rows and 2 columns needs, to the last one."""
    now = Standing("runs", tab=1, rows=rows, columns=columns, used=used)
    full = size.CELLS - (rows + 3) * (columns + 2) - more - 5
    assert size.fit(plan(3, 2, after=after), now, full)
    with pytest.raises(SheetError, match="do not fit"):
        size.fit(plan(3, 2, after=after), now, full + 1)


def test_the_numbers_are_said() -> None:
    now = Standing("runs", tab=1, rows=100_000, columns=20, used=20)
    with pytest.raises(SheetError, match="has 9,999,000 now, 7,999,000 of them in other tabs") as caught:
        size.fit(plan(2_000, 0, after=10), now, 7_999_000)
    assert "MAX_COLUMNS" in str(caught.value)
    assert "Nothing was written" in str(caught.value)


@pytest.mark.parametrize(("elsewhere", "percent"), [(7_999_938, 0), (7_999_940, 80), (9_900_000, 99)])
def test_what_comes_near_is_said(elsewhere: int, percent: int) -> None:
    now = Standing("runs", tab=1, rows=10, columns=5, used=5)
    remarks = size.fit(plan(2, 0, after=4), now, elsewhere).remarks
    assert [f"({percent} %)" in remark for remark in remarks] == [True] * bool(percent)


def test_what_makes_a_spreadsheet_larger() -> None:
    """Only then the other tabs are asked for: a plan of nothing but changes asks nothing."""
    there = Standing("runs", tab=1, rows=10, columns=5, used=5)
    assert size.grows(plan(1, 0), there)
    assert size.grows(plan(0, 1), there)
    assert size.grows(plan(0, 0, empty=True), Standing("runs"))
    assert not size.grows(plan(0, 0), there)


@pytest.mark.parametrize(("elsewhere", "is_near"), [(7_999_939, False), (7_999_940, True), (9_999_999, True)])
def test_a_guess_does_near_nothing(elsewhere: int, is_near: bool) -> None:
    """From where people are told, the other tabs are looked at anew."""
    now = Standing("runs", tab=1, rows=10, columns=5, used=5)
    assert size.near(plan(2, 0, after=4), now, elsewhere) is is_near


def test_a_plan_of_watermarks_writes_no_note() -> None:
    marks_only = Plan(Shape(True, False), Content(), watermarks=("noon",))
    assert size.only_marks(marks_only)
    assert not size.only_marks(replace(marks_only, closing=(("done", "", ""),)))
    assert not size.only_marks(replace(marks_only, shape=Shape(True, False, moved=True)))
    assert not size.only_marks(plan(1, 0))


def test_a_tab_has_so_many_columns() -> None:
    now = Standing("runs", tab=1, rows=10, columns=18_276, used=18_000)
    assert size.fit(plan(1, 2), now, 0)
    with pytest.raises(SheetError, match="2 new columns do not fit: a tab holds 18,278"):
        size.fit(plan(1, 2), Standing("runs", tab=1, rows=10, columns=18_277, used=5), 0)
