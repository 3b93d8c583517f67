"""The values that the parts of runsheet hand to each other. Frozen; no I/O, no behaviour.

A *run* comes from a source; a *shape* and its *content* are read from a destination; a *plan*
is made of them and applied. A cell is a bare Python scalar: an object per cell would cost three
times the parsing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Cell = str | int | float | bool | datetime | None
"""What one cell holds. None is an empty cell; a datetime is aware (UTC)."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """What a cell holds that no run ever writes, so a person made it: a formula, rich text.

    `text` is the formula with its "=", or a text that stands for what it is.
    """

    text: str


Stored = str | int | float | bool | Foreign | None
"""What a cell of a sheet holds, as the destination tells it: a date is a number there."""

SETTLED_STATES = frozenset({"finished", "failed", "killed"})
"""States that will not change any more by themselves (W&B's names)."""


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """Where runs live: the first three parts of a run's identity.

    `source` is "wandb", "folders", ...; `host` the server as "api.wandb.ai", empty for files;
    `project` is "entity/project", or "project" where a source knows no entity.
    """

    source: str
    host: str
    project: str


@dataclass(frozen=True, slots=True)
class Run:
    """One run as a source knows it. Times are aware (UTC), `runtime` is in seconds.

    `config` and `summary` are the run's own values, nested, without W&B's `_wandb` entry, and
    not yet cleaned. `user` is None when the account is gone. `machine` is the host name of the
    training machine; sources fill it only when asked, since it is personal. `timed`: `runtime` is by the
    run's own clock, which stops while a run that is resumed later rests; else it is the time from its
    start to its last sign of life. `gpus`: how many GPUs the machines of the run had, by its own metadata;
    sources fill it only when asked, and where they know.
    """

    scope: Scope
    id: str
    name: str = ""
    state: str = "finished"
    created: datetime | None = None
    heartbeat: datetime | None = None
    runtime: float | None = None
    user: str | None = None
    tags: tuple[str, ...] = ()
    group: str = ""
    job_type: str = ""
    sweep: str = ""
    notes: str = ""
    url: str = ""
    machine: str = ""
    timed: bool = False
    gpus: int | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    summary: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sample:
    """A row that a run logged. `time` is in seconds since 1970, None where nothing tells it. `values` by key,
    as they were logged: a number may be NaN, or the text "NaN"."""

    time: float | None
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Skip:
    """Something a source left out, and why. `what` names a run or a folder.

    `count`: how many runs it stands for; 0 for a remark on a run that was not left out. `gap`: the
    listing itself is incomplete, so that nobody knows which runs are meant.
    """

    what: str
    reason: str
    count: int = 1
    gap: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A column that runsheet writes.

    `key` is its identity and never changes: a header key as the user spelled it (`lr`), or a
    qualified key (`config.lr`). `path` is where its values come from (see fields.py), "" while no
    run has the key. `title` is the header text at creation. `date`: its cells are dates.
    """

    key: str
    title: str
    path: str
    date: bool = False


@dataclass(frozen=True, slots=True)
class Owned:
    """A column of ours as it stands in the sheet: `index` counts from 0 at the left edge.

    `title` is what the header shows now, which a person may have changed.
    """

    key: str
    index: int
    title: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What a destination can hold: characters in a cell, rows and columns of a worksheet, bytes of
    text in a row, and characters in the keys of all columns together."""

    cell_chars: int = 50_000
    rows: int = 1_000_000
    columns: int = 16_384
    row_bytes: int = 1_500_000
    key_chars: int = 1_000_000


@dataclass(frozen=True, slots=True)
class Shape:
    """What the first read of a tick tells about the worksheet.

    `exists`: the worksheet is there. `header`: texts of row 1 by index, "" where blank, trailing
    blanks left out. `owned`: columns that carry our mark. `empty`: nothing at all is in the
    worksheet, or it does not exist. `token` is the destination's own memory of what it read,
    which `content` and `apply` need and nobody else looks into. `made`: fingerprints (columns.py)
    of the keys of all columns ever made here, as far as the destination knows without its
    book-keeping; none in a worksheet that is empty. `hollow`: the worksheet has been ours and holds
    something, but nothing in any column of ours, header included, or those are all gone. `moved`: columns
    of ours stand elsewhere than their marks, which have to follow. `watermarks`: how far each project
    was listed when the table was last written (watermark.py), as texts. `touched`: rows came or went since
    then, as far as a first look tells.
    """

    exists: bool
    empty: bool
    header: tuple[str, ...] = ()
    owned: tuple[Owned, ...] = ()
    token: Any = None
    made: frozenset[str] = frozenset()
    hollow: bool = False
    moved: bool = False
    watermarks: tuple[str, ...] = ()
    touched: bool = False


@dataclass(frozen=True, slots=True)
class RowId:
    """A row with text in the run_id column: the ids as shown, and its place (0 = header row).

    `project` is "" where the sheet has no project column or its cell is blank. `filled`: another
    cell of ours in that row holds something. It is only looked up where it decides (when a sheet
    is adopted, or the book-keeping is missing) and True otherwise.
    """

    run_id: str
    project: str
    index: int
    filled: bool = True


@dataclass(frozen=True, slots=True)
class Content:
    """What the second read tells: rows with an id, top to bottom, and the book-keeping.

    `notes` are the text rows of the book-keeping tab (see ledger.py); None when that tab is
    missing although the sheet has been written before. `blank`: the rows in which columns of ours
    hold something whose header is blank, by key, where the destination can be overtaken (base.py).
    """

    rows: tuple[RowId, ...] = ()
    notes: tuple[tuple[str, ...], ...] | None = ()
    blank: Mapping[str, frozenset[int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cells:
    """What rows of the sheet hold: by row index, for each column of ours by its key.

    `images` are cells as the last batch that changed any found them, see journal.Batch: one mapping
    of column index to value for each row that it changed, in its order. None when nothing is known.
    """

    rows: Mapping[int, Mapping[str, Stored]] = field(default_factory=dict)
    images: tuple[Mapping[int, Stored], ...] | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One row to append: the run's identity, and a cell for each column of the plan, in order.

    `live`: its cells will follow the run. `end`: how the run stood when it settled (live.stamp), ""
    where rows are never looked at again.
    """

    scope: Scope
    run_id: str
    cells: tuple[Cell, ...]
    live: bool = False
    end: str = ""


@dataclass(frozen=True, slots=True)
class Edit:
    """A cell to change: the key of its column, what it held when it was read, what it shall hold.

    `back`: it gets back what stood there earlier, and nothing new of a run; `image` is then the place
    in `Cells.images` of the row that it comes from, if it does.
    """

    key: str
    before: Stored
    after: Stored
    back: bool = False
    image: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """Cells to change in a row that stands in the sheet.

    `scope` is None for a row that is no run's. `end` as in Row: the run has settled, and follows no
    more.
    """

    row: RowId
    scope: Scope | None
    cells: tuple[Edit, ...]
    end: str = ""


@dataclass(frozen=True, slots=True)
class Placed:
    """An unmarked column of the sheet, at `index`, that becomes ours."""

    column: Column
    index: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The decision of one tick.

    `columns` are all columns that rows fill: first those the sheet has (`owned`, then `adopted`,
    both already in place), then `new` ones, to be made at the right in this order. `rows` may be made
    anew each time they are looked at, since a hundred thousand of them are too many to hold. Each row of
    `rows` has one cell for each of them; they go directly below row `after` (0 = the header).
    `changes` are made in rows that stand. `dropped`: keys of columns that are no longer ours.
    `notes` are book-keeping rows to write with the first batch; the ids of the rows and the journal
    go along with the batch that writes them. `closing` are to be written with the last batch, if there
    is any. `tick` names the tick in the journal, "" for none. `dated`: nobody knows in which time zone the
    dates of the table are, so new ones need a format of their own. `watermarks` replace those of the shape
    with the last batch; None leaves them.
    """

    shape: Shape
    content: Content
    columns: tuple[Column, ...] = ()
    owned: tuple[Owned, ...] = ()
    adopted: tuple[Placed, ...] = ()
    new: tuple[Column, ...] = ()
    rows: Sequence[Row] = ()
    after: int = 0
    changes: tuple[Change, ...] = ()
    dropped: frozenset[str] = frozenset()
    notes: tuple[tuple[str, ...], ...] = ()
    closing: tuple[tuple[str, ...], ...] = ()
    tick: str = ""
    dated: bool = False
    watermarks: tuple[str, ...] | None = None

    @property
    def only_marks(self) -> bool:
        """True when it would write watermarks, which only save time, and nothing else."""
        structure = self.new or self.adopted or self.dropped or self.shape.moved
        written = self.rows or self.changes or self.notes or self.closing
        return self.watermarks is not None and not (structure or written)

    @property
    def nothing(self) -> bool:
        """True when applying the plan would write nothing."""
        structure = self.new or self.adopted or self.dropped or self.shape.moved
        return not (structure or self.rows or self.changes or self.notes or self.watermarks is not None)


@dataclass(frozen=True, slots=True)
class Written:
    """What a batch has written: rows appended, and rows in which cells were changed."""

    rows: int = 0
    changes: int = 0
