"""P1, P4: every run that qualifies gets one row, and none gets a second, whatever the sheet shows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from runsheet import columns, fields, journal, ledger, plan
from runsheet.cells import CUT
from runsheet.columns import Header, Seen
from runsheet.errors import SheetError
from runsheet.journal import Batch, Cell, Touched
from runsheet.model import Cells, Column, Content, Limits, Owned, Placed, RowId, Run, Scope, Shape, Stored
from runsheet.packing import Note
from runsheet.plan import Decision, Planner
from runsheet.rules import Candidate, Rules
from runsheet.stored import as_is
from tests.support.builders import NOW, rules, run, scope

OWNED = (Owned("run_id", 0, "run_id"), Owned("project", 1, "project"))
SHAPE = Shape(True, False, ("run_id", "project"), OWNED)
BARE = Shape(True, False, ("run_id",), OWNED[:1])
EMPTY = Shape(False, True)
ADOPTED = (Placed(Column("run_id", "run_id", "run_id"), 0), Placed(Column("name", "name", "name"), 1))


def candidate(run_id: str, where: Scope | None = None, **values: Any) -> Candidate:
    where = where or scope()
    return Candidate(where, run_id, {"run_id": run_id, "project": where.project, **values})


def noted(*runs: Candidate) -> tuple[Note, ...]:
    """Book-keeping that says these were appended."""
    return tuple(ledger.added((item.scope, item.run_id, "") for item in runs))


def build(
    shape: Shape,
    candidates: Sequence[Candidate],
    rows: Iterable[RowId] = (),
    notes: tuple[Note, ...] | None = (),
    adopted: Sequence[Placed] = (),
    wanted: Rules | None = None,
    **more: Any,
) -> Decision:
    seen = Seen()
    for item in candidates:
        seen.add(item.values)
    content = Content(tuple(rows), notes)
    planner = Planner(shape, content, candidates, wanted or rules("run_id"), seen, adopted, **more)
    return planner.decide()


def appended(decision: Decision) -> list[str]:
    return [row.run_id for row in decision.plan.rows]


A, B = scope("team/a"), scope("team/b")
OTHER_HOST = Scope("wandb", "own.server", "team/a")

KNOWN: dict[str, tuple[list[tuple[str, str]], list[tuple[str, Scope]], Scope, bool]] = {
    # rows (id, project cell), ids in the book-keeping, the candidate "x" of scope; is it known?
    "nothing there": ([], [], A, False),
    "another id": ([("y", "team/a")], [("y", A)], A, False),
    "in its row": ([("x", "team/a")], [("x", A)], A, True),
    "row deleted": ([], [("x", A)], A, True),
    "the id in another project": ([("x", "team/b")], [("x", B)], A, False),
    "both": ([("x", "team/b"), ("x", "team/a")], [("x", B), ("x", A)], A, True),
    "blank cell, written for another": ([("x", "")], [("x", B)], A, False),
    "another server's run of one name": ([("x", "team/a")], [("x", OTHER_HOST)], A, False),
    "a row that a person typed": ([("x", "team/a")], [("y", A)], A, True),
    "another case": ([("X", "team/a")], [("X", A)], A, False),
}


@pytest.mark.parametrize(("rows", "book", "where", "known"), KNOWN.values(), ids=KNOWN)
def test_known(rows: list[tuple[str, str]], book: list[tuple[str, Scope]], where: Scope, known: bool) -> None:
    """A run is known by source, host, project and id: by the book-keeping, or by a row of its own."""
    notes = noted(*(candidate(run_id, place) for run_id, place in book))
    shown = [RowId(run_id, project, place + 1) for place, (run_id, project) in enumerate(rows)]
    decision = build(SHAPE, [candidate("x", where)], shown, notes)
    assert appended(decision) == ([] if known else ["x"])


FOUND: dict[str, tuple[list[str], list[Scope], list[Scope]]] = {
    # project cells of rows with the id "x", candidates of that id in order, those appended
    "one row": ([""], [A], []),
    "short name of the project": (["a"], [A], []),
    "full name": (["team/a"], [A], []),
    "another project's": (["team/b"], [A], [A]),
    "two rows, two projects": (["team/a", "team/b"], [A, B], []),
}


@pytest.mark.parametrize("lost", [False, True], ids=["adopted", "book-keeping lost"])
@pytest.mark.parametrize(("cells", "scopes", "more"), FOUND.values(), ids=FOUND)
def test_rows_that_stand_there(cells: list[str], scopes: list[Scope], more: list[Scope], lost: bool) -> None:
    """Where the book-keeping cannot tell, the rows do, and are remembered with the next write."""
    rows = [RowId("x", project, place + 1) for place, project in enumerate(cells)]
    runs = [candidate("x", where) for where in scopes]
    shape, notes, adopted = (
        (SHAPE, None, ()) if lost else (Shape(True, False, ("run_id", "name")), (), ADOPTED)
    )
    decision = build(shape, runs, rows, notes, adopted)
    assert [row.scope for row in decision.plan.rows] == more
    again = (*decision.plan.notes, *noted(*(candidate("x", where) for where in more)))
    assert appended(build(SHAPE, runs, (), again)) == []


@pytest.mark.parametrize("lost", [False, True], ids=["adopted", "book-keeping lost"])
@pytest.mark.parametrize("stands", [True, False], ids=["row stands", "row deleted since"])
def test_rows_of_runs_that_did_not_qualify_yet(lost: bool, stands: bool) -> None:
    """A row of a run that was running, or whose project failed, when its sheet was adopted is that
    run's row later."""
    rows = [RowId("early", "", 1), RowId("done", "", 2)]
    shape, notes, adopted = (
        (BARE, None, ()) if lost else (Shape(True, False, ("run_id", "name")), (), ADOPTED)
    )
    first = build(shape, [candidate("done")], rows, notes, adopted)
    later = build(
        BARE, [candidate("done"), candidate("early")], rows if stands else rows[1:], first.plan.notes
    )
    assert appended(first) == appended(later) == []


def test_lost_book_keeping_is_written_again_and_said() -> None:
    """Without new runs too, so that the next deletion is seen."""
    decision = build(BARE, [candidate("x")], [RowId("x", "", 1)], None)
    assert decision.lost_notes
    assert ledger.parse(decision.plan.notes).knows(scope(), "x")


def test_text_alone_in_a_row_is_a_note() -> None:
    """When a sheet is adopted, text under run_id with nothing of ours beside it is no run."""
    rows = [RowId("x", "", 1), RowId("Total", "", 9, filled=False)]
    decision = build(Shape(True, False, ("run_id", "name")), [candidate("y")], rows, (), ADOPTED)
    assert (appended(decision), decision.plan.after) == (["y"], 1)


def test_adoption_waits_for_runs() -> None:
    """Without runs nobody can tell which columns are ours: nothing is marked."""
    assert build(Shape(True, False, ("run_id", "name")), [], [RowId("x", "", 1)], (), ADOPTED).plan.nothing


def test_adoption_without_new_runs_adds_no_columns() -> None:
    """Columns come with the rows that fill them."""
    runs = [candidate("x", name="kim", **{"config.lr": 1})]
    decision = build(Shape(True, False, ("run_id", "name")), runs, [RowId("x", "", 1)], (), ADOPTED)
    assert (decision.plan.new, decision.plan.rows, decision.plan.adopted) == ((), (), ADOPTED)


def test_a_run_listed_twice_is_appended_once() -> None:
    """W&B repeats runs while it lists, and a project may be named in two ways."""
    assert appended(build(EMPTY, [candidate("x"), candidate("y"), candidate("x")])) == ["x", "y"]


def test_nothing_to_add_is_nothing_to_write() -> None:
    """A tick without new runs writes nothing, and counts the rows that people deleted."""
    notes = noted(candidate("x"), candidate("y"))
    decision = build(BARE, [candidate("x"), candidate("y")], [RowId("x", "", 1)], notes)
    assert (decision.plan.nothing, decision.deleted) == (True, 1)


def test_rows_go_below_the_last_run() -> None:
    """Totals and notes below the table are no runs."""
    rows = [RowId("x", "", 1), RowId("y", "", 4), RowId("Total", "", 9)]
    decision = build(BARE, [candidate("z")], rows, noted(candidate("x"), candidate("y")))
    assert decision.plan.after == 4


def test_a_cleared_sheet_starts_over() -> None:
    """P4: an empty worksheet gets all runs, and the book-keeping begins anew."""
    notes = (*noted(candidate("x"), candidate("old")), ledger.column("gone", "config.gone"))
    decision = build(EMPTY, [candidate("x", **{"config.gone": 1})], (), notes)
    assert (appended(decision), decision.over) == (["x"], True)
    assert [column.title for column in decision.plan.new] == ["run_id", "gone"]
    assert ledger.parse([*notes, *decision.plan.notes]).ids == {}


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        (
            Shape(True, False, ("name",), (Owned("name", 0, "name"),)),
            "run_id column of the worksheet is gone",
        ),
        (Shape(True, False, ("budget", "2024")), "WORKSHEET"),
    ],
    ids=["ours without run_id", "other data"],
)
def test_a_sheet_without_run_id_is_refused(shape: Shape, text: str) -> None:
    """Nothing is written where ids cannot be read."""
    with pytest.raises(SheetError, match=text):
        build(shape, [candidate("x")])


@pytest.mark.parametrize("more", [[], ["new"]], ids=["nothing new", "new run"])
def test_doubles(more: list[str]) -> None:
    """An id in more rows than it has runs is named, at every tick."""
    rows = [RowId("x", "team/a", 1), RowId("x", "team/a", 2)]
    decision = build(SHAPE, [candidate(name, A) for name in more], rows, noted(candidate("x", A)))
    assert decision.doubles == ("x",)


REQUIRED = {
    "run_id is added": ((Header("lr"),), [A], ["run_id", "lr"]),
    "run_id keeps its place": ((Header("lr"), Header("run_id", "ID")), [A], ["lr", "run_id"]),
    "project with several": ((Header("run_id"),), [A, B], ["run_id", "project"]),
    "project keeps its place": ((Header("project"), Header("run_id")), [A, B], ["project", "run_id"]),
    "one project on two servers": ((Header("run_id"),), [A, OTHER_HOST], ["run_id"]),
}


@pytest.mark.parametrize(("headers", "scopes", "keys"), REQUIRED.values(), ids=REQUIRED)
def test_required(headers: tuple[Header, ...], scopes: list[Scope], keys: list[str]) -> None:
    """What identifies a row is always a column."""
    choice = plan.required(columns.Choice(headers), scopes)
    assert [header.key for header in choice.fixed] == keys


def test_the_project_column_comes_with_the_second_project() -> None:
    """Also when the sheet is full: without it rows of two projects could not be told apart."""
    wanted = rules("run_id", limit=1)
    decision = build(BARE, [candidate("x", B)], (), noted(candidate("x", A)), wanted=wanted)
    assert [column.key for column in decision.plan.new] == ["project"]
    assert decision.plan.rows[0].cells == ("x", "team/b")


def test_long_texts_are_cut_to_the_destination() -> None:
    """A cell holds what its destination takes, with a mark where it was cut."""
    decision = build(EMPTY, [candidate("x", **{"config.t": "y" * 500})], limits=Limits(cell_chars=100))
    cell = str(decision.plan.rows[0].cells[-1])
    assert (len(cell), cell.endswith(CUT.format(total=500))) == (100, True)


def test_many_known_runs() -> None:
    """A large sheet is planned with one look at each id."""
    runs = [candidate(f"run{number}") for number in range(20_000)]
    decision = build(
        BARE, [*runs, candidate("new")], [RowId(r.run_id, "", n) for n, r in enumerate(runs, 1)], noted(*runs)
    )
    assert (appended(decision), decision.plan.after, decision.deleted) == (["new"], 20_000, 0)


def test_values_stand_under_their_columns() -> None:
    """Each row has a cell for each column of the plan, in order, empty where the run has no value."""

    def values(item: Run) -> Candidate:
        return Candidate(item.scope, item.id, fields.values(item, {}))

    runs = [values(run(1, summary={"a": 1})), values(run(2, config={}, summary={"b": 2}))]
    decision = build(EMPTY, runs)
    header = [column.path for column in decision.plan.columns]
    rows = [dict(zip(header, row.cells, strict=True)) for row in decision.plan.rows]
    assert [{path: cell for path, cell in row.items() if cell is not None} for row in rows] == [
        {path: item.values[path] for path in header if path in item.values} for item in runs
    ]


TICK = journal.name(NOW, "0000")
LIVE = rules("run_id", live=True)
FOLLOWED = Shape(True, False, ("run_id", "loss"), (Owned("run_id", 0, "run_id"), Owned("loss", 1, "loss")))
MADE = (ledger.column("run_id", "run_id"), ledger.column("loss", "summary.loss"))


def going(loss: float, *, settled: bool = False, **values: Any) -> Candidate:
    """The run x in a live table."""
    values |= {"run_id": "x", "summary.loss": loss}
    return Candidate(scope(), "x", values, settled, "stamp2" if settled else "stamp1")


def planned(
    item: Candidate,
    notes: Sequence[Note],
    cells: Mapping[str, Stored],
    images: Sequence[Mapping[int, Stored]] | None = None,
    rows: Sequence[RowId] = (RowId("x", "", 1),),
    shape: Shape = FOLLOWED,
) -> tuple[Planner, Cells]:
    """A tick of the run x, whose row shows these cells, up to the third read."""
    seen = Seen()
    seen.add(item.values)
    known = (*MADE, *noted(candidate("x")), *ledger.live([(scope(), "x", {"run_id": "x", "loss": 1})]))
    planner = Planner(shape, Content(tuple(rows), (*known, *notes, ledger.DONE)), [item], LIVE, seen)
    found = {row.index: dict(cells) for row in planner.look}
    return planner, Cells(found, None if images is None else tuple(images))


def follow(*args: Any, **more: Any) -> Decision:
    """What the tick decides (see `planned`) when nothing has to be put right."""
    planner, found = planned(*args, **more)
    return planner.decide(found, TICK)


def mend(*args: Any, **more: Any) -> Decision | None:
    """What the tick puts right first."""
    planner, found = planned(*args, **more)
    return planner.mend(found, TICK)


def edits(decision: Decision) -> list[tuple[str, Stored, Stored, bool]]:
    return [
        (edit.key, edit.before, edit.after, edit.back)
        for change in decision.plan.changes
        for edit in change.cells
    ]


SHOWN: dict[str, Stored] = {"run_id": "x", "loss": 1}


def test_live_rows_follow_their_runs() -> None:
    """P2: what is new goes in, in the row where the run stands; an edit stays, and is counted."""
    assert edits(follow(going(2), (), SHOWN)) == [("loss", 1, 2, False)]
    kept = follow(going(2), (), SHOWN | {"loss": "mine"})
    assert (edits(kept), kept.kept, kept.plan.nothing) == ([], 1, True)


def test_a_live_row_without_news_is_not_read() -> None:
    decision = follow(going(1), (), {})
    assert (decision.plan.nothing, decision.plan.closing) == (True, ())


def test_a_new_column_comes_with_the_cells_that_fill_it() -> None:
    """Also when no run is new; without such a cell it waits."""
    decision = follow(going(1, **{"config.lr": 0.1}), (), SHOWN)
    assert [column.key for column in decision.plan.new] == ["config.lr"]
    assert edits(decision) == [("config.lr", None, 0.1, False)]
    assert follow(going(1, **{"config.lr": None}), (), SHOWN).plan.new == ()


@pytest.mark.parametrize("rows", [(RowId("x", "", 1),), ()], ids=["row stands", "row deleted"])
def test_a_run_that_settles_is_followed_no_more(rows: tuple[RowId, ...]) -> None:
    """It is noted once, with or without a row, and nothing is changed for it."""
    decision = follow(going(1, settled=True), (), SHOWN, rows=rows)
    assert decision.plan.changes == ()
    book = ledger.parse([*noted(candidate("x")), *decision.plan.notes])
    assert book.end(scope(), "x")[:6] == ("stamp2" if rows else "")
    again = follow(going(1, settled=True), decision.plan.notes, SHOWN, rows=rows)
    assert again.plan.nothing


WROTE = Touched(scope(), "x", "", 1, {"loss": Cell(0, 1)})
PENDING = tuple(journal.cells_changed(TICK, Batch("i", {"run_id": 0, "loss": 1}, (WROTE,))))


def test_a_write_that_met_nobody_is_noted_once() -> None:
    """After a lost answer the images are looked at; that they are as they should be is noted."""
    decision = follow(going(1), PENDING, SHOWN, [{0: "x", 1: 0}])
    assert (edits(decision), decision.put_back) == ([], 0)
    assert ledger.parse([*PENDING, *decision.plan.notes]).pending is None
    assert follow(going(1), (*PENDING, *decision.plan.notes), SHOWN, [{0: "x", 1: 0}]).plan.nothing


NOBODY = [{0: "x", 1: 0}]
EDITED = [{0: "x", 1: "mine"}]
ANOTHER = [{0: "z", 1: 8}]


@pytest.mark.parametrize(
    ("notes", "images"),
    [((), None), (PENDING, NOBODY), (PENDING, None), (PENDING, [])],
    ids=["nothing pending", "nobody was there", "no images", "too few images"],
)
def test_nothing_to_put_right(notes: tuple[Note, ...], images: Any) -> None:
    """Then there is no plan for it, and the tick goes on."""
    assert mend(going(2), notes, SHOWN, images) is None


def test_an_edit_in_the_second_of_a_write_comes_back() -> None:
    """Alone: whatever else there is to write waits, since the next batch overwrites the images."""
    news = going(2, **{"config.lr": 0.1})
    decision = mend(news, PENDING, SHOWN, EDITED)
    assert decision is not None
    assert (edits(decision), decision.put_back, decision.again) == ([("loss", 1, "mine", True)], 1, True)
    assert decision.plan.changes[0].cells[0].image == 0
    assert (decision.plan.rows, decision.plan.new, decision.plan.notes) == ((), (), ())
    after = ledger.written(decision.plan, (), decision.plan.changes, as_is)
    kept = follow(going(2), after, SHOWN | {"loss": "mine"})
    assert (edits(kept), kept.kept) == ([], 1)


@pytest.mark.parametrize("settled", [False, True], ids=["live", "settled meanwhile"])
def test_what_a_write_into_another_row_covered_comes_back(settled: bool) -> None:
    """And the run that was missed is known by what was written to it before."""
    notes = (*PENDING, *(ledger.added([(scope(), "x", "stamp2 digest")]) if settled else ()))
    shown = {"run_id": "z", "loss": 1}
    decision = mend(going(2), notes, shown, ANOTHER, [RowId("z", "", 1), RowId("x", "", 5)])
    assert decision is not None
    assert (edits(decision)[-1], decision.lost) == (("loss", 1, 8, True), 0)
    known = (*noted(candidate("x")), *ledger.live([(scope(), "x", {"run_id": "x", "loss": 1})]), *notes)
    book = ledger.parse([*known, *decision.plan.notes])
    assert book.base(scope(), "x") == {"run_id": "x", "loss": 0}


def test_what_cannot_be_found_again_is_said_once() -> None:
    """A row that is gone takes with it what would come back; nothing is looked at any more then."""
    missed = mend(going(2), PENDING, SHOWN, ANOTHER)
    assert missed is not None
    assert (missed.plan.changes, missed.lost) == ((), 1)
    assert ledger.parse([*PENDING, *missed.plan.notes]).pending is None
    gone = (going(1), PENDING, {"run_id": "y", "loss": 1}, EDITED, [RowId("y", "", 1)])
    decision = follow(*gone)
    assert (mend(*gone), decision.lost) == (None, 1)
    assert ledger.parse([*PENDING, *decision.plan.notes]).pending is None


def test_a_sheet_without_its_header_is_still_put_right() -> None:
    """What we did to a person's cell does not wait for them to bring the header back."""
    bare = replace(FOLLOWED, owned=tuple(replace(item, title="") for item in FOLLOWED.owned))
    decision = mend(going(2), PENDING, SHOWN, EDITED, shape=bare)
    assert decision is not None
    assert edits(decision) == [("loss", 1, "mine", True)]
    with pytest.raises(SheetError, match="none of our headers"):
        follow(going(2), PENDING, SHOWN, NOBODY, shape=bare)


DATED: dict[str, tuple[Shape, tuple[Note, ...], bool]] = {
    "a new table": (EMPTY, (), False),
    "a table that notes its zone": (BARE, (ledger.zone("UTC"),), False),
    "a table that does not": (BARE, (), True),
}


@pytest.mark.parametrize(("shape", "notes", "dated"), DATED.values(), ids=DATED)
def test_whether_dates_have_a_zone_that_is_not_noted(
    shape: Shape, notes: tuple[Note, ...], dated: bool
) -> None:
    """Where the book-keeping was lost, only the format of dates that stand there tells their zone."""
    assert build(shape, [candidate("y")], (), notes).plan.dated is dated


TITLED = tuple(Owned(key, index, key) for index, key in enumerate(("run_id", "name", "state", "user")))


def titled(*titles: str, notes: tuple[Note, ...] = ()) -> Decision:
    """A tick with a new run in a sheet whose columns show these titles."""
    owned = tuple(replace(item, title=title) for item, title in zip(TITLED, titles, strict=True))
    made = tuple(ledger.column(item.key, item.key) for item in TITLED)
    shape = Shape(True, False, titles, owned)
    wanted = rules("run_id", "name", "state", Header("user", "Who"))
    book = (*noted(candidate("x")), *made, *notes)
    return build(shape, [candidate("y")], [RowId("x", "", 1)], book, wanted=wanted)


def test_a_header_with_other_titles_stops_once() -> None:
    """P2: a row of values that was sorted or pasted into row 1 is no header; names that people accept are."""
    assert titled("run_id", "name", "state", "Who").stop == titled("ID", "Run", "state", "Who").stop == ""
    shown = ("run0001", "kim", "finished", "user")
    decision = titled(*shown)
    assert "other headers for 3 of our 4 columns ('run0001', 'kim', 'finished')" in decision.stop
    assert titled(*shown, notes=decision.plan.notes).stop == ""


def test_a_plan_far_out_of_the_ordinary_says_so() -> None:
    """P2: the plan is made as ever; who applies it looks at `stop` first."""
    runs = [candidate(f"run{number}") for number in range(201)]
    notes = (*noted(candidate("x")), ledger.DONE)
    assert build(BARE, runs, [RowId("x", "", 1)], notes).stop.startswith("this tick would append 201 rows")
    assert build(BARE, runs[1:], [RowId("x", "", 1)], notes).stop == ""


def test_columns_that_vanished_are_noted_once() -> None:
    """Two may go at once; when it has been noticed, another two are the usual again."""
    made = tuple(ledger.column(key, key) for key in ("run_id", "a", "b", "c"))
    notes = (*noted(candidate("x")), *made, ledger.DONE)
    first = build(BARE, [candidate("x"), candidate("y")], [RowId("x", "", 1)], notes)
    assert "3 of our 4 columns are gone (a, b, c)" in first.stop
    allowed = (*notes, *first.plan.notes, *noted(candidate("y")))
    assert ledger.parse(allowed).gone == {"a", "b", "c"}
    assert build(BARE, [candidate("z")], [RowId("x", "", 1)], allowed).stop == ""
