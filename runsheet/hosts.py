"""Which hosts may be spoken to without TLS (P8): loopback, and those the user named."""

import re
from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

from runsheet.errors import ConfigError


def check_http(url: str, allowed: Collection[str], what: str) -> None:
    """Raise ConfigError when `url` is plain http to a host that is neither loopback nor `allowed`.

    `what` says where the URL came from.
    """
    scheme, host = _parts(url)
    if scheme not in ("http", "https") or not host:
        raise ConfigError(f"{what}: {_shown(url)!r} is not a URL: it has to begin with https://")
    if scheme == "https" or is_loopback(host) or host in {name.lower() for name in allowed}:
        return
    raise ConfigError(
        f"{what}: {_shown(url)} would send credentials without encryption: use https, or add {host!r} to "
        "ALLOW_HTTP in config.json"
    )


def _parts(url: str) -> tuple[str, str]:
    """Scheme and host in lower case, "" where there is none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", ""
    return parts.scheme, parts.hostname or ""


def _shown(url: str) -> str:
    """The URL without a user name and password, which some write into it."""
    return re.sub(r"^(\w+://)?.*@", r"\1", url)


def is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
