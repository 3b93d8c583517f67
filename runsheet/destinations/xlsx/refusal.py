"""What is wrong with a path, a tab's name or a workbook, as sentences for people."""

import errno
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.parsers.expat import ExpatError

from runsheet.destinations.xlsx.book import NOTES
from runsheet.destinations.xlsx.markup import Unfit
from runsheet.errors import ConfigError, SheetError

_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    ExpatError,
    EOFError,
    ValueError,
    KeyError,
    IndexError,
)
"""What reading a damaged file raises, in one layer or another."""


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Foreign errors become sentences with the path."""
    try:
        yield
    except Unfit as error:
        raise SheetError(f"{path} {error}. Nothing was written") from error
    except OSError as error:
        raise SheetError(_os_sentence(path, error)) from error
    except _DAMAGE as error:
        raise SheetError(f"{path} is damaged ({error}). Nothing was written") from error


def check_title(worksheet: str) -> None:
    bad = set(worksheet) & set("[]:*?/\\")
    quoted = worksheet.startswith("'") or worksheet.endswith("'")
    if bad or quoted or not worksheet.strip() or len(worksheet) > 31 or worksheet.casefold() == NOTES:
        raise ConfigError(
            f"WORKSHEET: {worksheet!r} cannot name a tab: up to 31 characters, none of []:*?/\\, no ' at an "
            f"end, and not {NOTES}"
        )


def check_name(path: str | Path) -> None:
    """Raise ConfigError for a name by which no program would know a workbook."""
    if Path(path).suffix.lower() not in (".xlsx", ".xlsm"):
        raise ConfigError(f"--destination xlsx:{path}: the name of a workbook has to end with .xlsx")


def check_writable(path: Path) -> None:
    """Renaming would replace a read-only file without a word; its owner meant something by it."""
    if path.exists() and not path.stat().st_mode & 0o222:
        raise SheetError(f"{path} is read-only: make it writable. Nothing was written")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise SheetError(
            f"{path.parent} is read-only for this account: a workbook is saved by writing a new file beside "
            "it. Nothing was written"
        )


def _os_sentence(path: Path, error: OSError) -> str:
    where = error.filename or path
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{path} was not saved: the disk is full. The file is as it was"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{where} may not be read or written by this account ({error.strerror}). Nothing was written"
    if error.errno == errno.EISDIR:
        return f"{path} is a folder: name a file in it, such as {path}/runs.xlsx"
    text = f"{path} could not be read or written ({error.strerror or error}). Nothing was written"
    return f"{text}: name another place with --destination xlsx:FILE"
