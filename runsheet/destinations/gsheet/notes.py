"""The hidden tab of the book-keeping: one note a cell, in column A.

Several tables share the tab; each note begins with the name of its table.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from runsheet import compaction, ledger
from runsheet.destinations.gsheet import marks, reader
from runsheet.packing import Note

NOTES_HEADER = " ".join(ledger.HEADER).strip()
"""The first cell, for people who unhide the tab."""


class NotesTab:
    """What was read of the tab. `there`: it was found by its mark; `moved`: not in column A, since
    somebody inserted a column, and appended cells would go elsewhere."""

    def __init__(self) -> None:
        self._texts: Sequence[str] = ()
        self.there = False
        self.moved = False

    def take(self, ranges: Sequence[Mapping[str, Any]]) -> None:
        """Read an answer in which the tab was looked up by its mark."""
        found = [item for item in ranges if marks.NOTES in reader.looked_up(item)]
        self.there = bool(found)
        self.moved = bool(found) and not reader.begins_at_column_a(found[0])
        self._texts = reader.by_mark(found).get(marks.NOTES, ())

    def of(self, table: str) -> tuple[Note, ...]:
        """The notes of one table, in order."""
        parsed = (parse_note(text) for text in self._texts)
        return tuple(item[1] for item in parsed if item and item[0] == table)

    def repacked(self, table: str) -> tuple[str, ...]:
        """What the tab should hold instead: the notes of one table packed, everything else as it is.
        () when it should stay as it is."""
        kept = [text for text in self._texts if text and text != NOTES_HEADER]
        packed = compaction.compact(self.of(table))
        if packed is None:
            return tuple(kept) if self.moved else ()
        others = [text for text in kept if not _is_of(text, table)]
        return (*others, *(note_text(table, note) for note in packed))


def note_text(table: str, note: Note) -> str:
    """A note as the text of one cell."""
    return json.dumps([table, *note], ensure_ascii=False, separators=(",", ":"))


def parse_note(text: str) -> tuple[str, Note] | None:
    """Table and note of a cell's text; None for a text that is not ours."""
    try:
        table, *note = json.loads(text)
    except (ValueError, TypeError):
        return None
    return (table, tuple(map(str, note))) if isinstance(table, str) else None


def _is_of(text: str, table: str) -> bool:
    parsed = parse_note(text)
    return parsed is not None and parsed[0] == table
