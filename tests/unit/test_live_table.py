"""The rows of the report GPU-hours, group by group, and their ids.

Mutants: a month on the clock of the machine; runs in progress count; runs that were left out count; the mean
over CPU runs, too; sums that depend on the order; a group that is gone gets a row.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from runsheet.fields import CONFIG
from runsheet.model import Run
from runsheet.reports.live_table import GONE, GPU_HOURS, TABLES, THERE, gone
from runsheet.reports.usage import Settings, usage
from tests.support.builders import NOW, run

END = datetime(2026, 10, 31, 23, 59, tzinfo=UTC)


def ended(number: int, hours: float, size: object = 1, end: datetime = END, **more: Any) -> Run:
    config = {"dist/world_size": size} if size is not None else {}
    fields: dict[str, Any] = {"created": end - timedelta(hours=hours), "heartbeat": end, "config": config}
    return run(number, **(fields | more))


def rows(*runs: Run, known: tuple[str, ...] = (), names: Mapping[str, str] | None = None) -> dict[str, Run]:
    used = [usage(one, Settings(), NOW) for one in runs]
    return {one.id: one for one in GPU_HOURS.runs(used, known, names or {}, NOW)}


def numbers(row: Run) -> tuple[Any, ...]:
    names = ("runs", "gpu_hours", "runtime_hours", "gpu_hours_per_run", "cpu_runs", "unknown")
    return tuple(row.config[name] for name in names)


def test_a_row_for_each_project_and_for_each_user_in_each_month() -> None:
    """Projects first; then months as they went by, so that new ones come last."""
    found = rows(
        ended(1, 10, 4),
        ended(2, 5, 2, END + timedelta(minutes=1)),
        ended(3, 1, 8, user="ann"),
        ended(4, 2, 1, project="team/other"),
    )
    assert {row_id: numbers(row)[:4] for row_id, row in found.items()} == {
        "team/other": (1, 2.0, 2.0, 2.0),
        "team/proj": (3, 58.0, 16.0, 19.33),
        "ann 2026-10": (1, 8.0, 1.0, 8.0),
        "kim 2026-10": (2, 42.0, 12.0, 21.0),
        "kim 2026-11": (1, 10.0, 5.0, 10.0),
    }
    assert list(found) == ["team/other", "team/proj", "ann 2026-10", "kim 2026-10", "kim 2026-11"]
    assert {row.state for row in found.values()} == {THERE}


def test_the_worked_case() -> None:
    """50 GPU-hours in four runs on GPUs, of which one says nothing of them, and one on CPUs."""
    stuck: dict[str, Any] = {"state": "running", "created": NOW - timedelta(days=3, hours=6)}
    offline: dict[str, Any] = {"created": END - timedelta(seconds=30), "runtime": 7200.0, "timed": True}
    found = rows(
        ended(1, 10, 4),
        ended(2, 5, None),
        ended(3, 0, 2, **offline),
        ended(4, 6, 1, end=NOW - timedelta(days=3), **stuck),
        ended(5, 6, 8, end=NOW, state="running"),
        ended(6, 3, config={"dist/accelerator": "CPU"}),
    )
    assert numbers(found["team/proj"]) == (5, 50.0, 26.0, 12.5, 1, 1)


def test_a_run_whose_world_size_is_no_number_is_left_out() -> None:
    assert numbers(rows(ended(1, 1, "two"), ended(2, 1, "2"))["team/proj"]) == (1, 2.0, 1.0, 2.0, 0, 0)


def test_the_order_of_runs_makes_no_difference() -> None:
    """Sums of fractions would differ in the last digit, and so be written again: 0.01 hours, 0.0 hours."""
    runs = [ended(1, 0, runtime=seconds, timed=True) for seconds in (1.5456, 6.4938, 9.9606)]
    assert len({numbers(rows(*some)["team/proj"]) for some in permutations(runs)}) == 1


def test_names_are_shown_ids_stay() -> None:
    found = rows(ended(1, 1), names={"kim": "Kim Minji"})
    row = found["kim 2026-10"].config
    assert (row["user"], row["month"], row["kind"]) == ("Kim Minji", "2026-10", "user and month")
    assert found["team/proj"].config["project"] == "team/proj"


@pytest.mark.parametrize(
    ("change", "row_id"),
    [
        ({"user": None}, "(no user) 2026-10"),
        ({"user": " \n"}, "(no user) 2026-10"),
        ({"heartbeat": None, "created": None}, "kim (no date)"),
        ({"project": "proj 2026-10"}, "proj 2026-10 (project)"),
        ({"project": ""}, "(no project)"),
        ({"user": "Kim Min Ji"}, "Kim Min Ji 2026-10"),
    ],
)
def test_odd_runs_have_a_row_and_it_can_be_told_from_its_id(change: dict[str, Any], row_id: str) -> None:
    """What the row of a group says that has no run any more is what it said before, but for the numbers."""
    found = rows(ended(1, 1, **change))
    assert row_id in found
    assert len(found) == 2
    words = ("kind", "user", "month", "project")
    row = gone(row_id, {})
    assert [row.get(word) for word in words] == [found[row_id].config.get(word) for word in words]
    assert set(row) == set(found[row_id].config)


def test_a_group_that_is_gone_shows_zeros() -> None:
    """In a state that gets no row of its own: only one that stands is changed."""
    found = rows(ended(1, 1), known=("team/proj", "ann 2026-09", "team/gone"))
    assert [row_id for row_id, row in found.items() if row.state == GONE] == ["ann 2026-09", "team/gone"]
    assert numbers(found["ann 2026-09"]) == (0, 0.0, 0.0, 0.0, 0, 0)
    assert found["ann 2026-09"].config["user"] == "ann"
    assert GONE not in GPU_HOURS.rules.states


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
def test_every_table_has_a_column_for_all_that_it_says(table: Any) -> None:
    """Also the next one."""
    shown = {header.key for header in table.headers}
    made = table.runs([usage(ended(1, 1), Settings(), NOW)], ["kim 2020-01"], {}, NOW)
    assert {f"{CONFIG}{key}" for one in made for key in one.config} | {"run_id"} == shown
    assert table.headers[0].key == "run_id"
    assert TABLES[table.name] is table
