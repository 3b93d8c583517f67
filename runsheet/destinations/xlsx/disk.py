"""Put a new version of a file in place of the old one, whole or not at all.

Each step is one method, so that tests can stop the process before and after it.
"""

import os
import shutil
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

from runsheet import files


class Disk:
    """The file operations of a save."""

    def create(self, path: Path) -> IO[bytes]:
        return path.open("xb")

    def flush(self, file: IO[bytes]) -> None:
        """Make sure that the content is on the disk, not only on its way."""
        file.flush()
        os.fsync(file.fileno())

    def like(self, old: Path, new: Path) -> None:
        """Give the new file the mode and, where we may, the owner of the old one."""
        status = old.stat()
        with suppress(OSError):
            os.chown(new, status.st_uid, status.st_gid)
        shutil.copymode(old, new)

    def replace(self, new: Path, old: Path) -> None:
        new.replace(old)

    def flush_folder(self, folder: Path) -> None:
        """Make sure that the rename is on the disk."""
        files.flush_folder(folder)

    def remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)


def save(disk: Disk, path: Path, write: Callable[[IO[bytes]], None], check: Callable[[], None]) -> None:
    """Write a new version of `path` beside it and rename it over the old one.

    `check` runs last before the rename and raises when the old version may not be replaced. What
    goes wrong leaves the old file as it was and no temporary one; one that a crash left behind
    is removed by the next save (callers hold the lock, so nobody else's is at work).
    """
    for left in path.parent.glob(f".{_literal(path.name)}.*.runsheet-tmp"):
        disk.remove(left)
    new = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.runsheet-tmp")
    try:
        with disk.create(new) as file:
            write(file)
            disk.flush(file)
        if path.exists():
            disk.like(path, new)
        check()
        disk.replace(new, path)
    except BaseException:
        with suppress(OSError):
            disk.remove(new)
        raise
    disk.flush_folder(path.parent)


def _literal(name: str) -> str:
    """A name that glob takes as it is."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)
