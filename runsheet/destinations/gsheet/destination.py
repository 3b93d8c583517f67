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

from runsheet.destinations.base import Limits
from runsheet.destinations.gsheet import marks, reader
from runsheet.destinations.gsheet.batch import Json
from runsheet.destinations.gsheet.client import Google, Rejected
from runsheet.destinations.gsheet.document import Spreadsheet
from runsheet.destinations.gsheet.writer import Batch, Look, Standing, batches, parse_note, repacked
from runsheet.errors import Changed, ServiceError, SheetError
from runsheet.ledger import Note
from runsheet.model import Content, Placed, Plan, Shape

log = logging.getLogger(__name__)

CELLS = 10_000_000
"""The most cells a spreadsheet can have, blank ones of every tab included."""

LOOK_AT_CELLS = 2_000_000
"""From this size on a tick also asks how large the other tabs are."""


class GsheetDestination:
    """A worksheet of a Google spreadsheet.

    `spreadsheet` is a URL, a key or a title; a title needs the Drive API to be looked up.
    `worksheet` is the tab's title, "" for the tab made earlier, else the first one. `room`: a new
    tab has that many columns. Dates are written on the clock of `zone`.
    """

    name = "gsheet"
    limits = Limits(cell_chars=50_000, rows=CELLS, columns=18_278)

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
        self._note_texts: Sequence[str] = ()

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
        """Find our tab among all tabs: by its mark, else (no WORKSHEET given) the first one."""
        answer = self._sheets.tabs()
        self._tabs = answer.get("sheets", [])
        wanted = self._look.worksheet
        ours = [tab for tab in self._tabs if marks.table_of(tab) == wanted]
        visible = [tab for tab in self._tabs if not tab["properties"].get("hidden")]
        chosen = ours or ([] if wanted else visible)
        if not chosen:
            return Shape(exists=False, empty=True, token=Standing(wanted or "runs", marks.nonce(answer)))
        self._title = chosen[0]["properties"]["title"]
        return self._shape(self._sheets.header(self._title))

    def _shape(self, answer: Mapping[str, Any]) -> Shape:
        header = reader.header_texts(answer["sheets"][0])
        now = reader.standing(self._title, answer, header)
        now = replace(now, made=bool(now.marks))
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

    def content(self, shape: Shape, adopted: Sequence[Placed] = ()) -> Content:
        now: Standing = shape.token
        if now.nonce is None and shape.empty:
            return Content()
        identity = {} if shape.empty else reader.identity(now)
        wanted = [*(mark.id for mark in identity.values()), marks.NOTES]
        found = reader.by_mark(
            self._sheets.values([{"developerMetadataLookup": {"metadataId": mark}} for mark in wanted])
        )
        notes = self._notes(found.get(marks.NOTES))
        if shape.empty:
            return Content(notes=notes or ())
        if any(mark.id not in found for mark in identity.values()):
            raise Changed("a column was removed while it was read")
        if not adopted and notes is not None:
            columns = {key: found[mark.id] for key, mark in identity.items()}
            return Content(tuple(reader.row_ids(columns, filled=False)), notes)
        spans = {owned.key: (owned.index, owned.index + 1) for owned in shape.owned}
        spans |= {placed.column.key: (placed.index, placed.index + 1) for placed in adopted}
        rows = reader.row_ids(self._columns(now, spans), filled=True)
        # A sheet that is adopted has no book-keeping yet; one of ours without it has lost it.
        return Content(tuple(rows), notes if shape.owned else notes or ())

    def _notes(self, texts: Sequence[str] | None) -> tuple[Note, ...] | None:
        """The notes of our table, None when the book-keeping tab is gone."""
        self._note_texts = texts or ()
        if texts is None:
            return None
        parsed = (parse_note(text) for text in texts)
        return tuple(item[1] for item in parsed if item and item[0] == self._look.worksheet)

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
        """Whether the book-keeping tab exists: asked only when none of our notes were found."""
        if plan.content.notes:
            return replace(now, notes="ready", repack=repacked(self._note_texts, self._look.worksheet))
        tabs = [tab["properties"] for tab in self._all_tabs()]
        if any(tab["sheetId"] == marks.NOTES_TAB for tab in tabs):
            lookup = {"developerMetadataLookup": {"metadataId": marks.NOTES}}
            return replace(now, notes="ready" if self._sheets.values([lookup]) else "unmarked")
        titles = {tab["title"] for tab in tabs}
        free = (f"_runsheet{suffix}" for suffix in ("", *(f" {number}" for number in range(2, 1000))))
        return replace(now, notes="", notes_title=next(title for title in free if title not in titles))

    def _fit(self, plan: Plan, now: Standing) -> tuple[int, int]:
        """Make sure that the plan fits into 10 million cells; give back room that nobody uses.

        Returns the number of blank columns at the right edge to delete, and the columns that a
        new table gets. Raises SheetError when it cannot fit.
        """
        needed, room = len(plan.columns), self._look.room
        rows = now.rows + len(plan.rows) + (0 if now.tab is not None else 101)
        width = max(room, needed, now.columns) if plan.shape.empty else now.columns + len(plan.new)
        if rows * width < LOOK_AT_CELLS:
            return 0, room
        free = CELLS - self._cells_elsewhere(now.tab)
        if rows * width <= free:
            return 0, room
        narrow = max(needed, now.columns)
        give_back = 0 if plan.shape.empty else now.columns - now.used - self._used_beyond(now)
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
        found = self._sheets.values([{"gridRange": beyond}])
        filled = [n for item in found for n, column in enumerate(reader.texts(item), 1) if any(column)]
        return max(filled, default=0)

    def _cells_elsewhere(self, tab: int | None) -> int:
        others = [t["properties"] for t in self._all_tabs() if t["properties"]["sheetId"] != tab]
        grids = [properties.get("gridProperties", {}) for properties in others]
        return sum(int(grid.get("rowCount", 0)) * int(grid.get("columnCount", 0)) for grid in grids)

    def _all_tabs(self) -> list[Mapping[str, Any]]:
        self._tabs = self._tabs or self._sheets.tabs().get("sheets", [])
        return self._tabs

    def _send(self, part: Batch) -> None:
        """Send one batch. A refusal is a change if the sheet is not as the batch took it to be."""
        try:
            self._sheets.update(part.requests)
        except Rejected as refusal:
            if self._moved(part.before):
                raise Changed("a guard refused the batch") from refusal
            raise SheetError(_advice(str(refusal), str(self._sheets))) from refusal

    def _moved(self, before: Standing) -> bool:
        """Whether the spreadsheet is not as a batch took it to be. Asked after a refusal only, since
        what Google's text says about one is not documented."""
        answer = self._sheets.tabs()
        tabs = {tab["properties"]["sheetId"]: tab["properties"] for tab in answer.get("sheets", [])}
        if marks.nonce(answer) != before.nonce:
            return True
        if before.tab is None:
            return before.title in {tab["title"] for tab in tabs.values()}
        if before.tab not in tabs:
            return True
        header = self._sheets.header(tabs[before.tab]["title"])
        after = reader.standing(before.title, header, ())
        return _places(after) != _places(before) or after.columns != before.columns

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
                    self._sheets.update([marks.delete(metadataId=marks.PROBE)])
                    raise ServiceError(_broken_rule(rule, "a batch that breaks it was accepted"))
            yield rule


def _places(now: Standing) -> set[marks.Mark]:
    return {*now.marks, *([now.end] if now.end else [])}


def _broken_rule(rule: str, what: str) -> str:
    return (
        f"Google Sheets does not behave as it must ({rule}: {what}). Rows could be doubled, so nothing "
        "was written to the worksheet"
    )


def _advice(text: str, what: str) -> str:
    if "protected" in text:
        return f"{what} has a protected range that we may not write: {text} Nothing was written"
    if "number of cells" in text:
        return f"{what} is full: {text} Move old rows to another spreadsheet. Nothing was written"
    return f"{what} does not take the rows: {text}"
