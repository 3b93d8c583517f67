"""Runs side by side: which keys differ, which run is best, what is known of GPUs and time.

Mutants: see tests/mutant_list/comparing.py.
"""

import math
from datetime import timedelta
from typing import Any

import pytest

from runsheet.errors import ConfigError
from runsheet.model import Sample
from runsheet.reports.compare import Comparison, Direction, Gpu, Side, compare, direction
from runsheet.reports.gpu_metrics import GIB, measure
from runsheet.reports.usage import Settings, usage
from tests.support.builders import NOW, run


def side(number: int = 1, gpu: Gpu | None = None, **fields: Any) -> Side:
    one = run(number, **({"config": {}, "summary": {}} | fields))
    return Side(one, usage(one, Settings(), NOW), gpu or Gpu())


def configs(*found: dict[str, Any]) -> Comparison:
    return compare([side(number, config=config) for number, config in enumerate(found)])


def summaries(*found: dict[str, Any], asked: tuple[str, ...] = ()) -> Comparison:
    return compare([side(number, summary=summary) for number, summary in enumerate(found)], asked)


def best(found: Comparison) -> dict[str, list[int]]:
    return {metric.key: sorted(metric.best) for metric in found.metrics}


class TestConfig:
    def test_what_differs_and_what_is_equal(self) -> None:
        found = configs({"lr": 0.1, "opt": {"name": "adam"}, "seed": 1}, {"lr": 0.2, "opt": {"name": "adam"}})
        assert [(each.key, each.values) for each in found.differing] == [
            ("lr", (0.1, 0.2)),
            ("seed", (1, None)),
        ]
        assert [(each.key, each.values) for each in found.equal] == [("opt.name", ("adam", "adam"))]

    @pytest.mark.parametrize(
        ("one", "other", "differs"),
        [
            (1, 1.0, False),
            (1, True, True),
            (0, False, True),
            (1, "1", True),
            ([1, 2], [1, 2], False),
            ([1, 2], [2, 1], True),
            (None, "", True),
            ({}, {"a": 1}, True),
            (math.nan, math.nan, False),
            ("a", "a\r\n", True),
        ],
    )
    def test_equal_is_what_shows_the_same(self, one: Any, other: Any, differs: bool) -> None:
        assert bool(configs({"key": one}, {"key": other}).differing) is differs

    def test_null_is_as_if_it_were_not_there(self) -> None:
        assert configs({"key": None}, {}).settings == ()

    def test_a_literal_key_and_a_path_are_two(self) -> None:
        found = configs({"a.b": 1, "a": {"b": 2}}, {"a.b": 1, "a": {"b": 3}})
        assert [(each.key, each.values) for each in found.settings] == [("a.b", (1, 1)), ("a.b~", (2, 3))]

    def test_values_of_any_depth(self) -> None:
        deep: dict[str, Any] = {}
        for _ in range(5000):
            deep = {"k": deep}
        deep["x"] = 1
        assert len(configs(deep, {}).differing) == 1


class TestMetrics:
    @pytest.mark.parametrize(
        ("key", "expected"),
        [
            ("loss", Direction.MIN),
            ("final/best_val_loss", Direction.MIN),
            ("val.perplexity", Direction.MIN),
            ("Eval-RMSE", Direction.MIN),
            ("loss_scale", Direction.UNKNOWN),
            ("f1_score", Direction.MAX),
            ("test/mAP", Direction.MAX),
            ("r2", Direction.MAX),
            ("epoch", Direction.UNKNOWN),
            ("glossary", Direction.UNKNOWN),
            ("", Direction.UNKNOWN),
            ("손실", Direction.UNKNOWN),
        ],
    )
    def test_the_last_word_tells_the_direction(self, key: str, expected: Direction) -> None:
        assert direction(key) is expected

    def test_the_best(self) -> None:
        found = summaries({"loss": 3, "acc": 0.5, "epoch": 9}, {"loss": 2.5, "acc": 0.5}, {"acc": 0.4})
        assert best(found) == {"acc": [0, 1], "epoch": [], "loss": [1]}

    @pytest.mark.parametrize("odd", [math.nan, -math.inf, math.inf, "NaN", "-Infinity", "Infinity", None])
    def test_what_is_not_finite_never_wins(self, odd: Any) -> None:
        for name in ("loss", "acc"):
            assert best(summaries({name: odd}, {name: 5.0})) == {name: [1]}

    def test_nobody_is_best_where_nothing_is_finite(self) -> None:
        found = summaries({"loss": "NaN"}, {"loss": math.inf})
        assert best(found) == {"loss": []}
        assert [str(value) for value in found.metrics[0].values] == ["nan", "inf"]

    def test_only_numbers_that_are_no_internals(self) -> None:
        """A text, a truth value or an object is no metric, in whatever run."""
        found = summaries(
            {
                "_step": 1,
                "_wandb": {"runtime": 3},
                "word": "a",
                "flag": True,
                "image": {"_type": "image", "size": 1},
            },
            {"nested": {"deep": 2}, "list": [1], "late": 1},
        )
        assert [metric.key for metric in found.metrics] == ["late", "nested.deep"]

    def test_the_best_are_found_once(self) -> None:
        """And not again for each run that asks: those are many, and so are metrics."""
        (metric,) = summaries({"loss": 2}, {"loss": 1}).metrics
        assert metric.best is metric.best

    def test_huge_numbers(self) -> None:
        assert best(summaries({"loss": 10**400}, {"loss": -(10**400)}, {"loss": 2**60})) == {"loss": [2]}

    def test_metrics_that_are_asked_for(self) -> None:
        """In that order, each once; the last word of a direction counts."""
        values = {"loss": 1.0, "epoch": 1, "other": 5, "a:min": 3, "_runtime": 5}
        found = summaries(
            values, {"loss": 2.0, "epoch": 2}, asked=("epoch:max", "loss:max", "a:min", "_runtime")
        )
        assert [metric.key for metric in found.metrics] == ["epoch", "loss", "a:min", "_runtime"]
        assert best(found) == {"epoch": [1], "loss": [1], "a:min": [], "_runtime": []}
        assert found.chosen
        assert found.numbers[0] == values

    @pytest.mark.parametrize("asked", ["val_los", "val_los:min", "loss", "VAL_LOSS:max"])
    def test_an_unknown_metric_names_those_near(self, asked: str) -> None:
        with pytest.raises(ConfigError, match=r"--metric: no run has a metric '.*val_loss"):
            summaries({"val_loss": 1.0}, {}, asked=(asked,))

    def test_a_direction_that_is_none(self) -> None:
        with pytest.raises(ConfigError, match=r"better is min or max, as in val_loss:min, and not 'low'"):
            summaries({"val_loss": 1.0}, {}, asked=("val_loss:low",))

    def test_nothing_is_near(self) -> None:
        with pytest.raises(ConfigError, match=r"no run has a metric 'x'$"):
            summaries({}, {}, asked=("x",))

    def test_what_a_run_is_best_in(self) -> None:
        found = summaries({"loss": 1, "acc": 1}, {"loss": 1, "acc": 2})
        assert [found.best_in(place) for place in (0, 1)] == [("loss",), ("acc", "loss")]


class TestUse:
    def test_means_over_gpus_and_the_highest_temperature(self) -> None:
        rows = [
            {
                "system.gpu.0.gpu": 50.0,
                "system.gpu.0.memoryAllocatedBytes": 10 * GIB,
                "system.gpu.0.temp": 60,
            },
            {"system.gpu.0.gpu": 70.0, "system.gpu.1.gpu": 90.0, "system.gpu.1.temp": 75},
            {"system.gpu.1.memoryAllocatedBytes": 4 * GIB, "system.gpu.1.powerWatts": 300.0},
        ]
        found = Gpu.of(measure(Sample(None, row) for row in rows), "system")
        assert found == Gpu("system", 75.0, 7.0, None, 300.0, 75.0)

    def test_where_only_the_mean_is_logged(self) -> None:
        row = {"gpu/compute_util_avg": 80.0, "gpu/memory_util_avg": 40.0}
        assert Gpu.of(measure([Sample(None, row)]), "history") == Gpu("history", 80.0, None, 40.0)

    def test_nothing_tells(self) -> None:
        assert Gpu.of(measure([]), "system") == Gpu()

    def test_time_and_gpu_hours(self) -> None:
        hours: dict[str, Any] = {"created": NOW - timedelta(hours=30), "heartbeat": NOW - timedelta(hours=20)}
        one = side(config={"world_size": 4}, **hours)
        assert (one.hours, one.gpus, one.gpu_hours) == (10.0, 4, 40.0)
        cpu = side(config={"dist/accelerator": "cpu"}, **hours)
        assert (cpu.hours, cpu.gpus, cpu.gpu_hours) == (10.0, 0, 0.0)
        unknown = side(**hours)
        assert (unknown.hours, unknown.gpus, unknown.gpu_hours) == (10.0, None, None)
        never = side(config={"world_size": 4}, created=None, heartbeat=None)
        assert (never.hours, never.gpus, never.gpu_hours) == (None, 4, None)
