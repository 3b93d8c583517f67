"""What becomes a row, and which columns there are."""

from tests.mutant_list.mutant import UNIT, Mutant

PLAN = (
    Mutant(
        "runsheet/plan.py",
        "if book.knows(candidate.scope, candidate.run_id) or self._shown.claim(candidate):",
        "if self._shown.claim(candidate):",
        "ids are not looked up in the book-keeping: deleted rows return",
        (UNIT + "test_plan.py",),
    ),
    Mutant(
        "runsheet/plan.py",
        "once = {(c.scope, c.run_id): c for c in candidates}",
        "once = {(c.scope, str(n)): c for n, c in enumerate(candidates)}",
        "a run that is listed twice gets two rows",
        (UNIT + "test_plan.py",),
    ),
    Mutant(
        "runsheet/plan.py",
        "after=max((row.index for row in self._rows), default=0),",
        "after=0,",
        "rows go above those that are there",
        (UNIT + "test_plan.py",),
    ),
    Mutant(
        "runsheet/columns.py",
        "self._keys = {column.key for column in present} | set(ever)",
        "self._keys = {column.key for column in present}",
        "fixed columns that were deleted return",
        (UNIT + "test_columns.py",),
    ),
    Mutant(
        "runsheet/columns.py",
        "path = ever.get(item.key) or resolve(item.key, seen)",
        "path = resolve(item.key, seen)",
        "a column shows other values when runs with other keys come",
        (UNIT + "test_columns.py",),
    ),
    Mutant(
        "runsheet/columns.py",
        'for text in header} | {""}',
        'for text in ()} | {""}',
        "a new column has the title of a person's",
        (UNIT + "test_columns.py",),
    ),
    Mutant(
        "runsheet/ledger.py",
        "known -= words",
        "known -= set()",
        "a run that is let back in stays out",
        (UNIT + "test_forget.py", UNIT + "test_ledger.py"),
    ),
    Mutant(
        "runsheet/cells.py",
        "EXACT_INT = 2**53",
        "EXACT_INT = 2**63",
        "large integers change in the sheet",
        (UNIT + "test_cells.py",),
    ),
    Mutant(
        "runsheet/cells.py",
        "return None if value in _NOT_A_NUMBER else text(value)",
        "return text(value)",
        "NaN is shown as a text",
        (UNIT + "test_cells.py",),
    ),
    Mutant(
        "runsheet/sync.py",
        "                moves += 1\n            early = None\n",
        "                moves += 1\n",
        "a plan that was refused is made again from the old look at the sheet",
        (UNIT + "test_sync.py",),
    ),
    Mutant(
        "runsheet/sync.py",
        "if len(pulled.failed) == pulled.projects:",
        "if pulled.failed:",
        "one failing project stops the others",
        (UNIT + "test_sync.py",),
    ),
)
