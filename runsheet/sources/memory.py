"""A source that holds its runs in memory: for tests, demonstrations and dry runs."""

from collections.abc import Iterator, Mapping, Sequence

from runsheet.errors import NotFound
from runsheet.model import Run, Skip
from runsheet.sources.base import Query


class MemorySource:
    """Yields the runs it was given, by project, in their order."""

    name = "memory"
    requests = 0

    def __init__(self, runs: Mapping[str, Sequence[Run | Skip]]) -> None:
        self._runs = runs

    def projects(self) -> tuple[str, ...]:
        return tuple(self._runs)

    def runs(self, project: str, query: Query) -> Iterator[Run | Skip]:
        if project not in self._runs:
            raise NotFound(f"there is no project {project!r}")
        yield from self._runs[project]

    def close(self) -> None:
        """Nothing is held."""
