"""A run becomes values by path: every leaf of config and summary once, and nothing is raised."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runsheet import fields
from runsheet.fields import COMPUTED, KEYS, PATH_CHARS, PREFIXES
from runsheet.reports.usage import Settings
from tests.support.builders import NOW, run


def config(value: Any) -> dict[str, Any]:
    """The values of a run's config by path."""
    found = fields.values(run(1, config=value, summary={}), {})
    return {path: cell for path, cell in found.items() if path.startswith("config.")}


LEAVES = {
    "nested": ({"a": {"b": {"c": 1}}}, {"config.a.b.c": 1}),
    "leaf and parent": ({"a.b": 1, "a": {"b": 2}}, {"config.a.b": 1, "config.a.b~2": 2}),
    "the literal key first, in any order": ({"a": {"b": 2}, "a.b": 1}, {"config.a.b": 1, "config.a.b~2": 2}),
    "three of one path": (
        {"a.b.c": 1, "a.b": {"c": 2}, "a": {"b.c": 3}},
        {"config.a.b.c": 1, "config.a.b.c~2": 2, "config.a.b.c~3": 3},
    ),
    "empty key": ({"": 1, "a": {"": 2}}, {"config.": 1, "config.a.": 2}),
    "keys that are no texts": ({5: 1, "5": 2, None: 3}, {"config.5": 1, "config.5~2": 2, "config.None": 3}),
    "slash, blank, case": (
        {"train/loss": 1, "my lr": 2, "LR": 3, "lr": 4},
        {"config.train/loss": 1, "config.my lr": 2, "config.LR": 3, "config.lr": 4},
    ),
    "damaged keys": ({"a\x00": 1, "\ud83d": 2}, {"config.a": 1, "config.\ufffd": 2}),
    "damaged keys that become one": ({"a\x00": 1, "a": 2}, {"config.a": 1, "config.a~2": 2}),
    "no cell": ({"a": None, "b": float("nan"), "c": {}, "d": "", "e": "\x00", "f": "NaN"}, {}),
    "false and zero are values": ({"a": False, "b": 0}, {"config.a": False, "config.b": 0}),
    "value key of a user": ({"x": {"value": 5, "unit": "s"}}, {"config.x.value": 5, "config.x.unit": "s"}),
    "media": ({"x": {"_type": "table", "path": "p"}}, {"config.x": "[table]"}),
}


@pytest.mark.parametrize(("value", "cells"), LEAVES.values(), ids=LEAVES)
def test_leaves(value: Any, cells: dict[str, Any]) -> None:
    """Each leaf with a cell is found once, under a path of its own."""
    assert config(value) == cells


@pytest.mark.parametrize("depth", [500, 5_000])
def test_any_depth(depth: int) -> None:
    """A value under thousands of levels is found, under a path of bounded length."""
    value: dict[str, Any] = {"leaf": 1}
    for _ in range(depth):
        value = {"a": value, "b": 2} if _ == 3 else {"a": value}
    found = config(value)
    while value:
        value = value.pop("a", {})
    assert sorted(found.values()) == [1, 2]
    assert all(len(path) <= PATH_CHARS for path in found)


def test_long_keys_are_cut_and_told_apart() -> None:
    """A key of a megabyte cannot make a column that no sheet takes, and two of them stay two."""
    found = config({"x" * 1_000_000 + "1": 1, "x" * 1_000_000 + "2": 2, "y" * 200: 3})
    assert sorted(found.values()) == [1, 2, 3]
    assert all(len(path) <= PATH_CHARS for path in found)
    assert found["config." + "y" * 200] == 3


def test_not_every_key_is_remembered() -> None:
    """A daemon that meets ever new keys does not grow: some keys of some prefixes are remembered, no
    long ones."""
    fields._known.cache_clear()
    for start in range(0, 5 * KEYS, KEYS // 2):
        found = config({f"key {number}": number for number in range(start, start + KEYS // 2)})
        assert found[f"config.key {start}"] == start
    config({"x" * 1_000_000: 1, "y" * 1_000_000: {"z": 1}})
    assert 0 < len(fields._known("config.")) <= KEYS
    assert max(map(len, fields._known("config."))) < 20
    config({f"group {number}": {"z": 1} for number in range(2 * PREFIXES)})
    assert fields._known.cache_info().currsize == PREFIXES


BUILTIN = {
    "user gone": ({"user": None}, "name", None),
    "user renamed": ({"user": "ng-youn"}, "name", "남규"),
    "timestamp of the summary": (
        {"summary": {"_timestamp": 1732113015.2}},
        "_timestamp",
        datetime(2024, 11, 20, 14, 30, 15, tzinfo=UTC),
    ),
    "timestamp that is none": ({"summary": {"_timestamp": "NaN"}, "heartbeat": NOW}, "_timestamp", NOW),
    "no timestamp": ({"summary": {}, "heartbeat": None, "created": NOW}, "_timestamp", NOW),
    "no time at all": ({"runtime": 0.0}, "runtime", 0.0),
    "endless runtime": ({"runtime": float("inf")}, "runtime", None),
    "tags": ({"tags": ("a", "b")}, "tags", "a, b"),
    "no tags": ({"tags": ()}, "tags", None),
    "id": ({"id": " a\x00b "}, "run_id", "ab"),
    "project": ({}, "project", "team/proj"),
    "source": ({"config": {"source": "imagenet"}}, "source", "wandb"),
    "host unless asked for": ({"machine": ""}, "host", None),
}


@pytest.mark.parametrize(("changes", "key", "cell"), BUILTIN.values(), ids=BUILTIN)
def test_builtin(changes: dict[str, Any], key: str, cell: Any) -> None:
    """Built-in keys tell what the run is; those without a value are left out."""
    changes = {"number": changes.get("id", 1)} | {k: v for k, v in changes.items() if k != "id"}
    found = fields.values(run(**changes), {"ng-youn": "남규"})
    assert found.get(key) == cell
    assert (key in found) == (cell is not None)


def test_config_cannot_pose_as_a_builtin() -> None:
    """A config key named run_id is `config.run_id`."""
    found = fields.values(run(1, config={"run_id": "fake"}), {})
    assert (found["run_id"], found["config.run_id"]) == ("run0001", "fake")


USED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "four GPUs for a day": (
        {"config": {"dist/world_size": 4}},
        {"gpus": 4, "runtime_hours": 24.0, "gpu_hours": 96.0},
    ),
    "nobody knows how many": ({"config": {}}, {"runtime_hours": 24.0}),
    "what is said is no number": ({"config": {"world_size": "two"}}, {"runtime_hours": 24.0}),
    "the machines tell": ({"config": {}, "gpus": 2}, {"gpus": 2, "runtime_hours": 24.0, "gpu_hours": 48.0}),
    "on CPUs": (
        {"config": {"dist/accelerator": "cpu", "world_size": 3}},
        {"gpus": 0, "runtime_hours": 24.0, "gpu_hours": 0.0},
    ),
    "so far": (
        {"state": "running", "runtime": 1800.5, "timed": True, "heartbeat": NOW, "config": {"num_gpus": 1}},
        {"gpus": 1, "runtime_hours": 0.5001, "gpu_hours": 0.5001},
    ),
    "no time at all": (
        {"created": None, "heartbeat": None, "config": {"num_gpus": 1}},
        {"gpus": 1, "gpu_hours": 0.0},
    ),
}


@pytest.mark.parametrize(("change", "expected"), USED.values(), ids=list(USED))
def test_what_a_run_used(change: dict[str, Any], expected: dict[str, Any]) -> None:
    """Empty cells where it is not known; hours so far where the run goes on."""
    assert fields.used(run(1, **change), Settings(), NOW) == expected
    assert set(expected) <= set(COMPUTED)


def test_time_alone_changes_nothing_of_what_a_run_used() -> None:
    """Or each tick would write live rows again."""
    going = run(1, state="running", heartbeat=NOW, config={"num_gpus": 1})
    later = [fields.used(going, Settings(), NOW + timedelta(days=days)) for days in (0, 1, 100)]
    assert later[0] == later[1] == later[2]
