"""The source `wandb` tells cheaply which runs there are: how many requests, and what for.

Tried with these faults in the source, each of which some test here or in unit/test_wandb_client.py finds:
a light query that asks for values; pages got in advance that nobody needs; none got in advance; a page size
shared by two walks; a first page of a thousand; a rise in the heartbeats let pass; runs without a heartbeat
ending the walk; foreign runs picked; a filter of the query left out; a server that repeats itself followed;
a login for each thread; a helper process that another thread has started anew stopped; a request repeated
after close(); requests that do not wait for their turn.
"""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from runsheet.errors import ServiceError, Stopped
from runsheet.model import Run as Found
from runsheet.model import Skip
from runsheet.sources.base import NotLight, Query, Recent
from runsheet.sources.wandb_api import WandbSource, session, source
from tests.contract.source_contract import ALWAYS, WatchedContract, split
from tests.support.wandb import Fault, Request, Run, User, WandbServer, iso, paging
from tests.support.wandb.data import EPOCH
from tests.support.wandb.fixtures import Make, clock, make, server, shared, warm

__all__ = ["clock", "make", "server", "shared", "warm"]

WHOLE, LIGHT = "RunsheetRuns", "RunsheetLight"
PROJECT = "team/proj"
ALL = Query()
REFUSED = Fault.errors("Cannot query field 'heartbeatAt' on type 'Run'.", status=400)


def beat(number: int) -> datetime:
    """The heartbeat of the n-th of add_runs()."""
    return EPOCH + timedelta(minutes=number, seconds=600 + number % 50)


def ids(found: Iterator[Found | Skip]) -> list[str]:
    runs, skips = split(found)
    assert not skips
    return [run.id for run in runs]


def recent(asked: WandbSource, since: datetime, query: Query = ALL) -> Recent:
    found = asked.recent(PROJECT, query, since)
    assert found is not None
    return found


def names(found: Recent) -> list[str]:
    return [run.id for run in found.runs]


def sizes(asked: WandbServer) -> list[int | None]:
    """The page that each request asked for, login aside."""
    return [r.variables["perPage"] for r in asked.requests if "perPage" in r.variables]


@pytest.mark.usefixtures("warm")
class TestContract(WatchedContract):
    """With one thousand runs a page."""

    @pytest.fixture
    def source(self, make: Make, server: WandbServer) -> WandbSource:
        for name in ("proj", "other", "third"):
            server.add_runs("team", name, 7)
        return make(PROJECT, "team/other", "team/third")


@pytest.mark.usefixtures("warm")
class TestListed:
    """All runs, light."""

    def test_thousands_take_a_request_each(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 3000)
        asked = make()
        assert ids(asked.listed(PROJECT, ALL)) == [f"run{number:05d}" for number in range(3000)]
        assert asked.requests == server.count() == 4
        assert sizes(server) == [1000, 1000, 1000]
        assert {request.variables["order"] for request in server.requests[1:]} == {"+created_at"}

    def test_no_value_is_asked_for(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 1)
        ids(make().listed(PROJECT, ALL))
        words = {*server.requests[-1].query.split()}
        assert not {"config", "summaryMetrics", "tags", "notes", "host"} & words

    def test_the_filters_go_along(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 4)
        server.add_runs("team", "proj", 4, user=User("bob"))
        query = Query(users=("bob",), filters={"group": "g0"})
        assert ids(make().listed(PROJECT, query)) == ["run00006"]

    def test_it_is_complete(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 10)
        server.shift_pages(1, 0)
        found = ids(make(page=4).listed(PROJECT, ALL))
        assert sorted(found) == [f"run{number:05d}" for number in range(10)]
        assert found[-1] == "run00004"

    def test_no_page_is_asked_for_in_vain(self, server: WandbServer, make: Make) -> None:
        """The run that the first walk missed is on the first page of the second: nothing else is asked."""
        server.add_runs("team", "proj", 12)
        server.shift_pages(0, 1)
        assert len(ids(make(page=4).listed(PROJECT, ALL))) == 12
        orders = [request.variables["order"] for request in server.requests[1:]]
        assert orders == ["+created_at"] * 3 + ["-created_at"]

    def test_a_gap_is_said(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 11)
        server.shift_pages(*[1] * 100)
        runs, skips = split(make(page=5).listed(PROJECT, ALL))
        assert len(runs) == 10
        assert [(skip.what, skip.gap) for skip in skips] == [(PROJECT, True)]

    def test_what_is_wrong_with_a_run_is_no_gap(self, server: WandbServer, make: Make) -> None:
        server.add("team", "proj", Run("a", created_at="yesterday"))
        _, skips = split(make().listed(PROJECT, ALL))
        assert [(skip.count, skip.gap) for skip in skips] == [(0, False)]


@pytest.mark.usefixtures("warm")
class TestRefused:
    """A server, or a client, that does not know the light query is no error."""

    @pytest.mark.parametrize("ask", ["listed", "recent", "pick"])
    def test_the_whole_runs_are_the_way(self, server: WandbServer, make: Make, ask: str) -> None:
        server.add_runs("team", "proj", 3)
        server.fail(REFUSED, query=LIGHT, times=None)
        server.fail(REFUSED, query=WHOLE, times=None)
        asked = make()
        with pytest.raises(NotLight, match="does not understand the query"):
            answers(asked)[ask]()
        assert len(ids(asked.runs(PROJECT, ALL))) == 3

    @pytest.mark.parametrize("ask", ["listed", "recent", "pick"])
    def test_a_client_without_the_private_executor(
        self, server: WandbServer, make: Make, monkeypatch: pytest.MonkeyPatch, ask: str
    ) -> None:
        from wandb.apis.public.service_api import ServiceApi

        monkeypatch.delattr(ServiceApi, "execute_graphql")
        monkeypatch.setattr("runsheet.sources.wandb_api.client.Client._login", lambda _: ServiceApi)
        asked = make()
        monkeypatch.setattr(asked._client, "app", lambda: "")
        with pytest.raises(NotLight, match="sends no query of ours"):
            answers(asked)[ask]()
        assert server.count() == 0

    def test_refused_in_the_middle_is_an_error(self, server: WandbServer, make: Make) -> None:
        """The runs before it were handed on, so there is no way back."""
        server.add_runs("team", "proj", 6)
        server.fail(REFUSED, at=2, query="Runsheet", times=None)
        for ask in ("runs", "listed"):
            with pytest.raises(ServiceError) as caught:
                ids(getattr(make(page=2), ask)(PROJECT, ALL))
            assert not isinstance(caught.value, NotLight)
            server.heal()
            server.fail(REFUSED, at=2, query="Runsheet", times=None)


def answers(asked: WandbSource) -> dict[str, Callable[[], object]]:
    return {
        "listed": lambda: [*asked.listed(PROJECT, ALL)],
        "recent": lambda: asked.recent(PROJECT, ALL, ALWAYS),
        "pick": lambda: [*asked.pick(PROJECT, ALL, ["run00001"])],
    }


@pytest.mark.usefixtures("warm")
class TestRecent:
    """The runs with a sign of life since then."""

    def test_a_few_of_thousands_take_one_request(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 3000)
        asked = make()
        found = recent(asked, beat(2994))
        assert sorted(names(found)) == [f"run{number:05d}" for number in range(2995, 3000)]
        assert found.total == 3000
        assert asked.requests == server.count() == 2
        assert server.requests[-1].variables["order"] == "-heartbeat_at"
        assert sizes(server) == [500]

    def test_pages_follow_until_it_is_enough(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 3000)
        assert len(recent(make(), beat(1300)).runs) in range(1600, 1800)
        assert sizes(server) == [500, 1000, 1000]

    def test_the_end_of_the_list_ends_it(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 700)
        assert len(recent(make(), ALWAYS).runs) == 700
        assert sizes(server) == [500, 1000]

    def test_thousands_are_not_told(
        self, server: WandbServer, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(source, "MANY", 40)
        server.add_runs("team", "proj", 100)
        assert make(page=10).recent(PROJECT, ALL, ALWAYS) is None
        assert server.count(LIGHT) == 5
        assert len(recent(make(page=10), beat(60)).runs) == 39

    def test_the_total_is_by_the_same_filters(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 4)
        server.add_runs("team", "proj", 3, user=User("bob"))
        found = recent(make(), ALWAYS, Query(users=("bob",)))
        assert names(found) == ["run00006", "run00005", "run00004"]
        assert found.total == 3

    def test_runs_that_come_twice_come_once(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 10)
        server.shift_pages(-2)
        assert names(recent(make(page=5), ALWAYS)) == [f"run{number:05d}" for number in range(9, -1, -1)]

    def test_a_run_without_a_heartbeat_ends_nothing(self, server: WandbServer, make: Make) -> None:
        """Wherever the service puts it; and the same heartbeat twice is in order."""
        server.script.ignores.add("order")
        beats = [None, 50, None, 50, 40, None, 30, 20, None]
        for number, minute in enumerate(beats):
            heartbeat = None if minute is None else iso(EPOCH + timedelta(minutes=minute))
            server.add(
                "team", "proj", Run(f"r{number}", created_at=iso(beat(number)), heartbeat_at=heartbeat)
            )
        found = recent(make(), EPOCH + timedelta(minutes=30))
        assert names(found) == ["r0", "r1", "r2", "r3", "r4", "r5"]
        assert found.total == 9

    def test_another_order_than_asked_for_is_seen(self, server: WandbServer, make: Make) -> None:
        """Even where the first run is an old one, behind which nothing would be looked for."""
        server.script.ignores.add("order")
        server.add_runs("team", "proj", 3)
        with pytest.raises(NotLight, match="order"):
            make().recent(PROJECT, ALL, beat(1))

    @pytest.mark.parametrize("ask", ["recent", "pick"])
    def test_a_server_that_sends_us_back(self, server: WandbServer, make: Make, ask: str) -> None:
        server.add_runs("team", "proj", 9)
        server.script.stuck = True
        with pytest.raises(NotLight, match="repeats"):
            answers(make(page=3))[ask]() if ask == "recent" else [
                *make().pick(PROJECT, ALL, ["x", "run00000"])
            ]
        assert server.count() < 5

    def test_a_page_that_does_not_come_is_asked_for_in_parts(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 350)
        server.fail(Fault.errors("timeout"), query=LIGHT)
        assert len(recent(make(), ALWAYS).runs) == 350
        assert sizes(server) == [500, 100, 200, 400]


@pytest.mark.usefixtures("warm")
class TestPick:
    """Runs by their ids, whole."""

    def test_ten_take_one_request(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 3000)
        asked = make()
        wanted = [f"run{number:05d}" for number in range(2000, 0, -200)]
        runs, _ = split(asked.pick(PROJECT, ALL, wanted))
        assert [run.id for run in runs] == wanted
        assert all(run.config and run.summary for run in runs)
        assert asked.requests == server.count() == 2
        assert sizes(server) == [10]
        assert json.loads(server.requests[-1].variables["filters"]) == {"$and": [{"name": {"$in": wanted}}]}

    def test_many_are_asked_for_in_pages(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 9)
        wanted = [f"run{number:05d}" for number in (8, 1, 7, 2, 6, 3, 5)]
        assert ids(make(page=3).pick(PROJECT, ALL, wanted)) == wanted
        assert sizes(server) == [3, 3, 1]

    def test_what_the_query_leaves_out_is_passed_over(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 3)
        server.add_runs("team", "proj", 3, user=User("bob"))
        query = Query(users=("bob",), filters={"$or": [{"group": "g0"}, {"group": "g1"}]})
        assert ids(make().pick(PROJECT, query, [f"run{n:05d}" for n in range(6)])) == ["run00003", "run00004"]

    def test_a_service_with_smaller_pages(
        self, server: WandbServer, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(paging, "LARGEST", 2)
        server.add_runs("team", "proj", 9)
        wanted = [f"run{number:05d}" for number in (8, 1, 7, 2, 6)]
        assert ids(make().pick(PROJECT, ALL, wanted)) == wanted
        assert server.count(WHOLE) == 3

    def test_a_page_that_does_not_come_is_asked_for_in_parts(self, server: WandbServer, make: Make) -> None:
        made = server.add_runs("team", "proj", 350)
        server.fail(Fault.errors("timeout"), query=WHOLE)
        assert ids(make().pick(PROJECT, ALL, [run.id for run in made])) == [run.id for run in made]
        assert sizes(server) == [350, 100, 200, 350]

    def test_a_server_that_overlooks_the_filter(self, server: WandbServer, make: Make) -> None:
        server.script.ignores.add("filters")
        server.add_runs("team", "proj", 9)
        asked = make()
        assert ids(asked.pick(PROJECT, ALL, ["run00001", "run00000"])) == ["run00001", "run00000"]
        with pytest.raises(NotLight, match="other runs"):
            ids(asked.pick(PROJECT, ALL, ["run00001", "run00008"]))
        assert server.count(WHOLE) == 2
        whole = [f"run{number:05d}" for number in range(8)]
        assert (
            ids(
                asked.pick(PROJECT, ALL, ["gone", "there is", "none", "of", "us", "at", "all", "here", "now"])
            )
            == []
        )
        assert ids(asked.pick(PROJECT, ALL, [*whole, "gone"])) == whole

    def test_the_machine_is_told_when_asked(self, make: Make, server: WandbServer) -> None:
        with WandbServer(without=("Run.host",)) as old:
            old.add_runs("team", "proj", 3)
            assert ids(make(host=old.url).pick(PROJECT, Query(machine=True), ["run00002"])) == ["run00002"]
            assert old.count(WHOLE) == 2
        server.add_runs("team", "proj", 1)
        runs, _ = split(make().pick(PROJECT, Query(machine=True), ["run00000"]))
        assert [run.machine for run in runs] == ["node0"]


class TestThreads:
    """One source, several threads."""

    def test_a_walk_that_shrinks_leaves_the_others_alone(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 2000)
        asked = make(page=500)
        light, whole = asked.listed(PROJECT, ALL), asked.runs(PROJECT, ALL)
        next(light)
        server.fail(Fault.errors("timeout"), query=WHOLE)
        next(whole)
        assert len([*light]) == 1999
        assert [r.variables["perPage"] for r in server.requests if r.name == LIGHT] == [500] * 4
        assert len([*whole]) == 1999
        of_whole = [r.variables["perPage"] for r in server.requests if r.name == WHOLE]
        assert of_whole == [500, 100, 200, 400, 500, 500, 500]

    def test_they_log_in_once(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 3)
        asked = make("proj")
        together = threading.Barrier(8)

        def ask(_: int) -> int:
            together.wait()
            return len(recent(asked, ALWAYS).runs) if asked.projects() == (PROJECT,) else 0

        with ThreadPoolExecutor(8) as pool:
            assert [*pool.map(ask, range(8))] == [3] * 8
        assert server.count("Viewer") == 1
        assert asked.requests == server.count() == 8 + 2

    def test_one_new_helper_process_is_enough(self, server: WandbServer, make: Make) -> None:
        """It breaks with several requests under way: all of them fail, and one starts it anew for all."""
        server.add_runs("team", "proj", 3)
        asked = make()
        recent(asked, ALWAYS)
        together, first = threading.Barrier(4), iter(range(4))

        def gather(request: Request) -> None:
            if request.name == LIGHT and next(first, None) is not None:
                together.wait(10)

        server.before_request = gather
        server.fail(Fault.bad_utf8(), query=LIGHT)
        with ThreadPoolExecutor(4) as pool:
            found = [*pool.map(lambda _: len(recent(asked, ALWAYS).runs), range(4))]
        assert found == [3] * 4
        assert server.count("Viewer") == 2
        assert asked.requests == server.count()

    def test_documented_listings_do_not_mix(self, server: WandbServer, make: Make) -> None:
        """They change the environment for a moment, which is everybody's."""
        for name in ("a", "b", "c"):
            server.add_runs("team", name, 6)
        server.fail(REFUSED, query=WHOLE, times=None)
        asked = make("team/a", "team/b", "team/c", page=2)
        with ThreadPoolExecutor(3) as pool:
            lists = [*pool.map(lambda name: ids(asked.runs(name, ALL)), asked.projects())]
        assert [len(found) for found in lists] == [6, 6, 6]
        assert asked.requests == server.count()


class TestAhead:
    """The next page is got while the last one is worked on."""

    @pytest.mark.parametrize("ask", ["runs", "listed", "pick"])
    def test_the_next_page_is_under_way(self, server: WandbServer, make: Make, ask: str) -> None:
        made = server.add_runs("team", "proj", 6)
        asked_again = threading.Event()
        server.before_request = lambda _: asked_again.set() if server.count("") == 2 else None
        more = ([run.id for run in made],) if ask == "pick" else ()
        found = getattr(make(page=2), ask)(PROJECT, ALL, *more)
        assert next(found).id == "run00000"
        assert asked_again.wait(10)
        assert len([*found]) == 5
        assert server.count() == 4

    def test_a_listing_that_is_left_leaves_no_thread(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 100)
        found = make(page=2).runs(PROJECT, ALL)
        next(found)
        found.close()  # type: ignore[attr-defined]
        assert "ahead" not in {thread.name for thread in threading.enumerate()}
        assert server.count(WHOLE) <= 2

    def test_nothing_is_asked_for_after_close(self, server: WandbServer, make: Make) -> None:
        """Not even by a page that was under way, and fails for that."""
        server.add_runs("team", "proj", 100)
        under_way, closed = threading.Event(), threading.Event()

        def hold(_: object) -> None:
            if server.count(WHOLE) == 1:
                under_way.set()
                closed.wait(10)

        server.before_request = hold
        asked = make(page=2)
        found = asked.runs(PROJECT, ALL)
        next(found)
        assert under_way.wait(10)
        asked.close()
        closed.set()
        with pytest.raises((Stopped, ServiceError)):
            ids(found)
        assert asked.requests == 3
        assert session._helper(sys.modules["wandb"]) is None


class TestPace:
    """Requests wait for their turn: W&B's own client does not see to that."""

    def test_each_request_waits_for_its_turn(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 5)
        before: list[int] = []
        asked = make("proj", page=2, pace=lambda: before.append(server.count()))
        ids(asked.runs("proj", ALL))
        recent(asked, beat(3))
        assert before == sorted(set(before)), "one turn for each; a slow machine makes the client repeat some"
        assert asked.requests == len(before) == 6

    def test_a_turn_that_never_comes(self, server: WandbServer, make: Make) -> None:
        def never() -> None:
            raise Stopped("stopped")

        asked = make(pace=never)
        with pytest.raises(Stopped):
            ids(asked.runs(PROJECT, ALL))
        assert (asked.requests, server.count()) == (0, 0)

    def test_the_client_does_not_heed_the_headers_by_itself(self, server: WandbServer, make: Make) -> None:
        """No quota is left for a minute, and it goes on at once: that is why there is a pace."""
        server.headers |= {"RateLimit-Limit": "60", "RateLimit-Remaining": "0", "RateLimit-Reset": "60"}
        server.add_runs("team", "proj", 30)
        asked = make(page=1)
        assert len(ids(asked.listed(PROJECT, ALL))) == 30
        assert asked.requests == server.count() == 31
