"""The command line: options, logging, exit codes. Imported by nobody.

Exit codes: 0 good, 1 a tick failed (with --once), 2 usage or configuration.
"""

import logging
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import fields
from functools import partial
from typing import Any

import click

from runsheet import __version__, backends, config, doctor, forget, health, logs, undo
from runsheet.clock import Clock
from runsheet.daemon import Daemon, run_until_signal
from runsheet.errors import ConfigError, RunsheetError
from runsheet.ticker import Place, Ticker

log = logging.getLogger(__name__)

FAILED, USAGE = 1, 2

CONTEXT = {
    "help_option_names": ["-h", "--help"],
    "max_content_width": 100,
    # --user-name is --user_name: people know both spellings.
    "token_normalize_func": lambda text: text.replace("-", "_"),
}

PLACE = (
    click.option("--sheet_name", default="", metavar="TEXT", help="The spreadsheet's title, URL or key."),
    click.option(
        "--config_path",
        default=config.DEFAULT_PATH,
        envvar="RUNSHEET_CONFIG",
        metavar="FILE",
        help="The configuration (config.json, or RUNSHEET_CONFIG).",
    ),
    click.option(
        "--project", multiple=True, metavar="ENTITY/PROJECT", help="Only this W&B project; repeatable."
    ),
    click.option("--host", default="", metavar="URL", help="A W&B server of your own."),
    click.option("--source", default="", metavar="NAME", help="wandb (default) or folders[:DIR]."),
    click.option("--destination", default="", metavar="NAME", help="gsheet (default) or xlsx[:FILE]."),
)
"""The flags that say from where to where: the fields of Place."""

OUTPUT = (
    click.option("--verbose", is_flag=True, help="More lines, and the cause of each error."),
    click.option(
        "--log_file",
        default="wandb_sync.log",
        metavar="FILE",
        help="The log (wandb_sync.log), which rotates; '' for none.",
    ),
)

Command = Callable[..., None]


def main(args: Sequence[str] | None = None) -> None:
    """Entry of the console command `runsheet`."""
    commands.main(args=None if args is None else list(args), prog_name="runsheet")


def script(args: Sequence[str]) -> None:
    """Entry of wandb_spreadsheet_sync.py: like `runsheet`, and `sync` when no command is named."""
    named = bool(args) and args[0] in commands.commands
    commands.main(args=list(args) if named else ["sync", *args], prog_name="wandb_spreadsheet_sync.py")


def _with(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, message="runsheet %(version)s")
def commands() -> None:
    """Keeps a team's spreadsheet true to its Weights & Biases runs."""


@commands.command("sync")
@click.option("--user_name", multiple=True, metavar="NAME", help="Only runs of this W&B user; repeatable.")
@click.option(
    "--schedule_time",
    type=click.FloatRange(0, 525_600),
    default=30.0,
    metavar="MINUTES",
    help="Minutes between two ticks (default 30); 0 means once.",
)
@click.option("--once", is_flag=True, help="One tick, then end.")
@click.option("--dry_run", is_flag=True, help="Show what would be written, and write nothing.")
@click.option(
    "--accept_changes", is_flag=True, help="Let one tick through that would change far more than usual."
)
@_with(*PLACE, *OUTPUT)
def sync_command(
    user_name: tuple[str, ...],
    schedule_time: float,
    once: bool,
    dry_run: bool,
    accept_changes: bool,
    verbose: bool,
    log_file: str,
    **place: Any,
) -> None:
    """Append runs that are not in the sheet yet, now and every MINUTES.

    The other commands are `doctor`, which checks a set-up, `history` and `undo`, which show and take
    back what was written, `forget`, which lets deleted runs back in, and `health`.
    """
    clock = Clock()
    with _exit_codes(verbose):
        logs.set_up(log_file, verbose=verbose)
        if math.isnan(schedule_time):
            raise ConfigError("--schedule_time: expected a number of minutes")
        users = tuple(name for name in user_name if name.strip())
        ticker = Ticker(_place(place), clock, users, schedule_time, accept_changes=accept_changes)
        if once or dry_run or not schedule_time:
            _until_signal(partial(ticker.once, dry_run=dry_run), clock, FAILED)
            clock.check()
        else:
            ticker.check()  # A daemon that cannot work at all should not seem to.
            log.info("syncing every %g minutes; Ctrl-C ends it", schedule_time)
            _until_signal(Daemon(ticker, schedule_time, clock).run, clock, 0)


@commands.command("doctor")
@_with(*PLACE)
def doctor_command(**place: Any) -> None:
    """Check a set-up step by step: login, project, key, spreadsheet. Writes no cell."""
    with _exit_codes(verbose=False):
        logs.set_up("", verbose=False)
        where = _place(place)
        findings = []
        for finding in doctor.examine(where.setup(where.load(), Clock())):
            findings.append(finding)
            click.echo(f"{'ok  ' if finding.good else 'FAIL'}  {finding.what}: {finding.text}")
        if not all(finding.good for finding in findings):
            sys.exit(FAILED)


@commands.command("forget")
@click.argument("run_ids", nargs=-1, metavar="[RUN_ID]...")
@click.option("--all", "everything", is_flag=True, help="All runs whose rows were deleted.")
@_with(*PLACE)
def forget_command(run_ids: tuple[str, ...], everything: bool, **place: Any) -> None:
    """Let runs back in whose rows were deleted by hand: the next tick appends them again."""
    with _exit_codes(verbose=False):
        logs.set_up("", verbose=False)
        if bool(run_ids) == everything:
            raise ConfigError("name the runs to forget, or --all")
        where = _place(place)
        with closing(backends.destination(where.setup(where.load(), Clock()))) as destination:
            outcome = forget.forget(destination, None if everything else run_ids)
        click.echo(f"forgotten: {', '.join(outcome.back) or 'nothing'}")
        if outcome.standing:
            click.echo(f"their rows are in the sheet: {', '.join(outcome.standing)}")
        if outcome.unknown:
            click.echo(f"never added: {', '.join(outcome.unknown)}")


@commands.command("history")
@_with(*PLACE)
def history_command(**place: Any) -> None:
    """List the last ticks that wrote, newest first."""
    with _exit_codes(verbose=False):
        logs.set_up("", verbose=False)
        where = _place(place)
        with closing(backends.destination(where.setup(where.load(), Clock()))) as destination:
            entries = undo.history(destination)
        for entry in entries:
            click.echo(entry.line())
        if not entries:
            click.echo("no tick has written anything yet, as far as the book-keeping tells")


@commands.command("undo")
@click.argument("tick", default="", metavar="[TICK]")
@_with(*PLACE)
def undo_command(tick: str, **place: Any) -> None:
    """Take back what a tick wrote: the last one, or the one of that name in `history`.

    Cells that people have changed since stay as they are, and are named.
    """
    with _exit_codes(verbose=False):
        logs.set_up("", verbose=False)
        where, clock = _place(place), Clock()
        with closing(backends.destination(where.setup(where.load(), clock))) as destination:
            outcome = undo.undo(destination, clock, tick)
        for line in outcome.lines():
            click.echo(line)


@commands.command("health")
def health_command() -> None:
    """Tell whether the daemon in this container is alive (for HEALTHCHECK)."""
    with _exit_codes(verbose=False):
        path = os.environ.get(health.VARIABLE, "")
        if not path:
            raise ConfigError(f"{health.VARIABLE} is not set: the daemon writes no health file")
        click.echo(health.check(path, Clock().now()))


def _place(flags: dict[str, Any]) -> Place:
    return Place(**{field.name: flags[field.name] for field in fields(Place)})


def _until_signal(work: Callable[[], None], clock: Clock, code: int) -> None:
    """Run to the end, or to a signal. Work that waits for an answer then is abandoned: the process
    ends with `code` at once, since a thread cannot be ended."""
    if not run_until_signal(work, clock):
        logging.shutdown()
        sys.stdout.flush()
        os._exit(code)


@contextmanager
def _exit_codes(verbose: bool) -> Iterator[None]:
    """Turn errors into one clear sentence and the right exit code."""
    try:
        yield
    except RunsheetError as error:
        if logging.getLogger().handlers:
            log.error("%s", error, exc_info=verbose)
        else:
            click.echo(str(error), err=True)
        sys.exit(USAGE if isinstance(error, ConfigError) else FAILED)
