"""A comparison for people, spreadsheets and programs.

Mutants: see tests/mutant_list/comparing.py.
"""

import csv
import io
import json
import math
from typing import Any

import pytest

from runsheet.reports.compare import Comparison, Gpu, compare
from runsheet.reports.compare_tables import csv_text, duration, json_text, text, wrapped
from runsheet.reports.writing import WIDTH, width
from tests.unit.test_compare import side, summaries

LABELS = ("GPU utilization", "GPU memory", "memory utilization", "power W", "highest temperature")

HISTORY = Gpu("history", 72.53, 8.041, 43.0, 238.71, 71.6)


def two(**more: Any) -> Comparison:
    sides = [
        side(1, HISTORY, name="base", config={"lr": 0.1, "world_size": 4, "on": True}, summary={"loss": 2.5}),
        side(2, name="other", config={"lr": "0.1", "world_size": 4, "on": True}, summary={"loss": "NaN"}),
    ]
    return compare(sides, **more)


def lines(found: Comparison, **more: Any) -> list[str]:
    return text(found, **more).splitlines()


def row(found: Comparison, label: str) -> list[str]:
    """The texts behind a label, block by block."""
    return [part for line in lines(found) if line.strip().startswith(label) for part in line.split()[1:]]


def rows(found: Comparison, **more: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_text(found, **more))))


class TestText:
    def test_the_whole(self) -> None:
        assert lines(two(notes=["2 runs have this name"])) == [
            "project: team/proj",
            "",
            "run                       base      other",
            "id                        run0001   run0002",
            "state                     finished  finished",
            "",
            "config",
            '  lr                      0.1       "0.1"',
            "",
            "metrics (* best)",
            "  loss (min)              2.5 *     NaN",
            "",
            "GPUs and time",
            "  GPU utilization %       72.5      -",
            "  GPU memory GB           8.04      -",
            "  memory utilization %    43.0      -",
            "  power W                 238.7     -",
            "  highest temperature °C  72        -",
            "  GPU values from         history   -",
            "  duration                24:00:00  24:00:00",
            "  GPUs                    4         4",
            "  GPU-hours               96.00     96.00",
            "",
            "2 config keys are equal",
            "Note: 2 runs have this name",
        ]

    def test_what_no_run_has_is_left_out(self) -> None:
        """But for how much the GPUs did, which is what people look for."""
        found = compare([side(1, Gpu("history", 72.5, None, None, 238.7)), side(2)])
        assert [label for label in LABELS if row(found, label)] == [
            "GPU utilization",
            "GPU memory",
            "power W",
        ]

    def test_what_is_equal(self) -> None:
        """Each once, since all runs have it."""
        assert lines(two(), everything=True)[-3:] == [
            "2 config keys are equal",
            "  on          true",
            "  world_size  4",
        ]

    def test_who_and_when_where_that_differs(self) -> None:
        one = side(1, user="ann")
        assert row(compare([one, side(2, user=None)]), "user") == ["ann", "-"]
        assert row(compare([one, side(2, created=None)]), "created") == ["(UTC)", "2026-11-18", "12:00", "-"]
        both = compare([one, side(2, project="team/b")])
        assert row(both, "project") == ["team/proj", "team/b"]
        assert "project: " not in text(both)

    @pytest.mark.parametrize("count", [2, 3, 4, 7, 50])
    def test_it_fits_and_every_block_has_the_labels(self, count: int) -> None:
        name = "a very long name, of several words, 실험 결과"
        sides = [
            side(
                n, name=f"{name} {n}", config={"some/long/key.of.a.config" * 2: f"v{n}"}, summary={"loss": n}
            )
            for n in range(count)
        ]
        shown = lines(compare(sides))
        assert max(map(width, shown)) <= WIDTH
        blocks = [line for line in shown if line.startswith("run ")]
        assert len(blocks) == sum(line.startswith("  GPU-hours ") for line in shown)
        assert len(blocks) == math.ceil(count / 3) if count > 2 else 1
        assert row(compare(sides), "id") == [f"run{n:04}" for n in range(count)]
        assert row(compare(sides), "loss")[:3] == ["(min)", "0", "*"]

    def test_blocks_are_of_a_size(self) -> None:
        """Four runs where three fit make two and two."""
        found = compare([side(n, name="x" * 30) for n in range(4)])
        assert [len(line.split()) - 1 for line in lines(found) if line.startswith("id ")] == [2, 2]

    @pytest.mark.parametrize(
        ("values", "shown"),
        [
            ((0.1, 1 / 3), ["0.1", "0.333333"]),
            ((1.00000001, 1.00000002), ["1.00000001", "1.00000002"]),
            ((12345678, 0.5), ["12345678", "0.5"]),
            ((1, 1.0), ["1", "1"]),
            ((1.5e-9, math.inf), ["1.5e-09", "Infinity"]),
            ((None, -math.inf), ["-", "-Infinity"]),
        ],
    )
    def test_as_many_digits_as_tell_numbers_apart(self, values: tuple[Any, ...], shown: list[str]) -> None:
        assert row(summaries(*({"x": value} for value in values)), "x ") == shown

    @pytest.mark.parametrize(
        ("value", "shown"),
        [("true", '"true"'), (True, "true"), ("1e-5", '"1e-5"'), (1e-5, "1e-05"), ("-", '"-"'), ("", '""')],
    )
    def test_a_text_is_not_taken_for_something_else(self, value: Any, shown: str) -> None:
        assert row(compare([side(1, config={"key": value}), side(2)]), "key ") == [shown, "-"]

    def test_nothing_that_a_terminal_obeys(self) -> None:
        found = compare([side(1, name="a\x1b[2Jb", config={"k\x07": "\x1b[31m"}), side(2)], notes=["\x1b[0m"])
        assert text(found).replace("\n", "").isprintable()

    def test_without_metrics_and_differences(self) -> None:
        shown = text(compare([side(1), side(2)]))
        assert "metrics" not in shown
        assert "config\n" not in shown
        assert "0 config keys are equal" in shown

    def test_a_long_text_goes_on_below(self) -> None:
        assert wrapped("gpt2_adamwprune_bitter9_state_50", 16) == ["gpt2_adamwprune_", "bitter9_state_50"]
        assert wrapped("x" * 9, 4) == ["xxxx", "xxxx", "x"]
        assert wrapped("x" * 13, 4) == ["xxxx", "xxxx", "xxx…"]
        assert wrapped("실험실험", 5) == ["실험", "실험"]

    @pytest.mark.parametrize(
        ("hours", "shown"), [(0, "0:00:00"), (2.0511, "2:03:04"), (26.99999, "27:00:00"), (None, "-")]
    )
    def test_durations(self, hours: float | None, shown: str) -> None:
        assert duration(hours) == shown


class TestCsv:
    def test_a_row_for_each_run(self) -> None:
        one, other = rows(two())
        assert one == {
            "project": "team/proj",
            "run_id": "run0001",
            "name": "base",
            "state": "finished",
            "user": "kim",
            "created": "2026-11-18T12:00:00+00:00",
            "config.lr": "0.1",
            "summary.loss": "2.5",
            "gpu_from": "history",
            "gpu_util_avg": "72.53",
            "gpu_mem_avg_gb": "8.041",
            "gpu_mem_util_avg": "43.0",
            "gpu_power_avg_w": "238.71",
            "gpu_temp_max": "71.6",
            "gpus": "4",
            "hours": "24.0",
            "gpu_hours": "96.0",
            "best_in": "loss",
        }
        assert (other["summary.loss"], other["gpu_util_avg"], other["best_in"]) == ("NaN", "", "")

    def test_what_is_equal(self) -> None:
        assert rows(two(), everything=True)[0]["config.on"] == "true"

    @pytest.mark.parametrize("bad", ["=1+1", "@SUM(A1)", "-cmd"])
    def test_no_formula(self, bad: str) -> None:
        """Neither in a value nor in a name, nor in a header."""
        sides = [side(1, name=bad, config={"k": bad}), side(2, state=bad)]
        one, other = rows(compare(sides))
        assert [one["name"], one["config.k"], other["state"]] == [f"'{bad}"] * 3


class TestJson:
    def test_types_are_kept(self) -> None:
        found = json.loads(json_text(two(notes=["odd"])))
        one, other = found["runs"]
        assert one["config"] == {"lr": 0.1, "world_size": 4, "on": True}
        assert other["config"]["lr"] == "0.1"
        assert (one["summary"], other["summary"]) == ({"loss": 2.5}, {"loss": "NaN"})
        assert one["gpu"] == {
            "stream": "history",
            "utilization": 72.53,
            "memory_gb": 8.041,
            "memory_utilization": 43.0,
            "power": 238.71,
            "temperature": 71.6,
        }
        assert set(other["gpu"].values()) == {None}
        assert (one["id"], one["hours"], one["gpus"], one["gpu_hours"]) == ("run0001", 24.0, 4, 96.0)
        assert found["config_differs"] == ["lr"]
        assert found["config_equal"] == {"on": True, "world_size": 4}
        assert found["best"] == {"loss": ["run0001"]}
        assert found["directions"] == {"loss": "min"}
        assert found["notes"] == ["odd"]

    def test_a_key_that_a_run_lacks_is_null(self) -> None:
        found = json.loads(json_text(compare([side(1, config={"k": 1}, summary={"m": 1}), side(2)])))
        assert (found["runs"][1]["config"], found["runs"][1]["summary"]) == ({"k": None}, {"m": None})


def test_integers_stay_exact() -> None:
    """In all formats, beyond what a float holds."""
    found = summaries({"seen": 2**70 + 1}, {"seen": 2**70})
    assert row(found, "seen") == [str(2**70 + 1), str(2**70)]
    assert [each["summary.seen"] for each in rows(found)] == [str(2**70 + 1), str(2**70)]
    assert [each["summary"]["seen"] for each in json.loads(json_text(found))["runs"]] == [2**70 + 1, 2**70]
