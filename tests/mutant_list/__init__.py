"""The deliberate faults: each a text of the product, what stands there instead, what that breaks, and the
tests that should notice (the narrowest that do). Add one whenever a defect was found that no test saw."""

from tests.mutant_list.comparing import COMPARING
from tests.mutant_list.google import GOOGLE_SHEETS
from tests.mutant_list.gpu_columns import GPU_COLUMNS
from tests.mutant_list.gpu_hours import GPU_HOURS
from tests.mutant_list.inspecting import INSPECT
from tests.mutant_list.live import LIVE
from tests.mutant_list.mutant import Mutant
from tests.mutant_list.planning import PLAN
from tests.mutant_list.pulling import PULL
from tests.mutant_list.reporting import REPORTS
from tests.mutant_list.workbook import WORKBOOK

MUTANTS = (
    *PLAN,
    *PULL,
    *LIVE,
    *REPORTS,
    *GOOGLE_SHEETS,
    *WORKBOOK,
    *GPU_HOURS,
    *GPU_COLUMNS,
    *INSPECT,
    *COMPARING,
)

__all__ = ["MUTANTS", "Mutant"]
