"""The command `compare`: runs side by side."""

import json
import logging
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, fields, replace
from typing import Any

import click

from runsheet import backends, logs, sync
from runsheet.cli.options import exit_codes, having
from runsheet.cli.whose import WHOSE, Asked
from runsheet.clock import Clock
from runsheet.comparing import Meant, comparison
from runsheet.errors import ConfigError
from runsheet.plot import figure
from runsheet.reports import compare_sheet, compare_tables, heading
from runsheet.reports.compare import HIGHER, LOWER, Comparison
from runsheet.reports.live_table import COMPARISON, TABLES
from runsheet.reports.writing import plain
from runsheet.sources.base import Which
from runsheet.ticker import Place

WHICH = (
    click.option("--group", default="", metavar="NAME", help="Also the runs of this group."),
    click.option("--sweep", default="", metavar="ID", help="Also the runs of this sweep."),
    click.option(
        "--filter", "rule", default="", metavar="JSON", help="Also the runs that a W&B filter object means."
    ),
    click.option(
        "--limit",
        default=50,
        type=click.IntRange(min=2),
        metavar="N",
        help="Compare as many runs at most (50).",
    ),
)
"""The flags that say which runs are meant, besides those that are named."""

SHOWN = (
    click.option(
        "--metric",
        "metrics",
        multiple=True,
        metavar="NAME[:min|:max]",
        help="Only this metric, and which values of it are better; repeatable.",
    ),
    click.option("--all", "everything", is_flag=True, help="Also the keys of the config that are equal."),
    click.option(
        "--format",
        "form",
        default="text",
        type=click.Choice([*compare_tables.FORMATS]),
        help="text is the default.",
    ),
    click.option("--plot", default="", metavar="FILE", help="Also draw a picture: FILE.png or FILE.svg."),
)

WHERE = (
    click.option(
        "--destination", default="", metavar="NAME", help="Also into a worksheet: gsheet or xlsx[:FILE]."
    ),
    click.option("--sheet_name", default="", metavar="TEXT", help="The spreadsheet's title, URL or key."),
    click.option("--worksheet", default="", metavar="TITLE", help=f"The worksheet ({COMPARISON})."),
    click.option(
        "--accept_changes", is_flag=True, help="Once: also a write that is far out of the ordinary."
    ),
)
"""The flags that say which worksheet gets the comparison: the fields of Where."""

DIRECTIONS = f"""Which values of a metric are better is what --metric says, else what the last word of its
name does: lower for {", ".join(LOWER)}; higher for {", ".join(HIGHER)}. The best is marked with *."""


@dataclass(frozen=True, slots=True)
class Where:
    """The worksheet that gets the comparison, as typed; no `destination` for none."""

    destination: str
    sheet_name: str
    worksheet: str
    accept_changes: bool

    @property
    def tab(self) -> str:
        return self.worksheet.strip() or COMPARISON

    def setup(self, config_path: str, clock: Clock) -> backends.Setup | None:
        """What the worksheet is made from; None where none was asked for. Raises ConfigError for what can be
        told without asking a service."""
        if not self.destination:
            for flag in ("sheet_name", "worksheet", "accept_changes"):
                if getattr(self, flag):
                    raise ConfigError(f"--{flag} tells about a worksheet: name its --destination, too")
            return None
        place = Place(sheet_name=self.sheet_name, config_path=config_path, destination=self.destination)
        loaded = place.load()
        taken = {*TABLES, loaded.WORKSHEET or "runs"}
        if self.tab.casefold() in {title.strip().casefold() for title in taken}:
            raise ConfigError(f"--worksheet: {self.tab} is the tab of another table: name one of its own")
        setup = replace(place.setup(loaded, clock), worksheet=self.tab)
        backends.destination(setup).close()
        return setup


@click.command("compare", epilog=DIRECTIONS)
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@having(*WHOSE, *WHICH, *SHOWN, *WHERE)
def compare_command(
    runs: tuple[str, ...],
    metrics: tuple[str, ...],
    everything: bool,
    form: str,
    plot: str,
    **flags: Any,
) -> None:
    """Show runs side by side: config keys that differ, last metrics, use of GPUs, time.

    RUN is a run's id or name; of several runs of one name the newest is meant. Runs of a group, a sweep or a
    filter come after those that are named.
    """
    with exit_codes(verbose=False):
        logs.set_up("", verbose=False)
        logging.getLogger().setLevel(logging.WARNING)  # stdout holds the comparison and nothing else
        if plot:
            figure.ending(plot)
        where = Where(**{field.name: flags.pop(field.name) for field in fields(Where)})
        meant, asked, clock = _meant(runs, flags), Asked(**flags), Clock()
        setup = where.setup(asked.config_path, clock)
        loaded = asked.load()
        with closing(asked.open(loaded, clock)) as source:
            projects = asked.projects(source, loaded)
            found = comparison(source, projects, meant, metrics, loaded.usage, clock.now())
        click.echo(compare_tables.FORMATS[form](found, everything=everything), nl=False)
        _aside(f"{heading.NOTE}{note}" for note in found.notes if form == "csv")
        if plot:  # Before the worksheet, whose refusal shall not cost the picture.
            _draw(found, plot)
        if setup:
            _keep(found, setup, clock, accept_changes=where.accept_changes)


def _meant(runs: tuple[str, ...], flags: dict[str, Any]) -> Meant:
    """The runs that are meant; takes the flags of WHICH out of `flags`. Raises ConfigError."""
    group, sweep, rule, limit = (flags.pop(name) for name in ("group", "sweep", "rule", "limit"))
    if "" in runs:
        raise ConfigError("a RUN is an id or a name, and an empty text is neither")
    return Meant(runs, Which(group=group, sweep=sweep, filters=_rule(rule)), limit)


def _rule(text: str) -> Mapping[str, Any]:
    """A W&B filter object. Raises ConfigError for any other text."""
    if not text:
        return {}
    try:
        rule = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"--filter: {text!r} is not JSON: {error}") from error
    if not isinstance(rule, dict) or not rule:
        raise ConfigError('--filter: a W&B filter is a JSON object, such as {"state": "finished"}')
    return rule


def _keep(found: Comparison, setup: backends.Setup, clock: Clock, *, accept_changes: bool) -> None:
    """Bring the comparison into its worksheet, and tell what was done. Raises as compare_sheet.keep does."""
    mode = sync.Mode(accept_changes=accept_changes, backups=backends.backups(setup))
    with closing(backends.destination(setup)) as destination:
        report = compare_sheet.keep(
            found, setup.worksheet, setup.config.MAX_COLUMNS, destination, clock, mode
        )
    _aside([*report.remarks(), report.line()])


def _draw(found: Comparison, path: str) -> None:
    from runsheet.plot import compare

    figure.save(compare.draw(found), path)
    _aside([f"the picture is in {path}"])


def _aside(lines: Iterable[str]) -> None:
    """Tell what has no place on stdout."""
    for line in lines:
        click.echo(plain(line), err=True)
