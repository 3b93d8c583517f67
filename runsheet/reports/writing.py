"""How reports are written: lines fit for a terminal, and CSV that spreadsheets take for no formulas. Pure."""

import csv
import unicodedata
from collections.abc import Iterable
from typing import Any

WIDTH = 80
"""Columns of a terminal."""


def width(line: str) -> int:
    """The columns that a line takes on a terminal: Chinese, Japanese and Korean characters take two."""
    return len(line) + sum(unicodedata.east_asian_width(char) in "WF" for char in line)


def plain(line: str) -> str:
    """A line without characters that a terminal would obey or could not show."""
    return line if line.isprintable() else "".join(char if char.isprintable() else " " for char in line)


def shorten(line: str, columns: int = WIDTH) -> str:
    """A line that takes so many columns at most, fit for a terminal."""
    line = plain(line)
    if width(line) <= columns:
        return line
    while line and width(line) >= columns:
        line = line[:-1]
    return f"{line}…"


class _Text(list[str]):
    """What is written, piece by piece."""

    write = list[str].append


def csv_rows(rows: Iterable[Iterable[Any]]) -> str:
    """Rows as CSV. A text that a spreadsheet would take for a formula has an apostrophe in front."""
    made = _Text()
    writer = csv.writer(made, lineterminator="\n")
    for row in rows:
        writer.writerow([_no_formula(cell) if isinstance(cell, str) else cell for cell in row])
    return "".join(made)


def _no_formula(cell: str) -> str:
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
