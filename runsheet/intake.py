"""Runs become candidates for rows, one project at a time."""

import logging
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime

from runsheet import cells, columns, fields, live
from runsheet.ledger import Ledger
from runsheet.model import Run, Skip
from runsheet.rules import Candidate, Rules, refusal, settled
from runsheet.spool import Spool

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Part:
    """What one project gives: candidates in order, the paths that they have, and what was passed over.

    `count`: runs listed; `total`: runs that there are, as far as the source says. `gap`: the listing is
    incomplete.
    """

    candidates: list[Candidate] = field(default_factory=list)
    seen: columns.Seen = field(default_factory=columns.Seen)
    count: int = 0
    total: int = 0
    waiting: Counter[str] = field(default_factory=Counter)
    skips: list[Skip] = field(default_factory=list)
    gap: bool = False

    def add(self, other: "Part") -> None:
        """Put what another project gives behind this."""
        self.candidates += other.candidates
        self.seen.filled.update(other.seen.filled)
        self.seen.marks.update(other.seen.marks)
        self.count += other.count
        self.total += other.total
        self.waiting.update(other.waiting)
        self.skips += other.skips


class Intake:
    """Takes the runs of a project in. `book`: the book-keeping, None where no run is known."""

    def __init__(self, rules: Rules, now: datetime, spool: Spool, book: Ledger | None = None) -> None:
        self._rules = rules
        self._now = now
        self._spool = spool
        self._book = book
        self.part = Part()

    def skip(self, skip: Skip) -> None:
        """Note what the source could not read."""
        self.part.skips.append(skip)
        self.part.gap = self.part.gap or skip.gap

    def bare(self, run: Run) -> Candidate | None:
        """A light run as a candidate without values; None if it does not qualify (yet)."""
        bare = self._bare(run)
        if bare.refused and not (self._rules.live and self._is_known(bare)):
            self.part.waiting[bare.refused] += 1
            return None
        return bare

    def has_news(self, bare: Candidate) -> bool:
        """Whether a candidate has no row yet, or its row may have to change."""
        scope, run_id, book = bare.scope, bare.run_id, self._book
        if book is None or not self._is_known(bare):
            return True
        if not self._rules.live:
            return False
        end = book.end(scope, run_id)
        resumed = bool(end) and not (bare.settled and end.startswith(bare.stamp))
        return resumed or book.base(scope, run_id) is not None

    def is_final(self, run: Run) -> bool:
        """Whether a run has settled and its row is to be written for good: a new one, or one that followed
        the run until now."""
        bare = self._bare(run)
        return bare.settled and (self._is_known(bare) or not bare.refused) and self.has_news(bare)

    def _bare(self, run: Run) -> Candidate:
        run_id = cells.text(run.id).strip()
        done = settled(run, self._now, self._rules.settle_hours)
        return Candidate(run.scope, run_id, None, done, live.stamp(run), refusal(run, self._rules, self._now))

    def _is_known(self, bare: Candidate) -> bool:
        return self._book is not None and self._book.knows(bare.scope, bare.run_id)

    def spooled(self, bare: Candidate, run: Run) -> Candidate | None:
        """The candidate with the values that an earlier tick has left, if the run has not changed since, as
        far as a light run tells."""
        if self._spool.earlier.get(bare.run_id) != _standing(run, bare.settled):
            return None
        if not bare.refused:
            self.part.seen.add(self._spool.load(bare.run_id))
        return replace(bare, shelf=self._spool.load)

    def wait(self, run: Run, reason: str) -> Candidate | None:
        """A whole run that has settled, and to which a later tick adds something: in a live table it is
        followed until then, as if it went on; elsewhere it has to wait."""
        if not self._rules.live:
            self.part.waiting[reason] += 1
            return None
        return self.take(run, settles=False)

    def take(self, run: Run, *, settles: bool = True) -> Candidate | None:
        """A whole run as a candidate; None if it does not qualify. An odd run stops no other (P6). Without
        `settles` it is taken as one that goes on."""
        part, rules = self.part, self._rules
        reason = refusal(run, rules, self._now)
        if reason and not rules.live:
            part.waiting[reason] += 1
            log.debug("%s waits: %s", run.id, reason)
            return None
        try:
            values = fields.values(run, rules.names)
            if rules.usage:
                values |= fields.used(run, rules.usage, self._now)
        except Exception as error:  # reported as a skip, the cause is in the log
            log.debug("run %s", run.id, exc_info=True)
            part.skips.append(Skip(f"run {run.id}", f"its values cannot be shown ({type(error).__name__})"))
            return None
        run_id = values.get("run_id")
        if not isinstance(run_id, str):
            part.skips.append(Skip(f"run {run.name!r}", "has no id"))
            return None
        if not reason:
            part.seen.add(values)
        stamp = live.stamp(run)
        done = settles and settled(run, self._now, rules.settle_hours)
        # In live tables a run that has its row already is followed, whatever STATES says.
        candidate = Candidate(run.scope, run_id, values, done, stamp, reason)
        if self._spool.add(run_id, _standing(run, done), values):
            candidate = replace(candidate, values=None, shelf=self._spool.load)
        return candidate


def _standing(run: Run, done: bool) -> str:
    """How a run stands, whether it has settled, which silence does as well, and how it is called: people
    rename runs that have settled."""
    return f"{live.stamp(run)} {done:d} {cells.text(run.name)}"
