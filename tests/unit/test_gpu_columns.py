"""P1, P6: the GPU columns are filled once for each settled run, in order, and one odd run stops no other.

Mutants: tests/mutant_list/gpu_columns.py.
"""

import statistics
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runsheet import config, gpu_columns, pull
from runsheet.columns import Header
from runsheet.destinations.memory import MemorySheet
from runsheet.errors import (
    AccessError,
    ConfigError,
    NotFound,
    ServiceError,
    Stopped,
    Unreachable,
)
from runsheet.gpu_columns import AGAIN, OUTAGE, WAITS, WINDOW, WORKERS, GpuColumns, Later
from runsheet.model import Run, Sample, Skip
from runsheet.report import Report
from runsheet.reports.gpu_metrics import COLUMNS
from runsheet.rules import Rules
from runsheet.sources.base import Query, Rows, Stream
from runsheet.sources.memory import MemorySource, WatchedMemorySource
from runsheet.spool import DEAR
from tests.support import builders
from tests.support.builders import NOW, PROJECT, FakeClock, rules
from tests.unit.test_windows import Office

GIB = 1024**3
UTIL, MEMORY, POWER, TEMP = COLUMNS
HERE = {"wanted": True}


def sample(second: float, **values: Any) -> Sample:
    """A row of W&B's system stream about one GPU."""
    return Sample(NOW.timestamp() + second, {f"system.gpu.0.{key}": value for key, value in values.items()})


def rows_of(number: int) -> tuple[Sample, ...]:
    """Rows whose averages and maxima are other ones for each number."""
    return (
        sample(0, gpu=number, memoryAllocatedBytes=(number + 1) * GIB, powerWatts=200 + number, temp=40),
        sample(
            15, gpu=number + 10, memoryAllocatedBytes=2 * (number + 1) * GIB, powerWatts=400 + number, temp=60
        ),
    )


def expected(number: int) -> dict[str, float]:
    """The cells of a run with `rows_of`."""
    return {UTIL: number + 5, MEMORY: 2 * (number + 1), POWER: 300 + number, TEMP: 60}


class Metered(WatchedMemorySource):
    """Counts the runs whose stream is asked for. `met` is called with the id of each, before the answer."""

    def __init__(
        self,
        runs: Mapping[str, Sequence[Run | Skip]],
        system: Mapping[str, Sequence[Sample]] | None = None,
        met: Callable[[str], object] = lambda _: None,
    ) -> None:
        items = (item for items in runs.values() for item in items if isinstance(item, Run))
        made = {item.id: rows_of(number) for number, item in enumerate(items)}
        super().__init__(runs, system=made if system is None else system)
        self._met = met
        self.asked: list[str] = []

    def rows(self, run: Run, stream: Stream, wanted: Callable[[str], bool] = lambda _key: True) -> Rows:
        assert stream is Stream.SYSTEM, "the training history is not looked at"
        with self._lock:
            self.asked.append(run.id)
        self._met(run.id)
        return super().rows(run, stream, wanted)


class Plain(Metered):
    """The same, but not Watched: all runs come whole in each tick."""

    listed = recent = pick = scope = None  # type: ignore[assignment]


def fill(
    source: MemorySource,
    items: Sequence[Run | Skip],
    due: Callable[[Run], bool] = lambda _: True,
    **more: Any,
) -> Iterator[Run | Skip]:
    with GpuColumns(source, more.pop("clock", FakeClock()), **{**HERE, **more}) as gpus:
        yield from gpus.fill(items, due)


def raising(**errors: Exception) -> Callable[[str], None]:
    def met(run_id: str) -> None:
        if run_id in errors:
            raise errors[run_id]

    return met


LONG_AGO = NOW - 2 * AGAIN


def run(number: int | str, *project: str, **more: Any) -> Run:
    """A run that ended so long ago that it does not wait for its GPU use."""
    return builders.run(number, *project, **{"created": LONG_AGO, "heartbeat": LONG_AGO, **more})


RUNS = [run(number, summary={"loss": 1}) for number in range(60)]


# --- the iterator --------------------------------------------------------------------------------


def test_each_run_in_its_place_with_its_own_values() -> None:
    """Though they are read at the same time; what is not due stays where it is."""
    skip = Skip("f", "empty file")
    items = [*RUNS[:30], skip, *RUNS[30:]]
    source = Metered({PROJECT: RUNS})
    found = [*fill(source, items, lambda item: item.id not in ("run0003", "run0040"))]
    bare = {3, 40}
    assert found == [
        skip
        if isinstance(item, Skip)
        else replace(
            item, summary={"loss": 1, **({} if int(item.id[3:]) in bare else expected(int(item.id[3:])))}
        )
        for item in items
    ]
    assert sorted(source.asked) == [item.id for item in RUNS if int(item.id[3:]) not in bare]


def test_several_at_the_same_time() -> None:
    together = threading.Barrier(WORKERS)

    def met(run_id: str) -> None:
        if int(run_id[3:]) < WORKERS:
            together.wait(30)  # it breaks unless all of them are there

    assert len([*fill(Metered({PROJECT: RUNS}, met=met), RUNS)]) == len(RUNS)


def test_one_at_a_time_where_no_service_is_asked() -> None:
    """There threads would only take the memory for the rows of several runs."""
    threads: set[int] = set()

    def met(_: str) -> None:
        threads.add(threading.get_ident())

    assert len([*fill(Plain({PROJECT: RUNS}, met=met), RUNS)]) == len(RUNS)
    assert len(threads) == 1


class Waiting(Future[Any]):
    """Is done when somebody waits for it."""

    def __init__(self, work: Callable[[], Any]) -> None:
        super().__init__()
        self._work = work

    def result(self, timeout: float | None = None) -> Any:
        return self._work()


class Slow:
    """A pool whose threads never come to an end by themselves."""

    made: ClassVar[list[int]] = []

    def __init__(self, workers: int, _name: str) -> None:
        self.made.append(workers)

    def submit(self, work: Callable[..., Any], *given: Any) -> Waiting:
        return Waiting(partial(work, *given))

    def shutdown(self, *, cancel_futures: bool) -> None:
        assert cancel_futures


def test_slow_runs_hold_a_window_and_not_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind them a few are read in advance: whole runs are large. So many threads, and no more."""
    monkeypatch.setattr(gpu_columns, "ThreadPoolExecutor", Slow)
    taken: list[Run] = []

    def items() -> Iterator[Run]:
        for item in RUNS:
            taken.append(item)
            yield item

    ahead = []
    with GpuColumns(Metered({PROJECT: RUNS}), FakeClock(), wanted=True) as gpus:
        for number, item in enumerate(gpus.fill(items(), lambda _: True)):
            assert UTIL in getattr(item, "summary", {})
            ahead.append(len(taken) - number)
    assert (max(ahead), ahead[0], len(ahead)) == (WINDOW, WINDOW, len(RUNS))
    assert Slow.made == [WORKERS]


def test_what_is_not_due_is_handed_on_at_once() -> None:
    """Nothing is taken ahead of it."""
    taken: list[str] = []

    def items() -> Iterator[Run]:
        for item in RUNS:
            taken.append(item.id)
            yield item

    with GpuColumns(Metered({PROJECT: RUNS}), FakeClock(), wanted=True) as gpus:
        assert next(gpus.fill(items(), lambda _: False)) == RUNS[0]
    assert taken == ["run0000"]


ALL_FOUR = {UTIL: 1, MEMORY: 2, POWER: 3, TEMP: 4}
NOTED: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "none": ({}, expected(0), True),
    "one": ({POWER: 7.5}, {**expected(0), POWER: 7.5}, True),
    "zero counts": ({POWER: 0}, {**expected(0), POWER: 0}, True),
    "all": (ALL_FOUR, ALL_FOUR, False),
    "NaN is none": ({**ALL_FOUR, UTIL: float("nan")}, {**ALL_FOUR, UTIL: 5}, True),
    "its text is none": ({**ALL_FOUR, TEMP: "NaN"}, {**ALL_FOUR, TEMP: 60}, True),
    "null is none": ({**ALL_FOUR, TEMP: None}, {**ALL_FOUR, TEMP: 60}, True),
    "nested": ({**ALL_FOUR, TEMP: {"max": 5}}, {**ALL_FOUR, TEMP: {"max": 5}}, False),
}


@pytest.mark.parametrize(("noted", "summary", "asked"), NOTED.values(), ids=NOTED)
def test_what_a_run_noted_wins(noted: dict[str, Any], summary: dict[str, Any], asked: bool) -> None:
    """Key by key; a run that noted all is not asked for."""
    one = run(0, summary=noted)
    source = Metered({PROJECT: [one]})
    assert [*fill(source, [one])] == [replace(one, summary=summary)]
    assert source.asked == (["run0000"] if asked else [])


def test_a_run_without_gpus_stays_as_it_is() -> None:
    """It is no error, and nothing to tell."""
    one, source = run(0), Metered({PROJECT: [run(0)]}, {"run0000": (Sample(0.0, {"system.cpu": 3.0}),)})
    assert [*fill(source, [one])] == [one]


ODD: dict[str, tuple[Exception, str]] = {
    "gone": (NotFound("there is no run"), "its GPU use cannot be read: there is no run"),
    "refused": (ServiceError("HTTP 422"), "its GPU use cannot be read: HTTP 422"),
    "never answered": (Unreachable("HTTP 504"), "its GPU use cannot be read: HTTP 504"),
    "forbidden": (AccessError("HTTP 403"), "its GPU use cannot be read: HTTP 403"),
    "damaged": (TypeError("no number"), "its GPU use cannot be told (TypeError)"),
}


@pytest.mark.parametrize(("error", "reason"), ODD.values(), ids=ODD)
def test_a_run_that_cannot_be_read_stops_no_other(error: Exception, reason: str) -> None:
    found = [*fill(Metered({PROJECT: RUNS}, met=raising(run0001=error)), RUNS[:3])]
    assert found[1:3] == [Skip("run run0001", reason, count=0), RUNS[1]]
    assert [UTIL in item.summary for item in found if isinstance(item, Run)] == [True, False, True]


def test_a_summary_that_is_none_stops_no_other() -> None:
    odd: Any = run(0, summary=7)
    found = [*fill(Metered({PROJECT: [odd, RUNS[1]]}), [odd, RUNS[1]])]
    assert [type(item) for item in found] == [Skip, Run, Run]


def outage(error: Exception, first: int) -> Callable[[str], None]:
    """From a run on the service fails."""
    return raising(**{f"run{number:04d}": error for number in range(first, 2000)})


@pytest.mark.parametrize("error", [Unreachable("no answer"), AccessError("revoked")])
def test_a_service_that_fails_is_not_asked_on_and_on(error: ServiceError) -> None:
    """Those behind wait, whatever their age: it is not their fault."""
    source = Metered({PROJECT: RUNS}, met=outage(error, 10))
    found = [*fill(source, RUNS)]
    assert 10 + OUTAGE <= len(source.asked) <= 10 + 2 * OUTAGE + WORKERS  # a success may end late
    tried = [item for item in RUNS if item.id in {*source.asked}]
    assert [item.id for item in found if isinstance(item, Run)] == [item.id for item in tried]
    assert [item.run for item in found if isinstance(item, Later)] == [
        one for one in RUNS if one not in tried
    ]
    assert len([item for item in found if isinstance(item, Skip)]) == len(tried) - 10


def test_a_login_that_is_missing_ends_it_at_once() -> None:
    source = Metered({PROJECT: RUNS}, met=raising(run0010=ConfigError("no login")))
    with pytest.raises(ConfigError, match="no login"):
        _ = [*fill(source, RUNS)]
    assert len(source.asked) <= 11 + WINDOW


def test_failures_that_are_not_in_a_row_end_nothing() -> None:
    """Every third run is read, and they are handed on in their order. What needs no reading, and what is odd
    with a run, is no answer of the service."""
    runs = [run(n, summary=ALL_FOUR if n % 6 == 1 else {}) for n in range(60)]
    failing = {f"run{n:04d}": Unreachable("HTTP 504") for n in range(60) if n % 3 != 2}
    items = [item for one in runs for item in (Skip(f"before {one.id}", "odd"), one)]
    found = [*fill(Metered({PROJECT: runs}, met=raising(**failing)), items)]
    remarks = [item for item in found if isinstance(item, Skip) and not item.count]
    assert [item for item in found if item not in remarks and isinstance(item, Skip)] == items[::2]
    assert [item.id for item in found if isinstance(item, Run)] == [one.id for one in runs]
    assert [item.what for item in remarks] == [
        f"run {one.id}" for one in runs if one.id in failing and not one.summary
    ]


def test_a_failure_does_not_hold_a_project() -> None:
    """It is judged before another window of runs has come."""
    taken: list[str] = []

    def items() -> Iterator[Run]:
        for item in RUNS:
            taken.append(item.id)
            yield item

    source = Metered({PROJECT: RUNS}, met=raising(run0000=Unreachable("HTTP 504")))
    with GpuColumns(source, FakeClock(), wanted=True) as gpus:
        assert isinstance(next(gpus.fill(items(), lambda item: item.id == "run0000")), Skip)
    assert len(taken) <= 2 * WINDOW + 1


AGES: dict[str, tuple[dict[str, Any], bool]] = {
    "just now": ({"heartbeat": NOW}, True),
    "settled by silence": ({"heartbeat": NOW - AGAIN + timedelta(seconds=1)}, True),
    "long ago": ({"heartbeat": NOW - AGAIN}, False),
    "a clock that is ahead": ({"heartbeat": NOW + 2 * AGAIN}, False),
    "no heartbeat": ({"heartbeat": None, "created": NOW}, False),
}


@pytest.mark.parametrize(("times", "waits"), AGES.values(), ids=AGES)
def test_a_run_that_was_alive_lately_is_tried_again(times: dict[str, Any], waits: bool) -> None:
    """It has no row until then: one with blank cells would stay as it is."""
    one = run(0, **times)
    found = [*fill(Metered({PROJECT: [one]}, met=raising(run0000=NotFound("there are none"))), [one])]
    reason = f"its GPU use cannot be read{' yet' if waits else ''}: there are none"
    assert found == [Skip("run run0000", reason, count=0), Later(one) if waits else one]


def test_a_stop_ends_it_promptly() -> None:
    """What is being asked for ends, what waits is not begun."""
    clock = FakeClock()
    source = Metered({PROJECT: RUNS}, met=lambda run_id: clock.stop() if run_id == "run0002" else None)
    with pytest.raises(Stopped):
        _ = [*fill(source, RUNS, clock=clock)]
    assert len(source.asked) <= 3 + WORKERS


def test_a_stop_asks_for_nothing_more() -> None:
    """Not even for what it has begun."""
    clock, source = FakeClock(), Metered({PROJECT: RUNS})
    clock.stop()
    with pytest.raises(Stopped):
        _ = [*fill(source, RUNS, clock=clock)]
    assert source.asked == []


def test_a_stop_while_the_rows_of_a_run_are_measured() -> None:
    """A long run takes seconds."""
    clock = FakeClock()
    source = Metered({PROJECT: RUNS}, met=lambda _: clock.stop())
    with pytest.raises(Stopped):
        _ = [*fill(source, RUNS[:1], clock=clock)]
    assert source.asked == ["run0000"]


def test_a_project_that_ends_gives_up_what_it_has_not_begun() -> None:
    """Its listing fails: the runs before it are handed on or dropped, and no thread is left."""

    def items() -> Iterator[Run]:
        yield RUNS[0]
        raise Unreachable("the next page")

    with (
        GpuColumns(Metered({PROJECT: RUNS}), FakeClock(), wanted=True) as gpus,
        pytest.raises(Unreachable, match="the next page"),
    ):
        _ = [*gpus.fill(items(), lambda _: True)]
    assert not [thread for thread in threading.enumerate() if "runsheet-gpu" in thread.name]


class Last:
    """A source that knows last values only."""

    name, requests = "export", 0

    def projects(self) -> tuple[str, ...]:
        return (PROJECT,)

    def runs(self, project: str, query: Query) -> Iterator[Run | Skip]:
        yield from RUNS[:2]

    def close(self) -> None:
        """Nothing is held."""


def test_a_source_that_has_no_rows_is_told_once() -> None:
    found = pull.pull(Last(), rules(gpu_columns=True), Query(), FakeClock(), lambda _: None)
    assert [notice.partition(" does not")[0] for notice in found.notices] == [
        "GPU_COLUMNS: the source export"
    ]
    assert len(found.candidates) == 2
    assert (found.skips, found.failed) == ([], {})
    assert pull.pull(Last(), rules(), Query(), FakeClock(), lambda _: None).notices == ()


PER_GPU = st.fixed_dictionaries(
    {},
    optional={
        "gpu": st.integers(0, 100),
        "memoryAllocatedBytes": st.integers(0, 80 * GIB),
        "powerWatts": st.floats(0, 700) | st.just("NaN") | st.none(),
        "temp": st.integers(20, 95),
    },
)


@given(st.lists(st.dictionaries(st.integers(0, 3), PER_GPU, max_size=4), max_size=6))
def test_cells_are_what_was_measured(logged: list[dict[int, dict[str, Any]]]) -> None:
    """By another computation: the mean of each GPU, the mean of those, the greatest of all."""

    def of(key: str) -> dict[int, list[float]]:
        found: dict[int, list[float]] = {}
        for row in logged:
            for gpu, values in row.items():
                if isinstance(value := values.get(key), int | float):
                    found.setdefault(gpu, []).append(value)
        return found

    means = {UTIL: "gpu", POWER: "powerWatts"}
    tops = {MEMORY: ("memoryAllocatedBytes", GIB), TEMP: ("temp", 1)}
    wanted = {
        name: statistics.mean(map(statistics.mean, of(key).values()))
        for name, key in means.items()
        if of(key)
    }
    wanted |= {
        name: max(max(v) for v in of(key).values()) / unit for name, (key, unit) in tops.items() if of(key)
    }
    rows = [
        Sample(15.0 * n, {f"system.gpu.{g}.{k}": v for g, values in row.items() for k, v in values.items()})
        for n, row in enumerate(logged)
    ]
    (found,) = fill(Metered({PROJECT: [run(0)]}, {"run0000": rows}), [run(0)])
    assert isinstance(found, Run)
    assert {key: found.summary[key] for key in COLUMNS if key in found.summary} == pytest.approx(
        wanted, abs=1e-4
    )


# --- ticks ---------------------------------------------------------------------------------------


def measuring(**more: Any) -> Rules:
    return rules("run_id", *COLUMNS, **{"dynamic": (), "gpu_columns": True, **more})


class Lab(Office):
    """An office whose runs have a system stream; `asked` is what the last tick has asked for."""

    kind: type[Metered] = Metered

    def tick(self, source: WatchedMemorySource | None = None, **mode: Any) -> Report:
        self.met = source or self.kind(self.projects)
        return super().tick(self.met, **mode)

    @property
    def asked(self) -> list[str]:
        assert isinstance(self.met, Metered)
        return sorted(self.met.asked)

    def cells(self, *titles: str) -> dict[str, tuple[Any, ...]]:
        """What stands under these titles, by run id."""
        return cells(self.sheet, *titles or COLUMNS)


def cells(sheet: MemorySheet, *titles: str) -> dict[str, tuple[Any, ...]]:
    header, *rows = sheet.rows
    places = [header.index(title) for title in titles]
    key = header.index("run_id")
    return {row[key]: tuple(row[p] if p < len(row) else None for p in places) for row in rows}


def told(number: int) -> tuple[float, ...]:
    return tuple(expected(number).values())


@pytest.fixture(params=[Metered, Plain])
def kind(request: pytest.FixtureRequest) -> type[Metered]:
    found: type[Metered] = request.param
    return found


def lab(kind: type[Metered], runs: Sequence[Run], wanted: Rules | None = None) -> Lab:
    made = Lab(runs, wanted or measuring())
    made.kind = kind
    return made


def fresh(number: int | str, **more: Any) -> Run:
    return run(number, **{"created": NOW, "heartbeat": NOW, **more})


def test_once_for_each_run_that_gets_a_row(kind: type[Metered]) -> None:
    """Neither for one that is known, nor for one that gets none."""
    office = lab(kind, [run(0), run(1), run(2, state="running", heartbeat=NOW), run(3, user="lee")])
    office.rules = measuring(users=frozenset({"kim"}))
    report = office.tick()
    assert office.cells() == {"run0000": told(0), "run0001": told(1)}
    assert (office.asked, report.measured) == (["run0000", "run0001"], 2)
    assert "GPU use read of 2 runs" in report.line()
    report = office.tick()
    assert (office.asked, report.measured, report.added) == ([], 0, 0)
    assert "GPU use" not in report.line()
    office.add(fresh("new"))
    assert office.tick().added == 1
    assert office.asked == ["new"]
    assert office.cells()["new"] == told(4)
    office.later(timedelta(hours=25))
    for settled in (["run0002"], []):
        office.tick()
        assert office.asked == settled, "the one that has been silent for a day"


def test_not_unless_it_is_wanted(kind: type[Metered]) -> None:
    """What runs noted is shown all the same, by the same key and under any title."""
    titled = rules("run_id", Header(UTIL, "GPU %"), dynamic=())
    office = lab(kind, [run(0, summary={UTIL: 55.5}), run(1)], titled)
    office.tick()
    assert office.asked == []
    assert office.cells("GPU %") == {"run0000": (55.5,), "run0001": (None,)}


def test_live_rows_are_filled_when_the_run_has_settled(kind: type[Metered]) -> None:
    """While it goes on nothing is asked, and the cells stay blank."""
    office = lab(kind, [run(0), fresh(1, state="running")], measuring(live=True))
    office.tick()
    assert office.asked == ["run0000"]
    blank = (None,) * 4
    assert office.cells() == {"run0000": told(0), "run0001": blank}
    office.change("run0001", heartbeat=NOW + timedelta(minutes=1))
    office.tick()
    assert (office.asked, office.cells()["run0001"]) == ([], blank)
    office.change("run0001", state="finished")
    report = office.tick()
    assert (office.asked, report.measured, office.cells()["run0001"]) == (["run0001"], 1, told(1))
    office.tick(full=True)
    assert office.asked == []


def test_a_run_that_goes_on_is_asked_for_again_when_it_settles(kind: type[Metered]) -> None:
    office = lab(kind, [run(0), run(1)], measuring(live=True))
    office.tick()
    office.change("run0001", state="running", heartbeat=NOW)
    office.tick()
    assert office.asked == []
    office.change("run0001", state="failed")
    office.tick(full=True)
    assert (office.asked, office.cells()["run0001"]) == (["run0001"], told(1))
    office.tick(full=True)
    assert office.asked == []


def test_the_row_of_a_run_that_went_on_was_away_for_a_while(kind: type[Metered]) -> None:
    """Somebody deleted it, and took that back when the run had ended: it still becomes true."""
    office = lab(kind, [run(0), run(1)], measuring(live=True))
    office.tick()
    row = office.sheet.rows.pop(2)
    office.change("run0001", state="failed", heartbeat=NOW, summary={"gpu_util_avg": 55.5})
    office.tick(full=True)
    office.sheet.rows.append(row)
    office.tick(full=True)
    assert office.sheet.rows[2][:2] == ["run0001", 55.5]


def test_switched_on_for_a_table_that_stands(kind: type[Metered]) -> None:
    """Rows that stand stay as they are: no stream of theirs is asked for, nor a listing."""
    office = lab(kind, [run(number) for number in range(1200)], rules("run_id", dynamic=()))
    office.tick()
    office.rules = measuring()
    report = office.tick()
    usual = office.source.requests
    assert (office.asked, report.added, usual) == ([], 0, 1 if kind is Metered else 2)
    office.add(fresh("new"))
    report = office.tick()
    assert (office.asked, report.added, len(report.columns_added)) == (["new"], 1, 4)
    assert office.source.requests == 2
    shown = office.cells()
    assert (shown["new"], shown["run0007"]) == (told(1200), (None,) * 4)
    office.add(fresh("blank", summary=ALL_FOUR))
    office.tick()
    assert (office.asked, office.source.requests) == ([], 2)
    assert office.cells()["blank"] == (1, 2, 3, 4)


def test_the_columns_are_there_before_any_run_has_values() -> None:
    """And show these very keys, whatever else a training calls its own."""
    office = lab(Metered, [run(0, summary={"gpu/util_avg": 1.5})])
    office.tick(Metered(office.projects, {}))
    assert office.cells() == {"run0000": (None,) * 4}
    office.add(fresh("new"))
    office.tick()
    assert office.cells()["new"] == told(1)


def test_a_column_that_shows_them_already_stays_the_only_one() -> None:
    """Dynamic ones have the same identity."""
    office = lab(Metered, [run(0, summary=ALL_FOUR)], rules("run_id"))
    office.tick()
    office.rules = measuring(dynamic=("*",))
    office.add(fresh("new", summary={}, config={}))
    report = office.tick()
    assert (report.columns_added, office.cells()["new"]) == ((), told(1))


def test_a_dry_run_shows_what_would_be_written() -> None:
    office = lab(Metered, [run(0)])
    report = office.tick(dry_run=True)
    assert (office.asked, report.measured) == (["run0000"], 1)
    assert f"{UTIL}=5" in report.plan_lines()[-1]


def test_a_failure_is_made_good_by_the_next_tick(kind: type[Metered]) -> None:
    office = lab(kind, [fresh(number) for number in range(5)])
    report = office.tick(kind(office.projects, met=outage(Unreachable("no answer"), 1)))
    assert (office.cells(), report.waiting) == ({"run0000": told(0)}, {WAITS: 4})
    office.tick()
    assert office.cells() == {f"run{number:04d}": told(number) for number in range(5)}


def test_runs_that_cannot_be_read_stop_no_other(kind: type[Metered]) -> None:
    """However many of them wait, and though they alone are left from the last tick."""
    failing = raising(**{f"bad{n}": Unreachable("HTTP 504") for n in range(5)})
    office = lab(kind, [fresh(0), *(fresh(f"bad{n}") for n in range(5))])
    for number in range(1, 4):
        office.tick(kind(office.projects, met=failing))
        office.later(timedelta(minutes=30))
        office.add(fresh(number))
    office.tick(kind(office.projects, met=failing))
    assert [*office.cells()] == [f"run{number:04d}" for number in range(4)]


def test_each_run_has_its_row_in_the_end(kind: type[Metered]) -> None:
    """Also of a service that never tells of the first ones, which are many in a row."""
    runs = [run(number) for number in range(4 * OUTAGE)]
    failing = raising(**{item.id: AccessError("HTTP 403") for item in runs[: 2 * OUTAGE]})
    office = lab(kind, runs)
    for _ in range(4):
        office.tick(kind(office.projects, met=failing))
    assert sorted(office.cells()) == [item.id for item in runs]
    assert office.cells()[runs[-1].id] != (None,) * 4


NEVER = raising(fails=Unreachable("HTTP 504"))
"""One run whose stream never comes."""


@pytest.mark.parametrize("live", [False, True], ids=["rows", "live rows"])
@pytest.mark.parametrize("ago", [timedelta(minutes=1), timedelta(hours=20)], ids=["new", "below the others"])
def test_a_run_whose_stream_does_not_come_is_added_when_it_does(
    kind: type[Metered], ago: timedelta, live: bool
) -> None:
    """Be it the first tick or a later one, and though other runs showed a later sign of life."""
    late = fresh("fails", heartbeat=NOW - ago, created=NOW - ago)
    for first in (True, False):
        office = lab(kind, [fresh(0), *([late] if first else [])], measuring(live=live))
        if not first:
            office.tick()
            office.add(late)
        for _ in range(2):
            report = office.tick(kind(office.projects, met=NEVER))
            assert office.cells() == {"run0000": told(0)} | ({"fails": (None,) * 4} if live else {})
            assert [(skip.what, skip.count) for skip in report.skips] == [("run fails", 0)]
            assert report.waiting == ({} if live else {WAITS: 1})
        report = office.tick()
        assert report.added + len(report.updated_ids) == 1
        assert (office.asked, office.cells()["fails"]) == (["fails"], told(1))
        office.tick()
        assert office.asked == []


def test_a_live_row_goes_on_until_its_stream_comes(kind: type[Metered]) -> None:
    office = lab(kind, [run(0), fresh("fails", state="running")], measuring(live=True))
    office.tick()
    office.change("fails", state="finished")
    for _ in range(2):
        report = office.tick(kind(office.projects, met=NEVER))
        assert (office.cells()["fails"], report.deleted) == ((None,) * 4, 0)
        assert "its GPU use cannot be read yet: HTTP 504" in report.skips[0].reason
    office.tick()
    assert (office.asked, office.cells()["fails"]) == (["fails"], told(1))
    office.tick(full=True)
    assert office.asked == []


def test_no_run_waits_for_ever(kind: type[Metered]) -> None:
    office = lab(kind, [fresh(0), fresh("fails")])
    for hours in (0, 20, 20, 20):
        office.later(timedelta(hours=hours))
        report = office.tick(kind(office.projects, met=NEVER))
    assert office.cells() == {"run0000": told(0), "fails": (None,) * 4}
    assert [skip.count for skip in report.skips] == [0]
    office.tick()
    assert office.asked == []


def test_one_run_that_cannot_be_read(kind: type[Metered]) -> None:
    """Its cells stay blank, the report says why, and nothing counts as left out."""
    office = lab(kind, [run(0), run(1)])
    report = office.tick(kind(office.projects, met=raising(run0001=NotFound("it is gone"))))
    assert office.cells() == {"run0000": told(0), "run0001": (None,) * 4}
    assert report.skips == (Skip("run run0001", "its GPU use cannot be read: it is gone", count=0),)
    assert (report.measured, "skipped" in report.line()) == (1, False)
    office.tick()
    assert office.asked == []


MANY = [run(number) for number in range(3 * DEAR)]


def asked(
    found: Metered, folder: Path, clock: FakeClock | None = None, wanted: Rules | None = None
) -> list[str]:
    """What a pull that is interrupted afterwards asks for."""
    before = pull.Before(cache=folder)
    done = pull.pull(found, wanted or measuring(), Query(), clock or FakeClock(), lambda _: None, before)
    done.spools.keep()
    return sorted(found.asked)


def test_what_was_asked_for_is_kept(tmp_path: Path) -> None:
    """Though it is much less than what memory holds: a first sync that broke off goes on where it was."""
    broken = Metered({PROJECT: MANY}, met=raising(run0130=ConfigError("no login")))
    before = pull.Before(cache=tmp_path)
    with pytest.raises(ConfigError):
        pull.pull(broken, measuring(), Query(), FakeClock(), lambda _: None, before)
    again = Metered({PROJECT: MANY})
    done = pull.pull(again, measuring(), Query(), FakeClock(), lambda _: None, before)
    assert sorted(again.asked) == [item.id for item in MANY[130:]]
    assert [one.load()["summary." + MEMORY] for one in done.candidates] == [
        2 * n + 2 for n in range(len(MANY))
    ]
    done.spools.done()


def test_what_a_tick_without_the_columns_left_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pull, "FEW", DEAR)
    assert asked(Metered({PROJECT: MANY}), tmp_path, wanted=rules()) == []
    assert asked(Metered({PROJECT: MANY}), tmp_path) == [item.id for item in MANY]
    assert asked(Metered({PROJECT: MANY}), tmp_path) == []


def test_a_run_that_settled_by_silence_meanwhile(tmp_path: Path) -> None:
    """It shows no sign of life; what was kept of it lacks its GPU use."""
    quiet = run("quiet", state="crashed", heartbeat=NOW - timedelta(hours=23))
    clock, live = FakeClock(), measuring(live=True)
    assert "quiet" not in asked(Metered({PROJECT: [*MANY, quiet]}), tmp_path, clock, live)
    clock.wait(2 * 3600)
    assert asked(Metered({PROJECT: [*MANY, quiet]}), tmp_path, clock, live) == ["quiet"]


# --- the configuration ---------------------------------------------------------------------------


LISTED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "off": ({}, ["run_id"]),
    "on": ({"GPU_COLUMNS": True}, ["run_id", *COLUMNS]),
    "one is listed": (
        {"GPU_COLUMNS": True, "FIXED_HEADERS": [{"GPU W": POWER}, "run_id"]},
        ["GPU W", "run_id", UTIL, MEMORY, TEMP],
    ),
    "by its path": (
        {"GPU_COLUMNS": True, "FIXED_HEADERS": ["run_id", f"summary.{UTIL}"]},
        ["run_id", f"summary.{UTIL}", MEMORY, POWER, TEMP],
    ),
}


@pytest.mark.parametrize(("keys", "titles"), LISTED.values(), ids=LISTED)
def test_headers(keys: dict[str, Any], titles: list[str]) -> None:
    """Behind the others, and those that are listed where they are listed."""
    found = config.Config(**{"FIXED_HEADERS": ["run_id"], **keys})
    assert [header.shown for header in found.headers] == titles
    assert found.rules().gpu_columns is bool(keys)


def test_they_need_room() -> None:
    with pytest.raises(
        ConfigError, match="there are 5 fixed headers, those of GPU_COLUMNS among them, got 4"
    ):
        config.parse('{"FIXED_HEADERS": ["run_id"], "GPU_COLUMNS": true, "MAX_COLUMNS": 4}')
    assert len(config.Config(FIXED_HEADERS=["run_id"], GPU_COLUMNS=True, MAX_COLUMNS=5).headers) == 5


def test_the_limit_leaves_none_of_them_out() -> None:
    """Nor does a table without dynamic columns."""
    office = lab(Metered, [run(0)], measuring(dynamic=("*",), limit=5))
    report = office.tick()
    assert office.sheet.rows[0] == ["run_id", *COLUMNS]
    assert report.left_out
