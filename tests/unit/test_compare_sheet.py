"""Comparisons in a worksheet: a row for each run, which comparing again refreshes (P2 to P4).

Mutants: see tests/mutant_list/comparing.py.
"""

import math
from dataclasses import replace
from typing import Any

import pytest

from runsheet import forget
from runsheet.destinations.memory import MemoryDestination, MemorySheet
from runsheet.errors import ConfigError
from runsheet.model import Scope
from runsheet.report import Report
from runsheet.reports import compare_sheet
from runsheet.reports.compare import Gpu, Side, compare
from runsheet.sync import Mode
from tests.support.builders import FakeClock, run, tick
from tests.unit.test_compare import side

FIRST = ["Run", "Name", "Project", "State", "Best in"]
LAST = [
    *("GPU utilization %", "GPU memory GB", "Memory utilization %", "Power W", "Highest temperature °C"),
    *("GPU values from", "Hours", "GPUs", "GPU-hours"),
]


def ran(number: int, lr: float = 0.1, loss: Any = 1.0, **more: Any) -> Side:
    config = {"lr": lr, "seed": 1, **more.pop("config", {})}
    return side(number, config=config, summary={"loss": loss, **more.pop("summary", {})}, **more)


def keep(sheet: MemorySheet, *sides: Side, asked: tuple[str, ...] = (), columns: int = 100) -> Report:
    found = compare(sides, asked)
    return compare_sheet.keep(found, "Comparison", columns, MemoryDestination(sheet), FakeClock(), Mode())


def delete_columns(sheet: MemorySheet, *titles: str) -> None:
    for title in titles:
        place = sheet.rows[0].index(title)
        for row in sheet.rows:
            del row[place : place + 1]
        del sheet.marks[place]
    sheet.version += 1


def column(sheet: MemorySheet, title: str) -> dict[Any, Any]:
    """A column by the first cell of its rows."""
    header, *rows = sheet.rows
    place = header.index(title)
    return {row[0]: row[place] if place < len(row) else None for row in rows}


@pytest.fixture
def sheet() -> MemorySheet:
    """With two runs, of which the second is better."""
    made = MemorySheet()
    report = keep(made, ran(1, 0.1, 2.0, gpu=Gpu("system", 71.23456)), ran(2, 0.2, 1.0))
    assert (report.added, report.notices) == (2, ())
    return made


def test_a_row_for_each_run(sheet: MemorySheet) -> None:
    assert sheet.rows[0] == [*FIRST, "lr", "loss", *LAST]
    assert sheet.rows[1][:8] == ["run0001", "name of 1", "team/proj", "finished", None, 0.1, 2.0, 71.2346]
    assert column(sheet, "Best in") == {"run0001": None, "run0002": "loss"}
    assert column(sheet, "GPU values from") == {"run0001": "system", "run0002": None}
    assert column(sheet, "Hours") == {"run0001": 24, "run0002": 24}


def test_again_refreshes(sheet: MemorySheet) -> None:
    report = keep(sheet, ran(1, 0.1, 0.5, state="crashed"), ran(2, 0.2, 1.0))
    assert (report.added, sorted(report.updated_ids)) == (0, ["run0001", "run0002"])
    assert column(sheet, "loss") == {"run0001": 0.5, "run0002": 1.0}
    assert column(sheet, "Best in") == {"run0001": "loss", "run0002": None}
    assert column(sheet, "State")["run0001"] == "crashed"
    assert report.notices == ()


def test_other_runs_add_rows_and_the_earlier_ones_stay(sheet: MemorySheet) -> None:
    report = keep(sheet, ran(2, 0.2, 1.0), ran(3, 0.2, 0.9, config={"seed": 2}))
    assert report.added_ids == ("run0003",)
    assert report.notices == ("1 row of earlier comparisons: left as they are",)
    assert column(sheet, "loss") == {"run0001": 2.0, "run0002": 1.0, "run0003": 0.9}
    assert column(sheet, "Best in") == {"run0001": None, "run0002": None, "run0003": "loss"}


def test_columns_of_earlier_comparisons_go_on_to_be_true(sheet: MemorySheet) -> None:
    """lr is equal now, and loss was not asked for: both are filled all the same."""
    more = {"summary": {"acc": 0.5}}
    keep(sheet, ran(2, 0.2, 1.5, **more), ran(3, 0.2, 0.9, config={"seed": 2}, **more), asked=("acc",))
    assert column(sheet, "lr") == {"run0001": 0.1, "run0002": 0.2, "run0003": 0.2}
    assert column(sheet, "loss") == {"run0001": 2.0, "run0002": 1.5, "run0003": 0.9}
    assert column(sheet, "seed") == {"run0001": None, "run0002": 1, "run0003": 2}
    assert column(sheet, "acc") == {"run0001": None, "run0002": 0.5, "run0003": 0.5}


def test_what_people_do_stays(sheet: MemorySheet) -> None:
    """A cell, a column and a deleted row."""
    sheet.rows[1][sheet.rows[0].index("lr")] = "tiny"
    sheet.rows[0].append("Note")
    sheet.marks.append(None)
    sheet.rows[1].append("look")
    del sheet.rows[2]
    report = keep(sheet, ran(1, 0.3, 0.5), ran(2, 0.2, 1.0))
    assert (report.added, report.deleted) == (0, 1)
    assert column(sheet, "lr") == {"run0001": "tiny"}
    assert column(sheet, "Note") == {"run0001": "look"}
    assert column(sheet, "loss") == {"run0001": 0.5}


def test_what_is_no_finite_number_is_blank(sheet: MemorySheet) -> None:
    keep(sheet, ran(1, 0.1, math.nan, summary={"train/x": "NaN", "train_x": 1}), ran(2, 0.2, math.inf))
    assert column(sheet, "loss") == {"run0001": None, "run0002": None}
    assert "train/x" not in sheet.rows[0]


def test_a_key_of_both_is_two_columns() -> None:
    sheet = MemorySheet()
    keep(sheet, side(1, config={"x": 1}, summary={"x": 10}), side(2, config={"x": 2}, summary={"x": 20}))
    assert column(sheet, "x") == {"run0001": 1, "run0002": 2}
    assert column(sheet, "x (summary.x)") == {"run0001": 10, "run0002": 20}


def test_the_same_id_in_two_projects() -> None:
    sheet = MemorySheet()
    both = (ran(1, 0.1), ran(1, 0.2, project="team/b"))
    assert keep(sheet, *both).added == 2
    assert keep(sheet, *both).added == 0
    assert [row[2] for row in sheet.rows[1:]] == ["team/proj", "team/b"]


def test_metrics_have_room_before_keys_of_the_config() -> None:
    """No more columns are made than config.json lets."""
    sheet = MemorySheet()
    found = [ran(n, n, n, config={f"c{k}": n for k in range(20)}) for n in (1, 2)]
    report = keep(sheet, *found, columns=len(FIRST) + len(LAST) + 3)
    assert sheet.rows[0] == [*FIRST, "c0", "c1", "loss", *LAST]
    assert len(report.left_out) == 19
    again = keep(sheet, *found, columns=len(FIRST) + len(LAST) + 3)
    assert (len(sheet.rows[0]), again.left_out) == (len(FIRST) + len(LAST) + 3, report.left_out)


def test_columns_that_people_deleted_take_no_room() -> None:
    """And stay away, whether the book-keeping tells of them or their fingerprints do."""
    sheet = MemorySheet()
    most = len(FIRST) + len(LAST) + 7
    config = {f"c{key}": 0 for key in range(5)}
    keep(sheet, *(ran(n, n, n, config=dict.fromkeys(config, n)) for n in (1, 2)), columns=most)
    assert len(sheet.rows[0]) == most
    delete_columns(sheet, "c0", "c1", "Power W")
    more = {"acc": 0.5, "f1": 0.5, "map": 0.5, "iou": 0.5}
    again = [ran(n, n, n, config=dict.fromkeys(config, n), summary=more) for n in (1, 2)]
    report = keep(sheet, *again, columns=most)
    assert {"acc", "f1", "iou"} <= {*sheet.rows[0]}
    assert not {"c0", "c1", "Power W", "map"} & {*sheet.rows[0]}
    assert (len(sheet.rows[0]), report.left_out) == (most, ("map",))
    sheet.notes = None
    assert keep(sheet, *again, columns=most + 1).left_out == ()
    assert not {"c0", "c1", "Power W"} & {*sheet.rows[0]}


def test_a_key_that_is_too_long_takes_no_room() -> None:
    sheet = MemorySheet()
    found = [ran(n, n, n, config={"c": n, "b" * 300: n}) for n in (1, 2)]
    assert keep(sheet, *found, columns=len(FIRST) + len(LAST) + 3).left_out == ("b" * 300,)
    assert sheet.rows[0] == [*FIRST, "c", "lr", "loss", *LAST]


@pytest.mark.parametrize("lost", [False, True], ids=["", "its book-keeping is lost"])
def test_a_worksheet_of_runs_is_refused(lost: bool) -> None:
    sheet = MemorySheet()
    tick(MemoryDestination(sheet), [run(1), run(2)])
    before = [list(row) for row in sheet.rows]
    sheet.notes = None if lost else sheet.notes
    with pytest.raises(ConfigError, match="--worksheet"):
        keep(sheet, ran(1), ran(3))
    assert sheet.rows == before


@pytest.mark.parametrize("lost", [False, True], ids=["", "its book-keeping is lost"])
@pytest.mark.parametrize("deleted", [(), ("Best in",)], ids=["", "the column that tells"])
def test_runs_do_not_come_into_a_comparison(sheet: MemorySheet, deleted: tuple[str, ...], lost: bool) -> None:
    """Whatever is accepted."""
    delete_columns(sheet, *deleted)
    sheet.notes = None if lost else sheet.notes
    before = [list(row) for row in sheet.rows]
    with pytest.raises(ConfigError, match=r"that of a comparison: name another tab with WORKSHEET"):
        tick(MemoryDestination(sheet), [run(1), run(3)], mode=Mode(accept_changes=True))
    assert sheet.rows == before
    assert keep(sheet, ran(1), ran(2)).added == 0


def test_a_comparison_that_was_cleared_may_become_a_table_of_runs(sheet: MemorySheet) -> None:
    sheet.rows.clear()
    assert tick(MemoryDestination(sheet), [run(1)]).added == 1
    assert tick(MemoryDestination(sheet), [run(1), run(2)]).added == 1


def test_lost_book_keeping(sheet: MemorySheet) -> None:
    """Rows that stand are left alone, and that is said, with what helps: the tab may hold much else."""
    sheet.notes = None
    again = (ran(1, 0.1, 0.5), ran(2, 0.2, 1.0))
    report = keep(sheet, *again)
    assert column(sheet, "loss") == {"run0001": 2.0, "run0002": 1.0}
    (notice,) = report.notices
    assert "2 rows not kept up to date" in notice
    assert notice.endswith(compare_sheet.REMEDY)
    del sheet.rows[1]
    forget.forget(MemoryDestination(sheet), ["run0001"])
    assert keep(sheet, *again).added_ids == ("run0001",)
    assert column(sheet, "loss")["run0001"] == 0.5


def test_whichever_source_tells_of_a_run(sheet: MemorySheet) -> None:
    """Its project and id say which row is its own: the same offline, and from the service afterwards."""
    for source, loss in (("folders", 3.0), ("wandb", 0.5)):
        sides = [
            replace(each, run=replace(each.run, scope=Scope(source, f"host of {source}", "team/proj")))
            for each in (ran(1, 0.1, loss), ran(2, 0.2, 1.0))
        ]
        report = keep(sheet, *sides)
        assert (report.added, report.doubles, report.notices) == (0, (), ())
        assert column(sheet, "loss") == {"run0001": loss, "run0002": 1.0}


def test_the_id_of_another_project_is_another_row(sheet: MemorySheet) -> None:
    """Which is an earlier one, and no row that nobody keeps true."""
    report = keep(sheet, ran(1, 0.1, 3.0, project="team/b"), ran(3, 0.2, 1.0, project="team/b"))
    assert report.added == 2
    assert report.notices == ("2 rows of earlier comparisons: left as they are",)


def test_integers_stay_exact(sheet: MemorySheet) -> None:
    """As those of a run do (P5)."""
    keep(sheet, ran(1, 0.1, 2.0, summary={"seen": 2**60 + 1}), ran(2, 0.2, 1.0, summary={"seen": 2**53}))
    assert column(sheet, "seen") == {"run0001": "1152921504606846977", "run0002": 2**53}
