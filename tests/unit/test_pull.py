"""P6: one odd run, or one project that fails, stops no other.

Mutants: a failing project's runs are kept; in live tables waiting runs are dropped, or choose columns.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from runsheet import live, pull
from runsheet.errors import NotFound, ServiceError, Stopped, Unreachable
from runsheet.fields import COMPUTED
from runsheet.model import Run, Skip
from runsheet.pull import Pulled
from runsheet.reports.usage import Settings
from runsheet.rules import Rules
from runsheet.sources.base import Query
from runsheet.sources.memory import MemorySource, WatchedMemorySource
from runsheet.spool import FEW
from tests.support.builders import NOW, FakeClock, rules, run


class Breaking(MemorySource):
    """Raises what a project holds after the runs before it."""

    def __init__(self, items: Mapping[str, Sequence[Run | Skip | Exception]]) -> None:
        super().__init__({})
        self._items = items

    def projects(self) -> tuple[str, ...]:
        return tuple(self._items)

    def runs(self, project: str, query: Query) -> Iterator[Run | Skip]:
        for item in self._items[project]:
            if isinstance(item, Exception):
                raise item
            yield item


def pulled(wanted: Rules | None = None, **projects: Sequence[Run | Skip | Exception]) -> Pulled:
    return pull.pull(Breaking(projects), wanted or rules(), Query(), FakeClock(), lambda _: None)


def going(number: int, **more: Any) -> Run:
    return run(number, state="running", heartbeat=NOW, **more)


def ids(found: Pulled) -> list[str]:
    return [item.run_id for item in found.candidates]


def test_what_is_found_is_told() -> None:
    """Candidates in order, paths with how many runs have them, and why others wait."""
    found = pulled(a=[run(1), going(2), Skip("f", "empty file")], b=[run(3, summary={"loss": 1})])
    assert ids(found) == ["run0001", "run0003"]
    assert (found.count, found.projects, dict(found.waiting)) == (3, 2, {"running": 1})
    assert found.skips == [Skip("f", "empty file")]
    assert (found.seen.filled["summary.loss"], found.seen.filled["summary.epoch"]) == (2, 1)


def test_a_project_that_fails_gives_nothing() -> None:
    """Its runs are complete only together; the others stand."""
    found = pulled(a=[run(1)], b=[run(2), Skip("f", "cut"), Unreachable("no answer")], c=[run(3)])
    assert ids(found) == ["run0001", "run0003"]
    assert (list(found.failed), found.skips, found.projects) == (["b"], [], 3)
    assert found.seen.filled["summary.loss"] == 2


ODD: dict[str, tuple[Run, str]] = {
    "no id": (run("", name="nameless"), "has no id"),
    "values that cannot be shown": (run(7, summary=7), "cannot be shown"),
}


@pytest.mark.parametrize("wanted", [rules(), rules(live=True)], ids=["settled", "live"])
@pytest.mark.parametrize(("odd", "reason"), ODD.values(), ids=ODD)
def test_an_odd_run_is_passed_over_by_name(odd: Run, reason: str, wanted: Rules) -> None:
    found = pulled(wanted, a=[odd, run(1)])
    assert ids(found) == ["run0001"]
    assert [reason in skip.reason for skip in found.skips] == [True]


def test_live_tables_follow_every_run() -> None:
    """A run that STATES refuses is followed if it has a row, but brings no columns."""
    wanted = rules(live=True, states=frozenset({"running"}))
    found = pulled(wanted, a=[going(1), run(2, config={"late": 1})])
    assert [(item.run_id, item.settled, item.refused) for item in found.candidates] == [
        ("run0001", False, ""),
        ("run0002", True, "finished, not in STATES"),
    ]
    assert [item.stamp for item in found.candidates] == [
        live.stamp(going(1)),
        live.stamp(run(2, config={"late": 1})),
    ]
    assert "config.late" not in found.seen
    assert not found.waiting


def test_a_stop_ends_it_between_projects() -> None:
    clock = FakeClock()
    clock.stop()
    with pytest.raises(Stopped):
        pull.pull(Breaking({"a": [run(1)]}), rules(), Query(), clock, lambda _: None)


FAILED: dict[str, tuple[dict[str, ServiceError], type[ServiceError], str]] = {
    "one": ({"a": NotFound("no such project")}, NotFound, "^no such project$"),
    "two of a kind": ({"a": NotFound("x"), "b": NotFound("y")}, NotFound, "a: x; b: y"),
    "two kinds": ({"a": NotFound("x"), "b": Unreachable("y")}, ServiceError, "a: x; b: y"),
}


@pytest.mark.parametrize(("failed", "kind", "text"), FAILED.values(), ids=FAILED)
def test_fail(failed: dict[str, ServiceError], kind: type[ServiceError], text: str) -> None:
    """The error tells what to do as the single ones do, and names their projects."""
    with pytest.raises(kind, match=text) as caught:
        pull.fail(failed)
    assert type(caught.value) is kind


def test_nothing_failed() -> None:
    assert pull.fail({}) is None  # type: ignore[func-returns-value]


def test_what_runs_used_is_computed_only_where_it_is_shown() -> None:
    """Also of a run that goes on: its hours so far."""
    used = going(1, config={"num_gpus": 2})
    for settings, cells in ((None, (None, None, None)), (Settings(), (2, 48.0, 96.0))):
        found = pulled(rules(live=True, usage=settings), a=[used]).candidates[0].load()
        assert tuple(found.get(key) for key in COMPUTED) == cells


def test_what_an_interrupted_tick_has_left_lacks_columns_listed_since(tmp_path: Path) -> None:
    """So it is not taken."""
    before = pull.Before(cache=tmp_path)
    source = WatchedMemorySource({"a": [run(number, config={"num_gpus": 2}) for number in range(FEW + 1)]})
    for settings, hours in ((None, None), (Settings(), 48.0)):
        wanted = rules(usage=settings)
        found = pull.pull(source, wanted, Query(), FakeClock(), lambda _: None, before)
        assert {one.load().get("gpu_hours") for one in found.candidates} == {hours}
        found.spools.keep()
