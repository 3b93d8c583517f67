"""What cells of a sheet hold: when two are the same, and how they are remembered in few characters. Pure.

A *kept* value is one in the book-keeping: a long text is only known by its digest there.
"""

import json
import math
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from json.encoder import encode_basestring_ascii
from typing import Any

from runsheet.model import Cell, Foreign, Stored

LONG = 300
"""Texts of more characters are kept as a digest."""

MARK = 4
"""Characters of `mark`: of 16 million different values two are alike."""

BLANK = "." * MARK
"""The mark of a cell that holds nothing."""


@dataclass(frozen=True, slots=True)
class Digest:
    """A long text, of which only this is kept."""

    text: str


Kept = Stored | Digest

CHANGED = Digest("")
"""Stands for a value that is not known, but is none that a cell holds now."""

Stores = Callable[[Cell], Stored]
"""Tells what a sheet makes of a cell: of a date a number."""


def as_is(cell: Cell) -> Stored:
    """What a sheet that knows dates makes of a cell: their text in UTC."""
    return cell.isoformat() if isinstance(cell, datetime) else cell


def same(one: Kept, other: Stored) -> bool:
    """Whether two cells hold the same. Office programs round numbers when they save, so numbers may
    differ beyond the twelfth digit; a text of digits is not a number, and TRUE is not 1."""
    if isinstance(one, Digest):
        return isinstance(other, str) and digested(other) == one
    if one is None or one == "" or other is None or other == "":
        return (one is None or one == "") and (other is None or other == "")
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return math.isclose(one, other, rel_tol=1e-12)
    return type(one) is type(other) and one == other


def digested(text: str) -> Digest:
    return Digest(_hash(text, 16))


def keep(value: Kept) -> Any:
    """A value as JSON; `kept` is its inverse, but for texts of more than LONG characters."""
    if isinstance(value, Foreign):
        return {"=": value.text}
    if isinstance(value, str) and len(value) > LONG:
        value = digested(value)
    return {"#": value.text} if isinstance(value, Digest) else value


def kept(data: Any) -> Kept:
    """The value that `keep` made JSON of. Raises ValueError for anything else."""
    if isinstance(data, dict) and len(data) == 1:
        ((kind, text),) = data.items()
        if kind in ("=", "#") and isinstance(text, str):
            return Foreign(text) if kind == "=" else Digest(text)
    if data is None or isinstance(data, (str, int, float)):
        return data
    raise ValueError(f"no value of a cell: {str(data)[:50]}")


def mark(value: Kept) -> str:
    """A value in MARK characters; the same values have the same mark."""
    return BLANK if value is None or value == "" else _hash(_text(value), MARK)


def digest(cells: Mapping[str, Kept]) -> str:
    """The cells of a row by key, in 6 characters. Blank cells do not count."""
    filled = [(key, _text(value)) for key, value in cells.items() if value is not None and value != ""]
    return _hash(json.dumps(sorted(filled)), 6)


def _text(value: Kept) -> str:
    """A value as a text; the same values have the same one."""
    if type(value) is str and len(value) <= LONG:
        return encode_basestring_ascii(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"{float(f'{value:.14e}') + 0.0:.11e}"  # -0.0 is 0.0
    return json.dumps(keep(value))


def _hash(text: str, chars: int) -> str:
    data = sha256(text.encode("utf-8", "surrogatepass")).digest()
    return urlsafe_b64encode(data).decode()[:chars]
