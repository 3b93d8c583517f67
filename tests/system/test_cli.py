"""The real command in a process of its own: flags, exit codes, and one clear sentence for bad input."""

import contextlib
import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tests.support import forks
from tests.support.sheets import SheetsServer
from tests.support.sheets import refuse as refused
from tests.support.wandb import Run, WandbServer, iso
from tests.support.world import World


@pytest.fixture(scope="module")
def wandb() -> Iterator[WandbServer]:
    with WandbServer() as server:
        server.add_runs("team", "proj", 12)
        server.add_runs("team", "other", 3)
        yield server


@pytest.fixture
def world(wandb: WandbServer, tmp_path: Path) -> Iterator[World]:
    with SheetsServer() as sheets:
        yield World(sheets, wandb, tmp_path)


class TestFlags:
    def test_as_the_first_script_was_called(self, world: World) -> None:
        """--user_name NAME --schedule_time 0 works as written, and syncs that user's runs only."""
        done = world.run("--user_name", world.wandb.user.username, "--schedule_time", "0")
        assert done.returncode == 0, done.stderr
        assert len(world.ids()) > 0
        names = {row[1] for row in world.document.tab("runs").values()[1:]}
        assert names == {world.wandb.user.username}

    def test_dashes_or_underscores(self, world: World) -> None:
        """--schedule-time is --schedule_time."""
        done = world.run("--schedule-time", "0", "--dry-run", "--log-file", "x.log")
        assert done.returncode == 0, done.stderr
        assert "12 would be added" in done.stdout
        assert (world.folder / "x.log").read_text()

    def test_flags_win_over_the_configuration(self, world: World) -> None:
        """--project and --sheet_name name another project and spreadsheet than config.json."""
        other = world.sheets.create("Elsewhere")
        done = world.run("--once", "--project", "team/other", "--sheet_name", "Elsewhere")
        assert done.returncode == 0, done.stderr
        assert len(other.tab("runs").values()) == 4

    def test_several_projects(self, world: World) -> None:
        """--project twice: one sheet, with a project column."""
        done = world.run("--once", "--project", "team/other", "--project", "team/proj")
        assert done.returncode == 0, done.stderr
        header, *rows = world.document.tab("runs").values()
        place = header.index("project")
        assert sorted({row[place] for row in rows}) == ["team/other", "team/proj"]
        assert len(rows) == 15

    def test_the_log_says_what_was_done(self, world: World) -> None:
        """One line a tick, with counts and requests; no secret in it."""
        done = world.run("--once")
        line = done.stdout.strip().splitlines()[-1]
        assert "12 runs seen · 12 added" in line
        assert "wandb" in line
        log = (world.folder / "wandb_sync.log").read_text()
        assert "12 added" in log
        assert world.wandb.key not in log + done.stdout + done.stderr

    @pytest.mark.parametrize("flags", [("--bogus",), ("--schedule_time", "soon"), ("--schedule_time", "-1")])
    def test_usage_errors(self, world: World, flags: tuple[str, ...]) -> None:
        """A wrong flag is exit code 2."""
        assert world.run(*flags).returncode == 2


def _sentence(text: str) -> str:
    assert "Traceback" not in text
    return text


class TestBadInput:
    """Each gets one clear sentence that says what to do, the right exit code, and writes nothing."""

    def _fails(self, world: World, code: int, *flags: str, says: str, **env: str) -> None:
        done = forks.run(world, "--once", *flags, **env)
        text = _sentence(done.stdout)
        assert done.returncode == code, text
        assert says in text
        assert [tab.title for tab in world.document.tabs] == ["Sheet1"]

    def test_no_configuration(self, world: World) -> None:
        (world.folder / "config.json").unlink()
        self._fails(world, 2, says="--destination xlsx")

    def test_json_that_is_cut(self, world: World) -> None:
        (world.folder / "config.json").write_text('{\n  "GCP_JSON": ,\n}')
        self._fails(world, 2, says="line 2, column")

    def test_unknown_and_wrong_keys(self, world: World) -> None:
        world.configure(WORKSHET="x", MAX_COLUMNS="many")
        self._fails(world, 2, says="did you mean WORKSHEET?")
        self._fails(world, 2, says="MAX_COLUMNS: expected a whole number")

    def test_required_keys(self, world: World) -> None:
        world.configure(GCP_JSON=None, FIXED_HEADERS=None)
        self._fails(world, 2, says="GCP_JSON: required")
        self._fails(world, 2, says="FIXED_HEADERS: required")

    def test_no_key_file(self, world: World) -> None:
        world.configure(GCP_JSON="nowhere.json")
        self._fails(world, 2, says="nowhere.json")

    def test_a_file_that_is_no_key(self, world: World) -> None:
        (world.folder / "key.json").write_text('{"type": "service_account"}')
        self._fails(world, 2, says="is not a service-account key file")

    def test_a_revoked_key(self, world: World) -> None:
        world.sheets.revoke_keys()
        self._fails(world, 1, says="--source folders --destination xlsx")

    def test_no_such_spreadsheet(self, world: World) -> None:
        self._fails(world, 1, "--sheet_name", "x" * 44, says="share the spreadsheet with")

    def test_not_shared(self, world: World) -> None:
        world.document.unshare()
        self._fails(world, 1, says="gserviceaccount.com")

    def test_no_login(self, world: World) -> None:
        self._fails(world, 2, says="--source folders --destination xlsx", WANDB_API_KEY="")

    def test_a_wrong_login(self, world: World) -> None:
        self._fails(world, 1, says="127.0.0.1", WANDB_API_KEY="f" * 40)

    def test_no_such_project(self, world: World) -> None:
        self._fails(world, 1, "--project", "team/nothing", says="team/nothing")

    def test_no_project_named(self, world: World) -> None:
        world.configure(TEAM_NAME=None, PROJECT_NAME=None)
        self._fails(world, 2, says="WANDB_PROJECT")

    def test_wandb_out_of_reach(self, world: World) -> None:
        self._fails(world, 1, "--host", "http://127.0.0.1:9", says="127.0.0.1:9")

    def test_google_out_of_reach(self, world: World) -> None:
        world.sheets.script(refused(503, times=100, kind="read"))
        world.configure(GOOGLE_API_ENDPOINT="http://127.0.0.1:9")
        self._fails(world, 1, says="Google cannot be reached")

    def test_plain_http(self, world: World) -> None:
        world.configure(GOOGLE_API_ENDPOINT="http://sheets.example")
        self._fails(world, 2, says="ALLOW_HTTP")

    def test_a_log_that_cannot_be_written(self, world: World) -> None:
        self._fails(world, 2, "--log_file", "no/such/folder/x.log", says="--log_file")

    @pytest.mark.parametrize("flag", ["--source", "--destination"])
    def test_unknown_backends(self, world: World, flag: str) -> None:
        self._fails(world, 2, flag, "csv", says="there is no 'csv'")

    def test_verbose_shows_the_cause(self, world: World) -> None:
        """The traceback comes with --verbose only."""
        done = world.run("--once", "--verbose", "--project", "team/nothing")
        assert done.returncode == 1
        assert "Traceback" in done.stderr


class TestDaemon:
    def test_first_tick_at_once_and_a_clean_end(self, world: World) -> None:
        """The daemon ticks at once, and SIGTERM ends it with exit code 0."""
        process = world.start("--schedule_time", "30")
        assert process.stdout
        for line in process.stdout:
            if "12 added" in line:
                break
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=5)
        assert process.returncode == 0, err
        assert len(world.ids()) == 12

    def test_a_failed_tick_does_not_end_it(self, world: World) -> None:
        """A tick that fails is logged with its cause, and the daemon goes on."""
        world.document.unshare()
        process = world.start("--schedule_time", "30")
        assert process.stderr
        assert any("tick failed" in line for line in process.stderr)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=5)
        assert process.returncode == 0

    def test_a_hanging_service_does_not_hold_it(self, world: World) -> None:
        """SIGTERM ends it within five seconds even when a service never answers."""
        arrived = []
        world.sheets.before_request = lambda request: (arrived.append(request), world.sheets.closing.wait())
        process = world.start("--schedule_time", "30")
        _until(lambda: bool(arrived), process)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=5)
        assert process.returncode == 0

    def test_health(self, world: World) -> None:
        """The health file tells a container whether ticks end well."""
        path = world.folder / "health.json"
        env = {"RUNSHEET_HEALTH_FILE": str(path)}
        assert world.run("health", **env).returncode == 1
        process = world.start("--schedule_time", "30", **env)
        assert process.stdout
        assert any("12 added" in line for line in process.stdout)
        _until(path.exists, process)
        assert world.run("health", **env).returncode == 0
        assert json.loads(path.read_text())["failures"] == 0
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=5)


class TestWorkbook:
    def test_without_any_account(self, world: World, tmp_path: Path) -> None:
        """--destination xlsx needs neither config.json nor a Google key."""
        (world.folder / "config.json").unlink()
        flags = ("--once", "--project", "team/proj", "--destination", "xlsx:out.xlsx")
        done = world.run(*flags)
        assert done.returncode == 0, done.stdout + done.stderr
        assert " 12 added" in done.stdout
        assert " 0 added" in world.run(*flags).stdout

    def test_not_a_workbook(self, world: World) -> None:
        """A file that is no workbook is named, and left alone."""
        path = world.folder / "out.xlsx"
        path.write_text("a,b\n1,2\n")
        done = world.run("--once", "--destination", "xlsx:out.xlsx")
        assert done.returncode == 1
        assert "out.xlsx" in _sentence(done.stderr)
        assert path.read_text() == "a,b\n1,2\n"

    def test_open_elsewhere(self, world: World) -> None:
        """A workbook that is open in LibreOffice is left alone; whose it is gets said."""
        flags = ("--once", "--destination", "xlsx:out.xlsx")
        world.run(*flags)
        (world.folder / ".~lock.out.xlsx#").write_text(",Kim,desk,20.11.2026 12:00,file:///x;")
        done = world.run(*flags, "--project", "team/other")
        assert done.returncode == 1
        assert "Kim" in _sentence(done.stderr)


class TestForget:
    def test_a_deleted_run_comes_back(self, world: World) -> None:
        """forget RUN_ID lets a run back in; without a name or --all it is a usage error."""
        assert forks.run(world, "--once").returncode == 0
        gone = world.ids()[3]
        world.document.tab("runs").delete_rows(5)
        assert "1 deleted by hand" in forks.run(world, "--once").stdout
        assert forks.run(world, "forget").returncode == 2
        done = forks.run(world, "forget", gone)
        assert (done.returncode, done.stdout.strip()) == (0, f"forgotten: {gone}")
        assert f"added: {gone}" in forks.run(world, "--once").stdout
        assert len(set(world.ids())) == len(world.ids()) == 12


def _until(done: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait until something is done, half a minute at most, while a process runs."""
    for _ in range(600):
        if done():
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
            break
    assert done(), "it does not come"


def _rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a workbook that hold anything."""
    header, *rows = openpyxl.load_workbook(path)["runs"].iter_rows(values_only=True)
    return [dict(zip(map(str, header), row, strict=True)) for row in rows if any(row)]


class TestUndo:
    def test_history_and_undo(self, world: World) -> None:
        """What a tick wrote is listed and taken back; the runs stay out until they are forgotten."""
        world.configure(DESTINATION="xlsx:out.xlsx", PROJECT_NAME="other")
        assert forks.run(world, "--once").returncode == 0
        (line,) = forks.run(world, "history").stdout.splitlines()
        name, _, what = line.partition("  ")
        assert what == "3 rows added · 10 columns made"
        undone = forks.run(world, "undo")
        assert undone.returncode == 0
        assert undone.stdout.splitlines() == [
            f"{name}: 30 cells taken back · 3 rows removed",
            "removed: run00000, run00001, run00002",
            "columns that stay: run_id, name, created_at, c0, loss, lr, m0, m1, model, seed",
            "these runs stay out until: runsheet forget RUN_ID…",
        ]
        assert _rows(world.folder / "out.xlsx") == []
        undoing, before = forks.run(world, "history").stdout.splitlines()
        assert undoing.endswith(f"  30 cells changed in 3 rows (undid {name})")
        assert before == f"{line} (undone)"
        assert " 0 added · skipped: 3 deleted by hand" in forks.run(world, "--once").stdout

    def test_one_tick_of_several(self, world: World) -> None:
        """It is named; cells that people have changed since are named, too, and stay."""
        world.configure(DESTINATION="xlsx:out.xlsx", PROJECT_NAME="parts")
        world.wandb.add_runs("team", "parts", 3)
        forks.run(world, "--once")
        path = world.folder / "out.xlsx"
        book = openpyxl.load_workbook(path)
        book["runs"]["B3"] = "my own"
        book.save(path)
        world.wandb.add_runs("team", "parts", 2)
        forks.run(world, "--once")
        first = forks.run(world, "history").stdout.splitlines()[-1].split()[0]
        unclear = forks.run(world, "undo", "20")
        assert (unclear.returncode, "2 ticks called '20'" in unclear.stdout) == (2, True)
        done = forks.run(world, "undo", first)
        assert done.returncode == 0
        assert f"{first}: 29 cells taken back · 2 rows removed" in done.stdout
        assert "rows that stay: run00001" in done.stdout
        assert "kept as people left them: run00001: name" in done.stdout
        assert [row["run_id"] for row in _rows(path)] == [None, "run00003", "run00004"]

    @pytest.mark.parametrize("written", [False, True])
    def test_no_such_tick(self, world: World, written: bool) -> None:
        """An unknown name, or nothing to undo, is exit code 2, and changes nothing."""
        world.configure(DESTINATION="xlsx:out.xlsx", PROJECT_NAME="other")
        if written:
            forks.run(world, "--once")
        shown = forks.run(world, "history")
        assert (shown.returncode, "no tick has written anything yet" in shown.stdout) == (0, not written)
        done = forks.run(world, "undo", "1999")
        assert done.returncode == 2
        assert ("there is no tick called '1999'" if written else "history is empty") in _sentence(done.stdout)
        assert forks.run(world, "history").stdout == shown.stdout


class TestLiveRows:
    def test_from_start_to_end(self, world: World) -> None:
        """With LIVE_ROWS in config.json a row follows its run until that has settled."""
        world.configure(DESTINATION="xlsx:out.xlsx", PROJECT_NAME="live", LIVE_ROWS=True, STATES=None)
        world.configure(FIXED_HEADERS=["run_id", "state"], DYNAMIC_HEADERS=["loss"])
        path = world.folder / "out.xlsx"
        run = Run("one", state="running", summary='{"loss": 0.5}', heartbeat_at=iso(datetime.now(UTC)))
        world.wandb.add("team", "live", run)
        assert " 1 added" in forks.run(world, "--once").stdout
        run.summary = '{"loss": 0.25}'
        assert " 0 added · 1 updated" in forks.run(world, "--once").stdout
        assert _rows(path) == [{"run_id": "one", "state": "running", "loss": 0.25}]
        run.state, run.summary = "finished", '{"loss": 0.125}'
        assert " 0 added · 1 updated" in forks.run(world, "--once").stdout
        assert _rows(path) == [{"run_id": "one", "state": "finished", "loss": 0.125}]
        old = path.read_bytes()
        assert "updated" not in forks.run(world, "--once").stdout
        assert path.read_bytes() == old


class TestSafetyStop:
    """A tick that would change far more than usual writes nothing until somebody says that it may."""

    def test_many_rows(self, world: World) -> None:
        world.configure(DESTINATION="xlsx:out.xlsx", PROJECT_NAME="many", DYNAMIC_HEADERS=["loss"])
        world.wandb.add_runs("team", "many", 300)
        assert " 300 added" in forks.run(world, "--once").stdout
        world.wandb.add_runs("team", "many", 400)
        path, stop = (
            world.folder / "out.xlsx",
            "safety stop: this tick would append 400 rows to a table of 300",
        )
        old = path.read_bytes()
        stopped = forks.run(world, "--once")
        assert stopped.returncode == 1
        assert f"{stop}. Nothing was written" in _sentence(stopped.stdout)
        assert "--accept_changes lets it through once" in stopped.stdout
        shown = forks.run(world, "--dry_run")
        assert shown.returncode == 0
        assert f"{stop}; --accept_changes would let it through" in shown.stdout
        assert "400 would be added (dry run)" in shown.stdout
        assert path.read_bytes() == old
        assert " 400 added" in forks.run(world, "--once", "--accept_changes").stdout
        world.wandb.add_runs("team", "many", 100)
        after = forks.run(world, "--once")
        assert (after.returncode, " 100 added" in after.stdout) == (0, True)
        assert len(_rows(path)) == 800

    def test_most_columns_gone(self, world: World) -> None:
        assert forks.run(world, "--once").returncode == 0
        tab, writes = world.document.tab("runs"), world.sheets.count("write")
        tab.delete_columns("B", 6)
        left = tab.values()
        stopped = forks.run(world, "--once")
        assert stopped.returncode == 1
        assert "safety stop: 6 of our 10 columns are gone (" in _sentence(stopped.stdout)
        assert "6 of our 10 columns" in forks.run(world, "--dry_run").stdout
        assert world.sheets.count("write") == writes
        assert forks.run(world, "--once", "--accept_changes").returncode == 0
        assert forks.run(world, "--once").returncode == 0
        assert tab.values() == left

    def test_a_daemon_takes_the_flag_for_one_tick(self, world: World) -> None:
        world.configure(DESTINATION="xlsx:out.xlsx", PROJECT_NAME="more", DYNAMIC_HEADERS=["loss"])
        world.wandb.add_runs("team", "more", 10)
        assert forks.run(world, "--once").returncode == 0
        world.wandb.add_runs("team", "more", 300)
        daemon = forks.start(world, "--schedule_time", "0.01", "--accept_changes")
        self._wait(daemon, " 300 added")
        world.wandb.add_runs("team", "more", 400)
        self._wait(daemon, "tick failed: safety stop")
        daemon.process.terminate()
        assert daemon.end(5).returncode == 0
        assert len(_rows(world.folder / "out.xlsx")) == 310

    def _wait(self, daemon: forks.Forked, text: str) -> None:
        shown = ""
        for _ in range(600):
            daemon.process.join(0.05)  # Its end, or time for the next look.
            shown = daemon.out.read_text() if daemon.out.exists() else ""
            if text in shown:
                return
            assert " 400 added" not in shown
            assert daemon.process.is_alive()
        pytest.fail(f"{text!r} does not come: {shown}")


class TestBackups:
    """A tab that people made is saved to a file before it is written for the first time."""

    MADE = [["run_id", "remark"], ["run00003", "look again"], ["old", "=1+1"]]

    def test_beside_the_configuration(self, world: World) -> None:
        world.document.add_tab("runs").fill("A1", self.MADE)
        folder = world.folder / "settings"
        folder.mkdir()
        for name in ("config.json", "key.json"):
            (world.folder / name).rename(folder / name)
        at_writes: list[list[Path]] = []
        world.sheets.before_request = lambda request: (
            at_writes.append(list(folder.glob("backups/*"))) if request.kind == "write" else None
        )
        done = forks.run(world, "--once", "--config_path", "settings/config.json")
        assert done.returncode == 0, done.stdout
        (backup,) = at_writes[0]
        assert f"backup: {backup.name}" in done.stdout
        rows = openpyxl.load_workbook(backup)["runs"].iter_rows(values_only=True)
        assert [list(row) for row in rows] == self.MADE
        assert set(world.ids()) >= {"run00003", "old"}
        assert len(world.ids()) == 13
        assert forks.run(world, "--once", "--config_path", "settings/config.json").returncode == 0
        assert list(folder.glob("backups/*")) == [backup]

    def test_it_cannot_be_made(self, world: World) -> None:
        """One sentence says why and what to do, and nothing is written."""
        world.document.add_tab("runs").fill("A1", self.MADE)
        (world.folder / "backups").write_text("in the way")
        before = world.document.snapshot()
        done = forks.run(world, "--once")
        assert done.returncode == 1
        (line,) = _sentence(done.stdout).splitlines()
        assert "no backup could be made in backups (File exists)" in line
        assert line.endswith("Nothing was written")
        assert world.sheets.count("write") == 0
        assert world.document.snapshot() == before
