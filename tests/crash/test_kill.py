"""P1 under SIGKILL: the real command with the real wandb and gspread clients is killed before and after
each request it makes; started again, it leaves every run in the sheet exactly once, with typed cells."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.sheets import SheetsServer
from tests.support.wandb import WandbServer
from tests.support.world import World

RUNS = 1_000
REQUESTS = 9
"""Requests of a first sync: W&B's Viewer and one page; a token, two reads, two probes, two batches."""


@pytest.fixture(scope="module")
def wandb() -> Iterator[WandbServer]:
    with WandbServer() as server:
        server.add_runs("team", "proj", RUNS, configs=50)
        yield server


@pytest.fixture
def world(wandb: WandbServer, tmp_path: Path) -> Iterator[World]:
    with SheetsServer() as sheets:
        yield World(sheets, wandb, tmp_path)


class Killer:
    """Kills a process when the n-th request reaches a server, before or after it is applied."""

    def __init__(self, world: World, nth: int, moment: str) -> None:
        self._world = world
        self._left = nth
        self.process: subprocess.Popen[str] | None = None
        for server in (world.sheets, world.wandb):
            setattr(server, f"{moment}_request", self)

    def __call__(self, request: Any) -> None:
        self._left -= 1
        if self._left == 0 and self.process:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def release(self) -> None:
        for server in (self._world.sheets, self._world.wandb):
            server.before_request = server.after_request = None


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("nth", range(1, REQUESTS + 1))
def test_killed_at_a_request(world: World, nth: int, moment: str) -> None:
    """Whatever the moment, the next start completes the sheet: nothing missing, nothing doubled."""
    killer = Killer(world, nth, moment)
    killer.process = world.start("--once")
    killer.process.communicate(timeout=60)
    killer.release()
    assert killer.process.returncode == -signal.SIGKILL
    again = world.run("--once")
    assert again.returncode == 0, again.stdout + again.stderr
    ids = world.ids()
    assert len(ids) == RUNS
    assert len(set(ids)) == RUNS
    header, first, *_ = world.document.tab("runs").values()
    cells = dict(zip(header, first, strict=False))
    assert isinstance(cells["lr"], (int, float))
    assert isinstance(cells["created_at"], (int, float))
    assert isinstance(cells["run_id"], str)


def test_undisturbed(world: World) -> None:
    """The first sync makes as many requests as the kills above count, the second appends nothing."""
    before = len(world.wandb.requests)
    assert world.run("--once").returncode == 0
    assert len(world.wandb.requests) - before + len(world.sheets.requests) == REQUESTS
    assert len(world.ids()) == RUNS
    second = world.run("--once")
    assert " 0 added" in second.stdout
