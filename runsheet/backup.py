"""A dated copy of the worksheet before it is written: when one is due, its name, which ones go.

What is due is told from the names in the folder, so that a restarted container knows it, too. The
destination makes the copy; no backend is known here.
"""

import hashlib
import logging
import os
import re
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePath

from runsheet import files
from runsheet.clock import Clock
from runsheet.destinations.base import Destination
from runsheet.errors import RunsheetError, ServiceError, Stopped
from runsheet.model import Shape

log = logging.getLogger(__name__)

DAY = timedelta(days=1)
"""How often a table is copied."""

AGAIN = timedelta(minutes=10)
"""As long does a copy serve that was made at first contact: a tick plans afresh when the sheet moves."""

NAME_BYTES = 120
"""The longest name of a table, in UTF-8; file systems take 255 for a whole name."""

_STAMP = "%Y-%m-%dT%H%M%SZ"
_STAMP_FORM = "([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{6}Z)"
_UNSAFE = re.compile(r"[^\w .-]|^[ .-]")
_LEFT = ".runsheet-tmp"


class Backups:
    """Copies in `folder`, at most `keep` of each table. The folder is made with the first copy."""

    def __init__(self, folder: Path, keep: int, clock: Clock) -> None:
        self.folder = folder
        self._keep = keep
        self._clock = clock
        self._first: dict[str, datetime] = {}

    def before_write(self, destination: Destination, shape: Shape) -> str:
        """Copy the worksheet if that is due. To be called before each write, with what was read.

        It is due at first contact, that is when something stands in a worksheet that has no column
        of ours; later when the last copy is a day old. Returns what was done, "" when no copy
        was due or made. Raises ServiceError when the one at first contact fails; a later failure is a
        warning in the log.
        """
        if shape.empty or not shape.exists:
            return ""
        first = not shape.owned
        try:
            series = Series.of(self.folder, destination.backup_name(shape))
            if not (self._due_first(series) if first else self._due(destination, shape, series)):
                return ""
            path = self._copy(destination, shape, series)
        except Stopped:
            raise
        except (RunsheetError, OSError) as error:
            if first:
                raise ServiceError(f"{self._failed(error)}. Nothing was written") from error
            log.warning("%s. The sync goes on", self._failed(error))
            return ""
        if first:
            self._first[series.stem] = self._clock.now()
        return f"backup: {path.name}{self._prune(series, path)}"

    def _due_first(self, series: "Series") -> bool:
        last = self._first.get(series.stem)
        return last is None or abs(self._clock.now() - last) >= AGAIN

    def _due(self, destination: Destination, shape: Shape, series: "Series") -> bool:
        """Whether the last copy, or else the table itself, is a day old.

        A copy dated less than a day ahead counts as made now. One dated further ahead was made by
        another clock: it says nothing, or there would be no more copies until then.
        """
        now = self._clock.now()
        if any(abs(now - date) < DAY for date, _ in series.files()):
            return False
        made = destination.made(shape)
        return made is None or abs(now - made) >= DAY

    def _copy(self, destination: Destination, shape: Shape, series: "Series") -> Path:
        """The new copy, whole and on the disk. Readable by this account only, as it may be all there
        is of a sheet that is shared with few."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = series.path(self._clock.now())
        handle, name = tempfile.mkstemp(_LEFT, f".{path.name}.", self.folder)
        os.close(handle)
        new = Path(name)
        try:
            destination.backup(shape, new)
            with new.open("rb") as file:
                os.fsync(file.fileno())
            new.replace(path)
        except BaseException:
            with suppress(OSError):
                new.unlink()
            raise
        files.flush_folder(self.folder)
        return path

    def _prune(self, series: "Series", path: Path) -> str:
        """Delete the oldest beyond `keep`, and what a kill has left of this table. Copies dated ahead
        are not counted and stay. Returns what went wrong, for the remark."""
        now = self._clock.now()
        old = sorted(found for found in series.files() if found[0] <= now and found[1] != path)
        try:
            for _, gone in old[: max(0, len(old) + 1 - self._keep)]:
                gone.unlink(missing_ok=True)
            for date, left in series.leftovers():
                if now - date >= DAY:
                    left.unlink(missing_ok=True)
        except OSError as error:
            log.warning("old backups in %s cannot be deleted: %s", self.folder, error)
            return f" (older ones could not be deleted: {error})"
        return ""

    def _failed(self, error: Exception) -> str:
        if isinstance(error, OSError):
            cause, what = (
                f"{error.strerror or error}",
                "make room there, or name another folder in BACKUP_DIR",
            )
        else:
            cause, what = str(error), "the next tick tries again"
        cause = cause.removesuffix(". Nothing was written")
        return f'no backup could be made in {self.folder} ({cause}): {what} (BACKUP_DIR "" makes none)'


@dataclass(frozen=True, slots=True)
class Series:
    """The copies of one table: files of a folder whose names are exactly `stem`, a date, `suffix`."""

    folder: Path
    stem: str
    suffix: str

    @classmethod
    def of(cls, folder: Path, name: str) -> "Series":
        suffix = PurePath(name).suffix
        return cls(folder, safe(name.removesuffix(suffix)), suffix)

    def path(self, moment: datetime) -> Path:
        return self.folder / f"{self.stem}-{moment.astimezone(UTC).strftime(_STAMP)}{self.suffix}"

    def files(self) -> list[tuple[datetime, Path]]:
        """The copies with their dates, in no order."""
        return list(self._matching(f"{re.escape(self.stem)}-{_STAMP_FORM}{re.escape(self.suffix)}"))

    def leftovers(self) -> list[tuple[datetime, Path]]:
        """Unfinished copies, which a kill has left."""
        name = f"{re.escape(self.stem)}-{_STAMP_FORM}{re.escape(self.suffix)}"
        return list(self._matching(rf"\.{name}\.\w+{re.escape(_LEFT)}"))

    def _matching(self, form: str) -> Iterator[tuple[datetime, Path]]:
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            # Some file systems hand names back with their accents apart.
            match = re.fullmatch(form, unicodedata.normalize("NFC", path.name))
            if match and path.is_file() and not path.is_symlink():
                with suppress(ValueError):  # a month 13 is not of ours
                    yield datetime.strptime(match[1], _STAMP).replace(tzinfo=UTC), path


def safe(name: str) -> str:
    """A table's name as every file system takes it; one that had to be changed gets a hash of what it
    was, so that two tables never share a name."""
    kept = _UNSAFE.sub("_", unicodedata.normalize("NFC", name))
    kept = kept.encode()[:NAME_BYTES].decode(errors="ignore")
    return kept if kept == name else f"{kept}-{short_hash(name)}"


def short_hash(text: str) -> str:
    """Eight digits that tell texts apart."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
