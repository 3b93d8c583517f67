"""One tick: read the sheet, pull the runs, plan, apply, report. Knows no backend: they are handed in.

A tick that fails leaves the sheet as it was, or completes on the next tick (P6). When the sheet
moves under a plan (a person inserted a column, another daemon wrote, an answer was lost) the tick
reads again and plans afresh; the runs are not pulled again.
"""

import logging
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from runsheet import columns, fields, plan
from runsheet.clock import Clock
from runsheet.destinations.base import Destination, RowsRefused
from runsheet.errors import Changed, ServiceError, Unanswered
from runsheet.model import Placed, Plan, Row, Run, Scope, Shape, Skip
from runsheet.plan import Candidate, Decision, Rules
from runsheet.report import Report
from runsheet.sources.base import Query, Source

log = logging.getLogger(__name__)

ATTEMPTS = 6
"""How often a tick plans afresh before it gives up until the next one."""

REFUSALS = 30
"""How many refused batches a tick divides to find the rows that cause it: one in 10,000 takes 14."""

Progress = Callable[[int], None]
"""Called with the number of runs pulled so far."""


@dataclass(slots=True)
class _Pulled:
    """What the source gave: candidates in order, the paths they have, and what was passed over."""

    candidates: list[Candidate] = field(default_factory=list)
    seen: columns.Seen = field(default_factory=columns.Seen)
    count: int = 0
    waiting: Counter[str] = field(default_factory=Counter)
    skips: list[Skip] = field(default_factory=list)
    failed: dict[str, ServiceError] = field(default_factory=dict)
    projects: int = 0


def tick(
    source: Source,
    destination: Destination,
    rules: Rules,
    query: Query,
    clock: Clock,
    *,
    dry_run: bool = False,
    progress: Progress = lambda _: None,
) -> Report:
    """Make the sheet true once, and say what was done.

    Raises RunsheetError when nothing could be done at all; projects that failed while others
    went through are in `Report.failed`. With `dry_run` nothing is written and the report holds
    the plan.
    """
    started = clock.monotonic()
    shape = _read(destination)
    pulled = _pull(source, rules, query, clock, progress)
    if len(pulled.failed) == pulled.projects:
        _fail(pulled.failed)
    writing = _Writing(destination, pulled, rules, clock)
    work = writing.decide if dry_run else writing.run
    decision = work(shape, pulled.candidates)
    return Report(
        seen=pulled.count,
        added_ids=tuple(writing.added),
        columns_added=tuple(column.title for column in decision.plan.new if writing.added),
        waiting=dict(pulled.waiting),
        skips=(*pulled.skips, *writing.skips),
        deleted=decision.deleted,
        left_out=decision.left_out,
        lost_notes=decision.lost_notes,
        over=decision.over,
        doubles=decision.doubles,
        failed={project: str(error) for project, error in pulled.failed.items()},
        source=source.name,
        source_requests=source.requests,
        destination=destination.name,
        destination_requests=destination.requests,
        seconds=clock.monotonic() - started,
        planned=decision.plan if dry_run else None,
    )


def _read(destination: Destination) -> Shape | None:
    """The first read, which also tells whether the sheet is there before runs are pulled."""
    try:
        return destination.read()
    except Changed:
        return None


def _pull(source: Source, rules: Rules, query: Query, clock: Clock, progress: Progress) -> _Pulled:
    """All projects, one after the other. A project that fails is noted; what it gave is dropped,
    since its runs are complete only together (columns are chosen over all of them)."""
    projects = source.projects()
    pulled = _Pulled(projects=len(projects))
    for project in projects:
        clock.check()
        part = _Pulled(count=pulled.count)
        try:
            for item in source.runs(project, query):
                if isinstance(item, Skip):
                    part.skips.append(item)
                    continue
                _take(item, part, rules, clock.now())
                progress(part.count)
        except ServiceError as error:
            pulled.failed[project] = error
            continue
        _merge(pulled, part)
    return pulled


def _take(run: Run, part: _Pulled, rules: Rules, now: datetime) -> None:
    """Count a run, and keep its cells if it qualifies. One odd run never stops the others (P6)."""
    part.count += 1
    if reason := plan.refusal(run, rules, now):
        part.waiting[reason] += 1
        log.debug("%s waits: %s", run.id, reason)
        return
    try:
        values = fields.values(run, rules.names)
    except Exception as error:  # reported as a skip, the cause is in the log
        log.debug("run %s", run.id, exc_info=True)
        part.skips.append(Skip(f"run {run.id}", f"its values cannot be shown ({type(error).__name__})"))
        return
    run_id = values.get("run_id")
    if not isinstance(run_id, str):
        part.skips.append(Skip(f"run {run.name!r}", "has no id"))
        return
    part.seen.add(values)
    part.candidates.append(Candidate(run.scope, run_id, values))


def _merge(pulled: _Pulled, part: _Pulled) -> None:
    pulled.candidates += part.candidates
    pulled.seen.filled.update(part.seen.filled)
    pulled.seen.marks.update(part.seen.marks)
    pulled.count = part.count
    pulled.waiting.update(part.waiting)
    pulled.skips += part.skips


def _fail(failed: Mapping[str, ServiceError]) -> None:
    """Raise the error of the only project; of several, one that holds them all."""
    kinds = {type(error) for error in failed.values()}
    if len(failed) == 1:
        raise next(iter(failed.values()))
    if failed:
        kind = kinds.pop() if len(kinds) == 1 else ServiceError
        raise kind("; ".join(f"{project}: {error}" for project, error in failed.items()))


class _Writing:
    """Plans and applies, afresh as often as the sheet moves.

    `added`: ids of rows that were added. `skips`: runs that the sheet does not take.
    """

    def __init__(self, destination: Destination, pulled: _Pulled, rules: Rules, clock: Clock) -> None:
        self._destination = destination
        self._pulled = pulled
        self._rules = rules
        self._clock = clock
        self._refusals = 0
        self._bad: set[tuple[Scope, str]] = set()
        self.added: list[str] = []
        self.skips: list[Skip] = []

    def decide(self, shape: Shape | None, candidates: Sequence[Candidate]) -> Decision:
        """Read what the plan needs, and plan. Raises Changed when the sheet moves meanwhile."""
        shape = shape or self._destination.read()
        adopted: tuple[Placed, ...] = ()
        if not shape.owned and not shape.empty:
            adopted = columns.adopt(shape.header, plan.required(self._rules.choice), self._pulled.seen)
        content = self._destination.content(shape, adopted)
        wanted = [c for c in candidates if (c.scope, c.run_id) not in self._bad]
        seen, limits = self._pulled.seen, self._destination.limits
        return plan.build(shape, content, wanted, self._rules, seen, adopted, limits)

    def run(self, shape: Shape | None, candidates: Sequence[Candidate]) -> Decision:
        """Make the sheet hold the candidates. Returns the first decision: what people get to see.

        Raises ServiceError when the sheet moves again and again.
        """
        first: Decision | None = None
        left: Iterator[Row] = iter(())
        unsure: list[Row] = []
        moves = 0
        while moves < ATTEMPTS:
            self._clock.check()
            try:
                decision = self.decide(shape, candidates)
                first = first or decision
                # What was sent without an answer and needs no writing any more has arrived.
                self.added += [row.run_id for row in unsure if row not in decision.plan.rows]
                left, unsure = iter(decision.plan.rows), []
                for count in self._batches(decision.plan):
                    self.added += [row.run_id for row in islice(left, count)]
                return first
            except RowsRefused as refusal:
                self._divide(refusal, candidates)
            except Changed as change:
                log.info("%s: reading the sheet again", change)
                unsure = list(left) if isinstance(change, Unanswered) else []
                self._clock.sleep(_pause(moves))
                moves += 1
            shape = None
        raise ServiceError(
            f"the sheet changed {ATTEMPTS} times while it was being written: the next tick tries again. "
            "Nothing is half done"
        )

    def _batches(self, decided: Plan) -> Iterator[int]:
        if decided.nothing:
            return
        for count in self._destination.apply(decided):
            yield count
            self._clock.check()

    def _divide(self, refusal: RowsRefused, candidates: Sequence[Candidate]) -> None:
        """Find the row that makes the sheet refuse a batch, so that it stops no other (P6)."""
        self._refusals += 1
        if self._refusals > REFUSALS:
            raise refusal
        keys = [(row.scope, row.run_id) for row in refusal.rows]
        if len(keys) == 1:
            self._bad.add(keys[0])
            self.skips.append(Skip(f"run {keys[0][1]}", str(refusal)))
            return
        half = set(keys[: len(keys) // 2])
        self.run(None, [c for c in candidates if (c.scope, c.run_id) in half])


def _pause(attempt: int) -> float:
    """Seconds to let the other side finish: two daemons that collide once should not twice."""
    return float(min(2**attempt, 8)) * random.uniform(0.1, 0.5)
