"""The commands keys and gpu in a process of their own: W&B by the real client, Trackio, run folders.

Mutants: tests/mutant_list/inspecting.py.
"""

import csv
import io
import json
import os
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from wandb.proto.wandb_internal_pb2 import Record

from runsheet.reports.gpu_metrics import GIB
from runsheet.reports.gpu_tables import MISSING
from tests.support import forks
from tests.support.offline_runs import framed, offline_directory
from tests.support.trackio import Project
from tests.support.wandb import Run, iso
from tests.support.world import World

__all__ = ["offline_directory"]

START = datetime(2026, 1, 10, tzinfo=UTC)
PROJ = ("--entity", "team", "--project", "proj")
RULE = "-" * 80
BYTES = "memoryAllocatedBytes"


@pytest.fixture
def world(bare: World) -> World:
    return bare


def ran(name: str, days: float = 0, **more: Any) -> Run:
    """A run that was created so many days after START, as W&B tells it."""
    created = START + timedelta(days=days)
    fields = {"display_name": f"name of {name}", "created_at": iso(created), "heartbeat_at": iso(created)}
    return Run(name, **(fields | more))


def rows(*values: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows that were logged every 15 seconds, with what W&B's client adds."""
    return [
        {**row, "_step": place, "_runtime": 15.0 * place, "_timestamp": START.timestamp() + 15 * place}
        for place, row in enumerate(values)
    ]


def system(number: int, **values: Any) -> dict[str, Any]:
    return {f"system.gpu.{number}.{key}": value for key, value in values.items() if value is not None}


def memory(*gibs: float) -> dict[str, Any]:
    return {
        key: value for gpu, gib in enumerate(gibs) for key, value in system(gpu, **{BYTES: gib * GIB}).items()
    }


def g1() -> list[dict[str, Any]]:
    return rows(memory(10, 4), memory(9, 4), memory(8, 6))


def told(world: World, *flags: str, code: int = 0) -> list[str]:
    """The lines of the command, those on stderr among them."""
    done = forks.run(world, *flags)
    assert done.returncode == code, done.stdout
    assert "Traceback" not in done.stdout
    return done.stdout.splitlines()


def ended(world: World, *flags: str, code: int = 0) -> "CompletedProcess[str]":
    """The command with its two outputs told apart."""
    done = forks.run(world, *flags, apart=True)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


class TestGpu:
    def test_g1_by_the_system_stream(self, world: World) -> None:
        """Every line, and nothing on stderr."""
        world.wandb.add("team", "proj", ran("v2h4vzbc", system_rows=g1()))
        done = ended(world, "gpu", *PROJ, "--system")
        assert done.stderr == ""
        assert done.stdout.splitlines() == [
            "Run: name of v2h4vzbc (v2h4vzbc)",
            "State: finished",
            f"URL: {world.wandb.url}/team/proj/runs/v2h4vzbc",
            RULE,
            "",
            "Detected 2 active GPUs",
            "",
            "GPU 0:",
            "  Memory Allocated:",
            "    Current:  8.00 GB",
            "    Average:  9.00 GB",
            "    Maximum:  10.00 GB",
            "",
            "GPU 1:",
            "  Memory Allocated:",
            "    Current:  6.00 GB",
            "    Average:  4.67 GB",
            "    Maximum:  6.00 GB",
            "",
            "TOTAL ACROSS ALL 2 GPUs:",
            "  Current Total Memory:  14.0 GB",
            "  Average Total Memory:  13.7 GB",
            "  Maximum Total Memory:  14.0 GB",
        ]

    def test_g2_and_g3(self, world: World) -> None:
        """A row without a value is no zero, and `memory` is no megabytes."""
        stream = rows(*(system(0, memory=37, powerWatts=watts) for watts in (200, None, 400)))
        world.wandb.add("team", "proj", ran("a", system_rows=stream))
        lines = told(world, "gpu", *PROJ, "--system")
        assert lines[7:] == [
            "GPU 0:",
            "  Power:",
            "    Current:  400.0 W",
            "    Average:  300.0 W",
            "    Maximum:  400.0 W",
            "  Memory Utilization:",
            "    Current:  37.0%",
            "    Average:  37.0%",
            "    Maximum:  37.0%",
        ]

    def test_the_training_history_comes_first(self, world: World) -> None:
        """It is what is shown, and --system shows the other."""
        logged = rows({"gpu/0/memory_used_mb": 8543.2, "gpu/0/compute_util": 78.2, "loss": 1})
        world.wandb.add("team", "proj", ran("a", history_rows=logged, system_rows=g1()))
        lines = told(world, "gpu", *PROJ)
        assert lines[4:8] == ["", "GPU 0:", "  Memory Used:", "    Current:  8543.2 MB (8.34 GB)"]
        assert "TOTAL ACROSS 1 GPU:" in lines
        assert "Detected 2 active GPUs" in told(world, "gpu", *PROJ, "--system")

    def test_a_history_without_gpus_falls_back(self, world: World) -> None:
        world.wandb.add("team", "proj", ran("a", history_rows=rows({"loss": 1}), system_rows=g1()))
        lines = told(world, "gpu", *PROJ)
        assert lines[3:7] == [
            RULE,
            "Note: the training history has no GPU metrics: these are of the system stream",
            "",
            "Detected 2 active GPUs",
        ]

    def test_a_history_that_tells_of_all_gpus_together(self, world: World) -> None:
        logged = rows({"gpu/compute_util_avg": 72.5, "gpu/memory_used_total_gb": 33.4})
        world.wandb.add("team", "proj", ran("a", history_rows=logged))
        lines = told(world, "gpu", *PROJ)
        assert lines[4] == "Note: the training logged all GPUs together: --system may tell of each by itself"
        assert {"ALL GPUs (mean, as the training logged it):", "TOTAL ACROSS ALL GPUs:"} < set(lines)

    def test_a_history_of_which_the_service_picks_rows(self, world: World) -> None:
        """What is shown is a part, and says so."""
        logged = rows(*({"gpu/0/power": 200 + number % 7} for number in range(700)))
        world.wandb.add("team", "proj", ran("a", history_rows=logged))
        found = json.loads("\n".join(told(world, "gpu", *PROJ, "--format", "json")))
        (note,) = found["notes"]
        assert note == f"sampled: {found['rows_read']} of 700 rows came, so that peaks may be higher"
        assert found["rows_read"] < found["rows_total"] == 700

    def test_neither_has_any(self, world: World) -> None:
        """What to do is said where people look, and a program's input stays empty."""
        world.wandb.add("team", "proj", ran("a", history_rows=rows({"loss": 1})))
        done = ended(world, "gpu", *PROJ, code=1)
        assert done.stderr == ""
        assert done.stdout.startswith("Run: name of a (a)\n")
        assert done.stdout.endswith(f"{RULE}\n\n{MISSING}")
        for form in ("csv", "json"):
            done = ended(world, "gpu", *PROJ, "--format", form, "--plot", "a.png", code=1)
            assert (done.stdout, done.stderr) == ("", MISSING)
        assert not (world.folder / "a.png").exists()

    def test_only_the_system_stream_was_asked(self, world: World) -> None:
        world.wandb.add("team", "proj", ran("a", history_rows=rows({"gpu/0/power": 5})))
        lines = told(world, "gpu", *PROJ, "--system", code=1)
        assert lines[4] == "Note: only the system stream was asked: without --system both are"

    def test_formats(self, world: World) -> None:
        world.wandb.add("team", "proj", ran("a", 0), ran("b", 1, display_name="name of a", system_rows=g1()))
        flags = ("gpu", *PROJ, "--run-name", "name of a", "--system", "--format")
        done = ended(world, *flags, "json")
        found = json.loads(done.stdout)
        assert (found["run"]["id"], found["run"]["project"], found["stream"]) == ("b", "team/proj", "system")
        assert found["notes"] == ["2 runs have this name: the newest is shown"]
        assert found["total"]["memory_gb"]["maximum"] == 14
        assert done.stderr == ""
        done = ended(world, *flags, "csv")
        assert [row["gpu"] for row in csv.DictReader(io.StringIO(done.stdout))] == ["0", "1", "total"]
        assert done.stderr == "Note: 2 runs have this name: the newest is shown\n"

    @pytest.mark.parametrize("form", ["png", "svg"])
    def test_a_picture(self, world: World, form: str) -> None:
        world.wandb.add("team", "proj", ran("a", display_name="실험 1", system_rows=g1()))
        done = ended(world, "gpu", *PROJ, "--format", "csv", "--plot", f"gpu.{form}")
        assert done.stdout.startswith("gpu,metric,")
        assert done.stderr.splitlines()[-1] == f"the picture is in gpu.{form}"
        content = (world.folder / f"gpu.{form}").read_bytes()
        assert content.startswith(b"\x89PNG") if form == "png" else "실험 1 (a)" in content.decode()

    def test_a_picture_of_another_kind(self, world: World) -> None:
        """Is refused before anybody is asked for anything."""
        lines = told(world, "gpu", *PROJ, "--plot", "gpu.pdf", code=2)
        assert lines[-1].endswith("a picture's name ends in .png or .svg, and 'gpu.pdf' does not")
        assert not world.wandb.requests

    def test_a_picture_that_cannot_be_written(self, world: World) -> None:
        world.wandb.add("team", "proj", ran("a", system_rows=g1()))
        done = ended(world, "gpu", *PROJ, "--plot", "nowhere/gpu.png", code=2)
        assert "TOTAL ACROSS ALL 2 GPUs:" in done.stdout
        assert "--plot: cannot write nowhere/gpu.png: No such file or directory" in done.stderr

    def test_without_matplotlib(self, world: World) -> None:
        world.wandb.add("team", "proj", ran("a", system_rows=g1()))
        (world.folder / "hidden" / "matplotlib").mkdir(parents=True)
        hidden = "raise ModuleNotFoundError(\"No module named 'matplotlib'\", name='matplotlib')"
        (world.folder / "hidden" / "matplotlib" / "__init__.py").write_text(hidden)
        path = os.pathsep.join(filter(None, [str(world.folder / "hidden"), os.environ.get("PYTHONPATH")]))
        done = world.run("gpu", *PROJ, "--plot", "a.png", PYTHONPATH=path)
        assert done.returncode == 2
        assert "a picture needs the package matplotlib: pip install matplotlib" in done.stderr


class TestWhichRun:
    def test_g4_the_newest(self, world: World) -> None:
        world.wandb.add("team", "proj", ran("b", 5), ran("c", 9), ran("a", 1))
        assert told(world, "keys", *PROJ)[0] == "Run: name of c (c)"

    def test_g4_the_newest_of_one_name(self, world: World) -> None:
        world.wandb.add(
            "team", "proj", *(ran(name, days, display_name="twin") for days, name in enumerate("ab"))
        )
        world.wandb.add("team", "proj", ran("c", 9))
        lines = told(world, "keys", *PROJ, "--run_name", "twin")
        assert lines[0] == "Run: twin (b)"
        assert lines[3:6] == [RULE, "Note: 2 runs have this name: the newest is shown", ""]

    def test_an_id_wins_over_a_name(self, world: World) -> None:
        world.wandb.add("team", "proj", ran("a", 1), ran("b", 5))
        lines = told(world, "gpu", *PROJ, "--run-id", "a", "--run-name", "name of b", code=1)
        assert lines[0] == "Run: name of a (a)"

    @pytest.mark.parametrize(
        ("flags", "text"),
        [
            ((), "No runs found in project: team/proj"),
            (("--run_id", "x"), "No run found with id: x (in team/proj)"),
            (("--run_name", "x"), "No run found with name: x (in team/proj)"),
        ],
    )
    @pytest.mark.parametrize("command", ["keys", "gpu"])
    def test_there_is_none(self, world: World, command: str, flags: tuple[str, ...], text: str) -> None:
        world.wandb.project("team", "proj")
        if flags:
            world.wandb.add("team", "proj", ran("a"))
        lines = told(world, command, *PROJ, *flags, code=1)
        assert [line.endswith(text) for line in lines] == [True]

    def test_a_source_without_rows(self, world: World) -> None:
        """An export holds last values only: that is a matter of the command line."""
        (world.folder / "runs.csv").write_text("Name,ID,loss\na,a,1\n")
        lines = told(world, "keys", "--source", "export:runs.csv", code=2)
        assert lines[-1].endswith("does not hold what runs logged, only their last values")


class TestKeys:
    def test_g6(self, world: World) -> None:
        """87 keys, 8 of them of GPUs; what the client adds to each row is none."""
        history = {f"metric_{number:02d}": number for number in range(70)}
        history |= {"gpu/compute_util_avg": 1, "gpu/memory_util_avg": 2}
        stream = {key: 1 for gpu in range(2) for key in system(gpu, gpu=1, memory=1, temp=1)}
        stream |= {f"system.cpu.{core}.cpu_percent": 1 for core in range(9)}
        world.wandb.add("team", "proj", ran("a", history_rows=rows(history), system_rows=rows(stream)))
        done = ended(world, "keys", *PROJ)
        assert done.stderr == ""
        lines = done.stdout.splitlines()
        assert lines[4:10] == [
            "",
            "Total unique keys: 87",
            "GPU: 8 · system: 9 · training: 70",
            "",
            "GPU-related keys:",
            "  - gpu/compute_util_avg",
        ]
        assert lines[-2:] == ["  - metric_29", "  ... and 40 more"]
        assert told(world, "keys", *PROJ, "--all")[-1] == "  - metric_69"
        found = json.loads(ended(world, "keys", *PROJ, "--format", "json").stdout)
        assert {key["key"]: key["rows"] for key in found["keys"]}["metric_00"] == 1
        assert len(ended(world, "keys", *PROJ, "--format", "csv").stdout.splitlines()) == 88

    def test_a_run_that_logged_nothing(self, world: World) -> None:
        world.wandb.add("team", "proj", ran("a"))
        assert told(world, "keys", *PROJ)[5:] == ["Total unique keys: 0", "This run has logged nothing."]


class TestTrackio:
    @pytest.fixture
    def told(self, world: World) -> Any:
        """The command on a folder of Trackio's, by its flags."""
        project = Project(world.folder / "trackio")
        project.config("old", {"lr": 0.1}, hours=-5)
        project.log("old", -5)
        project.config("a", {"lr": 0.1})
        project.log("a", 0.0, {"loss": 1.0})
        for hours, gib, watts in ((0.0, 10, 200), (0.1, 9, "NaN"), (0.2, 8, 400)):
            values = {"allocated_memory": gib, "memory_usage": gib / 20, "power": watts, "temp": 60}
            values |= {"memory_utilization": 37, "utilization": 80, "total_memory": 20}
            project.system("a", hours, {f"gpu/0/{key}": value for key, value in values.items()})
        return partial(told, world)

    def test_gpu(self, told: Any) -> None:
        """Trackio has no addresses, and writes what is no number as a text."""
        assert told("gpu", "--source", "trackio:trackio", "--project", "proj") == [
            "Run: name of a (a)",
            "State: finished",
            RULE,
            "Note: the training history has no GPU metrics: these are of the system stream",
            "",
            "Detected 1 active GPU",
            "",
            "GPU 0:",
            "  Memory Allocated:",
            "    Current:  8.00 GB (40.0%)",
            "    Average:  9.00 GB (45.0%)",
            "    Maximum:  10.00 GB (50.0%)",
            "  GPU Utilization:",
            "    Current:  80.0%",
            "    Average:  80.0%",
            "    Maximum:  80.0%",
            "  Power:",
            "    Current:  400.0 W",
            "    Average:  300.0 W",
            "    Maximum:  400.0 W",
            "  Temperature:",
            "    Current:  60°C",
            "    Average:  60°C",
            "    Maximum:  60°C",
            "  Memory Utilization:",
            "    Current:  37.0%",
            "    Average:  37.0%",
            "    Maximum:  37.0%",
            "",
            "TOTAL ACROSS 1 GPU:",
            "  Current Total Memory:  8.0 GB",
            "  Average Total Memory:  9.0 GB",
            "  Maximum Total Memory:  10.0 GB",
        ]

    def test_keys(self, told: Any) -> None:
        lines = told("keys", "--source", "trackio:trackio", "--project", "proj", "--run-name", "name of a")
        assert lines[4:6] == ["Total unique keys: 8", "GPU: 7 · system: 0 · training: 1"]
        assert lines[-2:] == ["Training metrics keys:", "  - loss"]


class TestFolders:
    def test_gpu(self, world: World) -> None:
        """The file that W&B's client writes in offline mode."""
        place = world.folder / "wandb" / "offline-run-20260110_000000-abc"
        place.mkdir(parents=True)
        first = Record()
        first.run.run_id, first.run.project, first.run.display_name = "abc", "vision", "début"
        first.run.start_time.seconds = int(START.timestamp())
        records = [first]
        for number, gib in enumerate((10, 9, 8)):
            record = Record()
            record.stats.timestamp.seconds = int(START.timestamp()) + 15 * number
            for key, value in ((f"gpu.0.{BYTES}", gib * GIB), ("gpu.0.memory", 37)):
                item = record.stats.item.add()
                item.key, item.value_json = key, json.dumps(value)
            records.append(record)
        (place / "run-abc.wandb").write_bytes(framed(record.SerializeToString() for record in records))
        lines = told(world, "gpu", "--system", "--source", "folders", "--plot", "a.svg")
        assert lines[0] == "Run: début (abc)"
        assert {"Detected 1 active GPU", "    Average:  9.00 GB", "TOTAL ACROSS 1 GPU:"} < set(lines)
        assert "    Current:  37.0%" in lines
        assert "début (abc)" in (world.folder / "a.svg").read_text()

    def test_keys(self, world: World, offline_directory: Path) -> None:
        """Of a real run, which was made on a machine without GPUs."""
        source = ("--source", f"folders:{offline_directory}")
        lines = told(world, "keys", *source, "--run-id", "res00001")
        assert lines[0].endswith("(res00001)")
        training = lines[lines.index("Training metrics keys:") :]
        assert training == ["Training metrics keys:", "  - loss", "  - only0", "  - only1"]
        assert told(world, "gpu", *source, "--run-id", "res00001", code=1)[-1] == MISSING.splitlines()[-1]
