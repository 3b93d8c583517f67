"""The command `gpu-hours`: what the runs of projects used."""

import logging
import os
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from runsheet import logs
from runsheet.cli.options import exit_codes, having
from runsheet.cli.whose import WHOSE, Asked
from runsheet.clock import Clock
from runsheet.errors import ConfigError, NotFound, ServiceError
from runsheet.model import Run, Scope
from runsheet.reports import gpu_hours_tables, writing
from runsheet.reports.explain import explain
from runsheet.reports.gpu_hours import BY, Window, report
from runsheet.reports.usage import MOST, Settings, Usage, usage
from runsheet.sources.base import Query, Source, Watched

DATE = click.DateTime(["%Y-%m-%d"])
DAY = "YYYY-MM-DD"

WHEN = (
    click.option(
        "--startdate", type=DATE, metavar=DAY, help="Only runs that ended on this day or later, UTC."
    ),
    click.option("--enddate", type=DATE, metavar=DAY, help="Only runs that ended before this day, UTC."),
)

HOW_MANY = (
    click.option(
        "--world_size_config",
        default="",
        metavar="KEY",
        help="The only key of the config that tells a run's GPUs (default: dist/world_size, then others).",
    ),
    click.option(
        "--default_world_size",
        type=click.IntRange(0, MOST),
        metavar="N",
        help="GPUs of runs that tell none (default 0: they add no hours).",
    ),
    click.option(
        "--accelerator_config",
        default="",
        metavar="KEY",
        help='The key that is "cpu" for a run on CPUs (default: dist/accelerator).',
    ),
)

SHOWN = (
    click.option("--by", type=click.Choice([*BY]), help="Also the sums of each user, month, ..."),
    click.option(
        "--format",
        "form",
        default="text",
        type=click.Choice([*gpu_hours_tables.FORMATS]),
        help="text is the default.",
    ),
    click.option(
        "--explain", "run_id", default="", metavar="RUN_ID", help="Only the arithmetic of one run, in words."
    ),
    click.option("--save", default="", metavar="FILE", help="Also keep the runs, for --source export:FILE."),
)


@dataclass(slots=True)
class Taken:
    """What is kept of the runs: what each used, and those whose arithmetic is asked for, as a whole."""

    settings: Settings
    now: datetime
    run_id: str
    usages: list[Usage] = field(default_factory=list)
    named: list[Run] = field(default_factory=list)

    def through(self, runs: Iterable[Run]) -> Iterator[Run]:
        """The same runs."""
        for run in runs:
            self.usages.append(usage(run, self.settings, self.now))
            if run.id == self.run_id:
                self.named.append(run)
            yield run


@click.command("gpu-hours")
@having(*WHOSE, *WHEN, *HOW_MANY, *SHOWN)
def gpu_hours_command(
    startdate: datetime | None,
    enddate: datetime | None,
    by: str | None,
    form: str,
    run_id: str,
    save: str,
    **flags: Any,
) -> None:
    """Show how many GPU-hours the runs of projects took.

    A run counts in the window in which it ended; while it is in progress it does not count.
    """
    with exit_codes(verbose=False):
        logs.set_up("", verbose=False)
        logging.getLogger().setLevel(logging.WARNING)  # stdout holds the report and nothing else
        how_many = {option: flags.pop(option) for option in Keys.__annotations__}
        asked, clock, window = Asked(**flags), Clock(), _window(startdate, enddate)
        loaded = asked.load()
        settings = Keys(**how_many).over(loaded.usage)
        taken = Taken(settings, clock.now(), run_id)
        with closing(asked.open(loaded, clock)) as source:
            projects = asked.projects(source, loaded)
            scopes = [source.scope(project) for project in projects] if isinstance(source, Watched) else []
            _keep(save, taken.through(_runs(source, projects, "" if scopes else asked.entity)))
        if run_id:
            _explain(taken, window)
        else:
            host = _url(asked.host, scopes or [used.scope for used in taken.usages[:1]])
            made = report(taken.usages, settings, window, by=by or "", host=host, scopes=scopes)
            click.echo(gpu_hours_tables.FORMATS[form](made), nl=False)


@dataclass(frozen=True, slots=True)
class Keys:
    """How the number of GPUs is found, as typed; "" and None leave it to config.json."""

    world_size_config: str
    default_world_size: int | None
    accelerator_config: str

    def over(self, settings: Settings) -> Settings:
        """The settings with what was typed laid over them. A key that was typed is the only one."""
        size = self.default_world_size
        return Settings(
            (self.world_size_config,) if self.world_size_config else settings.world_size_keys,
            settings.default_world_size if size is None else size,
            self.accelerator_config or settings.accelerator_key,
        )


def _window(start: datetime | None, end: datetime | None) -> Window:
    """From midnight to midnight, UTC. Raises ConfigError when it ends before it begins."""
    if start and end and end < start:
        raise ConfigError(f"--enddate {end:%Y-%m-%d} is before --startdate {start:%Y-%m-%d}")
    return Window(start and start.replace(tzinfo=UTC), end and end.replace(tzinfo=UTC))


def _runs(source: Source, projects: Iterable[str], entity: str) -> Iterator[Run]:
    """The runs of projects, those of another entity left out; those that cannot be read are named on stderr.

    Raises ServiceError when a project cannot be listed as a whole: a total that lacks runs is none.
    """
    others = 0
    for project in projects:
        for item in source.runs(project, Query(gpus=True)):
            if isinstance(item, Run):
                if entity and item.scope.project.rpartition("/")[0] not in ("", entity):
                    others += 1
                else:
                    yield item
            elif item.gap:
                raise ServiceError(f"{item.what}: {item.reason}")
            else:
                click.echo(f"{item.what}: {item.reason}", err=True)
    if others:
        click.echo(f"{others:,} runs of other entities than {entity} are left out", err=True)


def _keep(path: str, runs: Iterable[Run]) -> None:
    """Go through the runs, and write them into a file if one is named."""
    if path:
        from runsheet.sources import export

        export.write(Path(path), runs)
    else:
        deque(runs, maxlen=0)


def _explain(taken: Taken, window: Window) -> None:
    """Raises NotFound when no run has that id."""
    if not taken.named:
        raise NotFound(f"there is no run with the id {taken.run_id!r} among {len(taken.usages):,} runs")
    for run in taken.named:
        for line in explain(run, taken.settings, window, taken.now):
            click.echo(writing.plain(line))


def _url(typed: str, scopes: Iterable[Scope]) -> str:
    """The server that the runs are of; "" for files."""
    host = next((scope.host for scope in scopes), "")
    if not host:
        return ""
    named = typed or os.environ.get("WANDB_BASE_URL", "")
    return named if urlsplit(named).netloc == host or named == host else f"https://{host}/"
