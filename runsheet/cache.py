"""Files of this machine that may be lost: what was pulled and need not be pulled again.

They hold what is in runs, so only their owner can read them, and one process at a time has each.
"""

import logging
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

log = logging.getLogger(__name__)

KEPT_SECONDS = 24 * 3600.0
"""A file that nobody came back for is deleted after this time: names, tags and notes of a run change without
a sign of life."""


def folder(environ: Mapping[str, str]) -> Path:
    """Where files go: RUNSHEET_CACHE_DIR, else the user's folder for such things."""
    if named := environ.get("RUNSHEET_CACHE_DIR"):
        return Path(named)
    home = environ.get("HOME") or os.path.expanduser("~")  # noqa: PTH111 - Path.home() may raise
    return Path(environ.get("XDG_CACHE_HOME") or Path(home) / ".cache") / "runsheet"


def connect(path: Path, tables: str) -> sqlite3.Connection:
    """The file with these tables, for this process alone. What is in runs is nobody else's business: only the
    owner reads it.

    `check_same_thread`: a thread pulls a project, and when it has ended, the main one plans.
    """
    path.touch(mode=0o600)
    file = sqlite3.connect(path, timeout=0.0, check_same_thread=False, isolation_level="IMMEDIATE")
    try:
        file.execute("PRAGMA locking_mode = EXCLUSIVE")
        file.execute("PRAGMA synchronous = OFF")  # A file that a power cut has torn is made anew.
        file.execute("BEGIN EXCLUSIVE")
        file.commit()
        file.executescript(tables)
    except BaseException:
        file.close()
        raise
    return file


def prepare(path: Path, pattern: str) -> bool:
    """Make the folder and remove files that nobody came back for. False if nothing can be written there."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.stat().st_uid != os.getuid():
            return False  # What another user can read or put there is not for our runs.
        for old in _abandoned(path, pattern):
            old.unlink(missing_ok=True)
        return os.access(path, os.W_OK | os.X_OK)
    except OSError as error:
        log.debug("nothing can be kept in %s: %s", path, error)
        return False


def _abandoned(path: Path, pattern: str) -> Iterator[Path]:
    for file in path.glob(pattern):
        if time.time() - file.stat().st_mtime > KEPT_SECONDS:
            yield file
