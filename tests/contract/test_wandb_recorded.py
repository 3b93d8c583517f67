"""The source `wandb` finds single runs, and has what they logged.

Tried with these faults in the source, each of which some test here finds: runs asked for oldest first; a
first page of a thousand; `run_name` of the config forgotten; a filter, of the query or of what is meant,
left out; a server's word taken for which runs are meant, or for their order; a server that is away asked
for a listing; no listing for a name that no filter finds, or one for an id; runs of a listing unsorted;
groups looked for in light runs; runs that did not come not told; remarks on runs that are not meant; a
field given up for a refused filter; `total` of rows that all came, or none at all; counts of a part of the
rows; `system/` keys taken for those of the history, or the other way round; only one type of a key counted;
empty rows kept; media taken apart; W&B's own entry kept; impossible times; rows without a time put first;
rows unsorted; a damaged row that ends the reading; a field that is unknown asked for each time; a request
for nothing but a count; an old run from the client's memory; the wrong stream, uncounted requests and a
directory for each run in the documented way.
"""

import json
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from runsheet.errors import AccessError, NotFound, ServiceError, Unreachable
from runsheet.model import Run as Found
from runsheet.model import Sample, Skip
from runsheet.sources.base import Finder, Logged, Query, Rows, Stream, Which
from runsheet.sources.wandb_api import WandbSource
from runsheet.sources.wandb_api.errors import Refused
from tests.contract.recorded_contract import RecordedContract
from tests.contract.source_contract import split
from tests.support.wandb import Fault, Run, WandbServer
from tests.support.wandb.data import config_text
from tests.support.wandb.fixtures import Make, clock, make, server, shared, warm

__all__ = ["clock", "make", "server", "shared", "warm"]

pytestmark = pytest.mark.usefixtures("warm")

PROJECT = "team/proj"
ALL = Query()
WHOLE, LIGHT, ROWS = "RunsheetRuns", "RunsheetLight", "RunsheetRows"
START = 1_700_000_000
REFUSED = Fault.errors("Cannot query field 'x' on type 'Run'.", status=400)


def find(asked: WandbSource, query: Query = ALL, **which: Any) -> list[str]:
    """The ids of the runs that are found, none of which may be lost."""
    runs, skips = split(asked.find(PROJECT, Which(**which), query))
    assert not skips
    return [run.id for run in runs]


def sizes(asked: WandbServer) -> list[int]:
    """The page that each listing asked for."""
    return [request.variables["perPage"] for request in asked.requests if "perPage" in request.variables]


def power(watts: float, second: int) -> dict[str, Any]:
    """A row of the system stream."""
    return {
        "system.gpu.0.powerWatts": watts,
        "system.cpu": 3.5,
        "_timestamp": START + second,
        "_runtime": second,
        "_wandb": True,
    }


def loss(number: int) -> dict[str, Any]:
    """A row of the history."""
    return {"loss": 1 / (number + 1), "_step": number, "_timestamp": START + number, "_runtime": number}


@pytest.fixture
def logging_run(server: WandbServer) -> Run:
    """The run `run00001` of three, which logged rows in both streams."""
    run = server.add_runs("team", "proj", 3)[1]
    run.history_rows = [loss(number) for number in range(5)]
    run.history_rows += [{"eval": {"acc": 0.5, "n": 2}, "_step": 5, "_timestamp": START + 5}]
    run.system_rows = [power(200, 0), power(300, 15), power(400, 30)]
    return run


@pytest.fixture
def whole(logging_run: Run) -> Callable[[WandbSource], Found]:
    """What a source knows of that run."""

    def one(source: WandbSource) -> Found:
        (run,) = source.find(PROJECT, Which(id=logging_run.id), ALL)
        assert isinstance(run, Found)
        return run

    return one


class TestContract(RecordedContract):
    """By our query, by the documented way, and from a server that tells less."""

    @pytest.fixture(params=["ours", "documented", "no names", "no count"])
    def source(
        self, make: Make, server: WandbServer, logging_run: Run, request: pytest.FixtureRequest
    ) -> WandbSource:
        if request.param == "documented":
            server.fail(REFUSED, query=ROWS, times=None)
        if request.param == "no names":
            logging_run.history = {"keys": {}}
        if request.param == "no count":
            unknown = Fault.errors("Cannot query field 'historyLineCount' on type 'Run'.", status=400)
            server.fail(unknown, query="historyLineCount", times=None)
        return make()

    @pytest.fixture
    def run(self, source: WandbSource, whole: Callable[[WandbSource], Found]) -> Found:
        return whole(source)

    @pytest.fixture
    def history(self) -> set[str]:
        return {"loss", "eval.acc", "eval.n", "_step", "_timestamp", "_runtime"}

    @pytest.fixture
    def system(self) -> set[str]:
        return {"system.gpu.0.powerWatts", "system.cpu", "_timestamp", "_runtime"}


class TestFind:
    """Which runs are found, in which order, and by how many requests."""

    def test_it_is_a_finder(self, make: Make) -> None:
        assert isinstance(make(), Finder)

    def test_the_newest_run_takes_a_page(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 3)
        asked = make()
        run = next(asked.find(PROJECT, Which(), ALL))
        assert isinstance(run, Found)
        assert (run.id, run.name, run.config["seed"]) == ("run00002", "sunny-field-2", 2)
        assert asked.requests == server.count() == 2  # Viewer, and the page
        assert sizes(server) == [10]

    def test_a_found_run_is_the_run_that_a_listing_gives(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 3)
        asked = make()
        assert [*asked.find(PROJECT, Which(), ALL)] == [*asked.runs(PROJECT, ALL)][::-1]

    def test_nothing_is_asked_for_that_nobody_takes(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 100)
        asked = make(page=40)
        taken = asked.find(PROJECT, Which(), ALL)
        for wanted, expected in [(10, [10]), (1, [10, 20]), (19, [10, 20]), (1, [10, 20, 40])]:
            assert len([*islice(taken, wanted)]) == wanted
            assert sizes(server) == expected
        assert len([*taken]) == 69
        assert sizes(server) == [10, 20, 40, 40]

    def test_two_runs_of_one_name_come_newest_first(self, server: WandbServer, make: Make) -> None:
        runs = server.add_runs("team", "proj", 4)
        runs[1].display_name = runs[3].display_name = "twin"
        asked = make()
        assert find(asked, name="twin") == ["run00003", "run00001"]
        assert find(asked, called="twin") == ["run00003", "run00001"]
        assert server.count(WHOLE) == 2
        assert server.count(LIGHT) == 0

    def test_the_name_that_a_trainer_wrote_into_the_config(self, server: WandbServer, make: Make) -> None:
        runs = server.add_runs("team", "proj", 3)
        runs[1].config = config_text({"run_name": "bitter9"})
        asked = make()
        assert find(asked, name="bitter9") == find(asked, called="bitter9") == ["run00001"]

    @pytest.mark.parametrize(
        ("which", "expected"),
        [
            ({"id": "run00002"}, ["run00002"]),
            ({"id": "sunny-field-2"}, []),
            ({"name": "sunny-field-2"}, ["run00002"]),
            ({"name": "run00002"}, []),
            ({"called": "run00002"}, ["run00002"]),
            ({"called": "sunny-field-2"}, ["run00002"]),
            ({"called": "sunny"}, []),
            ({"group": "g1"}, ["run00004", "run00001"]),
            ({"sweep": "sw1"}, ["run00003", "run00000"]),
            ({"group": "g0", "sweep": "sw1"}, ["run00003", "run00000"]),
            ({"group": "g1", "sweep": "sw1"}, []),
            ({"filters": {"state": "crashed"}}, ["run00004"]),
            ({"filters": {"state": "crashed"}, "group": "g1"}, ["run00004"]),
            ({"filters": {"state": "crashed"}, "group": "g0"}, []),
        ],
        ids=str,
    )
    def test_each_way_to_mean_runs(
        self, server: WandbServer, make: Make, which: dict[str, Any], expected: list[str]
    ) -> None:
        runs = server.add_runs("team", "proj", 6)
        runs[0].sweep_name = runs[3].sweep_name = "sw1"
        runs[4].state = "crashed"
        assert find(make(), **which) == expected

    def test_the_filters_and_users_of_the_query_hold_too(self, server: WandbServer, make: Make) -> None:
        runs = server.add_runs("team", "proj", 6)
        runs[1].state = "crashed"
        runs[2].user = None
        asked = make()
        assert find(asked, Query(filters={"state": "crashed"}), group="g1") == ["run00001"]
        assert find(asked, Query(users=("ann",)), group="g2") == ["run00005"]
        assert find(asked, Query(users=("bob",))) == []

    def test_what_the_query_wants_is_read(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 2, gpu_count=8)
        run = next(make().find(PROJECT, Which(), Query(machine=True, gpus=True)))
        assert isinstance(run, Found)
        assert (run.machine, run.gpus) == ("node1", 8)

    def test_a_damaged_run_is_named(self, server: WandbServer, make: Make) -> None:
        """And no other, even if the server lists others."""
        server.script.ignores.add("filters")
        runs = server.add_runs("team", "proj", 3)
        runs[2].summary = "{broken"
        runs[1].config = "{broken"
        found, skips = split(make().find(PROJECT, Which(id="run00002"), ALL))
        assert [run.id for run in found] == ["run00002"]
        assert [skip.what for skip in skips] == [f"{PROJECT}/run00002"]

    @pytest.mark.parametrize("which", [{}, {"id": "a"}, {"name": "a"}, {"group": "a"}], ids=str)
    def test_a_project_that_does_not_exist(self, make: Make, which: dict[str, Any]) -> None:
        with pytest.raises(NotFound, match="no project team/nothing"):
            next(make().find("team/nothing", Which(**which), ALL))

    def test_a_project_without_runs(self, server: WandbServer, make: Make) -> None:
        server.project("team", "proj")
        asked = make()
        assert find(asked) == find(asked, name="a") == []

    def test_runs_that_did_not_come_are_told(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 30)
        server.shift_pages(2)
        runs, skips = split(make().find(PROJECT, Which(), ALL))
        assert len(runs) == 28
        assert [(skip.what, skip.gap) for skip in skips] == [(PROJECT, True)]


class TestOtherFilters:
    """Servers whose filters are not those of the service."""

    @pytest.mark.parametrize(
        ("which", "expected"),
        [
            ({"id": "run00012"}, ["run00012"]),
            ({"name": "twin"}, ["run00014", "run00003"]),
            ({"called": "twin"}, ["run00014", "run00003"]),
            ({"group": "g1"}, ["run00013", "run00010", "run00007", "run00004", "run00001"]),
        ],
        ids=str,
    )
    @pytest.mark.parametrize("how", ["ignored", "refused", "not matched"])
    def test_runs_are_found_all_the_same(
        self, server: WandbServer, make: Make, how: str, which: dict[str, Any], expected: list[str]
    ) -> None:
        runs = server.add_runs("team", "proj", 15)
        runs[3].display_name = runs[14].display_name = "twin"
        field = {"id": "name", "group": "group"}.get(*which, "displayName")
        if how == "ignored":
            server.script.ignores.add("filters")
        elif how == "refused":
            server.script.refuses |= {field, "config.run_name"} - {"name"}
            if field == "name":
                server.fail(REFUSED, query=WHOLE)
        elif field == "displayName":
            server.before_request = lambda request: _misspell(request.variables)
        assert find(make(), **which) == expected

    def test_a_name_is_looked_for_in_light_runs(self, server: WandbServer, make: Make) -> None:
        """Those that have it are read whole, and no others."""
        runs = server.add_runs("team", "proj", 25)
        runs[3].display_name = "twin"
        server.script.refuses.add("config.run_name")
        asked = make(page=10)
        (run,) = asked.find(PROJECT, Which(name="twin"), Query(filters={"state": "finished"}))
        assert isinstance(run, Found)
        assert run.config["seed"] == 3
        assert server.count(LIGHT) == 3
        assert [r.variables["perPage"] for r in server.requests if r.name == WHOLE][-1] == 1
        assert asked.requests == server.count()

    def test_a_name_that_nobody_has(self, server: WandbServer, make: Make) -> None:
        """Is looked for in the light listing, once."""
        server.add_runs("team", "proj", 3)
        assert find(make(), name="nobody") == []
        assert (server.count(WHOLE), server.count(LIGHT)) == (1, 1)

    def test_an_id_that_nobody_has_takes_a_page(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 3)
        assert find(make(), id="nobody") == []
        assert (server.count(WHOLE), server.count(LIGHT)) == (1, 0)

    def test_a_filter_of_the_user_that_is_refused_is_an_error(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 3)
        with pytest.raises(ServiceError, match="colour"):
            find(make(), name="sunny-field-1", filters={"colour": "red"})

    def test_a_server_with_an_order_of_its_own(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 3)
        server.script.ignores.add("order")
        assert find(make()) == ["run00002", "run00001", "run00000"]

    def test_a_server_that_knows_the_documented_query_only(self, server: WandbServer, make: Make) -> None:
        runs = server.add_runs("team", "proj", 3)
        runs[0].config = config_text({"run_name": "twin"})
        server.fail(REFUSED, query=WHOLE, times=None)
        server.fail(REFUSED, query=LIGHT, times=None)
        asked = make()
        assert next(asked.find(PROJECT, Which(), ALL)) == [*asked.runs(PROJECT, ALL)][-1]
        assert find(asked, name="twin") == ["run00000"]
        assert find(asked, group="g1") == ["run00001"]

    def test_what_is_not_understood_is_asked_for_once(
        self, server: WandbServer, make: Make, caplog: pytest.LogCaptureFixture
    ) -> None:
        """And told once, however many runs are looked for; the documented listing takes the same filter."""
        server.add_runs("team", "proj", 5)
        server.fail(REFUSED, query=WHOLE, times=None)
        asked = make()
        for number in range(3):
            assert find(asked, name=f"sunny-field-{number}") == [f"run0000{number}"]
        assert server.count("RunsheetRuns") == 1
        assert [server.count(name) for name in ("RunsheetLight", "Runs")] == [0, 3]
        assert len([record for record in caplog.records if record.levelname == "WARNING"]) == 1

    def test_a_refused_filter_costs_no_field(self, server: WandbServer, make: Make) -> None:
        """Of later listings: it tells nothing of what the server knows."""
        server.add_runs("team", "proj", 3, gpu_count=8)
        server.fail(Fault.errors("bad filter", status=400), query=WHOLE, times=3)
        asked, query = make(), Query(machine=True, gpus=True)
        assert find(asked, query, name="sunny-field-1") == ["run00001"]
        runs, _ = split(asked.runs(PROJECT, query))
        assert [(run.machine, run.gpus) for run in runs] == [("node0", 8), ("node1", 8), ("node2", 8)]

    @pytest.mark.parametrize(
        ("fault", "error"),
        [(Fault.http(403, "no"), AccessError), (Fault.gateway(), Unreachable)],
        ids=["forbidden", "away"],
    )
    def test_a_server_that_is_away_is_no_server_with_other_filters(
        self, server: WandbServer, make: Make, fault: Fault, error: type[Exception]
    ) -> None:
        server.add_runs("team", "proj", 3)
        server.fail(fault, query=WHOLE, times=None)
        with pytest.raises(error):
            find(make(), name="sunny-field-1")
        assert server.count(LIGHT) == 0


def _misspell(variables: dict[str, Any]) -> None:
    """Make of the names in a filter what no run has."""
    variables["filters"] = (variables.get("filters") or "{}").replace("twin", "nobody")


class TestLogged:
    """The keys of a run."""

    def test_87_keys(self, server: WandbServer, make: Make, whole: Callable[[WandbSource], Found]) -> None:
        """By one request."""
        gpu = {f"gpu/{name}": 1.0 for name in ("compute_util_avg", "memory_used_avg_gb", "memory_util_avg")}
        rest = {f"train/m{number:02d}": 0.5 for number in range(76)}
        run = server.project("team", "proj").runs["run00001"]
        run.history_rows = [{**gpu, **rest, "_step": step, "_timestamp": START} for step in range(4)]
        run.history_rows[0]["once"] = "text"
        run.system_rows = [
            {f"system.gpu.{i}.{name}": 1 for i in range(2) for name in ("gpu", "temp")}
            | {"system.gpu.0.memory": 37, "_timestamp": START + second}
            for second in range(3)
        ]
        asked = make()
        found = whole(asked)
        before = asked.requests
        logged = asked.logged(found)
        assert asked.requests == before + 1
        assert len({*logged.history} | {*logged.system}) == 87
        assert sum("gpu" in key for key in (*logged.history, *logged.system)) == 8
        assert logged.history["gpu/compute_util_avg"] == 4
        assert logged.history["once"] == 1
        assert logged.system["system.gpu.1.temp"] == 3

    def test_counts_are_those_of_all_rows(
        self, server: WandbServer, make: Make, whole: Callable[[WandbSource], Found], logging_run: Run
    ) -> None:
        logging_run.history_rows = [loss(number) for number in range(2000)] + [{"late": 1}]
        asked = make()
        logged = asked.logged(whole(asked))
        assert (logged.history["loss"], logged.history["late"]) == (2000, 1)

    def test_a_key_of_several_types(
        self, make: Make, whole: Callable[[WandbSource], Found], logging_run: Run
    ) -> None:
        logging_run.history_rows = [{"x": 1}, {"x": "text"}, {"x": {"_type": "image-file", "path": "a"}}]
        asked = make()
        assert asked.logged(whole(asked)).history == {"x": 3}

    def test_keys_that_the_server_forgot(
        self, server: WandbServer, make: Make, whole: Callable[[WandbSource], Found], logging_run: Run
    ) -> None:
        """Are taken from the rows; their counts too, if all came."""
        told = {"loss": {"typeCounts": [{"type": "number", "count": 7}]}, "_step": {"typeCounts": []}}
        logging_run.history = {"keys": told}
        logging_run.history_rows = [{**loss(number), "other": number} for number in range(20)]
        asked = make()
        found = asked.logged(whole(asked))
        assert (found.history["loss"], found.history["_step"], found.history["other"]) == (7, 20, 20)
        server.script.cap = 10
        found = asked.logged(whole(asked))
        assert (found.history["loss"], found.history["other"]) == (7, 0)

    def test_system_keys_among_those_of_the_history(
        self, make: Make, whole: Callable[[WandbSource], Found], logging_run: Run
    ) -> None:
        """As the service has them, with a slash; one that is in the rows of the history is a key of those."""
        told = {"typeCounts": [{"type": "number", "count": 51}]}
        logging_run.history = {"keys": {"system/gpu.0.powerWatts": told, "system/mine": told}}
        logging_run.history_rows = [{"system/mine": 1.0}]
        logging_run.system_rows = [power(200, 0)]
        asked = make()
        logged = asked.logged(whole(asked))
        assert logged.history == {"system/mine": 51}
        assert logged.system == {
            "system.gpu.0.powerWatts": 51,
            "system.cpu": 1,
            "_timestamp": 1,
            "_runtime": 1,
        }

    @pytest.mark.parametrize(
        "odd",
        [
            {"keys": None},
            {"keys": [1]},
            {"keys": {"a": None, "b": {"typeCounts": None}, "c": {"typeCounts": [None, {"count": "x"}]}}},
            [1],
            "text",
        ],
        ids=str,
    )
    def test_names_in_an_unknown_form(
        self, make: Make, whole: Callable[[WandbSource], Found], logging_run: Run, odd: Any
    ) -> None:
        logging_run.history = odd
        asked = make()
        found = asked.logged(whole(asked)).history
        assert found["loss"] == 5
        assert {key: found.get(key, 0) for key in "abc"} == dict.fromkeys("abc", 0)

    def test_a_run_that_logged_nothing(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 1)
        asked = make()
        (run,) = asked.runs(PROJECT, ALL)
        assert isinstance(run, Found)
        assert asked.logged(run) == Logged()
        assert [asked.rows(run, stream) for stream in Stream] == [Rows(), Rows()]


class TestRows:
    """The rows of a run."""

    def test_the_history(self, make: Make, whole: Callable[[WandbSource], Found]) -> None:
        asked = make()
        run = whole(asked)
        before = asked.requests
        rows = asked.rows(run, Stream.HISTORY, lambda key: key in ("loss", "eval.acc"))
        assert asked.requests == before + 1
        expected = [Sample(START + number, {"loss": 1 / (number + 1)}) for number in range(5)]
        assert rows == Rows((*expected, Sample(START + 5, {"eval.acc": 0.5})))

    def test_the_system_stream(self, make: Make, whole: Callable[[WandbSource], Found]) -> None:
        asked = make()
        rows = asked.rows(whole(asked), Stream.SYSTEM, lambda key: key.endswith("powerWatts"))
        values = [(one.time, one.values["system.gpu.0.powerWatts"]) for one in rows.samples]
        assert values == [(START, 200), (START + 15, 300), (START + 30, 400)]
        assert rows.total is None

    def test_sampled_rows(
        self, server: WandbServer, make: Make, whole: Callable[[WandbSource], Found], logging_run: Run
    ) -> None:
        """How many there are is known of the history alone."""
        logging_run.history_rows = [loss(number) for number in range(1000)]
        logging_run.system_rows = [power(200, number) for number in range(1000)]
        server.script.cap = 100
        asked = make()
        history = asked.rows(whole(asked), Stream.HISTORY, "loss".__eq__)
        assert (len(history.samples), history.total, history.came) == (100, 1000, 100)
        few = asked.rows(whole(asked), Stream.HISTORY, "not there".__eq__)
        assert (few.samples, few.total, few.came) == ((), 1000, 100)
        assert (history.samples[0].time, history.samples[-1].time) == (START, START + 999)
        system = asked.rows(whole(asked), Stream.SYSTEM)
        assert (len(system.samples), system.total) == (100, None)

    def test_ten_thousand_rows_are_asked_for(
        self, server: WandbServer, make: Make, whole: Callable[[WandbSource], Found]
    ) -> None:
        asked = make()
        for stream in Stream:
            asked.rows(whole(asked), stream)
        assert [r.variables["samples"] for r in server.requests if r.name == ROWS] == [10_000, 10_000]

    def test_damaged_rows_and_odd_values(
        self, make: Make, whole: Callable[[WandbSource], Found], logging_run: Run
    ) -> None:
        rows = ['{"loss": 1', "[1, 2]", "null", "", "\x00", '{"loss": "NaN", "_timestamp": 1700000001}']
        rows += ['{"loss": NaN, "text": "a\tb", "none": null, "empty": {}, "_timestamp": 1700000002}']
        logging_run.history_rows = rows
        asked = make()
        found = asked.rows(whole(asked), Stream.HISTORY, lambda key: key != "_timestamp")
        assert repr(found.samples) == repr(
            (
                Sample(1700000001.0, {"loss": "NaN"}),
                Sample(1700000002.0, {"loss": float("nan"), "text": "a\tb", "none": None, "empty": {}}),
            )
        )
        assert found.total is None

    def test_rows_are_put_into_the_order_of_time(
        self, make: Make, whole: Callable[[WandbSource], Found], logging_run: Run
    ) -> None:
        """One without a time, or with an impossible one, stays behind the row that it came after."""
        times = [START + 2, None, START + 1, "soon", 10**400, True, -1, float("nan"), START + 1, START]
        logging_run.system_rows = [{"n": n, "_timestamp": time} for n, time in enumerate(times)]
        asked = make()
        found = asked.rows(whole(asked), Stream.SYSTEM, "n".__eq__)
        assert [one.values["n"] for one in found.samples] == [9, 2, 3, 4, 5, 6, 7, 8, 0, 1]
        assert [one.time for one in found.samples if one.time] == [START + n for n in (0, 1, 1, 2)]

    def test_media_are_values(
        self, make: Make, whole: Callable[[WandbSource], Found], logging_run: Run
    ) -> None:
        image = {"_type": "image-file", "path": "media/a.png", "size": 9}
        logging_run.history_rows = [{"a": {"b": {"c": image}}, "_wandb": {"x": 1}, "d": {"_wandb": 1}}]
        asked = make()
        (row,) = asked.rows(whole(asked), Stream.HISTORY).samples
        assert row == Sample(None, {"a.b.c": image, "d._wandb": 1})
        assert asked.logged(whole(asked)).history == {"a.b.c": 1, "d._wandb": 1}

    def test_a_run_that_is_gone(
        self, server: WandbServer, make: Make, whole: Callable[[WandbSource], Found]
    ) -> None:
        asked = make()
        run = whole(asked)
        server.delete("team", "proj", run.id)
        for ask in (lambda: asked.logged(run), lambda: asked.rows(run, Stream.SYSTEM)):
            with pytest.raises(NotFound, match=f"no run {PROJECT}/run00001 any more"):
                ask()


class TestOlder:
    """Servers and clients that do not know what we ask for."""

    @pytest.fixture
    def old(self, server: WandbServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
        """Starts a server without some fields, with the run that logs, and logs in to it."""
        made: list[WandbServer] = []

        def start(*without: str) -> WandbServer:
            made.append(WandbServer(without=without))
            run = server.project("team", "proj").runs["run00001"]
            made[-1].add("team", "proj", run)
            return made[-1]

        yield start
        for one in made:
            one.close()

    def test_a_server_without_names(
        self, old: Callable[..., WandbServer], make: Make, whole: Callable[[WandbSource], Found]
    ) -> None:
        """Is asked for them once; the keys come from the rows."""
        asked = make(host=old("Run.historyKeys", "Run.historyLineCount").url)
        run = whole(asked)
        before = asked.requests
        logged = asked.logged(run)
        assert asked.requests == before + 2  # the server names all that it does not know at once
        assert (logged.history["loss"], logged.system["system.cpu"]) == (5, 3)
        assert asked.logged(run) == logged
        assert asked.requests == before + 3
        assert asked.rows(run, Stream.HISTORY).total is None

    def test_a_server_without_a_system_stream(
        self,
        old: Callable[..., WandbServer],
        make: Make,
        whole: Callable[[WandbSource], Found],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """Its history comes; who asks for the other is told."""
        asked = make(host=old("Run.events").url)
        run = whole(asked)
        logged = asked.logged(run)
        assert logged.history["loss"] == 5
        assert logged.system == {}
        assert "W&B does not tell events" in caplog.text
        with pytest.raises(Refused, match="events"):
            asked.rows(run, Stream.SYSTEM)
        assert len(asked.rows(run, Stream.HISTORY).samples) == 6

    def test_a_server_without_a_history(
        self, old: Callable[..., WandbServer], make: Make, whole: Callable[[WandbSource], Found]
    ) -> None:
        """Is asked for it once, and not for how many rows there are."""
        server = old("Run.history")
        asked = make(host=server.url)
        run = whole(asked)
        for _ in range(2):
            with pytest.raises(Refused, match="history"):
                asked.rows(run, Stream.HISTORY)
        assert server.count(ROWS) == 1
        assert asked.logged(run).history["loss"] == 5
        assert len(asked.rows(run, Stream.SYSTEM).samples) == 3

    def test_the_documented_way(
        self,
        server: WandbServer,
        make: Make,
        whole: Callable[[WandbSource], Found],
        logging_run: Run,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Each request is counted, no answer is an old one, and no directory is made for the run."""
        monkeypatch.setattr(tempfile, "tempdir", str(Path.cwd()))
        asked = make()
        run = whole(asked)
        logged, rows = asked.logged(run), [asked.rows(run, stream) for stream in Stream]
        server.fail(REFUSED, query=ROWS, times=None)
        assert asked.logged(run) == logged
        assert [asked.rows(run, stream) for stream in Stream] == rows
        assert asked.requests == server.count()
        logging_run.history_rows = [{"new": 1}]
        assert asked.logged(run).history == {"new": 1}
        assert not Path("team").exists()
        assert sum(ROWS in request.query for request in server.requests) == 4  # the last one was refused

    def test_sampled_by_the_documented_way(
        self, server: WandbServer, make: Make, whole: Callable[[WandbSource], Found]
    ) -> None:
        server.script.cap = 3
        server.fail(REFUSED, query=ROWS, times=None)
        asked = make()
        rows = asked.rows(whole(asked), Stream.HISTORY)
        assert (len(rows.samples), rows.total) == (3, 6)

    def test_a_client_without_the_private_executor(
        self, make: Make, whole: Callable[[WandbSource], Found], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from wandb.apis.public.service_api import ServiceApi

        true = ServiceApi.execute_graphql

        def other(self: ServiceApi, query: str, variables: object = None, **rest: object) -> object:
            if ROWS in query:
                raise TypeError("unexpected keyword argument 'timeout'")
            return true(self, query, variables, **rest)  # type: ignore[arg-type]

        asked = make()
        run = whole(asked)
        monkeypatch.setattr(ServiceApi, "execute_graphql", other)
        assert len(asked.rows(run, Stream.SYSTEM).samples) == 3
        with pytest.raises(NotFound, match="no run team/proj/gone"):
            asked.rows(replace(run, id="gone"), Stream.SYSTEM)


class TestFaults:
    """What goes wrong on the way."""

    @pytest.mark.parametrize(
        "fault",
        [Fault.gateway(), Fault.truncated(), Fault.errors("busy"), Fault.null_data()],
        ids=["away", "truncated", "busy", "null"],
    )
    def test_one_failure_loses_nothing(
        self, server: WandbServer, make: Make, whole: Callable[[WandbSource], Found], fault: Fault
    ) -> None:
        asked = make()
        run = whole(asked)
        logged, rows = asked.logged(run), [asked.rows(run, stream) for stream in Stream]
        server.fail(fault, query="Runsheet")
        assert asked.logged(run) == logged
        for stream, expected in zip(Stream, rows, strict=True):
            server.fail(fault, query="Runsheet")
            assert asked.rows(run, stream) == expected
        server.fail(fault, query="Runsheet")
        assert find(asked) == ["run00002", "run00001", "run00000"]

    def test_a_server_that_hangs(
        self, server: WandbServer, make: Make, whole: Callable[[WandbSource], Found]
    ) -> None:
        """Is an error, since fewer rows are not asked for; the next question is answered."""
        asked = make(timeout=2.0)
        run = whole(asked)
        server.fail(Fault.hang(), query=ROWS, times=2)
        with pytest.raises(Unreachable, match="no answer in time"):
            asked.rows(run, Stream.HISTORY)
        server.heal()
        assert len(asked.rows(run, Stream.HISTORY).samples) == 6

    @pytest.mark.parametrize(
        ("fault", "error"),
        [
            (Fault.gateway(), Unreachable),
            (Fault.http(403, "no"), AccessError),
            (Fault.errors("busy"), ServiceError),
        ],
        ids=["away", "forbidden", "busy"],
    )
    def test_failures_that_last_are_told_in_our_words(
        self,
        server: WandbServer,
        make: Make,
        whole: Callable[[WandbSource], Found],
        fault: Fault,
        error: type[Exception],
    ) -> None:
        asked = make()
        run = whole(asked)
        server.fail(fault, query=ROWS, times=None)
        with pytest.raises(error):
            asked.rows(run, Stream.SYSTEM)
        with pytest.raises(error):
            asked.logged(run)

    def test_each_request_waits_for_its_turn(
        self, server: WandbServer, make: Make, whole: Callable[[WandbSource], Found]
    ) -> None:
        turns: list[int] = []
        asked = make(pace=lambda: turns.append(1))
        run = whole(asked)
        asked.logged(run)
        server.fail(REFUSED, query=ROWS, times=None)
        asked.logged(run)
        assert len(turns) == asked.requests == server.count()

    @pytest.mark.parametrize("way", ["ours", "documented"])
    def test_threads(
        self, server: WandbServer, make: Make, whole: Callable[[WandbSource], Found], way: str
    ) -> None:
        """Each gets what it asked for, and every request is counted."""
        runs = server.project("team", "proj").runs
        for number, run in enumerate(runs.values()):
            run.system_rows = [power(number, second) for second in range(50)]
        if way == "documented":
            server.fail(REFUSED, query=ROWS, times=None)
        asked = make()
        found, _ = split(asked.find(PROJECT, Which(), ALL))
        with ThreadPoolExecutor(4) as pool:
            answers = [*pool.map(lambda run: asked.rows(run, Stream.SYSTEM), found * 4)]
        for run, rows in zip(found * 4, answers, strict=True):
            watts = {one.values["system.gpu.0.powerWatts"] for one in rows.samples}
            assert watts == {int(run.id.removeprefix("run"))}
        assert asked.requests == server.count()


def test_a_skip_of_a_find_is_about_a_run_or_a_project(server: WandbServer, make: Make) -> None:
    """A node that is null is told, and the runs beside it come."""
    server.add_runs("team", "proj", 3)
    server.script.nulls.add("run00001")
    items = [*make().find(PROJECT, Which(), ALL)]
    assert [item.id if isinstance(item, Found) else item.what for item in items] == [
        "run00002",
        PROJECT,
        "run00000",
    ]
    assert any(isinstance(item, Skip) for item in items)
    assert json.loads(server.requests[-1].variables["filters"]) == {}
