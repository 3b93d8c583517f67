"""Runs side by side: which keys of their configs differ, their last metrics and which is best, how they used
their GPUs, and how long. Pure.

Two values of a config are the same when they show the same in a cell; a value that makes no cell, such as
null, is none, as everywhere. A metric is a number of the summary whose key does not begin with "_". Which
direction is better is what was asked for, or what the last word of its key says (WORDS).
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from re import findall
from typing import Any, TypeGuard

from runsheet import cells
from runsheet.errors import ConfigError
from runsheet.model import Cell, Run
from runsheet.reports.gpu_metrics import (
    GIB,
    MEMORY,
    MEMORY_UTILIZATION,
    POWER,
    TEMPERATURE,
    UTILIZATION,
    GpuUse,
    average,
    highest,
)
from runsheet.reports.usage import Usage


class Direction(StrEnum):
    """Which of two values is better: the smaller, the greater, or nobody knows."""

    MIN = "min"
    MAX = "max"
    UNKNOWN = ""


LOWER = ("loss", "error", "err", "perplexity", "ppl", "wer", "cer", "mae", "mse", "rmse")
HIGHER = (
    *("acc", "accuracy", "f1", "auc", "dice", "iou", "bleu", "precision", "recall", "map", "r2"),
    *("psnr", "ssim", "reward", "score"),
)
WORDS: Mapping[str, Direction] = {
    **dict.fromkeys(LOWER, Direction.MIN),
    **dict.fromkeys(HIGHER, Direction.MAX),
}
"""What the last word of a metric's key says of its direction."""

NOT_FINITE: Mapping[str, float] = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""What JSON has no numbers for, as W&B and Trackio spell it."""

NEAR = 5
"""As many keys are offered in place of one that no run has."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """How a run used its GPUs, None where that is not known. Means over the whole run and all its GPUs, but
    for `temperature`, the highest that any of them had. `stream` tells it: "history", "system", or "".

    Percent, GB of 1024^3 bytes, watts, degrees Celsius. `memory_utilization` is how much of the time the
    memory was read or written.
    """

    stream: str = ""
    utilization: float | None = None
    memory_gb: float | None = None
    memory_utilization: float | None = None
    power: float | None = None
    temperature: float | None = None

    @classmethod
    def of(cls, use: GpuUse, stream: str) -> "Gpu":
        """What rows of a stream tell; nothing at all where they tell nothing."""
        if not use.known:
            return cls()
        memory = average(use, MEMORY)
        return cls(
            stream,
            average(use, UTILIZATION),
            None if memory is None else memory / GIB,
            average(use, MEMORY_UTILIZATION),
            average(use, POWER),
            highest(use, TEMPERATURE),
        )


@dataclass(frozen=True, slots=True)
class Side:
    """One of the runs, what it used, and how it used its GPUs."""

    run: Run
    usage: Usage
    gpu: Gpu = Gpu()

    @property
    def hours(self) -> float | None:
        """How long it ran; None where nothing tells it."""
        return self.usage.hours if self.usage.seconds or self.usage.end else None

    @property
    def gpus(self) -> int | None:
        """How many GPUs it had; None where nobody knows."""
        return 0 if self.usage.cpu else self.usage.gpus

    @property
    def gpu_hours(self) -> float | None:
        """Its GPU-hours; None where nobody knows its GPUs, or its time."""
        return None if self.gpus is None or self.hours is None else self.usage.gpu_hours


@dataclass(frozen=True, slots=True)
class Setting:
    """A key of the configs, and the value of each run; None where a run lacks it."""

    key: str
    values: tuple[Cell, ...]

    @property
    def differs(self) -> bool:
        return len({_identity(value) for value in self.values}) > 1


@dataclass(frozen=True, slots=True)
class Metric:
    """A key of the summaries, and the number of each run; None where a run lacks it. `best`: the places of
    the runs that are best, none where the direction is unknown or no value is finite."""

    key: str
    values: tuple[float | None, ...]
    direction: Direction
    best: frozenset[int]

    @classmethod
    def of(cls, key: str, values: tuple[float | None, ...], direction: Direction) -> "Metric":
        finite = {place: value for place, value in enumerate(values) if is_finite(value)}
        if not finite or not direction:
            return cls(key, values, direction, frozenset())
        top = min(finite.values()) if direction is Direction.MIN else max(finite.values())
        return cls(key, values, direction, frozenset(p for p, value in finite.items() if value == top))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs or more side by side. `settings`: all keys of the configs, by name; `metrics`: by name, or as
    they were asked for, which `chosen` tells. `numbers`: all that each run has in its summary, by key.
    `notes`: sentences about what was odd."""

    sides: tuple[Side, ...]
    settings: tuple[Setting, ...] = ()
    metrics: tuple[Metric, ...] = ()
    numbers: tuple[Mapping[str, float], ...] = ()
    chosen: bool = False
    notes: tuple[str, ...] = ()

    @property
    def differing(self) -> tuple[Setting, ...]:
        return tuple(setting for setting in self.settings if setting.differs)

    @property
    def equal(self) -> tuple[Setting, ...]:
        return tuple(setting for setting in self.settings if not setting.differs)

    def best_in(self, place: int) -> tuple[str, ...]:
        """The metrics in which the run at a place is best."""
        return tuple(metric.key for metric in self.metrics if place in metric.best)


def compare(sides: Sequence[Side], asked: Sequence[str] = (), notes: Iterable[str] = ()) -> Comparison:
    """The runs side by side. `asked`: metrics as "NAME", "NAME:min" or "NAME:max"; none for all there are.

    Raises ConfigError for a metric that no run has.
    """
    configs = [_cells(side.run.config) for side in sides]
    numbers = [_numbers(side.run.summary) for side in sides]
    there = sorted({key for found in numbers for key in found})
    wanted = [_asked(each, there) for each in asked]
    metrics = wanted or [(key, direction(key)) for key in there if not key.startswith("_")]
    return Comparison(
        tuple(sides),
        tuple(
            Setting(key, tuple(found.get(key) for found in configs))
            for key in sorted({key for found in configs for key in found})
        ),
        tuple(
            Metric.of(key, tuple(found.get(key) for found in numbers), better)
            for key, better in dict(metrics).items()
        ),
        tuple(numbers),
        bool(wanted),
        tuple(notes),
    )


def direction(key: str) -> Direction:
    """Which direction of a metric is better, by the last word of its key."""
    words = findall(r"[a-z0-9]+", key.lower())
    return WORDS.get(words[-1], Direction.UNKNOWN) if words else Direction.UNKNOWN


def is_finite(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def _asked(text: str, there: Sequence[str]) -> tuple[str, Direction]:
    """A metric that was asked for, and its direction."""
    if text in there:
        return text, direction(text)
    name, _, end = text.rpartition(":")
    named = name if end in ("min", "max") else text
    if named in there:
        return named, Direction(end)
    if name in there:
        raise ConfigError(f"--metric: better is min or max, as in {name}:min, and not {end!r}")
    folded = {key.casefold(): key for key in there}
    alike = get_close_matches(named.casefold(), folded, NEAR, 0.5)
    near = [folded[key] for key in alike or (key for key in folded if named.casefold() in key)][:NEAR]
    close = f"; near it are {', '.join(near)}" if near else ""
    raise ConfigError(f"--metric: no run has a metric {named!r}{close}")


def _cells(config: Mapping[Any, Any]) -> dict[str, Cell]:
    found = {key: cells.clean(value) for key, value in _leaves(config)}
    return {key: value for key, value in found.items() if value is not None}


def _numbers(summary: Mapping[Any, Any]) -> dict[str, float]:
    found = {key: _number(value) for key, value in _leaves(summary)}
    return {key: value for key, value in found.items() if value is not None}


def _number(value: Any) -> float | None:
    """A number, which may be infinite or NaN; None for everything else. Integers stay exact, but for those
    that no float comes near."""
    if isinstance(value, str):
        return NOT_FINITE.get(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        math.isfinite(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
    return value


def _leaves(mapping: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    """The leaves of nested mappings by path: the keys on the way joined by dots, as in fields.py."""
    waiting: list[tuple[str, Mapping[Any, Any]]] = [("", mapping)]
    seen: set[str] = set()
    while waiting:
        prefix, values = waiting.pop()
        nested = []
        for key, value in values.items():
            path = f"{prefix}{cells.text(str(key))}"
            if isinstance(value, Mapping) and "_type" not in value:
                nested.append((f"{path}.", value))
            else:
                while path in seen:
                    path += "~"
                seen.add(path)
                yield path, value
        waiting += reversed(nested)


def _identity(value: Cell) -> tuple[str, Cell]:
    """What two values have in common that are the same: 1 and 1.0 are, 1 and true are not."""
    return ("number" if type(value) in (int, float) else type(value).__name__), value
