"""Which runs are meant: by id, name, group, sweep or filter, or simply the newest."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice

from runsheet.errors import NotFound, ServiceError, Unreachable
from runsheet.model import Run, Skip
from runsheet.sources.base import Finder, Query, Source, Which

_NEVER = datetime.min.replace(tzinfo=UTC)

ALL = Query()

SAME = 100
"""As many runs of one name are looked at in a project."""


@dataclass(frozen=True, slots=True)
class Found:
    """A run that was meant. `notes`: what a person should know about the choice."""

    run: Run
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Several:
    """Runs that were meant, those that were created first first. `notes` as in Found."""

    runs: tuple[Run, ...]
    notes: tuple[str, ...] = ()


def one(source: Source, projects: Iterable[str], which: Which, query: Query = ALL) -> Found:
    """The run that is meant; of several the one that was created last. What `which` is `called` is an id, and
    a name only if no run has that id.

    Raises NotFound when there is none, and otherwise as `Source.runs` does.
    """
    search = _Search(source, tuple(projects), query)
    name = which.called or which.name
    found = search.runs(which, newest_only=not name)
    exact = [run for run in found if run.id == which.called]
    if which.called and not exact and len(found) >= SAME:  # It may be among those that were not looked at.
        exact = search.runs(replace(which, id=which.called, called=""))
    if not (found or exact):
        raise search.missing(which)
    what = "id" if exact or which.id else "name" if name else ""
    return Found(newest(exact or found), (*_several(what, exact or found), *search.notes))


def several(source: Source, projects: Iterable[str], which: Which, query: Query = ALL) -> Several:
    """All runs that are meant. Raises as `one` does."""
    search = _Search(source, tuple(projects), query)
    found = search.runs(which, most=None)
    if not found:
        raise search.missing(which)
    return Several(tuple(sorted(found, key=_created)), tuple(search.notes))


def newest(runs: Iterable[Run]) -> Run:
    """The run that was created last, of at least one."""
    return max(runs, key=_created)


class _Search:
    """Looks through projects. One that cannot be read does not stop the others: `notes` tell of it, and of
    what else may be lacking."""

    def __init__(self, source: Source, projects: tuple[str, ...], query: Query) -> None:
        self._source = source
        self._projects = projects
        self._query = query
        self._errors: list[ServiceError] = []
        self.notes: list[str] = []

    def runs(self, which: Which, *, newest_only: bool = False, most: int | None = SAME) -> list[Run]:
        """The runs that are meant, `most` of a project; with `newest_only` no more than the newest of each
        project."""
        found: list[Run] = []
        self._errors, self.notes = [], []
        for project in self._projects:
            try:
                runs = self._of(project, which, newest_only=newest_only)
                found += islice(runs, 1 if newest_only else most)
            except Unreachable:
                raise
            except ServiceError as error:
                self._errors.append(error)
        self.notes += [str(error) for error in self._errors]
        return found

    def missing(self, which: Which) -> ServiceError:
        """Why nothing was found: in the words of the scripts that these commands follow, unless a project
        could not be read."""
        return self._errors[0] if self._errors else NotFound(_missing(which, self._projects))

    def _of(self, project: str, which: Which, *, newest_only: bool) -> Iterator[Run]:
        """The runs of a project that are meant, whole, the newest first. Of a source that has to list all,
        only what is wanted is held."""
        if isinstance(self._source, Finder):
            yield from self._kept(self._source.find(project, which, self._query), named=True)
            return
        asked = replace(self._query, filters={**self._query.filters, **which.filters})
        listed = self._kept(self._source.runs(project, asked), named=False)
        meant = (run for run in listed if which.means(run))
        if newest_only:
            last = max(meant, key=_created, default=None)
            yield from [last] if last else []
        else:
            yield from sorted(meant, key=_created, reverse=True)

    def _kept(self, items: Iterable[Run | Skip], *, named: bool) -> Iterator[Run]:
        """The runs; what is said of those that are lacking is noted, where it may be about what is meant."""
        for item in items:
            if isinstance(item, Run):
                yield item
            elif item.gap or (named and item.count):
                self.notes.append(f"{item.what}: {item.reason}")


def _created(run: Run) -> datetime:
    return run.created or run.heartbeat or _NEVER


def _several(what: str, found: list[Run]) -> list[str]:
    """That a name or an id was not enough."""
    if not what or len(found) < 2:
        return []
    many = f"{SAME} runs or more" if len(found) >= SAME else f"{len(found)} runs"
    return [f"{many} have this {what}: the newest is shown"]


def _missing(which: Which, projects: Iterable[str]) -> str:
    where = ", ".join(projects)
    if which.id:
        return f"No run found with id: {which.id} (in {where})"
    if name := which.name or which.called:
        return f"No run found with name: {name} (in {where})"
    if which == Which():
        return f"No runs found in project: {where}"
    return f"No runs found in project {where} with what was asked for"
