"""The destination: read a worksheet, apply a plan to it.

Reads cost one request, two with candidates, and one more where it is not known which tab is meant. Writes are
atomic batches that a moved sheet refuses (marks.py says how, docs/exactly-once.md why).
"""

import hashlib
import logging
import secrets
from collections.abc import Collection, Iterator, Mapping, MutableMapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from runsheet import journal, ledger, repair
from runsheet.ahead import ahead
from runsheet.destinations.base import Overtaken, RowsRefused
from runsheet.destinations.gsheet import (
    batch,
    encoding,
    export,
    finder,
    images,
    marks,
    probe,
    reader,
    removal,
    size,
)
from runsheet.destinations.gsheet.batch import Json
from runsheet.destinations.gsheet.batches import Batch, batches
from runsheet.destinations.gsheet.client import Google, Rejected
from runsheet.destinations.gsheet.document import Spreadsheet, quoted
from runsheet.destinations.gsheet.look import Looked, look
from runsheet.destinations.gsheet.memo import Memo
from runsheet.destinations.gsheet.notes import NotesTab, note_text
from runsheet.destinations.gsheet.refused import Refused
from runsheet.destinations.gsheet.standing import Standing
from runsheet.destinations.gsheet.writer import Look, new_id
from runsheet.destinations.xlsx import stream
from runsheet.errors import Changed, ServiceError, SheetError, Unanswered
from runsheet.model import Cell, Cells, Content, Limits, Placed, Plan, RowId, Shape, Stored, Written
from runsheet.stored import same

log = logging.getLogger(__name__)

KEY_CHARS = 25_000
"""For the marks of columns, fingerprints included. The rest of marks.TAB_CHARS is for watermarks, and for the
fingerprints of columns that people deleted, some 600 of them where there are no watermarks."""

SMALL_CELLS = 100_000
"""A tab with fewer is read whole where it may be empty: that saves a request, and a new tab has 26,000."""

DAY = 86_400
"""Seconds that the size of the other tabs is remembered."""

RETRIES = 5
"""How often something is put right that people met in the second of a write."""


class GsheetDestination:
    """A worksheet of a Google spreadsheet.

    `spreadsheet` is a URL, a key or a title; a title needs the Drive API to be looked up.
    `worksheet` is the tab's title, "" for the tab made earlier, else the first one. Dates are
    written on the clock of `zone`. `drive_copy`: a backup is also a copy in Google Drive. `memo` lives as
    long as the process, for destinations to come: which tab was found, and the key of a title. `others` are
    the worksheets of other tables of ours, which are never taken for this one.
    """

    name = "gsheet"
    limits = Limits(cell_chars=50_000, rows=size.CELLS, columns=size.COLUMNS, key_chars=KEY_CHARS)
    remarks: tuple[str, ...] = ()

    def __init__(
        self,
        google: Google,
        spreadsheet: str,
        worksheet: str = "",
        *,
        zone: tzinfo = UTC,
        zone_name: str = "UTC",
        drive_copy: bool = False,
        memo: MutableMapping[str, Any] | None = None,
        others: Collection[str] = (),
    ) -> None:
        self._memo = Memo({} if memo is None else memo, spreadsheet, worksheet)
        self._sheets = Spreadsheet(google, spreadsheet)
        self._drive_copy = drive_copy
        self._look = Look(worksheet, zone, zone_name)
        self._others = frozenset(others) - {worksheet}
        self._tabs: list[Mapping[str, Any]] = []
        self._notes = NotesTab()
        self._looked: Looked | None = None
        self._images: tuple[int, ...] = ()

    @property
    def requests(self) -> int:
        return self._sheets.requests

    def close(self) -> None:
        self._sheets.close()

    # --- reading -----------------------------------------------------------------------------

    def read(self) -> Shape:
        self._tabs = []
        # A tab of the WORKSHEET's title comes first, as it does in a process that remembers nothing.
        if self._look.worksheet and (shape := self._titled(self._look.worksheet)):
            return shape
        remembered, self._memo.tab = self._memo.tab, None
        if remembered and (shape := self._titled(*remembered)):
            return shape
        return self._look_around()

    def _titled(self, title: str, tab: int | None = None) -> Shape | None:
        """The shape of the tab with a title; None if there is none, or if it is not ours with this id."""
        try:
            answer = self._sheets.header(title)
        except Rejected:
            log.debug("no tab %r: looking for a renamed one", title)
            return None
        now = reader.standing(title, answer, ())
        return self._shape(title, answer) if tab is None or (now.is_ours and now.tab == tab) else None

    def _look_around(self) -> Shape:
        """Find our tab among all tabs."""
        answer = self._sheets.tabs()
        self._tabs = answer["sheets"]
        chosen = finder.choose(self._tabs, self._look.worksheet, self._others)
        if chosen is None:
            title = self._look.worksheet or finder.DEFAULT
            table = finder.table_name(title, self._tabs)
            return Shape(False, True, token=Standing(title, marks.nonce(answer), table=table))
        title = str(chosen["properties"]["title"])
        whole = marks.nonce(answer) is None and reader.cells(chosen) <= SMALL_CELLS
        try:
            return self._shape(title, self._sheets.header(title, whole=whole), whole=whole)
        except Rejected as error:
            raise Changed(f"the tab {title!r} was renamed while it was read") from error

    def _shape(self, title: str, answer: Mapping[str, Any], *, whole: bool = False) -> Shape:
        """The shape of a tab by its header; `whole`: the answer holds all its rows."""
        sheet = answer["sheets"][0]
        header = reader.header_texts(sheet)
        now = reader.standing(title, answer, header)
        now = replace(now, table=self._table(sheet))
        if title != self._look.worksheet:
            self._memo.tab = (title, marks.tab_id(sheet))
        owned = reader.owned(now, header)
        made = frozenset(now.made.prints) if now.made else frozenset()
        if any(item.title for item in owned):
            marked, moved = reader.watermarks(now), reader.touched(now)
            return Shape(True, False, header, owned, now, made, watermarks=marked, touched=moved)
        if header and not owned:
            return Shape(True, False, header, (), now, made, hollow=now.is_ours)
        everything = reader.columns(sheet) if whole else self._grid(now)
        if not any(text.strip() for column in everything for text in column):
            # Blank, header included: marks that are left belong to nothing.
            return Shape(True, True, token=now)
        ours = [everything[item.index] for item in owned if item.index < len(everything)]
        hollow = now.is_ours and not any(text.strip() for column in ours for text in column)
        marked = () if hollow else reader.watermarks(now)
        return Shape(True, False, header, owned, now, made, hollow, watermarks=marked)

    def _grid(self, now: Standing) -> list[list[str]]:
        """All texts of the tab, column by column; blank ones at the right are left out."""
        found = self._sheets.values([{"gridRange": {"sheetId": now.tab}}])
        return reader.texts(found[0]) if found else []

    def _table(self, sheet: Mapping[str, Any]) -> str:
        """The name of a tab's table: its mark's, unless the tab is a copy of another that stands."""
        mark = marks.table_of(sheet)
        if mark and (not marks.is_copy(sheet) or mark.tab not in map(marks.tab_id, self._all_tabs())):
            return mark.name
        return finder.table_name(self._look.worksheet or finder.DEFAULT, self._all_tabs())

    def content(self, shape: Shape, adopted: Sequence[Placed] = ()) -> Content:
        now: Standing = shape.token
        if now.nonce is None and shape.empty:
            return Content()
        known = {} if shape.empty or shape.hollow else reader.wanted(now, shape.owned)
        filters = [marks.find(mark.id) for mark in known.values()]
        answer = self._sheets.values([*filters, marks.find(marks.NOTES)])
        found = reader.by_mark(answer)
        self._notes.take(answer)
        notes = self._notes.of(now.table)
        if shape.empty or (shape.hollow and not adopted):
            return Content(notes=notes)
        if any(mark.id not in found for mark in known.values()):
            raise Changed("a column was removed while it was read")
        if notes and not adopted and not reader.strayed(now, shape.owned):
            columns = {key: found[mark.id] for key, mark in known.items()}
            blank = reader.blank(shape.owned, columns)
            return Content(tuple(reader.row_ids(columns, filled=False)), notes, blank)
        spans = {owned.key: (owned.index, owned.index + 1) for owned in shape.owned}
        spans |= {placed.column.key: (placed.index, placed.index + 1) for placed in adopted}
        rows = reader.row_ids(self._columns(now, spans), filled=True)
        # A sheet that is adopted has no book-keeping yet; one of ours without any has lost it.
        return Content(tuple(rows), notes or (None if shape.owned else ()))

    def _columns(self, now: Standing, spans: Mapping[str, tuple[int, int]]) -> dict[str, list[str]]:
        """All texts of grid columns `start` to `end` by key, each span in one list."""
        filters: list[Json] = [
            {"gridRange": {"sheetId": now.tab, "startColumnIndex": start, "endColumnIndex": end}}
            for start, end in spans.values()
        ]
        found = reader.by_start(self._sheets.values(filters)) if filters else {}
        return {key: found.get(start, []) for key, (start, _) in spans.items()}

    def cells(self, shape: Shape, content: Content, rows: Sequence[RowId]) -> Cells:
        self._looked = look(self._sheets, shape, content, rows)
        return self._looked.cells

    @property
    def zone(self) -> str:
        return self._look.zone_name

    def use_zone(self, name: str) -> None:
        self._look = replace(self._look, zone=ZoneInfo(name), zone_name=name)

    def stored(self, cell: Cell) -> Stored:
        if isinstance(cell, datetime):
            return encoding.serial(cell, self._look.zone)
        return str(cell) if isinstance(cell, str) else cell

    # --- backups -----------------------------------------------------------------------------

    def backup_name(self, shape: Shape) -> str:
        now: Standing = shape.token
        return f"{now.title}-{hashlib.sha256(self._sheets.key.encode()).hexdigest()[:8]}.xlsx"

    def made(self, shape: Shape) -> datetime | None:
        """Google tells that of the spreadsheet only, and by another API."""
        return None

    def backup(self, shape: Shape, path: Path) -> None:
        now: Standing = shape.token
        before = self._sheets.requests
        try:
            stream.write(path, now.title, export.rows(self._sheets, now))
            if self._drive_copy:
                export.copy(self._sheets)
        finally:
            log.info("backup of %r: requests: %d", now.title, self._sheets.uncount(before))

    # --- writing -----------------------------------------------------------------------------

    def apply(self, plan: Plan) -> Iterator[Written]:
        if plan.nothing:
            return
        now: Standing = plan.shape.token
        now = self._with_notes(plan, now)
        if plan.new and not plan.shape.empty:
            now = replace(now, used=now.used + self._used_beyond(now))
        if plan.changes and self._looked:
            images = tuple({*self._looked.images, *self._images})
            now = replace(now, floor=self._looked.floor, images=images)
        fresh = self._elsewhere(plan, now)
        known = fresh or (now.elsewhere if size.grows(plan, now) else None)
        fit = size.fit(plan, now, known.cells if known else 0)
        made = batches(plan, now, self._look, fit.width, self.stored, fresh)
        with closing(ahead(made)) as parts:
            for number, part in enumerate(parts):
                if number == 0:
                    if not part.last and fresh is None:
                        fit = size.fit(plan, now, self._cells_elsewhere(now.tab))
                    self.remarks = fit.remarks
                    if now.nonce is None:
                        log.debug("first contact: %s", probe.first(self._sheets))
                self._check(plan, part, self._send(part))
                yield Written(len(part.rows), len(part.changes))

    def _elsewhere(self, plan: Plan, now: Standing) -> marks.Elsewhere | None:
        """How large the other tabs are, looked up; None where that does not matter, or where what is
        remembered of them is enough."""
        known, today = now.elsewhere, int(self._sheets.clock.now().timestamp())
        if not size.grows(plan, now):
            return None
        counts = known and now.is_ours and not plan.shape.empty and not self._tabs
        if known and counts and abs(today - known.at) < DAY and not size.near(plan, now, known.cells):
            return None
        return marks.Elsewhere(known.id if known else new_id(), self._cells_elsewhere(now.tab), today)

    def _check(self, plan: Plan, part: Batch, shown: Mapping[int, Mapping[str, Any]]) -> None:
        """Look whether people were at work in the second of a batch. Raises Unanswered when they were in
        the cells that it changed: what follows is planned after reading again (repair.py)."""
        ours = shown.get(part.before.tab or 0)
        if ours is not None:
            header = reader.header_texts(ours)
            lost = {item.key for item in plan.owned if item.title != reader.at(header, item.index)}
            if lost:
                keys = [column.key for column in plan.columns]
                gone = frozenset(lost & self._replaced(plan, part, shown))
                raise Overtaken("headers changed meanwhile", frozenset(lost), part.rows, keys, gone)
        self._thaw(part, ours or {})
        if part.changes:
            at = {owned.key: owned.index for owned in plan.owned}
            meant = journal.batch(part.changes, at, part.images)
            sheet = shown.get(images.tab_of(part.images), {})
            if not repair.intact(meant, images.images(sheet, len(part.changes))):
                raise Unanswered("people were at work in the cells that were changed")

    def _replaced(self, plan: Plan, part: Batch, shown: Mapping[int, Mapping[str, Any]]) -> set[str]:
        """Columns of which no changed cell held what it was read to hold: others stand there now."""
        at = {owned.key: owned.index for owned in plan.owned}
        kept = images.images(shown.get(images.tab_of(part.images), {}), len(part.changes))
        held: dict[str, bool] = {}
        for change, image in zip(part.changes, kept, strict=True):
            for edit in change.cells:
                if edit.key in at and edit.before is not None:
                    held[edit.key] = held.get(edit.key, False) or same(edit.before, image.get(at[edit.key]))
        return {key for key, is_held in held.items() if not is_held}

    def _thaw(self, part: Batch, ours: Mapping[str, Any]) -> None:
        """Rows that are inserted among frozen ones freeze with them: somebody froze rows in that second."""
        grid = ours.get("properties", {}).get("gridProperties", {})
        frozen = int(grid.get("frozenRowCount", 0))
        if part.rows and part.first < frozen != part.before.frozen:
            assert part.before.tab is not None, "a tab that is new is not shown"
            self._send_anyway([batch.freeze(part.before.tab, frozen - len(part.rows))])
            raise Unanswered("rows were frozen while others were inserted among them")

    def remove(self, shape: Shape, content: Content, rows: Sequence[RowId]) -> tuple[RowId, ...]:
        now: Standing = shape.token
        assert now.tab is not None, "rows stand in a tab"
        if before := ledger.parse(content.notes or ()).removed:
            return self._look_after(now, *before)
        taken = self._sheets.inhabited(now.tab, [row.index for row in rows])
        blank = sorted((row for row in rows if row.index not in taken), key=lambda row: -row.index)
        if len(blank) >= now.rows - max(1, now.frozen):
            blank = blank[1:]  # A tab keeps one row that is not frozen.
        if not blank:
            return ()
        looked = look(self._sheets, shape, content, ())
        now = replace(now, floor=looked.floor, images=looked.images, notes="ready")
        requests, name = removal.delete(now, [row.index for row in blank])
        note = note_text(now.table, ledger.removed(name, blank))
        requests.append(batch.append_texts(marks.NOTES_TAB, [note]))
        show = (quoted(images.title(name)),)
        try:
            found = self._send(Batch(encoding.body(requests, show), (), now, show=show, floor=True))
        except SheetError as error:
            log.warning("%s", error)
            return ()
        kept = images.images(found.get(images.tab_of(name), {}), len(blank))
        return self._reinsert(now, name, [(row.index, row.run_id) for row in blank], kept)

    def _look_after(self, now: Standing, name: str, rows: Sequence[tuple[int, str]]) -> tuple[RowId, ...]:
        """What became of rows whose removal got no answer."""
        try:
            found = self._sheets.find([{"gridRange": {"sheetId": images.tab_of(name)}}])
        except Rejected:  # Somebody has deleted the tab.
            found = {}
        kept = images.images(found.get(images.tab_of(name), {}), len(rows))
        return self._reinsert(now, name, rows, kept)

    def _reinsert(
        self, now: Standing, name: str, rows: Sequence[tuple[int, str]], kept: Sequence[repair.Image]
    ) -> tuple[RowId, ...]:
        """Put back rows that somebody typed into in the second they were deleted; the others, which went."""
        typed = [place for place, row in enumerate(kept) if any(cell is not None for cell in row.values())]
        if typed:
            log.info("somebody typed into %d rows in the second they were deleted: put back", len(typed))
        again = removal.restore(now.tab or 0, name, typed, [index for index, _ in rows], now.columns)
        done = note_text(now.table, ledger.restored(name))
        self._send_anyway([*again, batch.append_texts(marks.NOTES_TAB, [done])])
        return tuple(RowId(run_id, "", at) for n, (at, run_id) in enumerate(rows) if n not in typed)

    def _send_anyway(self, requests: list[Json]) -> None:
        """Send what overwrites nothing, whatever moved meanwhile."""
        for _ in range(RETRIES):
            nonce = marks.nonce(self._sheets.tabs())
            try:
                self._sheets.update([*marks.swap(nonce, secrets.token_hex(8)), *requests])
            except Rejected:
                continue  # Somebody else wrote between both requests.
            return
        raise ServiceError(
            "the sheet changed again and again: see the hidden tab of images for what is missing"
        )

    def _with_notes(self, plan: Plan, now: Standing) -> Standing:
        """How the book-keeping tab stands: asked only when none of our notes were found, and some are to be
        written."""
        if size.only_marks(plan):
            return replace(now, notes="ready")
        if plan.content.notes:
            repack = self._notes.repacked(now.table)
            return replace(now, notes="moved" if self._notes.moved else "ready", repack=repack)
        tabs = self._all_tabs()
        titles = {tab["properties"]["title"].casefold() for tab in tabs}
        if marks.NOTES_TAB not in map(marks.tab_id, tabs):
            free = (f"_runsheet{suffix}" for suffix in ("", *(f" {number}" for number in range(2, 1000))))
            return replace(now, notes="", notes_title=next(t for t in free if t not in titles))
        self._notes.take(self._sheets.values([{"developerMetadataLookup": {"metadataId": marks.NOTES}}]))
        if self._notes.moved:
            return replace(now, notes="moved", repack=self._notes.repacked(now.table))
        return replace(now, notes="ready" if self._notes.there else "unmarked")

    def _used_beyond(self, now: Standing) -> int:
        """How many columns right of the ones known to be in use there are up to the last that holds
        anything."""
        if now.tab is None or now.columns <= now.used:
            return 0
        return self._sheets.width(now.tab, now.used, now.columns)

    def _cells_elsewhere(self, tab: int | None) -> int:
        return sum(reader.cells(other) for other in self._all_tabs() if marks.tab_id(other) != tab)

    def _all_tabs(self) -> list[Mapping[str, Any]]:
        self._tabs = self._tabs or self._sheets.tabs()["sheets"]
        return self._tabs

    def _send(self, part: Batch) -> dict[int, dict[str, Any]]:
        """Send one batch; what the ranges it wants to see show. A refusal is a change if the sheet is
        not as the batch took it to be."""
        try:
            return self._sheets.send(part.body, shows=bool(part.show))
        except Rejected as refusal:
            why = Refused(self._sheets, part.before)
            self._images = why.images
            if why.sheet_moved() or (part.floor and why.rows_moved()):
                raise Changed("a guard refused the batch") from refusal
            if advice := why.advice(str(refusal)):
                raise SheetError(f"{advice}. Nothing was written") from refusal
            text = f"{self._sheets} does not take the rows: {refusal}"
            some = part.rows or part.changes
            raise (RowsRefused(text, part.rows, part.changes) if some else SheetError(text)) from refusal

    def probe(self) -> Iterator[str]:
        return probe.every(self._sheets)
