"""Sources and destinations by name, imported on first use; the place to add the next one.

A *spec* is a name and, after a colon, where: `folders:/data/runs`, `export:runs.jsonl`, `xlsx:runs.xlsx`.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from runsheet import projects
from runsheet.backup import Backups
from runsheet.clock import Clock
from runsheet.config import Config
from runsheet.destinations.base import Destination
from runsheet.errors import ConfigError, MissingPackage
from runsheet.pace import Paces
from runsheet.reports.live_table import TABLES
from runsheet.sources.base import Source

T = TypeVar("T")

WANDB_PACE = (200, 20.0)
"""Requests to W&B in so many seconds, by all projects: ten a second, and 200 at once. A tick makes about
three for a project, so that only dozens of projects feel it, or a loop that should not be one."""

BACKUP_VARIABLE = "RUNSHEET_BACKUP_DIR"
"""The environment variable that says where backups go unless config.json does, as in the image."""


@dataclass(frozen=True, slots=True)
class Setup:
    """Everything that a backend is made from. Flags of the command line win over `config`.

    `worksheet` takes the place of WORKSHEET. `folder` is where config.json lies: paths in it are relative to
    it. `memo` is what backends remember from one tick to the next, and the paces that they share: a process
    hands in one and the same each time.
    """

    config: Config
    clock: Clock
    environ: Mapping[str, str]
    folder: Path = Path()
    projects: Sequence[str] = ()
    sheet: str = ""
    worksheet: str = ""
    host: str = ""
    source: str = ""
    destination: str = ""
    memo: dict[str, Any] = field(default_factory=dict)

    @property
    def paces(self) -> Paces:
        """How fast each service may be asked by this process."""
        paces: Paces = self.memo.setdefault("paces", Paces(self.clock))
        return paces


def source(setup: Setup) -> Source:
    """The source that the flags or config.json name. Raises ConfigError for an unknown one."""
    return _find(SOURCES, setup.source or setup.config.SOURCE, "--source")(setup)


def destination(setup: Setup) -> Destination:
    """The destination that the flags or config.json name. Raises ConfigError for an unknown one."""
    return _find(DESTINATIONS, setup.destination or setup.config.DESTINATION, "--destination")(setup)


def backups(setup: Setup) -> Backups | None:
    """Where copies of the table go before it is written; None where BACKUP_DIR is "".

    BACKUP_DIR is relative to config.json; where it is not set, RUNSHEET_BACKUP_DIR may replace the default.
    """
    config = setup.config
    chosen = config.BACKUP_DIR
    if "BACKUP_DIR" not in config.model_fields_set:
        chosen = setup.environ.get(BACKUP_VARIABLE, chosen)
    return Backups(setup.folder / chosen, config.BACKUP_KEEP, setup.clock) if chosen else None


def needs_config(spec: str) -> bool:
    """Whether a destination cannot do without config.json."""
    return spec.partition(":")[0] in ("", "gsheet")


def _wandb(setup: Setup, _where: str) -> Source:
    from runsheet.sources.wandb_api import WandbSource
    from runsheet.sources.wandb_folders import newest

    named = projects.chosen(setup.projects, setup.config, setup.environ, lambda: newest("."))
    pace = setup.paces.of("W&B", setup.host, *WANDB_PACE)  # A process has one login at a host.
    return WandbSource(
        named, host=setup.host, clock=setup.clock, allow_http=setup.config.ALLOW_HTTP, pace=pace.take
    )


def _folders(setup: Setup, where: str) -> Source:
    from runsheet.sources.wandb_folders import FolderSource

    named = tuple(setup.projects) or setup.config.projects
    return FolderSource(where or ".", clock=setup.clock, projects=named)


def _export(setup: Setup, where: str) -> Source:
    from runsheet.sources.export import ExportSource
    from runsheet.sources.wandb_api.client import identity

    if not where:
        raise ConfigError("--source: export needs a file, as in export:runs.jsonl")
    named = tuple(setup.projects) or setup.config.projects
    home = setup.projects[0] if len(setup.projects) == 1 else ""
    host = setup.host if "://" in setup.host or not setup.host else f"https://{setup.host}"
    return ExportSource(where, clock=setup.clock, projects=named, home=home, host=identity(host))


def _trackio(setup: Setup, where: str) -> Source:
    from runsheet.sources.trackio_db import TrackioSource, default_folder

    return TrackioSource(
        where or default_folder(setup.environ),
        clock=setup.clock,
        projects=tuple(setup.projects) or setup.config.projects,
        silence=timedelta(hours=setup.config.SETTLE_HOURS),
    )


def _gsheet(setup: Setup, _where: str) -> Destination:
    config = setup.config
    from runsheet.destinations.gsheet import GsheetDestination, spreadsheet_key
    from runsheet.destinations.gsheet.client import Google
    from runsheet.destinations.gsheet.credentials import SCOPE_COPIES, SCOPE_NAMES, SCOPE_SHEETS, load_key

    name = setup.sheet or config.SPREADSHEET_NAME
    scopes = [SCOPE_SHEETS] + ([] if spreadsheet_key(name) else [SCOPE_NAMES])
    scopes += [SCOPE_COPIES] if config.DRIVE_COPY else []
    endpoint = config.GOOGLE_API_ENDPOINT or setup.environ.get("GOOGLE_API_ENDPOINT", "")
    credentials = load_key(_beside(setup, config.GCP_JSON), scopes)
    client = Google(credentials, setup.clock, endpoint, config.ALLOW_HTTP, paces=setup.paces)
    return GsheetDestination(
        client,
        name,
        setup.worksheet or config.WORKSHEET,
        zone=config.zone,
        zone_name=config.TIMEZONE,
        drive_copy=config.DRIVE_COPY,
        memo=setup.memo,
        others=TABLES.keys(),
    )


def _xlsx(setup: Setup, where: str) -> Destination:
    from runsheet.destinations.xlsx import XlsxDestination

    config = setup.config
    return XlsxDestination(
        where or "runs.xlsx",
        worksheet=setup.worksheet or config.WORKSHEET or "runs",
        timezone=config.zone,
        clock=setup.clock,
    )


def _beside(setup: Setup, path: str) -> str:
    """A path of config.json: relative to the file, or else to the working directory."""
    if not path or os.path.isabs(path):  # noqa: PTH117 - "" has to stay ""
        return path
    beside = setup.folder / path
    return str(beside) if beside.exists() or not Path(path).exists() else path


SOURCES: Mapping[str, Callable[[Setup, str], Source]] = {
    "wandb": _wandb,
    "folders": _folders,
    "export": _export,
    "trackio": _trackio,
}
DESTINATIONS: Mapping[str, Callable[[Setup, str], Destination]] = {"gsheet": _gsheet, "xlsx": _xlsx}

_PACKAGES = {"wandb": "wandb", "gspread": "gspread", "oauth2client": "oauth2client", "openpyxl": "openpyxl"}


def _find(known: Mapping[str, Callable[[Setup, str], T]], spec: str, flag: str) -> Callable[[Setup], T]:
    name, _, where = spec.partition(":")
    if name not in known:
        raise ConfigError(f"{flag}: there is no {name!r}; there are {', '.join(known)}")

    if where and name in ("wandb", "gsheet"):
        raise ConfigError(f"{flag}: {name} takes nothing after the colon, and {where!r} stands there")

    def make(setup: Setup) -> T:
        try:
            return known[name](setup, where)
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            if package not in _PACKAGES:
                raise
            raise MissingPackage(
                f"{name} needs the package {package}: pip install {_PACKAGES[package]}"
            ) from error

    return make
