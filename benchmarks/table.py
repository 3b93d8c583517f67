"""The report: a table of 100 columns, the machine, and the hot spots of planning."""

import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.bench import Result

WIDTH = 100
MET = {True: "met", False: "MISSED", None: "–"}


def machine() -> str:
    """Processor, cores, memory, Python."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return (
        f"{_processor()}, {os.cpu_count()} cores, {memory / 2**30:.0f} GB, {platform.system()}, "
        f"Python {platform.python_version()}"
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def show(results: Sequence[Result], remarks: Sequence[str], load: float, seconds: float) -> None:
    """Print everything to stdout. `load`: how busy the machine was before."""
    found = Table(box=box.SIMPLE_HEAD, width=WIDTH, pad_edge=False, padding=(0, 1, 0, 0))
    for title, width in (("what", 28), ("measured", 30), ("must be", 19), ("ratio", 6), ("", 6)):
        found.add_column(title, width=width)
    for result in results:
        found.add_row(result.what, result.measured, result.must, result.ratio, MET[result.met])
    console = Console(width=WIDTH, color_system=None, highlight=False, markup=False)
    with console.capture() as printed:
        console.print(found)
    missed = sum(result.met is False for result in results)
    lines = [machine(), f"load before: {load:.1f}", *(line.rstrip() for line in printed.get().splitlines())]
    lines.append(f"{len(results)} lines, {missed} missed, in {seconds / 60:.1f} minutes")
    sys.stdout.write("\n".join(lines) + "\n" + "".join(f"\n{remark}\n" for remark in remarks))
