"""Log lines reach the console and a rotating file; a damaged character never costs a line."""

import io
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runsheet import logs
from runsheet.errors import ConfigError

log = logging.getLogger("runsheet.test")


@pytest.fixture(autouse=True)
def _root() -> Iterator[None]:
    """The root logger, put back afterwards: pytest has handlers there."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    levels = {name: logging.getLogger(name).level for name in logs._QUIET}
    root.handlers = []
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


def test_lines_go_where_they_belong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Plain lines on stdout, warnings and errors on stderr, all of them in the file, none twice."""
    path = tmp_path / "x.log"
    logs.set_up(str(path), verbose=False)
    log.debug("detail")
    log.info("good")
    log.warning("look")
    log.error("bad")
    out, err = capsys.readouterr()
    assert [line.split("  ")[1] for line in out.splitlines()] == ["good"]
    assert [line.split("  ")[1] for line in err.splitlines()] == ["look", "bad"]
    assert [line.split(": ")[1] for line in path.read_text(encoding="utf-8").splitlines()] == [
        "good",
        "look",
        "bad",
    ]


def test_verbose_shows_more(capsys: pytest.CaptureFixture[str]) -> None:
    """--verbose adds our debug lines, and no file is made where none is wanted."""
    logs.set_up("", verbose=True)
    log.debug("detail")
    assert "detail" in capsys.readouterr().out


@pytest.mark.parametrize("verbose", [False, True])
def test_libraries_stay_quiet(verbose: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """P8: the debug lines of HTTP libraries, which show headers, are never written."""
    logs.set_up("", verbose=verbose)
    logging.getLogger("urllib3.connectionpool").debug("Authorization: secret")
    assert "secret" not in "".join(capsys.readouterr())


def test_setting_up_twice_writes_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The second set-up replaces the first."""
    for _ in range(2):
        logs.set_up(str(tmp_path / "x.log"), verbose=False)
    log.info("once")
    assert capsys.readouterr().out.count("once") == 1
    assert (tmp_path / "x.log").read_text(encoding="utf-8").count("once") == 1


def test_damaged_names_do_not_cost_the_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder whose name is not UTF-8, on a console that is not either: escaped, and no traceback."""
    console = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    errors = io.StringIO()
    monkeypatch.setattr(sys, "stdout", console)
    monkeypatch.setattr(sys, "stderr", errors)
    logs.set_up(str(tmp_path / "x.log"), verbose=False)
    log.info("folder %s of 학습", "run-\udcff")
    console.flush()
    assert r"run-\udcff of \ud559" in console.buffer.getvalue().decode()  # type: ignore[attr-defined]
    assert r"run-\udcff of 학습" in (tmp_path / "x.log").read_text(encoding="utf-8")
    assert errors.getvalue() == ""


def test_the_file_rotates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon of years does not fill the disk."""
    monkeypatch.setattr(logs, "FILE_BYTES", 1_000)
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    logs.set_up(str(tmp_path / "x.log"), verbose=False)
    for number in range(200):
        log.info("line %d", number)
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["x.log", *(f"x.log.{number}" for number in range(1, logs.FILE_COUNT + 1))]
    assert "line 199" in (tmp_path / "x.log").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["", "no such folder/x.log"], ids=["a folder", "in no folder"])
def test_a_place_that_cannot_be_written(tmp_path: Path, name: str) -> None:
    """One sentence that names the flag."""
    with pytest.raises(ConfigError, match="--log_file"):
        logs.set_up(str(tmp_path / name), verbose=False)
