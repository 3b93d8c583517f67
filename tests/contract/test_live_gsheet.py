"""P2 on Google Sheets: rows that follow their runs, with people at work between and during ticks."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from runsheet.model import Run
from runsheet.report import Report
from tests.support.builders import NOW, Desk, rules, run
from tests.support.sheets import SheetsServer, Tab, people

LIVE = rules("run_id", "name", "state", live=True)


def running(number: int, loss: float, **more: Any) -> Run:
    return run(number, state="running", heartbeat=NOW, summary={"loss": loss}, **more)


def done(number: int, loss: float, **more: Any) -> Run:
    return run(number, state="finished", summary={"loss": loss}, **more)


def look(desk: Desk) -> dict[str, dict[str, Any]]:
    """The table by run id and header."""
    header, *rows = desk.values()
    table = [dict(zip(header, row, strict=False)) for row in rows if row]
    return {row["run_id"]: row for row in table if row.get("run_id")}


def losses(desk: Desk) -> dict[str, Any]:
    return {run_id: row.get("loss") for run_id, row in look(desk).items()}


def cell(desk: Desk, run_id: str, title: str) -> str:
    """Where a run's cell is now, as 'B3'."""
    rows = desk.values()
    column = rows[0].index(title)
    ids = rows[0].index("run_id")
    row = next(n for n, line in enumerate(rows) if n and len(line) > ids and line[ids] == run_id)
    return f"{chr(65 + column)}{row + 1}"


def put(desk: Desk, run_id: str, title: str, value: Any) -> None:
    desk.document.tab("runs").put(cell(desk, run_id, title), value)


@pytest.fixture
def three(desk: Desk) -> Desk:
    desk.tick([running(n, n + 0.5) for n in range(3)], LIVE)
    return desk


def follow(desk: Desk, *values: float) -> Report:
    return desk.tick([running(n, value) for n, value in enumerate(values)], LIVE)


def test_a_row_follows_its_run(three: Desk) -> None:
    assert losses(three) == {"run0000": 0.5, "run0001": 1.5, "run0002": 2.5}
    report = follow(three, 0.25, 1.5, 2.25)
    assert losses(three) == {"run0000": 0.25, "run0001": 1.5, "run0002": 2.25}
    assert report.updated_ids == ("run0000", "run0002")
    assert report.added == 0


def test_nothing_new_writes_nothing(three: Desk, server: SheetsServer) -> None:
    follow(three, 0.25, 1.25, 2.25)
    follow(three, 0.25, 1.25, 2.25)
    before = server.count("write")
    follow(three, 0.25, 1.25, 2.25)
    assert server.count("write") == before


def test_an_edit_stays_for_ever(three: Desk) -> None:
    put(three, "run0001", "loss", "bad run")
    for value in (0.4, 0.3):
        report = follow(three, value, value, value)
        assert losses(three) == {"run0000": value, "run0001": "bad run", "run0002": value}
        assert report.kept == 1


def test_new_keys_become_columns(three: Desk) -> None:
    runs = [replace(running(0, 0.5), summary={"loss": 0.5, "acc": 0.9}), running(1, 1.5), running(2, 2.5)]
    three.tick(runs, LIVE)
    assert look(three)["run0000"]["acc"] == 0.9


def test_it_settles_and_is_resumed(three: Desk) -> None:
    three.tick([done(0, 0.1), running(1, 1.5), running(2, 2.5)], LIVE)
    assert look(three)["run0000"]["state"] == "finished"
    three.tick([done(0, 0.1, tags=("x",)), running(1, 1.5), running(2, 2.5)], LIVE)
    follow(three, 0.05, 1.5, 2.5)
    assert look(three)["run0000"]["state"] == "running"
    assert losses(three)["run0000"] == 0.05
    three.tick([done(0, 0.01, heartbeat=NOW + timedelta(hours=1))], LIVE)
    assert losses(three)["run0000"] == 0.01


def test_an_edited_row_is_not_taken_back(three: Desk) -> None:
    three.tick([done(0, 0.1), running(1, 1.5), running(2, 2.5)], LIVE)
    put(three, "run0000", "loss", 7)
    report = follow(three, 0.05, 1.5, 2.5)
    assert losses(three)["run0000"] == 7
    assert report.kept > 0


def test_a_deleted_row_stays_away(three: Desk) -> None:
    three.document.tab("runs").delete_rows(3)
    follow(three, 0.25, 0.25, 0.25)
    assert losses(three) == {"run0000": 0.25, "run0002": 0.25}


DEEDS: dict[str, Callable[[Desk, Tab], object]] = {
    "edit": lambda desk, tab: put(desk, "run0001", "loss", "mine"),
    "sort": lambda desk, tab: tab.sort("A", ascending=False),
    "delete a row": lambda desk, tab: tab.delete_rows(2),
    "insert a row": lambda desk, tab: tab.insert_rows(2),
    "drag a row": lambda desk, tab: tab.move_rows(2, 5),
    "move a column": lambda desk, tab: tab.move_columns("D", "A"),
    "insert a column": lambda desk, tab: tab.insert_columns("B"),
    "delete a column": lambda desk, tab: tab.delete_columns("C"),
    "swap rows": lambda desk, tab: (tab.insert_rows(2), tab.delete_rows(4)),
    "rename": lambda desk, tab: tab.rename("runs 2"),
    "formula": lambda desk, tab: put(desk, "run0001", "loss", "=1+1"),
    "note row on top": lambda desk, tab: (tab.insert_rows(2), tab.put("B2", "a remark"), tab.delete_rows(3)),
}


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("nth", [1, 2, 3, 4])
@pytest.mark.parametrize("deed", DEEDS)
def test_people_at_work_in_that_second(
    three: Desk, server: SheetsServer, deed: str, nth: int, moment: str
) -> None:
    """Whatever a person does right before or after any request of a tick, it stays, and so do the
    values of all runs, after one more tick at the latest."""
    tab = three.document.tab("runs")
    act = {moment: lambda document: DEEDS[deed](three, tab)}
    server.script(people(**act, when=lambda r: r.kind in ("read", "write"), nth=nth))
    follow(three, 0.25, 0.25, 0.25)
    server.unscript()
    tab.rename("runs")
    expected: dict[str, Any] = {"run0000": 0.25, "run0001": 0.25, "run0002": 0.25}
    if deed in ("edit", "formula"):
        expected["run0001"] = {"edit": "mine", "formula": 2}[deed]
    elif deed == "delete a row" or deed == "note row on top":
        del expected["run0000"]
    elif deed == "swap rows":
        del expected["run0001"]
    if nth < 4 or moment == "before":
        assert losses(three) == expected
    else:
        assert set(losses(three)) == set(expected)
    follow(three, 0.125, 0.125, 0.125)
    expected = {run_id: 0.125 if value == 0.25 else value for run_id, value in expected.items()}
    assert losses(three) == expected
    if deed == "note row on top":
        assert tab.value("B2") == "a remark"
