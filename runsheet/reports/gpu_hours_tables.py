"""The report of GPU-hours as text of 80 columns, as CSV, and as JSON. Pure.

text   for people: the lines of `lines`, in a fixed order; a count of 0 is left out
csv    for spreadsheets: a row for each project, or for each group of each; no totals, so that a column may
       be summed
json   for programs: everything, with the same keys always
"""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from runsheet.model import Scope
from runsheet.reports.gpu_hours import Report, Statistics, Sums, Window
from runsheet.reports.usage import Settings, Usage
from runsheet.reports.writing import WIDTH, csv_rows, shorten, width

NAMED = 10
"""As many odd runs are named in the text; all of them are in the JSON."""

NONE = "(none)"
"""Stands for a user, group ... that a run has not."""


def text(report: Report) -> str:
    """The report for people, with a line feed at its end."""
    return "".join(f"{shorten(line)}\n" for line in lines(report))


def lines(report: Report) -> Iterator[str]:
    """One project in the order of the first script's lines; several get a block each, and one for all."""
    entities = {scope.project.rpartition("/")[0] for scope, _ in report.projects}
    entity = entities.pop() if len(entities) == 1 else ""
    if report.host:
        yield f"host: {report.host}"
    if entity:
        yield f"entity: {entity}"
    names = [scope.project.removeprefix(f"{entity}/") for scope, _ in report.projects]
    if len(names) == 1:
        yield f"project: {names[0]}"
    yield from _asked(report.settings, report.window)
    if len(names) > 1:
        for name, (_, statistics) in zip(names, report.projects, strict=True):
            yield from ("", f"project: {name}")
            yield from _statistics(report, statistics)
        yield from ("", f"all {len(names)} projects")
    yield from _statistics(report, report.total)


def _asked(settings: Settings, window: Window) -> Iterator[str]:
    yield f"world_size_config: {settings.world_size_keys[0] if settings.world_size_keys else ''}"
    yield f"default_world_size: {settings.default_world_size}"
    if settings.accelerator_key != Settings().accelerator_key:
        yield f"accelerator_config: {settings.accelerator_key}"
    if window.start:
        yield f"startdate: {_day(window.start)}"
    if window.end:
        yield f"enddate: {_day(window.end)}"


def _statistics(report: Report, found: Statistics) -> Iterator[str]:
    sums = found.sums
    yield f"statistics from {_day(found.first)} to {_day(found.last)} ({found.days} days)"
    yield f"num_runs: {sums.num_runs}"
    yield from _counts(report.window, found)
    yield f"total: {duration(sums.gpu_hours)}"
    yield f"GPU-hours: {sums.gpu_hours:.0f}"
    yield f"GPU-hours per run: {sums.gpu_hours_per_run:.2f}"
    if sums.cpu_runs:
        yield f"CPU num_runs: {sums.cpu_runs}"
        yield f"CPU total: {duration(sums.cpu_hours)}"
        yield f"CPU-hours: {sums.cpu_hours:.0f}"
        yield f"CPU-hours per run: {sums.cpu_hours_per_run:.2f}"
    if sums.unknown:
        yield f"runs without world size: {sums.unknown}"
    yield from _known(report.settings, found)
    if found.top:
        yield f"top {len(found.top)} runs:" if len(found.top) > 1 else "top run:"
        for usage in found.top:
            yield f"- {usage.gpu_hours:.0f} hours: {usage.run_id} {usage.name}".rstrip()
    yield from _odd("runs skipped", found.skipped)
    yield from _odd("runs flagged", found.flagged)
    if found.groups:
        yield f"by {report.by}:"
        yield from _table(report.by, found.groups)


def _counts(window: Window, found: Statistics) -> Iterator[str]:
    counts = {
        "GPU num_runs": found.sums.gpu_runs if found.sums.cpu_runs else 0,
        "num_runs in progress": found.in_progress,
        "num_runs stuck": found.stuck,
        f"num_runs before {_day(window.start)}": found.before,
        f"num_runs after {_day(window.end)}": found.after,
    }
    yield from (f"{what}: {count}" for what, count in counts.items() if count)


def _known(settings: Settings, found: Statistics) -> Iterator[str]:
    """How the numbers of GPUs are known, where that is not simply the first key of the config."""
    expected = f"config {settings.world_size_keys[0]}" if settings.world_size_keys else ""
    for source, count in sorted(found.known.items()):
        if source != expected:
            yield f"runs with world size by {source}: {count}"


def _odd(what: str, usages: Sequence[Usage]) -> Iterator[str]:
    if usages:
        yield f"{what}: {len(usages)}"
    for usage in usages[:NAMED]:
        yield f"- {usage.run_id}: {'; '.join(usage.flags)}"
    if len(usages) > NAMED:
        yield f"- and {len(usages) - NAMED} more"


def _table(by: str, groups: Sequence[tuple[str, Sums]]) -> Iterator[str]:
    """Columns of numbers behind the names; CPU-hours where there are any."""
    rows = [[by, "runs", "GPU-hours", "per run", "CPU-hours"]]
    for name, sums in groups:
        hours = (f"{sums.gpu_hours:.0f}", f"{sums.gpu_hours_per_run:.2f}", f"{sums.cpu_hours:.0f}")
        rows.append([name or NONE, f"{sums.num_runs}", *hours])
    if not any(sums.cpu_runs for _, sums in groups):
        rows = [row[:-1] for row in rows]
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    first = min(widths[0], WIDTH - sum(each + 2 for each in widths[1:]))
    for row in rows:
        name = shorten(row[0], first)
        numbers = "".join(f"  {cell:>{size}}" for cell, size in zip(row[1:], widths[1:], strict=True))
        yield name + " " * (first - width(name)) + numbers


def csv_text(report: Report) -> str:
    """A row for each project, or with `by` for each group of each project, below a header."""
    if not report.by:
        cells = [
            [scope.project, *_sums(found.sums).values(), *_rest(found).values()]
            for scope, found in report.projects
        ]
        return csv_rows([["project", *_sums(Sums()), *_rest(Statistics())], *cells])
    names = list(dict.fromkeys(("project", report.by)))
    groups = [
        [*[scope.project, name][: len(names)], *_sums(sums).values()]
        for scope, found in report.projects
        for name, sums in found.groups
    ]
    return csv_rows([[*names, *_sums(Sums())], *groups])


def json_text(report: Report) -> str:
    """Everything, with a line feed at its end. Times are ISO 8601 in UTC, null where there is none."""
    settings, window = report.settings, report.window
    content = {
        "host": report.host,
        "world_size_keys": list(settings.world_size_keys),
        "default_world_size": settings.default_world_size,
        "accelerator_key": settings.accelerator_key,
        "startdate": _day(window.start) if window.start else None,
        "enddate": _day(window.end) if window.end else None,
        "by": report.by or None,
        "projects": [_scope(scope) | _content(found) for scope, found in report.projects],
        "total": _content(report.total),
    }
    return json.dumps(content, indent=2) + "\n"


FORMATS = {"text": text, "csv": csv_text, "json": json_text}
"""The formats by name."""


def duration(hours: float) -> str:
    """Days and hours, rounded to the hour as GPU-hours are: 23.7 hours are a day."""
    days, rest = divmod(round(hours), 24)
    return f"{days} days {rest} hours"


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment else "-"


def _sums(sums: Sums) -> dict[str, Any]:
    return {
        "num_runs": sums.num_runs,
        "gpu_runs": sums.gpu_runs,
        "cpu_runs": sums.cpu_runs,
        "without_world_size": sums.unknown,
        "gpu_hours": sums.gpu_hours,
        "gpu_hours_per_run": sums.gpu_hours_per_run,
        "cpu_hours": sums.cpu_hours,
        "cpu_hours_per_run": sums.cpu_hours_per_run,
    }


def _rest(found: Statistics) -> dict[str, Any]:
    return {
        "in_progress": found.in_progress,
        "stuck": found.stuck,
        "before": found.before,
        "after": found.after,
        "skipped": len(found.skipped),
        "flagged": len(found.flagged),
        "first_start": found.first.isoformat() if found.first else None,
        "last_end": found.last.isoformat() if found.last else None,
    }


def _content(found: Statistics) -> dict[str, Any]:
    """The counts of `_rest`, and after them the runs behind the odd ones."""
    return {
        **_sums(found.sums),
        **_rest(found),
        "days": found.days,
        "world_size_from": dict(sorted(found.known.items())),
        "top": [_run(usage) for usage in found.top],
        "skipped_runs": [_run(usage) for usage in found.skipped],
        "flagged_runs": [_run(usage) for usage in found.flagged],
        "groups": [{"name": name, **_sums(sums)} for name, sums in found.groups],
    }


def _scope(scope: Scope) -> dict[str, Any]:
    entity, _, project = scope.project.rpartition("/")
    return {"source": scope.source, "host": scope.host, "entity": entity or None, "project": project}


def _run(usage: Usage) -> dict[str, Any]:
    return {
        "id": usage.run_id,
        "name": usage.name,
        "project": usage.scope.project,
        "user": usage.user or None,
        "state": usage.state,
        "start": usage.start.isoformat() if usage.start else None,
        "end": usage.end.isoformat() if usage.end else None,
        "hours": usage.hours,
        "gpus": usage.gpus,
        "gpus_from": usage.gpus_from or None,
        "gpu_hours": usage.gpu_hours,
        "cpu": usage.cpu,
        "flags": list(usage.flags),
    }
