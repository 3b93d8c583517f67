"""The way to Google: transport, bounded retries, and Google's errors in our words.

gspread's HTTPClient does the talking. Its own retry is not used: it repeats writes blindly and
never gives up (gspread issues 1596 and 1599). Reads are repeated here; a write is repeated only
when the service said that it was not taken (429), otherwise its outcome is unknown: Unanswered.
"""

import logging
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from google.auth.exceptions import GoogleAuthError, RefreshError, TransportError
from google.auth.transport.requests import AuthorizedSession
from gspread.http_client import HTTPClient
from requests import RequestException, Response

from runsheet import __version__
from runsheet.clock import Clock
from runsheet.destinations.gsheet.credentials import LATER, NO_ACCOUNT, TokenTransport, converted_for, keep
from runsheet.errors import AccessError, NotFound, ServiceError, Unanswered, Unreachable
from runsheet.hosts import check_http
from runsheet.pace import Pace, Paces
from runsheet.retry import Again, Policy

log = logging.getLogger(__name__)

SHEETS = "https://sheets.googleapis.com/v4/spreadsheets"
DRIVE_FILES = "https://www.googleapis.com/drive/v3/files"

TIMEOUT = (10.0, 60.0)
"""Seconds to connect, and between two bytes of an answer. gspread's default is to wait forever."""

READS = Policy()
"""How long a request is repeated: six tries within two minutes, which outlasts a minute's quota."""

QUOTA = (60, 60.0)
"""Reads, and writes, that Google lets one account do in so many seconds."""

AGENT = f"runsheet/{__version__} (gzip)"
"""Google compresses answers only for those that accept gzip and say so here, too."""

NO_ANSWER_TRIES = 3
"""Tries when nobody answers at all: a minute more seldom brings a network back, the next tick may."""

_NO_ANSWER = (RequestException, TransportError, ValueError)
"""No connection, or an answer that is cut: a 200 whose JSON does not parse is as good as none."""


class Rejected(ServiceError):
    """Google refused a request as invalid or too large. Whether the sheet moved or the request is
    wrong is for the caller to find out by reading again."""


class Forbidden(AccessError):
    """Google says that the account may not do this. `text` is Google's own."""

    def __init__(self, message: str, text: str) -> None:
        super().__init__(message)
        self.text = text


class Google(HTTPClient):
    """One account's connection to Sheets and Drive.

    `endpoint` replaces scheme and host of every URL ("" = Google's own). `requests` counts what
    was sent to the two APIs, tokens not included. `paces` are those of the process: without them this
    connection stays within the quota by itself. Not for use by two threads.
    """

    def __init__(
        self,
        credentials: Any,
        clock: Clock,
        endpoint: str = "",
        allow_http: Collection[str] = (),
        policy: Policy = READS,
        paces: Paces | None = None,
    ) -> None:
        converted = converted_for(credentials, allow_http, local=bool(endpoint))
        if endpoint:
            check_http(endpoint, allow_http, "GOOGLE_API_ENDPOINT")
        self._transport = TokenTransport()
        session = AuthorizedSession(converted, auth_request=self._transport)  # type: ignore[no-untyped-call]
        session.auth = keep
        session.headers["User-Agent"] = AGENT
        super().__init__(converted, session)
        self.auth = converted
        self.set_timeout(TIMEOUT)
        self.requests = 0
        self.email = str(getattr(converted, "service_account_email", "") or "the account in use")
        paces = paces or Paces(clock)
        self._reads = paces.of("Sheets reads", self.email, *QUOTA)
        self._writes = paces.of("Sheets writes", self.email, *QUOTA)
        self._endpoint = urlsplit(endpoint)
        self._clock = clock
        self._policy = policy

    @property
    def clock(self) -> Clock:
        return self._clock

    def uncount(self, since: int) -> int:
        """Take what was sent since `requests` was `since` out of it, as that is outside a tick's budget;
        returns how many that were."""
        sent, self.requests = self.requests - since, since
        return sent

    def read(
        self, method: str, path: str, *, what: str, params: Mapping[str, Any], **kwargs: Any
    ) -> dict[str, Any]:
        """Send a request that changes nothing; repeat it on failures that pass. `params` name the `fields`
        that are wanted.

        `path` is appended to the Sheets URL unless it is a URL. `what` names the document in
        errors. Raises Unreachable, AccessError, NotFound, Rejected (400).
        """

        def attempt() -> dict[str, Any]:
            self._sign_in()
            try:
                response = self._send(self._reads, method, path, params, **kwargs)
                self._check(response, what)
                return _json(response)
            except _NO_ANSWER as error:
                raise _no_answer(error) from error

        return self._policy.run(attempt, self._clock)

    def write(self, path: str, body: bytes, *, what: str, fields: str) -> dict[str, Any]:
        """Send a batch (JSON) once; its answer, limited to `fields`.

        Repeated only on 429, which the service sends instead of taking a request. Raises Unanswered
        when it is unknown whether the batch was applied, Rejected when it was refused as invalid.
        """
        params = {"fields": fields}

        def attempt() -> dict[str, Any]:
            self._sign_in()
            headers = {"Content-Type": "application/json"}
            try:
                response = self._send(self._writes, "post", path, data=body, headers=headers, params=params)
            except _NO_ANSWER as error:
                raise Unanswered(f"no answer to a write ({_cause(error)})") from error
            if response.status_code in LATER and response.status_code != 429:
                raise Unanswered(f"a write was answered by {_status(response)}")
            self._check(response, what)
            try:
                return _json(response)
            except _NO_ANSWER as error:
                raise Unanswered(f"the answer to a write makes no sense ({_cause(error)})") from error

        return self._policy.run(attempt, self._clock)

    def request(self, method: str, endpoint: str, *args: Any, **kwargs: Any) -> Response:
        """gspread's request, sent to the configured endpoint and counted. Whatever the status, the
        response is returned: gspread's own error breaks on answers that proxies give."""
        self.requests += 1
        if self._endpoint.netloc:
            parts = urlsplit(endpoint)
            base = self._endpoint.path.rstrip("/")
            endpoint = urlunsplit(
                (self._endpoint.scheme, self._endpoint.netloc, base + parts.path, parts.query, "")
            )
        return self.session.request(method, endpoint, *args, **{**kwargs, "timeout": self.timeout})

    def _send(self, pace: Pace, method: str, path: str, params: Mapping[str, Any], **kwargs: Any) -> Response:
        """Send a request of which the answer comes without blanks. Those to Drive have a quota of their own,
        which is never near."""
        url = path if path.startswith("https://") else f"{SHEETS}/{path}"
        if url.startswith(SHEETS):
            pace.take()
        return self.request(method, url, params={**params, "prettyPrint": "false"}, **kwargs)

    def _sign_in(self) -> None:
        """Get a token when there is none: apart from the request, so that a failure is known not to
        have reached the sheet, and within our own bounds."""
        if self.auth.valid:
            return
        try:
            self.auth.refresh(self._transport)  # type: ignore[no-untyped-call]
        except (TransportError, RequestException) as error:
            raise _no_answer(error) from error
        except GoogleAuthError as error:
            raise self._auth_error(error) from error
        except Exception as error:  # google-auth trusts the answer's form
            raise Unreachable(f"the token endpoint answers nonsense: {_cause(error)}") from error

    def _check(self, response: Response, what: str) -> None:
        if not response.ok:
            raise self._error(response, what)

    def _error(self, response: Response, what: str) -> Exception:
        # Never APIError.code: it is -1 for the HTML that Google's front ends answer with.
        status, text = response.status_code, _message(response)
        if status in (400, 413):
            return Rejected(text)
        if status == 401:
            return AccessError(f"Google does not accept the credentials of {self.email}: {text}")
        if status == 403:
            return Forbidden(
                f"{what} is not open to {self.email} ({text}): share it with this address as editor. "
                f"{NO_ACCOUNT}",
                text,
            )
        if status == 404:
            return NotFound(
                f"there is no {what}, or it is not shared with {self.email}: check SPREADSHEET_NAME, and "
                f"share the spreadsheet with this address as editor. {NO_ACCOUNT}"
            )
        failure = Unreachable(f"Google answers {_status(response)}: {text}")
        return Again(failure, _retry_after(response)) if status in LATER else failure

    def _auth_error(self, error: GoogleAuthError) -> Exception:
        text = str(error.args[0]) if error.args else str(error)
        if isinstance(error, RefreshError) and not getattr(error, "retryable", False):
            return AccessError(
                f"Google refuses the key of {self.email} ({text}): it was revoked or is for another "
                f"account. Make a new key and name it in GCP_JSON. {NO_ACCOUNT}"
            )
        return Again(Unreachable(f"Google gives no token: {text}"))


def _message(response: Response) -> str:
    try:
        return str(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return response.reason or "no explanation"


def _status(response: Response) -> str:
    return f"HTTP {response.status_code}"


def _retry_after(response: Response) -> float | None:
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else None


def _json(response: Response) -> dict[str, Any]:
    answer = response.json()
    if not isinstance(answer, dict):
        raise ValueError("the answer is not a JSON object")  # noqa: TRY004 - as bad as no JSON
    return answer


def _no_answer(error: Exception) -> Again:
    return Again(
        Unreachable(
            f"Google cannot be reached ({_cause(error)}): check the network, a proxy, and GOOGLE_API_ENDPOINT"
        ),
        tries=NO_ANSWER_TRIES,
    )


def _cause(error: BaseException) -> str:
    """The innermost reason: requests and urllib3 wrap a refused connection four times."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
