"""The keys that a run logged, in groups, as text, as CSV, and as JSON. Pure.

text   the lines of the documented script; the training's keys are cut, unless all are asked for
csv    a row for each key
json   everything
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from runsheet.model import Run
from runsheet.reports import heading
from runsheet.reports.writing import csv_rows, plain
from runsheet.sources.base import Logged, Stream

SHOWN = 30
"""As many keys of the training are shown in the text."""

OWN = frozenset({"_step", "_timestamp", "_runtime", "_wandb"})
"""What W&B's client adds to each row by itself: no key that a run logged."""


class Group(StrEnum):
    """What a key is about, as far as its name and its stream tell."""

    GPU = "GPU"
    SYSTEM = "system"
    TRAINING = "training"


TITLES = {
    Group.GPU: "GPU-related keys:",
    Group.SYSTEM: "System-related keys:",
    Group.TRAINING: "Training metrics keys:",
}


@dataclass(frozen=True, slots=True)
class Key:
    """A key that a run logged: in which streams, and in how many of their rows; None where nobody knows."""

    name: str
    streams: tuple[Stream, ...]
    rows: int | None

    @property
    def group(self) -> Group:
        """GPU wins over system, so that each key is in one group."""
        name = self.name.lower()
        if "gpu" in name:
            return Group.GPU
        return Group.SYSTEM if Stream.SYSTEM in self.streams or "system" in name else Group.TRAINING


def keys(logged: Logged) -> tuple[Key, ...]:
    """The keys of both streams, each once, in the order of the groups and of their names."""
    counts = {Stream.HISTORY: logged.history, Stream.SYSTEM: logged.system}
    names = {name for each in counts.values() for name in each if _part(name) not in OWN}
    found = []
    for name in names:
        streams = tuple(stream for stream, each in counts.items() if name in each)
        rows = [counts[stream][name] for stream in streams]
        found.append(Key(name, streams, sum(rows) if all(rows) else None))
    order = [*Group]
    return tuple(sorted(found, key=lambda key: (order.index(key.group), key.name)))


def text(run: Run, found: Sequence[Key], notes: Iterable[str] = (), *, every: bool = False) -> str:
    """The keys for people, with a line feed at the end."""
    return "".join(f"{line}\n" for line in lines(run, found, notes, every=every))


def lines(run: Run, found: Sequence[Key], notes: Iterable[str] = (), *, every: bool = False) -> Iterator[str]:
    """The lines of `text`. `every`: the training's keys are not cut."""
    yield from heading.lines(run, notes)
    yield f"Total unique keys: {len(found)}"
    if not found:
        yield "This run has logged nothing."
        return
    groups = {group: [key.name for key in found if key.group is group] for group in Group}
    yield " · ".join(f"{group}: {len(names)}" for group, names in groups.items())
    for group, names in groups.items():
        cut = SHOWN if group is Group.TRAINING and not every else len(names)
        if names:
            yield from ("", TITLES[group])
        yield from (f"  - {plain(name)}" for name in names[:cut])
        if names[cut:]:
            yield f"  ... and {len(names) - cut} more"


def csv_text(found: Iterable[Key]) -> str:
    """A row for each key; `rows` is empty where nobody knows how many rows have it."""
    rows = [[key.group, key.name, key.rows, _streams(key)] for key in found]
    return csv_rows([["group", "key", "rows", "stream"], *rows])


def json_text(run: Run, found: Sequence[Key], notes: Iterable[str] = ()) -> str:
    """Everything, with a line feed at its end."""
    content: dict[str, Any] = {
        "run": heading.facts(run),
        "notes": [*notes],
        "total": len(found),
        "groups": {group.value: sum(key.group is group for key in found) for group in Group},
        "keys": [
            {"group": key.group.value, "key": key.name, "rows": key.rows, "stream": _streams(key)}
            for key in found
        ],
    }
    return json.dumps(content, indent=2) + "\n"


def _part(name: str) -> str:
    """The entry of a row that a key is of: nested ones are told with dots."""
    return name.partition(".")[0]


def _streams(key: Key) -> str:
    return "+".join(key.streams)
