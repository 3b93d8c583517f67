"""Change cells in rows that stand: compare what they hold with what a plan took them to hold, write
others in their place.

A cell keeps its style, and all that refers to it stays: notes, links, rules. What only a person makes (a
formula, rich text, an error) is never replaced, whatever the plan says. Text goes into the cell
itself, also where it was in the shared strings: those are other cells' too. A formula is written
without a value.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from runsheet.destinations.a1 import letters
from runsheet.destinations.xlsx.cell_xml import Calendar, render
from runsheet.destinations.xlsx.markup import Unfit, text
from runsheet.destinations.xlsx.style import Styles
from runsheet.errors import Changed
from runsheet.model import Foreign, Plan, Stored
from runsheet.stored import same


@dataclass(frozen=True, slots=True)
class Put:
    """A cell to change: what it held when it was read, what it shall hold. `date`: a number in it is a
    date."""

    before: Stored
    after: Stored
    date: bool = False


Puts = Mapping[int, Mapping[int, Put]]
"""Cells to change, by row (from 1) and column (from 0)."""


def puts(plan: Plan, places: Mapping[str, int]) -> Puts:
    """The cells that a plan changes; `places` are the columns by their keys."""
    dates = {column.key for column in plan.columns if column.date}
    found: dict[int, dict[int, Put]] = {}
    for change in plan.changes:
        cells = found.setdefault(change.row.index + 1, {})
        for edit in change.cells:
            if edit.key not in places:
                raise Unfit("does not fit the plan: please report this")
            cells[places[edit.key]] = Put(edit.before, edit.after, edit.key in dates)
    return found


def check(wanted: Puts, held: Mapping[int, Mapping[int, Stored]]) -> None:
    """Raise Changed unless all cells hold what they were taken to hold."""
    for row, cells in wanted.items():
        for index, put in cells.items():
            now = held[row][index]
            if isinstance(now, Foreign) or not same(put.before, now):
                raise Changed(f"the cell {letters(index)}{row} is not what it was")


def written(put: Put, ref: str, style: int, prefix: str, styles: Styles, calendar: Calendar) -> bytes:
    """The `<c>` that takes the place of a cell of this style. A date stays formatted as it is; in a cell
    that held nothing, or has no style at all, it is formatted as in new rows."""
    value = put.after
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if put.date and number and (style == 0 or put.before in (None, "")):
        style = styles.dated(style)
    start = f'<{prefix}c r="{ref}"' + (f' s="{style}"' if style else "")
    if isinstance(value, Foreign) and value.text.startswith("="):
        return f"{start}><{prefix}f>{text(value.text[1:])}</{prefix}f></{prefix}c>".encode()
    plain = value.text if isinstance(value, Foreign) else value
    cell = "" if plain == "" else render(plain, ref, style, prefix, calendar)
    return (cell or f"{start}/>").encode()
