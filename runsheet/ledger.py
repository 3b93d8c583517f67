"""The book-keeping that lives beside the table: which runs and columns were ever added.

It is kept as text rows `(kind, scope, text)` in the hidden tab `_runsheet`, so that every
destination stores it alike and two machines agree. Rows are only ever appended; `compact`
packs many into few. Pure: no I/O.

    ids       scope   ids ever appended, separated by blanks, quoted as in a URL
    start     -       the worksheet was found empty and starts over: forget what stands above
    column    path    the key of a column that was made or adopted; the path it shows, if known

A run whose id is here but not in the sheet was deleted by a person, and stays out (P4); the same
holds for columns (P3). Unknown kinds and unreadable rows are kept as they are: a person, or a
later version, wrote them.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from runsheet.model import Row, Scope

Note = tuple[str, ...]

HEADER: Note = ("runsheet", "book-keeping, written by the sync: please leave it", "")
"""First row of the tab, for people who unhide it."""

TEXT_CHARS = 30_000
"""The longest text of one row: below what a cell of any destination holds (32,767 in .xlsx)."""

KINDS = frozenset({"ids", "column", "start"})
"""The kinds that this version reads."""

COMPACT_ROWS = 400
"""More rows than this are packed together at the next write."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the book-keeping says: ids by scope, and the path of each column by its key."""

    ids: Mapping[Scope, frozenset[str]] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)

    def knows(self, scope: Scope, run_id: str) -> bool:
        return run_id in self.ids.get(scope, ())


def scope_text(scope: Scope) -> str:
    """A scope as one word; `parse_scope` is its inverse."""
    return " ".join(quote(part, safe="/") or "-" for part in (scope.source, scope.host, scope.project))


def parse_scope(text: str) -> Scope | None:
    parts = ["" if part == "-" else unquote(part) for part in text.split(" ")]
    return Scope(*parts) if len(parts) == 3 else None


def parse(notes: Iterable[Note]) -> Ledger:
    """Read the rows; those that make no sense are passed over."""
    ids: dict[Scope, set[str]] = defaultdict(set)
    columns: dict[str, str] = {}
    for kind, where, text in map(_triple, notes):
        if kind == "ids" and (scope := parse_scope(where)):
            ids[scope].update(unquote(word) for word in text.split())
        elif kind == "start":
            ids.clear()
            columns.clear()
        elif kind == "column" and text:
            columns[text] = where
    return Ledger({scope: frozenset(known) for scope, known in ids.items()}, columns)


def added(rows: Iterable[Row]) -> list[Note]:
    """The notes that say these rows were appended."""
    by_scope: dict[Scope, list[str]] = defaultdict(list)
    for row in rows:
        by_scope[row.scope].append(row.run_id)
    return [note for scope, ids in by_scope.items() for note in pack(scope, ids)]


def pack(scope: Scope, ids: Iterable[str]) -> Iterator[Note]:
    """Many ids to a note, none longer than TEXT_CHARS."""
    words: list[str] = []
    size = 0
    for word in (quote(run_id, safe="") for run_id in ids):
        if words and size + len(word) + 1 > TEXT_CHARS:
            yield ("ids", scope_text(scope), " ".join(words))
            words, size = [], 0
        words.append(word)
        size += len(word) + 1
    if words:
        yield ("ids", scope_text(scope), " ".join(words))


def column(key: str, path: str) -> Note:
    """The note that says that a column was made, and what it shows; a later one replaces it."""
    return ("column", path, key)


START: Note = ("start", "", "")


def compact(notes: Sequence[Note]) -> list[Note] | None:
    """The same book-keeping in fewer rows; None when it is short enough as it is.

    Rows that parse() passes over are kept, in their order, at the end.
    """
    if len(notes) <= COMPACT_ROWS:
        return None
    ledger = parse(notes)
    packed = [note for scope in sorted(ledger.ids) for note in pack(scope, sorted(ledger.ids[scope]))]
    packed += [column(key, path) for key, path in ledger.columns.items()]
    return packed + [note for note in notes if _triple(note)[0] not in KINDS]


def _triple(note: Note) -> tuple[str, str, str]:
    kind, where, text = (*note, "", "", "")[:3]
    return kind, where, text
