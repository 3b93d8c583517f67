"""A large table: rows are made when they are written, few are held, and the part is read piece by piece.

Mutants: all rows are held; only the last ones are in the book-keeping; the sheet is written from one bytes
object; rows are written that were used up; a date in blank rows that people coloured has no format.
"""

import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import IO, overload

import openpyxl
import pytest
from openpyxl.styles import PatternFill

from runsheet import ledger
from runsheet.destinations.xlsx import markup, patch
from runsheet.destinations.xlsx.markup import Edit, Made
from runsheet.destinations.xlsx.sheet import measure
from runsheet.errors import ServiceError
from runsheet.model import Cell, Column, Plan, Row, Scope, Written
from tests.support.workbooks import MAIN, WHEN, column, opened, unpack, worksheet

SCOPE = Scope("wandb", "h", "p")
COLUMNS = (column("run_id"), Column("when", "when", "when", date=True), column("text"))
PART = "xl/worksheets/sheet1.xml"
COUNT = 400


class Held(Row):
    """A row that says how many of its kind are in memory, and how many were made."""

    now = most = made = 0

    def __init__(self, cells: tuple[Cell, ...]) -> None:
        super().__init__(SCOPE, str(cells[0]), cells)
        Held.now += 1
        Held.made += 1
        Held.most = max(Held.most, Held.now)

    def __del__(self) -> None:
        Held.now -= 1


class Rows(Sequence[Row]):
    """Rows that are made anew each time they are looked at."""

    def __init__(self, numbers: range, *, dates: bool = True) -> None:
        self._numbers = numbers
        self._dates = dates

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | Sequence[Row]:
        if isinstance(index, slice):
            return Rows(self._numbers[index], dates=self._dates)
        number = self._numbers[index]
        return Held((f"r{number}", WHEN + timedelta(days=number) if self._dates else None, "text" * 50))

    def __iter__(self) -> Iterator[Row]:
        return (self[index] for index in range(len(self)))


def write(path: Path, rows: Sequence[Row]) -> None:
    destination = opened(path)
    shape = destination.read()
    content = destination.content(shape)
    new = () if shape.owned else COLUMNS
    after = max((row.index for row in content.rows), default=0)
    tick = "20261121T093015Z-0a1b"
    plan = Plan(shape, content, COLUMNS, shape.owned, new=new, rows=rows, after=after, tick=tick)
    assert list(destination.apply(plan)) == [Written(len(rows))]


def test_few_rows_are_held_and_each_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both in a new workbook and below rows that stand, a few rows are objects at a time, of the sheet a few
    thousand bytes, and no row is made before its place is written."""
    monkeypatch.setattr(patch, "PIECE", 10)
    Held.now = Held.most = 0
    sizes: list[int] = []
    jumps: list[int] = []

    def spy(source: IO[bytes], edits: Iterable[Edit]) -> Iterator[bytes]:
        made = Held.made
        for chunk in splice_stream(source, edits):
            sizes.append(len(chunk))
            jumps.append(Held.made - made)
            made = Held.made
            yield chunk

    splice_stream = markup.splice_stream
    monkeypatch.setattr(markup, "splice_stream", spy)
    path = tmp_path / "runs.xlsx"
    write(path, Rows(range(COUNT)))
    write(path, Rows(range(COUNT, 2 * COUNT)))
    assert Held.most < 30
    assert max(jumps) == 1
    assert max(sizes) <= markup.CHUNK
    assert sum(sizes) > 4 * markup.CHUNK
    content = opened(path).content(opened(path).read())
    ids = [f"r{number}" for number in range(2 * COUNT)]
    assert [row.run_id for row in content.rows] == ids
    book = ledger.parse(content.notes or ())
    assert book.ids == {SCOPE: set(ids)}
    assert [row.run_id for tick in book.ticks for row in tick.rows] == ids


def test_they_are_written_as_rows_that_are_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, anew = tmp_path / "whole.xlsx", tmp_path / "anew.xlsx"
    write(whole, tuple(Rows(range(30))))
    monkeypatch.setattr(patch, "PIECE", 30)
    write(anew, Rows(range(30)))
    before, after = unpack(whole), unpack(anew)
    assert {name for name in before if before[name] != after[name]} <= {"docProps/core.xml"}


class Gone(Rows):
    """Rows that cannot be made a second time."""

    looks = 0

    def __iter__(self) -> Iterator[Row]:
        self.looks += 1
        yield from super().__iter__() if self.looks == 1 else islice(super().__iter__(), 20)
        if self.looks > 1:
            raise ServiceError("the disk is gone")


def test_rows_that_cannot_be_made_leave_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "runs.xlsx"
    write(path, Rows(range(3)))
    before = path.read_bytes()
    with pytest.raises(ServiceError, match="the disk is gone"):
        write(path, Gone(range(3, 60)))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_part_can_be_written_twice() -> None:
    edit = Edit(1, 2, Made(lambda: iter([b"x", b"y"])))
    assert [markup.splice(b"abc", [edit]) for _ in range(2)] == [b"axyc"] * 2


def test_dates_in_rows_that_people_coloured(tmp_path: Path) -> None:
    """Each cell keeps its colour, and its date has a format, whichever style it had."""
    path = tmp_path / "runs.xlsx"
    write(path, Rows(range(2), dates=False))
    book = openpyxl.load_workbook(path)
    for row, colour in ((4, "00FF0000"), (6, "0000FF00")):
        book["runs"].cell(row, 2).fill = PatternFill("solid", fgColor=colour)
    book.save(path)
    write(path, Rows(range(2, 6)))
    sheet = openpyxl.load_workbook(path)["runs"]
    looks = [(sheet.cell(row, 2).fill.fgColor.rgb, sheet.cell(row, 2).is_date) for row in range(4, 8)]
    assert looks == [("00FF0000", True), ("00000000", True), ("0000FF00", True), ("00000000", True)]


class Slow(io.BytesIO):
    """Gives `size` bytes at a time."""

    size = 1

    def read(self, _: int | None = -1) -> bytes:
        return super().read(self.size)


FORMS = {
    "plain": worksheet('<row r="1"><c r="A1"><v>1</v></c></row><row r="2"><c r="B2"><f>A1</f></c></row>'),
    "the end has room": worksheet('<row r="1"><c r="A1"><v>1</v></c></row>').replace(
        "sheetData>", "sheetData >"
    ),
    "prefixed": f'<x:worksheet xmlns:x="{MAIN}"><x:sheetData><x:row r="1"><x:c r="A1"><x:v>1</x:v></x:c>'
    "</x:row></x:sheetData></x:worksheet>",
    "no rows": worksheet(""),
    "nothing at all": f'<worksheet xmlns="{MAIN}"><sheetData/><mergeCells/></worksheet>',
    "a remark on the end": worksheet(
        "<!-- </sheetData> --><row r='1'><c r='A1'><v>1</v></c></row><row r='2'/>"
    ),
}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("wanted", [None, [0], []], ids=["all", "some", "none"])
def test_a_part_is_measured_piece_by_piece(name: str, wanted: list[int] | None) -> None:
    """Wherever a piece ends, within the end tag of the table as well."""
    data = FORMS[name].encode()
    whole = measure(io.BytesIO(data), wanted, [0, 1])
    assert data[whole.data_end :].startswith(
        (b"</sheetData", b"</x:sheetData", b"<sheetData/>", b"<mergeCells")
    )
    for size in range(5, len(data)):
        source = Slow(data)
        source.size = size
        assert measure(source, wanted, [0, 1]) == whole
