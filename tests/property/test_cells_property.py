"""P5: whatever JSON can express becomes a cell that every destination can hold."""

import math
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from runsheet import cells, fields
from tests.support.builders import run

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.text(st.characters(codec=None))
    | st.sampled_from(["NaN", "Infinity", "-Infinity", "\ud83d\ude00", "\ud800", "=1+1", "\r\n", "\ufffe"])
)
KEYS = st.text(st.characters(codec=None), max_size=5) | st.sampled_from(["", "a.b", "a", "b", "_type"])
JSON: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
NORMAL = settings(max_examples=200, derandomize=True, deadline=None)


def check(cell: Any) -> None:
    """None, a bool, a finite number that a double holds, or a text that XML and UTF-8 take."""
    if cell is None or isinstance(cell, bool):
        return
    assert isinstance(cell, (str, int, float))
    if isinstance(cell, str):
        cell.encode()
        bad = [
            c for c in cell if (c < " " and c not in "\t\n") or "\x7f" <= c <= "\x9f" or c in "\ufffe\uffff"
        ]
        assert not bad
    elif isinstance(cell, int):
        assert int(float(cell)) == cell
        assert abs(cell) <= 2**53
    else:
        assert math.isfinite(cell)


@NORMAL
@given(JSON)
@example({"_type": {"_type": []}})
@example([[float("nan"), 2**60, "\ud800"]])
@example(2**53 + 1)
def test_any_value_becomes_a_cell(value: Any) -> None:
    """Nothing is raised, and the cell is one that can be written."""
    check(cells.clean(value))


@NORMAL
@given(st.dictionaries(KEYS, JSON, max_size=5), st.dictionaries(KEYS, JSON, max_size=5))
def test_any_run_becomes_values(config: dict[str, Any], summary: dict[str, Any]) -> None:
    """All paths and cells of a run can be written; none is empty, and none is lost to another."""

    def leaves(value: dict[str, Any]) -> int:
        return sum(
            leaves(item)
            if isinstance(item, dict) and "_type" not in item
            else cells.clean(item) not in (None, "")
            for item in value.values()
        )

    found = fields.values(run(1, config=config, summary=summary), {})
    for path, cell in found.items():
        check(path)
        if path.startswith(("config.", "summary.")):
            check(cell)
            assert cell not in (None, "")
    assert sum(path.startswith(("config.", "summary.")) for path in found) == leaves(config) + leaves(summary)


@NORMAL
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300), st.integers(0, 200))
@example("🚀" * 100, 51)
def test_fit_keeps_the_limit(text: str, limit: int) -> None:
    """Never longer than the limit in UTF-16 units; what fits is unchanged; what is kept is a beginning."""
    fitted = str(cells.fit(text, limit))
    size = len(text.encode("utf-16-le")) // 2
    assert len(fitted.encode("utf-16-le")) // 2 <= limit or size <= limit
    if size <= limit:
        assert fitted == text
    elif limit >= 40:
        head, mark, _ = fitted.rpartition("… [cut: ")
        assert mark
        assert text.startswith(head)


@NORMAL
@given(st.text(st.characters(codec=None)))
def test_cleaning_twice_changes_nothing(value: str) -> None:
    """A text that stands in a sheet is the text that would be written."""
    once = cells.text(value)
    assert cells.text(once) == once
