"""What cells hold, with their types: text, numbers, booleans, and what only a person makes.

A formula is `=...` as the cell has it. One that fills several cells (an array, or what spills) is
`{=...}`, and its range in the other cells. Of a formula that is kept once for many cells only one has the
text: the others are told by its number. Rich text and errors are told by what they show.

LibreOffice writes booleans as the formulas TRUE() and FALSE(). They are read as booleans, so that they can
be replaced, unless the workbook has an order of calculation: that names the cells of formulas, and
Excel calls a workbook damaged where a cell that it names has none.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO

from runsheet.destinations.xlsx import markup as xml
from runsheet.destinations.xlsx.cell_xml import Area, Calendar, place, shown
from runsheet.destinations.xlsx.sheet import Layout
from runsheet.destinations.xlsx.strings import Shared, lookup
from runsheet.model import Foreign, Stored

Slices = Callable[[Sequence[tuple[int, int]]], list[bytes]]
"""Reads ranges of the part."""

_BOOLEANS: Mapping[str, Stored] = {"=TRUE()": True, "=FALSE()": False}


@dataclass(frozen=True, slots=True)
class Around:
    """What of the workbook tells how cells are to be read: its shared strings, its calendar, and whether
    it has an order of calculation."""

    open_shared: Callable[[], IO[bytes]] | None = None
    calendar: Calendar = field(default_factory=Calendar)
    chain: bool = False


def slicer(source: Callable[[], IO[bytes]]) -> Slices:
    """Reads ranges of a part that `source` opens."""

    def read(spans: Sequence[tuple[int, int]]) -> list[bytes]:
        with source() as part:
            return xml.slices(part, spans)

    return read


@dataclass(slots=True)
class _Held:
    """A cell as it is written. `formula` are the attributes of its formula, None where there is none,
    `code` its text; `rich`: parts of the cell's text have formats of their own."""

    kind: str
    formula: Mapping[str, str] | None = None
    code: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    rich: bool = False

    @property
    def text(self) -> str:
        return "".join(self.parts)


def read(
    layout: Layout,
    slices: Slices,
    rows: Collection[int],
    columns: Collection[int],
    around: Around,
) -> dict[int, dict[int, Stored]]:
    """The cells of these columns (from 0) in these rows (from 1); None where nothing is."""
    spans = {row: span for row in sorted(rows) if (span := layout.span(row))}
    wanted = frozenset(columns)
    held = {
        row: _Row(data, wanted).cells for row, data in zip(spans, slices(list(spans.values())), strict=True)
    }
    numbers = {
        int(cell.text)
        for cells in held.values()
        for cell in cells.values()
        if cell.kind == "s" and cell.text.strip().isdigit()
    }
    shared = lookup(numbers, around.open_shared)
    found: dict[int, dict[int, Stored]] = {row: dict.fromkeys(columns) for row in rows}
    for row, cells in held.items():
        for index, cell in cells.items():
            found[row][index] = _stored(cell, shared, around)
        _spread(found[row], row, layout.arrays)
    return found


def _spread(cells: dict[int, Stored], row: int, arrays: Sequence[Area]) -> None:
    """What a formula has put into other cells than its own is its own all the same."""
    for area in arrays:
        if area.top <= row <= area.bottom:
            for index in cells:
                if area.left <= index <= area.right and not isinstance(cells[index], Foreign):
                    cells[index] = Foreign(f"{{={area}}}")


def _stored(cell: _Held, shared: Shared, around: Around) -> Stored:
    kind, text = cell.kind, cell.text
    if cell.formula is not None:
        formula = _formula(cell.formula, "".join(cell.code))
        return Foreign(formula) if around.chain else _BOOLEANS.get(formula, Foreign(formula))
    if kind in ("s", "str", "inlineStr"):
        value = shown(kind, text, shared.texts)
        rich = cell.rich or (kind == "s" and text.strip().isdigit() and int(text) in shared.rich)
        # A formula is what begins with "=": this only looks like one.
        return Foreign(f"'{value}" if value.startswith("=") else value) if rich else value
    if not text.strip():
        return None
    if kind == "e":
        return Foreign(text)
    if kind == "b":
        return text.strip() in ("1", "true")
    return _date(text, around.calendar) if kind == "d" else _number(text.strip())


def _formula(attrs: Mapping[str, str], code: str) -> str:
    kind = attrs.get("t", "normal")
    if kind == "array":
        return f"{{={code}}}"
    return f"={code}" if code else f"{{{kind} {attrs.get('si', '')}}}"


def _number(text: str) -> Stored:
    try:
        value = float(text)
    except ValueError:
        return text
    if not math.isfinite(value):
        return text
    return int(text) if text.lstrip("-").isdecimal() else value


def _date(text: str, calendar: Calendar) -> Stored:
    """Dates as text, which few programs write, are the same numbers."""
    try:
        days = calendar.days(datetime.fromisoformat(text.strip()).replace(tzinfo=None))
    except ValueError:
        return text
    return text if days is None else days


class _Row:
    """Reads the cells of one row, in the columns wanted."""

    _WRAP = b"<_>"

    def __init__(self, data: bytes, wanted: Collection[int]) -> None:
        self.cells: dict[int, _Held] = {}
        self._wanted = wanted
        self._index = -1
        self._cell: _Held | None = None
        self._phonetic = False
        self._parser = xml.parser(namespaces=False)
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.Parse(self._WRAP + data + b"</_>", True)

    def _start(self, name: str, attrs: Mapping[str, str]) -> None:
        local = name.rpartition(":")[2]
        if local == "c":
            self._index = place(attrs["r"])[1] if "r" in attrs else self._index + 1
            wanted = self._index in self._wanted
            self._cell = _Held(attrs.get("t", "n")) if wanted else None
        elif self._cell is None:
            return
        elif local == "f":
            self._cell.formula = dict(attrs)
            self._parser.CharacterDataHandler = self._cell.code.append
        elif local == "v" or (local == "t" and not self._phonetic):
            self._parser.CharacterDataHandler = self._cell.parts.append
        elif local == "rPh":
            self._phonetic = True
        elif local == "rPr":
            self._cell.rich = True

    def _end(self, name: str) -> None:
        local = name.rpartition(":")[2]
        self._parser.CharacterDataHandler = None
        if local == "rPh":
            self._phonetic = False
        elif local == "c" and self._cell is not None:
            self.cells[self._index] = self._cell
            self._cell = None
