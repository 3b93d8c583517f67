"""How large a spreadsheet gets: the width of a new tab, what does not fit, what comes near. Pure."""

from dataclasses import dataclass

from runsheet.destinations.gsheet.standing import Standing
from runsheet.errors import SheetError
from runsheet.model import Plan

CELLS = 10_000_000
"""The most cells a spreadsheet can have, blank ones of every tab included."""

COLUMNS = 18_278
"""The most columns a tab can have."""

SPARE_ROWS = 100
"""Blank rows of a new tab, below the table."""

USUAL_COLUMNS = 26
"""As many columns has a tab that people make."""

SPARE_COLUMNS = 5
"""Blank columns of a new tab, at least, beside the table."""

NEAR_PERCENT = 80
"""From here on people are told."""

_ADVICE = (
    "Delete blank rows and columns, archive a tab in another spreadsheet, have fewer columns (MAX_COLUMNS, "
    "DYNAMIC_HEADERS)"
)


@dataclass(frozen=True, slots=True)
class Fit:
    """The columns that a tab which is new or empty gets, and lines for people on what comes near."""

    width: int
    remarks: tuple[str, ...] = ()


def grows(plan: Plan, now: Standing) -> bool:
    """Whether a plan makes the spreadsheet larger: then the size of the other tabs matters, too, which
    costs a request to ask for. A small tab may stand beside a large one."""
    return bool(plan.rows or plan.new or now.tab is None)


def only_marks(plan: Plan) -> bool:
    """Whether a plan writes watermarks, and nothing that is noted or makes anything."""
    written = plan.rows or plan.changes or plan.notes or plan.closing
    return not (written or plan.new or plan.adopted or plan.dropped or plan.shape.moved)


def near(plan: Plan, now: Standing, elsewhere: int) -> bool:
    """Whether a spreadsheet is so full after a plan that people are told, and guesses do not do."""
    return (elsewhere + _rows(plan, now) * _width(plan, now, COLUMNS)) * 100 >= NEAR_PERCENT * CELLS


def fit(plan: Plan, now: Standing, elsewhere: int) -> Fit:
    """Make sure that a plan fits, beside the `elsewhere` cells of other tabs.

    Raises SheetError, with the numbers, when a tab or the spreadsheet would become too large.
    """
    rows = _rows(plan, now)
    notes = 2 + len(plan.notes) + len(plan.rows)  # at most: one cell to a note, many ids to a note
    free = CELLS - elsewhere - notes
    width = _width(plan, now, free // rows)
    if width > COLUMNS:
        raise SheetError(
            f"{len(plan.new):,} new columns do not fit: a tab holds {COLUMNS:,}, blank ones included, and "
            f"has {now.columns:,} now. Delete blank ones at its right, or choose columns with "
            "DYNAMIC_HEADERS. Nothing was written"
        )
    if rows * width > free:
        raise SheetError(
            f"{len(plan.rows):,} new rows of {width:,} columns do not fit: a spreadsheet holds {CELLS:,} "
            f"cells, blank ones included, and has {elsewhere + now.rows * now.columns:,} now, "
            f"{elsewhere:,} of them in other tabs. {_ADVICE}, or name another SPREADSHEET_NAME. "
            "Nothing was written"
        )
    return Fit(width, _remarks(elsewhere + rows * width))


def _rows(plan: Plan, now: Standing) -> int:
    """Rows of the grid afterwards: at its edge one more is appended."""
    if now.tab is None:
        return 1 + SPARE_ROWS + len(plan.rows)
    rows = now.rows + plan.shape.empty
    return rows + len(plan.rows) + bool(plan.rows and plan.after + 1 >= rows)


def _width(plan: Plan, now: Standing, fitting: int) -> int:
    """Columns of the grid afterwards; `fitting` is the most that there is room for."""
    if plan.shape.empty:
        wanted = min(max(USUAL_COLUMNS, len(plan.columns) + SPARE_COLUMNS), COLUMNS, fitting)
        return max(wanted, len(plan.columns), now.columns, 1)
    return now.columns + len(plan.new) + bool(plan.new and now.used >= now.columns)


def _remarks(cells: int) -> tuple[str, ...]:
    percent = cells * 100 // CELLS
    if percent < NEAR_PERCENT:
        return ()
    return (
        f"the spreadsheet holds {cells:,} of {CELLS:,} cells ({percent} %), blank ones included. {_ADVICE}",
    )
