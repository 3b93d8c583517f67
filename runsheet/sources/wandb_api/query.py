"""What is asked of W&B, and how an answer becomes a Run. Pure: no I/O, no wandb.

Terms: a *node* is a run in a GraphQL answer, a dictionary whose `config` and `summaryMetrics` are
JSON text; a *page* is one answer's worth of nodes.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from runsheet.model import Run, Scope, Skip
from runsheet.sources.base import Query

Node = Mapping[str, Any]

TEXT = """
query %s($project: String!, $entity: String!, $cursor: String, $perPage: Int,
         $order: String, $filters: JSONString) {
  project(name: $project, entityName: $entity) {
    runCount(filters: $filters)
    runs(filters: $filters, after: $cursor, first: $perPage, order: $order) {
      edges {
        node { %s }
        cursor
      }
      pageInfo { endCursor hasNextPage }
    }
  }
}
"""

BRIEF = "name displayName state createdAt heartbeatAt user { username name }"
"""The fields of a light run."""

# historyKeys and systemMetrics, which the client's own query asks for, are most of its cost
# (a page takes seven times as long to parse) and no column ever needs them.
WHOLE = f"{BRIEF} tags group jobType notes sweepName config summaryMetrics"
"""The fields of a run, but for the EXTRAS."""

EXTRAS = {"host": "the machine of a run", "runInfo { gpuCount }": "how many GPUs a run had"}
"""Fields that are asked for on request only, and may be unknown to a server, with what they tell. The least
known comes last."""

PROJECTS = """
query RunsheetProjects($entity: String!, $cursor: String, $perPage: Int) {
  models(entityName: $entity, after: $cursor, first: $perPage) {
    edges { node { name entityName } }
    pageInfo { endCursor hasNextPage }
  }
}
"""
"""A part of what the client's own `Api.projects` asks for."""

OURS = frozenset({"_wandb", "wandb_version"})
"""W&B's own entries of a config."""


DECODER = json.JSONDecoder(strict=False)
"""W&B keeps control characters as they were logged. Made once: json.loads makes one for each text."""


def extras(query: Query) -> tuple[str, ...]:
    """The fields of EXTRAS that are wanted, in their order."""
    wanted = dict(zip(EXTRAS, (query.machine, query.gpus), strict=True))
    return tuple(name for name in EXTRAS if wanted[name])


def text(more: Iterable[str] = ()) -> str:
    """The lean query, with these fields of EXTRAS."""
    return TEXT % ("RunsheetRuns", " ".join((WHOLE, *more)))


def light_text() -> str:
    """The query for light runs: a tenth of the bytes, and next to nothing to parse."""
    return TEXT % ("RunsheetLight", BRIEF)


def filters(query: Query) -> dict[str, Any]:
    """The W&B filter object for a query; {} for all runs."""
    rules = [dict(query.filters)] if query.filters else []
    if query.users:
        rules.append({"username": {"$in": [*query.users]}})
    return {"$and": rules} if len(rules) > 1 else (rules[0] if rules else {})


def named(query: Query, ids: Sequence[str]) -> dict[str, Any]:
    """The W&B filter object for those runs of a query that have one of these ids."""
    own = filters(query)
    rules = [{"name": {"$in": [*ids]}}, *([own] if own else [])]
    return {"$and": rules}


@dataclass(frozen=True, slots=True)
class Page:
    """One page: (key, node) pairs in order, where `key` is the run id, or stands for a lost one.

    `count` is how many runs there are in all by this answer, None when it does not say; `end` is
    the cursor behind the page, None when it has none; `more` says whether to go on from there.
    """

    nodes: tuple[tuple[str, Node], ...]
    count: int | None
    end: str | None
    more: bool


def page(project: Mapping[str, Any]) -> Page:
    """Read the `project` object of an answer; fields that are missing or null are let pass."""
    runs = project.get("runs") or {}
    edges = [edge or {} for edge in runs.get("edges") or ()]
    info = runs.get("pageInfo") or {}
    found = tuple((_key(edge, index), edge.get("node") or {}) for index, edge in enumerate(edges))
    end = info.get("endCursor") or (edges[-1].get("cursor") if edges else None)
    return Page(found, project.get("runCount"), end, bool(info.get("hasNextPage")))


def _key(edge: Mapping[str, Any], index: int) -> str:
    """The run id; for a node without one, its place, so that it is counted and reported once."""
    name = (edge.get("node") or {}).get("name")
    return str(name) if name else f"?{edge.get('cursor') or index}"


def read(node: Node, scope: Scope, app: str) -> Sequence[Run | Skip]:
    """The run of a node, and a Skip for each part of it that could not be read.

    Values are left as they are ("NaN" included): cleaning is not a source's business. `app` is
    the address of the web pages, with a slash at its end.
    """
    name = node.get("name")
    if not name:
        return [Skip(scope.project, "W&B listed a run without giving its id")]
    lost: list[str] = []
    try:
        run = _read(node, str(name), scope, app, lost)
    except (AttributeError, TypeError, ValueError) as error:
        return [Skip(f"{scope.project}/{name}", f"W&B described it in an unknown way: {error}")]
    return [run, *(Skip(f"{scope.project}/{name}", reason, count=0) for reason in lost)]


def _read(node: Node, name: str, scope: Scope, app: str, lost: list[str]) -> Run:
    """The run; `lost` gets a reason for each part that cannot be read."""
    created, heartbeat = _time(node, "createdAt", lost), _time(node, "heartbeatAt", lost)
    config = _table(node, "config", lost)
    summary = _table(node, "summaryMetrics", lost)
    clocked = _clocked(summary)
    summary.pop("_wandb", None)
    return Run(
        scope=scope,
        id=name,
        name=node.get("displayName") or "",
        state=node.get("state") or "",
        created=created,
        heartbeat=heartbeat,
        runtime=_span(created, heartbeat) if clocked is None else clocked,
        user=(node.get("user") or {}).get("username") or None,
        tags=tuple(str(tag) for tag in node.get("tags") or ()),
        group=node.get("group") or "",
        job_type=node.get("jobType") or "",
        sweep=node.get("sweepName") or "",
        notes=node.get("notes") or "",
        url=link(app, scope.project, name),
        machine=node.get("host") or "",
        timed=clocked is not None,
        gpus=_gpus(node.get("runInfo")),
        config=_unwrapped(config),
        summary=summary,
    )


def link(app: str, project: str, run: str) -> str:
    """The address of a run's page."""
    return f"{_pages(app, project)}{quote(run, safe='')}"


@lru_cache(maxsize=64)
def _pages(app: str, project: str) -> str:
    """What the addresses of all runs of a project begin with."""
    entity, _, name = project.partition("/")
    return f"{app}{quote(entity, safe='')}/{quote(name, safe='')}/runs/"


def _table(node: Node, key: str, lost: list[str]) -> dict[str, Any]:
    """The JSON object under `key`; {} for null, absent, empty or unreadable text."""
    value = node.get(key)
    if isinstance(value, str):
        try:
            value = DECODER.decode(value) if value.strip() else None
        except (ValueError, RecursionError):
            lost.append(f"its {key} is not valid JSON, so it is taken as empty")
            return {}
    elif isinstance(value, Mapping):
        value = dict(value)  # what is read is changed, a node never is
    if isinstance(value, dict):
        return value
    if value:
        lost.append(f"its {key} is a {type(value).__name__}, not an object, so it is taken as empty")
    return {}


def _time(node: Node, key: str, lost: list[str]) -> datetime | None:
    """The time under `key`; older servers leave the zone out and mean UTC."""
    value = node.get(key)
    if not value:
        return None
    try:
        found = datetime.fromisoformat(value)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        lost.append(f"its {key} is not a time, so it is left out")
        return None


def _unwrapped(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config without W&B's own entries, and each of the others without its {"value": ..}: once, since
    a user's own value may look the same."""
    return {
        key: value["value"] if isinstance(value, dict) and "value" in value else value
        for key, value in config.items()
        if key not in OURS
    }


def _gpus(info: Any) -> int | None:
    """How many GPUs; None for 0 too, which is how "not looked" may come out of a client or server."""
    count = info.get("gpuCount") if isinstance(info, dict) else None
    return count if isinstance(count, int) and not isinstance(count, bool) and count > 0 else None


def _clocked(summary: Mapping[str, Any]) -> float | None:
    """The runtime by the run's own clock: that of its process, or of its last log if that is later."""
    inner = summary.get("_wandb")
    told = (inner.get("runtime") if isinstance(inner, dict) else None, summary.get("_runtime"))
    times = [value for value in told if isinstance(value, int | float) and not isinstance(value, bool)]
    return max((float(value) for value in times if _sane(value)), default=None)


def _span(created: datetime | None, heartbeat: datetime | None) -> float | None:
    """From the start to the last sign of life."""
    if created is None or heartbeat is None:
        return None
    return max(0.0, (heartbeat - created).total_seconds())


def _sane(seconds: float) -> bool:
    """A duration that a float can hold; integers of any size come out of JSON."""
    return 0 <= seconds < 1e12 and math.isfinite(seconds)
