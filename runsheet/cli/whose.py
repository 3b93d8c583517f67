"""What the commands that only read share: whose runs are asked for."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import click

from runsheet import backends, config
from runsheet.cli.options import HOST, SOURCE
from runsheet.clock import Clock
from runsheet.config import Config, with_entity
from runsheet.errors import ConfigError
from runsheet.sources.base import Source

EVERY = "*"
"""Stands for all projects of an entity."""

WHOSE = (
    click.option("--entity", default="", metavar="NAME", help="The W&B team or user (TEAM_NAME)."),
    click.option(
        "--project",
        multiple=True,
        metavar="NAME",
        help="The W&B project (PROJECT_NAME); repeatable; '*' for all of the entity.",
    ),
    HOST,
    SOURCE,
    click.option(
        "--config_path",
        default=config.DEFAULT_PATH,
        envvar="RUNSHEET_CONFIG",
        metavar="FILE",
        help="The configuration, if there is one (config.json, or RUNSHEET_CONFIG).",
    ),
)
"""The flags that say which runs are asked for: the fields of Asked."""


@runtime_checkable
class Owner(Source, Protocol):
    """A source that knows which projects an entity has."""

    def all_projects(self, entity: str) -> tuple[str, ...]:
        """The projects of an entity as "entity/project"."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose runs are asked for, as typed; "" and () leave it to config.json or the source."""

    entity: str
    project: tuple[str, ...]
    host: str
    source: str
    config_path: str

    @property
    def every(self) -> bool:
        """Whether all projects of the entity are asked for."""
        return EVERY in self.project

    def load(self) -> Config:
        """The configuration as it stands, with what was typed laid over it. Raises ConfigError."""
        loaded = config.load(self.config_path, required=self.config_path != config.DEFAULT_PATH)
        typed: dict[str, object] = {"TEAM_NAME": self.entity} if self.entity else {}
        typed |= {"PROJECT_NAME": ""} if self.every else {}
        typed |= {"SOURCE": self.source} if self.source else {}
        return loaded.model_copy(update=typed)

    def open(self, settings: Config, clock: Clock) -> Source:
        """The source. Raises ConfigError."""
        name = settings.SOURCE.partition(":")[0]
        names = () if self.every and name != "wandb" else self.project
        if name != "folders":  # Runs in folders may not tell their entity.
            names = tuple(with_entity(each, settings.TEAM_NAME) for each in names)
        setup = backends.Setup(
            config=settings,
            clock=clock,
            environ=os.environ,
            folder=Path(self.config_path).parent,
            projects=names,
            host=self.host,
            source=settings.SOURCE,
        )
        return backends.source(setup)

    def projects(self, source: Source, settings: Config) -> tuple[str, ...]:
        """What the source has to list. Raises ConfigError."""
        if not self.every or not isinstance(source, Owner):
            return source.projects()
        entity = settings.TEAM_NAME or os.environ.get("WANDB_ENTITY", "")
        if not entity:
            raise ConfigError("--project '*' means all projects of an entity: name it with --entity")
        return source.all_projects(entity)
