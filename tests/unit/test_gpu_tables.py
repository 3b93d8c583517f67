"""How a run used its GPUs, as the documented scripts write it, line by line; and for programs."""

import csv
import io
import json
from collections.abc import Mapping
from typing import Any

import pytest

from runsheet.model import Sample
from runsheet.reports import gpu_tables
from runsheet.reports.gpu_metrics import GIB, MIB, GpuUse, measure
from runsheet.reports.writing import width
from runsheet.sources.base import Stream
from tests.support.builders import run

RUN = run("v2h4vzbc", name="gpt2_state_50", url="https://wandb.ai/team/proj/runs/v2h4vzbc")


def used(*rows: Mapping[str, Any]) -> GpuUse:
    return measure(Sample(1e9 + 15 * place, row) for place, row in enumerate(rows))


def shown(use: GpuUse, stream: Stream) -> list[str]:
    """The lines below the heading."""
    lines = gpu_tables.text(RUN, use, stream).splitlines()
    assert lines[:5] == [
        "Run: gpt2_state_50 (v2h4vzbc)",
        "State: finished",
        "URL: https://wandb.ai/team/proj/runs/v2h4vzbc",
        "-" * 80,
        "",
    ]
    return lines[5:]


def logged(gpu: int, mib: float, percent: float, busy: float) -> dict[str, float]:
    """A row of a training that logs each GPU."""
    values = {"memory_used_mb": mib, "memory_percent": percent, "compute_util": busy}
    return {f"gpu/{gpu}/{key}": value for key, value in values.items()}


def measured(
    number: int, gib: float, percent: float, busy: float, watts: float, temp: float
) -> dict[str, float]:
    """A row of the system stream."""
    values = {
        "memoryAllocatedBytes": gib * GIB,
        "memoryAllocated": percent,
        "gpu": busy,
        "powerWatts": watts,
        "temp": temp,
    }
    return {f"system.gpu.{number}.{key}": value for key, value in values.items()}


def test_the_history_of_four_gpus() -> None:
    """The numbers of the documented sample, where they are right: 8678.1 MB are 8.47 GB."""
    rows = [(8678.1, 36.2, 94.3), (7482.2, 31.1, 45.0), (8543.2, 35.6, 78.2)]
    use = used(
        *({key: value for gpu in range(4) for key, value in logged(gpu, *row).items()} for row in rows)
    )
    lines = shown(use, Stream.HISTORY)
    assert lines[:13] == [
        "GPU 0:",
        "  Memory Used:",
        "    Current:  8543.2 MB (8.34 GB)",
        "    Average:  8234.5 MB (8.04 GB)",
        "    Maximum:  8678.1 MB (8.47 GB)",
        "  Memory Allocated (%):",
        "    Current:  35.6%",
        "    Average:  34.3%",
        "    Maximum:  36.2%",
        "  GPU Utilization (%):",
        "    Current:  78.2%",
        "    Average:  72.5%",
        "    Maximum:  94.3%",
    ]
    assert [line for line in lines if line.startswith("GPU ")] == ["GPU 0:", "GPU 1:", "GPU 2:", "GPU 3:"]
    assert lines[-5:] == [
        "",
        "TOTAL ACROSS ALL 4 GPUs:",
        "  Current Total Memory:  33.4 GB",
        "  Average Total Memory:  32.2 GB",
        "  Maximum Total Memory:  33.9 GB",
    ]


def test_the_system_stream_of_four_gpus() -> None:
    rows = [(8.48, 35.3, 94.3, 265.0, 76), (7.3, 30.5, 45.0, 205.8, 56), (8.34, 34.7, 78.2, 245.3, 72)]
    use = used(
        *({key: value for gpu in range(4) for key, value in measured(gpu, *row).items()} for row in rows)
    )
    lines = shown(use, Stream.SYSTEM)
    assert lines[:19] == [
        "Detected 4 active GPUs",
        "",
        "GPU 0:",
        "  Memory Allocated:",
        "    Current:  8.34 GB (34.7%)",
        "    Average:  8.04 GB (33.5%)",
        "    Maximum:  8.48 GB (35.3%)",
        "  GPU Utilization:",
        "    Current:  78.2%",
        "    Average:  72.5%",
        "    Maximum:  94.3%",
        "  Power:",
        "    Current:  245.3 W",
        "    Average:  238.7 W",
        "    Maximum:  265.0 W",
        "  Temperature:",
        "    Current:  72°C",
        "    Average:  68°C",
        "    Maximum:  76°C",
    ]
    assert lines[19:21] == ["", "GPU 1:"]
    assert lines[-5:] == [
        "",
        "TOTAL ACROSS ALL 4 GPUs:",
        "  Current Total Memory:  33.4 GB",
        "  Average Total Memory:  32.2 GB",
        "  Maximum Total Memory:  33.9 GB",
    ]


def test_one_gpu() -> None:
    lines = shown(used(measured(0, 8, 33, 50, 100, 60)), Stream.SYSTEM)
    assert lines[0] == "Detected 1 active GPU"
    assert lines[-4] == "TOTAL ACROSS 1 GPU:"


def test_what_was_measured_beyond_the_sample_follows() -> None:
    history = shown(used({"gpu/0/memory_util": 37, "gpu/0/power": 99.95, "gpu/0/temp": 61.5}), Stream.HISTORY)
    system = shown(used({"system.gpu.0.memory": 37, "system.gpu.0.temp": 61}), Stream.SYSTEM)
    assert history == [
        "GPU 0:",
        *figures("Memory Utilization (%)", "37.0%"),
        *figures("Power (W)", "100.0 W"),
        *figures("Temperature (°C)", "62°C"),
    ]
    assert system[2:] == ["GPU 0:", *figures("Temperature", "61°C"), *figures("Memory Utilization", "37.0%")]


def figures(title: str, value: str) -> list[str]:
    """The lines of what did not change."""
    return [f"  {title}:", *(f"    {kind}:  {value}" for kind in ("Current", "Average", "Maximum"))]


@pytest.mark.parametrize(
    ("row", "value"),
    [
        ({"memoryAllocated": 34.7}, "34.7%"),
        ({"memoryAllocatedBytes": 8.34 * GIB}, "8.34 GB"),
        ({"memoryAllocated": 34.7, "memoryAllocatedBytes": 8.34 * GIB}, "8.34 GB (34.7%)"),
    ],
    ids=["percent", "bytes", "both"],
)
def test_memory_as_far_as_it_is_known(row: Mapping[str, float], value: str) -> None:
    """And no total where the bytes are not."""
    lines = shown(used({f"system.gpu.0.{key}": number for key, number in row.items()}), Stream.SYSTEM)
    assert lines[2:7] == ["GPU 0:", *figures("Memory Allocated", value)]
    assert any("TOTAL" in line for line in lines) == ("GB" in value)


def test_all_gpus_together_as_a_training_logs_them() -> None:
    row = {
        "gpu/compute_util_avg": 72.5,
        "gpu/memory_util_avg": 40,
        "gpu/memory_used_avg_gb": 8.04,
        "gpu/memory_used_total_gb": 32.16,
    }
    assert shown(used(row), Stream.HISTORY) == [
        "ALL GPUs (mean, as the training logged it):",
        *figures("Memory Used", "8233.0 MB (8.04 GB)"),
        *figures("GPU Utilization (%)", "72.5%"),
        *figures("Memory Utilization (%)", "40.0%"),
        "",
        "TOTAL ACROSS ALL GPUs:",
        "  Current Total Memory:  32.2 GB",
        "  Average Total Memory:  32.2 GB",
        "  Maximum Total Memory:  32.2 GB",
    ]


def test_a_mean_tells_what_no_gpu_does() -> None:
    row = logged(0, 1024, 10, 50) | {"gpu/compute_util_avg": 55, "gpu/memory_util_avg": 40}
    lines = shown(used(row), Stream.HISTORY)
    place = lines.index("ALL GPUs (mean, as the training logged it):")
    assert lines[place + 1 : place + 5] == figures("Memory Utilization (%)", "40.0%")
    assert "    Current:  55.0%" not in lines


def test_nothing_known() -> None:
    """The documented text, and the package's new name."""
    lines = shown(used({"loss": 1}), Stream.SYSTEM)
    assert lines == [
        "No GPU metrics found in this run",
        "",
        "Check that GPU monitoring was enabled during training. Ensure",
        "pynvml is installed:",
        "",
        "    pip install pynvml",
        "",
        "GPU metrics are logged automatically if pynvml is available and GPUs",
        "are detected.",
        "",
        "The maintained package of the module pynvml is nvidia-ml-py:",
        "",
        "    pip install nvidia-ml-py",
    ]


def test_notes_fit_on_a_terminal() -> None:
    notes = ["2 runs have this name: the newest is shown", "word " * 30]
    lines = gpu_tables.text(run(1), used(measured(0, 8, 33, 50, 100, 60)), Stream.SYSTEM, notes).splitlines()
    assert lines[2:4] == ["-" * 80, "Note: 2 runs have this name: the newest is shown"]
    assert lines[4].startswith("Note: word")
    assert lines[5].startswith("      word")
    assert lines[6] == ""
    assert max(map(width, lines)) <= 80


def rows_of(text: str) -> list[dict[str, str]]:
    return [*csv.DictReader(io.StringIO(text))]


def test_csv_has_a_row_for_each_gpu_and_quantity() -> None:
    use = used(measured(0, 8, 33, 50, 100, 60), measured(0, 10, 33, 50, 100, 60) | measured(1, 4, 9, 9, 9, 9))
    rows = rows_of(gpu_tables.csv_text(use))
    assert [(row["gpu"], row["metric"], row["unit"]) for row in rows] == [
        *(
            (gpu, metric, unit)
            for gpu in "01"
            for metric, unit in (
                ("memory", "GB"),
                ("memory_percent", "%"),
                ("utilization", "%"),
                ("power", "W"),
                ("temperature", "°C"),
            )
        ),
        ("total", "memory", "GB"),
    ]
    first = rows[0]
    assert [first[key] for key in ("current", "average", "maximum", "minimum", "samples")] == [
        "10.0",
        "9.0",
        "10.0",
        "8.0",
        "2",
    ]
    assert rows[-1]["current"] == "14.0"


def test_csv_of_means() -> None:
    rows = rows_of(gpu_tables.csv_text(used({"gpu/compute_util_avg": 50, "gpu/memory_used_total_gb": 8})))
    assert [(row["gpu"], row["metric"], row["current"]) for row in rows] == [
        ("mean", "utilization", "50.0"),
        ("total", "memory", "8.0"),
    ]


def test_json_names_units() -> None:
    use = used(measured(0, 8, 33, 50, 100, 60) | {"system.gpu.0.memory": 37, "gpu/compute_util_avg": 50})
    found = json.loads(gpu_tables.json_text(RUN, use, Stream.SYSTEM, ["a note"], rows=(500, 9000)))
    (gpu,) = found["gpus"]
    one = {"current": 8.0, "average": 8.0, "maximum": 8.0, "minimum": 8.0, "samples": 1}
    assert gpu["gpu"] == "0"
    assert gpu["memory_gb"] == one
    assert {key: gpu[key]["average"] for key in gpu if key not in ("gpu", "memory_gb")} == {
        "memory_percent": 33,
        "utilization_percent": 50,
        "memory_utilization_percent": 37,
        "power_w": 100,
        "temperature_c": 60,
    }
    assert found["total"] == {"memory_gb": one}
    assert found["mean"]["utilization_percent"]["average"] == 50
    assert (found["run"]["id"], found["stream"], found["notes"]) == ("v2h4vzbc", "system", ["a note"])
    assert (found["rows_read"], found["rows_total"]) == (500, 9000)


def test_json_of_what_is_not_known_is_null() -> None:
    found = json.loads(gpu_tables.json_text(RUN, used({"gpu/0/power": 5}), Stream.HISTORY))
    assert (found["total"], found["mean"], found["rows_total"]) == (None, None, None)


def test_megabytes_are_of_the_same_kind_as_gigabytes() -> None:
    assert GIB == 1024 * MIB
