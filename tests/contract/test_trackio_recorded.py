"""The source `trackio` has what runs logged: files that the real package wrote, in the database and in the
inbox, and what becomes of them.

Mutants that were tried, each seen to fail: the inbox not read; `log_id` not looked at; the rows of all runs
taken; the name as id; no run without rows; a database that changes while it is read believed.
"""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from runsheet.clock import STEP, Clock
from runsheet.errors import NotFound, ServiceError, Stopped
from runsheet.model import Run, Scope
from runsheet.sources.base import Logged, Query, Stream
from runsheet.sources.trackio_db import TrackioSource
from runsheet.sources.trackio_db.tables import table
from tests.contract.recorded_contract import RecordedContract
from tests.contract.source_contract import QuickClock, split
from tests.contract.test_trackio_source import take_in
from tests.support.trackio import START, Project, at, fragments, insert, kept

GPUS = {f"gpu/{index}/{what}" for index in range(2) for what in ("power", "temp")}


def run_of(folder: Path, number: int) -> Run:
    """A run of the project that Trackio has written, by its age."""
    runs, _ = split(TrackioSource(folder, clock=QuickClock()).runs("vision", Query()))
    return runs[number]


def run(ident: str, project: str = "proj") -> Run:
    return Run(Scope("trackio", "", project), ident)


class TestDatabase(RecordedContract):
    @pytest.fixture
    def source(self, tmp_path: Path) -> TrackioSource:
        return TrackioSource(kept(tmp_path), clock=QuickClock())

    @pytest.fixture
    def run(self, source: TrackioSource, tmp_path: Path) -> Run:
        return run_of(tmp_path, 0)

    @pytest.fixture
    def history(self) -> set[str]:
        return {"train/loss", "acc", "step_time", "nested"}

    @pytest.fixture
    def system(self) -> set[str]:
        return {*GPUS, "cpu/utilization"}

    def test_values_are_as_trackio_has_them(self, source: TrackioSource, run: Run) -> None:
        """NaN and the infinities are texts, and keys have slashes."""
        rows = source.rows(run, Stream.HISTORY).samples
        odd = {"acc": "NaN", "step_time": "Infinity"}
        assert [row.values for row in rows] == [
            {"train/loss": 1.0} | odd,
            {"train/loss": 0.5} | odd,
            {"train/loss": 1 / 3} | odd,
            {"train/loss": 0.25, "nested": {"top1": 0.5}},
        ]
        power = source.rows(run, Stream.SYSTEM, "gpu/1/power".__eq__).samples
        assert [row.values for row in power] == [{"gpu/1/power": 7.5}, {"gpu/1/power": 8.5}]

    def test_the_last_row_has_the_time_of_the_heartbeat(self, source: TrackioSource, run: Run) -> None:
        assert run.heartbeat
        times = [row.time for stream in Stream for row in source.rows(run, stream).samples]
        assert max(time for time in times if time) == run.heartbeat.timestamp()


class TestInbox(RecordedContract):
    """A run of which no database knows."""

    @pytest.fixture
    def source(self, tmp_path: Path) -> TrackioSource:
        return TrackioSource(kept(tmp_path), clock=QuickClock())

    @pytest.fixture
    def run(self, source: TrackioSource, tmp_path: Path) -> Run:
        return run_of(tmp_path, 3)

    @pytest.fixture
    def history(self) -> set[str]:
        return {"train/loss", "acc"}

    @pytest.fixture
    def system(self) -> set[str]:
        return {f"gpu/{index}/power" for index in range(4)}

    def test_a_project_that_is_in_the_inbox_only(self, source: TrackioSource) -> None:
        ((only,), _) = split(source.runs("audio", Query()))
        assert source.logged(only) == Logged({"wer": 1}, {})


def test_a_run_that_was_resumed_has_the_rows_of_both_parts(tmp_path: Path) -> None:
    source = TrackioSource(kept(tmp_path), clock=QuickClock())
    rows = source.rows(run_of(tmp_path, 2), Stream.HISTORY).samples
    assert [row.values for row in rows] == [{"train/loss": 3.0, "early": 1}, {"train/loss": 1.5}]


class TestImport:
    """The dashboard puts rows into the database, then deletes the file: between the two they are in both."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """Where both hold the rows."""
        kept(tmp_path)
        packed = (tmp_path / "vision.db").read_bytes()
        project = Project(tmp_path, "vision")
        project.path.write_bytes(packed)
        take_in(project)
        return tmp_path

    def test_rows_in_both_places_come_once(self, folder: Path, tmp_path: Path) -> None:
        source = TrackioSource(folder, clock=QuickClock())
        far = run_of(folder, 3)
        assert source.logged(far) == Logged(
            {"train/loss": 2, "acc": 1}, {f"gpu/{index}/power": 1 for index in range(4)}
        )
        assert [row.values for row in source.rows(far, Stream.HISTORY).samples] == [
            {"train/loss": 0.75},
            {"train/loss": 0.5, "acc": "-Infinity"},
        ]

    def test_a_file_that_goes_meanwhile(self, folder: Path) -> None:
        """It was there when the source looked, and is imported when rows are asked for."""
        source = TrackioSource(folder, clock=QuickClock())
        far = run_of(folder, 3)
        before = [source.rows(far, stream) for stream in Stream]
        shutil.rmtree(folder / "inbox")
        assert [source.rows(far, stream) for stream in Stream] == before

    def test_one_that_goes_and_was_not_imported(self, tmp_path: Path) -> None:
        source = TrackioSource(kept(tmp_path), clock=QuickClock())
        far = run_of(tmp_path, 3)
        assert source.logged(far).history
        shutil.rmtree(tmp_path / "inbox")
        with pytest.raises(NotFound):
            source.logged(far)

    def test_a_file_that_cannot_be_read_any_more(self, tmp_path: Path) -> None:
        source = TrackioSource(kept(tmp_path), clock=QuickClock())
        far = run_of(tmp_path, 3)
        assert source.logged(far).history
        for path in (tmp_path / "inbox").rglob("*.jsonl"):
            path.unlink()
            path.mkdir()
        with pytest.raises(ServiceError, match="cannot be read"):
            source.logged(far)

    def test_later_rows_may_wait_while_earlier_ones_are_imported(self, tmp_path: Path) -> None:
        """And the other way round: rows come by their time. Those without `log_id` all count."""
        project = Project(tmp_path)
        project.log("a", 2.0, {"loss": 2.0})
        project.log("a", 4.0, {"loss": 4.0})
        row = next(row for row in fragments() if row["kind"] == "metric")
        row |= {"project": "proj", "run": "name of a", "run_id": "a", "log_id": None}
        lines = [row | {"timestamp": at(hours), "metrics": {"loss": hours}} for hours in (3.0, 1.0, 1.0)]
        lines.append(row | {"run_id": "b"})
        (tmp_path / "inbox").mkdir()
        (tmp_path / "inbox" / "0.jsonl").write_text("\n".join(map(json.dumps, lines)))
        rows = TrackioSource(tmp_path, clock=QuickClock()).rows(run("a"), Stream.HISTORY).samples
        assert [row.values["loss"] for row in rows] == [1.0, 1.0, 2.0, 3.0, 4.0]
        assert rows[2].time == START.timestamp() + 7200


class TestWhatIsFound:
    @pytest.fixture
    def project(self, tmp_path: Path) -> Project:
        return Project(tmp_path)

    @pytest.fixture
    def source(self, tmp_path: Path) -> TrackioSource:
        return TrackioSource(tmp_path, clock=QuickClock())

    def test_runs_are_kept_apart(self, project: Project, source: TrackioSource) -> None:
        """Even where one is called as the other's id."""
        project.log("a", 0.0, {"x": 1})
        project.log("b", 0.0, {"y": 1})
        project.system("b", 0.0, {"gpu/0/temp": 1})
        with project.writing() as connection:
            connection.execute("UPDATE metrics SET run_name = 'a' WHERE run_id = 'b'")
        assert source.logged(run("a")) == Logged({"x": 1}, {})
        assert source.logged(run("b")) == Logged({"y": 1}, {"gpu/0/temp": 1})

    def test_rows_without_an_id_are_of_the_run_of_that_name(
        self, project: Project, source: TrackioSource
    ) -> None:
        project.log("", 0.0, {"x": 1})
        assert source.logged(run("name of ")) == Logged({"x": 1}, {})
        with project.writing() as connection:
            connection.execute("CREATE TABLE loose AS SELECT * FROM metrics")
            connection.execute("UPDATE loose SET run_id = NULL")
            connection.execute("DROP TABLE metrics")
            connection.execute("ALTER TABLE loose RENAME TO metrics")
        assert source.logged(run("name of ")) == Logged({"x": 1}, {})

    def test_a_run_is_looked_up_by_an_index(self, project: Project) -> None:
        """Nobody goes through the rows of all runs for those of one."""
        with project.writing() as connection:
            connection.text_factory = bytes  # as the source has it
            for name in ("metrics", "system_metrics", "configs"):
                rows = f"SELECT * FROM {name} WHERE {table(connection, name).of_run} ORDER BY rowid"
                plan = connection.execute(f"EXPLAIN QUERY PLAN {rows}", {"id": "a", "none": None})
                assert not [step for *_, step in plan if step.startswith(b"SCAN")]

    def test_one_project_has_runs_of_the_ids_of_another(
        self, project: Project, source: TrackioSource, tmp_path: Path
    ) -> None:
        project.log("a", 0.0, {"x": 1})
        Project(tmp_path, "other").log("a", 0.0, {"y": 1})
        assert source.logged(run("a", "other")) == Logged({"y": 1}, {})

    def test_a_run_that_has_logged_nothing(self, project: Project, source: TrackioSource) -> None:
        project.config("a", {"lr": 1})
        assert source.logged(run("a")) == Logged({}, {})
        assert source.rows(run("a"), Stream.SYSTEM).samples == ()

    def test_rows_that_cannot_be_read_are_left_out(self, project: Project, source: TrackioSource) -> None:
        project.log("a", 0.0, b"{")
        project.log("a", 1.0, {"x": 1})
        project.log("a", 2.0, {"x": 2})
        with project.writing() as connection:
            connection.execute(
                "UPDATE metrics SET timestamp = 'soon' WHERE id = (SELECT max(id) FROM metrics)"
            )
        assert [row.values for row in source.rows(run("a"), Stream.HISTORY).samples] == [{"x": 1}]

    @pytest.mark.parametrize(
        "lost",
        [run("b"), run("a", "nowhere"), run("a", "registry-x"), run("a", "../below")],
        ids=lambda lost: lost.scope.project,
    )
    def test_what_is_not_there(
        self, project: Project, source: TrackioSource, tmp_path: Path, lost: Run
    ) -> None:
        """Nor what is no project, or lies elsewhere."""
        project.log("a")
        Project(tmp_path, "registry-x").log("a")
        Project(tmp_path, "below").log("a")
        (tmp_path / "inner").mkdir()
        where = (
            TrackioSource(tmp_path / "inner", clock=QuickClock()) if ".." in lost.scope.project else source
        )
        with pytest.raises(NotFound, match=f"no run {lost.id} "):
            where.logged(lost)

    def test_without_run_ids(self, tmp_path: Path, source: TrackioSource) -> None:
        """As early versions had it: no `run_id`, `log_id` nor `step`, and no system metrics."""
        project = Project(tmp_path)
        project.log("a", 1.0, {"x": 1})
        with project.writing() as connection:
            connection.execute("CREATE TABLE old (timestamp TEXT, run_name TEXT, metrics TEXT)")
            connection.execute("INSERT INTO old SELECT timestamp, run_name, metrics FROM metrics")
            for name in ("metrics", "system_metrics"):
                connection.execute(f"DROP TABLE {name}")
            connection.execute("ALTER TABLE old RENAME TO metrics")
        assert source.logged(run("name of a")) == Logged({"x": 1}, {})
        assert source.rows(run("name of a"), Stream.SYSTEM).samples == ()

    def test_an_unknown_form(self, project: Project, source: TrackioSource) -> None:
        project.config("a", {})
        with project.writing() as connection:
            connection.execute("DROP TABLE metrics")
            connection.execute("CREATE TABLE metrics (run_id TEXT, run_name TEXT, data TEXT)")
        with pytest.raises(ServiceError, match="no column timestamp, metrics"):
            source.logged(run("a"))

    def test_no_file_is_made(self, project: Project, source: TrackioSource, tmp_path: Path) -> None:
        project.log("a")
        before = sorted(tmp_path.rglob("*"))
        assert source.logged(run("a")).history
        assert sorted(tmp_path.rglob("*")) == before

    def test_a_database_that_is_being_written_to(self, project: Project, source: TrackioSource) -> None:
        """What is written down counts, and what is not does not."""
        with closing(sqlite3.connect(project.path)) as writer:
            insert(writer, "a", 0.0, {"x": 1})
            writer.commit()
            insert(writer, "a", 1.0, {"x": 2})
            assert source.logged(run("a")).history == {"x": 1}

    def test_a_stop_signal(self, project: Project, tmp_path: Path) -> None:
        project.log("a")
        clock = Clock()
        source = TrackioSource(tmp_path, clock=clock)
        assert source.logged(run("a")).history
        clock.stop()
        with pytest.raises(Stopped):
            source.logged(run("a"))

    @pytest.mark.parametrize("where", ["database", "inbox"])
    def test_many_rows_are_stopped_on_the_way(self, project: Project, tmp_path: Path, where: str) -> None:
        """They take seconds to read."""
        if where == "database":
            with closing(sqlite3.connect(project.path)) as writer, writer:
                for second in range(3 * STEP):
                    insert(writer, "a", second / 3600, {"x": second})
        else:
            row = next(row for row in fragments() if row["kind"] == "metric") | {
                "project": "proj",
                "run": "a",
            }
            rows = [row | {"run_id": "a", "log_id": f"{second}"} for second in range(3 * STEP)]
            (tmp_path / "inbox").mkdir()
            (tmp_path / "inbox" / "0.jsonl").write_text("\n".join(map(json.dumps, rows)))
        clock = Waiting()
        source = TrackioSource(tmp_path, clock=clock)
        assert sum(source.logged(run("a")).history.values()) >= 3 * STEP
        looks: list[int] = []
        clock.looking = lambda: (looks.append(1), len(looks) == 2 and clock.stop())
        with pytest.raises(Stopped):
            source.rows(run("a"), Stream.HISTORY)
        assert len(looks) == 2


class Waiting(QuickClock):
    """Does a deed at each wait, and another at each look at the stop signal."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: Callable[[], object] = lambda: None
        self.looking: Callable[[], object] = lambda: None

    def wait(self, seconds: float) -> bool:
        self.waiting()
        return super().wait(seconds)

    def check(self) -> None:
        super().check()
        self.looking()


def test_a_lock_is_waited_for(tmp_path: Path) -> None:
    project = Project(tmp_path, journal="DELETE")
    project.log("a", 0.0, {"x": 1})
    clock = Waiting()
    source = TrackioSource(tmp_path, clock=clock)
    with closing(sqlite3.connect(project.path, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        clock.waiting = lambda: writer.in_transaction and writer.execute("COMMIT")
        assert source.logged(run("a")).history == {"x": 1}
    assert len(clock.waits) == 1


def test_a_database_that_changes_while_it_is_read_is_read_again(tmp_path: Path) -> None:
    """Nobody had it open, so nothing was locked."""
    project = Project(tmp_path)
    project.log("a", 0.0, {"x": 1})
    clock = Waiting()
    source = TrackioSource(tmp_path, clock=clock)
    later = iter([lambda: project.log("a", 1.0, {"x": 2})])
    clock.looking = lambda: next(later, lambda: None)()
    rows = source.rows(run("a"), Stream.HISTORY).samples
    assert [row.values for row in rows] == [{"x": 1}, {"x": 2}]
    assert len(clock.waits) == 1
