"""The command in processes that are forked from one that has imported what the command needs.

They do what `World.run` does, each in a process of its own, in a third of the time: what is left out is to
start Python and to import the clients for each.
"""

import multiprocessing
import os
import sys
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from subprocess import CompletedProcess
from unittest import mock

from tests.support.world import World

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    [
        "runsheet.cli",
        "runsheet.destinations.gsheet.client",
        "runsheet.destinations.gsheet.credentials",
        "runsheet.sources.wandb_api",
        "wandb.apis.public",
        __name__,
    ]
)


@dataclass(frozen=True)
class Forked:
    """A command that runs. `out` and `err` are the files that its outputs go to, mostly one and the same."""

    process: BaseProcess
    out: Path
    err: Path

    def kill(self) -> None:
        """SIGKILL; it is dead when this returns. May be called while another thread waits in `end`."""
        self.process.kill()
        wait([self.process.sentinel])

    def end(self, seconds: float = 60.0) -> "CompletedProcess[str]":
        """Wait for its end."""
        self.process.join(seconds)
        code = self.process.exitcode
        assert code is not None, "the command does not end"
        told = self.err.read_text() if self.err != self.out else ""
        return CompletedProcess((), code, self.out.read_text(), told)


def start(world: World, *flags: str, apart: bool = False, **env: str) -> Forked:
    """The command in the world's folder and environment. `apart`: its outputs are told apart."""
    out, err = world.folder / "out.txt", world.folder / ("err.txt" if apart else "out.txt")
    work = (str(world.folder), world.env | env, str(out), str(err), flags)
    process = CONTEXT.Process(target=_command, args=work)
    with mock.patch.dict(os.environ, WANDB_ERROR_REPORTING="false"):  # read where it is imported
        process.start()
    return Forked(process, out, err)


def run(world: World, *flags: str, apart: bool = False, **env: str) -> "CompletedProcess[str]":
    """The command, to its end."""
    return start(world, *flags, apart=apart, **env).end()


def _command(folder: str, env: dict[str, str], out: str, err: str, flags: tuple[str, ...]) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    written = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    told = written if err == out else os.open(err, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(written, sys.stdout.fileno())
    os.dup2(told, sys.stderr.fileno())
    from runsheet.cli import script

    script(flags)
