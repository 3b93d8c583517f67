"""The destination: read a worksheet, apply a plan to it.

Reads cost one request, two with candidates; writes are atomic batches that a moved sheet refuses
(marks.py says how, docs/exactly-once.md why).
"""

import hashlib
import logging
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from runsheet import journal, ledger, repair
from runsheet.destinations.base import Overtaken, RowsRefused
from runsheet.destinations.gsheet import (
    batch,
    export,
    finder,
    images,
    marks,
    reader,
    removal,
    size,
)
from runsheet.destinations.gsheet.batch import Json
from runsheet.destinations.gsheet.client import Google, Rejected
from runsheet.destinations.gsheet.document import Spreadsheet, quoted
from runsheet.destinations.gsheet.look import Looked, look
from runsheet.destinations.gsheet.notes import NotesTab, note_text
from runsheet.destinations.gsheet.refused import Refused
from runsheet.destinations.gsheet.standing import Standing
from runsheet.destinations.gsheet.writer import Batch, Look, batches
from runsheet.destinations.xlsx import stream
from runsheet.errors import Changed, ServiceError, SheetError, Unanswered
from runsheet.model import Cell, Cells, Content, Limits, Placed, Plan, RowId, Shape, Stored, Written
from runsheet.stored import same

log = logging.getLogger(__name__)

KEY_CHARS = 25_000
"""For the marks of columns, fingerprints included. The rest of marks.TAB_CHARS is for the
fingerprints of columns that people deleted, some 600 of them."""


RETRIES = 5
"""How often something is put right that people met in the second of a write."""


class GsheetDestination:
    """A worksheet of a Google spreadsheet.

    `spreadsheet` is a URL, a key or a title; a title needs the Drive API to be looked up.
    `worksheet` is the tab's title, "" for the tab made earlier, else the first one. Dates are
    written on the clock of `zone`. `drive_copy`: a backup is also a copy in Google Drive.
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
    ) -> None:
        self._sheets = Spreadsheet(google, spreadsheet)
        self._title = worksheet
        self._drive_copy = drive_copy
        self._look = Look(worksheet, zone, zone_name)
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
        if self._title:
            try:
                return self._shape(self._sheets.header(self._title))
            except Rejected:
                log.debug("no tab %r: looking for a renamed one", self._title)
        return self._look_around()

    def _look_around(self) -> Shape:
        """Find our tab among all tabs."""
        answer = self._sheets.tabs()
        self._tabs = answer["sheets"]
        chosen = finder.choose(self._tabs, self._look.worksheet)
        if chosen is None:
            title = self._look.worksheet or finder.DEFAULT
            table = finder.table_name(title, self._tabs)
            return Shape(False, True, token=Standing(title, marks.nonce(answer), table=table))
        self._title = chosen["properties"]["title"]
        try:
            return self._shape(self._sheets.header(self._title))
        except Rejected as error:
            raise Changed(f"the tab {self._title!r} was renamed while it was read") from error

    def _shape(self, answer: Mapping[str, Any]) -> Shape:
        header = reader.header_texts(answer["sheets"][0])
        now = reader.standing(self._title, answer, header)
        now = replace(now, table=self._table(answer["sheets"][0]))
        owned = reader.owned(now, header)
        made = frozenset(now.made.prints) if now.made else frozenset()
        if any(item.title for item in owned):
            return Shape(True, False, header, owned, now, made)
        was_ours = bool(now.table_mark) and not marks.is_copy(answer["sheets"][0])
        if header and not owned:
            return Shape(True, False, header, (), now, made, hollow=was_ours)
        everything = self._grid(now)
        if not any(text.strip() for column in everything for text in column):
            # Blank, header included: marks that are left belong to nothing.
            return Shape(True, True, token=now)
        ours = [everything[item.index] for item in owned if item.index < len(everything)]
        hollow = was_ours and not any(text.strip() for column in ours for text in column)
        return Shape(True, False, header, owned, now, made, hollow)

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
            return batch.serial(cell, self._look.zone)
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
        elsewhere = self._cells_elsewhere(now.tab) if size.grows(plan, now) else 0
        fit = size.fit(plan, now, elsewhere)
        if now.nonce is None:
            for rule in self._probe_guards():
                log.debug("first contact: %s", rule)
        self.remarks = fit.remarks
        for part in batches(plan, now, self._look, fit.width, self.stored):
            self._check(plan, part, self._send(part))
            yield Written(len(part.rows), len(part.changes))

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
            found = self._send(Batch(requests, (), now, show=show, floor=True))
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
        """How the book-keeping tab stands: asked only when none of our notes were found."""
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
        others = [t["properties"] for t in self._all_tabs() if marks.tab_id(t) != tab]
        grids = [properties.get("gridProperties", {}) for properties in others]
        return sum(int(grid.get("rowCount", 0)) * int(grid.get("columnCount", 0)) for grid in grids)

    def _all_tabs(self) -> list[Mapping[str, Any]]:
        self._tabs = self._tabs or self._sheets.tabs()["sheets"]
        return self._tabs

    def _send(self, part: Batch) -> dict[int, dict[str, Any]]:
        """Send one batch; what the ranges it wants to see show. A refusal is a change if the sheet is
        not as the batch took it to be."""
        try:
            return self._sheets.update(part.requests, part.show)
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
        yield from self._probe_guards()
        yield self._probe_answer()

    def _probe_guards(self) -> Iterator[str]:
        """Make sure that the service keeps the rules that exactly-once rests on."""
        for rule, accepted, requests in marks.probes(secrets.token_hex(8), secrets.token_hex(8)):
            try:
                self._sheets.update(requests)
            except Rejected as refusal:
                if accepted:
                    raise ServiceError(_broken_rule(rule, str(refusal))) from refusal
            else:
                if not accepted:
                    self._sheets.update(marks.unprobe())
                    raise ServiceError(_broken_rule(rule, "a batch that breaks it was accepted"))
            yield rule

    def _probe_answer(self) -> str:
        """Make sure that a batch tells what it copied, as live rows need it."""
        rule = "the answer to a batch shows what it copied"
        title = f"_probe {secrets.token_hex(8)}"
        try:
            found = self._sheets.update(images.probe(title), (quoted(title),))
        except Rejected as refusal:
            raise ServiceError(f"LIVE_ROWS cannot work here ({rule}: {refusal})") from refusal
        self._sheets.update(marks.unprobe())
        if images.grid(found.get(marks.PROBE_TAB, {})) != images.PROBED:
            raise ServiceError(f"LIVE_ROWS cannot work here ({rule}: it shows something else)")
        return rule


def _broken_rule(rule: str, what: str) -> str:
    return (
        f"Google Sheets does not behave as it must ({rule}: {what}). Rows could be doubled, so nothing "
        "was written to the worksheet"
    )
