"""The list of deliberate faults holds for the product as it is; `make mutants` shows that each is caught."""

import ast

import pytest

from tests.mutant_list import MUTANTS, Mutant
from tests.mutants import ROOT, changed

AREAS = (
    "plan.py",
    "columns.py",
    "ledger.py",
    "cells.py",
    "sync.py",
    *(f"{name}.py" for name in ("pull", "watermark", "intake", "spool")),
    *(
        f"{name}.py"
        for name in ("merge", "live", "repair", "journal", "safety", "strays", "withdraw", "undo")
    ),
    *(
        f"gsheet/{name}.py"
        for name in ("writer", "batch", "images", "look", "marks", "reader", "notes", "finder", "destination")
    ),
    *(f"reports/{name}.py" for name in ("usage", "gpu_hours", "gpu_hours_tables")),
    *(f"xlsx/{name}.py" for name in ("patch", "rows", "book", "notes", "disk", "lock", "destination")),
)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.file}: {mutant.breaks}")
def test_a_fault_can_be_put_in(mutant: Mutant) -> None:
    """Its text stands once in its file; with the fault the file is another program, and one."""
    new = changed(mutant, ROOT)
    assert ast.dump(ast.parse(new)) != ast.dump(ast.parse((ROOT / mutant.file).read_text(encoding="utf-8")))
    assert all((ROOT / test.partition("::")[0]).is_file() for test in mutant.tests)


@pytest.mark.parametrize("area", AREAS)
def test_each_area_has_its_faults(area: str) -> None:
    assert any(mutant.file.endswith(area) for mutant in MUTANTS)
