"""Answer a GraphQL document from the dataset.

graphql-core's own executor costs some 10 µs a field, which is seconds for ten thousand runs. So
documents are parsed and validated by it, and executed here: objects are dictionaries whose values
may be functions of the field's arguments, and runs are rendered once to text, kept with the run.
"""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    NonNullTypeNode,
    OperationDefinitionNode,
    SelectionSetNode,
    value_from_ast_untyped,
)

from tests.support.wandb import streams
from tests.support.wandb.data import Run
from tests.support.wandb.paging import Page, cursor

RUN_FIELDS: dict[str, Callable[[Run], Any]] = {
    "id": lambda run: b64encode(f"Run:v1:{run.id}".encode()).decode(),
    "name": lambda run: run.id,
    "projectId": lambda run: 1,
    "displayName": lambda run: run.display_name,
    "state": lambda run: run.state,
    "createdAt": lambda run: run.created_at,
    "heartbeatAt": lambda run: run.heartbeat_at,
    "tags": lambda run: run.tags,
    "group": lambda run: run.group,
    "jobType": lambda run: run.job_type,
    "sweepName": lambda run: run.sweep_name,
    "notes": lambda run: run.notes,
    "description": lambda run: run.description,
    "commit": lambda run: run.commit,
    "readOnly": lambda run: False,
    "historyLineCount": lambda run: len(run.history_rows) if run.lines is None else run.lines,
    "host": lambda run: run.host,
    "user": lambda run: run.user and user_object(run.user),
    "config": lambda run: run.config,
    "summaryMetrics": lambda run: run.summary,
    "systemMetrics": lambda run: run.system,
    "historyKeys": lambda run: streams.keys(run.history_rows) if run.history is None else run.history,
    "history": lambda run: partial(streams.texts, run.history_rows),
    "events": lambda run: partial(streams.texts, run.system_rows),
    "runInfo": lambda run: None if run.gpu_count is None else {"program": None, "gpuCount": run.gpu_count},
    "__typename": lambda run: "Run",
}

Chosen = tuple[tuple[str, str, int | None, Any], ...]
"""Fields of a selection: (key in the answer, field, how many rows, chosen inside)."""


class Raw(str):
    """JSON text that goes into the answer as it is."""

    __slots__ = ()


@dataclass(frozen=True)
class Request:
    """What one execution needs to know of the document. `cap`: rows of a run at most."""

    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Mapping[str, Any]
    cap: int


def user_object(user: Any) -> dict[str, Any]:
    """An account as an object of the schema."""
    teams = [{"node": {"id": team, "name": team}} for team in user.teams]
    return {
        "id": b64encode(f"User:{user.username}".encode()).decode(),
        "name": user.name or user.username,
        "username": user.username,
        "email": f"{user.username}@example.org",
        "admin": False,
        "flags": "{}",
        "entity": user.entity or None,
        "deletedAt": None,
        "apiKeys": {"edges": []},
        "teams": {"edges": teams},
        "__typename": "User",
    }


def execute(document: DocumentNode, variables: Mapping[str, Any], roots: Mapping[str, Any], cap: int) -> str:
    """The text of the answer's `data`. Raises GraphQLError for variables that do not fit."""
    operation = next(d for d in document.definitions if isinstance(d, OperationDefinitionNode))
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
    request = Request(fragments, _variables(operation, variables), cap)
    return write(_object(request, operation.selection_set, roots))


def _variables(operation: OperationDefinitionNode, given: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for node in operation.variable_definitions or ():
        name = node.variable.name.value
        default = node.default_value and value_from_ast_untyped(node.default_value)
        found[name] = given.get(name, default)
        if found[name] is None and isinstance(node.type, NonNullTypeNode):
            raise GraphQLError(f"Variable '${name}' of required type was not provided.")
    return found


def fields(request: Request, selection: SelectionSetNode) -> Iterator[FieldNode]:
    """The fields of a selection, fragments followed, @skip and @include obeyed."""
    for node in selection.selections:
        if not _included(request, node):
            continue
        if isinstance(node, FieldNode):
            yield node
        elif isinstance(node, FragmentSpreadNode):
            yield from fields(request, request.fragments[node.name.value].selection_set)
        elif isinstance(node, InlineFragmentNode):
            yield from fields(request, node.selection_set)


def _included(request: Request, node: Any) -> bool:
    for directive in node.directives or ():
        value = value_from_ast_untyped(directive.arguments[0].value, dict(request.variables))
        if bool(value) == (directive.name.value == "skip"):
            return False
    return True


def _key(node: FieldNode) -> str:
    return node.alias.value if node.alias else node.name.value


def _object(request: Request, selection: SelectionSetNode, source: Any) -> Any:
    if isinstance(source, Run):
        return render(chosen(request, selection), source)
    if isinstance(source, Page):
        source = _connection(request, selection, source)
    return {_key(node): _field(request, node, source[node.name.value]) for node in fields(request, selection)}


def _field(request: Request, node: FieldNode, value: Any) -> Any:
    if callable(value):
        given = dict(request.variables)
        value = value(
            **{one.name.value: value_from_ast_untyped(one.value, given) for one in node.arguments or ()}
        )
    if value is None or isinstance(value, Raw) or node.selection_set is None:
        return value
    if isinstance(value, list):
        return [_object(request, node.selection_set, one) for one in value]
    return _object(request, node.selection_set, value)


def _connection(request: Request, selection: SelectionSetNode, page: Page) -> dict[str, Any]:
    edges = [node for node in fields(request, selection) if node.name.value == "edges"]
    texts: list[str] = []
    if edges and edges[0].selection_set:
        texts = [*_edges(request, edges[0].selection_set, page)]
    info = {"endCursor": page.end, "hasNextPage": page.more, "__typename": "PageInfo"}
    return {
        "edges": Raw(f"[{','.join(texts)}]"),
        "pageInfo": info,
        "totalCount": page.total,
        "__typename": "RunConnection",
    }


def _edges(request: Request, selection: SelectionSetNode, page: Page) -> Iterator[str]:
    nodes = [*fields(request, selection)]
    wanted = [(_key(n), n.selection_set and chosen(request, n.selection_set)) for n in nodes]
    for index, run in enumerate(page.runs):
        parts = []
        for key, inside in wanted:
            text = render(inside, run) if inside else json.dumps(page.stuck or cursor(page.first + index))
            parts.append(f'"{key}":{text}')
        yield f"{{{','.join(parts)}}}"


def chosen(request: Request, selection: SelectionSetNode) -> Chosen:
    """The fields chosen of a run, as a value that can be a key."""
    return tuple(
        (
            _key(node),
            node.name.value,
            _sampling(request, node),
            chosen(request, node.selection_set) if node.selection_set else None,
        )
        for node in fields(request, selection)
    )


def _sampling(request: Request, node: FieldNode) -> int | None:
    """How many rows are asked for, if the field takes that argument: fields of a run take no other."""
    given = dict(request.variables)
    for one in node.arguments or ():
        return min(value_from_ast_untyped(one.value, given) or streams.SAMPLES, request.cap)
    return None


def render(wanted: Chosen, run: Run | None) -> Raw:
    """The JSON text of a run, kept with the run until it is edited. "null" for None."""
    if run is None:
        return Raw("null")
    kept: dict[Chosen, Raw] = run.rendered  # type: ignore[attr-defined]
    if wanted not in kept:
        kept[wanted] = Raw(write(_choose(wanted, {one[1]: RUN_FIELDS[one[1]](run) for one in wanted})))
    return kept[wanted]


def _choose(wanted: Chosen, source: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, name, samples, inside in wanted:
        value = source[name] if samples is None else source[name](samples)
        found[key] = _choose(inside, value) if inside and isinstance(value, dict) else value
    return found


def write(value: Any) -> str:
    """JSON text of a value that may hold Raw parts."""
    if isinstance(value, Raw):
        return value
    if isinstance(value, dict):
        return f"{{{','.join(f'{json.dumps(k)}:{write(v)}' for k, v in value.items())}}}"
    if isinstance(value, list):
        return f"[{','.join(write(one) for one in value)}]"
    return json.dumps(value)
