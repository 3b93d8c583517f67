"""One append to a workbook of 10,000 rows, against openpyxl's load and save of the same file."""

import shutil
from collections.abc import Iterator

from benchmarks import runs
from benchmarks.bench import Bench, Result, mb, note
from benchmarks.remote import remote
from benchmarks.worker import Book, Cost

SIZE = 10_000
NEW = 10
ROUNDS = 2


def results(bench: Bench) -> Iterator[Result]:
    size = min(SIZE, bench.largest)
    whole, copy = bench.path("whole.xlsx"), bench.path("copy.xlsx")
    note(f"a workbook of {size:,} rows")
    with remote(Book, str(whole)) as book:
        book.it.append(0, size)
    appends: list[Cost] = []
    resaves: list[Cost] = []
    for _ in range(ROUNDS):
        shutil.copy(whole, copy)
        with remote(Book, str(copy)) as book:
            appends.append(book.it.append(size, NEW))
        with remote(Book, str(whole)) as book:
            resaves.append(book.it.resave(str(copy)))
    with remote(Book, "") as book:
        interpreter = book.it.nothing().peak
    what = f".xlsx with {size:,} rows x {runs.CONFIGS + runs.METRICS}"
    append, resave = (min(cost.seconds for cost in costs) for costs in (appends, resaves))
    yield Result(
        f"{what}: one tick that appends {NEW}",
        f"{append:.2f} s; openpyxl load + save {resave:.2f} s",
        "at most 0.3x openpyxl",
        f"{append / resave:.2f}x",
        append / resave <= 0.3,
    )
    over, floor = (max(cost.peak for cost in costs) - interpreter for costs in (appends, resaves))
    yield Result(
        f"{what}: memory of that tick",
        f"{mb(over)} over the interpreter's {mb(interpreter)}; openpyxl {mb(floor)}",
        "at most 150 MB over",
        f"{over / floor:.2f}x",
        over <= 150e6,
    )
