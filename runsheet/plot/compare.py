"""The picture of a comparison: a panel for each metric and for the use of GPUs, a bar for each run.

A run has the same place and colour in all panels. The best bar is the dark one, with its number in bold. A
value that is no finite number, or is not there, is written where its bar would begin.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runsheet.errors import ConfigError
from runsheet.plot import figure
from runsheet.reports.compare import Comparison, Direction, Metric, is_finite
from runsheet.reports.compare_tables import GPU, NONE, numbers, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

METRICS = 6
"""As many are drawn if none was asked for."""

USE = ("gpu_util_avg", "gpu_mem_avg_gb")
"""What is drawn of GPUs."""

NAME, LABEL = 28, 44
"""Columns of a line of a run's name, and of the title of an axis."""

BAR, LINE, PANEL, TITLE = 0.24, 0.17, 0.7, 0.6
"""Inches: of a bar whose name has one line, of each further line, of a panel besides its bars, and of what is
above the first."""

ROOM = 0.25
"""Beside the longest bar, for its number: a part of the axis."""

BETTER = {Direction.MIN: " (lower is better)", Direction.MAX: " (higher is better)", Direction.UNKNOWN: ""}

FAINT = 0.5
"""How much colour bars have that are not the best; the rest is white."""


@dataclass(frozen=True, slots=True)
class Panel:
    """What a panel shows: the title of its axis, and for each run a value and how it is written."""

    title: str
    values: tuple[float | None, ...]
    written: tuple[str, ...]
    best: frozenset[int] = frozenset()


def panels(found: Comparison) -> tuple[Panel, ...]:
    """What is drawn: the metrics that were asked for; else those with a direction, or if there is none the
    first ones; and how GPUs were used, where that is known of any run."""
    metrics = found.metrics
    if not found.chosen:
        metrics = (tuple(metric for metric in metrics if metric.direction) or metrics)[:METRICS]
    return (*map(_metric, metrics), *_use(found))


def draw(found: Comparison) -> "Figure":
    """The picture. Raises MissingPackage without matplotlib, ConfigError when there is nothing to draw."""
    shown = panels(found)
    if not shown:
        raise ConfigError(
            "--plot: the runs have no metrics and no GPU values, so that there is nothing to draw"
        )
    projects = ", ".join(sorted({side.run.scope.project for side in found.sides}))
    below = f"{projects}   * is the best" if any(panel.best for panel in shown) else projects
    made, rows = figure.new(math.ceil(len(shown) / 2), f"{len(found.sides)} runs", below)
    names = _names(found)
    lines = max(name.count("\n") for name in names)
    height = PANEL + len(names) * (BAR + lines * LINE)
    made.set_size_inches(figure.WIDTH, TITLE + len(rows) * height)
    if grid := rows[0].get_gridspec():
        grid.set_height_ratios([height + TITLE, *[height] * (len(rows) - 1)])
    for panel, axes in zip(shown, _halves(made, rows, len(shown)), strict=True):
        _bars(axes, panel)
    for axes in rows:  # All have the places of the first, from the top down.
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.4, -0.6)
    return made


def _metric(metric: Metric) -> Panel:
    title = figure.text(metric.key, LABEL - len(BETTER[metric.direction])) + BETTER[metric.direction]
    return Panel(title, metric.values, tuple(numbers(metric)), metric.best)


def _use(found: Comparison) -> Iterator[Panel]:
    for name in USE:
        label, read, form = GPU[name]
        values = tuple(read(side.gpu) for side in found.sides)
        if any(value is not None for value in values):
            yield Panel(label, values, tuple(NONE if v is None else format(v, form) for v in values))


def _names(found: Comparison) -> list[str]:
    """The runs by name, those that have none, or one of another, by id too; each on two lines at most."""
    runs = [side.run for side in found.sides]
    count = Counter(run.name for run in runs)
    names = [
        run.name if run.name and count[run.name] == 1 else f"{run.name} {run.id}".strip() for run in runs
    ]
    return ["\n".join(wrapped(name, NAME, 2)) for name in names]


def _halves(made: "Figure", rows: Sequence["Axes"], count: int) -> Iterator["Axes"]:
    """As many panels as that, two in a row. Those at the right have no names."""
    for number, left in enumerate(rows):
        spec = left.get_subplotspec()
        assert spec is not None
        halves = spec.subgridspec(1, 2)
        left.set_subplotspec(halves[0] if count > 1 else spec)
        yield left
        if number * 2 + 1 < count:
            right = made.add_subplot(halves[1], sharey=left)
            right.tick_params(labelleft=False)
            yield right


def _bars(axes: "Axes", panel: Panel) -> None:
    from matplotlib.colors import to_rgb

    axes.set_xlabel(panel.title)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.margins(x=ROOM)
    for place, (value, written) in enumerate(zip(panel.values, panel.written, strict=True)):
        best = place in panel.best
        length = float(value) if is_finite(value) else 0.0
        colour = to_rgb(figure.look(place)["color"])
        axes.barh(place, length, 0.72, color=colour if best else [1 - FAINT * (1 - part) for part in colour])
        axes.annotate(
            f"{written} *" if best else written,
            (length, place),
            (-4 if length < 0 else 4, 0),
            textcoords="offset points",
            ha="right" if length < 0 else "left",
            va="center",
            weight="bold" if best else "normal",
            color="#222222" if is_finite(value) else "#777777",
        )
