"""How a run used its GPUs over time: a panel for each quantity, a line for each GPU.

A line has a hole where nothing was measured for long, and a dot where a measurement stands alone.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any

from runsheet.model import Run
from runsheet.plot import figure
from runsheet.reports.gpu_metrics import (
    GIB,
    MEMORY,
    MEMORY_PERCENT,
    MEMORY_UTILIZATION,
    POWER,
    TEMPERATURE,
    UTILIZATION,
    GpuUse,
)
from runsheet.reports.writing import plain, shorten, width

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Series = Sequence[tuple[float | None, float]]
"""Times in seconds since 1970, and values."""

Points = Sequence[tuple[float, float]]
"""Places on the horizontal axis, and values."""

PANELS: Mapping[str, str] = {
    MEMORY: "Memory (GB)",
    MEMORY_PERCENT: "Memory (%)",
    UTILIZATION: "Utilization (%)",
    MEMORY_UTILIZATION: "Memory\nutilization (%)",
    POWER: "Power (W)",
    TEMPERATURE: "Temperature (°C)",
}
"""The panels from the top down, with the titles of their axes."""

PERCENT = (MEMORY_PERCENT, UTILIZATION, MEMORY_UTILIZATION)

UNITS = (("hours", 3600.0), ("minutes", 60.0), ("seconds", 1.0))
SPAN = 3
"""A picture of at least so many hours, or minutes, has them as its unit."""

HOLE = 10
"""As many times the usual step between two measurements are a hole."""

DEGREES = 20.0
"""Temperatures are drawn on an axis of so many degrees or more."""

FEW = 40
"""Lines of no more points have a dot for each."""

HEAD, TAIL = 14, 26
"""Characters that are kept of a long name in the legend: machines are told apart by the ends of theirs."""

LEGEND, ENTRY, LINE = 96, 6, 0.22
"""Columns of text in a line of the legend (see writing.width), of which an entry takes some besides its text;
and the height of a line in inches."""


def draw(run: Run, use: GpuUse) -> "Figure":
    """The picture of GPUs of which something is known. Raises MissingPackage without matplotlib."""
    series = _series(use)
    axis, place = _axis([pair for lines in series.values() for line in lines.values() for pair in line])
    name = shorten(run.name or run.id, max(HEAD, figure.TITLE_COLUMNS - width(run.id) - 3))
    made, panels = figure.new(len(series), f"{name} ({run.id})", run.scope.project, together=True)
    names = [*dict.fromkeys(name for lines in series.values() for name in lines)]
    looks = {name: figure.look(index) for index, name in enumerate(names)}
    for panel, (quantity, lines) in zip(panels, series.items(), strict=True):
        for name, line in lines.items():
            _line(panel, place(line), looks[name])
        _frame(panel, quantity, [value for line in lines.values() for _, value in line])
    made.align_ylabels(panels)
    panels[-1].set_xlabel(axis)
    if all(len(line) == 1 for lines in series.values() for line in lines.values()):
        panels[-1].set_xticks([0])
    _legend(made, looks)
    return made


def _axis(series: Series) -> tuple[str, Callable[[Series], Points]]:
    """The horizontal axis: its title, and what places a line on it. Where a time is not known, the order is
    all that there is."""
    known = [time for time, _ in series if time is not None]
    if len(known) < len(series):
        return "measurements, in their order", lambda line: [(n, value) for n, (_, value) in enumerate(line)]
    start, span = min(known), max(known) - min(known)
    unit, seconds = next(each for each in UNITS if span >= SPAN * each[1] or each == UNITS[-1])

    def place(line: Series) -> Points:
        return sorted(((time - start) / seconds, value) for time, value in line if time is not None)

    return f"{unit} since the first measurement", place


def _series(use: GpuUse) -> dict[str, dict[str, Series]]:
    """The lines of each panel that there is, by their names."""
    found: dict[str, dict[str, Series]] = {}
    for quantity in PANELS:
        unit = GIB if quantity == MEMORY else 1.0
        lines = {f"GPU {each.gpu}": each.series.get(quantity, ()) for each in use.gpus}
        if not any(lines.values()):
            lines = {"mean of all GPUs": use.mean.series.get(quantity, ()) if use.mean else ()}
            lines |= {"all GPUs together": use.total_series} if quantity == MEMORY else {}
        if quantity == MEMORY_PERCENT and MEMORY in found:
            continue  # It is the same once more.
        if any(lines.values()):
            found[quantity] = {
                name: [(time, value / unit) for time, value in line] for name, line in lines.items() if line
            }
    return found


def _line(panel: "Axes", points: Points, looks: Mapping[str, Any]) -> None:
    """Draw a line with its holes, and dots where it would not be seen."""
    drawn = [*_with_holes(points)]
    whole = [math.isfinite(value) for _, value in drawn]
    before, after = [False, *whole[:-1]], [*whole[1:], False]
    few = len(points) <= FEW
    dots = [
        index
        for index, (here, one, other) in enumerate(zip(whole, before, after, strict=True))
        if here and (few or not (one or other))
    ]
    places, values = zip(*drawn, strict=True)
    panel.plot(
        places, values, marker="o", markersize=3, markevery=dots, linewidth=1.5 if few else 1.0, **looks
    )


def _with_holes(points: Points) -> Iterator[tuple[float, float]]:
    """The points, with a value that is none in each hole."""
    steps = [after - before for (before, _), (after, _) in pairwise(points)]
    usual = median(steps) if steps else 0.0
    for index, (place, value) in enumerate(points):
        if index and steps[index - 1] > HOLE * usual > 0:
            yield place, math.nan
        yield place, value


def _frame(panel: "Axes", quantity: str, values: Sequence[float]) -> None:
    """The axes: percentages from 0 to 100, and nothing but temperatures without the 0; these over some
    degrees at least, so that one of them does not look like a leap."""
    panel.set_ylabel(PANELS[quantity])
    panel.margins(x=0.01)
    if quantity in PERCENT:
        panel.set_ylim(-3, max(103.0, *values))
    elif quantity == TEMPERATURE:
        middle = (min(values) + max(values)) / 2
        half = max(DEGREES, 1.1 * (max(values) - min(values))) / 2
        panel.set_ylim(middle - half, middle + half)
    else:
        panel.set_ylim(min(0.0, *values), 1.08 * (max(0.0, *values) or 1.0))


def _legend(made: "Figure", looks: Mapping[str, Mapping[str, Any]]) -> None:
    """The names of all lines, below the panels, which keep their height."""
    from matplotlib.lines import Line2D

    names = [_short(plain(name)) for name in looks]
    columns = max(1, min(len(names), LEGEND // (ENTRY + max(map(width, names)))))
    made.set_figheight(made.get_figheight() + LINE * (math.ceil(len(names) / columns) - 1))
    handles = [Line2D([], [], **look) for look in looks.values()]
    made.legend(handles, names, loc="outside lower center", ncols=columns)


def _short(name: str) -> str:
    return name if len(name) <= HEAD + 1 + TAIL else f"{name[:HEAD]}…{name[-TAIL:]}"
