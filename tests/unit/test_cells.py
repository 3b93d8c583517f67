"""P5: a value becomes the cell that shows it as it was, or visibly less, and never breaks a tick."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from runsheet import cells
from runsheet.cells import Mark

CLEAN = {
    "none": (None, None),
    "true": (True, True),
    "int": (7, 7),
    "float": (1e-05, 1e-05),
    "nan": (float("nan"), None),
    "minus infinity": (float("-inf"), None),
    "NaN of W&B's JSON": ("NaN", None),
    "-Infinity of W&B's JSON": ("-Infinity", None),
    "nan as a word stays": ("nan", "nan"),
    "greatest exact integer": (2**53, 2**53),
    "integer beyond a double": (2**53 + 1, "9007199254740993"),
    "negative integer beyond a double": (-(2**53) - 1, "-9007199254740993"),
    "integer of 6,000 digits": (16**5000, "0x1" + "0" * 5000),
    "text": ("=1+1", "=1+1"),
    "digits stay text": ("007", "007"),
    "controls go, tab and newline stay": ("a\x00b\tc\nd\x7f\x9f", "ab\tc\nd"),
    "line ends": ("a\r\nb\rc", "a\nb\nc"),
    "every language and emoji": ("학습률 🧑‍🔬 عربى", "학습률 🧑‍🔬 عربى"),
    "lone surrogate": ("a\ud83d!", "a\ufffd!"),
    "forbidden in XML": ("a\ufffe\uffff", "a"),
    "list of scalars": ([1, "two", 3.5, None, True], "1, two, 3.5, , True"),
    "list with NaN": ([1, float("nan"), "NaN", float("inf")], "1, NaN, NaN, Infinity"),
    "list with a great integer": ([2**60], "1152921504606846976"),
    "list with an integer of 6,000 digits": ([16**5000], "0x1" + "0" * 5000),
    "empty list": ([], "[]"),
    "nested list": ([[1, 2], [3]], "[[1, 2], [3]]"),
    "list of mappings": ([{"a": "é"}], '[{"a": "é"}]'),
    "media": ({"_type": "histogram", "values": [1] * 9}, "[histogram]"),
    "table": ({"_type": "table-file", "nrows": 120, "ncols": 4}, "[table-file 120×4]"),
    "images": ({"_type": "images/separated", "count": 8}, "[images/separated 8]"),
    "list of media": ([{"_type": "image-file"}] * 3, "[image-file] × 3"),
    "odd media": ({"_type": None}, "[None]"),
    "not JSON": ({1}, "{1}"),
    "key that JSON lacks": ([{(1, 2): 3}], "[nested value]"),
}


@pytest.mark.parametrize(("value", "cell"), CLEAN.values(), ids=CLEAN)
def test_clean(value: Any, cell: Any) -> None:
    """Each kind of value has one cell, of the same type where a cell can hold it."""
    got = cells.clean(value)
    assert (got, isinstance(got, bool)) == (cell, isinstance(cell, bool))


def test_lists_nested_thousands_of_levels_do_not_end_the_tick() -> None:
    """What cannot be shown becomes a mark; nothing is raised."""
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    assert cells.clean(value) == "[nested value]"
    while value:  # taken apart here, level by level: freeing it at once is deep as well
        value = value.pop()


@pytest.mark.parametrize("value", [{"_type": "t"}, [{"_type": "t"}]])
def test_media_are_marks(value: Any) -> None:
    """A mark is told from a text, so that media never make a column of their own."""
    assert isinstance(cells.clean(value), Mark)
    assert not isinstance(cells.clean("[histogram]"), Mark)


def test_four_megabytes_of_media_are_a_short_mark() -> None:
    """A histogram of 4 MB is some characters in the sheet."""
    assert len(str(cells.clean({"_type": "x" * 4_000_000, "bins": [0.5] * 100_000}))) < 100


def test_a_date_in_a_config_is_text() -> None:
    """W&B's JSON has no dates; what a YAML file makes one of was a text, and only date columns
    have a date's format."""
    seoul = datetime(2024, 11, 20, 9, tzinfo=timezone(timedelta(hours=9)))
    assert cells.clean(datetime(2024, 11, 20)) == "2024-11-20 00:00:00"
    assert cells.clean(seoul) == "2024-11-20 09:00:00+09:00"


@pytest.mark.parametrize(
    ("seconds", "date"),
    [
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (1732113015.9, datetime(2024, 11, 20, 14, 30, 15, tzinfo=UTC)),
        (True, None),
        ("1732113015", None),
        (None, None),
        (float("nan"), None),
        (float("inf"), None),
        (10**400, None),
        (1e18, None),
    ],
    ids=str,
)
def test_stamp(seconds: object, date: datetime | None) -> None:
    """Unix seconds are a date to the second, anything else is none."""
    assert cells.stamp(seconds) == date


def units(text: object) -> int:
    return len(str(text).encode("utf-16-le")) // 2


@pytest.mark.parametrize("limit", [0, 1, 5, 30, 31, 50_000])
@pytest.mark.parametrize("character", ["x", "한", "🚀"])
def test_fit_never_exceeds_the_limit(character: str, limit: int) -> None:
    """A text beyond the limit, in UTF-16 units, ends with a visible mark and splits no character."""
    text = character * (limit + 1)
    cut = str(cells.fit(text, limit))
    assert units(cut) <= limit
    assert "\ufffd" not in cut
    if limit >= 40:
        assert cut.endswith(cells.CUT.format(total=len(text)))
        assert units(cut) >= limit - 1


@pytest.mark.parametrize("cell", ["x" * 30, "🚀" * 15, 1.5, None, True, datetime(2024, 1, 1, tzinfo=UTC)])
def test_fit_leaves_what_fits(cell: Any) -> None:
    """A cell within the limit comes back as it is."""
    assert cells.fit(cell, 30) is cell


def test_json_of_w_and_b_round_trips_into_cells() -> None:
    """What W&B's JSON holds, bare NaN tokens included, is a finite number, a text or empty."""
    value = json.loads('{"a": NaN, "b": -Infinity, "c": 12345678901234567890, "d": "\\ud83d"}')
    assert [cells.clean(item) for item in value.values()] == [None, None, "12345678901234567890", "\ufffd"]
