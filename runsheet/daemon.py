"""Ticks on a schedule, until a signal ends them.

- The first tick runs at once, the next one interval after it. Ticks never overlap; ticks that are
  late (a slow one, a laptop that slept) collapse into one.
- A tick that fails is logged with its cause and tried again at the next interval.
- SIGTERM and SIGINT end the daemon within GRACE seconds: a tick stops between two steps. One that
  is waiting for an answer is abandoned, which tears nothing: a batch is applied whole or not at
  all, and the next start finds out which.
"""

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import schedule

from runsheet.clock import Clock
from runsheet.errors import RunsheetError, Stopped

log = logging.getLogger(__name__)

GRACE = 4.0
"""Seconds that a running tick gets to end after a signal."""

Tick = Callable[[], None]


class Daemon:
    """Runs `tick` every `minutes`. `tick` raises RunsheetError when it fails."""

    def __init__(self, tick: Tick, minutes: float, clock: Clock) -> None:
        self._tick = tick
        self._clock = clock
        self._seconds = max(1, round(minutes * 60))
        self._scheduler = schedule.Scheduler()

    def run(self) -> None:
        """Tick until the clock is stopped.

        The clock's `stop` makes it return as soon as the running tick has come to a step's end.
        """
        self._guarded()
        self._scheduler.every(self._seconds).seconds.do(self._guarded)
        while not self._clock.stopping:
            self._clock.wait(max(0.0, self._scheduler.idle_seconds or 0.0))
            if not self._clock.stopping:
                # run_pending runs a job that is late once, however late it is.
                self._scheduler.run_pending()

    def _guarded(self) -> None:
        """The one place that catches everything: a daemon outlives any tick."""
        try:
            self._tick()
        except Stopped as stop:
            log.info("%s", stop)
        except RunsheetError as error:
            log.error("tick failed: %s", error)
            log.debug("the cause", exc_info=True)
        except Exception:
            log.exception("tick failed in a way that is a defect of runsheet; the next one tries again")


def run_until_signal(work: Callable[[], None], clock: Clock) -> bool:
    """Run `work` in a thread, and end it when SIGTERM or SIGINT comes.

    Returns True when the work ended by itself or in time, False when it was abandoned after
    GRACE seconds; the caller then has to leave the process without waiting for threads.
    Exceptions of `work` are raised here.
    """
    failure: list[BaseException] = []

    def target() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again in the calling thread
            failure.append(error)

    thread = threading.Thread(target=target, name="runsheet", daemon=True)
    with _signals(clock):
        thread.start()
        # join with a time-out: a join without one would not let the handler run.
        while thread.is_alive() and not clock.stopping:
            thread.join(0.2)
        thread.join(GRACE)
    if failure:
        raise failure[0]
    return not thread.is_alive()


@contextmanager
def _signals(clock: Clock) -> Iterator[None]:
    def stop(number: int, _frame: FrameType | None) -> None:
        log.info("%s: stopping", signal.Signals(number).name)
        clock.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
