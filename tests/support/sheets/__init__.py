"""A stand-in for Google Sheets v4, Drive v3 and the token endpoint, for tests. Start with `SheetsServer`.

It agrees with 872 of 884 recorded answers (`test_sheets_recordings`). Where nothing is recorded it follows
the reference and reported messages, and takes the stricter side; comments say "assumed". What it does not
model it refuses: nested row groups, TRANSPOSE and format-only pastes, data validation, rich text, themes.
What it leaves out without a word: effectiveFormat and other presentation, spilling formulas, references that
follow a cut, quotas per minute (script a 429).

From a request to an answer: server -> api -> values | requests (cells, extras) | view, all on a `state`,
which holds `grid`s, `metadata` and protections; `document` is where a person lays hands on the same state.
"""

from tests.support.sheets.access import ACCOUNT
from tests.support.sheets.document import ANYONE, Document, Snapshot, Tab
from tests.support.sheets.errors import ApiError
from tests.support.sheets.faults import Fault, Request, applied, hang, late, people, refuse, reset, truncate
from tests.support.sheets.server import SheetsServer

__all__ = [
    "ACCOUNT",
    "ANYONE",
    "ApiError",
    "Document",
    "Fault",
    "Request",
    "SheetsServer",
    "Snapshot",
    "Tab",
    "applied",
    "hang",
    "late",
    "people",
    "refuse",
    "reset",
    "truncate",
]
