"""P5: whatever JSON can express becomes a cell that every destination can hold."""

import math
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from typing import Any
from unittest.mock import patch

from hypothesis import example, given, settings
from hypothesis import strategies as st

from runsheet import cells, fields
from runsheet.columns import Choice, Header, Seen
from runsheet.fields import PATH_CHARS, Values
from runsheet.model import Cell, Content, Limits, Shape
from runsheet.plan import Planner
from runsheet.rules import Candidate, Rules
from tests.support.builders import run, scope

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
ODD_KEYS = KEYS | st.sampled_from(["x" * 300, "x" * 299 + "y", 1, True, 1.0, "1", "True", None, "None"])
TABLES = st.dictionaries(ODD_KEYS, SCALARS | st.dictionaries(ODD_KEYS, JSON, max_size=3), max_size=4)
SHOWN = st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=80) | st.text().map(cells.Mark)
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


def plain_leaves(prefix: str, mapping: dict[Any, Any], found: Values) -> None:
    """What `fields.values` finds under a mapping, made slowly: nothing is remembered of earlier runs."""
    below = []
    for key, value in mapping.items():
        path = prefix + cells.text(str(key))
        if isinstance(value, dict) and "_type" not in value:
            below.append((path + ".", value))
        elif cells.clean(value) not in (None, ""):
            if len(path) > PATH_CHARS:
                path = f"{path[: PATH_CHARS - 9]}~{sha256(path.encode()).hexdigest()[:8]}"
            names = [path, *(f"{path}~{count}" for count in range(2, len(found) + 3))]
            found[next(name for name in names if name not in found)] = cells.clean(value)
    for inner, value in below:
        plain_leaves(inner, value, found)


@NORMAL
@given(st.lists(st.tuples(TABLES, TABLES), max_size=3), st.sampled_from([1, 3, 1_000]))
@example([({"1": 1, 1: 2}, {}), ({True: 3, "1": 4}, {}), ({1.0: 5}, {})], 1_000)
@example([(dict.fromkeys("abcde", 1), {}), ({"a\x00": 1, "a": 2}, {})], 3)
def test_what_is_remembered_of_earlier_runs_changes_nothing(
    runs: list[tuple[dict[Any, Any], dict[Any, Any]]], keys: int
) -> None:
    """Paths and cells of a run, and their order, are the same after any other runs."""
    with patch.object(fields, "KEYS", keys):
        for config, summary in runs:
            expected: Values = {}
            plain_leaves("config.", config, expected)
            plain_leaves("summary.", summary, expected)
            found = fields.values(run(1, config=config, summary=summary), {})
            leaves = [item for item in found.items() if item[0].startswith(("config.", "summary."))]
            assert repr(leaves) == repr([*expected.items()])  # 1 is not True here


@NORMAL
@given(st.lists(st.dictionaries(st.sampled_from("abcdef"), SHOWN)))
def test_values_and_marks_are_counted_apart(runs: list[Values]) -> None:
    """In how many runs each path has a value, and in how many a mark, in order of appearance."""
    seen, filled, marks = Seen(), Counter[str](), Counter[str]()
    for values in runs:
        before = dict(values)
        seen.add(values)
        assert values == before
        for path, cell in values.items():
            (marks if isinstance(cell, cells.Mark) else filled)[path] += 1
    assert [*seen.filled.items()] == [*filled.items()]
    assert [*seen.marks.items()] == [*marks.items()]


def plain_row(values: Sequence[Cell], limits: Limits) -> list[Cell]:
    """The cells of a row, each cut to what a cell holds, and to half of it until the row fits."""
    limit = limits.cell_chars
    while True:
        row = [cells.fit(cell, limit) for cell in values]
        if limit <= 100 or sum(len(str(c).encode()) for c in row if isinstance(c, str)) <= limits.row_bytes:
            return row
        limit //= 2


@NORMAL
@given(
    st.lists(
        SHOWN | st.integers(0, 500).map("é".__mul__) | st.integers(0, 300).map("🚀".__mul__), max_size=9
    ),
    st.integers(1, 800),
    st.integers(1, 3_000),
)
@example(["x" * 60, "x" * 60], 100, 1_000)
@example(["🚀" * 26], 51, 1_000)
@example(["é" * 150, "é" * 150], 800, 599)
def test_a_row_has_what_fits(texts: list[Cell], cell_chars: int, row_bytes: int) -> None:
    """Texts are cut as far as the limits of cell and row ask for, and not before."""
    limits = Limits(cell_chars=cell_chars, row_bytes=row_bytes)
    values: Values = {"run_id": "x"} | {
        f"config.{n}": cell for n, cell in enumerate(texts) if cell is not None
    }
    seen = Seen()
    seen.add(dict.fromkeys(values, 1))
    item = Candidate(scope(), "x", values)
    choice = Choice((Header("run_id"), Header("0", "a key that is no path")))
    planner = Planner(Shape(False, True), Content(), [item], Rules(choice), seen, limits=limits)
    plan = planner.decide().plan
    (row,) = plan.rows
    shown = [column.path for column in plan.columns]
    assert {*values} <= {*shown}
    assert [*row.cells] == plain_row([values.get(path) for path in shown], limits)


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
