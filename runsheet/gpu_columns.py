"""The GPU columns of a table: what a run did not note of them by itself is read from its system stream.

A request for each run, so only runs are asked whose row is written for good: once, when they have settled.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from types import TracebackType

from runsheet import cells
from runsheet.clock import Clock
from runsheet.errors import AccessError, RunsheetError, ServiceError, Unreachable
from runsheet.fields import SUMMARY
from runsheet.gpu_use import told
from runsheet.model import Run, Skip
from runsheet.reports.gpu_metrics import COLUMNS, columns
from runsheet.sources.base import Recorded, Source

log = logging.getLogger(__name__)

PATHS = tuple(SUMMARY + key for key in COLUMNS)
"""Where their values come from: the summary of a run, as if it had noted them."""

WORKERS = 8
"""Runs that are read at the same time, all projects together: W&B's client handles ten requests at once."""

WINDOW = 2 * WORKERS
"""Runs of a project that are held until those before them have been read."""

Item = Run | Skip


class GpuColumns:
    """Fills in what runs of a source did not note of their GPUs, while it is entered.

    Where that is not `wanted`, or not to be had from the source, as `notices` then say, runs stay as they
    are. `count`: runs whose stream was read. For use by several threads, one for each project.
    """

    def __init__(self, source: Source, clock: Clock, *, wanted: bool) -> None:
        self._source = source if wanted and isinstance(source, Recorded) else None
        self._clock = clock
        self._pool = ThreadPoolExecutor(WORKERS, "runsheet-gpu")
        self._lock = threading.Lock()
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

    def fill(self, items: Iterable[Item], due: Callable[[Run], bool]) -> Iterator[Item]:
        """The items in their order; the runs that are `due` have in their summary what was measured, where
        they lack it. A run whose stream cannot be read stays as it is, after a Skip that counts none.

        Raises Unreachable, AccessError and what is no ServiceError, such as Stopped: then nothing more is
        asked.
        """
        window: deque[Future[tuple[Item, ...]]] = deque()
        try:
            for item in items:
                if self._source and isinstance(item, Run) and due(item):
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

    def _filled(self, source: Recorded, run: Run) -> tuple[Item, ...]:
        try:
            lacking = [key for key in COLUMNS if cells.clean(run.summary.get(key)) in (None, "")]
            if not lacking:
                return (run,)
            measured = self._measured(source, run)
        except (Unreachable, AccessError):
            raise
        except ServiceError as error:
            return (Skip(f"run {run.id}", f"its GPU use cannot be read: {error}", count=0), run)
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
        use = told(source, run, system=True).use
        with self._lock:
            self.count += 1
        return columns(use)


def _done(item: Item) -> "Future[tuple[Item, ...]]":
    future: Future[tuple[Item, ...]] = Future()
    future.set_result((item,))
    return future
