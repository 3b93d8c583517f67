"""The command line: options, logging, exit codes. Imported by nobody.

Exit codes: 0 good, 1 a tick failed (with --once), 2 usage or configuration.

options   flags that commands share; errors become a sentence and an exit code
sync      the sync, once or as a daemon
upkeep    doctor, forget, history, undo, health
gpu_hours what the runs of projects used
inspect   what one run logged, and how it used its GPUs
compare   runs side by side
whose     whose runs the commands ask for that only read
"""

from collections.abc import Sequence

import click

from runsheet import __version__
from runsheet.cli import compare, gpu_hours, inspect, sync, upkeep

CONTEXT = {
    "help_option_names": ["-h", "--help"],
    "max_content_width": 100,
    # --user-name is --user_name: people know both spellings.
    "token_normalize_func": lambda text: text.replace("-", "_"),
}


def main(args: Sequence[str] | None = None) -> None:
    """Entry of the console command `runsheet`."""
    commands.main(args=None if args is None else list(args), prog_name="runsheet")


def script(args: Sequence[str]) -> None:
    """Entry of wandb_spreadsheet_sync.py: like `runsheet`, and `sync` when no command is named."""
    named = bool(args) and args[0] in commands.commands
    commands.main(args=list(args) if named else ["sync", *args], prog_name="wandb_spreadsheet_sync.py")


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, message="runsheet %(version)s")
def commands() -> None:
    """Keeps a team's spreadsheet true to its Weights & Biases runs."""


for command in (
    sync.sync_command,
    upkeep.doctor_command,
    upkeep.forget_command,
    upkeep.history_command,
    upkeep.undo_command,
    upkeep.health_command,
    gpu_hours.gpu_hours_command,
    inspect.keys_command,
    inspect.gpu_command,
    compare.compare_command,
):
    commands.add_command(command)
