"""A workbook on disk as destination. No account, no service; everything is in one file.

A new workbook is made by openpyxl. An existing one is patched: rows and cells go into our
worksheet's part, every other part is copied byte for byte. What that cannot do is refused.

- A file is rewritten once, so a plan is one batch: changes, rows, columns, marks and book-keeping
  together. Nobody can be in between: a plan that finds another file changes nothing.
- Rows go directly below the row the plan names, when nothing stands below it; otherwise below
  everything. Nothing is ever inserted between rows: every formula, name, chart and format that
  refers to what is below would have to be rewritten.
- The version of the file is the digest of its bytes; a save is refused when it has changed.
- Columns are marked by hidden defined names (book.py), explained in the hidden tab
  `_runsheet` (notes.py).
"""

import hashlib
import io
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from functools import partial
from pathlib import Path
from typing import IO
from zoneinfo import ZoneInfo

from runsheet import ledger
from runsheet.clock import Clock
from runsheet.destinations.xlsx import book as xlsx_book
from runsheet.destinations.xlsx import comments, typed
from runsheet.destinations.xlsx import disk as xlsx_disk
from runsheet.destinations.xlsx import lock as xlsx_lock
from runsheet.destinations.xlsx import new as xlsx_new
from runsheet.destinations.xlsx import notes as xlsx_notes
from runsheet.destinations.xlsx import sheet as xlsx_sheet
from runsheet.destinations.xlsx.book import Book, Tab
from runsheet.destinations.xlsx.cell_xml import CELL_CHARS, COLUMNS, ROWS, Calendar, stored
from runsheet.destinations.xlsx.markup import Unfit
from runsheet.destinations.xlsx.notes import Notes
from runsheet.destinations.xlsx.package import Package
from runsheet.destinations.xlsx.patch import Patch
from runsheet.destinations.xlsx.refusal import check_name, check_title, check_writable, translated
from runsheet.destinations.xlsx.sheet import Layout
from runsheet.destinations.xlsx.strings import resolve
from runsheet.errors import Changed, NotFound
from runsheet.model import (
    Cell,
    Cells,
    Content,
    Limits,
    Owned,
    Placed,
    Plan,
    RowId,
    Shape,
    Stored,
    Written,
)

_CREATED = re.compile(rb"<dcterms:created[^>]*>([^<]+)<")


@dataclass(slots=True)
class _Token:
    """What was read: the file's digest (None: no file), and our tab's name in it. `layout` is
    measured by content() and used again by cells() and apply(); `adopted` are columns that are not
    marked yet."""

    digest: str | None
    tab: str
    layout: Layout | None = None
    adopted: Sequence[Placed] = ()


@dataclass(frozen=True, slots=True)
class _Opened:
    """A workbook, open for reading."""

    digest: str
    package: Package
    book: Book
    notes: Notes

    def shared(self) -> IO[bytes]:
        return self.package.open(self.book.shared) if self.book.shared else io.BytesIO()


class XlsxDestination:
    """The table in a workbook; see base.py for the contract.

    `timezone` is the zone in which dates are shown; their format names it.
    """

    name = "xlsx"
    limits = Limits(cell_chars=CELL_CHARS, rows=ROWS, columns=COLUMNS)
    requests = 0
    remarks: tuple[str, ...] = ()

    def __init__(
        self,
        path: str | Path,
        *,
        worksheet: str = "runs",
        timezone: tzinfo = UTC,
        clock: Clock,
        disk: xlsx_disk.Disk | None = None,
    ) -> None:
        check_name(path)
        check_title(worksheet)
        self._given = Path(path)
        self._worksheet = worksheet
        self._zone = timezone
        self._clock = clock
        self._disk = disk or xlsx_disk.Disk()
        self._calendar = Calendar(timezone)

    @property
    def _path(self) -> Path:
        """The file itself: renaming over a link would turn the link into a file."""
        return Path(os.path.realpath(self._given))

    def read(self) -> Shape:
        """Read marks and header. A missing file is an empty worksheet that does not exist."""
        with translated(self._given), self._open() as opened:
            if opened is None:
                return Shape(exists=False, empty=True, token=_Token(None, self._worksheet))
            tab = self._tab(opened)
            if tab is None:
                return Shape(exists=False, empty=True, token=_Token(opened.digest, self._worksheet))
            with opened.package.open(tab.part) as source:
                layout = xlsx_sheet.header(source)
            token = _Token(opened.digest, tab.name)
            if layout.empty:
                # Marks outlive a tab that was cleared, but they stand for nothing: it starts over.
                return Shape(exists=True, empty=True, token=token)
            header = _header(layout, opened)
            made = frozenset(opened.book.made.get(self._worksheet, ()))
            owned = _owned(opened, tab, header)
            hollow = _is_hollow(opened, tab, owned)
            marks = () if hollow else ledger.watermarks_of(opened.notes.rows)
            return Shape(True, False, header, owned, token, made, hollow, watermarks=marks)

    def content(self, shape: Shape, adopted: Sequence[Placed] = ()) -> Content:
        """Read ids and book-keeping. Measures the worksheet on the way, for apply()."""
        token = _token(shape)
        with translated(self._given), self._open() as opened:
            self._check_version(opened.digest if opened else None, token)
            if opened is None:
                return Content()
            rows: tuple[RowId, ...] = ()
            if shape.exists:
                rows = self._ids(opened, shape, adopted, token)
            return Content(rows, _notes(opened))

    def cells(self, shape: Shape, content: Content, rows: Sequence[RowId]) -> Cells:
        """Read the cells of our columns in these rows, those of adopted ones too."""
        token = _token(shape)
        ids = {row.index: row.run_id for row in content.rows}
        if any(ids.get(row.index, "") != row.run_id for row in rows):
            raise Changed(f"a row of {self._given} is another one by now")
        with translated(self._given), self._open() as opened:
            self._check_version(opened.digest if opened else None, token)
            tab = opened.book.tab(token.tab) if opened else None
            if opened is None or tab is None or token.layout is None:
                return Cells()
            places = {placed.column.key: placed.index for placed in token.adopted}
            places |= {owned.key: owned.index for owned in shape.owned}
            source = partial(opened.package.open, tab.part)
            numbers, indexes = [row.index + 1 for row in rows], list(places.values())
            around = typed.Around(opened.shared, self._calendar, opened.book.chain)
            found = typed.read(token.layout, typed.slicer(source), numbers, indexes, around)
        by_key = {row: {key: cells[at] for key, at in places.items()} for row, cells in found.items()}
        return Cells({row - 1: cells for row, cells in by_key.items()})

    @property
    def zone(self) -> str:
        return str(self._zone)

    def use_zone(self, name: str) -> None:
        self._zone = ZoneInfo(name)
        self._calendar = replace(self._calendar, zone=self._zone)

    def stored(self, cell: Cell) -> Stored:
        return stored(cell, self._calendar)

    def apply(self, plan: Plan) -> Iterator[Written]:
        """Write the plan as one batch, or raise and leave the file as it was."""
        if plan.nothing:
            return
        path, token = self._path, _token(plan.shape)
        with translated(self._given):
            check_writable(path)
            with xlsx_lock.hold(path):
                xlsx_lock.check_people(path, self._clock)
                with self._open() as opened:
                    self._check_version(opened.digest if opened else None, token)
                    self._save(path, opened or self._new(plan), plan, token)
        yield Written(len(plan.rows), len(plan.changes))

    def remove(self, shape: Shape, content: Content, rows: Sequence[RowId]) -> tuple[RowId, ...]:
        """Rows stay where they are, blank: what refers to those below would have to be rewritten."""
        token = _token(shape)
        with translated(self._given), self._open() as opened:
            self._check_version(opened.digest if opened else None, token)
            tab = opened.book.tab(token.tab) if opened else None
            if opened is None or tab is None:
                return ()
            with opened.package.open(tab.part) as source:
                filled = set(xlsx_sheet.measure(source, []).numbers)
            filled |= comments.rows(opened.package, tab.part)
            return tuple(row for row in rows if row.index + 1 not in filled)

    def backup(self, shape: Shape, path: Path) -> None:
        shutil.copyfile(self._path, path)

    def backup_name(self, shape: Shape) -> str:
        path = self._path
        return f"{path.stem}-{hashlib.sha256(os.fsencode(path)).hexdigest()[:8]}{path.suffix}"

    def made(self, shape: Shape) -> datetime | None:
        with translated(self._given), self._open() as opened:
            return _created(opened.package) if opened else None

    def probe(self) -> Iterator[str]:
        """Make sure that the workbook can be locked and saved now."""
        path = self._path
        with translated(self._given):
            check_writable(path)
            with xlsx_lock.hold(path):
                xlsx_lock.check_people(path, self._clock)
        yield f"{self._given} can be locked and saved"

    def close(self) -> None:
        """Nothing is held between calls."""

    def _ids(
        self, opened: _Opened, shape: Shape, adopted: Sequence[Placed], token: _Token
    ) -> tuple[RowId, ...]:
        """Rows with text in the run_id column, from the second row on."""
        columns = {owned.key: owned.index for owned in shape.owned}
        columns |= {placed.column.key: placed.index for placed in adopted}
        run_id, project = columns.get("run_id", -1), columns.get("project", -1)
        unsure = bool(adopted) or not opened.notes.part
        wanted = [index for index in (run_id, project) if index >= 0]
        others = [index for index in columns.values() if index != run_id] if unsure else []
        tab = opened.book.tab(token.tab)
        assert tab is not None
        with opened.package.open(tab.part) as source:
            layout = xlsx_sheet.measure(source, wanted, others)
        token.layout, token.adopted = layout, tuple(adopted)
        texts = resolve(layout.texts, opened.shared)
        layout.texts = []
        return tuple(
            RowId(text, texts.get((row, project), ""), row - 1, not unsure or row in layout.filled)
            for (row, index), text in texts.items()
            if index == run_id and row > 1 and text.strip()
        )

    def _save(self, path: Path, opened: _Opened, plan: Plan, token: _Token) -> None:
        patch = Patch(
            opened.package, opened.book, opened.notes, plan, token.tab, self._calendar, token.layout
        )
        parts = patch.parts()
        self.remarks = patch.remarks

        def write(out: IO[bytes]) -> None:
            opened.package.copy(out, parts)

        def check() -> None:
            """A program that ignores locks may have saved while we wrote."""
            xlsx_lock.check_people(path, self._clock)
            self._check_version(_digest_at(path), token)

        xlsx_disk.save(self._disk, path, write, check)

    def _new(self, plan: Plan) -> _Opened:
        """A new workbook, in memory: empty but for its frame."""
        widths = xlsx_new.widths(plan.columns, plan.rows)
        package = Package(io.BytesIO(xlsx_new.frame(self._worksheet, dict(enumerate(widths)))))
        book = xlsx_book.load(package)
        return _Opened("", package, book, xlsx_notes.load(package, book, self._worksheet))

    @contextmanager
    def _open(self) -> Iterator[_Opened | None]:
        """The workbook as it is now; None when there is no file."""
        path = self._path
        try:
            file = path.open("rb")
        except FileNotFoundError:
            if not path.parent.is_dir():
                raise NotFound(
                    f"the folder {path.parent} does not exist: make it, or change the path"
                ) from None
            self._calendar = Calendar(self._zone)
            yield None
            return
        with file:
            digest = _digest(file)
            package = Package(file)
            book = xlsx_book.load(package)
            self._calendar = Calendar(self._zone, book.from_1904)
            yield _Opened(digest, package, book, xlsx_notes.load(package, book, self._worksheet))

    def _tab(self, opened: _Opened) -> Tab | None:
        """Our tab: the one that holds the column of the run ids, else the one that most of our
        table's marks point to (people rename tabs), else the one with our name."""
        marks, book, keys = opened.book.marks, opened.book, opened.notes.marks
        places = [(keys[number], tab) for number, (tab, _) in marks.items() if number in keys]
        votes = Counter(tab for key, tab in places)
        first = [tab for key, tab in places if key == "run_id"]
        named = [*reversed(first), *(tab for tab, _ in votes.most_common()), self._worksheet]
        tab = next((found for name in named if (found := book.tab(name))), None)
        if tab is not None and not tab.part:
            raise Unfit(
                f"has a tab {tab.name} that is no table (a chart, or a macro sheet): name another one"
            )
        return tab

    def _check_version(self, digest: str | None, token: _Token) -> None:
        if digest != token.digest:
            raise Changed(f"{self._given} was saved by somebody else since it was read")


def _token(shape: Shape) -> _Token:
    assert isinstance(shape.token, _Token), "a shape of another destination"
    return shape.token


def _created(package: Package) -> datetime | None:
    """When the workbook was made, as office programs note and keep it."""
    part = "docProps/core.xml"
    match = _CREATED.search(package.read(part)) if package.has(part) else None
    try:
        moment = datetime.fromisoformat(match[1].decode()) if match else None
    except ValueError:
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC) if moment else None


def _digest(file: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()


def _digest_at(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return _digest(file)
    except FileNotFoundError:
        return None


def _header(layout: Layout, opened: _Opened) -> tuple[str, ...]:
    texts = resolve((raw for raw in layout.texts if raw[0] == 1), opened.shared)
    shown = {index: text for (_, index), text in texts.items() if text.strip()}
    return tuple(shown.get(index, "") for index in range(max(shown, default=-1) + 1))


def _owned(opened: _Opened, tab: Tab, header: Sequence[str]) -> tuple[Owned, ...]:
    """Marks whose key is known and whose column is in our tab. When two marks have one key or
    one column (an old one was left behind), the newer counts."""
    by_index: dict[int, Owned] = {}
    keys: set[str] = set()
    for number in sorted(opened.book.marks, reverse=True):
        place, index = opened.book.marks[number]
        key = opened.notes.marks.get(number, "")
        if key and key not in keys and index not in by_index and place.casefold() == tab.name.casefold():
            keys.add(key)
            by_index[index] = Owned(key, index, header[index] if index < len(header) else "")
    return tuple(by_index[index] for index in sorted(by_index))


def _is_hollow(opened: _Opened, tab: Tab, owned: Sequence[Owned]) -> bool:
    """Whether nothing of our table is left in a tab that holds something: our columns are blank from top
    to bottom, or a person deleted them all."""
    if not owned:
        return bool(opened.book.last_mark and opened.notes.marks)
    if any(item.title.strip() for item in owned):
        return False
    with opened.package.open(tab.part) as source:
        return not xlsx_sheet.measure(source, (), [item.index for item in owned]).filled


def _notes(opened: _Opened) -> tuple[tuple[str, ...], ...] | None:
    """The book-keeping; None when its tab is gone from a workbook that we have written."""
    if not opened.notes.part and opened.book.last_mark:
        return None
    return tuple(opened.notes.rows)
