"""Which runs get a row, and when: those that have settled, or, in live tables, those that have begun."""

from datetime import timedelta
from typing import Any

import pytest

from runsheet.rules import refusal, settled
from tests.support.builders import NOW, rules, run

HOUR = timedelta(hours=1)

REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "finished": ({"state": "finished", "heartbeat": NOW}, {}, ""),
    "failed": ({"state": "failed"}, {}, ""),
    "killed": ({"state": "killed"}, {}, ""),
    "running": ({"state": "running", "heartbeat": NOW - 24 * HOUR + timedelta(seconds=1)}, {}, "running"),
    "running, dead for a day": ({"state": "running", "heartbeat": NOW - 24 * HOUR}, {}, ""),
    "crashed, may go on": ({"state": "crashed", "heartbeat": NOW - 23 * HOUR}, {}, "crashed"),
    "crashed, settled": ({"state": "crashed", "heartbeat": NOW - 25 * HOUR}, {}, ""),
    "no heartbeat": ({"state": "running", "heartbeat": None, "created": NOW - 25 * HOUR}, {}, ""),
    "no times": ({"state": "running", "heartbeat": None, "created": None}, {}, "running"),
    "no state": ({"state": "", "heartbeat": NOW}, {}, "not settled"),
    "no waiting": ({"state": "running", "heartbeat": NOW}, {"settle_hours": 0}, ""),
    "clocks apart": ({"state": "running", "heartbeat": NOW + HOUR}, {"settle_hours": 0}, "running"),
    "not in STATES": ({"state": "failed"}, {"states": frozenset({"finished"})}, "failed, not in STATES"),
    "in STATES": ({"state": "failed"}, {"states": frozenset({"failed"})}, ""),
    "user": ({"user": "KIM"}, {"users": frozenset({"kim"})}, ""),
    "live": ({"state": "running", "heartbeat": NOW}, {"live": True}, ""),
    "live, not in STATES": (
        {"state": "running"},
        {"live": True, "states": frozenset({"finished"})},
        "running, not in STATES",
    ),
    "live, another user": ({"user": "lee"}, {"live": True, "users": frozenset({"kim"})}, "of another user"),
    "another user": ({"user": "lee"}, {"users": frozenset({"kim"})}, "of another user"),
    "user gone": ({"user": None}, {"users": frozenset({"kim"})}, "of another user"),
}


@pytest.mark.parametrize(("changes", "more", "reason"), REFUSED.values(), ids=REFUSED)
def test_refusal(changes: dict[str, Any], more: dict[str, Any], reason: str) -> None:
    """A run qualifies when it has settled and the configuration wants it; else a word says why not."""
    assert refusal(run(1, **changes), rules(**more), NOW) == reason


@pytest.mark.parametrize("state", ["finished", "failed", "killed", "running"])
def test_settled(state: str) -> None:
    """A run that ended by itself settles at once; any other when there is no sign of life."""
    item = run(1, state=state, heartbeat=NOW + HOUR)
    assert settled(item, NOW, 24) is (state != "running")
    assert settled(item, NOW + 25 * HOUR, 24)
