"""P1-P7 in one tick after another: every run that qualifies has one row, people's edits stay."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from runsheet import sync
from runsheet.clock import Clock
from runsheet.columns import Header
from runsheet.config import Config
from runsheet.destinations.memory import MemoryDestination, MemorySheet
from runsheet.errors import Changed, NotFound, ServiceError, SheetError, Stopped, Unreachable
from runsheet.model import Cell, Plan, Run, Skip
from runsheet.report import Report
from runsheet.rules import Rules
from runsheet.sources.base import Query
from runsheet.sources.memory import MemorySource
from tests.support.builders import NOW, PROJECT, FakeClock, rules, run

HOUR = timedelta(hours=1)
RUNS = [run(number) for number in range(4)]


class Failing(MemorySource):
    """Lists its projects, but for those that `failures` names; these break after their first run."""

    def __init__(self, runs: Mapping[str, Sequence[Run | Skip]], failures: Mapping[str, Exception]) -> None:
        super().__init__(runs)
        self._failures = failures

    def runs(self, project: str, query: Query) -> Iterator[Run | Skip]:
        for item in super().runs(project, query):
            yield item
            if project in self._failures:
                raise self._failures[project]


class Scripted(MemoryDestination):
    """Does what its script says at each write: "before" fails without writing, "after" writes and
    loses the answer; a callable is a person who edits the sheet between the reading and the write."""

    def __init__(self, sheet: MemorySheet, *script: str | Callable[[], object]) -> None:
        super().__init__(sheet)
        self.script = list(script)

    def apply(self, plan: Plan) -> Iterator[int]:
        step = self.script.pop(0) if self.script else ""
        if callable(step):
            step()
        if step == "before":
            raise Changed("a guard refused the batch")
        yield from super().apply(plan)
        if step == "after":
            raise Changed("the answer was lost")


def tick(
    sheet: MemorySheet | MemoryDestination,
    runs: Sequence[Run | Skip] | Mapping[str, Sequence[Run | Skip]] | MemorySource,
    wanted: Rules | None = None,
    clock: Clock | None = None,
    **more: Any,
) -> Report:
    """One tick over a sheet."""
    if not isinstance(runs, MemorySource):
        runs = MemorySource(runs if isinstance(runs, Mapping) else {PROJECT: runs})
    destination = MemoryDestination(sheet) if isinstance(sheet, MemorySheet) else sheet
    return sync.tick(runs, destination, wanted or rules(), Query(), clock or FakeClock(), **more)


def shown(sheet: MemorySheet, title: str = "run_id") -> list[Cell]:
    """What stands under a title, top to bottom, blanks left out."""
    place = sheet.rows[0].index(title)
    cells = [row[place] for row in sheet.rows[1:] if len(row) > place]
    return [cell for cell in cells if cell not in (None, "")]


def row_of(sheet: MemorySheet, run_id: str) -> dict[str, Cell]:
    """A run's row by titles, empty cells left out."""
    place = sheet.rows[0].index("run_id")
    (row,) = [row for row in sheet.rows[1:] if row[place : place + 1] == [run_id]]
    return {str(title): cell for title, cell in zip(sheet.rows[0], row, strict=False) if cell is not None}


def copy(sheet: MemorySheet) -> MemorySheet:
    notes = None if sheet.notes is None else list(sheet.notes)
    return replace(sheet, rows=[list(row) for row in sheet.rows], marks=list(sheet.marks), notes=notes)


@pytest.fixture
def sheet() -> MemorySheet:
    return MemorySheet()


class TestOnce:
    def test_the_second_tick_adds_nothing(self, sheet: MemorySheet) -> None:
        """P1: the same runs, the same sheet."""
        assert tick(sheet, RUNS).added == 4
        before = copy(sheet)
        report = tick(sheet, RUNS)
        assert (report.added, report.seen, sheet) == (0, 4, before)

    def test_only_new_runs_are_added(self, sheet: MemorySheet) -> None:
        """New ones go below the last, with columns for what only they have."""
        tick(sheet, RUNS)
        report = tick(sheet, [*RUNS, run(9, summary={"acc": 0.5})])
        assert (report.added, report.columns_added) == (1, ("acc",))
        assert shown(sheet) == [*(item.id for item in RUNS), "run0009"]

    @pytest.mark.parametrize(
        "run_id", ["a b", 'x"y', "a/b", "실험-1", "-", "=1+1", "007", "\ud83d", "a%20b"], ids=ascii
    )
    def test_whatever_an_id_is(self, sheet: MemorySheet, run_id: str) -> None:
        """One row, and none more at the next tick."""
        tick(sheet, [run(run_id), run("other")])
        tick(sheet, [run(run_id), run("other")])
        assert len(shown(sheet)) == 2

    def test_a_source_that_repeats(self, sheet: MemorySheet) -> None:
        """A run listed twice, or by two names of its project, has one row."""
        tick(sheet, {"team/proj": RUNS, "proj": [*RUNS, RUNS[0]]})
        assert shown(sheet) == [item.id for item in RUNS]

    @pytest.mark.parametrize("script", [["before"], ["after"], ["before", "after"], ["before"] * 5])
    def test_a_write_that_fails(self, sheet: MemorySheet, script: list[str]) -> None:
        """The tick reads again and plans afresh: nothing is lost, nothing doubled."""
        tick(sheet, RUNS[:1])
        tick(Scripted(sheet, *script), RUNS)
        assert shown(sheet) == [item.id for item in RUNS]
        assert tick(sheet, RUNS).added == 0

    def test_somebody_else_writes_first(self, sheet: MemorySheet) -> None:
        """Two daemons that planned the same rows: one of them writes each."""
        other = Scripted(sheet, lambda: tick(sheet, [*RUNS[:2], run(8)]))
        tick(other, RUNS)
        assert sorted(map(str, shown(sheet))) == sorted(["run0008", *(item.id for item in RUNS)])

    def test_a_person_moves_columns_meanwhile(self, sheet: MemorySheet) -> None:
        """The plan is made again for the columns as they stand then."""
        tick(sheet, RUNS[:1])

        def move() -> None:
            for row in sheet.rows:
                row.insert(0, None)
                row.append(row.pop(1))
            sheet.marks.insert(0, None)
            sheet.marks.append(sheet.marks.pop(1))
            sheet.version += 1

        tick(Scripted(sheet, move), RUNS)
        assert shown(sheet) == [item.id for item in RUNS]
        assert row_of(sheet, "run0003")["loss"] == 0.25
        assert all(row[0] is None for row in sheet.rows)

    def test_it_gives_up_at_last(self, sheet: MemorySheet) -> None:
        """A sheet that never holds still fails the tick, which the next one makes good."""
        clock = FakeClock()
        with pytest.raises(ServiceError, match="Nothing is half done"):
            tick(Scripted(sheet, *["before"] * sync.ATTEMPTS), RUNS, clock=clock)
        assert shown(sheet) == [] if sheet.rows else True
        assert 0 < sum(clock.waited) < 30
        assert tick(sheet, RUNS).added == 4

    def test_a_stop_between_two_steps(self, sheet: MemorySheet) -> None:
        """A signal before the write: nothing is written, the next start writes all."""
        clock = FakeClock()

        def progress(_: int) -> None:
            clock.stop()

        with pytest.raises(Stopped):
            tick(sheet, RUNS, clock=clock, progress=progress)
        assert sheet == MemorySheet()
        assert tick(sheet, RUNS).added == 4


class TestPeople:
    def test_a_deleted_row_stays_away(self, sheet: MemorySheet) -> None:
        """P4: it is counted, and does not come back."""
        tick(sheet, RUNS)
        del sheet.rows[2]
        report = tick(sheet, [*RUNS, run(9)])
        assert (report.deleted, report.added) == (1, 1)
        assert shown(sheet) == ["run0000", "run0002", "run0003", "run0009"]

    @pytest.mark.parametrize("tab", [[], [[None, None], ["", None]]], ids=["tab deleted", "cells cleared"])
    def test_a_cleared_sheet_starts_over(self, sheet: MemorySheet, tab: list[list[Cell]]) -> None:
        """P4: all runs come back, those whose rows were deleted once too."""
        tick(sheet, RUNS)
        del sheet.rows[2]
        tick(sheet, RUNS)
        sheet.rows = tab
        report = tick(sheet, RUNS)
        assert (report.added, report.over) == (4, True)
        assert shown(sheet) == [item.id for item in RUNS]
        assert tick(sheet, RUNS).added == 0

    def test_edits_stay(self, sheet: MemorySheet) -> None:
        """P2: no cell that stands there is written again, sorted or not."""
        tick(sheet, RUNS)
        sheet.rows[1:] = reversed(sheet.rows[1:])
        sheet.rows[1][1] = "edited"
        sheet.rows.insert(2, [])
        sheet.rows.append([None, None, None, None, "a note"])
        before = copy(sheet)
        tick(sheet, [*RUNS, run(9)])
        added = next(place for place, row in enumerate(sheet.rows) if "run0009" in row)
        del sheet.rows[added]
        assert sheet.rows == before.rows

    def test_a_renamed_header_is_still_its_column(self, sheet: MemorySheet) -> None:
        """P3: known by its mark, and its old title makes no second column."""
        tick(sheet, RUNS)
        sheet.rows[0][sheet.rows[0].index("loss")] = "my loss"
        report = tick(sheet, [*RUNS, run(9, summary={"loss": 0.125})])
        assert report.columns_added == ()
        assert row_of(sheet, "run0009")["my loss"] == 0.125

    def test_a_deleted_column_stays_away(self, sheet: MemorySheet) -> None:
        """P3: and its values go nowhere else."""
        tick(sheet, RUNS)
        place = sheet.rows[0].index("loss")
        for row in [*sheet.rows, sheet.marks]:
            del row[place]  # type: ignore[attr-defined]
        sheet.version += 1
        tick(sheet, [*RUNS, run(9)])
        assert "loss" not in row_of(sheet, "run0009")

    def test_without_the_run_id_column_nothing_is_written(self, sheet: MemorySheet) -> None:
        """A vanished run_id column stops the tick with what to do."""
        tick(sheet, RUNS)
        for row in [*sheet.rows, sheet.marks]:
            del row[0]  # type: ignore[attr-defined]
        before = copy(sheet)
        with pytest.raises(SheetError, match="bring it back"):
            tick(sheet, [*RUNS, run(9)])
        assert sheet == before

    def test_a_tab_with_other_data_is_refused(self, sheet: MemorySheet) -> None:
        """Nothing of it is touched; the error names the setting."""
        sheet.rows = [["budget", "2024"], ["GPU", 7]]
        before = copy(sheet)
        with pytest.raises(SheetError, match="WORKSHEET"):
            tick(sheet, RUNS)
        assert sheet == before

    def test_lost_book_keeping(self, sheet: MemorySheet) -> None:
        """What stands is kept and not doubled; a row deleted earlier may return once, which is said."""
        tick(sheet, RUNS)
        del sheet.rows[2]
        sheet.notes = None
        report = tick(sheet, RUNS)
        assert (report.lost_notes, report.added) == (True, 1)
        assert sorted(map(str, shown(sheet))) == [item.id for item in RUNS]
        del sheet.rows[1]
        assert tick(sheet, RUNS).added == 0

    def test_lost_book_keeping_and_a_project_that_fails(self, sheet: MemorySheet) -> None:
        """Rows of a project that cannot be listed just then are its rows later."""
        runs = {"team/a": [run("x", "team/a")], "team/b": [run("y", "team/b")]}
        tick(sheet, runs)
        sheet.notes = None
        tick(sheet, Failing(runs, {"team/b": Unreachable("no answer")}))
        assert tick(sheet, runs).added == 0
        assert shown(sheet) == ["x", "y"]


class TestAdoption:
    """A sheet that the seed's script filled: titles are keys, `/` is `_`, runs in any state."""

    @pytest.fixture
    def seed(self) -> MemorySheet:
        return MemorySheet(
            [
                ["run_id", "_timestamp", "name", "train_loss", "lr", "comment"],
                ["run0000", "2024-11-20 14:30:15", "kim", 0.5, 0.1, "keep"],
                ["early", "2024-11-20 15:00:00", "lee", 0.75, "", ""],
                [],
                ["Total", None, None, None, None, "of a person"],
            ]
        )

    WANTED = rules("run_id", "_timestamp", "name", "train_loss", dynamic=("*", "!model.*"))

    def runs(self, state: str = "finished") -> list[Run]:
        summary = {"train/loss": 0.25}
        early = run("early", state=state, heartbeat=NOW, summary=summary)
        return [run(0, summary=summary), early, run(1, summary=summary)]

    def test_nothing_in_it_changes(self, seed: MemorySheet) -> None:
        """Its runs are known, new ones go under the last, each value under its column."""
        before = copy(seed).rows
        assert tick(seed, self.runs(), self.WANTED).added == 1
        row = row_of(seed, "run0001")
        assert (row["train_loss"], row["lr"], row["name"]) == (0.25, 0.1, "kim")
        assert seed.rows.pop(3)[0] == "run0001"
        assert [row[: len(old)] for row, old in zip(seed.rows, before, strict=True)] == before
        assert len(seed.rows[0]) == len(before[0])

    def test_its_running_runs_are_known_when_they_end(self, seed: MemorySheet) -> None:
        """The seed's script appended runs at once: they do not come again when they settle."""
        tick(seed, self.runs("running"), self.WANTED)
        tick(seed, self.runs(), self.WANTED)
        assert shown(seed) == ["run0000", "early", "run0001", "Total"]

    def test_deleted_later_they_stay_away(self, seed: MemorySheet) -> None:
        """P4 holds for rows that were found as for rows that we wrote."""
        tick(seed, self.runs("running"), self.WANTED)
        del seed.rows[1:3]
        assert tick(seed, self.runs(), self.WANTED).added == 0

    def test_without_runs_it_waits(self, seed: MemorySheet) -> None:
        """Nothing is marked while no run tells which columns are ours."""
        before = copy(seed)
        tick(seed, [], self.WANTED)
        assert seed == before
        tick(seed, self.runs(), self.WANTED)
        assert sorted(filter(None, seed.marks)) == [
            "_timestamp", "config.lr", "name", "run_id", "train_loss",
        ]  # fmt: skip

    def test_the_shipped_configuration_finds_its_columns(self, seed: MemorySheet) -> None:
        """A header with a title of its own is not made twice where its key is the title."""
        wanted = Config(FIXED_HEADERS=["run_id", {"Rate": "lr"}]).rules()
        tick(seed, self.runs(), wanted)
        assert "Rate" not in seed.rows[0]


class TestProjects:
    TWO: Mapping[str, Sequence[Run]] = {
        "team/a": [run("x", "team/a"), run("y", "team/a", summary={"only a": 1})],
        "team/b": [run("x", "team/b"), run("z", "team/b", summary={"only b": 1})],
    }

    def test_several_projects_have_a_project_column(self, sheet: MemorySheet) -> None:
        """The same run id in two projects is two runs."""
        assert tick(sheet, self.TWO).added == 4
        assert list(zip(shown(sheet), shown(sheet, "project"), strict=True)) == [
            ("x", "team/a"), ("y", "team/a"), ("x", "team/b"), ("z", "team/b"),
        ]  # fmt: skip
        assert tick(sheet, self.TWO).added == 0

    def test_a_second_project_later(self, sheet: MemorySheet) -> None:
        """The column comes with it; rows of the first stay as they are."""
        tick(sheet, {"team/a": self.TWO["team/a"]})
        assert "project" not in sheet.rows[0]
        tick(sheet, self.TWO)
        assert shown(sheet) == ["x", "y", "x", "z"]
        assert shown(sheet, "project") == ["team/b", "team/b"]
        del sheet.rows[1]
        assert tick(sheet, self.TWO).added == 0

    def test_one_that_fails_does_not_stop_the_others(self, sheet: MemorySheet) -> None:
        """P6: it is named with its cause, and comes with the next tick whole."""
        source = Failing(self.TWO, {"team/a": NotFound("no such project")})
        report = tick(sheet, source)
        assert (report.added, dict(report.failed)) == (2, {"team/a": "no such project"})
        assert "only a" not in sheet.rows[0]
        assert tick(sheet, self.TWO).added == 2

    def test_all_of_them_fail(self, sheet: MemorySheet) -> None:
        """Then the tick has failed."""
        with pytest.raises(Unreachable):
            tick(sheet, Failing(self.TWO, dict.fromkeys(self.TWO, Unreachable("no network"))))
        assert sheet == MemorySheet()


class TestRules:
    @pytest.mark.parametrize(("hours", "added"), [(23.999, 0), (24, 1), (48, 1)])
    @pytest.mark.parametrize("state", ["running", "crashed"])
    def test_settling(self, sheet: MemorySheet, state: str, hours: float, added: int) -> None:
        """At SETTLE_HOURS without a sign of life a run counts as ended, no sooner."""
        report = tick(sheet, [run(1, state=state, heartbeat=NOW - hours * HOUR)])
        assert (report.added, dict(report.waiting)) == (added, {} if added else {state: 1})

    def test_it_comes_when_it_ends(self, sheet: MemorySheet) -> None:
        """A run that waited is appended once it has settled, with its last values."""
        tick(sheet, [run(1, state="running", heartbeat=NOW, summary={"loss": 9})])
        tick(sheet, [run(1, state="finished", summary={"loss": 0.5})])
        assert row_of(sheet, "run0001")["loss"] == 0.5

    def test_users_and_states(self, sheet: MemorySheet) -> None:
        """--user_name and STATES say which runs are appended, the report why others are not."""
        runs = [run(1, user="Kim"), run(2, user="lee"), run(3, user=None), run(4, state="failed")]
        wanted = rules(users=frozenset({"kim"}), states=frozenset({"finished"}))
        report = tick(sheet, runs, wanted)
        assert shown(sheet) == ["run0001"]
        assert report.waiting == {"of another user": 2, "failed, not in STATES": 1}

    def test_names(self, sheet: MemorySheet) -> None:
        """NAME shows people's names; a user without one, or whose account is gone, is no error."""
        runs = [run(1, user="ng-youn"), run(2, user="lee"), run(3, user=None)]
        tick(sheet, runs, rules("run_id", Header("name", "User"), names={"ng-youn": "남규"}))
        assert shown(sheet, "User") == ["남규", "lee"]
        assert len(shown(sheet)) == 3

    def test_skips_are_told(self, sheet: MemorySheet) -> None:
        """P7: what a source could not read is in the report, and costs no other run."""
        skip = Skip("run-x", "empty file")
        report = tick(sheet, [skip, *RUNS])
        assert (report.skips, report.added, report.seen) == ((skip,), 4, 4)


class TestDryRun:
    def test_it_writes_nothing(self, sheet: MemorySheet) -> None:
        """The plan is in the report; the sheet is as it was."""
        tick(sheet, RUNS[:2])
        before = copy(sheet)
        report = tick(sheet, RUNS, mode=sync.Mode(dry_run=True))
        assert sheet == before
        assert report.planned is not None
        assert [row.run_id for row in report.planned.rows] == ["run0002", "run0003"]
        assert report.added == 0


class TestColumns:
    def test_a_second_config_value_keeps_its_own_column(self, sheet: MemorySheet) -> None:
        """`lr` of the config and of the summary, `train/loss` and `train_loss`: a column each."""
        first = run(1, config={"lr": 1}, summary={"train/loss": 2})
        tick(sheet, [first])
        tick(sheet, [first, run(2, config={"lr": 3}, summary={"lr": 4, "train/loss": 5, "train_loss": 6})])
        assert sheet.rows[0] == ["run_id", "name", "lr", "train/loss", "summary.lr", "train_loss"]
        assert sheet.rows[2] == ["run0002", "kim", 3, 5, 4, 6]

    def test_the_rest_is_named(self, sheet: MemorySheet) -> None:
        """Columns beyond MAX_COLUMNS are in the report, and the run has its row."""
        report = tick(sheet, [run(1, config={f"k{n}": n for n in range(10)})], rules(limit=4))
        assert len(sheet.rows[0]) == 4
        assert len(report.left_out) == 10
        assert "beyond MAX_COLUMNS" in report.remarks()[0]

    def test_a_limit_below_the_fixed_headers(self, sheet: MemorySheet) -> None:
        """run_id is never what is left out: every tick finds it again."""
        for _ in range(2):
            tick(sheet, RUNS, rules("name", "state", "run_id", limit=1))
        assert shown(sheet) == [item.id for item in RUNS]

    def test_progress_counts_runs(self, sheet: MemorySheet) -> None:
        """Over all projects, one by one."""
        counts: list[int] = []
        tick(sheet, TestProjects.TWO, progress=counts.append)
        assert counts == [1, 2, 3, 4]
