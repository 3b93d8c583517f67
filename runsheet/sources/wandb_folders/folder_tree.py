"""Find W&B's run folders below a directory. Reads names only, opens no file.

A run folder is known by its name, `run-20240501_093000-a1b2c3d4` (`offline-run-`, `dryrun-`),
wherever it stands: `wandb/`, `testing/wandb`, `outputs/<date>/wandb`, or a directory they were copied
to. `latest-run` is another name for one of them, or a copy, and never counts.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from runsheet.errors import AccessError, NotFound, ServiceError
from runsheet.model import Skip

_NAME = re.compile(r"(run|offline-run|dryrun)-(\d{8}_\d{6})-(.+)", re.DOTALL)
_PASSED_OVER = frozenset({"node_modules", "site-packages", "__pycache__"})


@dataclass(frozen=True, slots=True)
class Folder:
    """A run folder. `where` is its path below the directory that was asked for, for messages.

    `stamp` is the time in its name, the local time of the machine that wrote it. `id` is the run id
    by the name of its `.wandb` file (`log`) or, without one, by its own name.
    """

    path: Path
    where: str
    stamp: str
    id: str
    online: bool
    log: Path | None

    @property
    def time(self) -> float | None:
        """The time stamp in seconds since 1970, read as UTC since nothing tells the zone."""
        try:
            return datetime.strptime(self.stamp, "%Y%m%d_%H%M%S").replace(tzinfo=UTC).timestamp()
        except ValueError:
            return None


def find(directory: Path) -> tuple[list[Folder], list[Skip]]:
    """All run folders in and below `directory`, oldest first, and directories that cannot be opened.

    Raises NotFound if `directory` does not exist, AccessError or ServiceError if it cannot be read.
    """
    try:
        root = directory.resolve(strict=True)
        os.scandir(root).close()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFound(f"There is no directory {directory}.") from error
    except PermissionError as error:
        raise AccessError(f"The directory {directory} must not be read: {error.strerror}.") from error
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: a loop of links
        raise ServiceError(f"The directory {directory} cannot be read: {error}.") from error
    skips: list[Skip] = []
    folders = list(_walk(root, skips))
    return sorted(folders, key=lambda folder: (folder.stamp, folder.where)), skips


def _walk(root: Path, skips: list[Skip]) -> Iterator[Folder]:
    """Run folders in and below `root`; each directory once, however many links lead to it."""
    visited: set[tuple[int, int]] = set()
    waiting = [root]
    while waiting:
        path = waiting.pop()
        try:
            status = path.stat()
            if (status.st_dev, status.st_ino) in visited:
                continue
            visited.add((status.st_dev, status.st_ino))
            with os.scandir(path) as entries:
                inside = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            skips.append(Skip(_where(path, root), f"cannot be opened: {error.strerror}"))
            continue
        name = _NAME.fullmatch(path.name)
        if name:
            yield _folder(path, _where(path, root), name, [entry.name for entry in inside])
        elif not any(entry.name == "pyvenv.cfg" for entry in inside):
            waiting.extend(path / entry.name for entry in reversed(inside) if _goes_on(entry))


def _goes_on(entry: os.DirEntry[str]) -> bool:
    """True for a directory that may hold run folders."""
    if entry.name in _PASSED_OVER or entry.name == "latest-run":
        return False
    if entry.name.startswith(".") and entry.name != ".wandb":  # the client writes to it if it is there
        return False
    try:
        return entry.is_dir()
    except OSError:
        return False


def _folder(path: Path, where: str, name: re.Match[str], inside: list[str]) -> Folder:
    mode, stamp, run_id = name.groups()
    logs = [file for file in inside if file.startswith("run-") and file.endswith(".wandb")]
    log = f"run-{run_id}.wandb" if f"run-{run_id}.wandb" in logs else next(iter(logs), "")
    if log:  # the folder's name may end in a suffix, or have been changed
        run_id = log.removeprefix("run-").removesuffix(".wandb")
    return Folder(path, where, stamp, run_id, mode == "run", path / log if log else None)


def _where(path: Path, root: Path) -> str:
    """The path as a text that can be shown: names on disk need not be UTF-8."""
    return os.fsencode(path.relative_to(root)).decode("utf-8", "replace")
