"""Protected ranges are named as people see them."""

from typing import Any

import pytest

from runsheet.destinations.gsheet.protection import locked

GRID = {"rowCount": 100, "columnCount": 26}


def span(*numbers: int | None) -> dict[str, int]:
    """A GridRange: rows from and to, columns from and to; None leaves a bound out."""
    names = ("startRowIndex", "endRowIndex", "startColumnIndex", "endColumnIndex")
    return {name: number for name, number in zip(names, numbers, strict=True) if number is not None}


def sheet(*ranges: dict[str, Any], tab: int = 7, title: str = "runs") -> dict[str, Any]:
    properties = {"sheetId": tab, "title": title, "gridProperties": GRID}
    return {"properties": properties, "protectedRanges": list(ranges)}


@pytest.mark.parametrize(
    ("area", "name"),
    [
        (span(None, None, 3, 4), "the protected range 'runs'!D:D"),
        (span(0, 100, 3, 4), "the protected range 'runs'!D:D"),
        (span(None, None, 0, 2), "the protected range 'runs'!A:B"),
        (span(0, 1, None, None), "the protected range 'runs'!1:1"),
        (span(1, 5, 0, 26), "the protected range 'runs'!2:5"),
        (span(0, 50, 0, 2), "the protected range 'runs'!A1:B50"),
        (span(4, 5, 27, 28), "the protected range 'runs'!AB5"),
        (span(1, None, 1, 3), "the protected range 'runs'!B2:C100"),
        (span(0, 100, 0, 26), "the protected tab 'runs'"),
        ({}, "the protected tab 'runs'"),
    ],
)
def test_a_range_in_words(area: dict[str, int], name: str) -> None:
    assert list(locked([sheet({"range": area})], [7])) == [name]


def test_a_description_and_an_apostrophe() -> None:
    item = {"range": span(None, None, 3, 4), "description": "final numbers"}
    found = list(locked([sheet(item, title="Kim's")], [7]))
    assert found == ["the protected range 'Kim''s'!D:D (\"final numbers\")"]


@pytest.mark.parametrize("mark", ["requestingUserCanEdit", "warningOnly"])
def test_what_we_may_edit_is_not_named(mark: str) -> None:
    assert list(locked([sheet({"range": {}, mark: True})], [7])) == []


def test_other_tabs_are_not_named() -> None:
    assert list(locked([sheet({"range": {}}, tab=8)], [7])) == []
