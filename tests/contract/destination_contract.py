"""What every destination promises (runsheet/destinations/base.py), as tests to subclass.

A subclass gives the fixture `make`: a function that opens one and the same, at first empty, place
as a destination, and a Person who works in it by other means than ours.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import openpyxl
import pytest

from runsheet import ledger
from runsheet.destinations.base import Destination
from runsheet.errors import Changed
from runsheet.model import (
    Cell,
    Change,
    Column,
    Content,
    Edit,
    Foreign,
    Placed,
    Plan,
    Row,
    Scope,
    Shape,
    Stored,
    Written,
)
from runsheet.packing import Note
from runsheet.stored import same
from tests.support import builders

SCOPE = Scope("wandb", "api.wandb.ai", "team/proj")
RUN_ID = Column("run_id", "run_id", "run_id")
NAME = Column("name", "Name", "name")
CREATED = Column("created_at", "created_at", "created_at", date=True)
LR = Column("config.lr", "lr", "config.lr")
COLUMNS = (RUN_ID, NAME, CREATED, LR)
WATERMARKS = ("wandb api.wandb.ai team/proj 2026-11-21T09:30:15Z", '{"모델": "=1+1"}', "x" * 290)
WHEN = datetime(2026, 11, 21, 9, 30, 15, tzinfo=UTC)


class Person(Protocol):
    """Somebody with the worksheet open. Rows and columns count from 0, the header is row 0."""

    def values(self) -> list[list[Cell]]:
        """All cells as a person would name them: typed, dates aware (UTC), blank ends left out."""
        ...

    def put(self, row: int, column: int, value: Cell) -> None:
        """Type a value into a cell, over what is there; None empties it."""
        ...

    def insert_column(self, column: int) -> None: ...
    def delete_column(self, column: int) -> None: ...
    def move_column(self, column: int, to: int) -> None:
        """Cut a column and insert it where it has the index `to` afterwards."""
        ...

    def delete_row(self, row: int) -> None: ...
    def sort(self, column: int, *, descending: bool = False) -> None:
        """Sort all rows but the header."""
        ...

    def clear(self) -> None:
        """Delete what all cells of the worksheet hold."""
        ...

    def delete_tab(self, name: str | None = None) -> None:
        """Delete the worksheet, or the tab `name`."""
        ...

    def add_tab(self, name: str) -> None: ...


@dataclass(frozen=True)
class Place:
    """What the fixture `make` gives."""

    open: Callable[[], Destination]
    person: Person


def run(name: str, *cells: Cell) -> Row:
    return Row(SCOPE, name, (name, *cells))


def plan(
    destination: Destination,
    rows: Sequence[Row] = (),
    new: Sequence[Column] = (),
    adopted: Sequence[Placed] = (),
    notes: Sequence[Note] = (),
) -> Plan:
    """A plan as the sync would make it: below the last row with an id, in the columns there are."""
    shape = destination.read()
    content = destination.content(shape, adopted)
    by_key = {column.key: column for column in COLUMNS}
    here = [by_key.get(item.key, Column(item.key, item.title, item.key)) for item in shape.owned]
    columns = (*here, *(placed.column for placed in adopted), *new)
    after = max((row.index for row in content.rows), default=0)
    return Plan(
        shape,
        content,
        columns=columns,
        owned=shape.owned,
        adopted=tuple(adopted),
        new=tuple(new),
        rows=tuple(rows),
        after=after,
        notes=tuple(notes),
    )


def changed(
    destination: Destination, run_id: str, wanted: Mapping[str, Stored], new: Sequence[Column] = ()
) -> Plan:
    """A plan that gives cells of a row other values."""
    decided = plan(destination, new=new)
    row = next(row for row in decided.content.rows if row.run_id == run_id)
    there = destination.cells(decided.shape, decided.content, [row]).rows[row.index]
    edits = tuple(Edit(key, there.get(key), after) for key, after in wanted.items())
    return replace(decided, changes=(Change(row, SCOPE, edits),))


def cells(destination: Destination) -> dict[str, Mapping[str, Stored]]:
    """What is read of the rows, by run id."""
    shape, content = look(destination)
    found = destination.cells(shape, content, content.rows)
    return {row.run_id: found.rows[row.index] for row in content.rows}


def ids(destination: Destination) -> list[str]:
    shape = destination.read()
    return [row.run_id for row in destination.content(shape).rows]


def look(destination: Destination) -> tuple[Shape, Content]:
    shape = destination.read()
    return shape, destination.content(shape)


class DestinationContract:
    """Subclass it, and give the fixture `make`."""

    formulas = True
    """Whether a cell can hold a formula."""

    @pytest.fixture
    def destination(self, make: Place) -> Destination:
        return make.open()

    @pytest.fixture
    def person(self, make: Place) -> Person:
        return make.person

    @pytest.fixture
    def filled(self, destination: Destination) -> Destination:
        """Two runs in four columns."""
        rows = (run("r1", "one", WHEN, 0.1), run("r2", "two", WHEN, 0.2))
        assert list(destination.apply(plan(destination, rows, COLUMNS))) == [Written(2)]
        return destination

    def test_nothing_is_there_at_first(self, destination: Destination) -> None:
        shape, content = look(destination)
        assert not shape.exists
        assert shape.empty
        assert (shape.header, shape.owned) == ((), ())
        assert content == Content((), ())

    def test_reading_makes_nothing(self, destination: Destination) -> None:
        look(destination)
        assert not destination.read().exists

    def test_first_rows(self, filled: Destination, person: Person) -> None:
        assert person.values() == [
            ["run_id", "Name", "created_at", "lr"],
            ["r1", "one", WHEN, 0.1],
            ["r2", "two", WHEN, 0.2],
        ]

    def test_what_was_written_is_read(self, filled: Destination) -> None:
        shape, content = look(filled)
        assert (shape.exists, shape.empty) == (True, False)
        assert shape.header == ("run_id", "Name", "created_at", "lr")
        assert [(item.key, item.index, item.title) for item in shape.owned] == [
            ("run_id", 0, "run_id"),
            ("name", 1, "Name"),
            ("created_at", 2, "created_at"),
            ("config.lr", 3, "lr"),
        ]
        assert [(row.run_id, row.index, row.filled) for row in content.rows] == [
            ("r1", 1, True),
            ("r2", 2, True),
        ]

    def test_rows_come_with_their_book_keeping(self, filled: Destination) -> None:
        _, content = look(filled)
        assert content.notes is not None
        assert ledger.parse(content.notes).ids == {SCOPE: frozenset({"r1", "r2"})}

    def test_notes_of_the_plan_are_kept_in_order(self, filled: Destination) -> None:
        notes = [ledger.column("config.lr", "config.lr"), ("later", "a", "text with = and 한글")]
        list(filled.apply(plan(filled, notes=notes)))
        _, content = look(filled)
        assert content.notes is not None
        assert [note for note in content.notes if note in notes] == notes

    @pytest.mark.parametrize(
        "value",
        [
            "=1+1",
            "+1",
            "-1",
            "@user",
            "'quoted",
            "0012",
            "1e5",
            "TRUE",
            "2026-11-21",
            "#N/A",
            " blanks ",
            "two\nlines",
            "tab\there",
            '<b>&amp;"',
            "한국어 模型 👩‍👩‍👧 עברית",
            "_x0041_",
            "x" * 30_000,
            0,
            -5,
            2**53,
            0.1,
            1e-07,
            1.7976931348623157e308,
            5e-324,
            True,
            False,
            WHEN,
        ],
        ids=lambda value: repr(value)[:24],
    )
    def test_a_value_is_what_it_was(self, destination: Destination, person: Person, value: Cell) -> None:
        column = CREATED if isinstance(value, datetime) else NAME
        list(destination.apply(plan(destination, [run("r1", value)], (RUN_ID, column))))
        (_, row) = person.values()
        assert row == ["r1", value]
        assert type(row[1]) is type(value) or not isinstance(value, (bool, str))

    def test_no_value_is_an_empty_cell(self, destination: Destination, person: Person) -> None:
        list(destination.apply(plan(destination, [run("r1", None, None, 1.0)], COLUMNS)))
        assert person.values()[1] == ["r1", None, None, 1]

    def test_more_rows_go_below_in_order(self, filled: Destination, person: Person) -> None:
        rows = [run("r9", "nine", WHEN, 9), run("r3", "three", None, 3)]
        assert sum(part.rows for part in filled.apply(plan(filled, rows))) == 2
        assert [row[0] for row in person.values()] == ["run_id", "r1", "r2", "r9", "r3"]
        assert person.values()[4] == ["r3", "three", None, 3]

    def test_a_plan_of_nothing_changes_nothing(self, filled: Destination, person: Person) -> None:
        before, requests = person.values(), filled.requests
        decided = plan(filled)
        requests = filled.requests
        assert list(filled.apply(decided)) == []
        assert filled.requests == requests
        assert person.values() == before

    def test_edits_of_people_stay(self, filled: Destination, person: Person) -> None:
        person.put(1, 1, "corrected")
        person.put(1, 6, "remark")
        list(filled.apply(plan(filled, [run("r3", "three", WHEN, 3)])))
        values = person.values()
        assert values[1] == ["r1", "corrected", WHEN, 0.1, None, None, "remark"]
        assert values[3] == ["r3", "three", WHEN, 3]

    def test_a_renamed_column_stays_ours(self, filled: Destination, person: Person) -> None:
        person.put(0, 3, "learning rate")
        shape = filled.read()
        assert [(item.key, item.title) for item in shape.owned][3] == ("config.lr", "learning rate")

    def test_an_inserted_column_shifts_ours(self, filled: Destination, person: Person) -> None:
        person.insert_column(1)
        list(filled.apply(plan(filled, [run("r3", "three", WHEN, 3)])))
        assert person.values()[3] == ["r3", None, "three", WHEN, 3]

    @pytest.mark.parametrize(("column", "to"), [(0, 3), (3, 0), (1, 2)])
    def test_a_moved_column_stays_ours(
        self, filled: Destination, person: Person, column: int, to: int
    ) -> None:
        person.move_column(column, to)
        keys = [item.key for item in COLUMNS]
        keys.insert(to, keys.pop(column))
        shape, content = look(filled)
        owned = sorted(shape.owned, key=lambda item: item.index)
        assert [item.key for item in owned] == keys
        assert [row.run_id for row in content.rows] == ["r1", "r2"]

    def test_a_deleted_column_is_not_ours(self, filled: Destination, person: Person) -> None:
        person.delete_column(1)
        shape = filled.read()
        assert [(item.key, item.index) for item in shape.owned] == [
            ("run_id", 0),
            ("created_at", 1),
            ("config.lr", 2),
        ]
        list(filled.apply(plan(filled, [run("r3", WHEN, 3)])))
        assert person.values()[3] == ["r3", WHEN, 3]

    def test_a_sorted_sheet(self, filled: Destination, person: Person) -> None:
        person.sort(0, descending=True)
        assert ids(filled) == ["r2", "r1"]
        list(filled.apply(plan(filled, [run("r3", "three", WHEN, 3)])))
        assert ids(filled) == ["r2", "r1", "r3"]

    def test_a_deleted_row_is_known_still(self, filled: Destination, person: Person) -> None:
        person.delete_row(1)
        _, content = look(filled)
        assert [row.run_id for row in content.rows] == ["r2"]
        assert ledger.parse(content.notes or ()).knows(SCOPE, "r1")

    def test_what_stands_below_the_table_stays(self, filled: Destination, person: Person) -> None:
        person.put(5, 1, "a note of mine")
        list(filled.apply(plan(filled, [run("r3", "three", WHEN, 3), run("r4", "four", WHEN, 4)])))
        values = person.values()
        assert sum(row == [None, "a note of mine"] for row in values) == 1
        assert values[1:3] == [["r1", "one", WHEN, 0.1], ["r2", "two", WHEN, 0.2]]
        assert ids(filled) == ["r1", "r2", "r3", "r4"]

    def test_new_columns_go_right_of_everything(self, filled: Destination, person: Person) -> None:
        person.put(2, 7, "far right")
        loss = Column("summary.loss", "loss", "summary.loss")
        list(filled.apply(plan(filled, [run("r3", "three", WHEN, 3, 0.5)], [loss])))
        values = person.values()
        assert values[0] == ["run_id", "Name", "created_at", "lr", None, None, None, None, "loss"]
        assert values[2] == ["r2", "two", WHEN, 0.2, None, None, None, "far right"]
        assert values[3] == ["r3", "three", WHEN, 3, None, None, None, None, 0.5]
        assert [item.key for item in filled.read().owned][-1] == "summary.loss"

    def test_a_number_in_the_id_column_reads_as_text(self, filled: Destination, person: Person) -> None:
        person.put(3, 0, 12345)
        assert ids(filled) == ["r1", "r2", "12345"]

    def test_a_plan_for_an_older_sheet_is_refused(self, filled: Destination, make: Place) -> None:
        late = plan(filled, [run("r3", "late", WHEN, 3)])
        other = make.open()
        list(other.apply(plan(other, [run("r3", "first", WHEN, 3)])))
        before = make.person.values()
        with pytest.raises(Changed):
            list(filled.apply(late))
        assert make.person.values() == before

    def test_a_column_that_moved_meanwhile_refuses_the_plan(
        self, filled: Destination, person: Person
    ) -> None:
        late = plan(filled, [run("r3", "three", WHEN, 3)])
        person.insert_column(0)
        before = person.values()
        with pytest.raises(Changed):
            list(filled.apply(late))
        assert person.values() == before

    def test_adopting_marks_columns_and_changes_no_cell(
        self, destination: Destination, person: Person
    ) -> None:
        person.add_tab("runs")
        for index, value in enumerate(["remark", "run_id", "Name"]):
            person.put(0, index, value)
        person.put(1, 1, "r1")
        person.put(1, 2, "one")
        person.put(2, 1, "total")
        before = person.values()
        placed = [Placed(RUN_ID, 1), Placed(NAME, 2)]
        shape = destination.read()
        assert (shape.exists, shape.empty, shape.owned) == (True, False, ())
        rows = destination.content(shape, placed).rows
        assert [(row.run_id, row.filled) for row in rows] == [("r1", True), ("total", False)]
        list(destination.apply(plan(destination, adopted=placed)))
        assert person.values() == before
        assert [(item.key, item.index) for item in destination.read().owned] == [("run_id", 1), ("name", 2)]

    def test_an_empty_tab_is_filled_from_row_1(self, destination: Destination, person: Person) -> None:
        person.add_tab("runs")
        shape = destination.read()
        assert (shape.exists, shape.empty, shape.header) == (True, True, ())
        list(destination.apply(plan(destination, [run("r1", "one")], (RUN_ID, NAME))))
        assert person.values() == [["run_id", "Name"], ["r1", "one"]]

    def test_other_tabs_do_not_matter(self, destination: Destination, person: Person) -> None:
        person.add_tab("plots")
        assert not destination.read().exists
        list(destination.apply(plan(destination, [run("r1", "one")], (RUN_ID, NAME))))
        assert person.values() == [["run_id", "Name"], ["r1", "one"]]

    def test_a_cleared_tab_starts_over(self, filled: Destination, person: Person) -> None:
        """The book-keeping is kept: the plan says whether it counts."""
        person.clear()
        shape, content = look(filled)
        assert (shape.exists, shape.empty, shape.owned) == (True, True, ())
        assert ledger.parse(content.notes or ()).knows(SCOPE, "r1")
        list(filled.apply(plan(filled, [run("r1", "again")], (RUN_ID, NAME))))
        assert person.values() == [["run_id", "Name"], ["r1", "again"]]
        assert [(item.key, item.index) for item in filled.read().owned] == [("run_id", 0), ("name", 1)]

    def test_a_deleted_tab_starts_over(self, filled: Destination, person: Person) -> None:
        person.add_tab("plots")
        person.delete_tab()
        shape, content = look(filled)
        assert (shape.exists, shape.empty, shape.owned) == (False, True, ())
        assert ledger.parse(content.notes or ()).knows(SCOPE, "r1")
        list(filled.apply(plan(filled, [run("r1", "again")], (RUN_ID, NAME))))
        assert person.values() == [["run_id", "Name"], ["r1", "again"]]

    def test_lost_book_keeping_is_told(self, filled: Destination, person: Person) -> None:
        """None, not (): rows that people deleted may come back once, and the tick says so."""
        person.put(4, 0, "a remark in the id column")
        person.delete_tab("_runsheet")
        shape = filled.read()
        adopted = [Placed(RUN_ID, 0), Placed(NAME, 1)] if not shape.owned else []
        content = filled.content(shape, adopted)
        assert content.notes is None
        assert [(row.run_id, row.filled) for row in content.rows] == [
            ("r1", True),
            ("r2", True),
            ("a remark in the id column", False),
        ]

    def test_a_backup_holds_values_and_formulas(
        self, destination: Destination, person: Person, tmp_path: Path
    ) -> None:
        """Read by another program: numbers, booleans and dates as such, text that looks like a formula as
        text, formulas as formulas."""
        texts = ["=1+1", "#N/A", "0012", " 한국어 <b>\n", "_x0041_", True, False]
        rows = [run(f"r{number}", value, WHEN, 0.1) for number, value in enumerate(texts, 1)]
        list(destination.apply(plan(destination, rows, COLUMNS)))
        person.put(1, 5, "=SUM(D2:D3)")
        person.put(12, 1, "below")
        path = tmp_path / "backup.xlsx"
        requests = destination.requests
        shape = destination.read()
        spent = destination.requests - requests
        destination.backup(shape, path)
        assert destination.requests == requests + spent
        sheet = openpyxl.load_workbook(path).worksheets[0]
        assert [cell.value for cell in sheet[1]][:4] == ["run_id", "Name", "created_at", "lr"]
        shown = [sheet.cell(row, 2) for row in range(2, 9)]
        assert [
            cell.value.replace("_x005F_", "_") if cell.data_type == "s" else cell.value for cell in shown
        ] == texts
        assert [cell.data_type for cell in shown] == [*"sssss", "b", "b"]
        moment = sheet["C2"].value
        assert isinstance(moment, datetime)
        assert moment.replace(microsecond=0) == WHEN.replace(tzinfo=None)
        assert (sheet["D2"].value, sheet["B13"].value) == (0.1, "below")
        assert (sheet["F2"].value, sheet["F2"].data_type) == ("=SUM(D2:D3)", "f" if self.formulas else "s")

    def test_a_backup_changes_nothing(self, filled: Destination, person: Person, tmp_path: Path) -> None:
        late = plan(filled, [run("r3", "three", WHEN, 3)])
        before = person.values()
        filled.backup(filled.read(), tmp_path / "backup.xlsx")
        assert person.values() == before
        list(filled.apply(late))
        assert ids(filled) == ["r1", "r2", "r3"]

    def test_the_name_of_backups_stays(self, filled: Destination, make: Place) -> None:
        name = filled.backup_name(filled.read())
        again = make.open()
        assert again.backup_name(again.read()) == name
        assert name.endswith(".xlsx")

    @pytest.mark.parametrize("title", ["lr", "name"], ids=["dynamic", "fixed"])
    def test_a_deleted_column_stays_away_without_book_keeping(
        self, make: Place, person: Person, title: str
    ) -> None:
        """Which columns were ever made is also known without the tab `_runsheet`."""
        runs = [builders.run(number) for number in range(3)]
        builders.tick(make.open(), runs)
        kept = [text for text in person.values()[0] if text != title]
        person.delete_column(person.values()[0].index(title))
        person.delete_tab("_runsheet")
        for _ in range(2):
            runs.append(builders.run(len(runs), config={"lr": 0.5, "fresh": 1}))
            builders.tick(make.open(), runs)
            header, *rows = person.values()
            assert header == [*kept, "fresh"]
            assert [row[0] for row in rows] == [item.id for item in runs]

    def test_a_cleared_tab_forgets_its_columns(self, make: Place, person: Person) -> None:
        """A column that was deleted, and one that the table does not need at first, may be made again."""
        old, new = builders.run(1, config={"lr": 1, "old": 1}), builders.run(2, config={"lr": 1})
        builders.tick(make.open(), [old])
        person.delete_column(person.values()[0].index("lr"))
        person.clear()
        builders.tick(make.open(), [new])
        assert "lr" in person.values()[0]
        assert "old" not in person.values()[0]
        builders.tick(make.open(), [new, old])
        assert person.values()[0][-1] == "old"

    # What rows that follow their runs need.

    @pytest.mark.parametrize(
        "value",
        [
            "one",
            "=1+1",
            "0012",
            "TRUE",
            " 한국어 _x0041_\n",
            "x" * 40_000,
            7,
            -0.1,
            1e-07,
            True,
            False,
            WHEN,
            None,
        ],
        ids=lambda value: repr(value)[:24],
    )
    def test_a_cell_is_read_as_it_is_stored(self, destination: Destination, value: Cell) -> None:
        column = CREATED if isinstance(value, datetime) else NAME
        list(destination.apply(plan(destination, [run("r1", value)], (RUN_ID, column))))
        found = cells(destination)["r1"][column.key]
        expected = destination.stored(value)
        assert same(expected, found)
        assert isinstance(found, (int, float)) or not isinstance(value, datetime)
        assert isinstance(found, bool) == isinstance(value, bool)

    def test_cells_of_the_rows_asked_for(self, filled: Destination, person: Person) -> None:
        """By key, wherever people moved the columns; what is not ours is left out."""
        person.put(2, 6, "remark")
        person.move_column(3, 0)
        shape, content = look(filled)
        found = filled.cells(shape, content, content.rows[1:])
        assert list(found.rows) == [2]
        assert found.rows[2] == {
            "run_id": "r2",
            "name": "two",
            "created_at": pytest.approx(filled.stored(WHEN)),
            "config.lr": 0.2,
        }

    def test_a_formula_is_a_persons(self, filled: Destination, person: Person) -> None:
        if not self.formulas:
            pytest.skip("a cell cannot hold a formula")
        person.put(1, 3, "=1+1")
        assert cells(filled)["r1"]["config.lr"] == Foreign("=1+1")

    def test_a_row_that_is_another_one(self, filled: Destination, person: Person) -> None:
        shape, content = look(filled)
        person.put(1, 0, "r9")
        with pytest.raises(Changed):
            filled.cells(shape, content, content.rows[:1])

    @pytest.mark.parametrize("after", ["zwei", "=1+1", 0.25, 3, True, False, None])
    @pytest.mark.parametrize("key", ["name", "config.lr"])
    def test_a_change_writes_one_cell(
        self, filled: Destination, person: Person, key: str, after: str | float | None
    ) -> None:
        expected = person.values()
        expected[2][1 if key == "name" else 3] = after
        assert list(filled.apply(changed(filled, "r2", {key: after}))) == [Written(0, 1)]
        found = person.values()
        assert [row + [None] * (4 - len(row)) for row in found] == expected
        assert same(cells(filled)["r2"][key], after)

    def test_a_date_stays_one(self, filled: Destination, person: Person) -> None:
        """Also in a cell that held nothing."""
        person.put(2, 2, None)
        later = WHEN + timedelta(hours=30)
        for run_id in ("r1", "r2"):
            list(filled.apply(changed(filled, run_id, {"created_at": filled.stored(later)})))
        assert [row[2] for row in person.values()[1:]] == [later, later]

    def test_many_changes_with_rows_and_a_column(self, filled: Destination, person: Person) -> None:
        """A new column comes with cells of rows that stand, and all goes together."""
        person.put(1, 5, "remark")
        loss = Column("summary.loss", "loss", "summary.loss")
        first = changed(filled, "r1", {"name": "eins", "summary.loss": 0.5}, new=[loss])
        second = changed(filled, "r2", {"name": None, "config.lr": 2}, new=[loss])
        both = replace(
            first, changes=first.changes + second.changes, rows=(run("r3", "three", WHEN, 3, 0.1),)
        )
        parts = list(filled.apply(both))
        assert (sum(part.rows for part in parts), sum(part.changes for part in parts)) == (1, 2)
        assert person.values() == [
            ["run_id", "Name", "created_at", "lr", None, None, "loss"],
            ["r1", "eins", WHEN, 0.1, None, "remark", 0.5],
            ["r2", None, WHEN, 2],
            ["r3", "three", WHEN, 3, None, None, 0.1],
        ]

    def test_the_journal_comes_with_it(self, filled: Destination) -> None:
        name = "20261121T093015Z-0a1b"
        decided = replace(changed(filled, "r1", {"name": "eins"}), tick=name, closing=(ledger.DONE,))
        list(filled.apply(decided))
        book = ledger.parse(look(filled)[1].notes or ())
        (touched,) = book.ticks[-1].touched
        assert (book.ticks[-1].name, touched.run_id, touched.scope) == (name, "r1", SCOPE)
        assert {key: (cell.before, cell.after) for key, cell in touched.cells.items()} == {
            "name": ("one", "eins")
        }
        assert book.complete

    def test_an_edit_since_the_cell_was_read_stays(self, filled: Destination, person: Person) -> None:
        late = changed(filled, "r1", {"name": "eins"})
        person.put(1, 1, "mine")
        before = person.values()
        self.clash(filled, late)
        assert person.values() == before

    def clash(self, destination: Destination, late: Plan) -> None:
        """Apply a plan that takes a cell to hold what it does not hold any more. Afterwards the cell has
        what the person put there. Override it where that takes more."""
        with pytest.raises(Changed):
            list(destination.apply(late))

    def test_a_tick_keeps_an_edit_and_follows_elsewhere(self, make: Place, person: Person) -> None:
        wanted = builders.rules(live=True)
        for loss in (0.5, 0.25):
            going = builders.run(1, state="running", heartbeat=builders.NOW, summary={"loss": loss})
            report = builders.tick(make.open(), [going], wanted)
            person.put(1, 1, "mine")
        values = dict(zip(*person.values(), strict=True))
        assert (values["run_id"], values["name"], values["loss"], values["lr"]) == (
            "run0001",
            "mine",
            0.25,
            0.1,
        )
        assert (report.updated_ids, report.added_ids) == (("run0001",), ())

    @pytest.mark.parametrize("deleted", [True, False], ids=["deleted", "blank"])
    def test_columns_of_which_nothing_is_left_start_over(
        self, make: Place, person: Person, deleted: bool
    ) -> None:
        """Beside what people have there, which stays; a column that the runs do not need any more is gone."""
        runs = [builders.run(1), builders.run(2)]
        builders.tick(make.open(), [builders.run(1, config={"old": 1}), *runs[1:]])
        width, height = len(person.values()[0]), len(person.values())
        person.put(0, width + 1, "remark")
        person.put(1, width + 1, "mine")
        for index in range(width):
            if deleted:
                person.delete_column(0)
            else:
                for row in range(height):
                    person.put(row, index, None)
        assert make.open().read().hollow
        builders.tick(make.open(), runs)
        again = person.values()
        theirs = 1 if deleted else width + 1
        header = again[0][theirs + 1 :]
        assert (again[0][theirs], "old" in header, "loss" in header) == ("remark", False, True)
        assert [row[theirs + 1] for row in again if row[theirs + 1 :]] == ["run_id", "run0001", "run0002"]
        assert [row[theirs] for row in again[1:] if row[theirs] is not None] == ["mine"]
        shape = make.open().read()
        assert [item.title for item in shape.owned] == header
        assert not shape.hollow
        builders.tick(make.open(), runs)
        assert person.values() == again

    @pytest.mark.parametrize("title", ["run_id", "loss"])
    def test_a_column_that_was_cut_and_pasted(self, make: Place, person: Person, title: str) -> None:
        """The mark stays behind, and moves to where the title stands at the next write."""
        builders.tick(make.open(), [builders.run(1)])
        header = person.values()[0]
        old, new = header.index(title), len(header) + 1
        for row, cells_of in enumerate(person.values()):
            person.put(row, new, cells_of[old])
            person.put(row, old, None)
        for _ in range(2):
            builders.tick(make.open(), [builders.run(1), builders.run(2)])
            header, first, second = person.values()
            assert (header.count(title), header.index(title)) == (1, new)
            assert (first[old], second[old]) == (None, None)
            expected = "run0002" if title == "run_id" else 0.25
            assert second[new] == expected
        owned = {item.title: item.index for item in make.open().read().owned}
        assert owned[title] == new

    def test_watermarks_are_kept(self, filled: Destination, make: Place) -> None:
        """They come with the first read; a plan without any leaves them, () clears them."""
        assert filled.read().watermarks == ()
        assert len(list(filled.apply(replace(plan(filled), watermarks=WATERMARKS)))) == 1
        assert make.open().read().watermarks == WATERMARKS
        list(filled.apply(plan(filled, [run("r3", "three", WHEN, 3)])))
        assert make.open().read().watermarks == WATERMARKS
        list(filled.apply(replace(plan(filled), watermarks=("later",))))
        assert make.open().read().watermarks == ("later",)
        list(filled.apply(replace(plan(filled), watermarks=())))
        assert make.open().read().watermarks == ()

    def test_watermarks_of_first_rows(self, destination: Destination, make: Place) -> None:
        decided = plan(destination, [run("r1", "one")], (RUN_ID, NAME))
        list(destination.apply(replace(decided, watermarks=WATERMARKS)))
        assert make.open().read().watermarks == WATERMARKS

    def test_watermarks_come_with_the_last_batch(self, filled: Destination, make: Place) -> None:
        """A sync that was interrupted has not seen everything."""
        list(filled.apply(replace(plan(filled), watermarks=("earlier",))))
        rows = [run(f"long{number}", "x" * 30_000, WHEN, 0.5) for number in range(150)]
        decided = replace(plan(filled, rows), watermarks=WATERMARKS)
        seen = [make.open().read().watermarks for _ in filled.apply(decided)]
        assert seen == [("earlier",)] * (len(seen) - 1) + [WATERMARKS]

    def test_a_refused_batch_leaves_watermarks(
        self, filled: Destination, make: Place, person: Person
    ) -> None:
        list(filled.apply(replace(plan(filled), watermarks=("earlier",))))
        late = replace(plan(filled, [run("r3", "three", WHEN, 3)]), watermarks=WATERMARKS)
        person.insert_column(1)
        with pytest.raises(Changed):
            list(filled.apply(late))
        assert make.open().read().watermarks == ("earlier",)

    @pytest.mark.parametrize("cleared", [True, False], ids=["cleared", "hollow"])
    def test_a_table_that_starts_over_has_none(
        self, filled: Destination, make: Place, person: Person, cleared: bool
    ) -> None:
        list(filled.apply(replace(plan(filled), watermarks=WATERMARKS)))
        if not cleared:
            person.put(0, 6, "remark")
            person.put(1, 6, "mine")
        for row in range(3):
            for column in range(4):
                person.put(row, column, None)
        assert make.open().read().watermarks == ()
        builders.tick(make.open(), [builders.run(1)])
        assert make.open().read().watermarks == ()
