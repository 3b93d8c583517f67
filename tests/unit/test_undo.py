"""People are told what a tick wrote, and what was taken back of it, in a few lines."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from runsheet import journal, ledger
from runsheet.destinations.memory import MemoryDestination, MemorySheet
from runsheet.journal import Batch, Cell, Touched
from runsheet.model import Cells, Content, Foreign, RowId, Shape
from runsheet.stored import Digest
from runsheet.undo import Entry, Undone, undo
from tests.support.builders import NOW, FakeClock, scope

ENTRIES: dict[str, tuple[dict[str, Any], str]] = {
    "rows": ({"rows": 1_000}, "1,000 rows added"),
    "one of each": (
        {"rows": 1, "columns": 1, "cells": 1, "changed_rows": 1},
        "1 row added · 1 column made · 1 cell changed in 1 row",
    ),
    "cells": ({"cells": 7, "changed_rows": 2}, "7 cells changed in 2 rows"),
    "undone": ({"columns": 2, "undone": True}, "2 columns made (undone)"),
    "undid another": ({"cells": 3, "changed_rows": 1, "undoes": "t0"}, "3 cells changed in 1 row (undid t0)"),
    "found nothing": ({"undoes": "t0"}, "nothing was left to take back (undid t0)"),
}


@pytest.mark.parametrize(("changes", "text"), ENTRIES.values(), ids=ENTRIES)
def test_line(changes: dict[str, Any], text: str) -> None:
    """A tick is one line of the history: what it wrote, and whether it counts still."""
    counts = {"rows": 0, "columns": 0, "cells": 0, "changed_rows": 0}
    assert Entry("t1", NOW, **(counts | changes)).line() == f"t1  {text}"


OUTCOMES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "cells": ({"emptied": 7}, ["t1: 7 cells taken back"]),
    "rows": (
        {"emptied": 4, "removed": ["x", "y"]},
        [
            "t1: 4 cells taken back · 2 rows removed",
            "removed: x, y",
            "these runs stay out until: runsheet forget RUN_ID…",
        ],
    ),
    "people were there": (
        {"emptied": 1, "standing": ["x"], "kept": {"x": ["loss", "note"], "y": ["loss"]}, "columns": ["lr"]},
        [
            "t1: 1 cell taken back",
            "rows that stay: x",
            "kept as people left them: x: loss, note",
            "kept as people left them: y: loss",
            "columns that stay: lr",
            "these runs stay out until: runsheet forget RUN_ID…",
        ],
    ),
}


@pytest.mark.parametrize(("outcome", "lines"), OUTCOMES.values(), ids=OUTCOMES)
def test_lines(outcome: dict[str, Any], lines: list[str]) -> None:
    """What is gone, what stays and why, and the way back."""
    assert Undone("t1", **outcome).lines() == lines


def changed(loss: Any, *cells: Cell) -> MemorySheet:
    """A live row x that shows this loss, after ticks that changed it."""
    notes = [*ledger.added([(scope(), "x", "")]), *ledger.live([(scope(), "x", {"run_id": "x", "loss": 0})])]
    for number, cell in enumerate(cells):
        row = Touched(scope(), "x", "", 1, {"loss": cell})
        name = journal.name(NOW - timedelta(hours=9 - number), "abcd")
        notes += journal.cells_changed(name, Batch("1:a", {"run_id": 0, "loss": 1}, (row,)))
    return MemorySheet([["run_id", "loss"], ["x", loss]], ["run_id", "loss"], notes)


CHANGED: dict[str, tuple[Any, tuple[Cell, ...], Any, dict[str, list[str]]]] = {
    # what the cell shows, how ticks changed it, what it shows when the last one was undone, what is kept
    "as written": (2, (Cell(1, 2),), 1, {}),
    "filled before": (2, (Cell(None, 2),), None, {}),
    "a formula came back": (2, (Cell(Foreign("=1"), 2),), "=1", {}),
    "an edit since": ("mine", (Cell(1, 2),), "mine", {"x": ["loss"]}),
    "edited to what it was": (1, (Cell(1, 2),), 1, {}),
    "a long text, of which the digest is left": (2, (Cell(Digest("abc"), 2),), 2, {"x": ["loss"]}),
    "put back by the tick": (2, (Cell(1, 2, back=True),), 2, {}),
    "changed twice": (3, (Cell(1, 2), Cell(2, 3)), 2, {}),
}


@pytest.mark.parametrize(("shown", "ticks", "after", "kept"), CHANGED.values(), ids=CHANGED)
def test_cells_that_a_tick_changed(
    shown: Any, ticks: tuple[Cell, ...], after: Any, kept: dict[str, list[str]]
) -> None:
    """P2: they get back what they held, unless somebody was there since or that is not known any more."""
    sheet = changed(shown, *ticks)
    outcome = undo(MemoryDestination(sheet), FakeClock())
    assert (sheet.rows[1], outcome.kept) == (["x", after], kept)


class Imaged(MemoryDestination):
    """Tells what the last batch met: the loss of x was a person's by then."""

    def cells(self, shape: Shape, content: Content, rows: Sequence[RowId]) -> Cells:
        return replace(super().cells(shape, content, rows), images=({0: "x", 1: "mine"},))


def test_an_edit_that_was_not_put_back_yet_survives_undo() -> None:
    """P2: a tick that changed a cell in the second a person did, and was stopped then, is undone."""
    sheet = changed(2, Cell(1, 2))
    undo(Imaged(sheet), FakeClock())
    assert sheet.rows[1] == ["x", "mine"]
