"""What is measured, and what it is compared with, made for processes of their own (remote.py)."""

import json
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import runs

if TYPE_CHECKING:
    from requests import Session

HEADERS = ("run_id", "created_at")
"""The fixed headers. Beside them stand the 60 columns of the runs' values."""

PROJECT = "team/book"


@dataclass(frozen=True)
class Took:
    """How long something took: seconds by the clock, and of CPU in its process."""

    seconds: float
    cpu: float

    def __str__(self) -> str:
        return f"{self.seconds:.1f} s ({self.cpu:.1f} s CPU)"


def took(deed: Callable[[], object]) -> Took:
    """Do it."""
    started, cpu = time.perf_counter(), time.process_time()
    deed()
    return Took(time.perf_counter() - started, time.process_time() - cpu)


def peak(process: int | str = "self") -> int:
    """The most memory that a process had since its program began, in bytes, by the kernel's account (Linux).
    Unlike ru_maxrss it does not count what the process was forked from."""
    status = Path(f"/proc/{process}/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, flags=re.M)
    if not found:
        raise ValueError(f"process {process} has ended")
    return int(found[1]) * 1024


class Daemon:
    """A daemon that ticks when told to. With `warm`, another configuration, it has ticked there before:
    all modules are loaded, and no file of it is new to the machine."""

    def __init__(self, env: Mapping[str, str], config: str, warm: str = "") -> None:
        os.environ.clear()
        os.environ.update(env)
        os.chdir(Path(config).parent)
        from runsheet.clock import Clock
        from runsheet.ticker import Place, Ticker

        if warm:
            Ticker(Place(config_path=warm), Clock())()
        self._ticker = Ticker(Place(config_path=config), Clock())

    def tick(self) -> Took:
        """As the daemon ticks: the first time all runs are listed."""
        return took(self._ticker)


class BareLoop:
    """The floor of a first sync: downloads the pages that the product asked for, reads them by json.loads,
    and sends the writes that the product sent to another, equal spreadsheet; one request after the other.

    `pages` and `writes` are files that the stand-ins recorded.
    """

    def __init__(self, pages: str, writes: str) -> None:
        self._pages: list[dict[str, Any]] = [
            json.loads(line) for line in Path(pages).read_text().splitlines()
        ]
        self._writes = [json.loads(line) for line in Path(writes).read_text().splitlines()]
        self._bodies = [write.pop("body").encode() for write in self._writes]

    def run(self, wandb: str, key: str, spreadsheet: str, token: str) -> Took:
        """Raises ValueError when a write is not answered as it was when it was recorded."""
        from requests import Session

        with Session() as session:
            session.trust_env = False

            def loop() -> None:
                self._pull(session, wandb, key)
                self._push(session, spreadsheet, token)

            return took(loop)

    def _pull(self, session: "Session", wandb: str, key: str) -> None:
        for page in self._pages:
            answer = session.post(f"{wandb}/graphql", json=page, auth=("api", key))
            for edge in json.loads(answer.content)["data"]["project"]["runs"]["edges"]:
                json.loads(edge["node"]["config"])
                json.loads(edge["node"]["summaryMetrics"])

    def _push(self, session: "Session", spreadsheet: str, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        for write, body in zip(self._writes, self._bodies, strict=True):
            url = f"{spreadsheet}:{write['method']}"
            sent = session.post(url, data=body, headers=headers, params=write["query"])
            if sent.status_code != write["status"]:
                raise ValueError(f"HTTP {sent.status_code} instead of {write['status']}: {sent.text[:300]}")


@dataclass(frozen=True)
class Cost:
    """Seconds of a deed, and the most memory that its process had, in bytes."""

    seconds: float
    peak: int


class Book:
    """A workbook in the hands of a process that does one thing with it."""

    def __init__(self, path: str) -> None:
        self._path = path

    def append(self, first: int, count: int) -> Cost:
        """A tick of the product whose source has these runs."""
        from runsheet import backends, config, sync
        from runsheet.clock import Clock
        from runsheet.sources.base import Query
        from runsheet.sources.memory import MemorySource

        settings = config.Config(FIXED_HEADERS=list(HEADERS))
        source = MemorySource(
            {PROJECT: [runs.run(number, PROJECT) for number in range(first, first + count)]}
        )
        clock = Clock()
        setup = backends.Setup(settings, clock, {}, destination=f"xlsx:{self._path}")
        destination = backends.destination(setup)
        started = time.perf_counter()
        report = sync.tick(source, destination, settings.rules(), Query(), clock)
        seconds = time.perf_counter() - started
        destination.close()
        if report.added != count:
            raise ValueError(f"{report.added} rows were added")
        return Cost(seconds, peak())

    def resave(self, to: str) -> Cost:
        """openpyxl's load and save."""
        import openpyxl

        started = time.perf_counter()
        openpyxl.load_workbook(self._path).save(to)
        return Cost(time.perf_counter() - started, peak())

    def nothing(self) -> Cost:
        return Cost(0.0, peak())
