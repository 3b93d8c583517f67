"""Runs side by side: what differs, which is best, and what a worksheet keeps of it."""

from tests.mutant_list.mutant import UNIT, Mutant

COMPARE = UNIT + "test_compare.py"
TABLES = UNIT + "test_compare_tables.py"
SHEET = UNIT + "test_compare_sheet.py"
PICTURE = UNIT + "test_plot_compare.py"
RUNS = UNIT + "test_comparing.py"

COMPARING = (
    Mutant(
        "runsheet/reports/compare.py",
        "enumerate(self.values) if is_finite(value)}",
        "enumerate(self.values) if value is not None}",
        "an infinite loss wins, or NaN stops all others from it",
        (COMPARE,),
    ),
    Mutant(
        "runsheet/reports/compare.py",
        "for place, value in finite.items() if value == top)",
        "for place in [min(finite, key=lambda each: (finite[each] != top, each))])",
        "of several best runs only one is marked",
        (COMPARE,),
    ),
    Mutant(
        "runsheet/reports/compare.py",
        'return ("number" if type(value) in (int, float) else type(value).__name__), value',
        'return "", value',
        "1 and true are the same",
        (COMPARE,),
    ),
    Mutant(
        "runsheet/reports/compare.py",
        'for key in there if not key.startswith("_")]',
        "for key in there]",
        "W&B's own counters are metrics",
        (COMPARE,),
    ),
    Mutant(
        "runsheet/reports/compare_tables.py",
        "len({_number(value, digits) for value in finite}) >= len({*finite})",
        "finite",
        "numbers that differ look the same",
        (TABLES,),
    ),
    Mutant(
        "runsheet/reports/compare_tables.py",
        "places = range(number * count // blocks, (number + 1) * count // blocks)",
        "places = range(number * fitting, min(count, (number + 1) * fitting))",
        "the last block has one run where two blocks of a size would do",
        (TABLES,),
    ),
    Mutant(
        "runsheet/reports/compare_sheet.py",
        "config={setting.key: setting.values[place] for setting in found.settings}",
        "config={setting.key: setting.values[place] for setting in found.differing}",
        "a column of an earlier comparison is emptied",
        (SHEET,),
    ),
    Mutant(
        "runsheet/reports/compare_sheet.py",
        'Scope(f"{PREFIX}{scope.source}", scope.host, scope.project)',
        'Scope("compared", "", "")',
        "runs of one id in two projects share a row",
        (SHEET,),
    ),
    Mutant(
        "runsheet/reports/compare_sheet.py",
        "if not scope.source.startswith(PREFIX)]",
        "if not scope.source]",
        "a comparison is written among the runs of a team",
        (SHEET,),
    ),
    Mutant(
        "runsheet/comparing.py",
        "except (Unreachable, AccessError):",
        "except AccessError:",
        "a service that is down is asked for the rows of each run",
        (RUNS,),
    ),
    Mutant(
        "runsheet/plot/compare.py",
        "length = value if is_finite(value) else 0.0",
        "length = value or 0.0",
        "a bar of no length that can be drawn",
        (PICTURE,),
    ),
)
