"""Makes everything anew for each tick, so that keys and config.json may change meanwhile (P8)."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from runsheet import backends, config, health, spool, sync
from runsheet.clock import Clock
from runsheet.errors import ServiceError
from runsheet.model import Skip
from runsheet.pull import Progress
from runsheet.report import Report
from runsheet.sources.base import Query

log = logging.getLogger(__name__)

LINE_EVERY = 5_000
"""Without a terminal a long pull says how far it is every so many runs."""


@dataclass(frozen=True, slots=True)
class Place:
    """From where to where, as typed; "" and () leave it to config.json."""

    sheet_name: str = ""
    config_path: str = config.DEFAULT_PATH
    project: tuple[str, ...] = ()
    host: str = ""
    source: str = ""
    destination: str = ""

    def load(self) -> config.Config:
        """The configuration as it stands now. A file that was named has to exist; the default one
        only for a spreadsheet, which cannot do without. Raises ConfigError."""
        required = self.config_path != config.DEFAULT_PATH or backends.needs_config(self.destination)
        login = bool(os.environ.get("GOOGLE_APPLICATION_CREDENTIALS"))
        typed = config.Typed(self.destination, self.sheet_name, login)
        return config.load(self.config_path, required=required, typed=typed)

    def setup(
        self, settings: config.Config, clock: Clock, memo: dict[str, Any] | None = None
    ) -> backends.Setup:
        """What backends are made from. `memo`: what they may keep from one tick to the next."""
        return backends.Setup(
            config=settings,
            clock=clock,
            environ=os.environ,
            folder=Path(self.config_path).parent,
            projects=self.project,
            sheet=self.sheet_name,
            host=self.host,
            source=self.source,
            destination=self.destination,
            memo={} if memo is None else memo,
        )


class Ticker:
    """Ticks when called: the first time all runs are listed, later when FULL_LISTING_HOURS are over.

    `users`: only runs of these; `minutes`: until the next tick is due; `accept_changes`: the first tick that
    comes through may change far more than usual.
    """

    def __init__(
        self,
        place: Place,
        clock: Clock,
        users: tuple[str, ...] = (),
        minutes: float = 0.0,
        *,
        accept_changes: bool = False,
    ) -> None:
        self._place = place
        self._clock = clock
        self._users = users
        self._minutes = minutes
        self._accept_changes = accept_changes
        self._told: set[Skip] = set()
        self._memo: dict[str, Any] = {}
        self._listed = False

    def __call__(self) -> None:
        """A tick of the daemon: its outcome also goes to the health file."""
        good = False
        try:
            self.once(full=not self._listed)
            self._listed = good = True
        finally:
            if path := os.environ.get(health.VARIABLE):
                health.note(path, self._clock.now(), self._minutes, good=good)

    def check(self) -> None:
        """Raise ConfigError for what can be told without asking a service."""
        setup = self._place.setup(self._place.load(), self._clock)
        backends.destination(setup).close()
        backends.source(setup).close()

    def once(self, *, dry_run: bool = False, full: bool = False) -> None:
        """One tick; `full`: all runs are listed, whenever that was done last. Raises RunsheetError when it
        failed, also if only some projects did."""
        settings = self._place.load()
        setup = self._place.setup(settings, self._clock, self._memo)
        machine = any(header.key == "host" for header in settings.headers)
        # W&B compares user names exactly, people do not.
        users = tuple(dict.fromkeys(name for user in self._users for name in (user, user.lower())))
        query = Query(users, settings.FILTERS, machine)
        with (
            closing(backends.destination(setup)) as destination,
            closing(backends.source(setup)) as source,
            _progress() as progress,
        ):
            rules = settings.rules(self._users)
            mode = sync.Mode(
                dry_run,
                self._accept_changes,
                backends.backups(setup),
                full,
                settings.FULL_LISTING_HOURS,
                spool.folder(os.environ),
            )
            report = sync.tick(source, destination, rules, query, self._clock, mode=mode, progress=progress)
        self._accept_changes = False
        self._tell(report)
        if report.failed:
            names = ", ".join(report.failed)
            raise ServiceError(f"{len(report.failed)} of the projects could not be listed: {names}")

    def _tell(self, report: Report) -> None:
        for skip in report.skips:
            # The same bad folder every half hour would bury the rest.
            level = logging.DEBUG if skip in self._told else logging.WARNING
            log.log(level, "%s: %s", skip.what, skip.reason)
        self._told |= set(report.skips)
        for remark in report.remarks():
            log.warning("%s", remark)
        for project, cause in report.failed.items():
            log.error("%s: %s", project, cause)
        for line in report.plan_lines():
            click.echo(line)  # Not to the log: it shows what the cells would hold.
        if report.added:
            log.info("%s", report.added_line())
        log.info("%s", report.line())


@contextmanager
def _progress() -> Iterator[Progress]:
    """A bar on a terminal while runs are pulled; elsewhere a line now and then."""
    if not sys.stderr.isatty():
        yield lambda count: None if count % LINE_EVERY else log.info("%s runs so far", f"{count:,}")
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("pulling runs"), BarColumn(), TextColumn("{task.completed:,}"), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("runs", total=None)
        yield lambda count: bar.update(task, completed=count)
