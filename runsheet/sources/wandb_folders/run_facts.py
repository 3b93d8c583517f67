"""What a run folder tells about its run, and how the facts of several places become one Run.

Pure. Times are seconds since 1970 here, as W&B writes them, and become datetimes in `run`.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runsheet.model import Run, Scope

UNCATEGORIZED = "uncategorized"
"""W&B's own name for the project of a run that was started without one."""

DEPTH = 100
"""Values nested more deeply are not those of an experiment (6 was the most in 843 real runs)."""

SILENCE = 300.0
"""Seconds without a sign of life after which W&B calls a run crashed."""

_LATEST = 253_402_300_799.0  # the end of the year 9999
_ENDS = frozenset({"finished", "failed", "killed", "crashed", "preempted"})
_FRACTION = re.compile(r"(\.\d{6})\d+")


@dataclass(slots=True)
class Facts:
    """What one place tells about a run; empty or None where it tells nothing.

    `seen` is the last sign of life. `state` is an end state that was written down in words, and
    counts where no exit code is known. `user` is a user name, never an e-mail address. `gpus`: on all
    nodes. `logs`: the `.wandb` files of its parts, in the order in which they started, each part once.
    """

    id: str = ""
    entity: str = ""
    project: str = ""
    name: str = ""
    group: str = ""
    job_type: str = ""
    sweep: str = ""
    notes: str = ""
    tags: tuple[str, ...] = ()
    user: str = ""
    machine: str = ""
    started: float | None = None
    seen: float | None = None
    runtime: float | None = None
    gpus: int | None = None
    exit_code: int | None = None
    state: str = ""
    online: bool = False
    logs: tuple[Path, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)

    @property
    def ended(self) -> str:
        """The run's state by W&B's names; "running" when nothing tells that it ended.

        Any exit code but 0 is "failed", as W&B documents it, 255 (Ctrl-C) included.
        """
        if self.exit_code is not None:
            return "failed" if self.exit_code else "finished"
        return self.state if self.state in _ENDS else "running"

    @property
    def path(self) -> str:
        """ "entity/project", or "project" where no entity is recorded."""
        project = self.project or UNCATEGORIZED
        return f"{self.entity}/{project}" if self.entity else project


def fill(facts: Facts, more: Facts) -> None:
    """Let `more` say what `facts` does not. The later sign of life and the longer runtime count."""
    for item in fields(Facts):
        mine, theirs = getattr(facts, item.name), getattr(more, item.name)
        if item.name in ("config", "summary"):
            setattr(facts, item.name, {**theirs, **mine})
        elif item.name in ("seen", "runtime"):
            setattr(facts, item.name, latest(mine, theirs))
        elif mine in (None, "", ()):
            setattr(facts, item.name, theirs)


def is_later(facts: Facts, other: Facts) -> bool:
    """True if the summary of `facts` was written after that of `other`."""
    mine, theirs = (seconds(each.summary.get("_timestamp")) for each in (facts, other))
    return mine is not None and (theirs is None or mine > theirs)


def same(parts: Sequence[Facts]) -> list[list[Facts]]:
    """Facts of one run id, divided into runs: the id is unique within a project only.

    A part that lacks the entity or the project belongs to the others if those agree.
    """
    if len({part.project for part in parts} - {""}) < 2 and len({part.entity for part in parts} - {""}) < 2:
        return [list(parts)]
    runs: dict[str, list[Facts]] = {}
    for part in parts:
        runs.setdefault(part.path, []).append(part)
    return list(runs.values())


def merge(parts: Iterable[Facts]) -> Facts:
    """One run of all folders that hold a part of it (it was resumed, or a folder was copied).

    The later start is laid over the earlier, values key by key; the last part's end is the run's.
    """
    ordered = sorted(parts, key=lambda part: (part.started or 0.0, part.seen or 0.0))
    runtime = _total(ordered)
    logs = tuple(log for part in _once(ordered) for log in part.logs)
    whole = ordered[0]
    for part in ordered[1:]:
        exit_code, state = part.exit_code, part.state
        started = part.started if whole.started is None else whole.started
        fill(part, whole)
        part.exit_code, part.state, part.started = exit_code, state, started
        whole = part
    whole.runtime, whole.logs = runtime, logs
    return whole


def _once(parts: Iterable[Facts]) -> Iterable[Facts]:
    """Each part once: an equal start is a copy, of which the one that goes on longest comes last."""
    return {part.started: part for part in parts}.values()


def _total(parts: Iterable[Facts]) -> float | None:
    """The runtime of all parts, in order. W&B's server carries it on when an online run is resumed."""
    total: float | None = None
    for part in _once(parts):
        if part.runtime is None:
            continue
        carried = part.online and part.runtime >= (total or 0.0)
        total = part.runtime if total is None or carried else total + part.runtime
    return total


def run(facts: Facts, source: str, now: datetime, *, machine: bool, gpus: bool = False) -> Run:
    """The run that these facts tell of. No client records the run's URL in its folder."""
    silent = facts.seen is None or now.timestamp() - facts.seen > SILENCE
    return Run(
        scope=Scope(source, "", facts.path),
        id=facts.id,
        name=facts.name,
        state="crashed" if facts.ended == "running" and silent else facts.ended,
        created=_moment(facts.started),
        heartbeat=_moment(facts.seen),
        runtime=_span(facts) if facts.runtime is None else facts.runtime,
        user=facts.user or None,
        tags=facts.tags,
        group=facts.group,
        job_type=facts.job_type,
        sweep=facts.sweep,
        notes=facts.notes,
        machine=facts.machine if machine else "",
        timed=facts.runtime is not None,
        gpus=facts.gpus if gpus else None,
        config=_own(facts.config),
        summary=_own(facts.summary),
    )


def _span(facts: Facts) -> float | None:
    """From the start to the last sign of life, if there was one after the start."""
    if facts.started is None or facts.seen is None or facts.seen <= facts.started:
        return None
    return facts.seen - facts.started


def _own(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != "_wandb"}


def latest(*times: float | None) -> float | None:
    """The greatest of the times that are known."""
    return max((time for time in times if time is not None), default=None)


def seconds(value: Any) -> float | None:
    """A time in seconds since 1970 if `value` can be one, else None. 0 is how "not set" is written."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 < value < _LATEST else None


def duration(value: Any) -> float | None:
    """A duration in seconds if `value` can be one, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < _LATEST else None


def instant(value: Any) -> float | None:
    """Seconds since 1970 of an ISO text, which is UTC unless it says otherwise; else None."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(_FRACTION.sub(r"\1", value))
        return seconds((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        return None


def runtime(summary: Mapping[str, Any], exit_runtime: float | None = None) -> float | None:
    """How long the run ran, by its summary and exit record.

    The greatest counts: some clients write whole seconds over a finer value, others leave one at 0.
    """
    inner = summary.get("_wandb")
    inner = inner.get("runtime") if isinstance(inner, Mapping) else None
    return latest(duration(summary.get("_runtime")), duration(inner), exit_runtime)


def gpus(count: Any, devices: Sequence[Any], slurm: Any) -> int | None:
    """How many GPUs a run had, by what a client wrote down of its machine: their number or else the list
    of them, and the variables of Slurm, which tell how many such machines there were. Clients leave a 0 out,
    so that nobody can tell it from "not looked": None."""
    here = count if isinstance(count, int) and not isinstance(count, bool) and count > 0 else len(devices)
    return here * _nodes(slurm) or None


def _nodes(slurm: Any) -> int:
    """Nodes of a Slurm job; 1 where nothing is said."""
    told = slurm if isinstance(slurm, Mapping) else {}
    for key in ("job_num_nodes", "nnodes"):
        if re.fullmatch(r"[0-9]{1,6}", number := str(told.get(key, ""))):
            return max(1, int(number))
    return 1


def parse(text: str | bytes) -> Any:
    """A JSON value, bare NaN and Infinity included. Raises ValueError, for too deep a nesting too."""
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if deep(value):
        raise ValueError("nested too deeply")
    return value


def deep(value: Any) -> bool:
    """True if `value` is nested more deeply than those who walk through it by recursion can bear."""
    level = [value]
    for _ in range(DEPTH):
        level = [inner for outer in level if isinstance(outer, dict | list) for inner in _inside(outer)]
        if not level:
            return False
    return True


def _inside(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def _moment(time: float | None) -> datetime | None:
    return None if time is None else datetime.fromtimestamp(time, UTC)
