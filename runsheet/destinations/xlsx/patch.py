"""Which parts of a workbook differ after a plan, and how. Reads the package; writes nothing."""

import io
import posixpath
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import IO

from runsheet import columns, ledger
from runsheet.destinations.xlsx import book as xlsx_book
from runsheet.destinations.xlsx import changes as xlsx_changes
from runsheet.destinations.xlsx import markup as xml
from runsheet.destinations.xlsx import new as xlsx_new
from runsheet.destinations.xlsx import notes as xlsx_notes
from runsheet.destinations.xlsx import parts as xlsx_parts
from runsheet.destinations.xlsx import size, typed
from runsheet.destinations.xlsx import style as xlsx_style
from runsheet.destinations.xlsx import table as xlsx_table
from runsheet.destinations.xlsx.archive import Chunks
from runsheet.destinations.xlsx.book import NOTES, Book, Changes, NewTab
from runsheet.destinations.xlsx.cell_xml import Area, Calendar, is_date, stored
from runsheet.destinations.xlsx.markup import Edit, Unfit
from runsheet.destinations.xlsx.notes import Notes
from runsheet.destinations.xlsx.package import Package, whole
from runsheet.destinations.xlsx.parts import Addition
from runsheet.destinations.xlsx.rows import Block, Writer
from runsheet.destinations.xlsx.sheet import Layout, measure
from runsheet.destinations.xlsx.style import Styles
from runsheet.errors import SheetError
from runsheet.model import Cell, Foreign, Plan, Stored
from runsheet.packing import Note

Open = Callable[[], IO[bytes]]
PIECE = 1_000
"""Rows of a plan that are held at a time while the book-keeping is made."""

_FORMULA = (b"<f>", b"<f ", b":f>", b":f ")


@dataclass(slots=True)
class Patch:
    """One plan on one workbook. `tab` is the worksheet's name, which need not exist yet. `remarks`
    are lines for people, which parts() gathers."""

    package: Package
    book: Book
    notes: Notes
    plan: Plan
    tab: str
    calendar: Calendar
    layout: Layout | None = None
    remarks: tuple[str, ...] = ()
    _told: list[Note] = field(default_factory=list)
    _parts: dict[str, Chunks] = field(default_factory=dict)
    _additions: list[Addition] = field(default_factory=list)
    _tabs: list[tuple[str, Addition, bool]] = field(default_factory=list)

    def parts(self) -> dict[str, Chunks]:
        """The parts to write, by member name. Raises SheetError when the plan does not fit, Changed
        when a cell that it changes is not as it was read."""
        part, source = self._sheet()
        layout = self.layout or _measure(source)
        if layout.protected:
            raise SheetError(
                f"the worksheet {self.tab} is protected: take the protection off (Review, Unprotect Sheet), "
                "or name another tab with WORKSHEET. Nothing was written"
            )
        block = self._survey(_block(self.plan, layout))
        changes = Changes(self.tab, self.notes.table, marks=self._marks(block), over=self._over)
        changes.moved = self._moved()
        changes.prints = {number: columns.fingerprint(self.notes.marks[number]) for number in changes.marks}
        if block.titles or block.rows or block.changes:
            xlsx_changes.check(block.changes, self._held(source, layout, block))
            self.remarks = size.remarks(block.area.bottom)
            changes.filter_ref = self._write_rows(part, source, layout, block)
            changes.recalculate = self._has_formulas(layout)
            changes.recalculate |= any(
                isinstance(put.after, Foreign) for cells in block.changes.values() for put in cells.values()
            )
        self._write_notes()
        changes.tabs = self._register()
        self._put(self.book.part, xlsx_book.patched(self.book, changes))
        return self._parts

    def _survey(self, block: Block) -> Block:
        """Go through the rows once before they are written: what the book-keeping says of them, and in
        which columns they hold dates. Few are held at a time."""
        self._told = ledger.written(self.plan, (), self.plan.changes, self._stored)
        dates: set[int] = set()
        rows = iter(self.plan.rows)
        while piece := list(islice(rows, PIECE)):
            self._told += ledger.written(self.plan, piece, (), self._stored)
            for row in piece:
                dates.update(
                    index
                    for index, cell in zip(block.columns, row.cells, strict=True)
                    if is_date(cell, self.calendar)
                )
        return replace(block, dates=frozenset(dates))

    def _put(self, name: str, data: bytes | None) -> None:
        if data is not None:
            self._parts[name] = whole(data)

    def _sheet(self) -> tuple[str, Open]:
        """The worksheet's part, and how to read it; a tab that is missing begins as a frame."""
        tab = self.book.tab(self.tab)
        if tab is not None:
            part = tab.part
            return part, lambda: self.package.open(part)
        plan = self.plan
        widths = xlsx_new.widths(plan.columns, plan.rows)
        frame = xlsx_new.part(self.tab, dict(enumerate(widths)))
        part = self._add_tab(self.tab, frame, hidden=False)
        return part, lambda: io.BytesIO(frame)

    def _add_tab(self, name: str, data: bytes, *, hidden: bool) -> str:
        folder = posixpath.join(posixpath.dirname(self.book.part), "worksheets")
        part = xlsx_parts.free_name(self.package, folder, "runsheet", self._parts)
        self._put(part, data)
        self._tabs.append((name, Addition(part, self.book.part, "worksheet", "worksheet"), hidden))
        return part

    def _marks(self, block: Block) -> dict[int, int]:
        """Numbers for columns that become ours. Numbers are never given twice: a name that lost
        its column must not come to stand for another."""
        fresh = [(placed.column, placed.index) for placed in self.plan.adopted]
        fresh += zip(self.plan.new, sorted(block.titles), strict=True)
        last = max([self.book.last_mark, *self.notes.marks])
        if self._over:
            # The tab or our columns were cleared or deleted: old marks may be left on blank columns.
            self.notes.marks.clear()
        for number in [number for number, key in self.notes.marks.items() if key in self.plan.dropped]:
            del self.notes.marks[number]
        marks: dict[int, int] = {}
        for number, (column, index) in enumerate(fresh, last + 1):
            marks[number] = index
            self.notes.marks[number] = column.key
        return marks

    def _moved(self) -> dict[int, int]:
        """Marks whose column stands elsewhere by now: it was cut and pasted."""
        places = {item.key: item.index for item in self.plan.owned}
        numbers = {
            self.notes.marks.get(number, ""): number
            for number, (tab, _) in sorted(self.book.marks.items())
            if tab.casefold() == self.tab.casefold()
        }
        return {
            number: places[key]
            for key, number in numbers.items()
            if key in places and self.book.marks[number][1] != places[key]
        }

    def _held(self, source: Open, layout: Layout, block: Block) -> dict[int, dict[int, Stored]]:
        """What stands in the rows and columns in which cells are changed."""
        shared = (lambda: self.package.open(self.book.shared)) if self.book.shared else None
        around = typed.Around(shared, self.calendar, self.book.chain)
        return typed.read(layout, typed.slicer(source), block.changes, block.changed, around)

    def _stored(self, cell: Cell) -> Stored:
        return stored(cell, self.calendar)

    @property
    def _over(self) -> bool:
        """The table starts over."""
        return self.plan.shape.empty or self.plan.shape.hollow

    def _write_rows(self, part: str, source: Open, layout: Layout, block: Block) -> tuple[str, str] | None:
        """The worksheet's part, its tables and the formats; returns the filter's old and new
        range when it grows."""
        ours = _ours(self.plan, block)
        styles = self._styles()
        old, new = _filter(layout, block, ours)
        writer = Writer(
            layout, typed.slicer(source), styles, self.calendar, [item.index for item in self.plan.owned]
        )
        edits = writer.edits(block, new if new != old else None)
        self._parts[part] = _spliced(source, edits)
        self._write_styles(styles)
        if not self.book.tab(self.tab):
            return None
        for relation in self.package.relations(part):
            if relation.kind == "table":
                document = self.package.document(relation.target)
                self._put(relation.target, xlsx_table.patched(document, block, ours))
        return (str(old), str(new)) if new != old else None

    def _styles(self) -> Styles:
        part = self.book.styles
        return Styles(self.package.read(part) if part else xlsx_style.MINIMAL, self.calendar.format)

    def _write_styles(self, styles: Styles) -> None:
        data, part = styles.patched(), self.book.styles
        if data and not part:
            part = xlsx_parts.free_name(self.package, posixpath.dirname(self.book.part), "styles")
            self._additions.append(Addition(part, self.book.part, "styles", "styles"))
        self._put(part, data)

    def _write_notes(self) -> None:
        plan = self.plan
        rows = [*self.notes.rows, *plan.notes, *self._told, *plan.closing]
        if plan.watermarks is not None:
            rows = [row for row in rows if row[0] != ledger.WATERMARKS]
            rows.append(ledger.watermarks(plan.watermarks))
        data = xlsx_notes.part(self.notes, rows)
        if self.notes.part:
            self._put(self.notes.part, data)
        else:
            self._add_tab(NOTES, data, hidden=True)

    def _register(self) -> list[NewTab]:
        """Make added parts known to the package."""
        additions = [*self._additions, *(addition for _, addition, _ in self._tabs)]
        if not additions:
            return []
        named, parts = xlsx_parts.register(self.package, additions)
        self._parts.update({name: whole(data) for name, data in parts.items()})
        ids = {addition.name: addition.id for addition in named}
        return [NewTab(name, ids[addition.name], hidden) for name, addition, hidden in self._tabs]

    def _has_formulas(self, layout: Layout) -> bool:
        """Whether any formula may count our cells, new or changed: then its value, kept in the file, is
        old. Excel shows such values without a look at what they were made of, unless the workbook
        asks it to calculate everything when it is opened. The order of calculation (calcChain) stays:
        no formula is ever taken away, and Excel finds those that it does not name."""
        if layout.formulas or self.book.chain:
            return True
        known = (self.tab.casefold(), NOTES)  # The first was measured, the second is ours.
        parts = [tab.part for tab in self.book.tabs if tab.part and tab.name.casefold() not in known]
        return any(_mentions_formula(self.package.open(part)) for part in parts)


def _measure(source: Open) -> Layout:
    with source() as part:
        return measure(part, ())


def _spliced(source: Open, edits: Sequence[Edit]) -> Chunks:
    return lambda: xml.splice_stream(source(), edits)


def _mentions_formula(part: IO[bytes]) -> bool:
    with part:
        end = b""
        while chunk := part.read(xml.CHUNK):
            piece = end + chunk
            if any(word in piece for word in _FORMULA):
                return True
            end = piece[-3:]
    return False


def _block(plan: Plan, layout: Layout) -> Block:
    """Where everything goes. Rows go below `plan.after`, or, when anything stands below that,
    below the last row that holds something: moving what is there would mean to rewrite formulas,
    names, charts and formats all over the workbook."""
    places = {item.key: item.index for item in plan.owned}
    places |= {placed.column.key: placed.index for placed in plan.adopted}
    known = list(places.values())
    right = max([layout.right, *known])
    titles = {right + 1 + count: column.title for count, column in enumerate(plan.new)}
    places |= {column.key: index for index, column in zip(titles, plan.new, strict=True)}
    columns = [*known, *titles] if plan.rows else []
    first = max(plan.after + 2, layout.last_row + 1, 2)
    size.check(first, len(plan.rows), right, len(plan.new))
    if plan.rows and len(columns) != len(plan.columns):
        raise Unfit("does not fit the plan: please report this")
    changes = xlsx_changes.puts(plan, places)
    return Block(titles, columns, plan.rows, first, plan.after + 1, changes)


def _ours(plan: Plan, block: Block) -> Area:
    """The columns that belong to the table, as an area of the header row."""
    known = [item.index for item in plan.owned] + [placed.index for placed in plan.adopted]
    used = known or list(block.titles)
    return Area(1, min(used), 1, max(used))


def _filter(layout: Layout, block: Block, ours: Area) -> tuple[Area | None, Area | None]:
    if layout.auto_filter is None or "ref" not in layout.auto_filter.attrs:
        return None, None
    old = Area.parse(layout.auto_filter.attrs["ref"])
    # New rows belong under a person's filter, new columns need not.
    return old, xlsx_table.grown(old, block, ours, wider=False)
