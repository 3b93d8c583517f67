"""The deliberate faults: each a text of the product, what stands there instead, what that breaks, and the
tests that should notice (the narrowest that do). Add one whenever a defect was found that no test saw."""

from tests.mutant_list.google import GOOGLE_SHEETS
from tests.mutant_list.live import LIVE
from tests.mutant_list.mutant import Mutant
from tests.mutant_list.planning import PLAN
from tests.mutant_list.pulling import PULL
from tests.mutant_list.workbook import WORKBOOK

MUTANTS = (*PLAN, *PULL, *LIVE, *GOOGLE_SHEETS, *WORKBOOK)

__all__ = ["MUTANTS", "Mutant"]
