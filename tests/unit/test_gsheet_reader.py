"""Answers of the Sheets API are read as they may come."""

from typing import Any

import pytest

from runsheet.destinations.gsheet import reader

RANGES = {
    "columns": ({"majorDimension": "COLUMNS", "values": [["run_id", "a", "b"]]}, [["run_id", "a", "b"]]),
    "rows": (
        {"majorDimension": "ROWS", "values": [["run_id"], ["a"], [], ["b"]]},
        [["run_id", "a", "", "b"]],
    ),
    "numbers": ({"values": [["id", 12345678.0, 7, 0.5, True]]}, [["id", "12345678", "7", "0.5", "True"]]),
    "blank": ({}, []),
}


@pytest.mark.parametrize(("span", "columns"), RANGES.values(), ids=RANGES)
def test_texts(span: dict[str, Any], columns: list[list[str]]) -> None:
    """Values are taken as they stand in the cell: an id of digits that became a number is its digits."""
    assert reader.texts({"valueRange": span}) == columns


AREAS = {
    "_runsheet!A1:A20": True,
    "'_runsheet'!A:A": True,
    "_runsheet!A1": True,
    "_runsheet!$A$1:$A$2": True,
    "_runsheet!B1:B20": False,
    "_runsheet!AA1:AA20": False,
}


@pytest.mark.parametrize(("area", "first"), AREAS.items())
def test_column_a(area: str, first: bool) -> None:
    """The book-keeping is appended in column A, so it has to be read there."""
    assert reader.begins_at_column_a({"valueRange": {"range": area}}) is first


def test_row_ids_skip_the_header_and_blanks() -> None:
    """Rows count from 0, the header; ids are shown without the blanks around them."""
    columns = {"run_id": ["run_id", " a ", "", "b"], "project": ["project", "p"], "lr": ["lr", "", "", "1"]}
    rows = list(reader.row_ids(columns, filled=True))
    assert [(row.run_id, row.project, row.index, row.filled) for row in rows] == [
        ("a", "p", 1, True),
        ("b", "", 3, True),
    ]
