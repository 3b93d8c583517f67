"""Requests wait exactly as long as a quota needs, and not at all within it."""

import threading
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from runsheet import backends
from runsheet.config import Config
from runsheet.errors import Stopped
from runsheet.pace import Pace, Paces
from tests.support.builders import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def starts(pace: Pace, clock: FakeClock, count: int) -> list[float]:
    """When each of `count` requests began, one right after the other."""
    found = []
    for _ in range(count):
        pace.take()
        found.append(clock.monotonic())
    return found


def test_130_requests_of_60_a_minute(clock: FakeClock) -> None:
    """A minute's worth at once, the rest as each minute ends: not a second longer."""
    assert starts(Pace(60, 60.0, clock), clock, 130) == [0.0] * 60 + [60.0] * 60 + [120.0] * 10
    assert clock.waited == [60.0, 60.0]


def test_what_the_quota_allows_does_not_wait(clock: FakeClock) -> None:
    pace = Pace(60, 60.0, clock)
    for _ in range(10):
        starts(pace, clock, 60)
        clock.wait(60.0)
    assert clock.waited == [60.0] * 10


def test_no_minute_has_more(clock: FakeClock) -> None:
    """However requests are spread: between one and the sixtieth after it lies a minute."""
    pace, found = Pace(60, 60.0, clock), []
    for number in range(300):
        found += starts(pace, clock, 1)
        clock.wait(number % 7 / 10)
    assert all(later - earlier > 59.999 for earlier, later in zip(found, found[60:], strict=False))
    assert all(earlier <= later for earlier, later in pairwise(found))


def test_a_stop_ends_the_wait(clock: FakeClock) -> None:
    pace = Pace(1, 60.0, clock)
    pace.take()
    clock.stop()
    with pytest.raises(Stopped):
        pace.take()


def test_threads_share_it(clock: FakeClock) -> None:
    pace = Pace(100, 20.0, clock)
    threads = [threading.Thread(target=lambda: [pace.take() for _ in range(25)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock.waited == []
    pace.take()
    assert clock.waited == [20.0]


def test_one_pace_for_an_account_of_a_service(clock: FakeClock) -> None:
    """Reads do not wait for writes, nor one account for another."""
    paces = Paces(clock)
    writes = paces.of("sheets writes", "a@x", 60, 60.0)
    starts(writes, clock, 60)
    assert paces.of("sheets writes", "a@x", 60, 60.0) is writes
    for other in (paces.of("sheets reads", "a@x", 60, 60.0), paces.of("sheets writes", "b@x", 60, 60.0)):
        starts(other, clock, 60)
    assert clock.waited == []


def test_all_sources_of_a_process_share_the_pace_of_wandb(clock: FakeClock) -> None:
    """Ten a second, 200 at once: no usual tick waits."""
    setup = backends.Setup(Config(), clock, {}, projects=("team/proj",))
    sources: list[Any] = [backends.source(setup), backends.source(replace(setup))]
    for _ in range(100):
        for source in sources:
            source._client._pace()
    assert clock.waited == []
    sources[0]._client._pace()
    assert clock.waited == [20.0]
