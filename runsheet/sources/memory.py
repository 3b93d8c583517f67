"""Sources that hold their runs in memory: for tests, demonstrations and dry runs."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import takewhile

from runsheet.errors import NotFound
from runsheet.model import Run, Sample, Scope, Skip
from runsheet.sources.base import Logged, Query, Recent, Rows, Stream

PAGE = 1000
"""Runs that a service would give in one answer."""

FIRST = 500
"""Recent runs that it would be asked for at a time."""

MANY = 5000
"""Recent runs of which it is no dearer to list all."""

Recordings = Mapping[str, Sequence[Sample]]
"""Rows of a stream by run id."""

NEVER = datetime.min.replace(tzinfo=UTC)


class MemorySource:
    """Yields the runs it was given, by project, in their order, and the rows of those that have any."""

    name = "memory"
    requests = 0

    def __init__(
        self,
        runs: Mapping[str, Sequence[Run | Skip]],
        *,
        history: Recordings | None = None,
        system: Recordings | None = None,
    ) -> None:
        self._runs = runs
        self._samples = {Stream.HISTORY: history or {}, Stream.SYSTEM: system or {}}

    def projects(self) -> tuple[str, ...]:
        return tuple(self._runs)

    def runs(self, project: str, query: Query) -> Iterator[Run | Skip]:
        yield from self._items(project)

    def logged(self, run: Run) -> Logged:
        """See Recorded."""
        history, system = (
            Counter(key for sample in self.rows(run, stream).samples for key in sample.values)
            for stream in (Stream.HISTORY, Stream.SYSTEM)
        )
        return Logged(history, system)

    def rows(self, run: Run, stream: Stream, wanted: Callable[[str], bool] = lambda _key: True) -> Rows:
        """See Recorded."""
        listed = (item for items in self._runs.values() for item in items if isinstance(item, Run))
        if not any((item.scope, item.id) == (run.scope, run.id) for item in listed):
            raise NotFound(f"there is no run {run.id} of {run.scope.project}")
        samples = (
            Sample(sample.time, {key: value for key, value in sample.values.items() if wanted(key)})
            for sample in self._samples[stream].get(run.id, ())
        )
        return Rows(tuple(sample for sample in samples if sample.values))

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

    def __init__(
        self,
        runs: Mapping[str, Sequence[Run | Skip]],
        *,
        history: Recordings | None = None,
        system: Recordings | None = None,
    ) -> None:
        super().__init__(runs, history=history, system=system)
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
