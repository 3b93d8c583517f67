"""The destination: read a worksheet, apply a plan to it.

Reads cost one request, two with candidates; writes are atomic batches that a moved sheet refuses
(marks.py says how, docs/exactly-once.md why).
"""

import logging
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, tzinfo
from typing import Any

from runsheet.destinations.a1 import letters
from runsheet.destinations.base import RowsRefused
from runsheet.destinations.gsheet import finder, marks, reader
from runsheet.destinations.gsheet.batch import Json
from runsheet.destinations.gsheet.client import Google, Rejected
from runsheet.destinations.gsheet.document import Spreadsheet
from runsheet.destinations.gsheet.notes import NotesTab
from runsheet.destinations.gsheet.standing import Standing
from runsheet.destinations.gsheet.writer import Batch, Look, batches
from runsheet.errors import Changed, ServiceError, SheetError
from runsheet.model import Content, Limits, Placed, Plan, Shape

log = logging.getLogger(__name__)

CELLS = 10_000_000
"""The most cells a spreadsheet can have, blank ones of every tab included."""

KEY_CHARS = 25_000
"""Google keeps 30,000 characters of metadata for a tab: our marks have to fit, names included."""

LOOK_AT_CELLS = 2_000_000
"""From this size on a tick also asks how large the other tabs are."""


class GsheetDestination:
    """A worksheet of a Google spreadsheet.

    `spreadsheet` is a URL, a key or a title; a title needs the Drive API to be looked up.
    `worksheet` is the tab's title, "" for the tab made earlier, else the first one. `room`: a new
    tab has that many columns. Dates are written on the clock of `zone`.
    """

    name = "gsheet"
    limits = Limits(cell_chars=50_000, rows=CELLS, columns=18_278, key_chars=KEY_CHARS)

    def __init__(
        self,
        google: Google,
        spreadsheet: str,
        worksheet: str = "",
        *,
        room: int = 100,
        zone: tzinfo = UTC,
        zone_name: str = "UTC",
    ) -> None:
        self._sheets = Spreadsheet(google, spreadsheet)
        self._title = worksheet
        self._look = Look(worksheet, room, zone, zone_name)
        self._tabs: list[Mapping[str, Any]] = []
        self._notes = NotesTab()

    @property
    def requests(self) -> int:
        return self._sheets.requests

    def close(self) -> None:
        self._sheets.close()

    # --- reading -----------------------------------------------------------------------------

    def read(self) -> Shape:
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
        if any(item.title for item in owned) or (header and not owned):
            return Shape(True, False, header, owned, now)
        everything = self._columns(now, {"": (0, now.columns)})[""]
        if not any(text.strip() for text in everything):
            # Blank, header included: marks that are left belong to nothing.
            return Shape(True, True, token=now)
        if owned:
            raise SheetError(
                f"row 1 of the worksheet {self._title!r} shows none of our headers any more: put the "
                "header back into row 1, or clear the worksheet to start over. Nothing was written"
            )
        return Shape(True, False, header, (), now)

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
        identity = {} if shape.empty else reader.identity(now)
        wanted = [*(mark.id for mark in identity.values()), marks.NOTES]
        answer = self._sheets.values([{"developerMetadataLookup": {"metadataId": mark}} for mark in wanted])
        found = reader.by_mark(answer)
        self._notes.take(answer)
        notes = self._notes.of(now.table)
        if shape.empty:
            return Content(notes=notes)
        if any(mark.id not in found for mark in identity.values()):
            raise Changed("a column was removed while it was read")
        if notes and not adopted:
            columns = {key: found[mark.id] for key, mark in identity.items()}
            return Content(tuple(reader.row_ids(columns, filled=False)), notes)
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

    # --- writing -----------------------------------------------------------------------------

    def apply(self, plan: Plan) -> Iterator[int]:
        if plan.nothing:
            return
        now: Standing = plan.shape.token
        if now.nonce is None:
            for rule in self.probe():
                log.debug("first contact: %s", rule)
        now = self._with_notes(plan, now)
        if plan.new and not plan.shape.empty:
            now = replace(now, used=now.used + self._used_beyond(now))
        give_back, room = self._fit(plan, now)
        for part in batches(plan, now, replace(self._look, room=room), give_back):
            self._send(part)
            yield len(part.rows)

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

    def _fit(self, plan: Plan, now: Standing) -> tuple[int, int]:
        """Make sure that the plan fits into 10 million cells; give back room that nobody uses.

        Returns the number of blank columns at the right edge to delete, and the columns that a
        new table gets. Raises SheetError when it cannot fit.
        """
        needed, room = len(plan.columns), min(self._look.room, self.limits.columns)
        rows = now.rows + len(plan.rows) + (0 if now.tab is not None else 101)
        width = max(room, needed, now.columns) if plan.shape.empty else now.columns + len(plan.new)
        if rows * width < LOOK_AT_CELLS:
            return 0, room
        free = CELLS - self._cells_elsewhere(now.tab)
        if rows * width <= free:
            return 0, room
        narrow = max(needed, now.columns)
        give_back = 0 if plan.shape.empty else self._spare(plan, now)
        least = narrow if plan.shape.empty else width - give_back
        if rows * least > free:
            raise SheetError(
                f"{len(plan.rows):,} new rows of {least} columns do not fit: a spreadsheet holds {CELLS:,} "
                f"cells, and {CELLS - free:,} are in other tabs. Move old rows to another spreadsheet, "
                "lower MAX_COLUMNS or name another SPREADSHEET_NAME. Nothing was written"
            )
        return give_back, needed

    def _used_beyond(self, now: Standing) -> int:
        """How many columns right of the ones known to be in use there are up to the last with a value."""
        if now.columns <= now.used:
            return 0
        beyond = {"sheetId": now.tab, "startColumnIndex": now.used, "endColumnIndex": now.columns}
        found = self._sheets.values([{"gridRange": beyond}], render="FORMULA")
        filled = [n for item in found for n, column in enumerate(reader.texts(item), 1) if any(column)]
        return max(filled, default=0)

    def _spare(self, plan: Plan, now: Standing) -> int:
        """How many columns at the right edge hold nothing whatever, up to the room of a new table."""
        used = now.used if plan.new else now.used + self._used_beyond(now)
        if used >= now.columns:
            return 0
        span = (letters(used), letters(now.columns - 1))
        return now.columns - used - self._sheets.width(now.title, span)

    def _cells_elsewhere(self, tab: int | None) -> int:
        others = [t["properties"] for t in self._all_tabs() if marks.tab_id(t) != tab]
        grids = [properties.get("gridProperties", {}) for properties in others]
        return sum(int(grid.get("rowCount", 0)) * int(grid.get("columnCount", 0)) for grid in grids)

    def _all_tabs(self) -> list[Mapping[str, Any]]:
        self._tabs = self._tabs or self._sheets.tabs()["sheets"]
        return self._tabs

    def _send(self, part: Batch) -> None:
        """Send one batch. A refusal is a change if the sheet is not as the batch took it to be."""
        try:
            self._sheets.update(part.requests)
        except Rejected as refusal:
            if self._moved(part.before):
                raise Changed("a guard refused the batch") from refusal
            if advice := _advice(str(refusal)):
                raise SheetError(f"{self._sheets} {advice}. Nothing was written") from refusal
            text = f"{self._sheets} does not take the rows: {refusal}"
            raise (RowsRefused(text, part.rows) if part.rows else SheetError(text)) from refusal

    def _moved(self, before: Standing) -> bool:
        """Whether the spreadsheet is not as a batch took it to be. Asked after a refusal only, since
        what Google's text says about one is not documented."""
        answer = self._sheets.tabs()
        titles = {marks.tab_id(tab): tab["properties"]["title"] for tab in answer["sheets"]}
        if marks.nonce(answer) != before.nonce or (marks.NOTES_TAB in titles) != bool(before.notes):
            return True
        if before.tab is None:
            return before.title.casefold() in {title.casefold() for title in titles.values()}
        if before.tab not in titles:
            return True
        try:
            header = self._sheets.header(titles[before.tab])
        except Rejected:
            return True
        after = reader.standing(before.title, header, ())
        grid = (after.rows, after.columns)
        return _places(after) != _places(before) or grid != (before.rows, before.columns)

    def probe(self) -> Iterator[str]:
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


def _places(now: Standing) -> set[marks.Mark]:
    return {*now.marks, *([now.end] if now.end else [])}


def _broken_rule(rule: str, what: str) -> str:
    return (
        f"Google Sheets does not behave as it must ({rule}: {what}). Rows could be doubled, so nothing "
        "was written to the worksheet"
    )


def _advice(text: str) -> str:
    """What to do about a refusal whose reason we know, "" about others."""
    if "protected" in text:
        return f"has a protected range that we may not write ({text})"
    if "number of cells" in text:
        return f"is full ({text}): move old rows to another spreadsheet"
    return ""
