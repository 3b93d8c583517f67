"""P4: a run whose row was deleted stays out until somebody forgets that it was there."""

import pytest

from runsheet import compaction, ledger
from runsheet.destinations.memory import MemoryDestination, MemorySheet
from runsheet.forget import Forgotten, forget
from tests.support.builders import run, tick

RUNS = [run(number) for number in range(4)]


@pytest.fixture
def sheet() -> MemorySheet:
    """Four runs, the rows of two deleted."""
    made = MemorySheet()
    tick(MemoryDestination(made), RUNS)
    del made.rows[2:4]
    return made


def ids(sheet: MemorySheet) -> list[str]:
    return [str(row[0]) for row in sheet.rows[1:]]


def test_a_named_run_comes_back(sheet: MemorySheet) -> None:
    """Only the run that was named, at the next tick, once."""
    assert forget(MemoryDestination(sheet), ["run0001"]) == Forgotten(("run0001",))
    assert tick(MemoryDestination(sheet), RUNS).added_ids == ("run0001",)
    assert tick(MemoryDestination(sheet), RUNS).added == 0
    assert ids(sheet) == ["run0000", "run0003", "run0001"]


def test_all_deleted_runs_come_back(sheet: MemorySheet) -> None:
    """Rows that stand are not doubled."""
    assert forget(MemoryDestination(sheet), None).back == ("run0001", "run0002")
    tick(MemoryDestination(sheet), RUNS)
    assert sorted(ids(sheet)) == [r.id for r in RUNS]


def test_others_are_told(sheet: MemorySheet) -> None:
    """A run whose row stands, and one that never was, change nothing."""
    before = list(sheet.notes or ())
    assert forget(MemoryDestination(sheet), ["run0000", "x"]) == Forgotten((), ("run0000",), ("x",))
    assert sheet.notes == before


def test_it_outlives_packing() -> None:
    """A run that was forgotten and added again is known after the book-keeping was packed."""
    many = [("ids", "wandb h p", f"id{number}") for number in range(compaction.COMPACT_ROWS)]
    notes = [*many, *ledger.forget(["id1", "id2"]), ("ids", "wandb h p", "id1")]
    packed = compaction.compact(notes)
    assert packed
    assert ledger.parse(packed) == ledger.parse(notes)
    (known,) = ledger.parse(packed).ids.values()
    assert "id1" in known
    assert "id2" not in known
