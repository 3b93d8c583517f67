"""P3: a column that people cut and pasted is ours where its title is, if that is beyond doubt.

Mutants: a mark that moves although its column holds something; one of two titles taken; a column that
was renamed taken for strayed.
"""

import pytest

from runsheet.columns import Choice, Header
from runsheet.model import Column, Owned, Placed, Shape
from runsheet.strays import Strays

CHOICE = Choice((Header("run_id", "ID"), Header("loss")), ("*",))


def strays(header: list[str], called: dict[str, str] | None = None, **marks: int) -> Strays:
    """A sheet with that header in which columns of ours are marked at these places."""
    owned = tuple(Owned(key.replace("__", "."), index, header[index]) for key, index in marks.items())
    return Strays(Shape(True, False, tuple(header), owned), CHOICE, called or {})


CASES: dict[str, tuple[Strays, dict[str, set[int]], set[str], dict[str, int]]] = {
    # the sheet, the rows in which strayed columns hold something, keys in question, where ours are
    "in place": (strays(["ID", "loss"], run_id=0, loss=1), {}, set(), {"run_id": 0, "loss": 1}),
    "cut and pasted": (
        strays(["ID", "", "loss"], run_id=0, loss=1),
        {},
        {"loss"},
        {"run_id": 0, "loss": 2},
    ),
    "another was put in its place": (
        strays(["ID", "my notes", "loss"], run_id=0, loss=1),
        {},
        {"loss"},
        {"run_id": 0, "loss": 2},
    ),
    "its column holds something": (
        strays(["ID", "my notes", "loss"], run_id=0, loss=1),
        {"loss": {4}},
        {"loss"},
        {"run_id": 0, "loss": 1},
    ),
    "two titles": (strays(["ID", "", "loss", "loss"], run_id=0, loss=1), {}, set(), {"run_id": 0, "loss": 1}),
    "renamed": (strays(["ID", "error"], run_id=0, loss=1), {}, set(), {"run_id": 0, "loss": 1}),
    "renamed before, as known": (
        strays(["ID", "error", "loss"], {"loss": "error"}, run_id=0, loss=1),
        {},
        set(),
        {"run_id": 0, "loss": 1},
    ),
    "renamed before, then cut": (
        strays(["ID", "", "error"], {"loss": "error"}, run_id=0, loss=1),
        {},
        {"loss"},
        {"run_id": 0, "loss": 2},
    ),
    "the title is another column of ours": (
        strays(["ID", "", "loss"], run_id=0, loss=1, config__loss=2),
        {},
        set(),
        {"run_id": 0, "loss": 1, "config.loss": 2},
    ),
    "a dynamic column, by its short name": (
        strays(["ID", "", "lr"], run_id=0, config__lr=1),
        {},
        {"config.lr"},
        {"run_id": 0, "config.lr": 2},
    ),
    "the ids": (strays(["", "loss", "ID"], run_id=0, loss=1), {}, {"run_id"}, {"run_id": 2, "loss": 1}),
    "over two lines": (
        strays(["ID", "", "los\ns "], {"loss": "los s"}, run_id=0, loss=1),
        {},
        {"loss"},
        {"run_id": 0, "loss": 2},
    ),
}


@pytest.mark.parametrize(("sheet", "filled", "keys", "places"), CASES.values(), ids=CASES)
def test_where_our_columns_are(
    sheet: Strays, filled: dict[str, set[int]], keys: set[str], places: dict[str, int]
) -> None:
    """A mark moves if its column is blank and its title stands in exactly one column that is not ours."""
    assert sheet.keys == keys
    assert {item.key: item.index for item in sheet.found(filled)} == places


def test_a_column_that_moved_has_the_title_that_it_shows() -> None:
    (ids, loss) = strays(["ID", "", "loss"], run_id=0, loss=1).found({})
    assert (ids.title, loss) == ("ID", Owned("loss", 2, "loss"))


IDS: dict[str, tuple[Strays, int | None]] = {
    "their mark is gone": (strays(["loss", "ID"], loss=0), 1),
    "by the key": (strays(["loss", "run_id"], loss=0), 1),
    "their mark is there": (strays(["", "ID"], run_id=0), None),
    "two could be": (strays(["loss", "ID", "run_id"], loss=0), None),
    "deleted": (strays(["loss", "notes"], loss=0), None),
    "a sheet that is not ours": (strays(["ID", "loss"]), None),
}


@pytest.mark.parametrize(("sheet", "index"), IDS.values(), ids=IDS)
def test_the_column_of_ids_is_found_without_its_mark(sheet: Strays, index: int | None) -> None:
    """Nothing works without it; any other column without a mark was deleted."""
    expected = () if index is None else index
    found = sheet.ids()
    assert (found[0].index if found else ()) == expected
    assert all(item == Placed(Column("run_id", item.column.title, "run_id"), item.index) for item in found)
