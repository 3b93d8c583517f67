"""Find single runs: by one query with a filter, the run created last first, or else in a listing."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from runsheet.errors import AccessError, NotFound, ServiceError, Unreachable
from runsheet.model import Run, Skip
from runsheet.sources.base import NotLight, Query, Watched, Which
from runsheet.sources.wandb_api import query as wandb_query
from runsheet.sources.wandb_api.errors import Refused
from runsheet.sources.wandb_api.walk import Question, Size, Walker, straight

log = logging.getLogger(__name__)

FIRST = 10
"""Runs in the first page: mostly one is taken. Each later page is twice as large."""

UNKNOWN = datetime.min.replace(tzinfo=UTC)
"""Runs without a time of creation come last."""


def rule(which: Which, query: Query) -> dict[str, Any]:
    """The W&B filter object for the runs that are meant; {} for all."""
    names = {"displayName": which.name}, {"config.run_name": which.name}
    called = {"name": which.called}, {"displayName": which.called}, {"config.run_name": which.called}
    rules: tuple[tuple[Any, Mapping[str, Any]], ...] = (
        (which.id, {"name": which.id}),
        (which.name, {"$or": [*names]}),
        (which.called, {"$or": [*called]}),
        (which.group, {"group": which.group}),
        (which.sweep, {"sweep": which.sweep}),  # as in the client's own Sweep.runs
    )
    parts = [one for wanted, one in rules if wanted]
    return joined(*parts, which.filters, wandb_query.filters(query))


def joined(*rules: Mapping[str, Any]) -> dict[str, Any]:
    """A W&B filter object for all of these at once; those that are empty are left out."""
    parts = [dict(one) for one in rules if one]
    return {"$and": parts} if len(parts) > 1 else (parts[0] if parts else {})


@dataclass(slots=True)
class Way:
    """How runs are found on one server: by this walker, and by filters unless it did not take one."""

    walker: Walker
    filters: bool = True


class Search:
    """Finds the runs of one project that are meant; `source` is what lists it. Iterate `found()` once."""

    def __init__(self, source: Watched, way: Way, project: str, which: Which, query: Query) -> None:
        self._source = source
        self._way = way
        self._project = project
        self._which = which
        self._query = query
        self._seen: set[str] = set()

    def found(self, app: str, page: int) -> Iterator[Run | Skip]:
        """Yield them, the one created last first. `app`: see query.read; `page`: runs in a page at most."""
        if self._way.filters:
            try:
                yield from self._asked(app, page)
            except (Unreachable, AccessError, NotFound):
                raise
            except ServiceError as error:
                self._way.filters = not isinstance(error, Refused | NotLight)
                log.warning("runs are looked for in a listing, since this failed: %s", error)
            else:
                named = self._which.name or self._which.called
                if self._seen or not named:
                    return
                log.info("no run of %s is found by a filter on the name %s", self._project, named)
        yield from self._searched()

    def _asked(self, app: str, page: int) -> Iterator[Run | Skip]:
        """By the filter, in our way or the documented one. Raises ServiceError for a server that does not
        understand it, or the order."""
        scope = self._source.scope(self._project)
        asked = Question(scope.project, rule(self._which, self._query), "-created_at")
        walk = self._way.walker.whole(asked, Size(min(FIRST, page), page), wandb_query.extras(self._query))
        last: Run | None = None
        came: set[str] = set()
        count: int | None = None
        for one in straight(walk):
            came.update(key for key, _ in one.nodes)
            count = one.count
            items = [item for _, node in one.nodes for item in wandb_query.read(node, scope, app)]
            runs = [item for item in items if isinstance(item, Run)]
            _check_falling([last, *runs] if last else runs)
            last = runs[-1] if runs else last
            yield from self._meant(items)
        if count is not None and len(came) < count:
            yield Skip(scope.project, f"{count - len(came)} of {count} runs did not come", gap=True)

    def _searched(self) -> Iterator[Run | Skip]:
        """In a listing of all runs that a query alone can tell."""
        query = replace(self._query, filters=joined(self._which.filters, self._query.filters))
        try:
            yield from self._light(query)
        except NotLight as refused:
            log.debug("whole runs of %s are listed: %s", self._project, refused)
            yield from self._whole(query)

    def _light(self, query: Query) -> Iterator[Run | Skip]:
        """Those found by what light runs tell, which are names and ids. Raises NotLight."""
        if self._which.group or self._which.sweep:
            raise NotLight("groups and sweeps are not told of light runs")
        among = replace(self._which, filters={})
        items = [*self._source.listed(self._project, query)]
        runs = [item for item in items if isinstance(item, Run) and among.means(item)]
        yield from (item for item in items if isinstance(item, Skip) and item.gap)
        yield from self._meant(self._source.pick(self._project, query, [run.id for run in _newest(runs)]))

    def _whole(self, query: Query) -> Iterator[Run | Skip]:
        """Those found among all runs, whole. Only what is meant is kept."""
        items = [*self._meant(self._source.runs(self._project, query))]
        yield from _newest([item for item in items if isinstance(item, Run)])
        yield from (item for item in items if isinstance(item, Skip))

    def _meant(self, items: Iterator[Run | Skip] | Sequence[Run | Skip]) -> Iterator[Run | Skip]:
        """Of these, the runs that are meant, each once; and what is said of them, or of a run that could
        not be read at all."""
        taken = False
        for item in items:
            if isinstance(item, Run):
                taken = self._which.means(item) and item.id not in self._seen
            if taken and isinstance(item, Run):
                self._seen.add(item.id)
            if taken or (isinstance(item, Skip) and item.count):
                yield item


def _newest(runs: Sequence[Run]) -> list[Run]:
    """The run created last first."""
    return sorted(runs, key=lambda run: run.created or UNKNOWN, reverse=True)


def _check_falling(runs: Sequence[Run]) -> None:
    """Raise NotLight unless the run created last comes first, runs without a time aside."""
    times = [run.created for run in runs if run.created]
    if any(later > earlier for earlier, later in pairwise(times)):
        raise NotLight("W&B does not list runs in the order in which they were created")
