"""`runsheet gpu-hours` beside the script that it takes the place of, which reads each run for itself."""

import io
import os
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime

from benchmarks.bench import Bench, Result, note
from benchmarks.remote import Remote, remote
from benchmarks.servers import ENTITY
from benchmarks.worker import Took, took

SIZES = (2_000, 10_000)
PAGE = 1000
KEY = "dist/world_size"
TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Counted:
    """How long it took, and how many runs were counted."""

    took: Took
    runs: int


class Ours:
    """The command, in a process that has imported what it needs."""

    def __init__(self, env: Mapping[str, str], folder: str) -> None:
        _enter(env, folder)

    def count(self, project: str) -> Counted:
        from runsheet.cli import gpu_hours

        out = io.StringIO()
        args = ["--entity", ENTITY, "--project", project]
        with redirect_stdout(out):
            time = took(lambda: gpu_hours.gpu_hours_command.main(args, standalone_mode=False))
        (line,) = [line for line in out.getvalue().splitlines() if line.startswith("num_runs:")]
        return Counted(time, int(line.partition(":")[2]))


class Original:
    """The way of the original: the client's listing by its defaults, which loads each run for its config."""

    def __init__(self, env: Mapping[str, str], folder: str) -> None:
        _enter(env, folder)

    def count(self, project: str) -> Counted:
        hours: list[float] = []
        time = took(lambda: hours.extend(self._hours(project)))
        return Counted(time, len(hours))

    def _hours(self, project: str) -> Iterator[float]:
        import wandb

        now = datetime.now(UTC).replace(tzinfo=None)
        for run in wandb.Api().runs(f"{ENTITY}/{project}"):
            start, end = (datetime.strptime(time, TIME) for time in (run.created_at, run.heartbeatAt))
            if run.state != "running" or (now - end).days >= 1:
                yield run.config.get(KEY, 0) * (end - start).total_seconds() / 3600


def _enter(env: Mapping[str, str], folder: str) -> None:
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)


def results(bench: Bench) -> Iterator[Result]:
    folder = bench.path("gpu-hours")
    folder.mkdir()
    env = bench.env(bench.warm)
    with remote(Ours, env, str(folder)) as ours, remote(Original, env, str(folder)) as original:
        for each in (ours, original):
            each.it.count(bench.warm.project)
        for size in (size for size in SIZES if size <= max(bench.largest, SIZES[0])):
            note(f"GPU-hours of {size:,} runs")
            yield _compared(size, _counted(bench, size, ours), _counted(bench, size, original))


def _counted(bench: Bench, size: int, way: "Remote[Ours] | Remote[Original]") -> tuple[Took, int]:
    """Time and requests. Raises ValueError when runs are missing."""
    project = bench.project(size)
    bench.wandb.take()
    counted: Counted = way.it.count(project)
    if counted.runs != size:
        raise ValueError(f"{counted.runs:,} of {size:,} runs were counted")
    return counted.took, bench.wandb.take().requests


def _compared(size: int, ours: tuple[Took, int], original: tuple[Took, int]) -> Result:
    most = -(-size // PAGE) + 2
    ratio = ours[0].seconds / original[0].seconds
    return Result(
        f"GPU-hours of {size:,} runs",
        f"{ours[1]} requests, {ours[0]}; the original {original[1]:,}, {original[0]}",
        f"at most 0.5x the original's time, {most} requests",
        f"{ratio:.2f}x",
        ratio <= 0.5 and ours[1] <= most,
    )
