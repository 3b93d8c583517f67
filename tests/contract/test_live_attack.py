"""P1, P2, P3: live rows under attack. What once lost an edit, wrote into a wrong cell or stood still for ever
does not any more; each test names its rule."""

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
import pytest

from runsheet import compaction, journal, ledger, sync
from runsheet import undo as undoing
from runsheet.destinations.xlsx import XlsxDestination
from runsheet.errors import RunsheetError, SafetyStop, ServiceError, SheetError
from runsheet.forget import forget
from runsheet.model import Run
from tests.contract.test_live_gsheet import LIVE, cell, done, follow, look, losses, put, running
from tests.support.builders import NOW, Desk, FakeClock, rules, run, tick
from tests.support.sheets import Fault, SheetsServer, Tab, people, refuse


@pytest.fixture
def three(desk: Desk) -> Desk:
    desk.tick([running(n, n + 0.5) for n in range(3)], LIVE)
    return desk


@pytest.fixture
def tab(three: Desk) -> Tab:
    return three.document.tab("runs")


def alike(value: float, count: int = 3) -> dict[str, Any]:
    """Losses of so many runs."""
    return {f"run{n:04}": value for n in range(count)}


def undo(desk: Desk) -> undoing.Undone:
    return undoing.undo(desk.connect(), FakeClock())


# --- what a person has in a cell in the second of a write ----------------------------------------

WIDE = rules("run_id", "name", "state", live=True)
MANY = 195


def wide(number: int, value: float) -> Run:
    """A run of sixty values."""
    summary = {f"k{key:02}": value + key for key in range(60)}
    return run(number, state="running", heartbeat=NOW, config={}, summary=summary)


@pytest.mark.parametrize(("value", "moved"), [("mine", True), ('=B2&"x"', False)], ids=["text", "formula"])
def test_a_put_back_comes_before_the_batches_that_are_left(
    desk: Desk, server: SheetsServer, value: str, moved: bool
) -> None:
    """P2: the images of a batch are used before the next one overwrites them, however many batches a plan
    has and whatever happens to those; a formula refers to what it referred to."""
    desk.tick([wide(n, 0.0) for n in range(MANY)], WIDE)
    tab = desk.document.tab("runs")
    for column in "GIKMOQSUWY":  # Columns of a person between ours make batches of few rows.
        tab.insert_columns(column)
    at = cell(desk, "run0000", "k00")
    deeds = [people(before=lambda _: tab.put(at, value), kind="write")]
    if moved:
        deeds.append(people(before=lambda _: tab.insert_rows(tab.size[0] - 1), kind="write", nth=3))
    server.script(*deeds)
    before = server.count("write")
    report = desk.tick([wide(n, 100.0) for n in range(MANY + 1)], WIDE)
    assert server.count("write") - before >= 4
    assert tab.entered()[1][tab.values()[0].index("k00")] == value
    assert (report.put_back, report.added, len(set(desk.ids()))) == (1, 1, MANY + 1)
    assert all(row["k59"] == 159.0 for row in look(desk).values())


def test_each_table_has_images_of_its_own(three: Desk, server: SheetsServer) -> None:
    """P2: the tick of another table of the spreadsheet leaves alone what a tick that was cut short still
    has to put back."""
    three.tick([running(n + 10, 0.5) for n in range(3)], LIVE, worksheet="other")
    edit = people(before=lambda _: put(three, "run0001", "loss", "mine"), kind="write")
    server.script(edit, refuse(503, kind="read", nth=4, times=99))
    with pytest.raises(ServiceError):
        follow(three, 0.25, 0.25, 0.25)
    server.unscript()
    three.tick([running(n + 10, 0.25) for n in range(3)], LIVE, worksheet="other")
    report = follow(three, 0.25, 0.25, 0.25)
    assert losses(three) == alike(0.25) | {"run0001": "mine"}
    assert report.put_back == 1


def test_a_column_that_was_replaced_during_changes_is_given_up(
    three: Desk, tab: Tab, server: SheetsServer
) -> None:
    """P3: a column that a person puts where ours stood is theirs, also when the batch only changed cells."""
    place = three.values()[0].index("loss")
    letter = chr(65 + place)

    def replace_column(_: object) -> None:
        tab.delete_columns(letter)
        tab.insert_columns(letter)
        tab.put(f"{letter}3", "mine")

    server.script(people(before=replace_column, kind="write"))
    follow(three, 0.25, 0.25, 0.25)
    three.tick([running(n, 0.1) for n in range(4)], LIVE)
    shown = [row[place] if len(row) > place else None for row in three.values()]
    assert shown == [None, None, "mine", None, None]
    assert three.ids() == [f"run{n:04}" for n in range(4)]


def test_most_columns_vanish_between_read_and_write(desk: Desk, server: SheetsServer) -> None:
    """P2: a plan that is made again is looked at for safety as the first one was."""
    desk.tick([run(n, config={f"k{key}": key for key in range(8)}) for n in range(3)])
    tab = desk.document.tab("runs")
    server.script(people(before=lambda _: tab.delete_columns("C", 9), kind="write"))
    with pytest.raises(SafetyStop, match="columns are gone"):
        desk.tick([run(n, config={f"k{key}": key for key in range(8)}) for n in range(4)])
    assert len(desk.ids()) == 3


def test_many_live_rows_are_usual_once_they_are_accepted(desk: Desk) -> None:
    """P2: the first time that very many rows change a person is asked; as many again are usual."""
    desk.tick([running(n, 0.5) for n in range(300)], LIVE)
    with pytest.raises(SafetyStop, match="change 300 rows"):
        desk.tick([running(n, 0.25) for n in range(300)], LIVE)
    for value, mode in ((0.25, sync.Mode(accept_changes=True)), (0.125, sync.Mode())):
        desk.tick([running(n, value) for n in range(300)], LIVE, mode=mode)
        assert losses(desk) == alike(value, 300)


# --- what people do to rows and columns between ticks --------------------------------------------


def test_a_formula_in_run_id(three: Desk) -> None:
    """P2: whose row it is where run_id is a formula nobody can tell: it stays, and stops no other row."""
    put(three, "run0001", "run_id", '="run0001"')
    for value in (0.25, 0.125):
        follow(three, value, value, value)
        assert losses(three) == alike(value) | {"run0001": 1.5}


def test_rows_are_deleted_down_to_the_edge_of_the_grid(three: Desk, tab: Tab) -> None:
    """P4: where the last batch touched rows that are not there any more, nothing is read or written."""
    follow(three, 0.25, 0.25, 0.25)
    tab.delete_rows(4, tab.size[0] - 3)
    follow(three, 0.125, 0.125, 0.125)
    assert losses(three) == alike(0.125, 2)


@pytest.mark.parametrize("column", ["A", "D", "F"], ids=["first", "between", "last"])
def test_a_column_that_is_cut_and_pasted(three: Desk, tab: Tab, column: str) -> None:
    """P3: it is found again where its title is, also the leftmost, which holds the run ids."""
    width = len(three.values()[0])
    tab.cut(f"{column}1:{column}4", f"{chr(66 + width)}1")
    follow(three, 0.125, 0.125, 0.125)
    assert losses(three) == alike(0.125)
    assert len(three.values()) == 4


@pytest.mark.parametrize("pending", [False, True], ids=["", "after a change"])
def test_a_table_that_is_pasted_again_without_its_marks(three: Desk, tab: Tab, pending: bool) -> None:
    """P1: a paste of all values over a new grid is adopted: no row is doubled, and no tick fails for what the
    last batch left to look at."""
    if pending:
        follow(three, 0.25, 0.25, 0.25)
    values = three.values()
    width = max(map(len, values))
    tab.insert_columns(chr(65 + width))
    tab.put(f"{chr(65 + width)}1", "remark")
    tab.delete_columns("A", width)
    tab.insert_columns("A", width)
    tab.fill("A1", values)
    for number in (4, 5):
        three.tick([running(n, 0.125) for n in range(number)], LIVE)
    assert three.ids() == [f"run{n:04}" for n in range(5)]


@pytest.mark.parametrize("destination", ["gsheet", "xlsx"])
def test_the_header_row_is_deleted(destination: str, three: Desk, tab: Tab, tmp_path: Path) -> None:
    """P2: without a header nothing is written, and people are told to put it back."""
    tab.delete_rows(1)
    path = tmp_path / "runs.xlsx"
    if destination == "xlsx":
        tick(XlsxDestination(path, clock=FakeClock()), [running(n, 0.5) for n in range(3)], LIVE)
        book = openpyxl.load_workbook(path)
        book["runs"].delete_rows(1)
        book.save(path)
    where = XlsxDestination(path, clock=FakeClock()) if destination == "xlsx" else three.connect()
    with pytest.raises(RunsheetError, match="row 1"):
        tick(where, [running(n, 0.25) for n in range(4)], LIVE)
    rows = list(openpyxl.load_workbook(path)["runs"].values) if destination == "xlsx" else three.values()
    assert [row[0] for row in rows if row] == ["run0000", "run0001", "run0002"]


def test_a_title_row_above_the_header(three: Desk, tab: Tab) -> None:
    """P2: a row above the header hides it: nothing is written into columns that may be others."""
    tab.insert_rows(1)
    tab.fill("A1", [["My", "great", "experiments", "of", "the", "last", "year"]])
    before = three.values()
    with pytest.raises(RunsheetError, match="row 1"):
        three.tick([running(n, 0.25) for n in range(4)], LIVE)
    assert three.values() == before


def test_a_run_that_is_resumed_after_its_book_keeping_was_packed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P2: a row that is as it was left is live again although the journal of its changes is gone."""
    monkeypatch.setattr(compaction, "WAS_CHARS", 0)
    monkeypatch.setattr(journal, "TICKS", 3)
    old = [run(n) for n in range(100, 115)]
    for runs in ([running(0, 0.5)], [running(0, 0.25)], [done(0, 0.125)]):
        desk.tick(runs, LIVE)
    with monkeypatch.context() as packing:
        packing.setattr(compaction, "COMPACT_ROWS", 0)
        packing.setattr(compaction, "COMPACT_CHARS", 0)
        for count in range(len(old)):
            desk.tick([done(0, 0.125), *old[: count + 1]], LIVE)
    sheet = desk.connect()
    book = ledger.parse(sheet.content(sheet.read()).notes or ())
    assert (book.was, any(added.run_id == "run0000" for t in book.ticks for added in t.rows)) == ({}, False)
    desk.tick([running(0, 0.0625), *old], LIVE)
    assert look(desk)["run0000"]["loss"] == 0.0625


# --- what Google refuses -------------------------------------------------------------------------


@pytest.mark.parametrize("more", [0, 3], ids=["changes only", "with new rows"])
def test_a_change_that_is_refused_stops_no_other(three: Desk, server: SheetsServer, more: int) -> None:
    """P6: the row whose change Google refuses is named and left as it is; all others are written."""
    server.script(refuse(400, kind="write", times=99, when=lambda request: "0.77" in str(request.body)))
    new = [running(10 + n, 1.0) for n in range(more)]
    report = three.tick([running(0, 0.25), running(1, 0.77), running(2, 0.25), *new], LIVE)
    assert losses(three) == alike(0.25) | {"run0001": 1.5} | {f"run001{n}": 1.0 for n in range(more)}
    assert [skip.what for skip in report.skips] == ["run run0001"]


ODD_TEXTS = ['"' * 300, "\\" * 300, "\n" * 300, '["","",""]' * 28, "😀" * 290]


@pytest.mark.parametrize("text", ODD_TEXTS, ids=["quotes", "backslashes", "lines", "json", "pairs"])
def test_no_note_is_longer_than_a_cell(desk: Desk, server: SheetsServer, text: str) -> None:
    """P6: what the book-keeping quotes of texts of any kind fits into the cells of Google Sheets."""
    before, after = (
        [run(n, state="running", heartbeat=NOW, config={"t": value}, summary={}) for n in range(100)]
        for value in ("x", text)
    )
    desk.tick(before, LIVE)
    writes = server.count("write")
    report = desk.tick(after, LIVE)
    assert (len(report.updated_ids), report.skips) == (100, ())
    assert server.count("write") == writes + 1, "a batch was refused and divided"


def test_rows_of_a_batch_that_is_divided_count_once(desk: Desk, server: SheetsServer) -> None:
    """P6: a batch with a row that Google refuses is halved; what went in before that is not counted again."""
    server.script(refuse(400, kind="write", times=99, when=lambda request: "run0003" in str(request.body)))
    report = desk.tick([run(n) for n in range(8)])
    assert sorted(report.added_ids) == sorted(desk.ids()) == [f"run{n:04}" for n in range(8) if n != 3]


def test_a_protected_tab_of_images_is_named(three: Desk) -> None:
    """P6: people cannot lift a protection of which they are not told where it is."""
    follow(three, 0.25, 0.25, 0.25)
    images = next(item for item in three.document.tabs if "images" in item.title)
    images.protect()
    with pytest.raises(SheetError, match=images.title):
        follow(three, 0.125, 0.125, 0.125)
    images.unprotect()
    follow(three, 0.125, 0.125, 0.125)
    assert losses(three) == alike(0.125)


# --- undo ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", [False, True], ids=["answered", "answer lost"])
def test_a_row_that_is_typed_into_in_the_second_of_its_deletion(
    desk: Desk, server: SheetsServer, lost: bool
) -> None:
    """P2: it stands again with what was typed, by the next try when the answer was lost."""
    desk.tick([run(0)])
    desk.tick([run(n) for n in range(3)])
    tab = desk.document.tab("runs")
    server.script(
        Fault(
            "reset" if lost else "pass",
            applies=True,
            before=lambda _: tab.put("B4", "just now"),
            when=lambda request: "deleteDimension" in request.types,
        )
    )
    outcome = undo(desk)
    assert ([row[:2] for row in desk.values()[1:] if row]) == [["run0000", "kim"], [None, "just now"]]
    assert (outcome.removed, outcome.standing) == (["run0001"], ["run0002"])
    desk.tick([run(n) for n in range(3)])
    assert desk.ids() == ["run0000"]


def test_undo_in_a_tab_with_a_protected_column(desk: Desk) -> None:
    """P2: rows that Google does not let us delete stay, blank, and undo says so."""
    desk.tick([run(0)])
    desk.tick([run(n) for n in range(4)])
    tab = desk.document.tab("runs")
    tab.put("H2", "x")
    tab.protect("H1:H10", description="kim's column")
    outcome = undo(desk)
    assert desk.ids() == ["run0000"]
    assert (outcome.removed, sorted(outcome.standing)) == ([], ["run0001", "run0002", "run0003"])


@pytest.mark.parametrize("command", ["undo", "forget"])
def test_run_ids_that_were_cut_and_pasted_wait_for_the_sync(desk: Desk, command: str) -> None:
    """P4: undo and forget touch nothing where no row tells its run; after a tick that writes they work."""
    desk.tick([run(n) for n in range(2)])
    desk.tick([run(n) for n in range(4)])
    tab = desk.document.tab("runs")
    tab.cut("A1:A5", "K1")
    before = desk.values()
    acts = {"undo": lambda: undo(desk), "forget": lambda: forget(desk.connect(), ["run0003"])}
    with pytest.raises(SheetError, match="let the sync run first"):
        acts[command]()
    assert desk.values() == before
    tab.delete_rows(5)
    desk.tick([run(n) for n in range(5)])
    acts[command]()
    if command == "forget":
        desk.tick([run(n) for n in range(5)])
    left = {"undo": (0, 1, 2), "forget": (0, 1, 2, 4, 3)}[command]
    assert desk.ids() == [f"run{n:04}" for n in left]


# --- time zones ----------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", [False, True], ids=["", "notes lost"])
def test_dates_stay_in_the_zone_of_the_table(desk: Desk, lost: bool) -> None:
    """P5: another TIMEZONE, with the book-keeping or without, gives no date the name of another zone."""
    wanted = rules("run_id", "created_at", "_timestamp")
    tick(desk.connect(), [run(0)], wanted)
    if lost:
        desk.document.delete_tab("_runsheet")
    seoul = desk.connect(zone=ZoneInfo("Asia/Seoul"), zone_name="Asia/Seoul")
    report = tick(seoul, [run(0), run(1)], wanted)
    shown = [row[1] for row in desk.document.tab("runs").formatted()[1:]]
    assert shown[0] == "2026-11-18 12:00:00 UTC"
    assert shown[1] in ("2026-11-18 12:00:00 UTC", "2026-11-18 21:00:00 Asia/Seoul")
    assert any("TIMEZONE" in notice for notice in report.notices) is not lost
