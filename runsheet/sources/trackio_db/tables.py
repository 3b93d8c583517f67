"""The tables of a project's database, whose columns differ between versions of Trackio.

Without `run_id` the name of a run is its id, as Trackio has it.
"""

import sqlite3
from dataclasses import dataclass
from typing import Any

from runsheet.errors import ServiceError


@dataclass(frozen=True, slots=True)
class Table:
    """A table, and the columns that it has; none if there is no such table."""

    name: str
    columns: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.columns)

    @property
    def key(self) -> str:
        """The column that tells runs apart."""
        return "run_id" if "run_id" in self.columns else "run_name"

    @property
    def of_run(self) -> str:
        """The condition that a row is of the run `:id`: its name is the id where a row has none. `:none` is
        NULL: written out, SQLite would go through all rows where the column cannot be NULL."""
        if self.key == "run_name":
            return "run_name = :id"
        return "(run_id = :id OR run_id = '' AND run_name = :id OR run_id IS :none AND run_name = :id)"

    def or_else(self, column: str, default: str) -> str:
        """A column, or what stands for it where there is none."""
        return column if column in self.columns else default


def table(connection: sqlite3.Connection, name: str, *needed: str) -> Table:
    """Raises ServiceError if there is such a table and one of these columns is missing."""
    found = frozenset(text(row[1]) for row in connection.execute(f"PRAGMA table_info({name})"))
    missing = [column for column in needed if column not in found]
    if found and missing:
        raise ServiceError(
            f"the table {name} of a Trackio database has no column {', '.join(missing)}: it was made by "
            "a version of Trackio that runsheet does not know"
        )
    return Table(name, found)


def text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""
