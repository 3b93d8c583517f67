"""Which runs are meant: by id, name, group, sweep or filter, or simply the newest."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from runsheet.errors import NotFound
from runsheet.model import Run, Skip
from runsheet.sources.base import Finder, Query, Source, Which

_NEVER = datetime.min.replace(tzinfo=UTC)

ALL = Query()

SAME = 100
"""As many runs of one name are counted."""


@dataclass(frozen=True, slots=True)
class Found:
    """A run that was meant. `same`: how many runs have the name by which it was asked for, else 1."""

    run: Run
    same: int = 1

    @property
    def note(self) -> str:
        """What a person should know about the choice; "" if there was none."""
        return f"{self.same} runs have this name: the newest is shown" if self.same > 1 else ""


def one(source: Source, projects: Iterable[str], which: Which, query: Query = ALL) -> Found:
    """The run that is meant; of several the one that was created last.

    Raises NotFound when there is none, and otherwise as `Source.runs` does.
    """
    projects = tuple(projects)
    named = bool(which.name or which.called)
    found = [
        run
        for project in projects
        for run in islice(_runs(source, project, which, query), SAME if named else 1)
    ]
    if not found:
        raise NotFound(_missing(which, projects))
    exact = [run for run in found if which.called and run.id == which.called]
    return Found(newest(exact or found), len(found) if named and not exact else 1)


def newest(runs: Iterable[Run]) -> Run:
    """The run that was created last, of at least one."""
    return max(runs, key=_created)


def several(source: Source, projects: Iterable[str], which: Which, query: Query = ALL) -> list[Run]:
    """All runs that are meant, those that were created first first. Raises as `one` does."""
    projects = tuple(projects)
    found = [run for project in projects for run in _runs(source, project, which, query)]
    if not found:
        raise NotFound(_missing(which, projects))
    return sorted(found, key=_created)


def _runs(source: Source, project: str, which: Which, query: Query) -> Iterator[Run]:
    """The runs of a project that are meant, whole, the newest first."""
    if isinstance(source, Finder):
        yield from (run for run in source.find(project, which, query) if isinstance(run, Run))
        return
    asked = Query(query.users, {**query.filters, **which.filters}, query.machine, query.gpus)
    runs = [run for run in source.runs(project, asked) if not isinstance(run, Skip) and which.means(run)]
    yield from sorted(runs, key=_created, reverse=True)


def _created(run: Run) -> datetime:
    return run.created or run.heartbeat or _NEVER


def _missing(which: Which, projects: Iterable[str]) -> str:
    """That there is no such run, in the words of the scripts that these commands follow."""
    where = ", ".join(projects)
    if which.id:
        return f"No run found with id: {which.id} (in {where})"
    if name := which.name or which.called:
        return f"No run found with name: {name} (in {where})"
    if which == Which():
        return f"No runs found in project: {where}"
    return f"No runs found in project {where} with what was asked for"
