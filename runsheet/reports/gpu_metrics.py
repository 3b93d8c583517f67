"""How a run used its GPUs: what the keys of its rows mean, and current, average and maximum of each. Pure.

Units: bytes, percent, watts, degrees Celsius. GB are 1024^3 bytes and MB 1024^2, as NVIDIA's tools have it.
A value that a row lacks, or that is no finite number, is a gap: it counts for nothing, and never as zero.

W&B's client names the same measurements `system.gpu.0.…` in its system stream, Trackio `gpu/0/…`. What a
training logs by itself has no fixed names: those of the tools that this project knows are understood.
"""

import math
import re
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import fsum
from typing import Any, overload

from runsheet.model import Sample

MIB, GIB = 1024.0**2, 1024.0**3

MEMORY, MEMORY_PERCENT = "memory", "memory_percent"
UTILIZATION, MEMORY_UTILIZATION = "utilization", "memory_utilization"
POWER, TEMPERATURE = "power", "temperature"

QUANTITIES: Mapping[str, str] = {
    MEMORY: "bytes",
    MEMORY_PERCENT: "%",
    UTILIZATION: "%",
    MEMORY_UTILIZATION: "%",
    POWER: "W",
    TEMPERATURE: "°C",
}
"""What is measured of a GPU, and in which unit. `memory` is what is allocated, `memory_percent` the same as a
part of what there is; `memory_utilization` is how much of the time the memory was read or written."""

_KEY = re.compile(r"(?:system[./])?gpu[./](?P<gpu>\d+)[./](?P<what>[A-Za-z_]+)(?:/l:(?P<label>.+))?")
"""Keys of one GPU. A label tells apart the machines of a run that several write to (W&B's x_label).

`gpu.process.0.…` is the same card once more, as the run's own process sees it: it is not counted."""

_PANEL = re.compile(r"(?P<what>GPU [A-Za-z ]+) \((?P<unit>%|Bytes|W|°C)\) - GPU (?P<gpu>\d+)")
"""Columns of a table that was exported from a panel of W&B's pages."""

_WHAT: Mapping[str, tuple[str, float]] = {
    # W&B's client. `memory` is a percentage of time, whatever older texts say of megabytes.
    "memoryAllocatedBytes": (MEMORY, 1.0),
    "memoryAllocated": (MEMORY_PERCENT, 1.0),
    "gpu": (UTILIZATION, 1.0),
    "memory": (MEMORY_UTILIZATION, 1.0),
    "powerWatts": (POWER, 1.0),
    "temp": (TEMPERATURE, 1.0),
    # Trackio: memory in GiB, its usage as a fraction.
    "allocated_memory": (MEMORY, GIB),
    "memory_usage": (MEMORY_PERCENT, 100.0),
    "utilization": (UTILIZATION, 1.0),
    "memory_utilization": (MEMORY_UTILIZATION, 1.0),
    "power": (POWER, 1.0),
    # Trainings.
    "memory_used_gb": (MEMORY, GIB),
    "memory_used_mb": (MEMORY, MIB),
    "memory_percent": (MEMORY_PERCENT, 1.0),
    "compute_util": (UTILIZATION, 1.0),
    "memory_util": (MEMORY_UTILIZATION, 1.0),
    "power_watts": (POWER, 1.0),
    "power_w": (POWER, 1.0),
    "temperature": (TEMPERATURE, 1.0),
}
"""What the last part of a key means, and what its values have to be multiplied with."""

_PANELS: Mapping[tuple[str, str], str] = {
    ("GPU Memory Allocated", "Bytes"): MEMORY,
    ("GPU Memory Allocated", "%"): MEMORY_PERCENT,
    ("GPU Utilization", "%"): UTILIZATION,
    ("GPU Time Spent Accessing Memory", "%"): MEMORY_UTILIZATION,
    ("GPU Power Usage", "W"): POWER,
    ("GPU Temp", "°C"): TEMPERATURE,
}

MEAN, TOTAL = "mean", "total"
"""Stand for all GPUs of a run together where its rows tell no more: the mean of them, and their sum."""

_TOGETHER: Mapping[str, tuple[str, str, float]] = {
    "gpu/compute_util_avg": (MEAN, UTILIZATION, 1.0),
    "gpu/memory_util_avg": (MEAN, MEMORY_UTILIZATION, 1.0),
    "gpu/memory_used_avg_gb": (MEAN, MEMORY, GIB),
    "gpu/memory_used_total_gb": (TOTAL, MEMORY, GIB),
}
"""What trainings log of all GPUs together: the names of the documented trainer."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a key measures: of which GPU ("0", "0 of LABEL", MEAN or TOTAL), which of QUANTITIES, and what a
    value has to be multiplied with to be in its unit."""

    gpu: str
    quantity: str
    scale: float


@dataclass(frozen=True, slots=True)
class Stat:
    """What was measured of one quantity: the last value, the mean and the extremes of `count` values."""

    current: float
    average: float
    maximum: float
    minimum: float
    count: int


Pair = tuple[float | None, float]
"""A time in seconds since 1970, None where nothing tells it, and a value."""


class Series(Sequence[Pair]):
    """Values in the order in which they were measured. They are kept without an object for each, since a
    long run has millions."""

    __slots__ = ("_times", "values")

    def __init__(self, pairs: Iterable[Pair] = ()) -> None:
        self._times, self.values = array("d"), array("d")
        for pair in pairs:
            self.add(*pair)

    def add(self, time: float | None, value: float) -> None:
        self._times.append(math.nan if time is None else time)
        self.values.append(value)

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, place: int) -> Pair: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Pair]: ...

    def __getitem__(self, place: int | slice) -> Pair | Sequence[Pair]:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        time = self._times[place]
        return None if math.isnan(time) else time, self.values[place]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Use:
    """What was measured of one GPU, or of all together: a Stat for each of QUANTITIES that there is, and the
    values behind it."""

    gpu: str
    stats: Mapping[str, Stat] = field(default_factory=dict)
    series: Mapping[str, Sequence[Pair]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GpuUse:
    """How a run used its GPUs, which are in the order of their numbers.

    `total`: the memory of all of them at the same time, in bytes, and `total_series` the values behind it;
    None where bytes are not known, or never of all at once. `mean`: the mean over the GPUs, where rows tell
    only that. `rows`: how many rows tell of GPUs.
    """

    gpus: tuple[Use, ...] = ()
    total: Stat | None = None
    total_series: Sequence[Pair] = ()
    mean: Use | None = None
    rows: int = 0

    @property
    def known(self) -> bool:
        """Whether anything is known at all."""
        return bool(self.gpus or self.total or self.mean)


@lru_cache(65_536)  # 720 GPUs have 4,320 keys
def meaning(key: str) -> Meaning | None:
    """What a key measures of GPUs; None for every other key."""
    if together := _TOGETHER.get(key):
        return Meaning(*together)
    if match := _KEY.fullmatch(key):
        what = _WHAT.get(match["what"])
        gpu = str(int(match["gpu"]))
        return Meaning(f"{gpu} of {match['label']}" if match["label"] else gpu, *what) if what else None
    if (match := _PANEL.fullmatch(key)) and (quantity := _PANELS.get((match["what"], match["unit"]))):
        return Meaning(str(int(match["gpu"])), quantity, 1.0)
    return None


def is_gpu(key: str) -> bool:
    """Whether a key measures something of GPUs that `measure` understands."""
    return meaning(key) is not None


def measure(samples: Iterable[Sample]) -> GpuUse:
    """How a run used its GPUs, by the rows of one of its streams, in the order of their times. They are gone
    through once."""
    found: dict[str, dict[str, Series]] = {}
    together, rows = _Together(), 0
    for sample in samples:
        memory: dict[str, float] = {}
        row = _read(sample.values)
        rows += bool(row)
        for (gpu, quantity), value in row.items():
            of_gpu = found.get(gpu) or found.setdefault(gpu, {})
            (of_gpu.get(quantity) or of_gpu.setdefault(quantity, Series())).add(sample.time, value)
            if quantity == MEMORY and gpu not in (MEAN, TOTAL):
                memory[gpu] = value
        if memory:
            together.add(sample.time, memory)
    mean, logged = found.pop(MEAN, None), found.pop(TOTAL, {}).get(MEMORY, ())
    series = together.sums() or logged
    uses = tuple(_use(gpu, found[gpu]) for gpu in sorted(found, key=_order))
    total = _stat(series.values) if isinstance(series, Series) else None
    return GpuUse(uses, total, series, _use(MEAN, mean) if mean else None, rows)


LIMIT = 1e18
"""No measurement is as great: a driver that does not know a value may tell 2^64 - 1."""


def number(value: Any) -> float | None:
    """A finite number, else None: texts such as "NaN" are none, and neither is True."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def _read(values: Mapping[str, Any]) -> dict[tuple[str, str], float]:
    """What a row tells of GPUs, in the units of QUANTITIES."""
    row: dict[tuple[str, str], float] = {}
    for key, logged in values.items():
        means = meaning(key)
        value = number(logged)
        if means and value is not None and abs(value * means.scale) < LIMIT:
            row.setdefault((means.gpu, means.quantity), value * means.scale)
    return row


GRACE = 3
"""Rows of memory for which a GPU is missed before its first value and after its last one. Beyond them it was
not there: a run may be resumed on other GPUs, or on fewer."""


class _Together:
    """The memory of all GPUs at the same time, row by row."""

    def __init__(self) -> None:
        self._times = array("d")
        self._rows: dict[str, array[int]] = {}
        self._values: dict[str, array[float]] = {}

    def add(self, time: float | None, memory: Mapping[str, float]) -> None:
        """A row, which tells of one GPU at least."""
        for gpu, value in memory.items():
            self._rows.setdefault(gpu, array("L")).append(len(self._times))
            self._values.setdefault(gpu, array("d")).append(value)
        self._times.append(math.nan if time is None else time)

    def sums(self) -> Series:
        """What all GPUs held at the same time: the rows that tell of all that were there.

        Where that is not even every second row, since each machine or card is measured by itself, each row
        counts, and of the GPUs that it does not tell of what was last known.
        """
        told, due, held = ([0] * len(self._times) for _ in range(3))
        sums, last = array("d", bytes(8 * len(self._times))), array("d", bytes(8 * len(self._times)))
        for gpu, rows in self._rows.items():
            end = min(len(self._times), rows[-1] + GRACE + 1)
            for row in range(max(0, rows[0] - GRACE), end):
                due[row] += 1
            for row, after, value in zip(rows, [*rows[1:], end], self._values[gpu], strict=True):
                told[row] += 1
                sums[row] += value
                for each in range(row, after):
                    held[each] += 1
                    last[each] += value
        whole = self._where(told, due, sums)
        return whole if 2 * len(whole) >= len(self._times) else self._where(held, due, last)

    def _where(self, known: Sequence[int], due: Sequence[int], sums: Sequence[float]) -> Series:
        rows = zip(self._times, known, due, sums, strict=True)
        return Series(
            (None if math.isnan(time) else time, total) for time, here, all_, total in rows if here == all_
        )


def _use(gpu: str, found: Mapping[str, Series]) -> Use:
    series = {quantity: found[quantity] for quantity in QUANTITIES if quantity in found}
    stats = {quantity: _stat(each.values) for quantity, each in series.items()}
    return Use(gpu, stats, series)


def _stat(values: Sequence[float]) -> Stat:
    """Of at least one value."""
    return Stat(values[-1], fsum(values) / len(values), max(values), min(values), len(values))


def _order(gpu: str) -> tuple[str, int]:
    index, _, label = gpu.partition(" of ")
    return label, int(index)


COLUMNS = ("gpu_util_avg", "gpu_mem_max_gb", "gpu_power_avg_w", "gpu_temp_max")
"""What a table of runs shows of this: keys of a run's summary under which a training may have noted them."""


def columns(use: GpuUse) -> dict[str, float]:
    """The values of COLUMNS, as far as they are known: averages over the GPUs and the whole run, and the
    greatest that any GPU reached at any time. Memory in GB."""
    memory = highest(use, MEMORY)
    values = (
        average(use, UTILIZATION),
        None if memory is None else memory / GIB,
        average(use, POWER),
        highest(use, TEMPERATURE),
    )
    told = zip(COLUMNS, values, strict=True)
    return {key: round(value, DECIMALS) for key, value in told if value is not None}


DECIMALS = 4
"""Of the values of COLUMNS."""


def average(use: GpuUse, quantity: str) -> float | None:
    """The mean of a quantity over the GPUs, each by its own average; None where nothing tells it."""
    found = [stat.average for stat in _stats(use, quantity)]
    return fsum(found) / len(found) if found else None


def highest(use: GpuUse, quantity: str) -> float | None:
    """The greatest value of a quantity that any GPU reached; None where nothing tells it."""
    return max((stat.maximum for stat in _stats(use, quantity)), default=None)


def _stats(use: GpuUse, quantity: str) -> list[Stat]:
    """What is known of a quantity: of each GPU, or else of the mean over them."""
    single = [each.stats[quantity] for each in use.gpus if quantity in each.stats]
    mean = use.mean.stats.get(quantity) if use.mean else None
    return single or ([mean] if mean else [])
