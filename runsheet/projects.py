"""Which W&B projects are meant, when the command line may not say."""

import sys
from collections.abc import Callable, Mapping, Sequence

from runsheet.config import Config, with_entity
from runsheet.errors import ConfigError

Newest = Callable[[], str | None]
"""Tells the project of the newest run folder nearby, if there is one."""


def chosen(
    flags: Sequence[str], config: Config, environ: Mapping[str, str], newest: Newest
) -> tuple[str, ...]:
    """The projects to sync, as "entity/project", or "project" where no entity is known.

    The first of these that names one: --project, config.json, WANDB_ENTITY and WANDB_PROJECT, an
    active run of this process, the newest run folder. Raises ConfigError that lists what was
    tried.
    """
    entity = config.TEAM_NAME or environ.get("WANDB_ENTITY", "")
    typed = [name.strip() for name in flags if name.strip()]
    named = [with_entity(name, entity) for name in (typed or config.projects)]
    if not named and environ.get("WANDB_PROJECT"):
        named = [with_entity(environ["WANDB_PROJECT"], entity)]
    if not named and (near := _active() or newest()):
        named = [near]
    if named:
        return tuple(dict.fromkeys(named))
    raise ConfigError(
        "no W&B project is named. Tried: --project ENTITY/PROJECT, TEAM_NAME and PROJECT_NAME in "
        "config.json, WANDB_ENTITY and WANDB_PROJECT in the environment, an active wandb.run, and the "
        "newest run folder under ./wandb. Name one in any of these"
    )


def _active() -> str:
    """The project of the run that is active in this process: when the sync is called in training."""
    run = getattr(sys.modules.get("wandb"), "run", None)
    project = getattr(run, "project", None) or ""
    return with_entity(project, getattr(run, "entity", None) or "") if project else ""
