"""Where a W&B server is, and whether its key may be sent there. No wandb, no network."""

import os

import pytest

from runsheet.errors import ConfigError
from runsheet.sources.wandb_api import session as wandb_session
from runsheet.sources.wandb_api.client import checked, identity


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://api.wandb.ai", "api.wandb.ai"),
        ("https://api.forge.coreweave.com", "api.wandb.ai"),
        ("https://forge.coreweave.com/api/wandb", "api.wandb.ai"),
        ("https://WandB.Example.org/", "wandb.example.org"),
        ("http://127.0.0.1:8080", "127.0.0.1:8080"),
        ("https://me:secret@wandb.example.org", "wandb.example.org"),
    ],
)
def test_identity(url: str, host: str) -> None:
    """One name for a service that has several; never a password."""
    assert identity(url) == host


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://wandb.example.org", ()),
        ("http://localhost:8080", ()),
        ("http://127.0.0.2", ()),
        ("http://[::1]:80", ()),
        ("http://wandb.example.org", ("wandb.example.org",)),
    ],
)
def test_a_key_may_be_sent(url: str, allowed: tuple[str, ...]) -> None:
    assert checked(url + "/", allowed) == url


@pytest.mark.parametrize(
    "url",
    ["http://wandb.example.org", "http://10.0.0.1", "http://localhost.example.org", "ftp://x", "https://x:y"],
)
def test_a_key_may_not_be_sent(url: str) -> None:
    with pytest.raises(ConfigError):
        checked(url, ("other.example.org",))


def test_what_the_user_has_set_wins() -> None:
    """bounds() is what a session sets; environment() puts everything back."""
    assert wandb_session.bounds(60, "/s")["WANDB_HTTP_TIMEOUT"] == "30"
    before = dict(os.environ)
    with wandb_session.environment(HOME="/x", RUNSHEET_TEST="1"):
        assert (os.environ["HOME"], os.environ["RUNSHEET_TEST"]) == ("/x", "1")
    assert dict(os.environ) == before
