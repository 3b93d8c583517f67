"""Checks a set-up step by step: what works, what does not, and what to do about it.

It also tries on the real service what could only be tried on a stand-in before
(docs/unverified.md): it reads a page of runs and what the newest one logged, and probes the rules of
metadata. It writes no cell.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from runsheet import backends, gpu_use, lookup
from runsheet.errors import RunsheetError
from runsheet.model import Run
from runsheet.report import count
from runsheet.sources.base import Finder, Query, Recorded, Which

SAMPLE = 1_000
"""Runs that are looked at: one page."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check."""

    what: str
    good: bool
    text: str


def examine(setup: backends.Setup) -> Iterator[Finding]:
    """Check the source, then the destination. Raises nothing that is a RunsheetError."""
    yield from _side("source", lambda: _source(setup))
    yield from _side("destination", lambda: _destination(setup))


def _side(what: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from check()
    except RunsheetError as error:
        yield Finding(what, False, str(error))


def _source(setup: backends.Setup) -> Iterator[Finding]:
    source = backends.source(setup)
    try:
        for project in source.projects():
            runs = [item for item in islice(source.runs(project, Query()), SAMPLE) if isinstance(item, Run)]
            states = sorted({run.state for run in runs})
            text = f"{project}: {len(runs):,} runs read ({', '.join(states) or 'none'})"
            yield Finding(f"source {source.name}", True, text)
            if runs and isinstance(source, Recorded):
                finds = isinstance(source, Finder)
                newest = lookup.one(source, [project], Which()).run if finds else lookup.newest(runs)
                yield Finding(f"source {source.name}", True, _logged(source, newest))
    finally:
        source.close()


def _logged(source: Recorded, run: Run) -> str:
    """What a run logged: what `keys`, `gpu` and GPU_COLUMNS are made of."""
    logged, told = source.logged(run), gpu_use.told(source, run, system=True)
    history, system = count(len(logged.history), "key"), count(len(logged.system), "key")
    gpus = count(len(told.use.gpus), "GPU")
    return f"its newest run {run.name} ({run.id}): {history} of the training, {system} of the system, {gpus}"


def _destination(setup: backends.Setup) -> Iterator[Finding]:
    destination = backends.destination(setup)
    name = f"destination {destination.name}"
    try:
        shape = destination.read()
        found = f"{len(shape.owned)} columns of ours" if shape.owned else "not written yet"
        yield Finding(name, True, f"can be read; {found}")
        for rule in destination.probe():
            yield Finding(name, True, rule)
    finally:
        destination.close()
