"""The inbox: rows that Trackio wrote into files of their own, for its dashboard to import.

Trackio does so on network drives, where SQLite is not safe, and when its server is not reached. A file is
complete when it has its name, and is deleted when its rows are in the database: whoever reads the inbox
first and the database afterwards misses none.
"""

import os
from collections.abc import Iterable
from copy import deepcopy
from pathlib import Path
from typing import Any

from runsheet.clock import Clock
from runsheet.model import Skip
from runsheet.sources.trackio_db.run_facts import Facts, instant, parse

METRIC, SYSTEM_METRIC = "metric", "system_metric"


class Inbox:
    """What all files of the inbox of `folder` held when this was made, by project."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._projects: dict[str, dict[str, Facts]] = {}
        self.skips: list[Skip] = []
        for parent, folders, names in os.walk(folder / "inbox", onerror=self._miss):
            folders.sort()
            for name in sorted(name for name in names if name.endswith(".jsonl")):
                clock.check()
                path = Path(parent, name)
                try:
                    self._take(path, path.read_bytes().splitlines())
                except OSError as error:
                    self._miss(error)

    @property
    def projects(self) -> frozenset[str]:
        return frozenset(self._projects)

    def facts(self, project: str) -> dict[str, Facts]:
        """What is known of the runs of a project, by id: a copy, to be added to."""
        return deepcopy(self._projects.get(project, {}))

    def _miss(self, error: OSError) -> None:
        """Note that a file or folder cannot be read, which is no loss if it was imported meanwhile."""
        if not isinstance(error, FileNotFoundError):
            reason = f"it cannot be read, and may hold runs: {error.strerror}"
            self.skips.append(Skip(str(error.filename), reason, count=0, gap=True))

    def _take(self, path: Path, lines: Iterable[bytes]) -> None:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                self._sort(parse(line))
            except ValueError:
                where = f"{path}, line {number}"
                self.skips.append(Skip(where, "it is no row of Trackio that can be read", count=0))

    def _sort(self, record: dict[str, Any]) -> None:
        """Add a row to its run. Alerts and what later versions may write tell nothing of a run.

        Raises ValueError for a row that does not say whose it is or when it was written.
        """
        kind = record.get("kind")
        if kind not in (METRIC, SYSTEM_METRIC):
            return
        project, name, time = record.get("project"), record.get("run"), instant(record.get("timestamp"))
        metrics, config = record.get("metrics"), record.get("config")
        if not (isinstance(project, str) and isinstance(name, str) and name and isinstance(metrics, dict)):
            raise ValueError("names no run")
        if time is None:
            raise ValueError("has no time")
        run_id = str(record.get("run_id") or name)
        facts = self._projects.setdefault(canonical(project), {}).setdefault(run_id, Facts(run_id))
        facts.name = name
        if isinstance(config, dict):
            facts.describe(config, None)
        if kind == METRIC:
            step = record.get("step")
            facts.log(time, metrics, step if isinstance(step, int) else 0)
        else:
            facts.look(time, metrics)


def canonical(project: str) -> str:
    """The name of a project's files: letters, digits, "-" and "_" of its name, as Trackio has it."""
    return "".join(letter for letter in project if letter.isalnum() or letter in "-_") or "default"
