"""P1: one row is one run's, by its id and what its project cell shows."""

import pytest

from runsheet import ledger
from runsheet.ledger import Ledger
from runsheet.model import RowId, Scope
from runsheet.shown import Shown, Who
from tests.support.builders import scope

A, B = scope("team/a"), scope("team/b")
OTHER_HOST = Scope("wandb", "own.server", "team/a")
LOCAL = Scope("trackio", "", "a")


def book(*scopes: Scope, found: tuple[str, ...] = ()) -> Ledger:
    """Book-keeping that knows the run x of each scope, and rows of x that stood there."""
    rows = [RowId("x", project, 1) for project in found]
    return ledger.parse([*ledger.added((where, "x", "") for where in scopes), *ledger.found(rows)])


def shown(projects: list[str], known: Ledger) -> Shown:
    """A sheet with rows of the id x that show these projects, from row 1."""
    return Shown([RowId("x", project, place) for place, project in enumerate(projects, 1)], known)


CLAIMS: dict[str, tuple[list[str], Ledger, list[Scope], list[bool]]] = {
    # project cells of rows, the book-keeping, runs of the id x in order; do they have a row?
    "one row": ([""], Ledger(), [A], [True]),
    "full name": (["team/a"], Ledger(), [A], [True]),
    "short name": (["a"], Ledger(), [A], [True]),
    "another project": (["team/b"], Ledger(), [A], [False]),
    "no row": ([], Ledger(), [A], [False]),
    "one row for two runs": ([""], Ledger(), [A, B], [True, False]),
    "two rows": (["a", "b"], Ledger(), [A, B], [True, True]),
    "a row of a known run": ([""], book(B), [A], [False]),
    "a row beside that of a known run": (["", ""], book(B), [A], [True]),
    "found once, deleted since": ([], book(found=("",)), [A], [True]),
    "found once, another project": ([], book(found=("b",)), [A], [False]),
}


@pytest.mark.parametrize(("projects", "known", "scopes", "claimed"), CLAIMS.values(), ids=CLAIMS)
def test_claim(projects: list[str], known: Ledger, scopes: list[Scope], claimed: list[bool]) -> None:
    """A row stands for any run that fits, unless the book-keeping gives it to another: once."""
    sheet = shown(projects, known)
    assert [sheet.claim(Who(where, "x")) for where in scopes] == claimed


ROWS: dict[str, tuple[list[str], Ledger, int | None]] = {
    # project cells of rows, the book-keeping, the row of the run x of A
    "its row": (["team/b", "team/a"], book(A, B), 2),
    "copied: the upper one": (["team/a", "team/a"], book(A), 1),
    "gone": (["team/b"], book(A, B), None),
    "blank, one run": ([""], book(A), 1),
    "blank, two runs": ([""], book(A, B), None),
    "two servers": (["team/a"], book(A, OTHER_HOST), None),
    "its row below that of another source": (["a", "team/a"], book(A, LOCAL), 2),
    "its row above that of another source": (["team/a", "a"], book(A, LOCAL), 1),
    "gone, and another source's stands": (["a"], book(A, LOCAL), None),
}


@pytest.mark.parametrize(("projects", "known", "index"), ROWS.values(), ids=ROWS)
def test_row(projects: list[str], known: Ledger, index: int | None) -> None:
    """P2: a row is followed or emptied only if no other run could be meant."""
    row = shown(projects, known).row(Who(A, "x"))
    assert (row.index if row else None) == index


def test_the_row_of_a_project_without_an_entity() -> None:
    """One sheet may hold the runs of W&B's team/a and those of a local project a."""
    row = shown(["team/a", "a"], book(A, LOCAL)).row(Who(LOCAL, "x"))
    assert row
    assert row.index == 2


DOUBLES: dict[str, tuple[list[str], list[Scope], tuple[str, ...]]] = {
    "one": ([""], [A], ()),
    "copied": (["", ""], [A], ("x",)),
    "two projects": (["team/a", "team/b"], [A, B], ()),
    "two servers": (["team/a", "team/a"], [A, OTHER_HOST], ()),
    "copied with its project": (["team/a", "team/a"], [A], ("x",)),
}


@pytest.mark.parametrize(("projects", "scopes", "ids"), DOUBLES.values(), ids=DOUBLES)
def test_doubles(projects: list[str], scopes: list[Scope], ids: tuple[str, ...]) -> None:
    """An id in more rows than it has runs is named."""
    assert shown(projects, book(*scopes)).doubles() == ids


def test_count() -> None:
    """Runs whose rows people deleted do not count."""
    sheet = shown(["team/a"], book(A, B))
    assert sheet.count([Who(A, "x"), Who(B, "x"), Who(A, "y")]) == 1
