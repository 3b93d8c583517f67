"""The interface of a source: it yields runs, and says what it left out and why.

Terms: a *project* is what a source lists in one go (a W&B project, a directory of run folders).
A source is made anew for every tick, so credentials are read anew (P8). A *light* run has no
config and no summary: a service lists thousands of them in the time of a hundred whole ones.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from runsheet.errors import ConfigError, ServiceError
from runsheet.model import Run, Sample, Scope, Skip


@dataclass(frozen=True, slots=True)
class Query:
    """Which runs are wanted.

    `users`: W&B user names, empty for all. `filters`: a W&B filter object, empty for all.
    `machine`: also read the training machine's host name (personal, so only on request). `gpus`: also
    read how many GPUs the machines had.
    A source may return more than asked for: the sync filters users again.
    """

    users: tuple[str, ...] = ()
    filters: Mapping[str, Any] = field(default_factory=dict)
    machine: bool = False
    gpus: bool = False

    def refuse_filters(self) -> None:
        """Raise ConfigError for a W&B filter: for sources that do not know what it means."""
        if self.filters:
            raise ConfigError("a W&B filter (FILTERS, --filter) is for the source wandb only: leave it out")


class Source(Protocol):
    """A place that runs come from."""

    name: str
    """As in `--source`: "wandb", "folders", ..."""

    @property
    def requests(self) -> int:
        """Requests sent to a service so far, for the tick's report; 0 for files."""
        ...

    def projects(self) -> tuple[str, ...]:
        """The projects to list, in a stable order. Raises ConfigError when none is known."""
        ...

    def runs(self, project: str, query: Query) -> Iterator[Run | Skip]:
        """Yield each run of a project once, in a stable order (oldest first), settled or not.

        The listing is complete when the iterator ends: a source that cannot make sure of that
        yields a Skip that says how many are missing. A run that cannot be read becomes a Skip;
        it never stops the others. Raises ServiceError when the project cannot be listed.
        """
        ...

    def close(self) -> None:
        """Release what the source holds. No method is called afterwards."""
        ...


class NotLight(ServiceError):
    """A server does not list light runs, or not in the order asked for: `Source.runs` is the way."""


@dataclass(frozen=True, slots=True)
class Recent:
    """Light runs, those with the latest sign of life first. `total`: how many runs the project has in
    all by the same filters, None if the server does not say."""

    runs: tuple[Run, ...]
    total: int | None = None


@runtime_checkable
class Watched(Source, Protocol):
    """A source that tells cheaply which runs there are, and which had a sign of life lately.

    Runs of one project may be asked for while those of another are, from another thread.
    """

    def scope(self, project: str) -> Scope:
        """Where the runs of a project live."""
        ...

    def listed(self, project: str, query: Query) -> Iterator[Run | Skip]:
        """As `runs`, but light. Raises NotLight too."""
        ...

    def recent(self, project: str, query: Query, since: datetime) -> Recent | None:
        """The light runs whose heartbeat is later than `since`; None if those are thousands, so that
        listing all is no dearer. Raises NotLight too."""
        ...

    def pick(self, project: str, query: Query, ids: Sequence[str]) -> Iterator[Run | Skip]:
        """Yield the runs with these ids, whole, in the order of `ids`; those that are gone by now, or
        that the query leaves out, are passed over. Raises NotLight too."""
        ...


@dataclass(frozen=True, slots=True)
class Which:
    """Runs that are meant: those for which all that is given here holds; with nothing given, all.

    `id`; `name`: the name shown, or `run_name` in the config, where some trainers write it; `called`: an id
    or such a name; `group`; `sweep`: its id; `filters`: a W&B filter object.
    """

    id: str = ""
    name: str = ""
    called: str = ""
    group: str = ""
    sweep: str = ""
    filters: Mapping[str, Any] = field(default_factory=dict)

    def means(self, run: Run) -> bool:
        """Whether a whole run is meant, as far as that can be told here: `filters` are not looked at."""
        names = (run.name, run.config.get("run_name"))
        asked = (
            (self.id, (run.id,)),
            (self.name, names),
            (self.called, (run.id, *names)),
            (self.group, (run.group,)),
            (self.sweep, (run.sweep,)),
        )
        return all(wanted in among for wanted, among in asked if wanted)


@runtime_checkable
class Finder(Source, Protocol):
    """A source that finds single runs without listing all of them."""

    def find(self, project: str, which: Which, query: Query) -> Iterator[Run | Skip]:
        """Yield the runs that are meant, whole, the one that was created last first. Nothing is asked for
        beyond what is taken from the iterator, but for the rest of a page. `query` says what is read of
        them. Raises as `Source.runs` does."""
        ...


class Stream(StrEnum):
    """The two kinds of rows that a run logs: what the training logs, and what the client measures of the
    machine meanwhile."""

    HISTORY = "history"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Logged:
    """The keys that a run logged, by stream, each with the number of its rows; 0 where nobody knows it."""

    history: Mapping[str, int] = field(default_factory=dict)
    system: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a stream, in the order in which they were logged. `total`: how many rows there are, where it is
    known that only a part of them came, and `came`: how many did, with what was wanted or without; else None
    and 0."""

    samples: tuple[Sample, ...] = ()
    total: int | None = None
    came: int = 0


@runtime_checkable
class Recorded(Source, Protocol):
    """A source that has what runs logged, not only the last values of it.

    Keys of Stream.SYSTEM are named as W&B's server does ("system.gpu.0.powerWatts"), or as Trackio does
    ("gpu/0/power"). Both methods may be called from several threads. They raise NotFound when the run is
    gone, and otherwise as `Source.runs` does.
    """

    def logged(self, run: Run) -> Logged:
        """The keys of both streams. `run` is one of this source."""
        ...

    def rows(self, run: Run, stream: Stream, wanted: Callable[[str], bool] = lambda _key: True) -> Rows:
        """The rows of a stream, of each the values whose keys are `wanted`; rows without any are left out."""
        ...
