"""Take back what one tick wrote, as far as people have not been there since; and list what ticks wrote.

Cells that still hold what the sync put there are emptied, or get back what they held before. A row goes
if nothing of a person is left in it. The runs stay out until they are forgotten (forget.py).
"""

import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from runsheet import journal, ledger, safety
from runsheet.clock import Clock
from runsheet.columns import Choice, Seen
from runsheet.destinations.base import Destination
from runsheet.errors import Changed, ConfigError, ServiceError, Unanswered
from runsheet.journal import Added, Cell, Tick
from runsheet.ledger import Ledger
from runsheet.model import Cells, Change, Content, Edit, Plan, RowId, Scope, Shape, Stored
from runsheet.plan import Planner
from runsheet.report import count, some
from runsheet.rules import Rules
from runsheet.shown import Shown, Who
from runsheet.stored import Digest, Kept, same
from runsheet.strays import Strays

log = logging.getLogger(__name__)

ATTEMPTS = 6


@dataclass(frozen=True, slots=True)
class Entry:
    """One tick that wrote: its name and time (UTC), rows appended, columns made, cells changed and in how
    many rows, and whether it was undone or undid another."""

    name: str
    time: datetime
    rows: int
    columns: int
    cells: int
    changed_rows: int
    undone: bool = False
    undoes: str = ""

    def line(self) -> str:
        """The tick in one line."""
        parts = [
            count(self.rows, "row") + " added" if self.rows else "",
            count(self.columns, "column") + " made" if self.columns else "",
            f"{count(self.cells, 'cell')} changed in {count(self.changed_rows, 'row')}" if self.cells else "",
        ]
        what = " · ".join(filter(None, parts)) or "nothing was left to take back"
        more = f" (undid {self.undoes})" if self.undoes else " (undone)" if self.undone else ""
        return f"{self.name}  {what}{more}"


@dataclass(slots=True)
class Undone:
    """What was taken back of a tick. `emptied`: cells that are blank now or hold what they held before;
    `removed`: ids of rows that went; `standing`: ids of rows that stay, since something of a person is
    in them, or since the destination cannot delete rows there. `kept`: by run id, titles of cells that
    somebody has changed since. `columns`: titles of columns that the tick made, which stay. `missing`: ids
    of rows that are gone, or cannot be told from those of another run."""

    name: str
    emptied: int = 0
    removed: list[str] = field(default_factory=list)
    standing: list[str] = field(default_factory=list)
    kept: dict[str, list[str]] = field(default_factory=dict)
    columns: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """What a person should know."""
        done = [f"{count(self.emptied, 'cell')} taken back"]
        done += [f"{count(len(self.removed), 'row')} removed"] if self.removed else []
        lines = [f"{self.name}: {' · '.join(done)}"]
        if self.removed:
            lines.append(f"removed: {some(self.removed)}")
        if self.standing:
            lines.append(f"rows that stay: {', '.join(self.standing)}")
        lines += [f"kept as people left them: {run_id}: {', '.join(t)}" for run_id, t in self.kept.items()]
        if self.missing:
            lines.append(f"not found, or not to be told from another run: {some(self.missing)}")
        if self.columns:
            lines.append(f"columns that stay: {', '.join(self.columns)}")
        if self.removed or self.standing:
            lines.append("these runs stay out until: runsheet forget RUN_ID…")
        return lines


def history(destination: Destination) -> list[Entry]:
    """The last ticks that wrote, newest first. Raises what reading raises."""
    _, _, book = _read(destination)
    return [_entry(tick, book) for tick in reversed(book.ticks)]


def undo(destination: Destination, clock: Clock, wanted: str = "") -> Undone:
    """Take back the tick whose name begins with `wanted`, or the last one that was not undone.

    Raises ConfigError when there is no such tick, or several; ServiceError when the sheet changes
    again and again; and what the destination raises.
    """
    name = journal.name(clock.now(), secrets.token_hex(2))
    outcome: Undone | None = None
    rows: list[RowId] = []
    cells: set[tuple[str, str]] = set()
    for _ in range(ATTEMPTS):
        try:
            shape, content, book = _read(destination)
            if book.pending:
                _mend(destination, name)
                shape, content, book = _read(destination)
            tick = _tick(book, outcome.name if outcome else wanted)
            taking = _Taking(destination, shape, content, book, tick)
            outcome, rows = outcome or taking.outcome, taking.rows or rows
            taking.apply(name)
            cells |= taking.cells
            outcome.emptied = len(cells)
            return _remove(destination, rows, outcome)
        except Unanswered:
            cells |= taking.cells
            _mend(destination, name)
        except Changed:
            continue
    raise ServiceError("the sheet changed again and again: try again. Nothing is half done")


class _Taking:
    """What is to be taken back of one tick. `rows`: rows that the tick appended, where they stand."""

    def __init__(
        self, destination: Destination, shape: Shape, content: Content, book: Ledger, tick: Tick
    ) -> None:
        self._destination = destination
        self._shape, self._content, self._book, self._tick = shape, content, book, tick
        self._titles = {owned.key: owned.title or owned.key for owned in shape.owned}
        made = [self._titles[key] for key in tick.columns if key in self._titles]
        self.outcome = Undone(tick.name, columns=made)
        shown = Shown(content.rows, book)
        added = [(item, row) for item in tick.rows if (row := shown.row(item))]
        touched = [
            (item, row)
            for item in tick.touched
            if item.scope and (row := shown.row(Who(item.scope, item.run_id)))
        ]
        self.rows = [row for _, row in added] + self._emptied({item.run_id for item, _ in added})
        found_ids = {row.run_id for row in self.rows}
        self.outcome.missing = [item.run_id for item in tick.rows if item.run_id not in found_ids]
        look = {row.index: row for _, row in (*added, *touched)}
        found = destination.cells(shape, content, list(look.values())) if look else Cells()
        self._latest = _latest(book)
        self._edits: dict[int, dict[str, Edit]] = {}
        for item, row in added:
            self._empty(item, row, found.rows.get(row.index, {}))
        for change, row in touched:
            self._restore(change.cells, row, found.rows.get(row.index, {}))
        self._look = look

    def _emptied(self, shown: set[str]) -> list[RowId]:
        """Rows that an undo of this tick has emptied, if it was ended before it could remove them."""
        by = self._book.undone.get(self._tick.name)
        before = [tick for tick in self._book.ticks if tick.name == by]
        ids = {item.run_id for item in self._tick.rows} - shown - self._book.went
        return [
            RowId(row.run_id, "", row.index) for tick in before for row in tick.touched if row.run_id in ids
        ]

    def _empty(self, item: Added, row: RowId, cells: Mapping[str, Stored]) -> None:
        """Empty what still is as it was written, by this tick or by a later one."""
        whole = not item.by_cell and item.is_whole(cells)
        base = self._book.base(item.scope, item.run_id) or {}
        for key, value in cells.items():
            if value is None or value == "":
                continue
            last = [base[key]] if key in base else []
            last += [cell for cell in [self._latest.get((item.scope, item.run_id, key))] if cell is not None]
            ours = item.is_ours(key, value) or any(same(kept, value) for kept in last)
            if ours or (whole and key in item.keys):
                self._edit(row, Edit(key, value, None, back=True))
            else:
                self._keep(row, key)

    def _restore(self, changed: Mapping[str, Cell], row: RowId, cells: Mapping[str, Stored]) -> None:
        """Give cells that the tick changed what they held before."""
        for key, cell in changed.items():
            if cell.back or key not in cells or key in self._edits.get(row.index, {}):
                continue
            value, before = cells[key], cell.before
            if same(before, value):
                continue
            if same(cell.after, value) and not isinstance(before, Digest):
                self._edit(row, Edit(key, value, before, back=True))
            else:
                self._keep(row, key)

    def _edit(self, row: RowId, edit: Edit) -> None:
        self._edits.setdefault(row.index, {})[edit.key] = edit

    def _keep(self, row: RowId, key: str) -> None:
        self.outcome.kept.setdefault(row.run_id, []).append(self._titles.get(key, key))

    def apply(self, name: str) -> None:
        """Write it, as a tick of its own in the journal."""
        changes = tuple(
            Change(self._look[index], None, tuple(edits.values()))
            for index, edits in sorted(self._edits.items())
        )
        out = [(item.scope, item.run_id, "") for item in self._tick.rows]
        known = self._tick.name in self._book.undone
        notes = () if known else (ledger.undone(self._tick.name, name), *ledger.added(out))
        plan = Plan(
            self._shape,
            self._content,
            owned=self._shape.owned,
            changes=changes,
            notes=notes,
            tick=name,
            watermarks=(),  # The next tick looks at all runs, and says which stay out.
        )
        for _ in self._destination.apply(plan):
            pass

    @property
    def cells(self) -> set[tuple[str, str]]:
        """Run ids and keys of the cells that are taken back."""
        return {(self._look[index].run_id, key) for index, edits in self._edits.items() for key in edits}


def _remove(destination: Destination, rows: Sequence[RowId], outcome: Undone) -> Undone:
    """Delete the rows in which nothing is left."""
    gone: tuple[RowId, ...] = ()
    for _ in range(ATTEMPTS if rows else 0):
        try:
            shape = destination.read()
            gone = destination.remove(shape, destination.content(shape), rows)
            break
        except Changed as change:
            log.info("%s: looking again", change)
    places = {row.index for row in gone}
    outcome.removed = [row.run_id for row in rows if row.index in places]
    outcome.standing = [row.run_id for row in rows if row.index not in places]
    return outcome


def _mend(destination: Destination, name: str) -> None:
    """Put back what people had in cells in the very second of a write (repair.py)."""
    shape = destination.read()
    content = destination.content(shape)
    planner = Planner(shape, content, (), Rules(Choice(())), Seen(), stored=destination.stored)
    cells = destination.cells(shape, content, planner.look) if planner.look else Cells()
    if mending := planner.mend(cells, name):
        for _ in destination.apply(mending.plan):
            pass


def _read(destination: Destination) -> tuple[Shape, Content, Ledger]:
    """Raises SheetError where it cannot be told which run a row is: then a tick has to come first."""
    shape = destination.read()
    content = destination.content(shape)
    book = ledger.parse(content.notes or ())
    safety.check_ids(shape, Strays(shape, Choice(()), book.titles))
    return shape, content, book


def _tick(book: Ledger, wanted: str) -> Tick:
    if not book.ticks:
        raise ConfigError("nothing was written here that could be undone: runsheet history is empty")
    if not wanted:
        own = {*book.undone, *book.undone.values()}
        last = next((tick for tick in reversed(book.ticks) if tick.name not in own), None)
        if last is None:
            raise ConfigError("every tick that is remembered was undone: see runsheet history")
        return last
    named = [tick for tick in book.ticks if tick.name.startswith(wanted)]
    if len(named) != 1:
        many = "is no tick" if not named else f"are {len(named)} ticks"
        raise ConfigError(f"there {many} called {wanted!r}: see runsheet history")
    return named[0]


def _latest(book: Ledger) -> dict[tuple[Scope, str, str], Kept]:
    """What was last written to each cell that was changed."""
    return {
        (row.scope, row.run_id, key): cell.after
        for tick in book.ticks
        for row in tick.touched
        if row.scope
        for key, cell in row.cells.items()
        if not cell.back
    }


def _entry(tick: Tick, book: Ledger) -> Entry:
    undoes = next((name for name, by in book.undone.items() if by == tick.name), "")
    return Entry(
        tick.name,
        journal.when(tick.name) or datetime.min,
        len(tick.rows),
        len(tick.columns),
        sum(len(row.cells) for row in tick.touched),
        len(tick.touched),
        tick.name in book.undone,
        undoes,
    )
