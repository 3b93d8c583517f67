"""Fixtures for tests of the source `wandb`: a stand-in server, a login to it, and sources that are closed.

A test module imports them, and names them in `__all__`.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runsheet.sources.wandb_api import WandbSource
from tests.contract.source_contract import QuickClock
from tests.support.wandb.server import WandbServer

Make = Callable[..., WandbSource]


@pytest.fixture(scope="module")
def shared() -> Iterator[WandbServer]:
    with WandbServer() as made:
        yield made


@pytest.fixture
def server(shared: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WandbServer:
    """The server without faults and projects, and this process logged in to it and to nothing else."""
    shared.reset()
    for name in [name for name in os.environ if name.startswith("WANDB")]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    for name, value in shared.env(home).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TMPDIR", "/tmp")  # a socket's path may not be long
    monkeypatch.setenv("WANDB__GRAPHQL_RETRY_MAX", "1")
    monkeypatch.chdir(tmp_path)
    return shared


@pytest.fixture
def clock() -> QuickClock:
    return QuickClock()


@pytest.fixture
def make(server: WandbServer, clock: QuickClock) -> Iterator[Make]:
    """Makes sources for team/proj, and closes them."""
    made: list[WandbSource] = []

    def build(*projects: str, **options: object) -> WandbSource:
        options = {"clock": clock, "timeout": 20.0, **options}
        made.append(WandbSource(projects or ("team/proj",), **options))  # type: ignore[arg-type]
        return made[-1]

    yield build
    for source in made:
        source.close()
