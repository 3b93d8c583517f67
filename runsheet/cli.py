"""The command line: options, logging, exit codes. Wires everything; imported by nobody.

Exit codes: 0 good, 1 a tick failed (with --once), 2 usage or configuration.
"""

import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from runsheet import __version__, backends, config, health, logs, sync
from runsheet.clock import Clock
from runsheet.daemon import Daemon, run_until_signal
from runsheet.errors import ConfigError, RunsheetError, ServiceError, Stopped
from runsheet.model import Skip
from runsheet.report import Report
from runsheet.sources.base import Query

log = logging.getLogger(__name__)

OK, FAILED, USAGE = 0, 1, 2

CONTEXT = {
    "help_option_names": ["-h", "--help"],
    "max_content_width": 100,
    # --user-name is --user_name: people know both spellings.
    "token_normalize_func": lambda text: text.replace("-", "_"),
}


@dataclass(frozen=True, slots=True)
class Options:
    """What was typed: the flags of `sync`."""

    user_name: tuple[str, ...]
    schedule_time: float
    once: bool
    sheet_name: str
    config_path: str
    project: tuple[str, ...]
    host: str
    source: str
    destination: str
    dry_run: bool
    verbose: bool
    log_file: str


class _Abandoned(SystemExit):
    """The process has to end although a tick is still waiting for an answer."""


def main(args: Sequence[str] | None = None) -> None:
    """Entry of the console command `runsheet`."""
    commands.main(args=None if args is None else list(args), prog_name="runsheet")


def script(args: Sequence[str]) -> None:
    """Entry of wandb_spreadsheet_sync.py: like `runsheet`, and `sync` when no command is named."""
    named = bool(args) and args[0] in commands.commands
    commands.main(args=list(args) if named else ["sync", *args], prog_name="wandb_spreadsheet_sync.py")


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, message="runsheet %(version)s")
def commands() -> None:
    """Keeps a team's spreadsheet true to its Weights & Biases runs."""


@commands.command("sync")
@click.option("--user_name", multiple=True, metavar="NAME", help="Only runs of this W&B user; repeatable.")
@click.option(
    "--schedule_time",
    type=click.FloatRange(min=0),
    default=30.0,
    metavar="MINUTES",
    help="Minutes between two ticks (default 30); 0 means once.",
)
@click.option("--once", is_flag=True, help="One tick, then end.")
@click.option("--sheet_name", default="", metavar="TEXT", help="The spreadsheet's title, URL or key.")
@click.option(
    "--config_path", default=config.DEFAULT_PATH, metavar="FILE", help="The configuration (config.json)."
)
@click.option("--project", multiple=True, metavar="ENTITY/PROJECT", help="Only this W&B project; repeatable.")
@click.option("--host", default="", metavar="URL", help="A W&B server of your own.")
@click.option("--source", default="", metavar="NAME", help="wandb (default) or folders[:DIR].")
@click.option("--destination", default="", metavar="NAME", help="gsheet (default) or xlsx[:FILE].")
@click.option("--dry_run", is_flag=True, help="Show what would be written, and write nothing.")
@click.option("--verbose", is_flag=True, help="More lines, and the cause of each error.")
@click.option(
    "--log_file",
    default="wandb_sync.log",
    metavar="FILE",
    help="The log (wandb_sync.log), rotated; '' for none.",
)
@click.pass_context
def sync_command(context: click.Context, /, **flags: object) -> None:
    """Append runs that are not in the sheet yet, now and every MINUTES."""
    options = Options(**flags)  # type: ignore[arg-type]
    with _exit_codes(options.verbose):
        logs.set_up(options.log_file, verbose=options.verbose)
        _run(options, Clock())


@commands.command("health")
def health_command() -> None:
    """Tell whether the daemon in this container is alive (for HEALTHCHECK)."""
    with _exit_codes(verbose=False):
        path = os.environ.get(health.VARIABLE, "")
        if not path:
            raise ConfigError(f"{health.VARIABLE} is not set: the daemon writes no health file")
        click.echo(health.check(path, Clock().now()))


def _run(options: Options, clock: Clock) -> None:
    """Tick once or on a schedule, until done or stopped by a signal."""
    ticker = _Ticker(options, clock)
    once = options.once or options.dry_run or not options.schedule_time
    if once:
        ended = run_until_signal(ticker.once, clock)
    else:
        ticker.configured()  # A daemon that cannot work at all should not seem to.
        log.info("syncing every %g minutes; stop with Ctrl-C", options.schedule_time)
        ended = run_until_signal(Daemon(ticker, options.schedule_time, clock).run, clock)
    if not ended:
        raise _Abandoned(FAILED if once else OK)


class _Ticker:
    """Makes everything anew for each tick, so that keys and config.json may change meanwhile (P8)."""

    def __init__(self, options: Options, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._told: set[Skip] = set()

    def __call__(self) -> None:
        good = False
        try:
            self.once()
            good = True
        finally:
            if path := os.environ.get(health.VARIABLE):
                health.note(path, self._clock.now(), self._options.schedule_time, good=good)

    def configured(self) -> config.Config:
        """The configuration as it stands now. A file that was named has to exist; the default one
        only for a spreadsheet, which cannot do without."""
        path = self._options.config_path
        named = path != config.DEFAULT_PATH
        return config.load(path, required=named or backends.needs_config(self._options.destination))

    def once(self) -> None:
        """One tick. Raises RunsheetError when it failed, also if only some projects did."""
        options, clock = self._options, self._clock
        settings = self.configured()
        setup = backends.Setup(
            config=settings,
            clock=clock,
            environ=os.environ,
            folder=Path(options.config_path).parent,
            projects=options.project,
            sheet=options.sheet_name,
            host=options.host,
            source=options.source,
            destination=options.destination,
        )
        wants_machine = any(header.key == "host" for header in settings.headers)
        query = Query(options.user_name, settings.FILTERS, wants_machine)
        rules = settings.rules(options.user_name)
        destination = backends.destination(setup)
        try:
            source = backends.source(setup)
            try:
                with _progress() as progress:
                    report = sync.tick(
                        source, destination, rules, query, clock, dry_run=options.dry_run, progress=progress
                    )
            finally:
                source.close()
        finally:
            destination.close()
        self._tell(report)
        if report.failed:
            names = ", ".join(report.failed)
            raise ServiceError(f"{len(report.failed)} of the projects could not be listed: {names}")

    def _tell(self, report: Report) -> None:
        for skip in report.skips:
            # The same bad folder every half hour would bury the rest.
            log.log(
                logging.DEBUG if skip in self._told else logging.WARNING, "%s: %s", skip.what, skip.reason
            )
        self._told |= set(report.skips)
        for remark in report.remarks():
            log.warning("%s", remark)
        for line in report.plan_lines():
            log.info("%s", line)
        log.info("%s", report.line())


@contextmanager
def _exit_codes(verbose: bool) -> Iterator[None]:
    """Turn errors into one clear sentence and the right exit code."""
    try:
        yield
    except _Abandoned as abandoned:
        logging.shutdown()
        sys.stdout.flush()
        os._exit(int(abandoned.code or 0))
    except Stopped as stop:
        _fail(stop, FAILED, verbose)
    except ConfigError as error:
        _fail(error, USAGE, verbose)
    except RunsheetError as error:
        _fail(error, FAILED, verbose)


def _fail(error: RunsheetError, code: int, verbose: bool) -> None:
    if logging.getLogger().handlers:
        log.error("%s", error, exc_info=verbose)
    else:
        click.echo(f"{error}", err=True)
    sys.exit(code)


@contextmanager
def _progress() -> Iterator[Callable[[int], None]]:
    """A bar on a terminal while runs are pulled; elsewhere a line every 5,000 runs."""
    if not sys.stderr.isatty():
        yield lambda count: log.info("%s runs so far", f"{count:,}") if count % 5_000 == 0 else None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("pulling runs"), BarColumn(), TextColumn("{task.completed:,}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("runs", total=None)
        yield lambda count: bar.update(task, completed=count)
