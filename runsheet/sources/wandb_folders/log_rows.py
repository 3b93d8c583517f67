"""The rows in a `.wandb` file: what a training logged, and what the client measured of the machine meanwhile.

Keys are named as W&B's server names them: a path is joined with dots, a media value (a mapping that has a
`_type`) stays whole, and what was measured begins with "system.". Values stay JSON text until somebody wants
them: to decode all takes twenty times as long as to read the file.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runsheet.model import Sample
from runsheet.sources.base import Stream
from runsheet.sources.wandb_folders import run_facts as facts
from runsheet.sources.wandb_folders.log_records import Key, Leaves, key_of, parsed, place, stamp, steps_of

_TIME, _TYPE = "_timestamp", "_type"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a stream: JSON texts by key, a media value by its parts. `measured`: when it was, where the
    row itself does not say."""

    stream: Stream
    raw: Mapping[str, str | Leaves]
    measured: float | None = None

    def sample(self, wanted: Callable[[str], bool]) -> Sample:
        """The values that are wanted; what is not JSON is left out."""
        values = {}
        for key, raw in self.raw.items():
            if wanted(key):
                try:
                    values[key] = _decoded(raw)
                except ValueError:
                    continue
        return Sample(self._time(), values)

    def _time(self) -> float | None:
        raw = self.raw.get(_TIME) if self.stream is Stream.HISTORY else None
        if raw is None:
            return self.measured
        try:
            return facts.seconds(_decoded(raw))
        except ValueError:
            return None


def read(records: Iterable[bytes], streams: Collection[Stream]) -> Iterator[Row]:
    """The rows of these streams, in the order in which they were written. Raises what a read raises."""
    for record in parsed(records):
        kind = record.WhichOneof("record_type")
        if kind == "history" and Stream.HISTORY in streams:
            items = ((place(item), item.value_json) for item in record.history.item)
            yield Row(Stream.HISTORY, _named(items))
        elif kind == "stats" and Stream.SYSTEM in streams:
            named = _named((item.key, item.value_json) for item in record.stats.item)
            raw = {f"system.{key}": value for key, value in named.items()}
            yield Row(Stream.SYSTEM, raw, stamp(record.stats.timestamp))


def _named(items: Iterable[tuple[Key, str]]) -> dict[str, str | Leaves]:
    """The values of the items, by name. Clients up to 0.17 write a mapping in one, later ones its leaves."""
    leaves: dict[Key, str] = {}
    for key, raw in items:
        if raw.startswith("{"):
            leaves.update(_opened(key, raw))
        else:
            leaves[key] = raw
    values: dict[str, str | Leaves] = {}
    media = {key[:-1] for key in leaves if isinstance(key, tuple) and key[-1] == _TYPE}
    for key, raw in leaves.items():
        steps = steps_of(key)
        head = next((steps[:size] for size in range(1, len(steps)) if steps[:size] in media), steps)
        if head is steps:
            values[".".join(steps)] = raw
        else:
            part = values.setdefault(".".join(head), Leaves())
            if isinstance(part, Leaves):
                part.put(key_of(steps[len(head) :]), raw)
    return values


def _opened(key: Key, raw: str) -> Iterator[tuple[Key, str]]:
    """The leaves of a mapping; itself if it is a media value, is empty, or cannot be read."""
    try:
        value = facts.parse(raw)
    except ValueError:
        value = None
    if not isinstance(value, dict) or not value or _TYPE in value:
        yield key, raw
        return
    for name, inner in value.items():
        path = (*steps_of(key), name)
        text = json.dumps(inner)
        yield from _opened(path, text) if isinstance(inner, dict) else ((path, text),)


def _decoded(raw: str | Leaves) -> Any:
    return raw.tree() if isinstance(raw, Leaves) else facts.parse(raw)
