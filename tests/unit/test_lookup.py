"""Which run is meant: its id, its name, or the newest; and a note where a name is not enough."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from runsheet import lookup
from runsheet.errors import NotFound
from runsheet.model import Run, Skip
from runsheet.sources.base import Finder, Query, Which
from runsheet.sources.memory import MemorySource
from tests.support.builders import NOW, run

OLD, MID, NEW = (
    run(number, name=name, created=NOW - timedelta(days=days), group=group)
    for number, name, days, group in ((1, "twin", 9, "a"), (2, "other", 5, "a"), (3, "twin", 2, "b"))
)
PROJECT = "team/proj"


class Finding(MemorySource):
    """Finds runs, and notes how many were taken."""

    def __init__(self, runs: dict[str, list[Run | Skip]]) -> None:
        super().__init__(runs)
        self.taken = 0

    def find(self, project: str, which: Which, query: Query) -> Iterator[Run | Skip]:
        runs = [item for item in self.runs(project, query) if isinstance(item, Run) and which.means(item)]
        for each in sorted(runs, key=lambda found: found.created or NOW, reverse=True):
            self.taken += 1
            yield each


SOURCES = [MemorySource, Finding]


@pytest.fixture(params=SOURCES, ids=["lists", "finds"])
def source(request: pytest.FixtureRequest) -> MemorySource:
    made: MemorySource = request.param({PROJECT: [OLD, Skip("bad", "unreadable"), MID, NEW]})
    return made


def test_both_kinds_are_tried() -> None:
    assert [isinstance(kind({}), Finder) for kind in SOURCES] == [False, True]


@pytest.mark.parametrize(
    ("which", "run_id", "note"),
    [
        (Which(), NEW.id, ""),
        (Which(id=OLD.id), OLD.id, ""),
        (Which(name="twin"), NEW.id, "2 runs have this name: the newest is shown"),
        (Which(name="other"), MID.id, ""),
        (Which(called=OLD.id), OLD.id, ""),
        (Which(called="twin"), NEW.id, "2 runs have this name: the newest is shown"),
        (Which(group="a"), MID.id, ""),
    ],
    ids=str,
)
def test_one(source: MemorySource, which: Which, run_id: str, note: str) -> None:
    found = lookup.one(source, [PROJECT], which)
    assert (found.run.id, found.note) == (run_id, note)


def test_a_name_in_the_config_counts(source: MemorySource) -> None:
    """Some trainers write it there only."""
    named = run(4, name="lazy-frog-4", config={"run_name": "gpt2_state_50"})
    assert (
        lookup.one(type(source)({PROJECT: [OLD, named]}), [PROJECT], Which(name="gpt2_state_50")).run == named
    )


def test_the_newest_of_several_projects(source: MemorySource) -> None:
    more = run(9, "team/more", name="twin", created=NOW)
    found = lookup.one(
        type(source)({PROJECT: [OLD], "team/more": [more]}), [PROJECT, "team/more"], Which(name="twin")
    )
    assert (found.run, found.same) == (more, 2)


def test_an_id_that_is_also_a_name() -> None:
    """It means the run of that id, and no note is needed."""
    named = run(5, name=OLD.id, created=NOW)
    found = lookup.one(MemorySource({PROJECT: [OLD, named]}), [PROJECT], Which(called=OLD.id))
    assert (found.run, found.note) == (OLD, "")


def test_nothing_is_read_beyond_the_newest() -> None:
    source = Finding({PROJECT: [OLD, MID, NEW]})
    lookup.one(source, [PROJECT], Which())
    assert source.taken == 1


@pytest.mark.parametrize(
    ("which", "text"),
    [
        (Which(), f"No runs found in project: {PROJECT}"),
        (Which(id="x"), f"No run found with id: x (in {PROJECT})"),
        (Which(name="x"), f"No run found with name: x (in {PROJECT})"),
        (Which(called="x"), f"No run found with name: x (in {PROJECT})"),
        (Which(group="x"), f"No runs found in project {PROJECT} with what was asked for"),
    ],
    ids=str,
)
def test_nobody_is_meant(source: MemorySource, which: Which, text: str) -> None:
    empty = type(source)({PROJECT: [Skip("bad", "unreadable")]})
    with pytest.raises(NotFound) as caught:
        lookup.one(empty, [PROJECT], which)
    assert str(caught.value) == text
    with pytest.raises(NotFound):
        lookup.several(empty, [PROJECT], which)


def test_several_in_the_order_of_their_making(source: MemorySource) -> None:
    assert lookup.several(source, [PROJECT], Which()) == [OLD, MID, NEW]
    assert lookup.several(source, [PROJECT], Which(name="twin")) == [OLD, NEW]


def test_a_run_that_tells_no_date_is_the_oldest() -> None:
    lost = run(7, created=None, heartbeat=None)
    assert lookup.one(MemorySource({PROJECT: [OLD, lost]}), [PROJECT], Which()).run == OLD
