"""How a node of W&B's answer becomes a Run, and what is asked."""

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runsheet.model import Run, Scope, Skip
from runsheet.sources.base import Query
from runsheet.sources.wandb_api import query as wandb_query

SCOPE = Scope("wandb", "h", "team/proj")
APP = "https://wandb.ai/"


def read(**node: Any) -> Run:
    """The run of a node of which nothing is unreadable."""
    (run,) = wandb_query.read({"name": "a", **node}, SCOPE, APP)
    assert isinstance(run, Run)
    return run


@pytest.mark.parametrize("value", [None, "", "null", "{}", " ", {}], ids=repr)
def test_nothing_is_an_empty_table(value: Any) -> None:
    run = read(config=value, summaryMetrics=value)
    assert (run.config, run.summary) == ({}, {})


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ({"value": 1}, 1),
        ({"value": None, "desc": "d"}, None),
        ({"value": {"value": 5, "unit": "s"}}, {"value": 5, "unit": "s"}),
        ({"unit": "s"}, {"unit": "s"}),
        (7, 7),
        (["x"], ["x"]),
    ],
    ids=str,
)
def test_a_config_entry_is_unwrapped_once(entry: Any, value: Any) -> None:
    assert read(config=json.dumps({"k": entry})).config == {"k": value}


def test_entries_of_wandb_itself_are_dropped() -> None:
    run = read(config='{"_wandb": {"value": 1}, "wandb_version": 1}', summaryMetrics='{"_wandb": {"x": 1}}')
    assert (run.config, run.summary) == ({}, {})


def test_values_stay_as_they_are() -> None:
    """Cleaning is not a source's business; whole numbers stay whole."""
    text = '{"a": "NaN", "b": NaN, "c": 9007199254740993, "d": "\\ud83d", "e": [1], "f": {"g": {}}}'
    found = read(summaryMetrics=text).summary
    assert str(found.pop("b")) == "nan"  # type: ignore[attr-defined]
    assert found == {"a": "NaN", "c": 2**53 + 1, "d": "\ud83d", "e": [1], "f": {"g": {}}}


def test_control_characters_do_not_make_a_table_unreadable() -> None:
    assert read(config='{"k": {"value": "a\tb\x00"}}').config == {"k": "a\tb\x00"}


@pytest.mark.parametrize(
    ("key", "text", "reason"),
    [
        ("summaryMetrics", "[1, 2]", "summaryMetrics is a list"),
        ("summaryMetrics", "3", "summaryMetrics is a int"),
        ("summaryMetrics", "{", "summaryMetrics is not valid JSON"),
        ("config", "[[" * 100_000, "config is not valid JSON"),
        ("createdAt", "yesterday", "createdAt is not a time"),
        ("heartbeatAt", "2024-13-01T00:00:00Z", "heartbeatAt is not a time"),
    ],
    ids=lambda text: text[:20],
)
def test_an_unreadable_part_is_skipped_and_the_run_is_there(key: str, text: str, reason: str) -> None:
    run, skip = wandb_query.read({"name": "a", "displayName": "n", key: text}, SCOPE, APP)
    assert isinstance(run, Run)
    assert (run.id, run.name) == ("a", "n")
    assert isinstance(skip, Skip)
    assert skip.what == "team/proj/a"
    assert reason in skip.reason


@pytest.mark.parametrize("node", [{}, {"name": None}, {"name": ""}], ids=str)
def test_a_node_without_an_id_is_skipped(node: dict[str, Any]) -> None:
    assert [type(item) for item in wandb_query.read(node, SCOPE, APP)] == [Skip]


def test_a_node_of_an_unknown_kind_is_skipped() -> None:
    (skip,) = wandb_query.read({"name": "a", "user": "ann"}, SCOPE, APP)
    assert isinstance(skip, Skip)
    assert skip.what == "team/proj/a"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-05-01T10:00:00Z", datetime(2024, 5, 1, 10, tzinfo=UTC)),
        ("2024-05-01T10:00:00", datetime(2024, 5, 1, 10, tzinfo=UTC)),
        ("2024-05-01T10:00:00.25", datetime(2024, 5, 1, 10, 0, 0, 250000, tzinfo=UTC)),
        ("2024-05-01T10:00:00.123456789Z", datetime(2024, 5, 1, 10, 0, 0, 123456, tzinfo=UTC)),
        ("2024-05-01T12:00:00+02:00", datetime(2024, 5, 1, 10, tzinfo=UTC)),
        (None, None),
        ("", None),
    ],
    ids=str,
)
def test_times(text: str | None, moment: datetime | None) -> None:
    assert read(createdAt=text).created == moment


def test_a_time_without_a_zone_is_utc_wherever_we_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert read(createdAt="2024-05-01T10:00:00").created == datetime(2024, 5, 1, 10, tzinfo=UTC)
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("summary", "seconds"),
    [
        ({"_wandb": {"runtime": 12}, "_runtime": 5}, 12.0),
        ({"_wandb": {"runtime": None}, "_runtime": 5.5}, 5.5),
        ({"_wandb": 3, "_runtime": 5}, 5.0),
        ({"_runtime": "NaN"}, 60.0),
        ({"_runtime": True}, 60.0),
        ({"_runtime": 10**400}, 60.0),
        ({"_runtime": -1}, 60.0),
        ({}, 60.0),
    ],
    ids=lambda value: str(value)[:40],
)
def test_runtime(summary: dict[str, Any], seconds: float) -> None:
    times = {"createdAt": "2024-01-01T00:00:00Z", "heartbeatAt": "2024-01-01T00:01:00Z"}
    run = read(summaryMetrics=json.dumps(summary), **times)
    assert run.runtime == seconds
    assert run.timed == (seconds != 60)


def test_no_runtime_without_both_times() -> None:
    run = read(createdAt="2024-01-01T00:00:00Z")
    assert (run.runtime, run.timed) == (None, False)


@pytest.mark.parametrize(
    ("info", "gpus"),
    [
        ({"gpuCount": 8}, 8),
        ({"gpuCount": 0}, None),
        ({"gpuCount": None}, None),
        ({"gpuCount": True}, None),
        ({"gpuCount": "8"}, None),
        ({}, None),
        (None, None),
        ([8], None),
    ],
    ids=str,
)
def test_gpus(info: Any, gpus: int | None) -> None:
    """0 tells nothing: it stands for machines that were not looked at, too."""
    assert read(runInfo=info).gpus == gpus


def test_a_link_is_quoted() -> None:
    assert wandb_query.link(APP, "my team/a b", "x/ü") == "https://wandb.ai/my%20team/a%20b/runs/x%2F%C3%BC"


@pytest.mark.parametrize(
    ("query", "rule"),
    [
        (Query(), {}),
        (Query(filters={"state": "finished"}), {"state": "finished"}),
        (Query(users=("a", "b")), {"username": {"$in": ["a", "b"]}}),
        (
            Query(users=("a",), filters={"$or": [{"group": "g"}]}),
            {"$and": [{"$or": [{"group": "g"}]}, {"username": {"$in": ["a"]}}]},
        ),
    ],
    ids=["all", "filters", "users", "both"],
)
def test_filters(query: Query, rule: dict[str, Any]) -> None:
    assert wandb_query.filters(query) == rule


@pytest.mark.parametrize(("machine", "gpus"), [(False, False), (True, False), (False, True), (True, True)])
def test_some_fields_are_only_in_the_query_when_asked(machine: bool, gpus: bool) -> None:
    words = wandb_query.text(wandb_query.extras(Query(machine=machine, gpus=gpus))).split()
    assert ("host" in words, "gpuCount" in words) == (machine, gpus)
    assert not {"host", "gpuCount"} & {*wandb_query.text().split(), *wandb_query.light_text().split()}


@pytest.mark.parametrize(
    "project", [{}, {"runs": None}, {"runs": {"edges": None, "pageInfo": None}}], ids=str
)
def test_an_answer_without_runs_is_an_empty_page(project: dict[str, Any]) -> None:
    assert wandb_query.page(project) == wandb_query.Page((), None, None, more=False)


def test_lost_nodes_have_keys_of_their_own() -> None:
    edges = [{"node": None, "cursor": "c1"}, {"node": {"name": "a"}, "cursor": "c2"}, {"node": {}}, None]
    page = wandb_query.page({"runs": {"edges": edges, "pageInfo": {"hasNextPage": True}}})
    assert len({key for key, _ in page.nodes}) == 4
    assert page.nodes[1] == ("a", {"name": "a"})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=4), JSON)
def test_every_config_comes_back_as_it_was_logged(config: dict[str, Any], summary: Any) -> None:
    """Whatever the values are; and whatever the summary is, nothing is raised."""
    wrapped = {key: {"value": value} for key, value in config.items()}
    items = wandb_query.read(
        {"name": "a", "config": json.dumps(wrapped), "summaryMetrics": json.dumps(summary)}, SCOPE, APP
    )
    assert isinstance(items[0], Run)
    assert repr(items[0].config) == repr({k: v for k, v in config.items() if k not in wandb_query.OURS})
