"""When a tick stops before it writes anything, since a person should look first. Pure."""

from collections.abc import Collection

from runsheet import columns
from runsheet.errors import ConfigError, SheetError
from runsheet.ledger import Ledger
from runsheet.model import Placed, Shape
from runsheet.strays import Strays

USUAL_ROWS = 200
"""A tick that adds or updates no more rows than this is never out of the ordinary."""

FEW_COLUMNS = 2
"""So many columns may vanish from any table at once."""


def check_kind(shape: Shape, choice: columns.Choice) -> None:
    """Raise ConfigError where runs would go into the worksheet of a comparison, or the other way round."""
    if not shape.owned or shape.hollow:
        return
    there = columns.compares({owned.key for owned in shape.owned}, shape.made)
    meant = columns.compares({header.key for header in choice.fixed})
    if there and not meant:
        raise ConfigError(
            "the worksheet is that of a comparison: name another tab with WORKSHEET in config.json. "
            "Nothing was written"
        )
    if meant and not there:
        raise ConfigError(
            "the worksheet holds a table that is no comparison: name another one with --worksheet. "
            "Nothing was written"
        )


def check(shape: Shape, adopted: Collection[Placed]) -> None:
    """Raise SheetError for a worksheet that is not ours, or not whole: without run ids, or without most
    of our headers."""
    keys = {owned.key for owned in shape.owned} | {placed.column.key for placed in adopted}
    titled = sum(1 for owned in shape.owned if owned.title.strip())
    if shape.owned and titled == 0:
        raise SheetError(
            "row 1 of the worksheet shows none of our headers any more: put the header back into row 1, "
            "or clear the worksheet to start over. Nothing was written"
        )
    if shape.owned and titled * 2 < len(shape.owned):
        raise SheetError(
            f"row 1 of the worksheet shows only {titled} of our {len(shape.owned)} headers: put the header "
            "back into row 1, or clear the worksheet to start over. Nothing was written"
        )
    if shape.empty or "run_id" in keys:
        return
    if shape.owned:
        raise SheetError(
            "the run_id column of the worksheet is gone: bring it back (undo), or name another tab "
            "with WORKSHEET in config.json. Nothing was written"
        )
    raise SheetError(
        "the worksheet holds other data and has no run_id column: name another tab with WORKSHEET in "
        "config.json (it is made when it does not exist), or head one column run_id. Nothing was written"
    )


def check_ids(shape: Shape, strays: Strays) -> None:
    """Raise SheetError where it cannot be told which run a row is, for commands that are no tick."""
    titles = {owned.key: owned.title.strip() for owned in shape.owned}
    if shape.owned and (not titles.get("run_id") or strays.keys or strays.ids()):
        raise SheetError(
            "a column of ours was cut and pasted, or run_id is gone: let the sync run first. "
            "Nothing was written"
        )


def stop(
    book: Ledger,
    table: int,
    appended: int,
    updated: int,
    vanished: Collection[str],
    kept: int,
    renamed: Collection[str] = (),
) -> str:
    """Why a tick is far out of the ordinary, "" when it is not.

    `table`: rows of runs in the sheet; `appended` and `updated`: rows that the tick would write;
    `vanished`: columns of ours that a person deleted since the last tick that wrote, `kept`: those
    that are there; `renamed`: titles that these have had only since then. More than half of either,
    and more than a few, is far. A first sync has no usual, and where many live rows have been followed
    before, following as many again is usual.
    """
    if len(vanished) > FEW_COLUMNS and len(vanished) > kept:
        names = ", ".join(sorted(vanished)[:10]) + (", …" if len(vanished) > 10 else "")
        return f"{len(vanished)} of our {len(vanished) + kept} columns are gone ({names})"
    if len(renamed) > FEW_COLUMNS and len(renamed) * 2 > kept:
        names = ", ".join(repr(title) for title in list(renamed)[:5])
        return (
            f"row 1 shows other headers for {len(renamed)} of our {kept} columns ({names}): is it the header?"
        )
    if not book.complete:
        return ""
    followed = max((len(tick.touched) for tick in book.ticks), default=0)
    written = (("append", appended, "to", 0), ("change", updated, "in", 2 * followed))
    far = [
        f"{verb} {count:,} rows {where} a table of {table:,}"
        for verb, count, where, usual in written
        if count > max(USUAL_ROWS, usual) and count * 2 > table
    ]
    return f"this tick would {' and '.join(far)}" if far else ""
