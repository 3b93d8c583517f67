"""What a tick wrote is known again from its notes, however wide its rows are, within bounds.

Mutants: a wide row read as several rows; a mark taken at another column's place; half of a tick kept; a
note of a person that stops the reading.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runsheet import journal
from runsheet.journal import Added, Batch, Cell, Tick, Touched
from runsheet.model import Change, Edit, Foreign, Row, RowId, Scope, Stored
from runsheet.packing import TEXT_CHARS, Note
from runsheet.stored import LONG, MARK, Kept, as_is, digested
from tests.support.builders import NOW, scope

NORMAL = settings(max_examples=100, derandomize=True, deadline=None)
TICK = journal.name(NOW, "abcd")
LONG_TEXT = "y" * (LONG + 1)


def name(number: int) -> str:
    return journal.name(NOW + timedelta(minutes=number), "0000")


def row(run_id: str, *cells: Stored, where: Scope | None = None) -> Row:
    return Row(where or scope(), run_id, cells)  # type: ignore[arg-type]


def added(keys: Sequence[str], rows: Sequence[Row]) -> list[Added]:
    """Rows after their way through the book-keeping."""
    notes = journal.rows_added(TICK, keys, rows, as_is)
    assert all(len(text) <= TEXT_CHARS for _, _, text in notes)
    (tick,) = journal.parse(notes)
    return tick.rows


def changed(batch: Batch) -> list[Batch]:
    notes = journal.cells_changed(TICK, batch)
    assert all(len(text) <= TEXT_CHARS for _, _, text in notes)
    (tick,) = journal.parse(notes)
    return tick.batches


def test_a_tick_is_named_after_its_time() -> None:
    """In UTC, so that names sort; any other name is none."""
    assert journal.name(datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=9))), "12345") == (
        "20260101T180000Z-1234"
    )
    assert journal.when("20260101T180000Z-1234") == datetime(2026, 1, 1, 18, tzinfo=UTC)
    assert [journal.when(text) for text in ("", "yesterday", "20260101T180000Z")] == [None] * 3


def test_rows_are_known_by_cell() -> None:
    """Of each cell is known whether it still holds what was written."""
    one, two = added(
        ["run_id", "loss", "note"],
        [row("x", "x", 1, None), row("y", "y", 2.5, LONG_TEXT, where=scope("team/b"))],
    )
    assert (one.scope, one.run_id, two.scope, two.run_id) == (scope(), "x", scope("team/b"), "y")
    assert one.by_cell
    ours: list[tuple[str, Stored]] = [("loss", 1), ("loss", 1.0), ("note", None), ("note", "")]
    theirs: list[tuple[str, Stored]] = [("loss", 2), ("loss", "1"), ("loss", None), ("note", "x"), ("acc", 1)]
    assert [one.is_ours(key, value) for key, value in (*ours, *theirs)] == [True] * 4 + [False] * 5
    assert two.is_ours("note", LONG_TEXT)
    assert not two.is_ours("note", LONG_TEXT + "!")


@pytest.mark.parametrize("rows", [1, 20_000], ids=["by cell", "by row"])
def test_a_row_as_a_whole(rows: int) -> None:
    """Whatever is kept of a row tells whether an edit is in it; columns made since do not count."""
    (one, *_) = added(["run_id", "loss"], [row("x", "x", 1)] * rows)
    assert one.by_cell is (rows == 1)
    assert one.is_whole({"run_id": "x", "loss": 1.0, "later": "z"})
    assert not one.is_whole({"run_id": "x", "loss": 2})


BOUNDS = {"just below": (0, True), "just above": (1, False)}


@pytest.mark.parametrize(("more", "by_cell"), BOUNDS.values(), ids=BOUNDS)
def test_a_large_batch_is_known_by_its_rows(more: int, by_cell: bool) -> None:
    """Marks of cells are kept as long as all of a batch take 60,000 characters; then digests of rows."""
    rows = [row(f"id{number}", number) for number in range(journal.MARKS_CHARS // MARK + more)]
    items = added(["loss"], rows)
    assert [item.run_id for item in items] == [item.run_id for item in rows]
    assert {item.by_cell for item in items} == {by_cell}
    assert items[7].is_ours("loss", 7) is by_cell
    assert items[7].is_whole({"loss": 7})


def test_columns_come_back() -> None:
    keys = [f"config.{number}.{'k' * 200}" for number in range(500)]
    notes = journal.columns_made(TICK, keys)
    assert len(notes) > 1
    assert journal.parse(notes) == [Tick(TICK, columns=keys)]
    assert journal.columns_made(TICK, []) == []


VALUES: st.SearchStrategy[Kept] = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text(max_size=LONG)
    | st.builds(Foreign, st.text(max_size=20))
    | st.builds(digested, st.text())
)
CELLS = st.dictionaries(st.text(max_size=4), st.builds(Cell, VALUES, VALUES, st.booleans()), min_size=1)
ROWS = st.lists(
    st.tuples(st.none() | st.builds(scope, st.text()), st.text(max_size=4), st.text(max_size=4), CELLS),
    min_size=1,
    max_size=4,
)


@NORMAL
@given(ROWS, st.dictionaries(st.text(max_size=4), st.integers(0, 99)), st.sampled_from(["", "1:a"]))
def test_changed_cells_come_back(
    rows: list[tuple[Scope | None, str, str, dict[str, Cell]]], at: dict[str, int], images: str
) -> None:
    """Whose row it was, where it stood, and what each cell held before and after."""
    batch = Batch(images, at, tuple(Touched(w, r, p, n, cells) for n, (w, r, p, cells) in enumerate(rows)))
    assert changed(batch) == [batch]


def test_a_wide_row_is_one_again() -> None:
    """A row of more than a note takes several, and is one row of one batch: the images have one for it."""
    cells = {f"config.{number}": Cell("a" * LONG, "b" * LONG) for number in range(500)}
    rows = tuple(Touched(scope(), f"r{n}", "", n, cells) for n in (1, 2, 3))
    batch = Batch("1:a", {"run_id": 0}, rows)
    assert len(journal.cells_changed(TICK, batch)) > 10
    assert changed(batch) == [batch]


def test_batches_of_one_tick_stay_apart() -> None:
    """Each has its images; where there are none, each of its own."""
    one = Touched(scope(), "x", "", 1, {"loss": Cell(1, 2)})
    two = Touched(scope(), "x", "", 1, {"loss": Cell(2, 3)})
    for names in (("1:a", "2:b"), ("", "")):
        batches = [Batch(images, {}, (row,)) for images, row in zip(names, (one, two), strict=True)]
        notes = [note for batch in batches for note in journal.cells_changed(TICK, batch)]
        (tick,) = journal.parse(notes)
        assert tick.batches == batches
        assert tick.touched == [one, two]


def test_a_batch_is_what_its_changes_say() -> None:
    """Long texts are known by their digest, formulas as what they are."""
    edits = (Edit("note", LONG_TEXT, "short"), Edit("loss", 1, Foreign("=1"), back=True, image=3))
    batch = journal.batch([Change(RowId("x", "p", 4), scope(), edits)], {"loss": 2}, "1:a")
    cells = {"note": Cell(digested(LONG_TEXT), "short"), "loss": Cell(1, Foreign("=1"), back=True)}
    assert changed(batch) == [Batch("1:a", {"loss": 2}, (Touched(scope(), "x", "p", 4, cells),))]


GARBAGE = [
    "",
    "what is this?",
    "[]",
    "7",
    "null",
    '"rows"',
    "{}",
    '{"rows": {"a b c": [["x"]]}, "keys": []}',
    '{"rows": {"a b c": [["x", "m"]]}}',
    '{"rows": 7, "keys": []}',
    '{"columns": 7}',
    '{"cells": []}',
    '{"cells": [[1]], "images": "", "at": {}}',
    '{"cells": [["", "x", "", "first", {}]], "images": "", "at": {}}',
    '{"cells": [["", "x", "", 1, {"k": [[], 1, 0]}]], "images": "", "at": {}}',
    '{"cells": [], "images": "", "at": {"k": "A"}}',
]


@pytest.mark.parametrize("text", GARBAGE)
def test_what_makes_no_sense_is_passed_over(text: str) -> None:
    """A person wrote it, or a later version: the notes around it count."""
    good = journal.columns_made(TICK, ["k"])
    more = journal.columns_made(name(1), ["l"])
    ticks = journal.parse([*good, ("tick", TICK, text), ("tick", "now", text), ("tick",), (), *more])
    assert [(tick.name, tick.columns) for tick in ticks] == [(TICK, ["k"]), (name(1), ["l"])]


@pytest.mark.parametrize(
    "text",
    ['{"cells": [["", "x", "", Infinity, {}]], "images": "", "at": {}}', "[" * 30_000],
    ids=["infinite", "deep"],
)
def test_odd_json_is_passed_over(text: str) -> None:
    """No text of a note stops a tick."""
    assert journal.parse([("tick", TICK, text), *journal.columns_made(TICK, ["k"])])[0].columns == ["k"]


def filled(number: int, chars: int = 10, notes: int = 1) -> list[Note]:
    """A tick of so many notes of so many characters."""
    return [("tick", name(number), json.dumps({"columns": ["k" * chars]})) for _ in range(notes)]


NEWEST: dict[str, tuple[list[list[Note]], list[int]]] = {
    # ticks, oldest first; the numbers of those that are kept
    "few": ([filled(0), filled(1)], [0, 1]),
    "many": ([filled(number) for number in range(30)], list(range(10, 30))),
    "too long together": ([filled(number, 90_000) for number in range(6)], [3, 4, 5]),
    "a long one goes as a whole": ([filled(0), filled(1, 100_000, 3), filled(2)], [2]),
    "the last one stays, however long": ([filled(0), filled(1, 200_000, 2)], [1]),
    "none is left out between": ([filled(0), filled(1, journal.CHARS), filled(2)], [2]),
}


@pytest.mark.parametrize(("ticks", "kept"), NEWEST.values(), ids=NEWEST)
def test_newest(ticks: list[list[Note]], kept: list[int]) -> None:
    """The last ticks, each whole or not at all, in their order."""
    notes = [("column", "p", "k"), *(note for tick in ticks for note in tick), ("done", "", "")]
    assert journal.newest(notes) == [note for number in kept for note in ticks[number]]
