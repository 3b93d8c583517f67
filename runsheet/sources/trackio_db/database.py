"""A project's database: what its rows tell of the runs, at one moment, while Trackio may be writing to it.

Only read, and no file is made beside it: with a `-wal` or `-shm` of another account Trackio could not
write any more. So where nobody has the file open, it is read as it lies there, and once more if it has
changed meanwhile; where somebody has, SQLite's own snapshot is used; and what a process that was killed left
behind, without the index that a snapshot needs, is read in a copy. What remains is a writer that ends in the
instant between our look and SQLite's own: then SQLite makes both files, empty.
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runsheet.clock import Clock
from runsheet.errors import AccessError, ServiceError
from runsheet.retry import Again, Policy
from runsheet.sources.trackio_db.run_facts import Facts, instant, parse

PATIENCE = Policy(tries=8, seconds=30.0, first=0.1, longest=8.0)
"""How often a database that is locked, or changes while it is read, is tried."""

LOCKS = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})

MAGIC, WAL = b"SQLite format 3\0", b"\x02"
"""How the file begins; what byte 18 is if changes go to a log beside it."""

STILL = "mode=ro&immutable=1"
"""How a file is opened that nobody writes to: without locks, and without the files that hold them."""

STEP = 1000
"""Rows between two looks at the stop signal."""

Runs = dict[str, Facts]
"""What is known of runs, by id."""


def read(path: Path, known: Callable[[], Runs], clock: Clock, *, gpus: bool) -> Runs | None:
    """What the database tells, added to what is `known` (asked for anew with each try); None if there is no
    such file. `gpus`: count them, too.

    Raises AccessError or ServiceError, for a file that is no database too, and Stopped.
    """

    def attempt() -> Runs | None:
        try:
            return _attempt(path, known(), clock, gpus=gpus)
        except FileNotFoundError:
            return None
        except PermissionError as error:
            raise AccessError(f"the Trackio database {path} must not be read: {error.strerror}") from error
        except OSError as error:
            raise ServiceError(f"the Trackio database {path} cannot be read: {error.strerror}") from error

    return PATIENCE.run(attempt, clock)


def _attempt(path: Path, runs: Runs, clock: Clock, *, gpus: bool) -> Runs:
    """Raises Again if the database is locked, or was not the same from begin to end."""
    before = _standing(path)
    how = _way(path)
    try:
        with _opened(path, how) as connection:
            reading = _Reading(connection, runs, clock)
            reading.configs()
            reading.metrics()
            reading.system(gpus=gpus)
    except sqlite3.Error as error:
        failure = ServiceError(f"the Trackio database {path} cannot be read: {error}")
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in LOCKS or _standing(path) != before:
            raise Again(failure) from error
        raise failure from error
    if how != "mode=ro" and _standing(path) != before:
        raise Again(ServiceError(f"the Trackio database {path} changes all the time"))
    return runs


def _standing(path: Path) -> tuple[int, int, int]:
    """What differs when anybody has written to the file."""
    stat = path.stat()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _way(path: Path) -> str:
    """How to open a database so that no file is made: as a URI has it, or "" for a copy.

    Raises ServiceError for a file that is no database.
    """
    with path.open("rb") as file:
        head = file.read(20)
    if head and not head.startswith(MAGIC):
        raise ServiceError(f"{path} is no Trackio database: it does not begin as SQLite's files do")
    if head[18:19] != WAL:
        return "mode=ro"
    if not _size(_beside(path, "-wal")):
        return STILL
    return "mode=ro" if _beside(path, "-shm").exists() else ""


@contextmanager
def _opened(path: Path, how: str) -> Iterator[sqlite3.Connection]:
    """In a transaction, which begins with the first row that is read. It does not wait: see PATIENCE."""
    with tempfile.TemporaryDirectory(prefix="runsheet-") as folder:
        if not how:
            copy = Path(folder) / path.name
            shutil.copyfile(path, copy)
            shutil.copyfile(_beside(path, "-wal"), _beside(copy, "-wal"))
            path, how = copy, "mode=ro"
        uri = f"{path.absolute().as_uri()}?{how}"
        with closing(sqlite3.connect(uri, uri=True, timeout=0, isolation_level=None)) as connection:
            connection.text_factory = bytes  # so that a damaged text spoils its row only
            connection.execute("BEGIN")
            yield connection


def _beside(path: Path, end: str) -> Path:
    return path.with_name(path.name + end)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


@dataclass(frozen=True, slots=True)
class _Reading:
    """A pass over the tables that tell of runs, which adds to `runs`.

    Columns differ between versions of Trackio: without `run_id` the name is the id, as Trackio has it.
    """

    connection: sqlite3.Connection
    runs: Runs
    clock: Clock

    def configs(self) -> None:
        columns = self._columns("configs", "run_name", "config")
        if not columns:
            return
        written = "created_at" if "created_at" in columns else "NULL"
        for facts, text, time in self._rows(columns, "configs", f"config, {written}"):
            config = _object(facts, text)
            if config is not None:
                facts.describe(config, instant(_text(time)))

    def metrics(self) -> None:
        columns = self._columns("metrics", "run_name", "timestamp", "metrics")
        if not columns:
            return
        step = "step" if "step" in columns else "0"
        for facts, text, time, number in self._rows(columns, "metrics", f"metrics, timestamp, {step}"):
            metrics = _object(facts, text)
            moment = instant(_text(time))
            if metrics is not None and moment is not None:
                facts.log(moment, metrics, number if isinstance(number, int) else 0)
            elif metrics is not None:
                facts.damaged += 1

    def system(self, *, gpus: bool) -> None:
        """The first and last row of each run, by the index alone: there is a row every ten seconds. With
        `gpus` also the last one that tells of GPUs."""
        columns = self._columns("system_metrics", "run_name", "timestamp", "metrics")
        if not columns:
            return
        key = _key(columns)
        spans = f"SELECT {key}, min(timestamp), max(timestamp) FROM system_metrics GROUP BY {key}"
        for ident, *span in self.connection.execute(spans).fetchall():
            self.clock.check()
            of_run = f"FROM system_metrics WHERE {key} IS CAST(? AS TEXT)"  # text comes as bytes
            (name,) = self.connection.execute(f"SELECT run_name {of_run} LIMIT 1", (ident,)).fetchone()
            facts = self._facts(ident, name)
            for time in map(instant, map(_text, span)):
                if time is not None:
                    facts.alive(time)
            last = f"{of_run} AND instr(CAST(metrics AS TEXT), '\"gpu/') ORDER BY timestamp DESC LIMIT 1"
            row = self.connection.execute(f"SELECT metrics, timestamp {last}", (ident,)) if gpus else ()
            for text, time in row:
                system, moment = _object(facts, text), instant(_text(time))
                if system is not None and moment is not None:
                    facts.look(moment, system)

    def _columns(self, table: str, *needed: str) -> frozenset[str]:
        """The columns of a table; none if there is no such table. Raises ServiceError if one is missing."""
        found = frozenset(_text(row[1]) for row in self.connection.execute(f"PRAGMA table_info({table})"))
        missing = [name for name in needed if name not in found]
        if found and missing:
            raise ServiceError(
                f"the table {table} of a Trackio database has no column {', '.join(missing)}: it was made by "
                "a version of Trackio that runsheet does not know"
            )
        return found

    def _rows(self, columns: frozenset[str], table: str, wanted: str) -> Iterator[tuple[Any, ...]]:
        """The rows of a table in the order in which they came, each behind the run that it is of."""
        rows = self.connection.execute(
            f"SELECT {_key(columns)}, run_name, {wanted} FROM {table} ORDER BY rowid"
        )
        for number, (ident, name, *rest) in enumerate(rows):
            if number % STEP == 0:
                self.clock.check()
            yield self._facts(ident, name), *rest

    def _facts(self, ident: Any, name: Any) -> Facts:
        run_id = _text(ident) or _text(name)
        facts = self.runs.get(run_id)
        if facts is None:
            facts = self.runs[run_id] = Facts(run_id)
        facts.name = _text(name)
        return facts


def _key(columns: frozenset[str]) -> str:
    return "run_id" if "run_id" in columns else "run_name"


def _object(facts: Facts, text: Any) -> dict[str, Any] | None:
    """The JSON object of a row; None, and the damage is noted, if it cannot be read."""
    try:
        return parse(text if isinstance(text, bytes) else "")
    except ValueError:
        facts.damaged += 1
        return None


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""
