"""The watched source in memory keeps the contract, and counts requests as a service would."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from runsheet.clock import Clock
from runsheet.model import Run, Scope
from runsheet.sources.base import Query, Source, Watched
from runsheet.sources.memory import MemorySource, WatchedMemorySource
from tests.contract.source_contract import ALWAYS, SourceContract, WatchedContract

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def made(project: str, count: int) -> list[Run]:
    """Runs of which each has its heartbeat a minute after the one before."""
    scope = Scope("memory", "", project)
    return [
        Run(scope, f"r{number}", heartbeat=BEGIN + timedelta(minutes=number), config={"n": number})
        for number in range(count)
    ]


class TestMemorySource(SourceContract):
    @pytest.fixture(params=[MemorySource, WatchedMemorySource])
    def source(self, request: pytest.FixtureRequest) -> Source:
        return request.param({"a": made("a", 3)})  # type: ignore[no-any-return]

    @pytest.fixture
    def ids(self) -> list[str]:
        return ["r0", "r1", "r2"]

    def test_a_stop_signal_ends_the_listing(self, source: Source, clock: Clock) -> None:
        """It waits for nothing, so there is nothing to end."""
        clock.stop()
        assert len([*source.runs("a", Query())]) == 3


class TestWatchedMemorySource(WatchedContract):
    @pytest.fixture
    def source(self) -> Watched:
        return WatchedMemorySource({"a": made("a", 4), "b": made("b", 3)})


def test_the_plain_one_is_not_watched() -> None:
    assert not isinstance(MemorySource({}), Watched)


def test_light_runs_are_timed_by_nothing() -> None:
    """Nor do they tell of GPUs: what a service lists cheaply does not."""
    runs = [replace(run, runtime=5.0, timed=True, gpus=8) for run in made("a", 2)]
    light = [*WatchedMemorySource({"a": runs}).listed("a", Query())]
    assert [(run.runtime, run.timed, run.gpus) for run in light if isinstance(run, Run)] == [
        (None, False, None)
    ] * 2


@pytest.mark.parametrize(
    ("count", "recent", "whole"),
    [(0, 1, 1), (500, 1, 1), (501, 2, 1), (1001, 3, 2), (2000, 4, 2), (5001, 11, 6), (9000, 11, 9)],
)
def test_requests_are_counted(count: int, recent: int, whole: int) -> None:
    runs = {"a": made("a", count)}

    def asked(ask: str, *more: object) -> int:
        source = WatchedMemorySource(runs)
        found = getattr(source, ask)("a", Query(), *more)
        assert ask == "recent" or len([*found]) == count
        return source.requests

    assert asked("recent", ALWAYS) == recent
    assert asked("recent", BEGIN + timedelta(minutes=count - 5)) == 1
    assert asked("runs") == asked("listed") == whole
    assert asked("pick", [run.id for run in runs["a"]]) == (whole if count else 0)


def test_thousands_are_not_recent() -> None:
    runs: Mapping[str, list[Run]] = {"a": made("a", 5001)}
    assert WatchedMemorySource(runs).recent("a", Query(), ALWAYS) is None
    assert WatchedMemorySource(runs).recent("a", Query(), BEGIN) is not None


def test_runs_may_change_between_two_questions() -> None:
    runs = {"a": made("a", 3)}
    source = WatchedMemorySource(runs)
    since = BEGIN + timedelta(minutes=2)
    assert source.recent("a", Query(), since) is not None
    runs["a"][0] = replace(runs["a"][0], state="running", heartbeat=since + timedelta(minutes=1))
    found = source.recent("a", Query(), since)
    assert found is not None
    assert [(run.id, run.state) for run in found.runs] == [("r0", "running")]
    assert [run.state for run in source.pick("a", Query(), ["r0"]) if isinstance(run, Run)] == ["running"]


def test_a_run_without_a_heartbeat_is_not_recent() -> None:
    runs = [*made("a", 2), Run(Scope("memory", "", "a"), "pending", state="pending")]
    source = WatchedMemorySource({"a": runs})
    found = source.recent("a", Query(), BEGIN)
    assert found is not None
    assert [run.id for run in found.runs] == ["r1"]
    assert found.total == 3


def test_a_project_without_runs_has_a_scope() -> None:
    assert WatchedMemorySource({"a": []}).scope("a") == Scope("memory", "", "a")
