"""P1, P4, P6: what an adversary found in ticks that ask for what is new only.

Mutants: DONE is written although others cleared the table; a torn spool is kept; a tick that only notes how
far it listed fails, or makes a backup.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runsheet import spool, sync
from runsheet.destinations.memory import MemoryDestination
from runsheet.errors import Changed, RunsheetError, ServiceError, Unreachable
from runsheet.forget import forget
from runsheet.model import Plan, Run, Skip, Written
from runsheet.sources.base import Query, Recent
from runsheet.sources.memory import WatchedMemorySource
from tests.support.builders import PROJECT, Desk, FakeClock, rules, run, tick
from tests.unit.test_windows import DAY, OLD, Counting, Cut, Office, fresh, old

MANY = spool.FEW + 50


@pytest.fixture
def office() -> Office:
    made = Office(OLD)
    made.tick()
    return made


# --- a spool with a damaged page stops every tick from then on


def interrupted(folder: Path, **more: Any) -> Office:
    office = Office([old(number, **more) for number in range(MANY + 1000)])
    with pytest.raises(KeyboardInterrupt):
        sync.tick(
            WatchedMemorySource(office.projects),
            Cut(office.sheet, 100),
            office.rules,
            Query(),
            office.clock,
            mode=sync.Mode(cache=folder),
        )
    return office


def test_a_page_of_the_spool_is_torn(tmp_path: Path) -> None:
    """Overflow pages are not looked at when the file is opened; sqlite has no checksums."""
    office = interrupted(tmp_path, config={"lr": 0.1, "text": "x" * 9000})
    (path,) = tmp_path.iterdir()
    data = bytearray(path.read_bytes())
    place = data.index(b"x" * 3000, len(data) // 2)
    data[place : place + 2000] = bytes(2000)
    path.write_bytes(data)
    for _ in range(2):
        with suppress(ServiceError):  # One tick at most fails.
            office.tick(cache=tmp_path)
    assert len(office.ids) == MANY + 1000


# --- the disk is full when the first runs are spooled


def test_a_disk_that_is_full_from_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first FEW runs are written outside of what translates errors: a raw sqlite3 error ends the tick, of
    all projects."""
    connect = spool.connect

    def small(path: Path, tables: str) -> sqlite3.Connection:
        file = connect(path, tables)
        file.execute("PRAGMA max_page_count = 20")
        return file

    monkeypatch.setattr(spool, "connect", small)
    office = Office([old(number) for number in range(MANY)])
    office.projects["team/two"] = [fresh("two", project="team/two")]
    with suppress(ServiceError):  # The project that fails is named.
        office.tick(cache=tmp_path)
    assert "two" in office.ids


# --- what the spool holds depends on what was asked for


class Machines(WatchedMemorySource):
    """Tells the machine only if asked, as W&B's source does."""

    def runs(self, project: str, query: Query) -> Iterator[Run | Skip]:
        for item in super().runs(project, query):
            yield replace(item, machine="node1" if query.machine else "") if isinstance(item, Run) else item

    def pick(self, project: str, query: Query, ids: Sequence[str]) -> Iterator[Run | Skip]:
        for item in super().pick(project, query, ids):
            yield replace(item, machine="node1" if query.machine else "") if isinstance(item, Run) else item


def test_host_is_asked_for_after_an_interruption(tmp_path: Path) -> None:
    office = Office([old(number) for number in range(MANY)])
    mode = sync.Mode(cache=tmp_path)

    class Down(Machines):
        def runs(self, project: str, query: Query) -> Iterator[Run | Skip]:
            yield from super().runs(project, query)
            raise Unreachable("down")

    with pytest.raises(Unreachable):
        sync.tick(
            Down(office.projects), Counting(office.sheet), office.rules, Query(), office.clock, mode=mode
        )
    wanted = rules("run_id", "host", dynamic=())
    query = Query(machine=True)
    sync.tick(Machines(office.projects), Counting(office.sheet), wanted, query, office.clock, mode=mode)
    assert {row[1] for row in office.sheet.rows[1:]} == {"node1"}


def test_a_run_that_was_renamed_before_its_row_was_written(tmp_path: Path) -> None:
    """Its heartbeat and state say nothing of tags, notes, its name, or a summary set by the API."""
    office = Office([old(number) for number in range(MANY)], rules("run_id", "run_name", dynamic=()))

    class Down(WatchedMemorySource):
        def runs(self, project: str, query: Query) -> Iterator[Run | Skip]:
            yield from super().runs(project, query)
            raise Unreachable("down")

    with pytest.raises(Unreachable):
        office.tick(Down(office.projects), cache=tmp_path)
    office.later(5 * DAY)
    office.change("run0007", name="the good one")
    office.tick(cache=tmp_path)
    assert office.sheet.rows[8] == ["run0007", "the good one"]


# --- the first sync is called complete although most runs are missing


class Clearing(Counting):
    """At the first write somebody clears the tab."""

    def apply(self, plan: Plan) -> Iterator[Written]:
        if not plan.nothing and self.sheet.rows and len(self.sheet.rows) > 1000:
            self.sheet.rows = []
            self.sheet.version += 1
            raise Changed("a guard refused the batch")
        yield from super().apply(plan)


def test_a_tab_that_is_cleared_while_a_tick_runs(office: Office) -> None:
    """The window's runs are not all: the rest is no surprise in the next tick."""
    office.add(fresh("new"))
    source = WatchedMemorySource(office.projects)
    sync.tick(source, Clearing(office.sheet), office.rules, Query(), office.clock)
    assert office.ids == ["new"]
    office.tick()
    assert len(office.ids) == 1501


def test_a_tab_that_is_cleared_while_another_project_has_news(office: Office) -> None:
    """Of the project without news no run is at hand."""
    waits = fresh("waits", project="team/two", state="running")
    office.projects["team/two"] = [waits]
    office.tick()
    office.projects["team/two"].append(fresh("new", project="team/two"))
    source = WatchedMemorySource(office.projects)
    sync.tick(source, Clearing(office.sheet), office.rules, Query(), office.clock)
    assert office.ids == ["new"]
    office.tick()
    assert len(office.ids) == 1501


class ForgettingAll(Counting):
    """At the first write somebody who deleted all rows but a few lets their runs back in."""

    def apply(self, plan: Plan) -> Iterator[Written]:
        if not plan.nothing and len(self.sheet.rows) > 1000:
            del self.sheet.rows[100:]
            forget(MemoryDestination(self.sheet), None)
            raise Changed("a guard refused the batch")
        yield from super().apply(plan)


def test_many_runs_are_forgotten_while_a_tick_runs(office: Office) -> None:
    """README: no safety stop after `runsheet forget`."""
    office.add(fresh("new"))
    source = WatchedMemorySource(office.projects)
    sync.tick(source, ForgettingAll(office.sheet), office.rules, Query(), office.clock)
    office.tick()
    assert len(office.ids) == 1501


# --- one run that cannot be read makes every tick a full listing


class OneOdd(WatchedMemorySource):
    """W&B counts a run that it describes in an unknown way: a Skip of a listing, nothing in a window."""

    def listed(self, project: str, query: Query) -> Iterator[Run | Skip]:
        yield from super().listed(project, query)
        yield Skip(f"{project}/odd", "W&B described it in an unknown way")

    def runs(self, project: str, query: Query) -> Iterator[Run | Skip]:
        yield from super().runs(project, query)

    def recent(self, project: str, query: Query, since: Any) -> Recent | None:
        found = super().recent(project, query, since)
        return found and replace(found, total=(found.total or 0) + 1)


def test_a_run_that_cannot_be_read(office: Office) -> None:
    office.tick(OneOdd(office.projects))
    office.tick(OneOdd(office.projects))
    assert office.source.requests == 1


# --- a spreadsheet in the trash is still written to


def test_the_spreadsheet_of_a_title_is_in_the_trash(desk: Desk, server: Any, monkeypatch: Any) -> None:
    """Drive's trash keeps title and key, and the Sheets API goes on serving it. A new one of that title is
    meant."""
    from tests.support.sheets import drive

    memo: dict[str, Any] = {}
    tick(desk.connect(name="Results", memo=memo), [run(1)])
    trashed = desk.document
    selected = drive._selected
    monkeypatch.setattr(
        drive, "_selected", lambda document, wanted: document is not trashed and selected(document, wanted)
    )
    fresh_one = server.create("Results", tabs=("Sheet1",))
    tick(desk.connect(name="Results", memo=memo), [run(1), run(2)])
    assert [tab.title for tab in fresh_one.tabs if tab.title == "runs"]


# --- at first contact the plan is made of a header that was read before the pull
# (also in 2bea4c5, but a first sync takes minutes, and then people set the tab up)


def watched(desk: Desk, projects: Any, source: Any = WatchedMemorySource, **mode: Any) -> Any:
    wanted, clock = (
        mode.pop("wanted", None) or rules("run_id", "lr", "loss", dynamic=()),
        mode.pop("clock", FakeClock()),
    )
    destination = desk.connect("runs", memo=mode.pop("memo", None))
    try:
        return sync.tick(source(projects), destination, wanted, Query(), clock, mode=sync.Mode(**mode))
    finally:
        destination.close()


@pytest.mark.parametrize("deed", ["a column is inserted", "a table is pasted into the empty tab"])
def test_people_work_in_the_tab_during_the_first_pull(desk: Desk, deed: str) -> None:
    """Rows are doubled, and stand under the wrong headers."""
    tab = desk.document.add_tab("runs")
    table = [["run_id", "lr"], *[[f"run{n:04d}", 0.1] for n in range(5)]]
    if deed == "a column is inserted":
        tab.fill("A1", table)
    clock = FakeClock()

    class Slow(WatchedMemorySource):
        def runs(self, project: str, query: Query) -> Iterator[Run | Skip]:
            yield from super().runs(project, query)
            clock.wait(90)
            if deed == "a column is inserted":
                tab.insert_columns("A", 1)
            else:
                tab.fill("A1", table)

    wanted = rules("run_id", "lr", dynamic=())
    watched(desk, {PROJECT: [run(number) for number in range(6)]}, Slow, wanted=wanted, clock=clock)
    ids = [cell for row in desk.values("runs") for cell in row if str(cell).startswith("run0")]
    assert sorted(ids) == [f"run{number:04d}" for number in range(6)]


# --- 8: a tick with nothing to say writes watermarks: it fails where it may not write, and makes backups


def test_an_idle_workbook_is_open_in_excel(tmp_path: Path) -> None:
    """Nothing is new; still the tick fails, and each one after it lists all runs again."""
    from runsheet.destinations.xlsx import XlsxDestination

    clock, path = FakeClock(), tmp_path / "book.xlsx"
    projects = {PROJECT: OLD[:20]}

    def idle() -> Any:
        destination = XlsxDestination(path, clock=clock)
        try:
            return sync.tick(
                WatchedMemorySource(projects), destination, rules("run_id", dynamic=()), Query(), clock
            )
        finally:
            destination.close()

    idle()
    clock.wait(7 * 3600)
    (tmp_path / "~$book.xlsx").write_bytes(b"\x03kim")
    assert idle().added == 0


def test_an_idle_spreadsheet_is_shared_read_only(desk: Desk) -> None:
    projects, clock = {PROJECT: OLD[:20]}, FakeClock()
    watched(desk, projects)
    for email in list(desk.document.roles):
        desk.document.roles[email] = "reader"
    clock.wait(7 * 3600)
    assert watched(desk, projects, clock=clock).added == 0


def test_backups_of_an_idle_table(tmp_path: Path) -> None:
    """One a day, and those of the days when something was written are deleted for them."""
    from runsheet.backup import Backups

    office = Office(OLD[:20])
    office.tick()
    for _ in range(3):
        office.later(DAY)
        assert office.tick(full=True, backups=Backups(tmp_path, 14, office.clock)).added == 0
    assert list(tmp_path.iterdir()) == []


# --- a quiet tick passes over a header that is gone


@pytest.mark.parametrize(
    "header",
    [[None, None, None], ["run_id", None, None], ["run0003", 0.1, 0.25]],
    ids=["blank", "most", "other"],
)
def test_the_header_is_gone_and_nothing_is_new(desk: Desk, header: list[Any]) -> None:
    """README, What is stopped: with exit code 1 and the reason. The tick says all is well."""
    projects = {PROJECT: OLD[:20]}
    watched(desk, projects)
    desk.document.tab("runs").fill("A1", [header])
    with pytest.raises(RunsheetError):
        watched(desk, projects)


# --- the column of a header that is added later takes its path from the new runs alone


def test_a_header_that_is_added_later(office: Office) -> None:
    """1,500 runs have summary.loss; one that ended early has only config.loss, and decides for good."""
    office.rules = rules("run_id", "lr", "loss", dynamic=())
    office.add(fresh("early", config={"loss": "mse"}, summary={}))
    office.tick()
    office.add(fresh("whole", config={"loss": "mse"}, summary={"loss": 0.5}))
    office.tick()
    assert office.sheet.rows[-1][2] == 0.5


# --- a watermark says that a run has its row which has none


def test_a_run_that_goes_on_between_the_light_list_and_the_whole_run(office: Office) -> None:
    """Its end looks as if it were known: it waits for the next full listing."""

    class Resumed(WatchedMemorySource):
        def pick(self, project: str, query: Query, ids: Sequence[str]) -> Iterator[Run | Skip]:
            for item in super().pick(project, query, ids):
                yield replace(item, state="running") if isinstance(item, Run) and item.id == "x" else item

    office.add(fresh("x"), fresh("y"))
    office.tick(Resumed(office.projects))
    assert "x" not in office.ids
    office.tick()
    assert "x" in office.ids


# --- full listings in every tick


def test_eighty_projects() -> None:
    """There is room for 37 watermarks: the other 43 are listed in full in each tick, and nothing is quiet."""
    office = Office([])
    names = [f"our-research-team/project-number-{number}" for number in range(80)]
    office.projects = {name: [fresh(f"r{n}", project=name)] for n, name in enumerate(names)}
    office.tick()
    office.tick()
    office.tick()
    assert office.destination.calls == ["read"]


def test_one_project_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon takes a tick in which one project failed for none at all: all others are listed each time."""
    import os

    from runsheet.clock import Clock
    from runsheet.ticker import Place, Ticker
    from tests.support.sheets import SheetsServer
    from tests.support.wandb import WandbServer
    from tests.support.world import World

    with SheetsServer() as sheets, WandbServer() as wandb:
        world = World(sheets, wandb, tmp_path)
        world.configure(DYNAMIC_HEADERS=False, BACKUP_DIR="", PROJECT_NAME=["proj", "gone"])
        for name in set(os.environ) - {"PATH", "PYTEST_CURRENT_TEST"}:
            monkeypatch.delenv(name)
        for name, value in world.env.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        world.wandb.add_runs("team", "proj", 2300)
        ticker = Ticker(Place(), Clock())
        counts = []
        for _ in range(3):
            before = len(world.wandb.requests)
            with pytest.raises(ServiceError):
                ticker()
            counts.append(sum(r.name == "RunsheetLight" for r in world.wandb.requests[before:]))
        assert counts[-1] <= 2, counts


# --- two processes of one configuration write to two tabs


def test_a_new_tab_gets_the_old_title(desk: Desk) -> None:
    """A daemon goes on in the tab that it remembers, a process that is started now takes the new one."""
    projects: dict[str, list[Run | Skip]] = {PROJECT: [*OLD[:20]]}
    memo: dict[str, Any] = {}
    watched(desk, projects, memo=memo)
    desk.document.tab("runs").rename("Q4")
    watched(desk, projects, memo=memo)
    desk.document.add_tab("runs")
    projects[PROJECT].append(fresh("new"))
    watched(desk, projects, memo=memo)
    watched(desk, projects)
    assert desk.ids("Q4").count("new") + str(desk.values("runs")).count("'new'") == 1


def test_a_scribbled_spool(tmp_path: Path) -> None:
    """As the first: here it is a defect of runsheet in the log, tick after tick."""
    office = interrupted(tmp_path, config={"lr": 0.1, "text": "x" * 3000})
    (path,) = tmp_path.iterdir()
    data = bytearray(path.read_bytes())
    place = data.index(b"x" * 2000, len(data) // 2) + 1000
    data[place : place + 10] = b'"' * 10
    path.write_bytes(data)
    for _ in range(2):
        with suppress(ServiceError):  # One tick at most fails.
            office.tick(cache=tmp_path)
    assert len(office.ids) == MANY + 1000
