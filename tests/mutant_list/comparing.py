"""Runs side by side: what differs, which is best, and what a worksheet keeps of it."""

from tests.mutant_list.mutant import UNIT, Mutant

COMPARE = UNIT + "test_compare.py"
TABLES = UNIT + "test_compare_tables.py"
SHEET = UNIT + "test_compare_sheet.py"
PICTURE = UNIT + "test_plot_compare.py"
RUNS = UNIT + "test_comparing.py"
SAFETY = UNIT + "test_safety.py"
SYSTEM = "tests/system/test_compare.py"

COMPARING = (
    Mutant(
        "runsheet/reports/compare.py",
        "enumerate(values) if is_finite(value)}",
        "enumerate(values) if value is not None}",
        "an infinite loss wins, or NaN stops all others from it",
        (COMPARE,),
    ),
    Mutant(
        "runsheet/reports/compare.py",
        "frozenset(p for p, value in finite.items() if value == top)",
        "frozenset([min(finite, key=lambda each: (finite[each] != top, each))])",
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
        'Scope(SOURCE, "", run.scope.project)',
        'Scope(SOURCE, "", "")',
        "runs of one id in two projects share a row",
        (SHEET,),
    ),
    Mutant(
        "runsheet/reports/compare_sheet.py",
        'Scope(SOURCE, "", run.scope.project)',
        "run.scope",
        "the same run by another source gets another row, and both are followed no more",
        (SHEET,),
    ),
    Mutant(
        "runsheet/reports/compare_sheet.py",
        "for who in ours if shown.row(who) and",
        "for who in ours if any(row.run_id == who.run_id for row in content.rows) and",
        "the row of another project's run is said to be followed no more",
        (SHEET,),
    ),
    Mutant(
        "runsheet/reports/compare_sheet.py",
        "columns - len(shape.owned) - len(new([*first, *last]))",
        "columns - len(ever) - len(new([*first, *last]))",
        "columns that people deleted keep their room",
        (SHEET,),
    ),
    Mutant(
        "runsheet/reports/compare_sheet.py",
        " and fingerprint(each.key) not in shape.made]",
        "]",
        "what has room is not made, since a person deleted it, and what has none is told of",
        (SHEET,),
    ),
    Mutant(
        "runsheet/reports/compare.py",
        "        return math.inf if value > 0 else -math.inf\n    return value",
        "        return math.inf if value > 0 else -math.inf\n    return float(value)",
        "integers beyond 2^53 change",
        (SHEET, TABLES),
    ),
    Mutant(
        "runsheet/sync.py",
        "        safety.check_kind(shape, self._rules.choice)\n",
        "",
        "a comparison is written among the runs of a team, or runs into a comparison",
        (SHEET,),
    ),
    Mutant(
        "runsheet/columns.py",
        "return COMPARED in keys or fingerprint(COMPARED) in made",
        "return COMPARED in keys",
        "a comparison without that column is a table of runs",
        (SHEET, SAFETY),
    ),
    Mutant(
        "runsheet/destinations/gsheet/finder.py",
        "and (worksheet or not _compares(tab))]",
        "]",
        "the first sync stops at a comparison, since that is the only tab of ours",
        (SYSTEM,),
    ),
    Mutant(
        "runsheet/cli/upkeep.py",
        'replace(setup, worksheet=table["worksheet"].strip())',
        "setup",
        "undo takes back a tick of the runs when a comparison was meant",
        (SYSTEM,),
    ),
    Mutant(
        "runsheet/comparing.py",
        "    if all(isinstance(one.error, Unreachable | AccessError) for one in read):",
        "    if any(isinstance(one.error, Unreachable | AccessError) for one in read):",
        "a comparison fails for one run whose rows never come",
        (RUNS,),
    ),
    Mutant(
        "runsheet/plot/compare.py",
        "length = float(value) if is_finite(value) else 0.0",
        "length = float(value or 0.0)",
        "a bar of no length that can be drawn",
        (PICTURE,),
    ),
)
