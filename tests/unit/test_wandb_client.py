"""Where a W&B server is, whether its key may be sent there, and whose helper process is stopped. No wandb,
no network."""

import os
from collections.abc import Iterator
from typing import ClassVar

import pytest

from runsheet.errors import ConfigError, Unreachable
from runsheet.sources.wandb_api import session as wandb_session
from runsheet.sources.wandb_api.client import Client, checked, identity
from tests.contract.source_contract import QuickClock


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


def test_a_helper_process_that_somebody_started_anew_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several requests fail when it breaks: the first that notices stops it, the last does not, nor does
    one that fails because all is closed."""
    stops: list[object] = []
    monkeypatch.setattr(wandb_session.SESSION, "stop", lambda: stops.append(client._api))
    client = Client("https://wandb.example.org", QuickClock(), 60.0, ())

    def broken() -> None:
        raise ConnectionResetError

    def fail() -> None:
        with pytest.raises(Unreachable, match="helper process broke off"):
            client.persist(broken)

    client._api = client._used.api = "old"
    fail()
    assert stops
    assert client._api is None
    stops.clear()
    client._api = "new"
    fail()
    assert (stops, client._api) == ([], "new")
    client.close()
    fail()
    assert stops == []


def test_the_environment_is_changed_by_one_thread_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or one would put back what another had set. A page that the client cannot digest is still read."""
    monkeypatch.setenv("WANDB_DIR", "/theirs")
    client = Client("https://wandb.example.org", QuickClock(), 60.0, ())
    seen: list[object] = []

    class Runs:
        objects: ClassVar[list[object]] = []
        last_response: object = None

        def __iter__(self) -> Iterator[object]:
            seen.append((client._documented.locked(), os.environ["WANDB_DIR"]))
            self.last_response = {"project": {}}
            raise TypeError("a run without a user")

    assert client.turn(Runs()) == {"project": {}}
    assert seen == [(True, os.devnull)]
    assert os.environ["WANDB_DIR"] == "/theirs"
    assert client.requests == 1
