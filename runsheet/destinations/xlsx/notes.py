"""The hidden tab of the book-keeping: text rows, and which mark stands for which column.

The tab is wholly ours and is written anew with every save, from what it holds. A workbook may hold
several tables of ours: the fourth cell of each row says for which WORKSHEET it stands. A text that no cell
holds goes on in the cells behind that.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from runsheet import compaction, ledger
from runsheet.destinations.a1 import letters
from runsheet.destinations.xlsx.book import MARK, NOTES, Book
from runsheet.destinations.xlsx.cell_xml import Calendar, render
from runsheet.destinations.xlsx.markup import MAIN, Unfit
from runsheet.destinations.xlsx.package import Package
from runsheet.destinations.xlsx.sheet import measure
from runsheet.destinations.xlsx.strings import resolve
from runsheet.packing import Note, triple

_KIND = "mark"
_PIECE = 16_000
"""Characters of a text in one cell: Excel counts some as two, and takes 32,767."""


@dataclass(slots=True)
class Notes:
    """What the tab holds on one table: rows as the ledger knows them, and keys by mark number.

    `part` is the tab's member, "" when there is no such tab; `others` are the rows of other tables."""

    table: str
    part: str = ""
    rows: list[Note] = field(default_factory=list)
    marks: dict[int, str] = field(default_factory=dict)
    others: list[Note] = field(default_factory=list)


def load(package: Package, book: Book, table: str) -> Notes:
    """Read the tab for the table of a WORKSHEET. Raises Unfit when that tab is somebody else's."""
    tab = book.tab(NOTES)
    if tab is None:
        return Notes(table)
    if not tab.part:
        raise Unfit(f"has a tab {NOTES} that is not ours: rename it")
    with package.open(tab.part) as source:
        layout = measure(source, None)
    shared = (lambda: package.open(book.shared)) if book.shared else None
    cells = resolve(layout.texts, shared)
    width = layout.right + 1
    rows = [tuple(cells.get((row, index), "") for index in range(width)) for row in layout.numbers]
    if rows and rows[0][0] != ledger.HEADER[0]:
        raise Unfit(f"has a tab {NOTES} that is not ours: rename it")
    notes = Notes(table, tab.part)
    for row in rows[1:]:
        _take(_trimmed(row), notes)
    return notes


def _take(row: Note, notes: Notes) -> None:
    """A row is a mark or a note of our table, or another table's; a mark that makes no sense is
    kept as a note."""
    number = MARK.fullmatch(row[1]) if row[0] == _KIND else None
    if row[3] != notes.table:
        notes.others.append(row)
    elif number is None:
        notes.rows.append((*row[:2], "".join(row[2:3] + row[4:])) if len(row[2]) == _PIECE else row[:3])
    else:
        notes.marks[int(number[1])] = row[2]


def _trimmed(row: Note) -> Note:
    """Kind, scope, text and table, or more if somebody wrote more."""
    size = len(row)
    while size > 4 and not row[size - 1]:
        size -= 1
    return (*row[:size], *[""] * (4 - size))


def part(notes: Notes, rows: list[Note]) -> bytes:
    """The tab's part: the heading, other tables' rows, our marks, then our rows, packed when they
    have become many."""
    marks = [(_KIND, f"_rs_{number}", notes.marks[number]) for number in sorted(notes.marks)]
    ours = [_cut(row, notes.table) for row in (*marks, *(compaction.compact(rows) or rows))]
    return b"".join(_part([*notes.others, *ours]))


def _cut(row: Note, table: str) -> Note:
    kind, where, text = triple(row)
    pieces = [text[at : at + _PIECE] for at in range(0, len(text), _PIECE)] or [""]
    return (kind, where, pieces[0], table, *pieces[1:])


def _part(rows: list[Note]) -> Iterator[bytes]:
    yield b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    yield f'<worksheet xmlns="{MAIN}"><cols><col min="1" max="1" width="10" customWidth="1"/>'.encode()
    yield b'<col min="2" max="4" width="48" customWidth="1"/></cols><sheetData>'
    calendar = Calendar()
    for number, row in enumerate([ledger.HEADER, *rows], 1):
        cells = (
            render(text, f"{letters(index)}{number}", 0, "", calendar)
            for index, text in enumerate(row)
            if text
        )
        yield f'<row r="{number}">{"".join(cells)}</row>'.encode()
    yield b"</sheetData></worksheet>"
