"""P2: what was written into a column that a person replaced in that second goes, and nothing else.

Mutants: a column in which something else stands given up; values of people taken out; a row of another
batch looked at.
"""

import pytest

from runsheet import withdraw
from runsheet.destinations.base import Overtaken
from runsheet.model import Cells, Change, Content, Edit, Owned, Row, RowId, Shape, Stored
from runsheet.stored import as_is
from tests.support.builders import scope

SHAPE = Shape(True, False, ("ID", "mine"), (Owned("run_id", 0, "ID"), Owned("loss", 1, "mine")))
ROWS = (Row(scope(), "x", ("x", 1)), Row(scope(), "y", ("y", 2)))
PLACES = (RowId("old", "", 1), RowId("x", "", 2), RowId("y", "", 3))
OVERTAKEN = Overtaken("headers went", frozenset({"loss", "gone"}), ROWS, ("run_id", "loss"))


def cells(**loss: Stored) -> Cells:
    """The rows of the batch, with what they show under `loss`."""
    return Cells({row.index: {"run_id": row.run_id, "loss": loss.get(row.run_id)} for row in PLACES[1:]})


def test_the_columns_in_question_are_read_as_blank() -> None:
    """`content` tells what is in a column without a header; other columns stay as they are."""
    shape = withdraw.questioned(SHAPE, OVERTAKEN.keys)
    assert [(item.key, item.title) for item in shape.owned] == [("run_id", "ID"), ("loss", "")]


def test_only_rows_of_the_batch() -> None:
    assert withdraw.rows(OVERTAKEN, Content(PLACES)) == PLACES[1:]


NO_HEADER = withdraw.questioned(SHAPE, {"run_id", "loss"})

CASES: dict[str, tuple[Shape, set[int], set[int], dict[str, Stored], bool, list[tuple[str, Stored]]]] = {
    # the shape, rows in which run_id holds something, those in which loss does, what ours show there;
    # is it given up, which cells are emptied?
    "replaced": (SHAPE, {1, 2, 3}, {2, 3}, {"x": 1, "y": 2}, True, [("x", 1), ("y", 2)]),
    "a person typed over one": (SHAPE, {1, 2, 3}, {2, 3}, {"x": "mine", "y": 2}, True, [("y", 2)]),
    "a person typed above": (SHAPE, {1, 2, 3}, {1, 2, 3}, {"x": 1, "y": 2}, False, []),
    "a total below": (SHAPE, {1, 2, 3}, {2, 3, 9}, {"x": 1, "y": 2}, False, []),
    "nothing of it arrived": (SHAPE, {1, 2, 3}, set(), {}, True, []),
    "sorted meanwhile": (SHAPE, {1, 2, 3}, {2, 3}, {"x": 2, "y": 1}, True, []),
    "renamed, and no other row": (SHAPE, {2, 3}, {2, 3}, {"x": 1, "y": 2}, False, []),
    "the worksheet was cleared": (NO_HEADER, {2, 3}, {2, 3}, {"x": 1, "y": 2}, True, [("x", 1), ("y", 2)]),
}


@pytest.mark.parametrize(("shape", "ids", "filled", "shown", "dropped", "emptied"), CASES.values(), ids=CASES)
def test_build(
    shape: Shape,
    ids: set[int],
    filled: set[int],
    shown: dict[str, Stored],
    dropped: bool,
    emptied: list[tuple[str, Stored]],
) -> None:
    """A column with nothing but the batch's own values is not ours any more, and they go; what somebody
    typed stays, and so does a column in which other rows are filled, or which may have been renamed."""
    content = Content(PLACES, (), {"run_id": frozenset(ids), "loss": frozenset(filled)})
    plan = withdraw.build(shape, content, cells(**shown), OVERTAKEN, as_is, "tick")
    assert plan.dropped == (frozenset({"loss"}) if dropped else frozenset())
    places = {row.run_id: row for row in PLACES}
    assert plan.changes == tuple(
        Change(places[run_id], None, (Edit("loss", value, None, back=True),)) for run_id, value in emptied
    )
    assert (plan.rows, plan.new, plan.tick) == ((), (), "tick")
