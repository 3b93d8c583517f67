"""The interface of a destination: read its shape, read its content, apply a plan.

Terms: the *worksheet* is the tab that people look at, row 1 is its header; *book-keeping* is a
hidden tab `_runsheet` of text rows (ledger.py says what they mean). A column is *ours* when it
carries a mark with its key; marks follow the column wherever people move it.

What every destination promises, and tests/contract/destination_contract.py checks:

- `apply` writes only into rows and columns that it has just made, into marks, into the
  book-keeping, and into the cells of `Plan.changes`: those it writes only if they hold what the plan
  says they hold, or puts back at once what it found there. Nothing of a person is overwritten,
  cleared or removed.
- Rows go where the plan says (`after`), or below everything where inserting is not possible, in
  the order of the plan; new columns go to the right of everything in use.
- Each batch holds its rows together with the book-keeping of their ids and is applied whole or
  not at all. A batch is refused when the columns moved, or somebody else wrote, since `read`.
- Watermarks come with `read`, and are replaced with the last batch of a plan: if they are there, so is
  everything before them. A table that is empty, hollow or a copy has none.
- Rows of a plan are looked at in order, never by index, and maybe by a thread that `apply` started.
- Values arrive typed (P5): text is text even if it begins with "=", numbers are numbers,
  datetimes are dates.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from runsheet.errors import SheetError, Unanswered
from runsheet.model import (
    Cell,
    Cells,
    Change,
    Content,
    Limits,
    Placed,
    Plan,
    Row,
    RowId,
    Shape,
    Stored,
    Written,
)


class RowsRefused(SheetError):
    """A batch was refused, the sheet had not changed, and the reason is not one we know.

    `rows` and `changes` are those of the batch, at least one: it may be a single one of them that is not
    taken.
    """

    def __init__(self, message: str, rows: Sequence[Row], changes: Sequence[Change] = ()) -> None:
        super().__init__(message)
        self.rows = tuple(rows)
        self.changes = tuple(changes)


class Overtaken(Unanswered):
    """A batch was applied, and the headers of some columns went in that very second, with all that was
    in them perhaps.

    `keys` are those of the columns, `rows` the rows that the batch appended, `columns` the keys of
    their cells. `replaced`: columns that held nothing any more where the batch changed cells.
    withdraw.py says what follows.
    """

    def __init__(
        self,
        message: str,
        keys: frozenset[str],
        rows: Sequence[Row],
        columns: Sequence[str],
        replaced: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__(message)
        self.keys = keys
        self.rows = tuple(rows)
        self.columns = tuple(columns)
        self.replaced = replaced


class Destination(Protocol):
    """A table that rows go to."""

    name: str
    """As in `--destination`: "gsheet", "xlsx", ..."""

    limits: Limits

    @property
    def remarks(self) -> tuple[str, ...]:
        """Lines for people about what the last `apply` met: limits that come near. They are there
        when its first batch was written, and every `apply` begins with none."""
        ...

    @property
    def requests(self) -> int:
        """Requests sent to a service so far, for the tick's report; 0 for files."""
        ...

    def read(self) -> Shape:
        """Read the worksheet's shape: marks and header. A cleared worksheet is `empty` and owns no
        columns, whatever marks are left on it; `apply` drops those.

        Raises ServiceError when the spreadsheet cannot be reached or read, SheetError when it
        is not as it must be.
        """
        ...

    def content(self, shape: Shape, adopted: Sequence[Placed] = ()) -> Content:
        """Read the rows with text in the run_id column, and the book-keeping.

        The columns `run_id` and `project` (if any) are found by their marks, or among `adopted`
        in a worksheet that has no marks yet; keys tell which they are. `RowId.filled` is looked
        up when `adopted` is given or the book-keeping is missing. Raises as `read` does, and
        Changed if the shape is stale.
        """
        ...

    def cells(self, shape: Shape, content: Content, rows: Sequence[RowId]) -> Cells:
        """Read the cells of our columns in these rows, and the images of the last batch that changed
        cells if there may be any. Raises as `read` does, and Changed if a row is another by now.
        """
        ...

    @property
    def zone(self) -> str:
        """The name of the time zone on whose clock dates are written; "" where dates need none."""
        ...

    def use_zone(self, name: str) -> None:
        """Write dates on the clock of another time zone from now on. Raises ZoneInfoNotFoundError."""
        ...

    def stored(self, cell: Cell) -> Stored:
        """What the sheet makes of a cell that is written: of a date a number."""
        ...

    def apply(self, plan: Plan) -> Iterator[Written]:
        """Apply a plan in as few batches as the limits allow; yield what was written, batch by batch:
        changes first, then rows.

        A plan that writes nothing sends nothing. Raises Changed when a batch was refused since
        the sheet is not as read, Unanswered when its outcome is unknown or people were at work in
        the cells that it changed; batches before it stand.
        Raises SheetError or ServiceError when the sheet cannot take the plan at all, RowsRefused
        when it may be for some rows' sake. What exceeds a limit of the destination as a whole is
        known before the first batch: then nothing is written.
        """
        ...

    def remove(self, shape: Shape, content: Content, rows: Sequence[RowId]) -> tuple[RowId, ...]:
        """Delete those of these rows in which nothing stands by now: no value, formula or note, in any
        column. Returns them. Where rows cannot be deleted they stay, blank. After Unanswered, calling it
        again with what was read anew tells what was deleted. Raises as `apply` does.
        """
        ...

    def backup(self, shape: Shape, path: Path) -> None:
        """Write values and formulas of the worksheet to a new .xlsx file at `path`; a workbook is copied
        as it is. An empty file may stand there already.

        Requests for it do not count in `requests`. Raises as `read` does, and OSError when `path`
        cannot be written; what stands there then is of no use.
        """
        ...

    def backup_name(self, shape: Shape) -> str:
        """The name of this table's backups but for the date: `runs-1a2b3c4d.xlsx`. It stays the same,
        and no table of another spreadsheet or workbook has it."""
        ...

    def made(self, shape: Shape) -> datetime | None:
        """The table is not older than this; None if its age is not known."""
        ...

    def probe(self) -> Iterator[str]:
        """Try on the real thing the rules that `apply` rests on; yield each that holds, in words.

        Leaves nothing behind and writes no cell. Raises ServiceError when a rule does not hold.
        """
        ...

    def close(self) -> None:
        """Release what the destination holds. No method is called afterwards."""
        ...
