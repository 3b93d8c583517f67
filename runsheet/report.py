"""What a tick did, in words: one line always, more lines where a person should look (P7)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from runsheet.model import Plan, Skip

NAMED = 10
"""As many new rows are named in the log of a tick."""


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of one tick.

    `seen`: runs listed, `total`: runs that there are, where that is known; `added_ids`: of the rows
    appended, in order; `updated_ids`: of live rows that changed; `kept`: cells that stay as a person left
    them although the run says otherwise; `put_back`: cells that were edited in the second of a write and
    got that edit back, `lost`: those that were not found again; `waiting`: runs that do not qualify
    (yet), by reason; `measured`: runs of which was read how they used their GPUs; `skips`: what could not
    be read; `deleted`: runs kept out since their rows were deleted by hand; `left_out`: columns beyond
    MAX_COLUMNS; `notices`: what the destination says of limits that come near; `failed`: projects that
    could not be listed, with the cause; `seconds`: wall time; `quiet`: nothing was new, so that no more
    was looked at. `planned` is set in a dry run only, `stop` with it: why the tick would not write.
    `name` is that of a report in the sheet (`seen`: its rows), "" where the rows are runs.
    """

    name: str = ""
    seen: int = 0
    total: int = 0
    added_ids: tuple[str, ...] = ()
    updated_ids: tuple[str, ...] = ()
    kept: int = 0
    put_back: int = 0
    lost: int = 0
    columns_added: tuple[str, ...] = ()
    measured: int = 0
    waiting: Mapping[str, int] = field(default_factory=dict)
    skips: tuple[Skip, ...] = ()
    deleted: int = 0
    left_out: tuple[str, ...] = ()
    lost_notes: bool = False
    over: bool = False
    doubles: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    source_requests: int = 0
    destination: str = ""
    destination_requests: int = 0
    seconds: float = 0.0
    quiet: bool = False
    planned: Plan | None = None
    stop: str = ""

    @property
    def added(self) -> int:
        return len(self.added_ids)

    def line(self) -> str:
        """The tick in one line."""
        parts = [self._seen(), self._added()]
        if self.updated_ids or (self.planned and self.planned.changes):
            parts.append(self._updated())
        if self.kept:
            parts.append(f"{count(self.kept, 'edited cell')} kept")
        if self.columns_added:
            parts.append(f"{count(len(self.columns_added), 'new column')}")
        if self.measured:
            parts.append(f"GPU use read of {count(self.measured, 'run')}")
        left = [f"{count:,} {reason}" for reason, count in Counter(self.waiting).most_common()]
        if self.deleted:
            left.append(f"{self.deleted:,} deleted by hand")
        left += [f"{count:,} {reason}" for reason, count in self._skip_reasons().most_common()]
        if left:
            parts.append("skipped: " + ", ".join(left))
        if self.failed:
            parts.append(f"{count(len(self.failed), 'project')} failed")
        requests = [
            f"{count} {name}"
            for name, count in (
                (self.source, self.source_requests),
                (self.destination, self.destination_requests),
            )
            if count
        ]
        if requests:
            parts.append("requests: " + " + ".join(requests))
        return " · ".join([*parts, f"{self.seconds:.1f} s"])

    def added_line(self) -> str:
        """The ids of new rows."""
        return self._named(f"added: {some(self.added_ids)}")

    def remarks(self) -> list[str]:
        """Lines for a person, each about something that this tick met."""
        lines = []
        if not (self.name or self.seen or self.total or self.failed or self.skips):
            lines.append("no run was found: check the project or directory, --user_name and FILTERS")
        if self.over:
            lines.append("the worksheet was found empty: it starts over with all runs")
        if self.lost_notes:
            lines.append(
                "the book-keeping tab _runsheet is gone: it is made again; rows deleted by hand "
                "earlier may return once"
            )
        if self.put_back:
            lines.append(
                f"{count(self.put_back, 'cell')} changed by people in the very second of a write: "
                "put back as they left them"
            )
        if self.lost:
            lines.append(
                f"{count(self.lost, 'cell')} changed by people in the very second of a write could not be "
                "put back, since their rows are gone: see the version history"
            )
        if self.stop:
            lines.append(f"safety stop: {self.stop}; --accept_changes would let it through")
        if self.left_out:
            many = count(len(self.left_out), "column")
            lines.append(f"{many} beyond MAX_COLUMNS left out: {', '.join(self.left_out)}")
        if self.doubles:
            ids = ", ".join(self.doubles)
            lines.append(f"ids in more than one row of the sheet: {ids} (the upper row is the sync's)")
        return [*map(self._named, (*lines, *self.notices))]

    def plan_lines(self) -> list[str]:
        """What a dry run would write: new columns, then a line for each row, new or changed."""
        if self.planned is None:
            return []
        lines = [f"new column {column.title!r} ({column.path})" for column in self.planned.new]
        for row in self.planned.rows:
            cells = zip(self.planned.columns, row.cells, strict=True)
            shown = ", ".join(f"{column.title}={cell}" for column, cell in cells if cell is not None)
            lines.append(f"new row {row.run_id} of {row.scope.project}: {shown}"[:300])
        for change in self.planned.changes:
            shown = ", ".join(f"{edit.key}: {edit.before} -> {edit.after}" for edit in change.cells)
            lines.append(f"row {change.row.run_id}: {shown}"[:300])
        return lines

    def _named(self, text: str) -> str:
        return f"{self.name}: {text}" if self.name else text

    def _seen(self) -> str:
        if self.name:
            return self._named(count(self.seen, "row"))
        if self.total > self.seen:
            return f"{self.seen:,} of {count(self.total, 'run')} seen"
        return f"{count(self.seen, 'run')} seen"

    def _added(self) -> str:
        if self.planned is not None:
            return f"{len(self.planned.rows):,} would be added (dry run)"
        return f"{self.added:,} added"

    def _updated(self) -> str:
        if self.planned is not None:
            return f"{len(self.planned.changes):,} would be updated"
        return f"{len(self.updated_ids):,} updated"

    def _skip_reasons(self) -> Counter[str]:
        """Without what comes after a colon, which has been said run by run."""
        reasons: Counter[str] = Counter()
        for skip in self.skips:
            reasons[skip.reason.partition(": ")[0]] += skip.count
        return +reasons


def some(names: Sequence[str]) -> str:
    """The first NAMED names, and how many more there are."""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"


def count(number: int, noun: str) -> str:
    """A number with its noun: "1 row", "2,000 rows"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
