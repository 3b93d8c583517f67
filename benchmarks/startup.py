"""What `--help` costs: CPU time, and the modules that it loads."""

import os
import re
import resource
import subprocess
import sys
from collections.abc import Iterator

from benchmarks.bench import Bench, Result

RUNS = 5
LIMIT = 0.3
HEAVY = ("wandb", "gspread", "openpyxl", "flyte")
COMMAND = ("-c", "from runsheet.cli import main; main()")


def results(bench: Bench) -> Iterator[Result]:
    floor = _cpu("-c", "pass")
    for args in (("--help",), ("gpu-hours", "--help")):
        what = f"runsheet {' '.join(args)}"
        must = f"under {LIMIT} s of CPU; without {', '.join(HEAVY)}"
        done = _run("-X", "importtime", *COMMAND, *args)
        if "No such command" in done.stderr:
            yield Result(what, "not built yet", must)
            continue
        done.check_returncode()
        modules = set(re.findall(r"^import time:.*\|\s*([\w.]+)$", done.stderr, flags=re.M))
        heavy = [name for name in HEAVY if name in modules]
        seconds = _cpu(*COMMAND, *args)
        yield Result(
            what,
            f"{seconds:.2f} s (Python alone {floor:.2f} s), {len(modules)} modules, "
            f"of these {', '.join(heavy) or 'none'}",
            must,
            f"{seconds / floor:.1f}x",
            seconds < LIMIT and not heavy,
        )


def _run(*args: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, *args], capture_output=True, text=True, env=_env())


def _env() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def _cpu(*args: str) -> float:
    """The least CPU time of several runs, in seconds."""

    def spent() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    found: list[float] = []
    for _ in range(RUNS):
        before = spent()
        _run(*args)
        found.append(spent() - before)
    return min(found)
