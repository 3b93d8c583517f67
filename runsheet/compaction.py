"""The book-keeping in fewer rows: what is told by many notes is told by few (ledger.py). Pure."""

from collections.abc import Sequence

from runsheet import journal, ledger
from runsheet.ledger import Ledger
from runsheet.model import RowId
from runsheet.packing import Note, packed, triple, word

COMPACT_ROWS = 400
"""More rows than this are packed together at the next write, if that halves them."""

COMPACT_CHARS = 1_000_000
"""So are texts of more characters."""

WAS_CHARS = 50_000
"""As much is kept of what was written to rows that have settled: runs that are resumed are mostly
resumed soon, and then each cell counts and not the row as a whole."""


def compact(notes: Sequence[Note]) -> list[Note] | None:
    """The same book-keeping in fewer rows, with the journal of the last ticks; None when it is short
    enough as it is.

    Rows that ledger.parse() passes over are kept, in their order, at the end.
    """
    size = sum(len(triple(note)[2]) for note in notes)
    if len(notes) <= COMPACT_ROWS and size <= COMPACT_CHARS:
        return None
    short = _compacted(notes)
    if len(short) * 2 <= len(notes) or sum(len(triple(note)[2]) for note in short) * 2 <= size:
        return short
    return None


def _compacted(notes: Sequence[Note]) -> list[Note]:
    book = ledger.parse(notes)
    short = journal.newest(notes)
    known = [
        (scope, run_id, book.end(scope, run_id))
        for scope in sorted(book.ids)
        for run_id in sorted(book.ids[scope])
    ]
    short += ledger.added(known) + _settled_last(book)
    short += ledger.live(
        (scope, run_id, rows[run_id]) for scope, rows in sorted(book.live.items()) for run_id in rows
    )
    for project, ids in sorted(book.found.items()):
        short += packed("found", word(project), map(word, sorted(ids)))
    short += [ledger.column(key, path) for key, path in book.columns.items()]
    short += [ledger.title(key, text) for key, text in book.titles.items()]
    short += [ledger.gone(key) for key in sorted(book.gone)]
    ticks = {tick.name for tick in journal.parse(short)}
    short += [ledger.undone(tick, by) for tick, by in book.undone.items() if tick in ticks]
    short += [ledger.zone(book.zone)] if book.zone else []
    short += [ledger.DONE] if book.complete else []
    short += [ledger.watermarks(book.watermarks)] if book.watermarks else []
    if book.removed:
        images, rows = book.removed
        short.append(ledger.removed(images, (RowId(run_id, "", at) for at, run_id in rows)))
    last = ledger.parse(short).pending
    if last and not book.pending:
        short.append(ledger.checked(last))
    return [*short, *(note for note in notes if not _is_read(note))]


def _settled_last(book: Ledger) -> list[Note]:
    """What was last written to the rows that settled last, as far as WAS_CHARS go."""
    notes: list[Note] = []
    left = WAS_CHARS
    for (scope, run_id), base in reversed(book.was.items()):
        if book.base(scope, run_id) is not None or not book.knows(scope, run_id):
            continue
        end = (scope, run_id, book.end(scope, run_id))
        again = [*ledger.live([(scope, run_id, base)]), *ledger.added([end])]
        left -= sum(len(triple(note)[2]) for note in again)
        if left < 0:
            break
        notes = [*again, *notes]
    return notes


def _is_read(note: Note) -> bool:
    """Whether ledger.parse() takes something from a note."""
    return triple(note)[0] in _MARKERS or ledger.parse([note]) != Ledger()


_MARKERS = frozenset({"start", "forget", "gone", "checked", "tick", "restored", ledger.WATERMARKS})
