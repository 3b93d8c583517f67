"""What the stand-in server knows: entities, projects and runs, all in memory.

Assigning to a field of a run is an edit: the next answer shows it. Rendered nodes are kept per
run, so that serving ten thousand runs again costs no rendering.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
"""When the first run of add_runs() was created."""


def iso(moment: datetime) -> str:
    """A time as current servers write it: "2024-01-01T00:00:00Z"."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def config_text(values: Mapping[str, Any]) -> str:
    """A config as W&B stores it: each value in {"value": ..}, next to its own `_wandb` entry."""
    entries: dict[str, Any] = {"_wandb": {"value": {"cli_version": "0.31.0", "t": {}}}}
    entries.update((key, {"value": value, "desc": None}) for key, value in values.items())
    return json.dumps(entries)


@dataclass(frozen=True)
class User:
    """An account."""

    username: str
    name: str = ""
    entity: str = ""
    teams: tuple[str, ...] = ()


@dataclass
class Run:
    """One run, with the fields of the service; `id` is GraphQL's `name`.

    `config`, `summary` and `system` are JSON text, or None; times are text, or None. `history_rows` and
    `system_rows` are what was logged, each row an object, or text that is sent as it is; keys of the latter
    begin with "system.", as the server's do. `lines` and `history` (the GraphQL `historyLineCount` and
    `historyKeys`) are made from the former where they are None.
    """

    id: str
    display_name: str | None = ""
    state: str | None = "finished"
    created_at: str | None = "2024-01-01T00:00:00Z"
    heartbeat_at: str | None = "2024-01-01T01:00:00Z"
    tags: list[str] | None = field(default_factory=list)
    group: str | None = None
    job_type: str | None = None
    sweep_name: str | None = None
    notes: str | None = None
    host: str | None = None
    user: User | None = None
    config: str | None = "{}"
    summary: str | None = "{}"
    system: str | None = "{}"
    description: str | None = None
    commit: str | None = None
    lines: int | None = None
    history: Any = None
    history_rows: list[Any] = field(default_factory=list)
    system_rows: list[Any] = field(default_factory=list)
    gpu_count: int | None = None

    edits: ClassVar[int] = 0
    """Counts every edit of every run, so that an ordering can be kept until something changes."""

    def __setattr__(self, name: str, value: Any) -> None:
        Run.edits += 1
        object.__setattr__(self, name, value)
        object.__setattr__(self, "rendered", {})


@dataclass
class Project:
    """A project and its runs by id, in the order in which they were added.

    A `hidden` one is answered as if it did not exist, as the service does with private ones.
    """

    entity: str
    name: str
    number: int
    runs: dict[str, Run] = field(default_factory=dict)
    created_at: str = iso(EPOCH)
    hidden: bool = False
    sorted_runs: tuple[Any, list[Run]] = (None, [])


def make_run(number: int, user: User | None, *, configs: int, metrics: int) -> Run:
    """The n-th run of a made-up sweep; a function of its arguments alone."""
    created = EPOCH + timedelta(minutes=number)
    config: dict[str, Any] = {"lr": 0.001 * (number % 7 + 1), "seed": number, "model": "resnet"}
    config.update((f"c{i}", f"value {i}") for i in range(configs - len(config)))
    seconds = 600 + number % 50
    summary: dict[str, Any] = {"loss": 1 / (number + 1), "_step": 100, "_runtime": seconds}
    summary["_wandb"] = {"runtime": seconds}
    summary.update((f"m{i}", i + number / 1000) for i in range(metrics - 1))
    return Run(
        id=f"run{number:05d}",
        display_name=f"sunny-field-{number}",
        created_at=iso(created),
        heartbeat_at=iso(created + timedelta(seconds=seconds)),
        tags=["baseline"] if number % 2 == 0 else [],
        group=f"g{number % 3}",
        job_type="train",
        host=f"node{number % 4}",
        user=user,
        config=config_text(config),
        summary=json.dumps(summary),
    )
