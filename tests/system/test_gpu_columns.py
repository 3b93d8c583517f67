"""The GPU columns end to end: what they cost at W&B, by the real client; Trackio's files and run folders.

P1 and P6 hold all the while. Mutants: tests/mutant_list/gpu_columns.py.
"""

import json
import logging
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from runsheet.clock import Clock
from runsheet.errors import Stopped
from runsheet.ticker import Place, Ticker
from tests.support import forks
from tests.support.sheets import SheetsServer
from tests.support.trackio import Project
from tests.support.wandb import Run, WandbServer
from tests.support.wandb.data import iso
from tests.support.wandb.faults import Fault
from tests.support.world import World
from tests.unit.test_folder_rows import measured
from tests.unit.test_wandb_folders import folder, started

RUNS = 40
NOW = datetime.now(UTC)
ROWS = "RunsheetRows"
GPU = ["gpu_util_avg", "gpu_mem_max_gb", "gpu_power_avg_w", "gpu_temp_max"]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with SheetsServer() as sheets, WandbServer() as wandb:
        made = World(sheets, wandb, tmp_path)
        made.configure(
            FIXED_HEADERS=["run_id", "source"], GPU_COLUMNS=True, DYNAMIC_HEADERS=False, BACKUP_DIR=""
        )
        for name in set(os.environ) - {"PATH", "PYTEST_CURRENT_TEST"}:
            monkeypatch.delenv(name)
        for name, value in made.env.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        yield made


def stream(number: int) -> list[dict[str, Any]]:
    """What W&B has of a run on two GPUs, of which the second is read once less."""
    one, two = "system.gpu.0.", "system.gpu.1."
    return [
        {one + "gpu": number, two + "gpu": 50, one + "powerWatts": 100.0, "_timestamp": 1.7e9},
        {
            one + "gpu": number + 10,
            two + "temp": 40 + number % 50,
            "system.cpu": 3.0,
            "_timestamp": 1.7e9 + 15,
        },
        {
            one + "memoryAllocatedBytes": 2**30 * (number + 1),
            one + "powerWatts": 300.0,
            "_timestamp": 1.7e9 + 30,
        },
    ]


def cells(number: int) -> tuple[float, ...]:
    """The cells of a run with that stream."""
    return ((number + 5 + 50) / 2, number + 1, 200, 40 + number % 50)


BLANK = (None,) * 4


def shown(world: World) -> dict[str, tuple[Any, ...]]:
    """The GPU columns of the sheet by run id."""
    header, *rows = world.document.tab("runs").values()
    places = [header.index(title) for title in GPU]
    return {row[0]: tuple(row[p] if p < len(row) else None for p in places) for row in rows}


def fresh(world: World, name: str, number: int = 0, ago: float = 0, **fields: Any) -> None:
    """A run that had its last sign of life just now."""
    moment = iso(NOW - timedelta(seconds=ago))
    given = {"created_at": moment, "heartbeat_at": moment, "user": world.wandb.user, **fields}
    world.wandb.add("team", "proj", Run(name, system_rows=stream(number), **given))


def filled(world: World, count: int = RUNS) -> None:
    for number, run in enumerate(world.wandb.add_runs("team", "proj", count)):
        run.system_rows = stream(number)


def asked(world: World, deed: Callable[[], object]) -> Counter[str]:
    """The W&B queries of a deed, by name."""
    before = len(world.wandb.requests)
    deed()
    return Counter(request.name for request in world.wandb.requests[before:])


def test_what_they_cost(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """A request for each run that gets a row, and none besides; the report counts them."""
    caplog.set_level(logging.INFO)
    filled(world)
    tick = Ticker(Place(), Clock())
    assert asked(world, tick) == {"Viewer": 1, "RunsheetRuns": 1, ROWS: RUNS}
    assert (
        f"{RUNS} added · 6 new columns · GPU use read of {RUNS} runs · requests: {RUNS + 2} wandb"
        in caplog.text
    )
    assert shown(world) == {f"run{number:05d}": cells(number) for number in range(RUNS)}
    assert asked(world, tick) == {"Viewer": 1, "RunsheetLight": 1}, "nothing new"
    fresh(world, "new", 7)
    fresh(world, "going", 8, state="running")
    assert asked(world, tick) == {"Viewer": 1, "RunsheetLight": 1, "RunsheetRuns": 1, ROWS: 1}, "one is new"
    assert shown(world)["new"] == cells(7)
    noted = dict(zip(GPU, (1, 2, 3, 4), strict=True))
    fresh(world, "noted", 9, summary=json.dumps(noted))
    assert asked(world, tick) == {"Viewer": 1, "RunsheetLight": 1, "RunsheetRuns": 1}, "it noted all four"
    assert shown(world)["noted"] == (1, 2, 3, 4)
    assert "going" not in shown(world)
    assert ROWS not in asked(world, Ticker(Place(), Clock())), "all are listed at a start"


def test_live_rows(world: World) -> None:
    """Nothing while a run goes on; once when it has settled."""
    world.configure(LIVE_ROWS=True)
    filled(world, 3)
    fresh(world, "going", 8, ago=60, state="running")
    tick = Ticker(Place(), Clock(), accept_changes=True)
    assert asked(world, tick)[ROWS] == 3
    fresh(world, "going", 8, ago=30, state="running")
    assert asked(world, tick)[ROWS] == 0
    assert shown(world)["going"] == BLANK
    fresh(world, "going", 8, state="finished")
    assert asked(world, tick)[ROWS] == 1
    assert shown(world)["going"] == cells(8)
    for again in (tick, Ticker(Place(), Clock())):
        assert asked(world, again)[ROWS] == 0


def test_switched_on_later(world: World) -> None:
    """Rows that stand stay blank; ticks cost what they did, and a run that is new one request more."""
    world.configure(GPU_COLUMNS=None)
    filled(world)
    tick = Ticker(Place(), Clock())
    tick()
    world.configure(GPU_COLUMNS=True)
    assert asked(world, tick) == {"Viewer": 1, "RunsheetLight": 1}
    for number, name in enumerate(("new", "newer")):
        fresh(world, name, number)
        assert asked(world, tick) == {"Viewer": 1, "RunsheetLight": 1, "RunsheetRuns": 1, ROWS: 1}
    assert shown(world)["newer"] == cells(1)
    assert shown(world)["run00007"] == BLANK


def test_a_run_that_is_gone_when_it_is_asked_for(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """It was there when the runs were listed: it gets its row, the others theirs."""
    filled(world, 5)

    def delete(request: Any) -> None:
        if request.name == ROWS and request.variables["name"] == "run00002":
            world.wandb.delete("team", "proj", "run00002")

    world.wandb.before_request = delete
    Ticker(Place(), Clock()).once()
    assert shown(world) == {f"run{n:05d}": BLANK if n == 2 else cells(n) for n in range(5)}
    assert "run run00002: its GPU use cannot be read: W&B at" in caplog.text


FAULTS: dict[str, Callable[[], Fault]] = {
    "504": lambda: Fault.gateway(504),
    "500": lambda: Fault.http(500),
    "403": lambda: Fault.http(403, "forbidden"),
    "null": Fault.null_data,
    "permission": lambda: Fault.errors("permission denied"),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_one_run_whose_stream_never_comes(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    fault: Callable[[], Fault],
) -> None:
    """The others have their rows. It has none for a day, and then one with blank cells."""
    caplog.set_level(logging.INFO)
    filled(world, 6)
    fresh(world, "fails", 6, ago=60)
    due = world.wandb._due

    def failing(request: Any) -> Fault | None:
        fails = request.name == ROWS and request.variables["name"] in ("run00002", "fails")
        return fault() if fails else due(request)

    monkeypatch.setenv("WANDB__GRAPHQL_RETRY_MAX", "1")  # the client's own attempts take seconds
    tick = Ticker(Place(), Clock())
    with monkeypatch.context() as broken:
        broken.setattr(world.wandb, "_due", failing)
        broken.setattr(Clock, "wait", lambda clock, _: clock.stopping)
        tick()
    assert shown(world) == {f"run{n:05d}": BLANK if n == 2 else cells(n) for n in range(6)}
    assert "run run00002: its GPU use cannot be read: " in caplog.text
    assert "run fails: its GPU use cannot be read yet: " in caplog.text
    tick()
    assert shown(world)["fails"] == cells(6)


def test_a_stop_while_they_are_read(world: World) -> None:
    filled(world)
    clock = Clock()

    def stop(request: Any) -> None:
        if request.name == ROWS:
            clock.stop()

    world.wandb.before_request = stop
    with pytest.raises(Stopped):
        Ticker(Place(), clock).once()
    assert world.wandb.count(ROWS) <= 8
    assert [tab.title for tab in world.document.tabs] == ["Sheet1"]


def test_killed_in_the_middle_of_a_first_sync(world: World) -> None:
    """The next start asks for what is missing, but for the last few."""
    count, at = 150, 120
    filled(world, count)
    process: list[forks.Forked] = []

    def kill(request: Any) -> None:
        if request.name == ROWS and world.wandb.count(ROWS) == at and process:
            process.pop().kill()

    process.append(forks.start(world, "--once"))
    running = process[0]
    world.wandb.before_request = kill
    assert running.end().returncode == -signal.SIGKILL
    world.wandb.before_request = None
    first = world.wandb.count(ROWS)
    done = forks.run(world, "--once")
    assert done.returncode == 0, done.stdout
    assert shown(world) == {f"run{number:05d}": cells(number) for number in range(count)}
    assert 0 < world.wandb.count(ROWS) - first <= count - 51


def test_trackio_beside_wandb(world: World, tmp_path: Path) -> None:
    """Fractions, GiB and slashes become the same columns; `source` tells whose run it is."""
    filled(world, 2)
    project = Project(tmp_path / "trackio")
    for run in ("a", "b"):
        project.log(run, 3.0, {"loss": 1.0, **({"gpu_temp_max": 99} if run == "b" else {})})
    project.system("a", 2.0, {"gpu/0/utilization": 30, "gpu/0/allocated_memory": 4.5, "gpu/0/power": 100.0})
    project.system("a", 2.5, {"gpu/0/utilization": 50, "gpu/1/temp": 66, "cpu/utilization": 3})
    project.system("b", 2.5, {"gpu/0/temp": 70, "gpu/0/power": 50.0})
    Ticker(Place(), Clock()).once()
    place = Place(source=f"trackio:{tmp_path / 'trackio'}", project=("proj",))
    for _ in range(2):
        Ticker(place, Clock()).once()
    assert shown(world) == {
        "run00000": cells(0),
        "run00001": cells(1),
        "a": (40, 4.5, 100, 66),
        "b": (None, None, 50, 99),
    }
    rows = world.document.tab("runs").values()[1:]
    assert [row[1] for row in rows] == ["wandb", "wandb", "trackio", "trackio"]


def test_run_folders_with_a_report_beside(world: World, tmp_path: Path) -> None:
    """The report reads the runs that came for the sheet; what they logged is still to be had."""
    world.configure(REPORTS=["GPU-hours"])
    folder(
        tmp_path / "runs",
        started(),
        measured(1_700_000_001, {"gpu.0.gpu": 30, "gpu.0.temp": 40}),
        measured(1_700_000_016, {"gpu.0.gpu": 50, "gpu.0.powerWatts": 100.5}),
    )
    place = Place(source=f"folders:{tmp_path / 'runs'}", project=("p",))
    for _ in range(2):
        Ticker(place, Clock()).once()
    assert shown(world) == {"abc": (40, None, 100.5, 40)}
