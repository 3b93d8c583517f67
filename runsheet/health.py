"""Whether the daemon is alive: a small file that it renews, for a container's health check."""

import json
import logging
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from runsheet.errors import RunsheetError

log = logging.getLogger(__name__)

VARIABLE = "RUNSHEET_HEALTH_FILE"
"""The environment variable that names the file; without it none is written."""

SLACK = timedelta(minutes=15)
"""How much later than planned a tick may end: a first sync of a large project takes its time."""


class Unhealthy(RunsheetError):
    """The daemon has not finished a tick for too long, or its last ticks failed."""


def note(path: str, now: datetime, minutes: float, *, good: bool) -> None:
    """Write down that a tick has ended at `now`, and when the next one is due.

    A file that cannot be written is logged: it must not make a good tick fail.
    """
    before = _read(path)
    state = {
        "ended": now.isoformat(),
        "due": (now + timedelta(minutes=minutes)).isoformat(),
        "failures": 0 if good else int(before.get("failures", 0)) + 1,
    }
    fresh = Path(f"{path}.new")
    try:
        fresh.write_text(json.dumps(state), encoding="utf-8")
        os.replace(fresh, path)  # noqa: PTH105 - atomic, so that a reader never sees half a file
    except OSError as error:
        log.warning("cannot write the health file %s: %s", path, error.strerror)


def check(path: str, now: datetime) -> str:
    """One line on the daemon's state. Raises Unhealthy when a tick is overdue or three failed."""
    state = _read(path)
    if not state:
        raise Unhealthy("no tick has ended yet")
    due = datetime.fromisoformat(state["due"])
    if now > due + SLACK:
        raise Unhealthy(f"the tick due at {due:%Y-%m-%d %H:%M} UTC has not ended")
    if state["failures"] >= 3:
        raise Unhealthy(f"the last {state['failures']} ticks failed: see the log")
    return f"last tick {state['ended']}, next due {state['due']}"


def _read(path: str) -> dict[str, Any]:
    """What `note` wrote; nothing when there is no such file, or it is not ours."""
    try:
        state = json.loads(Path(path).read_text(encoding="utf-8"))
        datetime.fromisoformat(state["due"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return state if isinstance(state, dict) else {}
