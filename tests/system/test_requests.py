"""What a tick of the daemon costs: requests, counted by both services. P1 holds all the while.

Mutants: ids are read in every tick; the tab is looked for in every tick; known runs are pulled whole.
"""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runsheet.clock import Clock
from runsheet.ticker import Place, Ticker
from tests.support.sheets import SheetsServer
from tests.support.wandb import WandbServer
from tests.support.wandb.data import Run, iso
from tests.support.world import World

RUNS = 2_300
NOW = datetime.now(UTC)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with SheetsServer() as sheets, WandbServer() as wandb:
        made = World(sheets, wandb, tmp_path)
        made.configure(DYNAMIC_HEADERS=False, BACKUP_DIR="")
        for name in set(os.environ) - {"PATH", "PYTEST_CURRENT_TEST"}:
            monkeypatch.delenv(name)
        for name, value in made.env.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        yield made


Counts = tuple[list[str], list[str]]


def counted(world: World, deed: Callable[[], object]) -> Counts:
    """The names of the W&B queries and the kinds of the Google requests, tokens left out, of a deed."""
    wandb, sheets = len(world.wandb.requests), len(world.sheets.requests)
    deed()
    names = [request.name for request in world.wandb.requests[wandb:]]
    kinds = [request.kind for request in world.sheets.requests[sheets:] if request.kind != "token"]
    return names, kinds


def fresh(world: World, name: str, **fields: str) -> None:
    """A run that finished just now."""
    moment = iso(NOW)
    made = Run(
        name, created_at=moment, heartbeat_at=moment, user=world.wandb.user, config='{"lr":{"value":1}}'
    )
    for key, value in fields.items():
        setattr(made, key, value)
    world.wandb.add("team", "proj", made)


@pytest.mark.parametrize("worksheet", ["runs", ""])
def test_a_day_of_a_daemon(world: World, worksheet: str) -> None:
    """Each kind of tick, and what it asks for."""
    world.configure(WORKSHEET=worksheet)
    world.wandb.add_runs("team", "proj", RUNS)
    tick = Ticker(Place(), Clock())
    assert counted(world, tick)[0] == ["Viewer", *["RunsheetRuns"] * 3], "the first sync, whole"
    assert counted(world, tick) == (["Viewer", "RunsheetLight"], ["read"]), "nothing new"
    for number in range(10):
        fresh(world, f"new{number}")
    new = (["Viewer", "RunsheetLight", "RunsheetRuns"], ["read", "read", "write"])
    assert counted(world, tick) == new, "ten new ones"
    assert counted(world, tick) == (["Viewer", "RunsheetLight"], ["read"]), "nothing new"
    fresh(world, "running", state="running")
    assert counted(world, tick) == (["Viewer", "RunsheetLight"], ["read"]), "a run that waits"
    start = Ticker(Place(), Clock())
    again = (["Viewer", *["RunsheetLight"] * 3], ["read"] * (2 if worksheet else 3) + ["write"])
    assert counted(world, start) == again, "a start lists all, and tells of the one that waits"
    assert counted(world, start) == (["Viewer", "RunsheetLight"], ["read"])
    names = [row[0] for row in world.document.tab(worksheet or "Sheet1").values()][1:]
    assert len(names) == len(set(names)) == RUNS + 10


def test_live_rows_cost_one_read_more(world: World) -> None:
    world.configure(FIXED_HEADERS=["run_id", "lr"], LIVE_ROWS=True)
    world.wandb.add_runs("team", "proj", 50)
    fresh(world, "live", state="running")
    tick = Ticker(Place(), Clock(), accept_changes=True)
    tick()
    assert counted(world, tick)[1] == ["read", "read"], "nothing has changed"
    fresh(
        world,
        "live",
        state="running",
        config='{"lr":{"value":2}}',
        heartbeat_at=iso(NOW + timedelta(seconds=9)),
    )
    for number in range(3):
        fresh(world, f"new{number}")
    changed = (["Viewer", "RunsheetLight", "RunsheetRuns"], ["read", "read", "read", "write"])
    assert counted(world, tick) == changed
    values = {row[0]: row[1] for row in world.document.tab("runs").values()}
    assert values["live"] == 2
    assert len(values) == 1 + 54


def test_several_projects_cost_one_request_each(world: World) -> None:
    world.configure(PROJECT_NAME=["one", "two", "three"])
    for name in ("one", "two", "three"):
        world.wandb.add_runs("team", name, 20)
    tick = Ticker(Place(), Clock())
    assert sorted(counted(world, tick)[0]) == [*["RunsheetRuns"] * 3, "Viewer"]
    names, kinds = counted(world, tick)
    assert (sorted(names), kinds) == ([*["RunsheetLight"] * 3, "Viewer"], ["read"])


def test_once_follows_the_clock_of_the_sheet(world: World) -> None:
    """A cron job that calls --once every half hour lists all runs no more often than a daemon."""
    world.wandb.add_runs("team", "proj", RUNS)
    Ticker(Place(), Clock()).once()
    assert counted(world, Ticker(Place(), Clock()).once) == (["Viewer", "RunsheetLight"], ["read"])
    world.configure(FULL_LISTING_HOURS=0)
    names, _ = counted(world, Ticker(Place(), Clock()).once)
    assert names == ["Viewer", *["RunsheetLight"] * 3]
