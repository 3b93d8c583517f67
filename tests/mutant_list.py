"""The deliberate faults: each a text of the product, what stands there instead, what that breaks, and the
tests that should notice (the narrowest that do). Add one whenever a defect was found that no test saw."""

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
        "                moves += 1\n            shape = None\n",
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

LIVE = (
    Mutant(
        "runsheet/merge.py",
        "if same(base, sheet):",
        "if same(base, sheet) or run is not None:",
        "the run wins over an edit",
        (UNIT + "test_merge.py",),
    ),
    Mutant(
        "runsheet/stored.py",
        "    if isinstance(one, bool) or isinstance(other, bool):\n        return one is other\n",
        "",
        "TRUE that a person typed over 1 is overwritten",
        (UNIT + "test_merge.py",),
    ),
    Mutant(
        "runsheet/plan.py",
        "Edit(key, cell.shown, cell.meant, True, cell.image)",
        "Edit(key, cell.shown, cell.meant, False, cell.image)",
        "what is put back is noted as ours, and written over by the next tick",
        (UNIT + "test_plan.py",),
    ),
    Mutant(
        "runsheet/live.py",
        "key: same(later[key], value) if key in later else added.is_ours(key, value)",
        "key: added.is_ours(key, value)",
        "what a row was appended with counts, not what was written to it later",
        (UNIT + "test_live.py",),
    ),
    Mutant(
        "runsheet/live.py",
        "    if book.end(run.scope, run.run_id)[STAMP:] == digest(_of(columns, cells)):\n"
        "        return dict(cells)\n",
        "",
        "a row that is as it was left is taken for edited when its run is resumed",
        (UNIT + "test_live.py",),
    ),
    Mutant(
        "runsheet/live.py",
        "{key: cells[key] if mine else CHANGED for key, mine in ours.items()}",
        "{key: cells[key] for key in ours}",
        "an edit is taken for ours when its run is resumed",
        (UNIT + "test_live.py",),
    ),
    Mutant(
        "runsheet/live.py",
        "    last: Base = {**base, **{edit.key: edit.after for edit in outcome.edits}}",
        "    last: Base = {**base, **run.wanted}",
        "the digest of an edited row is that of a row that nobody edited",
        (UNIT + "test_live.py",),
    ),
    Mutant(
        "runsheet/repair.py",
        "if same(row.cells[key].after, now) and not same(value, now):",
        "if not same(value, now):",
        "an edit is put back over a later one",
        (UNIT + "test_repair.py",),
    ),
    Mutant(
        "runsheet/repair.py",
        "who = (row.run_id, row.project) if here else _shown(image, batch.at)",
        "who = (row.run_id, row.project)",
        "what another row held is put into the run's",
        (UNIT + "test_repair.py",),
    ),
    Mutant(
        "runsheet/journal.py",
        "if rows and rows[-1].index == row.index:",
        "if False:",
        "a wide row counts as several: its images are not found",
        (UNIT + "test_journal.py",),
    ),
    Mutant(
        "runsheet/journal.py",
        "for tick in list(reversed(sizes))[:TICKS]:",
        "for tick in list(sizes)[:TICKS]:",
        "the oldest ticks are remembered, not the last",
        (UNIT + "test_journal.py",),
    ),
    Mutant(
        "runsheet/ledger.py",
        "base.update({key: cell.after for key, cell in row.cells.items() if not cell.back})",
        "base.update({key: cell.after for key, cell in row.cells.items()})",
        "an edit that was put back is taken for ours",
        (UNIT + "test_ledger.py",),
    ),
    Mutant(
        "runsheet/compaction.py",
        "    if last and not book.pending:",
        "    if False:",
        "a batch that met nobody is looked at again once the book-keeping is packed",
        (UNIT + "test_ledger.py",),
    ),
    Mutant(
        "runsheet/safety.py",
        "count * 2 > table",
        "count > table",
        "a tick that changes most rows of a table is not stopped",
        (UNIT + "test_safety.py",),
    ),
    Mutant(
        "runsheet/plan.py",
        "        if pending and not changes:\n            notes.append(ledger.checked(pending))\n",
        "",
        "a write that met nobody is looked at by every tick",
        (UNIT + "test_plan.py",),
    ),
    Mutant(
        "runsheet/plan.py",
        "for index, backs in sorted(mend.back.items())",
        "for index, backs in ()",
        "what a write into the wrong row covered is not put back",
        (UNIT + "test_plan.py",),
    ),
    Mutant(
        "runsheet/plan.py",
        "(scope, run_id, {**last, **missed})",
        "(scope, run_id, last)",
        "a run whose row was missed counts as written",
        (UNIT + "test_plan.py",),
    ),
    Mutant(
        "runsheet/plan.py",
        "*columns.names(item.key, self._choice)}",
        "item.title}",
        "a row of values in row 1 is taken for the header",
        (UNIT + "test_plan.py",),
    ),
    Mutant(
        "runsheet/safety.py",
        "max(USUAL_ROWS, usual)",
        "USUAL_ROWS",
        "a table that follows many runs stops at every tick",
        (UNIT + "test_safety.py",),
    ),
    Mutant(
        "runsheet/sync.py",
        "        if mending := planner.mend(cells, self._tick):\n            return mending\n",
        "",
        "the next batch overwrites the images before they are used",
        (LIVE_ATTACK,),
    ),
    Mutant(
        "runsheet/journal.py",
        "if left < 0 and kept_ticks:",
        "if left < 0:",
        "the images of a large tick are forgotten when the book-keeping is packed",
        (UNIT + "test_ledger.py",),
    ),
    Mutant(
        "runsheet/packing.py",
        "    quoted = json_text(json_text(data))\n",
        "    quoted = json_text(data)\n",
        "a note is longer than a cell, and every batch is refused",
        (LIVE_ATTACK,),
    ),
    Mutant(
        "runsheet/withdraw.py",
        " | (overtaken.replaced & filled.keys())",
        "",
        "a column that was replaced during changes is written like ours",
        (LIVE_ATTACK,),
    ),
    Mutant(
        "runsheet/undo.py",
        "            if book.pending:\n",
        "            if False:\n",
        "undo writes over an edit that was still to be put back",
        (UNIT + "test_undo.py",),
    ),
    Mutant(
        "runsheet/plan.py",
        "and key not in self._book.gone]",
        "]",
        "columns that were deleted long ago stop a tick",
        (UNIT + "test_plan.py",),
    ),
    Mutant(
        "runsheet/strays.py",
        "gone = {key for key in self.keys if not filled.get(key)}",
        "gone = set(self.keys)",
        "a column that holds values is left for one with its title",
        (UNIT + "test_strays.py",),
    ),
    Mutant(
        "runsheet/withdraw.py",
        "if key in overtaken.keys and indexes <= places]",
        "if key in overtaken.keys]",
        "a column in which other rows are filled is given up",
        (UNIT + "test_withdraw.py",),
    ),
    Mutant(
        "runsheet/shown.py",
        "if not fitting or any(_fits(fitting[0].project, scope) for scope in rivals):",
        "if not fitting:",
        "a row that may be another run's is changed",
        (UNIT + "test_shown.py",),
    ),
    Mutant(
        "runsheet/undo.py",
        "if same(cell.after, value) and not isinstance(before, Digest):",
        "if not isinstance(before, Digest):",
        "undo takes an edit back",
        (UNIT + "test_undo.py",),
    ),
    Mutant(
        GSHEET + "images.py",
        "(*IDENTITY, *(edit.key for edit in change.cells)) if key in at}",
        "(edit.key for edit in change.cells) if key in at}",
        "images do not tell whose row they are of",
        (UNIT + "test_gsheet_images.py",),
    ),
    Mutant(
        GSHEET + "images.py",
        '                locationMatchingStrategy="EXACT_LOCATION",\n',
        "",
        "a batch passes although rows came or went",
        (UNIT + "test_gsheet_images.py",),
    ),
    Mutant(
        GSHEET + "look.py",
        'if any(repair.text(cells[row.index].get("run_id")) != row.run_id '
        "for row in there if row.index in cells):",
        "if False:",
        "a row that was sorted while it was read is followed as another",
        (CONTRACT + "test_live_gsheet.py",),
    ),
    Mutant(
        GSHEET + "look.py",
        "there = [row for row in rows if row.index < now.rows]",
        "there = list(rows)",
        "rows that were deleted down to the edge of the grid stop every tick",
        (LIVE_ATTACK,),
    ),
    Mutant(
        GSHEET + "look.py",
        'if not isinstance(row.get("run_id"), Foreign)}',
        "}",
        "a formula in run_id stops every tick",
        (LIVE_ATTACK,),
    ),
    Mutant(
        GSHEET + "marks.py",
        "return {table + 2: table + 4, table + 3: table + 5}",
        "return {2: 4, 3: 5}",
        "a tick of one table deletes the images of another",
        (LIVE_ATTACK,),
    ),
    Mutant(
        GSHEET + "refused.py",
        "ours = {marks.NOTES_TAB, *self.images,",
        "ours = {marks.NOTES_TAB,",
        "a protected tab of images is not named",
        (LIVE_ATTACK,),
    ),
    Mutant(
        GSHEET + "destination.py",
        "        requests.append(batch.append_texts(marks.NOTES_TAB, [note]))\n",
        "",
        "a row that was typed into is gone when the answer to its deletion is lost",
        (LIVE_ATTACK,),
    ),
    Mutant(
        GSHEET + "removal.py",
        "at = row - sum(1 for other in gone if other < row)",
        "at = row",
        "a row that comes back stands elsewhere",
        (UNIT + "test_gsheet_removal.py",),
    ),
    Mutant(
        XLSX + "comments.py",
        '"threadedComment": "ThreadedComments/threadedComment"',
        "",
        "a row that people have commented is removed",
        (UNIT + "test_xlsx_comments.py",),
    ),
)

GOOGLE_SHEETS = (
    Mutant(
        GSHEET + "marks.py",
        "delete(metadataId=NONCE, metadataValue=old)",
        "delete(metadataId=NONCE)",
        "the nonce is replaced whatever it is: late and rival batches pass",
        (SHEETS + "::TestFaults::test_two_daemons",),
    ),
    Mutant(
        GSHEET + "marks.py",
        "requests.append(delete_at(mark, tab))",
        "requests.append(delete(metadataId=mark.id))",
        "a batch passes although a column has moved",
        (ATTACK + "::TestChanged",),
    ),
    Mutant(
        GSHEET + "marks.py",
        "return table is not None and table.tab != tab_id(sheet)",
        "return False",
        "a copy of the tab is taken for the tab",
        (ATTACK + "::TestDoubled",),
    ),
    Mutant(
        GSHEET + "writer.py",
        "start = 0 if self._plan.shape.empty else self.standing.used",
        "start = 0 if self._plan.shape.empty else self.standing.used - 1",
        "new columns come between those of people",
        (GOOGLE,),
    ),
    Mutant(
        GSHEET + "writer.py",
        "row = plan.after + 1",
        "row = plan.after",
        "rows go above the last one, or into the header",
        (GOOGLE,),
    ),
    Mutant(
        GSHEET + "batch.py",
        'return {"userEnteredValue": {"stringValue": str(cell)}}',
        'kind = "formulaValue" if str(cell).startswith("=") else "stringValue"\n'
        '    return {"userEnteredValue": {kind: str(cell)}}',
        "a run's text becomes a formula",
        (GOOGLE,),
    ),
    Mutant(
        GSHEET + "batch.py",
        "if before >= 0 and indexes[position] == indexes[before] + 1:",
        "if before >= 0:",
        "values go into columns of people that stand between ours",
        (GOOGLE,),
    ),
    Mutant(
        GSHEET + "batch.py",
        "if chunk and cost > left:",
        "if False:",
        "a first sync is one request, however large",
        (ATTACK + "::TestSize",),
    ),
    Mutant(
        GSHEET + "reader.py",
        "if index and text:",
        "if text:",
        "the header counts as a run's row",
        (GOOGLE,),
    ),
    Mutant(
        GSHEET + "notes.py",
        "if item and item[0] == table)",
        "if item)",
        "the book-keeping of one table is read as another's",
        (ATTACK + "::TestDoubled",),
    ),
    Mutant(
        GSHEET + "notes.py",
        "self.moved = bool(found) and not reader.begins_at_column_a(found[0])",
        "self.moved = False",
        "notes are lost when somebody inserted a column in the book-keeping",
        (ATTACK + "::TestDoubled",),
    ),
    Mutant(
        GSHEET + "finder.py",
        "return [tab for tab in tabs if not marks.is_copy(tab)] or tabs",
        "return tabs",
        "a copy of the tab stops the sync",
        (ATTACK + "::TestDoubled",),
    ),
    Mutant(
        GSHEET + "destination.py",
        "used=now.used + self._used_beyond(now)",
        "used=now.used",
        "new columns come between those of people that have no header",
        (GOOGLE, SHEETS),
    ),
    Mutant(
        GSHEET + "destination.py",
        'raise Changed("a guard refused the batch") from refusal',
        'raise SheetError("a guard refused the batch") from refusal',
        "a batch that a guard refused is an error, not a reason to read again",
        (GOOGLE,),
    ),
)

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

MUTANTS = (*PLAN, *LIVE, *GOOGLE_SHEETS, *WORKBOOK)
