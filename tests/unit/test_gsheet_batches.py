"""Batches of a plan: filled to the limit, in order, from rows that are looked at once."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC
from typing import Any

import pytest

from runsheet import ledger
from runsheet.destinations.gsheet.batches import Batch, batches
from runsheet.destinations.gsheet.marks import KEY_WATERMARKS, NOTES_TAB
from runsheet.destinations.gsheet.notes import parse_note
from runsheet.destinations.gsheet.standing import Standing
from runsheet.destinations.gsheet.writer import Look
from runsheet.model import Column, Content, Plan, Row, Scope, Shape
from runsheet.stored import as_is

LIMIT = 2_000_000
SCOPE = Scope("wandb", "api.wandb.ai", "team/proj")
COLUMNS = tuple(Column(f"config.key{n}", f"key{n}", f"config.key{n}") for n in range(20))
TICK = "20261121T093015Z-0a1b"


class Stream(Sequence[Row]):
    """Rows that are made as they are looked at, in order and once; `handed` counts them."""

    def __init__(self, count: int, text: str, live: bool = False) -> None:
        self._count, self._text, self._live = count, text, live
        self.handed = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Row]:
        assert not self.handed, "looked at twice"
        for number in range(1, self._count + 1):
            self.handed = number
            yield Row(SCOPE, f"r{number}", (self._text,) * 10 + (0.1,) * 10, self._live, "12-abcdef")

    def __getitem__(self, index: Any) -> Any:
        raise AssertionError("rows are not looked up")


def plan(rows: Sequence[Row], **more: Any) -> Plan:
    return Plan(Shape(False, True), Content(), columns=COLUMNS, new=COLUMNS, rows=rows, tick=TICK, **more)


def made(decided: Plan) -> Iterator[Batch]:
    return batches(decided, Standing("runs", table="runs"), Look("runs", UTC, "UTC"), 26, as_is)


def written(part: Batch) -> list[Any]:
    """The texts in the first column of rows."""
    cells = [
        request["updateCells"] for request in json.loads(part.body)["requests"] if "updateCells" in request
    ]
    return [row for update in cells if update["start"]["rowIndex"] for row in update["rows"]]


def notes(part: Batch) -> list[tuple[str, ...]]:
    texts = [
        row["values"][0]["userEnteredValue"]["stringValue"]
        for request in json.loads(part.body)["requests"]
        if request.get("appendCells", {}).get("sheetId") == NOTES_TAB
        for row in request["appendCells"]["rows"]
    ]
    return [found[1] for text in texts if (found := parse_note(text))]


@pytest.mark.parametrize("live", [False, True], ids=["settled", "live"])
@pytest.mark.parametrize(
    "text", ["x", "x" * 100, '모델"\\\n' * 20, "y" * 2_000], ids=["short", "long", "odd", "very long"]
)
def test_batches_are_full(text: str, live: bool) -> None:
    """All but the last within one percent of the limit, none above; each row is written and noted once."""
    rows = Stream(int(7e6 / (1_500 + 10 * len(json.dumps(text, ensure_ascii=False).encode()))), text, live)
    sizes, count = [], 0
    for part in made(plan(rows)):
        sizes.append(len(part.body))
        ids = [row.run_id for row in part.rows]
        assert ids == [f"r{n}" for n in range(count + 1, count + 1 + len(ids))]
        assert len(written(part)) == len(ids)
        book = ledger.parse(notes(part))
        assert book.ids[SCOPE] == set(ids)
        assert [row.run_id for tick in book.ticks for row in tick.rows] == ids
        count += len(ids)
    assert count == len(rows)
    assert len(sizes) > 2
    assert max(sizes) <= LIMIT
    assert min(sizes[:-1]) >= 0.99 * LIMIT, sizes


def test_rows_are_not_held() -> None:
    """Those of one batch and one more are looked at before it is handed out."""
    rows = Stream(20_000, "x" * 50)
    parts = made(plan(rows))
    seen = 0
    for part in parts:
        seen += len(part.rows)
        assert rows.handed <= seen + 1 + 0.01 * len(part.rows)
    assert seen == 20_000


def test_what_closes_a_plan_is_in_the_last_batch() -> None:
    decided = plan(
        Stream(6_000, "x" * 50), closing=(ledger.DONE,), watermarks=("noon",), notes=(("later", "a", "b"),)
    )
    parts = list(made(decided))
    assert [ledger.DONE in notes(part) for part in parts] == [part.last for part in parts]
    assert [KEY_WATERMARKS.encode() in part.body for part in parts] == [part.last for part in parts]
    assert [("later", "a", "b") in notes(part) for part in parts] == [True] + [False] * (len(parts) - 1)
    assert [part.last for part in parts] == [False] * (len(parts) - 1) + [True]
    assert len(parts) > 1


@pytest.mark.parametrize("size", [100_000, 1_990_000])
def test_large_notes_leave_rows_to_the_next_batch(size: int) -> None:
    """What opens and closes a plan counts, too."""
    more = tuple(("later", str(n), "x" * 30_000) for n in range(size // 30_000))
    sizes = [len(part.body) for part in made(plan(Stream(4_000, "x" * 50), notes=more, closing=more))]
    assert max(sizes) <= LIMIT + 30_000
    assert sum(sizes) > 2 * size
    assert len(sizes) <= sum(sizes) / LIMIT + 3


def test_a_row_that_is_longer_than_a_batch_is_alone() -> None:
    rows = [Row(SCOPE, f"r{n}", ("x" * 2_100_000 if n == 2 else "x", *(None,) * 19)) for n in range(4)]
    assert [[row.run_id for row in part.rows] for part in made(plan(rows))] == [["r0", "r1"], ["r2"], ["r3"]]


def test_a_plan_without_rows_is_one_batch() -> None:
    (part,) = made(plan([]))
    assert part.last
    assert written(part) == []
