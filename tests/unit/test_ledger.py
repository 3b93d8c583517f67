"""P1, P4: the book-keeping remembers every id and column, whatever it is called, in few rows."""

import pytest

from runsheet import ledger, packing
from runsheet.ledger import Ledger
from runsheet.model import RowId, Scope
from runsheet.packing import Note
from tests.support.builders import scope

IDS = ["run1", "", "-", "%2D", "a b", "x\"y'z", "a/b", "실험", "🚀", "\ud83d", "a\tb\nc", "=1+1", "A", "a"]


@pytest.mark.parametrize("run_id", IDS, ids=ascii)
def test_every_id_is_known_again(run_id: str) -> None:
    """An id comes back as it went in, and no other id with it."""
    book = ledger.parse(ledger.added([(scope(), run_id, "")]))
    assert [run_id in ids for ids in book.ids.values()] == [True]
    assert [other for other in IDS if book.knows(scope(), other)] == [run_id]


@pytest.mark.parametrize(
    "where",
    [
        Scope("wandb", "api.wandb.ai", "team/proj"),
        Scope("folders", "", "proj"),
        Scope("folders", "", "-"),
        Scope("folders", "", ""),
        Scope("folders", "-", "my project/한글 %"),
        Scope("folders", "", "\udcff"),
    ],
    ids=ascii,
)
def test_scopes_round_trip(where: Scope) -> None:
    """A scope as text is three words, whatever is in it."""
    text = packing.scope_text(where)
    assert len(text.split()) == 3
    assert packing.parse_scope(text) == where


def test_a_hundred_thousand_ids() -> None:
    """Many ids take few rows, none longer than a cell, and none is lost."""
    ids = {f"{number:08x}" for number in range(100_000)}
    notes = list(ledger.added((scope(), run_id, "") for run_id in sorted(ids)))
    assert len(notes) < 40
    assert max(len(text) for _, _, text in notes) <= packing.TEXT_CHARS
    assert ledger.parse(notes).ids[scope()] == ids


def test_found_rows() -> None:
    """Rows that stood in an adopted sheet are known by their project cell."""
    rows = [RowId("a", "", 1), RowId("b", "team/p", 2), RowId("c d", "", 3)]
    book = ledger.parse(ledger.found(rows))
    assert book.found == {"": {"a", "c d"}, "team/p": {"b"}}
    assert book.has_row("c d")
    assert not book.has_row("d")


def test_columns_keep_their_latest_path() -> None:
    """A column that no run had is noted again when its path is known."""
    notes = [ledger.column("lr", ""), ledger.column("config.x", "config.x"), ledger.column("lr", "config.lr")]
    assert ledger.parse(notes).columns == {"lr": "config.lr", "config.x": "config.x"}


def test_start_forgets_what_stands_above() -> None:
    """A cleared sheet starts over; what comes after counts."""
    before = [
        *ledger.added([(scope(), "a", "")]),
        *ledger.found([RowId("c", "", 1)]),
        ledger.column("k", "p"),
    ]
    assert ledger.parse([*before, ledger.START]) == Ledger()
    assert ledger.parse([*before, ledger.START, *ledger.added([(scope(), "b", "")])]).ids == {scope(): {"b"}}


ODD: list[Note] = [
    (),
    ("",),
    ("ids",),
    ("ids", "two words", "a"),
    ("ids", "", "a"),
    ("column", "path", ""),
    ("later", "something", "else", "and more"),
    ("a person wrote this", "", ""),
    ledger.HEADER,
]


def test_odd_rows_are_passed_over() -> None:
    """What a person or a later version wrote stops nothing."""
    assert ledger.parse(ODD) == Ledger()


def many() -> list[Note]:
    notes = [note for number in range(500) for note in ledger.added([(scope(), f"id{number}", "")])]
    return [*notes, *ledger.found([RowId("f", "p", 3)]), ledger.column("lr", "config.lr")]


def test_compact_keeps_everything() -> None:
    """Packed book-keeping says the same, in fewer rows, with rows of others kept in order."""
    notes = [*many(), *ODD]
    packed = ledger.compact(notes)
    assert packed is not None
    assert len(packed) < 20
    assert ledger.parse(packed) == ledger.parse(notes)
    assert [note for note in packed if note in ODD] == ODD


def test_compact_forgets_what_was_before_a_start() -> None:
    """A start row is not needed once what it ended is gone."""
    packed = ledger.compact([*many(), ledger.START, ledger.column("k", "p")])
    assert packed == [ledger.column("k", "p")]


@pytest.mark.parametrize(
    "notes",
    [[ledger.column("k", "p")] * 10, [ledger.column(f"k{number}", "p") for number in range(600)]],
    ids=["short", "nothing to gain"],
)
def test_compact_only_where_it_pays(notes: list[Note]) -> None:
    """Short book-keeping, or such as cannot be packed, is not rewritten at each tick."""
    assert ledger.compact(notes) is None
