"""Makes everything anew for each tick, so that keys and config.json may change meanwhile (P8)."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from runsheet import backends, cache, config, health, sync
from runsheet.clock import Clock
from runsheet.errors import RunsheetError, ServiceError, Stopped
from runsheet.model import Skip
from runsheet.pull import Progress
from runsheet.report import Report
from runsheet.reports.gather import Recall, RecordedRecall
from runsheet.reports.keeper import Keeper, Wish
from runsheet.reports.live_table import TABLES
from runsheet.sources.base import Query, Recorded, Source, Watched

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
        self._keeper = Keeper(cache.folder(os.environ), clock)
        self._reported: dict[str, config.Config] = {}

    def __call__(self) -> None:
        """A tick of the daemon: its outcome also goes to the health file."""
        good = False
        try:
            self.once(full=not self._listed)
            good = True
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
        failed, also if only some projects did, or a report."""
        settings = self._place.load()
        setup = self._place.setup(settings, self._clock, self._memo)
        machine = any(header.key == "host" for header in settings.headers)
        # W&B compares user names exactly, people do not.
        users = tuple(dict.fromkeys(name for user in self._users for name in (user, user.lower())))
        rules = settings.rules(self._users)
        mode = sync.Mode(
            dry_run,
            self._accept_changes,
            backends.backups(setup),
            full,
            settings.FULL_LISTING_HOURS,
            cache.folder(os.environ),
        )
        with closing(backends.destination(setup)) as destination, closing(self._source(setup)) as source:
            gpus = rules.usage is not None or isinstance(source, Recall)
            query = Query(users, settings.FILTERS, machine, gpus)
            with _progress() as progress:
                report = sync.tick(
                    source, destination, rules, query, self._clock, mode=mode, progress=progress
                )
            self._accept_changes = False
            self._tell(report)
            self._listed = True
            problems = [*_problems(report), *self._reports(setup, source, report, mode)]
        if problems:
            raise ServiceError("; ".join(problems))

    def _source(self, setup: backends.Setup) -> Source:
        """The source; one that reads all runs each time does so once, for the tick and its reports."""
        source = backends.source(setup)
        if self._users or not setup.config.REPORTS or isinstance(source, Watched):
            return source
        if isinstance(source, Recorded):
            return RecordedRecall(source, setup.config.usage)
        return Recall(source, setup.config.usage)

    def _reports(self, setup: backends.Setup, source: Source, runs: Report, mode: sync.Mode) -> Iterator[str]:
        """Bring the reports up to date, unless there is nothing new for them. Yields why one could not be
        made: then that one is left as it is."""
        settings = setup.config
        for name in settings.REPORTS:
            if runs.failed:
                log.error("%s: left as it is, since not all projects could be listed", name)
                continue
            if runs.quiet and self._reported.get(name) == settings:
                continue
            wish = Wish(TABLES[name], settings.usage, settings.FILTERS, settings.NAME)
            self._reported.pop(name, None)
            try:
                with closing(backends.destination(replace(setup, worksheet=name))) as destination:
                    self._tell(self._keeper.make(wish, source, destination, mode))
            except Stopped:
                raise
            except RunsheetError as error:
                log.debug("%s", name, exc_info=True)
                yield f"the report {name} could not be made: {error}"
            else:
                self._reported |= {} if mode.dry_run else {name: settings}

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


def _problems(report: Report) -> Iterator[str]:
    """Why a tick failed although rows were written."""
    if report.failed:
        yield f"{len(report.failed)} of the projects could not be listed: {', '.join(report.failed)}"


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
