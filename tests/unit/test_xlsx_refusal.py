"""What is refused, in which words, and that nothing is written then."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from runsheet.errors import Changed, ConfigError, NotFound, SheetError
from runsheet.model import Plan, Row, Scope
from tests.support.workbooks import (
    MAIN,
    RELATIONS,
    append,
    bare,
    column,
    opened,
    pack,
    raw_members,
    relations,
    rich,
    unpack,
    worksheet,
)

EMPTY = worksheet("")
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
STRICT = "http://purl.oclc.org/ooxml"


def write(data: bytes) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        path.write_bytes(data)
        return path

    return make


def strict(path: Path) -> Path:
    kind = f"{STRICT}/officeDocument/relationships/officeDocument"
    rels = relations(("rId1", "officeDocument", "xl/workbook.xml"))
    return _with(path, "_rels/.rels", rels.replace(f"{RELATIONS}/officeDocument", kind))


def _with(path: Path, name: str, data: str | bytes) -> Path:
    members: dict[str, str | bytes] = dict(unpack(bare(path, EMPTY)))
    return pack(path, {**members, name: data})


def locked(path: Path) -> Path:
    """A zip whose members need a password."""
    data = bytearray(bare(path, EMPTY).read_bytes())
    at = data.index(b"PK\x01\x02")
    data[at + 8] |= 1
    path.write_bytes(data)
    return path


def without_sheet(path: Path) -> Path:
    members = unpack(bare(path, EMPTY))
    del members["xl/worksheets/sheet1.xml"]
    return pack(path, members)


CASES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "csv": (write(b"run_id,name\nr1,one\n"), "is no workbook, whatever its name says"),
    "empty file": (write(b""), "is an empty file"),
    "xls": (write(OLE + bytes(600)), r"of the old kind \(.xls\)"),
    "password": (write(OLE + bytes(600) + "EncryptedPackage".encode("utf-16-le")), "by a password"),
    "zip password": (locked, "packed in a way"),
    "cut off": (write(b"PK\x03\x04" + bytes(50)), "is damaged"),
    "other zip": (lambda path: pack(path, {"a.txt": "a"}), "no Excel workbook"),
    "xlsb": (lambda path: pack(path, {"[Content_Types].xml": "", "xl/workbook.bin": ""}), ".xlsb"),
    "strict": (strict, "Strict Open XML"),
    "strict tab": (lambda path: bare(path, EMPTY.replace(MAIN, f"{STRICT}/spreadsheetml/main")), "Strict"),
    "signed": (lambda path: _with(path, "_xmlsignatures/origin.sigs", ""), "digitally signed"),
    "utf-16": (lambda path: bare(path, EMPTY.encode("utf-16")), "UTF-16"),
    "latin": (lambda path: bare(path, '<?xml version="1.0" encoding="latin-1"?>' + EMPTY), "latin-1"),
    "entities": (lambda path: bare(path, '<!DOCTYPE a [<!ENTITY b "c">]>' + EMPTY), "document type"),
    "not xml": (lambda path: bare(path, EMPTY[:-9]), "is damaged"),
    "rows in disorder": (
        lambda path: bare(path, worksheet('<row r="3"/><row r="2"/>')),
        "row 2 of the worksheet follows row 3",
    ),
    "wrong row": (
        lambda path: bare(path, worksheet('<row r="2"><c r="A9"><v>1</v></c></row>')),
        "cell A9 stands in row 2",
    ),
    "no part": (without_sheet, "has no part"),
    "folder": (lambda path: path.mkdir() or path, "is a folder"),  # type: ignore[func-returns-value]
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_refused_with_a_reason(tmp_path: Path, name: str) -> None:
    make, reason = CASES[name]
    path = make(tmp_path / "runs.xlsx")
    with pytest.raises(SheetError, match=reason) as caught:
        append(opened(path), [("r1", 1)], new=("run_id", "x"))
    assert str(caught.value).startswith(str(path))
    assert [item.name for item in tmp_path.iterdir()] == ["runs.xlsx"]


def test_absurd_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = rich(tmp_path / "runs.xlsx")
    monkeypatch.setattr("runsheet.destinations.xlsx.package.SMALL", 100)
    with pytest.raises(SheetError, match="is too large"):
        opened(path).read()


def test_macros_are_fine(tmp_path: Path) -> None:
    path = _with(tmp_path / "runs.xlsm", "xl/vbaProject.bin", b"macros")
    append(opened(path), [("r1", 1)], new=("run_id", "x"))
    assert unpack(path)["xl/vbaProject.bin"] == b"macros"


def test_read_only_file(tmp_path: Path) -> None:
    path = rich(tmp_path / "runs.xlsx")
    path.chmod(0o444)
    with pytest.raises(SheetError, match=r"runs.xlsx is read-only"):
        append(opened(path), [("r1",) * 5], adopt=True)


def test_read_only_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write anywhere: the answer of the system is faked."""
    path = rich(tmp_path / "runs.xlsx")
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(SheetError, match=f"{tmp_path} is read-only"):
        append(opened(path), [("r1",) * 5], adopt=True)


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="does not exist"):
        opened(tmp_path / "nowhere" / "runs.xlsx").read()


@pytest.mark.parametrize("title", ["", " ", "a/b", "x" * 32, "'a", "_runsheet"])
def test_tab_names(tmp_path: Path, title: str) -> None:
    with pytest.raises(ConfigError, match="cannot name a tab"):
        opened(tmp_path / "runs.xlsx", worksheet=title)


def test_a_tab_of_our_name_that_is_not_ours(tmp_path: Path) -> None:
    tab = '<sheet name="_Runsheet" sheetId="1" r:id="rId1"/>'
    book = f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}"><sheets>{tab}</sheets></workbook>'
    sheet = worksheet('<row><c t="inlineStr"><is><t>mine</t></is></c></row>')
    path = bare(tmp_path / "runs.xlsx", sheet, xl__workbook=book)
    with pytest.raises(SheetError, match="not ours"):
        opened(path).read()


@pytest.mark.parametrize(("row", "count", "fits"), [(1_048_574, 2, True), (1_048_574, 3, False)])
def test_rows_that_do_not_fit(tmp_path: Path, row: int, count: int, fits: bool) -> None:
    body = '<row r="1"><c r="A1" t="inlineStr"><is><t>run_id</t></is></c></row>'
    path = bare(tmp_path / "runs.xlsx", worksheet(f'{body}<row r="{row}"><c r="B{row}"><v>1</v></c></row>'))
    before = path.read_bytes()
    rows = [(f"r{number}",) for number in range(count)]
    if fits:
        append(opened(path), rows, adopt=True)
        return
    with pytest.raises(SheetError, match="rows do not fit below row 1,048,574"):
        append(opened(path), rows, adopt=True)
    assert path.read_bytes() == before


@pytest.mark.parametrize(("row", "percent"), [(838_859, 0), (838_860, 80), (1_048_574, 99)])
def test_rows_that_come_near(tmp_path: Path, row: int, percent: int) -> None:
    """A row more than stand there; below 80 % nobody is bothered."""
    body = '<row r="1"><c r="A1" t="inlineStr"><is><t>run_id</t></is></c></row>'
    path = bare(tmp_path / "runs.xlsx", worksheet(f'{body}<row r="{row}"><c r="B{row}"><v>1</v></c></row>'))
    destination = opened(path)
    append(destination, [("r1",)], adopt=True)
    told = [f"up to row {row + 1:,} of 1,048,576 ({percent} %)" in remark for remark in destination.remarks]
    assert told == [True] * bool(percent)


def test_columns_that_do_not_fit(tmp_path: Path) -> None:
    body = '<row><c t="inlineStr"><is><t>run_id</t></is></c><c r="XFC1"><v>1</v></c></row>'
    path = bare(tmp_path / "runs.xlsx", worksheet(body))
    append(opened(path), [("r1", 1.0, 2)], adopt=True, new=("a",))
    with pytest.raises(SheetError, match="1 new columns do not fit"):
        append(opened(path), [("r1", 1.0, 2, 3)], new=("b",))


def test_the_file_came_or_went(tmp_path: Path) -> None:
    path = tmp_path / "runs.xlsx"
    destination = opened(path)
    shape = destination.read()
    rich(path)
    with pytest.raises(Changed):
        destination.content(shape)
    shape = destination.read()
    path.unlink()
    row = Row(Scope("w", "", "p"), "r1", ("r1",))
    plan = Plan(
        shape,
        destination.content(opened(path).read()),
        (column("run_id"),),
        new=(column("run_id"),),
        rows=(row,),
    )
    with pytest.raises(Changed):
        list(destination.apply(plan))
    assert not path.exists()


def test_zip64_fields_and_a_comment(tmp_path: Path) -> None:
    """Some programs keep sizes and offsets in 64 bits in small files too."""
    path = rich(tmp_path / "runs.xlsx")
    members = unpack(path)
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        archive.comment = b"by hand"
        for name, data in members.items():
            with archive.open(name, "w", force_zip64=True) as part:
                part.write(data)
    path.write_bytes(memory.getvalue())
    old = raw_members(path)
    append(opened(path), [("new",) * 5], adopt=True)
    new = raw_members(path)
    assert new["xl/theme/theme1.xml"] == old["xl/theme/theme1.xml"]
    with zipfile.ZipFile(path) as archive:
        assert archive.comment == b"by hand"
        assert archive.testzip() is None
