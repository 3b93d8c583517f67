"""What is asked of W&B, and how an answer becomes a Run. Pure: no I/O, no wandb.

Terms: a *node* is a run in a GraphQL answer, a dictionary whose `config` and `summaryMetrics` are
JSON text; a *page* is one answer's worth of nodes.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from runsheet.model import Run, Scope, Skip
from runsheet.sources.base import Query

# historyKeys and systemMetrics, which the client's own query asks for, are most of its cost
# (a page takes seven times as long to parse) and no column ever needs them.
LEAN = """
query RunsheetRuns($project: String!, $entity: String!, $cursor: String, $perPage: Int,
                   $order: String, $filters: JSONString) {
  project(name: $project, entityName: $entity) {
    runCount(filters: $filters)
    runs(filters: $filters, after: $cursor, first: $perPage, order: $order) {
      edges {
        node {
          name displayName state createdAt heartbeatAt tags group jobType notes sweepName %s
          user { username name } config summaryMetrics
        }
        cursor
      }
      pageInfo { endCursor hasNextPage }
    }
  }
}
"""

OURS = frozenset({"_wandb", "wandb_version"})
"""W&B's own entries of a config."""


def text(*, machine: bool) -> str:
    """The lean query, with the host name of the machine only when asked: it is personal."""
    return LEAN % ("host" if machine else "")


def filters(query: Query) -> dict[str, Any]:
    """The W&B filter object for a query; {} for all runs."""
    rules = [dict(query.filters)] if query.filters else []
    if query.users:
        rules.append({"username": {"$in": [*query.users]}})
    return {"$and": rules} if len(rules) > 1 else (rules[0] if rules else {})


@dataclass(frozen=True, slots=True)
class Page:
    """One page: (key, node) pairs in order, where `key` is the run id, or stands for a lost one.

    `count` is how many runs there are in all by this answer, None when it does not say; `end` is
    the cursor behind the page, None when it has none; `more` says whether to go on from there.
    """

    nodes: tuple[tuple[str, Mapping[str, Any]], ...]
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


def read(node: Mapping[str, Any], scope: Scope, app: str) -> list[Run | Skip]:
    """The run of a node, and a Skip for each part of it that could not be read.

    Values are left as they are ("NaN" included): cleaning is not a source's business. `app` is
    the address of the web pages, with a slash at its end.
    """
    name = node.get("name")
    if not name:
        return [Skip(scope.project, "W&B listed a run without giving its id")]
    try:
        return [*_read(node, str(name), scope, app)]
    except (AttributeError, TypeError, ValueError) as error:
        return [Skip(f"{scope.project}/{name}", f"W&B described it in an unknown way: {error}")]


def _read(node: Mapping[str, Any], name: str, scope: Scope, app: str) -> Iterator[Run | Skip]:
    what, lost = f"{scope.project}/{name}", _Lost([])
    created, heartbeat = (lost.time(node, key) for key in ("createdAt", "heartbeatAt"))
    config = {key: _unwrap(value) for key, value in lost.table(node, "config").items() if key not in OURS}
    summary = lost.table(node, "summaryMetrics")
    runtime = _runtime(summary, created, heartbeat)
    summary.pop("_wandb", None)
    yield Run(
        scope=scope,
        id=name,
        name=node.get("displayName") or "",
        state=node.get("state") or "",
        created=created,
        heartbeat=heartbeat,
        runtime=runtime,
        user=(node.get("user") or {}).get("username") or None,
        tags=tuple(str(tag) for tag in node.get("tags") or ()),
        group=node.get("group") or "",
        job_type=node.get("jobType") or "",
        sweep=node.get("sweepName") or "",
        notes=node.get("notes") or "",
        url=link(app, scope.project, name),
        machine=node.get("host") or "",
        config=config,
        summary=summary,
    )
    yield from (Skip(what, reason, count=0) for reason in lost.reasons)


def link(app: str, project: str, run: str) -> str:
    """The address of a run's page."""
    entity, _, name = project.partition("/")
    return f"{app}{quote(entity, safe='')}/{quote(name, safe='')}/runs/{quote(run, safe='')}"


@dataclass(frozen=True, slots=True)
class _Lost:
    """Reads parts of a node and keeps a reason for each that cannot be read."""

    reasons: list[str]

    def table(self, node: Mapping[str, Any], key: str) -> dict[str, Any]:
        """The JSON object under `key`; {} for null, absent, empty or unreadable text."""
        value = node.get(key)
        if isinstance(value, str):
            try:
                # strict=False: W&B keeps control characters as they were logged.
                value = json.loads(value, strict=False) if value.strip() else None
            except (ValueError, RecursionError):
                self.reasons.append(f"its {key} is not valid JSON, so it is taken as empty")
                return {}
        if isinstance(value, Mapping):
            return dict(value)
        if value:
            self.reasons.append(
                f"its {key} is a {type(value).__name__}, not an object, so it is taken as empty"
            )
        return {}

    def time(self, node: Mapping[str, Any], key: str) -> datetime | None:
        """The time under `key`; older servers leave the zone out and mean UTC."""
        value = node.get(key)
        if not value:
            return None
        try:
            found = datetime.fromisoformat(value)
            return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        except (TypeError, ValueError, OverflowError):
            self.reasons.append(f"its {key} is not a time, so it is left out")
            return None


def _unwrap(value: Any) -> Any:
    """A config entry without its {"value": ..}: once, since a user's own value may look the same."""
    return value["value"] if isinstance(value, dict) and "value" in value else value


def _runtime(
    summary: Mapping[str, Any], created: datetime | None, heartbeat: datetime | None
) -> float | None:
    inner = summary.get("_wandb")
    for value in (inner.get("runtime") if isinstance(inner, dict) else None, summary.get("_runtime")):
        if isinstance(value, int | float) and not isinstance(value, bool) and _sane(value):
            return float(value)
    if created is None or heartbeat is None:
        return None
    return max(0.0, (heartbeat - created).total_seconds())


def _sane(seconds: float) -> bool:
    """A duration that a float can hold; integers of any size come out of JSON."""
    return 0 <= seconds < 1e12 and math.isfinite(seconds)
