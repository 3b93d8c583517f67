"""What a deliberate fault is, and short names for files that many name."""

from dataclasses import dataclass

UNIT, CONTRACT = "tests/unit/", "tests/contract/"
SHEETS = CONTRACT + "test_gsheet_sync.py"
GOOGLE = CONTRACT + "test_gsheet_destination.py"
OFFICE = CONTRACT + "test_xlsx_destination.py"
ATTACK = CONTRACT + "test_gsheet_attack.py"
LIVE_ATTACK = CONTRACT + "test_live_attack.py"
GSHEET, XLSX = "runsheet/destinations/gsheet/", "runsheet/destinations/xlsx/"


@dataclass(frozen=True)
class Mutant:
    """`old` stands exactly once in `file`; `new` takes its place."""

    file: str
    old: str
    new: str
    breaks: str
    tests: tuple[str, ...]
