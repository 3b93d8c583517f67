"""What is asked of W&B for the rows of a run, and how an answer is read. Pure: no I/O, no wandb.

Terms: a *node* is the run in an answer. Its `history` and `events` are lists of rows, each an object or the
JSON text of one. Its `historyKeys` has an entry for each key of the history, by the type of its values:

    {"keys": {"loss": {"typeCounts": [{"type": "number", "count": 51}], "previousValue": 0.1, ..}, ..}, ..}
"""

import logging
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from runsheet.model import Sample
from runsheet.sources.base import Logged, Rows, Stream
from runsheet.sources.wandb_api.query import DECODER, Node

log = logging.getLogger(__name__)

TEXT = """
query RunsheetRows($project: String!, $entity: String!, $name: String!, $samples: Int) {
  project(name: $project, entityName: $entity) {
    run(name: $name) { %s }
  }
}
"""
"""Of the same shape as the client's own queries for history, events and historyKeys."""

SAMPLES = 10_000
"""Rows asked for. The service gives fewer, and picks them: under 1000 of a long run, whatever is asked."""

FIELDS = {Stream.HISTORY: "history", Stream.SYSTEM: "events"}
"""The field that has the rows of a stream."""

NAMES, COUNT = "historyKeys", "historyLineCount"
"""The fields that tell the keys, and the number, of all rows of the history."""

LATEST = 1e11
"""No time of a row, in seconds, is later: integers of any size come out of JSON, and NaN too."""

OURS = "_wandb"
"""W&B's own entry of a row."""

SYSTEM, SHOWN = "system.", "system/"
"""What the keys of the system stream begin with: in its rows, and among `historyKeys`."""


def text(fields: Iterable[str]) -> str:
    """The query for these fields of one run, at least one of FIELDS."""
    sampled = {*FIELDS.values()}
    return TEXT % " ".join(f"{name}(samples: $samples)" if name in sampled else name for name in fields)


def rows(node: Node, stream: Stream, wanted: Callable[[str], bool]) -> Rows:
    """The rows of a stream. Those that cannot be read are left out."""
    lines = node.get(FIELDS[stream]) or ()
    samples = [_sample(row, wanted) for row in _read(lines)]
    total = _total(node, len(lines)) if stream is Stream.HISTORY else None
    came = 0 if total is None else len(lines)
    return Rows(tuple(_ordered(sample for sample in samples if sample.values)), total, came)


def logged(node: Node) -> Logged:
    """The keys that are told, and those of the rows. Of the history, counts of rows are only taken where
    all rows came."""
    lines = node.get("history") or ()
    history, system = _counts(lines), _counts(node.get("events") or ())
    if _total(node, len(lines)) is not None:
        history = dict.fromkeys(history, 0)
    for key, count in _told(node.get(NAMES)):
        if key.startswith(SHOWN) and key not in history:
            system[SYSTEM + key.removeprefix(SHOWN)] = count
        else:
            history[key] = count or history.get(key, 0)
    return Logged(history, system)


def _total(node: Node, came: int) -> int | None:
    """How many rows the history has, where more than came."""
    count = node.get(COUNT)
    return count if isinstance(count, int) and count > came else None


def _told(names: Any) -> Iterator[tuple[str, int]]:
    """The keys by `historyKeys`, each with the number of its rows; 0 where that is not told."""
    keys = names.get("keys") if isinstance(names, Mapping) else None
    for key, entry in (keys if isinstance(keys, Mapping) else {}).items():
        counts = entry.get("typeCounts") if isinstance(entry, Mapping) else None
        told = [one.get("count") for one in counts or () if isinstance(one, Mapping)]
        if key.partition(".")[0] != OURS:
            yield key, sum(count for count in told if isinstance(count, int))


def _counts(lines: Iterable[Any]) -> dict[str, int]:
    """In how many of the rows each key is."""
    return dict(Counter(key for row in _read(lines) for key in row))


def _read(lines: Iterable[Any]) -> Iterator[dict[str, Any]]:
    """The rows, flat. Text that is no JSON object is passed over."""
    for number, line in enumerate(lines):
        try:
            row = DECODER.decode(line) if isinstance(line, str) else line
        except (ValueError, RecursionError) as error:
            log.debug("row %d is not valid JSON: %s", number, error)
            continue
        if isinstance(row, Mapping):
            yield dict(_flat({key: value for key, value in row.items() if key != OURS}, ""))
        else:
            log.debug("row %d is no object but %s", number, type(row).__name__)


def _flat(row: Mapping[str, Any], before: str) -> Iterator[tuple[str, Any]]:
    """The values of a row by key: nested ones as W&B names them, "outer.inner". Media, which are objects
    with a `_type`, are values."""
    for key, value in row.items():
        if isinstance(value, Mapping) and value and "_type" not in value:
            yield from _flat(value, f"{before}{key}.")
        else:
            yield before + key, value


def _sample(row: Mapping[str, Any], wanted: Callable[[str], bool]) -> Sample:
    return Sample(_time(row.get("_timestamp")), {key: value for key, value in row.items() if wanted(key)})


def _time(value: Any) -> float | None:
    """Seconds since 1970, if it is a time at all."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if number and 0 <= value < LATEST else None


def _ordered(samples: Iterable[Sample]) -> list[Sample]:
    """By time; a row without one stays behind the row that it came after."""
    last = -math.inf
    timed: list[tuple[float, Sample]] = []
    for sample in samples:
        last = last if sample.time is None else sample.time
        timed.append((last, sample))
    return [sample for _, sample in sorted(timed, key=lambda one: one[0])]
