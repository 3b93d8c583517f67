"""A save that stops at any step leaves the old workbook or the new one, and the next tick completes
it (P1, P6). Broken on purpose and seen to fail: writing into the file itself instead of beside it;
renaming before the temporary file is whole; not removing what a crash left behind."""

import errno
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import openpyxl
import pytest

from runsheet.clock import Clock
from runsheet.destinations.xlsx import XlsxDestination
from runsheet.destinations.xlsx.disk import Disk
from runsheet.errors import SheetError
from tests.support.workbooks import append, names_in, opened, rich, unpack

# xdist's workers have threads, which Python 3.12 dislikes at a fork; the child only saves and dies.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")

STEPS = ["create", "write", "flush", "like", "replace", "flush_folder"]
RENAMED = [("replace", "after"), ("flush_folder", "before"), ("flush_folder", "after")]
Blow = Callable[[], None]


class BreakingDisk(Disk):
    """Calls `blow` before or after one of its operations."""

    def __init__(self, step: str, when: str, blow: Blow) -> None:
        self.at = (step, when)
        self.blow = blow
        self.done: list[str] = []

    def _around(self, step: str, deed: Callable[..., Any], *args: Any) -> Any:
        self.done.append(step)
        if self.at == (step, "before"):
            self.blow()
        result = deed(*args)
        if self.at == (step, "after"):
            self.blow()
        return result

    def create(self, path: Path) -> IO[bytes]:
        self._around("create", lambda: super(BreakingDisk, self).create(path).close())
        file = path.open("r+b")
        write = file.write

        class Writing:
            """Breaks in the middle of the writing."""

            def __getattr__(self, name: str) -> Any:
                return getattr(file, name)

            def __enter__(self) -> "Writing":
                return self

            def __exit__(self, *_: object) -> None:
                file.close()

        writing = Writing()
        writing.write = lambda data: self._around("write", write, data)  # type: ignore[attr-defined]
        return writing  # type: ignore[return-value]

    def flush(self, file: IO[bytes]) -> None:
        self._around("flush", super().flush, file)

    def like(self, old: Path, new: Path) -> None:
        self._around("like", super().like, old, new)

    def replace(self, new: Path, old: Path) -> None:
        self._around("replace", super().replace, new, old)

    def flush_folder(self, folder: Path) -> None:
        self._around("flush_folder", super().flush_folder, folder)


def destination(path: Path, disk: Disk) -> XlsxDestination:
    return XlsxDestination(path, clock=Clock(), disk=disk)


def run_ids(path: Path) -> list[object]:
    book = openpyxl.load_workbook(path)
    return [row[0] for row in book["runs"].iter_rows(min_row=2, values_only=True)]


def check_completed(path: Path, old: bytes, after_rename: bool) -> None:
    """Old or new, never a mixture; the tick that follows leaves each run once."""
    if after_rename:
        assert run_ids(path) == ["r2", "r3", "a", "b"]
    else:
        assert path.read_bytes() == old
        append(opened(path), [("a",) * 5, ("b",) * 5], adopt=True)
    assert run_ids(path) == ["r2", "r3", "a", "b"]
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
    append(opened(path), [("c",) * 5])
    assert names_in(path.parent) == ["runs.xlsx"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return rich(tmp_path / "runs.xlsx", 2)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_step(path: Path, step: str, when: str) -> None:
    old = path.read_bytes()
    child = os.fork()
    if child == 0:
        disk = BreakingDisk(step, when, lambda: os._exit(7))
        try:
            append(destination(path, disk), [("a",) * 5, ("b",) * 5], adopt=True)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7
    check_completed(path, old, (step, when) in RENAMED)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_failed_at_a_step(path: Path, step: str, when: str) -> None:
    """An error instead of a death: nothing is left behind, at once."""
    old = path.read_bytes()

    def fail() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(SheetError, match="the disk is full"):
        append(destination(path, BreakingDisk(step, when, fail)), [("a",) * 5, ("b",) * 5], adopt=True)
    assert names_in(path.parent) == ["runs.xlsx"]
    check_completed(path, old, (step, when) in RENAMED)


@pytest.mark.parametrize("step", [step for step in STEPS if step != "like"])
def test_killed_while_making_a_new_workbook(tmp_path: Path, step: str) -> None:
    path = tmp_path / "runs.xlsx"
    child = os.fork()
    if child == 0:
        disk = BreakingDisk(step, "before", lambda: os._exit(7))
        try:
            append(destination(path, disk), [("a", 1)], new=("run_id", "x"))
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert path.exists() == (step == "flush_folder")
    if not path.exists():
        append(opened(path), [("a", 1)], new=("run_id", "x"))
    assert run_ids(path) == ["a"]
    assert unpack(path)
    append(opened(path), [("b", 1)])
    assert names_in(tmp_path) == ["runs.xlsx"]


def test_steps_in_order(path: Path) -> None:
    """The content is on the disk before the name is; the name before we say so."""
    disk = BreakingDisk("", "", lambda: None)
    append(destination(path, disk), [("a",) * 5], adopt=True)
    assert list(dict.fromkeys(disk.done)) == STEPS
