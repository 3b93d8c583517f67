"""The source `folders` has what runs logged: a run that the installed client wrote, in two folders.

Mutants that were tried, each seen to fail: only the last folder read; a nested value left whole; no "system."
before what was measured; system rows in the order of the file; a run of another project taken for it.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runsheet.clock import Clock
from runsheet.model import Run
from runsheet.sources.base import Query, Stream
from runsheet.sources.wandb_folders import FolderSource
from tests.contract.recorded_contract import RecordedContract
from tests.contract.source_contract import split

RESUMED = """
import pathlib, wandb

for part, label in enumerate((None, "node1")):
    settings = wandb.Settings(x_stats_sampling_interval=0.1, x_label=label)
    run = wandb.init(project="vision", id="rec00001", resume="allow", settings=settings)
    log = max(pathlib.Path("wandb").glob("*rec00001*/*.wandb"))
    while log.read_bytes().count(b"proc.cpu.threads") < 2:  # so long that there are system rows
        run.log({"loss": 1.0, f"part{part}": {"is": part}, "text": "x" * 2000})
    run.log({"hist": wandb.Histogram(np_histogram=([1, 2], [0, 1, 2]))})
    run.finish()
"""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("recorded")
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("WANDB")}
    ours = {"WANDB_MODE": "offline", "WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false"}
    done = subprocess.run(
        [sys.executable, "-c", RESUMED],
        cwd=place,
        env=inherited | ours | {"HOME": str(place), "TMPDIR": str(place)},
        capture_output=True,
        text=True,
        timeout=120,
        start_new_session=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len([*place.rglob("*.wandb")]) == 2
    return place


@pytest.fixture
def source(directory: Path) -> FolderSource:
    return FolderSource(directory, clock=Clock())


@pytest.fixture
def run(source: FolderSource, directory: Path) -> Run:
    ((run,), skips) = split(source.runs(str(directory), Query()))
    assert skips == []
    return run


class TestFolderRecorded(RecordedContract):
    @pytest.fixture
    def history(self) -> set[str]:
        return {"loss", "text", "part0.is", "part1.is", "hist", "_step", "_runtime", "_timestamp"}

    @pytest.fixture
    def system(self, source: FolderSource, run: Run) -> set[str]:
        """It depends on the machine what is measured."""
        keys = set(source.logged(run).system)
        plain = {key for key in keys if "/l:" not in key}
        assert {"system.proc.cpu.threads", "system.proc.memory.rssMB"} <= plain
        assert all(key.startswith("system.") for key in keys)
        return keys


def test_both_parts_come_the_first_first(source: FolderSource, run: Run) -> None:
    rows = source.rows(run, Stream.HISTORY, lambda key: key.startswith("part")).samples
    values = [row.values for row in rows]
    first = values.count({"part0.is": 0})
    assert 0 < first < len(values)
    assert values == [{"part0.is": 0}] * first + [{"part1.is": 1}] * (len(values) - first)


def test_media_values_stay_whole(source: FolderSource, run: Run) -> None:
    rows = source.rows(run, Stream.HISTORY, "hist".__eq__).samples
    assert [row.values for row in rows] == [
        {"hist": {"_type": "histogram", "values": [1, 2], "bins": [0, 1, 2]}}
    ] * 2


def test_labels_stay_in_the_keys(source: FolderSource, run: Run) -> None:
    """The second part ran under a label, which W&B puts behind the name of what it measures."""
    counts = source.logged(run).system
    assert counts["system.proc.cpu.threads"] >= 2
    assert counts["system.proc.cpu.threads/l:node1"] >= 2
