"""Get the next item while the last one is worked on: an iterator, run in a thread of its own.

What runs there decides everything it has to before it is asked for its next item, since by then
nobody may have looked at the last one.
"""

import sys
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


def ahead(source: Iterable[T], room: int = 1) -> Generator[T, None, None]:
    """Yield the items of `source` in order, up to `room` of them got in advance.

    `source` runs in a thread that begins with the first item asked for, and is asked for an item
    only when there is room for it, so at most `room` are held besides the one handed out. What it
    raises is raised here after the items before. When the iterator that this returns is closed,
    `source` finishes the item it is at and is closed; then its thread has ended.
    """
    if room < 1:
        raise ValueError(f"room is {room}: one item at least has to be got in advance")
    return _consume(source, room)


def _consume(source: Iterable[T], room: int) -> Generator[T, None, None]:
    line = _Line[T](room)
    thread = threading.Thread(target=line.fill, args=(source,), name="ahead", daemon=True)
    thread.start()
    try:
        yield from line
    finally:
        line.leave()
        # A collection of garbage may close us anywhere: in that thread, or when threads stand still for good.
        if thread is not threading.current_thread() and not sys.is_finalizing():
            thread.join()


class _Line(Generic[T]):
    """Items that wait to be taken, between two threads: one fills it, the other iterates it."""

    def __init__(self, room: int) -> None:
        self._items: deque[T] = deque()
        self._room = room
        self._changed = threading.Condition()
        self._left = False
        self._ended = False
        self._error: BaseException | None = None

    def fill(self, source: Iterable[T]) -> None:
        """Put items in until there are no more, one raises, or nobody wants them any more."""
        try:
            items = iter(source)
            try:
                while self._wanted():
                    item = next(items)
                    with self._changed:
                        self._items.append(item)
                        self._changed.notify_all()
            finally:
                if close := getattr(items, "close", None):
                    close()
        except StopIteration:
            pass
        except BaseException as error:  # noqa: BLE001 - raised where the items are taken
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def leave(self) -> None:
        """Nothing more is wanted."""
        with self._changed:
            self._left = True
            self._items.clear()
            self._changed.notify_all()

    def _wanted(self) -> bool:
        """Wait for room; False when nothing more is wanted."""
        with self._changed:
            self._changed.wait_for(lambda: self._left or len(self._items) < self._room)
            return not self._left

    def __iter__(self) -> Iterator[T]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._items or self._ended)
                if not self._items:
                    break
                item = self._items.popleft()
                self._changed.notify_all()
            yield item
            del item
        if self._error is not None:
            raise self._error
