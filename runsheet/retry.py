"""Which failures are worth another try, how long to wait, and until when.

Only for requests that are safe to repeat. Time comes from a Clock, so a stop signal ends a wait.
"""

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from runsheet.clock import Clock

log = logging.getLogger(__name__)

T = TypeVar("T")


class Again(Exception):
    """Raised by an attempt that failed but may work later.

    `after`: the wait that the server asked for; `tries`: give up after so many attempts, where
    that is fewer than the policy allows.
    """

    def __init__(self, cause: Exception, after: float | None = None, tries: int | None = None) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.after = after
        self.tries = tries


@dataclass(frozen=True, slots=True)
class Policy:
    """At most `tries` attempts within `seconds`; waits double from `first` up to `longest`."""

    tries: int = 6
    seconds: float = 120.0
    first: float = 1.0
    longest: float = 32.0

    def run(self, attempt: Callable[[], T], clock: Clock) -> T:
        """Call `attempt` until it returns. Raises the cause of the last Again, or Stopped."""
        deadline = clock.monotonic() + self.seconds
        for number in range(1, self.tries + 1):
            try:
                return attempt()
            except Again as again:
                wait = self._wait(number, again)
                if (
                    number >= min(self.tries, again.tries or self.tries)
                    or clock.monotonic() + wait > deadline
                ):
                    raise again.cause from again.__cause__
                log.info("%s; trying again in %.1f s", again, wait)
                clock.sleep(wait)
        raise AssertionError("unreachable: the last try returns or raises")

    def _wait(self, number: int, again: Again) -> float:
        if again.after is not None:
            return again.after
        return float(min(self.first * 2 ** (number - 1), self.longest) * random.uniform(0.75, 1.25))
