"""P2: a tick that is far out of the ordinary stops before it writes, and no other does.

Mutants: one row more or less; a first sync that stops; a small table that stops; `or` for `and`.
"""

from dataclasses import replace

import pytest

from runsheet import columns, safety
from runsheet.columns import Choice, Header
from runsheet.errors import ConfigError, SheetError
from runsheet.journal import Batch, Tick, Touched
from runsheet.ledger import Ledger
from runsheet.model import Column, Owned, Placed, Shape
from runsheet.strays import Strays

STOPS: dict[str, tuple[int, int, int, str]] = {
    # rows in the table, rows appended, rows changed, why it stops
    "nothing": (1_000, 0, 0, ""),
    "200 rows to a small table": (10, 200, 0, ""),
    "201 rows to a small table": (10, 201, 0, "append 201 rows to a table of 10"),
    "201 rows to none": (0, 201, 0, "append 201 rows to a table of 0"),
    "half of the table": (600, 300, 0, ""),
    "one row more than half": (600, 301, 0, "append 301 rows to a table of 600"),
    "changes in half of it": (600, 0, 300, ""),
    "changes in one row more": (600, 0, 301, "change 301 rows in a table of 600"),
    "both, each within": (600, 300, 300, ""),
    "both beyond": (500, 300, 1_300, "append 300 rows to a table of 500 and change 1,300 rows in"),
}


@pytest.mark.parametrize(("table", "appended", "updated", "text"), STOPS.values(), ids=STOPS)
def test_rows(table: int, appended: int, updated: int, text: str) -> None:
    """More than 200 rows, and more than half of the table: both have to be exceeded."""
    why = safety.stop(Ledger(complete=True), table, appended, updated, (), 9)
    assert text in why
    assert bool(why) is bool(text)


def test_as_many_live_rows_as_before_are_usual() -> None:
    """A table that follows 300 runs may have news of all of them, and of twice as many, in one tick."""
    rows = tuple(Touched(None, f"x{number}", "", number, {}) for number in range(300))
    book = Ledger(complete=True, ticks=[Tick("t", batches=[Batch("", {}, rows)])])
    assert safety.stop(book, 400, 0, 600, (), 9) == ""
    assert "change 601 rows" in safety.stop(book, 400, 0, 601, (), 9)
    assert "append 400 rows" in safety.stop(book, 400, 400, 0, (), 9)


def test_a_first_sync_has_no_usual() -> None:
    """Until it is over any number of rows passes, but vanished columns still stop."""
    assert safety.stop(Ledger(), 10, 5_000, 5_000, (), 9) == ""
    assert safety.stop(Ledger(), 10, 0, 0, ("a", "b", "c"), 2) != ""


COLUMNS: dict[str, tuple[int, int, bool]] = {
    # columns that vanished, columns that are there; does it stop?
    "two of two": (2, 0, False),
    "three of five": (3, 2, True),
    "three of six": (3, 3, False),
    "twenty of thirty-nine": (20, 19, True),
    "twenty of forty": (20, 20, False),
}


@pytest.mark.parametrize(("gone", "kept", "stops"), COLUMNS.values(), ids=COLUMNS)
def test_columns(gone: int, kept: int, stops: bool) -> None:
    """More than two, and more than are left, at once; the first ten are named."""
    why = safety.stop(Ledger(complete=True), 9, 0, 0, [f"key{number:02}" for number in range(gone)], kept)
    assert bool(why) is stops
    if stops:
        assert f"{gone} of our {gone + kept} columns are gone (key00, key01, key02" in why
        assert ("…" in why) is (gone > 10)


RENAMED: dict[str, tuple[int, int, bool]] = {
    # columns with a title that is not known, columns that are there; does it stop?
    "none": (0, 9, False),
    "two of two": (2, 2, False),
    "three of five": (3, 5, True),
    "three of six": (3, 6, False),
    "all of twelve": (12, 12, True),
}


@pytest.mark.parametrize("complete", [True, False], ids=["", "first sync"])
@pytest.mark.parametrize(("other", "kept", "stops"), RENAMED.values(), ids=RENAMED)
def test_renamed(other: int, kept: int, stops: bool, complete: bool) -> None:
    """More than two, and more than half, at once: then row 1 may be no header; some are named."""
    titles = [f"title {number}" for number in range(other)]
    why = safety.stop(Ledger(complete=complete), 9, 0, 0, (), kept, titles)
    assert bool(why) is stops
    if stops:
        assert f"other headers for {other} of our {kept} columns ('title 0', 'title 1', 'title 2'" in why


def shape(*titles: str, run_id: bool = True) -> Shape:
    """Columns of ours that show these titles."""
    keys = ["run_id" if run_id else "name", *(f"k{number}" for number in range(1, len(titles)))]
    owned = tuple(Owned(key, index, titles[index]) for index, key in enumerate(keys[: len(titles)]))
    return Shape(True, False, titles, owned)


ADOPTED = (Placed(Column("run_id", "ID", "run_id"), 0),)
REFUSED: dict[str, tuple[Shape, tuple[Placed, ...], str]] = {
    "whole": (shape("run_id", "a"), (), ""),
    "empty": (Shape(False, True), (), ""),
    "adopted": (Shape(True, False, ("ID",)), ADOPTED, ""),
    "half of the headers": (shape("run_id", "", "c", " "), (), ""),
    "less than half": (shape("run_id", "", "c", "", " "), (), "only 2 of our 5 headers"),
    "no header": (shape("", " "), (), "none of our headers"),
    "no run ids": (shape("name", "a", run_id=False), (), "run_id column of the worksheet is gone"),
    "run ids found again": (shape("name", "a", run_id=False), ADOPTED, ""),
    "other data": (Shape(True, False, ("budget",)), (), "holds other data"),
}


@pytest.mark.parametrize(("there", "adopted", "text"), REFUSED.values(), ids=REFUSED)
def test_check(there: Shape, adopted: tuple[Placed, ...], text: str) -> None:
    """A worksheet that is not ours, or not whole, is refused with what to do about it."""
    if not text:
        assert safety.check(there, adopted) is None  # type: ignore[func-returns-value]
        return
    with pytest.raises(SheetError, match=text) as caught:
        safety.check(there, adopted)
    assert "Nothing was written" in str(caught.value)


COMPARISON = Owned(columns.COMPARED, 1, "Best in")
KINDS: dict[str, tuple[Shape, bool, str]] = {
    # what is there, whether a comparison would come, why it may not
    "runs into runs": (shape("run_id", "a"), False, ""),
    "a comparison into runs": (shape("run_id", "a"), True, "--worksheet"),
    "runs into a comparison": (
        Shape(True, False, owned=(*shape("run_id").owned, COMPARISON)),
        False,
        "WORKSHEET",
    ),
    "runs where that column was": (
        replace(shape("run_id"), made=frozenset({columns.fingerprint(columns.COMPARED)})),
        False,
        "WORKSHEET",
    ),
    "a comparison into its own": (Shape(True, False, owned=(*shape("run_id").owned, COMPARISON)), True, ""),
    "a comparison into an empty one": (Shape(True, True), True, ""),
    "a comparison into a person's": (Shape(True, False, ("Run",)), True, ""),
    "runs where nothing is left": (Shape(True, False, owned=(COMPARISON,), hollow=True), False, ""),
}


@pytest.mark.parametrize(("there", "compared", "text"), KINDS.values(), ids=KINDS)
def test_check_kind(there: Shape, compared: bool, text: str) -> None:
    """Runs and comparisons never share a worksheet."""
    choice = Choice((Header("run_id"), *([Header(columns.COMPARED)] if compared else [])))
    if not text:
        assert safety.check_kind(there, choice) is None  # type: ignore[func-returns-value]
        return
    with pytest.raises(ConfigError, match=text) as caught:
        safety.check_kind(there, choice)
    assert "Nothing was written" in str(caught.value)


MOVED = (Owned("run_id", 0, "run_id"), Owned("loss", 1, ""))
IDS: dict[str, tuple[Shape, bool]] = {
    "whole": (shape("run_id", "k1"), True),
    "another header is blank": (shape("run_id", ""), True),
    "not ours": (Shape(True, False, ("budget",)), True),
    "its header is blank": (shape("", "k1"), False),
    "run_id was deleted": (shape("name", "k1", run_id=False), False),
    "run_id was cut and pasted": (Shape(True, False, ("", "loss", "run_id"), (MOVED[1],)), False),
    "a column was cut and pasted": (Shape(True, False, ("run_id", "", "loss"), MOVED), False),
}


@pytest.mark.parametrize(("there", "whole"), IDS.values(), ids=IDS)
def test_check_ids(there: Shape, whole: bool) -> None:
    """undo and forget wait for the sync where columns of ours stand elsewhere than their marks."""
    strays = Strays(there, Choice(()), {})
    if whole:
        assert safety.check_ids(there, strays) is None  # type: ignore[func-returns-value]
        return
    with pytest.raises(SheetError, match="let the sync run first"):
        safety.check_ids(there, strays)
