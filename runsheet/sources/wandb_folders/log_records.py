"""Turn the records of a `.wandb` file into facts about the run.

The records are parsed by wandb's own protobuf classes, which are imported on first use (0.4 s).
Values stay raw JSON text until the end: a long run holds each key tens of thousands of times, and
only the last value of each is wanted.
"""

import importlib
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from runsheet.sources.wandb_folders import run_facts as facts
from runsheet.sources.wandb_folders.run_facts import Facts

Key = str | tuple[str, ...]
"""Where a value stands: a key, or the path to it when it is nested."""

# A metric with one of these has its summary worked out by the client, which writes it to the log:
# its history must not be laid over that. "copy" is the plain last value.
_WORKED_OUT = ("min", "max", "mean", "best", "last", "none", "first")


@cache
def _classes() -> tuple[Any, type[Exception]]:
    messages = importlib.import_module("wandb.proto.wandb_internal_pb2")
    failure: type[Exception] = importlib.import_module("google.protobuf.message").DecodeError
    return messages.Record, failure


def parsed(records: Iterable[bytes]) -> Iterator[Any]:
    """The records as objects of W&B's classes. One that cannot be parsed is passed over."""
    parse, failure = _classes()[0].FromString, _classes()[1]
    for raw in records:
        try:
            record = parse(raw)
        except failure:
            continue
        yield record


class Leaves:
    """The latest raw JSON text of every key and path.

    A key may be written whole (`a` -> `{"b": 1}`) and by parts (`a`, `b` -> `1`): what comes later
    replaces what it covers.
    """

    def __init__(self) -> None:
        self.raw: dict[Key, str] = {}
        self._parents: set[Key] = set()

    def put(self, key: Key, raw: str) -> None:
        if key not in self.raw:
            self._make_room(key)
        self.raw[key] = raw

    def drop(self, key: Key) -> None:
        """Forget a value and all that is nested in it."""
        self._make_room(key)
        self.raw.pop(key, None)

    def tree(self) -> dict[str, Any]:
        """The values, nested and decoded; what is not JSON is left out."""
        values: dict[str, Any] = {}
        for key, raw in self.raw.items():
            try:
                value = facts.parse(raw)
            except ValueError:
                continue
            *way, name = steps_of(key)
            inner = values
            for step in way:
                inner = inner.setdefault(step, {})
            inner[name] = value
        return values

    def _make_room(self, key: Key) -> None:
        """Remove what lies below `key`, and open what lies above it."""
        steps = steps_of(key)
        if key in self._parents:
            for other in [other for other in self.raw if steps_of(other)[: len(steps)] == steps]:
                del self.raw[other]
        for length in range(1, len(steps)):
            parent = key_of(steps[:length])
            if parent in self.raw:
                self._open(parent)
            self._parents.add(parent)

    def _open(self, key: Key) -> None:
        """Replace a value by its entries, or by nothing if it has none."""
        try:
            value = facts.parse(self.raw.pop(key))
        except ValueError:
            return
        if isinstance(value, dict):
            self.raw |= {(*steps_of(key), name): json.dumps(inner) for name, inner in value.items()}


def place(item: Any) -> Key:
    """Where an item belongs. Clients up to 0.17 fill `key`, later ones mostly `nested_key`."""
    return item.key or key_of(tuple(item.nested_key))


def steps_of(key: Key) -> tuple[str, ...]:
    """A key as a path."""
    return (key,) if isinstance(key, str) else key


def key_of(steps: tuple[str, ...]) -> Key:
    """A path as a key: a text where it has one step."""
    return steps[0] if len(steps) == 1 else steps or ""


def read(records: Iterable[bytes]) -> Facts | None:
    """The facts that these records tell; None if there is no run among them."""
    reader = _Reader()
    for record in parsed(records):
        reader.take(record)
    return reader.facts()


def first_run(records: Iterable[bytes]) -> Facts | None:
    """As `read`, from the first run record only: enough for the run's project."""
    for record in parsed(records):
        if record.HasField("run"):
            reader = _Reader()
            reader.take(record)
            return reader.facts()
    return None


class _Reader:
    """Collects what matters of each record, in order."""

    def __init__(self) -> None:
        self._facts = Facts()
        self._config, self._summary = Leaves(), Leaves()
        self._found = False
        self._exit_runtime: float | None = None
        self._last: dict[str, Any] = {}
        self._metrics: dict[str, bool] = {}  # name, or the beginning of names and a *: worked out?
        self._verdicts: dict[Key, bool] = {}

    def take(self, record: Any) -> None:
        kind = record.WhichOneof("record_type") or ""
        if kind == "history":
            self._lay(self._summary, record.history.item, self._metrics)
        elif kind in ("stats", "output", "output_raw"):
            self._last[kind] = record  # only the last one's time stamp is wanted
        elif kind == "summary":
            self._update(self._summary, record.summary)
        elif kind == "config":
            self._update(self._config, record.config)
        elif kind == "run":
            self._run(record.run)
        elif kind == "exit":
            self._facts.exit_code = record.exit.exit_code
            self._exit_runtime = facts.duration(record.exit.runtime)
        elif kind == "metric":
            self._metric(record.metric)
        elif kind == "environment":
            self._environment(record.environment)

    def facts(self) -> Facts | None:
        """What was collected; None without a run record."""
        if not self._found:
            return None
        known = self._facts
        known.config, known.summary = self._config.tree(), self._summary.tree()
        known.runtime = facts.runtime(known.summary, self._exit_runtime)
        stamps = [stamp(getattr(record, kind).timestamp) for kind, record in self._last.items()]
        known.seen = facts.latest(known.started, facts.seconds(known.summary.get("_timestamp")), *stamps)
        return known

    def _run(self, run: Any) -> None:
        """A run record; a later one (the run was renamed, or the server answered) adds to the first."""
        self._found = True
        known = self._facts
        known.id, known.project = run.run_id or known.id, run.project or known.project
        known.entity = run.entity or known.entity
        known.name = run.display_name or known.name
        known.group, known.job_type = run.run_group or known.group, run.job_type or known.job_type
        known.sweep, known.notes = run.sweep_id or known.sweep, run.notes or known.notes
        known.tags = tuple(run.tags) or known.tags
        known.machine = run.host or known.machine
        known.started = stamp(run.start_time) or known.started
        self._update(self._config, run.config)
        self._update(self._summary, run.summary)

    def _update(self, leaves: Leaves, change: Any) -> None:
        self._lay(leaves, change.update)
        for item in change.remove:
            leaves.drop(place(item))

    def _lay(self, leaves: Leaves, items: Any, metrics: Mapping[str, bool] | None = None) -> None:
        """Lay items over what is there, but for metrics whose summary is worked out.

        Nearly all of the time goes here: up to a million items in a file.
        """
        raw = leaves.raw
        for item in items:
            key = item.key
            if not key:  # clients up to 0.17 fill `key`, later ones `nested_key`
                nested = item.nested_key
                key = nested[0] if len(nested) == 1 else tuple(nested) or ""
            if metrics and self._is_worked_out(key):
                continue
            if key in raw:
                raw[key] = item.value_json
            else:
                leaves.put(key, item.value_json)

    def _metric(self, metric: Any) -> None:
        worked_out = any(getattr(metric.summary, how) for how in _WORKED_OUT)
        # A dot within a name is written as \. there, and a bare one divides a path.
        self._metrics[(metric.name or metric.glob_name).replace("\\", "")] = worked_out
        self._verdicts.clear()

    def _is_worked_out(self, key: Key) -> bool:
        verdict = self._verdicts.get(key)
        if verdict is None:
            name = ".".join(steps_of(key))
            globs = (glob for glob in self._metrics if glob.endswith("*") and name.startswith(glob[:-1]))
            rule = name if name in self._metrics else next(globs, "")
            verdict = self._verdicts[key] = self._metrics.get(rule, False)
        return verdict

    def _environment(self, environment: Any) -> None:
        known = self._facts
        known.user, known.machine = environment.username or known.user, environment.host or known.machine
        known.started = known.started or stamp(environment.started_at)
        devices = [*environment.gpu_nvidia, *environment.gpu_amd]
        known.gpus = facts.gpus(environment.gpu_count, devices, dict(environment.slurm)) or known.gpus


def stamp(stamp: Any) -> float | None:
    """A time stamp of a record in seconds since 1970."""
    return facts.seconds(stamp.seconds + stamp.nanos / 1e9)
