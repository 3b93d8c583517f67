"""What the rows of a Trackio project tell about its runs, and how that becomes a Run each.

Pure. The order in which rows come does not matter, and one may come twice: from the inbox, and from the
database into which the dashboard has just imported it. Times are seconds since 1970 here.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from runsheet.model import Run, Scope

_LATEST = 253_402_300_799.0  # the end of the year 9999
_GPU = re.compile(r"gpu/(\d+)/")


@dataclass(slots=True)
class Facts:
    """What is known of one run so far.

    `first` and `seen` are its first and last sign of life. `values`: of each metric the time and step at
    which it was logged last, and the value. `told` is when the config that counts was written; a run that is
    resumed writes a new one, which replaces the old. `gpus`: how many GPUs the last row about them shows, and
    its time. `damaged`: rows that cannot be read.
    """

    id: str
    name: str = ""
    first: float | None = None
    seen: float | None = None
    told: float = 0.0
    config: dict[str, Any] = field(default_factory=dict)
    values: dict[str, tuple[tuple[float, int], Any]] = field(default_factory=dict)
    gpus: tuple[float, int] | None = None
    damaged: int = 0

    def alive(self, time: float) -> None:
        """The run gave a sign of life."""
        self.first = time if self.first is None else min(self.first, time)
        self.seen = time if self.seen is None else max(self.seen, time)

    def log(self, time: float, metrics: Mapping[str, Any], step: int) -> None:
        """The run logged these metrics. Rows that Trackio wrote in one go have one time."""
        self.alive(time)
        moment = time, step
        for key, value in metrics.items():
            last = self.values.get(key)
            if last is None or moment >= last[0]:
                self.values[key] = moment, value

    def look(self, time: float, system: Mapping[str, Any]) -> None:
        """The run logged these system metrics. Rows about the CPU alone tell nothing of GPUs."""
        self.alive(time)
        found = {match[1] for key in system if (match := _GPU.match(key))}
        if found and (self.gpus is None or time >= self.gpus[0]):
            self.gpus = time, len(found)

    def describe(self, config: Mapping[str, Any], written: float | None) -> None:
        """The run has this config. `written`: when it came into the database, if it did."""
        created = instant(config.get("_Created"))
        told = created or written or 0.0
        for time in (created, written):
            if time is not None:
                self.first = time if self.first is None else min(self.first, time)
        if told >= self.told:
            self.told, self.config = told, dict(config)


def run(facts: Facts, scope: Scope, now: datetime, *, silence: timedelta, gpus: bool) -> Run:
    """The run that these facts tell of.

    Trackio does not record how a run ended, nor that it did: one without a sign of life for `silence` is
    finished. The times of a run that was resumed include its rest, so `runtime` is no clock of its own.
    """
    config = {key: value for key, value in facts.config.items() if not key.startswith("_")}
    tags = _tags(config.get("tags"))
    if tags:
        del config["tags"]
    heartbeat = facts.first if facts.seen is None else facts.seen
    silent = heartbeat is None or now.timestamp() - heartbeat >= silence.total_seconds()
    return Run(
        scope=scope,
        id=facts.id,
        name=facts.name,
        state="finished" if silent else "running",
        created=_moment(facts.first),
        heartbeat=_moment(heartbeat),
        runtime=None if facts.first is None or heartbeat is None else heartbeat - facts.first,
        user=user(facts) or None,
        tags=tags,
        group=_text(facts.config.get("_Group")),
        gpus=facts.gpus[1] if gpus and facts.gpus else None,
        config=config,
        summary={key: value for key, (_, value) in facts.values.items()},
    )


def user(facts: Facts) -> str:
    """The user name at Hugging Face, "" if none is recorded. Never an e-mail address."""
    name = _text(facts.config.get("_Username"))
    return "" if "@" in name else name


def instant(value: Any) -> float | None:
    """Seconds since 1970 of an ISO text, which is UTC unless it says otherwise; None if it is none."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return seconds if 0 < seconds < _LATEST else None


def parse(text: str | bytes) -> dict[str, Any]:
    """A JSON object. Raises ValueError for anything else."""
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 - it is the row that is wrong
    return value


def _tags(value: Any) -> tuple[str, ...]:
    """A list of texts or numbers, or one text; anything else is an ordinary config value."""
    tags = [value] if isinstance(value, str) else value
    if not isinstance(tags, list) or not all(isinstance(tag, str | int | float) for tag in tags):
        return ()
    return tuple(str(tag) for tag in tags if tag != "")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _moment(time: float | None) -> datetime | None:
    return None if time is None else datetime.fromtimestamp(time, UTC)
