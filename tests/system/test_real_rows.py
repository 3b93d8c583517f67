"""91 real logs, written by clients 0.10 to 0.27: what runs logged, compared with an independent reading.

The oracle below decodes everything into nested values and flattens those; the framing is read as in
test_real_runs.py, where it is said where the logs come from. Failures name run ids and keys only.
"""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from wandb.proto.wandb_internal_pb2 import Record

from runsheet.clock import Clock
from runsheet.model import Run, Sample
from runsheet.sources.base import Query, Stream
from runsheet.sources.wandb_folders import FolderSource
from tests.system.test_real_runs import RUNS, records

pytestmark = pytest.mark.skipif(not RUNS.is_dir(), reason="the real run folders are not here")


class Told(NamedTuple):
    """A row as the oracle has it: a time and all values by key."""

    time: float
    values: dict[str, Any]


@pytest.fixture(scope="module")
def source() -> FolderSource:
    return FolderSource(RUNS, clock=Clock())


@pytest.fixture(scope="module")
def runs(source: FolderSource) -> list[Run]:
    return [item for item in source.runs(str(RUNS), Query()) if isinstance(item, Run)]


@pytest.fixture(scope="module")
def told() -> dict[str, dict[Stream, list[Told]]]:
    """The rows of each run that has a log."""
    return {
        path.stem.removeprefix("run-"): rows([*records(path.read_bytes())])
        for path in sorted(RUNS.rglob("*.wandb"))
    }


def rows(found: list[Record]) -> dict[Stream, list[Told]]:
    history = [flat(record.history.item) for record in found if record.HasField("history")]
    system = [
        Told(
            record.stats.timestamp.ToNanoseconds() / 1e9,
            {f"system.{key}": value for key, value in flat(record.stats.item).items()},
        )
        for record in found
        if record.HasField("stats")
    ]
    return {
        Stream.HISTORY: [Told(values["_timestamp"], values) for values in history if values],
        Stream.SYSTEM: sorted((row for row in system if row.values), key=lambda row: row.time),
    }


def flat(items: Any) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for item in items:
        *way, last = getattr(item, "nested_key", ()) or (item.key,)
        inner = tree
        for step in way:
            inner = inner.setdefault(step, {})
        inner[last] = json.loads(item.value_json)
    return dict(leaves("", tree))


def leaves(prefix: str, tree: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict) and value and "_type" not in value:
            yield from leaves(f"{prefix}{key}.", value)
        else:
            yield f"{prefix}{key}", value


def counted(samples: list[Told] | tuple[Sample, ...]) -> Counter[str]:
    return Counter(key for row in samples for key in row.values)


def comparable(values: Any) -> str:
    return json.dumps(values, sort_keys=True)


def test_there_is_something_to_compare(runs: list[Run], told: dict[str, dict[Stream, list[Told]]]) -> None:
    assert len(told) == 91
    assert told.keys() <= {run.id for run in runs}
    system = [{key for row in each[Stream.SYSTEM] for key in row.values} for each in told.values()]
    assert sum("system.gpu.0.gpu" in keys for keys in system) == 50
    assert sum("system.gpu.3.gpu" in keys for keys in system) == 7
    assert sum("system.gpu.0.memoryAllocatedBytes" in keys for keys in system) < 50
    assert sum(bool(each[Stream.HISTORY]) for each in told.values()) == 36


@pytest.mark.parametrize("stream", [*Stream], ids=str)
def test_rows_are_those_in_the_log(
    source: FolderSource, runs: list[Run], told: dict[str, dict[Stream, list[Told]]], stream: Stream
) -> None:
    """Keys, their number, values and times: as far as it goes for the logs that were cut."""
    for run in runs:
        expected = told.get(run.id, {}).get(stream, [])
        found = source.rows(run, stream).samples
        assert counted(found) == counted(expected), run.id
        assert [row.time for row in found] == pytest.approx([row.time for row in expected], abs=1e-6), run.id
        ours, theirs = ([comparable(row.values) for row in each] for each in (found, expected))
        assert Counter(ours) == Counter(theirs), run.id


def test_keys_are_those_in_the_log(
    source: FolderSource, runs: list[Run], told: dict[str, dict[Stream, list[Told]]]
) -> None:
    for run in runs:
        logged, expected = source.logged(run), told.get(run.id, {})
        assert logged.history == counted(expected.get(Stream.HISTORY, [])), run.id
        assert logged.system == counted(expected.get(Stream.SYSTEM, [])), run.id


def test_the_gpus_of_a_machine_come_in_one_row(source: FolderSource, runs: list[Run]) -> None:
    """Or nobody could add them up."""
    keys = {f"system.gpu.{number}.gpu" for number in range(4)}
    widths = [
        {len(row.values) for row in source.rows(run, Stream.SYSTEM, keys.__contains__).samples}
        for run in runs
    ]
    assert widths.count({4}) == 7
    assert all(len(width) < 2 for width in widths)
