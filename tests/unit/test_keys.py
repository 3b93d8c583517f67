"""The keys that a run logged: each once, in one group, counted; the training's cut at 30."""

import csv
import io
import json

import pytest

from runsheet.reports import keys
from runsheet.reports.keys import Group, Key
from runsheet.sources.base import Logged, Stream
from tests.support.builders import run

RUN = run(
    "v2h4vzbc",
    name="gpt2_state_50",
    url="https://wandb.ai/team/proj/runs/v2h4vzbc",
)


def g6() -> Logged:
    """87 keys, 8 of them of GPUs, and W&B's own besides."""
    history = {f"metric_{number:02d}": 10 for number in range(67)} | {"gpu/compute_util_avg": 10}
    history |= {"gpu/memory_used_avg_gb": 10, "_step": 10, "_timestamp": 10, "_runtime": 10, "_wandb": 1}
    system = {f"system.gpu.{gpu}.{what}": 4 for gpu in range(2) for what in ("gpu", "memory", "temp")}
    system |= {f"system.cpu.{core}.cpu_percent": 4 for core in range(12)} | {"_timestamp": 4, "_wandb": 4}
    return Logged(history, system)


def test_g6_line_by_line() -> None:
    lines = keys.text(RUN, keys.keys(g6())).splitlines()
    assert lines[:9] == [
        "Run: gpt2_state_50 (v2h4vzbc)",
        "State: finished",
        "URL: https://wandb.ai/team/proj/runs/v2h4vzbc",
        "-" * 80,
        "",
        "Total unique keys: 87",
        "GPU: 8 · system: 12 · training: 67",
        "",
        "GPU-related keys:",
    ]
    assert lines[9:17] == [
        "  - gpu/compute_util_avg",
        "  - gpu/memory_used_avg_gb",
        "  - system.gpu.0.gpu",
        "  - system.gpu.0.memory",
        "  - system.gpu.0.temp",
        "  - system.gpu.1.gpu",
        "  - system.gpu.1.memory",
        "  - system.gpu.1.temp",
    ]
    assert lines[17:20] == ["", "System-related keys:", "  - system.cpu.0.cpu_percent"]
    training = lines[lines.index("Training metrics keys:") + 1 :]
    assert training == [f"  - metric_{number:02d}" for number in range(30)] + ["  ... and 37 more"]


def test_all_keys() -> None:
    text = keys.text(RUN, keys.keys(g6()), every=True)
    assert "  - metric_66\n" in text
    assert "more" not in text


def test_only_the_training_is_cut() -> None:
    """However many GPUs there are."""
    gpus, cores = ({f"system.{kind}.{number}": 1 for number in range(40)} for kind in ("gpu", "cpu"))
    text = keys.text(RUN, keys.keys(Logged({}, gpus | cores)))
    assert text.count("  - ") == 80
    assert "more" not in text


def test_exactly_as_many_as_are_shown() -> None:
    """Nothing is cut where nothing is left."""
    text = keys.text(RUN, keys.keys(Logged({f"m{number:02d}": 1 for number in range(30)})))
    assert text.endswith("  - m29\n")


@pytest.mark.parametrize(
    ("name", "stream", "group"),
    [
        ("train_loss", Stream.HISTORY, Group.TRAINING),
        ("my_GPU_load", Stream.HISTORY, Group.GPU),
        ("system.gpu.0.gpu", Stream.SYSTEM, Group.GPU),
        ("System/ram", Stream.HISTORY, Group.SYSTEM),
        ("network.sent", Stream.SYSTEM, Group.SYSTEM),
        ("cpu/utilization", Stream.SYSTEM, Group.SYSTEM),
        ("cpu/utilization", Stream.HISTORY, Group.TRAINING),
    ],
)
def test_groups(name: str, stream: Stream, group: Group) -> None:
    """Each key is in one: GPU wins over system."""
    (found,) = keys.keys(Logged(**{stream.value: {name: 1}}))
    assert found.group is group


def test_a_key_of_both_streams_is_one_key() -> None:
    found = keys.keys(Logged({"gpu/0/power": 3}, {"gpu/0/power": 4}))
    assert found == (Key("gpu/0/power", (Stream.HISTORY, Stream.SYSTEM), 7),)


def test_a_count_that_nobody_knows_is_none() -> None:
    """Nor is the sum of it and another one known."""
    found = keys.keys(Logged({"a": 0, "both": 0}, {"both": 2}))
    assert {key.name: key.rows for key in found} == {"a": None, "both": None}


def test_what_the_client_adds_was_not_logged() -> None:
    """By itself, or nested as it is told with dots."""
    own = dict.fromkeys(["_step", "_timestamp", "_runtime", "_wandb", "_wandb.runtime"], 1)
    assert keys.keys(Logged(own, own)) == ()
    assert [key.name for key in keys.keys(Logged({"_steps": 1, "_mine": 1}))] == ["_mine", "_steps"]


def test_groups_without_keys_are_left_out() -> None:
    assert keys.text(RUN, keys.keys(Logged({"loss": 1}))).splitlines()[5:] == [
        "Total unique keys: 1",
        "GPU: 0 · system: 0 · training: 1",
        "",
        "Training metrics keys:",
        "  - loss",
    ]


def test_a_run_that_logged_nothing() -> None:
    lines = keys.text(RUN, keys.keys(Logged())).splitlines()
    assert lines[5:] == ["Total unique keys: 0", "This run has logged nothing."]


def test_a_note_stands_under_the_dashes() -> None:
    lines = keys.text(run(1, name="twin"), (), ["2 runs have this name: the newest is shown"]).splitlines()
    assert lines[:5] == [
        "Run: twin (run0001)",
        "State: finished",
        "-" * 80,
        "Note: 2 runs have this name: the newest is shown",
        "",
    ]


def test_nothing_that_a_terminal_obeys() -> None:
    text = keys.text(run(1, name="a\x1b[2Jb\nc"), keys.keys(Logged({"x\x1b]0;y": 1})))
    assert "\x1b" not in text
    assert text.startswith("Run: a [2Jb c (run0001)\n")


def test_csv() -> None:
    """A key that a spreadsheet would take for a formula is text."""
    text = keys.csv_text(keys.keys(Logged({"=1+1": 3, "loss": 0}, {"system.gpu.0.gpu": 2})))
    assert [*csv.reader(io.StringIO(text))] == [
        ["group", "key", "rows", "stream"],
        ["GPU", "system.gpu.0.gpu", "2", "system"],
        ["training", "'=1+1", "3", "history"],
        ["training", "loss", "", "history"],
    ]


def test_json() -> None:
    found = json.loads(keys.json_text(RUN, keys.keys(g6()), ["a note"]))
    assert found["run"] == {
        "id": "v2h4vzbc",
        "name": "gpt2_state_50",
        "project": "team/proj",
        "source": "wandb",
        "host": "api.wandb.ai",
        "state": "finished",
        "url": RUN.url,
    }
    assert (found["total"], found["groups"]) == (87, {"GPU": 8, "system": 12, "training": 67})
    assert found["notes"] == ["a note"]
    assert len(found["keys"]) == 87
    assert found["keys"][0] == {
        "group": "GPU",
        "key": "gpu/compute_util_avg",
        "rows": 10,
        "stream": "history",
    }
