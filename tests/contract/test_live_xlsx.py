"""Rows of a workbook follow their runs from start to end, and keep what people put into them (P2).

The person is openpyxl: what it saves is another file than ours, with other styles and texts.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from runsheet import compaction, journal, ledger
from runsheet.clock import Clock
from runsheet.destinations.xlsx import XlsxDestination
from runsheet.ledger import Ledger
from runsheet.model import Run
from runsheet.report import Report
from runsheet.rules import Rules
from runsheet.sync import Mode
from tests.support.builders import NOW, rules, scope
from tests.support.builders import run as some_run
from tests.support.builders import tick as some_tick

HEADERS = ("run_id", "name", "state", "created_at", "_timestamp", "runtime")


class Desk:
    """A workbook that ticks write, and a person opens."""

    def __init__(self, path: Path, wanted: Rules) -> None:
        self.path = path
        self.wanted = wanted

    def tick(self, *runs: Run, **more: Any) -> Report:
        return some_tick(self.open(), runs, self.wanted, **more)

    def open(self) -> XlsxDestination:
        return XlsxDestination(self.path, clock=Clock())

    def rows(self) -> list[dict[str, Any]]:
        header, *rows = openpyxl.load_workbook(self.path)["runs"].iter_rows(values_only=True)
        return [dict(zip(map(str, header), row, strict=True)) for row in rows]

    def put(self, title: str, value: object, row: int = 2) -> None:
        book = openpyxl.load_workbook(self.path)
        sheet = book["runs"]
        index = next(cell.column for cell in sheet[1] if cell.value == title)
        sheet.cell(row, index).value = value  # type: ignore[assignment]
        book.save(self.path)

    def book(self) -> Ledger:
        destination = self.open()
        return ledger.parse(destination.content(destination.read()).notes or ())


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "runs.xlsx", rules(*HEADERS, live=True))


def going(number: int = 1, **changes: Any) -> Run:
    """A run that is running."""
    return some_run(number, **({"state": "running", "heartbeat": NOW, "summary": {"loss": 1.0}} | changes))


def test_from_start_to_end(desk: Desk) -> None:
    """It appears at its start, follows, settles; then nothing is written any more."""
    report = desk.tick(going())
    assert report.added_ids == ("run0001",)
    assert desk.book().live == {scope(): {"run0001": desk.book().base(scope(), "run0001")}}

    report = desk.tick(going(summary={"loss": 0.5, "acc": True}, runtime=60.0))
    assert (report.added_ids, report.updated_ids) == ((), ("run0001",))
    (row,) = desk.rows()
    assert (row["state"], row["loss"], row["acc"], row["runtime"]) == ("running", 0.5, True, 60)

    report = desk.tick(going(state="finished", summary={"loss": 0.25, "acc": True}, runtime=61.0))
    assert report.updated_ids == ("run0001",)
    (row,) = desk.rows()
    assert (row["state"], row["loss"], row["runtime"]) == ("finished", 0.25, 61)
    assert not desk.book().live.get(scope())

    old = desk.path.read_bytes()
    desk.tick(going(state="finished", summary={"loss": 0.25, "acc": True}, runtime=61.0))
    assert desk.path.read_bytes() == old


def test_a_tick_without_news_writes_nothing(desk: Desk) -> None:
    desk.tick(going(), some_run(2))
    old = desk.path.read_bytes()
    report = desk.tick(going(), some_run(2))
    assert (report.updated_ids, desk.path.read_bytes()) == ((), old)


def test_dates_stay_dates(desk: Desk) -> None:
    """Also one that comes later, in the zone and the calendar of the workbook."""
    desk.tick(going(heartbeat=None))
    desk.tick(going(heartbeat=NOW))
    desk.put("loss", 1)
    desk.tick(going(heartbeat=NOW + timedelta(hours=7)))
    sheet = openpyxl.load_workbook(desk.path)["runs"]
    cell = sheet.cell(2, 1 + [item.value for item in sheet[1]].index("_timestamp"))
    assert cell.value == (NOW + timedelta(hours=7)).replace(tzinfo=None)
    assert cell.number_format == 'yyyy-mm-dd hh:mm:ss" UTC"'


@pytest.mark.parametrize("value", ["mine", 17, True, None, "=1+1", "#N/A"])
def test_an_edit_stays(desk: Desk, value: object) -> None:
    """For good, while its neighbours follow; the report counts it."""
    desk.tick(going(summary={"loss": 1.0, "acc": 1.0}))
    desk.put("loss", value)
    for acc in (2.0, 3.0):
        report = desk.tick(going(summary={"loss": acc, "acc": acc}))
        (row,) = desk.rows()
        assert (row["loss"], row["acc"], report.kept) == (value, acc, 1)
    desk.tick(going(state="finished", summary={"loss": 9.0, "acc": 9.0}))
    (row,) = desk.rows()
    assert (row["loss"], row["acc"], row["state"]) == (value, 9, "finished")


def test_rows_and_columns_that_moved(desk: Desk) -> None:
    """A person sorts, and renames a header: each row still follows its own run."""
    desk.tick(going(1), going(2))
    book = openpyxl.load_workbook(desk.path)
    sheet = book["runs"]
    rows = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=2)]
    for number, values in enumerate(reversed(rows), 2):
        for index, value in enumerate(values, 1):
            sheet.cell(number, index).value = value
    book.save(desk.path)
    desk.put("loss", "Loss of mine", row=1)
    desk.tick(going(1, summary={"loss": 0.1}), going(2, summary={"loss": 0.2}), going(3))
    assert [(row["run_id"], row["Loss of mine"]) for row in desk.rows()] == [
        ("run0002", 0.2),
        ("run0001", 0.1),
        ("run0003", 1),
    ]


def test_a_run_that_is_resumed(desk: Desk) -> None:
    """Its row is as it was left, though an office program has saved the file since: it follows again."""
    desk.tick(going(state="finished"))
    desk.put("run_id", "run0001")
    report = desk.tick(going(summary={"loss": 0.5}, heartbeat=NOW + timedelta(hours=1)))
    assert report.updated_ids == ("run0001",)
    desk.tick(going(state="finished", summary={"loss": 0.1}, heartbeat=NOW + timedelta(hours=2)))
    (row,) = desk.rows()
    assert (row["loss"], row["state"]) == (0.1, "finished")


def test_a_resumed_run_whose_row_a_person_changed(desk: Desk) -> None:
    """The cell that a person changed stays, the others follow."""
    desk.tick(going(state="finished"))
    desk.put("name", "mine")
    report = desk.tick(going(summary={"loss": 0.5}, heartbeat=NOW + timedelta(hours=1)))
    (row,) = desk.rows()
    assert (row["name"], row["loss"], row["state"]) == ("mine", 0.5, "running")
    assert report.kept == 1


def test_a_run_that_is_resumed_long_after(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the journal has forgotten the row nobody can tell in which cell: all of it stays as it is."""
    monkeypatch.setattr(compaction, "COMPACT_ROWS", 0)
    monkeypatch.setattr(compaction, "WAS_CHARS", 0)
    monkeypatch.setattr(journal, "TICKS", 0)
    desk.tick(going(state="finished"))
    desk.tick(going(state="finished"), going(2, state="finished"))
    desk.tick(going(state="finished"), going(2, state="finished"), going(3, state="finished"))
    desk.put("name", "mine")
    before = desk.rows()
    for hours in (1, 2):
        again = going(summary={"loss": 0.5}, heartbeat=NOW + timedelta(hours=hours))
        report = desk.tick(again)
        assert (report.updated_ids, desk.rows()) == ((), before)
        assert report.kept > 0
    desk.tick(going(state="finished", summary={"loss": 0.1}, heartbeat=NOW + timedelta(hours=3)))
    assert desk.rows() == before


def test_a_row_that_a_person_deleted_stays_away(desk: Desk) -> None:
    desk.tick(going(1), going(2))
    book = openpyxl.load_workbook(desk.path)
    book["runs"].delete_rows(2)
    book.save(desk.path)
    for state in ("running", "finished"):
        desk.tick(going(1, state=state, summary={"loss": 0.1}), going(2, summary={"loss": 0.2}))
        assert [(row["run_id"], row["loss"]) for row in desk.rows()] == [("run0002", 0.2)]


def test_many_rows_in_one_save(desk: Desk) -> None:
    """More than the book-keeping holds in one cell, and more changes than a chunk of the part."""
    text = "word " * 50
    desk.tick(*(going(number, config={"text": text}) for number in range(800)))
    runs = [going(number, config={"text": text}, summary={"loss": float(number)}) for number in range(800)]
    report = desk.tick(*runs, mode=Mode(accept_changes=True))
    assert len(report.updated_ids) == 799
    assert [row["loss"] for row in desk.rows()] == list(range(800))
    assert len(desk.book().live[scope()]) == 800
    assert desk.tick(*runs).updated_ids == ()
