"""How a spreadsheet stands: what a batch is planned for, and what it leaves."""

from dataclasses import dataclass

from runsheet.destinations.gsheet import marks
from runsheet.destinations.gsheet.marks import Elsewhere, Mark, Watermarks


@dataclass(frozen=True, slots=True)
class Standing:
    """How the spreadsheet stands: as read, or as the batches so far have left it.

    `nonce` is None before our first write. `tab` is the sheet id of our worksheet, None when it
    does not exist yet. `table` names it in the book-keeping; `table_mark` is the mark that it
    carries, if any, `made` the one that remembers columns, and `frozen` the number of its frozen
    rows. `rows` and `columns` are the size of its grid, `marks` our columns left to right, `end` the
    mark on the grid's last column. `used` is the number of columns up to the last one in use.
    `notes` says whether the book-keeping tab is there: "ready", "unmarked" (its mark was lost),
    "moved" (somebody inserted a column before it) or "" (missing). `floor` and `images` are known once
    cells were read: the mark on the last row, and the tabs of images that stand (images.py).
    """

    title: str
    nonce: str | None = None
    tab: int | None = None
    table: str = ""
    table_mark: marks.Table | None = None
    made: marks.Made | None = None
    frozen: int = 0
    rows: int = 0
    columns: int = 0
    used: int = 0
    marks: tuple[Mark, ...] = ()
    end: Mark | None = None
    notes: str = ""
    notes_title: str = "_runsheet"
    repack: tuple[str, ...] = ()
    floor: Mark | None = None
    images: tuple[int, ...] = ()
    watermarks: Watermarks | None = None
    elsewhere: Elsewhere | None = None

    @property
    def is_ours(self) -> bool:
        """Whether the tab is the one that its mark was made on."""
        return self.table_mark is not None and self.table_mark.tab == self.tab

    @property
    def image_tabs(self) -> dict[int, int]:
        """Both tabs of images of this table, each with the id of its mark."""
        return marks.image_tabs(self.table_mark.id) if self.table_mark else {}

    @property
    def floor_id(self) -> int:
        """The id of the mark on the last row: beside that of the tab's mark, so that it can be looked up."""
        return self.table_mark.id + 1 if self.table_mark else 0
