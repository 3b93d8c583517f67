"""Columns of ours that stand elsewhere than their marks: people cut and paste (P3). Pure.

On Google Sheets a mark does not go along when the cells of its column are cut and pasted. It stays
behind on a column whose header is blank, or soon another, and which holds nothing. The column is where
its title is, if that stands in exactly one column that is not ours.
"""

from collections.abc import Collection, Mapping

from runsheet.columns import Choice, names, one_line
from runsheet.model import Column, Owned, Placed, Shape


class Strays:
    """The columns of a sheet of ours that may have strayed. `called`: titles by key, as far as people
    changed them."""

    def __init__(self, shape: Shape, choice: Choice, called: Mapping[str, str]) -> None:
        self._shape = shape
        self._places = _Places(shape, choice, called)
        self.keys = frozenset(
            item.key
            for item in shape.owned
            if not self._places.is_called(item) and self._places.find(item.key) >= 0
        )

    def found(self, filled: Mapping[str, Collection[int]]) -> tuple[Owned, ...]:
        """The columns of ours, those that strayed where they were found again: a mark moves if its column
        holds nothing. `filled`: the rows in which the columns of `keys` hold something."""
        gone = {key for key in self.keys if not filled.get(key)}
        places = {key: self._places.find(key) for key in gone}
        header = self._shape.header
        return tuple(
            Owned(item.key, places[item.key], header[places[item.key]]) if item.key in gone else item
            for item in self._shape.owned
        )

    def ids(self) -> tuple[Placed, ...]:
        """The column of the run ids, if its mark is gone altogether but the column is found: nothing works
        without it. Any other column without a mark was deleted."""
        owned = {item.key for item in self._shape.owned}
        index = self._places.find("run_id")
        if not owned or "run_id" in owned or index < 0:
            return ()
        return (Placed(Column("run_id", self._shape.header[index], "run_id"), index),)


class _Places:
    """Titles of columns that are not ours, and what ours are called."""

    def __init__(self, shape: Shape, choice: Choice, called: Mapping[str, str]) -> None:
        self._choice = choice
        self._called = called
        ours = {item.index for item in shape.owned}
        self._free: dict[str, list[int]] = {}
        for index, text in enumerate(shape.header):
            if index not in ours and text.strip():
                self._free.setdefault(one_line(text), []).append(index)

    def is_called(self, item: Owned) -> bool:
        return one_line(item.title) in self._names(item.key)

    def find(self, key: str) -> int:
        """Where the only unmarked column of that title is, -1 if there is none, or several."""
        places = [index for name in self._names(key) for index in self._free.get(name, ())]
        return places[0] if len(places) == 1 else -1

    def _names(self, key: str) -> set[str]:
        name = self._called.get(key)
        return {one_line(text) for text in ({name} if name else names(key, self._choice))}
