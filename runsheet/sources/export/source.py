"""The source `export`: runs that were saved earlier, by write() or by W&B's web page."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, Protocol

from runsheet.clock import Clock
from runsheet.errors import AccessError, ConfigError, NotFound, ServiceError
from runsheet.model import Run, Scope, Skip
from runsheet.sources.base import Query
from runsheet.sources.export import lines, web_table

SERVICE = "api.wandb.ai"
"""Where the runs of a CSV are from, unless another host is named."""

LONGEST = 2**24
"""Bytes of a file in which its first line has to end."""


class Shelf(Protocol):
    """A file that was opened: the places of its runs by project, in order, and what cannot be read."""

    @property
    def projects(self) -> Mapping[str, Sequence[Any]]: ...

    @property
    def damaged(self) -> Sequence[Skip]: ...

    def read(self, place: Any) -> Run | Skip: ...


class ExportSource:
    """Runs of the file `path`, as they were: with the scope that they had, so that a sheet which was filled
    from the same runs elsewhere knows them again.

    `projects`: only runs of these, each "entity/project" or the project alone; empty for all. A CSV does not
    tell its project, so `projects` do not bear on it: `home` names it, "entity/project", and `host` the
    server. Its runs are W&B's own if it has their ids and a home, and else this source's.
    """

    name = "export"
    requests = 0

    def __init__(
        self, path: str | Path, *, clock: Clock, projects: Sequence[str] = (), home: str = "", host: str = ""
    ) -> None:
        self._path = Path(path)
        self._clock = clock
        self._wanted = frozenset(projects)
        self._home, self._host = home, host
        self._file: IO[bytes] | None = None
        self._shelf: Shelf | None = None

    def projects(self) -> tuple[str, ...]:
        """Those in the file, in its order. Raises ConfigError for a file that is no export or of which no
        line can be read, NotFound for one that is not there or holds none of the projects wanted."""
        shelf = self._open()
        if shelf.damaged and not any(shelf.projects.values()):
            raise ConfigError(f"{self._path}: none of its runs can be read ({shelf.damaged[0].reason})")
        if isinstance(shelf, web_table.Table):
            return tuple(shelf.projects)
        found = tuple(project for project in shelf.projects if self._is_wanted(project))
        if shelf.projects and not found:
            there, wanted = ", ".join(shelf.projects), ", ".join(sorted(self._wanted))
            raise NotFound(f"{self._path} holds no runs of {wanted}; it holds those of {there}")
        return found

    def runs(self, project: str, query: Query) -> Iterator[Run | Skip]:
        """See Source. What cannot be read of the file, of whatever project, is told with its first project.

        Raises ConfigError for filters.
        """
        query.refuse_filters()
        known = self.projects()
        if project not in known:
            raise NotFound(f"{self._path} holds no project {project}")
        shelf = self._open()
        if project == known[0]:
            yield from shelf.damaged
        seen: set[tuple[Scope, str]] = set()
        for place in shelf.projects[project]:
            self._clock.check()
            item = shelf.read(place)
            if isinstance(item, Skip):
                yield item
            elif (item.scope, item.id) in seen:
                yield Skip(f"{project}/{item.id}", "it stands twice in the file", count=0)
            else:
                seen.add((item.scope, item.id))
                yield item if query.machine or not item.machine else replace(item, machine="")

    def close(self) -> None:
        self._shelf = None
        if self._file is not None:
            self._file.close()

    def _is_wanted(self, project: str) -> bool:
        return not self._wanted or not self._wanted.isdisjoint((project, project.rpartition("/")[2]))

    def _open(self) -> Shelf:
        """The file, which stays open: a new version of it may take its place meanwhile."""
        if self._shelf is None:
            self.close()
            try:
                self._file = self._path.open("rb")
                self._shelf = self._divided(self._file)
            except (FileNotFoundError, NotADirectoryError) as error:
                raise NotFound(f"there is no export {self._path}") from error
            except PermissionError as error:
                raise AccessError(f"the export {self._path} must not be read: {error.strerror}") from error
            except OSError as error:
                raise ServiceError(f"the export {self._path} cannot be read: {error.strerror}") from error
        return self._shelf

    def _divided(self, file: IO[bytes]) -> Shelf:
        first = file.readline(LONGEST)
        file.seek(0)
        header = _json(first)
        if lines.is_header(header):
            lines.check(header, str(self._path))
            return lines.Lines(file, str(self._path), self._clock)
        if columns := web_table.columns(first):
            return web_table.Table(file, str(self._path), self._clock, self._scope(columns))
        raise ConfigError(
            f"{self._path} is no export of runs: expected a file that runsheet saved, or the CSV of W&B's "
            "table of runs with a column Name or ID"
        )

    def _scope(self, columns: Sequence[str]) -> Scope:
        """Where the runs of a CSV live."""
        if "/" in self._home and web_table.ID in columns:
            return Scope("wandb", self._host or SERVICE, self._home)
        return Scope(self.name, "", self._home or self._path.stem)


def _json(line: bytes) -> Any:
    try:
        return json.loads(line.removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, RecursionError):
        return None
