"""The source `wandb`: runs of W&B projects, from the service or a server of one's own.

One lean query a page of a thousand runs, through the wandb client; runs are handed on as they
come and never kept, and the next page is asked for while the last one is worked on. A server or a
client that does not know that query is read by the documented `Api.runs`, which costs four times
as much.
"""

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from itertools import pairwise, takewhile

from runsheet.ahead import ahead
from runsheet.clock import Clock
from runsheet.errors import ConfigError
from runsheet.model import Run, Scope, Skip
from runsheet.sources.base import Logged, NotLight, Query, Recent, Rows, Stream, Which
from runsheet.sources.wandb_api import entity as wandb_entity
from runsheet.sources.wandb_api import query as wandb_query
from runsheet.sources.wandb_api.client import Client
from runsheet.sources.wandb_api.finding import Search, Way
from runsheet.sources.wandb_api.listing import Listing
from runsheet.sources.wandb_api.query import Node, Page
from runsheet.sources.wandb_api.recorded import Reader
from runsheet.sources.wandb_api.walk import Question, Size, Walker, light, straight

log = logging.getLogger(__name__)

FIRST = 500
"""The first page of recent runs: mostly the only one, and mostly a handful of it is wanted."""

MANY = 5000
"""Recent runs of which it is no dearer to list all."""


class WandbSource:
    """Implements Watched, Finder and Recorded. Nothing is read, and wandb is not imported, before the first
    question.

    `projects` are "entity/project", or "project" of the login's default entity. `host` is a base
    URL; without one the client's own settings decide. `timeout` bounds, about, a page with all its
    repetitions. `allow_http` names the hosts, besides loopback, that may be asked over plain http.
    `pace` is called before each request, from any thread, and may wait. `page`: runs in a page.
    """

    name = "wandb"

    def __init__(
        self,
        projects: Sequence[str],
        *,
        host: str = "",
        clock: Clock,
        timeout: float = 60.0,
        allow_http: Collection[str] = (),
        pace: Callable[[], None] = lambda: None,
        page: int = 1000,
    ) -> None:
        self._projects = tuple(projects)
        self._page = page
        self._client = Client(host, clock, timeout, allow_http, pace)
        self._walker = Walker(self._client)
        # a walker of its own: what a server says to filters of ours tells nothing of its fields
        self._way = Way(Walker(self._client))
        self._reader = Reader(self._client)

    @property
    def requests(self) -> int:
        return self._client.requests

    def projects(self) -> tuple[str, ...]:
        """The projects as "entity/project", each once, as given. Asks W&B only for a bare name."""
        if not self._projects:
            raise ConfigError("no W&B project is named: give one as entity/project")
        return tuple(dict.fromkeys(self._full(project) for project in self._projects))

    def all_projects(self, entity: str) -> tuple[str, ...]:
        """All projects of an entity, as "entity/project". Raises NotFound when there are none to see."""
        return wandb_entity.projects(self._client, entity)

    def scope(self, project: str) -> Scope:
        """See Watched. Asks W&B only for a bare name."""
        return Scope(self.name, self._client.host, self._full(project))

    def runs(self, project: str, query: Query) -> Iterator[Run | Skip]:
        """See Source. Runs that the listing lacked at first come last."""
        size = Size(self._page, self._page)
        extras = wandb_query.extras(query)
        return self._listing(project, query, lambda asked: self._walker.whole(asked, size, extras))

    def listed(self, project: str, query: Query) -> Iterator[Run | Skip]:
        """See Watched. In the order of `runs`."""
        size = Size(self._page, self._page)
        with light():
            yield from self._listing(project, query, lambda asked: self._walker.light(asked, size))

    def recent(self, project: str, query: Query, since: datetime) -> Recent | None:
        """See Watched. Runs without a heartbeat are among them where the service lists them first."""
        scope, app = self.scope(project), self._client.app()
        asked = Question(scope.project, wandb_query.filters(query), "-heartbeat_at")
        size = Size(min(FIRST, self._page), self._page)
        found: dict[str, Run] = {}
        came, total = 0, None
        with light():
            for page in straight(self._walker.light(asked, size)):
                runs = _runs(page, scope, app)
                _check_falling(runs)
                late = [*takewhile(lambda run: run.heartbeat is None or run.heartbeat > since, runs)]
                for run in late:
                    found.setdefault(run.id, run)
                came, total = came + len(page.nodes), page.count
                if len(late) < len(runs):
                    break
                if came > MANY:
                    return None
        return Recent(tuple(found.values()), total)

    def pick(self, project: str, query: Query, ids: Sequence[str]) -> Iterator[Run | Skip]:
        """See Watched."""
        scope, app = self.scope(project), self._client.app()
        with light(), closing(ahead(self._picked(scope.project, query, ids))) as pages:
            for nodes in pages:
                for node in nodes:
                    yield from wandb_query.read(node, scope, app)

    def find(self, project: str, which: Which, query: Query) -> Iterator[Run | Skip]:
        """See Finder. A server that does not take the filter is asked for a light listing, which knows no
        `run_name` of a config."""
        yield from Search(self, self._way, project, which, query).found(self._client.app(), self._page)

    def logged(self, run: Run) -> Logged:
        """See Recorded. One request."""
        return self._reader.logged(run)

    def rows(self, run: Run, stream: Stream, wanted: Callable[[str], bool] = lambda _key: True) -> Rows:
        """See Recorded. One request, and what the service samples of the rows."""
        return self._reader.rows(run, stream, wanted)

    def close(self) -> None:
        self._client.close()

    def _full(self, project: str) -> str:
        """The project with its entity."""
        parts = [part.strip() for part in project.split("/")]
        if len(parts) > 2 or not all(parts):
            raise ConfigError(f"{project!r} is not a W&B project: expected entity/project or project")
        if len(parts) == 2:
            return "/".join(parts)
        entity = self._client.entity()
        if not entity:
            raise ConfigError(
                f"project {project!r} needs its entity, as in team/{project}: the login has none"
            )
        return f"{entity}/{parts[0]}"

    def _listing(
        self, project: str, query: Query, walk: Callable[[Question], Iterator[Page]]
    ) -> Iterator[Run | Skip]:
        """The runs of a complete listing, and a Skip that says what it lacks."""
        scope, app = self.scope(project), self._client.app()
        rule = wandb_query.filters(query)
        listing = Listing(lambda order: walk(Question(scope.project, rule, order)))
        with closing(ahead(listing.pages())) as pages:
            for nodes in pages:
                for node in nodes:
                    yield from wandb_query.read(node, scope, app)
        if listing.lack:
            yield Skip(scope.project, f"{listing.lack}; a later tick finds what is missing", gap=True)

    def _picked(self, path: str, query: Query, ids: Sequence[str]) -> Iterator[list[Node]]:
        """The nodes of these runs, a list for each request's worth of ids."""
        unique = [*dict.fromkeys(ids)]
        for start in range(0, len(unique), self._page):
            yield self._part(path, query, unique[start : start + self._page])

    def _part(self, path: str, query: Query, ids: Sequence[str]) -> list[Node]:
        """The nodes of these runs, in this order; of a server that overlooks the filter, no others."""
        found: dict[str, Node | None] = dict.fromkeys(ids)
        asked = Question(path, wandb_query.named(query, ids))
        size = Size(len(ids), len(ids))
        for page in straight(self._walker.lean(asked, size, wandb_query.extras(query))):
            mine = [(key, node) for key, node in page.nodes if key in found]
            found.update(mine)
            if all(found.values()):
                break
            if page.more and len(mine) < len(page.nodes):
                raise NotLight("W&B lists other runs than those whose ids were named")
        if gone := [key for key, node in found.items() if not node]:
            log.debug("%d of %d runs of %s are not there: %s", len(gone), len(ids), path, gone)
        return [node for node in found.values() if node]


def _runs(page: Page, scope: Scope, app: str) -> list[Run]:
    """The runs of a page of light ones. A full listing says what cannot be read."""
    read = [item for _, node in page.nodes for item in wandb_query.read(node, scope, app)]
    return [item for item in read if isinstance(item, Run)]


def _check_falling(runs: Sequence[Run]) -> None:
    """Raise NotLight unless the last sign of life comes first, runs without one aside."""
    beats = [run.heartbeat for run in runs if run.heartbeat]
    if any(later > earlier for earlier, later in pairwise(beats)):
        raise NotLight("W&B does not list runs in the order of their last sign of life")
