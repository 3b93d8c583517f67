"""Runs come from a source and become candidates for rows; what cannot be read is passed over by name."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from runsheet import columns, fields, live
from runsheet.clock import Clock
from runsheet.errors import ServiceError
from runsheet.model import Run, Skip
from runsheet.rules import Candidate, Rules, refusal, settled
from runsheet.sources.base import Query, Source

log = logging.getLogger(__name__)

Progress = Callable[[int], None]
"""Called with the number of runs pulled so far."""


@dataclass(slots=True)
class Pulled:
    """What the source gave: candidates in order, the paths they have, and what was passed over."""

    candidates: list[Candidate] = field(default_factory=list)
    seen: columns.Seen = field(default_factory=columns.Seen)
    count: int = 0
    waiting: Counter[str] = field(default_factory=Counter)
    skips: list[Skip] = field(default_factory=list)
    failed: dict[str, ServiceError] = field(default_factory=dict)
    projects: int = 0


def pull(source: Source, rules: Rules, query: Query, clock: Clock, progress: Progress) -> Pulled:
    """Runs of all projects, one after the other. A project that fails is noted; what it gave is dropped,
    since its runs are complete only together (columns are chosen over all of them)."""
    projects = source.projects()
    pulled = Pulled(projects=len(projects))
    for project in projects:
        clock.check()
        part = Pulled(count=pulled.count)
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


def _take(run: Run, part: Pulled, rules: Rules, now: datetime) -> None:
    """Count a run, and keep its cells if it qualifies. One odd run never stops the others (P6)."""
    part.count += 1
    reason = refusal(run, rules, now)
    if reason and not rules.live:
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
    if not reason:
        part.seen.add(values)
    if rules.live:  # A run that has its row already is followed, whatever STATES says.
        done = settled(run, now, rules.settle_hours)
        part.candidates.append(Candidate(run.scope, run_id, values, done, live.stamp(run), reason))
    else:
        part.candidates.append(Candidate(run.scope, run_id, values))


def _merge(pulled: Pulled, part: Pulled) -> None:
    pulled.candidates += part.candidates
    pulled.seen.filled.update(part.seen.filled)
    pulled.seen.marks.update(part.seen.marks)
    pulled.count = part.count
    pulled.waiting.update(part.waiting)
    pulled.skips += part.skips


def fail(failed: Mapping[str, ServiceError]) -> None:
    """Raise the error of the only project; of several, one that holds them all."""
    kinds = {type(error) for error in failed.values()}
    if len(failed) == 1:
        raise next(iter(failed.values()))
    if failed:
        kind = kinds.pop() if len(kinds) == 1 else ServiceError
        raise kind("; ".join(f"{project}: {error}" for project, error in failed.items()))
