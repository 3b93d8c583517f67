"""A comparison of runs as text of 80 columns, as CSV, and as JSON. Pure.

text   for people: the runs are columns, in several blocks where they do not fit; the best is marked with *
csv    for spreadsheets: a row for each run
json   for programs: everything, with the same keys always

NaN and infinities are "NaN", "Infinity" and "-Infinity" in all of them.
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from textwrap import wrap
from typing import Any

from runsheet.model import Cell
from runsheet.reports.compare import NOT_FINITE, Comparison, Gpu, Metric, Side, is_finite
from runsheet.reports.heading import NOTE, facts
from runsheet.reports.writing import WIDTH, csv_rows, plain, shorten, width

NONE = "-"
"""Stands for what a run has not, or what nobody knows."""

LABEL, CELL, LEAST = 26, 16, 8
"""Columns of the labels at most; of a run, at most where several blocks are needed; and at least."""

GAP = 2
"""Columns between two."""

LINES = 3
"""A text that is longer than its column goes on below, in so many lines at most."""

DIGITS = 6
"""Significant digits of a metric; more where two values would look the same."""

Line = tuple[str, Sequence[str]]
"""A label and a text for each run. A label without texts is a heading; an empty one a blank line."""

GPU: dict[str, tuple[str, Callable[[Gpu], float | None], str]] = {
    "gpu_util_avg": ("GPU utilization %", lambda gpu: gpu.utilization, ".1f"),
    "gpu_mem_avg_gb": ("GPU memory GB", lambda gpu: gpu.memory_gb, ".2f"),
    "gpu_mem_util_avg": ("memory utilization %", lambda gpu: gpu.memory_utilization, ".1f"),
    "gpu_power_avg_w": ("power W", lambda gpu: gpu.power, ".1f"),
    "gpu_temp_max": ("highest temperature °C", lambda gpu: gpu.temperature, ".0f"),
}
"""What is shown of GPUs by the name of its column: its label, where it is, and how it is written."""

ALWAYS = frozenset({"gpu_util_avg", "gpu_mem_avg_gb"})
"""Those of them that have a line in the text though no run has them."""


def text(found: Comparison, *, everything: bool = False) -> str:
    """The comparison for people, with a line feed at its end. `everything`: also what is equal."""
    return "".join(f"{plain(line).rstrip()}\n" for line in lines(found, everything=everything))


def lines(found: Comparison, *, everything: bool = False) -> Iterator[str]:
    """The lines of `text`."""
    projects = {side.run.scope.project for side in found.sides}
    if len(projects) == 1:
        yield from (shorten(f"project: {projects.pop()}"), "")
    table = [*_who(found, several=len(projects) > 1), *_settings(found), *_metrics(found), *_use(found)]
    for number, block in enumerate(_blocks(table, len(found.sides))):
        yield from ([""] if number else [])
        yield from block
    yield ""
    equal = len(found.equal)
    yield f"{equal:,} config {'key is' if equal == 1 else 'keys are'} equal"
    if everything:
        same = [(f"  {setting.key}", [_shown(setting.values[0])]) for setting in found.equal]
        label = min(LABEL, _widest(same))
        yield from _block(same, [0], label, WIDTH - label - GAP)
    for note in found.notes:
        yield from wrap(plain(f"{NOTE}{note}"), WIDTH, subsequent_indent=" " * len(NOTE))


def csv_text(found: Comparison, *, everything: bool = False) -> str:
    """A row for each run below a header. `everything`: also keys of the config that are equal."""
    settings = found.settings if everything else found.differing
    header = [
        *("project", "run_id", "name", "state", "user", "created"),
        *(f"config.{setting.key}" for setting in settings),
        *(f"summary.{metric.key}" for metric in found.metrics),
        *("gpu_from", *GPU, "gpus", "hours", "gpu_hours", "best_in"),
    ]
    rows = []
    for place, side in enumerate(found.sides):
        run, gpu = side.run, side.gpu
        created = run.created.isoformat() if run.created else None
        cells: list[Any] = [run.scope.project, run.id, run.name, run.state, run.user, created]
        cells += [setting.values[place] for setting in settings]
        cells += [_json(metric.values[place]) for metric in found.metrics]
        cells += [gpu.stream, *(read(gpu) for _, read, _ in GPU.values())]
        cells += [side.gpus, side.hours, side.gpu_hours, ", ".join(found.best_in(place))]
        rows.append([str(cell).lower() if isinstance(cell, bool) else cell for cell in cells])
    return csv_rows([header, *rows])


def json_text(found: Comparison, *, everything: bool = False) -> str:
    """Everything, whatever is asked for, with a line feed at its end. Times are ISO 8601 in UTC; null is what
    a run has not."""
    runs = [_run(found, place, side) for place, side in enumerate(found.sides)]
    ids = [side.run.id for side in found.sides]
    content = {
        "runs": runs,
        "config_differs": [setting.key for setting in found.differing],
        "config_equal": {setting.key: setting.values[0] for setting in found.equal},
        "directions": {metric.key: metric.direction or None for metric in found.metrics},
        "best": {metric.key: [ids[place] for place in sorted(metric.best)] for metric in found.metrics},
        "notes": list(found.notes),
    }
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


FORMATS = {"text": text, "csv": csv_text, "json": json_text}
"""The formats by name."""


def duration(hours: float | None) -> str:
    """Hours, minutes and seconds, as 26:03:04."""
    if hours is None:
        return NONE
    minutes, seconds = divmod(round(hours * 3600), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


def _run(found: Comparison, place: int, side: Side) -> dict[str, Any]:
    run = side.run
    return {
        **facts(run),
        "user": run.user,
        "group": run.group or None,
        "created": run.created.isoformat() if run.created else None,
        "config": {setting.key: setting.values[place] for setting in found.settings},
        "summary": {metric.key: _json(metric.values[place]) for metric in found.metrics},
        "gpu": {**asdict(side.gpu), "stream": side.gpu.stream or None},
        "gpus": side.gpus,
        "hours": side.hours,
        "gpu_hours": side.gpu_hours,
        "best_in": list(found.best_in(place)),
    }


def _json(value: float | None) -> float | str | None:
    """A number as JSON and CSV can hold it."""
    if value is None or math.isfinite(value):
        return value
    return next(word for word, number in NOT_FINITE.items() if str(number) == str(value))


def _who(found: Comparison, *, several: bool) -> Iterator[Line]:
    """Who the runs are. Who made them and when is there only where that differs."""
    runs = [side.run for side in found.sides]
    yield "run", [run.name or NONE for run in runs]
    yield "id", [run.id for run in runs]
    if several:
        yield "project", [run.scope.project for run in runs]
    yield "state", [run.state or NONE for run in runs]
    if len({run.user for run in runs}) > 1:
        yield "user", [run.user or NONE for run in runs]
    if len({run.created for run in runs}) > 1:
        yield "created (UTC)", [f"{run.created:%Y-%m-%d %H:%M}" if run.created else NONE for run in runs]


def _settings(found: Comparison) -> Iterator[Line]:
    if found.differing:
        yield from (("", ()), ("config", ()))
    for setting in found.differing:
        yield f"  {setting.key}", [_shown(value) for value in setting.values]


def _metrics(found: Comparison) -> Iterator[Line]:
    if found.metrics:
        yield from (("", ()), ("metrics (* best)" if any(m.best for m in found.metrics) else "metrics", ()))
    for metric in found.metrics:
        marked = zip(numbers(metric), range(len(found.sides)), strict=True)
        label = f"  {metric.key} ({metric.direction})" if metric.direction else f"  {metric.key}"
        yield label, [f"{shown} *" if place in metric.best else shown for shown, place in marked]


def _use(found: Comparison) -> Iterator[Line]:
    """How GPUs were used, by which stream, and for how long."""
    gpus = [side.gpu for side in found.sides]
    yield from (("", ()), ("GPUs and time", ()))
    for name, (label, read, form) in GPU.items():
        values = [read(gpu) for gpu in gpus]
        if name in ALWAYS or any(value is not None for value in values):
            yield f"  {label}", [NONE if value is None else format(value, form) for value in values]
    yield "  GPU values from", [gpu.stream or NONE for gpu in gpus]
    yield "  duration", [duration(side.hours) for side in found.sides]
    yield "  GPUs", [NONE if side.gpus is None else f"{side.gpus:,}" for side in found.sides]
    hours = [side.gpu_hours for side in found.sides]
    yield "  GPU-hours", [NONE if value is None else f"{value:.2f}" for value in hours]


def numbers(metric: Metric) -> list[str]:
    """The values of a metric, in as many digits as tell them apart."""
    finite = [value for value in metric.values if is_finite(value)]
    for digits in range(DIGITS, 18):
        if len({_number(value, digits) for value in finite}) >= len({*finite}):
            break
    return [_number(value, digits) for value in metric.values]


def _number(value: float | None, digits: int) -> str:
    if not is_finite(value):
        return str(_json(value) or NONE)
    return str(value) if isinstance(value, int) else f"{value:.{digits}g}"


def _shown(value: Cell) -> str:
    """A value of a config. A text that looks like something else stands in quotes."""
    if value is None:
        return NONE
    if not isinstance(value, str):
        return str(value).lower() if isinstance(value, bool) else str(value)
    return json.dumps(value) if value in ("", NONE, "true", "false") or _looks_like_number(value) else value


def _looks_like_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def _blocks(table: Sequence[Line], count: int) -> Iterator[Iterator[str]]:
    """The table in as few blocks as fit into WIDTH, each of about as many runs."""
    label = min(LABEL, _widest(table))
    widest = max((width(plain(cell)) for _, cells in table for cell in cells), default=0)
    fitting = max(1, (WIDTH - label) // (max(LEAST, min(widest, CELL)) + GAP))
    blocks = math.ceil(count / fitting)
    for number in range(blocks):
        places = range(number * count // blocks, (number + 1) * count // blocks)
        size = max(LEAST, min(widest, (WIDTH - label) // len(places) - GAP))
        yield _block(table, places, label, size)


def _block(table: Sequence[Line], places: Sequence[int], label: int, size: int) -> Iterator[str]:
    """The lines of some runs, in columns of that `size`."""
    for name, cells in table:
        if not cells:
            yield name
            continue
        indent = " " * (len(name) - len(name.lstrip()))
        names = [indent + part for part in wrapped(name.lstrip(), label - len(indent))]
        texts = [wrapped(cells[place], size) for place in places]
        for row in range(max(map(len, (names, *texts)))):
            parts = [_at(names, row, label), *(_at(each, row, size) for each in texts)]
            yield (" " * GAP).join(parts)


def _widest(table: Sequence[Line]) -> int:
    return max((width(plain(name)) for name, cells in table if cells), default=0)


def _at(texts: Sequence[str], row: int, size: int) -> str:
    shown = texts[row] if row < len(texts) else ""
    return shown + " " * (size - width(shown))


def wrapped(cell: str, size: int, most: int = LINES) -> list[str]:
    """A text in lines of `size` columns, broken where a word ends if that is not far. What does not fit into
    so many lines is cut."""
    rest, found = plain(cell), list[str]()
    while width(rest) > size and len(found) < most - 1:
        cut = len(rest)
        while width(rest[:cut]) > size:
            cut -= 1
        ends = [match.end() for match in _BREAK.finditer(rest[:cut]) if match.end() * 2 > cut]
        cut = max(1, ends[-1] if ends else cut)
        found.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return [*found, shorten(rest, size)]


_BREAK = re.compile(r"[ /_.,-]")
