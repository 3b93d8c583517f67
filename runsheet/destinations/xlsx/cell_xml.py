"""A cell as XML and back: references, dates as serial numbers, text that stays text (P5)."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from runsheet import cells
from runsheet.destinations.a1 import column, letters
from runsheet.destinations.xlsx.markup import Unfit, legal, text
from runsheet.model import Cell, Stored

ROWS = 1_048_576
COLUMNS = 16_384
CELL_CHARS = 32_767

_REF = re.compile(r"\$?([A-Z]{1,3})\$?([1-9][0-9]*)")
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_LIKE_ESCAPED = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")

# Excel believes in a 29 February 1900: serials are a day off before March of that year, and
# nothing of ours is that old.
_EPOCH_1900 = datetime(1899, 12, 30)
_FIRST_1900 = datetime(1900, 3, 1)
_EPOCH_1904 = datetime(1904, 1, 1)


def place(ref: str) -> tuple[int, int]:
    """Row (from 1) and column (from 0) of "C7"."""
    match = _REF.fullmatch(ref)
    if match is None:
        raise Unfit(f"is damaged: {ref!r} is no cell")
    return int(match[2]), column(match[1])


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle: rows from 1, columns from 0, both ends inclusive."""

    top: int
    left: int
    bottom: int
    right: int

    @classmethod
    def parse(cls, ref: str) -> "Area":
        """ "A1:F9", or "A1" for one cell."""
        first, _, last = ref.partition(":")
        (top, left), (bottom, right) = place(first), place(last or first)
        return cls(top, left, bottom, right)

    def __str__(self) -> str:
        first, last = f"{letters(self.left)}{self.top}", f"{letters(self.right)}{self.bottom}"
        return first if first == last else f"{first}:{last}"

    def joined(self, other: "Area") -> "Area":
        """The smallest rectangle that holds both."""
        return Area(
            min(self.top, other.top),
            min(self.left, other.left),
            max(self.bottom, other.bottom),
            max(self.right, other.right),
        )


@dataclass(frozen=True, slots=True)
class Calendar:
    """How a workbook keeps dates: its epoch, and the zone in which ours are shown."""

    zone: tzinfo = UTC
    from_1904: bool = False

    @property
    def format(self) -> str:
        """The number format of a date cell: it names the zone, as a bare serial cannot."""
        if self.zone is UTC or str(self.zone) in ("UTC", "Etc/UTC"):
            return 'yyyy-mm-dd hh:mm:ss" UTC"'
        name = str(self.zone).replace('"', "")
        return f'yyyy-mm-dd hh:mm:ss" {name}"'

    def serial(self, moment: datetime) -> float | None:
        """Days since the epoch in local time; None before what the workbook can count."""
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return self.days(aware.astimezone(self.zone).replace(tzinfo=None))

    def days(self, local: datetime) -> float | None:
        """Days since the epoch of a moment without a zone."""
        epoch, first = (_EPOCH_1904, _EPOCH_1904) if self.from_1904 else (_EPOCH_1900, _FIRST_1900)
        if local < first:
            return None
        # Rounded to the microsecond, which is finer than a double holds at this distance.
        return round((local - epoch) / timedelta(days=1), 11)


def is_date(cell: Cell, calendar: Calendar) -> bool:
    """True when the cell will be written as a serial and so needs a date format."""
    return isinstance(cell, datetime) and calendar.serial(cell) is not None


def stored(cell: Cell, calendar: Calendar) -> Stored:
    """What a workbook holds of a cell that `render` has written."""
    if isinstance(cell, datetime):
        serial = calendar.serial(cell)
        cell = cell.isoformat(" ") if serial is None else serial
    if isinstance(cell, str):
        return unescaped(legal(escaped(str(cells.fit(cell, CELL_CHARS)))))
    return None if isinstance(cell, float) and not math.isfinite(cell) else cell


def render(cell: Cell, ref: str, style: int, prefix: str, calendar: Calendar) -> str:
    """The `<c>` of a value at a place. An empty value gives "": no cell at all."""
    if cell is None or (isinstance(cell, float) and not math.isfinite(cell)):
        return ""
    start = f'<{prefix}c r="{ref}"' + (f' s="{style}"' if style else "")
    if isinstance(cell, bool):
        return f'{start} t="b"><{prefix}v>{int(cell)}</{prefix}v></{prefix}c>'
    if isinstance(cell, datetime):
        serial = calendar.serial(cell)
        cell = cell.isoformat(" ") if serial is None else serial
    if isinstance(cell, (int, float)):
        # repr() is the shortest text that gives the same double again.
        return f"{start}><{prefix}v>{cell!r}</{prefix}v></{prefix}c>"
    body = text(escaped(str(cells.fit(cell, CELL_CHARS))))
    space = ' xml:space="preserve"'
    return f'{start} t="inlineStr"><{prefix}is><{prefix}t{space}>{body}</{prefix}t></{prefix}is></{prefix}c>'


def escaped(value: str) -> str:
    """Text in which Excel would see an escape (`_x0041_` means A) made to mean itself; a carriage
    return, which XML would turn into a newline, as an escape."""
    return _LIKE_ESCAPED.sub("_x005F_", value).replace("\r", "_x000D_")


def unescaped(value: str) -> str:
    """The inverse: text as a person sees it."""
    if "_x" not in value:
        return value
    plain = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), value)
    return plain.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def shown(kind: str, raw: str, shared: Mapping[int, str]) -> str:
    """The text of a cell from its type and its `<v>` or `<t>`; numbers as people type them."""
    if kind == "s":
        return shared.get(int(raw), "") if raw.strip().isdigit() else ""
    if kind == "b":
        return "TRUE" if raw.strip() in ("1", "true") else "FALSE"
    if kind in ("str", "inlineStr"):
        return unescaped(raw)
    if kind in ("e", "d"):
        return raw
    return _number(raw.strip())


def _number(raw: str) -> str:
    try:
        value = float(raw)
    except ValueError:
        return raw
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
