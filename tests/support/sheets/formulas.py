"""References inside formulas: what they become when lines shift, tabs are renamed or formulas are copied.

A modest reader: it finds references outside of string literals by their form. Names of functions that look
like cells (LOG10) are told apart by the bracket behind them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.support.sheets import a1
from tests.support.sheets.shifts import Shift

LITERAL = re.compile(r'("(?:[^"]|"")*")')
REFERENCE = re.compile(
    r"(?<![\w$!'.])"
    r"(?P<tab>'(?:[^']|'')+'!|[A-Za-z_]\w*!)?"
    r"(?P<first>\$?[A-Za-z]{1,3}\$?[1-9]\d*|\$?[A-Za-z]{1,3}(?=:)|\$?[1-9]\d*(?=:))"
    r"(?::(?P<last>\$?[A-Za-z]{1,3}\$?[1-9]\d*|\$?[A-Za-z]{1,3}|\$?[1-9]\d*))?"
    r"(?![\w(!])"
)
PART = re.compile(r"(\$?)([A-Za-z]*)(\$?)(\d*)")


@dataclass(frozen=True)
class Corner:
    """One end of a reference; a column or row that is not written is None."""

    column: int | None
    row: int | None
    fixed_column: bool
    fixed_row: bool

    def __str__(self) -> str:
        text = ""
        if self.column is not None:
            text += "$" * self.fixed_column + a1.letters(self.column)
        if self.row is not None:
            text += "$" * self.fixed_row + str(self.row + 1)
        return text


def corner(text: str) -> Corner:
    match = PART.fullmatch(text)
    assert match
    first, letters, second, digits = match.groups()
    return Corner(
        a1.number(letters) if letters else None,
        int(digits) - 1 if digits else None,
        bool(first and letters),
        bool(second) or bool(first and not letters),
    )


def shift(formula: str, home: str, tab: str, moved: Shift) -> str:
    """The formula, which stands on the tab `home`, after lines of `tab` have shifted."""

    def change(prefix: str, first: Corner, last: Corner) -> str | None:
        title = a1.unquote(prefix[:-1]) if prefix else home
        if title.casefold() != tab.casefold():
            return None
        span = _shift_span(first, last, moved)
        return "#REF!" if span is None else prefix + _text(*span, first is last)

    return _each(formula, change)


def offset(formula: str, rows: int, columns: int) -> str:
    """The formula after a copy to another cell: references without '$' move along."""

    def step(end: Corner) -> Corner | None:
        row = end.row if end.row is None or end.fixed_row else end.row + rows
        column = end.column if end.column is None or end.fixed_column else end.column + columns
        if (row is not None and row < 0) or (column is not None and column < 0):
            return None
        return replace(end, row=row, column=column)

    def change(prefix: str, first: Corner, last: Corner) -> str | None:
        start, stop = step(first), step(last)
        return "#REF!" if start is None or stop is None else prefix + _text(start, stop, first is last)

    return _each(formula, change)


def rename(formula: str, old: str, new: str) -> str:
    """The formula after a tab got another title."""

    def change(prefix: str, first: Corner, last: Corner) -> str | None:
        if not prefix or a1.unquote(prefix[:-1]).casefold() != old.casefold():
            return None
        return f"{a1.quote(new)}!{_text(first, last, first is last)}"

    return _each(formula, change)


def forget(formula: str, home: str, gone: str) -> str:
    """The formula after a tab was deleted."""

    def change(prefix: str, first: Corner, last: Corner) -> str | None:
        lost = prefix and a1.unquote(prefix[:-1]).casefold() == gone.casefold()
        return "#REF!" if lost else None

    return _each(formula, change)


def _each(formula: str, change: Callable[[str, Corner, Corner], str | None]) -> str:
    """Replace each reference by what `change` answers; None leaves it as it is written."""

    def swap(match: re.Match[str]) -> str:
        first = corner(match["first"])
        last = corner(match["last"]) if match["last"] else first
        changed = change(match["tab"] or "", first, last)
        return match[0] if changed is None else changed

    parts = LITERAL.split(formula)
    return "".join(part if part.startswith('"') else REFERENCE.sub(swap, part) for part in parts)


def _text(first: Corner, last: Corner, single: bool) -> str:
    return str(first) if single else f"{first}:{last}"


def _shift_span(first: Corner, last: Corner, moved: Shift) -> tuple[Corner, Corner] | None:
    axis = "row" if moved.axis == "ROWS" else "column"
    start, end = getattr(first, axis), getattr(last, axis)
    if start is None and end is None:
        return first, last
    if start is None or end is None:  # 'A2:A' reaches to the edge: only the end that is written moves
        known = moved.point(end if start is None else start)
        return None if known is None else (_set(first, axis, known), _set(last, axis, known))
    span = moved.span(min(start, end), max(start, end) + 1)
    return None if span is None else (_set(first, axis, span[0]), _set(last, axis, span[1] - 1))


def _set(end: Corner, axis: str, index: int) -> Corner:
    if axis == "row":
        return end if end.row is None else replace(end, row=index)
    return end if end.column is None else replace(end, column=index)
