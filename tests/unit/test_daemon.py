"""Ticks come on time, one at a time, whatever happens in them, until a signal ends the daemon."""

import logging
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
import time_machine

from runsheet.daemon import Daemon, run_until_signal
from runsheet.errors import Stopped, Unreachable
from tests.support.builders import FakeClock

ROOT = Path(__file__).parents[2]
START = datetime(2026, 11, 20, 12, 0)
MINUTE = 60.0


class Machine(FakeClock):
    """A clock whose waits move the time that `schedule` sees."""

    def __init__(self, traveller: time_machine.Traveller) -> None:
        super().__init__()
        self._traveller = traveller

    def wait(self, seconds: float) -> bool:
        stopping = super().wait(seconds)
        if not stopping:
            self._traveller.shift(max(0.0, seconds))
        return stopping


@pytest.fixture
def clock() -> Iterator[Machine]:
    with time_machine.travel(START, tick=False) as traveller:
        yield Machine(traveller)


class Ticks:
    """Notes when each tick starts, in minutes; does what it is told; stops after `count`."""

    def __init__(
        self, clock: Machine, count: int, deeds: dict[int, Callable[[], object]] | None = None
    ) -> None:
        self.clock, self.count, self.deeds = clock, count, deeds or {}
        self.started: list[float] = []
        self.running = False

    def __call__(self) -> None:
        assert not self.running
        self.running = True
        self.started.append(round(self.clock.monotonic() / MINUTE, 2))
        if len(self.started) == self.count:
            self.clock.stop()
        try:
            self.deeds.get(len(self.started), lambda: None)()
        finally:
            self.running = False


def fail(error: Exception) -> Callable[[], None]:
    def deed() -> None:
        raise error

    return deed


def test_the_first_tick_runs_at_once(clock: Machine) -> None:
    """Then one each interval."""
    ticks = Ticks(clock, 4)
    Daemon(ticks, 30, clock).run()
    assert ticks.started == [0, 30, 60, 90]


@pytest.mark.parametrize(
    "error", [Unreachable("no network"), ValueError("a defect"), Stopped("asked to")], ids=type
)
def test_a_failed_tick_does_not_end_the_daemon(
    clock: Machine, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged with its cause and tried again at the next interval, the first one too."""
    caplog.set_level(logging.INFO)
    ticks = Ticks(clock, 3, {1: fail(error), 2: fail(error)})
    Daemon(ticks, 30, clock).run()
    assert ticks.started == [0, 30, 60]
    assert caplog.text.count(str(error)) >= 2


def test_late_ticks_collapse(clock: Machine) -> None:
    """A tick of 100 minutes is followed by one tick, not by three, and ticks never overlap."""
    ticks = Ticks(clock, 4, {2: lambda: clock.wait(100 * MINUTE)})
    Daemon(ticks, 30, clock).run()
    assert ticks.started[:2] == [0, 30]
    assert ticks.started[2] >= 130
    assert ticks.started[3] - ticks.started[2] == 30


def test_a_stop_in_a_tick_is_the_last(clock: Machine) -> None:
    """No wait and no tick after the signal."""
    ticks = Ticks(clock, 1)
    Daemon(ticks, 30, clock).run()
    assert (ticks.started, clock.waited) == ([0], [])


def test_a_stop_wakes_the_wait(clock: Machine) -> None:
    """A daemon that waits for its next tick ends without it."""
    ticks = Ticks(clock, 9)
    wait = clock.wait

    def told(seconds: float) -> bool:
        clock.stop()
        return wait(seconds)

    clock.wait = told  # type: ignore[method-assign]
    Daemon(ticks, 30, clock).run()
    assert ticks.started == [0]


@pytest.mark.parametrize(("minutes", "second"), [(0.5, 0.5), (0.001, 1 / 60), (1440, 1440)])
def test_intervals(clock: Machine, minutes: float, second: float) -> None:
    """Parts of a minute count, down to a second; a day is one too."""
    ticks = Ticks(clock, 2)
    Daemon(ticks, minutes, clock).run()
    assert ticks.started[1] == pytest.approx(second, abs=0.01)


def test_work_that_ends_returns(clock: Machine) -> None:
    """Without a signal the work's end is the end, and signal handlers are as before."""
    before = signal.getsignal(signal.SIGTERM)
    done: list[str] = []
    assert run_until_signal(lambda: done.append("done"), clock)
    assert done == ["done"]
    assert signal.getsignal(signal.SIGTERM) is before


def test_errors_of_the_work_are_raised(clock: Machine) -> None:
    """The caller sees them as if it had called the work itself."""
    with pytest.raises(Unreachable, match="no network"):
        run_until_signal(fail(Unreachable("no network")), clock)


PROGRAM = """
    import os, signal, sys, threading
    from runsheet import daemon
    from runsheet.clock import Clock
    from runsheet.daemon import Daemon, run_until_signal

    daemon.GRACE = 0.2
    clock = Clock()
    answer = threading.Event()

    def tick():
        print("tick", flush=True)
        os.kill(os.getpid(), signal.{signal})
        {deed}

    ended = run_until_signal(Daemon(tick, 30, clock).run, clock)
    print("ended" if ended else "abandoned", flush=True)
    os._exit(0)
"""


@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT"])
@pytest.mark.parametrize(
    ("deed", "end"),
    [("clock.wait(30)", "ended"), ("answer.wait(30)", "abandoned")],
    ids=["between steps", "waiting for an answer"],
)
def test_a_signal_ends_the_process(number: str, deed: str, end: str) -> None:
    """A real signal to a real process: a tick ends between two steps, one that waits is abandoned."""
    program = textwrap.dedent(PROGRAM).format(signal=number, deed=deed)
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (result.stdout.split(), result.stderr) == (["tick", end], "")
