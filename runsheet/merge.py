"""Who wins a cell of a live row: the person or the run (P2). Pure.

A three-way merge, cell by cell: *base* is what the sync last wrote there, *sheet* what the cell holds
now, *run* what the run says. A person wins wherever they have been.
"""

from dataclasses import dataclass

from runsheet.model import Stored
from runsheet.stored import Kept, same


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the cell shall hold. `ours`: nobody has been there. `kept`: an edit of a person stays although
    the run says otherwise."""

    value: Stored
    ours: bool = False
    kept: bool = False


def merge(base: Kept, sheet: Stored, run: Stored) -> Verdict:
    """Decide one cell: where it holds what was last written, nobody was there since, and the run's value
    goes in. Any other value is a person's, and stays."""
    if same(base, sheet):
        return Verdict(run, ours=True)
    return Verdict(sheet, kept=not same(sheet, run))
