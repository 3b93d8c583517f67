"""What the commands share: flags, and errors as one sentence and an exit code."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

import click

from runsheet import config
from runsheet.errors import ConfigError, RunsheetError
from runsheet.ticker import Place

log = logging.getLogger(__name__)

FAILED, USAGE = 1, 2

Command = Callable[..., None]

HOST = click.option("--host", default="", metavar="URL", help="A W&B server of your own.")

SOURCE = click.option(
    "--source",
    default="",
    metavar="NAME",
    help="wandb (default), folders[:DIR], export:FILE or trackio[:DIR].",
)

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
    HOST,
    SOURCE,
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


def having(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def place_of(flags: dict[str, Any]) -> Place:
    return Place(**{field.name: flags[field.name] for field in fields(Place)})


@contextmanager
def exit_codes(verbose: bool) -> Iterator[None]:
    """Turn errors into one clear sentence and the right exit code."""
    try:
        yield
    except RunsheetError as error:
        if logging.getLogger().handlers:
            log.error("%s", error, exc_info=verbose)
        else:
            click.echo(str(error), err=True)
        sys.exit(USAGE if isinstance(error, ConfigError) else FAILED)
