"""A workbook's backup is the workbook, and its age tells when the first one is due."""

import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import openpyxl
import pytest

from runsheet.backup import Backups
from runsheet.clock import Clock
from runsheet.destinations.xlsx import XlsxDestination
from runsheet.errors import SheetError
from tests.contract.destination_contract import RUN_ID, plan, run
from tests.support.builders import NOW, FakeClock


def book(path: Path, made: datetime = NOW) -> XlsxDestination:
    """A workbook that somebody has made, in which no column is ours."""
    made_by_hand = openpyxl.Workbook()
    sheet = made_by_hand.worksheets[0]
    sheet.title = "runs"
    sheet.append(["run_id", "remark"])
    made_by_hand.properties.created = made.replace(tzinfo=None)
    made_by_hand.save(path)
    return XlsxDestination(path, clock=Clock())


def test_it_is_the_same_to_the_byte(tmp_path: Path) -> None:
    """Also what was saved since it was read."""
    path = tmp_path / "runs.xlsx"
    destination = book(path)
    shape = destination.read()
    path.write_bytes(path.read_bytes() + b"saved since")
    destination.backup(shape, tmp_path / "copy.xlsx")
    assert (tmp_path / "copy.xlsx").read_bytes() == path.read_bytes()


def test_first_contact_with_a_workbook(tmp_path: Path) -> None:
    destination = book(tmp_path / "runs.xlsx")
    remark = Backups(tmp_path / "backups", 3, FakeClock()).before_write(destination, destination.read())
    (copy,) = (tmp_path / "backups").iterdir()
    assert remark == f"backup: {copy.name}"
    assert copy.name.startswith("runs-")
    assert copy.read_bytes() == (tmp_path / "runs.xlsx").read_bytes()


def test_its_age_is_what_office_programs_note(tmp_path: Path) -> None:
    made = datetime(2026, 11, 1, 9, 30, 15, tzinfo=UTC)
    destination = book(tmp_path / "runs.xlsx", made)
    assert destination.made(destination.read()) == made


@pytest.mark.parametrize("text", ["yesterday", ""])
def test_an_age_that_makes_no_sense_is_not_known(tmp_path: Path, text: str) -> None:
    path = tmp_path / "runs.xlsx"
    destination = book(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    stamp = f"{NOW:%Y-%m-%dT%H:%M:%SZ}".encode()
    parts["docProps/core.xml"] = parts["docProps/core.xml"].replace(stamp, text.encode())
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    assert destination.made(destination.read()) is None


def test_a_new_workbook_of_ours_is_young(tmp_path: Path) -> None:
    """So the second tick of a first try makes no folder of backups."""
    destination = XlsxDestination(tmp_path / "runs.xlsx", clock=Clock())
    list(destination.apply(plan(destination, [run("r1")], (RUN_ID,))))
    shape = destination.read()
    made = destination.made(shape)
    assert made
    assert abs(datetime.now(UTC) - made) < timedelta(minutes=5)
    assert Backups(tmp_path / "backups", 3, Clock()).before_write(destination, shape) == ""
    assert not (tmp_path / "backups").exists()


def test_names_tell_workbooks_apart(tmp_path: Path) -> None:
    """Two of one name lie in two folders; a link is the file that it leads to."""
    (tmp_path / "other").mkdir()
    first, second = book(tmp_path / "runs.xlsx"), book(tmp_path / "other" / "runs.xlsx")
    (tmp_path / "link.xlsx").symlink_to(tmp_path / "runs.xlsx")
    link = XlsxDestination(tmp_path / "link.xlsx", clock=Clock())
    names = [destination.backup_name(destination.read()) for destination in (first, second, link)]
    assert names[0] == names[2] != names[1]


def test_a_damaged_workbook_has_no_age(tmp_path: Path) -> None:
    path = tmp_path / "runs.xlsx"
    destination = book(path)
    shape = destination.read()
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(SheetError):
        destination.made(shape)
