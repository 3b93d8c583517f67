"""How cells are named: A1 text and half-open areas of indices. Pure; knows no document."""

from __future__ import annotations

import re
from typing import NamedTuple

END = re.compile(r"\$?([A-Za-z]{0,3})\$?([1-9]\d*)?")
CELL_LIKE = re.compile(r"[A-Za-z]{1,3}\d+|[Rr]\d*[Cc]\d*")
QUOTED = re.compile(r"'(?:[^']|'')+'")
PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Area(NamedTuple):
    """Rows top..bottom and columns left..right, ends exclusive."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def rows(self) -> range:
        return range(self.top, self.bottom)

    @property
    def columns(self) -> range:
        return range(self.left, self.right)

    def meets(self, other: Area) -> bool:
        return (
            self.top < other.bottom
            and other.top < self.bottom
            and self.left < other.right
            and other.left < self.right
        )

    def holds(self, row: int, column: int) -> bool:
        return self.top <= row < self.bottom and self.left <= column < self.right


class Bounds(NamedTuple):
    """A range as written: None stands for an end that was left open."""

    top: int | None = None
    left: int | None = None
    bottom: int | None = None
    right: int | None = None

    def within(self, height: int, width: int) -> Area:
        """The area meant on a grid of that size; its far ends are cut at the edge, its near ends are not."""
        bottom = height if self.bottom is None else min(self.bottom, height)
        right = width if self.right is None else min(self.right, width)
        return Area(self.top or 0, self.left or 0, bottom, right)

    @property
    def single(self) -> bool:
        """Whether one cell is named: such a range may grow with the values written to it."""
        if self.top is None or self.left is None:
            return False
        return self.bottom == self.top + 1 and self.right == self.left + 1


def letters(column: int) -> str:
    """A, B, ... Z, AA: the name of a zero-based column."""
    name = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(65 + rest) + name
    return name


def number(name: str) -> int:
    """The zero-based index of a column's letters."""
    index = 0
    for letter in name.upper():
        index = index * 26 + ord(letter) - 64
    return index - 1


def parse(text: str) -> Bounds | None:
    """The bounds of 'A1', 'B2:C', '1:1', 'A1:2' or 'D4:A1'; None when the text is no range of cells."""
    first, colon, last = text.partition(":")
    start = _end(first)
    stop = _end(last) if colon else start
    if start is None or stop is None or (not colon and None in start):
        return None
    top, bottom = _ordered(start[0], stop[0])
    left, right = _ordered(start[1], stop[1])
    return Bounds(top, left, None if bottom is None else bottom + 1, None if right is None else right + 1)


def cell(text: str) -> tuple[int, int]:
    """Row and column of a cell's name, for tests; raises ValueError when it is not one cell."""
    bounds = parse(text)
    if bounds is None or not bounds.single:
        raise ValueError(f"not a cell: {text!r}")
    return bounds.top or 0, bounds.left or 0


def name(area: Area) -> str:
    """'B2' or 'A1:C4'."""
    first = f"{letters(area.left)}{area.top + 1}"
    last = f"{letters(area.right - 1)}{area.bottom}"
    return first if first == last else f"{first}:{last}"


def quote(title: str) -> str:
    """A tab's title as Google prints it before '!': quoted unless it is a plain word that is no cell."""
    if PLAIN.fullmatch(title) and not CELL_LIKE.fullmatch(title):
        return title
    return "'" + title.replace("'", "''") + "'"


def split(text: str) -> tuple[str | None, str]:
    """The tab's title, if one is named, and the rest: \"'A''s'!B2\" gives (\"A's\", 'B2')."""
    if QUOTED.fullmatch(text):
        return unquote(text), ""
    head, bang, tail = text.rpartition("!")
    return (unquote(head), tail) if bang else (None, text)


def unquote(title: str) -> str:
    if len(title) > 1 and title[0] == title[-1] == "'":
        return title[1:-1].replace("''", "'")
    return title


def _end(text: str) -> tuple[int | None, int | None] | None:
    match = END.fullmatch(text)
    if not match or not text.strip("$"):
        return None
    column, row = match.groups()
    return (int(row) - 1 if row else None), (number(column) if column else None)


def _ordered(first: int | None, last: int | None) -> tuple[int | None, int | None]:
    """Reversed corners are put right; an open end stays at the far side ('A5:A' begins at row 5)."""
    if last is None or first is None:
        return (first if first is not None else last), None if first is None or last is None else last
    return min(first, last), max(first, last)
