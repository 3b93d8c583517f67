"""The sources in memory have the rows that they were given."""

import pytest

from runsheet.model import Run, Sample, Scope
from runsheet.sources.base import Recorded, Stream
from runsheet.sources.memory import MemorySource, WatchedMemorySource
from tests.contract.recorded_contract import RecordedContract

RUN = Run(Scope("memory", "", "a"), "r0")
HISTORY = [Sample(1.7e9, {"loss": 1.0, "step": 0}), Sample(None, {"loss": float("nan")})]
SYSTEM = [Sample(1.7e9, {"system.gpu.0.gpu": 50.0})]


class TestMemoryRecorded(RecordedContract):
    @pytest.fixture(params=[MemorySource, WatchedMemorySource])
    def source(self, request: pytest.FixtureRequest) -> Recorded:
        return request.param({"a": [RUN]}, history={"r0": HISTORY}, system={"r0": SYSTEM})  # type: ignore[no-any-return]

    @pytest.fixture
    def run(self) -> Run:
        return RUN

    @pytest.fixture
    def history(self) -> set[str]:
        return {"loss", "step"}

    @pytest.fixture
    def system(self) -> set[str]:
        return {"system.gpu.0.gpu"}


def test_a_run_without_rows_is_there() -> None:
    assert MemorySource({"a": [RUN]}).rows(RUN, Stream.HISTORY).samples == ()
