"""Pictures: what is drawn is what was measured, in words that can be read, without a warning."""

import logging
import math
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from runsheet.errors import ConfigError, MissingPackage
from runsheet.model import Sample
from runsheet.plot import figure, gpu
from runsheet.reports.gpu_metrics import GIB, GpuUse, measure
from tests.support.builders import run

ROOT = Path(__file__).parents[2]
RUN = run("v2h4vzbc", "team/proj", name="gpt2_state_50")
PNG = b"\x89PNG\r\n\x1a\n"


def used(rows: Iterable[tuple[float | None, Mapping[str, Any]]]) -> GpuUse:
    return measure(Sample(time, row) for time, row in rows)


def steady(count: int, gpus: int = 2, step: float = 15.0) -> GpuUse:
    """Rows of the system stream, of each GPU every quantity."""
    return used(
        (
            1e9 + step * place,
            {
                f"system.gpu.{number}.{key}": value + number
                for number in range(gpus)
                for key, value in (
                    ("gpu", 50 + place % 7),
                    ("memory", 30),
                    ("memoryAllocatedBytes", (8 + place / 100) * GIB),
                    ("memoryAllocated", 30),
                    ("powerWatts", 200),
                    ("temp", 60),
                )
            },
        )
        for place in range(count)
    )


def drawn(use: GpuUse) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """The points of each line by the title of its panel, holes left out."""
    made = gpu.draw(RUN, use)
    names = [text.get_text() for text in made.legends[0].get_texts()]
    looks = {
        (line.get_color(), line.get_linestyle()): name
        for line, name in zip(made.legends[0].get_lines(), names, strict=True)
    }
    return {
        panel.get_ylabel(): {
            looks[line.get_color(), line.get_linestyle()]: [
                (float(x), float(y)) for x, y in line.get_xydata() if not math.isnan(y)
            ]
            for line in panel.lines
        }
        for panel in made.axes
    }


def axis(use: GpuUse) -> str:
    return gpu.draw(RUN, use).axes[-1].get_xlabel()


def test_each_gpu_is_a_line_in_each_panel() -> None:
    panels = drawn(steady(5))
    assert [*panels] == [
        "Memory (GB)",
        "Utilization (%)",
        "Memory\nutilization (%)",
        "Power (W)",
        "Temperature (°C)",
    ]
    assert all([*lines] == ["GPU 0", "GPU 1"] for lines in panels.values())
    assert panels["Utilization (%)"]["GPU 1"] == [(0, 51), (15, 52), (30, 53), (45, 54), (60, 55)]
    assert panels["Memory (GB)"]["GPU 0"][-1] == pytest.approx((60, 8.04))


@pytest.mark.parametrize(
    ("count", "step", "unit", "last"),
    [
        (10, 15.0, "seconds", 135),
        (13, 15.0, "minutes", 3),
        (60, 60.0, "minutes", 59),
        (61, 360.0, "hours", 6),
        (1, 15.0, "seconds", 0),
    ],
)
def test_the_unit_of_time_fits_the_run(count: int, step: float, unit: str, last: float) -> None:
    use = steady(count, 1, step)
    assert axis(use) == f"{unit} since the first measurement"
    assert drawn(use)["Power (W)"]["GPU 0"][-1][0] == pytest.approx(last)


def test_without_times_the_order_is_what_there_is() -> None:
    use = used([(None, {"gpu/0/power": 5}), (1e9, {"gpu/0/power": 7}), (None, {"gpu/0/power": 6})])
    assert axis(use) == "measurements, in their order"
    assert drawn(use) == {"Power (W)": {"GPU 0": [(0, 5), (1, 7), (2, 6)]}}


def test_rows_that_come_late_are_put_in_order() -> None:
    use = used((1e9 + time, {"gpu/0/power": time}) for time in (0, 30, 15, 45))
    assert drawn(use)["Power (W)"]["GPU 0"] == [(0, 0), (15, 15), (30, 30), (45, 45)]


def test_a_long_time_without_measurements_is_a_hole() -> None:
    """Not a straight line; and a measurement that stands alone is a dot."""
    times = [*range(0, 900, 15), 1500, *range(2100, 3000, 15)]
    use = used((1e9 + time, {"gpu/0/power": 200, "gpu/0/temp": 60}) for time in times)
    (line,) = gpu.draw(RUN, use).axes[0].lines
    y = [float(value) for value in line.get_ydata()]
    holes = [place for place, value in enumerate(y) if math.isnan(value)]
    assert holes == [60, 62]
    assert line.get_markevery() == [61]


def test_a_row_left_out_is_no_hole() -> None:
    use = used((1e9 + time, {"gpu/0/power": 200}) for time in (0, 15, 30, 75, 90))
    (line,) = gpu.draw(RUN, use).axes[0].lines
    assert not any(math.isnan(float(value)) for value in line.get_ydata())
    assert line.get_markevery() == [0, 1, 2, 3, 4], "a short line has dots"


def test_panels_are_those_that_there_are() -> None:
    assert [*drawn(used([(1.0, {"system.gpu.0.memoryAllocated": 30})]))] == ["Memory (%)"]
    assert [*drawn(used([(1.0, {"system.gpu.0.temp": 30})]))] == ["Temperature (°C)"]


def test_what_is_known_of_all_together() -> None:
    row = {"gpu/compute_util_avg": 50, "gpu/memory_used_avg_gb": 8, "gpu/memory_used_total_gb": 32}
    assert drawn(used([(1.0, row)])) == {
        "Memory (GB)": {"mean of all GPUs": [(0, 8)], "all GPUs together": [(0, 32)]},
        "Utilization (%)": {"mean of all GPUs": [(0, 50)]},
    }


def test_percentages_have_one_scale() -> None:
    panels = {panel.get_ylabel(): panel.get_ylim() for panel in gpu.draw(RUN, steady(5)).axes}
    assert panels["Utilization (%)"] == panels["Memory\nutilization (%)"] == (-3, 103)
    assert panels["Power (W)"][0] == 0
    assert panels["Power (W)"][1] > 201
    low, high = panels["Temperature (°C)"]
    assert low > 50
    assert high - low == 20


def test_lines_differ() -> None:
    looks = {(look["color"], look["linestyle"]) for look in map(figure.look, range(28))}
    assert len(looks) == 28


@pytest.mark.parametrize("form", ["png", "svg"])
def test_a_picture_is_written(form: str, tmp_path: Path) -> None:
    path = tmp_path / f"gpu.{form.upper()}"
    figure.save(gpu.draw(RUN, steady(100, 16)), path)
    content = path.read_bytes()
    if form == "png":
        assert content.startswith(PNG)
    else:
        texts = "\n".join(ElementTree.fromstring(content).itertext())
        assert "gpt2_state_50 (v2h4vzbc)" in texts
        assert {"team/proj", "GPU 15", "Power (W)"} <= {line.strip() for line in texts.splitlines()}


def test_the_same_data_is_the_same_file(tmp_path: Path) -> None:
    paths = [tmp_path / "a.svg", tmp_path / "b.svg"]
    for path in paths:
        figure.save(gpu.draw(RUN, steady(3)), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize(
    "name",
    [
        "실험 日本語 中文",
        "$\\frac{1}",
        "a$b$c",
        "_hidden",
        "long " * 60,
        "W" * 300,
        "a\nb\x1b[0m",
        "%s {} &<",
    ],
    ids=ascii,
)
@pytest.mark.parametrize("form", ["png", "svg"])
def test_any_name_can_be_shown(
    name: str, form: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As text, not as a formula; where a font has no such character that is one line of the log."""
    named = run("v2h4vzbc", "team/proj", name=name)
    row = {f"system.gpu.0.gpu/l:{name.strip().splitlines()[0]}": 50}
    figure.save(gpu.draw(named, used([(1.0, row), (2.0, row)])), tmp_path / f"a.{form}")
    assert (tmp_path / f"a.{form}").stat().st_size > 1000
    assert len(caplog.records) <= 1
    if form == "svg":
        text = "".join(ElementTree.fromstring((tmp_path / "a.svg").read_bytes()).itertext())
        assert "(v2h4vzbc)" in text, "the id is never cut"


@pytest.mark.parametrize("length", [70, 75, 76, 128])
def test_an_id_as_long_as_a_title(length: int, tmp_path: Path) -> None:
    """W&B takes ids of 128 characters."""
    made = gpu.draw(run("i" * length, name="a name that is long enough"), steady(1))
    figure.save(made, tmp_path / "a.svg")
    assert "a name that i… (iiiii" in (tmp_path / "a.svg").read_text()


def test_characters_without_a_font_are_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Egyptian hieroglyphs; an SVG leaves fonts to whoever opens it."""
    named = run("x", name="".join(chr(0x13000 + number) for number in range(5)))
    figure.save(gpu.draw(named, steady(2)), tmp_path / "a.png")
    (record,) = caplog.records
    assert record.getMessage().endswith("a.png: no font that is installed has 5 characters: boxes are there")
    caplog.clear()
    figure.save(gpu.draw(named, steady(2)), tmp_path / "a.svg")
    assert caplog.records == []


def test_names_of_machines_are_cut_in_the_middle() -> None:
    """And stay two lines, even where what is cut is all that differs."""
    labels = [f"{'node-' * 10}{letter}{'-cluster' * 10}" for letter in "ab"]
    made = gpu.draw(RUN, used([(1.0, {f"system.gpu.0.gpu/l:{label}": 50 for label in labels})]))
    assert [text.get_text() for text in made.legends[0].get_texts()] == [
        "GPU 0 of node-…er-cluster-cluster-cluster"
    ] * 2
    assert len(made.axes[0].lines) == 2


@pytest.mark.parametrize("name", ["gpu", "gpu.pdf", "gpu.jpg", ".png", "png"])
def test_another_ending_is_refused(name: str) -> None:
    """Before anything is read or drawn, with both that there are."""
    with pytest.raises(ConfigError, match=re.escape(".png or .svg")):
        figure.ending(name)


@pytest.mark.parametrize("place", ["missing/gpu.png", "folder.png"])
def test_what_cannot_be_written_is_one_sentence(place: str, tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ConfigError, match=r"^--plot: cannot write .*: (No such|Is a)"):
        figure.save(gpu.draw(RUN, steady(1)), tmp_path / place)


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    figure._library.cache_clear()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingPackage, match="pip install matplotlib"):
        figure.new(1, "title")
    monkeypatch.undo()
    figure._library()


def test_other_warnings_are_not_swallowed(tmp_path: Path) -> None:
    made, _ = figure.new(1, "title")
    made.set_size_inches(0.1, 0.1)
    with pytest.raises(UserWarning, match="collapsed"):
        figure.save(made, tmp_path / "a.png")


def test_a_fresh_process_with_a_matplotlibrc_of_somebody(tmp_path: Path) -> None:
    """No window, no pyplot, no cache of fonts that would have to be writable, and the same looks."""
    (tmp_path / "matplotlibrc").write_text("backend: TkAgg\nfigure.facecolor: black\n")
    program = """
import sys
from runsheet.plot import figure
made, (panel,) = figure.new(1, "title")
panel.plot([1, 2], [3, 4])
figure.save(made, "a.png")
print(made.get_facecolor(), "matplotlib.pyplot" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "DISPLAY": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("(1.0, 1.0, 1.0, 1.0) False\n", "")
    assert (tmp_path / "a.png").read_bytes().startswith(PNG)


def test_matplotlib_is_quiet_by_itself() -> None:
    """It tells of caches and fonts in its log, which is no business of a report's reader."""
    from runsheet import logs

    logs.set_up("", verbose=False)
    assert logging.getLogger("matplotlib").level == logging.ERROR
