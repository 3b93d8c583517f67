"""The stand-in W&B server, asked by the unmodified client."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.wandb import Fault, Run, User, WandbServer


@pytest.fixture(scope="module")
def server() -> Iterator[WandbServer]:
    with WandbServer() as made:
        yield made


@pytest.fixture(scope="module")
def client(server: WandbServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The module wandb, with its helper process, for all tests here."""
    home: Path = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("WANDB")]:
            patch.delenv(name)
        for name, value in {**server.env(home), "WANDB_DIR": os.devnull}.items():
            patch.setenv(name, value)
        patch.setenv("WANDB_CACHE_DIR", str(home))
        patch.setenv("WANDB__GRAPHQL_RETRY_MAX", "1")
        patch.setenv("WANDB__GRAPHQL_RETRY_WAIT_MIN_SECONDS", "1")
        patch.setenv("WANDB__GRAPHQL_RETRY_WAIT_MAX_SECONDS", "1")
        import wandb

        yield wandb
        wandb.teardown()


@pytest.fixture
def api(server: WandbServer, client: Any) -> Any:
    """A login to a server without faults, with 120 runs in team/proj."""
    server.reset()
    server.add_runs("team", "proj", 120)
    api = client.Api(timeout=10)
    server.requests.clear()
    return api


def ids(runs: Any) -> list[str]:
    return [run.id for run in runs]


@pytest.mark.parametrize("lazy", [True, False])
def test_all_runs_are_listed(api: Any, server: WandbServer, lazy: bool) -> None:
    found = api.runs("team/proj", lazy=lazy, per_page=50)
    assert ids(found) == [f"run{number:05d}" for number in range(120)]
    assert server.count("Runs") == 3
    assert len(found) == 120


def test_a_run_has_its_values(api: Any) -> None:
    run = api.run("team/proj/run00003")
    assert run.name == "sunny-field-3"
    assert run.config == {"lr": 0.004, "seed": 3, "model": "resnet", "c0": "value 0"}
    assert run.summary_metrics["_runtime"] == 603
    assert (run.user.username, run.state, run.group, run.tags) == ("ann", "finished", "g0", [])
    assert run.url.endswith("/team/proj/runs/run00003")


def test_lazy_runs_are_loaded_one_by_one(api: Any, server: WandbServer) -> None:
    runs = [*api.runs("team/proj", per_page=1000)]
    before = server.count()
    assert runs[0].config["seed"] == 0
    assert server.count() == before + 1


@pytest.mark.parametrize(
    ("rule", "count"),
    [
        ({"state": "finished"}, 120),
        ({"state": {"$ne": "finished"}}, 0),
        ({"username": {"$in": ["ann", "bob"]}}, 120),
        ({"name": {"$in": ["run00001", "run00002"]}}, 2),
        ({"createdAt": {"$gte": "2024-01-01T01:00:00"}}, 60),
        ({"createdAt": {"$lt": "2024-01-01T01:00:00Z"}}, 60),
        ({"tags": "baseline"}, 60),
        ({"tags": {"$nin": ["baseline"]}}, 60),
        ({"config.seed": {"$lte": 9}}, 10),
        ({"config.seed.value": 9}, 1),
        ({"summary_metrics.loss": {"$gt": 0.5}}, 1),
        ({"summary_metrics.nothing": {"$exists": False}}, 120),
        ({"displayName": {"$regex": "field-1$"}}, 1),
        ({"duration": {"$gt": 640}}, 18),
        ({"$and": [{"sweep": "sw1"}]}, 0),
        ({"$or": [{"name": "run00001"}, {"name": "run00002"}]}, 2),
        ({"$and": [{"group": "g0"}, {"host": "node0"}]}, 10),
        ({"$nor": [{"jobType": "train"}]}, 0),
    ],
    ids=str,
)
def test_filters(api: Any, rule: dict[str, Any], count: int) -> None:
    found = api.runs("team/proj", filters=rule, per_page=1000)
    assert len(ids(found)) == len(found) == count


@pytest.mark.parametrize("rule", [{"heartbeatAt": {"$gt": "2024"}}, {"$not": {}}, {"state": {"$like": "x"}}])
def test_filters_that_are_not_documented_are_errors(api: Any, rule: dict[str, Any]) -> None:
    with pytest.raises(Exception, match="unknown"):
        ids(api.runs("team/proj", filters=rule))


def test_orders(api: Any, server: WandbServer) -> None:
    server.project("team", "proj").runs["run00005"].heartbeat_at = "2030-01-01T00:00:00Z"
    assert ids(api.runs("team/proj", order="-created_at"))[0] == "run00119"
    assert ids(api.runs("team/proj", order="-heartbeat_at"))[0] == "run00005"
    assert ids(api.runs("team/proj", order="+heartbeat_at"))[-1] == "run00005"


def test_an_edited_run_is_shown_as_edited(api: Any, server: WandbServer) -> None:
    assert api.run("team/proj/run00000").state == "finished"
    server.project("team", "proj").runs["run00000"].state = "crashed"
    api.flush()
    assert api.run("team/proj/run00000").state == "crashed"


def test_cursors_shift_when_runs_are_deleted_between_pages(api: Any, server: WandbServer) -> None:
    server.between = lambda page: server.delete("team", "proj", f"run{page - 2:05d}")
    found = ids(api.runs("team/proj", per_page=50))
    assert "run00050" not in found
    assert len(found) == 118  # one lost at each of two boundaries


def test_pages_repeat_and_skip_as_scripted(api: Any, server: WandbServer) -> None:
    server.shift_pages(-1, 1)
    found = ids(api.runs("team/proj", per_page=50))
    assert found.count("run00049") == 2
    assert "run00099" not in found


def logging_run(server: WandbServer) -> Run:
    """A run that logged rows in both streams."""
    run = server.project("team", "proj").runs["run00001"]
    run.history_rows = [{"loss": 1 / (n + 1), "dict": {"val": n}, "_step": n} for n in range(9)]
    run.history_rows += [{"image": {"_type": "image-file"}, "_step": 9}]
    run.system_rows = [{"system.gpu.0.temp": 40 + n, "_timestamp": 1.7e9 + n} for n in range(4)]
    return run


def test_the_rows_of_a_run(api: Any, server: WandbServer) -> None:
    made = logging_run(server)
    run = api.run("team/proj/run00001")
    assert run.history(pandas=False) == made.history_rows
    assert run.history(pandas=False, stream="system") == made.system_rows
    assert [request.name for request in server.requests][-2:] == ["RunFullHistory"] * 2


def test_rows_are_sampled_evenly(api: Any, server: WandbServer) -> None:
    logging_run(server).history_rows = [{"n": n} for n in range(1001)]
    run = api.run("team/proj/run00001")
    assert [row["n"] for row in run.history(samples=5, pandas=False)] == [0, 250, 500, 750, 1000]
    assert [row["n"] for row in run.history(samples=1, pandas=False)] == [0]
    assert len(run.history(samples=10_000, pandas=False)) == 500
    server.script.cap = 100
    assert len(run.history(samples=10_000, pandas=False)) == 100


def test_the_keys_of_a_run(api: Any, server: WandbServer) -> None:
    """In the form that the client's own check reads them."""
    made = logging_run(server)
    told = api.run("team/proj/run00001").history_keys
    assert told["lastStep"] == 9
    assert told["keys"]["loss"]["typeCounts"] == [{"type": "number", "count": 9}]
    assert told["keys"]["dict.val"]["previousValue"] == 8
    assert told["keys"]["image"]["typeCounts"] == [{"type": "image-file", "count": 1}]
    assert api.run("team/proj/run00001").lastHistoryStep == 9
    made.history = {"keys": {}}
    api.flush()
    run = api.run("team/proj/run00001")
    assert (run.history_keys, run.history_line_count) == ({"keys": {}}, 10)


def test_a_run_without_rows(api: Any) -> None:
    run = api.run("team/proj/run00002")
    assert (run.history_keys, run.history_line_count) == (None, 0)
    assert run.history(pandas=False) == run.history(pandas=False, stream="system") == []


def test_filter_fields_that_are_refused(api: Any, server: WandbServer) -> None:
    server.script.refuses.add("group")
    with pytest.raises(Exception, match="unknown filter field 'group'"):
        ids(api.runs("team/proj", filters={"$or": [{"group": "g1"}]}))
    assert len(ids(api.runs("team/proj", filters={"name": "run00001"}))) == 1


def test_what_does_not_exist(api: Any) -> None:
    with pytest.raises(ValueError, match="Could not find project"):
        ids(api.runs("team/nothing"))
    with pytest.raises(Exception, match="Could not find run"):
        api.run("team/proj/nothing")


def test_the_viewer(api: Any, server: WandbServer) -> None:
    assert (api.viewer.username, api.default_entity) == ("ann", "team")
    assert api.project("proj", "team").name == "proj"


def test_a_user_without_an_account_any_more(api: Any, server: WandbServer) -> None:
    server.add("team", "gone", Run("a", user=None))
    with pytest.raises(TypeError):
        ids(api.runs("team/gone"))


def test_keys(client: Any, server: WandbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.reset()
    other = "b" * 40
    server.add_key(other, User("bob", entity="bobs"))
    assert client.Api(api_key=other, timeout=10).default_entity == "bobs"
    server.drop_key(other)
    with pytest.raises(Exception, match="not logged in"):
        client.Api(api_key=other, timeout=10)
    assert server.requests[-1].key == other


GRAPHQL = (
    'query Ours($p: String!) { a: project(name: $p, entityName: "team") { run(name: "run00001") { %s } } }'
)


def test_aliases_and_fragments_and_directives(api: Any) -> None:
    query = """query Q($p: String!, $no: Boolean = false) {
      a: project(name: $p, entityName: "team") {
        r0: run(name: "run00001") { ...F } r1: run(name: "nothing") { id }
        runs(first: 1) { totalCount edges { node { ...F } } } runCount(filters: "{\\"name\\":\\"run00001\\"}")
      } }
      fragment F on Run { id: name user { name } host @include(if: $no) ... on Run { __typename } }"""
    found = api._service_api.execute_graphql(query, {"p": "proj"})["a"]
    run = {"id": "run00001", "user": {"name": "Ann"}, "__typename": "Run"}
    assert (found["r0"], found["r1"], found["runCount"]) == (run, None, 1)
    assert found["runs"]["totalCount"] == 120
    assert found["runs"]["edges"][0]["node"]["id"] == "run00000"


def test_an_unknown_field_or_variable_is_refused(api: Any) -> None:
    with pytest.raises(Exception, match="Cannot query field 'colour' on type 'Run'"):
        api._service_api.execute_graphql(GRAPHQL % "colour", {"p": "proj"})
    with pytest.raises(Exception, match="required type"):
        api._service_api.execute_graphql(GRAPHQL % "id", {})


def test_an_older_server_lacks_fields(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with WandbServer(without=("Run.host",)) as old:
        api = client.Api(overrides={"base_url": old.url}, api_key=old.key, timeout=10)
        old.add_runs("team", "proj", 2)
        with pytest.raises(Exception, match="host"):
            api._service_api.execute_graphql(GRAPHQL % "host", {"p": "proj"})
        assert len(ids(api.runs("team/proj"))) == 2


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (Fault.http(403, "no"), "no"),
        (Fault.errors("boom"), "boom"),
        (Fault.errors("bad", status=400), "bad"),
        (Fault.truncated(), "unexpected EOF"),
        (Fault.cut_json(), "unexpected EOF"),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_faults_that_the_client_does_not_repeat(
    api: Any, server: WandbServer, fault: Fault, text: str
) -> None:
    server.fail(fault, at=2, query="runs(")
    assert len(ids(api.runs("team/proj", per_page=120))) == 120
    with pytest.raises(Exception, match=text):
        ids(api.runs("team/proj", per_page=120, order="-created_at"))
    api.flush()
    assert len(ids(api.runs("team/proj", per_page=120))) == 120


def test_ten_thousand_runs(api: Any, server: WandbServer) -> None:
    server.add_runs("team", "large", 10_000)
    found = 0
    for run in api.runs("team/large", per_page=1000):
        found += run.id != ""
    assert found == 10_000
