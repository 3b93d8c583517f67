"""How runs used their GPUs: reads the stream of a run that tells it."""

from dataclasses import dataclass, replace

from runsheet.errors import ConfigError
from runsheet.model import Run
from runsheet.reports.gpu_metrics import GpuUse, is_gpu, measure
from runsheet.sources.base import Recorded, Source, Stream


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of a run's GPUs, and the stream that tells it. `total`: how many rows that stream has,
    where only a part of them `came`; else None. `fallback`: the training history was asked first, in vain."""

    use: GpuUse
    stream: Stream
    total: int | None = None
    came: int = 0
    fallback: bool = False

    @property
    def note(self) -> str:
        """What a person should know about the numbers; "" if there is nothing."""
        notes = []
        if self.fallback:
            notes.append("the training history has no GPU metrics: these are of the system stream")
        if self.total is not None:
            notes.append(f"sampled: {self.came:,} of {self.total:,} rows came, so that peaks may be higher")
        return "; ".join(notes)


def recorded(source: Source) -> Recorded:
    """The source, if it has what runs logged. Raises ConfigError if it has only the last values."""
    if not isinstance(source, Recorded):
        raise ConfigError(f"the source {source.name} does not hold what runs logged, only their last values")
    return source


def told(source: Recorded, run: Run, *, system: bool = False) -> Told:
    """How a run used its GPUs: by its training history, and where that tells nothing by its system stream;
    with `system` by that at once. Where nothing is told, what comes back is empty.

    Raises as `Recorded.rows` does.
    """
    if not system and (found := _told(source, run, Stream.HISTORY)).use.known:
        return found
    found = _told(source, run, Stream.SYSTEM)
    return replace(found, fallback=not system)


def _told(source: Recorded, run: Run, stream: Stream) -> Told:
    rows = source.rows(run, stream, is_gpu)
    return Told(measure(rows.samples), stream, rows.total, rows.came)
