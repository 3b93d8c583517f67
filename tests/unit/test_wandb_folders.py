"""The source `folders` gives each run on disk once, with what its folder tells, or says why not.

Real runs are made by the installed client (support/offline_runs.py); what older clients write is put
together here, record by record. Mutants tried: see the end of each group of tests.
"""

import io
import json
import logging
import os
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wandb.proto.wandb_internal_pb2 import Record

from runsheet.clock import Clock
from runsheet.errors import ConfigError, NotFound, Stopped
from runsheet.model import Run, Scope, Skip
from runsheet.sources.base import Query
from runsheet.sources.wandb_folders import FolderSource, folder_tree, newest
from runsheet.sources.wandb_folders.wandb_log import Log
from tests.support.offline_runs import framed, offline_directory

__all__ = ["offline_directory"]

START = 1_700_000_000
NAME = "run-20231114_221320-abc"


def listed(directory: Path, query: Query | None = None, projects: tuple[str, ...] = ()) -> list[Run | Skip]:
    source = FolderSource(directory, clock=Clock(), projects=projects)
    return [item for project in source.projects() for item in source.runs(project, query or Query())]


def only(directory: Path, query: Query | None = None) -> Run:
    """The one run of a directory that holds nothing else."""
    (run,) = listed(directory, query)
    assert isinstance(run, Run)
    return run


def skip(directory: Path) -> Skip:
    (item,) = listed(directory)
    assert isinstance(item, Skip)
    return item


def by_id(directory: Path) -> dict[str, Run]:
    runs = [item for item in listed(directory) if isinstance(item, Run)]
    assert len({run.id for run in runs}) == len(runs)
    return {run.id: run for run in runs}


# Records, as one line each


def started(run_id: str = "abc", project: str = "p", at: float = START, **fields: Any) -> Record:
    record = Record()
    record.run.run_id, record.run.project = run_id, project
    record.run.start_time.seconds = int(at)
    for name, value in fields.items():
        setattr(record.run, name, value)
    return record


def changed(kind: str, values: Mapping[Any, Any] | None = None, remove: tuple[Any, ...] = ()) -> Record:
    """A config or summary record. Keys that are tuples are nested; texts fill `key` as old clients do."""
    record = Record()
    change = getattr(record, kind)
    change.SetInParent()
    for key, value in (values or {}).items():
        _fill(change.update.add(), key, value)
    for key in remove:
        _fill(change.remove.add(), key, None)
    return record


def logged(values: Mapping[Any, Any], at: float | None = None) -> Record:
    record = Record()
    record.history.SetInParent()
    for key, value in (dict(values) | ({} if at is None else {"_timestamp": at})).items():
        _fill(record.history.item.add(), key, value)
    return record


def _fill(item: Any, key: Any, value: Any) -> None:
    if isinstance(key, tuple):
        item.nested_key.extend(key)
    else:
        item.key = key
    item.value_json = json.dumps(value)


def metric(name: str, **how: bool) -> Record:
    record = Record()
    if name.endswith("*"):
        record.metric.glob_name = name
    else:
        record.metric.name = name
    for key, value in how.items():
        setattr(record.metric.summary, key, value)
    return record


def ended(code: int = 0, runtime: int = 0) -> Record:
    record = Record()
    record.exit.exit_code, record.exit.runtime = code, runtime
    return record


config, summary = partial(changed, "config"), partial(changed, "summary")


def folder(
    directory: Path, *records: Record, name: str = NAME, files: Mapping[str, str] | None = None, cut: int = 0
) -> Path:
    """A run folder below `directory`/wandb, with a log of these records and these files."""
    place = directory / "wandb" / name
    (place / "files").mkdir(parents=True)
    if records:
        data = framed([record.SerializeToString() for record in records])
        (place / f"run-{name.split('-')[-1]}.wandb").write_bytes(data[: len(data) - cut])
    for file, text in (files or {}).items():
        (place / "files" / file).write_text(text)
    return place


# Real runs of the installed client


def test_a_finished_run_tells_all_that_was_logged(offline_directory):
    run = by_id(offline_directory)["fin00001"]
    assert run.scope == Scope("folders", "", "vision")
    assert (run.name, run.state, run.group, run.job_type) == ("début ✓", "finished", "grid", "train")
    assert (run.tags, run.notes, run.url, run.machine) == (("baseline", "größe"), "two\nlines", "", "")
    assert run.config == {
        "lr": 1e-05,
        "layers": [64, 32],
        "opt": {"name": "adam", "betas": [0.9, 0.999]},
        "名前": "テスト",
        "none": None,
        "big": 2**60,
        "formula": "=1+1",
        "tiny_text": "1e-05",
        "on": False,
        "empty": {},
        "late": {"value": 5, "unit": "s"},
    }


def test_the_summary_is_what_wandb_shows(offline_directory):
    """A worked-out metric keeps its minimum, a hidden one stays away, and a value set at the end stands."""
    values = dict(by_id(offline_directory)["fin00001"].summary)
    assert values.pop("nan") != values.get("nan")
    assert {key: value for key, value in values.items() if not key.startswith("_")} == {
        "loss": 99,
        "best": {"min": 1},
        "group/acc": {"max": 3},
        "a.b": 2,
        "nest": {"deep": {"er": 2}},
        "hist": {"_type": "histogram", "values": [1, 2], "bins": [0, 1, 2]},
        "own": {"k": [1, 2]},
    }
    assert values["_step"] == 2


def test_states_of_real_runs(offline_directory):
    states = {run_id: run.state for run_id, run in by_id(offline_directory).items()}
    assert states == {
        "fin00001": "finished",
        "exc00001": "failed",
        "int00001": "failed",
        "kil00001": "running",
        "res00001": "finished",
        "oth00001": "finished",
    }


def test_a_killed_run_is_read_up_to_the_cut_and_says_so(offline_directory, caplog):
    with caplog.at_level(logging.INFO, logger="runsheet.sources.wandb_folders"):
        run = by_id(offline_directory)["kil00001"]
    assert run.config == {"lr": 0.25}
    assert run.summary["loss"] >= 10
    assert run.heartbeat is not None
    assert run.created is not None
    assert run.heartbeat > run.created
    (message,) = (record.message for record in caplog.records if "kil00001" in record.message)
    assert "cut" in message


def test_a_resumed_run_is_one_run(offline_directory):
    """The client gave the second folder the suffix -1, as it does within one second."""
    run = by_id(offline_directory)["res00001"]
    assert run.config == {"lr": 0.05, "part0": 0, "part1": 1}
    assert (run.summary["loss"], run.summary["only0"], run.summary["only1"]) == (9, 0, 1)
    assert run.created is not None
    assert run.heartbeat is not None
    assert run.heartbeat > run.created


def test_projects_filter_and_other_places(offline_directory):
    assert [item.id for item in listed(offline_directory, projects=("speech",)) if isinstance(item, Run)] == [
        "oth00001"
    ]
    assert len(by_id(offline_directory / "train")) == 5
    assert len(by_id(offline_directory / "train" / "wandb")) == 5
    (one,) = (offline_directory / "train" / "wandb").glob("*fin00001")
    assert list(by_id(one)) == ["fin00001"]
    assert newest(offline_directory / "outputs") == "speech"


def test_the_host_name_only_on_request(offline_directory):
    assert not any(run.machine for run in by_id(offline_directory).values())
    runs = [item for item in listed(offline_directory, Query(machine=True)) if isinstance(item, Run)]
    assert all(run.machine for run in runs)


# Mutants: history laid over every metric; `remove` ignored; id taken from the folder's name; exit code 255
# taken for "killed"; machine always filled; `projects` compared with the whole path only.

# What other clients write


def test_later_config_records_update_and_remove(tmp_path):
    folder(
        tmp_path,
        started(),
        config({"a": 1, "b": {"c": 1, "d": 2}, "e": 5, "_wandb": {"x": 1}}),
        config({("b", "c"): 9}, remove=("e",)),
        ended(),
    )
    assert only(tmp_path).config == {"a": 1, "b": {"c": 9, "d": 2}}


@pytest.mark.parametrize(
    ("steps", "result"),
    [
        ([{"a": {"b": 1, "c": 2}}, {("a", "b"): 3}], {"a": {"b": 3, "c": 2}}),
        ([{("a", "b"): 3}, {"a": {"c": 2}}], {"a": {"c": 2}}),
        ([{("a", "b"): 3}, {"a": 7}], {"a": 7}),
        ([{"a": 7}, {("a", "b", "c"): 3}], {"a": {"b": {"c": 3}}}),
        ([{("a", "b", "c"): 3}, {("a", "b"): 4}], {"a": {"b": 4}}),
        ([{"a": {"b": {"c": 1, "x": 0}}}, {("a", "b", "c"): 2}], {"a": {"b": {"c": 2, "x": 0}}}),
        ([{("a", "b"): 1}, {"a": 2}, {("a", "c"): 3}], {"a": {"c": 3}}),
        ([{(): 1}], {"": 1}),
    ],
    ids=str,
)
def test_whole_values_and_parts_of_them_in_any_order(tmp_path, steps, result):
    folder(tmp_path, started(), *(summary(step) for step in steps), ended())
    assert only(tmp_path).summary == result


def test_removing_takes_all_that_is_nested(tmp_path):
    folder(
        tmp_path, started(), summary({("a", "b"): 1, ("a", "c"): 2, "z": 1}), summary(remove=("a",)), ended()
    )
    assert only(tmp_path).summary == {"z": 1}


def test_history_is_laid_over_an_earlier_summary(tmp_path):
    """Clients up to 0.17 write the summary at the very end: a killed run has its history only."""
    folder(
        tmp_path,
        started(),
        metric("best", min=True),
        metric("val/*", max=True),
        metric("val/plain"),
        logged({"late": 5}),
        metric("late", none=True),
        summary({"loss": 9, "best": {"min": 1}}, remove=("late",)),
        logged({"late": 6}),
        logged({"loss": 3, "best": 2, "val/x": 1, "val/plain": 4, ("nest", "y"): 1}, at=START + 60),
    )
    run = only(tmp_path)
    assert run.summary == {
        "loss": 3,
        "best": {"min": 1},
        "val/plain": 4,
        "nest": {"y": 1},
        "_timestamp": START + 60,
    }
    assert (run.state, run.runtime) == ("crashed", 60)
    assert run.heartbeat == datetime.fromtimestamp(START + 60, UTC)


def test_the_last_system_metrics_count_as_a_sign_of_life(tmp_path):
    stats = Record()
    stats.stats.timestamp.seconds = START + 500
    folder(tmp_path, started(), logged({"loss": 3}, at=START + 60), stats)
    assert only(tmp_path).heartbeat == datetime.fromtimestamp(START + 500, UTC)


def test_a_second_run_record_adds_to_the_first(tmp_path):
    first = started(entity="e", display_name="old", run_group="g", sweep_id="s")
    first.run.tags.append("t")
    folder(tmp_path, first, started(display_name="new"), ended(3, runtime=7))
    run = only(tmp_path)
    assert (run.scope.project, run.name, run.group, run.sweep, run.tags) == ("e/p", "new", "g", "s", ("t",))
    assert (run.state, run.runtime) == ("failed", 7)


def test_values_that_are_not_json_or_too_deep_are_left_out(tmp_path):
    record = config({"good": 1, "bad": 2, "deep": 3, "deeper": 4})
    record.config.update[1].value_json = "{"
    record.config.update[2].value_json = "[" * 500 + "]" * 500
    record.config.update[3].value_json = "[" * 100_000
    folder(tmp_path, started(), record, ended())
    assert only(tmp_path).config == {"good": 1}


def test_a_record_that_is_no_protobuf_is_passed_over(tmp_path):
    place = folder(tmp_path)
    records = [started().SerializeToString(), b"\xff\xff\xff", ended().SerializeToString()]
    (place / "run-abc.wandb").write_bytes(framed(records))
    assert only(tmp_path).state == "finished"


# Mutants: `_make_room` without its first or second loop; globs not expanded; `_verdicts` not cleared;
# stats ignored; a second run record replaces the first.

# The files beside the log

CONFIG = """wandb_version: 1

_wandb:
  desc: null
  value:
    cli_version: {version}
    e:
      email: someone@example.org
lr:
  desc: null
  value: 1e-05
big:
  value: 1e+08
date:
  value: 2024-01-01
nested:
  value:
    1: one
    opt: [1.5, .inf, "NaN", 'yes', yes, null]
"""


def test_a_run_of_the_0_8_client_without_a_log(tmp_path):
    """Flat layout, no `files/`; the metadata's state was true then."""
    place = tmp_path / "wandb" / "run-20200330_071756-9lvrl20g"
    place.mkdir(parents=True)
    (place / "config.yaml").write_text(CONFIG.format(version="0.8.31"))
    (place / "wandb-summary.json").write_text('{"loss": NaN, "_runtime": 12.5, "_timestamp": 1585552600.5}')
    metadata = {
        "startedAt": "2020-03-30T07:17:56.224149",
        "heartbeatAt": "2020-03-30T07:40:09.164451",
        "state": "killed",
        "username": "ada",
        "email": "ada@example.org",
        "host": "box",
        "project": "bayes",
    }
    (place / "wandb-metadata.json").write_text(json.dumps(metadata))
    run = only(tmp_path, Query(users=("ada",)))
    assert (run.id, run.scope.project, run.state, run.user) == ("9lvrl20g", "bayes", "killed", "ada")
    assert run.created == datetime(2020, 3, 30, 7, 17, 56, 224149, UTC)
    assert run.heartbeat == datetime(2020, 3, 30, 7, 40, 9, 164451, UTC)
    assert (run.runtime, run.machine) == (12.5, "")
    assert run.config["nested"] == {"1": "one", "opt": [1.5, float("inf"), "NaN", "yes", True, None]}
    assert set(run.summary) == {"loss", "_runtime", "_timestamp"}
    assert "example.org" not in repr(run)
    assert listed(tmp_path, Query(users=("ng-youn",))) == []


@pytest.mark.parametrize(("version", "lr", "big"), [("0.19.8", 1e-05, 1e08), ("0.17.0", "1e-05", "1e+08")])
def test_numbers_without_a_dot_in_config_yaml(tmp_path, version, lr, big):
    """The Go client (0.18 on) writes numbers so; from PyYAML, before, it can only be a text."""
    folder(tmp_path, files={"config.yaml": CONFIG.format(version=version)})
    run = only(tmp_path)
    assert (run.config["lr"], run.config["big"], run.config["date"]) == (lr, big, "2024-01-01")
    assert set(run.config) == {"lr", "big", "date", "nested"}


@pytest.mark.parametrize("state", ["running", "odd", None, 7])
def test_a_state_of_running_in_the_metadata_is_no_end(tmp_path, state):
    folder(tmp_path, files={"wandb-metadata.json": json.dumps({"state": state, "os": "Linux"})})
    run = only(tmp_path)
    assert (run.state, run.scope.project) == ("crashed", "uncategorized")
    assert run.created == run.heartbeat == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert run.runtime is None


def test_metadata_in_snake_case_and_with_a_zone(tmp_path):
    started_at = "2024-05-01T12:00:00.123456789Z"
    folder(tmp_path, files={"wandb-metadata.json": json.dumps({"started_at": started_at})})
    assert only(tmp_path).created == datetime(2024, 5, 1, 12, 0, 0, 123456, UTC)


def test_the_files_fill_what_a_cut_log_lacks(tmp_path):
    """What the log holds stands, but for a summary file that was written later than the log's end."""
    files = {
        "config.yaml": "lr: {value: 7}\nmore: {value: 8}\n",
        "wandb-summary.json": '{"loss": 2, "acc": 1, "_timestamp": 1700000050, "_wandb": {"runtime": 50}}',
    }
    records = started(), config({"lr": 1}), logged({"loss": 3, "old": 4}, at=START + 10), ended()
    folder(tmp_path, *records, files=files, cut=3)
    run = only(tmp_path)
    assert run.config == {"lr": 1, "more": 8}
    assert run.summary == {"loss": 2, "old": 4, "acc": 1, "_timestamp": 1700000050}
    assert (run.state, run.runtime) == ("crashed", 50)
    assert run.heartbeat == datetime.fromtimestamp(START + 50, UTC)


def test_an_older_summary_file_does_not_replace_what_a_cut_log_holds(tmp_path):
    files = {"wandb-summary.json": f'{{"loss": 2, "acc": 1, "_timestamp": {START + 5}}}'}
    folder(tmp_path, started(), logged({"loss": 3}, at=START + 10), files=files)
    assert only(tmp_path).summary == {"loss": 3, "acc": 1, "_timestamp": START + 10}


def test_the_files_change_nothing_of_a_complete_log(tmp_path):
    files = {
        "config.yaml": "more: {value: 8}\n",
        "wandb-summary.json": '{"acc": 1, "_timestamp": 1900000000}',
    }
    files["wandb-metadata.json"] = '{"username": "ada", "state": "killed", "project": "other"}'
    folder(tmp_path, started(), config({"lr": 1}), ended(), files=files)
    run = only(tmp_path)
    assert (run.config, run.summary) == ({"lr": 1}, {})
    assert (run.user, run.state, run.scope.project) == ("ada", "finished", "p")


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"


@pytest.mark.parametrize(
    ("log", "files", "words"),
    [
        (None, {}, "holds neither"),
        (b"", {}, "its .wandb file is empty"),
        (framed([]), {}, "holds no run yet"),
        (POINTER.encode(), {}, "its .wandb file is a git-LFS pointer"),
        (b"nonsense", {}, "its .wandb file is not a W&B log"),
        (framed([started().SerializeToString()])[:-2], {}, "its .wandb file is cut"),
        (None, {"config.yaml": POINTER}, "config.yaml is a git-LFS pointer"),
        (
            None,
            {"config.yaml": "", "wandb-summary.json": "{"},
            "config.yaml is empty; wandb-summary.json cannot",
        ),
        (None, {"config.yaml": "- a list"}, "config.yaml cannot be read"),
        (None, {"wandb-summary.json": "{}"}, "holds neither"),
    ],
)
def test_a_folder_that_tells_nothing_is_a_skip_with_the_reason(tmp_path, log, files, words):
    place = folder(tmp_path, files=files)
    if log is not None:
        (place / "run-abc.wandb").write_bytes(log)
    left_out = skip(tmp_path)
    assert left_out.what == f"wandb/{NAME}"
    assert words in left_out.reason


def test_a_log_that_cannot_be_opened_is_a_skip(tmp_path):
    place = folder(tmp_path)
    (place / "run-abc.wandb").mkdir()
    assert "Is a directory" in skip(tmp_path).reason


def test_a_bad_folder_does_not_stop_the_others(tmp_path):
    folder(tmp_path, name="run-20240101_000000-bad")
    folder(tmp_path, started(run_id="good"), ended(), name="run-20240102_000000-good")
    first, second = listed(tmp_path)
    assert isinstance(first, Skip)
    assert isinstance(second, Run)


def test_a_yaml_bomb_and_a_value_within_itself(tmp_path):
    bomb = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 20))
    folder(tmp_path, name="run-20240101_000000-bomb", files={"config.yaml": bomb})
    folder(tmp_path, name="run-20240102_000000-loop", files={"config.yaml": "a: &a [*a]\n"})
    folder(tmp_path, name="run-20240103_000000-deep", files={"config.yaml": "a: " + "[" * 50_000})
    assert [item.reason for item in listed(tmp_path) if isinstance(item, Skip)] == [
        "config.yaml cannot be read"
    ] * 3


# Mutants: the version rule for 1e-05 dropped, or always; `is_later` always False or always True; files
# read for a complete log too; `_endless` without its bound; the state "running" believed.

# Several folders of one run


def test_parts_are_laid_over_each_other_in_the_order_of_their_starts(tmp_path):
    files = {"wandb-metadata.json": '{"username": "ada"}'}
    first = started(at=START, entity="e", display_name="first"), config({"lr": 1, "a": 1})
    folder(
        tmp_path, *first, logged({"loss": 5, "x": 1, "_runtime": 30}, at=START + 30), ended(1), files=files
    )
    second = started(at=START + 1000), config({"lr": 2, "b": 1})
    folder(
        tmp_path / "again",
        *second,
        logged({"loss": 4, "_runtime": 20}, at=START + 1020),
        ended(0),
        name="offline-run-20231114_000000-abc",  # a machine in another zone: the name sorts first
    )
    run = only(tmp_path)
    assert (run.scope.project, run.name, run.user, run.state) == ("e/p", "first", "ada", "finished")
    assert (run.config, run.runtime) == ({"lr": 2, "a": 1, "b": 1}, 50)
    assert run.summary == {"loss": 4, "x": 1, "_runtime": 20, "_timestamp": START + 1020}
    assert run.created == datetime.fromtimestamp(START, UTC)
    assert run.heartbeat == datetime.fromtimestamp(START + 1020, UTC)


def test_an_earlier_end_is_not_the_end_of_a_run_that_was_resumed(tmp_path):
    folder(tmp_path, started(), ended(1))
    folder(tmp_path, started(at=START + 9), name="run-20231115_000000-abc")
    assert only(tmp_path).state == "crashed"


def test_the_runtime_of_an_online_run_is_carried_on_by_wandb(tmp_path):
    folder(tmp_path, started(), ended(1, runtime=30))
    folder(tmp_path, started(at=START + 900), ended(0, runtime=70), name="run-20231115_000000-abc")
    assert only(tmp_path).runtime == 70


def test_the_runtimes_of_offline_parts_add_up_but_not_those_of_copies(tmp_path):
    """Offline, the client cannot know how long the run ran before."""
    names = ("offline-run-20231114_221320-abc", "offline-run-20231115_000000-abc")
    for place in (tmp_path, tmp_path / "copy"):
        folder(place, started(), ended(1, runtime=30), name=names[0])
        folder(place, started(at=START + 900), ended(0, runtime=70), name=names[1])
    assert only(tmp_path).runtime == 100


def test_a_copy_of_a_folder_counts_once(tmp_path):
    """Once as it was while the run went on, once at the end: also in a `latest-run` that is a copy."""
    folder(tmp_path / "older", started(), logged({"_runtime": 5}, at=START + 5))
    folder(tmp_path / "zolder", started(), logged({"_runtime": 6}, at=START + 6))
    folder(tmp_path, started(), logged({"_runtime": 9}, at=START + 9), ended())
    folder(tmp_path, started(), ended(), name="offline-run-20231114_221320-abc")
    folder(tmp_path / "third", started(), ended()).rename(tmp_path / "wandb" / "latest-run")
    run = only(tmp_path)
    assert (run.runtime, run.summary["_runtime"]) == (9, 9)


def test_one_id_in_two_projects_is_two_runs(tmp_path):
    folder(tmp_path, started(project="p"), ended())
    folder(tmp_path, started(project="q"), ended(), name="run-20231115_000000-abc")
    assert [item.scope.project for item in listed(tmp_path) if isinstance(item, Run)] == ["p", "q"]


def test_a_part_without_a_project_belongs_to_the_others(tmp_path):
    folder(tmp_path, started(project="p"), ended())
    folder(tmp_path, name="run-20231115_000000-abc", files={"wandb-metadata.json": '{"os": "Linux"}'})
    assert only(tmp_path).scope.project == "p"


# Mutants: parts in the order of their names; an end filled from the earlier part; runtimes always added,
# or never; copies added; `same` by id alone, or by path alone.

# Finding folders


def found(directory: Path) -> list[str]:
    return [folder.where for folder in folder_tree.find(directory)[0]]


def test_where_folders_are_looked_for(tmp_path):
    make = partial(os.makedirs, exist_ok=True)
    names = ["a/b/wandb", ".wandb", "x/.wandb", "copied"]
    hidden = [".git/wandb", "node_modules/wandb", "venv/wandb", ".cache/wandb", f"wandb/{NAME}/files/wandb"]
    for place in names + hidden:
        make(tmp_path / place / NAME.replace("abc", place.replace("/", "_")))
    (tmp_path / "venv" / "pyvenv.cfg").touch()
    make(tmp_path / "wandb" / "run-abc")
    (tmp_path / "wandb" / "latest-run").write_text(NAME)
    (tmp_path / "wandb" / "run-20240101_000000-afile").touch()
    stem = NAME.removesuffix("abc")
    assert found(tmp_path) == sorted(
        [f"{place}/{stem}{place.replace('/', '_')}" for place in names] + [f"wandb/{NAME}"]
    )


def test_links_are_followed_once(tmp_path):
    place = folder(tmp_path / "scratch", started(), ended())
    (tmp_path / "scratch" / "wandb" / "latest-run").symlink_to(place)
    (tmp_path / "scratch" / "wandb" / "up").symlink_to(tmp_path)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "wandb").symlink_to(tmp_path / "scratch" / "wandb")
    (tmp_path / "home" / "gone").symlink_to(tmp_path / "nowhere")
    (tmp_path / "home" / "self").symlink_to(tmp_path / "home" / "self")
    assert only(tmp_path / "home").id == "abc"
    assert only(tmp_path / "scratch" / "wandb" / "latest-run").id == "abc"


def test_a_missing_directory_is_an_error_with_its_path(tmp_path):
    (tmp_path / "file").touch()
    for missing in (tmp_path / "missing", tmp_path / "file"):
        with pytest.raises(NotFound, match=missing.name):
            listed(missing)
        with pytest.raises(NotFound, match=missing.name):
            newest(missing)


def test_runs_come_oldest_first_and_the_same_every_time(tmp_path):
    for day, run_id in ((3, "c"), (1, "z"), (2, "a")):
        folder(tmp_path / str(9 - day), started(run_id), ended(), name=f"run-2024010{day}_000000-{run_id}")
    ids = [item.id for item in listed(tmp_path) if isinstance(item, Run)]
    assert ids == ["z", "a", "c"]
    assert listed(tmp_path) == listed(tmp_path)


def test_a_folder_name_that_is_not_utf_8_can_be_shown(tmp_path):
    folder(tmp_path, name=os.fsdecode(b"run-20240101_000000-\xff"))
    assert skip(tmp_path).what.encode()


def test_filters_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="FILTERS"):
        listed(tmp_path, Query(filters={"state": "finished"}))


def test_a_stop_signal_ends_the_listing(tmp_path):
    folder(tmp_path, started(), ended())
    clock = Clock()
    clock.stop()
    with pytest.raises(Stopped):
        list(FolderSource(tmp_path, clock=clock).runs(str(tmp_path), Query()))


def test_newest_reads_the_newest_that_tells_its_project(tmp_path):
    assert newest(tmp_path) is None
    folder(tmp_path, started(entity="e", project="old"), name="run-20240101_000000-a")
    folder(tmp_path, started(entity="e", project="new"), name="run-20240102_000000-b")
    folder(tmp_path, started(project=""), name="run-20240103_000000-c")
    folder(tmp_path, name="run-20240104_000000-d")
    assert newest(tmp_path) == "e/new"
    assert newest(str(tmp_path / "wandb" / "run-20240101_000000-a")) == "e/old"


# Mutants: `visited` dropped; links not followed; `.wandb` passed over; run folders descended into.

# Any bytes


def survives(write: Callable[[Path], None]) -> None:
    """Whatever `write` puts into a run folder, the listing gives a run or a skip."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory) / "wandb" / NAME
        (place / "files").mkdir(parents=True)
        write(place)
        (item,) = listed(Path(directory))
        assert isinstance(item, Run | Skip)


@pytest.fixture(scope="module")
def real_log(offline_directory) -> bytes:
    (path,) = offline_directory.rglob("run-fin00001.wandb")
    return path.read_bytes()


@given(data=st.data())
@settings(max_examples=80, deadline=None)
def test_no_change_of_a_real_log_makes_it_raise(real_log, data):
    """Once with the checksums as they are, once put right, so that the changes reach the parsers."""
    size = data.draw(st.integers(0, len(real_log)))
    log = bytearray(real_log[:size])
    survives(lambda place: (place / "run-abc.wandb").write_bytes(log) and None)
    records = list(Log(io.BytesIO(real_log)))
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(records) - 1))
        record = bytearray(records[at])
        if record:
            record[data.draw(st.integers(0, len(record) - 1))] = data.draw(st.integers(0, 255))
        records[at] = bytes(record)
    survives(lambda place: (place / "run-abc.wandb").write_bytes(framed(records)) and None)


FILES = {
    "config.yaml": CONFIG.format(version="0.19.0").encode(),
    "wandb-summary.json": b'{"a": [1, {"b": NaN}], "_timestamp": 1700000000.5, "_wandb": {"runtime": 3}}',
    "wandb-metadata.json": b'{"startedAt": "2024-05-01T12:00:00Z", "heartbeatAt": 5, "state": "x"}',
}
ODD = [
    b"!!int ''",
    b"!!timestamp x",
    b"!!bool x",
    b"!!float ''",
    b"&a",
    b"*a",
    b"{[",
    b"1e999",
    b"\xff",
    b"\x00",
]


@given(name=st.sampled_from(sorted(FILES)), data=st.data())
@settings(max_examples=150, deadline=None)
def test_no_change_of_the_other_files_makes_it_raise(name, data):
    content = bytearray(FILES[name])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content)))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(
            st.one_of(st.sampled_from(ODD), st.binary(max_size=3))
        )
    survives(lambda place: (place / "files" / name).write_bytes(content) and None)


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_odd_yaml(odd):
    survives(
        lambda place: (place / "files" / "config.yaml").write_bytes(b"a: {value: " + odd + b"}") and None
    )
    survives(lambda place: (place / "files" / "config.yaml").write_bytes(b"a: " + odd) and None)


@pytest.mark.parametrize("key", ["startedAt", "heartbeatAt"])
@pytest.mark.parametrize(
    "value", ["", "x", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", 10**400, None]
)
def test_odd_times(tmp_path, key, value):
    folder(tmp_path, files={"wandb-metadata.json": json.dumps({key: value})})
    assert only(tmp_path).created == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1, 10**400, 1e300, True, "5", [5]])
def test_odd_times_in_the_log(tmp_path, value):
    folder(tmp_path, started(), logged({"_timestamp": value, "_runtime": value}), name=NAME)
    run = only(tmp_path)
    assert (run.heartbeat, run.runtime) == (datetime.fromtimestamp(START, UTC), None)


# Number of GPUs, and whose clock


DEVICES = [{"name": "NVIDIA A100"}] * 3


@pytest.mark.parametrize(
    ("metadata", "gpus"),
    [
        ({"gpu": "NVIDIA A100", "gpu_count": 4}, 4),
        ({"gpu_count": 4, "gpu_nvidia": DEVICES}, 4),
        ({"gpu_nvidia": DEVICES}, 3),
        ({"gpu_devices": DEVICES}, 3),
        ({"gpu_amd": DEVICES}, 3),
        ({"gpu_count": 8, "slurm": {"job_num_nodes": "2", "nnodes": "16"}}, 16),
        ({"gpu_nvidia": DEVICES, "slurm": {"nnodes": 4}}, 12),
        ({"gpu_count": 8, "slurm": {"job_num_nodes": "2(x3)"}}, 8),
        ({"gpu_count": 8, "slurm": {"job_num_nodes": "0"}}, 8),
        ({"gpu_count": 8, "slurm": ["2"]}, 8),
        ({"gpuapple": {"type": "arm"}, "cpu_count": 8}, None),
        ({"gpu_count": 0, "slurm": {"nnodes": "2"}}, None),
        ({"gpu_count": True}, None),
        ({"gpu_count": "4"}, None),
        ({"gpu_count": -1, "gpu_nvidia": {}}, None),
    ],
    ids=str,
)
def test_gpus_by_the_metadata(tmp_path, metadata, gpus):
    folder(tmp_path, started(), files={"wandb-metadata.json": json.dumps(metadata)}, name=NAME)
    assert only(tmp_path, Query(gpus=True)).gpus == gpus
    assert only(tmp_path).gpus is None


def environment(count: int = 0, devices: int = 0, **slurm: str) -> Record:
    record = Record()
    record.environment.gpu_count = count
    for _ in range(devices):
        record.environment.gpu_nvidia.add().name = "NVIDIA A100"
    record.environment.slurm.update(slurm)
    return record


@pytest.mark.parametrize(
    ("record", "gpus"),
    [
        (environment(4), 4),
        (environment(devices=3), 3),
        (environment(8, 8, job_num_nodes="2"), 16),
        (environment(job_num_nodes="2"), None),
    ],
    ids=str,
)
def test_gpus_by_the_log(tmp_path, record, gpus):
    """Also where the metadata is gone."""
    folder(tmp_path, started(), record, name=NAME)
    assert only(tmp_path, Query(gpus=True)).gpus == gpus


def test_a_run_resumed_on_another_machine_has_the_gpus_of_the_last(tmp_path):
    folder(tmp_path, started(), environment(1), name=NAME)
    folder(tmp_path, started(at=START + 60), environment(8), name="run-20231114_221420-abc")
    folder(tmp_path, started(at=START + 120), name="run-20231114_221520-abc")
    assert only(tmp_path, Query(gpus=True)).gpus == 8


def test_a_runtime_is_by_the_clock_of_the_run_or_else_derived(tmp_path):
    exit_record = Record()
    exit_record.exit.runtime = 30
    folder(tmp_path, started("a"), exit_record, name="run-20231114_221320-a")
    folder(tmp_path, started("b"), logged({"_runtime": 40}, START + 90), name="run-20231114_221320-b")
    folder(tmp_path, started("c"), logged({"x": 1}, START + 50), name="run-20231114_221320-c")
    folder(tmp_path, started("d"), name="run-20231114_221320-d")
    found = {run.id: (run.runtime, run.timed) for run in by_id(tmp_path).values()}
    assert found == {"a": (30.0, True), "b": (40.0, True), "c": (50.0, False), "d": (None, False)}
