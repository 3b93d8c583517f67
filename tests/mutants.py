"""Deliberate faults of the product, and proof that the tests catch each: `make mutants`.

Each is put into a copy of the tree, never into the tree itself, and the tests that should notice are
run there until one fails. Ends with 1 when a fault survives, when its text does not stand exactly once
in its file, or when the tests fail without any. `python -m tests.mutants WORD` takes those whose file or
description has the word.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from tests.mutant_list import MUTANTS, Mutant

ROOT = Path(__file__).parents[1]
LEFT_OUT = (".git", ".venv*", "__pycache__", ".*_cache", ".hypothesis", "build", "demo", "*.egg-info")
SECONDS = 300
"""A fault that makes the tests hang is caught, too."""


@dataclass(frozen=True)
class Verdict:
    """What became of one mutant; `by` is the first test that failed, "" when it survived."""

    mutant: Mutant
    by: str
    seconds: float


def changed(mutant: Mutant, root: Path) -> str:
    """The mutant's file with the fault in it. Raises ValueError when its text does not stand there once."""
    text = (root / mutant.file).read_text(encoding="utf-8")
    if text.count(mutant.old) != 1:
        raise ValueError(f"{mutant.file} holds {text.count(mutant.old)} times: {mutant.old!r}")
    return text.replace(mutant.old, mutant.new)


def failing(root: Path, tests: Iterable[str]) -> str:
    """The first test that fails in a tree, "" when all pass."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    env = os.environ | {"PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return "no end"
    if done.returncode == 0:
        return ""
    found = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", done.stdout, flags=re.M)
    return found[1] if found else f"pytest ended with {done.returncode}"


def judge(mutants: Sequence[Mutant], root: Path) -> Iterator[Verdict]:
    """Put in each fault, one after the other, and take it out again."""
    for mutant in mutants:
        started = monotonic()
        path, text = root / mutant.file, changed(mutant, root)
        whole = path.read_text(encoding="utf-8")
        path.write_text(text, encoding="utf-8")
        by = failing(root, mutant.tests)
        path.write_text(whole, encoding="utf-8")
        yield Verdict(mutant, by, monotonic() - started)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("word", nargs="?", default="")
    word = parser.parse_args().word
    mutants = [mutant for mutant in MUTANTS if word in mutant.file or word in mutant.breaks]
    write = sys.stdout.write
    with TemporaryDirectory() as folder:
        root = Path(folder) / "tree"
        shutil.copytree(ROOT, root, ignore=shutil.ignore_patterns(*LEFT_OUT))
        if broken := failing(root, sorted({test for mutant in mutants for test in mutant.tests})):
            write(f"{broken} fails without any fault: nothing can be said\n")
            return 1
        survived = 0
        for verdict in judge(mutants, root):
            survived += not verdict.by
            state = "caught" if verdict.by else "SURVIVED"
            write(f"{state:9}{verdict.seconds:5.1f} s  {verdict.mutant.file}: {verdict.mutant.breaks}\n")
            write(f"{'':18}{verdict.by}\n")
            sys.stdout.flush()
    write(f"{len(mutants)} faults, {survived} survived\n")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
