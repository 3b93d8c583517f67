"""The book-keeping that lives beside the table: which runs and columns were ever added, and what was
last written to rows that follow a run.

It is kept as text rows `(kind, where, text)` in the hidden tab `_runsheet`, so that every
destination stores it alike and two machines agree. Rows are only ever appended; compaction.py
packs many into few. Pure: no I/O.

    ids       scope    ids ever appended, separated by blanks, quoted as in a URL; after a colon, if
                       known, how the run and its row stood when the run settled: such a run is live
                       no more
    live      scope    JSON {run id: {key: value}}: what was last written to a row that follows its run
    found     project  ids of rows that stood there when the sheet was adopted, or when the
                       book-keeping was made again; the project is what its cell shows
    start     -        the worksheet was found empty and starts over: forget what stands above
    done      -        all runs that there were at first are in the sheet: the first sync is over
    forget    -        ids that may come back although their rows were deleted: take them from above
    column    path     the key of a column that was made or adopted; the path it shows, if known
    title     title    the key of a column that a person renamed
    gone      -        the key of a column of which is known that a person deleted it
    tick      name     what a tick wrote (journal.py)
    zone      -        the name of the time zone in which the table shows dates
    undone    name     a tick that was undone; the name of the tick that did it
    checked   images   the last batch that changed cells met no person at work
    removed   images   JSON [[row, run id], ...]: blank rows that a batch deleted
    restored  images   what people had in these rows in that second was looked for
    watermarks -       JSON list: how far each project was listed (watermark.py); the last one counts, where
                       a destination keeps it here

A run whose id is here but not in the sheet was deleted by a person, and stays out (P4); the same
holds for columns (P3). Unknown kinds and unreadable rows are kept as they are: a person, or a
later version, wrote them.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from runsheet import journal
from runsheet.journal import Added, Batch, Tick
from runsheet.model import Change, Plan, Row, RowId, Scope
from runsheet.packing import (
    TEXT_CHARS,
    Note,
    json_text,
    packed,
    parse_scope,
    parts,
    scope_text,
    triple,
    unword,
    word,
)
from runsheet.stored import Kept, Stores, keep, kept

HEADER: Note = ("runsheet", "book-keeping, written by the sync: please leave it", "")
"""First row of the tab, for people who unhide it."""

WATERMARKS = "watermarks"
"""The kind of the note that only counts in its last version."""

Base = dict[str, Kept]
"""What was last written to the cells of a row, by key."""


@dataclass(slots=True)
class Ledger:
    """What the book-keeping says: ids by scope, ids of rows that were found by the project they
    show, and the path of each column by its key; see the module's docstring for the rest.

    `ends` tells of settled runs how they stood then, `live` what was last written to the others, and
    `was` what was last written to a row before it settled, as long as that is known.
    `pending` is the last batch that changed cells, until it is known that no person was at work;
    `removed` likewise the last one that deleted rows: its images, and the rows. `went`: ids of all rows
    that were deleted so. `watermarks`: how far each project was listed, as texts.
    """

    ids: dict[Scope, set[str]] = field(default_factory=lambda: defaultdict(set))
    found: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    columns: dict[str, str] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    ends: dict[Scope, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    live: dict[Scope, dict[str, Base]] = field(default_factory=lambda: defaultdict(dict))
    was: dict[tuple[Scope, str], Base] = field(default_factory=dict)
    undone: dict[str, str] = field(default_factory=dict)
    zone: str = ""
    complete: bool = False
    ticks: list[Tick] = field(default_factory=list)
    pending: Batch | None = None
    removed: tuple[str, tuple[tuple[int, str], ...]] | None = None
    went: set[str] = field(default_factory=set)
    watermarks: tuple[str, ...] = ()

    def knows(self, scope: Scope, run_id: str) -> bool:
        return run_id in self.ids.get(scope, ())

    def base(self, scope: Scope, run_id: str) -> Base | None:
        """What was last written to the row of a live run; None for others."""
        return self.live.get(scope, {}).get(run_id)

    def added(self, scope: Scope, run_id: str) -> Added | None:
        """How the row of a run was appended, if the journal tells of each cell."""
        rows = (row for tick in reversed(self.ticks) for row in tick.rows)
        return next((r for r in rows if (r.scope, r.run_id) == (scope, run_id) and r.by_cell), None)

    def later(self, scope: Scope, run_id: str) -> Base:
        """What the journal tells of cells of a run's row that were changed, by key."""
        return {
            key: cell.after
            for tick in self.ticks
            for row in tick.touched
            if (row.scope, row.run_id) == (scope, run_id)
            for key, cell in row.cells.items()
            if not cell.back
        }

    def end(self, scope: Scope, run_id: str) -> str:
        """How a settled run stood at its end, "" where that is not known."""
        return self.ends.get(scope, {}).get(run_id, "")


def parse(notes: Iterable[Note]) -> Ledger:
    """Read the rows; those that make no sense are passed over."""
    ledger = Ledger()
    ticks: list[Note] = []
    for note in notes:
        kind, where, text = triple(note)
        if kind == "tick":
            ticks.append(note)
            _follow(ledger, note)
        elif kind == "start":
            ledger = Ledger()
        elif read := _READERS.get(kind):
            read(ledger, where, text)
    ledger.ticks = journal.parse(ticks)
    return ledger


def pending(notes: Iterable[Note]) -> Batch | None:
    """`Ledger.pending` alone, for a part of the price."""
    return parse(note for note in notes if triple(note)[0] in ("tick", "checked", "start")).pending


def zone_of(notes: Iterable[Note]) -> str:
    """`Ledger.zone` alone."""
    return parse(note for note in notes if triple(note)[0] in ("zone", "start")).zone


def titles(notes: Iterable[Note]) -> dict[str, str]:
    """`Ledger.titles` alone."""
    return parse(note for note in notes if triple(note)[0] in ("title", "start")).titles


def watermarks_of(notes: Iterable[Note]) -> tuple[str, ...]:
    """`Ledger.watermarks` alone."""
    return parse(note for note in notes if triple(note)[0] in (WATERMARKS, "start", "forget")).watermarks


def _ids(ledger: Ledger, where: str, text: str) -> None:
    if not (scope := parse_scope(where)):
        return
    words = set(text.split())
    if not (":" in text or "%" in text or "-" in words or ledger.live[scope]):  # Nearly always.
        ledger.ids[scope] |= words
        return
    for item in text.split():
        name, _, end = item.partition(":")
        run_id = unword(name)
        ledger.ids[scope].add(run_id)
        if (base := ledger.live[scope].pop(run_id, None)) is not None:
            ledger.was[scope, run_id] = base
        if end:
            ledger.ends[scope][run_id] = end


def _live(ledger: Ledger, where: str, text: str) -> None:
    if not (scope := parse_scope(where)):
        return
    try:
        rows = {
            run_id: {str(key): kept(value) for key, value in cells.items()}
            for run_id, cells in json.loads(text).items()
        }
    except (ValueError, TypeError, AttributeError, RecursionError):
        return
    for run_id, cells in rows.items():
        ledger.live[scope].setdefault(run_id, {}).update(cells)


def _found(ledger: Ledger, where: str, text: str) -> None:
    ledger.found[unword(where)].update(map(unword, text.split()))


def _forget(ledger: Ledger, _: str, text: str) -> None:
    words = set(map(unword, text.split()))
    for known in (*ledger.ids.values(), *ledger.found.values()):
        known -= words
    for run_id in words:
        for live_rows in ledger.live.values():
            live_rows.pop(run_id, None)
        for ends in ledger.ends.values():
            ends.pop(run_id, None)
    ledger.was = {who: base for who, base in ledger.was.items() if who[1] not in words}
    ledger.complete = False  # They come back, however many,
    ledger.watermarks = ()  # and however long ago they were listed.


def _column(ledger: Ledger, where: str, text: str) -> None:
    if text:
        ledger.columns[text] = where
        ledger.gone.discard(text)


def _title(ledger: Ledger, where: str, text: str) -> None:
    ledger.titles[text] = where


def _gone(ledger: Ledger, _: str, text: str) -> None:
    ledger.gone.add(text)


def _zone(ledger: Ledger, _: str, text: str) -> None:
    ledger.zone = text


def _undone(ledger: Ledger, where: str, text: str) -> None:
    ledger.undone[where] = text


def _done(ledger: Ledger, _: str, __: str) -> None:
    ledger.complete = True


def _removed(ledger: Ledger, where: str, text: str) -> None:
    with suppress(ValueError, TypeError, OverflowError, RecursionError):
        ledger.removed = (where, tuple((int(index), str(run_id)) for index, run_id in json.loads(text)))
        ledger.went |= {run_id for _, run_id in ledger.removed[1]}


def _restored(ledger: Ledger, where: str, _: str) -> None:
    if ledger.removed and ledger.removed[0] == where:
        ledger.removed = None


def _watermarks(ledger: Ledger, _: str, text: str) -> None:
    """One that makes no sense takes the place of earlier ones all the same: all is listed then."""
    try:
        ledger.watermarks = tuple(map(str, json.loads(text)))
    except (ValueError, TypeError, RecursionError):
        ledger.watermarks = ()


def _checked(ledger: Ledger, where: str, _: str) -> None:
    if ledger.pending and ledger.pending.images == where:
        ledger.pending = None


_READERS = {
    "ids": _ids,
    "live": _live,
    "found": _found,
    "forget": _forget,
    "column": _column,
    "title": _title,
    "gone": _gone,
    "undone": _undone,
    "zone": _zone,
    "done": _done,
    "checked": _checked,
    "removed": _removed,
    "restored": _restored,
    WATERMARKS: _watermarks,
}


def _follow(ledger: Ledger, note: Note) -> None:
    """Take from the journal what was last written to live rows."""
    for tick in journal.parse([note]) if journal.tells_of_changes(note) else ():
        for batch in tick.batches:
            if not batch.images:
                ledger.pending = None
            elif ledger.pending and ledger.pending.images == batch.images:
                ledger.pending = journal.joined(ledger.pending, batch)
            else:
                ledger.pending = batch
            for row in batch.rows:
                base = ledger.base(row.scope, row.run_id) if row.scope else None
                if base is not None:
                    base.update({key: cell.after for key, cell in row.cells.items() if not cell.back})


def written(
    plan: Plan, rows: Sequence[Row], changes: Sequence[Change], stored: Stores, images: str = ""
) -> list[Note]:
    """The notes of one batch that appends these rows and makes these changes of a plan: what is known
    from now on, and the journal. `stored` tells what the sheet makes of a cell; `images` names the place
    where the batch keeps what the cells of `changes` held before."""
    keys = [column.key for column in plan.columns]
    ended = [change for change in changes if change.end and change.scope]
    ends = [(row.scope, row.run_id, row.end) for row in rows]
    ends += [(change.scope, change.row.run_id, change.end) for change in ended if change.scope]
    notes: list[Note] = []
    if plan.tick and rows:
        notes += journal.rows_added(plan.tick, keys, rows, stored)
    if plan.tick and changes:
        at = {owned.key: owned.index for owned in plan.owned}
        notes += journal.cells_changed(plan.tick, journal.batch(changes, at, images))
    notes += added(ends)
    followed = [
        (row.scope, row.run_id, zip(keys, map(stored, row.cells), strict=True)) for row in rows if row.live
    ]
    return notes + live(
        (scope, run_id, {key: value for key, value in cells if value is not None})
        for scope, run_id, cells in followed
    )


def added(runs: Iterable[tuple[Scope, str, str]]) -> list[Note]:
    """The notes that say that runs have rows, each with how it stood when it settled ("" if not known)."""
    by_scope: dict[Scope, list[str]] = defaultdict(list)
    for scope, run_id, end in runs:
        by_scope[scope].append(f"{word(run_id)}:{end}" if end else word(run_id))
    return [note for scope, words in by_scope.items() for note in packed("ids", scope_text(scope), words)]


def live(rows: Iterable[tuple[Scope, str, Mapping[str, Kept]]]) -> list[Note]:
    """The notes that say what was last written to cells of rows that follow their runs. A wide row goes
    on in the next note."""
    by_scope: dict[Scope, list[tuple[str, Any]]] = defaultdict(list)
    for scope, run_id, cells in rows:
        items = [(key, keep(value)) for key, value in cells.items()]
        by_scope[scope] += [(run_id, dict(part)) for part in parts(items, TEXT_CHARS // 2)] or [(run_id, {})]
    return [
        ("live", scope_text(scope), json_text(_by_run(part)))
        for scope, rows_of in by_scope.items()
        for part in parts(rows_of, TEXT_CHARS)
    ]


def _by_run(items: Iterable[tuple[str, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    for run_id, cells in items:
        rows.setdefault(run_id, {}).update(cells)
    return rows


def found(rows: Iterable[RowId]) -> list[Note]:
    """The notes that say these rows stood in the sheet already."""
    by_project: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        by_project[row.project].append(word(row.run_id))
    return [note for project, ids in by_project.items() for note in packed("found", word(project), ids)]


def column(key: str, path: str) -> Note:
    """The note that says that a column was made, and what it shows; a later one replaces it."""
    return ("column", path, key)


def title(key: str, text: str) -> Note:
    """The note that says how people call a column."""
    return ("title", text, key)


def gone(key: str) -> Note:
    """The note that says that a person deleted a column, and that this was noticed."""
    return ("gone", "", key)


def zone(name: str) -> Note:
    """The note that says in which time zone the table shows dates."""
    return ("zone", "", name)


def undone(tick: str, by: str) -> Note:
    """The note that says that a tick was undone, by another."""
    return ("undone", tick, by)


def removed(images: str, rows: Iterable[RowId]) -> Note:
    """The note that says that blank rows were deleted, and where they are looked at once more."""
    return ("removed", images, json_text([[row.index, row.run_id] for row in rows]))


def restored(images: str) -> Note:
    """The note that says that these were looked at."""
    return ("restored", images, "")


def checked(batch: Batch) -> Note:
    """The note that says that a batch that changed cells met no person at work."""
    return ("checked", batch.images, "")


def watermarks(texts: Iterable[str]) -> Note:
    """The note that says how far each project was listed; it takes the place of earlier ones."""
    return (WATERMARKS, "", json_text(list(texts)))


START: Note = ("start", "", "")
DONE: Note = ("done", "", "")


def forget(ids: Iterable[str]) -> list[Note]:
    """The notes that let deleted runs back in."""
    return list(packed("forget", "", map(word, ids)))
