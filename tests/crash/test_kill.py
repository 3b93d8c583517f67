"""P1 and P2 under SIGKILL: the real command with the real wandb and gspread clients is killed before and
after each request it makes; started again, it leaves every run in the sheet exactly once, with typed cells,
live rows at their newest values, and what people did in that very second as they did it. An `undo` that is
killed is completed by the same undo.
"""

import json
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support import forks
from tests.support.sheets import SheetsServer
from tests.support.sheets.a1 import letters
from tests.support.sheets.state import State
from tests.support.wandb import Run, WandbServer, iso
from tests.support.world import World

RUNS = 1_000
REQUESTS = 8
"""Requests of a first sync: W&B's Viewer and one page; a token, two reads, a probe, two batches."""

LIVE_REQUESTS = 16
"""Of a tick that meets people: W&B's three, a token; then header, ids, cells and a batch, three times: the
changes, the repair, and that nobody was there that time."""

UNDO_REQUESTS = 17
"""Of an undo: a token, reads, the batch that empties cells, reads, the batch that removes rows, images."""

UNDO_BATCH = 10
"""The request of these that empties cells."""

Deed = Callable[[World], object]
Table = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def wandb() -> Iterator[WandbServer]:
    with WandbServer() as server:
        server.add_runs("team", "proj", RUNS, configs=50)
        yield server


@pytest.fixture
def world(wandb: WandbServer, tmp_path: Path) -> Iterator[World]:
    with SheetsServer() as sheets:
        yield World(sheets, wandb, tmp_path)
    wandb.before_request = wandb.after_request = None


class Killer:
    """Kills a process when the n-th request reaches a server: before it is applied, and Google Sheets never
    gets it, or after. `deed` is done by a person right before the first write, also if that comes later."""

    def __init__(self, world: World, nth: int = 0, moment: str = "", deed: Deed | None = None) -> None:
        self._world = world
        self._left, self._moment = nth, moment
        self._deed = deed
        self._process: forks.Forked | None = None
        self._started = threading.Event()
        world.sheets.before_request = self._arrives
        world.sheets.after_request = world.wandb.after_request = lambda _: self._strike("after")
        world.wandb.before_request = lambda _: self._strike("before")

    def watch(self, *flags: str) -> None:
        """Start the command, which has to end by being killed."""
        self._process = forks.start(self._world, *flags)
        self._started.set()
        assert self._process.end().returncode == -signal.SIGKILL

    def _arrives(self, request: Any) -> None:
        if self._deed and request.kind == "write":
            deed, self._deed = self._deed, None
            deed(self._world)
        if self._strike("before"):
            raise ConnectionAbortedError  # what a dead process has not sent

    def _strike(self, moment: str) -> bool:
        self._left -= moment == self._moment
        if self._left or moment != self._moment:
            return False
        self._started.wait()
        assert self._process
        self._process.kill()
        return True


def at_each(requests: int, moments: Sequence[str] = ("before", "after")) -> Callable[[Any], Any]:
    """Parametrize a test by the request at which the process is killed."""

    def decorate(test: Any) -> Any:
        test = pytest.mark.parametrize("nth", range(1, requests + 1))(test)
        return pytest.mark.parametrize("moment", moments)(test)

    return decorate


@at_each(REQUESTS)
def test_killed_at_a_request(world: World, nth: int, moment: str) -> None:
    """Whatever the moment, the next start completes the sheet: nothing missing, nothing doubled."""
    Killer(world, nth, moment).watch("--once")
    again = forks.run(world, "--once")
    assert again.returncode == 0, again.stdout
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


# --- rows that follow their runs ---------------------------------------------------------------------


@dataclass(frozen=True)
class Standing:
    """A document as it stands before the command that is killed, and the rows as they have to be after it.
    `tick`: the name of the last tick."""

    state: State
    after: Table
    tick: str = ""


def table(world: World) -> Table:
    """The rows by run id; each run is there once."""
    header, *rows = world.document.tab("runs").values()
    found = {row[0]: dict(zip(header, row, strict=False)) for row in rows if row and row[0]}
    assert list(found) == world.ids()
    return found


def put(world: World, run_id: str, title: str, value: object) -> None:
    """A person types into a run's row, wherever it is."""
    header, *rows = world.document.tab("runs").values()
    row = next(number for number, line in enumerate(rows, 2) if line[:1] == [run_id])
    world.document.tab("runs").put(f"{letters(header.index(title))}{row}", value)


def goes_on(runs: Sequence[Run], loss: float) -> None:
    """They log new values."""
    for run in runs:
        run.summary = json.dumps(json.loads(run.summary or "{}") | {"loss": loss, "m0": loss + 1})


def followed(world: World, project: str) -> World:
    world.configure(PROJECT_NAME=project, LIVE_ROWS=True, FIXED_HEADERS=["run_id", "state"], BACKUP_DIR="")
    return world


def five(wandb: WandbServer, project: str) -> list[Run]:
    """Four running runs, and one that has finished."""
    runs = wandb.add_runs("team", project, 5, state="running", heartbeat_at=iso(datetime.now(UTC)))
    runs[4].state = "finished"
    return runs


def with_news(rows: Table, runs: Sequence[Run], loss: float) -> Table:
    """The rows when these runs have gone on."""
    news = {"loss": loss, "m0": loss + 1}
    return rows | {run.id: rows.get(run.id, {"run_id": run.id, "state": "running"}) | news for run in runs}


def check_rows(world: World, expected: Table) -> None:
    """Each cell that is expected is there, and no other row is."""
    found = table(world)
    assert {key: {t: row.get(t) for t in expected.get(key, ())} for key, row in found.items()} == expected


@pytest.fixture(scope="module")
def live(wandb: WandbServer, tmp_path_factory: pytest.TempPathFactory) -> Standing:
    """A person has edited a cell; three of four live runs have news since, and a run is new."""
    runs = five(wandb, "live")
    with SheetsServer() as sheets:
        world = followed(World(sheets, wandb, tmp_path_factory.mktemp("live")), "live")
        assert forks.run(world, "--once").returncode == 0
        put(world, runs[0].id, "loss", "bad run")
        rows, state = table(world), world.document.state
    runs[3:4] = wandb.add_runs("team", "live", 1, state="running", heartbeat_at=runs[0].heartbeat_at)
    goes_on(runs[:4], 0.125)
    after = with_news(rows, runs[:4], 0.125)
    after[runs[0].id]["loss"] = "bad run"
    return Standing(state, after)


DEEDS: dict[str, Deed] = {
    "edit": lambda world: put(world, "run00001", "m0", "mine"),
    "sort": lambda world: world.document.tab("runs").sort("A", ascending=False),
}
"""What a person does right before the write."""


def check_followed(world: World, live: Standing, deed: str) -> None:
    """Each row is its run's, but for what people did."""
    typed = {"run00001": live.after["run00001"] | {"m0": "mine"}} if deed == "edit" else {}
    check_rows(world, live.after | typed)
    old = [run_id for run_id in table(world) if run_id != "run00005"]
    assert old == sorted(old, reverse=deed == "sort")


def kill_and_follow(world: World, live: Standing, deed: str, nth: int, moment: str) -> None:
    followed(world, "live").document.state = live.state
    Killer(world, nth, moment, DEEDS[deed]).watch("--once")
    again = forks.run(world, "--once")
    assert again.returncode == 0, again.stdout
    check_followed(world, live, deed)


@at_each(LIVE_REQUESTS)
def test_killed_while_a_person_edits(world: World, live: Standing, nth: int, moment: str) -> None:
    """The edit is made right before the write: the next start repairs what the killed one left."""
    kill_and_follow(world, live, "edit", nth, moment)


@pytest.mark.parametrize("nth", range(1, LIVE_REQUESTS + 1))
def test_killed_while_a_person_sorts(world: World, live: Standing, nth: int) -> None:
    """The rows are sorted right before the write, which meets other rows than were read."""
    kill_and_follow(world, live, "sort", nth, "after")


@pytest.mark.parametrize("deed", DEEDS)
def test_people_work_undisturbed(world: World, live: Standing, deed: str) -> None:
    """The tick makes as many requests as the kills above count, and the rows stay as they are."""
    followed(world, "live").document.state = live.state
    Killer(world, deed=DEEDS[deed])
    before = len(world.wandb.requests)
    done = world.run("--once")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "put back as they left them" in done.stdout + done.stderr
    assert len(world.wandb.requests) - before + len(world.sheets.requests) == LIVE_REQUESTS
    check_followed(world, live, deed)
    forks.run(world, "--once")  # It may note, once, that nobody was there this time.
    writes = world.sheets.count("write")
    assert forks.run(world, "--once").returncode == 0
    assert world.sheets.count("write") == writes
    check_followed(world, live, deed)


# --- undo --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def undoing(wandb: WandbServer, tmp_path_factory: pytest.TempPathFactory) -> Standing:
    """The last tick changed three rows and added three. People have edited a cell of each kind since, and
    left a remark beside another new row."""
    runs = five(wandb, "undone")
    with SheetsServer() as sheets:
        world = followed(World(sheets, wandb, tmp_path_factory.mktemp("undo")), "undone")
        assert forks.run(world, "--once").returncode == 0
        rows = table(world)
        goes_on(runs[:3], 0.125)
        wandb.add_runs("team", "undone", 3)
        assert forks.run(world, "--once").returncode == 0
        tick = forks.run(world, "history").stdout.split()[0]
        put(world, "run00000", "loss", "my own")
        put(world, "run00005", "loss", "keep")
        world.document.tab("runs").put("L9", "remark")
        rows["run00000"]["loss"] = "my own"
        return Standing(world.document.state, rows, tick)


def check_undone(world: World, undoing: Standing) -> None:
    """What the tick wrote is gone, once and no more; what people wrote is there."""
    check_rows(world, undoing.after)
    assert [row for row in rest(world) if row] == [["keep"], ["remark"]]


def rest(world: World) -> list[list[Any]]:
    """What is left in the rows below those that stay."""
    return [[cell for cell in row if cell is not None] for row in world.document.tab("runs").values()[6:]]


@at_each(UNDO_REQUESTS, ["after"])  # Before the next request is the same state of the server.
def test_undo_is_killed(world: World, undoing: Standing, nth: int, moment: str) -> None:
    """The same undo completes it, and the next sync leaves it so."""
    followed(world, "undone").document.state = undoing.state
    Killer(world, nth, moment).watch("undo", undoing.tick)
    again = forks.run(world, "undo", undoing.tick)
    assert again.returncode == 0, again.stdout
    check_undone(world, undoing)
    assert " 0 added" in forks.run(world, "--once").stdout
    check_undone(world, undoing)


def test_a_killed_undo_leaves_no_blank_rows(world: World, undoing: Standing) -> None:
    """Killed between the batch that empties cells and the one that removes rows."""
    followed(world, "undone").document.state = undoing.state
    Killer(world, UNDO_BATCH, "after").watch("undo", undoing.tick)
    assert forks.run(world, "undo", undoing.tick).returncode == 0
    assert rest(world) == [["keep"], ["remark"]]


def test_undo_undisturbed(world: World, undoing: Standing) -> None:
    """It makes as many requests as the kills above count, and says what stays."""
    followed(world, "undone").document.state = undoing.state
    done = world.run("undo", undoing.tick)
    assert done.returncode == 0, done.stderr
    assert len(world.sheets.requests) == UNDO_REQUESTS
    check_undone(world, undoing)
    assert rest(world) == [["keep"], ["remark"]]
    assert "kept as people left them: run00000: loss" in done.stdout
    assert "rows that stay: run00005, run00007" in done.stdout
