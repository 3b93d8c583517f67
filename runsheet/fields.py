"""A run becomes values by path: the built-in keys, and the leaves of its config and summary.

A *path* says where a value comes from: a built-in key (`run_id`), or `config.` or `summary.`
followed by the keys down to a leaf, joined by dots (`config.optimizer.lr`, `summary.val/dice`).
Pure.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any

from runsheet import cells
from runsheet.model import Cell, Run
from runsheet.reports.usage import Settings, usage

CONFIG = "config."
SUMMARY = "summary."

PATH_CHARS = 250
"""The longest path. Longer ones are cut and told apart by a digest: a column's mark holds its path,
and Google Sheets keeps 30,000 characters of marks in a sheet, enough for 100 columns of this length."""

PREFIXES, KEYS = 256, 1_000
"""How many prefixes are remembered, and keys under each, whose paths need not be made anew for each run."""

Values = dict[str, Cell]
"""The cells of one run by path; paths without a value are left out."""


def _words(words: tuple[str, ...]) -> Cell:
    return cells.text(", ".join(words))


def _timestamp(run: Run) -> Cell:
    """When the run last logged: W&B's `_timestamp`, else its last sign of life."""
    return cells.stamp(run.summary.get("_timestamp")) or run.heartbeat or run.created


BUILTIN: Mapping[str, Callable[[Run], Cell]] = {
    "run_id": lambda run: cells.text(run.id).strip(),
    "_timestamp": _timestamp,
    "name": lambda run: cells.text(run.user or ""),
    "run_name": lambda run: cells.text(run.name),
    "state": lambda run: cells.text(run.state),
    "created_at": lambda run: run.created,
    "runtime": lambda run: None if run.runtime is None else cells.number(run.runtime),
    "url": lambda run: cells.text(run.url),
    "tags": lambda run: _words(run.tags),
    "group": lambda run: cells.text(run.group),
    "job_type": lambda run: cells.text(run.job_type),
    "sweep": lambda run: cells.text(run.sweep),
    "project": lambda run: cells.text(run.scope.project),
    "source": lambda run: cells.text(run.scope.source),
    "notes": lambda run: cells.text(run.notes),
    "host": lambda run: cells.text(run.machine),
}
"""The keys that every run has, and how each is read. `runtime` is in seconds."""

TITLES = frozenset(BUILTIN) - {"source"}
"""Built-in keys whose columns are known by their titles alone in a sheet without marks. `source` is not among
them: the first script of this kind had none, and a column of that name is a person's, or shows the config."""

COMPUTED = ("gpus", "runtime_hours", "gpu_hours")
"""Built-in keys whose values take some work, see `used`: they are there only when one of them is listed."""

BUILTIN_KEYS = (*BUILTIN, *COMPUTED)
"""All built-in keys."""

DECIMALS = 4
"""Of hours: a third of a second."""

DATES = frozenset({"_timestamp", "created_at"})
"""Built-in keys whose values are dates."""


def values(run: Run, names: Mapping[str, str]) -> Values:
    """All cells of a run by path. `names` maps user names to the names shown.

    Raises nothing on any config or summary that JSON can express: a value that makes no cell
    (None, NaN, an empty text or mapping) is left out.
    """
    found: Values = {key: cell for key, read in BUILTIN.items() if (cell := read(run)) or cell == 0}
    if run.user is not None and run.user in names:
        found["name"] = cells.text(names[run.user])
    _leaves(CONFIG, run.config, found)
    _leaves(SUMMARY, run.summary, found)
    return found


def used(run: Run, settings: Settings, now: datetime) -> Values:
    """The cells of COMPUTED. A run that goes on shows its hours so far; one on CPUs has no GPUs. Where nobody
    knows how many there were, neither they nor GPU-hours are shown."""
    found = usage(run, settings, now)
    values: Values = {"runtime_hours": round(found.hours, DECIMALS)} if found.end or found.seconds else {}
    if found.cpu or found.gpus is not None:
        values["gpus"] = 0 if found.cpu else found.gpus
        values["gpu_hours"] = round(found.gpu_hours, DECIMALS)
    return values


def _leaves(prefix: str, mapping: Mapping[Any, Any], found: Values) -> None:
    """Add the leaves under a mapping. Leaves go before nested mappings, so that of the keys
    `{"a.b": 1}` and `{"a": {"b": 2}}` of one run always the literal one is called `a.b`.

    A stack and no recursion: values nested thousands of levels deep are legal JSON.
    """
    waiting = [(prefix, mapping)]
    while waiting:
        prefix, mapping = waiting.pop()
        paths = _known(prefix) if len(prefix) <= PATH_CHARS else _Paths(prefix)
        nested: list[tuple[str, Mapping[Any, Any]]] = []
        for key, value in mapping.items():
            if type(value) not in cells.FLAT and isinstance(value, Mapping) and "_type" not in value:
                nested.append((f"{prefix}{cells.text(str(key))}.", value))
            elif (cell := cells.clean(value)) or cell == 0:  # Neither None nor "".
                path = paths[key]
                found[path if path not in found else _free(path, found)] = cell
        waiting += reversed(nested)


class _Paths(dict[Any, str]):
    """The paths of the leaves under a prefix by key. Keys repeat from run to run, so the latest KEYS or
    less are remembered; only texts, since 1 and True are one key of a dictionary, and only short ones."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def __missing__(self, key: Any) -> str:
        path = _short(self._prefix + cells.text(str(key)))
        if type(key) is str and len(key) <= PATH_CHARS:
            if len(self) >= KEYS:
                self.clear()
            self[key] = path
        return path


_known = lru_cache(PREFIXES)(_Paths)


def _short(path: str) -> str:
    if len(path) <= PATH_CHARS:
        return path
    digest = sha256(path.encode()).hexdigest()[:8]
    return f"{path[: PATH_CHARS - 9]}~{digest}"


def _free(path: str, found: Values) -> str:
    """The path with "~2", "~3", … the first that no other key of this run has taken."""
    count = 2
    while f"{path}~{count}" in found:
        count += 1
    return f"{path}~{count}"
