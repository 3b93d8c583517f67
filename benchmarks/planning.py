"""Cleaning, flattening, choosing columns and planning, against json.loads of the same runs."""

import cProfile
import gc
import json
import pstats
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import runs
from benchmarks.bench import Bench, Result
from benchmarks.remote import remote
from benchmarks.worker import HEADERS
from runsheet import sync
from runsheet.clock import Clock
from runsheet.columns import Choice, Header
from runsheet.destinations.memory import MemoryDestination, MemorySheet
from runsheet.rules import Rules
from runsheet.sources.base import Query
from runsheet.sources.memory import MemorySource

SIZE = 10_000
ROUNDS = 3
HOT = 12
PROJECT = "team/planned"


@dataclass(frozen=True)
class Compared:
    """The least seconds of several rounds, one after the other."""

    planning: float
    parsing: float


class Planning:
    """A dry tick between a source and a destination in memory: all of a tick but its I/O. The rows of the
    plan are looked at, since a plan may make them only then."""

    def __init__(self, size: int) -> None:
        self._texts = [(runs.config_text(n), json.dumps(runs.summary(n))) for n in range(size)]
        self._runs = [runs.run(number, PROJECT) for number in range(size)]

    def compare(self) -> Compared:
        planning, parsing = [], []
        for _ in range(ROUNDS):
            gc.collect()
            planning.append(self._plan())
            gc.collect()
            parsing.append(self._parse())
        return Compared(min(planning), min(parsing))

    def hot(self) -> list[str]:
        """The functions in which planning spends most, with their share of it."""
        profile = cProfile.Profile()
        profile.runcall(self._plan)
        found = pstats.Stats(profile).stats  # type: ignore[attr-defined]
        total = sum(entry[2] for entry in found.values())
        own = sorted(found.items(), key=lambda item: -item[1][2])[:HOT]
        return [f"{entry[2] / total:5.0%}  {entry[1]:>9,} calls  {_place(*place)}" for place, entry in own]

    def _plan(self) -> float:
        rules = Rules(Choice(tuple(map(Header, HEADERS)), ("*",), 100))
        source, destination = MemorySource({PROJECT: self._runs}), MemoryDestination(MemorySheet())
        started = time.perf_counter()
        report = sync.tick(source, destination, rules, Query(), Clock(), mode=sync.Mode(dry_run=True))
        rows = sum(1 for _ in report.planned.rows) if report.planned else 0
        seconds = time.perf_counter() - started
        if rows != len(self._runs):
            raise ValueError(f"{rows} rows were planned")
        return seconds

    def _parse(self) -> float:
        started = time.perf_counter()
        for config, summary in self._texts:
            json.loads(config)
            json.loads(summary)
        return time.perf_counter() - started


def _place(file: str, line: int, function: str) -> str:
    """`cells.clean`; built-in functions as cProfile calls them."""
    path = Path(file)
    return function if file == "~" else f"{path.parent.name}/{path.stem}.{function}:{line}"


def results(bench: Bench) -> Iterator[Result]:
    size = min(SIZE, bench.largest)
    with remote(Planning, size) as planning:
        found = planning.it.compare()
        hot = planning.it.hot()
    bench.remarks.append("\n".join([f"Hot spots of planning {size:,} runs (own time, by cProfile):", *hot]))
    ratio = found.planning / found.parsing
    yield Result(
        f"cleaning, flattening, columns and plan of {size:,} runs x {runs.CONFIGS + runs.METRICS} values",
        f"{found.planning:.2f} s; json.loads {found.parsing:.2f} s",
        "at most 3x json.loads",
        f"{ratio:.2f}x",
        ratio <= 3,
    )
