"""What a file for backups can hold, and what becomes of the rest."""

import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from runsheet.destinations.xlsx import stream
from runsheet.destinations.xlsx.stream import Dated, Formula, fits
from runsheet.errors import SheetError, Unreachable


def read(path: Path) -> list[list[Any]]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return [list(row) for row in openpyxl.load_workbook(path).worksheets[0].iter_rows(values_only=True)]


@pytest.mark.parametrize(
    ("formula", "good"),
    [
        ("=1+1", True),
        ("=SUM(A1:B2,$C$3)", True),
        ("=SUM(D:D)+COUNT(2:3)", True),
        ('=IF(A1>0,"a;b,{c}",TRUE)', True),
        ("=prices*1.5", True),
        ("=-A1^2%", True),
        ("=UNKNOWN.NAME(A1)", True),
        ("=#REF!+1", True),
        ("=SUM(D2:D)", False),
        ("=SUM(2:D)", False),
        ("=Other!A1", False),
        ("='My tab'!A1", False),
        ("={A1:A3;B1:B3}", False),
        ("=SUM(A1;B1)", False),
        ("=1,5*A1", False),
        ("=SUM(A1))", False),
        ('="open', False),
        ("=a\x01", False),
        ("=" + "1+" * 5_000 + "1", False),
        ("=", False),
    ],
    ids=lambda value: str(value)[:20],
)
def test_formulas_that_excel_would_call_damage(formula: str, good: bool) -> None:
    assert fits(formula) is good


def test_kinds(tmp_path: Path) -> None:
    """A formula, a text that looks like one, an aware date, a date of its own format, blanks between."""
    path = tmp_path / "b.xlsx"
    when = datetime(2026, 11, 21, 9, 30, 15, tzinfo=UTC)
    rows = [["=1", Formula("=1"), Formula("={1;2}"), None, True, 0.1, 2**53], [], [when, Dated(1.5, "hh:mm")]]
    stream.write(path, "t", rows)
    sheet = openpyxl.load_workbook(path).worksheets[0]
    kinds = [(cell.value, cell.data_type) for cell in sheet[1]]
    assert kinds == [
        ("=1", "s"),
        ("=1", "f"),
        ("={1;2}", "s"),
        (None, "n"),
        (True, "b"),
        (0.1, "n"),
        (2**53, "n"),
    ]
    assert [cell.number_format for cell in sheet[3]][:2] == ['yyyy-mm-dd hh:mm:ss" UTC"', "hh:mm"]
    assert sheet["A3"].value.replace(microsecond=0) == when.replace(tzinfo=None)


def test_characters_that_xml_lacks_are_seen(tmp_path: Path) -> None:
    """Controls as Excel writes them, halves of characters as U+FFFD, a lookalike of an escape as itself."""
    path = tmp_path / "b.xlsx"
    stream.write(path, "t", [["a\x00\x0b\x1f\ufffe", "\ud800x", "_x0041_", "a\tb\n<&>", " x "]])
    assert read(path) == [["a_x0000__x000B__x001F__xFFFE_", "\ufffdx", "_x005F_x0041_", "a\tb\n<&>", " x "]]


@pytest.mark.parametrize("title", ["a/b:c", "x" * 100, "'quoted'", "", "실험", "a&b"])
def test_any_title(tmp_path: Path, title: str) -> None:
    path = tmp_path / "b.xlsx"
    stream.write(path, title, [["x"]])
    found = openpyxl.load_workbook(path).sheetnames[0]
    assert 0 < len(found) <= 31
    assert not set(found) & set("[]:*?/\\")


def test_what_is_too_large_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blank rows beyond the end do not matter, a value does."""
    monkeypatch.setattr(stream, "ROWS", 2)
    stream.write(tmp_path / "b.xlsx", "t", [["x"], [], [], []])
    with pytest.raises(SheetError, match="more than"):
        stream.write(tmp_path / "b.xlsx", "t", [[], [], ["x"]])
    monkeypatch.setattr(stream, "ROWS", 9)
    monkeypatch.setattr(stream, "PART_BYTES", 100)
    with pytest.raises(SheetError, match="more than"):
        stream.write(tmp_path / "b.xlsx", "t", [["x" * 200]])


def test_a_source_that_fails_is_heard(tmp_path: Path) -> None:
    def rows() -> Iterator[list[str]]:
        yield ["x"]
        raise Unreachable("no network")

    with pytest.raises(Unreachable):
        stream.write(tmp_path / "b.xlsx", "t", rows())
    assert list(tmp_path.iterdir()) == [tmp_path / "b.xlsx"]
