"""The source `folders` keeps the contract of sources, on folders that the real client wrote."""

import shutil
from pathlib import Path

import pytest

from runsheet.clock import Clock
from runsheet.sources.wandb_folders import FolderSource
from tests.contract.source_contract import SourceContract
from tests.support.offline_runs import offline_directory

__all__ = ["offline_directory"]

IDS = ["res00001", "fin00001", "kil00001", "exc00001"]


class TestFolderSource(SourceContract):
    @pytest.fixture
    def directory(self, offline_directory: Path, tmp_path: Path) -> Path:
        """Copies a day apart (the originals were made within a few seconds), and a folder without a run."""
        for day, run_id in enumerate(IDS, start=1):
            for part, place in enumerate(sorted(offline_directory.rglob(f"offline-run-*-{run_id}*"))):
                name = f"offline-run-202601{day:02}_00000{part}-{run_id}"
                shutil.copytree(place, tmp_path / "wandb" / name)
        (tmp_path / "wandb" / "offline-run-20260109_000000-los00001").mkdir()
        return tmp_path

    @pytest.fixture
    def source(self, directory: Path, clock: Clock) -> FolderSource:
        return FolderSource(directory, clock=clock)

    @pytest.fixture
    def ids(self) -> list[str]:
        return IDS

    @pytest.fixture
    def lost(self) -> list[str]:
        return ["los00001"]
