"""Another try is made a bounded number of times, for a bounded time, and the true cause is raised."""

from itertools import pairwise

import pytest

from runsheet.errors import Stopped, Unreachable
from runsheet.retry import Again, Policy
from tests.support.builders import FakeClock


class Attempt:
    """Fails `failures` times with Again, then returns "done"; each call takes `seconds`."""

    def __init__(
        self, clock: FakeClock, failures: int, after: float | None = None, seconds: float = 0
    ) -> None:
        self.clock, self.failures, self.after, self.seconds = clock, failures, after, seconds
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        self.clock.wait(self.seconds)
        if self.calls <= self.failures:
            raise Again(Unreachable(f"failure {self.calls}"), self.after) from TimeoutError("no answer")
        return "done"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.mark.parametrize("failures", [0, 1, 3])
def test_it_returns_what_the_attempt_returns(clock: FakeClock, failures: int) -> None:
    """As many calls as it takes, a wait between two."""
    attempt = Attempt(clock, failures)
    assert Policy(tries=4).run(attempt, clock) == "done"
    assert (attempt.calls, sum(wait > 0 for wait in clock.waited)) == (failures + 1, failures)


def test_tries_are_bounded(clock: FakeClock) -> None:
    """The last failure's cause is raised, with what it came from."""
    attempt = Attempt(clock, 99)
    with pytest.raises(Unreachable, match="failure 4") as raised:
        Policy(tries=4).run(attempt, clock)
    assert isinstance(raised.value.__cause__, TimeoutError)


@pytest.mark.parametrize(("after", "seconds", "calls"), [(30, 0, 4), (99, 0, 2), (101, 0, 1), (0, 60, 2)])
def test_time_is_bounded(clock: FakeClock, after: float, seconds: float, calls: int) -> None:
    """No wait goes beyond the deadline; what the attempts take counts."""
    attempt = Attempt(clock, 99, after, seconds)
    with pytest.raises(Unreachable):
        Policy(tries=9, seconds=100).run(attempt, clock)
    assert attempt.calls == calls
    assert sum(clock.waited) <= 100 + seconds


def test_waits_double_up_to_the_longest(clock: FakeClock) -> None:
    """Around 1, 2, 4, 8, 8 seconds, never the same twice, so that two daemons part."""
    Policy(tries=6, first=1, longest=8).run(Attempt(clock, 5), clock)
    waits = [wait for wait in clock.waited if wait > 0]
    assert all(0.75 * due <= wait <= 1.25 * due for wait, due in zip(waits, [1, 2, 4, 8, 8], strict=True))
    assert all(first != second for first, second in pairwise(waits))


def test_the_server_says_how_long(clock: FakeClock) -> None:
    """A wait that was asked for is kept."""
    Policy().run(Attempt(clock, 2, after=17), clock)
    assert [wait for wait in clock.waited if wait] == [17, 17]


def test_a_stop_ends_the_wait(clock: FakeClock) -> None:
    """A signal is not kept waiting by retries."""
    clock.stop()
    with pytest.raises(Stopped):
        Policy().run(Attempt(clock, 1), clock)


def test_other_errors_are_not_repeated(clock: FakeClock) -> None:
    """Only Again is worth another try."""
    calls = []

    def attempt() -> None:
        calls.append(1)
        raise ValueError("a defect")

    with pytest.raises(ValueError, match="a defect"):
        Policy().run(attempt, clock)
    assert len(calls) == 1
