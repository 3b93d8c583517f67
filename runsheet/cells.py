"""A value becomes a cell (promise P5): what cannot stand in a cell is changed visibly, or left out.

Pure. A *cell* is a bare scalar (model.Cell); a *mark* stands for something that is not a value,
such as a logged image.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from runsheet.model import Cell

EXACT_INT = 2**53
"""Both Sheets and Excel keep numbers as doubles: integers beyond this would change (IEEE 754)."""

CUT = "… [cut: {total} characters]"
"""Ends a text that a cell cannot hold."""

FLAT = frozenset({str, int, float, bool, list, type(None)})
"""The types that JSON has besides objects."""

# C0, DEL and C1 controls except tab and newline; lone surrogates; the two code points that XML
# forbids. Format characters (joiners, direction marks) stay: scripts and emoji need them.
_BAD = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_NOT_A_NUMBER = frozenset({"NaN", "Infinity", "-Infinity"})


class Mark(str):
    """A short text that stands for something a cell cannot show, such as `[histogram]`."""

    __slots__ = ()


def text(value: str) -> str:
    """A text without control characters; Windows and old Mac line ends become newlines."""
    if value.isascii() and value.isprintable():
        return value
    return _BAD.sub(_replacement, value.replace("\r\n", "\n").replace("\r", "\n"))


def number(value: float) -> Cell:
    """A number, None for NaN and infinities, and exact text for integers beyond 2^53."""
    if isinstance(value, int):
        return value if abs(value) <= EXACT_INT else _digits(value)
    return value if isfinite(value) else None


def clean(value: Any) -> Cell:
    """The cell for one value of a run's config or summary; mappings are flattened before.

    - None, NaN and infinities (also as the strings that W&B's JSON uses) -> None
    - bool, int, float -> themselves; integers beyond 2^53 -> text
    - text -> text without control characters
    - a list of scalars -> "1, 2, 3"; any other list -> JSON
    - media (a mapping with `_type`) -> a Mark such as "[histogram]"
    """
    if type(value) is float:  # This is the hottest place of a first sync, and most values are numbers.
        return value if isfinite(value) else None
    if type(value) is int and abs(value) <= EXACT_INT:
        return value
    if isinstance(value, str):
        return None if value in _NOT_A_NUMBER else text(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return number(value)
    if isinstance(value, (list, tuple)):
        return _list(value)
    if isinstance(value, Mapping):
        return media(value) if "_type" in value else _json(value)
    return text(str(value))


def media(value: Mapping[str, Any]) -> Mark:
    """`[table-file 120×4]`, `[image-file]`: the type of a logged object, and its size if known."""
    kind = text(str(value["_type"]))[:60]
    rows, columns, count = value.get("nrows"), value.get("ncols"), value.get("count")
    if isinstance(rows, int) and isinstance(columns, int):
        return Mark(f"[{kind} {rows}×{columns}]")
    return Mark(f"[{kind} {count}]" if isinstance(count, int) else f"[{kind}]")


def stamp(seconds: object) -> datetime | None:
    """Unix seconds as a date in UTC; None for what is no time, or none that a calendar has."""
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=0)
    except (ValueError, OverflowError, OSError):
        return None


def fit(cell: Cell, limit: int) -> Cell:
    """The cell, or, when it is longer than `limit` characters, its beginning and a visible mark.

    Characters are counted as Excel and Sheets count them: in UTF-16 units. What comes back is never
    longer than `limit`.
    """
    if not isinstance(cell, str) or len(cell) * 2 <= limit:
        return cell
    if len(cell.encode("utf-16-le")) // 2 <= limit:
        return cell
    mark = CUT.format(total=len(cell))[:limit]
    head = cell.encode("utf-16-le")[: (limit - len(mark)) * 2].decode("utf-16-le", "ignore")
    return head + mark


def _replacement(match: re.Match[str]) -> str:
    """Lone surrogates are damaged characters and stay visible; controls go."""
    return "\ufffd" if "\ud800" <= match[0] <= "\udfff" else ""


def _list(values: Sequence[Any]) -> Cell:
    if not values:
        return "[]"
    if all(value is None or isinstance(value, (str, int, float)) for value in values):
        return ", ".join(map(_word, values))
    if all(isinstance(value, Mapping) and "_type" in value for value in values):
        return Mark(f"{media(values[0])} × {len(values)}")
    return _json(values)


def _word(value: str | float | None) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, int):
        return _digits(value)
    return str(value) if isfinite(value) else json.dumps(value)  # NaN, as W&B's JSON spells it


def _digits(value: int) -> str:
    try:
        return str(value)
    except ValueError:  # Python writes at most 4,300 decimal digits
        return hex(value)


def _json(value: Any) -> str:
    try:
        return text(json.dumps(value, ensure_ascii=False, default=str))
    except (RecursionError, TypeError, ValueError):
        # Thousands of levels, keys that JSON does not have, a number of thousands of digits.
        return Mark("[nested value]")
