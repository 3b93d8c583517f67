"""GPU-hours of many runs: the worked cases H1 to H6, and that windows divide time.

tests/mutant_list/gpu_hours.py has faults that these tests find.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runsheet.model import Run
from runsheet.reports import gpu_hours_tables
from runsheet.reports.gpu_hours import BY, Report, Statistics, Window, report, statistics
from runsheet.reports.usage import Settings, Usage, usage
from tests.support.builders import NOW, run, scope

NORMAL = settings(max_examples=100, derandomize=True, deadline=None)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
START = datetime(2026, 1, 10, tzinfo=UTC)
ALWAYS = Window()


def ran(number: int, hours: float, world_size: Any = None, **more: Any) -> Run:
    """A finished run of so many hours from START on."""
    config = {} if world_size is None else {"dist/world_size": world_size}
    return run(number, **{"created": START, "heartbeat": START + hours * HOUR, "config": config} | more)


def six() -> list[Run]:
    """The runs of H1."""
    long_ago = NOW - 3 * DAY
    return [
        ran(1, 10, 4),
        ran(2, 5),
        ran(3, 30 / 3600, 2, runtime=7200.0, timed=True),
        ran(4, 6, 1, state="running", created=long_ago - 6 * HOUR, heartbeat=long_ago),
        ran(5, 1, 8, state="running", created=NOW - HOUR, heartbeat=NOW),
        ran(6, 3, config={"dist/accelerator": "CPU"}),
    ]


def used(runs: Sequence[Run], keys: Settings) -> list[Usage]:
    return [usage(one, keys, NOW) for one in runs]


def stats(runs: Sequence[Run], window: Window = ALWAYS, by: str = "", **keys: Any) -> Statistics:
    return statistics(used(runs, Settings(**keys)), window, by)


def reported(runs: Sequence[Run], **more: Any) -> Report:
    keys = more.pop("settings", Settings())
    window = more.pop("window", ALWAYS)
    return report(used(runs, keys), keys, window, **more)


def shown(runs: Sequence[Run], **more: Any) -> list[str]:
    return gpu_hours_tables.text(reported(runs, **more)).splitlines()


class TestWorkedCases:
    def test_h1(self) -> None:
        found = stats(six())
        assert (found.sums.num_runs, found.in_progress, found.stuck) == (5, 1, 1)
        assert (found.sums.gpu_runs, found.sums.gpu_hours) == (4, 50)
        assert found.sums.gpu_hours_per_run == 12.5
        assert gpu_hours_tables.duration(found.sums.gpu_hours) == "2 days 2 hours"
        assert found.sums.cpu_hours == 3
        assert found.sums.unknown == 1

    def test_h2(self) -> None:
        found = stats(six(), default_world_size=1)
        assert (found.sums.gpu_runs, found.sums.gpu_hours) == (4, 55)
        assert found.sums.gpu_hours_per_run == 13.75
        assert gpu_hours_tables.duration(found.sums.gpu_hours) == "2 days 7 hours"
        assert found.sums.unknown == 0
        assert found.known == {"config dist/world_size": 3, "default": 1}

    def test_h3_the_sample_of_the_first_script(self) -> None:
        """842 runs of 58,705,200 GPU-seconds, line by line."""
        first, last = datetime(2023, 5, 13, 9, tzinfo=UTC), datetime(2023, 6, 26, 1, tzinfo=UTC)
        each, rest = divmod(58_705_200 // 4, 842)
        lengths = [each + (number < rest) for number in range(842)]
        runs = [
            run(
                number,
                created=first if number == 0 else last - timedelta(seconds=length),
                heartbeat=first + timedelta(seconds=length) if number == 0 else last,
                config={"dist/world_size": 4},
            )
            for number, length in enumerate(lengths)
        ]
        lines = shown(runs, host="https://api.wandb.ai/")
        assert lines[:10] == [
            "host: https://api.wandb.ai/",
            "entity: team",
            "project: proj",
            "world_size_config: dist/world_size",
            "default_world_size: 0",
            "statistics from 2023-05-13 to 2023-06-26 (44 days)",
            "num_runs: 842",
            "total: 679 days 11 hours",
            "GPU-hours: 16307",
            "GPU-hours per run: 19.37",
        ]
        assert lines[10] == "top 10 runs:"
        assert lines[11:13] == ["- 19 hours: run0000 name of 0", "- 19 hours: run0001 name of 1"]
        assert len(lines) == 21

    def test_h4_an_end_on_the_bound_of_two_windows_counts_once(self) -> None:
        """In the second one: windows are half-open."""
        bound = datetime(2026, 2, 15, tzinfo=UTC)
        one = ran(1, 1, 4, created=bound - HOUR, heartbeat=bound)
        before = stats([one], Window(bound - 31 * DAY, bound))
        after = stats([one], Window(bound, bound + 28 * DAY))
        assert (before.sums.num_runs, before.after) == (0, 1)
        assert (after.sums.num_runs, after.before, after.sums.gpu_hours) == (1, 0, 4)

    def test_h5_nothing(self) -> None:
        assert shown([], scopes=[scope()]) == [
            "entity: team",
            "project: proj",
            "world_size_config: dist/world_size",
            "default_world_size: 0",
            "statistics from - to - (0 days)",
            "num_runs: 0",
            "total: 0 days 0 hours",
            "GPU-hours: 0",
            "GPU-hours per run: 0.00",
        ]

    def test_h5_a_run_without_a_heartbeat_and_a_world_size_that_is_a_text(self) -> None:
        found = stats([ran(1, 0, 2, heartbeat=None, runtime=7200.0), ran(2, 10, "4")])
        assert found.sums.gpu_hours == 2 * 2 + 40
        assert [one.flags for one in found.flagged] == [("no heartbeat",)]

    @pytest.mark.parametrize(("more", "counted"), [(-1, 0), (1, 1)])
    def test_h6_stuck(self, more: int, counted: int) -> None:
        silent = NOW - DAY - timedelta(seconds=more)
        found = stats([ran(1, 6, 1, state="running", created=silent - 6 * HOUR, heartbeat=silent)])
        assert (found.sums.num_runs, found.stuck, found.in_progress) == (counted, counted, 1 - counted)


MOMENTS = st.integers(0, 40).map(lambda hours: START + hours * HOUR)
RUNS = st.lists(
    st.tuples(MOMENTS | st.none(), st.integers(0, 9), st.sampled_from([None, 1, 4, "x"]), st.booleans()),
    max_size=12,
)


def some(drawn: Sequence[tuple[datetime | None, int, Any, bool]]) -> list[Run]:
    """Runs by their ends; one without an end has no start either."""
    return [
        run(
            number,
            created=end and end - hours * HOUR / 7,
            heartbeat=end,
            runtime=hours * 3600 / 7,
            config={"dist/world_size": size, "dist/accelerator": "cpu" if cpu else "gpu"},
        )
        for number, (end, hours, size, cpu) in enumerate(drawn)
    ]


@NORMAL
@given(RUNS, st.lists(MOMENTS, max_size=5))
def test_windows_that_share_bounds_divide_time(
    drawn: Sequence[tuple[datetime | None, int, Any, bool]], cuts: Sequence[datetime]
) -> None:
    """Whatever the bounds, each run is in exactly one window, and the sums of the windows are the whole."""
    runs = some(drawn)
    bounds = [None, *sorted(cuts), None]
    parts = [stats(runs, Window(start, end)) for start, end in pairwise(bounds)]
    whole = stats(runs)
    for what in ("num_runs", "gpu_runs", "cpu_runs", "unknown"):
        assert sum(getattr(part.sums, what) for part in parts) == getattr(whole.sums, what)
    assert sum(len(part.skipped) for part in parts) == len(whole.skipped)
    assert math.isclose(math.fsum(part.sums.gpu_hours for part in parts), whole.sums.gpu_hours)
    for part in parts:
        counted = part.sums.num_runs + len(part.skipped)
        assert counted + part.before + part.after == len(runs)


@NORMAL
@given(RUNS, st.sampled_from([*BY]))
def test_groups_divide_the_runs(drawn: Sequence[tuple[datetime | None, int, Any, bool]], by: str) -> None:
    found = stats(some(drawn), by=by)
    assert sum(sums.num_runs for _, sums in found.groups) == found.sums.num_runs
    assert math.isclose(math.fsum(sums.gpu_hours for _, sums in found.groups), found.sums.gpu_hours)
    assert math.isclose(math.fsum(sums.cpu_hours for _, sums in found.groups), found.sums.cpu_hours)


@NORMAL
@given(RUNS, st.randoms(use_true_random=False))
def test_the_order_of_the_runs_does_not_matter(drawn: Any, random: Any) -> None:
    runs = some(drawn)
    mixed = [*runs]
    random.shuffle(mixed)
    one, other = (
        gpu_hours_tables.json_text(reported(each, by="user", scopes=[scope()])) for each in (runs, mixed)
    )
    assert sorted(one.splitlines()) == sorted(other.splitlines())


def test_groups() -> None:
    """Those that took the most come first; months in their order, by the end of the run."""
    runs = [
        ran(1, 2, 1, user="lee", state="failed"),
        ran(2, 3, 1, user="kim"),
        ran(3, 30 * 24, 1, user=None, group="g", created=START - 20 * DAY, heartbeat=START + 10 * DAY),
        ran(4, 1, 1, user="lee", heartbeat=START + 30 * DAY, runtime=3600.0, timed=True),
    ]
    named = {by: [(name, sums.gpu_hours) for name, sums in stats(runs, by=by).groups] for by in BY}
    assert named == {
        "user": [("", 720), ("kim", 3), ("lee", 3)],
        "month": [("2026-01", 725), ("2026-02", 1)],
        "project": [("team/proj", 726)],
        "group": [("g", 720), ("", 6)],
        "state": [("finished", 724), ("failed", 2)],
    }


def test_a_run_that_is_skipped_counts_nowhere() -> None:
    found = stats([ran(1, 1, "x"), ran(2, 1, 2)], by="user")
    assert (found.sums.num_runs, found.sums.gpu_hours, len(found.groups)) == (1, 2, 1)
    assert [one.run_id for one in found.skipped] == ["run0001"]


def test_the_top_are_those_with_the_most_gpu_hours() -> None:
    runs = [ran(number, number + 1, 2) for number in range(12)] + [ran(99, 1000), ran(98, 13, 1)]
    top = [one.run_id for one in stats(runs).top]
    assert top == [f"run{number:04d}" for number in range(11, 5, -1)] + [
        "run0098",
        "run0005",
        "run0004",
        "run0003",
    ]
