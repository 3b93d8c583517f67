"""What people, spreadsheets and programs get to see of GPU-hours, and the arithmetic of one run in words."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runsheet.model import Run
from runsheet.reports import gpu_hours_tables, writing
from runsheet.reports.explain import explain
from runsheet.reports.gpu_hours import Report, Window
from runsheet.reports.usage import Settings
from tests.support.builders import NOW, run
from tests.unit.test_gpu_hours import ALWAYS, DAY, HOUR, START, ran, reported, shown, six

WINDOW = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("hours", "text"),
    [
        (0, "0 days 0 hours"),
        (0.4, "0 days 0 hours"),
        (23 + 20 / 60, "0 days 23 hours"),
        (23 + 40 / 60, "1 days 0 hours"),
        (47.9, "2 days 0 hours"),
        (679 * 24 + 11, "679 days 11 hours"),
    ],
)
def test_duration(hours: float, text: str) -> None:
    """23 hours and 40 minutes are a day, and not 24 hours."""
    assert gpu_hours_tables.duration(hours) == text


def test_the_lines_of_h1() -> None:
    last = NOW - 3 * DAY
    assert shown(six(), window=Window(START)) == [
        "entity: team",
        "project: proj",
        "world_size_config: dist/world_size",
        "default_world_size: 0",
        "startdate: 2026-01-10",
        f"statistics from 2026-01-10 to {last:%Y-%m-%d} ({(last - START).days} days)",
        "num_runs: 5",
        "GPU num_runs: 4",
        "num_runs in progress: 1",
        "num_runs stuck: 1",
        "total: 2 days 2 hours",
        "GPU-hours: 50",
        "GPU-hours per run: 12.50",
        "CPU num_runs: 1",
        "CPU total: 0 days 3 hours",
        "CPU-hours: 3",
        "CPU-hours per run: 3.00",
        "runs without world size: 1",
        "top 3 runs:",
        "- 40 hours: run0001 name of 1",
        "- 6 hours: run0004 name of 4",
        "- 4 hours: run0003 name of 3",
    ]


def test_lines_that_are_not_always_there() -> None:
    runs = [
        ran(1, 1, 1, heartbeat=WINDOW.start - HOUR),
        ran(2, 1, 1, heartbeat=WINDOW.end),
        ran(3, 1, "x"),
        ran(4, 1, 1, created=None, runtime=3600.0),
        ran(5, 1, gpus=8),
    ]
    settings = Settings(accelerator_key="acc", default_world_size=2)
    lines = shown(runs, window=WINDOW, settings=settings, by="user")
    assert lines[2:7] == [
        "world_size_config: dist/world_size",
        "default_world_size: 2",
        "accelerator_config: acc",
        "startdate: 2026-01-01",
        "enddate: 2026-02-01",
    ]
    assert lines[8:] == [
        "num_runs: 2",
        "num_runs before 2026-01-01: 1",
        "num_runs after 2026-02-01: 1",
        "total: 0 days 9 hours",
        "GPU-hours: 9",
        "GPU-hours per run: 4.50",
        "runs with world size by metadata: 1",
        "top 2 runs:",
        "- 8 hours: run0005 name of 5",
        "- 1 hours: run0004 name of 4",
        "runs skipped: 1",
        "- run0003: world size 'x' is no number",
        "runs flagged: 1",
        "- run0004: no start",
        "by user:",
        "user  runs  GPU-hours  per run",
        "kim      2          9     4.50",
    ]


def ran_in(project: str, number: int, hours: float, size: int) -> Run:
    return run(
        number, project, created=START, heartbeat=START + hours * HOUR, config={"dist/world_size": size}
    )


THREE = [ran_in("team/a", 1, 2, 4), ran_in("team/b", 2, 1, 1), ran_in("team/b", 3, 1, 1)]


def test_several_projects_and_their_total() -> None:
    lines = shown(THREE, host="https://api.wandb.ai/")
    assert lines[:6] == [
        "host: https://api.wandb.ai/",
        "entity: team",
        "world_size_config: dist/world_size",
        "default_world_size: 0",
        "",
        "project: a",
    ]
    assert [line for line in lines if line.startswith(("project:", "all ", "num_runs", "GPU-hours:"))] == [
        *("project: a", "num_runs: 1", "GPU-hours: 8"),
        *("project: b", "num_runs: 2", "GPU-hours: 2"),
        *("all 2 projects", "num_runs: 3", "GPU-hours: 10"),
    ]


def test_projects_of_several_entities_have_their_full_names() -> None:
    lines = shown([*THREE, ran_in("x/a", 4, 1, 1)])
    assert [line for line in lines if line.startswith(("project:", "entity:"))] == [
        "project: team/a",
        "project: team/b",
        "project: x/a",
    ]


def test_text_takes_80_columns_whatever_the_names() -> None:
    """Korean characters take two; those that a terminal obeys are left out."""
    runs = [ran(1, 1, 4, name="이름" * 50, group="그룹" * 50), ran(2, 1, 2, name="\x1b[31m\nred" + "x" * 99)]
    lines = shown(runs, by="group")
    wide = [len(line) + line.count("이") + line.count("름") + 2 * line.count("그룹") for line in lines]
    assert max(wide) in (79, 80)
    assert all(line.isprintable() for line in lines)
    (row,) = [line for line in lines if line.startswith("그룹")]
    assert row.partition("…")[2].split() == ["1", "4", "4.00"]
    assert writing.width(row) == len(row) + 2 * row.count("그룹") == 80
    assert next(line for line in lines if "red" in line).startswith("- 2 hours: run0002  [31m redxxx")


def test_many_odd_runs_are_counted_and_some_of_them_named() -> None:
    lines = shown([ran(number, 1, "x") for number in range(12)])
    assert lines[-12:-10] == ["runs skipped: 12", "- run0000: world size 'x' is no number"]
    assert lines[-1] == "- and 2 more"


def rows(made: Report) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(gpu_hours_tables.csv_text(made))))


def test_csv_has_a_row_for_each_project_and_no_total() -> None:
    found = rows(reported(THREE))
    assert [(row["project"], row["num_runs"], row["gpu_hours"]) for row in found] == [
        ("team/a", "1", "8.0"),
        ("team/b", "2", "2.0"),
    ]
    assert found[0]["last_end"] == (START + 2 * HOUR).isoformat()


def test_csv_by_group_has_a_row_for_each_group_of_each_project() -> None:
    found = rows(reported([*THREE, ran(9, 1, 1, user=None)], by="user"))
    assert [(row["project"], row["user"], row["gpu_hours"]) for row in found] == [
        ("team/a", "kim", "8.0"),
        ("team/b", "kim", "2.0"),
        ("team/proj", "", "1.0"),
    ]
    assert "first_start" not in found[0]
    assert [*rows(reported(THREE, by="project"))[0]][:2] == ["project", "num_runs"]


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x"])
def test_csv_holds_no_formula(name: str) -> None:
    (row,) = rows(reported([ran(1, 1, 1, group=name)], by="group"))
    assert row["group"] == f"'{name}"


def test_csv_of_nothing_is_a_header() -> None:
    assert gpu_hours_tables.csv_text(reported([])).count("\n") == 1


def test_json_has_everything_with_the_same_keys_always() -> None:
    def keys(value: Any) -> Any:
        return {key: keys(inner) for key, inner in value.items()} if isinstance(value, dict) else 0

    full = json.loads(gpu_hours_tables.json_text(reported([*six(), *THREE], window=WINDOW, by="user")))
    bare = json.loads(gpu_hours_tables.json_text(reported([])))
    for each in (full, bare):
        each["total"]["world_size_from"] = {}
    assert keys(full) == keys(bare)
    assert {key for project in full["projects"] for key in project} >= set(bare["total"])
    assert full["startdate"] == "2026-01-01"
    assert bare["startdate"] is None
    assert [project["project"] for project in full["projects"]] == ["a", "b", "proj"]
    assert full["total"]["gpu_hours"] == sum(project["gpu_hours"] for project in full["projects"])
    assert full["projects"][2]["top"][0] == {
        "id": "run0001",
        "name": "name of 1",
        "project": "team/proj",
        "user": "kim",
        "state": "finished",
        "start": "2026-01-10T00:00:00+00:00",
        "end": "2026-01-10T10:00:00+00:00",
        "hours": 10.0,
        "gpus": 4,
        "gpus_from": "config dist/world_size",
        "gpu_hours": 40.0,
        "cpu": False,
        "flags": [],
    }


def told(one: Run, window: Window = ALWAYS, **settings: Any) -> list[str]:
    return list(explain(one, Settings(**settings), window, NOW))


def test_explain() -> None:
    assert told(ran(1, 10, 4)) == [
        "run run0001 (name of 1) of team/proj, finished",
        "started: 2026-01-10 00:00:00 UTC",
        "last sign of life: 2026-01-10 10:00:00 UTC",
        "from its start to its last sign of life: 36000 s",
        "ran: 36000 s / 3600 = 10.00 hours, from its start to its last sign of life",
        "ended: 2026-01-10 10:00:00 UTC",
        "config dist/world_size: 4",
        "GPUs: 4, by config dist/world_size",
        "GPU-hours: 10.00 hours x 4 = 40.00",
        "counted: yes",
    ]


def test_explain_a_run_that_was_paused_and_is_stuck() -> None:
    one = ran(1, 10, state="running", runtime=7200.0, timed=True, gpus=2)
    assert told(one, world_size_keys=("a", "b"))[3:] == [
        "from its start to its last sign of life: 36000 s",
        "by its own clock: 7200 s",
        "ran: 7200 s / 3600 = 2.00 hours, by its own clock",
        "ended: 2026-01-10 02:00:00 UTC: running without a sign of life for 1 day, "
        "so its start + what it ran",
        "config a: not there",
        "config b: not there",
        "metadata of its machines: 2",
        "GPUs: 2, by metadata",
        "odd: its own clock went for 2.0 of 10.0 hours",
        "GPU-hours: 2.00 hours x 2 = 4.00",
        "counted: yes",
    ]


def test_explain_a_key_that_begins_like_another() -> None:
    lines = told(ran(1, 1, config={"num_gpus": 2}), world_size_keys=("num", "num_gpus"))
    assert lines[-5:-2] == [
        "config num: not there",
        "config num_gpus: 2",
        "GPUs: 2, by config num_gpus",
    ]


def test_explain_several_machines() -> None:
    lines = told(ran(1, 1, config={"trainer": {"devices": 8, "num_nodes": 2}}))
    assert lines[-5:] == [
        "config trainer.devices: 8",
        "config trainer.num_nodes: 2",
        "GPUs: 16, by config trainer.devices x trainer.num_nodes",
        "GPU-hours: 1.00 hours x 16 = 16.00",
        "counted: yes",
    ]


END: dict[str, tuple[Run, str, str]] = {
    "unknown": (ran(1, 1), "GPU-hours: 0, since its number of GPUs is unknown", "counted: yes"),
    "default": (ran(1, 1), "GPU-hours: 1.00 hours x 3 = 3.00", "counted: yes"),
    "cpu": (
        ran(1, 3, config={"dist/accelerator": "cpu"}),
        "it ran on CPUs: 3.00 CPU-hours, no GPU-hours",
        "counted: yes",
    ),
    "skipped": (
        ran(1, 1, "x"),
        "GPU-hours: 0, since its number of GPUs is unknown",
        "counted: no, its world size has to be put right first",
    ),
    "before": (
        ran(1, 1, 1, heartbeat=WINDOW.start - timedelta(seconds=1)),
        "GPU-hours: 0.00 hours x 1 = 0.00",
        "counted: no, it ended before 2026-01-01",
    ),
    "after": (
        ran(1, 1, 1, created=WINDOW.end - HOUR, heartbeat=WINDOW.end),
        "GPU-hours: 1.00 hours x 1 = 1.00",
        "counted: no, it ended on 2026-02-01 or later",
    ),
    "in progress": (
        ran(1, 1, 1, created=NOW - HOUR, heartbeat=NOW, state="running"),
        "GPU-hours: 1.00 hours x 1 = 1.00",
        "counted: not yet, it is in progress",
    ),
}


@pytest.mark.parametrize(("one", "product", "counts"), END.values(), ids=END.keys())
def test_explain_the_end(one: Run, product: str, counts: str, request: pytest.FixtureRequest) -> None:
    default = 3 if request.node.callspec.id == "default" else 0
    assert told(one, WINDOW, default_world_size=default)[-2:] == [product, counts]


def test_explain_a_run_of_which_no_time_is_known() -> None:
    lines = told(ran(1, 1, created=None, heartbeat=None))
    assert lines[1:5] == [
        "started: unknown",
        "last sign of life: unknown",
        "ran: 0 s / 3600 = 0.00 hours, unknown",
        "ended: unknown",
    ]
    assert [line for line in lines if line.startswith("odd")] == ["odd: no start", "odd: no heartbeat"]
