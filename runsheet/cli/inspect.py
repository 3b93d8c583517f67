"""The commands `keys` and `gpu`: what one run logged, and how it used its GPUs."""

import logging
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

import click

from runsheet import gpu_use, logs, lookup
from runsheet.cli.options import FAILED, exit_codes, having
from runsheet.cli.whose import WHOSE, Asked
from runsheet.clock import Clock
from runsheet.gpu_use import Told
from runsheet.lookup import Found
from runsheet.model import Run
from runsheet.plot import figure
from runsheet.reports import gpu_tables, heading, keys
from runsheet.sources.base import Recorded, Stream, Which

FORMATS = ("text", "csv", "json")

WHICH = (
    click.option("--run_name", default="", metavar="NAME", help="The run's name (default: the newest run)."),
    click.option("--run_id", default="", metavar="ID", help="The run's id, which wins over its name."),
)
"""The flags that say which run is meant."""

FORMAT = click.option(
    "--format", "form", default="text", type=click.Choice(FORMATS), help="text is the default."
)


@click.command("keys")
@having(
    *WHOSE,
    *WHICH,
    FORMAT,
    click.option("--all", "every", is_flag=True, help=f"The training's keys beyond {keys.SHOWN}, too."),
)
def keys_command(form: str, every: bool, **flags: Any) -> None:
    """Show the keys that a run logged.

    The newest run of the project, unless one is named.
    """
    with exit_codes(verbose=False), _one(flags) as (source, found):
        logged = keys.keys(source.logged(found.run))
        notes = found.notes
        if form == "csv":
            _aside(notes)
            shown = keys.csv_text(logged)
        elif form == "json":
            shown = keys.json_text(found.run, logged, notes)
        else:
            shown = keys.text(found.run, logged, notes, every=every)
        click.echo(shown, nl=False)


@click.command("gpu")
@having(
    *WHOSE,
    *WHICH,
    FORMAT,
    click.option(
        "--system", is_flag=True, help="What the client measured, and not what the training logged."
    ),
    click.option("--plot", default="", metavar="FILE", help="Also draw a picture: FILE.png or FILE.svg."),
)
def gpu_command(form: str, system: bool, plot: str, **flags: Any) -> None:
    """Show how a run used its GPUs.

    By its training history, and where that tells nothing by the system stream. The newest run of the project,
    unless one is named.
    """
    with exit_codes(verbose=False):
        if plot:
            figure.ending(plot)
        with _one(flags) as (source, found):
            told = gpu_use.told(source, found.run, system=system)
        _show(found, told, form)
        if not told.use.known:
            sys.exit(FAILED)
        if plot:
            _draw(found.run, told, plot)


@contextmanager
def _one(flags: Mapping[str, Any]) -> Iterator[tuple[Recorded, Found]]:
    """The source, and the run that is meant. Raises NotFound without one, and ConfigError."""
    logs.set_up("", verbose=False)
    logging.getLogger().setLevel(logging.WARNING)  # stdout holds what was asked for and nothing else
    whose = {key: value for key, value in flags.items() if key not in ("run_name", "run_id")}
    run_id, name = flags["run_id"], flags["run_name"]
    asked = Asked(**whose)
    loaded = asked.load()
    with closing(asked.open(loaded, Clock())) as source:
        recorded = gpu_use.recorded(source)
        which = Which(id=run_id) if run_id else Which(name=name)
        yield recorded, lookup.one(source, asked.projects(source, loaded), which)


def _show(found: Found, told: Told, form: str) -> None:
    """Without any metrics: what to do, and where a program reads stdout nothing there."""
    notes = _notes(found, told)
    if form == "text":
        shown = gpu_tables.text(found.run, told.use, told.stream, notes)
    elif not told.use.known:
        _aside(notes)
        click.echo(gpu_tables.MISSING, nl=False, err=True)
        return
    elif form == "csv":
        _aside(notes)
        shown = gpu_tables.csv_text(told.use)
    else:
        read = told.came or told.use.rows
        shown = gpu_tables.json_text(found.run, told.use, told.stream, notes, (read, told.total))
    click.echo(shown, nl=False)


def _notes(found: Found, told: Told) -> list[str]:
    """What a person should know about the choice of the run, and about its numbers."""
    notes = [*found.notes]
    if told.use.known:
        notes.append(told.note)
        if not told.use.gpus and told.stream is Stream.HISTORY:
            notes.append("the training logged all GPUs together: --system may tell of each by itself")
    elif not told.fallback:
        notes.append("only the system stream was asked: without --system both are")
    return [note for note in notes if note]


def _aside(notes: Iterable[str]) -> None:
    """Tell notes where stdout has no place for them."""
    for note in notes:
        click.echo(f"{heading.NOTE}{note}", err=True)


def _draw(run: Run, told: Told, path: str) -> None:
    from runsheet.plot import gpu

    figure.save(gpu.draw(run, told.use), path)
    click.echo(f"the picture is in {path}", err=True)
