"""A worksheet's part as the world's programs write it: read right, and extended in its own way."""

import io
import re
import warnings
from pathlib import Path

import openpyxl
import pytest

from runsheet.destinations.xlsx.sheet import header, measure
from runsheet.destinations.xlsx.strings import resolve
from tests.support.workbooks import MAIN, append, bare, opened, pack, relations, unpack, worksheet

HEAD = '<row r="1"><c r="A1" t="inlineStr"><is><t>run_id</t></is></c><c r="B1" t="str"><v>x</v></c></row>'
ONE = '<row r="2"><c r="A2" t="inlineStr"><is><t>r1</t></is></c><c r="B2"><v>1</v></c></row>'


def part(path: Path) -> str:
    return unpack(path)["xl/worksheets/sheet1.xml"].decode()


def grid(path: Path) -> list[tuple[object, ...]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that the workbook has no formats
        book = openpyxl.load_workbook(path)
    return list(book["runs"].iter_rows(values_only=True))


SAME = [("run_id", "x"), ("r1", 1), ("r2", 2)]

FORMS = {
    "plain": worksheet(HEAD + ONE),
    "no row numbers": worksheet((HEAD + ONE).replace(' r="1"', "").replace(' r="2"', "")),
    "no places at all": worksheet(
        '<row><c t="inlineStr"><is><t>run_id</t></is></c><c t="str"><v>x</v></c></row>'
        '<row><c t="inlineStr"><is><t>r1</t></is></c><c><v>1</v></c></row>'
    ),
    "lines of Windows": worksheet(f"\r\n  {HEAD}\r\n  {ONE}\r\n"),
    "a byte order mark": "\ufeff" + worksheet(HEAD + ONE),
    "a comment with a tag": worksheet(HEAD + "<!-- <row r='9'/> -->" + ONE),
    "empty rows after": worksheet(HEAD + ONE + '<row r="3"/><row r="4"/>'),
    "an empty row with room": worksheet(HEAD + ONE + '<row r="3" spans="1:1"></row>'),
    "extensions": worksheet(
        HEAD + ONE,
        before='<sheetPr><tabColor rgb="FFFF0000"/></sheetPr><dimension ref="A1:B2"/>',
        after='<mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006">'
        '<mc:Choice Requires="x"/></mc:AlternateContent>',
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_forms_of_a_sheet(tmp_path: Path, name: str) -> None:
    path = bare(tmp_path / "runs.xlsx", FORMS[name])
    plan = append(opened(path), [("r2", 2)], adopt=True)
    assert [row.run_id for row in plan.content.rows] == ["r1"]
    assert grid(path)[:3] == SAME
    shape = opened(path).read()
    assert [row.run_id for row in opened(path).content(shape).rows] == ["r1", "r2"]


def test_rows_go_below_blank_ones_that_are_merged(tmp_path: Path) -> None:
    """Blank rows that stand above keep their place in the part, too: rows out of order are damage."""
    blank = '<row r="3"><c r="A3" s="0"/></row><row r="4" ht="30"/>'
    merged = '<mergeCells><mergeCell ref="A3:B4"/></mergeCells>'
    path = bare(tmp_path / "runs.xlsx", worksheet(HEAD + ONE + blank, after=merged))
    append(opened(path), [("r2", 2), ("r3", 3)], adopt=True)
    assert re.findall('<row r="([0-9]+)"', part(path)) == ["1", "2", "3", "4", "5", "6"]
    assert grid(path)[4:] == [("r2", 2), ("r3", 3)]


def test_prefixed_names(tmp_path: Path) -> None:
    """Some programs write <x:row>; what we add must say so too."""
    text = f'<x:worksheet xmlns:x="{MAIN}"><x:sheetData>{HEAD}{ONE}</x:sheetData></x:worksheet>'
    for tag in ("row", "c", "v", "is", "t"):
        for old, new in (
            (f"<{tag} ", f"<x:{tag} "),
            (f"<{tag}>", f"<x:{tag}>"),
            (f"</{tag}>", f"</x:{tag}>"),
        ):
            text = text.replace(old, new)
    path = bare(tmp_path / "runs.xlsx", text)
    append(opened(path), [("r2", "two", True)], adopt=True, new=("y",))
    assert '<x:row r="3"><x:c r="A3" t="inlineStr"><x:is><x:t xml:space="preserve">r2</x:t>' in part(path)
    assert "<row" not in part(path)
    assert grid(path) == [("run_id", "x", "y"), ("r1", 1, None), ("r2", "two", True)]


@pytest.mark.parametrize(
    "data", ["<sheetData/>", "<sheetData></sheetData>", '<sheetData><row r="1"/></sheetData>']
)
def test_an_empty_tab(tmp_path: Path, data: str) -> None:
    path = bare(tmp_path / "runs.xlsx", f'<worksheet xmlns="{MAIN}">{data}</worksheet>')
    append(opened(path), [("r1", 1)], new=("run_id", "x"))
    assert grid(path) == [("run_id", "x"), ("r1", 1)]


def test_what_is_there_stays_to_the_byte(tmp_path: Path) -> None:
    old = worksheet(
        HEAD + ONE,
        before="<!-- mine -->",
        after='<pageMargins left="1" right="1" top="1" bottom="1" header="1" footer="1"/>',
    )
    path = bare(tmp_path / "runs.xlsx", old)
    append(opened(path), [("r2", 2)], adopt=True)
    new = part(path)
    at = old.index("</sheetData>")
    assert new.startswith(old[:at])
    assert new.endswith(old[at:])
    assert new[at : -len(old[at:])].startswith('<row r="3">')


def test_coloured_cells_in_advance_keep_their_style(tmp_path: Path) -> None:
    rows = (
        '<row r="3" s="4" customFormat="1" ht="30"><c r="A3" s="7"/><c r="C3" s="8"/></row>'
        '<row r="5"><c r="B5" s="9"/></row>'
    )
    path = bare(tmp_path / "runs.xlsx", worksheet(HEAD + ONE + rows))
    append(opened(path), [("r2", 2), ("r3", 3), ("r4", 4)], adopt=True)
    text = part(path)
    assert '<row r="3" s="4" customFormat="1" ht="30"><c r="A3" s="7" t="inlineStr">' in text
    assert '<c r="B3" s="4"><v>2</v></c><c r="C3" s="8"/></row>' in text
    assert '<row r="4"><c r="A4" t="inlineStr">' in text
    assert '<c r="B5" s="9"><v>4</v></c></row>' in text


def test_new_cells_look_like_those_above(tmp_path: Path) -> None:
    styled = ONE.replace('r="B2"', 'r="B2" s="3"')
    cols = '<cols><col min="3" max="4" width="9" style="6"/></cols>'
    path = bare(tmp_path / "runs.xlsx", worksheet(HEAD + styled, before=cols))
    append(opened(path), [("r2", 2, 5)], adopt=True, new=("y",))
    assert '<c r="B3" s="3"><v>2</v></c><c r="C3" s="6"><v>5</v></c>' in part(path)


def test_the_header_is_not_a_model_for_rows(tmp_path: Path) -> None:
    path = bare(
        tmp_path / "runs.xlsx",
        worksheet(HEAD.replace('r="A1"', 'r="A1" s="2"').replace('r="B1"', 'r="B1" s="2"')),
    )
    append(opened(path), [("r2", 2)], adopt=True)
    append(opened(path), [("r3", 2, 5)], new=("y",))
    assert '<row r="2"><c r="A2" t="inlineStr">' in part(path)
    assert '<c r="C1" s="2" t="inlineStr">' in part(path), "a new title looks like its neighbour"


def test_merged_cells_are_not_written_under(tmp_path: Path) -> None:
    merged = '<mergeCells count="1"><mergeCell ref="A3:D4"/></mergeCells>'
    path = bare(tmp_path / "runs.xlsx", worksheet(HEAD + ONE, after=merged))
    append(opened(path), [("r2", 2, 5)], adopt=True, new=("y",))
    assert '<row r="5">' in part(path)
    assert '<c r="E1"' in part(path)


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ('t="s"><v>0</v>', "plain"),
        ('t="s"><v>1</v>', "rich text"),
        ('t="s"><v>2</v>', "東京"),
        ('t="s"><v>3</v>', "A_x0041_"),
        ('t="str"><f>A1</f><v>of a formula</v>', "of a formula"),
        ("><v>12345</v>", "12345"),
        ("><v>12345.0</v>", "12345"),
        ("><v>1.5</v>", "1.5"),
        ('t="b"><v>1</v>', "TRUE"),
        ('t="e"><v>#N/A</v>', "#N/A"),
        ('t="inlineStr"><is><r><t>in</t></r><t>line</t><rPh sb="0" eb="1"><t>no</t></rPh></is>', "inline"),
    ],
)  # fmt: skip
def test_texts_of_ids(tmp_path: Path, cell: str, text: str) -> None:
    strings = [
        "<t>plain</t>",
        '<r><t>rich</t></r><r><t xml:space="preserve"> text</t></r>',
        '<t>東京</t><rPh sb="0" eb="2"><t>トウキョウ</t></rPh>',
        "<t>_x0041__x005F_x0041_</t>",
    ]
    shared = f'<sst xmlns="{MAIN}">{"".join(f"<si>{item}</si>" for item in strings)}</sst>'
    body = HEAD + f'<row r="2"><c r="A2" {cell}</c></row>'
    rels = relations(
        ("rId1", "worksheet", "worksheets/sheet1.xml"), ("rId2", "sharedStrings", "/xl/sharedStrings.xml")
    )
    members: dict[str, str | bytes] = dict(unpack(bare(tmp_path / "runs.xlsx", worksheet(body))))
    members |= {"xl/_rels/workbook.xml.rels": rels, "xl/sharedStrings.xml": shared}
    path = pack(tmp_path / "runs.xlsx", members)
    plan = append(opened(path), [("new", 1)], adopt=True)
    assert [row.run_id for row in plan.content.rows] == [text]


def test_header_is_read_no_further_than_needed() -> None:
    rows = "".join(f'<row r="{number}"><c r="A{number}"><v>1</v></c></row>' for number in range(2, 50_000))
    source = io.BytesIO(worksheet(HEAD + rows).encode())
    layout = header(source)
    assert resolve(layout.texts, None) == {(1, 0): "run_id", (1, 1): "x"}
    assert source.tell() < 200_000


def test_a_filter_in_a_custom_view_is_not_the_filter() -> None:
    view = '<customSheetView guid="{0}"><autoFilter ref="A1:B2"/></customSheetView>'
    view = f"<customSheetViews>{view}</customSheetViews>"
    layout = measure(io.BytesIO(worksheet(HEAD, after=view).encode()), ())
    assert layout.auto_filter is None


def test_the_filter_and_its_name_grow(tmp_path: Path) -> None:
    path = tmp_path / "runs.xlsx"
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = "runs"
    sheet.append(["run_id", "x"])
    sheet.append(["r1", 1])
    sheet.auto_filter.ref = "A1:B2"
    book.save(path)
    append(opened(path), [("r2", 2, 3)], adopt=True, new=("y",))
    assert '<autoFilter ref="A1:B3"' in part(path)
    assert '<dimension ref="A1:C3"' in part(path)
    assert b"'runs'!$A$1:$B$3" in unpack(path)["xl/workbook.xml"]
