"""The source `trackio`: runs that Trackio keeps on this machine, or in a folder that is mounted here.

A project is a database `<project>.db`, or rows in the inbox that are in no database yet, or both. Each
`run_id` is a run; two runs of one name are two runs. Whoever has written to Trackio for `silence` no more
has finished: see run_facts.run.
"""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from runsheet.clock import Clock
from runsheet.errors import AccessError, NotFound, ServiceError
from runsheet.model import Run, Scope, Skip
from runsheet.sources.base import Logged, Query, Rows, Stream
from runsheet.sources.trackio_db import database, run_facts, snapshot
from runsheet.sources.trackio_db.inbox import Inbox, canonical
from runsheet.sources.trackio_db.run_facts import Facts
from runsheet.sources.trackio_db.run_rows import RunRows

T = TypeVar("T")

RESERVED = "registry-"
"""How the names of databases begin that hold no project."""


def default_folder(environ: Mapping[str, str]) -> Path:
    """Where Trackio keeps its files unless told otherwise: TRACKIO_DIR, else `trackio` in Hugging Face's
    folder, which is HF_HOME, else `huggingface` in the user's cache."""
    if place := environ.get("TRACKIO_DIR"):
        return Path(place)
    cache = environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = environ.get("HF_HOME") or str(Path(cache) / "huggingface")
    return Path(os.path.expandvars(home)).expanduser() / "trackio"


class TrackioSource:
    """Runs of the Trackio folder `folder`.

    `projects`: only these; what stands before a slash is an entity, which Trackio has not; empty for all.
    `silence`: after so long without a sign of life a run has finished.
    """

    name = "trackio"
    requests = 0

    def __init__(
        self,
        folder: str | Path,
        *,
        clock: Clock,
        projects: Sequence[str] = (),
        silence: timedelta = timedelta(days=1),
    ) -> None:
        self._folder = Path(folder)
        self._clock = clock
        self._wanted = tuple(dict.fromkeys(canonical(name.rpartition("/")[2]) for name in projects))
        self._silence = silence
        self._lock = threading.Lock()
        self._inbox: Inbox | None = None

    def projects(self) -> tuple[str, ...]:
        """Those that are wanted, else all. Raises NotFound when there is none, or no such folder."""
        if self._wanted:
            return self._wanted
        if found := self._found():
            return found
        raise NotFound(f"{self._folder} holds no project of Trackio")

    def runs(self, project: str, query: Query) -> Iterator[Run | Skip]:
        """See Source. What cannot be read of the inbox, of whatever project, is told with the first project.

        Raises ConfigError for filters.
        """
        query.refuse_filters()
        self._clock.check()
        inbox = self._read_inbox()
        facts = self._facts(project, inbox, gpus=query.gpus)
        if project == self.projects()[0]:
            yield from inbox.skips
        scope, now = Scope(self.name, "", project), self._clock.now()
        users = {user.casefold() for user in query.users}
        for each in sorted(facts.values(), key=lambda each: (each.first or 0.0, each.id)):
            self._clock.check()
            if not each.id:
                yield Skip(project, "rows that name no run", count=0)
                continue
            if each.damaged:
                reason = f"{each.damaged:,} of its rows cannot be read"
                yield Skip(f"{project}/{each.id}", reason, count=0)
            if not users or run_facts.user(each).casefold() in users:
                yield run_facts.run(each, scope, now, silence=self._silence, gpus=query.gpus)

    def logged(self, run: Run) -> Logged:
        """See Recorded."""
        return self._rows(run, RunRows.logged)

    def rows(self, run: Run, stream: Stream, wanted: Callable[[str], bool] = lambda _key: True) -> Rows:
        """See Recorded. Keys and values are as Trackio writes them."""
        return self._rows(run, lambda found: found.rows(stream, wanted))

    def close(self) -> None:
        """Nothing is held."""

    def _rows(self, run: Run, take: Callable[[RunRows], T]) -> T:
        """What `take` makes of the rows of a run. Raises NotFound if nothing is known of it."""
        project = run.scope.project
        lines = [*self._read_inbox().lines(project, run.id)]  # before the database: see there

        def taken(connection: sqlite3.Connection | None) -> T | None:
            found = RunRows(run.id, lines, self._clock, connection)
            return take(found) if found.there() else None

        path = self._database(project)
        made = snapshot.read(path, taken, self._clock) if path else None
        made = taken(None) if made is None else made
        if made is None:
            raise NotFound(f"{self._folder} holds no run {run.id} of a project {project} of Trackio")
        return made

    def _database(self, project: str) -> Path | None:
        """The file of a project, which need not be there; None for what cannot be one."""
        is_one = canonical(project) == project and not project.startswith(RESERVED)
        return self._folder / f"{project}.db" if is_one else None

    def _facts(self, project: str, inbox: Inbox, *, gpus: bool) -> dict[str, Facts]:
        """What is known of the runs of a project. The inbox was read first: see there."""
        path = self._database(project)
        facts = None
        if path:
            facts = database.read(path, lambda: inbox.facts(project), self._clock, gpus=gpus)
        if facts is None and project not in inbox.projects:
            there = ", ".join(self._found()) or "none"
            raise NotFound(f"{self._folder} holds no project {project} of Trackio; it holds {there}")
        return inbox.facts(project) if facts is None else facts

    def _found(self) -> tuple[str, ...]:
        """The projects that there are. Raises NotFound, AccessError or ServiceError."""
        inbox = self._read_inbox()
        try:
            files = [path for path in self._folder.iterdir() if path.suffix == ".db"]
        except FileNotFoundError as error:
            raise NotFound(f"there is no Trackio folder {self._folder}") from error
        except PermissionError as error:
            raise AccessError(f"the folder {self._folder} must not be read: {error.strerror}") from error
        except OSError as error:
            raise ServiceError(f"the folder {self._folder} cannot be read: {error.strerror}") from error
        names = {path.stem for path in files if canonical(path.stem) == path.stem} | inbox.projects
        return tuple(sorted(name for name in names if not name.startswith(RESERVED)))

    def _read_inbox(self) -> Inbox:
        """Once for all projects: they may be asked for from several threads."""
        with self._lock:
            if self._inbox is None:
                self._inbox = Inbox(self._folder, self._clock)
            return self._inbox
