"""P1 to P6 under attack, on Google Sheets and in a workbook: people, faults and rivals at any moment.

A state machine: two tables in one place, runs that start, change, settle and go on, a person at each
table, failures before and after a write took effect, a second writer. What has to be there is worked
out by tests/support/attack.py, which knows nothing of the product. `make test` goes through a few
hundred fixed examples; `make chaos` through thousands of new ones, and prints what was done.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from runsheet import sync
from runsheet.destinations.gsheet.client import Google
from runsheet.destinations.gsheet.credentials import SCOPE_SHEETS, load_key
from runsheet.errors import RunsheetError
from runsheet.sources.base import Query
from runsheet.sources.memory import MemorySource
from tests.support.attack import Expected, Table, Tally, Trial
from tests.support.builders import PROJECT, FakeClock, rules
from tests.support.deeds import DEEDS, work
from tests.support.sheets import SheetsServer
from tests.support.stages import GoogleStage, Stage, WorkbookStage

MOST_RUNS = 12
STEPS = 12
EXAMPLES = {"gsheet": 50, "xlsx": 50}
"""How many examples `make test` goes through."""

names = st.sampled_from(["one", "one", "two"])
# What moves our rows and columns about comes oftener than what only stands beside them.
SHARP = ("move column", "insert column", "own column", "delete column", "delete row", "sort", "edit cell")
deeds = st.sampled_from([*sorted(DEEDS), *SHARP * 2])
places = st.integers(0, 40)


class World(RuleBasedStateMachine):
    """Two tables in one place, up to twelve runs, a person at each table."""

    live = False
    """Whether rows follow their runs, running ones included."""

    def __init__(self, stage: Stage, tally: Tally) -> None:
        super().__init__()
        self.stage = stage
        self.tally = tally
        self.trials = [Trial(1, running=False)]
        self.offered: dict[int, set[int]] = {}
        self.tables = {name: Table(name) for name in ("one", "two")}
        self.wrong: list[tuple[str, str]] = []
        tally.examples += 1

    # -- the sync

    def _tick(self, table: Table) -> None:
        """Raises RunsheetError when the tick failed."""
        self.tally.ticks += 1
        self.tally.runs += len(self.trials)
        for trial in self.trials:
            if self.live or not trial.running:
                self.offered.setdefault(trial.number, set()).add(trial.version)
        source = MemorySource({PROJECT: [trial.run() for trial in self.trials]})
        destination = self.stage.open(table.worksheet)
        wanted = rules("run_id", "name", live=True) if self.live else rules("run_id", "name")
        sync.tick(source, destination, wanted, Query(), FakeClock())

    def _meet(self, table: Table) -> None:
        """Somebody opens the worksheet as soon as it is there."""
        if table.person is None:
            table.person = self.stage.person(table.worksheet)
            if table.person:
                table.remember()

    def _look(self, table: Table, *, settled: bool = False) -> None:
        """Compare a table with what has to be in it; `settled`: after a tick that nothing disturbed."""
        self._meet(table)
        must = {trial.number for trial in self.trials if self.live or not trial.running}
        newest = {trial.number: trial.version for trial in self.trials}
        expected = Expected(
            self.offered, must if settled else (), newest if settled and self.live else {}, self.live
        )
        self.wrong += table.check(expected)

    @initialize(both=st.booleans())
    def begin(self, both: bool) -> None:
        """With both tables made, or with none: then the first contact is under attack."""
        if both:
            for table in self.tables.values():
                self._tick(table)

    @rule(name=names)
    def tick_undisturbed(self, name: str) -> None:
        table = self.tables[name]
        self._look(table)
        table.unlock()
        self._tick(table)
        self._look(table, settled=True)

    @rule(name=names, pick=st.integers(0, 100), nth=st.integers(1, 6))
    def tick_with_a_fault(self, name: str, pick: int, nth: int) -> None:
        self._news()
        kind = self.stage.faults[pick % len(self.stage.faults)]
        with self.stage.fault(kind, nth) as strike, suppress(RunsheetError):
            self._tick(self.tables[name])
        self.tally.faults[kind] += strike.done

    @rule(name=names, deed=deeds, a=places, b=places, nth=st.integers(1, 16), after=st.booleans())
    def tick_while_people_work(self, name: str, deed: str, a: int, b: int, nth: int, after: bool) -> None:
        table = self.tables[name]
        self._news()

        def act() -> None:
            if deed not in self.stage.races:
                self.tally.during[deed] += self._work(table, deed, a, b)

        with self.stage.during(1 + (nth - 1) % self.stage.steps, after, act), suppress(RunsheetError):
            self._tick(table)

    @rule(first=names, second=names, nth=st.integers(1, 16), after=st.booleans())
    def tick_while_a_rival_ticks(self, first: str, second: str, nth: int, after: bool) -> None:
        self._news()

        def act() -> None:
            with suppress(RunsheetError):
                self._tick(self.tables[second])

        step = 1 + (nth - 1) % self.stage.steps
        with self.stage.during(step, after, act) as strike, suppress(RunsheetError):
            self._tick(self.tables[first])
        self.tally.faults["a second writer"] += strike.done

    @rule()
    def the_network_delivers(self) -> None:
        self.tally.faults["delivered late"] += self.stage.pending
        self.stage.deliver()

    # -- the runs

    def _news(self) -> None:
        """Something for the next tick to write, while there is room."""
        if len(self.trials) < MOST_RUNS:
            self.trials.append(Trial(len(self.trials) + 1, running=False))

    @rule()
    def a_run_settles(self) -> None:
        running = [trial for trial in self.trials if trial.running]
        if running:
            running[0].running = False
        else:
            self._news()

    @rule()
    def a_run_starts(self) -> None:
        if len(self.trials) < MOST_RUNS:
            self.trials.append(Trial(len(self.trials) + 1))

    @rule(number=places)
    def a_run_goes_on(self, number: int) -> None:
        """A settled one is resumed; each has new values."""
        trial = self.trials[number % len(self.trials)]
        trial.running = True
        trial.version += 1

    # -- the person

    @rule(name=names, deed=deeds, a=places, b=places)
    def people_work(self, name: str, deed: str, a: int, b: int) -> None:
        # A column that comes to stand in the place of a deleted one would get its values: promises.md, P3.
        if not self.stage.pending or deed not in {"delete column", *self.stage.races}:
            self.tally.deeds[deed] += self._work(self.tables[name], deed, a, b)

    def _work(self, table: Table, deed: str, a: int, b: int) -> bool:
        """What stood there before is looked at first. A deed may show in the other table, too."""
        for each in self.tables.values():
            self._look(each)
        done = work(table, deed, a, b)
        for each in self.tables.values():
            if each.person:
                each.remember()
        return done

    @invariant()
    def nothing_is_lost_doubled_or_shifted(self) -> None:
        for table in self.tables.values():
            self._look(table)
        self._judge()

    def _judge(self) -> None:
        if self.wrong and not self.tally.found:
            self.tally.found.update(kind for kind, _ in self.wrong)
        assert not self.wrong, "\n".join(f"{kind}: {what}" for kind, what in self.wrong)

    def teardown(self) -> None:
        """Whatever happened: all runs settle, and after an undisturbed tick all is there exactly once.
        One more writes nothing."""
        self.stage.deliver()
        for trial in self.trials:
            trial.running = False
        for _ in range(2):
            for table in self.tables.values():
                self.tick_undisturbed(table.worksheet)
        self._judge()


class LiveWorld(World):
    live = True


Attack = Callable[[settings], None]
"""Runs a state machine with these settings."""


@contextmanager
def gsheet(world: type[World], tally: Tally) -> Iterator[Attack]:
    """Each example has a spreadsheet of its own."""
    with SheetsServer() as server, TemporaryDirectory() as folder:
        key = load_key(str(server.key_file(Path(folder) / "key.json")), [SCOPE_SHEETS])
        google = Google(key, FakeClock(), server.url)
        yield lambda how: run_state_machine_as_test(
            lambda: world(GoogleStage(server, google), tally),  # type: ignore[arg-type]
            settings=how,
        )


@contextmanager
def xlsx(world: type[World], tally: Tally) -> Iterator[Attack]:
    """Each example has a workbook of its own."""
    with TemporaryDirectory() as folder:

        def make() -> World:
            place = Path(folder) / str(tally.examples)
            place.mkdir()
            return world(WorkbookStage(place), tally)

        yield lambda how: run_state_machine_as_test(make, settings=how)  # type: ignore[arg-type]


STAGES = {"gsheet": gsheet, "xlsx": xlsx}


def fixed(examples: int) -> settings:
    """The same examples each time."""
    return settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.parametrize("stage", sorted(STAGES))
@pytest.mark.parametrize("world", [World, LiveWorld])
def test_people_faults_and_rivals(stage: str, world: type[World]) -> None:
    """Each run has one row, each value is in its column, and nothing else has changed."""
    tally = Tally()
    with STAGES[stage](world, tally) as attack:
        attack(fixed(EXAMPLES[stage]))
    assert not tally.found
    assert tally.ticks > tally.examples
