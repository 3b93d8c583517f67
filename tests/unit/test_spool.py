"""P6: what was pulled is not lost when a tick is interrupted, and takes no memory where it is much.

Mutants: dates come back as texts; a mark as a plain text; a file of other rules is read; a torn file stops a
tick; a second process writes into the same file; a file stays when all was written.
"""

import sqlite3
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from runsheet import cache, spool
from runsheet.cells import Mark
from runsheet.errors import ServiceError
from runsheet.fields import Values
from runsheet.spool import COMMIT, FEW, Spool, Spools
from tests.support.builders import NOW, scope

MANY = FEW + 50


def values(number: int) -> Values:
    return {
        "run_id": f"run{number}",
        "created_at": NOW + timedelta(seconds=number),
        "config.text": 'é"\\\n' * (number % 3),
        "config.flag": number % 2 == 0,
        "summary.big": str(2**60 + number),
        "summary.loss": number / 7,
        "summary.image": Mark("[image-file]"),
    }


def filled(store: Spool, count: int = MANY) -> list[bool]:
    return [store.add(f"run{number}", f"how{number}", values(number)) for number in range(count)]


def files(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()] if folder.exists() else []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "runsheet"


def test_few_runs_make_no_file(folder: Path) -> None:
    spools = Spools(folder)
    assert not any(filled(spools.spool(scope()), FEW))
    assert files(folder) == []
    spools.done()


def test_many_runs_go_to_a_file(folder: Path) -> None:
    """Each value comes back as it was, of the same type."""
    spools = Spools(folder)
    store = spools.spool(scope())
    assert filled(store) == [False] * (FEW + 1) + [True] * (MANY - FEW - 1)
    for number in (0, FEW, MANY - 1):
        found = store.load(f"run{number}")
        assert found == values(number)
        assert [type(cell) for cell in found.values()] == [type(cell) for cell in values(number).values()]
        assert list(found) == list(values(number))
    with pytest.raises(KeyError):
        store.load("another")
    spools.done()
    assert files(folder) == []


def test_nobody_else_can_read_it(folder: Path) -> None:
    store = Spools(folder).spool(scope())
    filled(store)
    assert {path.stat().st_mode & 0o077 for path in (folder, *folder.iterdir())} == {0}
    store.done()


def test_an_interrupted_tick_leaves_it_for_the_next(folder: Path) -> None:
    first = Spools(folder)
    filled(first.spool(scope()))
    first.keep()
    second = Spools(folder)
    store = second.spool(scope())
    assert store.earlier == {f"run{number}": f"how{number}" for number in range(MANY)}
    assert store.load("run7") == values(7)
    assert store.add("run7", "newer", values(8))
    assert store.load("run7") == values(8)
    second.done()
    assert files(folder) == []


def test_a_process_that_is_killed_loses_little(folder: Path) -> None:
    """What came before the last thousand is there, and the file can be used."""
    code = (
        "import os, signal\n"
        "from tests.unit.test_spool import *\n"
        f"store = Spools(Path({str(folder)!r})).spool(scope())\n"
        "filled(store, FEW + 1500)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    store = Spools(folder).spool(scope())
    assert FEW <= len(store.earlier) <= FEW + 1500
    assert store.load("run3") == values(3)
    store.done()


def test_each_project_and_each_way_of_showing_has_its_own(folder: Path) -> None:
    filled((first := Spools(folder)).spool(scope()))
    first.keep()
    assert not Spools(folder).spool(scope("team/other")).earlier
    assert not Spools(folder, "other names").spool(scope()).earlier
    again = Spools(folder)
    assert len(again.spool(scope()).earlier) == MANY
    again.keep()


def test_a_second_process_holds_its_runs_itself(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = Spools(folder).spool(scope())
    filled(first, FEW + COMMIT)  # All of it has been committed.
    second = Spools(folder).spool(scope())
    assert not any(filled(second))
    assert not second.earlier
    assert "in use" in caplog.text
    assert first.load("run9") == values(9)
    second.done()
    assert len(files(folder)) >= 1, "it is the first one's"
    first.done()


def test_a_torn_file_is_made_anew(folder: Path) -> None:
    first = Spools(folder)
    filled(first.spool(scope()))
    first.keep()
    (path,) = folder.iterdir()
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    second = Spools(folder)
    store = second.spool(scope())
    assert not store.earlier
    filled(store)
    assert store.load(f"run{MANY - 1}") == values(MANY - 1)
    second.done()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = Spools(tmp_path / "file" / "cache").spool(scope())
    assert not any(filled(store))
    assert not any(filled(Spools(None).spool(scope())))


def test_what_nobody_came_back_for_is_deleted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Spools(folder)
    filled(first.spool(scope()))
    first.keep()
    (folder / "notes.txt").write_text("a person's")
    Spools(folder)
    assert len(files(folder)) == 2
    monkeypatch.setattr(cache, "KEPT_SECONDS", -1.0)
    Spools(folder)
    assert files(folder) == ["notes.txt"]


def test_more_sets_of_paths_than_are_kept_apart(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "LAYOUTS", 10)
    store = Spools(folder).spool(scope())
    for number in range(MANY):
        store.add(f"run{number}", "", {f"config.key{number}": number})
    store.keep()
    (path,) = folder.iterdir()
    with sqlite3.connect(path) as file:
        assert file.execute("SELECT count(*) FROM layouts").fetchone() == (10,)
    file.close()
    again = Spools(folder).spool(scope())
    for number in (3, FEW, MANY - 1):
        assert again.load(f"run{number}") == {f"config.key{number}": number}
    again.done()


def test_a_disk_that_is_full(folder: Path) -> None:
    """The error says where, and what to do."""
    store = Spools(folder).spool(scope())
    filled(store)
    assert store._file is not None
    store._file.execute("PRAGMA max_page_count = 1")
    with pytest.raises(ServiceError, match=r"full.*RUNSHEET_CACHE_DIR"):
        filled(store, 2 * MANY)
    store.done()


@pytest.mark.parametrize(
    ("environ", "where"),
    [
        ({"RUNSHEET_CACHE_DIR": "/a/b", "HOME": "/home/kim"}, "/a/b"),
        ({"XDG_CACHE_HOME": "/c", "HOME": "/home/kim"}, "/c/runsheet"),
        ({"HOME": "/home/kim"}, "/home/kim/.cache/runsheet"),
    ],
)
def test_where_files_go(environ: dict[str, str], where: str) -> None:
    assert cache.folder(environ) == Path(where)
