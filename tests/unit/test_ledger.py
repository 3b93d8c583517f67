"""P1, P4: the book-keeping remembers every id and column, whatever it is called, in few rows.

Mutants: a settled run is still live; the last values of settled runs forgotten when packed, or those
of deleted ones kept; a column that came back stays gone; a batch that was checked is pending again;
watermarks outlive a run that may come back, or are lost when packed.
"""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runsheet import compaction, journal, ledger, packing
from runsheet.journal import Batch, Cell, Touched
from runsheet.ledger import Base, Ledger
from runsheet.model import Change, Column, Content, Edit, Owned, Plan, Row, RowId, Scope, Shape
from runsheet.packing import Note
from runsheet.stored import as_is
from tests.support.builders import NOW, scope

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


A, B = scope("team/a"), scope("team/b")


def name(number: int) -> str:
    return journal.name(NOW + timedelta(minutes=number), "0000")


def ids(run_id: str, end: str = "", where: Scope = A) -> list[Note]:
    return ledger.added([(where, run_id, end)])


def wrote(run_id: str, where: Scope = A, **cells: Any) -> list[Note]:
    return ledger.live([(where, run_id, cells)])


def changed(number: int, images: str, run_id: str = "x", where: Scope = A, **cells: Cell) -> list[Note]:
    """A tick that changed cells of one row."""
    row = Touched(where, run_id, "", 1, cells or {"loss": Cell(1, 2)})
    return journal.cells_changed(name(number), Batch(images, {"run_id": 0}, (row,)))


STANDS: dict[str, tuple[list[Note], Base | None, str, Base | None]] = {
    # notes; what was last written to x while it is live, how it stood at its end, what was last written then
    "only known": (ids("x"), None, "", None),
    "live": ([*ids("x"), *wrote("x", loss=1)], {"loss": 1}, "", None),
    "live without a value": ([*ids("x"), *wrote("x")], {}, "", None),
    "in two notes": (
        [*ids("x"), *wrote("x", loss=1, a=1), *wrote("x", loss=2)],
        {"loss": 2, "a": 1},
        "",
        None,
    ),
    "changed": (
        [*ids("x"), *wrote("x", loss=1, a=1), *changed(1, "", loss=Cell(1, 2))],
        {"loss": 2, "a": 1},
        "",
        None,
    ),
    "put back": (
        [*ids("x"), *wrote("x", loss=1), *changed(1, "", loss=Cell(2, "mine", back=True))],
        {"loss": 1},
        "",
        None,
    ),
    "another's row changed": (
        [*ids("x"), *wrote("x", loss=1), *changed(1, "", where=B, loss=Cell(1, 2))],
        {"loss": 1},
        "",
        None,
    ),
    "changed when not live": ([*ids("x"), *changed(1, "", loss=Cell(1, 2))], None, "", None),
    "settled": ([*ids("x"), *wrote("x", loss=1), *ids("x", "e1")], None, "e1", {"loss": 1}),
    "settled at once": (ids("x", "e1"), None, "e1", None),
    "settled again": ([*ids("x", "e1"), *ids("x", "e2")], None, "e2", None),
    "not followed any more": ([*ids("x"), *wrote("x", loss=1), *ids("x")], None, "", {"loss": 1}),
    "resumed": ([*ids("x", "e1"), *wrote("x", loss=1)], {"loss": 1}, "e1", None),
    "let back in": ([*ids("x"), *wrote("x", loss=1), *ledger.forget(["x"])], None, "", None),
    "let back in when settled": (
        [*wrote("x", loss=1), *ids("x", "e1"), *ledger.forget(["x"])],
        None,
        "",
        None,
    ),
    "starts over": ([*wrote("x", loss=1), *ids("x", "e1"), ledger.START], None, "", None),
}


@pytest.mark.parametrize(("notes", "base", "end", "was"), STANDS.values(), ids=STANDS)
def test_how_a_run_stands(notes: list[Note], base: Base | None, end: str, was: Base | None) -> None:
    """A run is live from what was written to its row until it is noted again, with its end."""
    book = ledger.parse(notes)
    assert (book.base(A, "x"), book.end(A, "x"), book.was.get((A, "x"))) == (base, end, was)
    assert (book.base(B, "x"), book.end(B, "x")) == (None, "")


@pytest.mark.parametrize(
    "text", ["", "x", "[]", "7", '{"x": 1}', '{"x": {"k": []}}', '{"x": {"k": {"?": ""}}}'], ids=repr
)
def test_live_rows_that_make_no_sense(text: str) -> None:
    """Nothing of such a note counts, and those around it do."""
    notes = [*wrote("x", loss=1), ("live", packing.scope_text(A), text), ("live", "no scope", "{}")]
    assert ledger.parse(notes) == ledger.parse(wrote("x", loss=1))


def test_wide_live_rows() -> None:
    """A row of more characters than a note goes on in the next."""
    cells = {f"config.{number}": "v" * 200 for number in range(500)}
    notes = ledger.live([(A, "x", cells), (B, "x", {"loss": 1}), (A, "y", {})])
    assert len(notes) > 3
    assert max(len(text) for _, _, text in notes) <= packing.TEXT_CHARS
    book = ledger.parse(notes)
    assert (book.base(A, "x"), book.base(B, "x"), book.base(A, "y")) == (cells, {"loss": 1}, {})


PENDING: dict[str, tuple[list[Note], str | None]] = {
    "none": ([], None),
    "a batch": (changed(1, "1:a"), "1:a"),
    "met nobody": ([*changed(1, "1:a"), ("checked", "1:a", "")], None),
    "an older one met nobody": ([*changed(1, "1:a"), *changed(2, "2:b"), ("checked", "1:a", "")], "2:b"),
    "put right by the next": ([*changed(1, "1:a"), *changed(2, "2:b")], "2:b"),
    "no images needed": ([*changed(1, "1:a"), *changed(2, "")], None),
    "starts over": ([*changed(1, "1:a"), ledger.START], None),
}


@pytest.mark.parametrize(("notes", "images"), PENDING.values(), ids=PENDING)
def test_pending(notes: list[Note], images: str | None) -> None:
    """The last batch that changed cells is to be looked at until it is known that it met nobody."""
    pending = ledger.parse(notes).pending
    assert (pending.images if pending else None) == images
    assert ledger.pending([*notes, *ids("x")]) == pending


REMOVED: dict[str, tuple[list[Note], object]] = {
    "none": ([], None),
    "rows": ([ledger.removed("1:a", [RowId("x", "", 7), RowId("y", "", 4)])], ("1:a", ((7, "x"), (4, "y")))),
    "looked at": ([ledger.removed("1:a", [RowId("x", "", 7)]), ledger.restored("1:a")], None),
    "others looked at": (
        [ledger.removed("2:b", [RowId("x", "", 7)]), ledger.restored("1:a")],
        ("2:b", ((7, "x"),)),
    ),
    "starts over": ([ledger.removed("1:a", [RowId("x", "", 7)]), ledger.START], None),
    "no sense": ([("removed", "1:a", "x"), ("removed", "1:a", "[7]"), ledger.restored("1:a")], None),
}


@pytest.mark.parametrize(("notes", "removed"), REMOVED.values(), ids=REMOVED)
def test_rows_that_were_deleted(notes: list[Note], removed: object) -> None:
    """They are to be looked at until what people had in them in that second was looked for."""
    assert ledger.parse(notes).removed == removed


@pytest.mark.parametrize("text", ['[[Infinity, "x"]]', "[" * 30_000], ids=["infinite", "deep"])
def test_odd_rows_that_were_deleted(text: str) -> None:
    """No text of a note stops a tick."""
    assert ledger.parse([("removed", "1:a", text)]).removed is None


def test_what_the_journal_tells_of_a_row_later() -> None:
    """The last change of each cell counts, put-backs and rows of others do not."""
    book = ledger.parse(
        [
            *changed(1, "", loss=Cell(1, 2), acc=Cell(None, 5)),
            *changed(2, "", loss=Cell(2, 3)),
            *changed(3, "", loss=Cell(3, "mine", back=True)),
            *changed(4, "", where=B, loss=Cell(1, 7)),
            *changed(5, "", "y", loss=Cell(1, 8)),
        ]
    )
    assert book.later(A, "x") == {"loss": 3, "acc": 5}
    assert book.later(A, "z") == {}


def test_first_syncs_end_and_begin_again() -> None:
    """Ids that are let back in, or an empty worksheet, make the next tick a first one."""
    whole = [*ids("x"), ledger.DONE]
    assert ledger.parse(whole).complete
    assert not ledger.parse([*whole, *ledger.forget(["x"])]).complete
    assert not ledger.parse([*whole, ledger.START]).complete


def test_columns_that_a_person_deleted_or_renamed() -> None:
    """A column that is noted again is there again; the last title counts."""
    notes = [ledger.column("k", "p"), ledger.gone("k"), ledger.title("k", "Old"), ledger.title("k", "New")]
    book = ledger.parse(notes)
    assert (book.columns, book.gone, book.titles) == ({"k": "p"}, {"k"}, {"k": "New"})
    assert ledger.titles([*notes, *ids("x")]) == {"k": "New"}
    assert ledger.parse([*notes, ledger.column("k", "p")]).gone == set()


def test_the_last_time_zone_counts() -> None:
    notes = [ledger.zone("UTC"), *ids("x"), ledger.zone("Asia/Seoul")]
    assert ledger.parse(notes).zone == ledger.zone_of(notes) == "Asia/Seoul"
    assert ledger.zone_of([*notes, ledger.START]) == ""


@pytest.mark.parametrize(
    ("notes", "expected"),
    [
        ([], ()),
        ([ledger.watermarks(["a", "b"])], ("a", "b")),
        ([ledger.watermarks(["a", "b"]), ledger.watermarks(["c"])], ("c",)),
        ([ledger.watermarks(["a"]), ledger.watermarks([])], ()),
        ([ledger.watermarks(["a"]), ledger.START], ()),
        ([ledger.START, ledger.watermarks(["a"])], ("a",)),
        ([ledger.watermarks(["a"]), *ledger.forget(["r1"])], ()),
        ([ledger.watermarks(["a"]), (ledger.WATERMARKS, "", "what is this?")], ()),
        ([ledger.watermarks(["a"]), (ledger.WATERMARKS, "", "7")], ()),
    ],
    ids=["none", "one", "two", "taken back", "started over", "since", "forgotten", "odd", "odd JSON"],
)
def test_the_last_watermarks_count(notes: list[Note], expected: tuple[str, ...]) -> None:
    """Where a run may come back that was listed long ago, or nothing is sure, all is listed again."""
    notes = [*notes, ledger.column("k", "p")]
    assert ledger.watermarks_of(notes) == ledger.parse(notes).watermarks == expected


def test_compact_keeps_the_last_watermarks_only() -> None:
    """They are written with nearly every tick."""
    notes = [ledger.watermarks([f"{number}"]) for number in range(compaction.COMPACT_ROWS + 1)]
    assert compaction.compact(notes) == [notes[-1]]
    assert compaction.compact([*notes, ledger.watermarks([])]) == []


def test_what_a_batch_notes() -> None:
    """One batch that appends and changes: the rows with their ids, what live rows hold, and the journal."""
    columns = (Column("run_id", "ID", "run_id"), Column("loss", "loss", "summary.loss"))
    owned = (Owned("run_id", 0, "ID"), Owned("loss", 3, "loss"))
    rows = (
        Row(A, "new", ("new", 1), live=True),
        Row(A, "blank", ("blank", None), live=True),
        Row(B, "done", ("done", 2), end="e1"),
    )
    changes = (
        Change(RowId("x", "", 1), A, (Edit("loss", 1, 2),)),
        Change(RowId("y", "", 2), A, (Edit("loss", 1, 3),), "e2"),
    )
    plan = Plan(Shape(True, False), Content(), columns=columns, owned=owned, tick=name(1))
    before = [*ids("x"), *ids("y"), *wrote("x", loss=1), *wrote("y", loss=1)]
    book = ledger.parse([*before, *ledger.written(plan, rows, changes, as_is, "1:a")])
    assert book.ids == {A: {"x", "y", "new", "blank"}, B: {"done"}}
    assert book.live[A] == {
        "x": {"loss": 2},
        "new": {"run_id": "new", "loss": 1},
        "blank": {"run_id": "blank"},
    }
    assert (book.end(B, "done"), book.end(A, "y"), book.was[A, "y"]) == ("e1", "e2", {"loss": 3})
    assert book.pending is not None
    assert (book.pending.images, book.pending.at) == ("1:a", {"run_id": 0, "loss": 3})
    assert [(row.run_id, row.by_cell) for row in book.ticks[0].rows] == [
        ("new", True),
        ("blank", True),
        ("done", True),
    ]
    unnamed = ledger.written(Plan(Shape(True, False), Content(), columns=columns), rows, (), as_is)
    assert ledger.parse(unnamed).ticks == []


def test_odd_rows_are_passed_over() -> None:
    """What a person or a later version wrote stops nothing."""
    assert ledger.parse(ODD) == Ledger()


def many() -> list[Note]:
    notes = [note for number in range(500) for note in ledger.added([(scope(), f"id{number}", "")])]
    return [*notes, *ledger.found([RowId("f", "p", 3)]), ledger.column("lr", "config.lr")]


def test_compact_keeps_everything() -> None:
    """Packed book-keeping says the same, in fewer rows, with rows of others kept in order."""
    notes = [*many(), *ODD]
    packed = compaction.compact(notes)
    assert packed is not None
    assert len(packed) < 20
    assert ledger.parse(packed) == ledger.parse(notes)
    assert [note for note in packed if note in ODD] == ODD


def test_compact_forgets_what_was_before_a_start() -> None:
    """A start row is not needed once what it ended is gone."""
    packed = compaction.compact([*many(), ledger.START, ledger.column("k", "p")])
    assert packed == [ledger.column("k", "p")]


@pytest.mark.parametrize(
    "notes",
    [[ledger.column("k", "p")] * 10, [ledger.column(f"k{number}", "p") for number in range(600)]],
    ids=["short", "nothing to gain"],
)
def test_compact_only_where_it_pays(notes: list[Note]) -> None:
    """Short book-keeping, or such as cannot be packed, is not rewritten at each tick."""
    assert compaction.compact(notes) is None


KEYS, RUNS = st.sampled_from(["k", "l"]), st.sampled_from(["x", "y", "-"])
SCOPES, NUMBERS = st.sampled_from([A, B]), st.integers(0, 5)
CELLS = st.dictionaries(KEYS, st.sampled_from([None, 1, "a", "y" * 400]))
IMAGES = st.sampled_from(["", "1:a", "2:b"])
BACK = st.builds(Cell, NUMBERS, NUMBERS, st.booleans())
SOME: st.SearchStrategy[list[Note]] = st.one_of(
    st.builds(ids, RUNS, st.sampled_from(["", "e1", "e2"]), SCOPES),
    st.builds(lambda run_id, where, cells: ledger.live([(where, run_id, cells)]), RUNS, SCOPES, CELLS),
    st.builds(changed, NUMBERS, IMAGES, RUNS, SCOPES, k=BACK),
    st.builds(lambda run_id: ledger.found([RowId(run_id, "p", 1)]), RUNS),
    st.builds(lambda run_id: list(ledger.forget([run_id])), RUNS),
    st.builds(lambda key, path: [ledger.column(key, path)], KEYS, st.sampled_from(["", "p"])),
    st.builds(lambda key, text: [ledger.title(key, text)], KEYS, st.sampled_from(["T", ""])),
    st.builds(lambda key: [ledger.gone(key)], KEYS),
    st.builds(lambda one, two: [ledger.undone(name(one), name(two))], NUMBERS, NUMBERS),
    st.builds(lambda images: [("checked", images, "")], IMAGES),
    st.builds(lambda images: [ledger.removed(images, [RowId("x", "", 1)])], IMAGES),
    st.builds(lambda images: [ledger.restored(images)], IMAGES),
    st.builds(lambda zone: [ledger.zone(zone)], st.sampled_from(["UTC", "Asia/Seoul"])),
    st.builds(lambda texts: [ledger.watermarks(texts)], st.lists(st.sampled_from(["a", "b"]), max_size=2)),
    st.sampled_from([[ledger.START], [ledger.DONE], [("what is this?", "", "")]]),
)


def matters(notes: list[Note]) -> dict[str, Any]:
    """Everything that a tick looks at."""
    book = ledger.parse(notes)
    names = {tick.name for tick in book.ticks}
    known = {(where, run_id) for where, ids in book.ids.items() for run_id in ids}
    followed = {(where, run_id): base for where, rows in book.live.items() for run_id, base in rows.items()}
    return {
        "ids": known,
        "found": {(project, run_id) for project, ids in book.found.items() for run_id in ids},
        "live": followed,
        "ends": {who: book.end(*who) for who in known},
        "was": {who: was for who, was in book.was.items() if who in known and who not in followed},
        "columns": book.columns,
        "titles": book.titles,
        "gone": book.gone,
        "ticks": book.ticks,
        "undone": {tick: by for tick, by in book.undone.items() if tick in names},
        "complete": book.complete,
        "zone": book.zone,
        "pending": book.pending,
        "removed": book.removed,
        "watermarks": book.watermarks,
    }


@settings(max_examples=400, derandomize=True, deadline=None)
@given(st.lists(SOME, max_size=14))
def test_packed_book_keeping_says_the_same(parts: list[list[Note]]) -> None:
    """Whatever happened, in whatever order: what is packed tells all that counts, and a second packing
    changes nothing."""
    notes = [note for part in parts for note in part]
    short = compaction.compact([*notes, *[ledger.title("many", "title")] * (compaction.COMPACT_ROWS + 1)])
    assert short is not None
    expected = matters([*notes, ledger.title("many", "title")])
    assert matters(short) == expected
    assert [note for note in short if note[0].endswith("?")] == [n for n in notes if n[0].endswith("?")]
    again = compaction.compact([*short, *[ledger.title("many", "title")] * (compaction.COMPACT_ROWS + 1)])
    assert again is not None
    assert matters(again) == expected


def test_the_rows_that_settled_last_are_known_by_cell() -> None:
    """As far as there is room; older ones are known by their digests."""
    notes = [
        note
        for number in range(900)
        for note in (
            *ids(f"id{number}"),
            *wrote(f"id{number}", text="v" * 200),
            *ids(f"id{number}", f"end{number}"),
        )
    ]
    packed = compaction.compact(notes)
    assert packed is not None
    book = ledger.parse(packed)
    last = [f"id{number}" for number in range(900 - len(book.was), 900)]
    assert 150 < len(last) < 250
    assert [run_id for _, run_id in book.was] == last
    assert [book.end(A, f"id{number}") for number in range(900)] == [f"end{number}" for number in range(900)]


def test_many_characters_are_packed_as_well() -> None:
    """Few rows may be long: each change of a live row is in the journal."""
    text = "v" * 290
    notes = [
        note
        for number in range(100)
        for note in changed(number, "", **{f"k{key}": Cell(text, text) for key in range(40)})
    ]
    assert len(notes) <= compaction.COMPACT_ROWS
    packed = compaction.compact(notes)
    assert packed is not None
    assert sum(len(text) for _, _, text in packed) <= journal.CHARS


def test_a_batch_to_be_looked_at_is_not_packed_away() -> None:
    """A tick that changed very many cells may have met people at work, too."""
    cells = {f"k{key}": Cell("v" * 290, "w" * 290) for key in range(700)}
    notes = [*changed(1, "1:a", **cells), *[ledger.title("many", "title")] * (compaction.COMPACT_ROWS + 1)]
    packed = compaction.compact(notes)
    assert packed is not None
    assert ledger.pending(packed) == ledger.pending(notes)
