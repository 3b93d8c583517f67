"""What system tests share: the stand-in of W&B's server, and a world around the command. A module may have
fixtures of these names that fit it better."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.sheets import SheetsServer
from tests.support.wandb import WandbServer
from tests.support.world import World


@pytest.fixture(scope="module")
def wandb() -> Iterator[WandbServer]:
    with WandbServer() as server:
        yield server


@pytest.fixture
def world(wandb: WandbServer, tmp_path: Path) -> Iterator[World]:
    """With nothing in either service but a blank spreadsheet, which config.json names."""
    wandb.reset()
    with SheetsServer() as sheets:
        yield World(sheets, wandb, tmp_path)


@pytest.fixture
def bare(world: World) -> World:
    """The same without config.json: the commands that only read need none."""
    (world.folder / "config.json").unlink()
    return world
