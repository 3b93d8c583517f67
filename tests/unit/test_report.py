"""P7: a tick says what it did, in one line, and every skip has a reason."""

import pytest

from runsheet.model import Column, Content, Plan, Row, Shape, Skip
from runsheet.report import Report
from tests.support.builders import scope

LINES = {
    "nothing": (Report(), "0 runs seen · 0 added · 0.0 s"),
    "one": (Report(seen=1, added_ids=("id",) * 1, seconds=1.26), "1 run seen · 1 added · 1.3 s"),
    "all": (
        Report(
            seen=12_345,
            added_ids=("id",) * 1_000,
            columns_added=("a", "b"),
            waiting={"crashed": 2, "running": 3_000},
            skips=(Skip("f1", "empty file"), Skip("f2", "empty file"), Skip("f3", "cut")),
            deleted=4,
            failed={"team/x": "no such project"},
            source="wandb",
            source_requests=13,
            destination="gsheet",
            destination_requests=3,
            seconds=61.04,
        ),
        "12,345 runs seen · 1,000 added · 2 new columns · skipped: 3,000 running, 2 crashed, "
        "4 deleted by hand, 2 empty file, 1 cut · 1 project failed · requests: 13 wandb + 3 gsheet · 61.0 s",
    ),
    "no requests": (Report(source="folders", destination="xlsx"), "0 runs seen · 0 added · 0.0 s"),
}


@pytest.mark.parametrize(("report", "line"), LINES.values(), ids=LINES)
def test_line(report: Report, line: str) -> None:
    """One line tells what was seen, added, skipped and why, and what it cost."""
    assert report.line() == line


REMARKS = {
    "nothing": (Report(seen=1), []),
    "no runs": (Report(), ["no run was found"]),
    "over": (Report(seen=1, over=True), ["starts over"]),
    "lost": (Report(seen=1, lost_notes=True), ["_runsheet is gone"]),
    "columns": (Report(seen=1, left_out=("x", "y/z")), ["2 columns beyond MAX_COLUMNS left out: x, y/z"]),
    "notices": (Report(seen=1, over=True, notices=("nearly full",)), ["starts over", "nearly full"]),
    "doubles": (Report(seen=1, doubles=("id1", "id2")), ["more than one row of the sheet: id1, id2"]),
}


@pytest.mark.parametrize(("report", "texts"), REMARKS.values(), ids=REMARKS)
def test_remarks(report: Report, texts: list[str]) -> None:
    """What a person should look at has a line of its own."""
    remarks = report.remarks()
    assert len(remarks) == len(texts)
    assert all(text in remark for text, remark in zip(texts, remarks, strict=True))


def test_a_dry_run_shows_its_plan() -> None:
    """New columns by title and path, then a line for each row; a long one is cut."""
    columns = (Column("run_id", "ID", "run_id"), Column("config.t", "t", "config.t"))
    rows = (Row(scope(), "x", ("x", None)), Row(scope(), "y", ("y", "z" * 999)))
    report = Report(planned=Plan(Shape(False, True), Content(), columns, new=columns, rows=rows))
    assert "2 would be added (dry run)" in report.line()
    lines = report.plan_lines()
    assert lines[:3] == [
        "new column 'ID' (run_id)",
        "new column 't' (config.t)",
        "new row x of team/proj: ID=x",
    ]
    assert len(lines[3]) == 300


def test_only_a_dry_run_has_a_plan_to_show() -> None:
    """No cell of a run is printed by a tick that writes."""
    assert Report(added_ids=("id",) * 1).plan_lines() == []


def test_skips_are_counted_as_runs() -> None:
    """A skip may stand for many runs, and a remark on a run that was added for none."""
    skips = (Skip("demo", "of other projects (a, b)", count=4), Skip("x", "its config is no JSON", count=0))
    line = Report(seen=1, added_ids=("x",), skips=skips).line()
    assert "skipped: 4 of other projects (a, b)" in line
    assert "no JSON" not in line
