"""Where an index goes when rows or columns are inserted, deleted or moved. Pure arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Axis = Literal["ROWS", "COLUMNS"]


@dataclass(frozen=True, slots=True)
class Insert:
    """`count` new lines before the line `at`."""

    axis: Axis
    at: int
    count: int

    def point(self, index: int) -> int | None:
        return index + self.count if index >= self.at else index

    def span(self, start: int, end: int) -> tuple[int, int] | None:
        """A span that is cut open grows; one that merely touches the new lines does not."""
        return (
            start + self.count if start >= self.at else start,
            end + self.count if end > self.at else end,
        )


@dataclass(frozen=True, slots=True)
class Delete:
    """The lines start..end go."""

    axis: Axis
    start: int
    end: int

    def point(self, index: int) -> int | None:
        if index < self.start:
            return index
        return None if index < self.end else index - (self.end - self.start)

    def span(self, start: int, end: int) -> tuple[int, int] | None:
        start, end = self._edge(start), self._edge(end)
        return (start, end) if start < end else None

    def _edge(self, index: int) -> int:
        return min(index, self.start) if index <= self.end else index - (self.end - self.start)


@dataclass(frozen=True, slots=True)
class Move:
    """The lines start..end go before the line that is now at `to` (outside of start..end)."""

    axis: Axis
    start: int
    end: int
    to: int

    def point(self, index: int) -> int | None:
        count = self.end - self.start
        if self.start <= index < self.end:
            return index + (self.to - self.start if self.to <= self.start else self.to - self.end)
        if self.end <= index < self.to:
            return index - count
        if self.to <= index < self.start:
            return index + count
        return index

    def span(self, start: int, end: int) -> tuple[int, int] | None:
        """The span follows its two outer lines, as a reference in a formula does."""
        ends = [index for index in (self.point(start), self.point(end - 1)) if index is not None]
        return min(ends), max(ends) + 1


Shift = Insert | Delete | Move
