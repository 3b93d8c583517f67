"""Folders as Trackio keeps them: the files in tests/data/trackio, and databases with their schema."""

import gzip
import json
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[1] / "data" / "trackio"
START = datetime(2026, 1, 10, tzinfo=UTC)


def kept(folder: Path) -> Path:
    """The folder that Trackio itself has written, with the inbox."""
    folder.mkdir(exist_ok=True)
    (folder / "vision.db").write_bytes(gzip.decompress((DATA / "vision.db.gz").read_bytes()))
    (folder / "vision.lock").touch()
    for place in sorted(DATA.glob("inbox-*.jsonl")):
        (folder / "inbox" / place.stem).mkdir(parents=True)
        shutil.copyfile(place, folder / "inbox" / place.stem / "00000000.jsonl")
    return folder


def fragments() -> list[dict[str, Any]]:
    """The rows in the inbox of `kept`."""
    return [json.loads(line) for path in DATA.glob("inbox-*.jsonl") for line in path.read_text().splitlines()]


class Project:
    """A database with Trackio's own schema and no rows, to which a test writes as Trackio does."""

    def __init__(self, folder: Path, name: str = "proj", *, journal: str = "WAL") -> None:
        self.path = folder / f"{name}.db"
        folder.mkdir(exist_ok=True)
        self.path.write_bytes(gzip.decompress((DATA / "vision.db.gz").read_bytes()))
        with self.writing() as connection:
            for table in ("metrics", "configs", "system_metrics"):
                connection.execute(f"DELETE FROM {table}")
        with closing(sqlite3.connect(self.path)) as connection:
            connection.execute(f"PRAGMA journal_mode = {journal}")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection whose changes are in the file afterwards, as when a training ends."""
        with closing(sqlite3.connect(self.path)) as connection, connection:
            yield connection

    def log(self, run: str, hours: float = 0.0, metrics: Any = None, **more: Any) -> None:
        """A row of metrics, so many hours after START."""
        with self.writing() as connection:
            insert(connection, run, hours, metrics, **more)

    def system(self, run: str, hours: float, metrics: Mapping[str, Any]) -> None:
        row = (run, at(hours), f"name of {run}", dump(metrics))
        sql = "INSERT INTO system_metrics (run_id, timestamp, run_name, metrics) VALUES (?, ?, ?, ?)"
        with self.writing() as connection:
            connection.execute(sql, row)

    def config(self, run: str, config: Any, hours: float = 0.0) -> None:
        row = (run, f"name of {run}", dump(config), at(hours))
        sql = "INSERT OR REPLACE INTO configs (run_id, run_name, config, created_at) VALUES (?, ?, ?, ?)"
        with self.writing() as connection:
            connection.execute(sql, row)


def insert(
    connection: sqlite3.Connection, run: str, hours: float = 0.0, metrics: Any = None, step: int = 0
) -> None:
    """A row of metrics by a connection that stays open. Bytes go in as they are."""
    row = (run, at(hours), f"name of {run}", step, dump({"loss": 1.0} if metrics is None else metrics))
    sql = "INSERT INTO metrics (run_id, timestamp, run_name, step, metrics) VALUES (?, ?, ?, ?, ?)"
    connection.execute(sql, row)


def dump(value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def at(hours: float) -> str:
    return (START + timedelta(hours=hours)).isoformat()
