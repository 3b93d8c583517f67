"""Which tab is ours, and what its table is called. Pure.

A tab that we have written carries a table mark, so people may rename it. They may also duplicate
it: a copy carries the mark of another tab.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from runsheet import columns
from runsheet.destinations.gsheet import marks
from runsheet.errors import SheetError

Sheet = Mapping[str, Any]

DEFAULT = "runs"
"""The title of a tab that we make where no WORKSHEET is named and no tab can be used."""


def choose(tabs: Sequence[Sheet], worksheet: str, others: Collection[str] = ()) -> Sheet | None:
    """The tab to use, None to make one. No tab has the title `worksheet`. `others` are the WORKSHEETs of
    other tables here, whose tabs are not meant.

    The tab that was made for this WORKSHEET, whatever it is called now. Without a WORKSHEET also
    the only tab of ours, else the first one that people see, but never that of a comparison. Raises
    SheetError when it is open which of two is meant.
    """
    tabs = [tab for tab in tabs if _worksheet(tab) not in others and (worksheet or not _compares(tab))]
    ours = [tab for tab in tabs if marks.table_of(tab)]
    named = _originals([tab for tab in ours if _worksheet(tab) == worksheet])
    if len(named) > 1:
        titles = " and ".join(repr(tab["properties"]["title"]) for tab in named)
        raise SheetError(f"the tabs {titles} may both be meant: name one with WORKSHEET in config.json")
    if named or worksheet:
        return named[0] if named else None
    originals = [tab for tab in ours if not marks.is_copy(tab)]
    visible = [tab for tab in tabs if _is_visible(tab)]
    return originals[0] if len(originals) == 1 else next(iter(visible), None)


def table_name(wanted: str, tabs: Sequence[Sheet]) -> str:
    """The name of a new table: `wanted`, unless a tab that stands has it already."""
    taken = {table.name for tab in tabs if (table := marks.table_of(tab))}
    name, count = wanted, 2
    while name in taken:
        name, count = f"{wanted} {count}", count + 1
    return name


def _originals(tabs: list[Sheet]) -> list[Sheet]:
    """The tabs without copies; a copy counts where its original is gone."""
    return [tab for tab in tabs if not marks.is_copy(tab)] or tabs


def _worksheet(tab: Sheet) -> str:
    table = marks.table_of(tab)
    return table.worksheet if table else ""


def _compares(tab: Sheet) -> bool:
    made = marks.made_of(tab)
    return made is not None and columns.compares((), made.prints)


def _is_visible(tab: Sheet) -> bool:
    return not tab["properties"].get("hidden") and marks.tab_id(tab) != marks.NOTES_TAB
