"""Which runs a comparison takes, and how their rows are read.

Mutants: see tests/mutant_list/comparing.py.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest

from runsheet.comparing import Meant, comparison
from runsheet.errors import AccessError, ConfigError, NotFound, RunsheetError, ServiceError, Unreachable
from runsheet.model import Run, Sample, Skip
from runsheet.reports.compare import Comparison, Gpu
from runsheet.reports.usage import Settings
from runsheet.sources.base import Query, Rows, Source, Stream, Which
from runsheet.sources.memory import MemorySource
from tests.support.builders import NOW, PROJECT, run

NOTHING = Which()


def compared(
    source: Source, *called: str, which: Which = NOTHING, limit: int = 50, **more: Any
) -> Comparison:
    meant = Meant(called, which, limit)
    return comparison(source, source.projects(), meant, more.pop("metrics", ()), Settings(), NOW)


def source(*runs: Run, **more: Any) -> MemorySource:
    return MemorySource({PROJECT: runs}, **more)


def ids(found: Comparison) -> list[str]:
    return [side.run.id for side in found.sides]


def later(number: int, days: float, **more: Any) -> Run:
    return run(number, created=NOW + timedelta(days=days), **more)


class TestWhich:
    def test_in_the_order_in_which_they_are_named(self) -> None:
        made = source(run(1), run(2), run(3))
        assert ids(compared(made, "name of 3", "run0001")) == ["run0003", "run0001"]

    def test_the_newest_of_a_name(self) -> None:
        made = source(later(1, 0, name="a"), later(2, 2, name="a"), later(3, 1, name="b"))
        found = compared(made, "b", "a")
        assert ids(found) == ["run0003", "run0002"]
        assert found.notes == ("a: 2 runs have this name: the newest is shown",)

    def test_a_run_counts_once(self) -> None:
        made = source(run(1), run(2), run(3, group="g"), run(4, group="g"))
        found = compared(made, "run0001", "name of 1", "run0004", which=Which(group="g"))
        assert ids(found) == ["run0001", "run0004", "run0003"]
        assert found.notes == ("name of 1: the run run0001 is meant twice and counts once",)

    def test_the_same_id_in_two_projects_is_two_runs(self) -> None:
        made = MemorySource({PROJECT: [run(1)], "team/b": [run(1, "team/b")]})
        assert ids(compared(made, which=Which(called="run0001"))) == ["run0001", "run0001"]

    @pytest.mark.parametrize("called", [(), ("run0001",), ("run0001", "name of 1")])
    def test_fewer_than_two(self, called: tuple[str, ...]) -> None:
        with pytest.raises(ConfigError, match="needs two runs or more"):
            compared(source(run(1)), *called)

    def test_all_that_are_missing_are_named(self) -> None:
        with pytest.raises(NotFound, match=r"with name: x \(in team/proj\); No run found with name: y"):
            compared(source(run(1)), "x", "run0001", "y")

    def test_too_many(self) -> None:
        made = source(*(run(n, group="g") for n in range(51)))
        with pytest.raises(ConfigError, match="51 runs are meant, more than 50: --limit 51"):
            compared(made, which=Which(group="g"))
        assert len(ids(compared(made, which=Which(group="g"), limit=51))) == 51

    def test_a_source_that_finds_no_single_runs_is_read_once(self) -> None:
        class Counting(MemorySource):
            listed: list[Query] = []

            def runs(self, project: str, query: Query) -> Any:
                self.listed.append(query)
                return super().runs(project, query)

        made = Counting({PROJECT: [Skip("x", "broken"), *(run(n) for n in range(5))]})
        assert len(ids(compared(made, "run0001", "run0003", "run0004"))) == 3
        assert made.listed == [Query(gpus=True)]

    def test_an_unknown_metric_is_known_before_rows_are_read(self) -> None:
        made = Failing({"run0001": Unreachable("down")})
        with pytest.raises(ConfigError, match="near it are loss"):
            compared(made, "run0001", "run0002", metrics=["los"])


class Failing(MemorySource):
    """Two runs and more, of which some have rows that cannot be read."""

    def __init__(self, errors: Mapping[str, RunsheetError]) -> None:
        rows = {"run0002": [Sample(None, {"system.gpu.0.gpu": 50.0})]}
        super().__init__({PROJECT: [run(n) for n in range(6)]}, system=rows)
        self.errors = errors

    def rows(self, run: Run, stream: Stream, wanted: Callable[[str], bool] = lambda _key: True) -> Rows:
        if run.id in self.errors:
            raise self.errors[run.id]
        return super().rows(run, stream, wanted)


class TestRows:
    def test_history_wins_and_the_stream_is_named(self) -> None:
        system = {
            name: [Sample(None, {"system.gpu.0.gpu": 50.0, "other": 1})] for name in ("run0001", "run0002")
        }
        history = {"run0001": [Sample(None, {"gpu/compute_util_avg": 80.0})]}
        made = source(run(1), run(2), run(3), system=system, history=history)
        found = compared(made, "run0001", "run0002", "run0003")
        assert [side.gpu for side in found.sides] == [Gpu("history", 80.0), Gpu("system", 50.0), Gpu()]
        assert found.notes == ()

    @pytest.mark.parametrize("kind", [NotFound, ServiceError, Unreachable, AccessError])
    def test_one_run_that_cannot_be_read_does_not_stop_the_others(self, kind: type[ServiceError]) -> None:
        found = compared(Failing({"run0001": kind("run0001 is gone")}), "run0001", "run0002")
        assert [side.gpu for side in found.sides] == [Gpu(), Gpu("system", 50.0)]
        assert found.notes == ("run0001: run0001 is gone",)

    @pytest.mark.parametrize("kind", [Unreachable, AccessError])
    def test_a_service_that_answers_for_none_does(self, kind: type[ServiceError]) -> None:
        with pytest.raises(kind, match="no 1"):
            compared(Failing({f"run000{n}": kind(f"no {n}") for n in (1, 2)}), "run0001", "run0002")

    def test_runs_that_are_all_gone_are_shown_all_the_same(self) -> None:
        """The service has answered."""
        errors = {"run0001": Unreachable("HTTP 504"), "run0002": NotFound("it is gone")}
        found = compared(Failing(errors), "run0001", "run0002")
        assert [side.gpu for side in found.sides] == [Gpu(), Gpu()]
        assert found.notes == ("run0001: HTTP 504", "run0002: it is gone")

    def test_a_sample_of_the_rows(self) -> None:
        class Sampled(MemorySource):
            def rows(
                self, run: Run, stream: Stream, wanted: Callable[[str], bool] = lambda _key: True
            ) -> Rows:
                found = super().rows(run, stream, wanted).samples
                return Rows(found, 10_000 if run.id == "run0001" else None)

        rows = {name: [Sample(None, {"system.gpu.0.gpu": 50.0})] for name in ("run0001", "run0002")}
        found = compared(Sampled({PROJECT: [run(1), run(2)]}, system=rows), "run0001", "run0002")
        assert found.notes == (
            "GPU values are of a sample of the rows, so that peaks may be higher: run0001",
        )

    def test_a_source_without_rows(self) -> None:
        class Bare:
            name = "bare"
            requests = 0

            def projects(self) -> tuple[str, ...]:
                return (PROJECT,)

            def runs(self, project: str, query: Query) -> Any:
                return iter([run(1), run(2)])

            def close(self) -> None:
                """Nothing is held."""

        found = compared(Bare(), "run0001", "run0002")
        assert [side.gpu for side in found.sides] == [Gpu(), Gpu()]
        assert _words(found.notes) == ["the source bare does not hold how GPUs were used"]


def _words(notes: Sequence[str]) -> list[str]:
    return [note.partition(",")[0] for note in notes]
