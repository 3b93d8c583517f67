"""Write into a worksheet's part: a header at the right, rows below everything, cells in rows that stand.

Cells are spliced in as new elements. Where a row or cell is there but empty (people colour whole
areas in advance), its element and style are kept and only the value goes in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from runsheet.destinations.a1 import letters
from runsheet.destinations.xlsx import markup as xml
from runsheet.destinations.xlsx.cell_xml import Area, Calendar, is_date, render
from runsheet.destinations.xlsx.changes import Puts, written
from runsheet.destinations.xlsx.markup import Edit
from runsheet.destinations.xlsx.sheet import Layout
from runsheet.destinations.xlsx.spans import Span, find, put
from runsheet.destinations.xlsx.style import Styles
from runsheet.destinations.xlsx.typed import Slices
from runsheet.errors import Changed
from runsheet.model import Cell

_TAG_ROOM = 2048
"""Longer than any start tag of `dimension` and `autoFilter`."""


@dataclass(frozen=True, slots=True)
class Block:
    """What to write: titles by column into row 1, and rows of cells for `columns`, from the row
    `first` on. `after` is the row (from 1) whose formats new cells take; 1 is the header. `changes` are cells
    in rows that stand."""

    titles: Mapping[int, str]
    columns: Sequence[int]
    rows: Sequence[Sequence[Cell]]
    first: int
    after: int
    changes: Puts = field(default_factory=dict)

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
    """Works out the edits of a worksheet's part for one block."""

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
        tag, top, model = self._slices(
            [(layout.data_start, data_stop), layout.top or (0, 0), layout.span(block.after) or (0, 0)]
        )
        tag = xml.start_tag(tag, 0)
        self._choose_styles(block, top, model)
        targets = {block.first + count: cells for count, cells in enumerate(block.rows)}
        edits = [*self._dimension(block), *self._filter(filter_area)]
        if layout.empty:
            edits.append(self._whole(tag, block, targets))
            return edits
        if block.titles:
            edits.append(self._header(block, top, tag))
        edits += self._changes(block)
        if targets:
            body = self._body(layout.tail, block, targets, {})
            edits.append(Edit(layout.tail, layout.data_end, body))
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

    def _whole(self, tag: bytes, block: Block, targets: Mapping[int, Sequence[Cell]]) -> Edit:
        """All rows, where the worksheet holds nothing yet."""
        layout = self._layout
        if tag.endswith(b"/>"):
            body = self._join(b"", block, targets, block.titles)
            return Edit(layout.data_start, layout.data_end, [xml.opened(tag), *body, xml.end_tag(tag)])
        inner = layout.data_start + len(tag)
        return Edit(inner, layout.data_end, self._body(inner, block, targets, block.titles))

    def _body(
        self, start: int, block: Block, targets: Mapping[int, Sequence[Cell]], titles: Mapping[int, str]
    ) -> list[bytes]:
        (data,) = self._slices([(start, self._layout.data_end)])
        return self._join(data, block, targets, titles)

    def _join(
        self,
        data: bytes,
        block: Block,
        targets: Mapping[int, Sequence[Cell]],
        titles: Mapping[int, str],
    ) -> list[bytes]:
        """Empty rows of the part and rows of ours, in order."""
        wanted = {number: dict(zip(block.columns, cells, strict=True)) for number, cells in targets.items()}
        if titles:
            wanted = {1: dict(titles), **wanted}
        numbers = self._layout.numbers
        pending = sorted(wanted, reverse=True)
        out: list[bytes] = []
        at = 0
        for span in find(data, numbers[-1] if numbers else 0):
            out.append(data[at : span.start])
            while pending and pending[-1] < span.number:
                number = pending.pop()
                out.append(self._row(number, wanted[number]))
            if pending and pending[-1] == span.number:
                out.append(self._patched(data, span, wanted[pending.pop()]))
            else:
                out.append(data[span.start : span.end])
            at = span.end
        out += [self._row(number, wanted[number]) for number in reversed(pending)]
        return [*out, data[at:]]

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
                style = self._style(span, index)
                base = self._template[index] if style is None else style
                ref, prefix = f"{letters(index)}{number}", self._layout.prefix
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
