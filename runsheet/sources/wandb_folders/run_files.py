"""Read the files beside a `.wandb` log: config.yaml, wandb-summary.json, wandb-metadata.json.

They are the only source for runs of the 0.8 and 0.9 clients and where the log was cut or left out,
and the metadata alone holds the user's name. E-mail addresses, paths and code are never read out.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from runsheet.sources.wandb_folders import run_facts as facts
from runsheet.sources.wandb_folders.run_facts import Facts

CONFIG, SUMMARY, METADATA = "config.yaml", "wandb-summary.json", "wandb-metadata.json"

_NODES = 1_000_000
_CLIENT = re.compile(rb"^\s+cli_version: 0\.(\d+)\.", re.MULTILINE)
_FLOAT = re.compile(r"[-+]?(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)[eE][-+]?\d+$")
_MERGE_AND_DATES = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:merge", "tag:yaml.org,2002:value")

# What PyYAML raises for bytes it does not like: odd explicit tags (`!!int ""`, `!!bool x`) end in
# errors that are not its own.
_UNREADABLE = (
    yaml.YAMLError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    ArithmeticError,
    RecursionError,
)


class _Loader(yaml.SafeLoader):
    """YAML that holds what JSON can hold: no dates, no merges.

    Not yaml.CSafeLoader, which is faster but ends the process on a deeply nested file.
    """


class _GoLoader(_Loader):
    """The same as clients from 0.18 on write it: 1e-05 is a number (YAML 1.1 wants 1.0e-05).

    Up to 0.17 an unquoted 1e-05 is a text, which PyYAML took for one when it wrote the file.
    """


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if tag not in _MERGE_AND_DATES]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_GoLoader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))


class Files:
    """The files of one run folder, which stand in `files/` or, with the 0.8 client, in the folder.

    `problems` collects in words what could not be read. A missing file is no problem.
    """

    def __init__(self, folder: Path) -> None:
        self._places = (folder / "files", folder)
        self.problems: list[str] = []
        self.found = False

    def metadata(self) -> Facts:
        """Who ran it, where and when; the project and the end state as far as 0.8 recorded them."""
        values = self._mapping(METADATA, facts.parse)
        known = Facts(
            user=_text(values, "username"),
            machine=_text(values, "host"),
            project=_text(values, "project"),
            job_type=_text(values, "jobType"),
            started=facts.instant(values.get("startedAt", values.get("started_at"))),
            seen=facts.instant(values.get("heartbeatAt", values.get("heartbeat_at"))),
            state=_text(values, "state"),
            gpus=facts.gpus(values.get("gpu_count"), _devices(values), values.get("slurm")),
        )
        known.seen = facts.latest(known.started, known.seen)
        return known

    def values(self) -> Facts:
        """Config and summary."""
        config, summary = self._mapping(CONFIG, _yaml), self._mapping(SUMMARY, facts.parse)
        config.pop("wandb_version", None)
        return Facts(
            config={key: _unwrapped(value) for key, value in config.items()},
            summary=summary,
            seen=facts.seconds(summary.get("_timestamp")),
            runtime=facts.runtime(summary),
        )

    def _mapping(self, name: str, parse: Callable[[bytes], Any]) -> dict[str, Any]:
        """The mapping in a file, {} if there is none."""
        for place in self._places:
            try:
                data = (place / name).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                self.problems.append(f"{name}: {error.strerror}")
                continue
            return self._parsed(name, data, parse)
        return {}

    def _parsed(self, name: str, data: bytes, parse: Callable[[bytes], Any]) -> dict[str, Any]:
        if data.startswith(b"version https://git-lfs"):
            self.problems.append(f"{name} is a git-LFS pointer, not the file itself")
            return {}
        try:
            values = parse(data)
        except ValueError:
            values = None
        if not isinstance(values, dict):
            self.problems.append(f"{name} is empty" if not data.strip() else f"{name} cannot be read")
            return {}
        self.found = self.found or bool(values)
        return values


def _yaml(data: bytes) -> Any:
    """The value of a config.yaml, with texts as keys. Raises ValueError if it cannot be read."""
    version = _CLIENT.search(data)
    loader = _Loader if version and int(version[1]) < 18 else _GoLoader
    try:
        value = yaml.load(data, loader)
        if _endless(value) or facts.deep(value):
            raise ValueError("too large, or nested too deeply")
        return _keyed(value)
    except _UNREADABLE as error:
        raise ValueError("not YAML as W&B writes it") from error


def _endless(value: Any) -> bool:
    """True for a value that contains itself, or that aliases blow up beyond all bounds."""
    stack, count = [value], 0
    while stack:
        count += 1
        if count > _NODES:
            return True
        top = stack.pop()
        stack.extend(top.values() if isinstance(top, dict) else top if isinstance(top, list) else ())
    return False


def _keyed(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _keyed(inner) for key, inner in value.items()}
    return [_keyed(inner) for inner in value] if isinstance(value, list) else value


def _unwrapped(value: Any) -> Any:
    """The user's value: config.yaml has {"desc": .., "value": ..} for each key."""
    return value["value"] if isinstance(value, dict) and "value" in value else value


def _devices(values: Mapping[str, Any]) -> list[Any]:
    """The GPUs that the metadata lists, by the names that the clients gave to the list."""
    lists = (values.get(key) for key in ("gpu_nvidia", "gpu_amd", "gpu_devices"))
    return [device for found in lists if isinstance(found, list) for device in found]


def _text(values: Mapping[str, Any], key: str) -> str:
    value = values.get(key)
    return value if isinstance(value, str) else ""
