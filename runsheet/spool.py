"""The values of runs while a tick works on them: few in memory, many in a file.

A first sync of a hundred thousand runs would take gigabytes of memory. What does not fit is written to a
file as it comes, and read again row by row. A tick that was interrupted leaves its file behind, and the next
one takes from it what it need not pull again. The file is gone when the tick comes to its end.
"""

import contextlib
import hashlib
import json
import logging
import sqlite3
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from runsheet.cache import connect, prepare
from runsheet.cells import Mark
from runsheet.errors import ServiceError
from runsheet.fields import Values
from runsheet.model import Scope
from runsheet.packing import json_text, scope_text

log = logging.getLogger(__name__)

FEW = 2_000
"""So many runs are held in memory; when there are more, all of them go to the file as well."""

DEAR = 50
"""The same, of runs that have cost a request each."""

COMMIT = 1_000
"""After so many runs the file is brought up to date: what comes later is lost when the process dies."""

FORM = 1
"""Raised when what is written changes its meaning: older files are not read then."""

LAYOUTS = 5_000
"""So many different sets of paths are written once; runs beyond have theirs beside them."""

_TABLES = """
CREATE TABLE IF NOT EXISTS layouts (id INTEGER PRIMARY KEY, paths TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS runs (id TEXT PRIMARY KEY, stamp TEXT NOT NULL, layout INTEGER, data TEXT);
"""


class Spool:
    """Values by run id, for the runs of one project. One thread at a time.

    `path` is where the file goes when there are many runs, or stands from an earlier tick; None for no
    file: then the caller holds everything. More than `few` runs are many. `earlier`: runs that it had when it
    was opened, with their stamps.
    """

    def __init__(self, path: Path | None = None, few: int = FEW) -> None:
        self._path = path
        self._few = few
        self._file: sqlite3.Connection | None = None
        self._held: dict[str, tuple[str, Values]] = {}
        self._layouts: dict[tuple[str, ...], int] = {}
        self._paths: dict[int, list[str]] = {}
        self._fresh = 0
        self._torn = False
        self.earlier: Mapping[str, str] = {}
        if path is not None and path.exists():
            self._open(path)

    def add(self, run_id: str, stamp: str, values: Values) -> bool:
        """Keep the values of a run. True when they went to the file only, so that the caller should not hold
        them either. Raises ServiceError when the disk is full."""
        if self._path is None:
            return False
        if self._file is None:
            self._held[run_id] = stamp, values
            if len(self._held) <= self._few or not self._open(self._path):
                return False
            with self._reported():
                for held, (how, cells) in self._held.items():
                    self._write(held, how, cells)
            self._held.clear()
            return False
        with self._reported():
            self._write(run_id, stamp, values)
        return True

    def load(self, run_id: str) -> Values:
        """The values of a run that was added, now or earlier. Raises KeyError for others, ServiceError when
        the file cannot be read any more."""
        if run_id in self._held:
            return self._held[run_id][1]
        found = None
        if self._file is not None:
            query = "SELECT layout, data FROM runs WHERE id = ?"
            with self._reported():
                found = self._file.execute(query, (run_id,)).fetchone()
        if found is None:
            raise KeyError(run_id)
        layout, data = found
        try:
            cells = json.loads(data)
            paths = self._paths[layout] if layout else cells.pop()
            return dict(zip(paths, map(_cell, cells), strict=True))
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            self._torn = True
            raise ServiceError(f"{self._path} is torn and is made anew by the next tick") from error

    @contextlib.contextmanager
    def _reported(self) -> Iterator[None]:
        """Errors of the file as ours."""
        try:
            yield
        except sqlite3.Error as error:
            if not isinstance(error, sqlite3.OperationalError) or "decode" in str(error):
                self._torn = True
                raise ServiceError(f"{self._path} is torn and is made anew by the next tick") from error
            raise ServiceError(
                f"the runs that were pulled cannot be kept in {self._path} ({error}): make room there, or "
                "name another folder in RUNSHEET_CACHE_DIR"
            ) from error

    def keep(self) -> None:
        """Close the file and leave it for the next tick."""
        self._held.clear()
        if self._file is not None:
            with contextlib.suppress(sqlite3.Error):
                self._file.commit()
                self._file.close()
            self._file = None
            if self._torn and self._path is not None:
                self._path.unlink(missing_ok=True)

    def done(self) -> None:
        """Close the file and delete it."""
        written = self._file is not None
        self.keep()
        if self._path is not None and written:
            self._path.unlink(missing_ok=True)

    def _open(self, path: Path) -> bool:
        """Open the file, made anew if it makes no sense. False, and no file from now on, when that is not
        possible: another process has it, the disk is full."""
        for _ in range(2):
            try:
                self._file = connect(path, _TABLES)
                self._load_earlier()
                return True
            except sqlite3.OperationalError as error:
                log.debug("%s: %s", path, error)
                break
            except (sqlite3.Error, ValueError) as error:
                log.debug("%s makes no sense and is made anew: %s", path, error)
                self._drop()
                path.unlink(missing_ok=True)
            except OSError as error:
                log.debug("%s: %s", path, error)
                break
        self._drop()
        log.warning("runs are held in memory, since %s cannot be written or is in use", path)
        self._path = None
        self._held.clear()
        return False

    def _drop(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _load_earlier(self) -> None:
        assert self._file is not None
        for number, paths in self._file.execute("SELECT id, paths FROM layouts"):
            self._paths[number] = json.loads(paths)
            self._layouts[tuple(self._paths[number])] = number
        self.earlier = dict(self._file.execute("SELECT id, stamp FROM runs"))

    def _write(self, run_id: str, stamp: str, values: Values) -> None:
        assert self._file is not None
        layout = self._layout(tuple(values))
        cells: list[Any] = [{"mark": str(cell)} if type(cell) is Mark else cell for cell in values.values()]
        if not layout:
            cells.append(list(values))
        row = (run_id, stamp, layout, _ENCODER.encode(cells))
        self._file.execute("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?)", row)
        self._fresh += 1
        if self._fresh >= min(COMMIT, self._few):
            self._file.commit()
            self._fresh = 0

    def _layout(self, paths: tuple[str, ...]) -> int:
        """The number of a set of paths, 0 when there are too many of them."""
        assert self._file is not None
        number = self._layouts.get(paths, 0)
        if not number and len(self._layouts) < LAYOUTS:
            number = self._layouts[paths] = len(self._layouts) + 1
            self._paths[number] = list(paths)
            self._file.execute("INSERT INTO layouts VALUES (?, ?)", (number, json_text(paths)))
        return number


class Spools:
    """A spool for each project, in `folder` (None: nothing is written). `rules` stands for what decides how
    the values of a run are shown. More than `few` runs of a project go to the file."""

    def __init__(self, folder: Path | None = None, rules: str = "", few: int = FEW) -> None:
        self._folder = folder
        self._rules = rules
        self._few = few
        self._open: list[Spool] = []
        if folder is not None:
            self._folder = folder if prepare(folder, "*.spool*") else None

    def spool(self, scope: Scope) -> Spool:
        """The spool of a project, with what an earlier tick left in it."""
        name = hashlib.sha256(f"{FORM} {scope_text(scope)} {self._rules}".encode()).hexdigest()[:16]
        spool = Spool(self._folder / f"{name}.spool" if self._folder else None, self._few)
        self._open.append(spool)
        return spool

    def keep(self) -> None:
        """Leave all files for the next tick."""
        for spool in self._open:
            spool.keep()
        self._open.clear()

    def done(self) -> None:
        """Delete all files: what was in them is in the table."""
        for spool in self._open:
            spool.done()
        self._open.clear()


def _json(cell: Any) -> Any:
    if isinstance(cell, datetime):
        return {"time": cell.isoformat()}
    raise TypeError(f"no cell: {type(cell).__name__}")


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_json)


def _cell(data: Any) -> Any:
    """The inverse of what is written for a cell."""
    if type(data) is not dict:
        return data
    return Mark(data["mark"]) if "mark" in data else datetime.fromisoformat(data["time"])
