"""How a run used its GPUs, as text, as CSV, and as JSON. Pure.

text   for people: the lines of the documented scripts, of which there is one for each stream; what was
       measured beyond theirs follows in the same manner, and what was not measured is left out
csv    a row for each GPU and quantity, and for the total
json   everything

Memory is in GB of 1024^3 bytes.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from runsheet.model import Run
from runsheet.reports import heading
from runsheet.reports.gpu_metrics import (
    GIB,
    MEAN,
    MEMORY,
    MEMORY_PERCENT,
    MEMORY_UTILIZATION,
    MIB,
    POWER,
    QUANTITIES,
    TEMPERATURE,
    TOTAL,
    UTILIZATION,
    GpuUse,
    Stat,
    Use,
)
from runsheet.reports.writing import csv_rows, plain
from runsheet.sources.base import Stream

MISSING = """\
No GPU metrics found in this run

Check that GPU monitoring was enabled during training. Ensure
pynvml is installed:

    pip install pynvml

GPU metrics are logged automatically if pynvml is available and GPUs
are detected.

The maintained package of the module pynvml is nvidia-ml-py:

    pip install nvidia-ml-py
"""
"""What to do about a run that tells nothing of GPUs: the documented text, and the package's new name."""

_SHOWN: Mapping[str, Callable[[float], str]] = {
    MEMORY: lambda value: f"{value / GIB:.2f} GB",
    MEMORY_PERCENT: lambda value: f"{value:.1f}%",
    UTILIZATION: lambda value: f"{value:.1f}%",
    MEMORY_UTILIZATION: lambda value: f"{value:.1f}%",
    POWER: lambda value: f"{value:.1f} W",
    TEMPERATURE: lambda value: f"{value:.0f}°C",
}
"""How a value of each of QUANTITIES is written."""

_TITLES: Mapping[Stream, Mapping[str, str]] = {
    Stream.HISTORY: {
        MEMORY: "Memory Used",
        MEMORY_PERCENT: "Memory Allocated (%)",
        UTILIZATION: "GPU Utilization (%)",
        MEMORY_UTILIZATION: "Memory Utilization (%)",
        POWER: "Power (W)",
        TEMPERATURE: "Temperature (°C)",
    },
    Stream.SYSTEM: {
        MEMORY: "Memory Allocated",
        MEMORY_PERCENT: "Memory Allocated",
        UTILIZATION: "GPU Utilization",
        POWER: "Power",
        TEMPERATURE: "Temperature",
        MEMORY_UTILIZATION: "Memory Utilization",
    },
}
"""The titles of what each stream tells, in their order."""

_FIGURES: Mapping[str, Callable[[Stat], float]] = {
    "Current": lambda stat: stat.current,
    "Average": lambda stat: stat.average,
    "Maximum": lambda stat: stat.maximum,
}

_NAMES = {
    MEMORY: "memory_gb",
    MEMORY_PERCENT: "memory_percent",
    UTILIZATION: "utilization_percent",
    MEMORY_UTILIZATION: "memory_utilization_percent",
    POWER: "power_w",
    TEMPERATURE: "temperature_c",
}
"""The quantities in JSON, with their units."""

_UNITS = {**QUANTITIES, MEMORY: "GB"}


def text(run: Run, use: GpuUse, stream: Stream, notes: Iterable[str] = ()) -> str:
    """What is known, for people; MISSING where nothing is."""
    head = "".join(f"{line}\n" for line in heading.lines(run, notes))
    return head + ("".join(f"{line}\n" for line in lines(use, stream)) if use.known else MISSING)


def lines(use: GpuUse, stream: Stream) -> Iterator[str]:
    """A block for each GPU and one for the total, with blank lines between them."""
    blocks = [_block(f"GPU {plain(each.gpu)}", each, stream) for each in use.gpus]
    if mean := _only_mean(use):
        blocks.append(_block("ALL GPUs (mean, as the training logged it)", mean, stream))
    if use.total:
        blocks.append(_total(use.total, len(use.gpus)))
    if stream is Stream.SYSTEM and use.gpus:
        yield f"Detected {len(use.gpus)} active {'GPU' if len(use.gpus) == 1 else 'GPUs'}"
        yield ""
    for number, block in enumerate(blocks):
        if number:
            yield ""
        yield from block


def csv_text(use: GpuUse) -> str:
    """A row for each GPU and quantity; `gpu` is "mean" or "total" for what is known of all together."""
    rows = [
        [use.gpu, quantity, _UNITS[quantity], *_numbers(stat, quantity).values()]
        for use in (*use.gpus, *([use.mean] if use.mean else []), *_totals(use))
        for quantity, stat in use.stats.items()
    ]
    return csv_rows([["gpu", "metric", "unit", *_KINDS], *rows])


def json_text(
    run: Run,
    use: GpuUse,
    stream: Stream,
    notes: Iterable[str] = (),
    rows: tuple[int, int | None] = (0, None),
) -> str:
    """Everything, with a line feed at its end. `rows`: how many rows were read, and how many the stream has,
    where these are only a part of them."""
    content = {
        "run": heading.facts(run),
        "stream": stream.value,
        "notes": [*notes],
        "rows_read": rows[0],
        "rows_total": rows[1],
        "gpus": [{"gpu": each.gpu, **_stats(each)} for each in use.gpus],
        "mean": _stats(use.mean) if use.mean else None,
        "total": next((_stats(each) for each in _totals(use)), None),
    }
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


def _only_mean(use: GpuUse) -> Use | None:
    """What is known as a mean, and of no GPU by itself."""
    single = {quantity for each in use.gpus for quantity in each.stats}
    stats = {} if use.mean is None else {**use.mean.stats}
    left = {quantity: stat for quantity, stat in stats.items() if quantity not in single}
    return Use(MEAN, left) if left else None


def _block(title: str, use: Use, stream: Stream) -> Iterator[str]:
    yield f"{title}:"
    for quantity, name in _TITLES[stream].items():
        beside = stream is Stream.SYSTEM and quantity == MEMORY_PERCENT and MEMORY in use.stats
        if quantity in use.stats and not beside:
            yield f"  {name}:"
            for figure, of in _FIGURES.items():
                yield f"    {figure}:  {_value(use, quantity, of, stream)}"


def _value(use: Use, quantity: str, of: Callable[[Stat], float], stream: Stream) -> str:
    """A figure with its unit; that of the memory with another measure behind it, where there is one."""
    written = {each: _SHOWN[each](of(stat)) for each, stat in use.stats.items()}
    if quantity != MEMORY:
        return written[quantity]
    if stream is Stream.HISTORY:
        return f"{of(use.stats[MEMORY]) / MIB:.1f} MB ({written[MEMORY]})"
    return f"{written[MEMORY]} ({written[MEMORY_PERCENT]})" if MEMORY_PERCENT in written else written[MEMORY]


def _total(total: Stat, gpus: int) -> Iterator[str]:
    """`gpus`: how many are known, 0 where only their total is."""
    yield {0: "TOTAL ACROSS ALL GPUs:", 1: "TOTAL ACROSS 1 GPU:"}.get(gpus, f"TOTAL ACROSS ALL {gpus} GPUs:")
    for figure, of in _FIGURES.items():
        yield f"  {figure} Total Memory:  {of(total) / GIB:.1f} GB"


def _totals(use: GpuUse) -> Iterator[Use]:
    if use.total:
        yield Use(TOTAL, {MEMORY: use.total})


_KINDS = ("current", "average", "maximum", "minimum", "samples")


def _numbers(stat: Stat, quantity: str) -> dict[str, float]:
    """By _KINDS; memory in GB."""
    unit = GIB if quantity == MEMORY else 1.0
    values = (stat.current, stat.average, stat.maximum, stat.minimum)
    return dict(zip(_KINDS, (*(value / unit for value in values), stat.count), strict=True))


def _stats(use: Use) -> dict[str, Any]:
    return {_NAMES[quantity]: _numbers(stat, quantity) for quantity, stat in use.stats.items()}
