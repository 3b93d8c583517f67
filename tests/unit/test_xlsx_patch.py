"""What else of a workbook changes with our rows: tables, names, calculation, added tabs."""

import shutil
import struct
import subprocess
from pathlib import Path

import openpyxl
import pytest

from runsheet import ledger
from runsheet.columns import fingerprint
from runsheet.destinations.xlsx.archive import _moved
from runsheet.destinations.xlsx.disk import Disk
from runsheet.errors import Changed
from runsheet.model import Plan
from tests.support.workbooks import (
    WHEN,
    append,
    bare,
    names_in,
    opened,
    pack,
    raw_members,
    rich,
    unpack,
    worksheet,
)

ROW = ("r9", "nine", 9.5, WHEN, 1)


def table(path: Path) -> tuple[str, str, list[str]]:
    found = openpyxl.load_workbook(path)["runs"].tables["Runs"]
    return found.ref, found.autoFilter.ref if found.autoFilter else "", [c.name for c in found.tableColumns]


TITLES = ["run_id", "Name", "lr", "when", "double"]


def test_a_table_grows_down_and_right(tmp_path: Path) -> None:
    path = rich(tmp_path / "runs.xlsx", 3)
    append(opened(path), [(*ROW, 0.5)], adopt=True, new=("loss",))
    assert table(path) == ("A1:F5", "A1:F5", [*TITLES, "loss"])


def test_a_table_with_a_name_that_differs_in_case_only_does_not_widen(tmp_path: Path) -> None:
    path = rich(tmp_path / "runs.xlsx", 3)
    append(opened(path), [(*ROW, 0.5)], adopt=True, new=("LR",))
    assert table(path) == ("A1:E5", "A1:E5", TITLES)


def test_a_table_apart_from_the_rows_stays(tmp_path: Path) -> None:
    path = rich(tmp_path / "runs.xlsx", 3, totals=3)
    append(opened(path), [ROW], adopt=True)
    assert table(path) == ("A1:E4", "A1:E4", TITLES)
    assert openpyxl.load_workbook(path)["runs"]["A8"].value == "r9"


def test_formulas_are_recalculated_when_opened(tmp_path: Path) -> None:
    path = rich(tmp_path / "runs.xlsx", 3)
    append(opened(path), [ROW], adopt=True)
    assert b'fullCalcOnLoad="1"' in unpack(path)["xl/workbook.xml"]


def test_formulas_of_another_tab_are_recalculated_when_opened(tmp_path: Path) -> None:
    """They may count our rows."""
    path = tmp_path / "runs.xlsx"
    append(opened(path), [("r1", 1)], new=("run_id", "x"))
    book = openpyxl.load_workbook(path)
    book.create_sheet("sums")["A1"] = "=SUM(runs!B:B)"
    book.calculation.fullCalcOnLoad = False
    book.save(path)
    append(opened(path), [("r2", 2)])
    assert b'fullCalcOnLoad="1"' in unpack(path)["xl/workbook.xml"]


def test_no_formulas_no_recalculation(tmp_path: Path) -> None:
    path = bare(tmp_path / "runs.xlsx", worksheet(""))
    append(opened(path), [("r1",)], new=("run_id",))
    assert b"calcPr" not in unpack(path)["xl/workbook.xml"]


def test_book_keeping_alone_touches_no_sheet(tmp_path: Path) -> None:
    path = rich(tmp_path / "runs.xlsx", 3)
    old = raw_members(path)
    append(opened(path), [], adopt=True)
    new = raw_members(path)
    assert {name for name in old if old[name] != new[name]} == {
        "[Content_Types].xml",
        "xl/workbook.xml",
        "xl/_rels/workbook.xml.rels",
    }
    book = openpyxl.load_workbook(path)
    assert book["_runsheet"].sheet_state == "hidden"
    assert book.sheetnames == ["runs", "plots", "_runsheet"]


def comments(path: Path) -> dict[str, str | None]:
    return {name: defined.comment for name, defined in openpyxl.load_workbook(path).defined_names.items()}


def test_columns_are_remembered_by_table(tmp_path: Path) -> None:
    """What one table had is nothing to another, even when its names stand for no column any more."""
    path = tmp_path / "runs.xlsx"
    append(opened(path, worksheet="one"), [("r1", 1)], new=("run_id", "a"))
    append(opened(path, worksheet="Kim's <2>"), [("r1", 1)], new=("run_id", "b"))
    book = openpyxl.load_workbook(path)
    for name in book.defined_names.values():
        name.attr_text = "#REF!"
    book.save(path)
    assert opened(path, worksheet="one").read().made == {fingerprint("run_id"), fingerprint("a")}
    assert opened(path, worksheet="Kim's <2>").read().made == {fingerprint("run_id"), fingerprint("b")}


def test_a_table_that_starts_over_forgets_its_columns(tmp_path: Path) -> None:
    """The old names stay, since numbers are given once; only what they remember goes."""
    path = tmp_path / "runs.xlsx"
    append(opened(path), [("r1", 1)], new=("run_id", "a"))
    append(opened(path, worksheet="two"), [("r1", 1)], new=("run_id", "b"))
    book = openpyxl.load_workbook(path)
    book["runs"].delete_rows(1, 9)
    book.save(path)
    assert opened(path).read().made == frozenset()
    append(opened(path), [("r1", 1)], new=("run_id", "c"))
    assert opened(path).read().made == {fingerprint("run_id"), fingerprint("c")}
    assert opened(path, worksheet="two").read().made == {fingerprint("run_id"), fingerprint("b")}
    assert list(comments(path).values()).count("") == 2


def test_a_renamed_tab_is_found_by_its_marks(tmp_path: Path) -> None:
    path = tmp_path / "runs.xlsx"
    append(opened(path), [("r1", 1)], new=("run_id", "x"))
    book = openpyxl.load_workbook(path)
    book["runs"].title = "Ann's results"
    for name in book.defined_names.values():
        name.attr_text = name.attr_text.replace("'runs'", "'Ann''s results'")
    book.create_sheet("runs")
    book.save(path)
    append(opened(path), [("r2", 2)])
    sheet = openpyxl.load_workbook(path)["Ann's results"]
    assert list(sheet.values) == [("run_id", "x"), ("r1", 1), ("r2", 2)]


def test_an_added_tab_is_frozen_and_not_selected(tmp_path: Path) -> None:
    path = rich(tmp_path / "book.xlsx", 2)
    append(opened(path, worksheet="results"), [("r1", "a long name of a run")], new=("run_id", "name"))
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["runs", "plots", "results", "_runsheet"]
    sheet = book["results"]
    assert list(sheet.values) == [("run_id", "name"), ("r1", "a long name of a run")]
    assert (sheet.freeze_panes, sheet["A1"].font.b) == ("A2", True)
    assert not sheet.sheet_view.tabSelected
    assert sheet.column_dimensions["B"].width > sheet.column_dimensions["A"].width


def test_the_mode_is_kept_and_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    path = rich(tmp_path / "real" / "book.xlsx", 2)
    path.chmod(0o640)
    link = tmp_path / "runs.xlsx"
    link.symlink_to(path)
    append(opened(link), [ROW], adopt=True)
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert openpyxl.load_workbook(path)["runs"]["A4"].value == "r9"


def test_many_notes_are_packed(tmp_path: Path) -> None:
    path = tmp_path / "runs.xlsx"
    append(opened(path), [("r0",)], new=("run_id",))
    destination = opened(path)
    shape = destination.read()
    content = destination.content(shape)
    notes = tuple(ledger.column(f"c{number}", "") for number in range(5)) * 100
    list(destination.apply(Plan(shape, content, owned=shape.owned, notes=notes)))
    content = destination.content(destination.read())
    assert content.notes is not None
    assert len(content.notes) < 10
    assert set(ledger.parse(content.notes).columns) >= {"c0", "c4"}


@pytest.mark.skipif(not shutil.which("soffice"), reason="LibreOffice is not installed")
def test_libreoffice_opens_what_we_write(tmp_path: Path) -> None:
    path = rich(tmp_path / "runs.xlsx", 3)
    append(opened(path), [("r9", "=1+1 _x0041_", 9.5, WHEN, True, "wide")], adopt=True, new=("loss",))
    profile = f"-env:UserInstallation=file://{tmp_path}/profile"
    command = ["soffice", profile, "--headless", "--convert-to", "csv:Text - txt - csv (StarCalc):44,34,76"]
    subprocess.run(
        [*command, "--outdir", str(tmp_path), str(path)], check=True, capture_output=True, timeout=120
    )
    lines = (tmp_path / "runs.csv").read_text().splitlines()
    assert lines[0] == "run_id,Name,lr,when,double,loss"
    assert lines[4].startswith("r9,=1+1 _x0041_,9.5,2026-11-21 9:30:15,")
    assert lines[4].endswith(",TRUE,wide")


def test_a_save_of_somebody_while_we_write_wins(tmp_path: Path) -> None:
    """A program that knows no locks: our version is dropped, theirs stays, the tick plans afresh."""
    path = rich(tmp_path / "runs.xlsx", 2)

    class Slow(Disk):
        def like(self, old: Path, new: Path) -> None:
            rich(old, 5)
            super().like(old, new)

    with pytest.raises(Changed):
        append(opened(path, disk=Slow()), [ROW], adopt=True)
    assert openpyxl.load_workbook(path)["runs"].max_row == 6
    assert names_in(tmp_path) == ["runs.xlsx"]


def test_names_of_a_copied_tab_are_not_ours(tmp_path: Path) -> None:
    """Excel binds the names of a copy to the copy."""
    path = tmp_path / "runs.xlsx"
    append(opened(path), [("r1", 1)], new=("run_id", "x"))
    members: dict[str, str | bytes] = dict(unpack(path))
    local = b'<definedName name="_rs_2" localSheetId="0" hidden="1">copy!$A:$A</definedName></definedNames>'
    members["xl/workbook.xml"] = unpack(path)["xl/workbook.xml"].replace(b"</definedNames>", local)
    pack(path, members)
    assert [(item.key, item.index) for item in opened(path).read().owned] == [("run_id", 0), ("x", 1)]


def test_of_two_marks_with_one_key_the_newer_counts(tmp_path: Path) -> None:
    path = tmp_path / "runs.xlsx"
    append(opened(path), [("r1", 1)], new=("run_id", "x"))
    append(opened(path), [("r2", 1, 2)], new=("x",))
    assert [(item.key, item.index) for item in opened(path).read().owned] == [("run_id", 0), ("x", 2)]


def test_an_offset_kept_in_64_bits_moves_there() -> None:
    """Its place is after the sizes that are kept in 64 bits as well."""
    name, far = b"a.xml", 0xFFFFFFFF
    extra = struct.pack("<HH4xHHQQQ", 9, 4, 1, 24, 11, 22, 33)
    head = struct.pack(
        "<IHHHHHHIIIHHHHHII", 0x02014B50, 45, 45, 0, 8, 0, 33, 0, far, far, 5, 36, 0, 0, 0, 0, far
    )
    moved = _moved(head + name + extra, 77)
    assert moved == head + name + extra[:-8] + struct.pack("<Q", 77)
