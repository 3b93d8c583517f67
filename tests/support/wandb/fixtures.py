"""Fixtures for tests of the source `wandb`: a stand-in server, a login to it, and sources that are closed.

A test module imports them, and names them in `__all__`.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runsheet.sources.wandb_api import WandbSource
from runsheet.sources.wandb_api.session import SERVICE, SESSION, bounds
from tests.contract.source_contract import QuickClock
from tests.support.wandb.server import WandbServer

Make = Callable[..., WandbSource]

TIMEOUT = 20.0


@pytest.fixture(scope="module")
def shared() -> Iterator[WandbServer]:
    with WandbServer() as made:
        yield made


@pytest.fixture
def server(shared: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WandbServer:
    """The server without faults and projects, and this process logged in to it and to nothing else."""
    shared.reset()
    _log_in(shared, tmp_path / "home", monkeypatch)
    monkeypatch.chdir(tmp_path)
    return shared


@pytest.fixture(scope="class")
def warm(shared: WandbServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """wandb's helper process stays from one test to the next: a start of it takes a fifth of a second. Not
    for tests of the session itself."""
    with pytest.MonkeyPatch.context() as patch:
        _log_in(shared, tmp_path_factory.mktemp("warm") / "home", patch)
        SESSION.borrow(TIMEOUT)
        yield
        SESSION.give_back()


def _log_in(server: WandbServer, home: Path, patch: pytest.MonkeyPatch) -> None:
    session = {SERVICE, *bounds(TIMEOUT, "")}
    for name in [name for name in os.environ if name.startswith("WANDB") and name not in session]:
        patch.delenv(name)
    home.mkdir()
    for name, value in server.env(home).items():
        patch.setenv(name, value)
    patch.setenv("TMPDIR", "/tmp")  # a socket's path may not be long
    patch.setenv("WANDB__GRAPHQL_RETRY_MAX", "1")


@pytest.fixture
def clock() -> QuickClock:
    return QuickClock()


@pytest.fixture
def make(server: WandbServer, clock: QuickClock) -> Iterator[Make]:
    """Makes sources for team/proj, and closes them."""
    made: list[WandbSource] = []

    def build(*projects: str, **options: object) -> WandbSource:
        options = {"clock": clock, "timeout": TIMEOUT, **options}
        made.append(WandbSource(projects or ("team/proj",), **options))  # type: ignore[arg-type]
        return made[-1]

    yield build
    for source in made:
        source.close()
