"""The GPU columns of a table: what a run did not note of them by itself is read from its system stream.

A request for each run, so only runs are asked whose row is written for good: once, when they have settled.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
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

OUTAGE = 3
"""When a service does not answer for so many runs in a row, or refuses them, it is no run's fault."""

AGAIN = timedelta(days=1)
"""For so long after its last sign of life a run that cannot be read has no row, and is tried again."""


@dataclass(frozen=True, slots=True)
class Later(Skip):
    """A run that is left out, and to be tried again by the next tick. `run` is light."""

    run: Run = field(kw_only=True, compare=False)


Item = Run | Skip


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of an item, to be handed on. `read`: its stream was; `outage`: the error to raise if that was
    the service's fault, and not the run's."""

    items: tuple[Item, ...]
    read: bool = False
    outage: ServiceError | None = None


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

    def fill(self, items: Iterable[Item], due: Callable[[Run], bool]) -> Iterator[Item]:
        """The items in their order; the runs that are `due` have in their summary what was measured, where
        they lack it. In the place of one that cannot be read comes a Later, or, when its last sign of life is
        AGAIN ago, a Skip that counts none and the run as it is.

        Raises Unreachable or AccessError when OUTAGE runs in a row fail so, in this order and all projects
        together; none of them is handed on. Raises what is no ServiceError, such as Stopped. Then nothing
        more is asked.
        """
        if self._source is None:
            yield from items
            return
        held: list[Item] = []
        with closing(self._outcomes(self._source, items, due)) as outcomes:
            for outcome in outcomes:
                self._count(outcome)
                waits = bool(held or outcome.outage)
                held += outcome.items
                if outcome.read or not waits or len(held) > WINDOW:
                    yield from held
                    held.clear()
        yield from held

    def _outcomes(
        self, source: Recorded, items: Iterable[Item], due: Callable[[Run], bool]
    ) -> Generator[_Outcome, None, None]:
        """What comes of the items, in their order."""
        window: deque[Future[_Outcome]] = deque()
        try:
            for item in items:
                if isinstance(item, Run) and due(item):
                    window.append(self._pool.submit(self._filled, source, item))
                elif window:
                    window.append(_done(_Outcome((item,))))
                else:
                    yield _Outcome((item,))
                while window and (len(window) >= WINDOW or window[0].done()):
                    yield window.popleft().result()
            while window:
                yield window.popleft().result()
        finally:
            for future in window:
                future.cancel()

    def _count(self, outcome: _Outcome) -> None:
        """Raises the error that makes it an outage."""
        with self._lock:
            self._failures = 0 if outcome.read else self._failures + bool(outcome.outage)
            if outcome.outage and self._failures >= OUTAGE:
                raise outcome.outage

    def _filled(self, source: Recorded, run: Run) -> _Outcome:
        try:
            lacking = [key for key in COLUMNS if cells.clean(run.summary.get(key)) in (None, "")]
            if not lacking:
                return _Outcome((run,))
            measured = self._measured(source, run)
        except ServiceError as error:
            return self._failed(run, error)
        except RunsheetError:
            raise
        except Exception as error:  # an odd run stops no other; the cause is in the log
            log.debug("run %s", run.id, exc_info=True)
            reason = f"its GPU use cannot be told ({type(error).__name__})"
            return _Outcome((Skip(f"run {run.id}", reason, count=0), run))
        found = {key: measured[key] for key in lacking if key in measured}
        return _Outcome((replace(run, summary={**run.summary, **found}),), read=True)

    def _measured(self, source: Recorded, run: Run) -> Mapping[str, float]:
        self._clock.check()
        samples = source.rows(run, Stream.SYSTEM, is_gpu).samples
        with self._lock:
            self.count += 1
        return columns(measure(self._clock.watched(samples)))

    def _failed(self, run: Run, error: ServiceError) -> _Outcome:
        last, what = run.heartbeat or run.created, f"run {run.id}"
        items: tuple[Item, ...] = (Skip(what, f"its GPU use cannot be read: {error}", count=0), run)
        if last and abs(self._clock.now() - last) < AGAIN:
            light = replace(run, config={}, summary={})
            items = (Later(what, f"its GPU use cannot be read yet: {error}", run=light),)
        outage = None
        for kind in (Unreachable, AccessError):
            if isinstance(error, kind):
                outage = kind(
                    f"the GPU use of {OUTAGE} runs in a row cannot be read, at last of {what}: {error}"
                )
                outage.__cause__ = error
        return _Outcome(items, outage=outage)


def _done(outcome: _Outcome) -> "Future[_Outcome]":
    future: Future[_Outcome] = Future()
    future.set_result(outcome)
    return future
