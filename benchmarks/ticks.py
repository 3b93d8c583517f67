"""A tick of a running daemon: what it asks for, and how long it takes, at each size."""

from collections.abc import Callable, Iterator

from benchmarks.bench import Bench, Result, Table, mb, median, note
from benchmarks.servers import Asked
from benchmarks.worker import Took

NEW = 10
LIVE = 20


def results(bench: Bench) -> Iterator[Result]:
    seconds: dict[int, float] = {}
    for size in bench.sizes:
        table = bench.filled(size)
        note(f"ticks with {size:,} rows")
        with bench.daemon(table, warm=True) as daemon:
            first = daemon.it.tick()
            yield _listing(size, first, bench.wandb.take())
            bench.forget()
            seconds[size], calls = median(daemon)
            yield _nothing_new(size, seconds, *_each(bench, calls))
            yield _new(bench, table, size, daemon.it.tick)
    yield _live(bench)


def _each(bench: Bench, calls: int) -> tuple[int, int]:
    """How many requests to each service one of several equal ticks made, rounded up."""
    return -(-bench.wandb.take().requests // calls), -(-bench.sheets.take().requests // calls)


def _listing(size: int, first: Took, asked: Asked) -> Result:
    what = f"full listing of {size:,} runs, at the start"
    pages = -(-size // 1000)
    must = f"at most {pages} listing requests, ids and states only"
    if asked.runs < size:
        return Result(what, f"no full listing: {asked.runs:,} runs were listed", must)
    light = "ids and states only" if not asked.whole else f"{asked.whole} with config and summary"
    return Result(
        what,
        f"{asked.lists} listing requests, {light}, {mb(asked.sent)}, {first}",
        must,
        f"{asked.lists / pages:.2f}x",
        met=asked.lists <= pages and not asked.whole,
    )


def _nothing_new(size: int, seconds: dict[int, float], wandb: int, sheets: int) -> Result:
    smallest = min(seconds)
    ratio = seconds[size] / seconds[smallest]
    fast = ratio <= 1.5
    return Result(
        f"tick with nothing new, {size:,} rows",
        f"{wandb} W&B + {sheets} Sheets requests, {seconds[size]:.2f} s",
        "at most 2 W&B + 1 Sheets requests" + (f", 1.5x of {smallest:,}" if size > smallest else ""),
        f"{ratio:.2f}x" if size > smallest else "1x",
        wandb <= 2 and sheets <= 1 and fast,
    )


def _new(bench: Bench, table: Table, size: int, tick: Callable[[], Took]) -> Result:
    bench.wandb.add(table.project, NEW, recent=True)
    bench.forget()
    done = tick()
    asked, written = bench.wandb.take(), bench.sheets.take()
    bench.complete(table, size + NEW)
    return Result(
        f"tick with {NEW} new runs, {size:,} rows",
        f"{asked.requests} W&B + {written.requests} Sheets requests, {done}",
        "at most 3 W&B + 3 Sheets requests",
        met=asked.requests <= 3 and written.requests <= 3,
    )


def _live(bench: Bench) -> Result:
    """New runs, and running ones that have ended since with other results."""
    size = min(bench.sizes)
    bench.wandb.add("live", size)
    bench.wandb.add("live", LIVE, recent=True, state="running")
    table = bench.table("live", LIVE_ROWS=True)
    note(f"ticks with live rows, {size:,} rows")
    with bench.daemon(table, warm=True) as daemon:
        daemon.it.tick()
        daemon.it.tick()
        bench.wandb.finish("live")
        bench.wandb.add("live", NEW, recent=True)
        bench.forget()
        done = daemon.it.tick()
        asked, written = bench.wandb.take(), bench.sheets.take()
    bench.complete(table, size + LIVE + NEW)
    return Result(
        f"live rows: {NEW} new runs, {LIVE} that changed, {size:,} rows",
        f"{asked.requests} W&B + {written.requests} Sheets requests, {done}",
        "at most 3 W&B + 4 Sheets requests",
        met=asked.requests <= 3 and written.requests <= 4,
    )
