"""A save that stops at any step leaves the old workbook or the new one, and the next tick completes
it (P1, P6). Broken on purpose and seen to fail: writing into the file itself instead of beside it;
renaming before the temporary file is whole; not removing what a crash left behind."""

import errno
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import openpyxl
import pytest

from runsheet import undo
from runsheet.clock import Clock
from runsheet.destinations.xlsx import XlsxDestination
from runsheet.destinations.xlsx.disk import Disk
from runsheet.errors import SheetError
from tests.support.builders import NOW, FakeClock, rules, run, tick
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


def table(path: Path) -> list[tuple[object, ...]]:
    """The rows that hold anything, below the header."""
    rows = openpyxl.load_workbook(path)["runs"].iter_rows(min_row=2, values_only=True)
    return [row for row in rows if any(cell is not None for cell in row)]


def run_ids(path: Path) -> list[object]:
    return [row[0] for row in table(path)]


@dataclass(frozen=True)
class Save:
    """A kind of save. `prepare` makes the workbook; `write` saves it, after which `look` shows `done`; `then`
    is what comes later, after which it shows `last`."""

    prepare: Callable[[Path], object]
    write: Callable[[XlsxDestination], object]
    then: Callable[[XlsxDestination], object]
    look: Callable[[Path], list[Any]]
    done: list[Any]
    last: list[Any]


def follow(destination: XlsxDestination, loss: float, count: int) -> object:
    """A tick of runs that are running, with live rows."""
    runs = [run(n, state="running", heartbeat=NOW, config={}, summary={"loss": loss}) for n in range(count)]
    return tick(destination, runs, rules("run_id", "state", live=True))


def edited(path: Path) -> None:
    """Two live rows; a person has typed into the first."""
    follow(opened(path), 0.5, 2)
    book = openpyxl.load_workbook(path)
    book["runs"]["C2"] = "mine"
    book.save(path)


def grown(path: Path) -> None:
    """The last tick changed the second row, and added a third, in which a person has typed since."""
    edited(path)
    follow(opened(path), 0.25, 3)
    book = openpyxl.load_workbook(path)
    book["runs"]["C4"] = "my own"
    book.save(path)


def take_back(destination: XlsxDestination) -> object:
    """Undo the last tick, by its name, and so again when that was done."""
    name = next(entry.name for entry in undo.history(destination) if not entry.undoes)
    return undo.undo(destination, FakeClock(), name)


def live(number: int, loss: object) -> tuple[object, ...]:
    return f"run{number:04}", "running", loss


SAVES = {
    "append": Save(
        prepare=lambda path: rich(path, 2),
        write=lambda destination: append(destination, [("a",) * 5, ("b",) * 5], adopt=True),
        then=lambda destination: append(destination, [("c",) * 5]),
        look=run_ids,
        done=["r2", "r3", "a", "b"],
        last=["r2", "r3", "a", "b", "c"],
    ),
    "change": Save(
        prepare=edited,
        write=lambda destination: follow(destination, 0.25, 3),
        then=lambda destination: follow(destination, 0.125, 3),
        look=table,
        done=[live(0, "mine"), live(1, 0.25), live(2, 0.25)],
        last=[live(0, "mine"), live(1, 0.125), live(2, 0.125)],
    ),
    "undo": Save(
        prepare=grown,
        write=take_back,
        then=lambda destination: (take_back(destination), follow(destination, 0.125, 4)),
        look=table,
        done=[live(0, "mine"), live(1, 0.5), (None, None, "my own")],
        last=[live(0, "mine"), live(1, 0.5), (None, None, "my own"), live(3, 0.125)],
    ),
}


def check_completed(path: Path, save: Save, old: bytes, after_rename: bool) -> None:
    """Old or new, never a mixture; started again, the workbook is as it has to be, and stays in use."""
    if not after_rename:
        assert path.read_bytes() == old
        save.write(opened(path))
    assert save.look(path) == save.done
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
    save.then(opened(path))
    assert save.look(path) == save.last
    assert names_in(path.parent) == ["runs.xlsx"]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("save", SAVES.values(), ids=SAVES)
def test_killed_at_a_step(tmp_path: Path, save: Save, step: str, when: str) -> None:
    path = tmp_path / "runs.xlsx"
    save.prepare(path)
    old = path.read_bytes()
    child = os.fork()
    if child == 0:
        disk = BreakingDisk(step, when, lambda: os._exit(7))
        try:
            save.write(destination(path, disk))
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7
    check_completed(path, save, old, (step, when) in RENAMED)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("save", SAVES.values(), ids=SAVES)
def test_failed_at_a_step(tmp_path: Path, save: Save, step: str, when: str) -> None:
    """An error instead of a death: nothing is left behind, at once."""
    path = tmp_path / "runs.xlsx"
    save.prepare(path)
    old = path.read_bytes()

    def fail() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(SheetError, match="the disk is full"):
        save.write(destination(path, BreakingDisk(step, when, fail)))
    assert names_in(path.parent) == ["runs.xlsx"]
    check_completed(path, save, old, (step, when) in RENAMED)


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


@pytest.mark.parametrize("save", SAVES.values(), ids=SAVES)
def test_steps_in_order(tmp_path: Path, save: Save) -> None:
    """The content is on the disk before the name is; the name before we say so."""
    path = tmp_path / "runs.xlsx"
    save.prepare(path)
    disk = BreakingDisk("", "", lambda: None)
    save.write(destination(path, disk))
    assert list(dict.fromkeys(disk.done)) == STEPS
    assert disk.done.count("create") == 1
