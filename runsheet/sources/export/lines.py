"""Runs in a file, one a line: how they are written and read.

The first line is a header, {"format": "runsheet runs", "version": 1}. Each further line is a JSON object with
the fields of a Run that differ from the defaults, `scope` first: so a file is divided into projects without
parsing more than the beginning of its lines. Times are ISO texts; NaN and Infinity are written so.
"""

import json
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, fields
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from runsheet import files
from runsheet.clock import Clock
from runsheet.errors import ConfigError, ServiceError
from runsheet.model import Run, Scope, Skip

FORMAT, VERSION = "runsheet runs", 1
HEADER = {"format": FORMAT, "version": VERSION}

_NAMES = tuple(field.name for field in fields(Run) if field.name != "scope")
_BLANK = Run(Scope("", "", ""), "")
_SCOPE = re.compile(r'\s*\{\s*"scope"\s*:\s*')
_DECODER = json.JSONDecoder()


def write(path: str | Path, runs: Iterable[Run]) -> int:
    """Save runs, and return how many. The file is replaced when all of them are on the disk; if anything
    goes wrong, or `runs` raises, it stays as it was. A new file is readable by this account only.

    Raises ServiceError when the file cannot be written, or a run holds what JSON cannot.
    """
    goal = Path(path)
    try:
        goal = goal.resolve()
        handle, name = tempfile.mkstemp(".runsheet-tmp", f".{goal.name}.", goal.parent)
        new = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                count = _fill(file, runs)
                file.flush()
                os.fsync(file.fileno())
            if goal.exists():
                shutil.copymode(goal, new)
            new.replace(goal)
        except BaseException:
            with suppress(OSError):
                new.unlink()
            raise
    except OSError as error:
        raise ServiceError(f"cannot write the runs to {path}: {error.strerror or error}") from error
    files.flush_folder(goal.parent)
    return count


def _fill(file: IO[bytes], runs: Iterable[Run]) -> int:
    file.write(_line(HEADER))
    count = 0
    for run in runs:
        try:
            file.write(encode(run))
        except (TypeError, ValueError, RecursionError) as error:
            raise ServiceError(f"the run {run.scope.project}/{run.id} cannot be saved: {error}") from error
        count += 1
    return count


def encode(run: Run) -> bytes:
    """The line of a run."""
    values: dict[str, Any] = {"scope": asdict(run.scope)}
    for name in _NAMES:
        value = getattr(run, name)
        if value == getattr(_BLANK, name):
            continue
        if isinstance(value, datetime):
            value = value.isoformat()
        values[name] = dict(value) if isinstance(value, Mapping) else value
    return _line(values)


def _line(values: Mapping[str, Any]) -> bytes:
    """As UTF-8; a text that is none (half a surrogate pair) makes its line ASCII."""
    try:
        return f"{json.dumps(values, ensure_ascii=False)}\n".encode()
    except UnicodeEncodeError:
        return f"{json.dumps(values)}\n".encode()


def decode(line: bytes) -> Run:
    """The run of a line. Raises ValueError that says what is wrong with it."""
    try:
        values = json.loads(line)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except ValueError as error:
        raise ValueError("no JSON") from error
    scope = _typed(_typed(values, dict).get("scope"), dict)
    parts = [_text(scope.get(name)) for name in ("source", "host", "project")]
    if not values.get("id"):
        raise ValueError("id is missing")
    given = {name: _READ[name](values[name]) for name in _NAMES if name in values}
    return Run(Scope(*parts), **given)


def is_header(values: Any) -> bool:
    return isinstance(values, dict) and values.get("format") == FORMAT


def check(header: Mapping[str, Any], path: str) -> None:
    """Raise ConfigError for a file that is not of this version."""
    if header.get("version") != VERSION:
        raise ConfigError(
            f"{path} was saved by another version of runsheet: its format is {header.get('version')!r}, and "
            f"{VERSION} is read here. Save it anew, or update runsheet"
        )


class Lines:
    """A file of ours, open at its begin, divided into projects. Implements Shelf."""

    def __init__(self, file: IO[bytes], path: str, clock: Clock) -> None:
        self._file, self._path = file, path
        self._lock = threading.Lock()
        self.projects: dict[str, list[tuple[int, int]]] = {}
        self.damaged: list[Skip] = []
        place = 0
        for number, line in enumerate(file, 1):
            clock.check()
            self._sort(number, place, line)
            place += len(line)

    def read(self, place: tuple[int, int]) -> Run | Skip:
        """The run in a line: where it begins, and its number."""
        start, number = place
        with self._lock:
            self._file.seek(start)
            line = self._file.readline()
        try:
            return decode(line)
        except ValueError as error:
            return self._skip(number, str(error))

    def _sort(self, number: int, place: int, line: bytes) -> None:
        """Put a line to its project. Other headers are let pass: files may be joined."""
        if not line.strip():
            return
        text = line.decode("utf-8", "replace")
        try:
            if begin := _SCOPE.match(text):
                scope, _ = _DECODER.raw_decode(text, begin.end())
                self.projects.setdefault(_text(scope["project"]), []).append((place, number))
                return
            if is_header(json.loads(text.removeprefix("\ufeff"))):
                return
            reason = "scope does not stand first"
        except (ValueError, LookupError, TypeError, RecursionError):
            reason = "no run that can be read"
        self.damaged.append(self._skip(number, reason))

    def _skip(self, number: int, reason: str) -> Skip:
        return Skip(f"{self._path}, line {number}", reason)


def _text(value: Any) -> str:
    return _typed(value, str)  # type: ignore[no-any-return]


def _typed(value: Any, *kinds: type) -> Any:
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise ValueError(f"a {type(value).__name__} where a {kinds[0].__name__} is expected")
    return value


def _time(value: Any) -> datetime:
    moment = datetime.fromisoformat(_text(value))
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment


def _tags(value: Any) -> tuple[str, ...]:
    return tuple(_text(tag) for tag in _typed(value, list))


_READ: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(_NAMES, _text),
    "created": _time,
    "heartbeat": _time,
    "runtime": lambda value: _typed(value, float, int),
    "timed": lambda value: _typed(value, bool),
    "gpus": lambda value: _typed(value, int),
    "tags": _tags,
    "config": lambda value: _typed(value, dict),
    "summary": lambda value: _typed(value, dict),
}
"""How the fields are read."""
