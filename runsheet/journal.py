"""The journal: what each tick wrote, so that people can look it up and take it back. Pure.

It is kept as notes of kind `tick` in the book-keeping (ledger.py), at least one for each batch that
wrote something, in the batch itself. `where` is the name of the tick, the text is JSON of one of
three forms:

    {"keys": [...], "rows": {scope: [[run id, marks], ...]}}       rows appended
    {"columns": [...]}                                             keys of columns made
    {"images": name, "at": {key: index},                           cells changed
     "cells": [[scope, run id, project, row, {key: [before, after, back]}], ...]}

`marks` are those of the row's cells (stored.mark) in the order of `keys`, or, where that would be long,
the digest of the row. `images` names the place where the batch kept what the cells held right before
it; "" where a destination needs none.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from runsheet.model import Change, Row, Scope, Stored
from runsheet.packing import TEXT_CHARS, Note, json_size, json_text, parse_scope, parts, scope_text, triple
from runsheet.stored import MARK, Kept, Stores, digest, keep, kept, mark

TICKS = 20
"""As many ticks are remembered."""

CHARS = 300_000
"""The journal has at most so many characters when it was packed."""

MARKS_CHARS = 60_000
"""A batch whose marks would take more is journaled with a digest for each row."""

_NAME = re.compile(r"(\d{8}T\d{6}Z)-[0-9a-f]{4}")


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell that was changed. `back`: it got back what had stood there earlier."""

    before: Kept
    after: Kept
    back: bool = False


@dataclass(frozen=True, slots=True)
class Touched:
    """A row in which cells were changed: which run it showed, where it stood, the cells by key."""

    scope: Scope | None
    run_id: str
    project: str
    index: int
    cells: Mapping[str, Cell]


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch that changed cells. `at`: the grid column of each key; `images` names the place where
    what stood there before was kept, a row for each of `rows`."""

    images: str
    at: Mapping[str, int]
    rows: tuple[Touched, ...]


@dataclass(frozen=True, slots=True)
class Added:
    """A row that was appended; see the module's docstring for `marks`."""

    scope: Scope
    run_id: str
    keys: tuple[str, ...]
    marks: str

    @property
    def by_cell(self) -> bool:
        """Whether each cell is known, and not only the row as a whole."""
        return len(self.marks) == len(self.keys) * MARK

    def is_ours(self, key: str, value: Stored) -> bool:
        """Whether a cell still holds what was written; False where only the whole row is known."""
        if not self.by_cell or key not in self.keys:
            return False
        start = self.keys.index(key) * MARK
        return self.marks[start : start + MARK] == mark(value)

    def is_whole(self, cells: Mapping[str, Stored]) -> bool:
        """Whether the row as a whole still holds what was written."""
        if self.by_cell:
            return all(self.is_ours(key, cells[key]) for key in self.keys if key in cells)
        return self.marks == digest({key: cells[key] for key in self.keys if key in cells})


@dataclass(slots=True)
class Tick:
    """What one tick wrote: rows appended, keys of columns made, batches that changed cells.

    `raw` are the rows as the notes have them: a first sync appends a hundred thousand, and only who undoes it
    wants to know them.
    """

    name: str
    columns: list[str] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    raw: list[Any] = field(default_factory=list)
    _rows: list[Added] | None = field(default=None, compare=False, repr=False)

    @property
    def rows(self) -> list[Added]:
        """The rows appended, in order. What makes no sense is passed over."""
        if self._rows is None:
            self._rows = []
            for data in self.raw:
                with suppress(ValueError, TypeError, LookupError, AttributeError):
                    self._rows += list(_added(data))
        return self._rows

    @property
    def touched(self) -> list[Touched]:
        """Rows in which cells were changed, in order."""
        return [row for batch in self.batches for row in batch.rows]


def name(now: datetime, chance: str) -> str:
    """The name of a tick: its time (UTC), and four digits of chance, since two may run at once."""
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{chance[:4]}"


def when(tick: str) -> datetime | None:
    """The time of a tick by its name."""
    match = _NAME.fullmatch(tick)
    return datetime.strptime(match[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) if match else None


def batch(changes: Iterable[Change], at: Mapping[str, int], images: str = "") -> Batch:
    """The record of a batch that makes these changes."""
    rows = [
        Touched(
            change.scope,
            change.row.run_id,
            change.row.project,
            change.row.index,
            {edit.key: Cell(edit.before, edit.after, edit.back) for edit in change.cells},
        )
        for change in changes
    ]
    return Batch(images, at, tuple(rows))


def rows_added(tick: str, keys: Sequence[str], rows: Sequence[Row], stored: Stores) -> list[Note]:
    """The notes of rows that a batch appends; `stored` tells what the sheet makes of a cell."""
    short = len(rows) * len(keys) * MARK > MARKS_CHARS
    items: list[tuple[Scope, Any]] = []
    for row in rows:
        cells = [stored(cell) for cell in row.cells]
        marks = digest(dict(zip(keys, cells, strict=True))) if short else "".join(map(mark, cells))
        items.append((row.scope, [row.run_id, marks]))
    head = {"keys": list(keys)}
    return [
        _note(tick, head | {"rows": _by_scope(part)})
        for part in parts(items, TEXT_CHARS - json_size(head), _row_size)
    ]


def columns_made(tick: str, keys: Iterable[str]) -> list[Note]:
    """The notes of columns that a batch makes."""
    return [_note(tick, {"columns": list(part)}) for part in parts(list(keys), TEXT_CHARS)]


def cells_changed(tick: str, changed: Batch) -> list[Note]:
    """The notes of cells that a batch changes."""
    rows = [entry for row in changed.rows for entry in _entries(row)]
    head = {"images": changed.images, "at": dict(changed.at)}
    room = TEXT_CHARS - json_size(head)
    return [_note(tick, head | {"cells": list(part)}) for part in parts(rows, room)]


def _entries(row: Touched) -> list[list[Any]]:
    """A row as JSON; a wide one in several entries, which `joined` makes one again."""
    scope = scope_text(row.scope) if row.scope else ""
    cells = [(key, [keep(c.before), keep(c.after), int(c.back)]) for key, c in row.cells.items()]
    who = [scope, row.run_id, row.project, row.index]
    return [[*who, dict(part)] for part in parts(cells, TEXT_CHARS // 2)]


def joined(first: Batch, more: Batch) -> Batch:
    """One batch, of which two notes tell."""
    rows = list(first.rows)
    for row in more.rows:
        if rows and rows[-1].index == row.index:
            rows[-1] = replace(row, cells={**rows[-1].cells, **row.cells})
        else:
            rows.append(row)
    return Batch(first.images, first.at, tuple(rows))


def parse(notes: Iterable[Note]) -> list[Tick]:
    """The ticks, oldest first. What makes no sense is passed over: a person wrote it."""
    ticks: dict[str, Tick] = {}
    for kind, where, text in map(triple, notes):
        if kind != "tick":
            continue
        try:
            _take(ticks.setdefault(where, Tick(where)), json.loads(text))
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError):
            continue
    return [tick for tick in ticks.values() if when(tick.name)]


def tells_of_changes(note: Note) -> bool:
    """Whether a note may tell of cells that a batch changed."""
    return '"cells"' in triple(note)[2]


def newest(notes: Sequence[Note]) -> list[Note]:
    """The notes of the last TICKS ticks, as far as CHARS go; a tick is kept whole or not at all."""
    sizes: dict[str, int] = {}
    for kind, where, text in map(triple, notes):
        if kind == "tick":
            sizes[where] = sizes.get(where, 0) + len(text)
    left, kept_ticks = CHARS, set[str]()
    for tick in list(reversed(sizes))[:TICKS]:
        left -= sizes[tick]
        if left < 0 and kept_ticks:  # The last one stays: its images may still be needed.
            break
        kept_ticks.add(tick)
    return [note for note in notes if triple(note)[0] == "tick" and note[1] in kept_ticks]


def _take(tick: Tick, data: Any) -> None:
    if "rows" in data:
        tick.raw.append(data)
    if "columns" in data:
        tick.columns += map(str, data["columns"])
    if "cells" in data:
        images, at = str(data["images"]), {str(key): int(index) for key, index in data["at"].items()}
        told = joined(Batch(images, at, ()), Batch(images, at, tuple(map(_touched, data["cells"]))))
        if tick.batches and images and tick.batches[-1].images == images:
            told = joined(tick.batches.pop(), told)
        tick.batches.append(told)


def _added(data: Any) -> Iterator[Added]:
    keys = tuple(map(str, data["keys"]))
    for where, rows in data["rows"].items():
        if scope := parse_scope(where):
            yield from (Added(scope, str(run_id), keys, str(marks)) for run_id, marks in rows)


def _touched(item: Any) -> Touched:
    where, run_id, project, index, cells = item
    return Touched(
        parse_scope(where),
        str(run_id),
        str(project),
        int(index),
        {str(key): Cell(kept(old), kept(new), bool(back)) for key, (old, new, back) in cells.items()},
    )


def _row_size(item: tuple[Scope, Any]) -> int:
    """At most, since rows of one scope share its name."""
    return json_size(item[1]) + json_size(scope_text(item[0]))


def _by_scope(items: Iterable[tuple[Scope, Any]]) -> dict[str, list[Any]]:
    grouped: dict[str, list[Any]] = {}
    for scope, item in items:
        grouped.setdefault(scope_text(scope), []).append(item)
    return grouped


def _note(tick: str, data: Mapping[str, Any]) -> Note:
    return ("tick", tick, json_text(data))
