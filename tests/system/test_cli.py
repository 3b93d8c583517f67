"""The real command in a process of its own: flags, exit codes, and one clear sentence for bad input."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.sheets import SheetsServer
from tests.support.sheets import refuse as refused
from tests.support.wandb import WandbServer
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
        done = world.run("--once", *flags, **env)
        text = _sentence(done.stdout + done.stderr)
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
        while not arrived and process.poll() is None:
            os.sched_yield()
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
        while not path.exists():
            os.sched_yield()
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
        assert world.run("--once").returncode == 0
        gone = world.ids()[3]
        world.document.tab("runs").delete_rows(5)
        assert "1 deleted by hand" in world.run("--once").stdout
        assert world.run("forget").returncode == 2
        done = world.run("forget", gone)
        assert (done.returncode, done.stdout.strip()) == (0, f"forgotten: {gone}")
        assert f"added: {gone}" in world.run("--once").stdout
        assert len(set(world.ids())) == len(world.ids()) == 12
