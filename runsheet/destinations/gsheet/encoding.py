"""Cells, and the body of a batch, as the JSON text that is sent. Pure.

Rows are by far the most of what is sent. Their text is made at once, without objects in between, and only
once: so it is known how long it is before it is decided which batch it goes into.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from json.encoder import encode_basestring
from typing import Any

from runsheet.model import Cell

_EPOCH = datetime(1899, 12, 30)  # serial numbers count local days

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Fragment:
    """A request as the JSON text that is sent."""

    text: bytes


Request = Json | Fragment


def serial(moment: datetime, zone: tzinfo) -> float:
    """Days since 1899-12-30 on the clock of `zone`: how spreadsheets store a date."""
    return (moment.astimezone(zone).replace(tzinfo=None) - _EPOCH) / timedelta(days=1)


class Cells:
    """Makes the text of cells: text stays text even if it begins with "=", None is an empty cell, dates are
    numbers on the clock of `zone`."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._known: dict[type, Callable[[Any], str]] = {
            float: _number,
            int: _number,
            str: _text,
            bool: _flag,
            type(None): _nothing,
            datetime: self._date,
        }

    def row(self, cells: Sequence[Cell], places: Sequence[int]) -> bytes:
        """The RowData of those of a row's cells that stand at `places`."""
        known = self._known
        texts = [known.get(type(cell), self._other)(cell) for cell in map(cells.__getitem__, places)]
        return f'{{"values":[{",".join(texts)}]}}'.encode()

    def _date(self, cell: datetime) -> str:
        return _number(serial(cell, self._zone))

    def _other(self, cell: Cell) -> str:
        """A cell whose type is derived from a usual one, and may have a repr of its own."""
        if isinstance(cell, int):
            return _number(int(cell))
        if isinstance(cell, float):
            return _number(float(cell))
        return self._date(cell) if isinstance(cell, datetime) else _text(str(cell))


def _number(cell: float) -> str:
    return f'{{"userEnteredValue":{{"numberValue":{cell!r}}}}}'


def _text(cell: str) -> str:
    return f'{{"userEnteredValue":{{"stringValue":{encode_basestring(cell)}}}}}'


def _flag(cell: bool) -> str:
    return f'{{"userEnteredValue":{{"boolValue":{"true" if cell else "false"}}}}}'


def _nothing(_: None) -> str:
    return "{}"


def rows(start: Json, values: Sequence[bytes]) -> Fragment:
    """The updateCells request that writes RowData from a cell on."""
    head = b'{"updateCells":{"fields":"userEnteredValue","start":' + dump(start) + b',"rows":['
    return Fragment(head + b",".join(values) + b"]}}")


def dump(data: Any) -> bytes:
    """JSON without the blanks and escapes that would cost a third of the size."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()


def size(requests: Sequence[Request]) -> int:
    """Bytes that requests take in a body, the commas between them included."""
    return sum(len(_encoded(request)) + 1 for request in requests)


def body(requests: Sequence[Request], show: Sequence[str] = ()) -> bytes:
    """The body of a batch as it is sent. `show`: ranges that the answer shall show as they are afterwards."""
    more: Mapping[str, Any] = {}
    if show:
        more = {
            "includeSpreadsheetInResponse": True,
            "responseIncludeGridData": True,
            "responseRanges": list(show),
        }
    tail = b"," + dump(more)[1:] if more else b"}"
    return b'{"requests":[' + b",".join(map(_encoded, requests)) + b"]" + tail


def _encoded(request: Request) -> bytes:
    return request.text if isinstance(request, Fragment) else dump(request)
