"""All runs of all users come in for a report, each asked for as little as possible.

A source that lists light runs is asked for those alone that are not in the store as they stand now.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence

from runsheet import live
from runsheet.clock import Clock
from runsheet.errors import ServiceError
from runsheet.model import Run, Scope, Skip
from runsheet.reports.store import Store
from runsheet.reports.usage import Settings, Usage, slim, usage
from runsheet.sources.base import Logged, NotLight, Query, Recorded, Rows, Source, Stream, Watched

log = logging.getLogger(__name__)


class Recall:
    """A source that reads its runs once: asked for a project again, it yields what came the first time, slim.

    For sources that have no light runs. Both times all users are meant, and `Query.gpus` is set.
    """

    def __init__(self, source: Source, settings: Settings) -> None:
        self._source = source
        self._settings = settings
        self._known: dict[str, Sequence[Run | Skip]] = {}
        self.name = source.name

    @property
    def requests(self) -> int:
        return self._source.requests

    def projects(self) -> tuple[str, ...]:
        return self._source.projects()

    def runs(self, project: str, query: Query) -> Iterator[Run | Skip]:
        """See Source."""
        if project in self._known:
            yield from self._known[project]
            return
        came: list[Run | Skip] = []
        for item in self._source.runs(project, query):
            came.append(slim(item, self._settings) if isinstance(item, Run) else item)
            yield item
        self._known[project] = came

    def close(self) -> None:
        self._source.close()


class RecordedRecall(Recall):
    """The same of a source that is Recorded, as this one is then."""

    def __init__(self, source: Recorded, settings: Settings) -> None:
        super().__init__(source, settings)
        self._recorded = source

    def logged(self, run: Run) -> Logged:
        """See Recorded."""
        return self._recorded.logged(run)

    def rows(self, run: Run, stream: Stream, wanted: Callable[[str], bool] = lambda _key: True) -> Rows:
        """See Recorded."""
        return self._recorded.rows(run, stream, wanted)


class Gather:
    """What each run used. `store`, which is open, holds what is known of runs from one time to the next."""

    def __init__(self, source: Source, query: Query, settings: Settings, clock: Clock, store: Store) -> None:
        self._source = source
        self._query = query
        self._settings = settings
        self._clock = clock
        self._now = clock.now()
        self._store = store

    def __iter__(self) -> Iterator[Usage]:
        """Raises ServiceError when a project cannot be listed as a whole: a total that lacks runs is none."""
        for project in self._source.projects():
            self._clock.check()
            for run in self._project(project):
                yield self._usage(run)

    def _project(self, project: str) -> Iterator[Run]:
        if not isinstance(self._source, Watched):
            return self._whole(project)
        scope = self._source.scope(project)
        try:
            self._renew(self._source, scope, project)
        except NotLight as error:
            log.debug("%s: %s", project, error)
            self._renew_whole(scope, project)
        self._store.save()
        return self._store.runs(scope)

    def _renew(self, source: Watched, scope: Scope, project: str) -> None:
        """Bring what the store knows of a project up to date."""
        known = self._store.stamps(scope)
        if not known:
            self._renew_whole(scope, project)
            return
        there: set[str] = set()
        wanted: list[str] = []
        for run in self._complete(project, source.listed(project, self._query)):
            if known.get(run.id) == live.stamp(run):
                there.add(run.id)
            elif run.heartbeat is None or self._usage(run).status != "in progress":
                wanted.append(run.id)  # What goes on counts when it is over, and is asked for then.
        self._store.drop(scope, known.keys() - there)
        if wanted:
            self._keep(self._complete(project, source.pick(project, self._query, wanted)))

    def _renew_whole(self, scope: Scope, project: str) -> None:
        self._store.drop(scope, self._store.stamps(scope))
        self._keep(self._whole(project))

    def _keep(self, runs: Iterable[Run]) -> None:
        self._store.add((slim(run, self._settings) for run in runs), self._stamp)

    def _stamp(self, run: Run) -> str:
        """How a run stands. One whose world size is no number is asked for each time: it may be put right,
        which shows in no sign of life."""
        return "" if self._usage(run).skipped else live.stamp(run)

    def _whole(self, project: str) -> Iterator[Run]:
        return self._complete(project, self._source.runs(project, self._query))

    def _complete(self, project: str, items: Iterable[Run | Skip]) -> Iterator[Run]:
        """The runs of a listing. Of one that could not be read the tick has told."""
        for item in items:
            if isinstance(item, Run):
                yield item
            elif item.gap:
                raise ServiceError(f"{project}: {item.what}: {item.reason}")

    def _usage(self, run: Run) -> Usage:
        return usage(run, self._settings, self._now)
