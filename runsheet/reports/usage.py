"""What one run used: how long it ran, on how many GPUs, and how that is known. Pure.

docs/gpu-hours.md tells the rules and their reasons.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from runsheet.model import Run, Scope

DEFAULT_KEYS = ("dist/world_size", "world_size", "num_gpus", "trainer.devices")
"""Keys of the config under which people write how many GPUs a run had; the first that a run has counts."""

UNSETTLED = frozenset({"running", "pending", "preempting"})
STUCK = timedelta(days=1)
"""A run that has not ended and gave no sign of life for longer has ended without a word."""

SHORT = 300.0
"""Seconds: a run that seems to be shorter may have been uploaded after it was over."""

MUCH = 3600.0
"""Seconds. A run that rested for longer, and for longer than it ran, may also have been silent: a run that
crashed has a clock that stands where it logged last."""

LONGEST = 1e9
"""Seconds (31 years) that no run takes."""

MOST = 1_000_000
"""GPUs that no run has."""

VALUE_CHARS = 40
"""As much of a value is shown."""

_LAST = datetime.max.replace(tzinfo=UTC)

Status = Literal["counted", "in progress", "stuck"]


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the number of GPUs is looked for, in order, and what holds where it is not found (0: unknown).

    A key is looked up as it stands, slashes and dots being part of it, then as a dotted path into nested
    values. `accelerator_key` is the key under which a run says that it ran on CPUs.
    """

    world_size_keys: tuple[str, ...] = DEFAULT_KEYS
    default_world_size: int = 0
    accelerator_key: str = "dist/accelerator"


@dataclass(frozen=True, slots=True)
class Usage:
    """What one run used. `seconds` is how long it ran, pauses left out where that is known.

    `user` is "" where the account is gone. `end` decides in which window a run counts; None where nothing
    tells a time. `gpus` is None where it is not known and there is no default; `gpus_from` tells how it is
    known: "config KEY", "metadata", "default", "". `cpu`: it ran on CPUs, so it has no GPU-hours. `status`:
    "in progress" runs are not counted yet, "stuck" ones are. `flags` are sentences about what was odd.
    """

    scope: Scope
    run_id: str
    name: str
    user: str
    group: str
    state: str
    start: datetime | None
    end: datetime | None
    seconds: float
    gpus: int | None
    gpus_from: str
    cpu: bool
    status: Status
    flags: tuple[str, ...] = ()

    @property
    def hours(self) -> float:
        """How long the run ran."""
        return self.seconds / 3600

    @property
    def gpu_hours(self) -> float:
        """Hours times GPUs; 0 for a run on CPUs, or of which nobody knows the GPUs."""
        return 0.0 if self.cpu else self.hours * (self.gpus or 0)

    @property
    def skipped(self) -> bool:
        """True when the run's config names its GPUs and what it says is no number: it is left out."""
        return not self.cpu and self.gpus is None and bool(self.gpus_from)


@dataclass(frozen=True, slots=True)
class Time:
    """When a run ran: `seconds` of it, and `how` that is known."""

    start: datetime | None
    end: datetime | None
    seconds: float
    how: str
    status: Status
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Count:
    """How many GPUs a run had, and by which of the places of `Usage.gpus_from`."""

    gpus: int | None
    source: str = ""
    flags: tuple[str, ...] = ()


def usage(run: Run, settings: Settings, now: datetime) -> Usage:
    """What a run used, as it is known at `now`. Raises nothing, whatever its config holds."""
    time, count = times(run, now), gpus(run, settings)
    cpu = _accelerator(run, settings) == "cpu"
    return Usage(
        scope=run.scope,
        run_id=run.id,
        name=run.name,
        user=run.user or "",
        group=run.group,
        state=run.state,
        start=time.start,
        end=time.end,
        seconds=time.seconds,
        gpus=count.gpus,
        gpus_from=count.source,
        cpu=cpu,
        status=time.status,
        flags=time.flags if cpu else (*time.flags, *count.flags),
    )


def slim(run: Run, settings: Settings) -> Run:
    """The run with those values of its config that `usage` reads by these settings, and no summary."""
    keys = dict.fromkeys(each for key in settings.world_size_keys for each in (key, _nodes_key(key)))
    kept = {key: found(run.config, key) for key in (*keys, settings.accelerator_key) if key}
    return replace(run, config={key: value for key, value in kept.items() if value is not None}, summary={})


def times(run: Run, now: datetime) -> Time:
    """When a run ran. A run that is not over ended when it was last known to run, if that is long ago."""
    seconds, how, flags = _seconds(run)
    over = None if run.created is None else _after(run.created, seconds)
    end = run.heartbeat or over
    status: Status = "counted"
    if run.state in UNSETTLED:
        status = "in progress" if end is None or end >= now - STUCK else "stuck"
    if status == "stuck":
        end = over or end
    return Time(run.created, end, seconds, how, status, tuple(flags))


def gpus(run: Run, settings: Settings) -> Count:
    """How many GPUs a run had: by its config, else by the metadata of its machines, else by default."""
    for key in filter(None, settings.world_size_keys):
        value = found(run.config, key)
        if _is_unknown(value):
            continue
        size = whole(value)
        if size is None:
            return Count(None, f"config {key}", (f"world size {shown(value)} is no number",))
        return _times_nodes(run, key, size)
    if run.gpus is not None:
        return Count(run.gpus, "metadata")
    if settings.default_world_size:
        return Count(settings.default_world_size, "default")
    return Count(None)


def found(config: Mapping[str, Any], key: str) -> Any:
    """The value of a key as it stands, else of the dotted path that it is; None where there is neither."""
    if key in config:
        return config[key]
    value: Any = config
    for part in key.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


def whole(value: Any) -> int | None:
    """The number that a value of a config stands for: a list stands for its length. None if it is none."""
    if isinstance(value, list | tuple):
        return len(value)
    if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,9}\s*", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value <= MOST and value == int(value) else None


def shown(value: Any) -> str:
    """A value on one line, cut where it is long."""
    if isinstance(value, int) and abs(value) > 10**VALUE_CHARS:  # repr() refuses the largest
        return "a number of many digits"
    text = repr(value) if isinstance(value, str | int | float) else f"({type(value).__name__})"
    return text if len(text) <= VALUE_CHARS else f"{text[: VALUE_CHARS - 1]}…"


def _seconds(run: Run) -> tuple[float, str, list[str]]:
    """How long a run ran, how that is known, and what was odd about it."""
    clock, flags = _clock(run)
    span = None
    if run.created is None:
        flags.append("no start")
    if run.heartbeat is None:
        flags.append("no heartbeat")
    if run.created and run.heartbeat:
        span = (run.heartbeat - run.created).total_seconds()
        if span < 0:
            flags.append("its last sign of life is before its start")
    if clock and (span is None or (run.timed if span >= SHORT else clock > span)):
        if span and span - clock >= max(MUCH, clock):
            flags.append(f"its own clock went for {clock / 3600:.1f} of {span / 3600:.1f} hours")
        return clock, "by its own clock", flags
    if span is None:
        return 0.0, "unknown", flags
    return max(0.0, span), "from its start to its last sign of life", flags


def _clock(run: Run) -> tuple[float, list[str]]:
    """What a run's own clock says, 0 where it says nothing, and what was odd about it."""
    seconds = run.runtime or 0.0
    if math.isfinite(seconds) and 0 <= seconds <= LONGEST:
        return seconds, []
    return 0.0, [f"a runtime of {shown(seconds)} seconds cannot be"]


def _after(moment: datetime, seconds: float) -> datetime:
    return moment + timedelta(seconds=min(seconds, (_LAST - moment).total_seconds()))


def _is_unknown(value: Any) -> bool:
    """Whether a value says nothing about how many: left out, "auto", or -1 for all there are."""
    if isinstance(value, str):
        return value.strip().lower() in ("", "auto", "-1")
    return value is None or (isinstance(value, int | float) and value == -1)


def _nodes_key(key: str) -> str:
    """The key of the number of machines beside a key that counts the devices of one, as Lightning has it."""
    before, dot, last = key.rpartition(".")
    return f"{before}{dot}num_nodes" if last == "devices" else ""


def _times_nodes(run: Run, key: str, size: int) -> Count:
    beside = _nodes_key(key)
    value = found(run.config, beside) if beside else None
    if _is_unknown(value):
        return Count(size, f"config {key}")
    nodes = whole(value)
    if nodes is None:
        return Count(None, f"config {key}", (f"{beside} {shown(value)} is no number",))
    return Count(size * nodes, f"config {key} x {beside}")


def _accelerator(run: Run, settings: Settings) -> str:
    value = found(run.config, settings.accelerator_key)
    return value.strip().lower() if isinstance(value, str) else ""
