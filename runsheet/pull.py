"""Runs come from a source, each project asked for as little as possible.

    window   the runs with a sign of life since its watermark, light; whole only those that are not known
    full     all runs, light; whole only those that are not known
    whole    all runs, whole: when none is known yet, or the source does not list light runs

Several projects are pulled at the same time, WORKERS at most.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from runsheet import columns, fields, live, watermark
from runsheet.clock import Clock
from runsheet.errors import ServiceError
from runsheet.gpu_columns import PATHS, WAITS, GpuColumns, Later
from runsheet.intake import Intake, Part
from runsheet.ledger import Ledger
from runsheet.model import Run, Scope, Skip
from runsheet.reports.gpu_metrics import COLUMNS
from runsheet.rules import Candidate, Rules, refusal, settled
from runsheet.sources.base import NotLight, Query, Recent, Source, Watched
from runsheet.spool import DEAR, FEW, Spool, Spools
from runsheet.watermark import Gauge, Key, Watermark

log = logging.getLogger(__name__)

T = TypeVar("T")

Progress = Callable[[int], None]
"""Called with the number of runs taken in so far."""

WORKERS = 4
"""Projects that are pulled at the same time: W&B's client handles ten requests at once."""


@dataclass(frozen=True, slots=True)
class Before:
    """What is known before runs are pulled.

    `watermarks` of the table. `book` reads the book-keeping when it is needed, None if that is lost; there
    is no `book` where there is no table of ours, so that no run is known. `touched`: people have been at
    work in the table, so that it is to be looked at. A full listing is due `hours` after the last one, and at
    once if `full`.
    `cache` is where runs go that do not fit into memory (spool.py).
    """

    watermarks: Mapping[Key, Watermark] = field(default_factory=dict)
    book: Callable[[], Ledger | None] | None = None
    touched: bool = False
    full: bool = False
    hours: float = 6.0
    cache: Path | None = None


@dataclass(slots=True)
class Pulled(Part):
    """What the source gave, all projects together.

    `quiet`: nothing is new, so that the table need not be read any further. `watermarks` are to be kept when
    all this has been written, those of windows if the table's still are what the windows began from, `since`;
    `urgent`: they are worth a write of their own. `spools` hold values of candidates, until they are closed.
    `measured`: runs of which was read how they used their GPUs. `notices`: what a person should know besides.
    """

    failed: dict[str, ServiceError] = field(default_factory=dict)
    projects: int = 0
    quiet: bool = False
    urgent: bool = False
    watermarks: dict[Key, Watermark] = field(default_factory=dict)
    since: dict[Key, Watermark] = field(default_factory=dict)
    spools: Spools = field(default_factory=Spools)
    measured: int = 0
    notices: tuple[str, ...] = ()


def pull(
    source: Source,
    rules: Rules,
    query: Query,
    clock: Clock,
    progress: Progress,
    before: Before = Before(),
) -> Pulled:
    """Runs of all projects. A project that fails is noted; what it gave is dropped, since its runs are
    complete only together (columns are chosen over all of them)."""
    projects = source.projects()
    asked = f"{query.machine} {query.gpus} {rules.gpu_columns}"
    shown = [str(sorted(rules.names.items())), str(rules.usage or ""), asked]
    spools = Spools(before.cache, watermark.digest(shown), DEAR if rules.gpu_columns else FEW)
    gpus = GpuColumns(source, clock, wanted=rules.gpu_columns)
    pulled = Pulled(projects=len(projects), spools=spools, notices=gpus.notices)
    puller = _Puller(source, rules, query, clock, _Count(progress), before, spools, gpus)
    try:
        glances = _each(puller.glance, projects, source)
        pulled.quiet = bool(glances) and all(glance.quiet for glance in glances)
        if before.book and not pulled.quiet:
            puller.book = before.book()
        by_project = dict(zip(projects, glances, strict=True))
        with gpus:
            parts = _each(lambda project: puller.part(project, by_project[project]), projects, source)
    except BaseException:
        spools.keep()
        raise
    for project, part in zip(projects, parts, strict=True):
        if isinstance(part, ServiceError):
            pulled.failed[project] = part
        else:
            pulled.add(part)
    pulled.watermarks, pulled.since, pulled.urgent = puller.watermarks, puller.since, puller.urgent
    pulled.measured = gpus.count
    if rules.gpu_columns:  # What they show is known before any run has it.
        pulled.seen.marks.update(dict.fromkeys(PATHS, 0))
    return pulled


def _each(work: Callable[[str], T], projects: Sequence[str], source: Source) -> list[T]:
    """The work done for each project, in order; at the same time where the source allows it."""
    if len(projects) < 2 or not isinstance(source, Watched):
        return [work(project) for project in projects]
    with ThreadPoolExecutor(min(WORKERS, len(projects)), "runsheet-pull") as pool:
        return list(pool.map(work, projects))


class _Count:
    """Tells how many runs were taken in by all threads together."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._lock = threading.Lock()
        self._count = 0

    def __call__(self) -> None:
        with self._lock:
            self._count += 1
            self._progress(self._count)


@dataclass(frozen=True, slots=True)
class _Glance:
    """A first look at a project. `recent`: the runs above its watermark, None if all have to be listed."""

    mark: Watermark | None = None
    recent: Recent | None = None
    quiet: bool = False
    error: ServiceError | None = None


class _Puller:
    """Pulls projects, each in the cheapest way. `book` is read once it is known that it matters."""

    def __init__(
        self,
        source: Source,
        rules: Rules,
        query: Query,
        clock: Clock,
        progress: Callable[[], None],
        before: Before,
        spools: Spools,
        gpus: GpuColumns,
    ) -> None:
        self._source = source
        self._rules = rules
        self._query = query
        self._clock = clock
        self._now = clock.now()
        self._progress = progress
        self._before = before
        self._fingerprint = watermark.fingerprint(rules, query)
        self._spools = spools
        self._gpus = gpus
        self._lock = threading.Lock()
        self.book: Ledger | None = None
        self.watermarks: dict[Key, Watermark] = {}
        self.since: dict[Key, Watermark] = {}
        self.urgent = before.touched

    # --- the first look ------------------------------------------------------------------------

    def glance(self, project: str) -> _Glance:
        """Look at what is above the watermark, unless a full listing is due."""
        if not isinstance(self._source, Watched) or self._before.book is None:
            return _Glance()
        self._clock.check()
        try:
            mark = self._before.watermarks.get((self._source.scope(project), self._fingerprint))
            if mark is None or self._before.full or self._is_due(mark):
                return _Glance(mark)
            recent = self._source.recent(project, self._query, mark.floor)
        except NotLight as error:
            log.debug("%s: %s", project, error)
            return _Glance()
        except ServiceError as error:
            return _Glance(error=error)
        if recent is None or mark.lacks(recent):
            log.info("%s: runs came in with old dates, so all are listed", project)
            return _Glance(mark)
        quiet = not (self._rules.live or self._before.touched) and self._is_same(mark, recent)
        return _Glance(mark, recent, quiet)

    def _is_due(self, mark: Watermark) -> bool:
        """Whether a full listing is due; a last one in the future was noted by a clock that was wrong."""
        return not timedelta() <= self._now - mark.full < timedelta(hours=self._before.hours)

    def _is_same(self, mark: Watermark, recent: Recent) -> bool:
        gauge = Gauge()
        for run in recent.runs:
            self._measure(gauge, run)
        return gauge.above(mark.floor) == mark.digest

    def _measure(self, gauge: Gauge, run: Run) -> None:
        done = settled(run, self._now, self._rules.settle_hours)
        qualifies = done and not refusal(run, self._rules, self._now)
        text = f"{run.id} {live.stamp(run)}" if self._rules.live or self._rules.counted else run.id
        gauge.add(run, text if qualifies else "", waits=not done)

    # --- the runs ------------------------------------------------------------------------------

    def part(self, project: str, glance: _Glance) -> Part | ServiceError:
        """What a project gives, or why it gives nothing."""
        self._clock.check()
        if glance.error:
            return glance.error
        if glance.mark and glance.recent and glance.quiet:
            with self._lock:
                self.since[glance.mark.key] = glance.mark
            return self._quiet(glance.recent)
        try:
            return self._part(project, glance)
        except ServiceError as error:
            return error

    def _part(self, project: str, glance: _Glance) -> Part:
        source = self._source
        if not isinstance(source, Watched):
            return self._whole(project, Spool())
        scope = source.scope(project)
        spool = self._spool(scope)
        try:
            if self.book and (glance.recent or self.book.ids.get(scope)):
                return self._light(source, project, glance, spool)
            if spool.earlier:
                return self._light(source, project, _Glance(), spool)
        except NotLight as error:
            log.debug("%s: %s", project, error)
        except ServiceError:
            spool.keep()
            raise
        return self._whole(project, spool)

    def _is_new_header(self, book: Ledger) -> bool:
        """Whether a fixed header has no column yet, and no other column shows what it means: which path that
        is, is for all runs to tell."""
        shown = columns.Seen(Counter(book.columns.values()))
        keys = {header.key for header in self._rules.choice.fixed}.difference(fields.BUILTIN_KEYS)
        if self._rules.gpu_columns:
            keys = keys.difference(COLUMNS, PATHS)
        return any(key not in book.columns and not columns.resolve(key, shown) for key in keys)

    def _quiet(self, recent: Recent) -> Part:
        """What a project without news gives: counts."""
        intake = Intake(self._rules, self._now, Spool())
        for run in recent.runs:
            intake.bare(run)
        intake.part.count = len(recent.runs)
        intake.part.total = recent.total or len(recent.runs)
        return intake.part

    def _whole(self, project: str, spool: Spool) -> Part:
        """Take all runs, whole."""
        gauge, intake = Gauge(), Intake(self._rules, self._now, spool, self.book)
        part = intake.part
        try:
            for item in self._gpus.fill(self._source.runs(project, self._query), intake.is_final):
                if isinstance(item, Skip):
                    intake.skip(item)
                    gauge.pass_over(item.count)
                    continue
                part.count += 1
                if isinstance(item, Later):
                    gauge.add(item.run, "", waits=True)
                    candidate = intake.wait(item.run, WAITS)
                else:
                    self._measure(gauge, item)
                    candidate = intake.take(item)
                if candidate:
                    part.candidates.append(candidate)
                self._progress()
        except ServiceError:
            spool.keep()  # What came is not asked for again.
            raise
        part.total = part.count
        if isinstance(self._source, Watched) and not part.gap:
            self._note(gauge.mark((self._source.scope(project), self._fingerprint), self._now))
        return part

    def _light(self, source: Watched, project: str, glance: _Glance, spool: Spool) -> Part:
        """List runs, light, and take those whole that have news."""
        gauge, intake = Gauge(), Intake(self._rules, self._now, spool, self.book)
        chosen: dict[str, Candidate] = {}
        wanted: list[str] = []
        for run in self._listed(source, project, glance, intake, gauge):
            intake.part.count += 1
            self._measure(gauge, run)
            if (bare := intake.bare(run)) is None:
                continue
            chosen[bare.run_id] = bare
            if not intake.has_news(bare):
                continue
            if found := intake.spooled(bare, run):
                chosen[bare.run_id] = found
                self._progress()
            else:
                wanted.append(run.id)
        if wanted and self.book and self._is_new_header(self.book):
            return self._whole(project, spool)
        self._pick(source, project, wanted, chosen, intake, gauge)
        part, recent = intake.part, glance.recent
        part.candidates = list(chosen.values())
        part.total = recent.total or part.count if recent else part.count
        if not part.gap:
            key = (source.scope(project), self._fingerprint)
            last, total = (glance.mark, recent.total) if recent else (None, None)
            self._note(gauge.mark(key, self._now, last=last, total=total), last)
        return part

    def _listed(
        self, source: Watched, project: str, glance: _Glance, intake: Intake, gauge: Gauge
    ) -> Iterator[Run]:
        """The light runs, the oldest first; those above the watermark, if they are known."""
        if glance.recent:
            yield from sorted(glance.recent.runs, key=lambda run: run.created or _NEVER)
            return
        for item in source.listed(project, self._query):
            if isinstance(item, Skip):
                intake.skip(item)
                gauge.pass_over(item.count)
            else:
                yield item

    def _pick(
        self,
        source: Watched,
        project: str,
        wanted: Sequence[str],
        chosen: dict[str, Candidate],
        intake: Intake,
        gauge: Gauge,
    ) -> None:
        """Put whole runs in the places of bare ones. Those that do not come are gone."""
        missing = set(wanted)
        picked = source.pick(project, self._query, wanted) if wanted else ()
        for item in self._gpus.fill(picked, intake.is_final):
            if isinstance(item, Skip):
                intake.skip(item)
                continue
            self._progress()
            if isinstance(item, Later):
                run, candidate = item.run, intake.wait(item.run, WAITS)
                gauge.wait_for(run)
            else:
                run, candidate = item, intake.take(item)
            if candidate:
                chosen[candidate.run_id] = candidate
                missing.discard(run.id)
        for run_id in missing:
            chosen.pop(run_id, None)
            gauge.drop(run_id)

    def _note(self, mark: Watermark, since: Watermark | None = None) -> None:
        """Remember the watermark of a listing, of what is new `since` another. It is worth a write of its own
        when all runs were listed and the table's says something else, or is old."""
        before = self._before.watermarks.get(mark.key)
        with self._lock:
            self.watermarks[mark.key] = mark
            if since:
                self.since[mark.key] = since
                self.urgent = self.urgent or (self._rules.counted and mark.digest != since.digest)
            else:
                same = before is not None and replace(mark, full=before.full) == before
                self.urgent = self.urgent or not same or (before is not None and self._is_due(before))

    def _spool(self, scope: Scope) -> Spool:
        with self._lock:
            return self._spools.spool(scope)


_NEVER = datetime.min.replace(tzinfo=UTC)


def fail(failed: Mapping[str, ServiceError]) -> None:
    """Raise the error of the only project; of several, one that holds them all."""
    kinds = {type(error) for error in failed.values()}
    if len(failed) == 1:
        raise next(iter(failed.values()))
    if failed:
        kind = kinds.pop() if len(kinds) == 1 else ServiceError
        raise kind("; ".join(f"{project}: {error}" for project, error in failed.items()))
