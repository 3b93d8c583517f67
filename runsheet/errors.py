"""What can go wrong, named by what the reader should do about it.

    RunsheetError
    ├── ConfigError         fix the command line, config.json or the key file   (exit code 2)
    │   └── MissingPackage  install an optional package
    ├── ServiceError        a side did not do what was asked; the next tick tries again
    │   ├── Unreachable     wait: no network, time-outs or 5xx, after bounded retries
    │   ├── AccessError     fix a login, a key or a permission
    │   └── NotFound        name a project, spreadsheet or folder that exists
    ├── SheetError          look at the sheet: it is not as it must be, nothing was written
    │   ├── SheetBusy       wait, or close the program that has it open
    │   └── RowsRefused     (destinations/base.py) some rows are not taken, nobody knows why
    ├── Changed             read again and plan afresh: the sheet moved under a plan
    │   └── Unanswered      the same, since nobody knows whether a write was applied
    └── Stopped             a stop signal ended the tick

Every message is one sentence, or a few, that a user can act on. Facts are kept in attributes.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class RunsheetError(Exception):
    """Base of all errors that runsheet raises on purpose; str() is fit to be shown."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a configuration: the key, and what was expected there."""

    key: str
    text: str

    def __str__(self) -> str:
        return f"{self.key}: {self.text}" if self.key else self.text


class ConfigError(RunsheetError):
    """The command line, config.json or a key file has to be fixed first.

    `problems` holds every problem that was found, never only the first.
    """

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        lines = [super().__str__(), *(f"  {problem}" for problem in self.problems)]
        return "\n".join(lines)


class MissingPackage(ConfigError):
    """An optional package is not installed; the message holds the install command."""


class ServiceError(RunsheetError):
    """A source or destination did not do what was asked; the next tick tries again."""


class Unreachable(ServiceError):
    """No answer, or only failing ones, after bounded retries. Waiting may help."""


class AccessError(ServiceError):
    """A login, key or permission is missing, wrong or revoked."""


class NotFound(ServiceError):
    """The named project, spreadsheet or folder does not exist, or is not visible to us."""


class SheetError(RunsheetError):
    """The sheet is not as it must be. Nothing was written; a person has to look."""


class SheetBusy(SheetError):
    """Somebody has the workbook open or is writing it."""


class SafetyStop(SheetError):
    """The tick would change far more than usual. `--accept_changes` lets it through once."""


class Changed(RunsheetError):
    """The sheet is not what the plan was made for: read again, plan afresh.

    Raised by a destination when a guard refused a write.
    """


class Unanswered(Changed):
    """A write was sent and got no answer: it was applied, will be, or never was."""


class Stopped(RunsheetError):
    """A stop signal ended the tick between two steps. Nothing is half done."""
