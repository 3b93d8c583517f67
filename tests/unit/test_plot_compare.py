"""The picture of a comparison: what is drawn of which run, in which colour.

Mutants: see tests/mutant_list/comparing.py.
"""

import math
from pathlib import Path
from typing import Any

import pytest

from runsheet.errors import ConfigError
from runsheet.plot import figure
from runsheet.plot.compare import METRICS, draw, panels
from runsheet.reports.compare import Comparison, Gpu, compare
from tests.unit.test_compare import side

SYSTEM = Gpu("system", 70.0, 20.0)


def metrics(*summaries: dict[str, Any], asked: tuple[str, ...] = (), gpu: Gpu | None = None) -> Comparison:
    sides = [side(n, gpu, name=f"name {n}", summary=summary) for n, summary in enumerate(summaries)]
    return compare(sides, asked)


def titles(found: Comparison) -> list[str]:
    return [panel.title for panel in panels(found)]


def bars(found: Comparison) -> dict[str, list[Any]]:
    """The bars of each panel, by its title."""
    return {axes.get_xlabel().partition(" (")[0]: list(axes.patches) for axes in draw(found).axes}


class TestWhatIsDrawn:
    def test_metrics_with_a_direction_first(self) -> None:
        found = metrics({"loss": 1, "epoch": 1, "acc": 0.5}, {"loss": 2}, gpu=SYSTEM)
        assert titles(found) == [
            "acc (higher is better)",
            "loss (lower is better)",
            "GPU utilization %",
            "GPU memory GB",
        ]

    def test_else_the_first_ones(self) -> None:
        found = metrics({f"m{n}": n for n in range(9)}, {})
        assert titles(found) == [f"m{n}" for n in range(METRICS)]

    def test_all_that_were_asked_for(self) -> None:
        names = tuple(f"m{n}" for n in range(9))
        assert titles(metrics(dict.fromkeys(names, 1), {}, asked=names)) == [*names]

    def test_nothing_is_known_of_gpus(self) -> None:
        assert titles(metrics({"loss": 1}, {"loss": 2})) == ["loss (lower is better)"]

    def test_there_is_nothing(self) -> None:
        with pytest.raises(ConfigError, match="nothing to draw"):
            draw(metrics({}, {}))


class TestBars:
    def test_a_bar_for_each_run_as_long_as_its_value(self) -> None:
        found = bars(metrics({"loss": 2.0}, {"loss": math.nan}, {}, {"loss": -1.5}))
        assert [bar.get_width() for bar in found["loss"]] == [2.0, 0.0, 0.0, -1.5]

    def test_a_run_has_one_colour_and_the_best_is_dark(self) -> None:
        """Faint is halfway to white."""
        found = bars(metrics({"loss": 1, "acc": 1}, {"loss": 2, "acc": 2}, gpu=SYSTEM))
        dark = [(0.0, 114 / 255, 178 / 255), (213 / 255, 94 / 255, 0.0)]
        faint = [tuple((1 + part) / 2 for part in colour) for colour in dark]

        def colours(panel: str) -> list[Any]:
            return [pytest.approx(bar.get_facecolor()[:3]) for bar in found[panel]]

        assert colours("loss") == [dark[0], faint[1]]
        assert colours("acc") == [faint[0], dark[1]]
        assert [*colours("GPU utilization %"), *colours("GPU memory GB")] == [*faint, *faint]

    def test_numbers_and_gaps_are_written(self) -> None:
        figure = draw(metrics({"loss": 2.0}, {"loss": "NaN"}, {}))
        assert [text.get_text() for text in figure.axes[0].texts][-3:] == ["2 *", "NaN", "-"]

    def test_names_stand_at_the_left(self) -> None:
        """One that is another's, too, with the id."""
        sides = [side(1, name="same"), side(2, name="same"), side(3, name="own"), side(4, name="")]
        figure = draw(compare([*sides, side(5, name="x" * 80, summary={"loss": 1, "acc": 1})]))
        shown = [label.get_text() for label in figure.axes[0].get_yticklabels()]
        assert shown[:4] == ["same run0001", "same run0002", "own", "run0004"]
        assert shown[4].startswith("x" * 28 + "\nxxx")
        assert shown[4].endswith("…")
        assert figure.axes[0].yaxis_inverted()

    @pytest.mark.parametrize("name", ["two.png", "two.svg"])
    def test_a_file(self, name: str, tmp_path: Path) -> None:
        figure.save(draw(metrics({"loss": 2.0, "$x_1$": 1}, {"loss": 1.0})), tmp_path / name)
        begin = (tmp_path / name).read_bytes()[:60]
        assert begin.startswith(b"\x89PNG") if name.endswith("png") else b"<?xml" in begin

    def test_many_runs(self) -> None:
        made = draw(metrics(*({"loss": n} for n in range(50))))
        height = made.get_size_inches()[1]
        assert 12 < height < 30
