"""config.json: load it, check it, say everything that is wrong with it at once.

Keys are those of the documentation, in capitals. Nothing secret belongs in the file: the Google
key is named by its path, and W&B keeps its own login.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from runsheet import cells
from runsheet.columns import Choice, Header
from runsheet.errors import ConfigError, Problem
from runsheet.fields import COMPUTED, SUMMARY
from runsheet.reports import live_table
from runsheet.reports.gpu_metrics import COLUMNS
from runsheet.reports.usage import DEFAULT_KEYS, MOST, Settings
from runsheet.rules import Rules

DEFAULT_PATH = "config.json"
STATES = ("crashed", "failed", "finished", "killed", "pending", "preempted", "preempting", "running")
DEFAULT_HEADERS: tuple[str | dict[str, str], ...] = (
    "run_id",
    "run_name",
    "name",
    "state",
    "created_at",
    "runtime",
)
"""The fixed headers of a workbook made without a configuration."""

State = Literal["crashed", "failed", "finished", "killed", "pending", "preempted", "preempting", "running"]


class Config(BaseModel):
    """The checked content of config.json. Descriptions say what is expected, for error messages."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    GCP_JSON: str = Field("", description="the path of a Google service-account key file")
    FIXED_HEADERS: list[str | dict[str, str]] = Field(
        default_factory=list, description='a list of keys or {"Title": "key"} objects'
    )
    GPU_COLUMNS: bool = Field(False, description="true or false")
    TEAM_NAME: str = Field("", description="a W&B team or user name (the entity)")
    PROJECT_NAME: str | list[str] = Field("", description="a W&B project, or a list of projects")
    SPREADSHEET_NAME: str = Field("", description="a spreadsheet's title, URL or key")
    WORKSHEET: str = Field("", max_length=100, description="a tab title of at most 100 characters")
    NAME: dict[str, str] = Field(
        default_factory=dict, description='an object {"W&B user name": "name shown"}'
    )
    DYNAMIC_HEADERS: bool | list[str] = Field(
        True, description='true, false, or a list of globs ("config.*", "!*.seed")'
    )
    MAX_COLUMNS: int = Field(100, ge=1, le=16_384, description="a whole number from 1 to 16384")
    STATES: list[State] = Field(default_factory=list, description=f"a list out of {', '.join(STATES)}")
    SETTLE_HOURS: float = Field(24.0, ge=0, le=1e6, description="a number of hours from 0 to 1000000")
    ALLOW_HTTP: list[str] = Field(default_factory=list, description="a list of host names")
    TIMEZONE: str = Field("UTC", description='a time zone such as "UTC" or "Asia/Seoul"')
    FILTERS: dict[str, Any] = Field(default_factory=dict, description="a W&B filter object")
    BACKUP_DIR: str = Field("backups", description='a folder, or "" for no backups')
    BACKUP_KEEP: int = Field(14, ge=1, description="a whole number from 1 on")
    DRIVE_COPY: bool = Field(False, description="true or false")
    LIVE_ROWS: bool = Field(False, description="true or false")
    FULL_LISTING_HOURS: float = Field(
        6.0, ge=0, allow_inf_nan=False, description="a number of hours from 0 on"
    )
    WORLD_SIZE_KEYS: list[Annotated[str, StringConstraints(min_length=1)]] = Field(
        default_factory=lambda: list(DEFAULT_KEYS), description="a list of keys of the config"
    )
    DEFAULT_WORLD_SIZE: int = Field(0, ge=0, le=MOST, description=f"a whole number from 0 to {MOST}")
    ACCELERATOR_KEY: str = Field("dist/accelerator", description="a key of the config")
    REPORTS: list[str] = Field(
        default_factory=list, description=f"a list out of {', '.join(live_table.TABLES)}"
    )
    GOOGLE_API_ENDPOINT: str = Field("", description="a URL that replaces Google's, or nothing")
    SOURCE: str = Field(
        "wandb",
        pattern=r"^(wandb|folders(:.*)?|export:.+|trackio(:.*)?)$",
        description="wandb, folders[:DIR], export:FILE or trackio[:DIR]",
    )
    DESTINATION: str = Field("gsheet", pattern=r"^(gsheet|xlsx(:.*)?)$", description="gsheet or xlsx[:FILE]")

    @field_validator("TIMEZONE")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"there is no time zone {_shown(name)}") from error
        return name

    @field_validator("FIXED_HEADERS")
    @classmethod
    def _distinct(cls, items: list[str | dict[str, str]]) -> list[str | dict[str, str]]:
        headers = list(_headers(items))
        for what, names in (("key", [h.key for h in headers]), ("title", [h.shown for h in headers])):
            twice = {name for name in names if names.count(name) > 1}
            if twice:
                raise ValueError(f"the {what} {', '.join(sorted(twice))} stands twice")
        if {} in items or any(not header.key for header in headers):
            raise ValueError("an empty key")
        return items

    @field_validator("MAX_COLUMNS")
    @classmethod
    def _room(cls, limit: int, info: ValidationInfo) -> int:
        gpus = info.data.get("GPU_COLUMNS", False)
        fixed = len(_fixed(info.data.get("FIXED_HEADERS", ()), gpus=gpus))
        if limit < fixed:
            with_gpus = ", those of GPU_COLUMNS among them" if gpus else ""
            raise ValueError(f"there are {fixed} fixed headers{with_gpus}, got {limit}")
        return limit

    @field_validator("REPORTS")
    @classmethod
    def _known_reports(cls, names: list[str], info: ValidationInfo) -> list[str]:
        for name in names:
            if name not in live_table.TABLES:
                raise ValueError(f"there is no report {_shown(name)}")
            if name.casefold() == info.data.get("WORKSHEET", "").strip().casefold():
                raise ValueError(f"WORKSHEET names the tab {name}, which is the report's")
        return list(dict.fromkeys(names))

    @property
    def projects(self) -> tuple[str, ...]:
        """PROJECT_NAME as a tuple, with TEAM_NAME in front of bare names."""
        names = [self.PROJECT_NAME] if isinstance(self.PROJECT_NAME, str) else self.PROJECT_NAME
        return tuple(with_entity(name.strip(), self.TEAM_NAME) for name in names if name.strip())

    @property
    def headers(self) -> tuple[Header, ...]:
        """The fixed headers, those of GPU_COLUMNS behind the others."""
        return _fixed(self.FIXED_HEADERS or DEFAULT_HEADERS, gpus=self.GPU_COLUMNS)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.TIMEZONE)

    def rules(self, users: Iterable[str] = ()) -> Rules:
        """What the sync has to know: which runs qualify and which columns there are."""
        return Rules(
            choice=Choice(self.headers, self._globs(), self.MAX_COLUMNS),
            states=frozenset(self.STATES),
            users=frozenset(user.strip().casefold() for user in users if user.strip()),
            names=self.NAME,
            settle_hours=self.SETTLE_HOURS,
            live=self.LIVE_ROWS,
            counted=bool(self.REPORTS),
            usage=self.usage if any(header.key in COMPUTED for header in self.headers) else None,
            gpu_columns=self.GPU_COLUMNS,
        )

    @property
    def usage(self) -> Settings:
        """How the number of GPUs of a run is found."""
        return Settings(tuple(self.WORLD_SIZE_KEYS), self.DEFAULT_WORLD_SIZE, self.ACCELERATOR_KEY)

    def _globs(self) -> tuple[str, ...]:
        if isinstance(self.DYNAMIC_HEADERS, bool):
            return ("*",) if self.DYNAMIC_HEADERS else ()
        return tuple(self.DYNAMIC_HEADERS)


@dataclass(frozen=True, slots=True)
class Typed:
    """What the command line and the environment say beside the file: they may make a key needless."""

    destination: str = ""
    sheet: str = ""
    login: bool = False


def load(path: str = DEFAULT_PATH, *, required: bool = True, typed: Typed | None = None) -> Config:
    """Read and check a configuration.

    Raises ConfigError with every problem found; with `typed` also those of what a Google
    spreadsheet needs, if it goes there. A file that is not there is an error if `required`,
    otherwise the defaults hold.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        if not required:
            return Config()
        raise ConfigError(
            f"there is no configuration {path}: copy config.json of the project and fill it in, or name "
            "yours with --config_path. (--source folders --destination xlsx alone needs none.)"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the configuration {path}: {error}") from error
    return parse(text, path, typed)


def parse(text: str, path: str = DEFAULT_PATH, typed: Typed | None = None) -> Config:
    """Check the text of a configuration. Raises ConfigError as `load` does."""
    twice: list[Problem] = []
    try:
        data = json.loads(text, object_pairs_hook=lambda pairs: _object(pairs, twice))
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"{path} is not valid JSON: line {error.lineno}, column {error.colno}: {error.msg}"
        ) from error
    except (RecursionError, ValueError) as error:  # a million brackets, a number of 5,000 digits
        raise ConfigError(f"{path} is not a configuration: {error}") from error
    if not isinstance(data, dict):
        raise ConfigError(f'{path} has to hold a JSON object {{"KEY": value, …}}')
    problems = [*twice, *_missing(data, typed)]
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        raise ConfigError(f"{path} has problems:", [*problems, *_problems(error)]) from error
    if problems:
        raise ConfigError(f"{path} has problems:", problems)
    return config


def _missing(data: Mapping[str, Any], typed: Typed | None) -> list[Problem]:
    """What a Google spreadsheet needs and these keys lack."""
    if typed is None or (typed.destination or data.get("DESTINATION") or "gsheet") != "gsheet":
        return []
    needs = {
        "GCP_JSON": "the path of a service-account key file (or set GOOGLE_APPLICATION_CREDENTIALS). "
        "No account at hand? --source folders --destination xlsx needs none",
        "FIXED_HEADERS": 'a list of keys, such as ["run_id"]',
        "SPREADSHEET_NAME": "a title, URL or key (or --sheet_name)",
    }
    there = {"GCP_JSON": typed.login, "SPREADSHEET_NAME": bool(typed.sheet)}
    return [
        Problem(key, f"required for Google Sheets: {text}")
        for key, text in needs.items()
        if not (data.get(key) or there.get(key))
    ]


def with_entity(project: str, entity: str) -> str:
    """ "entity/project", or the bare project when no entity is known."""
    return project if "/" in project or not entity else f"{entity}/{project}"


def _fixed(items: Iterable[str | dict[str, str]], *, gpus: bool) -> tuple[Header, ...]:
    """The headers that are listed, and with `gpus` the GPU columns that are not."""
    listed = tuple(_headers(items))
    keys = {header.key.removeprefix(SUMMARY) for header in listed} if gpus else COLUMNS
    return (*listed, *(Header(key) for key in COLUMNS if key not in keys))


def _headers(items: Iterable[str | dict[str, str]]) -> Iterable[Header]:
    for item in items:
        if isinstance(item, str):
            yield Header(cells.text(item).strip())
        else:
            yield from (
                Header(cells.text(key).strip(), cells.text(title).strip()) for title, key in item.items()
            )


def _object(pairs: list[tuple[str, Any]], twice: list[Problem]) -> dict[str, Any]:
    """json keeps the last of two equal keys without a word; a person meant something by both."""
    names = [name for name, _ in pairs]
    twice += [Problem(name, "stands twice") for name in sorted(set(names)) if names.count(name) > 1]
    return dict(pairs)


def _problems(error: ValidationError) -> list[Problem]:
    """One problem for each key: what was expected, what is there, the nearest key for unknown ones."""
    found: dict[str, Problem] = {}
    for item in error.errors():
        key = str(item["loc"][0]) if item["loc"] else ""
        found.setdefault(key, Problem(key, _text(key, item)))
    return list(found.values())


def _text(key: str, item: Any) -> str:
    if item["type"] == "extra_forbidden":
        near = get_close_matches(key.upper(), Config.model_fields, n=1, cutoff=0.5)
        known = "known keys: " + ", ".join(Config.model_fields)
        return "unknown key; " + (f"did you mean {near[0]}?" if near else known)
    if key not in Config.model_fields:  # a key that is no valid text
        return str(item["msg"])
    expected = f"expected {Config.model_fields[key].description}"
    if item["type"] == "value_error":
        return f"{expected}; {item['ctx']['error']}"
    return f"{expected}, got {_shown(item['input'])}"


def _shown(value: Any) -> str:
    """A value for a message. Only short ones: somebody may have pasted a whole key there."""
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    shown = json.dumps(value, ensure_ascii=False)
    return shown if len(shown) <= 32 else f"a text of {len(shown) - 2} characters"
