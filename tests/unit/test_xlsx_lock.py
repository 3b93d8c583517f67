"""Nobody writes into a workbook that somebody has open."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runsheet.destinations.xlsx import lock as xlsx_lock
from runsheet.errors import SheetBusy
from tests.support.workbooks import append, names_in, opened, rich

NAME = "김민수"
EXCEL = b"\x06Kim ??" + b" " * 48 + len(NAME).to_bytes(2, "little") + NAME.encode("utf-16-le") + b" \0" * 50
OFFICE = b"Ann\\, B.,ann,lab-pc,21.11.2026 09:28,file:///home/ann/.config/libreoffice/4;"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return rich(tmp_path / "runs.xlsx", 2)


@pytest.mark.parametrize(
    ("lock", "data", "who"),
    [
        ("~$runs.xlsx", EXCEL, "open in Excel by 김민수, since 5 minutes"),
        ("~$runs.xlsx", b"\x03Ann" + b" " * 51, "open in Excel by Ann, since 5 minutes"),
        ("~$runs.xlsx", b"", "open in Excel by somebody"),
        (".~lock.runs.xlsx#", OFFICE, "open in LibreOffice by Ann, B. on lab-pc, since 5 minutes"),
        (".~lock.runs.xlsx#", b",ann,lab-pc,x,y;", "open in LibreOffice by ann on lab-pc"),
    ],
)
def test_people_come_first(path: Path, lock: str, data: bytes, who: str) -> None:
    file = path.with_name(lock)
    file.write_bytes(data)
    age(file, timedelta(minutes=5))
    before = path.read_bytes()
    with pytest.raises(SheetBusy) as caught:
        append(opened(path), [("new",) * 5], adopt=True)
    assert who in str(caught.value)
    assert "delete" not in str(caught.value)
    assert path.read_bytes() == before


def test_an_old_lock_file_is_respected_and_explained(path: Path) -> None:
    lock = path.with_name("~$runs.xlsx")
    lock.write_bytes(EXCEL)
    age(lock, timedelta(days=3))
    with pytest.raises(SheetBusy, match=r"since 3 days.*If Excel is closed there, delete .*~\$runs.xlsx"):
        append(opened(path), [("new",) * 5], adopt=True)


def test_reading_is_free(path: Path) -> None:
    path.with_name("~$runs.xlsx").write_bytes(EXCEL)
    destination = opened(path)
    shape = destination.read()
    assert not shape.empty
    destination.content(shape)


def test_one_runsheet_at_a_time(path: Path) -> None:
    before = path.read_bytes()
    with (
        xlsx_lock.hold(path),
        pytest.raises(SheetBusy, match=f"another runsheet is writing .*process {os.getpid()} on"),
    ):
        append(opened(path), [("new",) * 5], adopt=True)
    assert path.read_bytes() == before
    append(opened(path), [("new",) * 5], adopt=True)
    assert names_in(path.parent) == ["runs.xlsx"]


def test_a_lock_left_by_a_crash_is_no_lock(path: Path) -> None:
    path.with_name(".runs.xlsx.runsheet-lock").write_text("process 1 on gone\n")
    append(opened(path), [("new",) * 5], adopt=True)
    assert names_in(path.parent) == ["runs.xlsx"]


def age(file: Path, by: timedelta) -> None:
    moment = (datetime.now(UTC) - by).timestamp()
    os.utime(file, (moment, moment))


def test_a_lock_whose_file_was_removed_meanwhile_is_taken_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its holder removed it after we had opened it: a third process could lock a new one."""
    taken: list[int] = []
    name = path.with_name(".runs.xlsx.runsheet-lock")
    lock = xlsx_lock._lock

    def late(target: Path, handle: int) -> None:
        lock(target, handle)
        taken.append(handle)
        if len(taken) == 1:
            name.unlink()

    monkeypatch.setattr(xlsx_lock, "_lock", late)
    with xlsx_lock.hold(path):
        assert len(taken) == 2
        assert name.exists()
