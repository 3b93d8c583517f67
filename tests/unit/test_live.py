"""P2: rows follow their runs until those settle, cell by cell, and never over an edit.

Mutants: a run without news is looked at; an edited cell gives the row's digest away; a resumed run
takes what stands there for its own, or what it was appended with for what it holds.
"""

from typing import Any

import pytest

from runsheet import journal, ledger, live
from runsheet.journal import Batch, Cell, Touched
from runsheet.ledger import Ledger
from runsheet.live import STAMP, Follower, Outcome, stamp
from runsheet.model import Column, Foreign, Row, Stored
from runsheet.packing import Note
from runsheet.stored import CHANGED, LONG, as_is, same
from tests.support.builders import NOW, run, scope

TICK, NEXT = journal.name(NOW, "0000"), journal.name(NOW, "0001")
COLUMNS = [Column(key, key, key, date=key == "created") for key in ("run_id", "loss", "note", "created")]
WROTE: dict[str, Stored] = {"run_id": "x", "loss": 1, "note": "a", "created": 5}


def follower(settled: bool = False, how: str = "stamp1", **wanted: Stored) -> Follower:
    """The run x, that says what was written but for `wanted`."""
    return Follower(scope(), "x", settled, how, WROTE | wanted)


def shown(**cells: Stored) -> dict[str, Stored]:
    """A row as it was written, but for what people made of it."""
    return WROTE | cells


def known(end: str = "") -> list[Note]:
    return ledger.added([(scope(), "x", end)])


def going(**wrote: Stored) -> Ledger:
    """Book-keeping of a run that is live."""
    cells = {key: value for key, value in (WROTE | wrote).items() if value is not None}
    return ledger.parse([*known(), *ledger.live([(scope(), "x", cells)])])


def ended(how: str = "stamp1", **wrote: Stored) -> Ledger:
    """Book-keeping of a run that settled so long ago that only its row's digest is left."""
    return ledger.parse(known(live.end(follower(True, how, **wrote), COLUMNS)))


def appended(book: list[Note]) -> Ledger:
    """The same, with the journal of the tick that appended the row."""
    row = Row(scope(), "x", tuple(WROTE[column.key] for column in COLUMNS))  # type: ignore[misc]
    return ledger.parse([*journal.rows_added(TICK, list(WROTE), [row], as_is), *book])


def later(book: list[Note], loss: Stored) -> Ledger:
    """The same, with the journal of a tick that changed a cell since."""
    row = Row(scope(), "x", tuple(WROTE[column.key] for column in COLUMNS))  # type: ignore[misc]
    change = Touched(scope(), "x", "", 1, {"loss": Cell(1, loss), "note": Cell("mine", "a", back=True)})
    changed = journal.cells_changed(NEXT, Batch("", {}, (change,)))
    return ledger.parse([*journal.rows_added(TICK, list(WROTE), [row], as_is), *changed, *book])


def follow(one: Follower, cells: dict[str, Stored], book: Ledger) -> Outcome:
    return live.follow(one, cells, book, COLUMNS)


def edits(outcome: Outcome) -> dict[str, Stored]:
    return {edit.key: edit.after for edit in outcome.edits}


@pytest.mark.parametrize(
    "changes",
    [{"state": "running"}, {"heartbeat": NOW}, {"heartbeat": None}],
    ids=lambda changes: next(iter(changes)),
)
def test_a_stamp_tells_how_a_run_stands(changes: dict[str, Any]) -> None:
    """A run that goes on has another; its name or values do not count."""
    assert stamp(run(1, **changes)) != stamp(run(1))
    assert stamp(run(1, name="another", summary={})) == stamp(run(1))
    assert len(stamp(run("\ud83d", **changes))) == STAMP


LONG_TEXT = "y" * (LONG + 1)
DUE: dict[str, tuple[Follower, Ledger, bool]] = {
    "without a row": (follower(), Ledger(), False),
    "known, from a table that was not live": (follower(), ledger.parse(known()), False),
    "nothing new": (follower(), going(), False),
    "a new value": (follower(loss=2), going(), True),
    "a new key": (follower(acc=0.5), going(), True),
    "a value that is gone": (follower(note=None), going(), True),
    "still without a value": (follower(note=None), going(note=None), False),
    "a long text as before": (follower(note=LONG_TEXT), going(note=LONG_TEXT), False),
    "settled, nothing new": (follower(True), going(), True),
    "settled as it was": (follower(True), ended(), False),
    "settled, another stamp": (follower(True, "stamp2"), ended(), True),
    "goes on": (follower(False), ended(), True),
}


@pytest.mark.parametrize(("one", "book", "due"), DUE.values(), ids=DUE)
def test_is_due(one: Follower, book: Ledger, due: bool) -> None:
    """A row is read only if its run has something to say: news, its end, or that it goes on."""
    assert live.is_due(one, book) is due


FOLLOWED: dict[str, tuple[dict[str, Stored], dict[str, Stored], dict[str, Stored], int]] = {
    # what the run says, what people made of the row, the cells that are changed, those kept
    "news": ({"loss": 2}, {}, {"loss": 2}, 0),
    "an edit elsewhere": ({"loss": 2}, {"note": "mine"}, {"loss": 2}, 1),
    "an edit there": ({"loss": 2}, {"loss": 7}, {}, 1),
    "an edit to what the run says": ({"loss": 2}, {"loss": 2}, {}, 0),
    "a formula": ({"loss": 2}, {"loss": Foreign("=1")}, {}, 1),
    "a cell that was emptied": ({"loss": 2}, {"loss": None}, {}, 1),
    "a new column": ({"acc": 0.5}, {}, {"acc": 0.5}, 0),
    "a value that is gone": ({"note": None}, {}, {"note": None}, 0),
}


@pytest.mark.parametrize(("says", "people", "changed", "kept"), FOLLOWED.values(), ids=FOLLOWED)
def test_follow(
    says: dict[str, Stored], people: dict[str, Stored], changed: dict[str, Stored], kept: int
) -> None:
    """Each cell is decided on its own; what stays as a person left it is counted."""
    outcome = follow(follower(**says), shown(**people), going())
    assert (edits(outcome), outcome.kept, outcome.end) == (changed, kept, "")
    assert all(not edit.back and same(edit.before, shown(**people).get(edit.key)) for edit in outcome.edits)


END: dict[str, tuple[dict[str, Stored], dict[str, Stored], bool]] = {
    # what the run says, what people made of the row; is the row known as ours later?
    "as written": ({}, {}, True),
    "with its last news": ({"loss": 2}, {}, True),
    "a cell that was edited": ({}, {"note": "mine"}, False),
    "a cell that was edited where the run has news": ({"loss": 2}, {"loss": 7}, False),
    "a cell that was edited to what the run says": ({"loss": 2}, {"loss": 2}, False),
    "a date that was edited": ({}, {"created": 77}, False),
}


@pytest.mark.parametrize(("says", "people", "whole"), END.values(), ids=END)
def test_the_end(says: dict[str, Stored], people: dict[str, Stored], whole: bool) -> None:
    """A settled row is noted by what we wrote: only as it was left it is taken up again."""
    outcome = follow(follower(True, **says), shown(**people), going())
    book = ledger.parse(known(outcome.end))
    stands = WROTE | people | edits(outcome)
    again = follow(follower(False, "stamp2", loss=9), shown(**stands), book)
    assert outcome.end.startswith("stamp1")
    assert ("loss" in edits(again)) is whole
    assert bool(again.base) is whole


def test_a_row_that_is_written_as_a_whole_has_the_same_end() -> None:
    """Whether a run is appended when it has settled, or followed until then."""
    assert follow(follower(True), shown(), going()).end == live.end(follower(True), COLUMNS)


SETTLED = ledger.parse([*known(), *ledger.live([(scope(), "x", WROTE)]), *known("stamp1")])

RESUMED: dict[str, tuple[Ledger, dict[str, Stored], dict[str, Stored], int]] = {
    # book-keeping, what people made of the row, the cells that are changed, those kept
    "by cell": (SETTLED, {"note": "mine"}, {"loss": 9}, 1),
    "as it was left": (ended(), {}, {"loss": 9}, 0),
    "an edit, long ago": (ended(), {"note": "mine"}, {}, 2),
    "an edit, in the journal": (appended(known("stamp1")), {"note": "mine"}, {"loss": 9}, 1),
    "an edit there, in the journal": (appended(known("stamp1")), {"loss": 7}, {}, 1),
    "changed since, in the journal": (later(known("stamp1"), 2), {"loss": 2, "note": "m"}, {"loss": 9}, 1),
    "edited to what it was appended with": (later(known("stamp1"), 2), {"note": "m"}, {}, 2),
    "put back is not written": (later(known("stamp1"), 2), {"loss": 2}, {"loss": 9}, 0),
}


@pytest.mark.parametrize(("book", "people", "changed", "kept"), RESUMED.values(), ids=RESUMED)
def test_a_run_that_is_resumed(
    book: Ledger, people: dict[str, Stored], changed: dict[str, Stored], kept: int
) -> None:
    """It is live again by cell as long as that is known, later only if its row is as it was left."""
    outcome = follow(follower(False, "stamp2", loss=9), shown(**people), book)
    assert (edits(outcome), outcome.kept) == (changed, kept)
    assert bool(outcome.base) is bool(changed or book.ticks)


def test_an_edit_is_not_taken_for_ours_when_its_run_is_resumed() -> None:
    """What is noted for an edited cell is the same as no value of a cell."""
    outcome = follow(follower(False, "stamp2"), shown(note="mine"), appended(known("stamp1")))
    assert outcome.base["note"] == CHANGED


def test_an_edited_row_stays_settled_and_untouched() -> None:
    """Nobody can tell which cell it was, so the digest stays, and a later look says the same."""
    book = ended()
    outcome = follow(follower(True, "stamp2", loss=9), shown(note="mine"), book)
    assert (outcome.edits, outcome.base) == ([], {})
    assert outcome.end == "stamp2" + book.end(scope(), "x")[STAMP:]


def test_a_row_that_followed_its_run_and_is_as_it_was_left() -> None:
    """The journal may still have the tick that appended a row when that has long been changed: the
    digest tells that nobody was there."""
    book = appended(known(live.end(follower(True, loss=2), COLUMNS)))
    outcome = follow(follower(False, "stamp2", loss=9), shown(loss=2), book)
    assert (edits(outcome), outcome.kept) == ({"loss": 9}, 0)


def test_the_row_as_a_whole_counts_first() -> None:
    """What is known by cell may be older than the row: if that is as it was left, nobody was there."""
    wrote = ledger.live([(scope(), "x", WROTE)])
    book = ledger.parse([*known(), *wrote, *known(live.end(follower(True, loss=2), COLUMNS))])
    outcome = follow(follower(False, "stamp2", loss=9), shown(loss=2), book)
    assert book.was[scope(), "x"]["loss"] == 1
    assert (edits(outcome), outcome.kept, outcome.base["loss"]) == ({"loss": 9}, 0, 2)
