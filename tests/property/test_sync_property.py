"""P1-P4 in a small world: runs settle, people work in the sheet, writes fail, ticks go on.

The expectation knows nothing of columns.py, plan.py or ledger.py. Every value in the world is
unique, so a cell tells whose it is: a run's row is known by its values, a column by the first value
seen in it. After each tick the sheet without the rows and columns that came has to be the sheet
before; each row that came has to be a run that had none, with each value once, in the column of
its key.

Faults that were planted in a copy, and were found: ids not looked up in the book-keeping, a row that
stands for two runs, keys of deleted columns forgotten, paths resolved anew at each tick, titles not
compared with the sheet's, nested values dropped, clashing keys of one run written over each other, a
sheet not read again after a refused write, keys of runs not counted.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from runsheet import sync
from runsheet.destinations.memory import MemoryDestination, MemorySheet
from runsheet.errors import Changed, RunsheetError, Unreachable
from runsheet.model import Cell, Plan, Run
from runsheet.sources.base import Query
from runsheet.sources.memory import MemorySource
from tests.support.builders import NOW, FakeClock, rules, run

PROJECTS = ("team/a", "team/b")
IDS = ("r1", "r2", "r 3")
NAMES = [(project, run_id) for project in PROJECTS for run_id in IDS]
KEYS = {
    "config.lr": ("config", ("lr",)),
    "summary.lr": ("summary", ("lr",)),
    "summary.train/loss": ("summary", ("train/loss",)),
    "summary.train_loss": ("summary", ("train_loss",)),
    "literal": ("config", ("a.b",)),
    "nested": ("config", ("a", "b")),
    "config.OPT": ("config", ("OPT",)),
    "config.opt": ("config", ("opt",)),
    "summary.": ("summary", ("",)),
    "config.run_id": ("config", ("run_id",)),
}
TITLES = ("mine", "lr", "train_loss", "summary.lr", "a.b", "run_id ")


def made(number: int, keys: frozenset[str], state: str) -> tuple[Run, dict[str, Cell]]:
    """A run, and its values by key: each a number that occurs nowhere else."""
    project, run_id = NAMES[number]
    halves: dict[str, dict[str, Any]] = {"config": {"uid": number * 1000}, "summary": {"nan": "NaN"}}
    values: dict[str, Cell] = {"config.uid": number * 1000}
    for place, (key, (half, path)) in enumerate(KEYS.items(), 1):
        if key not in keys:
            continue
        value = number * 1000 + place
        inner = halves[half]
        for step in path[:-1]:
            inner = inner.setdefault(step, {})
        inner[path[-1]] = value
        # One run may spell a path in two ways: the nested spelling then has a column of its own.
        known = {"literal": "config.a.b", "nested": "config.a.b~2" if "literal" in keys else "config.a.b"}
        values[known.get(key, key)] = value
    return run(run_id, project, state=state, heartbeat=NOW, user=f"user {number}", **halves), values


class Faulty(MemoryDestination):
    """A write may be refused, lose its answer, or end the tick before or after it."""

    def __init__(self, sheet: MemorySheet, fault: str) -> None:
        super().__init__(sheet)
        self.fault = fault

    def apply(self, plan: Plan) -> Iterator[int]:
        fault, self.fault = self.fault, ""
        error: RunsheetError = Changed("scripted") if "again" in fault else Unreachable("scripted")
        if fault.startswith("before"):
            raise error
        yield from super().apply(plan)
        if fault.startswith("after"):
            raise error


FAULTS = ("", "before, again", "after, again", "before, end", "after, end")


@dataclass
class World:
    """The sheet, and what has to be in it: `tokens` names its columns, by place, for us alone."""

    keys: list[frozenset[str]]
    headers: tuple[str, ...]
    sheet: MemorySheet = field(default_factory=MemorySheet)
    tokens: list[object] = field(default_factory=list)
    states: dict[int, str] = field(default_factory=dict)
    columns: dict[str, object] = field(default_factory=dict)
    dropped: set[str] = field(default_factory=set)
    appended: set[int] = field(default_factory=set)
    deleted: set[int] = field(default_factory=set)
    count: int = 0

    # What happens

    def settle(self, number: int, _: int) -> None:
        self.states[number % len(NAMES)] = "finished"

    def start(self, number: int, _: int) -> None:
        self.states.setdefault(number % len(NAMES), "running")

    def tick(self, fault: int, _: int = 0) -> None:
        """One tick; when it ends well, every run that has settled has its row."""
        runs: dict[str, list[Run]] = {project: [] for project in PROJECTS}
        for number, state in sorted(self.states.items()):
            runs[NAMES[number][0]].append(made(number, self.keys[number], state)[0])
        before = [list(row) for row in self.sheet.rows]
        destination = Faulty(self.sheet, FAULTS[fault % len(FAULTS)])
        try:
            sync.tick(MemorySource(runs), destination, rules(*self.headers), Query(), FakeClock())
            done = True
        except Unreachable:
            done = False
        self.compare(before)
        if done:
            assert self.appended == {n for n, state in self.states.items() if state == "finished"}

    # What people do

    def sort(self, number: int, _: int) -> None:
        rows = self.sheet.rows[1:]
        Random(number).shuffle(rows)
        self.sheet.rows[1:] = rows

    def delete_row(self, number: int, _: int) -> None:
        if len(self.sheet.rows) > 1:
            row = self.sheet.rows.pop(1 + number % (len(self.sheet.rows) - 1))
            self.deleted |= self.whose(row)

    def blank_row(self, number: int, _: int) -> None:
        self.sheet.rows.insert(1 + number % max(1, len(self.sheet.rows)), [])

    def own_column(self, number: int, title: int) -> None:
        place = number % (len(self.tokens) + 1)
        self.count += 1
        for index, row in enumerate(self.sheet.rows):
            row += [None] * (place - len(row))
            row.insert(
                place, self.title(TITLES[title % len(TITLES)]) if index == 0 else f"note {self.count}.{index}"
            )
        self.marks()
        self.sheet.marks.insert(place, None)
        self.tokens.insert(place, "own")
        self.sheet.version += 1

    def move_column(self, source: int, target: int) -> None:
        width = len(self.tokens)
        source, target = source % width, target % width
        self.marks()
        for row in [*self.sheet.rows, self.sheet.marks, self.tokens]:
            items: list[Any] = row  # type: ignore[assignment]
            items += [None] * (width - len(items))
            items.insert(target, items.pop(source))
        self.sheet.version += 1

    def delete_column(self, number: int, _: int) -> None:
        """Any but those that tell whose a row is, and those that nobody has filled yet."""
        known = {id(token): key for key, token in self.columns.items() if key != "config.uid"}
        places = [place for place, token in enumerate(self.tokens) if id(token) in known]
        if not places:
            return
        place = places[number % len(places)]
        self.dropped.add(known[id(self.tokens[place])])
        self.marks()
        for row in [*self.sheet.rows, self.sheet.marks, self.tokens]:
            del row[place : place + 1]  # type: ignore[attr-defined]
        self.sheet.version += 1

    def rename(self, number: int, title: int) -> None:
        header = self.sheet.rows[0]
        header[number % len(header)] = self.title(TITLES[title % len(TITLES)])

    def edit(self, number: int, column: int) -> None:
        """Any cell but those that tell whose a row is."""
        rows = [row for row in self.sheet.rows[1:] if row]
        if not rows:
            return
        row = rows[number % len(rows)]
        place = column % len(row)
        if self.tokens[place] not in ("run_id", self.columns.get("config.uid")):
            self.count += 1
            row[place] = None if self.count % 3 == 0 else f"edit {self.count}"

    # How it is checked

    def title(self, wish: str) -> str:
        """A title that no column has yet."""
        taken = {str(cell).strip() for cell in self.sheet.rows[0]}
        self.count += 1
        return wish if wish.strip() not in taken else f"{wish} of mine {self.count}"

    def marks(self) -> None:
        self.sheet.marks += [None] * (len(self.tokens) - len(self.sheet.marks))

    def whose(self, row: list[Cell]) -> set[int]:
        token = self.columns.get("config.uid")
        cells = [cell for cell, mine in zip(row, self.tokens, strict=False) if mine is token]
        return {cell // 1000 for cell in cells if isinstance(cell, int)}

    def compare(self, before: list[list[Cell]]) -> None:
        """Nothing that stood there has changed; what came is right."""
        rows = self.sheet.rows
        if not before and not rows:
            return
        width = len(self.tokens)
        old_header = (before[0] if before else []) + [None] * (width - len(before[0] if before else []))
        assert rows[0][:width] == old_header
        self.tokens += [object() for _ in rows[0][width:]]
        for place, title in enumerate(rows[0][width:], width):
            if title == "run_id" and "run_id" not in self.tokens:
                self.tokens[place] = "run_id"
        came = len(rows) - max(1, len(before))
        at = next(p for p in range(1, len(rows) + 1) if rows[1:p] + rows[p + came :] == before[1:])
        for row in rows[at : at + came]:
            self.check_row(row)
        self.check_columns()

    def check_row(self, row: list[Cell]) -> None:
        numbers = {cell // 1000 for cell in row if isinstance(cell, int)}
        assert len(numbers) == 1, "a row holds values of one run"
        (number,) = numbers
        assert self.states[number] == "finished"
        assert number not in self.appended, "a run has one row"
        self.appended.add(number)
        project, run_id = NAMES[number]
        assert row[self.tokens.index("run_id")] == run_id
        values = made(number, self.keys[number], "finished")[1]
        for key, value in values.items():
            places = [place for place, cell in enumerate(row) if cell == value and isinstance(cell, int)]
            assert len(places) == (key not in self.dropped), f"{key} stands in one column"
            for place in places:
                self.check_place(key, place)
        rest = {cell for cell in row if cell is not None} - set(values.values())
        assert rest <= {run_id, project, f"user {number}"}

    def check_place(self, key: str, place: int) -> None:
        token = self.tokens[place]
        assert token not in ("own", "run_id")
        assert self.columns.setdefault(key, token) is token, f"{key} has one column for good"
        assert sum(other is token for other in self.columns.values()) == 1, "a column shows one key"

    def check_columns(self) -> None:
        titles = [str(cell).strip() for cell in self.sheet.rows[0] if cell not in (None, "")]
        assert len(titles) == len(set(titles))
        marks = [mark for mark in self.sheet.marks if mark]
        assert len(marks) == len(set(marks))


EVENTS = ("settle", "start", "tick")
EDITS = ("sort", "delete_row", "blank_row", "own_column", "move_column", "delete_column", "rename", "edit")
STEPS = st.tuples(st.sampled_from((*EVENTS * 3, *EDITS)), st.integers(0, 40), st.integers(0, 40))


@settings(max_examples=200, derandomize=True, deadline=None)
@given(
    st.lists(
        st.frozensets(st.sampled_from(sorted(KEYS)), max_size=7), min_size=len(NAMES), max_size=len(NAMES)
    ),
    st.sampled_from([("run_id", "name"), ("train_loss", "run_id"), ("run_id", "project", "lr")]),
    st.lists(STEPS, min_size=10, max_size=40),
)
def test_every_run_has_its_row_and_people_keep_theirs(
    keys: list[frozenset[str]], headers: tuple[str, ...], steps: list[tuple[str, int, int]]
) -> None:
    """Whatever happens in whatever order, the last tick that works leaves the sheet as it must be."""
    world = World(keys, headers)
    for step, first, second in steps:
        if world.tokens or step in EVENTS:
            getattr(world, step)(first, second)
    for number in range(len(NAMES)):
        world.settle(number, 0)
    world.tick(0)
    stands = [world.whose(row) for row in world.sheet.rows[1:]]
    assert sorted(n for row in stands for n in row) == sorted(set(range(len(NAMES))) - world.deleted)
    before = [list(row) for row in world.sheet.rows]
    world.tick(0)
    assert world.sheet.rows == before
