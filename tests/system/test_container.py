"""Dockerfile and compose.yaml agree with the command line and with each other.

Building and running the image for real takes minutes and root: it is done by hand, with a container
engine. Here the files are read, and their flags are given to the real command.
"""

import json
import os
import re
import shlex
from pathlib import Path, PurePosixPath
from typing import Any
from unittest import mock

import click
import pytest
import yaml

from runsheet import cli, config, health

HOME = Path(__file__).resolve().parents[2]
SCRIPT = "wandb_spreadsheet_sync.py"


def instructions() -> list[tuple[str, str]]:
    """The instructions of the final stage, with continued lines joined."""
    text = (HOME / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    stage = re.split(r"^FROM ", joined, flags=re.MULTILINE)[-1]
    pairs = (line.partition(" ") for line in stage.splitlines()[1:] if line)
    return [(word, rest.strip()) for word, _, rest in pairs]


def values(word: str) -> list[str]:
    return [rest for name, rest in instructions() if name == word]


def value(word: str) -> str:
    (found,) = values(word)
    return found


def words(word: str) -> list[str]:
    """An instruction in the form without a shell: a shell as process 1 would not pass signals on."""
    found = json.loads(value(word))
    assert isinstance(found, list)
    return found


def environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in shlex.split(" ".join(values("ENV"))))


def service() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((HOME / "compose.yaml").read_text(encoding="utf-8"))
    (only,) = found["services"].values()
    assert isinstance(only, dict)
    return only


def mounts() -> dict[str, str]:
    """Where compose mounts what, and whether for reading only."""
    parts = (mount.split(":") for mount in service()["volumes"])
    return {part[1]: ":".join(part[2:]) for part in parts}


def parsed(flags: list[str]) -> dict[str, Any]:
    """The flags as the real command understands them in the image's environment."""
    with (
        mock.patch.dict(os.environ, environment()),
        cli.sync.sync_command.make_context(
            "sync", list(flags), parent=click.Context(cli.commands)
        ) as context,
    ):
        return context.params


def test_the_base_is_slim_and_of_one_version() -> None:
    text = (HOME / "Dockerfile").read_text(encoding="utf-8")
    bases = set(re.findall(r"^FROM (\S+)", text, re.MULTILINE))
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.1[1-3]-slim", bases.pop())


def test_the_default_command_is_the_half_hour_daemon() -> None:
    flags = parsed([*words("ENTRYPOINT")[2:], *words("CMD")])
    assert flags["schedule_time"] == 30
    assert not flags["once"]
    assert flags["config_path"] == "/config/config.json"


@pytest.mark.parametrize(
    "given",
    [
        ["--once"],
        ["--user_name", "ng-youn", "--schedule_time", "45"],
        ["--source", "folders:/data", "--destination", "xlsx:/data/runs.xlsx", "--once"],
    ],
    ids=" ".join,
)
def test_flags_given_to_docker_run_keep_the_configuration(given: list[str]) -> None:
    """They take the place of CMD, so what must stay is in the environment."""
    assert parsed([*words("ENTRYPOINT")[2:], *given])["config_path"] == "/config/config.json"


def test_the_entry_point_is_the_script_without_a_shell() -> None:
    python, script = words("ENTRYPOINT")[:2]
    assert python == "python"
    copied = [shlex.split(rest) for rest in values("COPY")]
    assert any(SCRIPT in line and line[-1] == str(PurePosixPath(script).parent) + "/" for line in copied)


def test_the_image_brings_a_valid_empty_configuration() -> None:
    """So that folders and a workbook work with nothing mounted on /config."""
    (made,) = [rest for rest in values("RUN") if "> /config/config.json" in rest]
    shipped = config.parse(re.findall(r"echo '(.*?)' > /config/config.json", made)[0])
    assert shipped == config.Config()


def test_it_does_not_run_as_root() -> None:
    user, _, group = value("USER").partition(":")
    assert user.isdigit()
    assert int(user) >= 1000
    assert group == user
    assert any(f"useradd --uid {user}" in rest for rest in values("RUN"))


def test_the_working_directory_belongs_to_that_user() -> None:
    folder, user = value("WORKDIR"), value("USER").partition(":")[0]
    assert any(f"install -d -o {user} -g {user} {folder}" in rest for rest in values("RUN"))
    assert environment()["HOME"] == folder


def test_the_health_check_runs_the_real_command() -> None:
    rest = value("HEALTHCHECK").partition("CMD ")[2]
    command, name = json.loads(rest)
    scripts = (HOME / "pyproject.toml").read_text(encoding="utf-8")
    assert f'{command} = "runsheet.cli:main"' in scripts
    assert name in cli.commands.commands


def test_the_health_file_lies_where_the_user_can_write_without_a_disk() -> None:
    place = PurePosixPath(environment()[health.VARIABLE])
    assert str(place.parent) in service()["tmpfs"]


def test_nothing_is_held_back_or_reported_elsewhere() -> None:
    assert environment()["PYTHONUNBUFFERED"] == "1"
    assert environment()["WANDB_ERROR_REPORTING"] == "false"


def test_it_stops_on_the_signal_that_the_daemon_handles() -> None:
    assert value("STOPSIGNAL") == "SIGTERM"
    assert int(service()["stop_grace_period"].removesuffix("s")) > 5


def test_no_secret_is_part_of_the_image() -> None:
    """Only named files are sent to the builder, and no key is a build-time value."""
    ignored = (HOME / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in ignored if line and not line.startswith("#")]
    assert rules[0] == "*"
    allowed = {line[1:] for line in rules if line.startswith("!")}
    text = (HOME / "Dockerfile").read_text(encoding="utf-8")
    sources = {
        name
        for line in re.findall(r"^COPY (.*)", text, re.MULTILINE)
        if "--from=" not in line
        for name in line.split()[:-1]
    }
    assert sources == allowed
    assert "ARG" not in {word for word, _ in instructions()}
    assert not {"WANDB_API_KEY", "GOOGLE_APPLICATION_CREDENTIALS"} & environment().keys()


def test_compose_runs_the_same_command() -> None:
    flags = parsed([*words("ENTRYPOINT")[2:], *service()["command"]])
    assert flags == parsed([*words("ENTRYPOINT")[2:], *words("CMD")])


def test_compose_mounts_the_places_that_the_image_uses() -> None:
    asked = PurePosixPath(parsed(words("ENTRYPOINT")[2:])["config_path"])
    assert mounts() == {str(asked.parent): "ro", value("WORKDIR"): ""}
    assert PurePosixPath(environment()["NETRC"]).parent == asked.parent


def test_compose_keeps_it_running_and_small_in_rights() -> None:
    found = service()
    assert found["restart"] == "unless-stopped"
    assert found["read_only"] is True
    assert found["cap_drop"] == ["ALL"]
    assert "privileged" not in found
    assert "WANDB_API_KEY" in found["environment"]
