"""Where log lines go: the console (errors to stderr), and a file that rotates."""

import logging
import sys
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from typing import TextIO

from runsheet.errors import ConfigError

FILE_BYTES = 5_000_000
FILE_COUNT = 3
_DAMAGED = "backslashreplace"
"""A folder's name that is not UTF-8, or a console without UTF-8, must not cost the line."""

_QUIET = ("asyncio", "urllib3", "google", "wandb", "schedule", "oauth2client", "matplotlib")


def set_up(path: str, *, verbose: bool) -> None:
    """Set up the root logger. An empty `path` means no file.

    Raises ConfigError when the file cannot be written.
    """
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
        handler.close()
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    for handler in (_console(sys.stdout, below=True), _console(sys.stderr, below=False)):
        root.addHandler(handler)
    if path:
        root.addHandler(_file(path))
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.INFO if verbose else logging.ERROR)


def _console(stream: TextIO, *, below: bool) -> logging.Handler:
    """stdout gets what is below WARNING, stderr the rest."""
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors=_DAMAGED)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", "%Y-%m-%d %H:%M:%S"))
    handler.addFilter(lambda record: (record.levelno < logging.WARNING) == below)
    return handler


def _file(path: str) -> logging.Handler:
    try:
        handler = RotatingFileHandler(
            path, maxBytes=FILE_BYTES, backupCount=FILE_COUNT, encoding="utf-8", errors=_DAMAGED
        )
    except OSError as error:
        raise ConfigError(
            f"cannot write the log file {path} ({error.strerror}): name another place with --log_file"
        ) from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    return handler
