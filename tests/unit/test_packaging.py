"""What ships is what was tried: the pins lie in the ranges, the package is complete, the entry is thin."""

import ast
import re
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

HOME = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((HOME / "pyproject.toml").read_text(encoding="utf-8"))
RUN = PROJECT["project"]["dependencies"]
EXTRAS = PROJECT["project"]["optional-dependencies"]


def pins(name: str) -> dict[str, Version]:
    """The lines of a requirements file that are no comment: all have to be name==version."""
    lines = (HOME / name).read_text(encoding="utf-8").splitlines()
    found: dict[str, Version] = {}
    for line in (line for line in lines if line and not line.startswith("#")):
        package, _, version = line.partition("==")
        assert re.fullmatch(r"[A-Za-z0-9._-]+", package), line
        found[canonicalize_name(package)] = Version(version)
    return found


def direct(lines: list[str]) -> list[Requirement]:
    return [Requirement(line) for line in lines]


@pytest.mark.parametrize("wanted", direct(RUN), ids=str)
def test_the_image_runs_a_version_inside_the_range(wanted: Requirement) -> None:
    assert wanted.specifier.contains(pins("requirements.txt")[canonicalize_name(wanted.name)])


@pytest.mark.parametrize("wanted", direct([*EXTRAS["dev"], *EXTRAS["demo"]]), ids=str)
def test_tests_and_demo_use_a_version_inside_the_range(wanted: Requirement) -> None:
    pinned = pins("requirements.txt") | pins("requirements-dev.txt")
    assert wanted.specifier.contains(pinned[canonicalize_name(wanted.name)])


def test_no_package_is_pinned_twice() -> None:
    assert not pins("requirements.txt").keys() & pins("requirements-dev.txt").keys()


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_pins_name_no_address_and_set_no_option(name: str) -> None:
    """Where packages come from is for each machine to say."""
    text = (HOME / name).read_text(encoding="utf-8")
    assert "://" not in text
    assert " @ " not in text
    assert not re.search(r"^\s*-", text, re.MULTILINE)


@pytest.mark.parametrize("name", ["pyproject.toml", "Makefile", "Dockerfile", "compose.yaml", ".ci/run"])
def test_no_file_names_a_package_index(name: str) -> None:
    text = (HOME / name).read_text(encoding="utf-8")
    assert not re.search(r"index-url|find-links|trusted-host", text, re.IGNORECASE)


def test_all_packages_are_installed() -> None:
    """And the tests are not."""
    patterns = PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]
    folders = [path.parent for top in ("runsheet", "tests") for path in (HOME / top).rglob("__init__.py")]
    names = {".".join(folder.relative_to(HOME).parts) for folder in folders}
    taken = {name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)}
    assert taken == {name for name in names if name.partition(".")[0] == "runsheet"}


def test_each_folder_with_code_is_a_package() -> None:
    folders = {path.parent for path in (HOME / "runsheet").rglob("*.py")}
    assert [folder.name for folder in folders if not (folder / "__init__.py").exists()] == []


def test_each_dependency_has_its_reason() -> None:
    text = (HOME / "docs" / "dependencies.md").read_text(encoding="utf-8")
    explained = {
        name for row in re.findall(r"^\| ([^|]+) \|", text, re.MULTILINE) for name in row.split(", ")
    }
    named = {wanted.name for wanted in direct([*RUN, *EXTRAS["dev"], *EXTRAS["demo"]])}
    assert explained - {"package"} == named


def test_the_entry_only_calls_the_command_line() -> None:
    tree = ast.parse((HOME / "wandb_spreadsheet_sync.py").read_text(encoding="utf-8"))
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert [ast.unparse(node) for node in imported] == ["import sys", "from runsheet.cli import script"]
    assert ast.unparse(tree.body[-1]).splitlines()[1:] == ["    script(sys.argv[1:])"]
    assert len(tree.body) == 1 + len(imported) + 1
