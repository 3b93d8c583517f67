"""P8: credentials travel without encryption only to loopback, or to hosts that the user named."""

import pytest

from runsheet import hosts
from runsheet.errors import ConfigError


@pytest.mark.parametrize(
    "url",
    [
        "https://api.wandb.ai",
        "HTTPS://own.server:8443/path",
        "http://localhost:8080",
        "http://LOCALHOST",
        "http://api.localhost",
        "http://127.0.0.1:1",
        "http://127.8.9.1",
        "http://[::1]:80",
        "http://Own.Server:9000/x",
        "http://10.0.0.7",
    ],
)
def test_allowed(url: str) -> None:
    """https anywhere, http to this machine and to what ALLOW_HTTP names, in any case."""
    assert hosts.check_http(url, ["own.SERVER", "10.0.0.7"], "--host") is None  # type: ignore[func-returns-value]


@pytest.mark.parametrize(
    "url",
    [
        "http://api.wandb.ai",
        "http://own.server.evil.com",
        "http://127.0.0.1.evil.com",
        "http://localhost.evil.com",
        "http://localhost@evil.com",
        "http://192.168.0.1",
        "http://0.0.0.0",
    ],
)
def test_refused(url: str) -> None:
    """The error says what would happen, and which name to add."""
    with pytest.raises(ConfigError, match=r"--host: .* without encryption.*ALLOW_HTTP"):
        hosts.check_http(url, ["own.server"], "--host")


@pytest.mark.parametrize(
    "url",
    ["", "api.wandb.ai", "localhost:8080", "ftp://x", "https://", "http://", "http://[::1", "//x", "https:x"],
)
def test_no_url(url: str) -> None:
    """What is no URL of the web is refused in a sentence."""
    with pytest.raises(ConfigError, match="has to begin with https://"):
        hosts.check_http(url, [], "--host")


@pytest.mark.parametrize("url", ["http://me:pass@evil.com/x", "ftp://me:pass@evil.com", "me:pass@evil.com"])
def test_passwords_are_not_shown(url: str) -> None:
    """A password in the URL is not repeated in the error."""
    with pytest.raises(ConfigError) as raised:
        hosts.check_http(url, [], "--host")
    assert "pass@" not in str(raised.value)
    assert "evil.com" in str(raised.value)
