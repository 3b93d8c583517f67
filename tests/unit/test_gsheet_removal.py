"""P2: a row into which a person typed in the second it was deleted stands again where it stood.

Mutants: a place counted twice; rows restored from another's image; no guard on the
floor; the images of the batch before left standing.
"""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runsheet.destinations.gsheet import images, marks, removal
from runsheet.destinations.gsheet.marks import Mark
from runsheet.destinations.gsheet.standing import Standing

TAB, WIDTH = 5, 3
MARKS = (Mark(1, marks.KEY_COLUMN, "run_id", 0), Mark(2, marks.KEY_COLUMN, "loss", 2))
TABLE = marks.Table("t", TAB, "runs", 7)
ONE, TWO = marks.image_tabs(TABLE.id)


def standing(rows: int, **more: Any) -> Standing:
    floor = Mark(TABLE.id + 1, images.KEY_FLOOR, "", rows - 1)
    return Standing(
        "runs", "old", TAB, table_mark=TABLE, rows=rows, columns=WIDTH, marks=MARKS, floor=floor, **more
    )


class Grid:
    """Rows of a tab and of its images, each a text; knows the requests of removal.py."""

    def __init__(self, rows: list[str]) -> None:
        self.tabs: dict[int, list[str]] = {TAB: rows}

    def apply(self, requests: list[dict[str, Any]]) -> None:
        for request in requests:
            ((kind, item),) = request.items()
            if kind == "addSheet":
                made = item["properties"]
                self.tabs[made["sheetId"]] = [""] * made["gridProperties"]["rowCount"]
            elif kind == "deleteSheet":
                del self.tabs[item["sheetId"]]
            elif kind == "copyPaste":
                old, new = item["source"], item["destination"]
                assert (old["startColumnIndex"], old["endColumnIndex"]) == (0, WIDTH)
                self.tabs[new["sheetId"]][new["startRowIndex"]] = self.tabs[old["sheetId"]][
                    old["startRowIndex"]
                ]
            elif kind == "insertDimension":
                self.tabs[TAB].insert(item["range"]["startIndex"], "")
            elif kind == "deleteDimension":
                del self.tabs[TAB][item["range"]["startIndex"]]


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.data(), st.integers(2, 12))
def test_rows_that_were_not_blank_stand_where_they_stood(data: st.DataObject, count: int) -> None:
    """Whichever rows go, and whichever of them come back: the others are as if nothing had happened."""
    gone = sorted(data.draw(st.sets(st.integers(1, count - 1), min_size=1)), reverse=True)
    typed = data.draw(st.sets(st.sampled_from(range(len(gone)))))
    before = [f"row {index}" for index in range(count)]
    grid = Grid(list(before))
    requests, name = removal.delete(standing(count), gone)
    grid.apply(requests)
    assert grid.tabs[TAB] == [text for index, text in enumerate(before) if index not in gone]
    assert grid.tabs[images.tab_of(name)] == [before[index] for index in gone]
    grid.apply(removal.restore(TAB, name, sorted(typed), gone, WIDTH))
    lost = {row for place, row in enumerate(gone) if place not in typed}
    assert grid.tabs[TAB] == [text for index, text in enumerate(before) if index not in lost]


@pytest.mark.parametrize("standing_tabs", [(), (ONE,), (TWO,), (ONE, TWO)], ids=len)
def test_rows_are_deleted_only_as_they_were_read(standing_tabs: tuple[int, ...]) -> None:
    """Nonce, columns and floor are guarded first; of the tabs of images one is left."""
    now = standing(9, images=standing_tabs)
    requests, name = removal.delete(now, [7, 4])
    guards = removal.passport(now)
    assert requests[0] == marks.delete(metadataId=marks.NONCE, metadataValue="old")
    assert _nonce(requests[1]) not in ("old", _nonce(guards[1]))
    assert requests[2 : len(guards)] == guards[2:]
    assert guards[2:] == [
        *marks.guard(TAB, MARKS),
        *images.guard_floor(TAB, now.floor, Mark(TABLE.id + 1, images.KEY_FLOOR, "", 8)),
    ]
    grid = Grid([f"row {index}" for index in range(9)])
    grid.tabs |= {number: ["of the batch before"] for number in standing_tabs}
    grid.apply(requests)
    assert grid.tabs.keys() == {TAB, images.tab_of(name)}
    assert grid.tabs[images.tab_of(name)] == ["row 7", "row 4"]


def _nonce(request: dict[str, Any]) -> str:
    return str(request["createDeveloperMetadata"]["developerMetadata"]["metadataValue"])
