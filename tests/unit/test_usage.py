"""What one run used: its time, its GPUs, and how each is known. The rules are those of docs/gpu-hours.md."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runsheet.model import Run
from runsheet.reports.usage import DEFAULT_KEYS, Settings, gpus, slim, usage
from tests.support.builders import NOW, run

NORMAL = settings(max_examples=200, derandomize=True, deadline=None)
HOUR = 3600.0
START = NOW - timedelta(days=10)


def ran(hours: float, **more: Any) -> Run:
    """A run from START, `hours` from its first to its last sign of life."""
    return run(1, **{"created": START, "heartbeat": START + timedelta(hours=hours), "config": {}} | more)


TIMES: dict[str, tuple[Run, float, tuple[str, ...]]] = {
    # the run -> its seconds, what is odd
    "by its signs of life": (ran(10), 10 * HOUR, ()),
    "a listing's own reckoning counts no more": (ran(10, runtime=9 * HOUR, timed=False), 10 * HOUR, ()),
    "paused for two hours": (ran(10, runtime=8 * HOUR, timed=True), 8 * HOUR, ()),
    "paused for longer than it ran": (
        ran(10, runtime=4 * HOUR, timed=True),
        4 * HOUR,
        ("its own clock went for 4.0 of 10.0 hours",),
    ),
    "paused for as long as it ran, not for an hour": (ran(1, runtime=1801.0, timed=True), 1801.0, ()),
    "a clock that never went": (ran(10, runtime=0.0, timed=True), 10 * HOUR, ()),
    "uploaded afterwards": (ran(30 / 3600, runtime=7200.0, timed=True), 7200.0, ()),
    "uploaded afterwards, by no clock": (ran(30 / 3600, runtime=7200.0), 7200.0, ()),
    "short": (ran(299 / 3600, runtime=10.0, timed=True), 299.0, ()),
    "no longer short": (ran(300 / 3600, runtime=10.0, timed=True), 10.0, ()),
    "no heartbeat": (ran(0, heartbeat=None, runtime=60.0), 60.0, ("no heartbeat",)),
    "no heartbeat, no runtime": (ran(0, heartbeat=None), 0.0, ("no heartbeat",)),
    "no start": (ran(1, created=None, runtime=60.0), 60.0, ("no start",)),
    "nothing": (ran(0, created=None, heartbeat=None), 0.0, ("no start", "no heartbeat")),
    "backwards": (ran(-1), 0.0, ("its last sign of life is before its start",)),
    "an endless runtime": (
        ran(1, runtime=math.inf, timed=True),
        HOUR,
        ("a runtime of inf seconds cannot be",),
    ),
    "no runtime at all": (
        ran(1, runtime=math.nan, timed=True),
        HOUR,
        ("a runtime of nan seconds cannot be",),
    ),
    "a long runtime": (
        ran(1, runtime=2e9, timed=True),
        HOUR,
        ("a runtime of 2000000000.0 seconds cannot be",),
    ),
}


@pytest.mark.parametrize(("one", "seconds", "flags"), TIMES.values(), ids=TIMES.keys())
def test_time(one: Run, seconds: float, flags: tuple[str, ...]) -> None:
    result = usage(one, Settings(), NOW)
    assert (result.seconds, result.flags) == (seconds, flags)
    assert result.hours == seconds / 3600


SIZES: dict[str, tuple[dict[str, Any], int | None, str]] = {
    # the config -> GPUs, and how they are known
    "literal": ({"dist/world_size": 4}, 4, "config dist/world_size"),
    "a text": ({"dist/world_size": " 4 "}, 4, "config dist/world_size"),
    "a whole fraction": ({"dist/world_size": 4.0}, 4, "config dist/world_size"),
    "none at all": ({"dist/world_size": 0}, 0, "config dist/world_size"),
    "the first key wins": ({"num_gpus": 2, "world_size": 8}, 8, "config world_size"),
    "null: the next key": ({"dist/world_size": None, "num_gpus": 2}, 2, "config num_gpus"),
    "auto: the next key": ({"world_size": "auto", "num_gpus": 2}, 2, "config num_gpus"),
    "all: the next key": ({"world_size": -1, "num_gpus": 2}, 2, "config num_gpus"),
    "nested": ({"trainer": {"devices": 2}}, 2, "config trainer.devices"),
    "the key as it stands first": (
        {"trainer.devices": 3, "trainer": {"devices": 2}},
        3,
        "config trainer.devices",
    ),
    "a list of devices": ({"trainer": {"devices": [0, 1, 5]}}, 3, "config trainer.devices"),
    "on several machines": (
        {"trainer": {"devices": 8, "num_nodes": 4}},
        32,
        "config trainer.devices x trainer.num_nodes",
    ),
    "machines are no GPUs": ({"trainer": {"num_nodes": 4}}, None, ""),
    "a slash is no path": ({"dist": {"world_size": 4}}, None, ""),
    "not there": ({"lr": 0.1}, None, ""),
}


@pytest.mark.parametrize(("config", "count", "source"), SIZES.values(), ids=SIZES.keys())
def test_world_size(config: dict[str, Any], count: int | None, source: str) -> None:
    result = usage(ran(2, config=config), Settings(), NOW)
    assert (result.gpus, result.gpus_from, result.flags) == (count, source, ())
    assert not result.skipped
    assert result.gpu_hours == 2 * (count or 0)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("x", "'x'"),
        ("4 GPUs", "'4 GPUs'"),
        (True, "True"),
        (2.5, "2.5"),
        (-2, "-2"),
        (math.nan, "nan"),
        (math.inf, "inf"),
        pytest.param(10**5000, "a number of many digits", id="5000 digits"),
        ({"n": 4}, "(dict)"),
        ("a\nb" + "c" * 100, "'a\\nb" + "c" * 34 + "…"),
    ],
)
def test_a_world_size_that_is_no_number_is_flagged_and_skipped(value: Any, shown: str) -> None:
    """Neither another key nor the default takes its place: what it says has to be put right."""
    one = ran(2, config={"dist/world_size": value, "num_gpus": 2}, gpus=8)
    result = usage(one, Settings(default_world_size=1), NOW)
    assert (result.gpus, result.gpus_from) == (None, "config dist/world_size")
    assert result.flags == (f"world size {shown} is no number",)
    assert result.skipped
    assert result.gpu_hours == 0


def test_a_number_of_machines_that_is_none_is_flagged() -> None:
    result = usage(ran(2, config={"trainer": {"devices": 2, "num_nodes": "x"}}), Settings(), NOW)
    assert result.flags == ("trainer.num_nodes 'x' is no number",)
    assert result.skipped


def test_config_then_metadata_then_default() -> None:
    both = Settings(default_world_size=1)
    assert gpus(ran(1, config={"num_gpus": 2}, gpus=8), both).gpus == 2
    assert usage(ran(1, gpus=8), both, NOW).gpus_from == "metadata"
    assert usage(ran(1), both, NOW).gpus_from == "default"
    assert usage(ran(1), both, NOW).gpus == 1


def test_a_key_of_ones_own_is_the_only_one() -> None:
    mine = Settings(world_size_keys=("my/gpus",))
    assert usage(ran(1, config={"world_size": 8, "my/gpus": 2}), mine, NOW).gpus == 2
    assert usage(ran(1, config={"world_size": 8}), mine, NOW).gpus is None


@pytest.mark.parametrize("value", ["cpu", "CPU", " Cpu "])
def test_a_run_on_cpus_has_no_gpu_hours(value: str) -> None:
    """Nor does its world size matter."""
    config = {"dist/accelerator": value, "dist/world_size": "x"}
    result = usage(ran(3, config=config), Settings(), NOW)
    assert (result.cpu, result.hours, result.gpu_hours, result.flags) == (True, 3, 0, ())
    assert not result.skipped


@pytest.mark.parametrize("value", ["gpu", "cuda", None, 0, ["cpu"]])
def test_any_other_accelerator_is_a_gpu(value: Any) -> None:
    assert not usage(ran(3, config={"dist/accelerator": value}), Settings(), NOW).cpu


DAY = timedelta(days=1)


@pytest.mark.parametrize("state", ["running", "pending", "preempting"])
@pytest.mark.parametrize(
    ("silent", "status"),
    [
        (timedelta(0), "in progress"),
        (DAY - timedelta(seconds=1), "in progress"),
        (DAY, "in progress"),
        (DAY + timedelta(seconds=1), "stuck"),
        (-DAY, "in progress"),
    ],
)
def test_stuck_after_a_day_without_a_sign_of_life(state: str, silent: timedelta, status: str) -> None:
    """H6: 24 h less a second is in progress, 24 h and a second is stuck."""
    one = run(1, state=state, created=NOW - silent - timedelta(hours=6), heartbeat=NOW - silent)
    assert usage(one, Settings(), NOW).status == status


def test_what_a_time_zone_calls_now_does_not_matter() -> None:
    seoul = NOW.astimezone().replace(tzinfo=None).astimezone()
    one = run(1, state="running", heartbeat=NOW - DAY - timedelta(seconds=1))
    assert usage(one, Settings(), seoul).status == "stuck"


@pytest.mark.parametrize("state", ["finished", "crashed", "failed", "killed", "preempted"])
def test_a_run_that_has_ended_is_counted_at_once(state: str) -> None:
    assert usage(run(1, state=state, heartbeat=NOW), Settings(), NOW).status == "counted"


def test_the_end() -> None:
    """The last sign of life; of a stuck run and one without that, the start and the run time."""
    assert usage(ran(10, runtime=8 * HOUR, timed=True), Settings(), NOW).end == START + timedelta(hours=10)
    stuck = usage(ran(10, runtime=8 * HOUR, timed=True, state="running"), Settings(), NOW)
    assert (stuck.status, stuck.end) == ("stuck", START + timedelta(hours=8))
    assert usage(ran(0, heartbeat=None, runtime=HOUR), Settings(), NOW).end == START + timedelta(hours=1)
    assert usage(ran(0, heartbeat=None), Settings(), NOW).end == START
    assert usage(ran(0, created=None, heartbeat=None), Settings(), NOW).end is None


def test_the_end_of_the_calendar_is_no_error() -> None:
    late = datetime(9999, 12, 31, tzinfo=UTC)
    result = usage(run(1, created=late, heartbeat=None, runtime=1e9), Settings(), NOW)
    assert result.end == datetime.max.replace(tzinfo=UTC)


def test_who_and_what() -> None:
    result = usage(run(7, user=None, group="g", state="failed"), Settings(), NOW)
    assert (result.run_id, result.name, result.user) == ("run0007", "name of 7", "")
    assert (result.group, result.state, result.scope.project) == ("g", "failed", "team/proj")


SCALARS = st.none() | st.booleans() | st.integers(-3, 9) | st.floats() | st.text(max_size=4)
VALUES = SCALARS | st.lists(st.integers(0, 3), max_size=3)
NAMES = st.sampled_from([*DEFAULT_KEYS, "dist/accelerator", "trainer.num_nodes", "trainer", "lr", "devices"])
CONFIGS = st.dictionaries(
    NAMES, VALUES | st.dictionaries(st.sampled_from(["devices", "num_nodes", "x"]), VALUES, max_size=3)
)


def test_a_slim_run_keeps_the_number_of_machines() -> None:
    one = run(1, config={"trainer": {"devices": 8, "num_nodes": 2, "precision": 16}, "lr": 1})
    assert slim(one, Settings()).config == {"trainer.devices": 8, "trainer.num_nodes": 2}
    assert usage(slim(one, Settings()), Settings(), NOW).gpus == 16


@NORMAL
@given(CONFIGS, st.integers(0, 2), st.none() | st.integers(0, 8))
def test_a_slim_run_uses_as_much(config: dict[str, Any], default: int, machines: int | None) -> None:
    """`slim` keeps all that `usage` reads, and nothing raises whatever the config holds."""
    chosen = Settings(default_world_size=default)
    whole = run(1, config={"secret": 1} | config, gpus=machines)
    kept = slim(whole, chosen)
    assert usage(kept, chosen, NOW) == usage(whole, chosen, NOW)
    assert slim(kept, chosen) == kept
    assert "secret" not in kept.config
    assert kept.summary == {}
