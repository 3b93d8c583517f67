"""What a process remembers of a spreadsheet from one tick to the next, so as not to look for it again."""

from collections.abc import MutableMapping
from typing import Any


class Memo:
    """What is known of the tab for `worksheet` in the spreadsheet that is called `name` in the
    configuration. Kept in `store`, which lives as long as the process."""

    def __init__(self, store: MutableMapping[str, Any], name: str, worksheet: str = "") -> None:
        self._store = store
        self._tab = f"gsheet tab {name}\n{worksheet}"

    @property
    def tab(self) -> tuple[str, int] | None:
        """The title and id of the tab that was found last; None if it is not known."""
        found: tuple[str, int] | None = self._store.get(self._tab)
        return found

    @tab.setter
    def tab(self, tab: tuple[str, int] | None) -> None:
        self._store[self._tab] = tab
