"""Runs, rules and ticks with everything that a test does not care about filled in."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from runsheet import sync
from runsheet.clock import Clock
from runsheet.columns import Choice, Header
from runsheet.destinations.base import Destination
from runsheet.destinations.gsheet import GsheetDestination
from runsheet.destinations.gsheet.client import Google
from runsheet.destinations.gsheet.credentials import SCOPE_NAMES, SCOPE_SHEETS, load_key
from runsheet.model import Run, Scope, Skip
from runsheet.report import Report
from runsheet.rules import Rules
from runsheet.sources.base import Query
from runsheet.sources.memory import MemorySource
from tests.support.sheets import Document, SheetsServer

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
PROJECT = "team/proj"


class FakeClock(Clock):
    """A clock that stands at NOW; waiting moves it on and takes no time."""

    def __init__(self) -> None:
        super().__init__()
        self.waited: list[float] = []

    def now(self) -> datetime:
        return NOW + timedelta(seconds=sum(self.waited))

    def monotonic(self) -> float:
        return sum(self.waited)

    def wait(self, seconds: float) -> bool:
        if not self.stopping:
            self.waited.append(max(0.0, seconds))
        return self.stopping


def scope(project: str = PROJECT) -> Scope:
    return Scope("wandb", "api.wandb.ai", project)


def run(number: int | str, project: str = PROJECT, **changes: Any) -> Run:
    """A finished run; `changes` replace its fields."""
    fields: dict[str, Any] = {
        "scope": scope(project),
        "id": number if isinstance(number, str) else f"run{number:04d}",
        "name": f"name of {number}",
        "created": NOW - timedelta(days=2),
        "heartbeat": NOW - timedelta(days=1),
        "user": "kim",
        "config": {"lr": 0.1, "model": {"name": "resnet"}},
        "summary": {"loss": 0.25, "epoch": 3},
    }
    return Run(**(fields | changes))


def rules(*headers: str | Header, dynamic: Sequence[str] = ("*",), limit: int = 100, **more: Any) -> Rules:
    fixed = tuple(Header(item) if isinstance(item, str) else item for item in headers or ("run_id", "name"))
    return Rules(Choice(fixed, tuple(dynamic), limit), **more)


def tick(
    destination: Destination, runs: Sequence[Run | Skip], wanted: Rules | None = None, **more: Any
) -> Report:
    """One tick of the runs of one project."""
    clock = more.pop("clock", None) or FakeClock()
    return sync.tick(MemorySource({PROJECT: runs}), destination, wanted or rules(), Query(), clock, **more)


class Desk:
    """A spreadsheet on a stand-in server, and new connections to it, as each tick makes one."""

    def __init__(self, server: SheetsServer, folder: Path, tabs: tuple[str, ...] = ("Sheet1",)) -> None:
        self.server = server
        self.key_file = server.key_file(folder / "key.json")
        self.document: Document = server.create("Results", tabs=tabs)

    def connect(self, worksheet: str = "runs", name: str = "", **more: Any) -> GsheetDestination:
        credentials = load_key(str(self.key_file), [SCOPE_SHEETS, SCOPE_NAMES])
        google = Google(credentials, FakeClock(), self.server.url)
        return GsheetDestination(google, name or self.document.key, worksheet, **more)

    def tick(self, runs: Sequence[Run | Skip], wanted: Rules | None = None, **more: Any) -> Report:
        destination = self.connect(more.pop("worksheet", "runs"))
        try:
            return tick(destination, runs, wanted, **more)
        finally:
            destination.close()

    def values(self, worksheet: str = "runs") -> list[list[Any]]:
        return self.document.tab(worksheet).values()

    def ids(self, worksheet: str = "runs") -> list[Any]:
        """What stands under run_id, top to bottom."""
        header, *rows = self.values(worksheet)
        place = header.index("run_id")
        return [row[place] for row in rows if len(row) > place and row[place] is not None]
