"""The GPU columns of a table: what a run did not note of them by itself is read from its system stream.

A request for each run, so only runs are asked whose row is written for good: once, when they have settled.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from types import TracebackType

from runsheet import cells
from runsheet.clock import Clock
from runsheet.errors import AccessError, RunsheetError, ServiceError, Unreachable
from runsheet.fields import SUMMARY
from runsheet.model import Run, Skip
from runsheet.reports.gpu_metrics import COLUMNS, columns, is_gpu, measure
from runsheet.sources.base import Recorded, Source, Stream, Watched

log = logging.getLogger(__name__)

PATHS = tuple(SUMMARY + key for key in COLUMNS)
"""Where their values come from: the summary of a run, as if it had noted them."""

WORKERS = 8
"""Runs that are read at the same time, all projects together: W&B's client handles ten requests at once.
Where no service is asked, one: threads would only take memory."""

WINDOW = 2 * WORKERS
"""Runs of a project that are held until those before them have been read."""

OUTAGE = 2 * WORKERS
"""When so many runs in a row cannot be read, no more are asked for in this tick."""

AGAIN = timedelta(days=2)
"""For so long after its last sign of life a run that cannot be read waits, and is tried again. No run waits
for ever."""

WAITS = "GPU use cannot be read yet"


@dataclass(frozen=True, slots=True)
class Later:
    """A run that has to wait for a later tick."""

    run: Run


Item = Run | Skip
Filled = Run | Skip | Later


class GpuColumns:
    """Fills in what runs of a source did not note of their GPUs, while it is entered.

    Where that is not `wanted`, or not to be had from the source, as `notices` then say, runs stay as they
    are. `count`: runs whose stream was read. For use by several threads, one for each project.
    """

    def __init__(self, source: Source, clock: Clock, *, wanted: bool) -> None:
        self._source = source if wanted and isinstance(source, Recorded) else None
        self._clock = clock
        self._pool = ThreadPoolExecutor(WORKERS if isinstance(source, Watched) else 1, "runsheet-gpu")
        self._lock = threading.Lock()
        self._failures = 0
        self.count = 0
        self.notices: tuple[str, ...] = ()
        if wanted and self._source is None:
            self.notices = (
                f"GPU_COLUMNS: the source {source.name} does not hold what was measured of the GPUs, so only "
                "what runs noted by themselves is shown",
            )

    def __enter__(self) -> "GpuColumns":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def fill(self, items: Iterable[Item], due: Callable[[Run], bool]) -> Iterator[Filled]:
        """The items in their order; the runs that are `due` have in their summary what was measured, where
        they lack it. Of one that cannot be read a Skip that counts none says why; in its place comes a Later
        or, when its last sign of life is AGAIN ago, the run as it is. When OUTAGE runs in a row could not be
        read, each of those behind them is a Later.

        Raises what is no ServiceError, such as Stopped: then nothing more is asked.
        """
        if self._source is None:
            yield from items
            return
        window: deque[Future[tuple[Filled, ...]]] = deque()
        try:
            for item in items:
                if isinstance(item, Run) and due(item):
                    window.append(self._pool.submit(self._filled, self._source, item))
                elif window:
                    window.append(_done(item))
                else:
                    yield item
                while window and (len(window) >= WINDOW or window[0].done()):
                    yield from window.popleft().result()
            while window:
                yield from window.popleft().result()
        finally:
            for future in window:
                future.cancel()

    def _filled(self, source: Recorded, run: Run) -> tuple[Filled, ...]:
        try:
            lacking = [key for key in COLUMNS if cells.clean(run.summary.get(key)) in (None, "")]
            if not lacking:
                return (run,)
            if self._failures >= OUTAGE:
                return (Later(run),)
            measured = self._measured(source, run)
        except ServiceError as error:
            with self._lock:
                self._failures += isinstance(error, Unreachable | AccessError)
            return self._failed(run, error)
        except RunsheetError:
            raise
        except Exception as error:  # an odd run stops no other; the cause is in the log
            log.debug("run %s", run.id, exc_info=True)
            reason = f"its GPU use cannot be told ({type(error).__name__})"
            return (Skip(f"run {run.id}", reason, count=0), run)
        found = {key: measured[key] for key in lacking if key in measured}
        return (replace(run, summary={**run.summary, **found}),)

    def _measured(self, source: Recorded, run: Run) -> Mapping[str, float]:
        self._clock.check()
        samples = source.rows(run, Stream.SYSTEM, is_gpu).samples
        with self._lock:
            self.count += 1
            self._failures = 0
        return columns(measure(self._clock.watched(samples)))

    def _failed(self, run: Run, error: ServiceError) -> tuple[Filled, ...]:
        young = run.heartbeat and abs(self._clock.now() - run.heartbeat) < AGAIN
        reason = f"its GPU use cannot be read{' yet' if young else ''}: {error}"
        return (Skip(f"run {run.id}", reason, count=0), Later(run) if young else run)


def _done(item: Item) -> "Future[tuple[Filled, ...]]":
    future: Future[tuple[Filled, ...]] = Future()
    future.set_result((item,))
    return future
