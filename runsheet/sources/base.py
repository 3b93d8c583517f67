"""The interface of a source: it yields runs, and says what it left out and why.

Terms: a *project* is what a source lists in one go (a W&B project, a directory of run folders).
A source is made anew for every tick, so credentials are read anew (P8).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from runsheet.model import Run, Skip


@dataclass(frozen=True, slots=True)
class Query:
    """Which runs are wanted.

    `users`: W&B user names, empty for all. `filters`: a W&B filter object, empty for all.
    `machine`: also read the training machine's host name (personal, so only on request).
    A source may return more than asked for: the sync filters users again.
    """

    users: tuple[str, ...] = ()
    filters: Mapping[str, Any] = field(default_factory=dict)
    machine: bool = False


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
