"""HTTP in front of the stand-in server: keep-alive, gzip, and what goes wrong on the wire."""

import gzip
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from tests.support.wandb import faults
from tests.support.wandb.faults import Answer, Fault


class Responder(Protocol):
    """What answers a request: the server."""

    closed: threading.Event

    def respond(self, body: bytes, headers: Mapping[str, str]) -> tuple[Answer, Fault | None]: ...

    def crashed(self, error: BaseException) -> None: ...


class Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients go away: that is what many tests are about."""


def handler(server: Responder) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

        def do_GET(self) -> None:
            self.send(Answer(b"not found", 404))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path.rstrip("/") != "/graphql":
                return self.send(Answer(b"not found", 404))
            try:
                answer, fault = server.respond(body, dict(self.headers))
            except Exception as error:  # noqa: BLE001 - shown by close(); the client gets an answer
                server.crashed(error)
                return self.send(Answer(repr(error).encode(), 500))
            return self.play(answer, fault)

        def play(self, answer: Answer, fault: Fault | None) -> None:
            if fault and fault.kind == "hang":
                server.closed.wait()
            if fault and fault.kind in ("hang", "reset"):
                self.close_connection = True
                return faults.reset(self.connection)
            if fault and fault.kind == "truncated":
                return self.send(answer, cut=True)
            return self.send(faults.spoil(fault, answer) if fault else answer)

        def send(self, answer: Answer, *, cut: bool = False) -> None:
            body, packed = answer.body, "gzip" in self.headers.get("Accept-Encoding", "")
            if packed and not cut:
                body = gzip.compress(body, 1)
                self.head(answer, len(body), {"Content-Encoding": "gzip"})
            else:
                self.head(answer, len(body), {})
            self.wfile.write(body[: len(body) // 2] if cut else body)
            self.close_connection = self.close_connection or cut

        def head(self, answer: Answer, length: int, more: Mapping[str, str]) -> None:
            self.send_response(answer.status)
            named = {"Content-Type": "application/json", **answer.headers, **more}
            for name, value in {**named, "Content-Length": str(length)}.items():
                self.send_header(name, value)
            self.end_headers()

    return Handler
