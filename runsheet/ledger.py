"""The book-keeping that lives beside the table: which runs and columns were ever added.

It is kept as text rows `(kind, scope, text)` in the hidden tab `_runsheet`, so that every
destination stores it alike and two machines agree. Rows are only ever appended; `compact`
packs many into few. Pure: no I/O.

    ids       scope    ids ever appended, separated by blanks, quoted as in a URL
    found     project  ids of rows that stood there when the sheet was adopted, or when the
                       book-keeping was made again; the project is what its cell shows
    start     -        the worksheet was found empty and starts over: forget what stands above
    forget    -        ids that may come back although their rows were deleted: take them from above
    column    path     the key of a column that was made or adopted; the path it shows, if known

A run whose id is here but not in the sheet was deleted by a person, and stays out (P4); the same
holds for columns (P3). Unknown kinds and unreadable rows are kept as they are: a person, or a
later version, wrote them.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from runsheet.model import Row, RowId, Scope

Note = tuple[str, ...]

HEADER: Note = ("runsheet", "book-keeping, written by the sync: please leave it", "")
"""First row of the tab, for people who unhide it."""

TEXT_CHARS = 30_000
"""The longest text of one row: below what a cell of any destination holds (32,767 in .xlsx)."""

COMPACT_ROWS = 400
"""More rows than this are packed together at the next write, if that halves them."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the book-keeping says: ids by scope, ids of rows that were found by the project they
    show, and the path of each column by its key."""

    ids: Mapping[Scope, frozenset[str]] = field(default_factory=dict)
    found: Mapping[str, frozenset[str]] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)

    def knows(self, scope: Scope, run_id: str) -> bool:
        return run_id in self.ids.get(scope, ())

    def has_row(self, run_id: str) -> bool:
        """Whether a row with this id is a run's: we wrote it, or found it."""
        return any(run_id in ids for ids in (*self.ids.values(), *self.found.values()))


def scope_text(scope: Scope) -> str:
    """A scope as one word; `parse_scope` is its inverse."""
    return " ".join(map(_word, (scope.source, scope.host, scope.project)))


def parse_scope(text: str) -> Scope | None:
    parts = [_unword(part) for part in text.split(" ")]
    return Scope(*parts) if len(parts) == 3 else None


def parse(notes: Iterable[Note]) -> Ledger:
    """Read the rows; those that make no sense are passed over."""
    ids: dict[Scope, set[str]] = defaultdict(set)
    found: dict[str, set[str]] = defaultdict(set)
    columns: dict[str, str] = {}
    for kind, where, text in map(_triple, notes):
        if kind == "ids" and (scope := parse_scope(where)):
            ids[scope].update(map(_unword, text.split()))
        elif kind == "found":
            found[_unword(where)].update(map(_unword, text.split()))
        elif kind == "forget":
            words = set(map(_unword, text.split()))
            for known in (*ids.values(), *found.values()):
                known -= words
        elif kind == "start":
            ids.clear()
            found.clear()
            columns.clear()
        elif kind == "column" and text:
            columns[text] = where
    return Ledger(
        {scope: frozenset(known) for scope, known in ids.items()},
        {project: frozenset(known) for project, known in found.items()},
        columns,
    )


def added(rows: Iterable[Row]) -> list[Note]:
    """The notes that say these rows were appended."""
    by_scope: dict[Scope, list[str]] = defaultdict(list)
    for row in rows:
        by_scope[row.scope].append(row.run_id)
    return [note for scope, ids in by_scope.items() for note in pack(scope, ids)]


def found(rows: Iterable[RowId]) -> list[Note]:
    """The notes that say these rows stood in the sheet already."""
    by_project: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        by_project[row.project].append(row.run_id)
    return [note for project, ids in by_project.items() for note in _packed("found", _word(project), ids)]


def pack(scope: Scope, ids: Iterable[str]) -> Iterator[Note]:
    """Many ids of a scope to a note, none longer than TEXT_CHARS."""
    return _packed("ids", scope_text(scope), ids)


def _packed(kind: str, where: str, ids: Iterable[str]) -> Iterator[Note]:
    words: list[str] = []
    size = 0
    for word in map(_word, ids):
        if words and size + len(word) + 1 > TEXT_CHARS:
            yield (kind, where, " ".join(words))
            words, size = [], 0
        words.append(word)
        size += len(word) + 1
    if words:
        yield (kind, where, " ".join(words))


def column(key: str, path: str) -> Note:
    """The note that says that a column was made, and what it shows; a later one replaces it."""
    return ("column", path, key)


START: Note = ("start", "", "")


def forget(ids: Iterable[str]) -> list[Note]:
    """The notes that let deleted runs back in."""
    return list(_packed("forget", "", ids))


def compact(notes: Sequence[Note]) -> list[Note] | None:
    """The same book-keeping in fewer rows; None when it is short enough as it is.

    Rows that parse() passes over are kept, in their order, at the end.
    """
    if len(notes) <= COMPACT_ROWS:
        return None
    ledger = parse(notes)
    packed = [note for scope in sorted(ledger.ids) for note in pack(scope, sorted(ledger.ids[scope]))]
    for project, ids in sorted(ledger.found.items()):
        packed += _packed("found", _word(project), sorted(ids))
    packed += [column(key, path) for key, path in ledger.columns.items()]
    packed += [note for note in notes if not _is_read(note)]
    return packed if len(packed) * 2 <= len(notes) else None


def _is_read(note: Note) -> bool:
    """Whether parse() takes something from a note."""
    return _triple(note)[0] in ("start", "forget") or parse([note]) != Ledger()


def _word(text: str) -> str:
    """A text as one word without blanks; `_unword` is its inverse. "-" stands for no text."""
    return "%2D" if text == "-" else quote(text, safe="/", errors="surrogatepass") or "-"


def _unword(word: str) -> str:
    return "" if word == "-" else unquote(word, errors="surrogatepass")


def _triple(note: Note) -> tuple[str, str, str]:
    kind, where, text = (*note, "", "", "")[:3]
    return kind, where, text
