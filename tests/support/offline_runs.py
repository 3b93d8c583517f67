"""Real W&B runs, made with the real client in offline mode, and a writer of the log's framing.

    offline_runs(tmp) -> Path     a directory with the run folders described in RUNS; made once per `tmp`
    offline_directory             the same as a pytest fixture, once per session (import it to use it)
    framed(records) -> bytes      a `.wandb` file that holds these raw records

The processes run without WANDB_ variables of ours (WANDB_SERVICE would make them share, and lose, our
wandb-core), with an empty home, and talk to nobody.
"""

import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterable
from pathlib import Path

import pytest

RUNS = {
    "fin00001": "finished: config of all kinds, NaN, metrics with a worked-out summary, tags, group",
    "exc00001": "failed: an exception ended it",
    "int00001": "failed: Ctrl-C, exit code 255",
    "kil00001": "killed by SIGKILL: no exit record, the file ends anywhere",
    "res00001": "resumed: two folders, lr changed, one value each that the other lacks",
    "oth00001": "finished, in project `speech`, in outputs/2026-01-01/wandb",
}
"""Run ids, and what happened to them. All but the last are in project `vision`, below `train/wandb`."""

_LOGGED = """
import math, wandb
run = wandb.init(project="vision", dir="train", id="fin00001", name="début ✓", tags=["baseline", "größe"],
    group="grid", job_type="train", notes="two\\nlines", config={
        "lr": 1e-05, "layers": [64, 32], "opt": {"name": "adam", "betas": [0.9, 0.999]}, "名前": "テスト",
        "none": None, "big": 2**60, "formula": "=1+1", "tiny_text": "1e-05", "on": True, "empty": {}})
run.define_metric("best", summary="min")
run.define_metric("group/*", summary="max")
run.define_metric("hidden", summary="none")
for step, value in enumerate([3.0, 1.0, 2.0]):
    run.log({"loss": value, "best": value, "group/acc": value, "hidden": value, "a.b": value, "nan": math.nan,
        "nest": {"deep": {"er": value}}, "hist": wandb.Histogram(np_histogram=([1, 2], [0, 1, 2]))})
run.summary["loss"] = 99
run.summary["own"] = {"k": [1, 2]}
run.summary["gone"] = 1
del run.summary["gone"]
run.config["late"] = {"value": 5, "unit": "s"}
run.config.update({"on": False}, allow_val_change=True)
run.finish()
for part in range(2):
    run = wandb.init(project="vision", dir="train", id="res00001", resume="allow",
        config={"lr": 0.1 / (part + 1), f"part{part}": part})
    run.log({"loss": 10.0 - part, f"only{part}": part})
    run.finish()
run = wandb.init(project="speech", dir="outputs/2026-01-01", id="oth00001", config={"lr": 1.0})
run.finish()
"""

_FAILED = """
import wandb
run = wandb.init(project="vision", dir="train", id="exc00001", config={"lr": 0.5})
run.log({"loss": 4.0})
raise RuntimeError("on purpose")
"""

_INTERRUPTED = _FAILED.replace("exc00001", "int00001").replace(
    'RuntimeError("on purpose")', "KeyboardInterrupt"
)

_KILLED = """
import os, pathlib, signal, wandb
run = wandb.init(project="vision", dir="train", id="kil00001", config={"lr": 0.25})
log = next(pathlib.Path("train/wandb").glob("*kil00001/*.wandb"))
step = 0
while log.stat().st_size < 2 * 32768:  # the client writes whole blocks of 32 KiB
    run.log({"loss": float(step), "text": "x" * 2000})
    step += 1
os.killpg(0, signal.SIGKILL)
"""


def offline_runs(tmp: Path) -> Path:
    """A directory with the run folders of RUNS. Made on the first call for `tmp`, about 4 seconds."""
    made = tmp / "made"
    if not made.exists():
        (tmp / "home").mkdir(parents=True)
        (tmp / "tmp").mkdir()
        for place in ("train", "outputs/2026-01-01"):
            (tmp / "runs" / place).mkdir(parents=True)
        for script, ends in ((_LOGGED, 0), (_FAILED, 1), (_INTERRUPTED, None), (_KILLED, -9)):
            _python(script, tmp, ends)
        _tear(tmp / "runs")
        made.touch()
    return tmp / "runs"


@pytest.fixture(scope="session")
def offline_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return offline_runs(tmp_path_factory.getbasetemp() / "offline-runs")


def _tear(runs: Path) -> None:
    """On a slow machine the killed run's file may end between two records by chance: never here."""
    (log,) = runs.rglob("run-kil00001.wandb")
    os.truncate(log, log.stat().st_size - 10)


def _python(script: str, tmp: Path, ends: int | None) -> None:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("WANDB")}
    ours = {"WANDB_MODE": "offline", "WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp / "runs",
        env=inherited | ours | {"HOME": str(tmp / "home"), "TMPDIR": str(tmp / "tmp")},
        capture_output=True,
        text=True,
        timeout=120,
        start_new_session=True,
        check=False,
    )
    assert ends is None or done.returncode == ends, done.stderr


def framed(records: Iterable[bytes]) -> bytes:
    """A `.wandb` file with these records, as W&B's client writes it."""
    block, head = 32_768, 7
    data = bytearray(b":W&B\xe1\xbe\x00")
    for record in records:
        first, rest = True, record
        while first or rest:
            room = block - len(data) % block
            if room < head:
                data += bytes(room)
                continue
            body, rest = rest[: room - head], rest[room - head :]
            kind = {(True, True): 1, (True, False): 2, (False, False): 3, (False, True): 4}[first, not rest]
            data += struct.pack("<IHB", zlib.crc32(bytes([kind]) + body), len(body), kind) + body
            first = False
    return bytes(data)
