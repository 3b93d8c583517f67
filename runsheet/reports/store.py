"""What reports have to know of runs that have not changed, so that no service is asked for them again.

A file in the folder of the spool, and of the same kind: SQLite, since a kill in the middle of a write leaves
a file that can be read. It holds copies only: one that makes no sense is made anew, and where none can be
written, memory takes its place for as long as the process lives.
"""

import contextlib
import hashlib
import json
import logging
import sqlite3
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

from runsheet import live
from runsheet.cache import connect, prepare
from runsheet.errors import ServiceError
from runsheet.model import Run, Scope
from runsheet.packing import scope_text, unword, word

log = logging.getLogger(__name__)

FORM = 1
"""Raised when what is written changes its meaning: older files are not read then."""

_TABLE = """
CREATE TABLE IF NOT EXISTS runs (
    scope TEXT NOT NULL, id TEXT NOT NULL, stamp TEXT NOT NULL, data TEXT NOT NULL, PRIMARY KEY (scope, id)
) WITHOUT ROWID;
"""


class Store:
    """Slim runs (usage.slim) by project and id. One thread at a time, within `opened` only.

    `folder`: where the file goes, None for no file. `rules` stands for all that decides which runs there are,
    and what of them is kept.
    """

    def __init__(self, folder: Path | None, rules: str) -> None:
        name = hashlib.sha256(f"{FORM} {rules}".encode("utf-8", "surrogatepass")).hexdigest()[:16]
        self._path = folder / f"{name}.runs" if folder else None
        self._memory: sqlite3.Connection | None = None
        self._file: sqlite3.Connection | None = None

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """Open it for a while. What was written is kept if that ends well. Raises ServiceError for a file
        that is damaged, or a full disk: without it, the next time begins anew."""
        file = self._file = self._connected()
        try:
            with file:
                yield
        except sqlite3.Error as error:
            if self._path and file is not self._memory:
                self._path.unlink(missing_ok=True)
            raise ServiceError(f"what is known of runs cannot be kept in {self._path}: {error}") from error
        finally:
            self._file = None
            if file is not self._memory:
                file.close()

    def stamps(self, scope: Scope) -> Mapping[str, str]:
        """How the runs of a project stood that it holds (live.stamp), by id."""
        found = self._all("SELECT id, stamp FROM runs WHERE scope = ?", scope)
        return {unword(run_id): stamp for run_id, stamp in found}

    def runs(self, scope: Scope) -> Iterator[Run]:
        """The runs of a project that it holds."""
        for run_id, data in self._all("SELECT id, data FROM runs WHERE scope = ?", scope):
            yield _run(scope, unword(run_id), data)

    def add(self, runs: Iterable[Run], stamp: Callable[[Run], str] = live.stamp) -> None:
        """Keep slim runs, each in the place of what is known of it; `stamp` says how each stands."""
        rows = ((scope_text(run.scope), word(run.id), stamp(run), _data(run)) for run in runs)
        self._now.executemany("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?)", rows)

    def save(self) -> None:
        """Keep what was written so far, whatever comes."""
        self._now.commit()

    def drop(self, scope: Scope, ids: Iterable[str]) -> None:
        """Forget runs of a project."""
        rows = ((scope_text(scope), word(run_id)) for run_id in ids)
        self._now.executemany("DELETE FROM runs WHERE scope = ? AND id = ?", rows)

    @property
    def _now(self) -> sqlite3.Connection:
        if self._file is None:
            raise ValueError("the store is not open")
        return self._file

    def _all(self, query: str, scope: Scope) -> sqlite3.Cursor:
        return self._now.execute(query, (scope_text(scope),))

    def _connected(self) -> sqlite3.Connection:
        """The file, or memory when another process has it, or nothing can be written there."""
        if self._memory is None and self._path and (file := _file(self._path)):
            return file
        if self._memory is None:
            self._memory = sqlite3.connect(":memory:", check_same_thread=False)
            weakref.finalize(self, self._memory.close)
            self._memory.executescript(_TABLE)
        return self._memory


def _file(path: Path) -> sqlite3.Connection | None:
    """The file, made anew if it makes no sense; None if that is not possible."""
    if not prepare(path.parent, f"*{path.suffix}*"):
        return None
    try:
        return connect(path, _TABLE)
    except (sqlite3.OperationalError, OSError) as error:  # In use, or a full disk.
        log.debug("%s: %s", path, error)
        return None
    except sqlite3.Error as error:
        log.debug("%s makes no sense and is made anew: %s", path, error)
        path.unlink(missing_ok=True)
        return _file(path)


def _data(run: Run) -> str:
    """What usage() reads of a slim run but its id and scope, as `_run` takes it. Plain ASCII: half a
    character (a surrogate) may stand in what people log, and SQLite takes none."""
    return json.dumps(
        [
            run.name,
            run.state,
            _moment(run.created),
            _moment(run.heartbeat),
            run.runtime,
            run.user,
            run.group,
            run.timed,
            run.gpus,
            run.config,
        ]
    )


def _run(scope: Scope, run_id: str, data: str) -> Run:
    try:
        name, state, created, heartbeat, runtime, user, group, timed, gpus, config = json.loads(data)
        return Run(
            scope,
            run_id,
            name=name,
            state=state,
            created=_parsed(created),
            heartbeat=_parsed(heartbeat),
            runtime=runtime,
            user=user,
            group=group,
            timed=timed,
            gpus=gpus,
            config=config,
        )
    except (ValueError, TypeError) as error:
        raise sqlite3.DatabaseError(f"run {run_id} makes no sense") from error


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _parsed(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
