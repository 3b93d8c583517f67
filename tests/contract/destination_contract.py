"""What every destination promises (runsheet/destinations/base.py), as tests to subclass.

A subclass gives the fixture `make`: a function that opens one and the same, at first empty, place
as a destination, and a Person who works in it by other means than ours.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import pytest

from runsheet import ledger
from runsheet.destinations.base import Destination
from runsheet.errors import Changed
from runsheet.model import Cell, Column, Content, Placed, Plan, Row, Scope, Shape

SCOPE = Scope("wandb", "api.wandb.ai", "team/proj")
RUN_ID = Column("run_id", "run_id", "run_id")
NAME = Column("name", "Name", "name")
CREATED = Column("created_at", "created_at", "created_at", date=True)
LR = Column("config.lr", "lr", "config.lr")
COLUMNS = (RUN_ID, NAME, CREATED, LR)
WHEN = datetime(2026, 11, 21, 9, 30, 15, tzinfo=UTC)


class Person(Protocol):
    """Somebody with the worksheet open. Rows and columns count from 0, the header is row 0."""

    def values(self) -> list[list[Cell]]:
        """All cells as a person would name them: typed, dates aware (UTC), blank ends left out."""
        ...

    def put(self, row: int, column: int, value: Cell) -> None: ...
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
    notes: Sequence[ledger.Note] = (),
) -> Plan:
    """A plan as the sync would make it: below the last row with an id, in the columns there are."""
    shape = destination.read()
    content = destination.content(shape, adopted)
    by_key = {column.key: column for column in COLUMNS}
    here = [by_key.get(item.key, Column(item.key, item.title, item.key)) for item in shape.owned]
    columns = (*here, *(placed.column for placed in adopted), *new)
    after = max((row.index for row in content.rows), default=0)
    return Plan(
        shape, content, columns, shape.owned, tuple(adopted), tuple(new), tuple(rows), after, tuple(notes)
    )


def ids(destination: Destination) -> list[str]:
    shape = destination.read()
    return [row.run_id for row in destination.content(shape).rows]


def look(destination: Destination) -> tuple[Shape, Content]:
    shape = destination.read()
    return shape, destination.content(shape)


class DestinationContract:
    """Subclass it, and give the fixture `make`."""

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
        assert list(destination.apply(plan(destination, rows, COLUMNS))) == [2]
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
        assert sum(filled.apply(plan(filled, rows))) == 2
        assert [row[0] for row in person.values()] == ["run_id", "r1", "r2", "r9", "r3"]
        assert person.values()[4] == ["r3", "three", None, 3]

    def test_a_plan_of_nothing_changes_nothing(self, filled: Destination, person: Person) -> None:
        before, requests = person.values(), filled.requests
        decided = plan(filled)
        requests = filled.requests
        assert sum(filled.apply(decided)) == 0
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
