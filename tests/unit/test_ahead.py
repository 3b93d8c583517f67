"""An iterator that is run ahead gives the same items, holds few of them, and leaves nothing running.

Mutants: no bound on what waits; a bound that is off by one; errors dropped, or raised before the items
before them; the source not closed; the thread not waited for; the thread waits for itself.
"""

import threading
from collections.abc import Generator, Iterator

import pytest

from runsheet.ahead import ahead
from runsheet.errors import Stopped


def running() -> list[str]:
    """Our threads that have not ended."""
    return [thread.name for thread in threading.enumerate() if thread.name == "ahead"]


class Numbers:
    """Counts from 0 up to `end`, and keeps what happened to it."""

    def __init__(self, end: int = 1000) -> None:
        self.end = end
        self.made = 0
        self.threads: set[str] = set()
        self.closed = threading.Event()

    def __iter__(self) -> Generator[int, None, None]:
        try:
            for number in range(self.end):
                self.threads.add(threading.current_thread().name)
                self.made = number + 1
                yield number
        finally:
            self.closed.set()


@pytest.mark.parametrize("room", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 2, 300])
def test_the_same_items_in_the_same_order(count: int, room: int) -> None:
    source = Numbers(count)
    assert [*ahead(source, room)] == [*range(count)]
    assert source.threads <= {"ahead"}
    assert source.closed.is_set()
    assert running() == []


def test_anything_can_be_run_ahead() -> None:
    assert [*ahead("abc")] == ["a", "b", "c"]


@pytest.mark.parametrize("room", [1, 3])
def test_few_items_wait(room: int) -> None:
    """Never more than `room` besides the one that was handed out, so none is made for nothing."""
    asked, surplus = 0, 0
    made = [threading.Event() for _ in range(1000)]

    def source() -> Iterator[int]:
        nonlocal surplus
        for number in range(1000):
            surplus = max(surplus, number + 1 - asked)
            made[number].set()
            yield number

    items = ahead(source(), room)
    for number in range(1000):
        asked += 1
        assert next(items) == number
        assert made[min(number + room, 999)].wait(10)
    assert surplus == room


def test_the_next_item_is_made_while_the_last_one_is_worked_on() -> None:
    asked = threading.Event()

    def source() -> Iterator[int]:
        yield 1
        asked.set()
        yield 2

    items = ahead(source())
    assert next(items) == 1
    assert asked.wait(10)
    assert [*items] == [2]


def test_nothing_begins_before_the_first_item_is_asked_for() -> None:
    source = Numbers()
    items = ahead(source)
    assert (running(), source.made) == ([], 0)
    items.close()
    assert source.made == 0


@pytest.mark.parametrize("error", [Stopped("told to stop"), KeyError("k"), KeyboardInterrupt()], ids=repr)
def test_an_error_comes_after_the_items_before_it(error: BaseException) -> None:
    def source() -> Iterator[int]:
        yield 1
        yield 2
        raise error

    items = ahead(source(), 2)
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(type(error)) as caught:
        next(items)
    assert caught.value is error
    assert running() == []


def test_what_cannot_be_iterated_is_an_error() -> None:
    with pytest.raises(TypeError):
        [*ahead(7)]  # type: ignore[arg-type]
    assert running() == []


def test_a_consumer_that_stops_early_ends_it() -> None:
    source = Numbers()
    items = ahead(source)
    assert next(items) == 0
    items.close()
    assert source.closed.is_set()
    assert source.made <= 2
    assert running() == []
    assert [*items] == []


def test_what_can_be_closed_is_closed() -> None:
    """At once, not when somebody collects the garbage."""
    closed: list[str] = []

    class Endless:
        def __iter__(self) -> "Endless":
            return self

        def __next__(self) -> int:
            return 1

        def close(self) -> None:
            closed.append(threading.current_thread().name)

    items = ahead(Endless())
    next(items)
    items.close()
    assert closed == ["ahead"]


def test_a_consumer_that_fails_ends_it() -> None:
    source = Numbers()

    def consume() -> None:
        for number in ahead(source):
            raise ValueError(number)

    with pytest.raises(ValueError, match="0"):
        consume()
    assert source.closed.is_set()
    assert running() == []


def test_an_item_that_is_being_made_is_waited_for() -> None:
    """It cannot be broken off; when close() is through, nothing of it is left."""
    begun, go, ended = threading.Event(), threading.Event(), threading.Event()

    def source() -> Iterator[int]:
        yield 1
        begun.set()
        go.wait(10)
        ended.set()
        yield 2

    items = ahead(source())
    next(items)
    assert begun.wait(10)
    closing = threading.Thread(target=items.close)
    closing.start()
    assert not ended.is_set()
    go.set()
    closing.join(10)
    assert ended.is_set()
    assert running() == []


def test_it_may_be_closed_in_its_own_thread() -> None:
    """As a collection of garbage may do."""
    closed = threading.Event()
    ready = threading.Event()

    def source() -> Iterator[int]:
        yield 1
        ready.wait(10)
        items.close()
        closed.set()
        yield 2

    items = ahead(source())
    assert next(items) == 1
    ready.set()
    assert closed.wait(10)
    assert [*items] == []


@pytest.mark.parametrize("room", [0, -1])
def test_there_is_room_for_one_at_least(room: int) -> None:
    with pytest.raises(ValueError, match="room"):
        ahead([1], room)
