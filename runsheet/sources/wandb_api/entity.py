"""The projects of an entity, by a part of the client's own query for them."""

import logging
from collections.abc import Mapping
from typing import Any

from runsheet.errors import NotFound, ServiceError
from runsheet.sources.wandb_api import query as wandb_query
from runsheet.sources.wandb_api.client import Client
from runsheet.sources.wandb_api.errors import Refused

log = logging.getLogger(__name__)

PAGE = 200
"""Projects in a page: what the client asks for itself."""


def projects(client: Client, entity: str) -> tuple[str, ...]:
    """All projects of an entity that the login may see, as "entity/project", in alphabetical order.

    Raises NotFound when there is none: W&B does not tell an entity without projects from one that does
    not exist or that it hides.
    """
    try:
        found = _ours(client, entity)
    except Refused as refused:
        log.warning("projects are listed by the documented way, since ours failed: %s", refused)
        found = client.documented_projects(entity, PAGE)
    if not found:
        raise NotFound(
            f"W&B at {client.host} shows no project of {entity} to this login: check the name (ENTITY, as in "
            "the browser's address), and who is logged in"
        )
    return tuple(sorted(found))


def _ours(client: Client, entity: str) -> set[str]:
    """By one request a page. Raises Refused."""
    found: set[str] = set()
    cursors: set[str | None] = set()
    cursor: str | None = None
    while cursor not in cursors:
        cursors.add(cursor)
        page = _page(client, entity, cursor)
        nodes = [(edge or {}).get("node") or {} for edge in page.get("edges") or ()]
        found |= {f"{node.get('entityName') or entity}/{node['name']}" for node in nodes if "name" in node}
        info = page.get("pageInfo") or {}
        if not info.get("hasNextPage"):
            return found
        cursor = info.get("endCursor")
    raise ServiceError(f"W&B at {client.host} repeats a page of the projects of {entity}")


def _page(client: Client, entity: str, cursor: str | None) -> Mapping[str, Any]:
    given = {"entity": entity, "cursor": cursor, "perPage": PAGE}
    page = client.persist(lambda: client.execute(wandb_query.PROJECTS, given)).get("models")
    return page or {}
