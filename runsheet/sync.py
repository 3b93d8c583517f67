"""One tick: read the sheet, pull the runs, plan, apply, report. Knows no backend: they are handed in.

A tick that fails leaves the sheet as it was, or completes on the next tick (P6). When the sheet
moves under a plan (a person inserted a column, another daemon wrote, an answer was lost) the tick
reads again and plans afresh; the runs are not pulled again.
"""

import logging
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from runsheet import columns, fields, plan
from runsheet.clock import Clock
from runsheet.destinations.base import Destination
from runsheet.errors import Changed, ServiceError
from runsheet.model import Placed, Plan, Run, Shape, Skip
from runsheet.plan import Candidate, Decision, Rules
from runsheet.report import Report
from runsheet.sources.base import Query, Source

log = logging.getLogger(__name__)

ATTEMPTS = 6
"""How often a tick plans afresh before it gives up until the next one."""

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
    shape = destination.read()
    pulled = _pull(source, rules, query, clock, progress)
    if pulled.failed and not pulled.count and len(pulled.failed) == len(source.projects()):
        raise next(iter(pulled.failed.values()))
    decision, written = _write(destination, shape, pulled, rules, clock, dry_run)
    return Report(
        seen=pulled.count,
        added=written,
        columns_added=tuple(column.title for column in decision.plan.new),
        waiting=dict(pulled.waiting),
        skips=tuple(pulled.skips),
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


def _pull(source: Source, rules: Rules, query: Query, clock: Clock, progress: Progress) -> _Pulled:
    """All projects, one after the other. A project that fails is noted; what it gave is dropped,
    since its runs are complete only together (columns are chosen over all of them)."""
    pulled = _Pulled()
    for project in source.projects():
        clock.check()
        part = _Pulled(count=pulled.count)
        try:
            for item in source.runs(project, query):
                _take(item, part, rules, clock.now())
                progress(part.count)
        except ServiceError as error:
            log.error("%s: %s", project, error)
            pulled.failed[project] = error
            continue
        _merge(pulled, part)
    return pulled


def _take(item: Run | Skip, part: _Pulled, rules: Rules, now: datetime) -> None:
    if isinstance(item, Skip):
        part.skips.append(item)
        return
    part.count += 1
    if reason := plan.refusal(item, rules, now):
        part.waiting[reason] += 1
        log.debug("%s waits: %s", item.id, reason)
        return
    values = fields.values(item, rules.names)
    part.seen.add(values)
    part.candidates.append(Candidate(item.scope, item.id, values))


def _merge(pulled: _Pulled, part: _Pulled) -> None:
    pulled.candidates += part.candidates
    pulled.seen.filled.update(part.seen.filled)
    pulled.seen.marks.update(part.seen.marks)
    pulled.count = part.count
    pulled.waiting.update(part.waiting)
    pulled.skips += part.skips


def _write(
    destination: Destination,
    shape: Shape,
    pulled: _Pulled,
    rules: Rules,
    clock: Clock,
    dry_run: bool,
) -> tuple[Decision, int]:
    """Plan and apply, afresh as often as the sheet moves. Returns the first decision, which is
    what people get to see in the report, and the number of rows that were added."""
    first: Decision | None = None
    for attempt in range(ATTEMPTS):
        clock.check()
        try:
            decision = _decide(destination, shape, pulled, rules)
            first = first or decision
            if dry_run:
                return first, 0
            for rows in _batches(destination, decision.plan, clock):
                log.debug("%d rows written", rows)
            return first, len(first.plan.rows)
        except Changed as change:
            log.info("the sheet moved under the plan (%s): reading it again", change)
            clock.sleep(_pause(attempt))
            shape = destination.read()
    raise ServiceError(
        f"the sheet changed {ATTEMPTS} times while it was being written: the next tick tries again. "
        "Nothing is half done"
    )


def _decide(destination: Destination, shape: Shape, pulled: _Pulled, rules: Rules) -> Decision:
    adopted: tuple[Placed, ...] = ()
    if not shape.owned and not shape.empty:
        adopted = columns.adopt(shape.header, plan.required(rules.choice), pulled.seen)
    content = destination.content(shape, adopted)
    limit = destination.limits.cell_chars
    return plan.build(shape, content, pulled.candidates, rules, pulled.seen, adopted, limit)


def _batches(destination: Destination, decided: Plan, clock: Clock) -> Iterator[int]:
    if decided.nothing:
        return
    for rows in destination.apply(decided):
        yield rows
        clock.check()


def _pause(attempt: int) -> float:
    """Seconds to let the other side finish: two daemons that collide once should not twice."""
    return float(min(2**attempt, 8)) * random.uniform(0.1, 0.5)
