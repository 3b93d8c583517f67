"""The rows and cells in a range of a worksheet's part, with the bytes that each takes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from runsheet.destinations.xlsx import markup as xml
from runsheet.destinations.xlsx.cell_xml import place
from runsheet.destinations.xlsx.markup import Unfit


def find(data: bytes, before: int = 0) -> "list[Span]":
    """The rows of a range that holds nothing but whole rows; the row before it is `before`."""
    return _Finder(data, before).spans


def put(data: bytes, span: "Span", cells: Mapping[int, bytes]) -> bytes:
    """A row with cells (by column) put in, or in the place of others; what else is in it stays as it is."""
    tag = data[span.start : span.inner]
    parts = [_widened(xml.opened(tag), cells)]
    at = span.inner
    for index in sorted({*span.cells, *cells}):
        start, end, _ = span.cells.get(index, (at, at, 0))
        parts += [data[at:start], cells.get(index) or data[start:end]]
        at = end
    return b"".join([*parts, data[at : span.close], xml.end_tag(tag)])


def _widened(tag: bytes, cells: Mapping[int, bytes]) -> bytes:
    """A row's tag whose `spans`, a hint to readers, include our cells."""
    old = xml.attribute(tag, "spans")
    if not old or not cells:
        return tag
    edges = [int(number) for part in old.split() for number in part.split(":")]
    low, high = min(*edges, min(cells) + 1), max(*edges, max(cells) + 1)
    return xml.with_attrs(tag, {"spans": f"{low}:{high}"})


@dataclass(slots=True)
class Span:
    """A `<row>` in a range of bytes, with its cells: column to start, end and style."""

    number: int
    attrs: dict[str, str]
    start: int
    inner: int
    closed: bool
    close: int = 0
    end: int = 0
    cells: dict[int, tuple[int, int, int]] = field(default_factory=dict)

    @property
    def style(self) -> int | None:
        """The style of the row's empty cells, if it has its own."""
        own = self.attrs.get("customFormat") in ("1", "true")
        return int(self.attrs.get("s", 0)) if own else None


class _Finder:
    """Finds the rows of a range of bytes of the part, which holds nothing but whole rows."""

    _WRAP = b"<_>"

    def __init__(self, data: bytes, before: int) -> None:
        self.spans: list[Span] = []
        self._data = data
        self._number = before
        self._depth = 0
        self._cell = (0, 0, 0)
        self._index = -1
        self._parser = xml.parser(namespaces=False)
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.Parse(self._WRAP + data + b"</_>", True)

    def _at(self) -> int:
        return self._parser.CurrentByteIndex - len(self._WRAP)

    def _start(self, name: str, attrs: dict[str, str]) -> None:
        self._depth += 1
        local = name.rpartition(":")[2]
        if self._depth == 2 and local == "row":
            at = self._at()
            tag = xml.start_tag(self._data, at)
            self._number = int(attrs.get("r", self._number + 1))
            end = at + len(tag)
            self.spans.append(Span(self._number, attrs, at, end, tag.endswith(b"/>"), end, end))
            self._index = -1
        elif self._depth == 3 and local == "c":
            index = place(attrs["r"])[1] if "r" in attrs else self._index + 1
            if index <= self._index:
                raise Unfit(f"is damaged: the cells of row {self._number} are out of order")
            self._index = index
            at = self._at()
            end = at + len(xml.start_tag(self._data, at))
            self._cell = (at, end, int(attrs.get("s", 0)))

    def _end(self, name: str) -> None:
        local = name.rpartition(":")[2]
        if self._depth == 2 and local == "row" and not self.spans[-1].closed:
            self.spans[-1].close = self._at()
            self.spans[-1].end = self._data.index(b">", self._at()) + 1
        elif self._depth == 3 and local == "c":
            start, end, style = self._cell
            if self._data[end - 2 : end] != b"/>":
                end = self._data.index(b">", self._at()) + 1
            self.spans[-1].cells[self._index] = (start, end, style)
        self._depth -= 1
