"""The source `trackio` keeps the contract of sources, on files that the real package wrote, and reads them
for what they are.

Mutants that were tried, each seen to fail: the inbox not read; the name as id; the first value
in place of the last; GPUs by the last system row of whatever kind; the start by what was written last.
"""

import importlib.util
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runsheet.clock import Clock
from runsheet.model import Run, Scope
from runsheet.sources.base import Query
from runsheet.sources.trackio_db import TrackioSource
from tests.contract.source_contract import QuickClock, SourceContract, split
from tests.support.trackio import DATA, Project, fragments, kept

LATER = datetime(2030, 1, 1, tzinfo=UTC)
"""When the files are long done."""


class Later(QuickClock):
    def now(self) -> datetime:
        return LATER


class TestTrackioSource(SourceContract):
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """The real files, and a project with damage that comes first."""
        project = Project(kept(tmp_path), "damage")
        project.log("later", 2.0)
        project.log("torn", 1.0)
        project.log("torn", 1.5, b"{")
        project.log("first", 0.0)
        return tmp_path

    @pytest.fixture
    def source(self, folder: Path, clock: Clock) -> TrackioSource:
        return TrackioSource(folder, clock=clock, projects=("damage", "vision", "audio"))

    @pytest.fixture
    def ids(self) -> list[str]:
        return ["first", "torn", "later"]

    @pytest.fixture
    def damaged(self) -> list[str]:
        return ["torn"]


def fresh(folder: Path) -> Path:
    """A folder that the package writes now, where it is installed."""
    if importlib.util.find_spec("trackio") is None:
        pytest.skip("trackio is not installed")
    sys.path.insert(0, str(DATA))
    try:
        from make import make  # type: ignore[import-not-found]
    finally:
        sys.path.remove(str(DATA))
    written: Path = make(folder)
    return written


@pytest.mark.parametrize("folder_of", [kept, fresh])
class TestRealFiles:
    @pytest.fixture
    def folder(self, folder_of: Callable[[Path], Path], tmp_path: Path) -> Path:
        return folder_of(tmp_path)

    @pytest.fixture
    def vision(self, folder: Path) -> list[Run]:
        return listed(folder, "vision")

    def test_projects(self, folder: Path) -> None:
        """One of the two is in the inbox only, and is called as its files will be."""
        assert TrackioSource(folder, clock=Later()).projects() == ("audio", "vision")

    def test_two_runs_of_one_name_are_two_and_the_inbox_is_read(self, vision: list[Run]) -> None:
        """G5 of the facts, oldest first."""
        assert [run.name for run in vision] == ["a", "a", "again", "far"]
        assert len({run.id for run in vision}) == 4
        assert {run.scope for run in vision} == {Scope("trackio", "", "vision")}

    def test_what_a_run_has(self, vision: list[Run]) -> None:
        run = vision[0]
        assert run.config == {"lr": 0.001, "model": {"depth": 4, "act": "gelu"}}
        assert run.tags == ("baseline", "한글")
        assert (run.user, run.group, run.state) == ("kim", "first", "finished")
        assert run.summary == {
            "train/loss": 0.25,
            "acc": "NaN",
            "step_time": "Infinity",
            "nested": {"top1": 0.5},
        }
        assert run.created
        assert run.heartbeat
        assert run.runtime == pytest.approx((run.heartbeat - run.created).total_seconds(), abs=1e-5)
        assert run.created < run.heartbeat < run.created + timedelta(seconds=30)
        assert not run.timed

    def test_a_run_that_was_resumed_is_one(self, vision: list[Run]) -> None:
        """The config is the last one; the start is the first."""
        run = vision[2]
        assert run.config == {"part": 2}
        assert run.summary == {"train/loss": 1.5, "early": 1}
        assert run.runtime is not None
        assert run.runtime > 0

    def test_a_run_in_the_inbox(self, vision: list[Run]) -> None:
        run = vision[3]
        assert (run.group, run.user, run.config) == ("second", "kim", {"lr": 0.1})
        assert run.summary == {"train/loss": 0.5, "acc": "-Infinity"}

    def test_gpus_are_counted_on_request(self, folder: Path, vision: list[Run]) -> None:
        """The last row of the first run is about the CPU."""
        assert [run.gpus for run in listed(folder, "vision", gpus=True)] == [2, None, None, 4]
        assert [run.gpus for run in vision] == [None] * 4

    def test_no_file_is_made(self, folder: Path) -> None:
        before = sorted(folder.rglob("*"))
        assert listed(folder, "vision", gpus=True)
        assert sorted(folder.rglob("*")) == before


def test_rows_that_the_dashboard_has_imported_come_once(tmp_path: Path) -> None:
    """It puts rows into the database, then deletes the file: between the two they are in both."""
    folder = kept(tmp_path)
    before = listed(folder, "vision", gpus=True)
    project = Project(tmp_path / "imported", "vision")
    project.path.write_bytes((folder / "vision.db").read_bytes())
    (tmp_path / "imported" / "inbox").symlink_to(folder / "inbox")
    take_in(project)
    assert listed(tmp_path / "imported", "vision", gpus=True) == before
    (tmp_path / "imported" / "inbox").unlink()
    assert listed(tmp_path / "imported", "vision", gpus=True) == before


def take_in(project: Project) -> None:
    """As Trackio imports rows."""
    with project.writing() as connection:
        for row in (row for row in fragments() if row["project"] == "vision"):
            table = f"{row['kind']}s"
            values = {key: row[key] for key in ("run_id", "timestamp", "log_id")}
            values |= {"run_name": row["run"], "metrics": json.dumps(row["metrics"]).encode()}
            values |= {"step": row["step"]} if "step" in row else {}
            marks = ", ".join("?" * len(values))
            connection.execute(
                f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", [*values.values()]
            )
            if row.get("config"):
                columns = "run_id, run_name, config, created_at"
                config = (row["run_id"], row["run"], json.dumps(row["config"]).encode(), LATER.isoformat())
                connection.execute(f"INSERT INTO configs ({columns}) VALUES (?, ?, ?, ?)", config)


def listed(folder: Path, project: str, *, gpus: bool = False) -> list[Run]:
    """The runs of a project, of which none may be damaged."""
    runs, skips = split(TrackioSource(folder, clock=Later()).runs(project, Query(gpus=gpus)))
    assert skips == []
    return runs
