"""Made-up runs of 40 config and 20 summary values, of the kinds that real ones have."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from runsheet.model import Run, Scope

CONFIGS, METRICS = 40, 20
EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
WORDS = ("adamw", "resnet50", "cosine", "imagenet-1k", "bf16-mixed", "gelu", "layernorm", "a100-80gb")


def name(number: int) -> str:
    """A run id of eight characters."""
    return f"r{number:07d}"


def config(number: int) -> dict[str, Any]:
    """Texts, fractions, whole numbers, flags and lists; a quarter of the keys one level down."""
    values: dict[str, Any] = {}
    for key in range(CONFIGS):
        into = values.setdefault("model", {}) if key % 4 == 3 else values
        into[f"option_{key:02d}"] = _option(number, key)
    return values


def _option(number: int, key: int) -> Any:
    match key % 10:
        case 0 | 3 | 7:
            return WORDS[(number + key) % len(WORDS)]
        case 1 | 5 | 8:
            return (number % 97 + 1) * 10.0 ** -(key % 6) / 7
        case 2 | 6:
            return number * key % 4096
        case 4:
            return (number + key) % 2 == 0
    return [key, number % 8, 3]


def summary(number: int) -> dict[str, Any]:
    """Fractions, with W&B's own values beside them."""
    values: dict[str, Any] = {f"metric/{key:02d}": (number % 1009 + 1) / (key + 3) for key in range(METRICS)}
    return values | {"_step": 1000 + number % 50, "_runtime": 600 + number % 50, "_wandb": {"runtime": 600}}


def config_text(number: int) -> str:
    """A config as W&B stores it."""
    entries: dict[str, Any] = {"_wandb": {"value": {"cli_version": "0.31.0", "t": {}}}}
    return json.dumps(
        entries | {key: {"value": value, "desc": None} for key, value in config(number).items()}
    )


def times(number: int, *, recent: bool) -> tuple[datetime, datetime]:
    """When a run began and last gave a sign of life: a minute apart each from EPOCH on, or just now."""
    if recent:
        now = datetime.now(UTC).replace(microsecond=0)
        return now - timedelta(minutes=10), now
    created = EPOCH + timedelta(minutes=number)
    return created, created + timedelta(seconds=600 + number % 50)


def run(number: int, project: str) -> Run:
    """A run as a source gives it."""
    created, heartbeat = times(number, recent=False)
    shown = {key: value for key, value in summary(number).items() if key != "_wandb"}
    return Run(
        Scope("wandb", "api.wandb.ai", project),
        name(number),
        name=f"sunny-field-{number}",
        created=created,
        heartbeat=heartbeat,
        runtime=600.0,
        user="ann",
        config=config(number),
        summary=shown,
    )
