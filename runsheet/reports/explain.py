"""The arithmetic of one run in words: each number, and where it comes from. Pure."""

from collections.abc import Iterator
from datetime import datetime

from runsheet.model import Run
from runsheet.reports.gpu_hours import Window
from runsheet.reports.usage import STUCK, Settings, Usage, found, gpus, shown, times, usage


def explain(run: Run, settings: Settings, window: Window, now: datetime) -> Iterator[str]:
    """How a run comes to its GPU-hours, line by line, and whether it counts."""
    used = usage(run, settings, now)
    yield f"run {run.id} ({run.name}) of {run.scope.project}, {run.state}"
    yield f"started: {_time(run.created)}"
    yield f"last sign of life: {_time(run.heartbeat)}"
    yield from _ran(run, now)
    if used.status != "in progress":
        yield f"ended: {_time(used.end)}{_why_then(run, used)}"
    yield from _size(run, settings)
    for flag in used.flags:
        yield f"odd: {flag}"
    yield _product(used)
    yield _counts(used, window)


def _ran(run: Run, now: datetime) -> Iterator[str]:
    time = times(run, now)
    if run.created and run.heartbeat:
        span = (run.heartbeat - run.created).total_seconds()
        yield f"from its start to its last sign of life: {span:.0f} s"
    if run.runtime is not None and run.timed:
        yield f"by its own clock: {run.runtime:.0f} s"
    yield f"ran: {time.seconds:.0f} s / 3600 = {time.seconds / 3600:.2f} hours, {time.how}"


def _why_then(run: Run, used: Usage) -> str:
    if used.status == "stuck":
        return f": {run.state} without a sign of life for {STUCK.days} day, so its start + what it ran"
    if run.heartbeat is None and run.created:
        return ": its start + what it ran"
    return ""


def _size(run: Run, settings: Settings) -> Iterator[str]:
    """Each place that is looked at, until one tells."""
    count = gpus(run, settings)
    for key in settings.world_size_keys:
        value = found(run.config, key)
        yield f"config {key}: {'not there' if value is None else shown(value)}"
        if count.source == f"config {key}" or count.source.startswith(f"config {key} x "):
            break
    if machines := count.source.partition(" x ")[2]:
        yield f"config {machines}: {shown(found(run.config, machines))}"
    if not count.source.startswith("config"):
        yield f"metadata of its machines: {'unknown' if run.gpus is None else run.gpus}"
    if count.source in ("default", ""):
        yield f"default_world_size: {settings.default_world_size}"
    known = "unknown" if count.gpus is None else str(count.gpus)
    yield f"GPUs: {known}{f', by {count.source}' if count.source else ''}"


def _product(used: Usage) -> str:
    if used.cpu:
        return f"it ran on CPUs: {used.hours:.2f} CPU-hours, no GPU-hours"
    if used.gpus is None:
        return "GPU-hours: 0, since its number of GPUs is unknown"
    return f"GPU-hours: {used.hours:.2f} hours x {used.gpus} = {used.gpu_hours:.2f}"


def _counts(used: Usage, window: Window) -> str:
    if used.status == "in progress":
        return "counted: not yet, it is in progress"
    if window.is_before(used):
        return f"counted: no, it ended before {window.start:%Y-%m-%d}"
    if window.is_after(used):
        return f"counted: no, it ended on {window.end:%Y-%m-%d} or later"
    if used.skipped:
        return "counted: no, its world size has to be put right first"
    return "counted: yes"


def _time(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else "unknown"
