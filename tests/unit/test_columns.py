"""P3: columns are known by their keys; fixed ones first, then most filled, none with another's title."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from runsheet import columns
from runsheet.cells import Mark
from runsheet.columns import Choice, Header, Seen
from runsheet.errors import SheetError
from runsheet.fields import COMPUTED
from runsheet.model import Owned


def seen(**paths: int | Mark) -> Seen:
    """Paths, spelled with `__` for a dot, and in how many runs each has a value."""
    found = Seen()
    for name, count in paths.items():
        path = name.replace("__", ".")
        for _ in range(1 if isinstance(count, Mark) else count):
            found.add({path: count if isinstance(count, Mark) else 1})
    return found


def seen_paths(*paths: str) -> Seen:
    found = Seen()
    found.add(dict.fromkeys(paths, 1))
    return found


def fixed(*items: str | tuple[str, str]) -> tuple[Header, ...]:
    return tuple(Header(*((item,) if isinstance(item, str) else item)) for item in items)


def new(
    choice: Choice,
    found: Seen,
    header: Sequence[str] = (),
    owned: Sequence[Owned] = (),
    ever: Mapping[str, str] | None = None,
    made: Sequence[str] = (),
) -> list[tuple[str, str]]:
    """Title and path of each new column; `made` are keys whose fingerprints are known."""
    prints = {columns.fingerprint(key) for key in made}
    chosen = columns.choose(choice, found, header, owned, ever or {}, made=prints)
    return [(column.title, column.path) for column in chosen.new]


RESOLVE = {
    "built-in": ("run_id", ["config.run_id"], "run_id"),
    "built-in, computed": ("gpus", ["config.gpus"], "gpus"),
    "config of that name": ("config.gpus", ["config.gpus"], "config.gpus"),
    "path": ("config.lr", ["summary.lr", "config.lr"], "config.lr"),
    "summary before config": ("lr", ["config.lr", "summary.lr"], "summary.lr"),
    "config": ("lr", ["config.lr"], "config.lr"),
    "exact before alike": ("train_loss", ["summary.train/loss", "config.train_loss"], "config.train_loss"),
    "alike": ("train_loss", ["summary.train/loss"], "summary.train/loss"),
    "alike with its prefix": ("summary.val_dice", ["summary.val/dice"], "summary.val/dice"),
    "another case": ("optimizer", ["config.OPTIMIZER"], "config.OPTIMIZER"),
    "nobody has it": ("nothing", ["config.lr"], ""),
    "never the other half": ("config.lr", ["summary.lr"], ""),
    "empty key": ("config.", ["config."], "config."),
    "summary in config": ("x", ["config.summary.x"], ""),
}


@pytest.mark.parametrize(("key", "paths", "path"), RESOLVE.values(), ids=RESOLVE)
def test_resolve(key: str, paths: list[str], path: str) -> None:
    """A header key means one path, in whatever order runs show theirs."""
    assert columns.resolve(key, seen_paths(*paths)) == path
    assert columns.resolve(key, seen_paths(*reversed(paths))) == path


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("config.lr", "lr"),
        ("summary.a.b", "a.b"),
        ("config.summary.x", "summary.x"),
        ("summary.config.x", "config.x"),
        ("run_id", "run_id"),
    ],
)
def test_bare(path: str, name: str) -> None:
    """One prefix goes, and no more."""
    assert columns.bare(path) == name


ALLOWED = {
    "all": (["*"], "config.a", True),
    "none": ([], "config.a", False),
    "by path": (["config.*"], "summary.a", False),
    "by bare name": (["a"], "config.a", True),
    "exclusion only": (["!*.seed"], "config.model.seed", False),
    "exclusion only, another": (["!*.seed"], "config.a", True),
    "exclusion wins": (["config.*", "!config.a"], "config.a", False),
    "case counts": (["A"], "config.a", False),
}


@pytest.mark.parametrize(("globs", "path", "yes"), ALLOWED.values(), ids=ALLOWED)
def test_allowed(globs: list[str], path: str, yes: bool) -> None:
    """Globs include, those with "!" exclude, and only exclusions leave the rest in."""
    assert columns.allowed(path, globs) is yes


TITLES = {
    "config and summary": (["config.lr", "summary.lr"], ["config.lr", "summary.lr"]),
    "slash and underscore": (["summary.train/loss", "summary.train_loss"], ["train/loss", "train_loss"]),
    "case": (["config.OPTIMIZER", "config.optimizer"], ["OPTIMIZER", "optimizer"]),
    "empty key": (["config."], ["config."]),
    "blanks on one line": (["config.a\n b"], ["a b"]),
    "two that look alike": (["config.a b", "config.a\nb"], ["a b", "config.a b"]),
    "a formula is a text": (["config.=1+1"], ["=1+1"]),
    "a prefix within": (["config.summary.x", "summary.x"], ["summary.x", "x"]),
}


@pytest.mark.parametrize(("paths", "titles"), TITLES.values(), ids=TITLES)
def test_titles(paths: list[str], titles: list[str]) -> None:
    """Titles are the bare names, with as much more as keeps them apart."""
    got = [title for title, _ in new(Choice(()), seen_paths(*paths))]
    assert sorted(got) == sorted(titles)


def test_titles_of_the_sheet_are_taken() -> None:
    """A new column never gets the title of one that stands there, a person's included."""
    got = new(
        Choice(fixed("lr")), seen(summary__lr=1, config__lr=1), header=("lr ", "config.lr", "", "summary.lr")
    )
    assert got == [("lr (lr)", "summary.lr"), ("config.lr 2", "config.lr")]


def test_fixed_first_then_most_filled() -> None:
    """Fixed headers stand in their order, also without a value; then the fullest, then by name."""
    found = seen(config__b=2, config__a=2, summary__z=3, config__fixed=1)
    got = new(Choice(fixed("run_id", ("fixed", "Mine"), "nobody")), found)
    assert [title for title, _ in got] == ["run_id", "Mine", "nobody", "z", "a", "b"]


def test_media_make_no_columns_unless_listed() -> None:
    """A path that only ever holds media is shown when a header names it."""
    found = seen(summary__plot=Mark("[plotly]"), summary__loss=1)
    assert new(Choice(()), found) == [("loss", "summary.loss")]
    assert ("plot", "summary.plot") in new(Choice(fixed("plot")), found)


def test_internal_values_only_when_listed() -> None:
    """`summary._step` is W&B's own; a user's `_target_` in the config is not."""
    found = seen(summary___step=5, config___target_=1)
    assert new(Choice(()), found) == [("_target_", "config._target_")]
    assert ("_step", "summary._step") in new(Choice((), ("*", "_step")), found)
    assert ("_step", "summary._step") in new(Choice(fixed("_step")), found)


def test_the_limit_names_what_it_leaves_out() -> None:
    """Dynamic columns beyond MAX_COLUMNS are named, fixed ones stay."""
    chosen = columns.choose(
        Choice(fixed("a", "b", "run_id"), limit=2), seen(config__x=2, config__y=1), (), (), {}
    )
    assert [column.title for column in chosen.new] == ["a", "b", "run_id"]
    assert chosen.left_out == ("x", "y")


def test_present_columns_count() -> None:
    """The limit is for all columns of ours in the sheet."""
    owned = (Owned("run_id", 0, "run_id"), Owned("config.x", 1, "x"))
    choice = Choice(fixed("run_id"), limit=3)
    found = seen(config__x=9, config__y=2, config__z=1)
    ever = {"run_id": "run_id", "config.x": "config.x"}
    chosen = columns.choose(choice, found, ("run_id", "x"), owned, ever)
    assert ([column.title for column in chosen.new], chosen.left_out) == (["y"], ("z",))


DELETED = {
    "dynamic": ({"config.lr": "config.lr"}, []),
    "fixed": ({"lr": "config.lr"}, []),
    "fixed, before any run had it": ({"lr": ""}, []),
    "never": ({}, [("lr", "config.lr")]),
}


@pytest.mark.parametrize(("ever", "made"), DELETED.values(), ids=DELETED)
def test_deleted_columns_stay_deleted(ever: dict[str, str], made: list[tuple[str, str]]) -> None:
    """A column that was made once and is gone does not come back under another name."""
    assert new(Choice(()), seen(config__lr=1), ever=ever) == made


def test_a_fixed_column_that_was_deleted_stays_deleted() -> None:
    """Also while the configuration lists it."""
    assert new(Choice(fixed("name", "lr")), seen(config__lr=1), ever={"name": "name"}) == [
        ("lr", "config.lr")
    ]


@pytest.mark.parametrize(
    ("made", "left"),
    [
        ([], [("lr", "config.lr"), ("loss", "summary.loss"), ("seed", "config.seed")]),
        (["config.seed"], [("lr", "config.lr"), ("loss", "summary.loss")]),
        (["lr"], [("loss", "summary.loss"), ("seed", "config.seed")]),
        (["lr", "config.seed", "summary.loss"], []),
        (["config.lr"], [("lr", "config.lr"), ("loss", "summary.loss"), ("seed", "config.seed")]),
    ],
    ids=["none", "dynamic", "fixed", "all", "listed since"],
)
def test_deleted_columns_are_known_by_their_fingerprints(
    made: list[str], left: list[tuple[str, str]]
) -> None:
    """Without book-keeping, too; the values of a fixed header do not return as a dynamic column."""
    found = seen(config__lr=3, summary__loss=2, config__seed=1)
    assert new(Choice(fixed("lr")), found, made=made) == left


def test_a_column_that_stands_there_may_be_among_the_fingerprints() -> None:
    """Another path that its key fits as well is a column of its own, as it is with book-keeping."""
    owned, ever = (Owned("lr", 0, "lr"),), {"lr": "config.lr"}
    found = seen(config__lr=1, summary__lr=1)
    assert new(Choice(fixed("lr")), found, ("lr",), owned, ever, ["lr"]) == [("summary.lr", "summary.lr")]


def test_a_header_for_a_column_that_stands_there_makes_no_second() -> None:
    """Listing a key in FIXED_HEADERS whose dynamic column exists changes nothing in the sheet."""
    owned = (Owned("run_id", 0, "run_id"), Owned("config.lr", 1, "lr"))
    ever = {"run_id": "run_id", "config.lr": "config.lr"}
    choice = Choice(fixed("run_id", ("lr", "Learning Rate")))
    assert new(choice, seen(config__lr=1), ("run_id", "lr"), owned, ever) == []


def test_a_header_brings_a_deleted_dynamic_column_back() -> None:
    """Listing its key is the way to have a deleted column again."""
    ever = {"config.lr": "config.lr"}
    assert new(Choice(fixed("lr")), seen(config__lr=1), ever=ever) == [("lr", "config.lr")]


def test_a_path_once_found_is_kept() -> None:
    """What a column shows does not change when later runs log a better match."""
    owned = (Owned("lr", 0, "lr"),)
    chosen = columns.choose(
        Choice(fixed("lr")), seen(summary__lr=1, config__lr=1), ("lr",), owned, {"lr": "config.lr"}
    )
    assert chosen.present[0].path == "config.lr"
    assert [column.path for column in chosen.new] == ["summary.lr"]


def test_dates() -> None:
    """Columns of dates are known as such, however their header is spelled."""
    found = seen(created_at=1, run_id=1)
    chosen = columns.choose(Choice(fixed("Created-At", "run_id")), found, (), (), {})
    assert [(column.path, column.date) for column in chosen.new] == [("created_at", True), ("run_id", False)]


ADOPT = {
    "the seed's sheet": (
        ["run_id", "_timestamp", "name", "train_loss", "my notes"],
        {"run_id": "run_id", "_timestamp": "_timestamp", "name": "name", "summary.train/loss": "train_loss"},
    ),
    "spelled otherwise": (["Run ID", "loss"], {"run_id": "Run ID", "summary.loss": "loss"}),
    "a fixed header's title": (["run_id", "Learning  Rate "], {"run_id": "run_id", "lr": "Learning Rate"}),
    "blanks around": ([" run_id ", " name"], {"run_id": "run_id", "name": "name"}),
    "a title that stands twice": (["run_id", "loss", "loss"], {"run_id": "run_id"}),
    "gaps": (["", "run_id", ""], {"run_id": "run_id"}),
    "not ours": (["who", "what"], {}),
}


@pytest.mark.parametrize(("header", "keys"), ADOPT.values(), ids=ADOPT)
def test_adopt(header: list[str], keys: dict[str, str]) -> None:
    """Columns of a sheet without marks are ours by their titles, each key once, in its place."""
    choice = Choice(fixed("run_id", ("lr", "Learning Rate")))
    placed = columns.adopt(header, choice, seen_paths("summary.train/loss", "summary.loss", "config.lr"))
    assert {item.column.key: item.column.title for item in placed} == keys
    assert all(" ".join(header[item.index].split()) == item.column.title for item in placed)


@pytest.mark.parametrize("header", [["run_id", "run_id"], ["Run ID", "x", "run_id"]])
def test_two_columns_of_ids_are_a_question(header: list[str]) -> None:
    """Which of two columns holds the ids is not guessed."""
    with pytest.raises(SheetError, match="two columns"):
        columns.adopt(header, Choice(fixed("run_id")), Seen())


def test_excluded_titles_are_a_persons() -> None:
    """A title that dynamic columns may not show is not adopted."""
    placed = columns.adopt(["run_id", "lr"], Choice(fixed("run_id"), ()), seen_paths("config.lr"))
    assert [item.column.key for item in placed] == ["run_id"]


def test_a_column_called_source_shows_the_built_in_key_only_where_that_is_listed() -> None:
    """In a sheet without marks; otherwise it is a person's, or shows the config."""
    for header, paths, keys in (
        ("run_id", (), ["run_id"]),
        ("run_id", ("config.source",), ["run_id", "config.source"]),
        ("source", ("config.source",), ["run_id", "source"]),
    ):
        placed = columns.adopt(["run_id", "source"], Choice(fixed(header)), seen_paths(*paths))
        assert [item.column.key for item in placed] == keys
    assert columns.resolve("source", seen_paths("config.source")) == "source"
    assert columns.resolve("config.source", seen_paths("config.source")) == "config.source"


def test_the_order_of_runs_does_not_matter() -> None:
    """Two machines that list runs in another order choose the same columns."""
    paths: list[Any] = ["config.b", "summary.a", "config.a", "summary.A", "config.x/y", "config.x_y"]
    choice = Choice(fixed("x-y", "nothing"))
    assert new(choice, seen_paths(*paths)) == new(choice, seen_paths(*reversed(paths)))


def test_a_persons_column_is_not_taken_for_a_value_of_runs() -> None:
    """Beside the fixed headers only the very name of a value makes a column ours: not "Status"."""
    seen = Seen()
    seen.add({"run_id": "a", "config.status": "s", "summary.val/dice": 0.5, "config.lr": 0.1})
    placed = columns.adopt(["run_id", "Status", "val_dice", "lr", "LR"], Choice((Header("run_id"),)), seen)
    assert {item.column.path: item.index for item in placed} == {
        "run_id": 0,
        "summary.val/dice": 2,
        "config.lr": 3,
    }


@pytest.mark.parametrize("key", COMPUTED)
def test_a_value_that_is_called_like_a_computed_key(key: str) -> None:
    """It keeps its own column, which a title in a sheet means unless the key is listed."""
    found = seen_paths("run_id", f"config.{key}")
    assert new(Choice(fixed("run_id")), found)[1] == (key, f"config.{key}")
    listed = Choice(fixed("run_id", key))
    computed = seen_paths("run_id", f"config.{key}", key)
    assert new(listed, computed)[1:] == [(key, key), (f"config.{key}", f"config.{key}")]
    for choice, path in ((Choice(fixed("run_id")), f"config.{key}"), (listed, key)):
        assert columns.adopt(["run_id", key], choice, found)[1].column.path == path
