"""A listing is complete and free of doubles, or says what it lacks (P1).

The oracle is a small server with offset pages of which runs are deleted, added and skipped between
two pages. Mutants found by the property: `_enough` in the first walk; doubles within a page kept;
`_fell` ignored; missing counted by `here` always.
"""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runsheet.sources.wandb_api.listing import WALKS, Listing
from runsheet.sources.wandb_api.query import Page


class World:
    """Runs, oldest first, paged by offset; `events` happen one between two pages."""

    def __init__(self, runs: list[str], events: list[tuple[str, int]], size: int = 2) -> None:
        self.runs = [*runs]
        self.events = [*events]
        self.size = size
        self.pages = 0
        self.always = {*runs}
        self.quiet = True

    def walk(self, order: str) -> Iterator[Page]:
        start = 0
        while True:
            self.pages += 1
            runs = self.runs[::-1] if order.startswith("-") else self.runs
            shown = runs[start : start + self.size]
            end = start + len(shown)
            yield Page(tuple((run, {"name": run}) for run in shown), len(runs), str(end), end < len(runs))
            start = max(0, end + self.happen())

    def happen(self) -> int:
        kind, number = self.events.pop(0) if self.events else ("", 0)
        if kind == "delete" and self.runs:
            self.always.discard(self.runs.pop(number % len(self.runs)))
            self.quiet = False
        elif kind == "add":
            self.runs.append(f"new{self.pages}")
            self.quiet = False
        return number if kind == "shift" else 0


EVENTS = st.lists(
    st.tuples(st.sampled_from(["delete", "add", ""]), st.integers(0, 9))
    | st.tuples(st.just("shift"), st.integers(-2, 2)),
    max_size=8,
)


def names(listing: Listing) -> list[str]:
    return [node["name"] for page in listing.pages() for node in page]


@given(st.integers(0, 12), st.integers(1, 4), EVENTS)
def test_each_run_once_and_none_lost_unsaid(count: int, size: int, events: list[tuple[str, int]]) -> None:
    world = World([f"r{number}" for number in range(count)], events, size)
    listing = Listing(world.walk)
    found = names(listing)
    assert len(found) == len({*found})
    # An addition and a deletion between the same two pages look like nothing: not asked for here.
    kinds = {kind for kind, _ in events}
    if not listing.lack and not {"add", "delete"} <= kinds:
        assert {*found} >= world.always
    assert world.pages <= len(WALKS) * (count + len(events) + 6)


def test_a_quiet_listing_takes_one_walk() -> None:
    world = World([f"r{number}" for number in range(6)], [])
    listing = Listing(world.walk)
    assert names(listing) == [f"r{number}" for number in range(6)]
    assert (listing.lack, world.pages) == ("", 3)


def test_an_empty_project_takes_one_page() -> None:
    world = World([], [])
    assert names(Listing(world.walk)) == []
    assert world.pages == 1


def test_the_second_walk_ends_when_nothing_is_missing() -> None:
    """r9 is skipped at the end of the first; the second begins there."""
    world = World([f"r{number}" for number in range(10)], [("shift", 0)] * 3 + [("shift", 1)], 2)
    listing = Listing(world.walk)
    assert {*names(listing)} == {f"r{number}" for number in range(10)}
    assert world.pages == 6


def test_a_deleted_run_does_not_stand_for_one_that_was_skipped() -> None:
    world = World(["r0", "r1", "r2", "r3"], [("delete", 0)])
    found = names(Listing(world.walk))
    assert found == ["r0", "r1", "r3", "r2"]


def test_runs_that_never_come_are_counted() -> None:
    def walk(order: str) -> Iterator[Page]:
        yield Page((("a", {"name": "a"}),), 3, "1", more=False)

    listing = Listing(walk)
    assert names(listing) == ["a"]
    assert listing.lack == "2 of 3 runs did not come in 3 listings"


def test_deletions_without_end_are_said() -> None:
    counts = iter(range(100, 0, -1))

    def walk(order: str) -> Iterator[Page]:
        for number in range(3):
            left = next(counts)
            nodes = tuple((f"r{n}", {"name": f"r{n}"}) for n in range(100))
            yield Page(nodes, left, str(number + 1), more=number < 2)

    listing = Listing(walk)
    names(listing)
    assert "deleted all the time" in listing.lack


@pytest.mark.parametrize("count", [None, 2, 5])
def test_a_server_that_repeats_itself_does_not_keep_us(count: int | None) -> None:
    """The same cursor again, or the same runs behind ever new cursors."""

    def same_cursor(order: str) -> Iterator[Page]:
        while True:
            yield Page((("a", {"name": "a"}), ("b", {"name": "b"})), count, "c", more=True)

    def new_cursors(order: str) -> Iterator[Page]:
        number = 0
        while True:
            number += 1
            yield Page((("a", {"name": "a"}), ("b", {"name": "b"})), count, str(number), more=True)

    for walk in (same_cursor, new_cursors):
        listing = Listing(walk)
        assert names(listing) == ["a", "b"]
        assert (listing.lack == "") == (count == 2)


def test_a_server_that_does_not_count_is_believed() -> None:
    def walk(order: str) -> Iterator[Page]:
        yield Page((("a", {"name": "a"}),), None, "1", more=True)
        yield Page((("a", {"name": "a"}), ("b", {"name": "b"})), None, None, more=False)

    listing = Listing(walk)
    assert names(listing) == ["a", "b"]
    assert listing.lack == ""


def test_a_double_within_a_page_comes_once() -> None:
    def walk(order: str) -> Iterator[Page]:
        yield Page((("a", {"name": "a"}), ("a", {"name": "a"})), 1, "1", more=False)

    assert names(Listing(walk)) == ["a"]
