"""What a tick will do, decided before anything is written: which runs become rows, where. Pure.

A run qualifies when it has settled and the configuration wants it. It is *known* when the
book-keeping has its id or the sheet shows it; a known run is never appended again, whether or not
its row still stands (P1, P4).
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from runsheet import cells, columns, ledger
from runsheet.errors import SheetError
from runsheet.fields import Values
from runsheet.ledger import Ledger, Note
from runsheet.model import (
    SETTLED_STATES,
    Cell,
    Column,
    Content,
    Limits,
    Placed,
    Plan,
    Row,
    RowId,
    Run,
    Scope,
    Shape,
)


@dataclass(frozen=True, slots=True)
class Rules:
    """Which runs qualify, and how they are shown.

    `states`: only these, empty for all. `users`: only runs of these, empty for all.
    `names`: user name to the name shown.
    """

    choice: columns.Choice
    states: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    names: Mapping[str, str] = field(default_factory=dict)
    settle_hours: float = 24.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A run that qualifies: its identity and its cells by path."""

    scope: Scope
    run_id: str
    values: Values


@dataclass(frozen=True, slots=True)
class Decision:
    """A plan, and what the tick's report says about it.

    `deleted`: runs kept out since a person deleted their rows. `left_out`: titles of columns
    beyond the limit. `lost_notes`: the book-keeping was missing, so rows deleted by hand may
    return once. `doubles`: ids that the sheet shows in more than one row.
    """

    plan: Plan
    deleted: int = 0
    left_out: tuple[str, ...] = ()
    lost_notes: bool = False
    over: bool = False
    doubles: tuple[str, ...] = ()


def refusal(run: Run, rules: Rules, now: datetime) -> str:
    """Why a run does not qualify, in a word or two; "" when it does."""
    if rules.users and (run.user or "").casefold() not in rules.users:
        return "of another user"
    if not settled(run, now, rules.settle_hours):
        return run.state or "not settled"
    if rules.states and run.state not in rules.states:
        return f"{run.state}, not in STATES"
    return ""


def settled(run: Run, now: datetime, settle_hours: float) -> bool:
    """Whether a run will not change any more.

    finished, failed and killed runs are settled. W&B calls runs crashed that go on later, and
    leaves runs running that died weeks ago: without a heartbeat for `settle_hours` they settle.
    """
    if run.state in SETTLED_STATES:
        return True
    last = run.heartbeat or run.created
    return last is not None and now - last >= timedelta(hours=settle_hours)


def build(
    shape: Shape,
    content: Content,
    candidates: Sequence[Candidate],
    rules: Rules,
    seen: columns.Seen,
    adopted: Sequence[Placed] = (),
    limits: Limits = Limits(),  # noqa: B008 - a frozen value
) -> Decision:
    """Decide what to write so that every candidate has exactly one row.

    `adopted` are the placements of `columns.adopt`, empty for a sheet that carries marks; they are
    made only together with candidates, whose values tell which columns are ours. A candidate that
    comes twice counts once. An empty worksheet starts over: what the book-keeping knew of it no
    longer counts (P4). Raises SheetError when the run_id column or most headers are gone from a
    sheet of ours, or a worksheet is not ours.
    """
    _check(shape, adopted)
    book, over = _book(shape, content)
    choice = required(rules.choice, {c.scope for c in candidates} | set(book.ids))
    lost = content.notes is None
    trusted = bool(adopted) or lost
    candidates = list({(c.scope, c.run_id): c for c in candidates}.values())
    wanted = {c.run_id for c in candidates}
    rows = [row for row in content.rows if row.run_id in wanted or _is_run(row, book, trusted)]
    chosen = columns.choose(choice, seen, shape.header, shape.owned, book.columns, adopted, limits)
    shown = _Shown(rows, book)
    known, missing = _split(candidates, book, shown)
    new = chosen.new if missing else ()  # Columns come with the rows that fill them.
    all_columns = chosen.present + new
    notes = [*_column_notes(all_columns, book), *_noticed(known, book)]
    if trusted:
        notes += ledger.found(rows)
    if over:
        notes.insert(0, ledger.START)
    if not missing and not (adopted and candidates):
        plan = _nothing(shape, content, notes if lost else [])
        return Decision(plan, _deleted(known, shown), lost_notes=lost, doubles=shown.doubles())
    plan = Plan(
        shape,
        content,
        columns=all_columns,
        owned=shape.owned,
        adopted=tuple(adopted),
        new=new,
        rows=tuple(_row(candidate, all_columns, limits) for candidate in missing),
        after=max((row.index for row in rows), default=0),
        notes=tuple(notes),
    )
    return Decision(plan, _deleted(known, shown), chosen.left_out, lost, over, shown.doubles())


def _book(shape: Shape, content: Content) -> tuple[Ledger, bool]:
    """What the book-keeping says, and whether that is over: of a cleared worksheet it says nothing."""
    book = ledger.parse(content.notes or ())
    over = shape.empty and bool(book.ids or book.columns)
    return (Ledger() if over else book), over


def required(choice: columns.Choice, scopes: Collection[Scope] = ()) -> columns.Choice:
    """The choice with the headers that identify a row: run_id, and project with several projects."""
    keys = [header.key for header in choice.fixed]
    fixed = choice.fixed
    if "run_id" not in keys:
        fixed = (columns.Header("run_id"), *fixed)
    if "project" not in keys and len({scope.project for scope in scopes}) > 1:
        fixed = (fixed[0], columns.Header("project"), *fixed[1:])
    return replace(choice, fixed=fixed)


def _nothing(shape: Shape, content: Content, notes: Iterable[Note]) -> Plan:
    return Plan(shape, content, owned=shape.owned, notes=tuple(notes))


def _check(shape: Shape, adopted: Collection[Placed]) -> None:
    keys = {owned.key for owned in shape.owned} | {placed.column.key for placed in adopted}
    titled = sum(1 for owned in shape.owned if owned.title.strip())
    if shape.owned and titled * 2 < len(shape.owned):
        raise SheetError(
            f"row 1 of the worksheet shows only {titled} of our {len(shape.owned)} headers: put the header "
            "back into row 1, or clear the worksheet to start over. Nothing was written"
        )
    if shape.empty or "run_id" in keys:
        return
    if shape.owned:
        raise SheetError(
            "the run_id column of the worksheet is gone: bring it back (undo), or name another tab "
            "with WORKSHEET in config.json. Nothing was written"
        )
    raise SheetError(
        "the worksheet holds other data and has no run_id column: name another tab with WORKSHEET in "
        "config.json (it is made when it does not exist), or head one column run_id. Nothing was written"
    )


def _deleted(known: Sequence[Candidate], shown: "_Shown") -> int:
    return len(known) - shown.count(known)


def _split(
    candidates: Iterable[Candidate], book: Ledger, shown: "_Shown"
) -> tuple[list[Candidate], list[Candidate]]:
    """Candidates that are known, and those that are missing."""
    known: list[Candidate] = []
    missing: list[Candidate] = []
    for candidate in candidates:
        there = book.knows(candidate.scope, candidate.run_id) or shown.claim(candidate)
        (known if there else missing).append(candidate)
    return known, missing


def _is_run(row: RowId, book: Ledger, trusted: bool) -> bool:
    """Text in the run_id column that is no candidate's id is a run's if we wrote or found it; where
    we cannot know (a sheet that is adopted, or whose book-keeping is gone) if the row holds
    something else of ours."""
    return book.has_row(row.run_id) or (trusted and row.filled)


class _Shown:
    """Which runs the sheet shows, or showed when it was adopted: then nobody could tell the scope of
    a row yet. A row stands for any run of its id that its project cell fits, unless the
    book-keeping gives it to another: each row stands for one run."""

    def __init__(self, rows: Iterable[RowId], book: Ledger) -> None:
        self._rows: dict[str, Counter[str]] = defaultdict(Counter)
        for row in rows:
            self._rows[row.run_id][row.project] += 1
        self._book = book
        self._claims: dict[str, list[Scope]] = defaultdict(list)

    def claim(self, run: Candidate) -> bool:
        """Whether there is a row for a run that the book-keeping lacks; the row is then taken."""
        found = Counter(project for project, ids in self._book.found.items() if run.run_id in ids)
        rows = self._fitting(self._rows.get(run.run_id, Counter()) | found, run.scope)
        others = [scope for scope, ids in self._book.ids.items() if run.run_id in ids]
        others += self._claims[run.run_id]
        taken = sum(scope != run.scope and bool(self._fitting(rows, scope)) for scope in others)
        if rows.total() <= taken:
            return False
        self._claims[run.run_id].append(run.scope)
        return True

    def count(self, runs: Iterable[Candidate]) -> int:
        return sum(1 for run in runs if self._fitting(self._rows.get(run.run_id, Counter()), run.scope))

    def doubles(self) -> tuple[str, ...]:
        """Ids that stand in more rows of one project than there are runs for them."""
        return tuple(run_id for run_id, rows in self._rows.items() if self._is_double(run_id, rows))

    def _is_double(self, run_id: str, rows: Counter[str]) -> bool:
        if rows.total() == 1:
            return False
        scopes = [scope for scope, ids in self._book.ids.items() if run_id in ids]
        runs = {project: sum(_fits(project, scope) for scope in scopes) for project in rows}
        return any(count > max(1, runs[project]) for project, count in rows.items())

    @staticmethod
    def _fitting(rows: Counter[str], scope: Scope) -> Counter[str]:
        return Counter({project: count for project, count in rows.items() if _fits(project, scope)})


def _fits(shown: str, scope: Scope) -> bool:
    """Whether a project cell may stand for a scope: it may be blank, or lack the entity."""
    return shown in ("", scope.project, scope.project.rpartition("/")[2])


def _column_notes(all_columns: Iterable[Column], book: Ledger) -> list[Note]:
    """Columns that the book-keeping does not have yet, or whose path has become known."""
    return [
        ledger.column(column.key, column.path)
        for column in all_columns
        if book.columns.get(column.key) != column.path
    ]


def _noticed(known: Iterable[Candidate], book: Ledger) -> list[Note]:
    """Runs that the sheet shows and the book-keeping lacks: so that a later deletion is seen."""
    rows = [Row(c.scope, c.run_id, ()) for c in known if not book.knows(c.scope, c.run_id)]
    return ledger.added(rows)


def _row(candidate: Candidate, all_columns: Sequence[Column], limits: Limits) -> Row:
    """The cells of a run. Texts are cut, visibly, to what a cell holds, and to less where a row of
    many long ones would be more than a request takes."""
    values = [candidate.values.get(column.path) for column in all_columns]
    limit = limits.cell_chars
    fitted = [cells.fit(cell, limit) for cell in values]
    while sum(len(cell) for cell in fitted if isinstance(cell, str)) * 4 > limits.row_bytes and limit > 100:
        if _bytes(fitted) <= limits.row_bytes:
            break
        limit //= 2
        fitted = [cells.fit(cell, limit) for cell in values]
    return Row(candidate.scope, candidate.run_id, tuple(fitted))


def _bytes(row: Iterable[Cell]) -> int:
    return sum(len(cell.encode("utf-8")) for cell in row if isinstance(cell, str))
