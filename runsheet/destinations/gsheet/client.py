"""The way to Google: credentials, transport, bounded retries, and Google's errors in our words.

gspread's HTTPClient does the talking. Its own retry is not used: it repeats writes blindly and
never gives up (gspread issues 1596 and 1599). Reads are repeated here; a write is repeated only
when the service said that it was not taken (429), otherwise its outcome is unknown: Unanswered.
"""

import json
import logging
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from google.auth.exceptions import GoogleAuthError, RefreshError, TransportError
from google.auth.transport.requests import AuthorizedSession, Request
from google.oauth2.service_account import Credentials as ServiceAccount
from gspread.http_client import HTTPClient
from gspread.utils import convert_credentials
from requests import RequestException, Response

from runsheet.clock import Clock
from runsheet.errors import AccessError, ConfigError, NotFound, ServiceError, Unanswered, Unreachable
from runsheet.hosts import check_http
from runsheet.retry import Again, Policy

log = logging.getLogger(__name__)

SHEETS = "https://sheets.googleapis.com/v4/spreadsheets"
DRIVE_FILES = "https://www.googleapis.com/drive/v3/files"
SCOPE_SHEETS = "https://www.googleapis.com/auth/spreadsheets"
SCOPE_NAMES = "https://www.googleapis.com/auth/drive.metadata.readonly"

TIMEOUT = (10.0, 60.0)
"""Seconds to connect, and between two bytes of an answer. gspread's default is to wait forever."""

TOKEN_TIMEOUT = 20.0
"""Seconds for a token; google-auth's default is two minutes."""

READS = Policy()
"""How long a request is repeated: six tries within two minutes, which outlasts a minute's quota."""

NO_ANSWER_TRIES = 3
"""Tries when nobody answers at all: a minute more seldom brings a network back, the next tick may."""

_LATER = frozenset({408, 429, 500, 502, 503, 504})
DEFAULT_LOGIN = "default"
"""A value of GCP_JSON: use the login that is there."""

_NO_ANSWER = (RequestException, TransportError, ValueError)
"""No connection, or an answer that is cut: a 200 whose JSON does not parse is as good as none."""

NO_ACCOUNT = "No account at hand? --source folders --destination xlsx needs none"


class Rejected(ServiceError):
    """Google refused a write as invalid (400). Whether the sheet moved or the request is wrong is
    for the caller to find out by reading again."""


def load_key(path: str, scopes: Sequence[str]) -> Any:
    """Credentials from a service-account key file, or, when `path` is "" or "default", from where
    Google's libraries look: GOOGLE_APPLICATION_CREDENTIALS, workload identity, gcloud's login.

    Raises ConfigError when the file is missing or is no key, naming what to do.
    """
    if path in ("", DEFAULT_LOGIN):
        return _from_environment(scopes)
    from oauth2client.service_account import ServiceAccountCredentials

    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
        return ServiceAccountCredentials.from_json_keyfile_dict(data, list(scopes))
    except FileNotFoundError as error:
        raise ConfigError(
            f"GCP_JSON: there is no file {path}. Download a service-account key (JSON) from the Google "
            f"Cloud console and name it in config.json. {NO_ACCOUNT}"
        ) from error
    except OSError as error:
        raise ConfigError(f"GCP_JSON: cannot read {path} ({error.strerror})") from error
    except Exception as error:  # the key parsers below oauth2client raise anything
        raise ConfigError(
            f"GCP_JSON: {path} is not a service-account key file ({type(error).__name__}: {error}). "
            f"Download a JSON key from the Google Cloud console. {NO_ACCOUNT}"
        ) from error


def _from_environment(scopes: Sequence[str]) -> Any:
    """GOOGLE_APPLICATION_CREDENTIALS, workload identity or gcloud's own login."""
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError

    try:
        credentials, _ = google.auth.default(scopes=list(scopes))
    except DefaultCredentialsError as error:
        raise ConfigError(
            "no Google credentials: name a service-account key file in GCP_JSON, or set "
            f"GOOGLE_APPLICATION_CREDENTIALS. {NO_ACCOUNT}"
        ) from error
    return credentials


class _TokenTransport(Request):
    """Asks for tokens with a short time-out, and without google-auth's own repetitions of failures:
    those sleep where no stop signal is heard."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        response = super().__call__(*args, **{**kwargs, "timeout": TOKEN_TIMEOUT})  # type: ignore[no-untyped-call]
        if response.status in _LATER:
            text = f"the token endpoint answers HTTP {response.status}"
            raise TransportError(text)  # type: ignore[no-untyped-call]
        return response


class _LocalAccount(ServiceAccount):
    """A service account that asks no other host than the one it is used with.

    google-auth looks up regional boundaries at a public Google host in a background thread; behind
    a private endpoint that host is out of reach, and each process would log its retries.
    """

    def _is_regional_access_boundary_lookup_required(self) -> bool:
        return False


def _local(account: ServiceAccount) -> ServiceAccount:
    return _LocalAccount(  # type: ignore[no-untyped-call]
        account.signer, account.service_account_email, account._token_uri, scopes=account.scopes
    )


class Google(HTTPClient):
    """One account's connection to Sheets and Drive.

    `endpoint` replaces scheme and host of every URL ("" = Google's own). `requests` counts what
    was sent to the two APIs, tokens not included. Not for use by two threads.
    """

    def __init__(
        self,
        credentials: Any,
        clock: Clock,
        endpoint: str = "",
        allow_http: Collection[str] = (),
        policy: Policy = READS,
    ) -> None:
        try:
            converted = convert_credentials(credentials)
        except ValueError as error:
            raise ConfigError(
                f"GCP_JSON: the key file's private key is damaged ({error}): download it again. {NO_ACCOUNT}"
            ) from error
        if isinstance(converted, ServiceAccount):
            check_http(converted._token_uri, allow_http, "token_uri of the key file")
            converted = _local(converted) if endpoint else converted
        if endpoint:
            check_http(endpoint, allow_http, "GOOGLE_API_ENDPOINT")
        self._transport = _TokenTransport()
        session = AuthorizedSession(converted, auth_request=self._transport)  # type: ignore[no-untyped-call]
        super().__init__(converted, session)
        self.auth = converted
        self.set_timeout(TIMEOUT)
        self.requests = 0
        self.email = str(getattr(converted, "service_account_email", "") or "the account in use")
        self._endpoint = urlsplit(endpoint)
        self._clock = clock
        self._policy = policy

    def read(self, method: str, path: str, *, what: str, **kwargs: Any) -> dict[str, Any]:
        """Send a request that changes nothing; repeat it on failures that pass.

        `path` is appended to the Sheets URL unless it is a URL. `what` names the document in
        errors. Raises Unreachable, AccessError, NotFound, Rejected (400).
        """

        def attempt() -> dict[str, Any]:
            self._sign_in()
            try:
                response = self._send(method, path, **kwargs)
                self._check(response, what)
                return _json(response)
            except _NO_ANSWER as error:
                raise _no_answer(error) from error

        return self._policy.run(attempt, self._clock)

    def write(self, path: str, body: bytes, *, what: str) -> None:
        """Send a batch (JSON) once.

        Repeated only on 429, which the service sends instead of taking a request. Raises Unanswered
        when it is unknown whether the batch was applied, Rejected when it was refused as invalid.
        """

        def attempt() -> None:
            self._sign_in()
            try:
                response = self._send("post", path, data=body, headers={"Content-Type": "application/json"})
            except _NO_ANSWER as error:
                raise Unanswered(f"no answer to a write ({_cause(error)})") from error
            if response.status_code in _LATER and response.status_code != 429:
                raise Unanswered(f"a write was answered by {_status(response)}")
            self._check(response, what)

        self._policy.run(attempt, self._clock)

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

    def _send(self, method: str, path: str, **kwargs: Any) -> Response:
        return self.request(method, path if path.startswith("https://") else f"{SHEETS}/{path}", **kwargs)

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
        if status == 400:
            return Rejected(text)
        if status == 401:
            return AccessError(f"Google does not accept the credentials of {self.email}: {text}")
        if status == 403:
            return AccessError(
                f"{what} is not open to {self.email} ({text}): share it with this address as editor. "
                f"{NO_ACCOUNT}"
            )
        if status == 404:
            return NotFound(
                f"there is no {what}, or it is not shared with {self.email}: check SPREADSHEET_NAME, and "
                f"share the spreadsheet with this address as editor. {NO_ACCOUNT}"
            )
        failure = Unreachable(f"Google answers {_status(response)}: {text}")
        return Again(failure, _retry_after(response)) if status in _LATER else failure

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
    return Again(Unreachable(f"Google cannot be reached: {_cause(error)}"), tries=NO_ANSWER_TRIES)


def _cause(error: BaseException) -> str:
    """The innermost reason: requests and urllib3 wrap a refused connection four times."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
