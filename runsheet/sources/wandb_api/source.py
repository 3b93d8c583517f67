"""The source `wandb`: runs of W&B projects, from the service or a server of one's own.

One lean query a page of a thousand runs, through the wandb client; runs are handed on as they
come and never kept. A server or a client that does not know that query is read by the documented
`Api.runs`, which costs four times as much.
"""

import json
import logging
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from runsheet.clock import Clock
from runsheet.errors import ConfigError, NotFound
from runsheet.model import Run, Scope, Skip
from runsheet.sources.base import Query
from runsheet.sources.wandb_api import query as wandb_query
from runsheet.sources.wandb_api.client import Client
from runsheet.sources.wandb_api.errors import Refused
from runsheet.sources.wandb_api.listing import Listing
from runsheet.sources.wandb_api.query import Page
from runsheet.sources.wandb_api.session import environment

log = logging.getLogger(__name__)

SMALLEST = 100
"""The page that is asked for when larger ones fail: a server may choke on a thousand configs."""


class WandbSource:
    """Implements Source. Nothing is read, and wandb is not imported, before the first question.

    `projects` are "entity/project", or "project" of the login's default entity. `host` is a base
    URL; without one the client's own settings decide. `timeout` bounds, about, a page with all its
    repetitions. `allow_http` names the hosts, besides loopback, that may be asked over plain http.
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
        page: int = 1000,
    ) -> None:
        self._projects = tuple(projects)
        self._clock = clock
        self._page = self._size = page
        self._client = Client(host, clock, timeout, allow_http)
        self._machine = True
        self._lean = True

    @property
    def requests(self) -> int:
        return self._client.requests

    def projects(self) -> tuple[str, ...]:
        """The projects as "entity/project", each once, as given. Asks W&B only for a bare name."""
        if not self._projects:
            raise ConfigError("no W&B project is named: give one as entity/project")
        return tuple(dict.fromkeys(self._full(project) for project in self._projects))

    def runs(self, project: str, query: Query) -> Iterator[Run | Skip]:
        """See Source. Runs that the listing lacked at first come last."""
        path = self._full(project)
        app = self._client.app()
        scope = Scope(self.name, self._client.host, path)
        listing = Listing(lambda order: self._pages(path, query, order))
        for node in listing.nodes():
            yield from wandb_query.read(node, scope, app)
        if listing.lack:
            yield Skip(path, f"{listing.lack}; a later tick finds what is missing")

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

    def _pages(self, path: str, query: Query, order: str) -> Iterator[Page]:
        """The pages of one walk, by the best way that the server understands."""
        while True:
            pages = self._lean_pages if self._lean else self._documented_pages
            begun = False
            try:
                for page in pages(path, query, order):
                    begun = True
                    yield page
                return
            except Refused as refused:
                if begun or not self._lean:
                    raise
                self._step_down(refused, query)

    def _step_down(self, refused: Refused, query: Query) -> None:
        """Ask for less: without the host name, if that was asked for, then the documented way."""
        if query.machine and self._machine:
            self._machine = False
            log.warning("W&B does not tell the machine of a run: %s", refused)
        else:
            self._lean = False
            log.warning(
                "runs are listed by the slower documented way, since the lean query failed: %s", refused
            )

    def _lean_pages(self, path: str, query: Query, order: str) -> Iterator[Page]:
        text = wandb_query.text(machine=query.machine and self._machine)
        wanted = self._variables(path, query, order)
        while True:
            data = self._client.persist(
                lambda: self._client.execute(text, {**wanted, "perPage": self._size}), self._shrink
            )
            page = wandb_query.page(self._found(data, path))
            yield page
            self._size = min(self._page, self._size * 2)
            wanted["cursor"] = page.end

    def _variables(self, path: str, query: Query, order: str) -> dict[str, Any]:
        entity, _, name = path.partition("/")
        rule = json.dumps(wandb_query.filters(query))
        return {"entity": entity, "project": name, "order": order, "filters": rule, "cursor": None}

    def _shrink(self) -> bool:
        smaller, self._size = self._size > SMALLEST, min(self._size, SMALLEST)
        return smaller

    def _found(self, data: Mapping[str, Any], path: str) -> Mapping[str, Any]:
        project = data.get("project")
        if project is None:
            raise NotFound(
                f"W&B at {self._client.host} has no project {path}, or hides it from this login: check the "
                "name (ENTITY/PROJECT, as in the browser's address), and who is logged in"
            )
        return project  # type: ignore[no-any-return]

    def _documented_pages(self, path: str, query: Query, order: str) -> Iterator[Page]:
        runs = self._client.documented(path, wandb_query.filters(query), order, self._page)
        while True:
            yield self._client.persist(lambda: self._next_page(runs, path))

    def _next_page(self, runs: Any, path: str) -> Page:
        """The next answer behind an `Api.runs`.

        Its Run objects are damaged goods: a page with a run without a user, or with a summary that
        is a list, raises and is lost, and a config value {"value": ..} is unwrapped twice. All
        that happens after the answer was kept in `last_response`, which is read here instead.
        """
        before = runs.last_response
        runs.objects.clear()  # it keeps all runs otherwise
        self._client.requests += 1
        with environment(WANDB_DIR=os.devnull):  # each Run makes a directory for itself otherwise
            try:
                next(iter(runs), None)
            except Exception:
                if runs.last_response is before:
                    raise
        return wandb_query.page(self._found(runs.last_response or {}, path))
