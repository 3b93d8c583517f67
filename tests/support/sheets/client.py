"""gspread as it is, but for the host: every URL of Google's is asked of the stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import gspread
import requests
from google.oauth2.credentials import Credentials
from gspread.http_client import HTTPClient

from tests.support.sheets.access import ACCOUNT
from tests.support.sheets.server import SheetsServer


@contextmanager
def connect(server: SheetsServer, email: str = ACCOUNT) -> Iterator[gspread.Client]:
    """An authorised client with a timeout of ten seconds; its session is closed at the end.

    The token is issued without a request, so that google-auth starts no background threads.
    """

    class Local(HTTPClient):
        def request(self, method: str, endpoint: str, *args: Any, **kwargs: Any) -> requests.Response:
            parts = urlsplit(endpoint)
            url = server.url + parts.path + (f"?{parts.query}" if parts.query else "")
            return super().request(method, url, *args, **kwargs)

    credentials = Credentials(token=server.token(email))  # type: ignore[no-untyped-call]
    client = gspread.authorize(credentials, http_client=Local)
    client.set_timeout(10)
    yield client
    client.http_client.session.close()
