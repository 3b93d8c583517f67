"""Write into a worksheet's part: a header at the right, rows below everything, cells in rows that stand.

Cells are spliced in as new elements. Where a row or cell is there but empty (people colour whole
areas in advance), its element and style are kept and only the value goes in.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from runsheet.destinations.a1 import letters
from runsheet.destinations.xlsx import markup as xml
from runsheet.destinations.xlsx.cell_xml import Area, Calendar, is_date, render
from runsheet.destinations.xlsx.changes import Puts, written
from runsheet.destinations.xlsx.markup import Edit, Made
from runsheet.destinations.xlsx.sheet import Layout
from runsheet.destinations.xlsx.spans import Span, find, put
from runsheet.destinations.xlsx.style import Styles
from runsheet.destinations.xlsx.typed import Slices
from runsheet.errors import Changed
from runsheet.model import Cell, Row

_TAG_ROOM = 2048
"""Longer than any start tag of `dimension` and `autoFilter`."""


@dataclass(frozen=True, slots=True)
class Block:
    """What to write: titles by column into row 1, and rows of cells for `columns`, from the row
    `first` on. `after` is the row (from 1) whose formats new cells take; 1 is the header. `changes` are cells
    in rows that stand. `dates`: the columns in which any of the rows holds a date."""

    titles: Mapping[int, str]
    columns: Sequence[int]
    rows: Sequence[Row]
    first: int
    after: int
    changes: Puts = field(default_factory=dict)
    dates: frozenset[int] = frozenset()

    @property
    def changed(self) -> set[int]:
        """The columns in which cells are changed."""
        return {index for cells in self.changes.values() for index in cells}

    @property
    def area(self) -> Area:
        """All that is written, and the header row."""
        used = {*self.titles, *self.columns, *self.changed}
        last = self.first + len(self.rows) - 1 if self.rows else 1
        return Area(1, min(used), max(last, *self.changes, 1), max(used))


class Writer:
    """Works out the edits of a worksheet's part for one block. Rows become bytes when they are written;
    the styles that they need are there before."""

    def __init__(
        self, layout: Layout, slices: Slices, styles: Styles, calendar: Calendar, ours: Sequence[int]
    ) -> None:
        self._layout = layout
        self._slices = slices
        self._styles = styles
        self._calendar = calendar
        self._ours = ours
        self._template: dict[int, int] = {}
        self._title_style: int | None = None

    def edits(self, block: Block, filter_area: Area | None = None) -> list[Edit]:
        """The edits that write the block; `filter_area` is the new range of the sheet's filter."""
        layout = self._layout
        data_stop = layout.first_start or layout.data_end
        tail = (layout.data_start if layout.empty else layout.tail, layout.data_end)
        tag, top, model, rest = self._slices(
            [(layout.data_start, data_stop), layout.top or (0, 0), layout.span(block.after) or (0, 0), tail]
        )
        tag = xml.start_tag(tag, 0)
        self._choose_styles(block, top, model)
        edits = [*self._dimension(block), *self._filter(filter_area)]
        if layout.empty:
            edits.append(self._whole(tag, rest, block))
            return edits
        if block.titles:
            edits.append(self._header(block, top, tag))
        edits += self._changes(block)
        if block.rows:
            edits.append(Edit(*tail, self._joined(rest, block, {})))
        return edits

    def _choose_styles(self, block: Block, top: bytes, model: bytes) -> None:
        """New rows look like the row above them, except where that is the header."""
        spans = find(model) if block.after > 1 else []
        above = spans[0].cells if spans else {}
        for index in {*block.columns, *block.changed}:
            style = above[index][2] if index in above else self._layout.column_style(index)
            self._template[index] = style
        if block.titles:
            spans = find(top)
            heads = spans[0].cells if spans else {}
            known = [index for index in self._ours if index in heads]
            if known:
                self._title_style = heads[max(known)][2]
            elif self._layout.empty:
                self._title_style = self._styles.header()

    def _whole(self, tag: bytes, data: bytes, block: Block) -> Edit:
        """All rows, where the worksheet holds nothing yet: `data` is all from the `tag` on."""
        layout = self._layout
        if tag.endswith(b"/>"):
            body = self._joined(b"", block, block.titles)
            whole = Made(lambda: chain([xml.opened(tag)], body, [xml.end_tag(tag)]))
            return Edit(layout.data_start, layout.data_end, whole)
        body = self._joined(data[len(tag) :], block, block.titles)
        return Edit(layout.data_start + len(tag), layout.data_end, body)

    def _joined(self, data: bytes, block: Block, titles: Mapping[int, str]) -> Made:
        """Empty rows of the part and rows of ours, in order."""
        numbers = self._layout.numbers
        spans = find(data, numbers[-1] if numbers else 0)
        for index in block.dates:
            self._styles.dated(self._template[index])
            for span in spans:
                if block.first <= span.number < block.first + len(block.rows):
                    self._styles.dated(self._base(span, index))
        return Made(lambda: self._join(data, spans, _wanted(block, titles)))

    def _join(
        self, data: bytes, spans: Sequence[Span], wanted: Iterable[tuple[int, Mapping[int, Cell]]]
    ) -> Iterator[bytes]:
        left = list(reversed(spans))
        at = past = 0
        for number, cells in wanted:
            while left and left[-1].number < number:
                past = left.pop().end
            here = left[-1].start if left else past
            yield data[at:here]
            at = here
            if left and left[-1].number == number:
                span = left.pop()
                yield self._patched(data, span, cells)
                at = past = span.end
            else:
                yield self._row(number, cells)
        yield data[at:]

    def _header(self, block: Block, top: bytes, tag: bytes) -> Edit:
        """New titles in row 1, which may be missing."""
        spans = find(top)
        if not spans or self._layout.top is None:
            at = self._layout.data_start + len(tag)
            return Edit(at, at, [self._row(1, dict(block.titles))])
        start = self._layout.top[0]
        new = self._patched(top, spans[0], dict(block.titles))
        return Edit(start + spans[0].start, start + spans[0].end, [new])

    def _changes(self, block: Block) -> list[Edit]:
        """Rows that stand, with other values in some of their cells. They hold what they were taken to
        hold: changes.check has seen to that."""
        spans = {number: at for number in sorted(block.changes) if (at := self._layout.span(number))}
        if len(spans) < len(block.changes):
            raise Changed("a row holds nothing any more")
        edits: list[Edit] = []
        pieces = self._slices(list(spans.values()))
        for (number, (start, _)), data in zip(spans.items(), pieces, strict=True):
            (span,) = find(data, number - 1)
            cells: dict[int, bytes] = {}
            for index, wanted in block.changes[number].items():
                ref, prefix, base = f"{letters(index)}{number}", self._layout.prefix, self._base(span, index)
                cells[index] = written(wanted, ref, base, prefix, self._styles, self._calendar)
            edits.append(Edit(start + span.start, start + span.end, [put(data, span, cells)]))
        return edits

    def _row(self, number: int, cells: Mapping[int, Cell]) -> bytes:
        prefix = self._layout.prefix
        body = "".join(self._render(number, index, cells[index], None) for index in sorted(cells))
        return f'<{prefix}row r="{number}">{body}</{prefix}row>'.encode() if body else b""

    def _patched(self, data: bytes, span: Span, cells: Mapping[int, Cell]) -> bytes:
        """A row that is there, with values put in."""
        new = {
            index: self._render(span.number, index, cell, self._style(span, index)).encode()
            for index, cell in cells.items()
        }
        return put(data, span, new)

    def _base(self, span: Span, index: int) -> int:
        """The style of a cell of ours in a row that is there, but for dates."""
        style = self._style(span, index)
        return self._template[index] if style is None else style

    def _style(self, span: Span, index: int) -> int | None:
        """The style that a cell of a row has, or would have by the row."""
        return span.cells[index][2] if index in span.cells else span.style

    def _render(self, number: int, index: int, cell: Cell, base: int | None) -> str:
        if number == 1:
            chosen = self._title_style if base is None else base
            style = self._layout.column_style(index) if chosen is None else chosen
        else:
            style = self._template[index] if base is None and index in self._template else base or 0
            if is_date(cell, self._calendar):
                style = self._styles.dated(style)
        ref = f"{letters(index)}{number}"
        return render(cell, ref, style, self._layout.prefix, self._calendar)

    def _dimension(self, block: Block) -> list[Edit]:
        """The range in use, which readers trust when they make room for a sheet."""
        tag = self._layout.dimension
        if tag is None:
            return []
        old = Area.parse(tag.attrs.get("ref", "A1"))
        return self._set_ref(tag.start, block.area if self._layout.empty else old.joined(block.area))

    def _filter(self, area: Area | None) -> list[Edit]:
        tag = self._layout.auto_filter
        return self._set_ref(tag.start, area) if tag and area else []

    def _set_ref(self, start: int, area: Area) -> list[Edit]:
        (data,) = self._slices([(start, start + _TAG_ROOM)])
        tag = xml.start_tag(data, 0)
        return [Edit(start, start + len(tag), [xml.with_attrs(tag, {"ref": str(area)})])]


def _wanted(block: Block, titles: Mapping[int, str]) -> Iterator[tuple[int, Mapping[int, Cell]]]:
    """The rows to write by their numbers (from 1), each with its cells by column."""
    if titles:
        yield 1, titles
    for number, row in enumerate(block.rows, block.first):
        yield number, dict(zip(block.columns, row.cells, strict=True))
