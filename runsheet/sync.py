"""One tick: read the sheet, pull the runs, plan, apply, report. Knows no backend: they are handed in.

A tick that fails leaves the sheet as it was, or completes on the next tick (P6). When the sheet
moves under a plan (a person inserted a column, another daemon wrote, an answer was lost) the tick
reads again and plans afresh; the runs are not pulled again.
"""

import logging
import math
import random
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from runsheet import columns, journal, ledger, plan, safety, watermark, withdraw
from runsheet.backup import Backups
from runsheet.clock import Clock
from runsheet.destinations.base import Destination, Overtaken, RowsRefused
from runsheet.errors import Changed, SafetyStop, ServiceError, SheetError, Unanswered
from runsheet.ledger import Ledger
from runsheet.model import Cells, Content, Placed, Plan, Scope, Shape, Skip, Written
from runsheet.plan import Decision, Planner
from runsheet.pull import Before, Progress, Pulled, fail, pull
from runsheet.report import Report
from runsheet.rules import Candidate, Rules
from runsheet.sources.base import Query, Source
from runsheet.strays import Strays

log = logging.getLogger(__name__)

T = TypeVar("T")

ATTEMPTS = 6
"""How often a tick plans afresh before it gives up until the next one."""

FRESH = 60.0
"""Seconds for which ids and book-keeping that were read before runs were pulled are taken as they were."""

REFUSALS = 30
"""How many refused batches a tick divides to find the rows that cause it: one in 10,000 takes 14."""


@dataclass(frozen=True, slots=True)
class Mode:
    """How a tick is to be made. `dry_run`: nothing is written and the report holds the plan.
    `accept_changes`: also a plan that is far out of the ordinary is applied. `backups`: where the sheet
    is saved before it is written, if anywhere. All runs are listed `full_hours` after the last time, and with
    `full` at once. `cache`: a folder for what does not fit into memory (spool.py), None for none."""

    dry_run: bool = False
    accept_changes: bool = False
    backups: Backups | None = None
    full: bool = False
    full_hours: float = 6.0
    cache: Path | None = None


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
    writing = _Writing(destination, rules, clock, mode)
    before = writing.before()
    pulled = pull(source, rules, query, clock, progress, before)
    try:
        if len(pulled.failed) == pulled.projects:
            fail(pulled.failed)
        decision = writing.write(pulled)
    except BaseException:
        pulled.spools.keep()
        raise
    pulled.spools.done()
    report = writing.report(decision)
    return replace(
        report,
        source=source.name,
        source_requests=source.requests,
        seconds=clock.monotonic() - started,
    )


class _Writing:
    """Plans and applies, afresh as often as the sheet moves.

    `added`, `updated`: ids of rows that were added, and of rows that changed. `put_back`: cells that got
    back what a person had there, `lost`: those that were not found again. `skips`: runs that the sheet
    does not take. `notices`: what a person should know besides.
    """

    def __init__(self, destination: Destination, rules: Rules, clock: Clock, mode: Mode) -> None:
        self._destination = destination
        self._pulled = Pulled()
        self._rules = rules
        self._clock = clock
        self._mode = mode
        self._tick = journal.name(clock.now(), secrets.token_hex(2))
        self._early: _Early | None = None
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

    def before(self) -> Before:
        """What the sheet tells before runs are pulled: also whether it is there."""
        shape = self._still(self._destination.read)
        self._early = _Early(shape, at=self._clock.monotonic())
        mode, stands = self._mode, bool(shape.owned) and not (shape.empty or shape.hollow)
        return Before(
            watermark.read(shape.watermarks),
            self._book if stands else None,
            touched=shape.touched or watermark.of_columns(shape.owned) not in shape.watermarks,
            full=mode.full,
            hours=mode.full_hours,
            # What a dry run would write is shown when all is over.
            cache=None if mode.dry_run else mode.cache,
        )

    def _book(self) -> Ledger | None:
        """The book-keeping, read before runs are pulled; None if it is lost."""

        def step() -> _Early:
            shape = self._early.shape if self._early else self._destination.read()
            self._early = None
            return _Early(shape, self._destination.content(shape), self._clock.monotonic())

        self._early = early = self._still(step)
        return ledger.parse(early.content.notes) if early.content and early.content.notes else None

    def _still(self, read: Callable[[], T]) -> T:
        """What is read, once the sheet keeps still. Raises ServiceError if it never does."""
        for attempt in range(ATTEMPTS):
            try:
                return read()
            except Changed as change:
                log.info("%s: reading the sheet again", change)
                self._clock.sleep(_pause(attempt))
        raise ServiceError(f"the sheet changed {ATTEMPTS} times while it was read: the next tick tries again")

    def write(self, pulled: Pulled) -> Decision:
        """Make the sheet hold what was pulled; in a dry run only decide what that would take."""
        self._pulled = pulled
        early, self._early = self._early, None
        if pulled.quiet and early:
            return Decision(Plan(early.shape, Content()))
        if early and self._clock.monotonic() - early.at > FRESH:
            early = None
        if early and not (early.shape.owned or early.shape.empty):
            early = None  # No mark guards a tab that is not ours yet, and people work in it.
        work = self.decide if self._mode.dry_run else self.run
        return work(early, pulled.candidates, whole=True)

    def report(self, decision: Decision) -> Report:
        """What was done, but for what only the source knows."""
        pulled = self._pulled
        return Report(
            seen=pulled.count,
            total=pulled.total,
            added_ids=tuple(self.added),
            updated_ids=tuple(self.updated),
            columns_added=tuple(column.title for column in decision.plan.new if self.wrote),
            measured=pulled.measured,
            kept=decision.kept,
            put_back=self.put_back,
            lost=self.lost,
            waiting=dict(pulled.waiting + Counter(decision.waiting)),
            skips=(*pulled.skips, *self.skips),
            deleted=decision.deleted,
            left_out=decision.left_out,
            lost_notes=decision.lost_notes,
            over=decision.over,
            doubles=decision.doubles,
            notices=(*self.notices, *pulled.notices, *self._destination.remarks),
            failed={project: str(error) for project, error in pulled.failed.items()},
            destination=self._destination.name,
            destination_requests=self._destination.requests,
            quiet=pulled.quiet,
            planned=decision.plan if self._mode.dry_run else None,
            stop=decision.stop if self._mode.dry_run else "",
        )

    def decide(self, early: "_Early | None", candidates: Sequence[Candidate], *, whole: bool) -> Decision:
        """Read what the plan needs, and plan. What an earlier write of ours left comes first. `whole`: these
        are all candidates. Raises Changed when the sheet moves meanwhile."""
        sheet = self._destination
        shape, content, adopted = self._look(early or _Early(sheet.read()))
        safety.check_kind(shape, self._rules.choice)
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
            return self.decide(None, candidates, whole=whole)
        decision = planner.decide(cells, self._tick, whole=whole and self._is_all(shape))
        return self._marked(decision) if whole else decision

    def _is_all(self, shape: Shape) -> bool:
        """Whether the candidates are all there are, with those that had their rows when the watermarks were
        written: not where somebody has cleared the table since."""
        now, pulled = watermark.read(shape.watermarks), self._pulled
        return not pulled.failed and all(now.get(key) == since for key, since in pulled.since.items())

    def _marked(self, decision: Decision) -> Decision:
        """The decision with the watermarks that hold once it is carried out."""
        shape, pulled = decision.plan.shape, self._pulled
        stands = bool(shape.owned) and not shape.hollow
        if decision.missed or (decision.plan.nothing and not (pulled.urgent and stands)):
            return decision
        now = watermark.read(shape.watermarks)
        moved = {key for key, since in pulled.since.items() if now.get(key) != since}
        fresh = {key: mark for key, mark in pulled.watermarks.items() if key not in moved}
        marks = watermark.merged(shape.watermarks, fresh, decision.plan.columns)
        if not marks or (marks == shape.watermarks and not shape.touched):
            return decision
        return replace(decision, plan=replace(decision.plan, watermarks=marks))

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

    def _look(self, early: "_Early") -> tuple[Shape, Content, tuple[Placed, ...]]:
        """The sheet with its content, if that was not read early. Columns that were cut and pasted are found
        again by their titles: their marks stayed behind."""
        shape, seen, choice = early.shape, self._pulled.seen, plan.required(self._rules.choice)
        adopted: tuple[Placed, ...] = ()
        if not shape.owned and not shape.empty:
            adopted = columns.adopt(shape.header, choice, seen)
            if all(placed.column.key != "run_id" for placed in adopted):
                adopted = () if shape.hollow else adopted  # Of the table nothing is left.
            else:
                shape = replace(shape, hollow=False)
        content = early.content or self._destination.content(shape, adopted)
        strays = Strays(shape, choice, ledger.titles(content.notes or ()))
        if not strays.keys and not strays.ids():
            return shape, content, adopted
        filled = self._destination.content(withdraw.questioned(shape, strays.keys)).blank
        owned, adopted = strays.found(filled), adopted or strays.ids()
        moved = owned != shape.owned
        shape = replace(shape, owned=owned, hollow=shape.hollow and not moved, moved=moved)
        return shape, self._destination.content(shape, adopted), adopted

    def run(self, early: "_Early | None", candidates: Sequence[Candidate], *, whole: bool) -> Decision:
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
                decision = self.decide(early, candidates, whole=whole)
                self.put_back += decision.put_back
                self.lost += decision.lost
                if decision.again:
                    early = None
                    self._put_right(decision.plan)
                    continue
                self._allow(decision)
                first = first or decision
                self._count(*left.arrived(_Left(decision)))
                left = _Left(decision)
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
            early = None
        raise ServiceError(
            f"the sheet changed {ATTEMPTS} times while it was being written: the next tick tries again. "
            "Nothing is half done"
        )

    def _allow(self, decision: Decision) -> None:
        """Before a write: stop if that would be far out of the ordinary; save the sheet."""
        if decision.plan.nothing:
            return
        marks = decision.plan.only_marks
        if decision.stop and not self._mode.accept_changes:
            raise SafetyStop(
                f"safety stop: {decision.stop}. Nothing was written. Look whether that is meant; "
                "--accept_changes lets it through once"
            )
        backups = self._mode.backups
        if backups and not marks and (done := backups.before_write(self._destination, decision.plan.shape)):
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
        try:
            for part in self._destination.apply(decided):
                yield part
                self._clock.check()
        except (SheetError, ServiceError) as error:
            if not decided.only_marks or isinstance(error, (Changed, Unanswered)):
                raise
            log.info("how far runs were listed is not written down: %s", error)

    def _count(self, rows: "Sequence[Who]", changes: "Sequence[Who]") -> None:
        self.added += [run_id for _, run_id in rows]
        self.updated |= {run_id: None for scope, run_id in changes if scope}

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
        self.run(None, [c for c in candidates if (c.scope, c.run_id) in half], whole=False)


Who = tuple[Scope | None, str]
"""A row: whose it is, None for no run's, and its id."""


@dataclass(frozen=True, slots=True)
class _Early:
    """A first reading of the sheet. `content` is None if it was not needed; `at`: when that was read."""

    shape: Shape
    content: Content | None = None
    at: float = math.inf


class _Left:
    """What of a plan was not written yet, as far as is known: rows, and rows in which cells change."""

    def __init__(self, decision: Decision | None = None) -> None:
        self._rows: list[Who] = [(run.scope, run.run_id) for run in decision.missing] if decision else []
        changes = decision.plan.changes if decision else ()
        self._changes: list[Who] = [(change.scope, change.row.run_id) for change in changes]

    def take(self, part: Written) -> tuple[list[Who], list[Who]]:
        """What a batch has written."""
        rows, self._rows = self._rows[: part.rows], self._rows[part.rows :]
        changes, self._changes = self._changes[: part.changes], self._changes[part.changes :]
        return rows, changes

    def arrived(self, again: "_Left") -> tuple[list[Who], list[Who]]:
        """What was sent without an answer and needs no writing any more: it has arrived."""
        rows, changes = set(again._rows), set(again._changes)
        return [who for who in self._rows if who not in rows], [w for w in self._changes if w not in changes]


def _pause(attempt: int) -> float:
    """Seconds to let the other side finish: two daemons that collide once should not twice."""
    return float(min(2**attempt, 8)) * random.uniform(0.1, 0.5)
