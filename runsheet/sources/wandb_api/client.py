"""Ask W&B's GraphQL API through the wandb client: its login, proxies, TLS and retries; our bounds.

This is the border: every exception of the client becomes one of ours here, with its true cause.
"""

import os
import threading
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

from runsheet.clock import Clock
from runsheet.errors import ConfigError, NotFound, RunsheetError, Stopped, Unreachable
from runsheet.hosts import check_http
from runsheet.retry import Again, Policy
from runsheet.sources.wandb_api.errors import LOGIN, Failure, Refused, explain
from runsheet.sources.wandb_api.session import SESSION, environment

T = TypeVar("T")

TRIES = 3
"""How often a read is asked for in all, where the client does not repeat it by itself."""

SAME = {
    "forge.coreweave.com": "api.wandb.ai",
    "api.forge.coreweave.com": "api.wandb.ai",
}
"""Other names of a service. wandb 0.31 changed its default address; runs keep their identity (P1)."""


class Failed(Exception):
    """A request failed. Stays within the source: what leaves it is `failure.error`."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure.error))
        self.failure = failure


class Client:
    """One login to one W&B server, made on first use; close() ends it for good.

    Threads may use it at the same time: wandb's own object serves them, ten requests at a time.
    `requests` counts requests as far as they can be seen: the client's own repetitions cannot.
    `pace` is called before each of them, and may wait.
    """

    def __init__(
        self,
        host: str,
        clock: Clock,
        timeout: float,
        allow_http: Collection[str],
        pace: Callable[[], None] = lambda: None,
    ) -> None:
        self._given = host
        self._clock = clock
        self._timeout = timeout
        self._allow = allow_http
        self._pace = pace
        self._wandb: Any = None
        self._api: Any = None
        self._url = ""
        self._entity = ""
        self._closed = False
        self._lock = threading.RLock()
        """Held while what is asked for once is asked for: the login and what comes with it."""
        self._used = threading.local()
        """The login that the last step of this thread was made with."""
        self._documented = threading.Lock()
        self._count = threading.Lock()
        self.requests = 0

    @property
    def url(self) -> str:
        """The base URL. Raises ConfigError when it is none, or plain http is not allowed for it."""
        with self._lock:
            if not self._url:
                found = self._given or os.environ.get("WANDB_BASE_URL") or self._configured()
                self._url = checked(found if "://" in found else f"https://{found}", self._allow)
            return self._url

    @property
    def host(self) -> str:
        """The server's part of a run's identity."""
        return identity(self.url)

    def app(self) -> str:
        """The address of the web pages, with a slash at its end."""
        return self.persist(self._app_url).rstrip("/") + "/"

    def entity(self) -> str:
        """The entity of projects given without one; "" when the login has none."""
        with self._lock:
            if not self._entity:
                self._entity = self.persist(self._default)
            return self._entity

    def execute(self, query: str, variables: Mapping[str, Any]) -> Any:
        """The data of one GraphQL answer. A step for persist()."""
        api = self._login()
        try:
            send = api._service_api.execute_graphql  # private: see `documented`
            self._request()
            data = send(query, variables, timeout=self._timeout / 2)
        except (AttributeError, TypeError) as error:
            raise Refused(f"this version of wandb sends no query of ours: {error}") from error
        if data is None:
            text = f"W&B at {self.host} answered without data"
            raise Failed(Failure(Unreachable(text), again=True, smaller=True))
        return data

    def documented(self, path: str, filters: Mapping[str, Any], order: str, size: int) -> Any:
        """The client's own, public listing of runs, which asks for nothing yet."""
        self.entity()  # api.runs() asks for it even when it is not needed; here it is counted

        def step() -> Any:
            api = self._login()
            with self._documented:
                api.flush()  # or it gives out the same, stale object for the same question
                return api.runs(path, filters=dict(filters), order=order, per_page=size, lazy=False)

        return self.persist(step)

    def turn(self, runs: Any) -> Any:
        """The next answer behind a `documented` listing. A step for persist().

        Its Run objects are damaged goods: a page with a run without a user, or with a summary that
        is a list, raises and is lost, and a config value {"value": ..} is unwrapped twice. All
        that happens after the answer was kept in `last_response`, which is read here instead.
        """
        before = runs.last_response
        runs.objects.clear()  # it keeps all runs otherwise
        self._request()
        # Each Run makes a directory for itself otherwise; the environment is everybody's.
        with self._documented, environment(WANDB_DIR=os.devnull):
            try:
                next(iter(runs), None)
            except Exception:
                if runs.last_response is before:
                    raise
        return runs.last_response or {}

    def documented_run(self, path: str, streams: Collection[str], samples: int) -> dict[str, Any]:
        """What a run, "entity/project/id", logged, by the client's own, public classes: what is known of its
        history, and the rows of these streams, of "history" and "events". Raises NotFound."""
        self.entity()  # api.run() may ask for it; here it is counted

        def step() -> dict[str, Any]:
            run = self._loaded(path)
            found = {"historyKeys": getattr(run, "history_keys", None)}
            found["historyLineCount"] = getattr(run, "history_line_count", None)
            for name in streams:
                self._request()
                stream = "system" if name == "events" else "default"
                found[name] = run.history(samples=samples, pandas=False, stream=stream)
            return found

        return self.persist(step)

    def gone(self, path: str) -> NotFound:
        """The error for a run, "entity/project/id", that is not there."""
        return NotFound(f"W&B at {self.host} has no run {path} any more, or hides it from this login")

    def documented_projects(self, entity: str, size: int) -> set[str]:
        """All projects of an entity as "entity/project", by the client's own, public listing; it keeps
        what it saw for as long as the login."""

        def step() -> set[str]:
            pages = self._login().projects(entity, per_page=size)
            found: set[str] = set()
            self._request()
            try:
                for number, project in enumerate(pages, 1):
                    found.add(f"{project.entity}/{project.name}")
                    if number % size == 0 and pages.more:
                        self._request()
            except ValueError as error:
                if "Unable to parse" not in str(error):  # its word for an answer without a list
                    raise
            return found

        return self.persist(step)

    def persist(self, step: Callable[[], T], shrink: Callable[[], bool] = lambda: False) -> T:
        """The result of a step that only reads, repeated while that may help.

        `shrink` makes the next step ask for less and says whether it could. Raises our errors,
        Refused for a query that the server does not know, and Stopped.
        """

        def attempt() -> T:
            self._clock.check()
            try:
                return self._translated(step)
            except Failed as failed:
                why = failed.failure
                if (why.smaller and shrink()) or why.again:
                    raise Again(why.error) from failed.__cause__
                raise why.error from failed.__cause__

        return Policy(TRIES, self._timeout, longest=4.0).run(attempt, self._clock)

    def close(self) -> None:
        """Forget the login; the helper process ends when nobody else uses it. May be repeated.

        A request that is still under way in another thread fails, and is not repeated.
        """
        with self._lock:
            self._closed = True
            self._api = None
            if self._wandb is not None:
                self._wandb = None
                SESSION.give_back()

    def _translated(self, step: Callable[[], T]) -> T:
        try:
            return step()
        except (RunsheetError, Failed):
            raise
        except Exception as error:
            failure = explain(error, self.host)
            if failure.dead:
                self._bury()
            raise Failed(failure) from error

    def _bury(self) -> None:
        """Stop a helper process that is gone, unless another thread has started it anew already."""
        with self._lock:
            if not self._closed and self._api in (None, getattr(self._used, "api", None)):
                self._api = None
                SESSION.stop()

    def _request(self) -> None:
        """Count a request that is about to be sent, when it may be."""
        self._pace()
        with self._count:
            self.requests += 1

    def _loaded(self, path: str) -> Any:
        """The client's own Run, with all its values. A part of a step for persist()."""
        api = self._login()
        self._request()
        with self._documented, environment(WANDB_DIR=os.devnull):  # as in turn()
            api.flush()  # or it gives out the run as it was when it was asked for first
            try:
                return api.run(path)
            except Exception as error:
                if "Could not find run" in str(error):
                    raise self.gone(path) from error
                raise

    def _module(self) -> Any:
        with self._lock:
            if self._closed:
                raise Stopped("the source was closed")
            if self._wandb is None:
                self._wandb = SESSION.borrow(self._timeout)
            return self._wandb

    def _configured(self) -> str:
        """The address by the client's settings files and defaults."""
        try:
            return str(self._module().sdk.wandb_setup.singleton().settings.base_url)
        except RunsheetError:
            raise
        except Exception as error:
            raise explain(error, "its default address").error from error

    def _login(self) -> Any:
        """The client's Api object, logged in."""
        with self._lock:
            module = self._module()
            if self._api is None:
                require_login(self.url, self.host)
                self._request()  # Viewer: it checks the key at once
                overrides = {"base_url": self.url}
                self._api = module.Api(overrides=overrides, timeout=max(1, int(self._timeout / 2)))
            self._used.api = self._api
            return self._api

    def _app_url(self) -> str:
        api = self._login()
        try:
            return str(api._service_api.app_url)
        except AttributeError:
            return str(self._module().util.api_to_app_url(self.url))

    def _default(self) -> str:
        api = self._login()
        if configured := api.settings.get("entity"):
            return str(configured)
        self._request()
        return api.default_entity or ""


def require_login(url: str, host: str) -> None:
    """Raise ConfigError when the client would find no login; it would ask on a terminal."""
    try:
        from wandb.sdk.lib import wbauth

        found = wbauth.authenticate_session(host=url, source="runsheet", prompt=False, update_session=False)
    except (ImportError, AttributeError, TypeError):
        return  # another version of wandb: WANDB_SILENT keeps it from asking, and Api() complains
    if found is None:
        raise ConfigError(LOGIN.format(host=host))


def checked(url: str, allowed: Collection[str]) -> str:
    """The address as given, when the key may be sent there (P8)."""
    try:
        _ = urlsplit(url).port
        check_http(url, allowed, "the W&B server")
    except ValueError as error:
        raise ConfigError(f"the W&B server: {url!r} is not a URL: {error}") from error
    return url.rstrip("/")


def identity(url: str) -> str:
    """Host, and port if it is given, of a base URL; one name for a service that has several."""
    parts = urlsplit(url)
    name = parts.hostname or ""
    return f"{name}:{parts.port}" if parts.port else SAME.get(name, name)
