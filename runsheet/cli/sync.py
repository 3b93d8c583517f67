"""The command `sync`: once, or as a daemon."""

import logging
import math
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import click

from runsheet import logs
from runsheet.cli.options import FAILED, OUTPUT, PLACE, exit_codes, having, place_of
from runsheet.clock import Clock
from runsheet.daemon import Daemon, run_until_signal
from runsheet.errors import ConfigError
from runsheet.ticker import Ticker

log = logging.getLogger(__name__)


@click.command("sync")
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
@having(*PLACE, *OUTPUT)
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
    back what was written, `forget`, which lets deleted runs back in, `health`, and those that only read:
    `gpu-hours`, which shows what runs took, `keys` and `gpu`, which look into one, and `compare`.
    """
    clock = Clock()
    with exit_codes(verbose):
        logs.set_up(log_file, verbose=verbose)
        if math.isnan(schedule_time):
            raise ConfigError("--schedule_time: expected a number of minutes")
        users = tuple(name for name in user_name if name.strip())
        ticker = Ticker(place_of(place), clock, users, schedule_time, accept_changes=accept_changes)
        if once or dry_run or not schedule_time:
            _until_signal(partial(ticker.once, dry_run=dry_run), clock, FAILED)
            clock.check()
        else:
            ticker.check()  # A daemon that cannot work at all should not seem to.
            log.info("syncing every %g minutes; Ctrl-C ends it", schedule_time)
            _until_signal(Daemon(ticker, schedule_time, clock).run, clock, 0)


def _until_signal(work: Callable[[], None], clock: Clock, code: int) -> None:
    """Run to the end, or to a signal. Work that waits for an answer then is abandoned: the process
    ends with `code` at once, since a thread cannot be ended."""
    if not run_until_signal(work, clock):
        logging.shutdown()
        sys.stdout.flush()
        os._exit(code)
