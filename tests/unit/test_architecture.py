"""Imports point inwards: the core knows no backend, and `--help` loads none of the large packages."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "runsheet"
PURE = (
    *(
        "cells",
        "columns",
        "errors",
        "fields",
        "journal",
        "ledger",
        "live",
        "merge",
        "model",
        "packing",
        "plan",
    ),
    *("repair", "report", "rules", "safety", "shown", "stored", "strays", "watermark", "withdraw"),
    *("reports.explain", "reports.gpu_hours", "reports.gpu_hours_tables", "reports.live_table"),
    *("reports.usage", "reports.writing"),
    *("reports.compare", "reports.compare_tables"),
    *("reports.gpu_metrics", "reports.gpu_tables", "reports.heading", "reports.keys"),
)
CORE = (*PURE, "backup", "cache", "daemon", "forget", "intake", "pull", "retry", "spool", "sync", "undo")
CORE = (*CORE, "gpu_columns", "gpu_use", "lookup", "reports.gather", "reports.store")
NO_IO = {"gsheet.batch", "gsheet.images", "gsheet.marks", "gsheet.removal"}
"""Parts of a backend that send and read nothing."""

IO = {"asyncio", "http", "io", "logging", "multiprocessing", "os", "pathlib", "secrets", "shutil", "socket"}
IO |= {"ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib.request", "zipfile"}
WIRING = {"cli", "ticker", "doctor", "backends"}
LARGE = {
    "wandb",
    "gspread",
    "openpyxl",
    "google",
    "oauth2client",
    "rich",
    "requests",
    "yaml",
    "flyte",
    "pandas",
    "matplotlib",
    "numpy",
}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imported(path: Path, *, deep: bool = True) -> Iterator[str]:
    """Full names that a module imports; without `deep` only those imported when it is loaded."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = ast.walk(tree) if deep else iter(tree.body)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative imports are not used"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from names
            if not all(name in MODULES for name in names):  # from package import module
                yield node.module


@cache
def ours(path: Path) -> frozenset[str]:
    """Modules of ours that a module imports, anywhere in it."""
    return frozenset(name for name in imported(path) if name in MODULES and name != "runsheet")


def calls(path: Path) -> set[str]:
    """Names of the functions and methods that a module calls."""
    found = [node.func for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
    return {item.id if isinstance(item, ast.Name) else getattr(item, "attr", "") for item in found}


def reached(start: str) -> set[str]:
    """Modules of ours that are imported directly or by what is imported."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += ours(MODULES[name])
    return found - {start}


@pytest.mark.parametrize("name", ["errors", "model"])
def test_the_innermost_know_nothing_of_ours(name: str) -> None:
    """errors and model import the standard library only."""
    path = MODULES[f"runsheet.{name}"]
    assert ours(path) == set()
    assert {item.partition(".")[0] for item in imported(path)} <= set(sys.stdlib_module_names)


@pytest.mark.parametrize("name", CORE)
def test_the_core_knows_no_backend(name: str) -> None:
    """Interfaces may be imported; what implements them is handed in by the command line."""
    inner = {"runsheet.sources", "runsheet.destinations"}
    interfaces = {f"{package}.base" for package in inner}
    outer = {
        module for module in reached(f"runsheet.{name}") if module.startswith(tuple(f"{p}." for p in inner))
    }
    assert outer <= interfaces
    assert not {item.partition(".")[0] for item in imported(MODULES[f"runsheet.{name}"])} & LARGE


@pytest.mark.parametrize("name", PURE)
def test_what_decides_is_pure(name: str) -> None:
    """No file, no network, no process, no clock, no log: the same always leads to the same."""
    path = MODULES[f"runsheet.{name}"]
    reads = {item for item in imported(path) if item in IO or item.rpartition(".")[0] in IO}
    assert not reads
    assert not calls(path) & {"open", "input", "print", "now", "today", "utcnow"}
    users = {f"runsheet.{module}" for module in PURE}
    users |= {"runsheet.destinations.base", "runsheet.sources.base"}
    assert ours(path) <= users


@pytest.mark.parametrize("name", sorted(NO_IO))
def test_requests_are_made_without_sending_them(name: str) -> None:
    """What is planned for a service is JSON; a nonce is all that differs."""
    path = MODULES[f"runsheet.destinations.{name}"]
    assert not {item for item in imported(path) if item.partition(".")[0] in (IO | LARGE) - {"secrets"}}
    assert not {module.rpartition(".")[2] for module in ours(path)} & {"client", "document", "destination"}
    assert not calls(path) & {"open", "print", "now"}


@pytest.mark.parametrize("name", sorted(WIRING))
def test_the_wiring_is_imported_by_nobody(name: str) -> None:
    """What wires everything is known to none of what it wires, and the command line to nobody."""
    users = {
        module.removeprefix("runsheet.")
        for module, path in MODULES.items()
        if f"runsheet.{name}" in ours(path)
    }
    users = {"cli" if user.startswith("cli.") else user for user in users}
    assert users <= ({"cli"} if name == "cli" else WIRING)


def test_backends_do_not_know_each_other() -> None:
    """A source imports no destination, nor the other way round; the sync is known to neither."""
    for module, path in MODULES.items():
        names = ours(path)
        if module.startswith("runsheet.sources"):
            assert not [name for name in names if name.startswith("runsheet.destinations")], module
        if module.startswith("runsheet.destinations"):
            assert not [name for name in names if name.startswith("runsheet.sources")], module
        if module.startswith(("runsheet.sources", "runsheet.destinations")):
            assert not names & {"runsheet.sync", "runsheet.daemon", "runsheet.config"}, module


def test_there_are_no_circles() -> None:
    """No module is reached from itself."""
    packages = {name for name, path in MODULES.items() if path.name == "__init__.py"}
    for module in MODULES.keys() - packages:
        assert module not in {name for other in ours(MODULES[module]) for name in reached(other)}, module


def test_no_file_is_named_like_a_library() -> None:
    """`import wandb` means the library, wherever it stands."""
    names = {path.stem for path in PACKAGE.rglob("*.py")}
    assert not names & LARGE


HELP = """
    import sys
    sys.argv = ["runsheet", *sys.argv[1:]]
    try:
        from runsheet.cli import main
        if sys.argv[1:]:
            main()
    finally:
        print(" ".join(sorted({name.partition(".")[0] for name in sys.modules})), file=sys.stderr)
"""


@pytest.mark.parametrize(
    "args",
    [[], ["--help"], ["sync", "--help"], ["gpu-hours", "--help"], ["compare", "--help"]],
    ids=["import", "--help", "sync --help", "gpu-hours --help", "compare --help"],
)
def test_help_loads_no_large_package(args: list[str], tmp_path: Path) -> None:
    """A fresh process shows its help without wandb, gspread, openpyxl or google being loaded."""
    program = "\n".join(line[4:] for line in HELP.splitlines())
    result = subprocess.run(
        [sys.executable, "-c", program, *args],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "runsheet" in result.stderr.split()
    assert not set(result.stderr.split()) & LARGE
