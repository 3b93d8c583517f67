"""One tick: read the sheet, pull the runs, plan, apply, report. Knows no backend: they are handed in.

A tick that fails leaves the sheet as it was, or completes on the next tick (P6). When the sheet
moves under a plan (a person inserted a column, another daemon wrote, an answer was lost) the tick
reads again and plans afresh; the runs are not pulled again.
"""

import logging
import random
import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from runsheet import columns, journal, ledger, plan, withdraw
from runsheet.backup import Backups
from runsheet.clock import Clock
from runsheet.destinations.base import Destination, Overtaken, RowsRefused
from runsheet.errors import Changed, SafetyStop, ServiceError, Unanswered
from runsheet.model import Cells, Change, Content, Placed, Plan, Row, Scope, Shape, Skip, Written
from runsheet.plan import Decision, Planner
from runsheet.pull import Progress, Pulled, fail, pull
from runsheet.report import Report
from runsheet.rules import Candidate, Rules
from runsheet.sources.base import Query, Source
from runsheet.strays import Strays

log = logging.getLogger(__name__)

ATTEMPTS = 6
"""How often a tick plans afresh before it gives up until the next one."""

REFUSALS = 30
"""How many refused batches a tick divides to find the rows that cause it: one in 10,000 takes 14."""


@dataclass(frozen=True, slots=True)
class Mode:
    """How a tick is to be made. `dry_run`: nothing is written and the report holds the plan.
    `accept_changes`: also a plan that is far out of the ordinary is applied. `backups`: where the sheet
    is saved before it is written, if anywhere."""

    dry_run: bool = False
    accept_changes: bool = False
    backups: Backups | None = None


def tick(
    source: Source,
    destination: Destination,
    rules: Rules,
    query: Query,
    clock: Clock,
    *,
    mode: Mode = Mode(),
    progress: Progress = lambda _: None,
) -> Report:
    """Make the sheet true once, and say what was done.

    Raises RunsheetError when nothing could be done at all, SafetyStop when a person should look
    first; projects that failed while others went through are in `Report.failed`.
    """
    started = clock.monotonic()
    shape = _read(destination)
    pulled = pull(source, rules, query, clock, progress)
    if len(pulled.failed) == pulled.projects:
        fail(pulled.failed)
    writing = _Writing(destination, pulled, rules, clock, mode)
    work = writing.decide if mode.dry_run else writing.run
    decision = work(shape, pulled.candidates)
    return Report(
        seen=pulled.count,
        added_ids=tuple(writing.added),
        updated_ids=tuple(writing.updated),
        columns_added=tuple(column.title for column in decision.plan.new if writing.wrote),
        kept=decision.kept,
        put_back=writing.put_back,
        lost=writing.lost,
        waiting=dict(pulled.waiting + Counter(decision.waiting)),
        skips=(*pulled.skips, *writing.skips),
        deleted=decision.deleted,
        left_out=decision.left_out,
        lost_notes=decision.lost_notes,
        over=decision.over,
        doubles=decision.doubles,
        notices=(*writing.notices, *destination.remarks),
        failed={project: str(error) for project, error in pulled.failed.items()},
        source=source.name,
        source_requests=source.requests,
        destination=destination.name,
        destination_requests=destination.requests,
        seconds=clock.monotonic() - started,
        planned=decision.plan if mode.dry_run else None,
        stop=decision.stop if mode.dry_run else "",
    )


def _read(destination: Destination) -> Shape | None:
    """The first read, which also tells whether the sheet is there before runs are pulled."""
    try:
        return destination.read()
    except Changed:
        return None


class _Writing:
    """Plans and applies, afresh as often as the sheet moves.

    `added`, `updated`: ids of rows that were added, and of rows that changed. `put_back`: cells that got
    back what a person had there, `lost`: those that were not found again. `skips`: runs that the sheet
    does not take. `notices`: what a person should know besides.
    """

    def __init__(
        self, destination: Destination, pulled: Pulled, rules: Rules, clock: Clock, mode: Mode
    ) -> None:
        self._destination = destination
        self._pulled = pulled
        self._rules = rules
        self._clock = clock
        self._mode = mode
        self._tick = journal.name(clock.now(), secrets.token_hex(2))
        self._refusals = 0
        self._bad: set[tuple[Scope, str]] = set()
        self._overtaken: Overtaken | None = None
        self.added: list[str] = []
        self.updated: dict[str, None] = {}
        self.put_back = 0
        self.lost = 0
        self.skips: list[Skip] = []
        self.notices: list[str] = []

    @property
    def wrote(self) -> bool:
        return bool(self.added or self.updated)

    def decide(self, shape: Shape | None, candidates: Sequence[Candidate]) -> Decision:
        """Read what the plan needs, and plan. What an earlier write of ours left comes first. Raises Changed
        when the sheet moves meanwhile."""
        sheet = self._destination
        shape, content, adopted = self._look(shape or sheet.read())
        self._keep_zone(shape, content)
        wanted = [c for c in candidates if (c.scope, c.run_id) not in self._bad]
        there = (adopted, sheet.limits, sheet.stored, sheet.zone)
        planner = Planner(shape, content, wanted, self._rules, self._pulled.seen, *there)
        cells = sheet.cells(shape, content, planner.look) if planner.look else Cells()
        if elsewhere := planner.elsewhere(cells):
            more = sheet.cells(shape, content, elsewhere)
            cells = replace(cells, rows={**cells.rows, **more.rows})
        if mending := planner.mend(cells, self._tick):
            return mending
        if self._overtaken:
            self._withdraw(self._overtaken)
            return self.decide(None, candidates)
        return planner.decide(cells, self._tick, whole=not self._pulled.failed)

    def _keep_zone(self, shape: Shape, content: Content) -> None:
        """A table shows all its dates in one time zone, which their format names."""
        made_in, asked = ledger.zone_of(content.notes or ()), self._destination.zone
        if made_in in ("", asked) or shape.empty or shape.hollow:
            return
        self._destination.use_zone(made_in)
        self.notices.append(
            f"TIMEZONE is {asked}, but this table shows its dates in {made_in} and goes on so: clear the "
            "worksheet to start over"
        )

    def _look(self, shape: Shape) -> tuple[Shape, Content, tuple[Placed, ...]]:
        """The sheet with its content. Columns that were cut and pasted are found again by their titles:
        their marks stayed behind."""
        seen, choice = self._pulled.seen, plan.required(self._rules.choice)
        adopted: tuple[Placed, ...] = ()
        if not shape.owned and not shape.empty:
            adopted = columns.adopt(shape.header, choice, seen)
            if all(placed.column.key != "run_id" for placed in adopted):
                adopted = () if shape.hollow else adopted  # Of the table nothing is left.
            else:
                shape = replace(shape, hollow=False)
        content = self._destination.content(shape, adopted)
        strays = Strays(shape, choice, ledger.titles(content.notes or ()))
        if not strays.keys and not strays.ids():
            return shape, content, adopted
        filled = self._destination.content(withdraw.questioned(shape, strays.keys)).blank
        owned, adopted = strays.found(filled), adopted or strays.ids()
        moved = owned != shape.owned
        shape = replace(shape, owned=owned, hollow=shape.hollow and not moved, moved=moved)
        return shape, self._destination.content(shape, adopted), adopted

    def run(self, shape: Shape | None, candidates: Sequence[Candidate]) -> Decision:
        """Make the sheet hold the candidates. Returns the first decision: what people get to see.

        Raises ServiceError when the sheet moves again and again, SafetyStop for a plan that is far out
        of the ordinary.
        """
        first: Decision | None = None
        left = _Left()
        moves = 0
        while moves < ATTEMPTS:
            self._clock.check()
            try:
                decision = self.decide(shape, candidates)
                self.put_back += decision.put_back
                self.lost += decision.lost
                if decision.again:
                    shape = None
                    self._put_right(decision.plan)
                    continue
                self._allow(decision)
                first = first or decision
                self._count(*left.arrived(decision.plan))
                left = _Left(decision.plan)
                for part in self._batches(decision.plan):
                    self._count(*left.take(part))
                return first
            except RowsRefused as refusal:
                left = _Left()
                self._divide(refusal, candidates)
            except Changed as change:
                log.info("%s: reading the sheet again", change)
                self._overtaken = change if isinstance(change, Overtaken) else self._overtaken
                left = left if isinstance(change, Unanswered) else _Left()
                self._clock.sleep(_pause(moves))
                moves += 1
            shape = None
        raise ServiceError(
            f"the sheet changed {ATTEMPTS} times while it was being written: the next tick tries again. "
            "Nothing is half done"
        )

    def _allow(self, decision: Decision) -> None:
        """Before a write: stop if that would be far out of the ordinary; save the sheet."""
        if decision.plan.nothing:
            return
        if decision.stop and not self._mode.accept_changes:
            raise SafetyStop(
                f"safety stop: {decision.stop}. Nothing was written. Look whether that is meant; "
                "--accept_changes lets it through once"
            )
        backups = self._mode.backups
        if backups and (done := backups.before_write(self._destination, decision.plan.shape)):
            log.info("%s", done)

    def _put_right(self, mending: Plan) -> None:
        for _ in self._batches(mending):
            log.info("people were at work in the second of a write: what they had is put back")

    def _withdraw(self, overtaken: Overtaken) -> None:
        """Take back what was written into columns that a person replaced in that very second."""
        sheet = self._destination
        shape = sheet.read()
        content = sheet.content(withdraw.questioned(shape, {owned.key for owned in shape.owned}))
        rows = withdraw.rows(overtaken, content)
        cells = sheet.cells(shape, content, rows) if rows else Cells()
        for _ in self._batches(withdraw.build(shape, content, cells, overtaken, sheet.stored, self._tick)):
            log.info("what was written into columns that are gone was taken out again")
        self._overtaken = None

    def _batches(self, decided: Plan) -> Iterator[Written]:
        if decided.nothing:
            return
        for part in self._destination.apply(decided):
            yield part
            self._clock.check()

    def _count(self, rows: Sequence[Row], changes: Sequence[Change]) -> None:
        self.added += [row.run_id for row in rows]
        self.updated |= {change.row.run_id: None for change in changes if change.scope}

    def _divide(self, refusal: RowsRefused, candidates: Sequence[Candidate]) -> None:
        """Find the row that makes the sheet refuse a batch, so that it stops no other (P6)."""
        self._refusals += 1
        if self._refusals > REFUSALS:
            raise refusal
        keys = [(row.scope, row.run_id) for row in refusal.rows]
        keys += [(change.scope, change.row.run_id) for change in refusal.changes if change.scope]
        if len(keys) == 1:
            self._bad.add(keys[0])
            self.skips.append(Skip(f"run {keys[0][1]}", str(refusal)))
            return
        half = set(keys[: len(keys) // 2])
        self.run(None, [c for c in candidates if (c.scope, c.run_id) in half])


class _Left:
    """What of a plan was not written yet, as far as is known."""

    def __init__(self, decided: Plan | None = None) -> None:
        self._rows = list(decided.rows) if decided else []
        self._changes = list(decided.changes) if decided else []

    def take(self, part: Written) -> tuple[list[Row], list[Change]]:
        """What a batch has written."""
        rows, self._rows = self._rows[: part.rows], self._rows[part.rows :]
        changes, self._changes = self._changes[: part.changes], self._changes[part.changes :]
        return rows, changes

    def arrived(self, again: Plan) -> tuple[list[Row], list[Change]]:
        """What was sent without an answer and needs no writing any more: it has arrived."""
        changed = {(change.scope, change.row.run_id) for change in again.changes}
        rows = [row for row in self._rows if row not in again.rows]
        return rows, [c for c in self._changes if (c.scope, c.row.run_id) not in changed]


def _pause(attempt: int) -> float:
    """Seconds to let the other side finish: two daemons that collide once should not twice."""
    return float(min(2**attempt, 8)) * random.uniform(0.1, 0.5)
