"""P2: an edit is told from what we wrote, whatever the value, and also when only its digest is kept."""

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runsheet.model import Foreign, Stored
from runsheet.stored import BLANK, LONG, MARK, Digest, Kept, digest, digested, keep, kept, mark, same

NORMAL = settings(max_examples=200, derandomize=True, deadline=None)
TEXTS = st.text(st.characters(codec=None), max_size=8) | st.sampled_from(
    ["1", "TRUE", "=1", "x" * (LONG + 1)]
)
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
VALUES: st.SearchStrategy[Stored] = (
    st.none() | st.booleans() | NUMBERS | TEXTS | st.builds(Foreign, st.just("=1") | TEXTS)
)

LONG_TEXT = "y" * (LONG + 1)

SAME: dict[str, tuple[Kept, Stored, bool]] = {
    "no value, no text": (None, "", True),
    "no text, no value": ("", None, True),
    "a blank is no text": (None, " ", False),
    "a blank is no 0": (None, 0, False),
    "a blank is no FALSE": ("", False, False),
    "whole number, fraction": (3, 3.0, True),
    "rounded by an office program": (0.1 + 0.2, 0.3, True),
    "the tenth digit": (1.0, 1.0000000001, False),
    "text of digits": ("1", 1, False),
    "number, text of digits": (1.0, "1", False),
    "TRUE is not 1": (True, 1, False),
    "FALSE is not 0.0": (0.0, False, False),
    "TRUE": (True, True, True),
    "TRUE, FALSE": (True, False, False),
    "TRUE is no text": ("TRUE", True, False),
    "case": ("a", "A", False),
    "formula": (Foreign("=A1"), Foreign("=A1"), True),
    "another formula": (Foreign("=A1"), Foreign("=A2"), False),
    "formula, text": ("=A1", Foreign("=A1"), False),
    "long text": (digested(LONG_TEXT), LONG_TEXT, True),
    "another long text": (digested(LONG_TEXT), LONG_TEXT + "z", False),
    "long text, blank": (digested(LONG_TEXT), None, False),
    "long text, formula": (digested(LONG_TEXT), Foreign(LONG_TEXT), False),
}


@pytest.mark.parametrize(("one", "other", "yes"), SAME.values(), ids=SAME)
def test_same(one: Kept, other: Stored, yes: bool) -> None:
    """Two cells hold the same when nobody edited one into the other: kinds count, the last digits do not."""
    assert same(one, other) is yes


@NORMAL
@given(VALUES, VALUES)
def test_same_goes_both_ways(one: Stored, other: Stored) -> None:
    assert same(one, one)
    assert same(one, other) == same(other, one)


@NORMAL
@given(VALUES, VALUES)
def test_what_is_kept_tells_the_same_as_the_value(value: Stored, other: Stored) -> None:
    """The way through the book-keeping changes no verdict, and takes few characters."""
    text = json.dumps(keep(value))
    again = kept(json.loads(text))
    assert same(again, value)
    assert same(again, other) == same(value, other)
    assert keep(again) == keep(value)
    assert len(text) <= 12 * LONG + 20 or isinstance(value, Foreign)


@pytest.mark.parametrize(
    "data", [[1], {}, {"=": 1}, {"?": "x"}, {"=": "a", "#": "b"}, {"#": None}], ids=json.dumps
)
def test_other_json_is_no_value(data: Any) -> None:
    with pytest.raises(ValueError, match="no value of a cell"):
        kept(data)


@NORMAL
@given(VALUES)
def test_a_mark_is_short_and_outlives_the_book_keeping(value: Stored) -> None:
    """The mark of a value is that of what is kept of it; only a blank cell has the blank one."""
    assert len(mark(value)) == MARK
    assert mark(value) == mark(kept(json.loads(json.dumps(keep(value)))))
    assert (mark(value) == BLANK) == same(value, None)


DIFFERENT: list[Stored] = [1, True, "1", Foreign("1"), 0, False, "TRUE", "=1", Foreign("=1"), 1.0000000001]


def test_marks_tell_kinds_apart() -> None:
    """What `same` tells apart has another mark; a fraction and a whole number have one."""
    assert len({mark(value) for value in DIFFERENT}) == len(DIFFERENT)
    assert mark(3) == mark(3.0)
    assert mark("") == mark(None) == BLANK


@pytest.mark.parametrize("number", [0.3, 1 / 3, 2 / 3, 1e-300, 123456.789, 2.0**53, math.pi])
def test_a_number_that_was_rounded_has_its_mark(number: float) -> None:
    """Office programs keep 15 digits when they save."""
    assert mark(float(f"{number:.14e}")) == mark(number)


@NORMAL
@given(NUMBERS)
def test_any_number_that_was_rounded_has_its_mark(number: float) -> None:
    assert mark(float(f"{number:.14e}")) == mark(number)


@pytest.mark.parametrize(
    ("number", "saved"), [(0.1520699669575002, 0.1520699669575), (-0.0, 0.0)], ids=["edge", "minus zero"]
)
def test_the_same_numbers_have_the_same_mark(number: float, saved: float) -> None:
    """What an office program makes of a number counts as the number."""
    assert same(number, saved)
    assert mark(number) == mark(saved)


CELLS = st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)


@NORMAL
@given(CELLS)
def test_a_digest_knows_neither_order_nor_blanks(cells: dict[str, Stored]) -> None:
    """The digest of a row is that of its filled cells, in whatever order they stand."""
    filled = {key: value for key, value in reversed(cells.items()) if not same(value, None)}
    assert digest(cells) == digest(filled | {"blank": None, "empty": ""})
    assert len(digest(cells)) == 6


@NORMAL
@given(CELLS, st.sampled_from("abc"), VALUES)
def test_an_edit_makes_another_digest(cells: dict[str, Stored], key: str, value: Stored) -> None:
    """An edit that changes a cell's mark changes the row's digest."""
    edited = cells | {key: value}
    assert (digest(edited) == digest(cells)) == (mark(value) == mark(cells.get(key)))


def test_a_value_that_no_cell_holds() -> None:
    """The digest of no text is that of a text, so nothing is the same as CHANGED."""
    assert not any(same(Digest(""), value) for value in [None, "", "x", 0, False, Foreign("")])
