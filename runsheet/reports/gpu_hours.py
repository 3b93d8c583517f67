"""GPU-hours of many runs: which of them count, and their sums, also by user, month and so on. Pure.

docs/gpu-hours.md tells the rules and their reasons.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from heapq import nsmallest
from math import fsum

from runsheet.model import Scope
from runsheet.reports.usage import Settings, Usage

TOP = 10
"""As many runs are named as those that took the most."""

_FIRST = datetime.min.replace(tzinfo=UTC)

BY: Mapping[str, Callable[[Usage], str]] = {
    "user": lambda usage: usage.user,
    "month": lambda usage: f"{usage.end:%Y-%m}" if usage.end else "",
    "project": lambda usage: usage.scope.project,
    "group": lambda usage: usage.group,
    "state": lambda usage: usage.state,
}
"""What sums may be broken down by; "" for runs that have none. A month is that of a run's end."""


@dataclass(frozen=True, slots=True)
class Window:
    """A run counts if it ended at `start` or later, and before `end`; None is no bound.

    So windows that share a bound count each run once. A run of which no time is known ended before all.
    """

    start: datetime | None = None
    end: datetime | None = None

    def is_before(self, usage: Usage) -> bool:
        """Whether a run ended before the window begins."""
        return self.start is not None and (usage.end or _FIRST) < self.start

    def is_after(self, usage: Usage) -> bool:
        """Whether a run ended when the window was over."""
        return self.end is not None and (usage.end or _FIRST) >= self.end


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over runs that count. `unknown`: runs on GPUs without a world size, which add no hours."""

    gpu_runs: int = 0
    cpu_runs: int = 0
    unknown: int = 0
    gpu_hours: float = 0.0
    cpu_hours: float = 0.0

    @property
    def num_runs(self) -> int:
        """All runs that count."""
        return self.gpu_runs + self.cpu_runs

    @property
    def gpu_hours_per_run(self) -> float:
        """The mean over the runs on GPUs, those without a world size included; 0 where there are none."""
        return self.gpu_hours / self.gpu_runs if self.gpu_runs else 0.0

    @property
    def cpu_hours_per_run(self) -> float:
        """The mean over the runs on CPUs; 0 where there are none."""
        return self.cpu_hours / self.cpu_runs if self.cpu_runs else 0.0


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the runs of a window used.

    `first` is the earliest start and `last` the latest end of what counts. `in_progress` runs do not count
    yet, those that ended `before` or `after` the window count in another; `stuck` ones count. `known`: the
    runs on GPUs by how their number is known (`Usage.gpus_from`). `skipped`: runs whose world size is no
    number, left out; `flagged`: runs that count and were odd. `top`: those that took the most GPU-hours.
    `groups`: the sums by what was asked for.
    """

    sums: Sums = Sums()
    first: datetime | None = None
    last: datetime | None = None
    in_progress: int = 0
    stuck: int = 0
    before: int = 0
    after: int = 0
    known: Mapping[str, int] = field(default_factory=dict)
    skipped: tuple[Usage, ...] = ()
    flagged: tuple[Usage, ...] = ()
    top: tuple[Usage, ...] = ()
    groups: tuple[tuple[str, Sums], ...] = ()

    @property
    def days(self) -> int:
        """From the day of the first start to that of the last end."""
        return (self.last.date() - self.first.date()).days if self.first and self.last else 0


@dataclass(frozen=True, slots=True)
class Report:
    """All that is shown: the statistics of each project, and the `total` of all of them.

    `host` is a URL, "" for files. `by` is one of BY, or "".
    """

    host: str
    settings: Settings
    window: Window
    by: str
    projects: tuple[tuple[Scope, Statistics], ...]
    total: Statistics


def report(
    usages: Iterable[Usage],
    settings: Settings,
    window: Window,
    *,
    by: str = "",
    host: str = "",
    scopes: Sequence[Scope] = (),
) -> Report:
    """The statistics of these runs, by project: first `scopes`, though they may have no run, then others by
    their names."""
    everything = list(usages)
    others = {usage.scope for usage in everything}.difference(scopes)
    projects: dict[Scope, list[Usage]] = {scope: [] for scope in (*scopes, *sorted(others))}
    for usage in everything:
        projects[usage.scope].append(usage)
    total = statistics(everything, window, by)
    parts = [total] if len(projects) == 1 else [statistics(some, window, by) for some in projects.values()]
    return Report(host, settings, window, by, tuple(zip(projects, parts, strict=True)), total)


def statistics(usages: Sequence[Usage], window: Window, by: str = "") -> Statistics:
    """What these runs used. `by`: see BY; "" for no groups. The order of the runs does not matter."""
    ended = [usage for usage in usages if usage.status != "in progress"]
    inside = [usage for usage in ended if not window.is_before(usage) and not window.is_after(usage)]
    counted = [usage for usage in inside if not usage.skipped]
    took = [usage for usage in counted if usage.gpu_hours]
    return Statistics(
        sums=sums(counted),
        first=min((usage.start for usage in counted if usage.start), default=None),
        last=max((usage.end for usage in counted if usage.end), default=None),
        in_progress=len(usages) - len(ended),
        stuck=sum(usage.status == "stuck" for usage in counted),
        before=sum(map(window.is_before, ended)),
        after=sum(map(window.is_after, ended)),
        known=Counter(usage.gpus_from for usage in counted if not usage.cpu and usage.gpus is not None),
        skipped=tuple(usage for usage in inside if usage.skipped),
        flagged=tuple(usage for usage in counted if usage.flags),
        top=tuple(nsmallest(TOP, took, key=lambda usage: (-usage.gpu_hours, usage.scope, usage.run_id))),
        groups=_groups(counted, by) if by else (),
    )


def sums(usages: Sequence[Usage]) -> Sums:
    """The sums over runs that all count."""
    on_cpu = [usage for usage in usages if usage.cpu]
    return Sums(
        gpu_runs=len(usages) - len(on_cpu),
        cpu_runs=len(on_cpu),
        unknown=sum(usage.gpus is None for usage in usages if not usage.cpu),
        gpu_hours=fsum(usage.gpu_hours for usage in usages),
        cpu_hours=fsum(usage.hours for usage in on_cpu),
    )


def _groups(usages: Iterable[Usage], by: str) -> tuple[tuple[str, Sums], ...]:
    """Months in their order; of the others those first that took the most."""
    groups: dict[str, list[Usage]] = defaultdict(list)
    for usage in usages:
        groups[BY[by](usage)].append(usage)
    found = [(name, sums(groups[name])) for name in sorted(groups)]
    if by != "month":
        found.sort(key=lambda group: (-group[1].gpu_hours, -group[1].cpu_hours))
    return tuple(found)
