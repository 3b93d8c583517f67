"""The inbox: rows that Trackio wrote into files of their own, for its dashboard to import.

Trackio does so on network drives, where SQLite is not safe, and when its server is not reached. A file is
complete when it has its name, and is deleted when its rows are in the database: whoever reads the inbox
first and the database afterwards misses none.
"""

import os
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runsheet.clock import Clock
from runsheet.errors import AccessError, ServiceError
from runsheet.model import Skip
from runsheet.sources.trackio_db.run_facts import Facts, instant, parse

METRIC, SYSTEM_METRIC = "metric", "system_metric"


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a run. `log_id` is "" where it has none."""

    kind: str
    project: str
    run_id: str
    name: str
    time: float
    step: int
    log_id: str
    metrics: dict[str, Any]
    config: dict[str, Any] | None


class Inbox:
    """What all files of the inbox of `folder` held when this was made, by project."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._clock = clock
        self._projects: dict[str, dict[str, Facts]] = {}
        self._files: dict[tuple[str, str], dict[Path, None]] = {}
        self.skips: list[Skip] = []
        for parent, folders, names in os.walk(folder / "inbox", onerror=self._miss):
            folders.sort()
            for name in sorted(name for name in names if name.endswith(".jsonl")):
                clock.check()
                path = Path(parent, name)
                try:
                    self._take(path, path.read_bytes())
                except OSError as error:
                    self._miss(error)

    @property
    def projects(self) -> frozenset[str]:
        return frozenset(self._projects)

    def facts(self, project: str) -> dict[str, Facts]:
        """What is known of the runs of a project, by id: a copy, to be added to."""
        return deepcopy(self._projects.get(project, {}))

    def lines(self, project: str, run_id: str) -> Iterator[Line]:
        """The rows of a run, read again from the files that had any. One that is gone was imported since, so
        that the database has its rows. Raises AccessError, ServiceError and Stopped."""
        for path in self._files.get((project, run_id), ()):
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                continue
            except PermissionError as error:
                raise AccessError(f"{path} must not be read: {error.strerror}") from error
            except OSError as error:
                raise ServiceError(f"{path} cannot be read: {error.strerror}") from error
            for _, line in self._clock.watched(_read(data)):
                if isinstance(line, Line) and (line.project, line.run_id) == (project, run_id):
                    yield line

    def _miss(self, error: OSError) -> None:
        """Note that a file or folder cannot be read, which is no loss if it was imported meanwhile."""
        if not isinstance(error, FileNotFoundError):
            reason = f"it cannot be read, and may hold runs: {error.strerror}"
            self.skips.append(Skip(str(error.filename), reason, count=0, gap=True))

    def _take(self, path: Path, data: bytes) -> None:
        for number, line in _read(data):
            if isinstance(line, Line):
                self._add(line)
                self._files.setdefault((line.project, line.run_id), {})[path] = None
            else:
                where = f"{path}, line {number}"
                self.skips.append(Skip(where, "it is no row of Trackio that can be read", count=0))

    def _add(self, line: Line) -> None:
        """Add what a row tells to the facts of its run."""
        facts = self._projects.setdefault(line.project, {}).setdefault(line.run_id, Facts(line.run_id))
        facts.name = line.name
        if line.config is not None:
            facts.describe(line.config, None)
        if line.kind == METRIC:
            facts.log(line.time, line.metrics, line.step)
        else:
            facts.look(line.time, line.metrics)


def _read(data: bytes) -> Iterator[tuple[int, Line | None]]:
    """The rows in a file, each behind its number; None for one that cannot be read. Alerts, and what later
    versions may write, tell nothing of a run and are passed over."""
    for number, text in enumerate(data.splitlines(), 1):
        if not text.strip():
            continue
        try:
            record = parse(text)
            if record.get("kind") in (METRIC, SYSTEM_METRIC):
                yield number, _line(record)
        except ValueError:
            yield number, None


def _line(record: dict[str, Any]) -> Line:
    """Raises ValueError for a row that does not say whose it is or when it was written."""
    project, name, time = record.get("project"), record.get("run"), instant(record.get("timestamp"))
    metrics, config, step = record.get("metrics"), record.get("config"), record.get("step")
    if not (isinstance(project, str) and isinstance(name, str) and name and isinstance(metrics, dict)):
        raise ValueError("names no run")
    if time is None:
        raise ValueError("has no time")
    return Line(
        kind=record["kind"],
        project=canonical(project),
        run_id=str(record.get("run_id") or name),
        name=name,
        time=time,
        step=step if isinstance(step, int) else 0,
        log_id=str(record.get("log_id") or ""),
        metrics=metrics,
        config=config if isinstance(config, dict) else None,
    )


def canonical(project: str) -> str:
    """The name of a project's files: letters, digits, "-" and "_" of its name, as Trackio has it."""
    return "".join(letter for letter in project if letter.isalnum() or letter in "-_") or "default"
