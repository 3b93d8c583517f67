"""The interface of a destination: read its shape, read its content, apply a plan.

Terms: the *worksheet* is the tab that people look at, row 1 is its header; *book-keeping* is a
hidden tab `_runsheet` of text rows (ledger.py says what they mean). A column is *ours* when it
carries a mark with its key; marks follow the column wherever people move it.

What every destination promises, and tests/contract/destination_contract.py checks:

- `apply` writes only into rows and columns that it has just made, into marks and into the
  book-keeping. Nothing of a person is overwritten, cleared or removed.
- Rows go where the plan says (`after`), or below everything where inserting is not possible, in
  the order of the plan; new columns go to the right of everything in use.
- Each batch holds its rows together with the book-keeping of their ids and is applied whole or
  not at all. A batch is refused when the columns moved, or somebody else wrote, since `read`.
- Values arrive typed (P5): text is text even if it begins with "=", numbers are numbers,
  datetimes are dates.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from runsheet.errors import SheetError
from runsheet.model import Content, Limits, Placed, Plan, Row, Shape


class RowsRefused(SheetError):
    """A batch was refused, the sheet had not changed, and the reason is not one we know.

    `rows` are those of the batch, at least one: it may be a single one of them that is not taken.
    """

    def __init__(self, message: str, rows: Sequence[Row]) -> None:
        super().__init__(message)
        self.rows = tuple(rows)


class Destination(Protocol):
    """A table that rows go to."""

    name: str
    """As in `--destination`: "gsheet", "xlsx", ..."""

    limits: Limits

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

    def apply(self, plan: Plan) -> Iterator[int]:
        """Apply a plan in as few batches as the limits allow; yield rows written, batch by batch.

        A plan that writes nothing sends nothing. Raises Changed when a batch was refused since
        the sheet is not as read, or when its outcome is unknown; batches before it stand.
        Raises SheetError or ServiceError when the sheet cannot take the plan at all, RowsRefused
        when it may be for some rows' sake.
        """
        ...

    def probe(self) -> Iterator[str]:
        """Try on the real thing the rules that `apply` rests on; yield each that holds, in words.

        Leaves nothing behind and writes no cell. Raises ServiceError when a rule does not hold.
        """
        ...

    def close(self) -> None:
        """Release what the destination holds. No method is called afterwards."""
        ...
