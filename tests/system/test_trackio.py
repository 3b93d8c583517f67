"""The command on Trackio's files: the sync into a sheet that has runs of W&B, and GPU-hours.

Mutants that were tried, each seen to fail: the source left out of SOURCES; GPU counts never told.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import forks
from tests.support.sheets import SheetsServer
from tests.support.trackio import Project
from tests.support.wandb import Run, WandbServer
from tests.support.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with SheetsServer() as sheets, WandbServer() as wandb:
        yield World(sheets, wandb, tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three hours on two GPUs, four hours by the config on eight, and a run of which nothing tells."""
    project = Project(tmp_path / "trackio")
    for run, hours in (("a", 3.0), ("b", 4.0), ("c", 5.0)):
        project.config(run, {"dist/world_size": 8} if run == "b" else {"lr": 0.1})
        project.log(run, hours, {"loss": hours})
    project.system("a", 2.9, {"gpu/0/power": 100.0, "gpu/1/power": 100.0})
    project.system("b", 2.9, {"gpu/0/power": 100.0})
    return tmp_path / "trackio"


def said(world: World, *flags: str, **env: str) -> str:
    done = forks.run(world, *flags, **env)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_a_sheet_with_runs_of_both(world: World, folder: Path) -> None:
    """Each run once, and neither source touches the rows of the other."""
    world.wandb.add("team", "proj", Run("w1"))
    said(world, "--once")
    source = ("--once", "--source", f"trackio:{folder}", "--project")
    assert "3 added" in said(world, *source, "proj")
    assert sorted(world.ids()) == ["a", "b", "c", "w1"]
    assert "0 added" in said(world, *source, "proj")
    assert "0 added" in said(world, "--once")


def test_gpu_hours(world: World, folder: Path) -> None:
    """By the config, else by the system metrics; the folder by the environment."""
    for flags, env in (
        (("--source", f"trackio:{folder}", "--project", "proj"), {}),
        (("--source", "trackio", "--entity", "team", "--project", "*"), {"TRACKIO_DIR": str(folder)}),
    ):
        lines = said(world, "gpu-hours", *flags, **env).splitlines()
        assert "project: proj" in lines
        assert {"num_runs: 3", "GPU-hours: 38"} <= set(lines)  # 3 x 2 + 4 x 8
    explained = said(
        world, "gpu-hours", "--source", f"trackio:{folder}", "--project", "proj", "--explain", "a"
    )
    assert "GPUs: 2" in explained
    assert "GPU-hours: 3.00 hours x 2 = 6.00" in explained
    assert not world.wandb.requests
