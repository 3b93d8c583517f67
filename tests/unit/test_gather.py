"""Runs for reports are asked for as little as possible, and a total that lacks runs is none.

Mutants: known runs are asked for again; those that go on are; runs that are gone still count; a listing with
a gap counts; a server without light listings fails the report; the second reading of a folder.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest

from runsheet.errors import ServiceError
from runsheet.model import Run, Skip
from runsheet.reports.gather import Gather, Recall
from runsheet.reports.store import Store
from runsheet.reports.usage import Settings
from runsheet.sources.base import NotLight, Query, Recent, Source, Watched
from runsheet.sources.memory import MemorySource, WatchedMemorySource
from tests.support.builders import NOW, PROJECT, FakeClock, run

SETTINGS = Settings()


class Counting(WatchedMemorySource):
    """Notes what it is asked for."""

    def __init__(self, runs: dict[str, Sequence[Run | Skip]]) -> None:
        super().__init__(runs)
        self.asked: list[Any] = []

    def runs(self, project: str, query: Query) -> Iterator[Run | Skip]:
        self.asked.append(query)
        return super().runs(project, query)

    def pick(self, project: str, query: Query, ids: Sequence[str]) -> Iterator[Run | Skip]:
        self.asked.append([*ids])
        return super().pick(project, query, ids)


def gathered(source: Source, store: Store) -> dict[str, float]:
    """GPU-hours by run id; runs in progress are left out."""
    with store.opened():
        used = [*Gather(source, Query(gpus=True), SETTINGS, FakeClock(), store)]
    return {one.run_id: one.gpu_hours for one in used if one.status != "in progress"}


def sized(number: int, size: int = 1, **more: Any) -> Run:
    config = {"dist/world_size": size, "big": "x" * 100}
    return run(number, **({"config": config} | more))


def test_only_what_is_new_is_asked_for() -> None:
    runs = [sized(number) for number in range(4)]
    source, store = Counting({PROJECT: runs}), Store(None, "")
    day = dict.fromkeys(("run0000", "run0001", "run0002", "run0003"), 24.0)
    assert gathered(source, store) == day
    assert source.asked == [Query(gpus=True)]
    source.asked.clear()
    assert gathered(source, store) == day
    assert source.asked == [Query(gpus=True)], "the light listing, and no run"
    source.asked.clear()
    runs[1] = sized(1, 2, heartbeat=NOW)
    runs.append(sized(4, 3))
    assert gathered(source, store) == day | {"run0001": 96.0, "run0004": 72.0}
    assert source.asked[1:] == [["run0001", "run0004"]]


def test_a_world_size_that_was_put_right() -> None:
    """The run shows no sign of life then, so one that made no sense is asked for each time."""
    runs = [sized(0), run(1, config={"dist/world_size": "x"})]
    source, store = Counting({PROJECT: runs}), Store(None, "")
    gathered(source, store)
    source.asked.clear()
    assert gathered(source, store)["run0001"] == 0
    assert source.asked[1:] == [["run0001"]]
    runs[1] = sized(1, 3)
    assert gathered(source, store)["run0001"] == 72.0
    source.asked.clear()
    gathered(source, store)
    assert source.asked[1:] == []


def test_a_run_that_goes_on_is_asked_for_when_it_is_over() -> None:
    runs = [sized(0), sized(1)]
    source, store = Counting({PROJECT: runs}), Store(None, "")
    gathered(source, store)
    for state, heartbeat, there, asked in (
        ("running", NOW - timedelta(minutes=1), False, []),
        ("running", NOW, False, []),
        ("finished", NOW, True, [["run0001"]]),
        ("running", NOW - timedelta(days=2), True, [["run0001"]]),
        ("running", NOW - timedelta(days=2), True, []),
    ):
        source.asked.clear()
        runs[1] = sized(1, state=state, heartbeat=heartbeat)
        assert ("run0001" in gathered(source, store)) == there
        assert source.asked[1:] == asked


def test_runs_that_are_gone_count_no_more() -> None:
    runs = [sized(0), sized(1), sized(2)]
    source, store = Counting({PROJECT: runs}), Store(None, "")
    gathered(source, store)
    del runs[1]
    assert list(gathered(source, store)) == ["run0000", "run0002"]
    runs.clear()
    assert gathered(source, store) == {}


def test_a_run_that_goes_while_it_is_asked_for() -> None:
    class Vanishing(Counting):
        def pick(self, project: str, query: Query, ids: Sequence[str]) -> Iterator[Run | Skip]:
            return iter(())

    runs = [sized(0), sized(1)]
    source, store = Vanishing({PROJECT: runs}), Store(None, "")
    gathered(source, store)
    runs[1] = sized(1, heartbeat=NOW)
    assert list(gathered(source, store)) == ["run0000"]


def test_each_project_counts() -> None:
    source = Counting({"a": [sized(1, project="a")], "b": [], "c": [sized(1, project="c")]})
    store = Store(None, "")
    for _ in range(2):
        with store.opened():
            used = [*Gather(source, Query(), SETTINGS, FakeClock(), store)]
        assert [one.scope.project for one in used] == ["a", "c"]


class NoLight(Counting):
    """A server that lists whole runs only."""

    def listed(self, project: str, query: Query) -> Iterator[Run | Skip]:
        raise NotLight("not here")

    def recent(self, project: str, query: Query, since: object) -> Recent | None:
        raise NotLight("not here")


def test_a_server_without_light_listings() -> None:
    runs = [sized(0), sized(1)]
    source, store = NoLight({PROJECT: runs}), Store(None, "")
    gathered(source, store)
    runs[1] = sized(2, 2)
    assert gathered(source, store) == {"run0000": 24.0, "run0002": 48.0}


@pytest.mark.parametrize("kind", [MemorySource, WatchedMemorySource])
@pytest.mark.parametrize("known", [False, True])
def test_a_listing_with_a_gap_is_none(kind: type[MemorySource], known: bool) -> None:
    """What is known stays; a run that cannot be read by itself is left out."""
    runs: list[Run | Skip] = [sized(0), Skip("run 7", "cannot be read")]
    source, store = kind({PROJECT: runs}), Store(None, "")
    if known:
        assert gathered(source, store) == {"run0000": 24.0}
    runs.append(Skip(PROJECT, "3 runs are missing", 3, gap=True))
    with pytest.raises(ServiceError, match="team/proj: team/proj: 3 runs are missing"):
        gathered(source, store)
    runs.pop()
    assert gathered(source, store) == {"run0000": 24.0}


def test_folders_are_read_once() -> None:
    """The tick reads them whole, the report gets what it needs of them."""

    class Folders(MemorySource):
        reads = closed = 0

        def runs(self, project: str, query: Query) -> Iterator[Run | Skip]:
            self.reads += 1
            return super().runs(project, query)

        def close(self) -> None:
            self.closed += 1

    folders = Folders({PROJECT: [sized(0), Skip("a folder", "is empty")]})
    source = Recall(folders, SETTINGS)
    assert not isinstance(source, Watched)
    assert (source.name, source.requests, source.projects()) == ("memory", 0, (PROJECT,))
    next(source.runs(PROJECT, Query()))
    first, second = ([*source.runs(PROJECT, Query())] for _ in range(2))
    assert folders.reads == 2, "a reading that was not finished counts as none"
    assert [getattr(one, "config", one) for one in first] == [sized(0).config, first[1]]
    assert [getattr(one, "config", one) for one in second] == [{"dist/world_size": 1}, first[1]]
    source.close()
    assert folders.closed == 1
