"""The stand-in server: the dataset, a list of faults to play, a record of requests."""

import json
import threading
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from graphql import GraphQLError, OperationDefinitionNode

from tests.support.wandb import schema
from tests.support.wandb.data import Project, Run, User, make_run
from tests.support.wandb.execute import execute, user_object
from tests.support.wandb.faults import Answer, Fault
from tests.support.wandb.filters import BadFilter, matches
from tests.support.wandb.paging import Script, candidates, cursor, listing, offset, page
from tests.support.wandb.wire import Http, handler

KEY = "0123456789abcdef0123456789abcdef01234567"
FEATURES: dict[str, bool] = {}


@dataclass(frozen=True)
class Request:
    """One GraphQL request as it came in. `name` is the operation's; `key` what it was signed with."""

    name: str
    query: str
    variables: dict[str, Any]
    key: str
    headers: dict[str, str]


@dataclass
class _Planned:
    """A fault and when to play it: after `wait` further requests that match, `times` times."""

    fault: Fault
    wait: int
    times: int | None
    query: str


@dataclass
class _State:
    """What a test may change while the server runs."""

    keys: dict[str, User | None] = field(default_factory=dict)
    projects: dict[tuple[str, str], Project] = field(default_factory=dict)
    planned: list[_Planned] = field(default_factory=list)
    crashes: list[BaseException] = field(default_factory=list)


class WandbServer:
    """A W&B server on loopback; a context manager. `url` is its base URL.

    `without` names fields that this server is too old to know, as "Run.host". `requests` are the
    GraphQL requests so far, those that failed included; `between`, when set, is called with the
    number of the page (from 2) before a page with a cursor is answered; `before_request` and
    `after_request` with each request, before and after it is applied. `script`: see Script. `headers`
    go with each answer, as RateLimit-Remaining would.
    """

    def __init__(
        self, *, entity: str = "team", user: str = "ann", key: str = KEY, without: tuple[str, ...] = ()
    ) -> None:
        self.key = key
        self.user = User(user, user.title(), entity, (entity,))
        self.without = frozenset(without)
        self.requests: list[Request] = []
        self.script = Script()
        self.headers: dict[str, str] = {}
        self.between: Callable[[int], None] | None = None
        self.before_request: Callable[[Request], object] | None = None
        self.after_request: Callable[[Request], object] | None = None
        self.lock = threading.RLock()
        self.closed = threading.Event()
        self._state = _State(keys={key: self.user})
        self._pages = 0
        self._http = Http(("127.0.0.1", 0), handler(self))
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def host(self) -> str:
        """Address and port."""
        return f"127.0.0.1:{self._http.server_address[1]}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def env(self, home: Path | None = None) -> dict[str, str]:
        """What a child process needs in its environment to use this server, and only this.

        With `home`, also an empty home directory, so that no login of the machine is found.
        """
        found = {
            "WANDB_BASE_URL": self.url,
            "WANDB_API_KEY": self.key,
            "WANDB_ERROR_REPORTING": "false",
            "WANDB_SILENT": "true",
            "NO_PROXY": "127.0.0.1,localhost",
        }
        if home is not None:
            found |= {"HOME": str(home), "NETRC": str(home / ".netrc"), "TMPDIR": str(home)}
            found |= {"WANDB_CONFIG_DIR": str(home / "config"), "XDG_CACHE_HOME": str(home / "cache")}
        return found

    # What the server knows.

    def add_key(self, key: str, user: User | None) -> None:
        """Let another key in; with None for the user, as nobody (the viewer is null)."""
        self._state.keys[key] = user

    def drop_key(self, key: str) -> None:
        """Revoke a key."""
        self._state.keys.pop(key, None)

    def project(self, entity: str, name: str) -> Project:
        """The project, made when it is new."""
        with self.lock:
            known = self._state.projects
            return known.setdefault((entity, name), Project(entity, name, len(known) + 1))

    def add(self, entity: str, project: str, *runs: Run) -> None:
        """Put runs into a project; one with a known id replaces the old one."""
        with self.lock:
            self.project(entity, project).runs.update((run.id, run) for run in runs)
            Run.edits += 1

    def add_runs(
        self, entity: str, project: str, n: int, *, configs: int = 4, metrics: int = 3, **fields: Any
    ) -> list[Run]:
        """Add n made-up runs, a minute apart, and return them; `fields` are set on each."""
        with self.lock:
            start = len(self.project(entity, project).runs)
            made = [
                make_run(number, self.user, configs=configs, metrics=metrics)
                for number in range(start, start + n)
            ]
            for run in made:
                for name, value in fields.items():
                    setattr(run, name, value)
            self.add(entity, project, *made)
            return made

    def delete(self, entity: str, project: str, *ids: str) -> None:
        """Delete runs."""
        with self.lock:
            for one in ids:
                del self.project(entity, project).runs[one]
            Run.edits += 1

    # What goes wrong.

    def fail(self, fault: Fault, *, at: int = 1, times: int | None = 1, query: str = "") -> None:
        """Play a fault from the at-th request on that comes from now, `times` times (None: for good).

        Only requests whose query holds the text `query` count.
        """
        with self.lock:
            self._state.planned.append(_Planned(fault, at - 1, times, query))

    def shift_pages(self, *shifts: int) -> None:
        """Let each following page begin that much too late (1 skips a run) or early (-1 repeats one)."""
        self.script.shifts = list(shifts)

    def heal(self) -> None:
        """Forget all faults and scripts; forget the requests too."""
        with self.lock:
            self._state.planned.clear()
            self.requests.clear()
            self.headers.clear()
            self.script, self.between = Script(), None

    def reset(self) -> None:
        """As new: no projects, no faults, no requests, nothing to call, the first key."""
        with self.lock:
            self.heal()
            self.before_request = self.after_request = None
            self._state.projects.clear()
            self._state.keys = {self.key: self.user}

    def count(self, name: str = "") -> int:
        """How many requests came in; with a name, of that operation."""
        return sum(1 for request in self.requests if not name or request.name == name)

    # One request.

    def respond(self, body: bytes, headers: Mapping[str, str]) -> tuple[Answer, Fault | None]:
        """The answer to one POST, and the fault to play over it."""
        request = _read(body, headers)
        if self.before_request:
            self.before_request(request)
        with self.lock:
            self.requests.append(request)
            fault = self._due(request)
            answer = self._answer(request)
            answer = replace(answer, headers={**answer.headers, **self.headers})
        if self.after_request:
            self.after_request(request)
        return answer, fault

    def _due(self, request: Request) -> Fault | None:
        due: Fault | None = None
        for plan in self._state.planned:
            if plan.query not in request.query or plan.times == 0:
                continue
            if plan.wait > 0:
                plan.wait -= 1
            elif due is None:
                due = plan.fault
                plan.times = None if plan.times is None else plan.times - 1
        return due

    def _answer(self, request: Request) -> Answer:
        if request.key not in self._state.keys:
            return _errors(401, "user is not logged in")
        try:
            document, wrong = schema.check(request.query, self.without)
        except GraphQLError as error:
            return _errors(400, error.message)
        if wrong:
            return _errors(400, *(error.message for error in wrong))
        try:
            roots = self._roots(self._state.keys[request.key])
            data = execute(document, request.variables, roots, self.script.cap)
        except (GraphQLError, BadFilter) as error:
            return _errors(200, str(error))
        return Answer(f'{{"data":{data}}}'.encode())

    def _roots(self, viewer: User | None) -> dict[str, Any]:
        features = [{"name": name, "isEnabled": on} for name, on in FEATURES.items()]
        return {
            "viewer": user_object(viewer) if viewer else None,
            "serverInfo": {"features": features, "cliVersionInfo": "{}", "latestLocalVersionInfo": None},
            "project": self._project,
            "entity": lambda name: {"id": name, "name": name},
            "models": self._models,
            "__typename": "Query",
        }

    def _project(self, name: str | None, entityName: str | None) -> dict[str, Any] | None:  # noqa: N803
        found = self._state.projects.get((entityName or "", name or ""))
        return _project_object(found, self._page) if found and not found.hidden else None

    def _models(
        self,
        entityName: str | None = None,  # noqa: N803
        first: int | None = None,
        after: str | None = None,
    ) -> dict[str, Any] | None:
        """A page of the projects of an entity, the latest first; null for an entity that nobody knows."""
        known = [project for project in self._state.projects.values() if project.entity == entityName]
        if not known and entityName not in self.user.teams:
            return None
        shown = [project for project in reversed(known) if not project.hidden]
        start, size = offset(after), first or 50
        part = shown[start : start + size]
        edges = [{"node": _project_object(one, self._page), "cursor": cursor(start)} for one in part]
        more = start + size < len(shown)
        end = cursor(start + len(part) - 1) if part else None
        return {
            "edges": edges,
            "pageInfo": {"endCursor": end, "hasNextPage": more, "__typename": "PageInfo"},
            "__typename": "ProjectConnection",
        }

    def _page(self, project: Project, first: int | None, after: str | None, order: str, rule: Any) -> Any:
        self._pages = self._pages + 1 if after else 1
        if after and self.between:
            self.between(self._pages)
        if unknown := [name for name in self.script.refuses if f'"{name}"' in json.dumps(rule)]:
            raise BadFilter(f"unknown filter field {unknown[0]!r}")
        rule = {} if "filters" in self.script.ignores else rule
        order = "+created_at" if "order" in self.script.ignores else order
        return page(listing(project, rule, order), after, first, self.script)

    # Life.

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving. Raises what the server itself stumbled over."""
        self.closed.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
        if self._state.crashes:
            raise self._state.crashes[0]

    def crashed(self, error: BaseException) -> None:
        """Keep an error of the server's own, for close()."""
        self._state.crashes.append(error)


def _project_object(project: Project, answer: Callable[..., Any]) -> dict[str, Any]:
    def runs(
        first: int | None = None,
        after: str | None = None,
        order: str | None = None,
        filters: str | None = None,
    ) -> Any:
        return answer(project, first, after, order or "+created_at", json.loads(filters or "{}"))

    def count(filters: str | None = None) -> int:
        rule = json.loads(filters or "{}")
        return sum(matches(run, rule) for run in candidates(project, rule)) if rule else len(project.runs)

    return {
        "id": f"P{project.number}",
        "internalId": str(project.number),
        "name": project.name,
        "entityName": project.entity,
        "createdAt": project.created_at,
        "isBenchmark": False,
        "readOnly": False,
        "user": None,
        "runCount": count,
        "run": lambda name: project.runs.get(name),
        "runs": runs,
        "__typename": "Project",
    }


def _errors(status: int, *messages: str) -> Answer:
    body = {"errors": [{"message": message} for message in messages], "data": None}
    return Answer(json.dumps(body).encode(), status)


def _read(body: bytes, headers: Mapping[str, str]) -> Request:
    asked = json.loads(body)
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    key = b64decode(token).decode().partition(":")[2] if scheme == "Basic" else ""
    return Request(
        _operation(asked["query"]), asked["query"], asked.get("variables") or {}, key, dict(headers)
    )


def _operation(query: str) -> str:
    try:
        document, _ = schema.check(query)
    except GraphQLError:
        return ""
    named = (d.name for d in document.definitions if isinstance(d, OperationDefinitionNode))
    return next((name.value for name in named if name), "")
