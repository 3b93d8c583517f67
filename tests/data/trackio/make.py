"""Write the files of this folder anew, with the real package: `python make.py DIR` (trackio==0.43.0).

DIR/trackio is then a folder as Trackio leaves it: a project `vision` in a database, with two runs named
"a" and one that was resumed, and rows of `vision` and of `audio` in the inbox that no dashboard has imported.
"""

import gzip
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def database() -> None:
    """The runs in the database."""
    import trackio

    config = {"lr": 0.001, "model": {"depth": 4, "act": "gelu"}, "tags": ["baseline", "한글"]}
    trackio.init("vision", name="a", group="first", config=config, **QUIET)
    for step in range(3):
        trackio.log(
            {"train/loss": 1.0 / (step + 1), "acc": float("nan"), "step_time": float("inf")}, step=step
        )
    trackio.log({"train/loss": 0.25, "nested": {"top1": 0.5}}, step=3)
    for used in (7.5, 8.5):
        trackio.log_system({f"gpu/{index}/{key}": used for index in range(2) for key in ("power", "temp")})
    trackio.log_system({"cpu/utilization": 12.0})
    trackio.finish()

    trackio.init("vision", name="a", config={"lr": 0.01}, **QUIET)
    trackio.log({"train/loss": 2.0})
    trackio.finish()

    trackio.init("vision", name="again", config={"part": 1}, **QUIET)
    trackio.log({"train/loss": 3.0, "early": 1})
    trackio.finish()
    trackio.init("vision", name="again", config={"part": 2}, resume="must", **QUIET)
    trackio.log({"train/loss": 1.5})
    trackio.finish()


def inbox() -> None:
    """The rows that are in the inbox only."""
    import trackio

    trackio.init("vision", name="far", group="second", config={"lr": 0.1}, **QUIET)
    trackio.log({"train/loss": 0.75}, step=0)
    trackio.log({"train/loss": 0.5, "acc": float("-inf")}, step=1)
    trackio.log_system({f"gpu/{index}/power": 90.0 for index in range(4)})
    trackio.finish()
    trackio.init("au.dio", name="only", config={}, **QUIET)
    trackio.log({"wer": 0.2})
    trackio.finish()


QUIET = {"auto_log_gpu": False, "auto_log_cpu": False, "embed": False}
PARTS = {"sqlite": database, "jsonl": inbox}


def write(part: str) -> None:
    """One part, with a user name that is nobody's."""
    import trackio.run

    trackio.run._get_default_namespace = lambda: "kim"
    PARTS[part]()


def make(folder: Path) -> Path:
    """The folder that Trackio has written. Each part has a process of its own, as training has."""
    place = folder / "trackio"
    for part in PARTS:
        environ = {
            **os.environ,
            "TRACKIO_DIR": str(place),
            "TRACKIO_STORAGE_MODE": part,
            "HF_HUB_OFFLINE": "1",
        }
        subprocess.run(
            [sys.executable, __file__, "--part", part], env=environ, check=True, capture_output=True
        )
    return place


def keep(place: Path) -> None:
    """Put what is worth keeping beside this file: the database packed, the rows of the inbox as they are."""
    packed = gzip.compress((place / "vision.db").read_bytes(), mtime=0)
    (HERE / "vision.db.gz").write_bytes(packed)
    for number, fragment in enumerate(sorted(place.glob("inbox/*/*.jsonl"))):
        (HERE / f"inbox-{number}.jsonl").write_bytes(fragment.read_bytes())


if __name__ == "__main__":
    if sys.argv[1:2] == ["--part"]:
        write(sys.argv[2])
    else:
        keep(make(Path(sys.argv[1])))
