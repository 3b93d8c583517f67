"""A connection to a SQLite file that shows what it held at one moment, while others may be writing to it.

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
from pathlib import Path
from typing import TypeVar

from runsheet.clock import Clock
from runsheet.errors import AccessError, ServiceError
from runsheet.retry import Again, Policy

PATIENCE = Policy(tries=8, seconds=30.0, first=0.1, longest=8.0)
"""How often a database that is locked, or changes while it is read, is tried."""

LOCKS = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})

MAGIC, WAL = b"SQLite format 3\0", b"\x02"
"""How the file begins; what byte 18 is if changes go to a log beside it."""

STILL = "mode=ro&immutable=1"
"""How a file is opened that nobody writes to: without locks, and without the files that hold them."""

T = TypeVar("T")


def read(path: Path, take: Callable[[sqlite3.Connection], T], clock: Clock) -> T | None:
    """What `take` makes of the database; None if there is no such file. `take` begins anew with each try.

    Raises AccessError or ServiceError, for a file that is no database too, and Stopped; what `take` raises
    of ours passes through.
    """

    def attempt() -> T | None:
        try:
            return _attempt(path, take)
        except FileNotFoundError:
            return None
        except PermissionError as error:
            raise AccessError(f"the Trackio database {path} must not be read: {error.strerror}") from error
        except OSError as error:
            raise ServiceError(f"the Trackio database {path} cannot be read: {error.strerror}") from error

    return PATIENCE.run(attempt, clock)


def _attempt(path: Path, take: Callable[[sqlite3.Connection], T]) -> T:
    """Raises Again if the database is locked, or was not the same from begin to end."""
    before = _standing(path)
    how = _way(path)
    try:
        with _opened(path, how) as connection:
            taken = take(connection)
    except sqlite3.Error as error:
        failure = ServiceError(f"the Trackio database {path} cannot be read: {error}")
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in LOCKS or _standing(path) != before:
            raise Again(failure) from error
        raise failure from error
    if how != "mode=ro" and _standing(path) != before:
        raise Again(ServiceError(f"the Trackio database {path} changes all the time"))
    return taken


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
