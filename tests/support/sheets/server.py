"""The stand-in over HTTP, with faults.

    with SheetsServer() as server:
        document = server.create("Results")
        server.script(applied("reset", kind="write"))
        ...
        assert server.count("write") == 2

One server answers all three hosts (sheets.googleapis.com, www.googleapis.com, oauth2.googleapis.com) by path.
A request is applied under one lock; `before_request` and `after_request` are called outside of it.
"""

from __future__ import annotations

import gzip
import json
import select
import socket
import struct
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tests.support.sheets import api
from tests.support.sheets.access import ACCOUNT, Bearer, GrantError
from tests.support.sheets.api import Api
from tests.support.sheets.document import ANYONE, Document
from tests.support.sheets.errors import ApiError
from tests.support.sheets.faults import Fault, Request
from tests.support.sheets.grid import Grid

GATEWAY = b"""<!DOCTYPE html>
<html lang=en>
  <title>Error 502 (Server Error)!!1</title>
  <p><b>502.</b> <ins>That's an error.</ins>
  <p>The server encountered a temporary error and could not complete your request.
  <p>Please try again in 30 seconds.
"""
MESSAGES = {
    429: "Quota exceeded for quota metric 'Write requests' and limit 'Write requests per minute per user' of "
    "service 'sheets.googleapis.com' for consumer 'project_number:1'.",
    500: "Internal error encountered.",
    503: "The service is currently unavailable.",
}
Reply = tuple[int, str, bytes]
"""Status, content type and body."""


class SheetsServer:
    """A server on a free port of the loopback; a context manager. See the module's docstring."""

    def __init__(self) -> None:
        self.api = Api()
        self.requests: list[Request] = []
        self.before_request: Callable[[Request], object] | None = None
        self.after_request: Callable[[Request], object] | None = None
        self.closing = threading.Event()
        self._faults: list[Fault] = []
        self._waiting: list[tuple[int | None, Callable[[], object]]] = []
        self._listener = _Listener(("127.0.0.1", 0), _Handler)
        self._listener.owner = self
        self.url = f"http://127.0.0.1:{self._listener.server_address[1]}"
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving; requests that hang are cut off."""
        self.closing.set()
        self._listener.shutdown()
        self._listener.server_close()
        self._listener.cut()
        self._thread.join()

    # -- documents and accounts

    @property
    def documents(self) -> dict[str, Document]:
        """All spreadsheets by key."""
        return self.api.documents

    def create(
        self,
        title: str,
        key: str | None = None,
        tabs: tuple[str, ...] = ("Sheet1",),
        shared: bool | str | dict[str, str] = True,
    ) -> Document:
        """A new spreadsheet. Shared with anyone (True), nobody (False), anyone as 'reader', or by account."""
        if isinstance(shared, dict):
            roles = dict(shared)
        else:
            roles = {ANYONE: "writer" if shared is True else shared} if shared else {}
        with self.api.lock:
            document = self.api.create(title, key, roles)
            document.state.grids = [Grid(0, tabs[0])] if tabs else []
            for tab in tabs[1:]:
                document.add_tab(tab)
        return document

    def key_file(self, path: str | Path, email: str = ACCOUNT) -> Path:
        """Write a service-account JSON with a key of its own (further ones stay valid); answers the path."""
        return self.api.access.write_key(Path(path), email, self.url)

    def revoke_keys(self, email: str = ACCOUNT) -> None:
        """The token endpoint answers 'invalid_grant: Invalid JWT Signature.' for all keys made so far."""
        self.api.access.revoke(email)

    def expire_tokens(self) -> None:
        """Tokens issued so far answer 401."""
        self.api.access.expire()

    def token(self, email: str = ACCOUNT, scopes: tuple[str, ...] = ()) -> str:
        """A bearer token for an account, without a request."""
        return self.api.access.issue(email, scopes)

    # -- faults and counting

    def script(self, *faults: Fault) -> None:
        """Add faults to the script; they count requests from now on."""
        with self.api.lock:
            self._faults.extend(faults)

    def unscript(self) -> None:
        """Forget all faults; requests that wait to be applied late go on waiting."""
        with self.api.lock:
            self._faults.clear()

    def release(self) -> int:
        """Apply all requests that wait for their late application; answers how many there were."""
        with self.api.lock:
            waiting, self._waiting = self._waiting, []
            for _, apply in waiting:
                apply()
        return len(waiting)

    def count(self, kind: str | None = None) -> int:
        """How many requests came in, of a kind ('read', 'write', 'token', 'drive') or at all."""
        return sum(kind in (None, request.kind) for request in self.requests)

    # -- serving; called by the handler's thread

    def arrive(self, request: Request) -> Fault | None:
        """Record a request, apply what was waiting for it, and answer the fault that strikes it."""
        with self.api.lock:
            due = [apply for wait, apply in self._waiting if wait is not None and wait <= 1]
            self._waiting = [
                (None if wait is None else wait - 1, apply)
                for wait, apply in self._waiting
                if wait is None or wait > 1
            ]
            for apply in due:
                apply()
            self.requests.append(request)
            struck = [fault for fault in self._faults if fault.strikes(request)]
            for fault in struck[1:]:
                fault.wait_on()
            self._faults = [fault for fault in self._faults if not fault.spent]
            return struck[0] if struck else None

    def postpone(self, wait: int | None, apply: Callable[[], object]) -> None:
        with self.api.lock:
            self._waiting.append((wait, apply))

    def answer(self, request: Request, raw: bytes, header: str | None, fault: Fault | None = None) -> Reply:
        """Apply the request and answer it; people scripted to work just before or after get their turn."""
        if self.before_request:
            self.before_request(request)
        with self.api.lock:
            document = self.api.document(request.path)
            if fault and fault.before and document:
                fault.before(document)
            reply = self._apply(request, raw, header)
            if fault and fault.after and document:
                fault.after(document)
        if self.after_request:
            self.after_request(request)
        return reply

    def refusal(self, request: Request, status: int) -> Reply:
        """A scripted error: HTML for 502, the token endpoint's own form, or Google's JSON."""
        if status == 502:
            return status, "text/html; charset=UTF-8", GATEWAY
        if request.kind == "token":
            error = GrantError(
                "invalid_grant" if status == 400 else "internal_failure", "Invalid JWT Signature."
            )
            return status, JSON, _dump(error.json, True)
        return status, JSON, _dump(ApiError(status, MESSAGES.get(status, "Scripted.")).json(), True)

    def _apply(self, request: Request, raw: bytes, header: str | None) -> Reply:
        pretty = request.query.get("prettyPrint", [""])[0] != "false"
        try:
            if request.kind == "token":
                return 200, JSON, _dump(self.api.access.grant(raw), pretty)
            who = self.api.access.bearer(header)
            request.account = who.account
            answer = self._handle(request, raw, who)
        except GrantError as error:
            return 400, JSON, _dump(error.json, pretty)
        except ApiError as error:
            return error.code, JSON, _dump(error.json(), pretty)
        if isinstance(answer, bytes):
            return 200 if answer else 204, "text/csv", answer
        return 200, JSON, _dump(answer, pretty)

    def _handle(self, request: Request, raw: bytes, who: Bearer) -> Any:
        body = api.load(raw) if isinstance(request.body, str) else request.body  # text: raises what it should
        return self.api.handle(request.method, request.path, request.query, body, who)


JSON = "application/json; charset=UTF-8"


def _dump(value: Any, pretty: bool) -> bytes:
    text = json.dumps(value, ensure_ascii=False, indent=2 if pretty else None)
    return (text + "\n").encode("utf-8", "replace")


class _Listener(ThreadingHTTPServer):
    """Knows its connections, so that closing the server ends those that are idle or hang."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    owner: SheetsServer

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self.connections: set[socket.socket] = set()

    def cut(self) -> None:
        for connection in list(self.connections):
            with suppress(OSError):  # closed by the client meanwhile
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news; anything else is a defect of the stand-in and is shown."""
        if not isinstance(sys.exc_info()[1], ConnectionError | BrokenPipeError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    """One connection, kept open between requests."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Listener

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        super().finish()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Quiet."""

    def _serve(self) -> None:
        owner, header = self.server.owner, self.headers.get("Authorization")
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Encoding") == "gzip":
            raw = gzip.decompress(raw)
        request = _recorded(self.command, self.path, raw)
        # As documented: both headers have to say so.
        accepted, agent = self.headers.get("Accept-Encoding", ""), self.headers.get("User-Agent", "")
        request.compressed = "gzip" in accepted and "gzip" in agent
        fault = owner.arrive(request)
        if fault is None or fault.deed == "pass":
            self._send(request, owner.answer(request, raw, header, fault))
            return
        reply = owner.answer(request, raw, header, fault) if fault.applies else None
        match fault.deed:
            case "refuse":
                self._send(request, owner.refusal(request, fault.status))
            case "hang":
                self._hang()
            case "truncate":
                assert reply
                self._send(request, reply, half=True)
            case _:
                if fault.deed == "late":
                    owner.postpone(fault.wait, lambda: owner.answer(request, raw, header))
                self._reset()

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _serve  # noqa: N815

    def _send(self, request: Request, reply: Reply, half: bool = False) -> None:
        status, kind, body = reply
        if request.compressed and body:
            body = gzip.compress(body, 1)
        request.status, request.sent = status, len(body)
        self.send_response(status)
        if request.compressed and body:
            self.send_header("Content-Encoding", "gzip")
        if status != 204:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if half else body)
        self.wfile.flush()
        if half:
            self.close_connection = True

    def _hang(self) -> None:
        """Wait until the client closes the connection or the server does."""
        self.close_connection = True
        while not self.server.owner.closing.is_set():
            ready, _, _ = select.select([self.connection], [], [], 0.05)
            if ready:
                return

    def _reset(self) -> None:
        """End the connection with RST: no lingering, nothing flushed."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # The descriptor closes when the last reference goes: the files on it count too.
        self.rfile.close()
        self.connection.close()


def _recorded(method: str, target: str, raw: bytes) -> Request:
    parts = urlsplit(target)
    query = parse_qs(parts.query, keep_blank_values=True)
    try:
        body: Any = api.load(raw)
    except ApiError:
        body = raw.decode(errors="replace")
    kind: Any = api.kind(method, parts.path)
    return Request(method, parts.path, query, body, kind, received=len(raw))
