"""The benchmarks: `make bench`, or `python -m benchmarks ticks --rows 10000`. See README.md.

Prints a table of what was measured and what must be reached. A bound that is missed is no failure: the
code is 0 unless something could not be measured.
"""

import argparse
import importlib
import logging
import os
import sys
import time
import traceback
from contextlib import ExitStack

NAMES = ("startup", "planning", "workbook", "gpu_hours", "first_sync", "ticks")
"""In this order: the ticks add runs to what the first syncs have filled."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("word", nargs="?", default="", help=f"only those with the word: {', '.join(NAMES)}")
    parser.add_argument("--rows", type=int, default=100_000, help="the largest table (100000)")
    asked = parser.parse_args()
    from benchmarks import table
    from benchmarks.bench import Bench, Result, note

    logging.basicConfig(level=logging.ERROR)
    started, load = time.monotonic(), os.getloadavg()[0]
    results: list[Result] = []
    failed = False
    with ExitStack() as stack:
        bench = Bench(stack, asked.rows)
        for name in (name for name in NAMES if asked.word in name):
            note(name)
            try:
                for result in importlib.import_module(f"benchmarks.{name}").results(bench):
                    results.append(result)
            except Exception:  # noqa: BLE001 - the others are worth knowing
                failed = True
                traceback.print_exc()
                results.append(Result(name, "could not be measured: see above", ""))
        table.show(results, bench.remarks, load, time.monotonic() - started)
    sys.exit(failed)


if __name__ == "__main__":
    main()
