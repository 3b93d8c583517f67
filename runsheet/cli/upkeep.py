"""The commands that look after a table: doctor, forget, history, undo, health."""

import os
import sys
from contextlib import closing
from dataclasses import replace
from typing import Any

import click

from runsheet import backends, doctor, forget, health, logs, undo
from runsheet.cli.options import FAILED, PLACE, exit_codes, having, place_of
from runsheet.clock import Clock
from runsheet.destinations.base import Destination
from runsheet.errors import ConfigError

TABLE = (
    *PLACE,
    click.option(
        "--worksheet", default="", metavar="TITLE", help="The worksheet, if not that of the configuration."
    ),
)
"""The flags that say which table is meant."""


@click.command("doctor")
@having(*PLACE)
def doctor_command(**place: Any) -> None:
    """Check a set-up step by step: login, project, key, spreadsheet. Writes no cell."""
    with exit_codes(verbose=False):
        logs.set_up("", verbose=False)
        where = place_of(place)
        findings = []
        for finding in doctor.examine(where.setup(where.load(), Clock())):
            findings.append(finding)
            click.echo(f"{'ok  ' if finding.good else 'FAIL'}  {finding.what}: {finding.text}")
        if not all(finding.good for finding in findings):
            sys.exit(FAILED)


@click.command("forget")
@click.argument("run_ids", nargs=-1, metavar="[RUN_ID]...")
@click.option("--all", "everything", is_flag=True, help="All runs whose rows were deleted.")
@having(*TABLE)
def forget_command(run_ids: tuple[str, ...], everything: bool, **table: Any) -> None:
    """Let runs back in whose rows were deleted by hand: the next tick appends them again."""
    with exit_codes(verbose=False):
        logs.set_up("", verbose=False)
        if bool(run_ids) == everything:
            raise ConfigError("name the runs to forget, or --all")
        with closing(_destination(table, Clock())) as destination:
            outcome = forget.forget(destination, None if everything else run_ids)
        click.echo(f"forgotten: {', '.join(outcome.back) or 'nothing'}")
        if outcome.standing:
            click.echo(f"their rows are in the sheet: {', '.join(outcome.standing)}")
        if outcome.unknown:
            click.echo(f"never added: {', '.join(outcome.unknown)}")


@click.command("history")
@having(*TABLE)
def history_command(**table: Any) -> None:
    """List the last ticks that wrote, newest first."""
    with exit_codes(verbose=False):
        logs.set_up("", verbose=False)
        with closing(_destination(table, Clock())) as destination:
            entries = undo.history(destination)
        for entry in entries:
            click.echo(entry.line())
        if not entries:
            click.echo("no tick has written anything yet, as far as the book-keeping tells")


@click.command("undo")
@click.argument("tick", default="", metavar="[TICK]")
@having(*TABLE)
def undo_command(tick: str, **table: Any) -> None:
    """Take back what a tick wrote: the last one, or the one of that name in `history`.

    Cells that people have changed since stay as they are, and are named.
    """
    with exit_codes(verbose=False):
        logs.set_up("", verbose=False)
        clock = Clock()
        with closing(_destination(table, clock)) as destination:
            outcome = undo.undo(destination, clock, tick)
        for line in outcome.lines():
            click.echo(line)


@click.command("health")
def health_command() -> None:
    """Tell whether the daemon in this container is alive (for HEALTHCHECK)."""
    with exit_codes(verbose=False):
        path = os.environ.get(health.VARIABLE, "")
        if not path:
            raise ConfigError(f"{health.VARIABLE} is not set: the daemon writes no health file")
        click.echo(health.check(path, Clock().now()))


def _destination(table: dict[str, Any], clock: Clock) -> Destination:
    """Where the table is that the flags of TABLE name."""
    where = place_of(table)
    setup = where.setup(where.load(), clock)
    return backends.destination(replace(setup, worksheet=table["worksheet"].strip()))
