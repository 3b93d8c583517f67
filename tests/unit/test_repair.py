"""P2: what a person did in the very second of a write is put right, wherever their row went.

Mutants: rows that were sorted taken for edits; an edit since put back over; the column's place ignored;
images of another batch compared.
"""

from collections.abc import Mapping
from typing import Any

import pytest

from runsheet import repair
from runsheet.journal import Batch, Cell, Touched
from runsheet.model import Cells, Foreign, RowId, Stored
from runsheet.repair import Found, Repair
from tests.support.builders import scope

AT = {"run_id": 0, "loss": 2, "note": 5}
X, Y = (scope(), "x"), (scope(), "y")


def touched(run_id: str, index: int, old: Stored = 1, new: Stored = 2, **more: Any) -> Touched:
    """A row whose loss was changed."""
    return Touched(more.pop("scope", scope()), run_id, "", index, {"loss": Cell(old, new, **more)})


def image(run_id: Stored, loss: Stored) -> dict[int, Stored]:
    return {0: run_id, 2: loss}


def row(run_id: Stored, loss: Stored) -> dict[str, Stored]:
    return {"run_id": run_id, "loss": loss}


def read(
    rows: list[Touched], images: list[dict[int, Stored]] | None, now: Mapping[int, Mapping[str, Stored]]
) -> Repair:
    return repair.read(Batch("i", AT, tuple(rows)), Cells(now, None if images is None else tuple(images)))


REPAIRS: dict[str, tuple[list[Touched], list[dict[int, Stored]] | None, dict[int, Any], Repair]] = {
    # rows of the batch, their images, the rows as they are now
    "nobody was there": ([touched("x", 1)], [image("x", 1)], {1: row("x", 2)}, Repair()),
    "an edit": (
        [touched("x", 1)],
        [image("x", "mine")],
        {1: row("x", 2)},
        Repair({1: {"loss": Found(2, "mine", 0)}}),
    ),
    "a formula": (
        [touched("x", 1)],
        [image("x", Foreign("=1"))],
        {1: row("x", 2)},
        Repair({1: {"loss": Found(2, Foreign("=1"), 0)}}),
    ),
    "a cell that was emptied": (
        [touched("x", 1)],
        [image("x", None)],
        {1: row("x", 2)},
        Repair({1: {"loss": Found(2, None, 0)}}),
    ),
    "an edit, and another since": ([touched("x", 1)], [image("x", "mine")], {1: row("x", "more")}, Repair()),
    "an edit to what we wrote": ([touched("x", 1)], [image("x", 2)], {1: row("x", 2)}, Repair()),
    "an edit in the second of two rows": (
        [touched("x", 1), touched("y", 2)],
        [image("x", 1), image("y", "mine")],
        {1: row("x", 2), 2: row("y", 2)},
        Repair({2: {"loss": Found(2, "mine", 1)}}),
    ),
    "an edit, then the row was dragged": (
        [touched("x", 1)],
        [image("x", "mine")],
        {1: row("z", 8), 7: row("x", 2)},
        Repair({7: {"loss": Found(2, "mine", 0)}}),
    ),
    "sorted before the write: another's row was hit": (
        [touched("x", 1)],
        [image("z", 8)],
        {1: row("z", 2)},
        Repair({1: {"loss": Found(2, 8, 0)}}, {X: {"loss": 1}}),
    ),
    "sorted before the write, and again after": (
        [touched("x", 1)],
        [image("z", 8)],
        {1: row("x", 1), 4: row("z", 2)},
        Repair({4: {"loss": Found(2, 8, 0)}}, {X: {"loss": 1}}),
    ),
    "two live rows swapped": (
        [touched("x", 1, 1, 2), touched("y", 2, 10, 20)],
        [image("y", 10), image("x", 1)],
        {1: row("y", 2), 2: row("x", 20)},
        Repair(
            {1: {"loss": Found(2, 10, 0)}, 2: {"loss": Found(20, 1, 1)}}, {X: {"loss": 1}, Y: {"loss": 10}}
        ),
    ),
    "a blank row was dragged there": (
        [touched("x", 1)],
        [image(None, None)],
        {1: row(None, 2)},
        Repair({1: {"loss": Found(2, None, 0)}}, {X: {"loss": 1}}),
    ),
    "a blank row that is filled now": (
        [touched("x", 1)],
        [image(None, None)],
        {1: row("new", 2)},
        Repair({}, {X: {"loss": 1}}, lost=1),
    ),
    "the row that was hit is gone": (
        [touched("x", 1)],
        [image("z", 8)],
        {1: row("x", 1)},
        Repair({}, {X: {"loss": 1}}, lost=1),
    ),
    "the edited row is gone": ([touched("x", 1)], [image("x", "mine")], {1: row("z", 3)}, Repair(lost=1)),
    "an id of digits": ([touched("17", 1)], [image(17.0, 1)], {1: row(17.0, 2)}, Repair()),
    "an id of digits, edited": (
        [touched("17", 1)],
        [image(17.0, "mine")],
        {1: row(17.0, 2)},
        Repair({1: {"loss": Found(2, "mine", 0)}}),
    ),
    "a row of no run was hit by a repair": (
        [touched("z", 1, 8, 2, scope=None, back=True)],
        [image("x", 3)],
        {1: row("x", 2)},
        Repair({1: {"loss": Found(2, 3, 0)}}),
    ),
    "what was put back is no base": (
        [touched("x", 1, 1, 2, back=True)],
        [image("z", 8)],
        {1: row("z", 2)},
        Repair({1: {"loss": Found(2, 8, 0)}}, {X: {}}),
    ),
    "no images": ([touched("x", 1)], None, {1: row("x", 2)}, Repair()),
    "too few images": (
        [touched("x", 1), touched("y", 2)],
        [image("x", "mine")],
        {1: row("x", 2), 2: row("y", 2)},
        Repair(),
    ),
}


@pytest.mark.parametrize(("rows", "images", "now", "expected"), REPAIRS.values(), ids=REPAIRS)
def test_read(
    rows: list[Touched], images: list[dict[int, Stored]] | None, now: dict[int, Any], expected: Repair
) -> None:
    """An edited cell gets its edit back; a row that was hit instead of ours gets what it held, and the
    base of ours is what it was. Nothing is put back over what people did since."""
    assert read(rows, images, now) == expected


NEW = Touched(scope(), "x", "", 1, {"acc": Cell(None, 0.5)})


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (image("x", 1), Repair()),
        (image("z", 8), Repair({1: {"acc": Found(0.5, None, 0)}}, {X: {"acc": None}})),
    ],
    ids=["nobody was there", "another's row was hit"],
)
def test_a_column_that_the_batch_made_was_blank(shown: dict[int, Stored], expected: Repair) -> None:
    """It has no image: nothing of a person was in it, and in another's row it is blank again."""
    now = {1: {"run_id": shown[0], "acc": 0.5}}
    assert read([NEW], [shown], now) == expected


def test_a_column_that_is_gone_by_now() -> None:
    """An edit of a cell that was emptied in that second went with its column: nothing can be put back."""
    mend = read([touched("x", 1, 1, None)], [image("x", "mine")], {1: {"run_id": "x"}})
    assert mend.back == {}


PROJECTS = Batch("i", {"run_id": 0, "project": 1, "loss": 2}, ())


def test_rows_of_one_id_are_told_apart_by_their_projects() -> None:
    """Rows of two projects swapped: the ids are the same, the rows are not."""
    rows = tuple(Touched(scope(f"t/{p}"), "x", p, n, {"loss": Cell(n, n + 5)}) for n, p in enumerate("ab", 1))
    images = ({0: "x", 1: "b", 2: 2}, {0: "x", 1: "a", 2: 1})
    now = {n: {"run_id": "x", "project": p, "loss": n + 5} for n, p in ((1, "b"), (2, "a"))}
    mend = repair.read(Batch("i", PROJECTS.at, rows), Cells(now, images))
    assert mend.back == {1: {"loss": Found(6, 2, 0)}, 2: {"loss": Found(7, 1, 1)}}
    assert mend.base == {(scope("t/a"), "x"): {"loss": 1}, (scope("t/b"), "x"): {"loss": 2}}


INTACT: dict[str, tuple[list[dict[int, Stored]], bool]] = {
    "as read": ([image("x", 1), image("17", 1.0)], True),
    "rounded, an id of digits": ([image("x", 1 + 1e-15), image(17.0, 1)], True),
    "an edit": ([image("x", 1), image("17", 3)], False),
    "another row": ([image("x", 1), image("18", 1)], False),
    "one is missing": ([image("x", 1)], False),
}


@pytest.mark.parametrize(("images", "yes"), INTACT.values(), ids=INTACT)
def test_intact(images: list[dict[int, Stored]], yes: bool) -> None:
    """Nobody was at work when every row was the run's, and every cell held what was read."""
    assert repair.intact(Batch("i", AT, (touched("x", 1), touched("17", 2))), images) is yes


def test_a_column_that_the_batch_made_says_nothing() -> None:
    """A key without a place stands nowhere in the images."""
    assert repair.intact(Batch("i", AT, (NEW,)), [image("x", 1)])


MOVED: dict[str, tuple[list[dict[int, Stored]] | None, list[int]]] = {
    "nobody was there": ([image("x", 1)], []),
    "another's row was hit": ([image("z", 8)], [4]),
    "copied: both are looked at": ([image("c", 8)], [5, 6]),
    "a blank row": ([image(None, None)], []),
    "an id that is gone": ([image("gone", 1)], []),
    "no images": (None, []),
}


@pytest.mark.parametrize(("images", "more"), MOVED.values(), ids=MOVED)
def test_moved(images: list[dict[int, Stored]] | None, more: list[int]) -> None:
    """Rows that stood where the batch wrote are looked at where they stand by now, if they were not yet."""
    ids = {1: "x", 4: "z", 5: "c", 6: "c"}
    rows = [RowId(run_id, "", index) for index, run_id in ids.items()]
    cells = Cells({1: row("x", 2)}, None if images is None else tuple(images))
    found = repair.moved(Batch("i", AT, (touched("x", 1),)), cells, rows)
    assert [item.index for item in found] == more


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, ""), ("x", "x"), (" x ", "x"), (17.0, "17"), (17, "17"), (1.5, "1.5"), (1e20, str(10**20))],
    ids=repr,
)
def test_text(value: Stored, shown: str) -> None:
    """An id that a sheet took for a number is read as it was written."""
    assert repair.text(value) == shown
