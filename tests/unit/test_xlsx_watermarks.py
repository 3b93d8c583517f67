"""How far projects were listed is kept in the workbook's book-keeping: one note, that counts with its rows.

Mutants: read in a worksheet that starts over; a note more with every save; another part written for them.
"""

from pathlib import Path

import pytest

from runsheet import ledger
from runsheet.model import Plan, Shape
from tests.support.workbooks import append, opened, pack, raw_members, unpack, worksheet

TEXTS = ("wandb api.wandb.ai team/proj 2026-11-21", "x" * 20_000)


def made(path: Path) -> Path:
    append(opened(path), [("r1", 1)], new=("run_id", "x"))
    return path


def mark(path: Path, watermarks: tuple[str, ...] | None, **changes: object) -> Shape:
    """A save of nothing but watermarks; what the next tick reads."""
    destination = opened(path)
    shape = destination.read()
    plan = Plan(shape, destination.content(shape), owned=shape.owned, watermarks=watermarks)
    assert len(list(destination.apply(plan))) == (watermarks is not None)
    return opened(path).read()


def notes(path: Path) -> list[tuple[str, ...]]:
    found = opened(path).content(opened(path).read()).notes
    assert found is not None
    return [note for note in found if note[0] == ledger.WATERMARKS]


def test_one_note_however_often(tmp_path: Path) -> None:
    path = made(tmp_path / "runs.xlsx")
    for watermarks in (("a",), ("b", "c"), TEXTS):
        assert mark(path, watermarks).watermarks == watermarks
        assert notes(path) == [ledger.watermarks(watermarks)]


def test_they_touch_nothing_but_the_book_keeping(tmp_path: Path) -> None:
    path = made(tmp_path / "runs.xlsx")
    before = raw_members(path)
    mark(path, TEXTS)
    after = raw_members(path)
    assert [name for name in before if before[name] != after[name]] == ["xl/worksheets/sheet2.xml"]


def test_each_table_has_its_own(tmp_path: Path) -> None:
    path = made(tmp_path / "runs.xlsx")
    append(opened(path, worksheet="more"), [("m1", 1)], new=("run_id", "x"))
    mark(path, ("a",))
    assert opened(path, worksheet="more").read().watermarks == ()
    assert opened(path).read().watermarks == ("a",)


@pytest.mark.parametrize("row", ["", '<row r="1"><c r="Z1"><v>1</v></c></row>'], ids=["empty", "hollow"])
def test_those_of_a_table_that_starts_over_do_not_count(tmp_path: Path, row: str) -> None:
    path = made(tmp_path / "runs.xlsx")
    mark(path, ("a",))
    pack(path, {**unpack(path), "xl/worksheets/sheet1.xml": worksheet(row)})
    shape = opened(path).read()
    assert (shape.empty, shape.hollow, shape.watermarks) == (not row, bool(row), ())
