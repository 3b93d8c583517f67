"""Which hosts may be spoken to without TLS (P8): loopback, and those the user named."""

from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

from runsheet.errors import ConfigError


def check_http(url: str, allowed: Collection[str], what: str) -> None:
    """Raise ConfigError when `url` is plain http to a host that is neither loopback nor `allowed`.

    `what` says where the URL came from.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https":
        return
    if parts.scheme != "http" or not host:
        raise ConfigError(f"{what}: {url!r} is not a URL: it has to begin with https://")
    if not is_loopback(host) and host not in allowed:
        raise ConfigError(
            f"{what}: {url} would send credentials without encryption: use https, or add {host!r} to "
            "ALLOW_HTTP in config.json"
        )


def is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
