"""The CSV that W&B's web page makes of its table of runs.

Which columns it has is up to the person who made it. Some are fields of a run (FIELDS); all others are
configs and metrics by their bare names, which nothing tells apart: they become the run's config, with dots
as they are. A cell that reads as a number is one; an empty cell is no value. Without a column ID a run is
known by its name; without a column State it has finished. The file does not tell its project.
"""

import csv
import io
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO, Any

from runsheet.clock import Clock
from runsheet.model import Run, Scope, Skip

NAME, ID = "Name", "ID"
FIELDS = frozenset(
    {
        NAME,
        ID,
        "State",
        "Notes",
        "User",
        "Tags",
        "Created",
        "Runtime",
        "Sweep",
        "Group",
        "Job Type",
        "GPU Count",
    }
)
"""Columns that are no configs or metrics."""

LONGEST = 2**31 - 1
"""Characters in a cell. The csv module's own limit, 131,072, is exceeded by notes and lists."""

_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,299})")
_FRACTION = re.compile(r"-?((0|[1-9][0-9]*)(\.[0-9]+)?|\.[0-9]+)([eE][-+]?[0-9]{1,3})?")


def columns(first: bytes) -> list[str]:
    """The columns of a file that begins with this line; none if it is no such table."""
    try:
        names = next(csv.reader([first.decode("utf-8-sig")], strict=True), [])
    except (UnicodeDecodeError, csv.Error):
        return []
    return names if NAME in names or ID in names else []


class Table:
    """Such a file, open at its begin, read wholly: web pages make no files that do not fit into memory.

    Its one project is `scope`'s, whose runs come oldest first. Implements Shelf.
    """

    def __init__(self, file: IO[bytes], path: str, clock: Clock, scope: Scope) -> None:
        self._path, self._scope = path, scope
        self.damaged: list[Skip] = []
        self.projects: dict[str, list[Run]] = {scope.project: []}
        seen: set[str] = set()
        for number, row in self._rows(file):
            clock.check()
            run, odd = _run(row, scope)
            for reason in odd:
                self._skip(number, reason, count=0 if run.id else 1)
            if run.id in seen:
                self._skip(number, f"another row is called {run.id}")
            elif run.id:
                seen.add(run.id)
                self.projects[scope.project].append(run)
        last = datetime.max.replace(tzinfo=UTC)
        self.projects[scope.project].sort(key=lambda run: run.created or last)

    def read(self, place: Run) -> Run:
        return place

    def _rows(self, file: IO[bytes]) -> Iterator[tuple[int, list[tuple[str, str]]]]:
        """Each row as pairs of column and cell, with the number of the line that it begins in."""
        csv.field_size_limit(LONGEST)
        text = io.StringIO(file.read().decode("utf-8-sig", "surrogateescape"), newline="")
        reader = csv.reader(text, strict=True)
        names = _distinct(next(reader))
        while True:
            number = reader.line_num + 1
            try:
                row = next(reader)
                "".join(row).encode()
            except StopIteration:
                return
            except (csv.Error, UnicodeEncodeError) as error:
                self._skip(number, "no CSV" if isinstance(error, csv.Error) else "not UTF-8")
                continue
            if row and len(row) != len(names):
                self._skip(number, f"{len(row)} cells for {len(names)} columns")
            elif row:
                yield number, [*zip(names, row, strict=True)]

    def _skip(self, number: int, reason: str, count: int = 1) -> None:
        self.damaged.append(Skip(f"{self._path}, line {number}", reason, count))


def _distinct(names: Sequence[str]) -> list[str]:
    """The columns, each with a name of its own: a config and a metric may be called the same."""
    found: dict[str, None] = {}
    for place, name in enumerate(names, 1):
        wanted, number = name or f"column {place}", 2
        while wanted in found:
            wanted, number = f"{name} ({number})", number + 1
        found[wanted] = None
    return [*found]


@dataclass(slots=True)
class _Row:
    """The cells of the fields of a run, and what is odd about them."""

    cells: dict[str, str]
    odd: list[str] = field(default_factory=list)

    def text(self, name: str) -> str:
        return self.cells.get(name, "")

    def number(self, name: str) -> float | None:
        """A number from 0 on; None for an empty cell, and for one that is none."""
        found = value(self.text(name))
        if found == "" or (not isinstance(found, str) and found >= 0):
            return None if found == "" else found
        self.odd.append(f"{name} is no number, so it is left out")
        return None

    def time(self, name: str) -> datetime | None:
        """A time, which is UTC unless it says otherwise; None as above."""
        if not (text := self.text(name)):
            return None
        try:
            moment = datetime.fromisoformat(text)
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (ValueError, OverflowError):
            self.odd.append(f"{name} is not a time, so it is left out")
            return None


def _run(row: Sequence[tuple[str, str]], scope: Scope) -> tuple[Run, list[str]]:
    """The run of a row, and what is odd about it. A run without id is none."""
    own = _Row({name: cell.strip() for name, cell in row if name in FIELDS})
    run_id = own.text(ID) if ID in own.cells else own.text(NAME)
    if not run_id:
        return Run(scope, ""), ["it has neither an id nor a name"]
    runtime, gpus = own.number("Runtime"), own.number("GPU Count")
    run = Run(
        scope,
        run_id,
        name=own.text(NAME),
        state=own.text("State").lower() if "State" in own.cells else "finished",
        created=own.time("Created"),
        runtime=runtime,
        user=own.text("User") or None,
        tags=tuple(tag for part in own.text("Tags").split(",") if (tag := part.strip())),
        group=own.text("Group"),
        job_type=own.text("Job Type"),
        sweep=own.text("Sweep"),
        notes=own.text("Notes"),
        timed=runtime is not None,
        gpus=int(gpus) if gpus else None,
        config={name: value(cell) for name, cell in row if name not in FIELDS and cell.strip()},
    )
    return run, own.odd


def value(cell: str) -> Any:
    """The number that a cell reads as, else its text. "007" is no number, nor is one that overflows."""
    text = cell.strip()
    if _WHOLE.fullmatch(text):
        return int(text)
    if _FRACTION.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else cell
    return cell
