"""The report GPU-hours in a worksheet of its own: it follows the runs, and keeps what people do there (P2).

Mutants: an edited cell is overwritten; a deleted row comes back; groups that are gone keep their numbers; the
rows of a report are taken for runs of the main table; a report whose book-keeping is lost says nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import openpyxl
import pytest

from runsheet.clock import Clock
from runsheet.destinations.base import Destination
from runsheet.destinations.memory import MemoryDestination, MemorySheet
from runsheet.destinations.xlsx import XlsxDestination
from runsheet.model import Run
from runsheet.report import Report
from runsheet.reports.keeper import Keeper, Wish
from runsheet.reports.live_table import GPU_HOURS
from runsheet.reports.usage import Settings
from runsheet.sources.memory import WatchedMemorySource
from runsheet.sync import Mode
from tests.support.builders import NOW, PROJECT, Desk, FakeClock, rules, run, tick
from tests.support.people import Browser
from tests.support.sheets import SheetsServer

TITLE = GPU_HOURS.name
HEADER = [header.title for header in GPU_HOURS.headers]
Cells = list[list[Any]]


class Person(Protocol):
    """Somebody with the report open. Rows and columns count from 0."""

    def values(self) -> Cells: ...
    def put(self, row: int, column: int, value: Any) -> None: ...
    def sort(self, column: int, *, descending: bool = False) -> None: ...
    def delete_row(self, row: int) -> None: ...
    def lose_notes(self) -> None: ...
    def delete_tab(self) -> None: ...


class InMemory:
    def __init__(self, sheet: MemorySheet) -> None:
        self.sheet = sheet

    def values(self) -> Cells:
        return [list(row) for row in self.sheet.rows]

    def put(self, row: int, column: int, value: Any) -> None:
        rows = self.sheet.rows
        rows += [[] for _ in range(row + 1 - len(rows))]
        cells = rows[row]
        cells += [None] * (column + 1 - len(cells))
        cells[column] = value

    def sort(self, column: int, *, descending: bool = False) -> None:
        header, *rows = self.sheet.rows
        self.sheet.rows = [header, *sorted(rows, key=lambda row: str(row[column]), reverse=descending)]

    def delete_row(self, row: int) -> None:
        del self.sheet.rows[row]

    def lose_notes(self) -> None:
        self.sheet.notes = None

    def delete_tab(self) -> None:
        self.sheet.rows, self.sheet.marks = [], []


class InWorkbook:
    def __init__(self, path: Path) -> None:
        self.path = path

    def values(self) -> Cells:
        return [list(row) for row in openpyxl.load_workbook(self.path)[TITLE].iter_rows(values_only=True)]

    def put(self, row: int, column: int, value: Any) -> None:
        self._change(lambda sheet: setattr(sheet.cell(row + 1, column + 1), "value", value))

    def sort(self, column: int, *, descending: bool = False) -> None:
        def sort(sheet: Any) -> None:
            rows = [*sheet.iter_rows(min_row=2, values_only=True)]
            rows.sort(key=lambda row: str(row[column]), reverse=descending)
            for number, row in enumerate(rows, 2):
                for index, value in enumerate(row, 1):
                    sheet.cell(number, index).value = value

        self._change(sort)

    def delete_row(self, row: int) -> None:
        self._change(lambda sheet: sheet.delete_rows(row + 1))

    def lose_notes(self) -> None:
        self._change(lambda sheet: sheet.parent.remove(sheet.parent["_runsheet"]))

    def delete_tab(self) -> None:
        self._change(lambda sheet: sheet.parent.remove(sheet))

    def _change(self, deed: Callable[[Any], object]) -> None:
        book = openpyxl.load_workbook(self.path)
        deed(book[TITLE])
        book.save(self.path)


class InBrowser(Browser):
    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.document.tab(TITLE))

    def values(self) -> Cells:
        return self.tab.values()

    def lose_notes(self) -> None:
        self.tab.document.delete_tab(
            next(tab.title for tab in self.tab.document.tabs if "_runs" in tab.title)
        )

    def delete_tab(self) -> None:
        self.tab.document.delete_tab(TITLE)


@dataclass
class Office:
    """A report beside its table: `connect` opens one of both worksheets, `person` looks at the report. `runs`
    are what there is; each tick is that of a process of its own, unless it gets a `keeper`."""

    connect: Callable[[str], Destination]
    person: Callable[[], Person]
    runs: list[Run]

    def tick(self, keeper: Keeper | None = None, **more: Any) -> Report:
        keeper = keeper or Keeper(None, FakeClock())
        wish = Wish(GPU_HOURS, Settings(), {}, {})
        source = WatchedMemorySource({PROJECT: self.runs})
        destination = self.connect(TITLE)
        try:
            return keeper.make(wish, source, destination, Mode(**more))
        finally:
            destination.close()

    def main(self) -> Report:
        destination = self.connect("runs")
        try:
            return tick(destination, self.runs, rules(dynamic=()))
        finally:
            destination.close()

    def table(self, title: str = "GPU-hours") -> dict[str, Any]:
        """A column by the key of the row."""
        header, *rows = self.person().values()
        place = header.index(title)
        return {row[0]: row[place] if place < len(row) else None for row in rows if row and row[0]}

    def put(self, row_id: str, title: str, value: Any) -> None:
        person = self.person()
        header, *rows = person.values()
        person.put([row[0] for row in rows].index(row_id) + 1, header.index(title), value)


def used(number: int, size: int = 1, **more: Any) -> Run:
    return run(number, config={"dist/world_size": size}, **more)


def start() -> list[Run]:
    return [used(1), used(2, 2), used(3, 4, user="ann")]


FIRST = {PROJECT: 168, "ann 2026-11": 96, "kim 2026-11": 72}


@contextmanager
def _memory(tmp_path: Path) -> Iterator[Office]:
    sheets = {TITLE: MemorySheet(), "runs": MemorySheet()}
    yield Office(lambda name: MemoryDestination(sheets[name]), lambda: InMemory(sheets[TITLE]), start())


@contextmanager
def _xlsx(tmp_path: Path) -> Iterator[Office]:
    path = tmp_path / "runs.xlsx"

    def connect(name: str) -> Destination:
        return XlsxDestination(path, worksheet=name, clock=Clock())

    yield Office(connect, lambda: InWorkbook(path), start())


@contextmanager
def _gsheet(tmp_path: Path) -> Iterator[Office]:
    with SheetsServer() as server:
        desk = Desk(server, tmp_path)
        yield Office(desk.connect, lambda: InBrowser(desk), start())


PLACES = {"memory": _memory, "xlsx": _xlsx, "gsheet": _gsheet}


@pytest.fixture(params=PLACES)
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Office]:
    """With a main table and a report that stand."""
    with PLACES[request.param](tmp_path) as made:
        made.main()
        made.tick()
        yield made


def test_the_table_appears(office: Office) -> None:
    """In a worksheet of its own, beside the main table, which it does not disturb."""
    assert office.person().values()[0] == HEADER
    assert office.table() == FIRST
    assert office.table("Month") == {PROJECT: None, "ann 2026-11": "2026-11", "kim 2026-11": "2026-11"}
    assert office.table("GPU-hours per run") == {PROJECT: 56, "ann 2026-11": 96, "kim 2026-11": 36}
    assert office.main().added == 0


def test_it_follows_new_runs(office: Office) -> None:
    office.runs += [used(4, 8), used(5, 1, user="ann", heartbeat=NOW, state="running")]
    report = office.tick()
    assert office.table() == FIRST | {PROJECT: 360, "kim 2026-11": 264}
    assert report.line().startswith("GPU-hours: 3 rows · 0 added · 2 updated")
    office.runs.append(used(6, user="lee"))
    assert office.tick().added_ids == ("lee 2026-11",)
    assert office.table()["lee 2026-11"] == 24


def test_nothing_new_writes_nothing(office: Office) -> None:
    keeper = Keeper(None, FakeClock())
    before = office.person().values()
    for report in (office.tick(keeper), office.tick(keeper), office.tick()):
        assert (report.added, report.updated_ids, report.kept, report.remarks()) == (0, (), 0, [])
    assert office.person().values() == before


def test_an_edited_cell_stays_and_the_report_says_so(office: Office) -> None:
    office.put("kim 2026-11", "GPU-hours", 70)
    office.put("kim 2026-11", "Project", "mine")
    for number in (4, 5):
        office.runs.append(used(number))
        report = office.tick()
        assert report.kept == 2
        assert "2 edited cells kept" in report.line()
    assert office.table() == FIRST | {PROJECT: 216, "kim 2026-11": 70}
    assert office.table("Runs")["kim 2026-11"] == 4
    assert office.table("Project")["kim 2026-11"] == "mine"


def test_it_survives_sorting_and_a_column_of_their_own(office: Office) -> None:
    office.person().sort(HEADER.index("GPU-hours"), descending=True)
    office.person().put(0, len(HEADER), "Budget")
    office.put("kim 2026-11", "Budget", 100)
    office.runs.append(used(4))
    office.tick()
    assert office.table() == FIRST | {PROJECT: 192, "kim 2026-11": 96}
    assert office.table("Budget")["kim 2026-11"] == 100


def test_a_deleted_row_stays_away(office: Office) -> None:
    rows = [row[0] for row in office.person().values()]
    office.person().delete_row(rows.index("ann 2026-11"))
    office.runs.append(used(4, user="ann"))
    report = office.tick()
    assert list(office.table()) == [PROJECT, "kim 2026-11"]
    assert "1 deleted by hand" in report.line()


def test_a_group_that_is_gone_shows_zeros(office: Office) -> None:
    """And what it was stays."""
    del office.runs[2]
    for _ in range(2):
        office.tick()
        assert office.table() == {PROJECT: 72, "ann 2026-11": 0, "kim 2026-11": 72}
        assert office.table("Runs")["ann 2026-11"] == 0
        assert office.table("User")["ann 2026-11"] == "ann"
    office.runs.append(used(3, 1, user="ann"))
    office.tick()
    assert office.table()["ann 2026-11"] == 24


def test_a_deleted_tab_is_made_anew(office: Office) -> None:
    """With the groups that there are: none that is gone. The table of the runs does not mind."""
    del office.runs[2]
    office.person().delete_tab()
    office.tick()
    assert office.table() == {PROJECT: 72, "kim 2026-11": 72}
    office.runs.append(used(4))
    office.tick()
    assert office.table() == {PROJECT: 96, "kim 2026-11": 96}
    assert office.main().added_ids == ("run0004",)


def test_a_row_of_a_person_is_left_alone(office: Office) -> None:
    office.person().put(4, 0, "Total")
    office.person().put(4, HEADER.index("GPU-hours"), 168)
    office.runs.append(used(4))
    office.tick()
    assert office.table() == FIRST | {PROJECT: 192, "kim 2026-11": 96, "Total": 168}


def test_a_dry_run_shows_what_it_would_write(office: Office) -> None:
    before = office.person().values()
    office.runs += [used(4), used(5, user="lee")]
    report = office.tick(dry_run=True)
    lines = report.plan_lines()
    assert any(line.startswith("new row lee 2026-11 of GPU-hours") for line in lines)
    assert any(line.startswith("row kim 2026-11: ") and "72" in line and "96" in line for line in lines)
    assert "1 would be added (dry run) · 2 would be updated" in report.line()
    assert office.person().values() == before


def test_lost_book_keeping_is_told(office: Office) -> None:
    """Nobody knows then what people have edited: rows stay as they are, and each report says so."""
    office.person().lose_notes()
    office.main()
    office.tick()
    office.runs.append(used(4))
    for _ in range(2):
        report = office.tick()
        assert any("3 rows not kept up to date" in line for line in report.remarks())
        assert office.table() == FIRST


def test_runs_without_a_readable_world_size_are_named(office: Office) -> None:
    office.runs.append(run(7, config={"world_size": "many"}))
    remarks = office.tick().remarks()
    assert remarks == ["GPU-hours: 1 run left out, since the world size is no number: run0007"]


def test_what_is_known_is_not_asked_for_again(office: Office) -> None:
    """One light listing, and what is new."""
    keeper = Keeper(None, FakeClock())
    assert office.tick(keeper).source_requests == 1
    assert office.tick(keeper).source_requests == 1
    office.runs.append(used(4))
    assert office.tick(keeper).source_requests == 2


def test_charts_stay(desk: Desk) -> None:
    """On Google Sheets; a workbook is patched in any case."""
    office = Office(desk.connect, lambda: InBrowser(desk), start())
    office.tick()
    person = InBrowser(desk)
    person.chart()
    office.runs += [used(4), used(5, user="lee")]
    office.tick()
    assert person.look().rest["extras"] == {"charts": 1}
    assert office.table()["lee 2026-11"] == 24


def test_requests_to_google(desk: Desk, server: SheetsServer) -> None:
    """Two reads to know the rows, and what a table of live rows takes, as in the tick after a write."""
    office = Office(desk.connect, lambda: InBrowser(desk), start())
    office.tick()
    counts: list[Sequence[int]] = []
    for runs in ([], [used(4)], [], []):
        office.runs += runs
        before = server.count("read"), server.count("write")
        office.tick()
        counts.append((server.count("read") - before[0], server.count("write") - before[1]))
    assert counts == [(4, 0), (5, 1), (5, 1), (4, 0)]
