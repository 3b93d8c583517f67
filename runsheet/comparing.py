"""Brings together what a comparison is made of: the runs that are meant, and how they used their GPUs."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

from runsheet import lookup
from runsheet.errors import AccessError, ConfigError, NotFound, ServiceError, Unreachable
from runsheet.gpu_use import told
from runsheet.model import Run, Scope
from runsheet.report import some
from runsheet.reports.compare import Comparison, Gpu, Side, compare
from runsheet.reports.usage import Settings, usage
from runsheet.sources.base import Finder, Query, Recorded, Source, Which
from runsheet.sources.memory import MemorySource

WORKERS = 4
"""Runs whose rows are read at the same time."""

QUERY = Query(gpus=True)


@dataclass(frozen=True, slots=True)
class Meant:
    """The runs that are meant: those called so, and those of `which`, unless it asks for nothing. No more
    than `limit`."""

    called: tuple[str, ...]
    which: Which
    limit: int


@dataclass(slots=True)
class _Found:
    """Runs, each once, in the order in which they were asked for, and what was odd about that."""

    runs: dict[tuple[Scope, str], Run] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, run: Run) -> bool:
        """False if it is there already."""
        known = len(self.runs)
        self.runs.setdefault((run.scope, run.id), run)
        return len(self.runs) > known


def comparison(
    source: Source,
    projects: Sequence[str],
    meant: Meant,
    metrics: Sequence[str],
    settings: Settings,
    now: datetime,
) -> Comparison:
    """The runs that are meant side by side. `metrics`: as `asked` of compare.compare; `settings` say how the
    number of GPUs is found.

    Raises NotFound for runs that are not there, ConfigError for fewer than two, for too many and for a metric
    that no run has, and otherwise as `Source.runs` does.
    """
    found = _find(source, projects, meant)
    runs = list(found.runs.values())
    if len(runs) < 2:
        alone = f", and that is only {runs[0].id}" if runs else ""
        raise ConfigError(f"a comparison needs two runs or more{alone}: name them by id or name, or --group")
    if len(runs) > meant.limit:
        raise ConfigError(
            f"{len(runs):,} runs are meant, more than {meant.limit}: --limit {len(runs)} compares all of them"
        )
    sides = [Side(run, usage(run, settings, now)) for run in runs]
    compare(sides, metrics)  # A metric that is not there is known before any rows are read.
    gpus, notes = _gpus(source, runs)
    used = [Side(side.run, side.usage, gpu) for side, gpu in zip(sides, gpus, strict=True)]
    return compare(used, metrics, [*found.notes, *notes])


def _find(source: Source, projects: Sequence[str], meant: Meant) -> _Found:
    found, missing = _Found(), list[str]()
    held = _held(source, projects, meant)
    for called in meant.called:
        try:
            one = lookup.one(held, projects, Which(called=called), QUERY)
        except NotFound as error:
            missing.append(str(error))
            continue
        found.notes += [f"{called}: {note}" for note in one.notes]
        if not found.add(one.run):
            found.notes.append(f"{called}: the run {one.run.id} is meant twice and counts once")
    if missing:
        raise NotFound("; ".join(dict.fromkeys(missing)))
    if meant.which != Which():
        several = lookup.several(source, projects, meant.which, QUERY)
        found.notes += several.notes
        for run in several.runs:
            found.add(run)
    return found


def _held(source: Source, projects: Iterable[str], meant: Meant) -> Source:
    """Where runs are looked for by what they are called. A source that finds no single runs is read once, and
    not for each of them."""
    if isinstance(source, Finder) or len(meant.called) < 2:
        return source
    wanted = [Which(called=called) for called in meant.called]
    return MemorySource(
        {
            project: [
                run
                for run in source.runs(project, QUERY)
                if isinstance(run, Run) and any(which.means(run) for which in wanted)
            ]
            for project in projects
        }
    )


def _gpus(source: Source, runs: Sequence[Run]) -> tuple[list[Gpu], list[str]]:
    """How each of the runs used its GPUs, and what was odd about it.

    One run whose rows cannot be read does not stop the others; a service that answers for none of them does.
    """
    if not isinstance(source, Recorded):
        note = f"the source {source.name} does not hold how GPUs were used, only the last values of metrics"
        return [Gpu()] * len(runs), [note]
    with ThreadPoolExecutor(min(WORKERS, len(runs)), "runsheet-compare") as pool:
        read = list(pool.map(lambda run: _gpu(source, run), runs))
    if all(isinstance(one.error, Unreachable | AccessError) for one in read):
        raise next(one.error for one in read if one.error)
    notes = [f"{run.id}: {one.error}" for run, one in zip(runs, read, strict=True) if one.error]
    if sampled := [run.id for run, one in zip(runs, read, strict=True) if one.sampled]:
        notes.append(f"GPU values are of a sample of the rows, so that peaks may be higher: {some(sampled)}")
    return [one.gpu for one in read], notes


@dataclass(frozen=True, slots=True)
class _Read:
    """What came of reading the rows of a run. `sampled`: only a part of them came. `error`: why none did."""

    gpu: Gpu = field(default_factory=Gpu)
    sampled: bool = False
    error: ServiceError | None = None


def _gpu(source: Recorded, run: Run) -> _Read:
    try:
        found = told(source, run)
    except ServiceError as error:
        return _Read(error=error)
    gpu = Gpu.of(found.use, found.stream)
    return _Read(gpu, sampled=bool(gpu.stream) and found.total is not None)
