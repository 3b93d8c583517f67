"""The rows in the logs of a run: which logs are its, what keys are called, and which values are decoded.

Mutants that were tried, each seen to fail: a copy read besides; of two copies the shorter one; the parts in
the order of their names; all values decoded; a mapping left whole; a media value taken apart; the time of a
history row left out; rows of both streams; a log that is gone passed over.
"""

import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from wandb.proto.wandb_internal_pb2 import Record

from runsheet.clock import STEP, Clock
from runsheet.errors import NotFound, ServiceError, Stopped
from runsheet.model import Run, Sample, Scope
from runsheet.sources.base import Logged, Query, Stream
from runsheet.sources.wandb_folders import FolderSource, folder_tree, run_facts
from tests.support.offline_runs import framed
from tests.unit.test_wandb_folders import NAME, START, folder, logged, started

HISTOGRAM = {"_type": "histogram", "values": [1, 2], "bins": [0, 1, 2]}


def run(project: str = "p", ident: str = "abc") -> Run:
    return Run(Scope("folders", "", project), ident)


def source(directory: Path, clock: Clock | None = None) -> FolderSource:
    return FolderSource(directory, clock=clock or Clock())


def values(directory: Path, stream: Stream = Stream.HISTORY, project: str = "p") -> list[Mapping[str, Any]]:
    """The values of all rows, without the times."""
    found = source(directory).rows(run(project), stream, lambda key: key != "_timestamp")
    return [sample.values for sample in found.samples]


def measured(at: float, items: Mapping[str, Any]) -> Record:
    record = Record()
    record.stats.timestamp.seconds, record.stats.timestamp.nanos = int(at), int(at % 1 * 1e9)
    for key, value in items.items():
        item = record.stats.item.add()
        item.key, item.value_json = key, str(value)
    return record


def test_history(tmp_path: Path) -> None:
    """The time is that in the row; what is not set in a row is not there."""
    first, second = logged({"loss": 2.0, "lr": 1}, START + 1.5), logged({"loss": 1.0})
    folder(tmp_path, started(), first, second)
    assert source(tmp_path).rows(run(), Stream.HISTORY).samples == (
        Sample(START + 1.5, {"loss": 2.0, "lr": 1, "_timestamp": START + 1.5}),
        Sample(None, {"loss": 1.0}),
    )
    assert source(tmp_path).logged(run()) == Logged({"loss": 2, "lr": 1, "_timestamp": 1}, {})


def test_what_was_measured(tmp_path: Path) -> None:
    """By W&B's names, and by time: the client's threads overtake each other."""
    gpus = {f"gpu.{index}.{what}": 1.5 for index in range(9) for what in ("gpu", "powerWatts")}
    late, early = measured(START + 0.5, gpus), measured(START + 0.25, {"cpu/l:node1": 7})
    folder(tmp_path, started(), late, logged({"loss": 1}), early)
    assert source(tmp_path).rows(run(), Stream.SYSTEM).samples == (
        Sample(START + 0.25, {"system.cpu/l:node1": 7}),
        Sample(START + 0.5, {f"system.{key}": 1.5 for key in gpus}),
    )
    assert source(tmp_path).logged(run()).system["system.gpu.8.powerWatts"] == 1


def test_what_was_measured_may_be_a_mapping(tmp_path: Path) -> None:
    """As clients up to 0.12 wrote what went over the network."""
    folder(tmp_path, started(), measured(START, {"network": '{"sent": 1, "recv": 2}'}))
    assert values(tmp_path, Stream.SYSTEM) == [{"system.network.sent": 1, "system.network.recv": 2}]


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ({("loss",): 1, ("a.b",): 2}, {"loss": 1, "a.b": 2}),
        ({("nest", "deep", "er"): 3}, {"nest.deep.er": 3}),
        ({"nest": {"deep": {"er": 3}, "on": True}}, {"nest.deep.er": 3, "nest.on": True}),
        ({"list": [{"a": 1}]}, {"list": [{"a": 1}]}),
        ({"empty": {}, "nest": {"empty": {}}}, {"empty": {}, "nest.empty": {}}),
        ({"hist": HISTOGRAM}, {"hist": HISTOGRAM}),
        ({("hist", key): value for key, value in HISTOGRAM.items()}, {"hist": HISTOGRAM}),
        ({"eval": {"hist": HISTOGRAM, "acc": 1}}, {"eval.hist": HISTOGRAM, "eval.acc": 1}),
        (
            {("eval", "hist", key): value for key, value in HISTOGRAM.items()} | {("eval", "acc"): 1},
            {"eval.hist": HISTOGRAM, "eval.acc": 1},
        ),
        (
            {("img", "_type"): "image-file", ("img", "size"): 9, ("img", "boxes", "_type"): "json-file"},
            {"img": {"_type": "image-file", "size": 9, "boxes": {"_type": "json-file"}}},
        ),
        ({"img": {"_type": "image-file", "boxes": {}}}, {"img": {"_type": "image-file", "boxes": {}}}),
        ({"_type": "a key of one's own"}, {"_type": "a key of one's own"}),
        ({"none": None, "text": "NaN", "inf": math.inf}, {"none": None, "text": "NaN", "inf": math.inf}),
    ],
    ids=str,
)
def test_keys_are_named_as_by_the_server(
    tmp_path: Path, items: dict[Any, Any], expected: dict[str, Any]
) -> None:
    """However the client wrote them; and what is counted is what comes."""
    folder(tmp_path, started(), logged(items))
    assert values(tmp_path) == [expected]
    assert source(tmp_path).logged(run()) == Logged(dict.fromkeys(expected, 1), {})


def test_not_a_number_is_one(tmp_path: Path) -> None:
    folder(tmp_path, started(), logged({"loss": math.nan}))
    ((value,),) = [[*row.values()] for row in values(tmp_path)]
    assert math.isnan(value)


def test_what_is_no_json_is_left_out(tmp_path: Path) -> None:
    record = logged({"loss": 1, "odd": 2, "nest": 3}, START)
    record.history.item[1].value_json = "2 apples"
    record.history.item[2].value_json = "{"
    record.history.item[3].value_json = "noon"
    folder(tmp_path, started(), record)
    assert source(tmp_path).rows(run(), Stream.HISTORY).samples == (Sample(None, {"loss": 1}),)


def test_only_what_is_wanted_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = [logged({f"m{number}": number for number in range(30)}, START + step) for step in range(5)]
    folder(tmp_path, started(), *steps)
    monkeypatch.setattr(FolderSource, "_logs", lambda self, _run: tuple(tmp_path.rglob("*.wandb")))
    decoded: list[str | bytes] = []
    parse = run_facts.parse
    monkeypatch.setattr(run_facts, "parse", lambda text: decoded.append(text) or parse(text))
    rows = source(tmp_path).rows(run(), Stream.HISTORY, "m7".__eq__)
    assert [sample.values for sample in rows.samples] == [{"m7": 7}] * 5
    assert decoded.count("7") == 5
    assert len(decoded) == 10  # and the times
    source(tmp_path).logged(run())
    assert len(decoded) == 10


class TestParts:
    """The folders of one run."""

    def test_a_resumed_run_comes_part_by_part(self, tmp_path: Path) -> None:
        """By their starts, whatever the names of the folders say: those are local times."""
        later, earlier = "run-20231114_090000-abc", "run-20231114_220000-abc"
        folder(tmp_path, started(at=START + 100), logged({"x": 2}), logged({"x": 3}), name=later)
        folder(tmp_path, started(at=START), logged({"x": 1}), name=earlier)
        assert values(tmp_path) == [{"x": 1}, {"x": 2}, {"x": 3}]
        assert source(tmp_path).logged(run()).history == {"x": 3}

    def test_a_copy_doubles_nothing(self, tmp_path: Path) -> None:
        place = folder(tmp_path, started(), logged({"x": 1}), measured(START, {"cpu": 1}))
        shutil.copytree(place, tmp_path / "backup" / NAME)
        assert values(tmp_path) == [{"x": 1}]
        assert source(tmp_path).logged(run()) == Logged({"x": 1}, {"system.cpu": 1})

    @pytest.mark.parametrize("places", [("a", "b"), ("b", "a")])
    def test_a_copy_made_on_the_way_is_the_shorter_one(self, tmp_path: Path, places: tuple[str, str]) -> None:
        short, long = (tmp_path / place for place in places)
        folder(short, started(), logged({"x": 1}, START + 1))
        folder(long, started(), logged({"x": 1}, START + 1), logged({"x": 2}, START + 2))
        assert values(tmp_path) == [{"x": 1}, {"x": 2}]

    def test_one_id_in_two_projects(self, tmp_path: Path) -> None:
        folder(tmp_path / "a", started(project="p"), logged({"x": 1}))
        folder(tmp_path / "b", started(project="q"), logged({"y": 1}))
        assert values(tmp_path) == [{"x": 1}]
        assert values(tmp_path, project="q") == [{"y": 1}]
        with pytest.raises(NotFound, match="abc of r"):
            source(tmp_path).logged(run("r"))

    def test_a_part_that_does_not_know_its_entity(self, tmp_path: Path) -> None:
        """It belongs to the other, as in the listing."""
        folder(tmp_path / "a", started(entity="team"), logged({"x": 1}))
        folder(tmp_path / "b", started(at=START + 9), logged({"x": 2}))
        assert values(tmp_path, project="team/p") == [{"x": 1}, {"x": 2}]

    def test_runs_beside_it_are_not_read(self, tmp_path: Path) -> None:
        folder(tmp_path, started(), logged({"x": 1}))
        folder(tmp_path, started("xyz"), logged({"y": 1}), name="run-20231114_221320-xyz")
        assert values(tmp_path) == [{"x": 1}]


class TestFailures:
    def test_a_log_that_was_cut_is_read_as_far_as_it_goes(self, tmp_path: Path) -> None:
        folder(tmp_path, started(), logged({"x": 1}), logged({"x": 2}), cut=3)
        assert values(tmp_path) == [{"x": 1}]

    def test_a_record_that_cannot_be_parsed_is_passed_over(self, tmp_path: Path) -> None:
        place = folder(tmp_path, started(), logged({"x": 1}))
        records = [started().SerializeToString(), b"\xff\xff", logged({"x": 1}).SerializeToString()]
        (place / "run-abc.wandb").write_bytes(framed(records))
        assert values(tmp_path) == [{"x": 1}]

    def test_a_folder_without_a_log_has_no_rows(self, tmp_path: Path) -> None:
        folder(tmp_path, files={"wandb-summary.json": '{"x": 1}', "wandb-metadata.json": '{"project": "p"}'})
        assert values(tmp_path) == []
        assert source(tmp_path).logged(run()) == Logged()

    def test_a_run_that_is_not_there(self, tmp_path: Path) -> None:
        folder(tmp_path, started(), logged({"x": 1}))
        with pytest.raises(NotFound, match="no run gone of p"):
            source(tmp_path).rows(run(ident="gone"), Stream.HISTORY)
        with pytest.raises(NotFound):
            source(tmp_path / "elsewhere").logged(run())

    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            (FileNotFoundError(2, "No such file"), NotFound),
            (PermissionError(13, "Permission denied"), ServiceError),
            (OSError(5, "Input/output error"), ServiceError),
        ],
        ids=lambda item: getattr(item, "__name__", ""),
    )
    def test_a_log_that_cannot_be_read(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, kind: type[Exception]
    ) -> None:
        """Though the folder tells of the run. One that must not be read says nothing of the source."""
        folder(tmp_path, started(), files={"wandb-metadata.json": '{"project": "p"}'})
        opened = Path.open

        def failing(path: Path, *args: Any, **more: Any) -> Any:
            if path.suffix == ".wandb":
                raise error
            return opened(path, *args, **more)

        monkeypatch.setattr(Path, "open", failing)
        for ask in (source(tmp_path).logged, lambda one: source(tmp_path).rows(one, Stream.SYSTEM)):
            with pytest.raises(kind, match=r"run-abc\.wandb") as caught:
                ask(run())
            assert type(caught.value) is kind

    def test_a_stop_signal(self, tmp_path: Path) -> None:
        folder(tmp_path, started(), logged({"x": 1}))
        clock = Clock()
        asked = source(tmp_path, clock)
        assert asked.logged(run()).history
        clock.stop()
        with pytest.raises(Stopped):
            asked.logged(run())

    def test_a_stop_signal_in_a_long_log(self, tmp_path: Path) -> None:
        """It takes seconds to read."""
        folder(tmp_path, started(), *(logged({"x": number}) for number in range(3 * STEP)))
        clock, met = Clock(), list[str]()

        def wanted(key: str) -> bool:
            met.append(key)
            clock.stop()
            return True

        with pytest.raises(Stopped):
            source(tmp_path, clock).rows(run(), Stream.HISTORY, wanted)
        assert 0 < len(met) <= STEP


class TestWalks:
    """The tree is not gone through for each run."""

    @pytest.fixture
    def walks(self, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
        walked: list[Path] = []
        find = folder_tree.find
        monkeypatch.setattr(folder_tree, "find", lambda place: (walked.append(place), find(place))[1])
        return walked

    def test_what_was_listed_is_known(self, tmp_path: Path, walks: list[Path]) -> None:
        for number in range(3):
            folder(tmp_path, started(f"id{number}"), logged({"x": number}), name=f"{NAME[:-3]}id{number}")
        found = source(tmp_path)
        runs = [item for item in found.runs(str(tmp_path), Query()) if isinstance(item, Run)]
        rows = [row.values for one in runs for row in found.rows(one, Stream.HISTORY).samples]
        assert rows == [{"x": 0}, {"x": 1}, {"x": 2}]
        assert len(walks) == 1

    def test_a_run_that_was_not_listed_is_looked_for(self, tmp_path: Path, walks: list[Path]) -> None:
        """It came after the listing."""
        folder(tmp_path, started(), logged({"x": 1}))
        found = source(tmp_path)
        _ = [*found.runs(str(tmp_path), Query())]
        folder(tmp_path, started("later", "q"), logged({"x": 2}), name=f"{NAME[:-3]}later")
        assert found.rows(run("q", "later"), Stream.HISTORY).samples[0].values == {"x": 2}
        assert len(walks) == 2
