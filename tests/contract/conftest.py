"""Fixtures of the Google Sheets tests. The W&B tests have a `server` of their own, which wins there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.builders import Desk
from tests.support.sheets import SheetsServer


@pytest.fixture
def server() -> Iterator[SheetsServer]:
    with SheetsServer() as server:
        yield server


@pytest.fixture
def desk(server: SheetsServer, tmp_path: Path) -> Desk:
    return Desk(server, tmp_path)
