"""`--help` answers at once: what takes long to import is imported where it is needed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from runsheet.cli import commands

SLOW = {"wandb", "gspread", "openpyxl", "oauth2client", "flyte", "google", "requests", "rich"}
SLOW |= {"matplotlib", "numpy"}

PROGRAM = """
import json, sys
from runsheet import cli
entry = getattr(cli, sys.argv[1])
try:
    entry(sys.argv[2:])
except SystemExit as end:
    print(json.dumps([end.code, sorted({name.partition(".")[0] for name in sys.modules})]))
"""


@pytest.mark.parametrize("call", ["main", "script", *(f"main {name}" for name in commands.commands)])
def test_help_imports_no_backend(call: str, tmp_path: Path) -> None:
    """Of each command, in a process of its own: modules are looked at, not seconds."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, *call.split(), "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    *shown, last = done.stdout.splitlines()
    code, modules = json.loads(last)
    assert (code, done.stderr) == (0, "")
    assert shown[0].startswith("Usage: ")
    assert {"runsheet", "click"} <= {*modules}
    assert not SLOW & {*modules}
