"""Names as words, and many words in few notes: the packed form of the book-keeping. Pure."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar
from urllib.parse import quote, unquote

from runsheet.model import Scope

T = TypeVar("T")

Note = tuple[str, ...]
"""One row of the book-keeping: kind, where, text."""

TEXT_CHARS = 30_000
"""The longest text of one row: below what a cell of any destination holds (32,767 in .xlsx)."""


def scope_text(scope: Scope) -> str:
    """A scope as one word; `parse_scope` is its inverse."""
    return " ".join(map(word, (scope.source, scope.host, scope.project)))


def parse_scope(text: str) -> Scope | None:
    parts = [unword(part) for part in text.split(" ")]
    return Scope(*parts) if len(parts) == 3 else None


def word(text: str) -> str:
    """A text as one word without blanks and colons; `unword` is its inverse. "-" stands for no text."""
    return "%2D" if text == "-" else quote(text, safe="/", errors="surrogatepass") or "-"


def unword(text: str) -> str:
    return "" if text == "-" else unquote(text, errors="surrogatepass")


def packed(kind: str, where: str, words: Iterable[str]) -> Iterator[Note]:
    """Many words to a note, none longer than TEXT_CHARS."""
    for part in parts(list(words), TEXT_CHARS, len):
        yield (kind, where, " ".join(part))


def json_text(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def json_size(data: Any) -> int:
    """Characters of the JSON in a cell, at most: destinations may quote it once more, and count characters
    beyond the first 65,536 twice."""
    quoted = json_text(json_text(data))
    return len(quoted.encode("utf-16-le", "surrogatepass")) // 2


def parts(items: Sequence[T], room: int, size: Callable[[T], int] = json_size) -> Iterator[list[T]]:
    """Split items so that each part takes at most `room` characters; an item that is longer by itself
    is a part of its own."""
    part: list[T] = []
    left = room
    for item in items:
        cost = size(item) + 1
        if part and cost > left:
            yield part
            part, left = [], room
        part.append(item)
        left -= cost
    if part:
        yield part


def triple(note: Note) -> tuple[str, str, str]:
    kind, where, text = (*note, "", "", "")[:3]
    return kind, where, text
