"""Stay within a service's quota, so that it never has to refuse: how many requests may begin in how long.

Quotas are by account, so the paces of a process are kept in one place, and shared by all that use the same
account of a service.
"""

import logging
import threading
from collections import deque

from runsheet.clock import Clock

log = logging.getLogger(__name__)


class Pace:
    """At most `count` requests begin within any `seconds`. The first `count` begin at once; a plain token
    bucket would let twice as many through in the first `seconds`. For use by any number of threads.
    """

    def __init__(self, count: int, seconds: float, clock: Clock) -> None:
        self._seconds = seconds
        self._clock = clock
        self._starts: deque[float] = deque(maxlen=count)
        self._lock = threading.Lock()

    def take(self) -> None:
        """Wait until one more request may begin; whoever asked first goes first. Raises Stopped."""
        with self._lock:
            now = self._clock.monotonic()
            full = len(self._starts) == self._starts.maxlen
            start = max(now, self._starts[0] + self._seconds) if full else now
            self._starts.append(start)
        if start > now:
            log.info("waiting %.1f s, to stay within the quota", start - now)
            self._clock.sleep(start - now)


class Paces:
    """The paces of a process, by service and account."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._paces: dict[tuple[str, str], Pace] = {}
        self._lock = threading.Lock()

    def of(self, service: str, account: str, count: int, seconds: float) -> Pace:
        """The pace of an account of a service, made at first sight."""
        with self._lock:
            key = (service, account)
            if key not in self._paces:
                self._paces[key] = Pace(count, seconds, self._clock)
            return self._paces[key]
