"""The pages of one walk through a project's runs, by the best way that the server understands."""

import contextlib
import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runsheet.errors import NotFound, ServiceError
from runsheet.sources.base import NotLight
from runsheet.sources.wandb_api import query as wandb_query
from runsheet.sources.wandb_api.client import Client
from runsheet.sources.wandb_api.errors import Refused
from runsheet.sources.wandb_api.query import Page

log = logging.getLogger(__name__)

SMALLEST = 100
"""The page that is asked for when larger ones fail: a server may choke on a thousand configs."""


@dataclass(slots=True)
class Size:
    """How many runs the next page of a walk asks for: at most `most`, fewer after a failure."""

    now: int
    most: int

    def shrink(self) -> bool:
        """Ask for less; False when there is no less."""
        smaller, self.now = self.now > SMALLEST, min(self.now, SMALLEST)
        return smaller

    def grow(self) -> None:
        """Ask for more again, after a page that came."""
        self.now = min(self.most, self.now * 2)


@dataclass(frozen=True, slots=True)
class Question:
    """What a walk asks for: the project as "entity/project", a W&B filter object, the order."""

    path: str
    filters: Mapping[str, Any]
    order: str = "+created_at"


class Walker:
    """Walks through projects of one server, and remembers what it does not understand."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._unknown: set[str] = set()
        """The fields of EXTRAS that it refused."""
        self._lean = True

    def whole(self, asked: Question, size: Size, extras: Sequence[str] = ()) -> Iterator[Page]:
        """Pages of whole runs, as far as the walk goes; by the documented way where it must be."""
        if self._lean:
            try:
                yield from self.lean(asked, size, extras)
                return
            except Refused as refused:
                self._lean = False
                log.warning(
                    "runs are listed by the slower documented way, since the lean query failed: %s", refused
                )
        yield from self._documented(asked, size.most)

    def lean(self, asked: Question, size: Size, extras: Sequence[str] = ()) -> Iterator[Page]:
        """Pages of whole runs, with those of `extras` that the server knows. Raises Refused before the
        first page, if at all."""
        while known := [name for name in extras if name not in self._unknown]:
            try:
                yield from self._ours(wandb_query.text(known), asked, size)
                return
            except Refused as refused:
                self._step_down(known, refused)
        yield from self._ours(wandb_query.text(), asked, size)

    def light(self, asked: Question, size: Size) -> Iterator[Page]:
        """Pages of light runs. Raises Refused before the first page, if at all."""
        return self._ours(wandb_query.light_text(), asked, size)

    def _step_down(self, asked: Sequence[str], refused: Refused) -> None:
        """Ask no more for what a server refused by name; without a name for the least known field."""
        words = {*re.findall(r"\bfield\W+(\w+)", str(refused), re.IGNORECASE)}
        named = [name for name in asked if words & {*re.findall(r"\w+", name)}]
        for name in named or asked[-1:]:
            self._unknown.add(name)
            log.warning("W&B does not tell %s: %s", wandb_query.EXTRAS[name], refused)

    def _ours(self, text: str, asked: Question, size: Size) -> Iterator[Page]:
        """Pages by a query of ours. Raises Refused before the first page, if at all."""
        entity, _, name = asked.path.partition("/")
        given = {"entity": entity, "project": name, "order": asked.order}
        given["filters"] = json.dumps(asked.filters)
        cursor: str | None = None
        begun = more = False
        while more or not begun:
            try:
                page = self._page(text, {**given, "cursor": cursor}, asked.path, size)
            except Refused as refused:
                if begun:
                    raise ServiceError(str(refused)) from refused
                raise
            begun, more, cursor = True, page.more, page.end
            yield page
            size.grow()

    def _page(self, text: str, given: Mapping[str, Any], path: str, size: Size) -> Page:
        """One page, in smaller parts when it does not come."""

        def step() -> Any:
            return self._client.execute(text, {**given, "perPage": size.now})

        return wandb_query.page(self._found(self._client.persist(step, size.shrink), path))

    def _documented(self, asked: Question, size: int) -> Iterator[Page]:
        """Pages by the client's own, public listing."""
        runs = self._client.documented(asked.path, asked.filters, asked.order, size)
        more = True
        while more:
            data = self._client.persist(lambda: self._client.turn(runs))
            page = wandb_query.page(self._found(data, asked.path))
            more = page.more
            yield page

    def _found(self, data: Mapping[str, Any], path: str) -> Mapping[str, Any]:
        project = data.get("project")
        if project is None:
            raise NotFound(
                f"W&B at {self._client.host} has no project {path}, or hides it from this login: check the "
                "name (ENTITY/PROJECT, as in the browser's address), and who is logged in"
            )
        return project  # type: ignore[no-any-return]


def straight(pages: Iterator[Page]) -> Iterator[Page]:
    """The pages, as long as each begins behind the last one. Raises NotLight for a server that
    sends us back."""
    cursors: set[str | None] = {None}
    for page in pages:
        yield page
        if page.more and page.end in cursors:
            raise NotLight("W&B repeats a page of its list")
        cursors.add(page.end)


@contextlib.contextmanager
def light() -> Iterator[None]:
    """A query that is refused is no error but a reason to list whole runs: NotLight."""
    try:
        yield
    except Refused as refused:
        raise NotLight(str(refused)) from refused
