"""History and undo: what a tick wrote is taken back, and what people wrote since stays."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.comments import Comment

from runsheet import sync
from runsheet import undo as undoing
from runsheet.destinations.base import Destination
from runsheet.destinations.memory import MemoryDestination, MemorySheet
from runsheet.destinations.xlsx import XlsxDestination
from runsheet.errors import ConfigError
from runsheet.forget import forget
from runsheet.model import Run
from runsheet.report import Report
from tests.contract.destination_contract import Person
from tests.contract.test_gsheet_destination import SheetsPerson
from tests.contract.test_live_gsheet import done, running
from tests.contract.test_memory_destination import MemoryPerson
from tests.contract.test_xlsx_destination import XlsxPerson
from tests.support.builders import Desk, FakeClock, rules, run, tick
from tests.support.sheets import SheetsServer, people

RULES = rules("run_id", "state")
LIVE = rules("run_id", "state", live=True)
RUNS = [run(number, summary={"loss": number + 0.5}, config={}) for number in range(3)]


@dataclass
class Bench:
    """One table on one kind of destination, with a person at it."""

    make: Callable[[], Destination]
    person: Person
    kind: str
    clock: FakeClock

    def tick(self, *runs: Run, live: bool = False) -> Report:
        self.clock.wait(60)
        return tick(self.make(), runs, LIVE if live else RULES, clock=self.clock)

    def undo(self, wanted: str = "") -> undoing.Undone:
        self.clock.wait(60)
        return undoing.undo(self.make(), self.clock, wanted)

    def history(self) -> list[undoing.Entry]:
        return undoing.history(self.make())

    def table(self) -> dict[Any, list[Any]]:
        """Rows that hold anything, by their first cell."""
        return {row[0]: row[1:] for row in self.person.values()[1:] if any(cell is not None for cell in row)}


@pytest.fixture(params=["memory", "gsheet", "xlsx"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    clock = FakeClock()
    if request.param == "memory":
        sheet = MemorySheet()
        yield Bench(lambda: MemoryDestination(sheet), MemoryPerson(sheet), "memory", clock)
    elif request.param == "xlsx":
        path = tmp_path / "runs.xlsx"
        yield Bench(lambda: XlsxDestination(path, clock=clock), XlsxPerson(path), "xlsx", clock)
    else:
        with SheetsServer() as server:
            desk = Desk(server, tmp_path)
            yield Bench(desk.connect, SheetsPerson(desk.document), "gsheet", clock)


def test_the_last_tick_is_taken_back(bench: Bench) -> None:
    bench.tick(*RUNS[:1])
    bench.tick(*RUNS)
    outcome = bench.undo()
    assert bench.table() == {"run0000": ["finished", 0.5]}
    assert sorted(outcome.removed) == ["run0001", "run0002"]
    assert not outcome.standing
    assert not outcome.kept


def test_undone_runs_stay_out_until_they_are_forgotten(bench: Bench) -> None:
    bench.tick(*RUNS[:1])
    bench.tick(*RUNS)
    bench.undo()
    assert bench.tick(*RUNS).deleted == 2
    forget(bench.make(), ["run0001"])
    bench.tick(*RUNS)
    assert sorted(bench.table()) == ["run0000", "run0001"]


def test_an_edit_made_since_stays_and_is_named(bench: Bench) -> None:
    bench.tick(*RUNS[:1])
    bench.tick(*RUNS)
    rows = bench.person.values()
    place = next(n for n, row in enumerate(rows) if row[0] == "run0001")
    bench.person.put(place, 2, "my own")
    outcome = bench.undo()
    assert outcome.kept == {"run0001": ["loss"]}
    assert outcome.standing == ["run0001"]
    assert [row for row in bench.person.values() if "my own" in row] == [[None, None, "my own"]]
    assert outcome.removed == ["run0002"]


def test_a_remark_beside_keeps_the_row(bench: Bench) -> None:
    bench.tick(*RUNS)
    place = next(n for n, row in enumerate(bench.person.values()) if row[0] == "run0001")
    bench.person.put(place, 5, "remark")
    outcome = bench.undo()
    assert outcome.standing == ["run0001"]
    assert [row for row in bench.person.values()[1:] if any(row)] == [[None] * 5 + ["remark"]]


def test_live_cells_get_back_what_they_held(bench: Bench) -> None:
    bench.tick(running(0, 0.5), running(1, 1.5), live=True)
    before = bench.table()
    bench.tick(running(0, 0.25), running(1, 1.25), live=True)
    outcome = bench.undo()
    assert bench.table() == before
    assert outcome.emptied == 2
    assert not outcome.removed


def test_a_live_row_goes_with_what_followed(bench: Bench) -> None:
    bench.tick(running(0, 0.5), live=True)
    first = bench.history()[0].name
    bench.tick(done(0, 0.25), live=True)
    outcome = bench.undo(first)
    assert bench.table() == {}
    assert outcome.removed == ["run0000"]


def test_history_tells_what_was_written(bench: Bench) -> None:
    bench.tick(running(0, 0.5), live=True)
    bench.tick(running(0, 0.5), live=True)
    bench.tick(running(0, 0.25), live=True)
    bench.undo()
    again, second, first = bench.history()
    assert (first.rows, first.columns, first.cells) == (1, 5, 0)
    assert (second.rows, second.cells, second.changed_rows, second.undone) == (0, 1, 1, True)
    assert again.undoes == second.name
    assert first.name < second.name < again.name


def test_no_such_tick(bench: Bench) -> None:
    with pytest.raises(ConfigError, match="nothing was written"):
        bench.undo()
    bench.tick(*RUNS)
    with pytest.raises(ConfigError, match="no tick"):
        bench.undo("1999")
    bench.undo()
    with pytest.raises(ConfigError, match="every tick"):
        bench.undo()


def test_typed_into_a_row_in_the_second_it_is_deleted(desk: Desk, server: SheetsServer) -> None:
    desk.tick(RUNS[:1])
    desk.tick(RUNS)
    tab = desk.document.tab("runs")
    is_removal = lambda request: "deleteDimension" in request.types  # noqa: E731
    server.script(people(before=lambda document: tab.put("B4", "just now"), when=is_removal))
    outcome = undoing.undo(desk.connect(), FakeClock())
    assert [row for row in desk.values() if "just now" in row] == [[None, "just now"]]
    assert outcome.standing == ["run0002"]


def test_a_large_batch_is_known_by_whole_rows(desk: Desk) -> None:
    many = [run(n, config={f"k{k}": k for k in range(60)}) for n in range(400)]
    desk.tick(many, mode=sync.Mode(accept_changes=True))
    desk.document.tab("runs").put("C3", "mine")
    outcome = undoing.undo(desk.connect(), FakeClock())
    assert len(outcome.removed) == 399
    assert outcome.standing == [desk.ids()[0]]


def test_the_journal_is_bounded(bench: Bench) -> None:
    for number in range(30):
        bench.tick(replace(RUNS[0], id=f"id{number}"))
    assert len(bench.history()) <= 30
    assert bench.history()[0].rows == 1


def test_a_note_keeps_the_row_of_a_spreadsheet(desk: Desk) -> None:
    desk.tick(RUNS)
    desk.document.tab("runs").note("B3", "look again")
    assert undoing.undo(desk.connect(), FakeClock()).standing == ["run0001"]


def test_a_comment_keeps_the_row_of_a_workbook(tmp_path: Path) -> None:
    path = tmp_path / "runs.xlsx"
    tick(XlsxDestination(path, clock=FakeClock()), RUNS)
    book = openpyxl.load_workbook(path)
    book["runs"]["B3"].comment = Comment("look again", "kim")
    book.save(path)
    outcome = undoing.undo(XlsxDestination(path, clock=FakeClock()), FakeClock())
    assert (outcome.standing, outcome.removed) == (["run0001"], ["run0000", "run0002"])
