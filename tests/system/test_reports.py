"""REPORTS and the columns of GPU-hours in the whole: config.json, both services, the daemon's ticks.

Mutants: a tick without news makes the report all the same; known runs are pulled for it; a failing report
ends the tick before its rows; one that failed waits for news; only runs of --user_name count; the main table
goes into the report's tab; folders are read twice.
"""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from runsheet.clock import Clock
from runsheet.errors import ServiceError
from runsheet.reports.keeper import Keeper
from runsheet.ticker import Place, Ticker
from tests.support import forks
from tests.support.sheets import SheetsServer
from tests.support.wandb import WandbServer
from tests.support.wandb.data import Run, User, config_text, iso
from tests.support.world import World

NOW = datetime.now(UTC).replace(microsecond=0)
DONE = NOW - timedelta(hours=2)
MONTH = f"{DONE:%Y-%m}"
NAME = "GPU-hours"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with SheetsServer() as sheets, WandbServer() as wandb:
        made = World(sheets, wandb, tmp_path)
        made.configure(DYNAMIC_HEADERS=False, BACKUP_DIR="", REPORTS=[NAME])
        for name in set(os.environ) - {"PATH", "PYTEST_CURRENT_TEST"}:
            monkeypatch.delenv(name)
        for name, value in made.env.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        yield made


def add(world: World, run_id: str, hours: float = 2, size: int = 4, **fields: Any) -> None:
    """A run that ended two hours ago, or is changed to have."""
    made = Run(
        run_id,
        created_at=iso(DONE - timedelta(hours=hours)),
        heartbeat_at=iso(DONE),
        user=world.wandb.user,
        config=config_text({"dist/world_size": size}),
        summary="{}",
    )
    for key, value in fields.items():
        setattr(made, key, value)
    world.wandb.add("team", "proj", made)


def hours(world: World) -> dict[str, float]:
    """GPU-hours by the key of the row."""
    header, *rows = world.document.tab(NAME).values()
    return {row[0]: row[header.index("GPU-hours")] for row in rows}


def asked(world: World, deed: Callable[[], object]) -> tuple[list[str], Sequence[str]]:
    """The names of the W&B queries and the kinds of the Google requests of a deed."""
    wandb, sheets = len(world.wandb.requests), len(world.sheets.requests)
    deed()
    names = [request.name for request in world.wandb.requests[wandb:] if request.name != "Viewer"]
    kinds = [request.kind for request in world.sheets.requests[sheets:] if request.kind != "token"]
    return names, kinds


def test_a_day_of_a_daemon(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Without news nothing more is asked for than without a report; with news one light listing more, and the
    runs that are new."""
    caplog.set_level(logging.INFO)
    add(world, "first")
    tick = Ticker(Place(), Clock())
    tick()
    user = world.wandb.user.username
    assert hours(world) == {"team/proj": 8, f"{user} {MONTH}": 8}
    assert asked(world, tick) == (["RunsheetLight"], ["read"]), "nothing new"
    add(world, "second", size=1)
    names, kinds = asked(world, tick)
    assert names == ["RunsheetLight", "RunsheetRuns", "RunsheetLight", "RunsheetRuns"]
    assert kinds.count("write") == 2
    assert hours(world) == {"team/proj": 10, f"{user} {MONTH}": 10}
    line = "GPU-hours: 2 rows · 0 added · 2 updated · requests: 2 wandb + "
    assert [message for message in caplog.messages if message.startswith(line)]
    assert asked(world, tick) == (["RunsheetLight"], ["read"]), "nothing new"
    start = Ticker(Place(), Clock())
    names, kinds = asked(world, start)
    assert (names, kinds.count("write")) == (["RunsheetLight"] * 2, 1), "a start knows what was kept"
    assert asked(world, start) == (["RunsheetLight"], ["read"])


def test_runs_that_go_on_count_when_they_are_over(world: World) -> None:
    """The columns of a live row show the hours so far."""
    world.configure(LIVE_ROWS=True, FIXED_HEADERS=["run_id", "gpus", "runtime_hours", "gpu_hours"])
    add(world, "first")
    add(world, "going", 1, state="running", heartbeat_at=iso(NOW))
    add(world, "unknown", config="{}")
    tick = Ticker(Place(), Clock())
    tick()
    assert hours(world)["team/proj"] == 8
    rows = {row[0]: row[1:] for row in world.document.tab("runs").values()}
    assert rows["first"] == [4, 2, 8]
    assert rows["going"] == [4, 3, 12]
    assert rows["unknown"][:2] == [None, 2]
    add(world, "going", 1, heartbeat_at=iso(NOW + timedelta(hours=1)))
    tick()
    assert hours(world)["team/proj"] == 24


def test_the_server_tells_how_many_gpus(world: World) -> None:
    """Of runs whose config does not; asked for with a listed column, and with a report."""
    world.configure(FIXED_HEADERS=["run_id", "gpus"], DEFAULT_WORLD_SIZE=7)
    add(world, "first", config="{}", gpu_count=3)
    add(world, "second", config="{}")
    Ticker(Place(), Clock())()
    assert {row[0]: row[1] for row in world.document.tab("runs").values()[1:]} == {"first": 3, "second": 7}
    assert hours(world)["team/proj"] == 20


def test_all_users_count_whoever_gets_rows(world: World) -> None:
    """Neither --user_name nor STATES leaves runs out of a total; FILTERS does."""
    add(world, "mine")
    add(world, "hers", user=User("lee"))
    add(world, "failed", state="failed")
    world.configure(STATES=["finished"], NAME={"lee": "Lee"})
    tick = Ticker(Place(), Clock(), users=("lee",))
    tick()
    assert world.ids() == ["hers"]
    assert hours(world)["team/proj"] == 24
    assert {row[0]: row[2] for row in world.document.tab(NAME).values()}[f"lee {MONTH}"] == "Lee"
    world.configure(FILTERS={"state": "failed"})
    tick()
    assert hours(world) == {"team/proj": 8, f"lee {MONTH}": 0, f"{world.wandb.user.username} {MONTH}": 8}


def test_a_change_of_the_settings_is_news(world: World) -> None:
    add(world, "first", config=config_text({"mine": 5}))
    tick = Ticker(Place(), Clock())
    tick()
    assert hours(world)["team/proj"] == 0
    world.configure(WORLD_SIZE_KEYS=["mine"])
    tick()
    assert hours(world)["team/proj"] == 10


def test_a_crash_before_the_report(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows stand; the next process makes the report although nothing is new."""
    add(world, "first")
    Ticker(Place(), Clock())()
    add(world, "second")

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Keeper, "make", crash)
        with pytest.raises(KeyboardInterrupt):
            Ticker(Place(), Clock())()
    assert world.ids() == ["first", "second"]
    assert hours(world)["team/proj"] == 8
    Ticker(Place(), Clock()).once()
    assert hours(world)["team/proj"] == 16


def test_a_report_that_fails_fails_nothing_else(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """It is tried again, also without news; the daemon does not list all runs for it."""
    tab = world.document.add_tab(NAME)
    tab.put("A1", "my own numbers")
    add(world, "first")
    tick = Ticker(Place(), Clock())
    for _ in range(2):
        with pytest.raises(ServiceError, match="the report GPU-hours could not be made: the worksheet holds"):
            tick()
        assert world.ids() == ["first"]
    assert tab.values() == [["my own numbers"]]
    result = world.run("--once")
    assert result.returncode == 1
    assert result.stderr.count("the report GPU-hours could not be made") == 1
    tab.clear()
    assert asked(world, tick)[0] == ["RunsheetLight"] * 2, "a window, and the report's listing"
    assert hours(world)["team/proj"] == 8


def test_a_project_that_cannot_be_listed(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """The report stays as it is: a total that lacks a project is none."""
    add(world, "first")
    tick = Ticker(Place(), Clock())
    tick()
    add(world, "second")
    world.configure(PROJECT_NAME=["proj", "nothing"])
    with pytest.raises(ServiceError, match="1 of the projects could not be listed"):
        tick()
    assert "GPU-hours: left as it is, since not all projects could be listed" in caplog.messages
    assert world.ids() == ["first", "second"]
    assert hours(world)["team/proj"] == 8


def test_a_dry_run_shows_the_report_as_well(world: World) -> None:
    add(world, "first")
    result = world.run("--dry_run")
    assert result.returncode == 0, result.stderr
    assert "new row team/proj of GPU-hours: Key=team/proj, Kind=project" in result.stdout
    assert "GPU-hours: 2 rows · 2 would be added (dry run)" in result.stdout
    assert [tab.title for tab in world.document.tabs] == ["Sheet1"]


def test_the_main_table_never_goes_into_the_tab_of_a_report(world: World) -> None:
    """When somebody deletes the tab of the main table, and WORKSHEET names none, another one is made."""
    world.configure(WORKSHEET="")
    add(world, "first")
    Ticker(Place(), Clock())()
    world.document.delete_tab("Sheet1")
    Ticker(Place(), Clock())()
    header = world.document.tab("runs").values()[0]
    assert header[0] == "run_id"
    assert world.document.tab(NAME).values()[0][0] == "Key"
    assert hours(world)["team/proj"] == 8


def test_folders_and_a_workbook(world: World, tmp_path: Path) -> None:
    """Without any service, and with each folder read once, which says so where it is damaged."""
    run = tmp_path / "wandb" / "run-20261101_100000-abc"
    (run / "files").mkdir(parents=True)
    (run / "run-abc.wandb").write_text("torn")
    (run / "files" / "config.yaml").write_text("world_size:\n  value: 2\n")
    (run / "files" / "wandb-summary.json").write_text('{"_runtime": 7200, "_timestamp": 1793534400}')
    (tmp_path / "config.json").write_text('{"REPORTS": ["GPU-hours"], "BACKUP_DIR": ""}')
    result = world.run("--source", "folders", "--destination", "xlsx", "--once")
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("read as far as it goes") == 1
    header, *rows = openpyxl.load_workbook(tmp_path / "runs.xlsx")[NAME].iter_rows(values_only=True)
    found = {row[0]: dict(zip(header, row, strict=True)) for row in rows}
    assert found["(no user) 2026-11"]["GPU-hours"] == 4
    assert found["(no user) 2026-11"]["Runs"] == 1


def test_its_history_by_the_name_of_its_tab(world: World) -> None:
    """Beside that of the runs, with the same config.json."""
    add(world, "run1")
    assert forks.run(world, "--once").returncode == 0
    assert "2 rows added" in forks.run(world, "history", "--worksheet", NAME).stdout
    assert "1 row added" in forks.run(world, "history").stdout
