"""What the rows of a project's database tell of its runs."""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runsheet.clock import Clock
from runsheet.sources.trackio_db import snapshot
from runsheet.sources.trackio_db.run_facts import Facts, instant, parse
from runsheet.sources.trackio_db.tables import Table, table, text

Runs = dict[str, Facts]
"""What is known of runs, by id."""


def read(path: Path, known: Callable[[], Runs], clock: Clock, *, gpus: bool) -> Runs | None:
    """What the database tells, added to what is `known` (asked for anew with each try); None if there is no
    such file. `gpus`: count them, too. Raises as `snapshot.read` does.
    """

    def take(connection: sqlite3.Connection) -> Runs:
        reading = _Reading(connection, known(), clock)
        reading.configs()
        reading.metrics()
        reading.system(gpus=gpus)
        return reading.runs

    return snapshot.read(path, take, clock)


@dataclass(frozen=True, slots=True)
class _Reading:
    """A pass over the tables that tell of runs, which adds to `runs`."""

    connection: sqlite3.Connection
    runs: Runs
    clock: Clock

    def configs(self) -> None:
        found = table(self.connection, "configs", "run_name", "config")
        if not found:
            return
        written = found.or_else("created_at", "NULL")
        for facts, raw, time in self._rows(found, f"config, {written}"):
            config = _object(facts, raw)
            if config is not None:
                facts.describe(config, instant(text(time)))

    def metrics(self) -> None:
        found = table(self.connection, "metrics", "run_name", "timestamp", "metrics")
        if not found:
            return
        step = found.or_else("step", "0")
        for facts, raw, time, number in self._rows(found, f"metrics, timestamp, {step}"):
            metrics = _object(facts, raw)
            moment = instant(text(time))
            if metrics is not None and moment is not None:
                facts.log(moment, metrics, number if isinstance(number, int) else 0)
            elif metrics is not None:
                facts.damaged += 1

    def system(self, *, gpus: bool) -> None:
        """The first and last row of each run, by the index alone: there is a row every ten seconds. With
        `gpus` also the last one that tells of GPUs."""
        found = table(self.connection, "system_metrics", "run_name", "timestamp", "metrics")
        if not found:
            return
        key = found.key
        spans = f"SELECT {key}, min(timestamp), max(timestamp) FROM system_metrics GROUP BY {key}"
        for ident, *span in self.connection.execute(spans).fetchall():
            self.clock.check()
            of_run = f"FROM system_metrics WHERE {key} IS CAST(? AS TEXT)"  # text comes as bytes
            (name,) = self.connection.execute(f"SELECT run_name {of_run} LIMIT 1", (ident,)).fetchone()
            facts = self._facts(ident, name)
            for time in map(instant, map(text, span)):
                if time is not None:
                    facts.alive(time)
            last = f"{of_run} AND instr(CAST(metrics AS TEXT), '\"gpu/') ORDER BY timestamp DESC LIMIT 1"
            row = self.connection.execute(f"SELECT metrics, timestamp {last}", (ident,)) if gpus else ()
            for raw, time in row:
                system, moment = _object(facts, raw), instant(text(time))
                if system is not None and moment is not None:
                    facts.look(moment, system)

    def _rows(self, found: Table, wanted: str) -> Iterator[tuple[Any, ...]]:
        """The rows of a table in the order in which they came, each behind the run that it is of."""
        sql = f"SELECT {found.key}, run_name, {wanted} FROM {found.name} ORDER BY rowid"
        for ident, name, *rest in self.clock.watched(self.connection.execute(sql)):
            yield self._facts(ident, name), *rest

    def _facts(self, ident: Any, name: Any) -> Facts:
        run_id = text(ident) or text(name)
        facts = self.runs.get(run_id)
        if facts is None:
            facts = self.runs[run_id] = Facts(run_id)
        facts.name = text(name)
        return facts


def _object(facts: Facts, raw: Any) -> dict[str, Any] | None:
    """The JSON object of a row; None, and the damage is noted, if it cannot be read."""
    try:
        return parse(raw if isinstance(raw, bytes) else "")
    except ValueError:
        facts.damaged += 1
        return None
