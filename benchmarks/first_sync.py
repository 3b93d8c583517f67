"""The first sync: against a bare loop that moves the same bytes, and of many runs, interrupted twice."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.bench import Bench, Result, Table, mb, note
from benchmarks.remote import Remote, remote
from benchmarks.servers import Asked, Written
from benchmarks.worker import BareLoop, Daemon, Took
from tests.support.wandb.server import KEY

MIDDLE = 10_000
ROUNDS = 3
PAGE = 1_000
PAYLOAD = 2_000_000
GIVE_UP_SECONDS = 600.0


def results(bench: Bench) -> Iterator[Result]:
    size = min(MIDDLE, bench.largest)
    project = bench.project(size)
    syncs: list[Took] = []
    floors: list[Took] = []
    for number in range(ROUNDS):
        note(f"first sync of {size:,} runs and its floor, {number + 1} of {ROUNDS}")
        table = bench.table(project)
        if number == 0:
            sync, asked, written = _recorded(bench, table)
            bench.keep(size, table)
            yield from _requests(size, asked, written)
        else:
            with bench.daemon(table, warm=True) as daemon:
                sync = daemon.it.tick()
            bench.complete(table, size)
            bench.sheets.drop(table.key)
        syncs.append(sync)
        floors.append(_floor(bench, size))
    yield _against(size, _least(syncs), _least(floors))
    if bench.largest > MIDDLE:
        yield from _interrupted(bench, bench.largest)


def _recorded(bench: Bench, table: Table) -> tuple[Took, Asked, Written]:
    """A first sync of which the floor gets the requests."""
    with bench.daemon(table, warm=True) as daemon:
        bench.sheets.record(str(bench.path("writes")))
        sync = daemon.it.tick()
        bench.sheets.record("")
    bench.wandb.record(str(bench.path("pages")))
    return sync, bench.wandb.take(), bench.sheets.take()


def _floor(bench: Bench, size: int) -> Took:
    key = bench.sheets.create("floor")
    url = f"{bench.sheets.url()}/v4/spreadsheets/{key}"
    with remote(BareLoop, str(bench.path("pages")), str(bench.path("writes"))) as loop:
        floor = loop.it.run(bench.wandb.url(), KEY, url, bench.sheets.token())
    if bench.sheets.rows(key) != size:
        raise ValueError("the bare loop has not written what the product wrote")
    bench.sheets.drop(key)
    return floor


def _requests(size: int, asked: Asked, written: Written) -> Iterator[Result]:
    pages, chunks = -(-size // PAGE) + 3, -(-written.payload // PAYLOAD) + 4
    yield Result(
        f"first sync of {size:,} runs: W&B",
        f"{asked.requests} requests, {mb(asked.sent)}",
        f"at most {pages} requests (runs / page + 3)",
        f"{asked.requests / (pages - 3):.2f}x",
        asked.requests <= pages,
    )
    yield Result(
        f"first sync of {size:,} runs: Sheets",
        f"{written.requests} requests, {mb(written.payload)}",
        f"at most {chunks} requests (payload / 2 MB + 4)",
        f"{written.requests / (chunks - 4):.2f}x",
        written.requests <= chunks,
    )


def _least(rounds: list[Took]) -> Took:
    return min(rounds, key=lambda took: took.seconds)


def _against(size: int, sync: Took, floor: Took) -> Result:
    ratio = sync.seconds / floor.seconds
    return Result(
        f"first sync of {size:,} runs: wall time",
        f"{sync}, bare loop {floor}",
        "at most 1.6x a bare loop",
        f"{ratio:.2f}x",
        ratio <= 1.6,
    )


@dataclass
class _Story:
    """A first sync that is killed while it pulls and while it writes, and ends."""

    peak: int = 0
    whole: int = 0
    seconds: float = 0.0
    kills: int = 0


def _interrupted(bench: Bench, size: int) -> Iterator[Result]:
    table = bench.table(bench.project(size))
    pages, story = -(-size // PAGE), _Story()
    note(f"first sync of {size:,} runs, to be killed after half of its pages")
    _start(bench, table, story, lambda: bench.wandb.count() > pages // 2)
    note("again, to be killed when some of it is written")
    _start(bench, table, story, lambda: bench.sheets.writes() > 10)
    note("again, to its end")
    started = time.perf_counter()
    _start(bench, table, story, lambda: False)
    last = time.perf_counter() - started
    bench.keep(size, table)
    most = pages + 2 * story.kills
    yield Result(
        f"first sync of {size:,} runs: memory",
        f"peak {mb(story.peak)}; {story.seconds:.0f} s in three starts, {last:.0f} s of them the last",
        "at most 400 MB",
        met=story.peak <= 400e6,
    )
    yield Result(
        f"first sync of {size:,} runs, killed while it pulled and while it wrote",
        f"{story.whole} pages with values in all, {pages} there are; killed {story.kills} times",
        f"at most {most}: two pages again for each kill",
        f"{story.whole / pages:.2f}x",
        story.whole <= most,
    )


def _start(bench: Bench, table: Table, story: _Story, enough: Callable[[], bool]) -> None:
    """One start of a daemon, killed when it has done enough."""
    with bench.daemon(table) as daemon:
        started = time.perf_counter()
        daemon.begin("tick")
        _watch(daemon, started, enough)
        story.seconds += time.perf_counter() - started
        story.peak = max(story.peak, daemon.peak())
        if daemon.busy:
            daemon.kill()
            story.kills += 1
        else:
            daemon.result()
    story.whole += bench.wandb.take().whole


def _watch(daemon: Remote[Daemon], started: float, enough: Callable[[], bool]) -> None:
    while daemon.busy and not enough():
        if time.perf_counter() - started > GIVE_UP_SECONDS:
            raise TimeoutError("a first sync does not end")
        time.sleep(0.02)
