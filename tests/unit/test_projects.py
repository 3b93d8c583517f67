"""Which project is synced: the first place that names one; an error lists the places that were tried."""

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from runsheet import projects
from runsheet.config import Config
from runsheet.errors import ConfigError

NAMES: dict[str, tuple[list[str], dict[str, Any], dict[str, str], Any, str | None, tuple[str, ...]]] = {
    # flags, config, environment, active run, newest folder -> projects
    "flags first": (
        ["a/x", "y"],
        {"TEAM_NAME": "t", "PROJECT_NAME": "c"},
        {"WANDB_PROJECT": "e"},
        ("r", "run"),
        "f/f",
        ("a/x", "t/y"),
    ),
    "then config": ([], {"PROJECT_NAME": ["c", "d/d"]}, {"WANDB_ENTITY": "e"}, None, "f/f", ("e/c", "d/d")),
    "blank flags name nothing": (["", " "], {"PROJECT_NAME": "c"}, {}, None, None, ("c",)),
    "then environment": (
        [],
        {},
        {"WANDB_ENTITY": "e", "WANDB_PROJECT": "p"},
        ("r", "run"),
        "f/f",
        ("e/p",),
    ),
    "a project that names its entity": (
        [],
        {},
        {"WANDB_ENTITY": "e", "WANDB_PROJECT": "x/p"},
        None,
        None,
        ("x/p",),
    ),
    "an entity alone names nothing": ([], {}, {"WANDB_ENTITY": "e"}, ("r", "run"), "f/f", ("r/run",)),
    "then the active run": ([], {}, {}, ("r", "run"), "f/f", ("r/run",)),
    "an offline run knows no entity": ([], {}, {}, (None, "run"), "f/f", ("run",)),
    "a run without a project": ([], {}, {}, ("r", None), "f/f", ("f/f",)),
    "then the newest folder": ([], {}, {}, None, "f/f", ("f/f",)),
    "each once": (["a/x", "a/x", "a/y"], {}, {}, None, None, ("a/x", "a/y")),
}


@pytest.mark.parametrize(
    ("flags", "config", "environ", "active", "folder", "names"), NAMES.values(), ids=NAMES
)
def test_order(
    flags: list[str],
    config: dict[str, Any],
    environ: dict[str, str],
    active: tuple[str, str] | None,
    folder: str | None,
    names: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each place is asked only when those before it name nothing."""
    run = SimpleNamespace(entity=active[0], project=active[1]) if active else None
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(run=run))
    assert projects.chosen(flags, Config(**config), environ, lambda: folder) == names


@pytest.fixture
def unasked() -> Callable[[], str | None]:
    def newest() -> str | None:
        raise AssertionError("folders were searched although a project is named")

    return newest


def test_folders_are_searched_last(
    unasked: Callable[[], str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is read from the disk when an active run names its project."""
    run = SimpleNamespace(entity="r", project="p")
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(run=run))
    assert projects.chosen([], Config(), {}, unasked) == ("r/p",)
    assert projects.chosen(["a/b"], Config(), {}, unasked) == ("a/b",)


def test_no_project_lists_what_was_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names every place where a project may be named."""
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    with pytest.raises(ConfigError) as raised:
        projects.chosen([], Config(), {}, lambda: None)
    for place in ("--project", "PROJECT_NAME", "WANDB_PROJECT", "wandb.run", "run folder"):
        assert place in str(raised.value)
