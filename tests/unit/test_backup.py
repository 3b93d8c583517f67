"""A table is copied before it is touched, once a day afterwards, and no other file is ever deleted.

Mutants that were tried, each seen to fail: first contact that looks at older copies, a failure at first
contact that is a warning only, a later one that stops, no rename, a file of another table that counts or is
deleted, the newest deleted first, copies of the future that count for ever or are deleted.
"""

import json
import logging
from datetime import datetime, timedelta
from pathlib import Path

import openpyxl
import pytest

from runsheet import backends, config
from runsheet.backup import DAY, Backups, Series, safe
from runsheet.config import Config
from runsheet.destinations.memory import MemoryDestination, MemorySheet
from runsheet.errors import Changed, ConfigError, ServiceError, SheetError, Stopped, Unreachable
from runsheet.model import Cell, Shape
from tests.support.builders import NOW, FakeClock

PEOPLES: list[list[Cell]] = [["remark", "run_id"], ["mine", "r1"]]


class Table(MemoryDestination):
    """A table whose backup may fail, and whose age may be known."""

    def __init__(self, *, ours: bool = True, name: str = "runs.xlsx") -> None:
        super().__init__(MemorySheet([list(row) for row in PEOPLES], [None, "run_id" if ours else None]))
        self.failure: Exception | None = None
        self.age: timedelta | None = None
        self.title = name

    def backup_name(self, shape: Shape) -> str:
        return self.title

    def made(self, shape: Shape) -> datetime | None:
        return None if self.age is None else NOW - self.age

    def backup(self, shape: Shape, path: Path) -> None:
        if self.failure:
            path.write_bytes(b"a part")
            raise self.failure
        super().backup(shape, path)


class Desk:
    """Backups in a folder, made anew for each call as each tick does, and a clock to turn."""

    def __init__(self, folder: Path, keep: int = 3) -> None:
        self.folder = folder
        self.keep = keep
        self.clock = FakeClock()

    def before(self, table: Table) -> str:
        return Backups(self.folder, self.keep, self.clock).before_write(table, table.read())

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir()) if self.folder.exists() else []

    def put(self, *names: str) -> None:
        self.folder.mkdir(exist_ok=True)
        for name in names:
            (self.folder / name).write_bytes(b"old")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "backups")


def name(moment: datetime, table: str = "runs") -> str:
    return f"{table}-{moment:%Y-%m-%dT%H%M%SZ}.xlsx"


def test_first_contact_is_copied(desk: Desk) -> None:
    """The copy has the name of the table and the time, and holds what stood there."""
    assert desk.before(Table(ours=False)) == "backup: runs-2026-11-20T120000Z.xlsx"
    assert desk.names() == ["runs-2026-11-20T120000Z.xlsx"]
    sheet = openpyxl.load_workbook(desk.folder / desk.names()[0]).worksheets[0]
    assert [list(row) for row in sheet.iter_rows(values_only=True)] == PEOPLES


def test_nobody_else_reads_a_copy(desk: Desk) -> None:
    desk.before(Table())
    assert (desk.folder / desk.names()[0]).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("sheet", [MemorySheet(), MemorySheet([[None, ""]], ["run_id", None])])
def test_what_is_empty_needs_no_copy(desk: Desk, sheet: MemorySheet) -> None:
    table = Table()
    table.sheet = sheet
    assert desk.before(table) == ""
    assert not desk.folder.exists()


def test_first_contact_does_not_rely_on_an_older_copy(desk: Desk) -> None:
    """People have worked in the tab since."""
    desk.put(name(NOW - timedelta(hours=1)))
    assert desk.before(Table(ours=False))
    assert len(desk.names()) == 2


def test_one_copy_serves_a_tick_that_plans_afresh(desk: Desk) -> None:
    backups, table = Backups(desk.folder, 3, desk.clock), Table(ours=False)
    assert backups.before_write(table, table.read())
    desk.clock.wait(20)
    assert backups.before_write(table, table.read()) == ""
    desk.clock.wait(600)
    assert backups.before_write(table, table.read())


def test_then_once_a_day(desk: Desk) -> None:
    """A new process tells from the folder when the last copy was made."""
    table = Table()
    made = []
    for _ in range(5):
        made.append(bool(desk.before(table)))
        desk.clock.wait(DAY.total_seconds() / 2)
    assert made == [True, False, True, False, True]


@pytest.mark.parametrize(("hours", "copied"), [(1, False), (23, False), (25, True), (-1000, True)])
def test_a_table_of_ours_is_copied_when_it_is_a_day_old(desk: Desk, hours: int, copied: bool) -> None:
    """A folder of backups beside a workbook that was made a minute ago would be a surprise."""
    table = Table()
    table.age = timedelta(hours=hours)
    assert bool(desk.before(table)) is copied
    assert desk.folder.exists() is copied


@pytest.mark.parametrize(
    "other",
    [
        name(NOW, "runs-2"),
        name(NOW, "other-runs"),
        name(NOW).replace("T", "t"),
        name(NOW).replace(".xlsx", ".xlsm"),
        name(NOW) + ".bak",
        "runs-2026-13-20T120000Z.xlsx",
        "runs.xlsx",
    ],
)
def test_other_files_do_not_count(desk: Desk, other: str) -> None:
    """A copy of this table has exactly its name; anything else says nothing, and stays."""
    desk.keep = 1
    desk.put(other)
    assert desk.before(Table())
    assert other in desk.names()
    assert len(desk.names()) == 2


def test_the_oldest_go(desk: Desk) -> None:
    old = [name(NOW - timedelta(days=days)) for days in (9, 2, 5, 7)]
    desk.put(*old)
    desk.before(Table())
    assert desk.names() == sorted([old[2], old[1], name(NOW)])


def test_a_folder_and_a_link_are_not_deleted(desk: Desk) -> None:
    desk.keep = 1
    desk.put("kept")
    folder, link = name(NOW - timedelta(days=8)), name(NOW - timedelta(days=9))
    (desk.folder / folder).mkdir()
    (desk.folder / link).symlink_to(desk.folder / "kept")
    assert desk.before(Table()) == f"backup: {name(NOW)}"
    assert desk.names() == sorted(["kept", folder, link, name(NOW)])


class TestClock:
    """A clock that jumps neither stops the copies nor deletes one."""

    def test_a_copy_from_just_ahead_counts_as_made_now(self, desk: Desk) -> None:
        desk.put(name(NOW + timedelta(hours=3)))
        assert desk.before(Table()) == ""

    def test_one_from_far_ahead_stops_nothing(self, desk: Desk) -> None:
        desk.put(name(NOW + timedelta(days=3000)))
        assert desk.before(Table())
        assert desk.before(Table()) == ""

    def test_copies_from_ahead_are_kept_and_push_none_out(self, desk: Desk) -> None:
        ahead = [name(NOW + timedelta(days=days)) for days in (3000, 3001, 3002)]
        past = [name(NOW - timedelta(days=days)) for days in (1, 2, 3)]
        desk.put(*ahead, *past)
        desk.before(Table())
        assert desk.names() == sorted([*ahead, *past[:2], name(NOW)])


class TestFailure:
    @pytest.mark.parametrize(
        "failure",
        [
            OSError(28, "No space left on device"),
            Unreachable("no network"),
            Changed("moved"),
            SheetError("large"),
        ],
        ids=repr,
    )
    def test_at_first_contact_it_stops_the_write(self, desk: Desk, failure: Exception) -> None:
        table = Table(ours=False)
        table.failure = failure
        with pytest.raises(
            ServiceError, match=r"no backup could be made in .*BACKUP_DIR.* Nothing was written"
        ):
            desk.before(table)
        assert desk.names() == []

    @pytest.mark.parametrize(
        "failure", [OSError(30, "Read-only file system"), Unreachable("no network")], ids=repr
    )
    def test_later_it_is_a_warning(
        self, desk: Desk, failure: Exception, caplog: pytest.LogCaptureFixture
    ) -> None:
        table = Table()
        table.failure = failure
        with caplog.at_level(logging.WARNING):
            remark = desk.before(table)
        assert remark == ""
        assert "no backup could be made" in caplog.text
        assert desk.names() == []
        table.failure = None
        assert desk.before(table).startswith("backup: runs-")

    def test_a_sentence_is_not_said_twice(self, desk: Desk) -> None:
        table = Table(ours=False)
        table.failure = SheetError("it is damaged. Nothing was written")
        with pytest.raises(ServiceError) as raised:
            desk.before(table)
        assert str(raised.value).count("Nothing was written") == 1

    def test_a_folder_that_cannot_be_made(self, desk: Desk) -> None:
        desk.folder.write_bytes(b"a file")
        with pytest.raises(ServiceError, match="File exists"):
            desk.before(Table(ours=False))

    @pytest.mark.parametrize("ours", [True, False])
    def test_a_stop_signal_stays_one(self, desk: Desk, ours: bool) -> None:
        table = Table(ours=ours)
        table.failure = Stopped("stopped")
        with pytest.raises(Stopped):
            desk.before(table)
        assert desk.names() == []

    def test_what_a_kill_has_left_goes_after_a_day(self, desk: Desk) -> None:
        """Not before: another process may be at work on it. Nor what another table's copy has left."""
        left = [f".{name(NOW - timedelta(hours=hours))}.abc_12.runsheet-tmp" for hours in (30, 3)]
        other = f".{name(NOW - timedelta(hours=30), 'other')}.abc_12.runsheet-tmp"
        desk.put(*left, other)
        desk.before(Table())
        assert desk.names() == sorted([left[1], other, name(NOW)])

    def test_an_old_copy_that_cannot_be_deleted(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        """The new one stands, so that rows are written."""

        def refuse(path: Path, missing_ok: bool = False) -> None:
            raise PermissionError(1, "Operation not permitted")

        desk.keep = 1
        desk.put(name(NOW - timedelta(days=2)))
        monkeypatch.setattr(Path, "unlink", refuse)
        remark = desk.before(Table(ours=False))
        assert remark.startswith("backup: runs-2026-11-20T120000Z.xlsx (older ones could not be deleted")


class TestNames:
    @pytest.mark.parametrize("good", ["runs", "Runs 2", "실험-1a2b3c4d", "v1.5", "a_b"])
    def test_a_good_one_stays(self, good: str) -> None:
        assert safe(good) == good

    @pytest.mark.parametrize(
        "bad",
        [
            "a/b",
            "a\\b",
            "a:b",
            "a*b",
            "a?b",
            'a"b',
            "a<b",
            "a|b",
            ".a",
            " a",
            "-a",
            "a\nb",
            "u\u0308",
            "x" * 300,
        ],
    )
    def test_others_are_changed(self, bad: str) -> None:
        assert safe(bad) != bad
        assert set(safe(bad)).isdisjoint('/\\:*?"<>|\n')
        assert not safe(bad).startswith((".", " ", "-"))
        assert len(safe(bad).encode()) < 200

    def test_two_tables_never_share_one(self) -> None:
        tables = ["a/b", "a:b", "a_b", "x" * 300, "x" * 301, "실" * 100, "실" * 101]
        assert len({safe(table) for table in tables}) == len(tables)

    def test_a_workbook_with_macros_keeps_its_ending(self, desk: Desk) -> None:
        """Excel opens no .xlsm that is called .xlsx."""
        assert desk.before(Table(name="v1.5.xlsm")) == "backup: v1.5-2026-11-20T120000Z.xlsm"
        assert len(Series.of(desk.folder, "v1.5.xlsm").files()) == 1


class TestFolder:
    @pytest.mark.parametrize(
        ("settings", "variable", "folder"),
        [
            ({}, "", "place/backups"),
            ({}, "/data/backups", "/data/backups"),
            ({"BACKUP_DIR": "kept"}, "", "place/kept"),
            ({"BACKUP_DIR": "/kept"}, "/data/backups", "/kept"),
        ],
    )
    def test_where_it_is(self, settings: dict[str, str], variable: str, folder: str) -> None:
        """Beside config.json, unless the key or the image says otherwise."""
        environ = {backends.BACKUP_VARIABLE: variable} if variable else {}
        setup = backends.Setup(Config(**settings), FakeClock(), environ, Path("place"))
        found = backends.backups(setup)
        assert found
        assert found.folder == Path(folder)

    @pytest.mark.parametrize(("settings", "variable"), [({"BACKUP_DIR": ""}, "/data"), ({}, "")])
    def test_none(self, settings: dict[str, str], variable: str) -> None:
        setup = backends.Setup(Config(**settings), FakeClock(), {backends.BACKUP_VARIABLE: variable})
        assert backends.backups(setup) is None

    @pytest.mark.parametrize(
        "wrong", [{"BACKUP_KEEP": 0}, {"BACKUP_DIR": None}, {"DRIVE_COPY": "yes"}], ids=str
    )
    def test_wrong_settings(self, wrong: dict[str, object]) -> None:
        with pytest.raises(ConfigError, match="expected"):
            config.parse(json.dumps(wrong))
