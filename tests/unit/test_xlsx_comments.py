"""P2: a row that people have commented counts as theirs."""

from pathlib import Path

import pytest

from runsheet.destinations.xlsx import comments
from runsheet.destinations.xlsx.markup import Unfit
from runsheet.destinations.xlsx.package import Package
from tests.support.workbooks import MAIN, bare, pack, relations, unpack, worksheet

SHEET = "xl/worksheets/sheet1.xml"
THREADS = "http://schemas.microsoft.com/office/spreadsheetml/2018/threadedcomments"


def notes(*refs: str) -> str:
    items = "".join(f'<comment ref="{ref}" authorId="0"><text><t>look</t></text></comment>' for ref in refs)
    return f'<comments xmlns="{MAIN}"><authors/><commentList>{items}</commentList></comments>'


def threads(*refs: str) -> str:
    items = "".join(
        f'<threadedComment ref="{ref}" id="1"><text>look</text></threadedComment>' for ref in refs
    )
    return f'<ThreadedComments xmlns="{THREADS}">{items}</ThreadedComments>'


def commented(path: Path, *parts: tuple[str, str]) -> Path:
    """A workbook whose worksheet refers to these parts: the last word of their kind, and what is in them."""
    kinds = [(f"rId{n}", kind, f"../part{n}.xml") for n, (kind, _) in enumerate(parts)]
    members: dict[str, str | bytes] = dict(unpack(bare(path, worksheet(""))))
    members |= {f"xl/part{n}.xml": data for n, (_, data) in enumerate(parts)}
    return pack(path, {**members, "xl/worksheets/_rels/sheet1.xml.rels": relations(*kinds)})


CASES: dict[str, tuple[list[tuple[str, str]], set[int]]] = {
    "none": ([], set()),
    "notes": ([("comments", notes("B2", "AA17", "C2"))], {2, 17}),
    "comments": ([("threadedComment", threads("B3"))], {3}),
    "both": ([("threadedComment", threads("B3")), ("comments", notes("B2"))], {2, 3}),
    "without a cell": ([("comments", notes("B2").replace('ref="B2"', ""))], set()),
    "another part": ([("vmlDrawing", "no XML at all")], set()),
}


@pytest.mark.parametrize(("parts", "rows"), CASES.values(), ids=CASES)
def test_rows(parts: list[tuple[str, str]], rows: set[int], tmp_path: Path) -> None:
    """Notes and comments of the worksheet, each by the row of its cell."""
    with commented(tmp_path / "runs.xlsx", *parts).open("rb") as file:
        assert comments.rows(Package(file), SHEET) == rows


def test_a_cell_that_is_none(tmp_path: Path) -> None:
    """A damaged part is said, and no row counts as free of comments."""
    with commented(tmp_path / "runs.xlsx", ("comments", notes("2B"))).open("rb") as file:
        package = Package(file)
        with pytest.raises(Unfit, match="'2B' is no cell"):
            comments.rows(package, SHEET)
