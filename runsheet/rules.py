"""Which runs qualify for a row. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from runsheet.columns import Choice
from runsheet.fields import Values
from runsheet.model import SETTLED_STATES, Run, Scope
from runsheet.reports.usage import Settings


@dataclass(frozen=True, slots=True)
class Rules:
    """Which runs qualify, and how they are shown.

    `states`: only these, empty for all. `users`: only runs of these, empty for all.
    `names`: user name to the name shown. `live`: runs get a row when they start, which follows them.
    `counted`: reports are made of all runs, so that one that was resumed is news.
    `usage`: how the columns of fields.COMPUTED are computed, None where there is none of them.
    `gpu_columns`: what runs did not note of their GPUs is read from what was measured (gpu_columns.py).
    """

    choice: Choice
    states: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    names: Mapping[str, str] = field(default_factory=dict)
    settle_hours: float = 24.0
    live: bool = False
    counted: bool = False
    usage: Settings | None = None
    gpu_columns: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """A run that qualifies: its identity and its cells by path. Of runs in live tables also whether it
    has settled, how it stands (live.stamp), and why it gets no row unless it has one.

    `values` are None when they are to be had from `shelf` only (spool.py), or not at all: a run that has its
    row already is not asked for again.
    """

    scope: Scope
    run_id: str
    values: Values | None
    settled: bool = True
    stamp: str = ""
    refused: str = ""
    shelf: Callable[[str], Values] | None = None

    @property
    def bare(self) -> bool:
        """Whether nothing but the run's identity is known."""
        return self.values is None and self.shelf is None

    def load(self) -> Values:
        """The cells by path; none of a bare one."""
        if self.values is None:
            return self.shelf(self.run_id) if self.shelf else {}
        return self.values


def refusal(run: Run, rules: Rules, now: datetime) -> str:
    """Why a run does not qualify, in a word or two; "" when it does."""
    if rules.users and (run.user or "").casefold() not in rules.users:
        return "of another user"
    if not rules.live and not settled(run, now, rules.settle_hours):
        return run.state or "not settled"
    if rules.states and run.state not in rules.states:
        return f"{run.state}, not in STATES"
    return ""


def settled(run: Run, now: datetime, settle_hours: float) -> bool:
    """Whether a run will not change any more.

    finished, failed and killed runs are settled. W&B calls runs crashed that go on later, and
    leaves runs running that died weeks ago: without a heartbeat for `settle_hours` they settle.
    """
    if run.state in SETTLED_STATES:
        return True
    last = run.heartbeat or run.created
    return last is not None and now - last >= timedelta(hours=settle_hours)
