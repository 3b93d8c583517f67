"""P1: a tick asks for what is new only, and still every run that qualifies gets its row.

Mutants: a watermark is written before the last batch; a window that fails counts as listed; old dates go
unnoticed; a run that settles by silence is missed; `forget` keeps the watermark; a known run is pulled again.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from runsheet import sync, watermark
from runsheet.destinations.base import RowsRefused
from runsheet.destinations.memory import MemoryDestination, MemorySheet
from runsheet.errors import Changed, SafetyStop, Unreachable
from runsheet.forget import forget
from runsheet.model import Content, Placed, Plan, Run, Shape, Skip, Written
from runsheet.report import Report
from runsheet.rules import Rules
from runsheet.sources.base import NotLight, Query, Recent
from runsheet.sources.memory import WatchedMemorySource
from tests.support.builders import NOW, PROJECT, FakeClock, rules, run

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


class Counting(MemoryDestination):
    """Counts what is asked of it."""

    def __init__(self, sheet: MemorySheet) -> None:
        super().__init__(sheet)
        self.calls: list[str] = []

    def read(self) -> Shape:
        self.calls.append("read")
        return super().read()

    def content(self, shape: Shape, adopted: Sequence[Placed] = ()) -> Content:
        self.calls.append("content")
        return super().content(shape, adopted)

    def apply(self, plan: Plan) -> Iterator[Written]:
        self.calls += [] if plan.nothing else ["write"]
        yield from super().apply(plan)


class Office:
    """A server with projects, a sheet, and ticks over both; each tick has a new source and destination."""

    def __init__(self, runs: Sequence[Run] = (), wanted: Rules | None = None) -> None:
        self.projects: dict[str, list[Run | Skip]] = {PROJECT: list(runs)}
        self.sheet = MemorySheet()
        self.rules = wanted or rules("run_id", "lr", dynamic=())
        self.clock = FakeClock()
        self.source = WatchedMemorySource(self.projects)
        self.destination = Counting(self.sheet)

    def tick(self, source: WatchedMemorySource | None = None, **mode: Any) -> Report:
        self.source = source or WatchedMemorySource(self.projects)
        self.destination = Counting(self.sheet)
        wanted = sync.Mode(**mode)
        return sync.tick(self.source, self.destination, self.rules, Query(), self.clock, mode=wanted)

    def later(self, span: timedelta) -> None:
        self.clock.wait(span.total_seconds())

    def add(self, *runs: Run) -> None:
        self.projects[PROJECT] += runs

    def change(self, run_id: str, **fields: Any) -> None:
        listed = self.projects[PROJECT]
        place = next(n for n, item in enumerate(listed) if isinstance(item, Run) and item.id == run_id)
        item = listed[place]
        assert isinstance(item, Run)
        listed[place] = replace(item, **fields)

    @property
    def ids(self) -> list[Any]:
        place = self.sheet.rows[0].index("run_id")
        return [row[place] for row in self.sheet.rows[1:] if len(row) > place and row[place]]

    @property
    def mark(self) -> watermark.Watermark:
        (mark,) = watermark.read(self.sheet.watermarks).values()
        return mark


def old(number: int, **more: Any) -> Run:
    """The runs of the last days, one every ten minutes."""
    moment = NOW - DAY - 10 * MINUTE * (5000 - number)
    return run(number, **{"created": moment, "heartbeat": moment + MINUTE, **more})


def fresh(number: int | str, ago: timedelta = MINUTE, **more: Any) -> Run:
    return run(number, **{"created": NOW - ago, "heartbeat": NOW - ago, **more})


def going(number: int | str, ago: timedelta = MINUTE) -> Run:
    return fresh(number, ago, state="running")


OLD = [old(number) for number in range(1500)]


@pytest.fixture
def office() -> Office:
    """A table of 1,500 runs, all of which are known."""
    made = Office(OLD)
    assert made.tick().added == 1500
    return made


def test_the_first_sync_takes_whole_runs(office: Office) -> None:
    """No light listing besides: that would be requests for nothing."""
    assert office.source.requests == 2
    assert office.mark.total == 1500


def test_nothing_new(office: Office) -> None:
    """One request for the window, one read of the sheet; ids and book-keeping are not read."""
    report = office.tick()
    assert (office.source.requests, office.destination.calls) == (1, ["read"])
    assert report.line().startswith("12 of 1,500 runs seen · 0 added")


def test_ten_new_ones(office: Office) -> None:
    office.add(*(fresh(f"new{number}") for number in range(10)))
    report = office.tick()
    assert report.added == 10
    assert (office.source.requests, office.destination.calls) == (2, ["read", "content", "write"])
    assert office.ids[1500:] == [f"new{number}" for number in range(10)]
    assert office.tick().added == 0
    assert office.destination.calls == ["read"]


def test_what_runs_waits_and_is_not_asked_for(office: Office) -> None:
    office.add(going("a"), going("b"))
    report = office.tick()
    assert report.waiting == {"running": 2}
    assert (office.source.requests, office.destination.calls) == (1, ["read"])
    office.change("a", state="finished", heartbeat=NOW + MINUTE)
    assert office.tick().added_ids == ("a",)
    assert office.mark.floor < NOW - MINUTE, "the other one still waits"


def test_a_run_that_settles_by_silence(office: Office) -> None:
    """It shows no other sign of life: the floor stays below its last one."""
    office.add(going("silent"), *(fresh(number, 2 * MINUTE) for number in range(5000, 5003)))
    assert office.tick().added == 3
    for hour in range(1, 30):
        office.later(HOUR)
        office.add(run(f"later{hour}", created=office.clock.now(), heartbeat=office.clock.now()))
        report = office.tick(full_hours=1000)
        assert set(report.added_ids) == {f"later{hour}"} | ({"silent"} if hour == 24 else set())
        assert office.source.requests <= 2


def test_a_late_sign_of_life(office: Office) -> None:
    """A run whose heartbeat arrives an hour after those of others, which are in the sheet by then."""
    office.add(fresh("quick"))
    assert office.tick().added_ids == ("quick",)
    office.add(fresh("late", HOUR))
    assert office.tick().added_ids == ("late",)
    assert office.source.requests == 2


def test_a_run_that_comes_in_with_old_dates(office: Office) -> None:
    """Recorded offline, uploaded days later: the number of runs tells, and all are listed at once."""
    office.add(old(7, id="offline"))
    report = office.tick()
    assert report.added_ids == ("offline",)
    assert office.source.requests == 1 + 2 + 1, "the window, all light ones, that one"
    assert office.tick().added == 0
    assert office.source.requests == 1


def test_old_dates_that_a_deletion_hides(office: Office) -> None:
    """The number of runs is the same: it arrives at the next full listing, at the latest."""
    office.projects[PROJECT].pop(3)
    office.add(old(7, id="offline"))
    assert office.tick().added == 0
    office.later(timedelta(hours=5, minutes=59))
    assert office.tick().added == 0
    office.later(MINUTE)
    assert office.tick().added_ids == ("offline",)
    assert office.mark.full == office.clock.now()


def test_the_start_of_a_daemon_lists_all(office: Office) -> None:
    office.projects[PROJECT].pop(3)
    office.add(old(7, id="offline"))
    assert office.tick(full=True).added_ids == ("offline",)


def test_a_full_listing_is_light(office: Office) -> None:
    """Ids and states only; nothing is written unless there is something to say."""
    report = office.tick(full=True)
    assert (office.source.requests, office.destination.calls) == (2, ["read", "content"])
    assert report.line().startswith("1,500 runs seen · 0 added")
    office.later(7 * HOUR)
    office.tick()
    assert (office.source.requests, office.destination.calls) == (2, ["read", "content", "write"])
    office.tick()
    assert (office.source.requests, office.destination.calls) == (1, ["read"])


def test_a_clock_that_was_ahead(office: Office) -> None:
    """A last full listing in the future is none."""
    office.later(48 * HOUR)
    office.tick(full=True)
    office.clock = FakeClock()
    office.projects[PROJECT].pop(3)
    office.add(old(7, id="offline"))
    assert office.tick().added_ids == ("offline",)


def test_other_rules_look_at_all_runs_again(office: Office) -> None:
    office.add(fresh("failed", state="failed"))
    office.rules = rules("run_id", "lr", dynamic=(), states=frozenset({"finished"}))
    assert office.tick().added == 0
    office.later(7 * HOUR)
    assert office.tick().added == 0
    office.rules = rules("run_id", "lr", dynamic=())
    assert office.tick().added_ids == ("failed",)


def test_rows_deleted_by_hand_stay_away_and_come_back_when_forgotten(office: Office) -> None:
    del office.sheet.rows[5]
    assert office.tick(full=True).deleted == 1
    assert office.tick().added == 0
    forget(MemoryDestination(office.sheet), ["run0004"])
    assert office.tick().added_ids == ("run0004",)


def test_a_column_that_a_person_deleted_is_noticed(office: Office) -> None:
    """Though nothing is new: the table is looked at, once."""
    place = office.sheet.rows[0].index("lr")
    office.sheet.marks[place] = None
    office.sheet.rows = [row[:place] + row[place + 1 :] for row in office.sheet.rows]
    office.sheet.marks.pop(place)
    office.tick()
    assert office.destination.calls == ["read", "content", "write"]
    office.tick()
    assert office.destination.calls == ["read"]


def test_most_columns_gone_stop_a_tick_without_news() -> None:
    office = Office(OLD[:9], rules("run_id", "lr", "loss", "epoch", "name", "state", dynamic=()))
    office.tick()
    office.sheet.rows = [row[:1] for row in office.sheet.rows]
    office.sheet.marks = office.sheet.marks[:1]
    for _ in range(2):
        with pytest.raises(SafetyStop, match="5 of our 6 columns"):
            office.tick()
    assert office.tick(accept_changes=True).added == 0
    office.tick()
    assert office.destination.calls == ["read"]


def test_a_cleared_sheet_starts_over(office: Office) -> None:
    office.sheet.rows = []
    report = office.tick()
    assert report.added == 1500
    assert report.over
    assert office.source.requests == 2


def test_lost_book_keeping(office: Office) -> None:
    """What the sheet shows is known, and known again by the next tick."""
    office.sheet.notes = None
    office.add(fresh("new"))
    report = office.tick()
    assert report.lost_notes
    assert report.added_ids == ("new",)
    assert office.tick(full=True).added == 0
    assert office.source.requests == 2, "no run is asked for by its id"


class Breaking(WatchedMemorySource):
    """Fails in what it is told to."""

    def __init__(self, projects: dict[str, list[Run | Skip]], broken: str, error: Exception) -> None:
        super().__init__(projects)
        self._broken, self._error = broken, error

    def recent(self, project: str, query: Query, since: Any) -> Recent | None:
        if self._broken == "recent":
            raise self._error
        return super().recent(project, query, since)

    def listed(self, project: str, query: Query) -> Iterator[Run | Skip]:
        if self._broken == "listed":
            raise self._error
        if self._broken == "gap":
            yield Skip(project, "2 of 9 runs did not come", gap=True)
        yield from super().listed(project, query)

    def pick(self, project: str, query: Query, ids: Sequence[str]) -> Iterator[Run | Skip]:
        if self._broken == "pick":
            raise self._error
        yield from super().pick(project, query, ids)


@pytest.mark.parametrize("broken", ["recent", "listed", "pick"])
def test_a_project_that_cannot_be_listed(office: Office, broken: str) -> None:
    """The tick fails, and the next one finds what is new: the watermark is as it was."""
    office.add(fresh("new"))
    before = office.sheet.watermarks
    with pytest.raises(Unreachable):
        office.tick(Breaking(office.projects, broken, Unreachable("down")), full=broken == "listed")
    assert office.sheet.watermarks == before
    assert office.tick().added_ids == ("new",)


@pytest.mark.parametrize("broken", ["recent", "listed", "pick"])
def test_a_server_that_lists_no_light_runs(office: Office, broken: str) -> None:
    """All runs are pulled whole, as from any other source."""
    office.add(fresh("new"))
    report = office.tick(Breaking(office.projects, broken, NotLight("no")), full=broken == "listed")
    assert report.added_ids == ("new",)
    assert report.added + len(OLD) == len(office.ids)


def test_a_gap_in_a_listing(office: Office) -> None:
    """It does not count as a full listing."""
    before = office.mark.full
    office.later(7 * HOUR)
    report = office.tick(Breaking(office.projects, "gap", Unreachable("")))
    assert "2 of 9 runs did not come" in report.line()
    assert office.mark.full == before
    office.tick()
    assert office.source.requests == 2


def test_a_run_that_is_gone_when_it_is_asked_for(office: Office) -> None:
    """It holds up neither the others nor the watermark."""

    class Gone(WatchedMemorySource):
        def pick(self, project: str, query: Query, ids: Sequence[str]) -> Iterator[Run | Skip]:
            return super().pick(project, query, [one for one in ids if one != "gone"])

    before = office.sheet.watermarks
    office.add(fresh("gone"), fresh("new"))
    assert office.tick(Gone(office.projects)).added_ids == ("new",)
    assert office.sheet.watermarks != before


class Meddling(Counting):
    """At the first write somebody deletes a row, and lets its run back in."""

    def apply(self, plan: Plan) -> Iterator[Written]:
        if not plan.nothing and "run0004" in self.sheet.text(5, 0):
            del self.sheet.rows[5]
            forget(MemoryDestination(self.sheet), ["run0004"])
            raise Changed("a guard refused the batch")
        yield from super().apply(plan)


@pytest.mark.parametrize("full", [False, True])
def test_a_run_that_is_forgotten_meanwhile(office: Office, full: bool) -> None:
    """It was known when runs were pulled, so it was not loaded: the next tick looks at all runs."""
    office.add(fresh("new"))
    source = WatchedMemorySource(office.projects)
    mode = sync.Mode(full=full)
    report = sync.tick(source, Meddling(office.sheet), office.rules, Query(), office.clock, mode=mode)
    assert report.added_ids == ("new",)
    assert office.sheet.watermarks == ()
    assert office.tick().added_ids == ("run0004",)


def test_a_resumed_run_is_news_where_runs_are_counted(office: Office) -> None:
    """A report adds its hours up anew, though its row stays as it is; once."""
    office.rules = rules("run_id", "lr", dynamic=(), counted=True)
    office.tick()
    assert office.tick().quiet
    newest = f"run{len(OLD) - 1:04d}"
    office.change(newest, heartbeat=NOW)
    assert [office.tick().quiet, office.tick().quiet] == [False, True]
    office.rules = rules("run_id", "lr", dynamic=())
    office.tick()
    office.change(newest, heartbeat=NOW + MINUTE)
    assert office.tick().quiet


def test_a_header_that_another_column_shows_needs_no_other_runs() -> None:
    """It gets no column of its own, ever: that must not mean that all runs are pulled in each tick."""
    office = Office(OLD, rules("run_id"))
    office.tick()
    office.rules = rules("run_id", "loss")
    for number in range(2):
        office.add(fresh(f"new{number}"))
        office.tick()
    assert office.source.requests == 2
    assert office.sheet.rows[0].count("loss") == 1


def test_a_header_that_is_added_without_new_runs_asks_for_none(office: Office) -> None:
    """Its column comes with the next row; until then nothing is pulled whole."""
    office.rules = rules("run_id", "lr", "loss", dynamic=())
    office.change("run1499", heartbeat=NOW, state="running")
    office.tick()
    assert office.source.requests == 1
    office.add(fresh("new"))
    office.tick()
    assert office.source.requests == 1 + 2, "once, all of them"
    office.add(fresh("newer"))
    office.tick()
    assert office.source.requests == 2


class Choosy(Counting):
    """Takes no batch with the run "bad", and dies at the second batch that it would take."""

    def __init__(self, sheet: MemorySheet) -> None:
        super().__init__(sheet)
        self._taken = 0

    def apply(self, plan: Plan) -> Iterator[Written]:
        if any(row.run_id == "bad" for row in plan.rows):
            raise RowsRefused("a cell too large", plan.rows)
        if not plan.nothing:
            self._taken += 1
            if self._taken == 2:
                raise KeyboardInterrupt
        yield from super().apply(plan)


def test_a_part_of_the_rows_is_not_all(office: Office) -> None:
    """Rows are divided to find the one that is refused; what was written by then says nothing of the rest."""
    before = office.sheet.watermarks
    office.add(*(fresh(name, MINUTE * (9 - n)) for n, name in enumerate(["a", "b", "bad", "c"])))
    with pytest.raises(KeyboardInterrupt):
        sync.tick(
            WatchedMemorySource(office.projects), Choosy(office.sheet), office.rules, Query(), office.clock
        )
    assert office.ids[1500:] == ["a", "b"]
    assert office.sheet.watermarks == before
    assert office.tick().added_ids == ("bad", "c")


class Cut(Counting):
    """Dies after so many rows: a batch of them is written, the rest is not."""

    def __init__(self, sheet: MemorySheet, rows: int) -> None:
        super().__init__(sheet)
        self._rows = rows

    def apply(self, plan: Plan) -> Iterator[Written]:
        part = replace(plan, rows=plan.rows[: self._rows], closing=(), watermarks=None)
        yield from super().apply(part)
        raise KeyboardInterrupt


def test_an_interrupted_first_sync_goes_on(tmp_path: Any) -> None:
    """What was written is not asked for again, nor is what the spool holds; there is no watermark yet."""
    office = Office([old(number) for number in range(4200)])
    source = WatchedMemorySource(office.projects)
    with pytest.raises(KeyboardInterrupt):
        sync.tick(
            source,
            Cut(office.sheet, 1200),
            office.rules,
            Query(),
            office.clock,
            mode=sync.Mode(cache=tmp_path),
        )
    assert (source.requests, len(office.ids), office.sheet.watermarks) == (5, 1200, ())
    assert office.tick(cache=tmp_path).added == 3000
    assert office.source.requests == 5, "light listing alone: the spool has the values"
    assert office.ids == [f"run{number:04d}" for number in range(4200)]
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_pull_goes_on(tmp_path: Any) -> None:
    """The server goes down after three pages: two thousand runs or more are not pulled again."""

    class Down(WatchedMemorySource):
        def runs(self, project: str, query: Query) -> Iterator[Run | Skip]:
            for number, item in enumerate(super().runs(project, query)):
                if number == 3500:
                    raise Unreachable("down")
                yield item

    office = Office([old(number) for number in range(4200)])
    with pytest.raises(Unreachable):
        office.tick(Down(office.projects), cache=tmp_path)
    office.change("run0007", heartbeat=NOW, config={"lr": 0.7})
    report = office.tick(cache=tmp_path)
    assert report.added == 4200
    assert office.source.requests == 5 + 1, "five light pages, and 701 runs by their ids"
    lr = office.sheet.rows[0].index("lr")
    assert [row[lr] for row in office.sheet.rows[1:] if row[lr] != 0.1] == [0.7], "it has changed since"


class Refusing(Counting):
    """Another writes at each write of ours."""

    def apply(self, plan: Plan) -> Iterator[Written]:
        if not plan.nothing:
            raise Changed("a guard refused the batch")
        yield from ()


def test_a_tick_that_cannot_write_keeps_the_watermark(office: Office) -> None:
    before = office.sheet.watermarks
    office.add(fresh("new"))
    with pytest.raises(Exception, match="changed"):
        sync.tick(
            WatchedMemorySource(office.projects), Refusing(office.sheet), office.rules, Query(), office.clock
        )
    assert office.sheet.watermarks == before
    assert office.tick().added_ids == ("new",)


def test_several_projects_have_a_watermark_each() -> None:
    office = Office(OLD[:20])
    office.projects["team/two"] = [fresh(f"two{number}", project="team/two") for number in range(3)]
    assert office.tick().added == 23
    assert len(watermark.read(office.sheet.watermarks)) == 2
    office.tick()
    assert (office.source.requests, office.destination.calls) == (2, ["read"])
    office.projects["team/three"] = [fresh("three", project="team/three")]
    assert office.tick().added_ids == ("three",)
    assert office.source.requests == 3, "two windows, and the new project whole"
    office.projects["team/two"].append(fresh("two3", project="team/two"))
    assert office.tick().added_ids == ("two3",)
    assert office.source.requests == 4


def test_one_project_fails_and_the_others_move_on() -> None:
    office = Office(OLD[:20])
    office.projects["team/two"] = [fresh(f"two{number}", project="team/two") for number in range(3)]
    office.tick()
    office.add(fresh("new"))
    office.projects["team/two"].append(fresh("two3", project="team/two"))

    class Half(WatchedMemorySource):
        def recent(self, project: str, query: Query, since: Any) -> Recent | None:
            if project == "team/two":
                raise Unreachable("down")
            return super().recent(project, query, since)

    report = office.tick(Half(office.projects))
    assert report.added_ids == ("new",)
    assert list(report.failed) == ["team/two"]
    assert office.tick().added_ids == ("two3",)


class TestLive:
    """Live rows follow their runs through windows as well."""

    @pytest.fixture
    def office(self) -> Office:
        made = Office([*OLD, going("live")], rules("run_id", "loss", dynamic=(), live=True))
        made.tick()
        assert len(made.ids) == 1501
        return made

    def loss(self, office: Office, run_id: str) -> Any:
        place = office.sheet.rows[0].index("loss")
        return next(row[place] for row in office.sheet.rows if row[0] == run_id)

    def test_a_live_run_is_followed(self, office: Office) -> None:
        for number in range(1, 4):
            office.later(HOUR)
            office.change("live", heartbeat=office.clock.now(), summary={"loss": number})
            assert office.tick().updated_ids == ("live",)
            assert office.source.requests == 2
            assert self.loss(office, "live") == number

    def test_its_end(self, office: Office) -> None:
        office.later(HOUR)
        office.change("live", heartbeat=office.clock.now(), summary={"loss": 9}, state="finished")
        assert office.tick().updated_ids == ("live",)
        office.tick()
        assert office.source.requests == 1
        assert "write" not in office.destination.calls

    def test_a_run_that_goes_on_after_its_end(self, office: Office) -> None:
        """It comes to the front of the window, though it settled days ago."""
        office.later(HOUR)
        office.change("run0003", heartbeat=office.clock.now(), summary={"loss": 5}, state="running")
        assert office.tick().updated_ids == ("run0003",)
        assert self.loss(office, "run0003") == 5

    def test_a_run_that_went_on_and_ended_unseen(self, office: Office) -> None:
        """The sheet was not synced for a week: the full listing tells by how each run stands."""
        office.later(200 * HOUR)
        office.add(*(fresh(f"more{number}") for number in range(400)))
        office.change("run0003", heartbeat=NOW + HOUR, summary={"loss": 5})
        assert "run0003" in office.tick(accept_changes=True).updated_ids
        assert office.source.requests == 2 + 1, "no run is asked for that has not changed"


def chance_deed(office: Office, chance: random.Random, number: int) -> Callable[[], None]:
    now = office.clock.now()
    listed = [item for item in office.projects[PROJECT] if isinstance(item, Run)]

    def arrive() -> None:
        state = chance.choice(["finished", "running", "failed", "crashed", "pending"])
        ago = timedelta(seconds=chance.choice([0, 0, 0, 5, 3000, 90_000, 900_000]) * chance.random())
        heartbeat = None if state == "pending" else now - ago
        office.add(run(f"n{number}", created=now - ago - HOUR, heartbeat=heartbeat, state=state))

    def settle() -> None:
        for item in chance.sample(listed, min(3, len(listed))):
            if item.state != "finished":
                office.change(item.id, state="finished", heartbeat=now)

    def resume() -> None:
        if listed:
            office.change(chance.choice(listed).id, state="running", heartbeat=now)

    def go() -> None:
        if listed:
            office.projects[PROJECT].remove(chance.choice(listed))

    return chance.choice([arrive, arrive, arrive, settle, resume, go])


@pytest.mark.parametrize("seed", range(12))
def test_every_run_has_its_row_after_a_full_listing(seed: int) -> None:
    """Whatever comes in, in whatever order: one row each, at the latest then."""
    chance = random.Random(seed)
    office = Office(OLD[: chance.choice([0, 5, 400])])
    ever: set[str] = set()
    for number in range(60):
        for deed in range(chance.randrange(4)):
            chance_deed(office, chance, number * 10 + deed)()
        office.later(timedelta(minutes=chance.choice([1, 30, 30, 600])))
        full = number % 15 == 14
        office.tick(full=full, full_hours=1000)
        if not office.sheet.rows:
            continue
        assert len(office.ids) == len(set(office.ids))
        listed = [item for item in office.projects[PROJECT] if isinstance(item, Run)]
        done = {item.id for item in listed if item.state in ("finished", "failed")}
        silent = {i.id for i in listed if office.clock.now() - (i.heartbeat or i.created or NOW) >= DAY}
        ever |= done | silent
        if full:
            assert done | silent <= set(office.ids)
    assert set(office.ids) <= ever
