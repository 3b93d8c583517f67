"""How Trackio's files are read: at one moment, without a trace, and whatever is damaged.

Mutants that were tried, each seen to fail: `mode=ro` alone for a file that nobody has open; `immutable` for
one that somebody has; a log without index read in its place; no second reading of a file that has changed; a
lock that is not waited for; the last value by the order of rows; CPU rows that hide those of GPUs.
"""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from runsheet import backends
from runsheet.config import Config
from runsheet.errors import ConfigError, NotFound, ServiceError
from runsheet.model import Run, Skip
from runsheet.sources.base import Query
from runsheet.sources.trackio_db import TrackioSource, default_folder
from tests.contract.source_contract import QuickClock, split
from tests.support.trackio import START, Project, at, insert

ALL = Query()


class At(QuickClock):
    """The clock shows so many hours after START. `deed` is done at each look at the stop signal, and
    `waiting` during each wait."""

    def __init__(self, hours: float = 1000.0) -> None:
        super().__init__()
        self.moment = START + timedelta(hours=hours)
        self.deed: Callable[[], None] = lambda: None
        self.waiting: Callable[[], None] = lambda: None

    def now(self) -> datetime:
        return self.moment

    def check(self) -> None:
        super().check()
        self.deed()

    def wait(self, seconds: float) -> bool:
        self.waiting()
        return super().wait(seconds)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def told(
    folder: Path, query: Query = ALL, clock: At | None = None, **more: Any
) -> tuple[list[Run], list[Skip]]:
    return split(TrackioSource(folder, clock=clock or At(), **more).runs("proj", query))


def runs(folder: Path, query: Query = ALL, clock: At | None = None, **more: Any) -> list[Run]:
    found, skips = told(folder, query, clock, **more)
    assert skips == []
    return found


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def truncate(path: Path, size: int) -> None:
    """Cut the file where it lies: a reader that has it open sees it."""
    with path.open("r+b") as file:
        file.truncate(size)


def refill(path: Path, content: bytes) -> None:
    with path.open("r+b") as file:
        file.write(content)


class TestAtOneMoment:
    def test_a_file_that_nobody_has_open_is_read_without_a_trace(
        self, project: Project, tmp_path: Path
    ) -> None:
        project.log("a")
        assert [run.id for run in runs(tmp_path)] == ["a"]
        assert files(tmp_path) == ["proj.db"]

    def test_one_that_is_being_written_to(self, project: Project, tmp_path: Path) -> None:
        """What is committed, though it is only in the log yet, and nothing else."""
        with closing(sqlite3.connect(project.path)) as writer:
            insert(writer, "a")
            writer.commit()
            insert(writer, "b")
            before = files(tmp_path)
            assert "proj.db-shm" in before
            assert [run.id for run in runs(tmp_path)] == ["a"]
            assert files(tmp_path) == before
            writer.commit()
            assert [run.id for run in runs(tmp_path)] == ["a", "b"]

    def test_all_tables_are_of_one_moment(self, project: Project, tmp_path: Path) -> None:
        """A run that begins between two tables does not come in parts."""
        with closing(sqlite3.connect(project.path)) as writer:
            insert(writer, "a")
            writer.commit()

            def begin() -> None:
                insert(writer, "late")
                writer.execute(
                    "INSERT INTO system_metrics (run_id, timestamp, run_name, metrics) VALUES (?, ?, ?, ?)",
                    ("late", at(0), "late", b"{}"),
                )
                writer.commit()

            clock, deeds = At(), [lambda: None, begin]  # when it begins; at the first row of metrics
            clock.deed = lambda: deeds.pop(0)() if deeds else None
            assert [run.id for run in runs(tmp_path, clock=clock)] == ["a"]
            assert deeds == []
            assert [run.id for run in runs(tmp_path)] == ["a", "late"]

    def test_what_a_killed_process_left(self, project: Project, tmp_path: Path) -> None:
        """A copy of the folder may lack the index of the log."""
        left = tmp_path / "left"
        left.mkdir()
        with closing(sqlite3.connect(project.path)) as writer:
            insert(writer, "a")
            writer.commit()
            for end in ("", "-wal", "-shm"):
                shutil.copyfile(f"{project.path}{end}", left / f"proj.db{end}")
        assert [run.id for run in runs(left)] == ["a"]
        assert files(left) == ["proj.db", "proj.db-shm", "proj.db-wal"]
        (left / "proj.db-shm").unlink()
        assert [run.id for run in runs(left)] == ["a"]
        assert files(left) == ["proj.db", "proj.db-wal"]

    def test_one_that_changes_while_it_is_read_is_read_again(self, project: Project, tmp_path: Path) -> None:
        project.log("a", 0.0)
        clock, deeds = At(), [lambda: None, lambda: project.log("a", 5.0, {"loss": 0.5})]
        clock.deed = lambda: deeds.pop(0)() if deeds else None
        (run,) = runs(tmp_path, clock=clock)
        assert (run.runtime, run.summary) == (5 * 3600, {"loss": 0.5})
        assert len(clock.waits) == 1

    def test_one_that_seems_torn_while_it_is_written(self, project: Project, tmp_path: Path) -> None:
        """Pages of two moments do not fit together; a moment later they do."""
        project.log("a")
        whole = project.path.read_bytes()
        clock, deeds = At(), [lambda: None, lambda: truncate(project.path, 8192)]
        clock.deed = lambda: deeds.pop(0)() if deeds else None
        clock.waiting = lambda: refill(project.path, whole)
        assert [run.id for run in runs(tmp_path, clock=clock)] == ["a"]
        assert len(clock.waits) == 1

    def test_one_that_always_changes(self, project: Project, tmp_path: Path) -> None:
        """It is tried for a while, and the project fails then."""
        clock = At()
        clock.deed = lambda: project.log("a")
        with pytest.raises(ServiceError, match="changes all the time"):
            runs(tmp_path, clock=clock)
        assert 3 < len(clock.waits) < 10
        assert sum(clock.waits) < 60

    def test_a_lock_is_waited_for(self, tmp_path: Path) -> None:
        """TRACKIO_SQLITE_JOURNAL_MODE may say DELETE: then readers wait for writers."""
        project = Project(tmp_path, journal="DELETE")
        project.log("a")
        with closing(sqlite3.connect(project.path)) as writer:
            writer.execute("BEGIN EXCLUSIVE")
            clock = At()
            with pytest.raises(ServiceError, match="database is locked"):
                runs(tmp_path, clock=clock)
            assert 3 < len(clock.waits) < 10
            clock.waiting = writer.rollback
            assert [run.id for run in runs(tmp_path, clock=clock)] == ["a"]
        assert files(tmp_path) == ["proj.db"]


class TestDamage:
    def test_rows(self, project: Project, tmp_path: Path) -> None:
        """They are counted, and what can be read is there."""
        for text in (b"{", b'"text"', b"\xff", b"[" * 100_000):
            project.log("a", 3.0, text)
        project.log("a", 1.0, {"loss": 2.0})
        project.config("a", b"\xfe")
        project.log("b", 2.0)
        found, skips = told(tmp_path)
        assert [(run.id, run.summary) for run in found] == [("a", {"loss": 2.0}), ("b", {"loss": 1.0})]
        assert skips == [Skip("proj/a", "5 of its rows cannot be read", count=0)]

    def test_rows_without_a_time_or_a_run(self, project: Project, tmp_path: Path) -> None:
        project.log("a")
        with project.writing() as connection:
            connection.execute("UPDATE metrics SET timestamp = 'soon'")
            insert(connection, "")
            connection.execute("UPDATE metrics SET run_name = '' WHERE run_id = ''")
        found, skips = told(tmp_path)
        assert [(run.id, run.created, run.state) for run in found] == [("a", None, "finished")]
        assert skips == [
            Skip("proj/a", "1 of its rows cannot be read", count=0),
            Skip("proj", "rows that name no run", count=0),
        ]

    def test_no_database(self, project: Project, tmp_path: Path) -> None:
        project.path.write_bytes(b"PK" * 100)
        with pytest.raises(ServiceError, match=r"proj\.db is no Trackio database"):
            runs(tmp_path)

    def test_a_torn_database(self, project: Project, tmp_path: Path) -> None:
        """Nobody knows which rows are missing, so no run is shown as if it were whole."""
        project.log("a")
        project.path.write_bytes(project.path.read_bytes()[:8192])
        with pytest.raises(ServiceError, match="cannot be read: database disk image is malformed"):
            runs(tmp_path)

    def test_a_database_that_was_only_begun(self, tmp_path: Path) -> None:
        (tmp_path / "proj.db").touch()
        assert runs(tmp_path) == []

    def test_an_unknown_form(self, tmp_path: Path) -> None:
        with closing(sqlite3.connect(tmp_path / "proj.db")) as connection:
            connection.execute("CREATE TABLE metrics (run_name TEXT, values_json TEXT)")
        with pytest.raises(ServiceError, match=r"the table metrics .* has no column timestamp, metrics"):
            runs(tmp_path)

    def test_a_folder_in_its_place(self, tmp_path: Path) -> None:
        (tmp_path / "proj.db").mkdir()
        with pytest.raises(ServiceError, match="cannot be read: Is a directory"):
            runs(tmp_path)


class TestInbox:
    def test_lines_and_files_that_cannot_be_read(self, tmp_path: Path) -> None:
        """Told once, with the first project. Later kinds of rows are let pass, as Trackio does."""
        writer = tmp_path / "inbox" / "w1"
        writer.mkdir(parents=True)
        row = f'{{"kind":"metric","project":"%s","run":"r","timestamp":"{at(0)}","metrics":{{"x":1}}}}'
        lines = [
            row % "pr.oj",
            "",
            '{"kind":"metr',
            '{"kind":"alert","title":"t"}',
            '{"kind":"metric"}',
            row % "z",
        ]
        (writer / "00000000.jsonl").write_text("\n".join(lines))
        (writer / "00000001.jsonl").symlink_to("00000001.jsonl")
        (writer / "00000002.tmp").write_text("{")
        source = TrackioSource(tmp_path, clock=At())
        assert source.projects() == ("proj", "z")
        found, skips = split(source.runs("proj", Query()))
        assert [(run.id, run.name, run.summary) for run in found] == [("r", "r", {"x": 1})]
        assert [skip.what.rpartition("/")[2] for skip in skips] == [
            "00000000.jsonl, line 3",
            "00000000.jsonl, line 5",
            "00000001.jsonl",
        ]
        assert [skip.gap for skip in skips] == [False, False, True]
        assert [run.id for run in split(source.runs("z", Query()))[0]] == ["r"]
        assert split(source.runs("z", Query()))[1] == []

    @pytest.mark.parametrize(("created", "lr"), [(0.5, 1), (1.5, 2)])
    def test_rows_of_a_run_in_both_places(
        self, project: Project, tmp_path: Path, created: float, lr: int
    ) -> None:
        """The run was resumed where the other config is the later one."""
        project.config("r", {"lr": 1, "_Created": at(1)}, hours=1.0)
        project.log("r", 1.0, {"old": 1, "x": 0})
        writer = tmp_path / "inbox" / "w1"
        writer.mkdir(parents=True)
        row = {"kind": "metric", "project": "proj", "run": "n", "run_id": "r", "timestamp": at(2)}
        row |= {"metrics": {"x": 1}, "config": {"lr": 2, "_Created": at(created)}}
        (writer / "0.jsonl").write_text(json.dumps(row))
        (run,) = runs(tmp_path)
        assert (run.name, run.summary, run.config) == ("name of r", {"old": 1, "x": 1}, {"lr": lr})
        assert run.runtime == (2 - min(created, 1.0)) * 3600

    def test_a_second_listing_counts_nothing_twice(self, project: Project, tmp_path: Path) -> None:
        """The inbox is read once, the database each time."""
        project.log("r", 1.0, b"{")
        writer = tmp_path / "inbox" / "w1"
        writer.mkdir(parents=True)
        row = {"kind": "metric", "project": "proj", "run": "n", "run_id": "r", "timestamp": at(2)}
        (writer / "0.jsonl").write_text(json.dumps(row | {"metrics": {"x": 1}}))
        source = TrackioSource(tmp_path, clock=At())
        first = [*source.runs("proj", Query())]
        assert first[0] == Skip("proj/r", "1 of its rows cannot be read", count=0)
        assert [*source.runs("proj", Query())] == first


class TestFacts:
    def test_the_last_value_is_that_of_the_last_time_and_step(self, project: Project, tmp_path: Path) -> None:
        """Rows of an inbox that is imported late have old times; those of one batch have one."""
        project.log("a", 2.0, {"x": 5, "y": 1}, step=7)
        project.log("a", 2.0, {"x": 4}, step=6)
        project.log("a", 1.0, {"x": 3, "z": 2}, step=9)
        (run,) = runs(tmp_path)
        assert run.summary == {"x": 5, "y": 1, "z": 2}
        assert (run.created, run.heartbeat) == (START + timedelta(hours=1), START + timedelta(hours=2))

    def test_system_rows_are_signs_of_life(self, project: Project, tmp_path: Path) -> None:
        project.log("a", 1.0)
        project.system("a", 0.5, {"gpu/0/power": 1, "gpu/1/power": 1, "gpu/10/temp": 1, "gpu/total_power": 3})
        project.system("a", 4.0, {"cpu/utilization": 1})
        project.system("b", 5.0, {"gpu/total_power": 3})
        found = runs(tmp_path, Query(gpus=True))
        assert [(run.id, run.name, run.runtime, run.gpus) for run in found] == [
            ("a", "name of a", 3.5 * 3600, 3),
            ("b", "name of b", 0, None),
        ]
        assert {run.gpus for run in runs(tmp_path)} == {None}

    @pytest.mark.parametrize(
        ("config", "created"),
        [
            ({}, 1.0),  # the database's own time
            ({"_Created": at(0.5)}, 0.5),
            ({"_Created": "2026-01-10T09:30:00+09:00"}, 0.5),
            ({"_Created": at(5)}, 1.0),  # resumed: the config is a new one
            ({"_Created": "yesterday"}, 1.0),
        ],
    )
    def test_the_start(self, project: Project, tmp_path: Path, config: Any, created: float) -> None:
        project.config("a", config, hours=1.0)
        project.log("a", 2.0)
        (run,) = runs(tmp_path)
        assert run.created == START + timedelta(hours=created)
        assert run.runtime == (2.0 - created) * 3600

    def test_a_run_that_has_logged_nothing(self, project: Project, tmp_path: Path) -> None:
        project.config("a", {"lr": 1})
        (run,) = runs(tmp_path)
        assert (run.created, run.heartbeat, run.runtime, run.config) == (START, START, 0, {"lr": 1})

    @pytest.mark.parametrize(
        ("tags", "shown", "config"),
        [
            (["a", 2], ("a", "2"), {}),
            ("a", ("a",), {}),
            ([], (), {"tags": []}),
            ({"a": 1}, (), {"tags": {"a": 1}}),
            ([["a"]], (), {"tags": [["a"]]}),
        ],
    )
    def test_tags(self, project: Project, tmp_path: Path, tags: Any, shown: Any, config: Any) -> None:
        project.config("a", {"tags": tags})
        (run,) = runs(tmp_path)
        assert (run.tags, run.config) == (shown, config)

    def test_users(self, project: Project, tmp_path: Path) -> None:
        """Never an address, which would be personal."""
        for run, user in (("a", "Kim"), ("b", "lee"), ("c", "kim@example.com"), ("d", None)):
            project.config(run, {"_Username": user})
        assert [run.user for run in runs(tmp_path)] == ["Kim", "lee", None, None]
        assert [run.id for run in runs(tmp_path, Query(users=("kim",)))] == ["a"]

    @pytest.mark.parametrize(("hours", "state"), [(0.5, "running"), (24.9, "running"), (25.0, "finished")])
    def test_a_run_is_over_when_it_is_silent(
        self, project: Project, tmp_path: Path, hours: float, state: str
    ) -> None:
        project.log("a", 1.0)
        assert [run.state for run in runs(tmp_path, clock=At(hours))] == [state]

    def test_without_run_ids(self, tmp_path: Path) -> None:
        """As old versions wrote: the name is the id, texts are texts, times have no zone."""
        with closing(sqlite3.connect(tmp_path / "proj.db")) as old, old:
            old.execute(
                "CREATE TABLE metrics (id INTEGER, timestamp TEXT, run_name TEXT, step INTEGER, metrics TEXT)"
            )
            old.execute("INSERT INTO metrics VALUES (1, '2026-01-10T01:00:00', 'dry-1', 0, '{\"loss\": 1}')")
            old.execute("CREATE TABLE configs (run_name TEXT, config TEXT)")
            old.execute("""INSERT INTO configs VALUES ('dry-1', '{"lr": 1, "_Username": "kim"}')""")
        (run,) = runs(tmp_path, Query(gpus=True))
        assert (run.id, run.name, run.config, run.summary) == ("dry-1", "dry-1", {"lr": 1}, {"loss": 1})
        assert run.created == START + timedelta(hours=1)


class TestPlace:
    def test_what_is_no_project(self, project: Project, tmp_path: Path) -> None:
        for name in ("registry-models.db", "proj.lock", "proj.db-journal", "notes.txt", "a copy.db"):
            (tmp_path / name).touch()
        source = TrackioSource(tmp_path, clock=At())
        assert source.projects() == ("proj",)
        with pytest.raises(NotFound, match="it holds proj"):
            [*source.runs("registry-models", Query())]
        with pytest.raises(NotFound):
            [*source.runs(f"../{tmp_path.name}/proj", Query())]

    @pytest.mark.parametrize("name", ["pr.oj", "team/proj", "proj"])
    def test_projects_are_named_as_in_training(self, project: Project, tmp_path: Path, name: str) -> None:
        assert TrackioSource(tmp_path, clock=At(), projects=(name, "x")).projects() == ("proj", "x")

    def test_nothing_there(self, tmp_path: Path) -> None:
        with pytest.raises(NotFound, match="holds no project of Trackio"):
            TrackioSource(tmp_path, clock=At()).projects()
        with pytest.raises(NotFound, match="there is no Trackio folder"):
            TrackioSource(tmp_path / "gone", clock=At()).projects()

    def test_filters_are_refused(self, project: Project, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="FILTERS"):
            runs(tmp_path, Query(filters={"state": "finished"}))

    @pytest.mark.parametrize(
        ("environ", "place"),
        [
            ({"TRACKIO_DIR": "/t", "HF_HOME": "/hf"}, "/t"),
            ({"HF_HOME": "/hf", "XDG_CACHE_HOME": "/c"}, "/hf/trackio"),
            ({"XDG_CACHE_HOME": "/c"}, "/c/huggingface/trackio"),
            ({}, "~/.cache/huggingface/trackio"),
        ],
    )
    def test_default_folder(self, environ: dict[str, str], place: str) -> None:
        assert default_folder(environ) == Path(place).expanduser()

    def test_the_spec(self, project: Project, tmp_path: Path) -> None:
        """With and without a folder; SETTLE_HOURS says when a silent run is over."""
        project.log("a")
        settings = Config(SETTLE_HOURS=2.0)
        for spec, environ in ((f"trackio:{tmp_path}", {}), ("trackio", {"TRACKIO_DIR": str(tmp_path)})):
            for hours, state in ((1.9, "running"), (2.0, "finished")):
                setup = backends.Setup(settings, At(hours), environ, source=spec)
                (run,), _ = split(backends.source(setup).runs("proj", Query()))
                assert run.state == state
