"""Cells and bodies as JSON text: what a JSON encoder would make of them, at a fraction of the price."""

import json
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runsheet.destinations.gsheet import encoding
from runsheet.destinations.gsheet.encoding import Cells, Fragment
from runsheet.model import Cell


class Grade(IntEnum):
    GOOD = 5


class Share(float):
    def __repr__(self) -> str:
        return f"{float(self):.0%}"


class Name(str):
    def __str__(self) -> str:
        return "another"


WHEN = datetime(2024, 11, 20, 14, 30, 15, tzinfo=UTC)

CELLS: dict[str, tuple[Cell, Any]] = {
    "text": (
        'two\nlines, "quoted" \\ 모델 👩‍👧\x7f\x01',
        {"stringValue": 'two\nlines, "quoted" \\ 모델 👩‍👧\x7f\x01'},
    ),
    "no formula": ("=1+1", {"stringValue": "=1+1"}),
    "float": (1e-07, {"numberValue": 1e-07}),
    "large": (1.7976931348623157e308, {"numberValue": 1.7976931348623157e308}),
    "int": (2**53, {"numberValue": 2**53}),
    "true": (True, {"boolValue": True}),
    "false": (False, {"boolValue": False}),
    "date": (WHEN, {"numberValue": 45616.604340277780}),
    "enumeration": (Grade.GOOD, {"numberValue": 5}),
    "float with a repr": (Share(0.5), {"numberValue": 0.5}),
}


@pytest.mark.parametrize(("cell", "value"), CELLS.values(), ids=CELLS)
def test_a_cell(cell: Cell, value: Any) -> None:
    row = json.loads(Cells(UTC).row([cell], [0]))
    assert row == {"values": [{"userEnteredValue": value}]}
    ((kind, found),) = row["values"][0]["userEnteredValue"].items()
    assert type(found) is type(value[kind])


def test_nothing_is_an_empty_cell() -> None:
    assert json.loads(Cells(UTC).row([None, 1, None], [2, 0])) == {"values": [{}, {}]}


def test_a_text_of_another_type() -> None:
    """Written as it says it is."""
    assert b'"another"' in Cells(UTC).row([Name("one")], [0])


def test_dates_are_on_the_clock_of_the_zone() -> None:
    seoul = encoding.serial(WHEN, ZoneInfo("Asia/Seoul"))
    assert seoul - encoding.serial(WHEN, UTC) == pytest.approx(9 / 24)
    assert repr(seoul).encode() in Cells(ZoneInfo("Asia/Seoul")).row([WHEN], [0])


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"]))
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.booleans()
    )
)
def test_any_cell_comes_back(cells: list[Any]) -> None:
    found = json.loads(Cells(UTC).row(cells, range(len(cells))))["values"]
    values = [value for cell in found for value in cell["userEnteredValue"].values()]
    assert values == cells
    assert list(map(type, values)) == list(map(type, cells))


def test_a_body_is_what_it_is_made_of() -> None:
    plain = {"deleteSheet": {"sheetId": 5, "title": "모델"}}
    rows = encoding.rows({"sheetId": 1, "rowIndex": 2}, [Cells(UTC).row([1, "a"], [0, 1])] * 2)
    data = encoding.body([plain, rows], ["'runs'!1:1"])
    values = [{"userEnteredValue": {"numberValue": 1}}, {"userEnteredValue": {"stringValue": "a"}}]
    update = {
        "fields": "userEnteredValue",
        "start": {"sheetId": 1, "rowIndex": 2},
        "rows": [{"values": values}, {"values": values}],
    }
    assert json.loads(data) == {
        "requests": [plain, {"updateCells": update}],
        "includeSpreadsheetInResponse": True,
        "responseIncludeGridData": True,
        "responseRanges": ["'runs'!1:1"],
    }
    assert "모델".encode() in data
    assert b": " not in data


def test_the_size_of_requests_is_known() -> None:
    requests = [{"deleteSheet": {"sheetId": 5}}, Fragment(b'{"x":1}')]
    assert len(encoding.body(requests)) == encoding.size(requests) + len(encoding.body([])) - 1
