"""P5: a table shows all its dates in one time zone, and each date names it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import openpyxl
import pytest

from runsheet.destinations.base import Destination
from runsheet.destinations.xlsx import XlsxDestination
from tests.support.builders import Desk, FakeClock, rules, run, tick
from tests.support.sheets import SheetsServer

RULES = rules("run_id", "created_at", dynamic=(), live=True)
Open = Callable[[str], Destination]
Dates = Callable[[], list[str]]


@pytest.fixture(params=["gsheet", "xlsx"])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Open, Dates]]:
    """Opens the table with a TIMEZONE, and tells what its date cells show: value and zone."""
    if request.param == "xlsx":
        path = tmp_path / "runs.xlsx"

        def cells() -> list[str]:
            column = openpyxl.load_workbook(path)["runs"]["B"][1:]
            zones = [cell.number_format.split('"')[1] for cell in column]
            return [f"{cell.value:%H:%M}{zone}" for cell, zone in zip(column, zones, strict=True)]

        yield lambda zone: XlsxDestination(path, timezone=ZoneInfo(zone), clock=FakeClock()), cells
    else:
        with SheetsServer() as server:
            desk = Desk(server, tmp_path)

            def shown() -> list[str]:
                rows = desk.document.tab("runs").formatted()[1:]
                return [f"{row[1].split()[1][:5]} {row[1].split()[2]}" for row in rows]

            yield lambda zone: desk.connect(zone=ZoneInfo(zone), zone_name=zone), shown


def test_another_time_zone_later(table: tuple[Open, Dates]) -> None:
    """The table goes on in the zone that it began with, and the tick says so."""
    connect, dates = table
    tick(connect("UTC"), [run(1)], RULES)
    report = tick(connect("Asia/Seoul"), [run(1), run(2)], RULES)
    assert dates() == ["12:00 UTC", "12:00 UTC"]
    assert any("Asia/Seoul" in line and "UTC" in line for line in report.remarks())
    assert report.updated_ids == ()


def test_a_new_table_takes_the_zone_that_is_asked_for(table: tuple[Open, Dates]) -> None:
    connect, dates = table
    tick(connect("Asia/Seoul"), [run(1)], RULES)
    tick(connect("Asia/Seoul"), [run(1), run(2)], RULES)
    assert dates() == ["21:00 Asia/Seoul"] * 2
