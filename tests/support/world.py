"""The whole thing outside: both services on loopback, config.json, and the real command in a process."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.sheets import Document, SheetsServer
from tests.support.wandb import WandbServer

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "wandb_spreadsheet_sync.py"


@dataclass
class World:
    """Both stand-ins and a folder with config.json; `start` and `run` call the command in it."""

    sheets: SheetsServer
    wandb: WandbServer
    folder: Path
    config: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.document: Document = self.sheets.create("Results")
        self.sheets.key_file(self.folder / "key.json")
        self.configure(
            GCP_JSON="key.json",
            FIXED_HEADERS=["run_id", "name", "created_at"],
            SPREADSHEET_NAME=self.document.key,
            WORKSHEET="runs",
            TEAM_NAME="team",
            PROJECT_NAME="proj",
            GOOGLE_API_ENDPOINT=self.sheets.url,
        )

    def configure(self, **changes: Any) -> None:
        """Change config.json; a value of None removes the key."""
        self.config.update(changes)
        kept = {key: value for key, value in self.config.items() if value is not None}
        (self.folder / "config.json").write_text(json.dumps(kept))

    @property
    def env(self) -> dict[str, str]:
        """A bare environment: an empty HOME, and the login of the W&B stand-in."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        return {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONWARNINGS": "ignore", **self.wandb.env()}

    def start(self, *flags: str, **env: str) -> subprocess.Popen[str]:
        """The command in a process of its own."""
        return subprocess.Popen(
            [sys.executable, str(SCRIPT), *flags],
            cwd=self.folder,
            env=self.env | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *flags: str, **env: str) -> subprocess.CompletedProcess[str]:
        """The command, to its end."""
        process = self.start(*flags, **env)
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def ids(self) -> list[str]:
        """The run ids in the sheet, top to bottom."""
        rows = self.document.tab("runs").values()
        place = rows[0].index("run_id")
        return [row[place] for row in rows[1:] if len(row) > place and row[place]]
