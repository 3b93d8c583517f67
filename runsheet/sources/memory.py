"""Sources that hold their runs in memory: for tests, demonstrations and dry runs."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import takewhile

from runsheet.errors import NotFound
from runsheet.model import Run, Scope, Skip
from runsheet.sources.base import Query, Recent

PAGE = 1000
"""Runs that a service would give in one answer."""

FIRST = 500
"""Recent runs that it would be asked for at a time."""

MANY = 5000
"""Recent runs of which it is no dearer to list all."""

NEVER = datetime.min.replace(tzinfo=UTC)


class MemorySource:
    """Yields the runs it was given, by project, in their order."""

    name = "memory"
    requests = 0

    def __init__(self, runs: Mapping[str, Sequence[Run | Skip]]) -> None:
        self._runs = runs

    def projects(self) -> tuple[str, ...]:
        return tuple(self._runs)

    def runs(self, project: str, query: Query) -> Iterator[Run | Skip]:
        yield from self._items(project)

    def close(self) -> None:
        """Nothing is held."""

    def _items(self, project: str) -> Sequence[Run | Skip]:
        if project not in self._runs:
            raise NotFound(f"there is no project {project!r}")
        return self._runs[project]


class WatchedMemorySource(MemorySource):
    """Implements Watched, and counts the requests that a service would be asked for the same.

    The runs may be changed between two questions. Queries are not looked at, as in `runs`. Runs
    without a heartbeat are not recent, unless all are.
    """

    def __init__(self, runs: Mapping[str, Sequence[Run | Skip]]) -> None:
        super().__init__(runs)
        self._lock = threading.Lock()

    def scope(self, project: str) -> Scope:
        """That of the project's runs; one of this source while it has none."""
        runs = (item for item in self._items(project) if isinstance(item, Run))
        return next((run.scope for run in runs), Scope(self.name, "", project))

    def runs(self, project: str, query: Query) -> Iterator[Run | Skip]:
        items = self._items(project)
        self._ask(-(-len(items) // PAGE))
        yield from items

    def listed(self, project: str, query: Query) -> Iterator[Run | Skip]:
        """See Watched."""
        return (light(item) if isinstance(item, Run) else item for item in self.runs(project, query))

    def recent(self, project: str, query: Query, since: datetime) -> Recent | None:
        """See Watched."""
        runs = [item for item in self._items(project) if isinstance(item, Run)]
        latest = sorted(runs, key=lambda run: run.heartbeat or NEVER, reverse=True)
        late = [*takewhile(lambda run: run.heartbeat is None or run.heartbeat > since, latest)]
        met = min(len(late) + 1, len(latest))  # the first that is not late ends it
        self._ask(min(-(-met // FIRST), 1 + MANY // FIRST))
        return None if len(late) > MANY else Recent(tuple(map(light, late)), len(runs))

    def pick(self, project: str, query: Query, ids: Sequence[str]) -> Iterator[Run | Skip]:
        """See Watched."""
        known = {item.id: item for item in self._items(project) if isinstance(item, Run)}
        wanted = [*dict.fromkeys(ids)]
        if wanted:
            self._ask(-(-len(wanted) // PAGE))
        yield from (known[one] for one in wanted if one in known)

    def _ask(self, requests: int) -> None:
        """Count requests: one at least, to learn that there is nothing."""
        with self._lock:
            self.requests += max(1, requests)


def light(run: Run) -> Run:
    """A run as a service lists it without its values: who it is, whose, and how it stands."""
    return Run(
        scope=run.scope,
        id=run.id,
        name=run.name,
        state=run.state,
        created=run.created,
        heartbeat=run.heartbeat,
        user=run.user,
        url=run.url,
    )
