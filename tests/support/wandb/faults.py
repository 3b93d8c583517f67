"""What can go wrong on the wire. A Fault is played instead of, or over, the true answer."""

import json
import socket
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Answer:
    """A response about to be sent."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Fault:
    """One way to fail. Made by the functions of this class."""

    kind: str
    answer: Answer | None = None
    text: str = ""

    @classmethod
    def http(cls, status: int, body: str = "internal server error", **headers: str) -> "Fault":
        """A plain answer with this status; `Retry_After="1"` sets a header."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls("answer", Answer(body.encode(), status, {"Content-Type": "text/plain", **named}))

    @classmethod
    def too_many(cls, after: int = 1) -> "Fault":
        """429 with Retry-After."""
        return cls.http(429, "rate limit exceeded", Retry_After=str(after))

    @classmethod
    def gateway(cls, status: int = 502) -> "Fault":
        """What a proxy says in front of a server that is down: an HTML page."""
        page = f"<html><head><title>{status} Bad Gateway</title></head><body>nginx</body></html>"
        return cls("answer", Answer(page.encode(), status, {"Content-Type": "text/html"}))

    @classmethod
    def errors(cls, message: str = "internal error", status: int = 200) -> "Fault":
        """A GraphQL `errors` array; with status 200 the full data goes with it."""
        return cls("errors", Answer(b"", status), message)

    @classmethod
    def null_data(cls) -> "Fault":
        """{"data": null} with status 200."""
        return cls("answer", Answer(json.dumps({"data": None}).encode()))

    @classmethod
    def reset(cls) -> "Fault":
        """The connection is reset without an answer."""
        return cls("reset")

    @classmethod
    def hang(cls) -> "Fault":
        """No answer until the client gives up or the server is closed."""
        return cls("hang")

    @classmethod
    def truncated(cls) -> "Fault":
        """The body ends in the middle although Content-Length says more."""
        return cls("truncated")

    @classmethod
    def cut_json(cls) -> "Fault":
        """A complete body that is only the first half of the JSON."""
        return cls("cut")

    @classmethod
    def bad_utf8(cls) -> "Fault":
        """A body with bytes that are not UTF-8 inside a JSON string."""
        return cls("bad_utf8")


def spoil(fault: Fault, answer: Answer) -> Answer:
    """The answer to send for a fault that still answers."""
    if fault.kind == "errors":
        return _with_errors(fault, answer)
    if fault.kind == "cut":
        return Answer(answer.body[: len(answer.body) // 2], answer.status)
    if fault.kind == "bad_utf8":
        return Answer(answer.body.replace(b'":"', b'":"\xff\xfe', 1))
    return fault.answer or answer


def _with_errors(fault: Fault, answer: Answer) -> Answer:
    assert fault.answer is not None
    document: dict[str, Any] = {"errors": [{"message": fault.text, "path": ["project"]}]}
    if fault.answer.status == 200:
        document["data"] = json.loads(answer.body).get("data")
    return Answer(json.dumps(document).encode(), fault.answer.status)


def reset(connection: socket.socket) -> None:
    """Close so that the peer sees a reset, not an orderly end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    connection.close()
