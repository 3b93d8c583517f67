"""Say in one sentence, and one of our errors, what the wandb client failed with.

The client has one exception for nearly everything, so the cause is in its text. The texts here
are those of wandb 0.31 and its helper process wandb-core, as measured against a stand-in server.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from runsheet.errors import AccessError, ConfigError, NotFound, RunsheetError, ServiceError, Unreachable

RELOGIN = "Log in again with `wandb login --relogin`, or set WANDB_API_KEY; --host names a server of your own"

LOGIN = (
    "no login for W&B at {host} was found: run `wandb login`, or set WANDB_API_KEY; without an account,"
    " `--source folders --destination xlsx` puts the run folders of this machine into a workbook"
)

DENIED = re.compile(
    r"not logged in|relogin required|did not recognize an account|permission denied"
    r"|invalid api.?key|forbidden|unauthorized",
    re.I,
)
REFUSED = re.compile(
    r"cannot query field|unknown (argument|field|type)|graphql.*validation|syntax error", re.I
)
TORN = re.compile(r"unexpected (EOF|end of JSON)|invalid character|cannot unmarshal", re.I)
DEAD = re.compile(
    r"service process is not running|MailboxClosed|Connection ?(Reset|refused to service)|Broken ?Pipe"
)
NETWORK = (
    (re.compile(r"no such host|server misbehaving|name resolution"), "the host name could not be resolved"),
    (re.compile(r"connection refused"), "the connection was refused"),
    (re.compile(r"connection reset|broken pipe|: EOF"), "the connection was broken off"),
    (
        re.compile(r"Client\.Timeout|deadline exceeded|i/o timeout|did not respond in time"),
        "no answer in time",
    ),
    (re.compile(r"network is unreachable|no route to host"), "there is no network route to it"),
    (re.compile(r"certificate[^\n]*|tls:[^\n]*|x509:[^\n]*"), "the secure connection failed"),
)


class Refused(ServiceError):
    """The server, or this version of the client, does not know a query of ours."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure of the client: the error to raise when nothing helps, and what may help.

    `again`: the same request may pass, the client itself did not repeat it. `smaller`: a smaller
    page may pass. `dead`: the helper process is gone and has to be started anew first.
    """

    error: RunsheetError
    again: bool = False
    smaller: bool = False
    dead: bool = False


def explain(error: BaseException, host: str) -> Failure:
    """What a failure of the client means. `host` is named in the sentence."""
    chain = [*_chain(error)]
    words = str(chain[-1]).strip()
    status = next((code for one in chain if (code := _status(one))), 0)
    kinds = {type(one).__name__ for one in chain}
    if "WandbApiFailedError" not in kinds:
        return _local(chain[0], kinds, words, host)
    if status in (401, 403) or DENIED.search(words):
        text = f"W&B at {host} does not accept this login: {_line(words, status)}. {RELOGIN}"
        return Failure(AccessError(text))
    if DEAD.search(words):
        return _dead(host)
    if REFUSED.search(words) or status in (400, 422):
        return Failure(Refused(f"W&B at {host} does not understand the query: {_line(words, status)}"))
    return _answered(words, status, host)


def _answered(words: str, status: int, host: str) -> Failure:
    """A failure that came from the server or from the way there."""
    if "giving up after" in words or "did not respond in time" in words:
        return _gave_up(words, host)
    if TORN.search(words):
        text = f"the answers of W&B at {host} broke off in the middle ({_line(words)})"
        return Failure(Unreachable(text), again=True, smaller=True)
    if status == 404:
        return Failure(NotFound(f"there is no W&B server at {host}: it answered HTTP 404"))
    if status:
        return Failure(ServiceError(f"W&B at {host} answered HTTP {status}: {_line(words)}"))
    return Failure(
        ServiceError(f"W&B at {host} answered with an error: {_line(words)}"), again=True, smaller=True
    )


def _gave_up(words: str, host: str) -> Failure:
    """The client repeated the request itself, in vain: repeating it only helps with a smaller page."""
    tries = re.search(r"giving up after (\d+) attempt", words)
    after = f" after {tries[1]} attempts" if tries else ""
    if code := re.search(r"HTTP (\d{3})", words):
        text = f"W&B at {host} is not available: HTTP {code[1]}{after}"
        return Failure(Unreachable(text), smaller=code[1] != "429")
    cause = next((text for pattern, text in NETWORK if pattern.search(words)), _line(words))
    if cause == "the secure connection failed" and (found := NETWORK[-1][0].search(words)):
        cause += f" ({found[0].strip()})"
    text = f"W&B at {host} cannot be reached: {cause}{after}. Check the network, and --host"
    return Failure(Unreachable(text), smaller="in time" in cause)


def _local(error: BaseException, kinds: set[str], words: str, host: str) -> Failure:
    """A failure on this machine: nothing was answered."""
    if isinstance(error, RunsheetError):
        return Failure(error)
    if "UsageError" in kinds and "API key" in words:
        return Failure(ConfigError(LOGIN.format(host=host)))
    if "ValidationError" in kinds:
        return Failure(
            ConfigError(f"the settings of wandb (WANDB_* or its settings file) are wrong: {_line(words)}")
        )
    if "AuthenticationError" in kinds and not DEAD.search(f"{kinds} {words}"):
        return Failure(AccessError(f"the login for W&B at {host} cannot be used: {_line(words)}"))
    if DEAD.search(f"{kinds} {words}") or kinds & {"ConnectionResetError", "BrokenPipeError"}:
        return _dead(host)
    if kinds & {"ServicePollForTokenError", "WandbCoreNotAvailableError", "ServiceStartProcessError"}:
        return Failure(ServiceError(f"wandb's helper process does not start: {_line(words)}"))
    kind = type(error).__name__
    return Failure(ServiceError(f"the wandb client failed on W&B at {host}: {kind}: {_line(words)}"))


def _dead(host: str) -> Failure:
    text = f"wandb's helper process broke off while it read from W&B at {host}; it is started anew"
    return Failure(Unreachable(text), again=True, dead=True)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was made from, down to the first cause."""
    seen: set[int] = set()
    now: BaseException | None = error
    while now is not None and id(now) not in seen:
        seen.add(id(now))
        yield now
        now = now.__cause__ or (now.__context__ if not now.__suppress_context__ else None)


def _status(error: BaseException) -> int:
    return int(getattr(getattr(error, "response", None), "http_status", 0) or 0)


def _line(words: str, status: int = 0) -> str:
    """The first line of a foreign text, short enough for one log line."""
    line = " ".join(words.split()).removeprefix("input: ")[:200] or "no reason given"
    return f"{line} (HTTP {status})" if status else line
