"""The source `wandb`, over real HTTP with the real client, against the stand-in server.

Tried with these faults in the source, each of which some test here or in unit/test_wandb_*.py finds:
doubles not dropped; no second walk; the count ignored; `_wandb` kept; config unwrapped twice; a
machine always told; plain http not refused; the helper process not stopped, or not killed after bad
UTF-8; no fallback; the user filter left out; requests without Viewer; a fixed page size.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runsheet.errors import (
    AccessError,
    ConfigError,
    NotFound,
    RunsheetError,
    ServiceError,
    Stopped,
    Unreachable,
)
from runsheet.model import Run as Found
from runsheet.model import Scope
from runsheet.sources.base import Query, Source
from runsheet.sources.wandb_api import WandbSource, session
from runsheet.sources.wandb_api import entity as wandb_entity
from tests.contract.source_contract import QuickClock, SourceContract, split
from tests.support.wandb import Fault, Run, User, WandbServer
from tests.support.wandb.fixtures import Make, clock, make, server, shared, warm

__all__ = ["clock", "make", "server", "shared", "warm"]

OURS = "RunsheetRuns"


def ids(source: Source, project: str = "team/proj", **query: object) -> list[str]:
    runs, skips = split(source.runs(project, Query(**query)))  # type: ignore[arg-type]
    assert not skips
    return [run.id for run in runs]


def only(source: Source, **query: object) -> Found:
    runs, skips = split(source.runs("team/proj", Query(**query)))  # type: ignore[arg-type]
    assert (len(runs), skips) == (1, [])
    return runs[0]


@pytest.mark.usefixtures("warm")
class TestContract(SourceContract):
    """Both ways of asking keep the contract."""

    @pytest.fixture
    def clock(self) -> QuickClock:
        return QuickClock()

    @pytest.fixture(params=["lean", "documented"])
    def source(self, make: Make, server: WandbServer, request: pytest.FixtureRequest) -> WandbSource:
        server.add_runs("team", "proj", 7)
        server.project("team", "proj").runs["run00003"].summary = "{broken"
        if request.param == "documented":
            refused = Fault.errors("Cannot query field 'x' on type 'Run'.", status=400)
            server.fail(refused, query=OURS, times=None)
        return make(page=3)

    @pytest.fixture
    def ids(self) -> list[str]:
        return [f"run{number:05d}" for number in range(7)]

    @pytest.fixture
    def damaged(self) -> list[str]:
        return ["run00003"]


@pytest.mark.usefixtures("warm")
class TestRuns:
    """What a run looks like, and how it is asked for."""

    def test_every_field(self, server: WandbServer, make: Make) -> None:
        run = Run(
            id="a b/c",
            display_name="=1+1",
            state="crashed",
            created_at="2024-05-01T10:00:00",
            heartbeat_at="2024-05-01T10:00:30.5Z",
            tags=["x", "ü"],
            group="g",
            job_type="train",
            sweep_name="sw",
            notes="n",
            host="node7",
            user=User("ann", "Ann"),
            config=json.dumps({"lr": {"value": 0.1, "desc": None}, "_wandb": {"value": {}}}),
            summary=json.dumps({"loss": "NaN", "big": 2**60, "_wandb": {"runtime": 12}, "_runtime": 5}),
        )
        server.add("my team", "proj", run)
        found = [*make("my team/proj").runs("my team/proj", Query())]
        assert found == [
            Found(
                scope=Scope("wandb", server.host, "my team/proj"),
                id="a b/c",
                name="=1+1",
                state="crashed",
                created=datetime(2024, 5, 1, 10, tzinfo=UTC),
                heartbeat=datetime(2024, 5, 1, 10, 0, 30, 500000, tzinfo=UTC),
                runtime=12.0,
                timed=True,
                user="ann",
                tags=("x", "ü"),
                group="g",
                job_type="train",
                sweep="sw",
                notes="n",
                url=f"{server.url}/my%20team/proj/runs/a%20b%2Fc",
                config={"lr": 0.1},
                summary={"loss": "NaN", "big": 2**60, "_runtime": 5},
            )
        ]

    def test_a_run_with_nothing_in_it(self, server: WandbServer, make: Make) -> None:
        nothing = dict.fromkeys(("display_name", "state", "created_at", "heartbeat_at", "tags", "config"))
        server.add("team", "proj", Run("a", user=None, summary=None, **nothing))  # type: ignore[arg-type]
        found = only(make())
        assert (found.id, found.name, found.state, found.user) == ("a", "", "", None)
        assert (found.created, found.heartbeat, found.runtime, found.tags) == (None, None, None, ())
        assert (found.config, found.summary) == ({}, {})

    def test_the_documented_way_loses_no_run_and_no_value(
        self,
        server: WandbServer,
        make: Make,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A run without a user, a config that looks wrapped, and a summary that is a list.

        Nor does it make the directory for each run that the client would.
        """
        monkeypatch.setattr(tempfile, "tempdir", str(Path.cwd()))
        wrapped = {"w": {"value": {"value": 5, "unit": "s"}}}
        server.add("team", "proj", Run("a", user=None), Run("b", config=json.dumps(wrapped)))
        server.add("team", "proj", Run("c", summary="[1]"), Run("d", user=server.user))
        server.fail(Fault.errors("Cannot query field 'x'", status=400), query=OURS, times=None)
        source = make(page=2)
        runs, skips = split(source.runs("team/proj", Query()))
        assert [run.id for run in runs] == ["a", "b", "c", "d"]
        assert source.requests == server.count() == 5
        assert runs[1].config == {"w": {"value": 5, "unit": "s"}}
        assert [skip.what for skip in skips] == ["team/proj/c"]
        assert "slower documented way" in caplog.text
        assert not Path("team").exists()

    def test_a_client_without_the_private_executor_uses_the_documented_way(
        self, server: WandbServer, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from wandb.apis.public.service_api import ServiceApi

        true = ServiceApi.execute_graphql

        def other(self: ServiceApi, query: str, variables: object = None, **rest: object) -> object:
            if OURS in query:
                raise TypeError("unexpected keyword argument 'timeout'")
            return true(self, query, variables, **rest)  # type: ignore[arg-type]

        monkeypatch.setattr(ServiceApi, "execute_graphql", other)
        server.add_runs("team", "proj", 5)
        assert len(ids(make(page=2))) == 5

    def test_thousands_come_in_pages_of_a_thousand(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 2500)
        source = make()
        assert len(ids(source)) == 2500
        assert source.requests == server.count() == 4
        assert [request.variables.get("perPage") for request in server.requests] == [None, 1000, 1000, 1000]
        assert {request.variables["order"] for request in server.requests[1:]} == {"+created_at"}

    def test_no_field_is_asked_for_in_vain(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 1)
        only(make())
        text = server.requests[-1].query
        assert not {"historyKeys", "systemMetrics", "host", "runInfo"} & {*text.split()}

    def test_the_machine_is_told_when_asked(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 1)
        assert only(make(), machine=True).machine == "node0"

    def test_a_server_that_does_not_know_the_machine(
        self, make: Make, clock: QuickClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        with WandbServer(without=("Run.host",)) as old:
            old.add_runs("team", "proj", 3)
            source = make(host=old.url)
            assert len(ids(source, machine=True)) == 3
            assert "machine" in caplog.text
            assert old.count(OURS) == 2
            assert len(ids(source, machine=True)) == 3
            assert old.count(OURS) == 3

    def test_the_number_of_gpus_is_told_when_asked(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 1, gpu_count=8)
        source = make()
        assert only(source).gpus is None
        assert only(source, gpus=True).gpus == 8
        assert only(source, gpus=True, machine=True) == replace(only(source, gpus=True), machine="node0")
        assert server.count(OURS) == 4

    @pytest.mark.parametrize(
        ("without", "machine", "gpus", "more"),
        [
            (("Run.runInfo",), "node0", None, 1),
            (("RunInfo.gpuCount",), "node0", None, 1),
            (("Run.host",), "", 4, 1),
            (("Run.host", "Run.runInfo"), "", None, 1),
        ],
        ids=str,
    )
    def test_a_server_that_does_not_know_a_field_still_tells_the_others(
        self, make: Make, without: tuple[str, ...], machine: str, gpus: int | None, more: int
    ) -> None:
        """It is asked once more, by this source once."""
        with WandbServer(without=without) as old:
            old.add_runs("team", "proj", 3, gpu_count=4, host="node0")
            source = make(host=old.url)
            for before in (more, 0):
                runs, skips = split(source.runs("team/proj", Query(machine=True, gpus=True)))
                assert ({run.machine for run in runs}, {run.gpus for run in runs}) == ({machine}, {gpus})
                assert (len(runs), skips) == (3, [])
                assert old.count(OURS) == 1 + before
                old.requests.clear()

    def test_a_server_that_names_no_field_is_asked_for_less_and_less(
        self, server: WandbServer, make: Make
    ) -> None:
        server.add_runs("team", "proj", 3, gpu_count=4)
        source = make()
        server.fail(Fault.http(400, "bad request"), query="gpuCount", times=None)
        assert len(ids(source, machine=True, gpus=True)) == 3
        assert server.count(OURS) == 2
        runs, _ = split(source.runs("team/proj", Query(machine=True, gpus=True)))
        assert ({run.machine for run in runs}, {run.gpus for run in runs}) == (
            {f"node{n}" for n in range(3)},
            {None},
        )
        assert server.count(OURS) == 3

    def test_light_runs_are_timed_by_nothing(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 2)
        source = make()
        whole, _ = split(source.runs("team/proj", Query()))
        light, _ = split(source.listed("team/proj", Query()))
        assert [run.timed for run in whole + light] == [True, True, False, False]

    def test_users_and_filters_are_left_to_the_server(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 6)
        server.add_runs("team", "proj", 6, user=User("bob"))
        source = make()
        assert len(ids(source, users=("bob",))) == 6
        both = ids(source, users=("bob", "ann"), filters={"$or": [{"state": "finished"}], "group": "g0"})
        assert both == ["run00000", "run00003", "run00006", "run00009"]
        assert ids(source, filters={"name": "run00001"}) == ["run00001"]

    def test_a_filter_that_the_server_does_not_know(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 2)
        with pytest.raises(ServiceError, match="unknown filter field 'colour'"):
            ids(make(), filters={"colour": "red"})


@pytest.mark.usefixtures("warm")
class TestProjects:
    """All projects of an entity."""

    def test_each_once_in_alphabetical_order(self, server: WandbServer, make: Make) -> None:
        for name in ("b", "a c", "hidden"):
            server.project("team", name)
        server.project("other", "d")
        server.project("team", "hidden").hidden = True
        source = make()
        assert source.all_projects("team") == ("team/a c", "team/b")
        assert source.all_projects("other") == ("other/d",)
        assert source.requests == server.count() == 3

    def test_hundreds_come_in_pages(self, server: WandbServer, make: Make) -> None:
        expected = [f"team/p{number:03}" for number in range(450)]
        for path in expected:
            server.project(*path.split("/"))
        source = make()
        assert [*source.all_projects("team")] == expected
        assert source.requests == server.count() == 4

    @pytest.mark.parametrize("entity", ["nobody", "team"])
    @pytest.mark.parametrize("way", ["ours", "documented"])
    def test_none_to_see(self, server: WandbServer, make: Make, entity: str, way: str) -> None:
        """Of an entity that is unknown, or that has none."""
        if way == "documented":
            server.fail(Fault.http(400), query="RunsheetProjects", times=None)
        with pytest.raises(NotFound, match=f"no project of {entity} "):
            make().all_projects(entity)

    def test_by_the_documented_way(
        self, server: WandbServer, make: Make, caplog: pytest.LogCaptureFixture
    ) -> None:
        expected = [f"team/p{number:03}" for number in range(450)]
        for path in expected:
            server.project(*path.split("/"))
        server.fail(Fault.errors("Cannot query field 'models'", status=400), query="RunsheetProjects")
        source = make()
        assert [*source.all_projects("team")] == expected
        assert source.requests == server.count() == 5
        assert "documented way" in caplog.text

    def test_a_failure_is_repeated(self, server: WandbServer, make: Make) -> None:
        server.project("team", "a")
        server.fail(Fault.errors("try later"), query="RunsheetProjects")
        assert make().all_projects("team") == ("team/a",)
        server.fail(Fault.http(403), query="RunsheetProjects")
        with pytest.raises(AccessError):
            make().all_projects("team")

    def test_a_page_that_repeats_ends_it(
        self, server: WandbServer, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(3):
            server.project("team", f"p{number}")
        monkeypatch.setattr(wandb_entity, "PAGE", 1)
        assert len(make().all_projects("team")) == 3
        monkeypatch.setattr("tests.support.wandb.server.offset", lambda after: 0)
        with pytest.raises(ServiceError, match="repeats a page"):
            make().all_projects("team")


@pytest.mark.usefixtures("warm")
class TestCompleteness:
    """P1: pages are not a snapshot."""

    def test_repeated_runs_come_once(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 10)
        server.shift_pages(-2, -1)
        assert len(ids(make(page=4))) == 10

    def test_skipped_runs_are_fetched_in_a_second_walk(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 10)
        server.shift_pages(1, 0)
        found = ids(make(page=4))
        assert sorted(found) == [f"run{number:05d}" for number in range(10)]
        assert found[-1] == "run00004"

    def test_runs_deleted_meanwhile_do_not_hide_others(self, server: WandbServer, make: Make) -> None:
        """A run of the first page goes: the second begins one too late."""
        server.add_runs("team", "proj", 10)
        server.between = lambda page: self._once(server, "run00001")
        found = ids(make(page=4))
        assert {*found} == {f"run{number:05d}" for number in range(10)}

    @staticmethod
    def _once(server: WandbServer, run: str) -> None:
        if run in server.project("team", "proj").runs:
            server.delete("team", "proj", run)

    def test_runs_added_meanwhile_come_too(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 10)
        server.between = lambda page: server.add(
            "team", "proj", Run(f"new{page}", created_at="2025-01-01T00:00:00Z")
        )
        found = ids(make(page=4))
        assert len(found) == len({*found}) == len(server.project("team", "proj").runs)

    def test_what_stays_missing_is_said(self, server: WandbServer, make: Make) -> None:
        """The run in the middle is skipped from both ends."""
        server.add_runs("team", "proj", 11)
        server.shift_pages(*[1] * 100)
        runs, skips = split(make(page=5).runs("team/proj", Query()))
        assert "run00005" not in [run.id for run in runs]
        assert len(runs) == 10
        assert [(skip.what, skip.gap) for skip in skips] == [("team/proj", True)]
        assert "1 of 11 runs did not come" in skips[0].reason

    def test_a_cursor_that_repeats_ends_the_listing(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 12)
        server.script.stuck = True
        source = make(page=2)
        runs, skips = split(source.runs("team/proj", Query()))
        assert 2 <= len(runs) < 12
        assert len(skips) == 1
        assert source.requests < 20

    def test_a_node_that_is_null(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 5)
        server.script.nulls.add("run00002")
        runs, skips = split(make(page=2).runs("team/proj", Query()))
        assert len(runs) == 4
        assert [skip.reason for skip in skips] == ["W&B listed a run without giving its id"]


class TestFailures:
    """Each becomes one of our errors, with the true cause, within bounds."""

    @pytest.mark.parametrize(
        "fault",
        [Fault.errors("try later"), Fault.truncated(), Fault.cut_json(), Fault.null_data(), Fault.bad_utf8()],
        ids=lambda fault: fault.kind,
    )
    def test_once_is_repeated(self, server: WandbServer, make: Make, clock: QuickClock, fault: Fault) -> None:
        server.add_runs("team", "proj", 250)
        server.fail(fault, at=2, query=OURS)
        assert len(ids(make(page=100))) == 250
        assert len(clock.waits) == 1

    @pytest.mark.parametrize(
        ("fault", "kind", "text"),
        [
            (Fault.http(401), AccessError, "HTTP 401"),
            (Fault.http(403), AccessError, "HTTP 403"),
            (Fault.errors("permission denied to access team/proj"), AccessError, "permission denied"),
            (Fault.http(404), NotFound, "no W&B server at"),
            (Fault.http(409, "conflict"), ServiceError, "HTTP 409: conflict"),
            (Fault.errors("boom"), ServiceError, "boom"),
            (Fault.truncated(), Unreachable, "broke off in the middle"),
            (Fault.null_data(), Unreachable, "without data"),
            (Fault.bad_utf8(), Unreachable, "helper process broke off"),
        ],
        ids=lambda value: getattr(value, "kind", ""),
    )
    def test_for_good(
        self, server: WandbServer, make: Make, fault: Fault, kind: type[RunsheetError], text: str
    ) -> None:
        server.add_runs("team", "proj", 3)
        server.fail(fault, query=OURS, times=None)
        source = make()
        with pytest.raises(kind, match=text) as caught:
            ids(source)
        assert server.host in str(caught.value)
        assert server.count(OURS) <= 3
        server.heal()
        assert len(ids(make())) == 3

    def test_a_server_error_tells_its_number(self, server: WandbServer, make: Make) -> None:
        """After the client's own repetitions (of a second each)."""
        server.add_runs("team", "proj", 3)
        server.fail(Fault.gateway(502), query=OURS, times=None)
        with pytest.raises(Unreachable, match="HTTP 502 after 2 attempts"):
            ids(make(page=100))

    @pytest.mark.parametrize("theirs", ["", "60"], ids=["our bounds", "a user's longer time-out"])
    def test_a_server_that_hangs(
        self, server: WandbServer, make: Make, monkeypatch: pytest.MonkeyPatch, theirs: str
    ) -> None:
        if theirs:
            monkeypatch.setenv("WANDB_HTTP_TIMEOUT", theirs)
        server.add_runs("team", "proj", 3)
        server.fail(Fault.hang(), query=OURS, times=None)
        begin = time.monotonic()
        with pytest.raises(Unreachable, match="no answer in time"):
            ids(make(page=100, timeout=2.0))
        assert time.monotonic() - begin < 5

    def test_nobody_listens(self, make: Make) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(Unreachable, match="the connection was refused after 2 attempts"):
            ids(make(host=address))

    def test_a_page_that_is_too_large_is_asked_for_in_parts(
        self, server: WandbServer, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server.add_runs("team", "proj", 350)
        server.fail(Fault.errors("timeout"), query=OURS)
        assert len(ids(make())) == 350
        sizes = [request.variables.get("perPage") for request in server.requests]
        assert sizes == [None, 1000, 100, 200, 400]

    def test_no_such_project(self, server: WandbServer, make: Make) -> None:
        with pytest.raises(NotFound, match="no project team/nothing") as caught:
            ids(make(), "team/nothing")
        assert server.host in str(caught.value)

    def test_one_failing_project_does_not_stop_the_other(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 3)
        source = make("team/nothing", "team/proj")
        with pytest.raises(NotFound):
            ids(source, "team/nothing")
        assert len(ids(source)) == 3

    def test_the_documented_way_fails_in_our_words(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 3)
        server.fail(Fault.errors("Cannot query field 'x'", 400), query=OURS, times=None)
        server.fail(Fault.http(403), query="GetDefaultEntity")
        with pytest.raises(AccessError, match="HTTP 403"):
            ids(make())

    def test_a_documented_page_is_asked_for_again(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 5)
        server.fail(Fault.errors("Cannot query field 'x'", 400), query=OURS, times=None)
        server.fail(Fault.truncated(), query="query Runs(", at=2)
        assert len(ids(make(page=2))) == 5

    def test_a_query_refused_in_both_ways(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 3)
        server.fail(Fault.errors("Unknown argument 'filters'", 400), query="runs(", times=None)
        with pytest.raises(ServiceError, match="Unknown argument"):
            ids(make())

    def test_stop_between_two_pages(self, server: WandbServer, make: Make, clock: QuickClock) -> None:
        server.add_runs("team", "proj", 10)
        server.between = lambda page: clock.stop() if page == 3 else None
        with pytest.raises(Stopped):
            ids(make(page=2))
        assert server.count(OURS) == 3


class TestLogin:
    """Credentials are the client's own, read anew for each source (P8)."""

    def test_no_login(self, server: WandbServer, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("WANDB_API_KEY")
        with pytest.raises(ConfigError) as caught:
            ids(make())
        for words in ("wandb login", "WANDB_API_KEY", "--source folders --destination xlsx", server.host):
            assert words in str(caught.value)
        assert server.count() == 0

    def test_nobody_is_asked(self, server: WandbServer, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        """Not even on a terminal, by a client that is not silent."""
        monkeypatch.delenv("WANDB_API_KEY")
        monkeypatch.setenv("WANDB_SILENT", "false")
        monkeypatch.setattr("wandb.errors.term.can_use_terminput", lambda: True)
        asked: list[object] = []
        monkeypatch.setattr("wandb.sdk.lib.wbauth.prompt.prompt_and_save_api_key", asked.append)
        with pytest.raises(ConfigError, match="wandb login"):
            ids(make())
        assert asked == []

    def test_a_login_that_is_gone_is_not_remembered(
        self, server: WandbServer, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server.add_runs("team", "proj", 1)
        source = make()
        only(source)
        source.close()
        monkeypatch.delenv("WANDB_API_KEY")
        with pytest.raises(ConfigError):
            ids(make())

    def test_a_new_key_is_used_by_the_next_source(
        self, server: WandbServer, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server.add_runs("team", "proj", 1)
        server.add_key("b" * 40, User("bob", entity="bobs"))
        only(make())
        monkeypatch.setenv("WANDB_API_KEY", "b" * 40)
        only(make())
        assert {request.key for request in server.requests} == {server.key, "b" * 40}

    def test_a_key_in_netrc(self, server: WandbServer, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("WANDB_API_KEY")
        lines = f"machine {server.host}\n login user\n password {server.key}\n"
        Path(os.environ["NETRC"]).write_text(lines)
        server.add_runs("team", "proj", 1)
        assert only(make()).id == "run00000"

    @pytest.mark.parametrize("key", ["f" * 40, "short"])
    def test_a_wrong_key(
        self, server: WandbServer, make: Make, monkeypatch: pytest.MonkeyPatch, key: str
    ) -> None:
        monkeypatch.setenv("WANDB_API_KEY", key)
        with pytest.raises(AccessError) as caught:
            ids(make())
        assert server.host in str(caught.value)
        assert key not in str(caught.value)

    def test_a_key_of_nobody(self, server: WandbServer, make: Make) -> None:
        server.add_key(server.key, None)
        with pytest.raises(AccessError, match="did not recognize an account"):
            ids(make())

    def test_a_bare_project_belongs_to_the_login(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 2)
        source = make("proj", "team/proj", " other/x ")
        assert source.projects() == ("team/proj", "other/x")
        assert len(ids(source, "proj")) == 2
        assert source.requests == server.count() == 3

    def test_wandb_entity_is_asked_first(
        self, server: WandbServer, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WANDB_ENTITY", "mine")
        assert make("proj").projects() == ("mine/proj",)

    def test_a_login_without_an_entity(self, server: WandbServer, make: Make) -> None:
        server.add_key(server.key, User("robot"))
        with pytest.raises(ConfigError, match="needs its entity"):
            make("proj").projects()

    @pytest.mark.parametrize("names", [["a/b/c"], ["a/"], [" "], ["/"]])
    def test_what_is_no_project(self, make: Make, server: WandbServer, names: list[str]) -> None:
        with pytest.raises(ConfigError):
            make(*names).projects()
        assert server.count() == 0

    def test_no_project_at_all(self, clock: QuickClock) -> None:
        with pytest.raises(ConfigError, match="no W&B project"):
            WandbSource([], clock=clock).projects()

    @pytest.mark.parametrize("host", ["http://wandb.example.org", "ftp://wandb.example.org", "http://a:b:c"])
    def test_the_key_is_not_sent_in_the_clear(self, server: WandbServer, make: Make, host: str) -> None:
        source = make(host=host)
        with pytest.raises(ConfigError):
            ids(source)
        assert source.requests == 0

    def test_settings_that_wandb_cannot_read(
        self, server: WandbServer, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WANDB_BASE_URL", "http://x y")
        with pytest.raises(ConfigError):
            ids(make())


class TestHousekeeping:
    """The client leaves nothing behind, and wandb is imported late."""

    def test_nothing_is_written_and_nothing_is_printed(
        self,
        server: WandbServer,
        make: Make,
        capfd: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        server.add_runs("team", "proj", 3)
        Path("scratch").mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(Path("scratch").resolve()))
        before = dict(os.environ)
        source = make()
        ids(source)
        source.close()
        assert sorted(str(path.relative_to(Path.cwd())) for path in Path.cwd().rglob("*")) == [
            "home",
            "scratch",
        ]
        assert capfd.readouterr() == ("", "")
        assert dict(os.environ) == before
        assert children() == []

    def test_a_broken_helper_process_does_not_stay(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 3)
        server.fail(Fault.bad_utf8(), query=OURS)
        source = make()
        ids(source)
        assert len(children()) == 1
        source.close()
        assert children() == []

    def test_a_helper_process_that_does_not_end_is_killed(
        self, server: WandbServer, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The client would wait for it without bounds, and the daemon with it."""
        monkeypatch.setattr(session, "HELPER_SECONDS", 0.2)
        server.add_runs("team", "proj", 3)
        source = make()
        ids(source)
        helper = session._helper(sys.modules["wandb"])
        assert helper is not None
        helper.send_signal(signal.SIGSTOP)
        source.close()
        assert children() == []

    def test_the_helper_process_of_whoever_started_us_is_not_used(
        self, server: WandbServer, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WANDB_SERVICE", "3-1-unix-/nowhere/socket")
        server.add_runs("team", "proj", 3)
        source = make()
        assert len(ids(source)) == 3
        source.close()
        assert os.environ["WANDB_SERVICE"] == "3-1-unix-/nowhere/socket"

    def test_two_sources_at_a_time(self, server: WandbServer, make: Make) -> None:
        server.add_runs("team", "proj", 3)
        first, second = make(page=2), make(page=2)
        pages = first.runs("team/proj", Query())
        next(pages)
        assert len(ids(second)) == 3
        second.close()
        assert len([*pages]) == 2

    def test_a_process_ends_promptly_and_takes_the_helper_along(
        self, server: WandbServer, tmp_path: Path
    ) -> None:
        """Even without close(): the daemon may be told to stop at any time."""
        server.add_runs("team", "proj", 3)
        code = """if True:
            import os, subprocess, sys, time
            import runsheet.sources.wandb_api as api
            from runsheet.clock import Clock
            from runsheet.sources.base import Query
            assert "wandb" not in sys.modules
            source = api.WandbSource(["team/proj"], clock=Clock())
            assert "wandb" not in sys.modules
            print(len([*source.runs("team/proj", Query())]))
            listed = subprocess.run(["ps", "--ppid", str(os.getpid()), "-o", "pid=,comm="],
                                    capture_output=True, text=True, check=True).stdout
            print(*[line.split()[0] for line in listed.splitlines() if "wandb-core" in line])
            sys.stdout.flush()
            """
        begin = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        assert done.stderr == ""
        count, helper = done.stdout.split()
        assert count == "3"
        assert time.monotonic() - begin < 20
        assert not Path(f"/proc/{helper}").exists()


def children() -> list[str]:
    """The helper processes of this process that live, or wait to be reaped."""
    listed = subprocess.run(
        ["ps", "--ppid", str(os.getpid()), "-o", "comm="], capture_output=True, text=True, check=True
    )
    return [line for line in listed.stdout.split() if "wandb" in line]
