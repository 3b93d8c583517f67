"""Which run is meant: its id, its name, or the newest; and a note where a name is not enough."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from runsheet import lookup
from runsheet.errors import NotFound, Unreachable
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
        items = [*self.runs(project, query)]
        runs = [item for item in items if isinstance(item, Run) and which.means(item)]
        for each in sorted(runs, key=lambda found: found.created or NOW, reverse=True):
            self.taken += 1
            yield each
        yield from (item for item in items if isinstance(item, Skip) and item.gap)


SOURCES = [MemorySource, Finding]
NOTED = {MemorySource: ("team/proj: 3 of 9 runs did not come",), Finding: ()}
"""The newest run that a source finds comes before it says what is lacking."""


@pytest.fixture(params=SOURCES, ids=["lists", "finds"])
def source(request: pytest.FixtureRequest) -> MemorySource:
    made: MemorySource = request.param({PROJECT: [OLD, Skip("bad", "unreadable"), MID, NEW]})
    return made


def test_both_kinds_are_tried() -> None:
    assert [isinstance(kind({}), Finder) for kind in SOURCES] == [False, True]


@pytest.mark.parametrize(
    ("which", "run_id", "note"),
    [
        (Which(), NEW.id, None),
        (Which(id=OLD.id), OLD.id, None),
        (Which(name="twin"), NEW.id, "2 runs have this name: the newest is shown"),
        (Which(name="other"), MID.id, None),
        (Which(called=OLD.id), OLD.id, None),
        (Which(called="twin"), NEW.id, "2 runs have this name: the newest is shown"),
        (Which(group="a"), MID.id, None),
    ],
    ids=str,
)
def test_one(source: MemorySource, which: Which, run_id: str, note: str | None) -> None:
    found = lookup.one(source, [PROJECT], which)
    assert (found.run.id, found.notes) == (run_id, (note,) if note else ())


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
    assert (found.run, found.notes) == (more, ("2 runs have this name: the newest is shown",))


def test_one_id_in_two_projects(source: MemorySource) -> None:
    more = run(1, "team/more", created=NOW)
    both = type(source)({PROJECT: [OLD], "team/more": [more]})
    found = lookup.one(both, [PROJECT, "team/more"], Which(id=OLD.id))
    assert (found.run, found.notes) == (more, ("2 runs have this id: the newest is shown",))


def test_an_id_that_is_also_a_name() -> None:
    """It means the run of that id, and no note is needed."""
    named = run(5, name=OLD.id, created=NOW)
    found = lookup.one(MemorySource({PROJECT: [OLD, named]}), [PROJECT], Which(called=OLD.id))
    assert (found.run, found.notes) == (OLD, ())


def test_an_id_behind_many_runs_of_that_name(source: MemorySource) -> None:
    """No more than SAME runs of a name are looked at."""
    twins = [run(n, name=OLD.id, created=NOW) for n in range(10, 10 + lookup.SAME)]
    many = type(source)({PROJECT: [OLD, *twins]})
    assert lookup.one(many, [PROJECT], Which(called=OLD.id)) == lookup.Found(OLD)
    note = f"{lookup.SAME} runs or more have this name: the newest is shown"
    assert lookup.one(many, [PROJECT], Which(name=OLD.id)).notes == (note,)


def test_what_may_be_lacking_is_told(source: MemorySource) -> None:
    """A newer run may be among those that did not come. What is said of other runs is not."""
    gap = Skip("team/proj", "3 of 9 runs did not come", gap=True)
    items = [OLD, Skip("other", "cannot be read", count=0), gap]
    kind = type(source)
    assert lookup.one(kind({PROJECT: items}), [PROJECT], Which(group="a")).notes == NOTED[kind]
    assert lookup.several(kind({PROJECT: items}), [PROJECT], Which(group="a")).notes == NOTED[MemorySource]


def test_a_project_that_cannot_be_read(source: MemorySource) -> None:
    """The others are looked through all the same."""
    found = lookup.one(source, ["team/none", PROJECT], Which())
    assert found.run == NEW
    (note,) = found.notes
    assert "team/none" in note
    with pytest.raises(NotFound, match="team/none"):
        lookup.one(source, ["team/none"], Which())


def test_a_service_that_is_away(source: MemorySource) -> None:
    class Away(type(source)):  # type: ignore[misc]
        def runs(self, project: str, query: Query) -> Iterator[Run | Skip]:
            if project != PROJECT:
                raise Unreachable("no answer")
            yield from super().runs(project, query)

    with pytest.raises(Unreachable):
        lookup.one(Away({PROJECT: [OLD]}), [PROJECT, "team/more"], Which())


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
    assert lookup.several(source, [PROJECT], Which()).runs == (OLD, MID, NEW)
    assert lookup.several(source, [PROJECT], Which(name="twin")).runs == (OLD, NEW)


def test_a_run_that_tells_no_date_is_the_oldest() -> None:
    lost = run(7, created=None, heartbeat=None)
    assert lookup.one(MemorySource({PROJECT: [OLD, lost]}), [PROJECT], Which()).run == OLD
