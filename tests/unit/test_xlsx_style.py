"""Dates look like dates, in the zone they are in; formats of people are never changed."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import openpyxl
import pytest

from runsheet.destinations.a1 import column, letters
from runsheet.destinations.xlsx.cell_xml import Area, Calendar, escaped, render, unescaped
from runsheet.destinations.xlsx.style import MINIMAL, Styles, _shows_date
from tests.support.workbooks import WHEN, append, bare, opened, rich, unpack, worksheet

UTC_FORMAT = 'yyyy-mm-dd hh:mm:ss" UTC"'


@pytest.mark.parametrize(
    ("code", "shows"),
    [
        ("yyyy-mm-dd", True),
        (UTC_FORMAT, True),
        ("[$-409]d/m/yy h:mm AM/PM;@", True),
        ("General", False),
        ("0.00E+00", False),
        ('0" days"', False),
        ("[h]:mm:ss", False),
        ("[Red]0.0", False),
        ("_-* #,##0\\ _d_-", False),
    ],
)
def test_date_formats(code: str, shows: bool) -> None:
    assert _shows_date(code) == shows


@pytest.mark.parametrize(
    ("zone", "name", "hour"),
    [
        (UTC, "UTC", 9),
        (ZoneInfo("Asia/Seoul"), "Asia/Seoul", 18),
        (timezone(timedelta(hours=2)), "UTC+02:00", 11),
    ],
)
def test_a_date_names_its_zone(tmp_path: Path, zone: ZoneInfo, name: str, hour: int) -> None:
    path = tmp_path / "runs.xlsx"
    append(opened(path, timezone=zone), [("r1", WHEN)], new=("run_id", "when"))
    cell = openpyxl.load_workbook(path)["runs"]["B2"]
    assert cell.value == datetime(2026, 11, 21, hour, 30, 15)
    assert cell.number_format == f'yyyy-mm-dd hh:mm:ss" {name}"'


def test_workbooks_that_count_from_1904(tmp_path: Path) -> None:
    path = tmp_path / "runs.xlsx"
    book = openpyxl.Workbook()
    book.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
    book.worksheets[0].title = "runs"
    book.worksheets[0].append(["run_id", "when"])
    book.save(path)
    append(opened(path), [("r1", WHEN)], adopt=True)
    assert openpyxl.load_workbook(path)["runs"]["B2"].value == WHEN.replace(tzinfo=None)


def test_dates_before_the_calendar_are_text(tmp_path: Path) -> None:
    path = tmp_path / "runs.xlsx"
    append(opened(path), [("r1", datetime(1850, 1, 2, tzinfo=UTC))], new=("run_id", "when"))
    assert openpyxl.load_workbook(path)["runs"]["B2"].value == "1850-01-02 00:00:00+00:00"


def test_a_date_format_of_people_is_kept(tmp_path: Path) -> None:
    path = rich(tmp_path / "runs.xlsx", 2)
    append(opened(path), [("r9", "nine", 1, WHEN, WHEN)], adopt=True)
    sheet = openpyxl.load_workbook(path)["runs"]
    assert sheet["D4"].number_format == sheet["D3"].number_format
    assert sheet["E4"].number_format == UTC_FORMAT


def test_a_colour_is_kept_under_a_date(tmp_path: Path) -> None:
    path = rich(tmp_path / "runs.xlsx", 2)
    append(opened(path), [("r9", WHEN, 1, 1, 1)], adopt=True)
    cell = openpyxl.load_workbook(path)["runs"]["B4"]
    assert (cell.number_format, cell.fill.fgColor.rgb) == (UTC_FORMAT, "00FFFF00")


def test_the_formats_do_not_grow_with_every_tick(tmp_path: Path) -> None:
    path = tmp_path / "runs.xlsx"
    append(opened(path), [("r1", WHEN)], new=("run_id", "when"))
    append(opened(path), [("r2", None)])
    before = unpack(path)["xl/styles.xml"]
    append(opened(path), [("r3", WHEN)])
    assert unpack(path)["xl/styles.xml"] == before
    assert openpyxl.load_workbook(path)["runs"]["B4"].number_format == UTC_FORMAT


def test_a_workbook_without_formats_gets_some(tmp_path: Path) -> None:
    path = bare(tmp_path / "runs.xlsx", worksheet(""))
    append(opened(path), [("r1", WHEN)], new=("run_id", "when"))
    sheet = openpyxl.load_workbook(path)["runs"]
    assert sheet["A1"].font.b
    assert sheet["B2"].value == WHEN.replace(tzinfo=None)


def test_no_addition_no_change() -> None:
    styles = Styles(MINIMAL, UTC_FORMAT)
    assert styles.patched() is None
    assert styles.dated(0) == styles.dated(0) == 1
    assert styles.patched() is not None


@pytest.mark.parametrize(
    "text", ["_x0041_", "_x005F_x0041_", "a_x00e9_b", "_xZZZZ_", "_x0041", "\r\n", "__x0041__"]
)
def test_escapes(text: str) -> None:
    assert unescaped(escaped(text)) == text


def test_places() -> None:
    assert [letters(index) for index in (0, 25, 26, 701, 702, 16_383)] == ["A", "Z", "AA", "ZZ", "AAA", "XFD"]
    assert all(column(letters(index)) == index for index in range(0, 16_384, 37))
    assert str(Area.parse("B2:D9").joined(Area.parse("A3"))) == "A2:D9"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None])
def test_no_cell(value: float | None) -> None:
    assert render(value, "A1", 0, "", Calendar()) == ""


def test_what_never_arrives_does_no_harm() -> None:
    cell = render("\x00\x0c\ud800\uffff", "A1", 0, "", Calendar())
    assert "\ufffd" * 4 in cell
    assert len(render("x" * 40_000, "A1", 0, "", Calendar())) < 33_000
