"""Who we are to Google: a key file, or the login that is there; and how tokens are asked for."""

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from google.auth.exceptions import TransportError
from google.auth.transport.requests import Request
from google.oauth2.service_account import Credentials as ServiceAccount
from gspread.utils import convert_credentials
from requests import PreparedRequest, Session

from runsheet.errors import ConfigError
from runsheet.hosts import check_http

SCOPE_SHEETS = "https://www.googleapis.com/auth/spreadsheets"
SCOPE_NAMES = "https://www.googleapis.com/auth/drive.metadata.readonly"
"""The second is for looking up a spreadsheet by its title only."""

SCOPE_COPIES = "https://www.googleapis.com/auth/drive"
"""For copies in Drive only. The narrower drive.file knows only files that the account itself made."""

DEFAULT_LOGIN = "default"
"""A value of GCP_JSON: use the login that is there."""

TOKEN_TIMEOUT = 20.0
"""Seconds for a token; google-auth's default is two minutes."""

LATER = frozenset({408, 409, 429, 500, 502, 503, 504})
"""Status codes that may be better later."""

NO_ACCOUNT = "No account at hand? --source folders --destination xlsx needs none"


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


def keep(request: PreparedRequest) -> PreparedRequest:
    """The "authentication" of a session whose requests carry their own: without any, requests would
    send the user name and password that ~/.netrc has for the host, in place of the token."""
    return request


class TokenTransport(Request):
    """Asks for tokens with a short time-out, and without google-auth's own repetitions of failures:
    those sleep where no stop signal is heard."""

    def __init__(self) -> None:
        session = Session()
        session.auth = keep
        super().__init__(session)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        response = super().__call__(*args, **{**kwargs, "timeout": TOKEN_TIMEOUT})  # type: ignore[no-untyped-call]
        if response.status in LATER:
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


def converted_for(credentials: Any, allow_http: Collection[str], *, local: bool) -> Any:
    """Credentials as google-auth has them (gspread converts those of oauth2client).

    `local`: they are used with another endpoint than Google's own. Raises ConfigError for a damaged
    private key, and for a token endpoint that would be asked without encryption.
    """
    try:
        converted = convert_credentials(credentials)
    except ValueError as error:
        raise ConfigError(
            f"GCP_JSON: the key file's private key is damaged ({error}): download it again. {NO_ACCOUNT}"
        ) from error
    if not isinstance(converted, ServiceAccount):
        return converted
    check_http(converted._token_uri, allow_http, "token_uri of the key file")
    if not local:
        return converted
    return _LocalAccount(  # type: ignore[no-untyped-call]
        converted.signer, converted.service_account_email, converted._token_uri, scopes=converted.scopes
    )
