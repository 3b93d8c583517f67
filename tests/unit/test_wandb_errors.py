"""Which of our errors a failure of the wandb client becomes. The texts are those measured with 0.31."""

from types import SimpleNamespace

import pytest

from runsheet.errors import AccessError, ConfigError, NotFound, RunsheetError, ServiceError, Unreachable
from runsheet.sources.wandb_api.errors import Refused, explain

POST = "POST https://h/graphql giving up after 3 attempt(s)"


class WandbApiFailedError(Exception):
    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.response = SimpleNamespace(http_status=status)


class AuthenticationError(Exception):
    pass


class UsageError(Exception):
    pass


class MailboxClosedError(Exception):
    pass


class ValidationError(ValueError):
    pass


@pytest.mark.parametrize(
    ("text", "status", "kind", "says", "helps"),
    [
        (f"{POST}\nwhile retrying: HTTP 500: oops", 0, Unreachable, "HTTP 500 after 3 attempts", "smaller"),
        (f"{POST}\nwhile retrying: HTTP 429: slow", 0, Unreachable, "HTTP 429 after 3 attempts", ""),
        (f"{POST}: dial tcp: lookup h: no such host", 0, Unreachable, "name could not be resolved", ""),
        (f"{POST}: dial tcp: connect: connection refused", 0, Unreachable, "connection was refused", ""),
        (f"{POST}: read: connection reset by peer", 0, Unreachable, "broken off", ""),
        (f"{POST}: (Client.Timeout exceeded while awaiting)", 0, Unreachable, "no answer in time", "smaller"),
        (f"{POST}: x509: certificate signed by unknown", 0, Unreachable, "x509: certificate signed", ""),
        (f"{POST}: something new", 0, Unreachable, "something new", ""),
        ("is busy and did not respond in time.", 0, Unreachable, "no answer in time", "smaller"),
        ("unexpected EOF", 0, Unreachable, "broke off in the middle", "again smaller"),
        ("invalid character '<' looking for", 0, Unreachable, "broke off in the middle", "again smaller"),
        ("the service process is not running.", 0, Unreachable, "helper process", "again"),
        ("input: project boom\n", 0, ServiceError, "answered with an error: project boom", "again smaller"),
        ("user is not logged in", 401, AccessError, "not logged in (HTTP 401)", ""),
        ("x", 403, AccessError, "HTTP 403", ""),
        ("input: permission denied", 0, AccessError, "permission denied", ""),
        ("Cannot query field 'x' on type 'Run'.", 400, Refused, "Cannot query field 'x'", ""),
        ('input: Cannot query field "x"', 0, Refused, "Cannot query field", ""),
        ("", 404, NotFound, "no W&B server at h", ""),
        ("gone", 410, ServiceError, "HTTP 410: gone", ""),
    ],
    ids=lambda value: str(value)[-30:],
)
def test_what_the_server_or_the_way_to_it_did(
    text: str, status: int, kind: type[RunsheetError], says: str, helps: str
) -> None:
    failure = explain(WandbApiFailedError(text, status), "h")
    assert type(failure.error) is kind
    assert says in str(failure.error)
    assert "\n" not in str(failure.error)
    helped = [name for name in ("again", "smaller") if getattr(failure, name)]
    assert helped == helps.split()


def test_the_cause_behind_a_login_error_counts() -> None:
    """The client calls every failure of its first request a failure to authenticate."""
    error = AuthenticationError("Failed to verify credentials with https://h: ...")
    error.__cause__ = WandbApiFailedError(f"{POST}\nwhile retrying: HTTP 503: x")
    assert isinstance(explain(error, "h").error, Unreachable)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (UsageError("No API key configured. Use `wandb login` to log in."), ConfigError),
        (AuthenticationError("WANDB_API_KEY invalid: API key must have 40+ characters"), AccessError),
        (ValidationError("1 validation error for Settings"), ConfigError),
        (RuntimeError("something new"), ServiceError),
        (NotFound("ours"), NotFound),
    ],
    ids=repr,
)
def test_what_went_wrong_here(error: Exception, kind: type[RunsheetError]) -> None:
    assert type(explain(error, "h").error) is kind


@pytest.mark.parametrize(
    "error",
    [MailboxClosedError(), ConnectionResetError("Connection lost"), BrokenPipeError(32, "Broken pipe")],
)
def test_a_dead_helper_process(error: Exception) -> None:
    failure = explain(error, "h")
    assert failure.dead
    assert failure.again


def test_a_long_text_is_cut() -> None:
    assert len(str(explain(WandbApiFailedError("x " * 1000), "h").error)) < 400


def test_a_circle_of_causes_ends() -> None:
    one, two = RuntimeError("1"), RuntimeError("2")
    one.__cause__, two.__cause__ = two, one
    assert isinstance(explain(one, "h").error, ServiceError)
