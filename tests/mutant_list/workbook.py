"""Workbooks."""

from tests.mutant_list.mutant import OFFICE, UNIT, XLSX, Mutant

WORKBOOK = (
    Mutant(
        XLSX + "patch.py",
        "first = max(plan.after + 2, layout.last_row + 1, 2)",
        "first = max(plan.after + 2, 2)",
        "rows overwrite what stands below the table",
        (OFFICE,),
    ),
    Mutant(
        XLSX + "patch.py",
        "right = max([layout.right, *known])",
        "right = max([-1, *known])",
        "new columns overwrite those of people",
        (OFFICE,),
    ),
    Mutant(
        XLSX + "patch.py",
        "last = max([self.book.last_mark, *self.notes.marks])",
        "last = max([0, *self.book.marks])",
        "the number of a deleted column comes to stand for another",
        (OFFICE,),
    ),
    Mutant(
        XLSX + "spans.py",
        "parts += [data[at:start], cells.get(index) or data[start:end]]",
        'parts += [data[at:start], cells.get(index, b"")]',
        "cells of people in a row that is written into are lost",
        (UNIT + "test_xlsx_sheet.py", UNIT + "test_xlsx_patch.py", OFFICE),
    ),
    Mutant(
        XLSX + "rows.py",
        "style = above[index][2] if index in above else self._layout.column_style(index)",
        "style = self._layout.column_style(index)",
        "new rows do not look like the row above them",
        (UNIT + "test_xlsx_style.py", UNIT + "test_xlsx_sheet.py", UNIT + "test_xlsx_patch.py"),
    ),
    Mutant(
        XLSX + "book.py",
        'if match is None or "localSheetId" in element.attrs:',
        "if match is None:",
        "the names of a copied tab count as ours",
        (UNIT + "test_xlsx_patch.py", OFFICE),
    ),
    Mutant(
        XLSX + "notes.py",
        "if row[3] != notes.table:",
        "if False:",
        "two tables of a workbook share one book-keeping",
        (OFFICE,),
    ),
    Mutant(
        XLSX + "disk.py",
        "        check()\n",
        "",
        "what a person saved while we wrote is replaced",
        (UNIT + "test_xlsx_patch.py",),
    ),
    Mutant(
        XLSX + "disk.py",
        "            disk.flush(file)\n",
        "",
        "the name is on the disk before the content is",
        ("tests/crash/test_xlsx_crash.py",),
    ),
    Mutant(
        XLSX + "lock.py",
        "fcntl.LOCK_EX | fcntl.LOCK_NB",
        "fcntl.LOCK_SH | fcntl.LOCK_NB",
        "two daemons write a workbook at once",
        (UNIT + "test_xlsx_lock.py",),
    ),
    Mutant(
        XLSX + "lock.py",
        'path.with_name(f"~${path.name}")',
        'path.with_name(f"~{path.name}")',
        "a workbook that is open in Excel is written",
        (UNIT + "test_xlsx_lock.py",),
    ),
    Mutant(
        XLSX + "destination.py",
        "if digest != token.digest:",
        "if False:",
        "a plan for an older workbook is applied",
        (OFFICE,),
    ),
)
