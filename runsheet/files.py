"""What more than one part of runsheet does with files."""

import os
from contextlib import suppress
from pathlib import Path


def flush_folder(folder: Path) -> None:
    """Make sure that a rename in a folder is on the disk. Some network drives cannot; the rename is done
    all the same."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
