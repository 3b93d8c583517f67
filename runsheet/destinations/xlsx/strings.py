"""The texts of cells. Most programs keep them in one table for the whole workbook."""

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO

from runsheet.destinations.xlsx import markup as xml
from runsheet.destinations.xlsx.cell_xml import shown
from runsheet.destinations.xlsx.markup import MAIN
from runsheet.destinations.xlsx.sheet import Raw

_TEXT, _PHONETIC, _SHARED, _FORMAT = f"{MAIN} t", f"{MAIN} rPh", f"{MAIN} si", f"{MAIN} rPr"


class _Done(Exception):
    """All that was asked for has been read."""


def resolve(raws: Iterable[Raw], open_shared: Callable[[], IO[bytes]] | None) -> dict[tuple[int, int], str]:
    """The texts of cells by row and column. Of the shared strings only those in question are
    kept: the table of a large workbook is as large as its sheets."""
    found = list(raws)
    numbers = {int(raw) for _, _, kind, raw in found if kind == "s" and raw.strip().isdigit()}
    table = lookup(numbers, open_shared).texts
    return {(row, index): shown(kind, raw, table) for row, index, kind, raw in found}


@dataclass(frozen=True, slots=True)
class Shared:
    """Some of the shared strings by their numbers; the numbers of those that are rich text."""

    texts: Mapping[int, str] = field(default_factory=dict)
    rich: Collection[int] = ()


def lookup(numbers: Collection[int], open_shared: Callable[[], IO[bytes]] | None) -> Shared:
    """The shared strings of these numbers, as far as there are."""
    if not numbers or not open_shared:
        return Shared()
    with open_shared() as source:
        return _Strings(numbers).run(source)


class _Strings:
    """Reads the wanted entries of the shared strings; rich text loses its runs, phonetic guides
    are left out, as in the cell."""

    def __init__(self, numbers: Collection[int]) -> None:
        self._wanted = frozenset(numbers)
        self._last = max(numbers, default=-1)
        self._table: dict[int, str] = {}
        self._rich: set[int] = set()
        self._number = -1
        self._parts: list[str] = []
        self._phonetic = False
        self._parser = xml.parser()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end

    def run(self, source: IO[bytes]) -> Shared:
        with suppress(_Done):
            xml.feed(self._parser, source)
        return Shared({number: shown("str", text, {}) for number, text in self._table.items()}, self._rich)

    def _start(self, name: str, _attrs: dict[str, str]) -> None:
        if name == _SHARED:
            self._number += 1
            self._parts = []
            if self._number > self._last:
                raise _Done
        elif name == _PHONETIC:
            self._phonetic = True
        elif name == _FORMAT:
            self._rich.add(self._number)
        elif name == _TEXT and self._number in self._wanted and not self._phonetic:
            self._parser.CharacterDataHandler = self._parts.append

    def _end(self, name: str) -> None:
        if name == _TEXT:
            self._parser.CharacterDataHandler = None
        elif name == _PHONETIC:
            self._phonetic = False
        elif name == _SHARED and self._number in self._wanted:
            self._table[self._number] = "".join(self._parts)
