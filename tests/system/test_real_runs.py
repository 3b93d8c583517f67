"""112 real run folders, written by clients 0.8 to 0.27, read and compared with an independent reading.

The folders lie beside the project and are no part of it: without them these tests are skipped. The
oracle below shares no code with the product: a framing reader of its own for the exit code and the
project, PyYAML and json for the values. Nothing personal is shown: failures name folders and keys.

Known differences, all of them listed here:
- config.yaml drops empty mappings, the log keeps them;
- config.yaml has 1 for 1.0 (equal as numbers, and compared so);
- PyYAML takes 1e-05 and 1e+08 for texts, which clients from 0.18 write for numbers;
- NEWER: the log was cut and wandb-summary.json has no time stamp to tell that it is newer.
"""

import json
import re
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from wandb.proto.wandb_internal_pb2 import Record

from runsheet.clock import Clock
from runsheet.model import Run, Skip
from runsheet.sources.base import Query
from runsheet.sources.wandb_folders import FolderSource

RUNS = Path(__file__).parents[3] / "shared" / "real-runs"
pytestmark = pytest.mark.skipif(not RUNS.is_dir(), reason="the real run folders are not here")

NEWER = {"syihqcg7": {"_runtime"}}
CUT = re.compile("cut in a payload|cut inside a multi-part record|is empty|holds no run yet")
EXPONENT = re.compile(r"\d+(\.\d+)?e[-+]\d+")


class Told(NamedTuple):
    """What the oracle reads from one folder; None where a file is missing."""

    entry: dict[str, Any]
    config: dict[str, Any] | None
    summary: dict[str, Any] | None
    records: list[Record]


@pytest.fixture(scope="module")
def listing() -> list[Run | Skip]:
    return list(FolderSource(RUNS, clock=Clock()).runs(str(RUNS), Query()))


@pytest.fixture(scope="module")
def runs(listing) -> dict[str, Run]:
    return {item.id: item for item in listing if isinstance(item, Run)}


@pytest.fixture(scope="module")
def told() -> dict[str, Told]:
    entries = json.loads((RUNS / "manifest.json").read_text())["runs"]
    return {entry["run_id"]: oracle(entry) for entry in entries}


def oracle(entry: dict[str, Any]) -> Told:
    place = RUNS / entry["group"] / entry["folder"]
    files = place / "files" if entry["layout"] != "flat" else place
    config, summary = files / "config.yaml", files / "wandb-summary.json"
    pinned = {
        key: entry[key] for key in ("group", "folder", "wandb_version", "exit_code", "state_guess", "layout")
    }
    return Told(
        pinned | {"status": entry["wandb_file_status"]},
        yaml.safe_load(config.read_text()) if config.exists() else None,
        json.loads(summary.read_text()) if summary.exists() else None,
        [record for log in place.glob("*.wandb") for record in records(log.read_bytes())],
    )


def records(data: bytes) -> Iterator[Record]:
    """As far as the lengths go; checksums are not looked at."""
    at, parts = 7, b""
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        _, length, kind = struct.unpack_from("<IHB", data, at)
        if at + 7 + length > len(data):
            return
        parts += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):
            yield Record.FromString(parts)
            parts = b""


def plain(value: Any, numbers: bool = False) -> Any:
    """A comparable form: no empty mappings, NaN equal to itself, texts as keys, true and 1 apart."""
    if isinstance(value, dict):
        inner = {str(key): plain(each, numbers) for key, each in value.items()}
        return {key: each for key, each in inner.items() if each != {}}
    if isinstance(value, list):
        return [plain(each, numbers) for each in value]
    if numbers and isinstance(value, str) and EXPONENT.fullmatch(value):
        return plain(float(value))
    if isinstance(value, bool) or value is None:
        return repr(value)
    return "nan" if value != value else value


def differences(ours: Any, theirs: Any) -> set[str]:
    return {key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)}


def test_every_folder_is_one_run_or_one_skip(listing, told):
    assert len(told) == 112
    assert Counter(type(item).__name__ for item in listing) == {"Run": 112}
    assert {item.id for item in listing if isinstance(item, Run)} == told.keys()


def test_folders_read_up_to_a_cut_are_named(told, caplog):
    with caplog.at_level("INFO", logger="runsheet"):
        assert len(list(FolderSource(RUNS, clock=Clock()).runs(str(RUNS), Query()))) == 112
    noted = {record.args[0].rpartition("/")[2]: record.args[1] for record in caplog.records}
    cut = {each.entry["folder"] for each in told.values() if each.entry["status"] not in (None, "full")}
    assert len(cut) == 6
    assert cut <= noted.keys()
    assert all(CUT.search(reason) for reason in noted.values())
    assert noted.keys() - cut == {"run-20260117_222159-5x0rlbmt"}  # a header and nothing else


def test_config_equals_config_yaml(runs, told):
    compared, wrong = 0, {}
    for run_id, each in told.items():
        if each.config is None:
            continue
        modern = tuple(map(int, (each.entry["wandb_version"] or "0.0").split(".")[:2])) >= (0, 18)
        theirs = {key: entry["value"] for key, entry in each.config.items() if isinstance(entry, dict)}
        theirs.pop("_wandb", None)
        compared += 1
        wrong[run_id] = differences(plain(runs[run_id].config), plain(theirs, modern))
    assert compared == 102
    assert {run_id: keys for run_id, keys in wrong.items() if keys} == {}


def test_summary_equals_the_summary_file(runs, told):
    compared, wrong = 0, {}
    for run_id, each in told.items():
        if each.summary is None:
            continue
        theirs = {key: value for key, value in each.summary.items() if key != "_wandb"}
        compared += 1
        wrong[run_id] = differences(plain(runs[run_id].summary), plain(theirs))
    assert compared == 103
    assert {run_id: keys for run_id, keys in wrong.items() if keys} == NEWER


def test_without_config_yaml_the_log_gives_the_config(runs, told):
    """Offline runs have nothing else. The oracle: keys of all config updates but `_wandb`."""
    for run_id, each in told.items():
        keys = {
            item.key or item.nested_key[0]
            for record in each.records
            for item in (*record.run.config.update, *record.config.update)
        }
        if each.config is None:
            assert set(runs[run_id].config) == keys - {"_wandb"}, each.entry["folder"]


def test_states(runs, told):
    """The exit record's code; without one "crashed", since all are old; the 0.8 client's metadata tell."""
    for run_id, each in told.items():
        codes = [record.exit.exit_code for record in each.records if record.HasField("exit")]
        expected = ("failed" if codes[-1] else "finished") if codes else "crashed"
        if each.entry["layout"] == "flat":
            expected = each.entry["state_guess"]
        assert runs[run_id].state == expected, each.entry["folder"]
        if each.records:
            assert (codes[-1] if codes else None) == each.entry["exit_code"], each.entry["folder"]


def test_projects_and_times(runs, told):
    for run_id, each in told.items():
        run, starts = runs[run_id], [record.run for record in each.records if record.HasField("run")]
        if starts:
            parts = [part for part in (starts[-1].entity, starts[-1].project or "uncategorized") if part]
            assert run.scope.project == "/".join(parts), each.entry["folder"]
            assert run.created is not None
            assert int(run.created.timestamp()) == starts[-1].start_time.seconds, each.entry["folder"]
        stamps = [record.stats.timestamp.seconds for record in each.records if record.HasField("stats")]
        assert run.heartbeat is not None
        assert run.created is not None
        assert run.heartbeat >= run.created, each.entry["folder"]
        assert int(run.heartbeat.timestamp()) >= max(stamps, default=0), each.entry["folder"]


def test_nothing_personal_comes_out(listing):
    """No e-mail and no host; `_wandb`, which holds both from client 0.21 on, is left out."""
    for item in listing:
        assert isinstance(item, Run)
        assert not item.machine
        assert "@" not in (item.user or "")
        assert not {"_wandb", "wandb_version"} & {*item.config, *item.summary}


def test_the_number_of_gpus_is_that_of_the_metadata() -> None:
    """On all folders that tell one, by clients that wrote it as a number, a list, or both."""
    counts = {}
    for path in RUNS.rglob("wandb-metadata.json"):
        place = path.parent.parent if path.parent.name == "files" else path.parent
        told = json.loads(path.read_text())
        if number := told.get("gpu_count", len(told.get("gpu_nvidia", told.get("gpu_devices", [])))):
            counts[place.name.rpartition("-")[2]] = number
    asked = FolderSource(RUNS, clock=Clock()).runs(str(RUNS), Query(gpus=True))
    found = {item.id: item.gpus for item in asked if isinstance(item, Run) and item.gpus is not None}
    assert len(counts) > 60
    assert found == counts
