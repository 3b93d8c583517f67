"""What a tick will do, decided before anything is written: which runs become rows, where, and which
cells of rows that stand change. Pure.

A run is *known* when the book-keeping has its id or the sheet shows it; a known run is never appended
again, whether or not its row still stands (P1, P4).
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import overload

from runsheet import cells, columns, journal, ledger, live, repair, safety
from runsheet.ledger import Base, Ledger
from runsheet.live import Follower
from runsheet.model import (
    Cell,
    Cells,
    Change,
    Column,
    Content,
    Edit,
    Limits,
    Placed,
    Plan,
    Row,
    RowId,
    Scope,
    Shape,
)
from runsheet.packing import Note
from runsheet.repair import Repair
from runsheet.rules import Candidate, Rules
from runsheet.shown import Shown
from runsheet.stored import Stores, as_is


@dataclass(frozen=True, slots=True)
class Decision:
    """A plan, and what the tick's report says about it.

    `deleted`: runs kept out since a person deleted their rows. `left_out`: titles of columns
    beyond the limit. `lost_notes`: the book-keeping was missing, so rows deleted by hand may
    return once. `over`: the table starts over. `doubles`: ids that the sheet shows in more than
    one row. `kept`: cells that stay as a person left them although the run says otherwise.
    `put_back`: cells that get back what a person had there, `lost`: those that could not be found
    again. `waiting`: runs without a row, by reason. `stop`: why the plan must not be applied unless a
    person says so, "" if it may. `missed`: runs that need a row, but were not loaded since they had one
    when the runs were pulled: a later tick has to look for them. `missing`: the runs of the plan's rows, in
    their order. `again`: the plan only puts right what
    people met; read and plan afresh after it.
    """

    plan: Plan
    deleted: int = 0
    left_out: tuple[str, ...] = ()
    lost_notes: bool = False
    over: bool = False
    doubles: tuple[str, ...] = ()
    kept: int = 0
    put_back: int = 0
    lost: int = 0
    waiting: Mapping[str, int] = field(default_factory=dict)
    stop: str = ""
    missed: int = 0
    missing: Sequence[Candidate] = ()
    again: bool = False


class Rows(Sequence[Row]):
    """The rows of runs, each made anew when it is looked at: a hundred thousand do not fit into memory."""

    def __init__(self, runs: Sequence[Candidate], make: Callable[[Candidate], Row]) -> None:
        self._runs = runs
        self._make = make

    def __len__(self) -> int:
        return len(self._runs)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> "Rows": ...
    def __getitem__(self, index: int | slice) -> "Row | Rows":
        if isinstance(index, slice):
            return Rows(self._runs[index], self._make)
        return self._make(self._runs[index])

    def __iter__(self) -> Iterator[Row]:
        return map(self._make, self._runs)


class Planner:
    """Plans one tick in two steps: see who has a row, then, with the cells of the rows in `look`, decide.

    `adopted` are the placements of `columns.adopt`, empty for a sheet that carries marks; they are
    made only together with candidates, whose values tell which columns are ours. A candidate that
    comes twice counts once. An empty worksheet, or one in which no column of ours holds anything,
    starts over: what the book-keeping knew of it no longer counts (P4). `stored` tells what the sheet
    makes of a cell, `zone` names the time zone of its dates.
    """

    def __init__(
        self,
        shape: Shape,
        content: Content,
        candidates: Iterable[Candidate],
        rules: Rules,
        seen: columns.Seen,
        adopted: Sequence[Placed] = (),
        limits: Limits = Limits(),  # noqa: B008 - a frozen value
        stored: Stores = as_is,
        zone: str = "",
    ) -> None:
        self._adopted = tuple(adopted)
        self._limits = limits
        self._stored = stored
        self._zone = zone
        self._live = rules.live
        self._follows = rules.live and not adopted  # In a tick that adopts columns no row is followed.
        self._content = content
        self._book = ledger.parse(content.notes or ())
        if adopted:
            self._book.pending = None
        self._over = (shape.empty or shape.hollow) and bool(self._book.ids or self._book.columns)
        if shape.empty or shape.hollow:
            self._book = Ledger()
            shape = replace(shape, owned=(), made=frozenset())
        self._shape = shape
        self._lost = content.notes is None
        self._trusted = bool(adopted and not shape.owned) or self._lost
        once = {(c.scope, c.run_id): c for c in candidates}
        self._see(once, rules)
        self._choice = choice = required(rules.choice, {scope for scope, _ in once} | set(self._book.ids))
        there = (shape.header, shape.owned, self._book.columns)
        self._chosen = columns.choose(choice, seen, *there, adopted, limits, shape.made)
        self._due()
        self.look = self._rows_to_read()

    def _see(self, once: Mapping[tuple[Scope, str], Candidate], rules: Rules) -> None:
        """Sort the candidates into known, missing and waiting ones."""
        book = self._book
        # Other text in the run_id column is a run's if we wrote or found it; where we cannot know (a sheet
        # that is adopted, or whose book-keeping is gone) if the row holds something else of ours.
        ours = {run_id for _, run_id in once}.union(*book.ids.values(), *book.found.values())
        rows = self._content.rows
        self._rows = [row for row in rows if row.run_id in ours or (self._trusted and row.filled)]
        self._shown = Shown(self._rows, book)
        self._known: list[Candidate] = []
        self._missing: list[Candidate] = []
        self._missed = 0
        self._waiting: Counter[str] = Counter()
        for candidate in once.values():
            if book.knows(candidate.scope, candidate.run_id) or self._shown.claim(candidate):
                self._known.append(candidate)
            elif candidate.refused:
                self._waiting[candidate.refused] += 1
            elif candidate.bare:
                self._missed += 1
            else:
                self._missing.append(candidate)

    def _due(self) -> None:
        """Find known runs that have something to say, with their rows."""
        book = self._book
        self._followers: list[tuple[RowId, Follower]] = []
        self._ends: list[tuple[Scope, str, str]] = []
        for run in (run for run in self._known if self._follows and not run.bare):
            followed = book.base(run.scope, run.run_id) is not None
            if not followed and not book.end(run.scope, run.run_id):
                continue
            row = self._shown.row(run)
            if row is None:
                self._ends += [(run.scope, run.run_id, "")] if followed and run.settled else []
            elif live.is_due(follower := self._follower(run), book):
                self._followers.append((row, follower))

    def _follower(self, run: Candidate) -> Follower:
        shown = (*self._chosen.present, *self._chosen.new)
        fitted = _cells(run, [column.path for column in shown], self._limits)
        wanted = {column.key: self._stored(cell) for column, cell in zip(shown, fitted, strict=True)}
        return Follower(run.scope, run.run_id, run.settled, run.stamp, wanted)

    def _rows_to_read(self) -> tuple[RowId, ...]:
        look = {row.index: row for row, _ in self._followers}
        if pending := self._book.pending:
            by_index = {row.index: row for row in self._content.rows}
            for touched in pending.rows:
                look[touched.index] = by_index.get(touched.index, RowId("", "", touched.index))
        return tuple(look[index] for index in sorted(look))

    def elsewhere(self, found: Cells) -> tuple[RowId, ...]:
        """Rows to read besides, now that the cells of `look` are known."""
        pending = self._book.pending
        return tuple(repair.moved(pending, found, self._content.rows)) if pending else ()

    def decide(self, found: Cells = Cells(), tick: str = "", *, whole: bool = True) -> Decision:  # noqa: B008
        """Decide what to write so that every candidate has exactly one row, and live rows are true.

        `found`: the cells of the rows in `look`. `tick` names the tick in the journal. `whole`: all
        projects were listed, so that a first sync is over when the plan has been applied. Raises SheetError
        when the run_id column or most headers are gone from a sheet of ours, or a worksheet is not ours.
        """
        if not self._shape.hollow:
            safety.check(self._shape, self._adopted)
        pending = self._book.pending
        mend = repair.read(pending, found) if pending else Repair()
        changes, kept, known = self._changes(found)
        new = self._new(changes)
        all_columns = self._chosen.present + new
        vanished, stop = self._vanished(), self._stop(changes)
        notes = [*known, *ledger.added(self._ends)]
        if pending and not changes:
            notes.append(ledger.checked(pending))
        adopts = bool(self._adopted and self._known)
        if self._lost or self._missing or changes or notes or stop or adopts:
            made = journal.columns_made(tick, [column.key for column in new]) if tick else []
            notes = [*self._known_now(all_columns, vanished), *made, *notes]
        plan = Plan(
            self._shape,
            self._content,
            columns=all_columns,
            owned=self._shape.owned,
            adopted=self._adopted if self._missing or self._known else (),
            new=new,
            rows=self._all_rows(all_columns),
            after=max((row.index for row in self._rows), default=0),
            changes=tuple(changes),
            notes=tuple(notes),
            closing=(ledger.DONE,) if whole and not (self._book.complete or self._missed) else (),
            tick=tick,
            dated=bool(self._shape.owned) and not self._book.zone,
        )
        return Decision(
            plan,
            deleted=len(self._known) - self._shown.count(self._known),
            left_out=self._chosen.left_out if self._missing else (),
            lost_notes=self._lost,
            over=self._over and bool(self._missing),
            doubles=self._shown.doubles(),
            kept=kept,
            lost=mend.lost,
            waiting=self._waiting,
            stop=stop,
            missed=self._missed,
            missing=self._missing,
        )

    def _changes(self, found: Cells) -> tuple[list[Change], int, list[Note]]:
        """Changes in rows that stand, the number of cells kept for an edit, and what is to be noted."""
        shown = (*self._chosen.present, *self._chosen.new)
        base: list[tuple[Scope, str, Base]] = []
        changes, kept = [], 0
        for row, follower in self._followers:
            if row.index not in found.rows:
                continue  # Nobody can tell whose row it is by now.
            outcome = live.follow(follower, found.rows[row.index], self._book, shown)
            kept += outcome.kept
            if outcome.base:
                base.append((follower.scope, follower.run_id, outcome.base))
            if outcome.edits:
                changes.append(Change(row, follower.scope, tuple(outcome.edits), outcome.end))
            elif outcome.end:
                self._ends.append((follower.scope, follower.run_id, outcome.end))
        return changes, kept, ledger.live(base)

    def mend(self, found: Cells, tick: str = "") -> Decision | None:
        """A plan that puts right what the last write did that met people at work, and nothing else: all in
        one batch, since the next one overwrites the images. None if nothing has to be put right."""
        pending = self._book.pending
        mend = repair.read(pending, found) if pending else Repair()
        if not pending or not (mend.back or mend.base):
            return None
        by_index = {row.index: row for row in self._content.rows}
        changes = tuple(
            Change(
                by_index.get(index, RowId("", "", index)),
                None,
                tuple(Edit(key, cell.shown, cell.meant, True, cell.image) for key, cell in backs.items()),
            )
            for index, backs in sorted(mend.back.items())
        )
        base: list[tuple[Scope, str, Base]] = []
        for (scope, run_id), missed in mend.base.items():
            known = self._book.base(scope, run_id)
            last = self._book.was.get((scope, run_id)) if known is None else known
            base += [(scope, run_id, {**last, **missed})] if last is not None else []
        notes = [*ledger.live(base), *([] if changes else [ledger.checked(pending)])]
        owned = self._shape.owned
        plan = Plan(
            self._shape,
            self._content,
            columns=self._chosen.present,
            owned=owned,
            changes=changes,
            notes=tuple(notes),
            tick=tick,
        )
        put_back = sum(len(change.cells) for change in changes)
        return Decision(plan, put_back=put_back, lost=mend.lost, again=True)

    def _stop(self, changes: Sequence[Change]) -> str:
        """Why the plan is far out of the ordinary, "" if it is not."""
        owned, known = self._shape.owned, self._book.titles
        names = {item.key: {known.get(item.key), *columns.names(item.key, self._choice)} for item in owned}
        renamed = [item.title for item in owned if item.title not in names[item.key]]
        return safety.stop(
            self._book,
            len(self._rows),
            len(self._missing),
            len(changes),
            self._vanished(),
            len(owned),
            renamed,
        )

    def _new(self, changes: Iterable[Change]) -> tuple[Column, ...]:
        """New columns come with the cells that fill them."""
        if self._missing:
            return self._chosen.new
        filled = {edit.key for change in changes for edit in change.cells}
        return tuple(column for column in self._chosen.new if column.key in filled)

    def _vanished(self) -> list[str]:
        """Columns that a person deleted since the book-keeping last noticed."""
        there = {owned.key for owned in self._shape.owned} | {placed.column.key for placed in self._adopted}
        return [key for key in self._book.columns if key not in there and key not in self._book.gone]

    def _known_now(self, all_columns: Sequence[Column], vanished: Iterable[str]) -> list[Note]:
        """What a batch that writes anything at all also notes."""
        book = self._book
        noticed = [(c.scope, c.run_id, "") for c in self._known if not book.knows(c.scope, c.run_id)]
        return [
            *([ledger.START] if self._over else ()),
            *_column_notes(all_columns, book),
            *_title_notes(all_columns, book, self._choice),
            *([ledger.zone(self._zone)] if self._zone and not book.zone else []),
            *map(ledger.gone, vanished),
            *ledger.added(noticed),
            *(ledger.found(self._rows) if self._trusted else ()),
        ]

    def _all_rows(self, all_columns: Sequence[Column]) -> Sequence[Row]:
        """The rows to append; made when they are looked at where the runs do not fit into memory."""
        paths = [column.path for column in all_columns]
        rows = Rows(self._missing, lambda run: self._row(run, all_columns, paths))
        return rows if any(run.shelf for run in self._missing) else tuple(rows)

    def _row(self, run: Candidate, all_columns: Sequence[Column], paths: Sequence[str]) -> Row:
        row = _cells(run, paths, self._limits)
        if not self._live or not run.settled:
            return Row(run.scope, run.run_id, row, live=self._live)
        wanted = {column.key: self._stored(cell) for column, cell in zip(all_columns, row, strict=True)}
        follower = Follower(run.scope, run.run_id, True, run.stamp, wanted)
        return Row(run.scope, run.run_id, row, end=live.end(follower, all_columns))


def required(choice: columns.Choice, scopes: Collection[Scope] = ()) -> columns.Choice:
    """The choice with the headers that identify a row: run_id, and project with several projects."""
    keys = [header.key for header in choice.fixed]
    fixed = choice.fixed
    if "run_id" not in keys:
        fixed = (columns.Header("run_id"), *fixed)
    if "project" not in keys and len({scope.project for scope in scopes}) > 1:
        fixed = (fixed[0], columns.Header("project"), *fixed[1:])
    return replace(choice, fixed=fixed)


def _column_notes(all_columns: Iterable[Column], book: Ledger) -> list[Note]:
    """Columns that the book-keeping does not have yet, or whose path has become known."""
    return [
        ledger.column(column.key, column.path)
        for column in all_columns
        if book.columns.get(column.key) != column.path
    ]


def _title_notes(all_columns: Iterable[Column], book: Ledger, choice: columns.Choice) -> list[Note]:
    """What people call columns, as far as the book-keeping does not know it."""
    called = {column.key: column.title for column in all_columns if column.title.strip()}
    return [
        ledger.title(key, title)
        for key, title in called.items()
        if book.titles.get(key, title if title in columns.names(key, choice) else "") != title
    ]


def _cells(run: Candidate, paths: Sequence[str], limits: Limits) -> tuple[Cell, ...]:
    """The cells of a run. Texts are cut, visibly, to what a cell holds, and to less where a row of
    many long ones would be more than a request takes."""
    values = tuple(map(run.load().get, paths))
    limit = limits.cell_chars
    chars = sum(map(len, [cell for cell in values if isinstance(cell, str)]))
    if chars * 2 <= limit and chars * 4 <= limits.row_bytes:  # Nearly always.
        return values
    fitted = [cells.fit(cell, limit) for cell in values]
    while sum(len(cell) for cell in fitted if isinstance(cell, str)) * 4 > limits.row_bytes and limit > 100:
        if _bytes(fitted) <= limits.row_bytes:
            break
        limit //= 2
        fitted = [cells.fit(cell, limit) for cell in values]
    return tuple(fitted)


def _bytes(row: Iterable[Cell]) -> int:
    return sum(len(cell.encode("utf-8")) for cell in row if isinstance(cell, str))
