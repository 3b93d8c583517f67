"""The requests of one plan, and how the sheet stands after them. Pure.

Order within a batch: the nonce, the guards, then structure (tab, columns, book-keeping tab), then
rows, then their ids. The guards come first since they speak of the places that were read.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo

from runsheet import columns, ledger
from runsheet.destinations.gsheet import batch, encoding, marks, size
from runsheet.destinations.gsheet import images as images_of
from runsheet.destinations.gsheet.batch import Json
from runsheet.destinations.gsheet.document import quoted
from runsheet.destinations.gsheet.encoding import Request
from runsheet.destinations.gsheet.feed import Encoded
from runsheet.destinations.gsheet.marks import Elsewhere, Mark
from runsheet.destinations.gsheet.notes import NOTES_HEADER, note_text
from runsheet.destinations.gsheet.standing import Standing
from runsheet.model import Change, Plan
from runsheet.packing import Note

OnTab = marks.Made | marks.Watermarks | Elsewhere
"""Marks on the tab itself."""


@dataclass(frozen=True, slots=True)
class Look:
    """Settings that shape what is written: the WORKSHEET asked for, time zone."""

    worksheet: str
    zone: tzinfo
    zone_name: str


class Writer:
    """Builds requests and keeps track of how the sheet will stand."""

    def __init__(
        self, plan: Plan, standing: Standing, look: Look, width: int, elsewhere: Elsewhere | None
    ) -> None:
        self._plan = plan
        self._look = look
        self._width = width
        self._elsewhere = elsewhere
        self._was_ours = standing.is_ours
        self.standing = standing
        self._indexes: list[int] = []

    def passport(self) -> list[Json]:
        """The requests that let a batch pass only if nothing moved since the last one."""
        s = self.standing
        fresh = secrets.token_hex(8)
        requests = [*marks.swap(s.nonce, fresh), *self.guards()]
        self.standing = replace(s, nonce=fresh)
        return requests + self._end()

    def guards(self) -> list[Json]:
        s = self.standing
        return [] if s.tab is None else marks.guard(s.tab, s.marks)

    @property
    def zone(self) -> tzinfo:
        return self._look.zone

    @property
    def segments(self) -> list[list[int]]:
        """Runs of our columns without a gap, as places in a row: each is a request of its own in a batch."""
        return [places for _, places in batch.segments(self._indexes)]

    @property
    def frame(self) -> int:
        """Bytes around the rows in a batch, at most."""
        dates = sum(column.date for column in self._plan.columns)
        return 1_000 + 150 * len(self.segments) + 500 * dates

    def structure(self) -> list[Json]:
        """The first batch's part: passport, tab, marks of adopted columns, new columns, notes tab."""
        requests = self.passport() if self.standing.tab is not None else self._first_passport()
        if self.standing.marks:
            requests += self._drop() + self._follow()
        requests += self._table()
        requests += self._forget() + self._remember()
        requests += self._adopt()
        requests += self._new_columns()
        requests += self._made()
        requests += self._notes_tab()
        if not self.standing.end:
            requests += self._end()
        self._indexes = self._places()
        return requests

    def rows(self, rows: Sequence[Encoded], first: int) -> list[Request]:
        if not rows:
            return []
        tab, look = self._tab(), self._look
        requests: list[Request] = [*self._insert("ROWS", first, len(rows), inherit=first > 1)]
        if first < self.standing.frozen:
            # Rows that are inserted between frozen ones freeze with them.
            requests.append(batch.freeze(tab, self.standing.frozen))
        for number, (left, _) in enumerate(batch.segments(self._indexes)):
            start = {"sheetId": tab, "rowIndex": first, "columnIndex": left}
            requests.append(encoding.rows(start, [row.parts[number] for row in rows]))
        # Adopted columns and rows right under a header have no format to inherit.
        adopted = {mark.value for mark in self.standing.marks if mark.key == marks.KEY_ADOPTED}
        for column, index in zip(self._plan.columns, self._indexes, strict=True):
            if column.date and (first == 1 or self._plan.dated or column.key in adopted):
                requests.append(batch.dates(tab, (first, first + len(rows)), index, look.zone_name))
        return requests

    def change(self, requests: list[Request], changes: Sequence[Change]) -> str:
        """Add the requests that make changes; returns the name of the images that they leave."""
        if not changes:
            return ""
        s, tab = self.standing, self._tab()
        fresh = images_of.other(s.image_tabs, s.images)
        images = images_of.name(fresh, secrets.token_hex(4))
        at = {owned.key: owned.index for owned in self._plan.owned}
        floor = Mark(s.floor_id, images_of.KEY_FLOOR, "", s.rows - 1)
        requests += images_of.guard_floor(tab, s.floor, floor)
        requests += [batch.delete_tab(fresh)] if fresh in s.images else []
        requests += images_of.make(images, s.image_tabs[fresh], len(changes), max(at.values(), default=0) + 1)
        requests += images_of.copies(tab, fresh, changes, at)
        pending = ledger.pending(self._plan.content.notes or ())
        held = images_of.tab_of(pending.images) if pending else 0
        old, was_at = (held, pending.at) if pending and held in s.images and held != fresh else (0, {})
        requests += images_of.writes(tab, changes, at | self._all_places(), old, was_at)
        requests += [batch.delete_tab(other) for other in s.images if other != fresh]
        self.standing = replace(s, images=(fresh,), floor=floor)
        return images

    def show(self, before: Standing, images: str) -> tuple[str, ...]:
        """The ranges that tell, after a batch, whether people were at work in that second."""
        if before.tab is None or not self._plan.owned:
            return ()
        header = f"{quoted(before.title)}!1:1"
        return (header, quoted(images_of.title(images))) if images else (header,)

    def widths(self) -> list[Json]:
        """Dates do not fit into a column of the usual width, and would show as ####."""
        places = self._all_places()
        made = [places[column.key] for column in self._plan.new if column.date]
        return [batch.fit_width(self._tab(), index) for index in made]

    def notes(self, notes: Sequence[Note]) -> list[Json]:
        texts = [note_text(self.standing.table, note) for note in notes]
        return [batch.append_texts(marks.NOTES_TAB, texts)] if texts else []

    def watermarks(self, rows: int, first: int) -> list[Json]:
        """Requests that replace the watermarks of the tab, in a batch that inserts `rows` rows at `first`.
        Those for which there is no room are not kept: they only save time."""
        s, old, texts = self.standing, self.standing.watermarks, self._plan.watermarks
        if texts is None:
            return []
        grid = s.rows + rows + bool(rows and first >= s.rows)
        mark = marks.Watermarks(old.id if old else new_id(), texts, grid)
        kept = bool(texts) and marks.fits(mark, s.marks)
        return self._replace(old, marks.KEY_WATERMARKS, mark if kept else None)

    def _tab(self) -> int:
        assert self.standing.tab is not None, "the first batch makes the tab"
        return self.standing.tab

    def _first_passport(self) -> list[Json]:
        fresh = secrets.token_hex(8)
        requests = marks.swap(self.standing.nonce, fresh)
        self.standing = replace(self.standing, nonce=fresh)
        return requests

    def _end(self) -> list[Json]:
        """Guard the mark on the last grid column; move it there when columns were added."""
        s = self.standing
        if s.tab is None or not s.columns:
            return []
        moved = replace(s.end, index=s.columns - 1) if s.end else _end_mark(s.columns - 1)
        requests = [marks.delete_at(s.end, s.tab)] if s.end else []
        place = marks.column_place(s.tab, moved.index)
        self.standing = replace(s, end=moved)
        return [*requests, marks.create(moved.id, moved.key, moved.value, place)]

    def _table(self) -> list[Json]:
        """The tab, its mark and its header row, where they are missing."""
        s, plan = self.standing, self._plan
        requests: list[Json] = []
        if s.tab is None:
            tab, rows = new_id(), 1 + size.SPARE_ROWS
            self.standing = replace(s, tab=tab, rows=rows, columns=self._width)
            requests += [batch.add_tab(tab, s.title, rows, self._width), batch.freeze(tab)]
        elif plan.shape.empty:
            # A person may type into the empty tab at this moment: the header gets a row of its own.
            requests.append(batch.insert(s.tab, "ROWS", 0, 1, inherit=False))
            missing = self._width - s.columns
            if missing > 0:
                requests.append(batch.append_dimension(s.tab, "COLUMNS", missing))
            requests.append(batch.freeze(s.tab, max(1, s.frozen)))
            self.standing = replace(
                s, frozen=max(1, s.frozen), rows=s.rows + 1, columns=max(s.columns, self._width)
            )
        return requests + self._table_mark()

    def _table_mark(self) -> list[Json]:
        """The tab's mark, made anew where it is missing, a copy, or names another WORKSHEET."""
        s, tab = self.standing, self._tab()
        old = s.table_mark
        worksheet = self._look.worksheet or (old.worksheet if old else "")
        mark = marks.Table(s.table, tab, worksheet, old.id if old else new_id())
        if mark == old:
            return []
        self.standing = replace(s, table_mark=mark)
        gone = [marks.delete(metadataId=old.id)] if old else []
        return [*gone, marks.create(mark.id, marks.KEY_TABLE, mark.value, {"sheetId": tab})]

    def _made(self) -> list[Json]:
        """The mark that remembers columns, made anew where it lacks one. A tab that has none takes
        them from the book-keeping; one that starts over forgets those it had."""
        s, plan, old = self.standing, self._plan, self.standing.made
        keys = [mark.value for mark in s.marks]
        over = plan.shape.empty or plan.shape.hollow
        if old is None and not over:
            keys = [*ledger.parse(plan.content.notes or ()).columns, *keys]
        known = replace(old, prints=()) if old and over else old
        texts = plan.watermarks
        asked = marks.Watermarks(0, texts, size.CELLS) if texts else None
        beside = max(
            marks.chars(s.watermarks), marks.chars(asked) if asked and marks.fits(asked, s.marks) else 0
        )
        mark = marks.remember(known, map(columns.fingerprint, keys), s.marks, new_id(), beside)
        if mark == old:
            return []
        self.standing = replace(s, made=mark)
        return self._replace(old, marks.KEY_MADE, mark)

    def _forget(self) -> list[Json]:
        """What a tab remembers goes when it starts over; so does what a copy remembers of its original."""
        s, plan = self.standing, self._plan
        if self._was_ours and not (plan.shape.empty or plan.shape.hollow):
            return []
        self.standing = replace(s, watermarks=None, elsewhere=None)
        gone = self._replace(s.watermarks, marks.KEY_WATERMARKS, None)
        return gone + self._replace(s.elsewhere, marks.KEY_ELSEWHERE, None)

    def _remember(self) -> list[Json]:
        """The mark that remembers how large the other tabs are."""
        old, fresh = self.standing.elsewhere, self._elsewhere
        if fresh is None:
            return []
        self.standing = replace(self.standing, elsewhere=fresh)
        return self._replace(old, marks.KEY_ELSEWHERE, fresh)

    def _replace(self, old: OnTab | None, key: str, mark: OnTab | None) -> list[Json]:
        """Requests that put a mark on the tab in place of another, whatever a person made of that."""
        place = {"sheetId": self._tab()}
        gone = [marks.delete(metadataId=old.id)] if old else []
        return gone + ([marks.create(mark.id, key, mark.value, place)] if mark else [])

    def _adopt(self) -> list[Json]:
        made = [Mark(new_id(), marks.KEY_ADOPTED, p.column.key, p.index) for p in self._plan.adopted]
        return self._add_marks(made)

    def _new_columns(self) -> list[Json]:
        """New columns to the right of everything in use: inserted, so that nothing is overwritten."""
        new, tab = self._plan.new, self._tab()
        if not new:
            return []
        start = 0 if self._plan.shape.empty else self.standing.used
        requests: list[Json] = []
        if not self._plan.shape.empty:
            requests += self._insert("COLUMNS", start, len(new), inherit=start > 0)
            self.standing = replace(self.standing, used=start + len(new))
        requests.append(batch.header_json(tab, start, new))
        requests.append(batch.bold_header(tab, start, len(new)))
        if start:
            # The column before may be one of dates.
            requests.append(batch.plain_numbers(tab, (start, start + len(new))))
        for offset, column in enumerate(new):
            if column.date:
                requests.append(batch.dates(tab, (1, None), start + offset, self._look.zone_name))
        made = [Mark(new_id(), marks.KEY_COLUMN, c.key, start + offset) for offset, c in enumerate(new)]
        return requests + self._add_marks(made)

    def _insert(self, dimension: str, start: int, count: int, inherit: bool) -> list[Json]:
        """Insert rows or columns. At the edge of the grid one more is appended first, so that they
        go in front of it: a row that a person appends at this moment is never written into."""
        s, tab = self.standing, self._tab()
        size = s.rows if dimension == "ROWS" else s.columns
        edge = 1 if start >= size else 0
        if dimension == "ROWS":
            floor = s.floor
            if floor and floor.index >= start:
                floor = replace(floor, index=floor.index + count)
            self.standing = replace(s, rows=size + count + edge, floor=floor)
        else:
            end = s.end
            if end and end.index >= start:
                end = replace(end, index=end.index + count)
            self.standing = replace(s, columns=size + count + edge, end=end)
        grown = [batch.append_dimension(tab, dimension, edge)] if edge else []
        return [*grown, batch.insert(tab, dimension, start, count, inherit)]

    def _drop(self) -> list[Json]:
        """Marks of columns that are not ours any more go: a table that starts over keeps none."""
        plan, s = self._plan, self.standing
        every = plan.shape.empty or plan.shape.hollow
        gone = tuple(mark for mark in s.marks if every or mark.value in plan.dropped)
        self.standing = replace(s, marks=tuple(mark for mark in s.marks if mark not in gone))
        return [marks.delete_at(mark, self._tab()) for mark in gone]

    def _follow(self) -> list[Json]:
        """Marks go to where their columns were found again, which a person had cut and pasted."""
        places = {owned.key: owned.index for owned in self._plan.owned}
        old = [mark for mark in self.standing.marks if places.get(mark.value, mark.index) != mark.index]
        kept = tuple(mark for mark in self.standing.marks if mark not in old)
        self.standing = replace(self.standing, marks=kept)
        gone = [marks.delete_at(mark, self._tab()) for mark in old]
        return gone + self._add_marks([replace(mark, index=places[mark.value]) for mark in old])

    def _add_marks(self, made: list[Mark]) -> list[Json]:
        tab = self._tab()
        self.standing = replace(self.standing, marks=(*self.standing.marks, *made))
        return [marks.create(m.id, m.key, m.value, marks.column_place(tab, m.index)) for m in made]

    def _notes_tab(self) -> list[Json]:
        s = self.standing
        self.standing = replace(s, notes="ready", repack=())
        mark = marks.create(marks.NOTES, marks.KEY_NOTES, "", marks.column_place(marks.NOTES_TAB, 0))
        if s.notes == "unmarked" and not s.repack:
            return [mark]
        if s.notes == "ready" and not s.repack:
            return []
        # Made anew to be packed: deleting rows by their places would trust that nobody moved them.
        old = [batch.delete_tab(marks.NOTES_TAB)] if s.notes else []
        made = batch.add_tab(marks.NOTES_TAB, s.notes_title, 2, 1, hidden=True)
        texts = [NOTES_HEADER, *s.repack]
        return [*old, made, mark, batch.append_texts(marks.NOTES_TAB, texts)]

    def _places(self) -> list[int]:
        """The grid column of each column of the plan."""
        places = self._all_places()
        return [places[column.key] for column in self._plan.columns]

    def _all_places(self) -> dict[str, int]:
        return {mark.value: mark.index for mark in self.standing.marks}


def new_id() -> int:
    """A metadata or sheet id that is free as far as chance can tell; a taken one refuses the batch."""
    return secrets.randbelow(1_900_000_000) + 1


def _end_mark(index: int) -> Mark:
    return Mark(new_id(), marks.KEY_END, "", index)
