"""What reports know of runs is kept from tick to tick, by its owner only, and is never worth an error.

Mutants: the file is read by others; one that is torn stops a report; a second process writes into it; what
was written before an error is kept; without a folder nothing is remembered; runs of another project go.
"""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from runsheet import live
from runsheet.cache import KEPT_SECONDS
from runsheet.errors import ServiceError
from runsheet.model import Run
from runsheet.reports.store import Store
from runsheet.reports.usage import Settings, slim, usage
from tests.support.builders import NOW, run, scope

SETTINGS = Settings()
OTHER = scope("team/other")


def lean(number: int, **fields: Any) -> Run:
    config = {"dist/world_size": [0, 1], "trainer": {"devices": "auto"}, "lr": 0.1}
    more: dict[str, Any] = {
        "config": config,
        "runtime": 12.5,
        "timed": True,
        "gpus": 4,
        "group": '"=1',
    } | fields
    return slim(run(number, **more), SETTINGS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "runsheet"


def fill(store: Store, runs: Sequence[Run]) -> None:
    with store.opened():
        store.add(runs)


def ids(store: Store, project: str = "team/proj") -> list[str]:
    with store.opened():
        return [one.id for one in store.runs(scope(project))]


def test_runs_come_back_as_they_were(folder: Path) -> None:
    """Also in another process: what usage() makes of each is the same."""
    odd = [lean(1), lean(2, created=None, heartbeat=None, user=None, runtime=None, gpus=None, config={})]
    odd += [lean(3, heartbeat=NOW + timedelta(microseconds=1)), lean(4, project="team/other")]
    half = {"world_size": "\ud83d", "dist/accelerator": float("nan")}
    odd.append(replace(lean(5, project="team/other", name="\ud83d", config=half), id="-: \ud83d"))
    fill(Store(folder, "rules"), odd)
    store = Store(folder, "rules")
    with store.opened():
        found = [*store.runs(scope()), *store.runs(OTHER)]
        assert store.stamps(scope()) == {one.id: live.stamp(one) for one in odd[:3]}
        assert set(store.stamps(OTHER)) == {"run0004", "-: \ud83d"}
    odd[3:] = odd[:2:-1]  # as they sort
    assert [usage(one, SETTINGS, NOW) for one in found] == [usage(one, SETTINGS, NOW) for one in odd]


def test_a_changed_run_takes_the_place_of_what_is_known(folder: Path) -> None:
    store = Store(folder, "rules")
    fill(store, [lean(1), lean(2)])
    later = replace(lean(1), heartbeat=NOW)
    fill(store, [later])
    with store.opened():
        assert store.stamps(scope()) == {"run0001": live.stamp(later), "run0002": live.stamp(lean(2))}


def test_runs_that_are_gone_are_dropped(folder: Path) -> None:
    """Only those of the project."""
    store = Store(folder, "rules")
    fill(store, [lean(1), lean(2), lean(1, project="team/other")])
    with store.opened():
        store.drop(scope(), ["run0001", "never"])
    assert ids(store) == ["run0002"]
    assert ids(store, "team/other") == ["run0001"]


def test_other_rules_are_another_file(folder: Path) -> None:
    fill(Store(folder, "rules"), [lean(1)])
    assert ids(Store(folder, "other rules")) == []
    assert ids(Store(folder, "rules")) == ["run0001"]


def test_nobody_else_can_read_it(folder: Path) -> None:
    fill(Store(folder, "rules"), [lean(1)])
    assert {path.stat().st_mode & 0o077 for path in (folder, *folder.iterdir())} == {0}


@pytest.mark.parametrize("on_disk", [True, False])
def test_what_an_error_interrupts_is_as_it_was(folder: Path, *, on_disk: bool) -> None:
    """But for what was saved."""
    store = Store(folder if on_disk else None, "rules")

    def listed() -> Iterator[Run]:
        yield lean(2)
        raise ServiceError("the service is gone")

    def work() -> None:
        with store.opened():
            store.add([lean(1)])
            store.save()
            store.add(listed())

    with pytest.raises(ServiceError):
        work()
    assert ids(store) == ["run0001"]


@pytest.mark.parametrize("damage", [b"", b"torn", b"SQLite format 3\0" + bytes(4000)], ids=["", "text", "0"])
def test_a_file_that_makes_no_sense_is_made_anew(folder: Path, damage: bytes) -> None:
    store = Store(folder, "rules")
    fill(store, [lean(1)])
    next(folder.iterdir()).write_bytes(damage)
    assert ids(store) == []
    fill(store, [lean(2)])
    assert ids(Store(folder, "rules")) == ["run0002"]


def test_damage_that_shows_late_is_an_error_once(folder: Path) -> None:
    store = Store(folder, "rules")
    fill(store, [lean(1)])
    with sqlite3.connect(next(folder.iterdir())) as file:
        file.execute("UPDATE runs SET data = '[1, 2]'")
    file.close()
    with pytest.raises(ServiceError, match="run0001 makes no sense"):
        ids(store)
    assert ids(store) == []


@pytest.mark.parametrize("why", ["no folder", "no right to write", "in use"])
def test_without_a_file_it_remembers_until_the_end(folder: Path, tmp_path: Path, why: str) -> None:
    """For as long as the process lives, since the daemon does."""
    if why == "no right to write":
        (tmp_path / "cache").write_text("a file")
    store = Store(None if why == "no folder" else folder, "rules")
    first = Store(folder, "rules")
    if why == "in use":
        with first.opened():
            first.add([lean(9)])
            fill(store, [lean(1), lean(2)])
        assert ids(first) == ["run0009"]
    else:
        fill(store, [lean(1), lean(2)])
    assert ids(store) == ["run0001", "run0002"]


def test_a_kill_leaves_what_was_saved(folder: Path) -> None:
    """The process ends in the middle of a write."""
    lines = [
        "import os",
        "from pathlib import Path",
        "from runsheet.reports.store import Store",
        "from tests.unit.test_store import lean",
        f"store = Store(Path({str(folder)!r}), 'rules')",
        "with store.opened():",
        "    store.add([lean(1)])",
        "    store.save()",
        "    store.add(lean(number) for number in range(2, 5000))",
        "    os._exit(9)",
    ]
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", "\n".join(lines)], cwd=root, check=False).returncode == 9
    assert ids(Store(folder, "rules")) == ["run0001"]


def test_files_that_nobody_came_back_for_are_deleted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(Store(folder, "rules"), [lean(1)])
    monkeypatch.setattr("runsheet.cache.time.time", lambda: 2 * KEPT_SECONDS + 4e9)
    fill(Store(folder, "other rules"), [lean(2)])
    assert ids(Store(folder, "rules")) == []


def test_it_is_used_while_it_is_open() -> None:
    with pytest.raises(ValueError, match="not open"):
        Store(None, "rules").stamps(scope())
