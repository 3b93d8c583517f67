"""What time it is, how to wait, and how to be told to stop.

Code that needs time takes a Clock, so that tests hand in one that never sleeps.
"""

import threading
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TypeVar

from runsheet.errors import Stopped

T = TypeVar("T")

STEP = 1000
"""Items between two looks at the stop signal."""


class Clock:
    """Wall clock, monotonic clock and an interruptible wait.

    `stop()` may be called from a signal handler or another thread; from then on `wait` returns
    at once and `check` raises.
    """

    def __init__(self) -> None:
        self._stop = threading.Event()

    def now(self) -> datetime:
        """The time, with zone UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps."""
        return time.monotonic()

    def stop(self) -> None:
        """Ask everybody who uses this clock to stop."""
        self._stop.set()

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait `seconds`, less when told to stop. True when told to stop."""
        return self._stop.wait(max(0.0, seconds))

    def check(self) -> None:
        """Raise Stopped if told to stop: called between two steps, never within one."""
        if self.stopping:
            raise Stopped("stopped by a signal; the next start goes on from here")

    def sleep(self, seconds: float) -> None:
        """Wait `seconds`; raise Stopped if told to stop meanwhile."""
        if self.wait(seconds):
            self.check()

    def watched(self, items: Iterable[T]) -> Iterator[T]:
        """The items, with a check now and then: for those that take seconds all together."""
        for number, item in enumerate(items):
            if number % STEP == 0:
                self.check()
            yield item
