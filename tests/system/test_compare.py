"""The command compare: W&B by the real client, Trackio, run folders, an export; worksheets and pictures.

Mutants: see tests/mutant_list/comparing.py.
"""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import openpyxl
import pytest

from runsheet.reports.gpu_metrics import GIB
from tests.support import forks
from tests.support.offline_runs import offline_directory
from tests.support.trackio import Project
from tests.support.wandb import Run, iso
from tests.support.wandb.data import config_text
from tests.support.world import World

__all__ = ["offline_directory"]

START = datetime(2026, 1, 10, tzinfo=UTC)
PROJ = ("--entity", "team", "--project", "proj")


def ran(name: str, hours: float, config: dict[str, Any], summary: dict[str, Any], **more: Any) -> Run:
    """A run of so many hours from START on, as W&B tells it."""
    created = more.pop("created", START)
    fields = {"display_name": f"name of {name}", "created_at": iso(created)}
    fields |= {"heartbeat_at": iso(created + timedelta(hours=hours)), "config": config_text(config)}
    return Run(name, summary=json.dumps(summary), **(fields | more))


def system(*percents: float) -> list[dict[str, Any]]:
    return [
        {
            "system.gpu.0.gpu": percent,
            "system.gpu.1.gpu": percent + 10,
            "system.gpu.0.memoryAllocatedBytes": 8 * GIB,
            "_timestamp": START.timestamp() + 15 * place,
        }
        for place, percent in enumerate(percents)
    ]


@pytest.fixture
def three(world: World) -> World:
    """Three runs, one of them by another stream, and an older one of the name of the second."""
    old = ran("old", 1, {"lr": 9}, {"val_loss": 9}, display_name="prune", created=START - timedelta(days=9))
    world.wandb.add(
        *("team", "proj", old),
        ran(
            "base",
            6,
            {"lr": 0.1, "world_size": 4, "seed": 1},
            {"val_loss": 3.5, "_step": 9},
            group="ablation",
        ),
    )
    more = {"display_name": "prune", "group": "ablation", "sweep_name": "sw1", "system_rows": system(60, 70)}
    world.wandb.add(
        "team", "proj", ran("new", 5.5, {"lr": 0.2, "world_size": 4, "seed": 1}, {"val_loss": 3.25}, **more)
    )
    history = [{"gpu/compute_util_avg": 80.0, "gpu/memory_util_avg": 41.5, "_step": 0}]
    world.wandb.add(
        *("team", "proj"),
        ran("third", 5, {"lr": 0.1, "world_size": 4, "seed": 1}, {"val_loss": "NaN"}, history_rows=history),
    )
    return world


def done(world: World, *flags: str, **env: str) -> "CompletedProcess[str]":
    return forks.run(world, "compare", *flags, **env)


def said(world: World, *flags: str, code: int = 0) -> list[str]:
    """The lines of the command, those on stderr among them."""
    result = done(world, *flags)
    assert result.returncode == code, result.stdout
    assert "Traceback" not in result.stdout
    return result.stdout.splitlines()


def values(lines: list[str], label: str) -> list[str]:
    return next(line.split(label)[1].split() for line in lines if line.strip().startswith(label))


class TestWandb:
    def test_text(self, three: World) -> None:
        """By name, by id, and by another name of it: the script of the seed, and what it lacks."""
        lines = said(three, "base", "prune", "name of third", *PROJ)
        assert lines[0] == "project: team/proj"
        assert values(lines, "id") == ["base", "new", "third"]
        assert values(lines, "lr") == ["0.1", "0.2", "0.1"]
        assert values(lines, "val_loss (min)") == ["3.5", "3.25", "*", "NaN"]
        assert values(lines, "GPU utilization %") == ["-", "70.0", "80.0"]
        assert values(lines, "GPU memory GB") == ["-", "8.00", "-"]
        assert values(lines, "memory utilization %") == ["-", "-", "41.5"]
        assert values(lines, "GPU values from") == ["-", "system", "history"]
        assert values(lines, "duration") == ["6:00:00", "5:30:00", "5:00:00"]
        assert values(lines, "GPU-hours") == ["24.00", "22.00", "20.00"]
        assert "2 config keys are equal" in lines
        assert lines[-1] == "Note: prune: 2 runs have this name: the newest is shown"
        assert not any("_step" in line for line in lines)

    def test_stdout_holds_nothing_else(self, three: World) -> None:
        result = three.run("compare", "base", "prune", *PROJ, "--format", "csv")
        assert result.returncode == 0
        assert [row["run_id"] for row in csv.DictReader(io.StringIO(result.stdout))] == ["base", "new"]
        assert result.stderr == "Note: prune: 2 runs have this name: the newest is shown\n"

    @pytest.mark.parametrize(
        ("flags", "expected"),
        [
            (("--group", "ablation"), ["base", "new"]),
            (("third", "--group", "ablation"), ["third", "base", "new"]),
            (("base", "--sweep", "sw1"), ["base", "new"]),
            (("--filter", '{"config.lr": 0.1}'), ["base", "third"]),
            (("base", "--group", "ablation", "--filter", '{"config.lr": 0.2}'), ["base", "new"]),
        ],
        ids=["group", "run and group", "sweep", "filter", "both"],
    )
    def test_sets_of_runs(self, three: World, flags: tuple[str, ...], expected: list[str]) -> None:
        shown = json.loads("\n".join(said(three, *flags, *PROJ, "--format", "json")))
        assert [run["id"] for run in shown["runs"]] == expected

    def test_a_metric_by_hand(self, three: World) -> None:
        shown = json.loads(
            "\n".join(said(three, "base", "new", *PROJ, "--format", "json", "--metric", "val_loss:max"))
        )
        assert (shown["best"], shown["directions"]) == ({"val_loss": ["base"]}, {"val_loss": "max"})

    @pytest.mark.parametrize(
        ("flags", "code", "sentence"),
        [
            ((), 2, "a comparison needs two runs or more"),
            (("base", "base"), 2, "that is only base"),
            (("",), 2, "an empty text"),
            (("base", "nobody"), 1, "No run found with name: nobody (in team/proj)"),
            (("base", "new", "--metric", "val_los"), 2, "near it are val_loss"),
            (("base", "new", "--filter", "{"), 2, "is not JSON"),
            (("base", "new", "--filter", "[]"), 2, "is a JSON object"),
            (
                ("base", "new", "--group", "ablation", "third", "--limit", "2"),
                2,
                "3 runs are meant, more than 2",
            ),
            (("base", "new", "--plot", "x.pdf"), 2, ".png or .svg"),
            (("base", "new", "--worksheet", "x"), 2, "--destination"),
            (("base", "new", "--destination", "xlsx", "--worksheet", "Runs"), 2, "another table"),
            (("base", "new", "--destination", "xlsx", "--worksheet", "gpu-hours"), 2, "another table"),
            (("base", "new", "--destination", "ods"), 2, "there is no 'ods'"),
        ],
    )
    def test_errors_are_a_sentence(
        self, three: World, flags: tuple[str, ...], code: int, sentence: str
    ) -> None:
        lines = said(three, *flags, *PROJ, code=code)
        assert sentence in lines[0]
        assert len(lines) == 1

    def test_a_server_that_does_not_answer(self, three: World) -> None:
        assert len(said(three, "base", "new", *PROJ, "--host", "http://127.0.0.1:9", code=1)) == 1


class TestWorksheet:
    def test_a_workbook_twice(self, three: World) -> None:
        flags = (*PROJ, "--destination", "xlsx:runs.xlsx", "--format", "csv")
        first = said(three, "base", "new", *flags)
        assert first[-1].startswith("Comparison: 2 rows · 2 added · 16 new columns · ")
        second = said(three, "third", "new", *flags)
        assert second[-2] == "Comparison: 1 row of earlier comparisons: left as they are"
        assert second[-1].startswith("Comparison: 2 rows · 1 added · ")
        header, *rows = openpyxl.load_workbook(three.folder / "runs.xlsx")["Comparison"].iter_rows(
            values_only=True
        )
        assert header[:8] == (
            "Run",
            "Name",
            "Project",
            "State",
            "Best in",
            "lr",
            "val_loss",
            "GPU utilization %",
        )
        assert rows[0][:7] == ("base", "name of base", "team/proj", "finished", None, 0.1, 3.5)
        assert rows[1][:8] == ("new", "prune", "team/proj", "finished", "val_loss", 0.2, 3.25, 70)
        assert rows[2][:8] == ("third", "name of third", "team/proj", "finished", None, 0.1, None, 80)

    def test_a_google_sheet_beside_the_runs(self, three: World) -> None:
        """Of config.json; the sync's table has its own tab before and after."""
        three.configure(WORKSHEET="")
        assert forks.run(three, "--once").returncode == 0
        said(three, "base", "new", *PROJ, "--destination", "gsheet")
        said(three, "base", "third", *PROJ, "--destination", "gsheet", "--worksheet", "Second")
        assert forks.run(three, "--once").returncode == 0
        tabs = {tab.title: tab.values() for tab in three.document.tabs}
        assert [row[0] for row in tabs["Comparison"]] == ["Run", "base", "new"]
        assert [row[0] for row in tabs["Second"]] == ["Run", "base", "third"]
        assert len(tabs["Sheet1"]) == 5

    @pytest.mark.parametrize("title", ["Comparison", "Sheet1", "Ablations"])
    def test_the_first_sync_does_not_take_a_comparison_for_its_table(self, three: World, title: str) -> None:
        """Whatever it is called, and whether or not it is the first tab, the only one of ours, or renamed."""
        three.configure(WORKSHEET="")
        flags = (*PROJ, "--destination", "gsheet", "--worksheet", title)
        said(three, "base", "new", *flags)
        three.document.tab(title).rename("Sept")
        first = forks.run(three, "--once")
        assert first.returncode == 0, first.stdout
        assert [row[0] for row in three.document.tab("Sept").values()] == ["Run", "base", "new"]
        assert "0 added" in said(three, "base", "new", *flags)[-1]

    @pytest.mark.parametrize("destination", ["gsheet", "xlsx:runs.xlsx"])
    def test_a_sync_that_names_a_comparison(self, three: World, destination: str) -> None:
        """It says so, whatever is accepted, and writes nothing."""
        flags = ("--destination", destination)
        said(three, "base", "new", *PROJ, *flags, "--worksheet", "Ablations")
        three.configure(WORKSHEET="Ablations")
        stopped = forks.run(three, "--once", "--accept_changes", *flags)
        assert stopped.returncode == 2
        assert "the worksheet is that of a comparison: name another tab with WORKSHEET" in stopped.stdout
        three.configure(WORKSHEET="")
        assert "0 added" in said(three, "base", "new", *PROJ, *flags, "--worksheet", "Ablations")[-1]

    def test_the_sync_s_tab_under_another_name(self, three: World) -> None:
        """It is refused, and the picture is there all the same."""
        three.configure(WORKSHEET="")
        assert forks.run(three, "--once").returncode == 0
        flags = (*PROJ, "--destination", "gsheet", "--worksheet", "Sheet1", "--plot", "runs.svg")
        lines = said(three, "base", "new", *flags, code=2)
        assert lines[-2] == "the picture is in runs.svg"
        assert "name another one with --worksheet" in lines[-1]
        assert (three.folder / "runs.svg").exists()

    @pytest.mark.parametrize("destination", ["gsheet", "xlsx:runs.xlsx"])
    def test_what_looks_after_a_table_reaches_a_comparison(self, three: World, destination: str) -> None:
        """History, undo and forget, by the name of its worksheet."""
        flags = ("--destination", destination)
        said(three, "base", "new", *PROJ, *flags)
        there = (*flags, "--worksheet", "Comparison")
        assert "2 rows added · 16 columns made" in forks.run(three, "history", *there).stdout
        assert "no tick has written" in forks.run(three, "history", *flags).stdout
        assert "taken back" in forks.run(three, "undo", *there).stdout
        assert "0 added" in said(three, "base", "new", *PROJ, *flags)[-1]
        assert "forgotten: base\n" in forks.run(three, "forget", "base", *there).stdout
        assert "1 added" in said(three, "base", "new", *PROJ, *flags)[-1]

    def test_a_sheet_needs_its_configuration(self, three: World) -> None:
        """Before anything is asked for."""
        (three.folder / "config.json").unlink()
        before = len(three.wandb.requests)
        lines = said(three, "base", "new", *PROJ, "--destination", "gsheet", code=2)
        assert "there is no configuration config.json" in lines[0]
        assert len(three.wandb.requests) == before


def test_a_picture(three: World) -> None:
    lines = said(three, "base", "new", "third", *PROJ, "--plot", "runs.svg")
    assert lines[-1] == "the picture is in runs.svg"
    drawn = (three.folder / "runs.svg").read_text()
    assert "val_loss (lower is better)" in drawn
    assert "name of base" in drawn


def test_trackio(world: World, tmp_path: Path) -> None:
    project = Project(tmp_path / "trackio")
    for name, loss, hours in (("a", 2.0, 3.0), ("b", 1.0, 2.0)):
        project.config(name, {"lr": loss / 10, "num_gpus": 2})
        project.log(name, hours, {"loss": loss})
        project.system(name, hours / 2, {"gpu/0/utilization": 50.0 * loss, "gpu/0/allocated_memory": 4.0})
    flags = ("--source", f"trackio:{tmp_path / 'trackio'}", "--project", "proj")
    lines = said(world, "name of a", "b", *flags)
    assert values(lines, "id") == ["a", "b"]
    assert values(lines, "loss (min)") == ["2", "1", "*"]
    assert values(lines, "GPU utilization %") == ["100.0", "50.0"]
    assert values(lines, "GPU-hours") == ["6.00", "4.00"]
    refused = said(world, "a", "--filter", '{"state": "finished"}', *flags, code=2)
    assert len(refused) == 1
    assert not world.wandb.requests


def test_folders(world: World, offline_directory: Path) -> None:
    (world.folder / "config.json").unlink()
    lines = said(world, "fin00001", "exc00001", "--source", f"folders:{offline_directory}")
    assert values(lines, "id") == ["fin00001", "exc00001"]
    assert values(lines, "lr") == ["1e-05", "0.5"]
    assert values(lines, "nan") == ["NaN", "-"]


def test_an_export_knows_no_rows(three: World) -> None:
    assert forks.run(three, "gpu-hours", *PROJ, "--save", "runs.jsonl").returncode == 0
    lines = said(three, "base", "new", "--source", "export:runs.jsonl", "--project", "proj")
    assert values(lines, "GPU utilization %") == ["-", "-"]
    assert values(lines, "GPU-hours") == ["24.00", "22.00"]
    assert "Note: the source export does not hold how GPUs were used" in "\n".join(lines)
