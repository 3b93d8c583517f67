"""What a process remembers of a spreadsheet from one tick to the next, to ask for less.

Nothing rests on it: what is read tells whether it still holds.
"""

from collections.abc import MutableMapping
from typing import Any


class Memo:
    """What is known of the spreadsheet that is called `name` in the configuration, and of its tab for
    `worksheet`. Kept in `store`, which lives as long as the process."""

    def __init__(self, store: MutableMapping[str, Any], name: str, worksheet: str = "") -> None:
        self._store = store
        self._key = f"gsheet key {name}"
        self._tab = f"gsheet tab {name}\n{worksheet}"

    @property
    def key(self) -> str:
        """The key of a spreadsheet that is named by its title; "" if it is not known."""
        return str(self._store.get(self._key, ""))

    @key.setter
    def key(self, key: str) -> None:
        self._store[self._key] = key

    @property
    def tab(self) -> tuple[str, int] | None:
        """The title and id of the tab that was found last; None if it is not known."""
        found: tuple[str, int] | None = self._store.get(self._tab)
        return found

    @tab.setter
    def tab(self, tab: tuple[str, int] | None) -> None:
        self._store[self._tab] = tab
