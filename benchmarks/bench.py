"""What the benchmarks share: both stand-ins, tables of several sizes that are made once, and the rows of
the report."""

import json
import os
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.remote import Remote, remote
from benchmarks.servers import ENTITY, TAB, Sheets, Wandb
from benchmarks.worker import HEADERS, Daemon

CALLS = 5
ENOUGH_SECONDS = 30.0
"""Slow ticks are not repeated for longer."""


@dataclass(frozen=True)
class Result:
    """One line of the report. `met`: None when it cannot be said."""

    what: str
    measured: str
    must: str
    ratio: str = ""
    met: bool | None = None


@dataclass(frozen=True)
class Table:
    """A project, a spreadsheet, and the folder whose config.json names both."""

    project: str
    key: str
    folder: Path

    @property
    def config(self) -> str:
        return str(self.folder / "config.json")


class Bench:
    """Both servers, each in a process of its own, and a folder for everything else."""

    def __init__(self, stack: ExitStack, largest: int) -> None:
        self._folder = Path(stack.enter_context(TemporaryDirectory(prefix="runsheet-bench-")))
        self.largest = largest
        self.wandb = stack.enter_context(remote(Wandb)).it
        self.sheets = stack.enter_context(remote(Sheets)).it
        self._filled: dict[int, Table] = {}
        self._made = 0
        self.remarks: list[str] = []
        self.warm = self.table("warm")
        self.wandb.add("warm", 1)

    @property
    def sizes(self) -> list[int]:
        """1,000, 10,000 and 100,000 runs, as far as asked for, and the largest number that was asked for."""
        return sorted({size for size in (1_000, 10_000, 100_000) if size < self.largest} | {self.largest})

    def path(self, name: str) -> Path:
        return self._folder / name

    def table(self, project: str, **config: object) -> Table:
        """A blank spreadsheet for a project."""
        self._made += 1
        folder = self.path(f"table{self._made}")
        folder.mkdir()
        key = self.sheets.create(project)
        self.sheets.key_file(str(folder / "key.json"))
        content = {
            "GCP_JSON": "key.json",
            "FIXED_HEADERS": HEADERS,
            "SPREADSHEET_NAME": key,
            "WORKSHEET": TAB,
            "TEAM_NAME": ENTITY,
            "PROJECT_NAME": project,
            "GOOGLE_API_ENDPOINT": self.sheets.url(),
            "BACKUP_DIR": "",
        }
        (folder / "config.json").write_text(json.dumps(content | config))
        return Table(project, key, folder)

    def filled(self, size: int) -> Table:
        """A table of so many runs, synced by the product; made once."""
        if size not in self._filled:
            table = self.table(self.project(size))
            note(f"first sync of {size:,} runs, for the ticks")
            with self.daemon(table) as daemon:
                daemon.it.tick()
            self.keep(size, table)
        return self._filled[size]

    def keep(self, size: int, table: Table) -> None:
        """A table that was filled otherwise is as good. Raises ValueError for one that lacks rows."""
        self.complete(table, size)
        self._filled[size] = table

    def complete(self, table: Table, size: int) -> None:
        """Raise ValueError unless the table has so many rows: what is not done is not measured."""
        if (rows := self.sheets.rows(table.key)) != size:
            raise ValueError(f"{table.project} has {rows:,} rows instead of {size:,}")

    def project(self, size: int) -> str:
        """A project of so many runs; filled once."""
        name = f"runs-{size}"
        if not self.path(name).exists():
            self.path(name).touch()
            self.wandb.add(name, size)
        return name

    def env(self, table: Table) -> dict[str, str]:
        """A bare environment: the login of the stand-in, and a home in the table's folder."""
        home = table.folder / "home"
        home.mkdir(exist_ok=True)
        return {"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home), **self.wandb.env()}

    @contextmanager
    def daemon(self, table: Table, *, warm: bool = False) -> Iterator[Remote[Daemon]]:
        """A daemon of that table, in a process of its own."""
        with remote(Daemon, self.env(table), table.config, self.warm.config if warm else "") as daemon:
            self.forget()
            yield daemon

    def forget(self) -> None:
        """Count requests from now on."""
        self.wandb.take()
        self.sheets.take()


def median(daemon: Remote[Daemon]) -> tuple[float, int]:
    """The median of up to CALLS ticks, in seconds, and how many were made."""
    seconds: list[float] = []
    while len(seconds) < CALLS and sum(seconds) < ENOUGH_SECONDS:
        seconds.append(daemon.it.tick().seconds)
    return statistics.median(seconds), len(seconds)


def note(text: str) -> None:
    """Say on stderr what goes on."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')}  {text}\n")
    sys.stderr.flush()


def mb(count: float) -> str:
    return f"{count / 1e6:,.0f} MB" if count >= 1e7 else f"{count / 1e6:.1f} MB"
