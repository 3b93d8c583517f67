"""The health file tells whether ticks end in time and well, and never costs a tick."""

from datetime import timedelta
from pathlib import Path

import pytest

from runsheet import health
from runsheet.health import Unhealthy
from tests.support.builders import NOW


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "health")


@pytest.mark.parametrize(("late", "healthy"), [(0, True), (15, True), (15.1, False)])
def test_a_tick_is_due(path: str, late: float, healthy: bool) -> None:
    """A quarter of an hour after the next tick was due, the daemon counts as dead."""
    health.note(path, NOW, 30, good=True)
    now = NOW + timedelta(minutes=30 + late)
    if healthy:
        assert "last tick 2026-11-20" in health.check(path, now)
    else:
        with pytest.raises(Unhealthy, match="2026-11-20 12:30 UTC has not ended"):
            health.check(path, now)


@pytest.mark.parametrize(
    ("ticks", "healthy"),
    [([False, False], True), ([False] * 3, False), ([False, False, True, False, False], True)],
    ids=["two failed", "three failed", "not in a row"],
)
def test_failures_count_in_a_row(path: str, ticks: list[bool], healthy: bool) -> None:
    """Three failed ticks without a good one between are unhealthy."""
    for good in ticks:
        health.note(path, NOW, 30, good=good)
    if healthy:
        assert health.check(path, NOW)
    else:
        with pytest.raises(Unhealthy, match="3 ticks failed"):
            health.check(path, NOW)


@pytest.mark.parametrize(
    "content", [None, "", "{", "[]", "null", "{}", '{"due": 5}', '{"due": "soon"}', "\x00"]
)
def test_a_file_that_tells_nothing(path: str, content: str | None) -> None:
    """Missing, cut or foreign: no tick has ended yet, and the next one writes it anew."""
    if content is not None:
        Path(path).write_text(content, encoding="utf-8")
    with pytest.raises(Unhealthy, match="no tick"):
        health.check(path, NOW)
    health.note(path, NOW, 30, good=True)
    assert health.check(path, NOW)


def test_a_file_that_cannot_be_written_costs_no_tick(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A full or read-only disk is a line in the log."""
    health.note(str(tmp_path / "no such folder" / "health"), NOW, 30, good=True)
    assert "cannot write the health file" in caplog.text


def test_nothing_is_left_beside_the_file(path: str) -> None:
    """The file is replaced whole."""
    health.note(path, NOW, 30, good=True)
    health.note(path, NOW, 30, good=True)
    assert [item.name for item in Path(path).parent.iterdir()] == ["health"]
