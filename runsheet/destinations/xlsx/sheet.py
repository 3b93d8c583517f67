"""Read a worksheet's part in one pass: which cells hold something, and where rows stand.

Handlers run once for each cell, so they do little: a text is read only where it is asked for,
and rows are measured from one start tag to the next. End tags are not listened to where none matters: that
was a fifth of the time.
"""

from array import array
from bisect import bisect_left
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO

from runsheet.destinations.a1 import letters
from runsheet.destinations.xlsx import markup as xml
from runsheet.destinations.xlsx.cell_xml import ROWS, Area, place
from runsheet.destinations.xlsx.markup import MAIN, STRICT, Unfit

_CELL, _VALUE, _ROW = f"{MAIN} c", f"{MAIN} v", f"{MAIN} row"
_FORMULA, _INLINE, _TEXT, _PHONETIC = f"{MAIN} f", f"{MAIN} is", f"{MAIN} t", f"{MAIN} rPh"
_DATA = f"{MAIN} sheetData"
_HOLDING = frozenset({_VALUE, _INLINE})
_CLOSING = (b"/sheetData", b":sheetData")
"""One of them is in the end tag of the table, whatever its prefix; not in the start tag without one."""

Raw = tuple[int, int, str, str]
"""A cell that was asked for: row (from 1), column (from 0), type, raw text."""


@dataclass(frozen=True, slots=True)
class Tag:
    """An element beside the table: where its start tag begins, and its attributes."""

    start: int
    attrs: Mapping[str, str]


@dataclass(slots=True)
class Layout:
    """A worksheet's part, measured. Offsets are bytes of the part.

    `numbers` and `starts` are the rows that hold something, `ends` where the next row begins.
    `last_row` and `right` bound what holds something (0 and -1 if nothing does), merged cells
    included: what is written under their cover would not be seen. `tail` is where the rows after
    the last of `numbers` begin, `top` spans row 1, if there is one. `filled`
    counts, by row, cells in the columns asked for. `arrays` are the cells that one formula fills together.
    """

    prefix: str = ""
    numbers: "array[int]" = field(default_factory=lambda: array("q"))
    starts: "array[int]" = field(default_factory=lambda: array("q"))
    ends: "array[int]" = field(default_factory=lambda: array("q"))
    texts: list[Raw] = field(default_factory=list)
    filled: dict[int, int] = field(default_factory=dict)
    last_row: int = 0
    right: int = -1
    first_row: int = 0
    first_start: int = 0
    top: tuple[int, int] | None = None
    data_start: int = 0
    data_end: int = 0
    tail: int = 0
    formulas: bool = False
    arrays: list[Area] = field(default_factory=list)
    dimension: Tag | None = None
    auto_filter: Tag | None = None
    protected: bool = False
    columns: list[tuple[int, int, int]] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        return not self.numbers

    def span(self, row: int) -> tuple[int, int] | None:
        """The bytes of a row that holds something, and blanks behind it."""
        at = bisect_left(self.numbers, row)
        found = at < len(self.numbers) and self.numbers[at] == row
        return (self.starts[at], self.ends[at]) if found else None

    def column_style(self, index: int) -> int:
        """The style that an empty cell has by its column."""
        return next((style for low, high, style in self.columns if low <= index <= high), 0)


class _Done(Exception):
    """Enough is known: stop parsing."""


class _Scan:
    """The handlers of one pass."""

    def __init__(self, wanted: Collection[int] | None, counted: Collection[int], brief: bool) -> None:
        self.layout = Layout()
        self._wanted = None if wanted is None else [letters(index) for index in wanted]
        self._counted = frozenset(letters(index) for index in counted)
        self._brief = brief
        self._parser = xml.parser()
        self._parser.StartElementHandler = self._start
        self._parser.StartNamespaceDeclHandler = self._namespace
        self._prefixes: list[str] = []
        self._root = ""
        self._views = False
        self._row = 0
        self._row_start = 0
        self._row_name = "0"
        self._refs: frozenset[str] = frozenset()
        self._ref = ""
        self._attrs: dict[str, str] = {}
        self._valued = ""
        self._count = 0
        self._capture = False
        self._phonetic = False
        self._parts: list[str] = []
        self._closing = False
        self._last = b""

    def run(self, source: IO[bytes]) -> Layout:
        with suppress(_Done):
            xml.feed(self._parser, source, self._look)
        return self.layout

    def _look(self, chunk: bytes) -> None:
        """Listen to end tags from here on if that of the table may be in the chunk, or ends in it."""
        seen = self._last + chunk
        if not self._closing and any(word in seen for word in _CLOSING):
            self._closing = True
            self._parser.EndElementHandler = self._end
        self._last = seen[1 - len(_CLOSING[0]) :]

    # A cell costs two calls of _start: keep the common paths first and short.

    def _start(self, name: str, attrs: dict[str, str]) -> None:
        if name == _CELL:
            ref = attrs.get("r")
            if ref is None:
                ref = self._next_ref()
            self._ref = ref
            self._attrs = attrs
            if ref in self._refs or self._wanted is None:
                self._begin_text()
        elif name in _HOLDING:
            if self._counted:
                self._count_cell()
            self._valued = self._ref
            if self._capture and name == _VALUE:
                self._parser.CharacterDataHandler = self._parts.append
        elif name == _ROW:
            self._start_row(attrs)
        elif name == _FORMULA:
            self._count_cell()
            self._valued = self._ref
            self.layout.formulas = True
            if attrs.get("t") in ("array", "dataTable") and "ref" in attrs:
                self.layout.arrays.append(Area.parse(attrs["ref"]))
        elif name == _TEXT:
            if self._capture and not self._phonetic:
                self._parser.CharacterDataHandler = self._parts.append
        else:
            self._other(name, attrs)

    def _count_cell(self) -> None:
        """The cell holds something: a value, a formula, or both; it counts once."""
        if self._valued != self._ref:
            self._count += self._ref[: -len(self._row_name)] in self._counted

    def _end(self, name: str) -> None:
        if self._capture:
            if name in (_VALUE, _TEXT):
                self._parser.CharacterDataHandler = None
            elif name == _PHONETIC:
                self._phonetic = False
            elif name == _CELL:
                self._take_text()
        elif name == _DATA:
            self._finish_row(self._parser.CurrentByteIndex)
            self.layout.data_end = self._parser.CurrentByteIndex

    def _next_ref(self) -> str:
        """Cells may leave their place out: they follow the one before."""
        index = place(self._ref)[1] + 1 if self._ref else 0
        return f"{letters(index)}{self._row_name}"

    def _start_row(self, attrs: Mapping[str, str]) -> None:
        at = self._parser.CurrentByteIndex
        self._finish_row(at)
        number = int(attrs.get("r", self._row + 1))
        if not self._row < number <= ROWS:
            raise Unfit(f"is damaged: row {number} of the worksheet follows row {self._row}")
        if not self.layout.first_row:
            self.layout.first_row, self.layout.first_start = number, at
        if self._brief and self.layout.numbers:
            raise _Done
        self._row, self._row_start, self._row_name = number, at, str(number)
        self._ref = self._valued = ""
        self._count = 0
        if not self._closing:
            self._parser.EndElementHandler = None
        if self._brief:
            self._wanted = None if number == 1 else []
        if self._wanted is not None:
            self._refs = frozenset(name + self._row_name for name in self._wanted)

    def _finish_row(self, at: int) -> None:
        """Note the row that ends at an offset, if it holds anything."""
        if self._row == 1 and self.layout.top is None:
            self.layout.top = (self._row_start, at)
        if not self._valued:
            return
        number, right = place(self._valued)
        if number != self._row:
            raise Unfit(f"is damaged: cell {self._valued} stands in row {self._row}")
        layout = self.layout
        layout.numbers.append(number)
        layout.starts.append(self._row_start)
        layout.ends.append(at)
        layout.last_row, layout.right, layout.tail = number, max(layout.right, right), at
        if self._count:
            layout.filled[number] = self._count
        self._valued = ""

    def _begin_text(self) -> None:
        self._capture = True
        self._phonetic = False
        self._parts = []
        self._parser.EndElementHandler = self._end

    def _take_text(self) -> None:
        self._capture = False
        if not self._closing:
            self._parser.EndElementHandler = None
        if self._valued == self._ref:
            row, index = place(self._ref)
            self.layout.texts.append((row, index, self._attrs.get("t", "n"), "".join(self._parts)))

    def _namespace(self, prefix: str | None, uri: str) -> None:
        if uri == MAIN and not self._root:
            self._prefixes.append(f"{prefix}:" if prefix else "")

    def _other(self, name: str, attrs: dict[str, str]) -> None:
        if not self._root:
            self._root = name
            _check_root(name)
            self.layout.prefix = min(self._prefixes)
        elif name == _PHONETIC:
            self._phonetic = True
        elif name == _DATA:
            self.layout.data_start = self._parser.CurrentByteIndex
            self._parser.EndElementHandler = self._end  # It may end at once.
        elif name.startswith(MAIN):
            self._beside(name[len(MAIN) + 1 :], attrs)

    def _beside(self, name: str, attrs: dict[str, str]) -> None:
        layout = self.layout
        if name == "dimension":
            layout.dimension = Tag(self._parser.CurrentByteIndex, attrs)
        elif name == "customSheetViews":
            self._views = True  # may hold filters of their own
        elif name == "autoFilter" and not self._views:
            layout.auto_filter = Tag(self._parser.CurrentByteIndex, attrs)
        elif name == "sheetProtection":
            layout.protected = attrs.get("sheet", "0") in ("1", "true")
        elif name == "col":
            style = int(attrs.get("style", 0))
            layout.columns.append((int(attrs["min"]) - 1, int(attrs["max"]) - 1, style))
        elif name == "mergeCell":
            area = Area.parse(attrs["ref"])
            layout.last_row = max(layout.last_row, area.bottom)
            layout.right = max(layout.right, area.right)


def _check_root(name: str) -> None:
    if name.startswith(STRICT):
        raise Unfit('is in the rare "Strict Open XML" format: save it as an ordinary .xlsx')
    if name != f"{MAIN} worksheet":
        raise Unfit("has a tab of that name that is no table (a chart, or a macro sheet)")


def header(source: IO[bytes]) -> Layout:
    """Read no further than needed: the texts of row 1, and whether anything is there at all."""
    return _Scan([], (), brief=True).run(source)


def measure(source: IO[bytes], wanted: Collection[int] | None, counted: Collection[int] = ()) -> Layout:
    """Read all: texts of the columns `wanted` (None for every column), and of the `counted`
    columns how many cells of a row hold something."""
    return _Scan(wanted, counted, brief=False).run(source)
