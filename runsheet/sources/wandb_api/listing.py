"""Make a listing complete and free of doubles (P1), whatever order pages come in. Pure: no I/O.

W&B pages by offset: a run that is added, deleted or reordered while we page shifts the pages, and
some runs come twice, some never (wandb issues 6614 and 7666). But each page says how many runs
there are. So: drop what was seen, count, and walk again from the other end while some are missing.
"""

from collections.abc import Callable, Iterator

from runsheet.sources.wandb_api.query import Node, Page

WALKS = ("+created_at", "-created_at", "+created_at")
"""The order of each walk. The second goes backwards: pages break at other places then, and what
a deletion shifts out of reach one way is still to come the other way."""

IDLE = 3
"""Pages in a row without a run that is new to the walk, after which the walk ends: a server that
repeats itself must not keep us for ever."""


class Listing:
    """One project's listing. Iterate `pages()` once, then look at `lack`.

    Nothing here depends on what becomes of a page that was handed out: `pages()` may be run ahead of
    its reader, and still asks for no page in vain.
    """

    def __init__(self, walk: Callable[[str], Iterator[Page]]) -> None:
        """`walk(order)` gives the pages of one walk, from the start."""
        self._walk_pages = walk
        self._seen: set[str] = set()
        self._count: int | None = None
        self._walks = 0
        self._fell = False
        self._steady = True
        self._cut = False
        self.lack = ""
        """Why the listing may be incomplete, as the end of a sentence; "" when it is complete."""

    def pages(self) -> Iterator[list[Node]]:
        """What is new in each page, each node once: the first walk's oldest first, then what it missed."""
        for order in WALKS:
            self._walks += 1
            here: set[str] = set()
            yield from self._walk(order, here)
            self.lack = self._judge(here)
            if not self.lack:
                return

    def _walk(self, order: str, here: set[str]) -> Iterator[list[Node]]:
        cursors: set[str | None] = {None}
        idle, self._cut, self._steady = 0, True, True
        for page in self._walk_pages(order):
            self._note(page.count)
            idle = 0 if any(key not in here for key, _ in page.nodes) else idle + 1
            here.update(key for key, _ in page.nodes)
            yield self._fresh(page)
            if not page.more or self._enough():
                self._cut = False
                return
            if page.end in cursors or idle >= IDLE:
                return
            cursors.add(page.end)

    def _fresh(self, page: Page) -> list[Node]:
        """The nodes of a page that were not seen before, from now on seen."""
        fresh: dict[str, Node] = {}
        for key, node in page.nodes:
            if key not in self._seen:
                fresh.setdefault(key, node)
        self._seen.update(fresh)
        return [*fresh.values()]

    def _note(self, count: int | None) -> None:
        if count is None:
            return
        if self._count is not None and count < self._count:
            self._fell, self._steady = True, False
        self._count = count

    def _enough(self) -> bool:
        """In a later walk: nothing is missing any more, so the rest need not be read again."""
        known = self._count is not None and not self._fell
        return self._walks > 1 and known and len(self._seen) >= (self._count or 0)

    def _judge(self, here: set[str]) -> str:
        """What is lacking after a walk that met `here`.

        Once the count has fallen, the runs seen include deleted ones and prove nothing: only a
        walk during which it held, and which met that many runs, does.
        """
        if self._count is None:
            return "the server did not finish the list" if self._cut else ""
        missing = self._count - len(here if self._fell else self._seen)
        if missing > 0:
            return f"{missing} of {self._count} runs did not come in {self._walks} listings"
        return "" if self._steady else "runs were deleted all the time while they were listed"
