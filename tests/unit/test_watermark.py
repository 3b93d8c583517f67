"""P1: what a tick need not ask for again; whatever comes late is found all the same.

Mutants: the floor above a run that waits, or lifted by a clock that is ahead; a digest of all runs; more runs
than the window explains go unnoticed; a watermark of other rules counts.
"""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from runsheet import watermark
from runsheet.model import Run, Scope
from runsheet.sources.base import Query, Recent
from runsheet.watermark import CHARS, LEAST, MOST, OVERLAP, Gauge, Watermark
from tests.support.builders import NOW, rules, run, scope

KEY = (scope(), "rules1")
MINUTE = timedelta(minutes=1)


def beating(number: int, ago: timedelta | None, **more: Any) -> Run:
    return run(number, heartbeat=None if ago is None else NOW - ago, **more)


def gauge(runs: Sequence[Run], waiting: Sequence[str] = ()) -> Gauge:
    found = Gauge()
    for item in runs:
        waits = item.id in waiting
        found.add(item, "" if waits else item.id, waits=waits)
    return found


def marked(runs: Sequence[Run], waiting: Sequence[str] = (), **more: Any) -> Watermark:
    return gauge(runs, waiting).mark(KEY, NOW, **more)


MINUTELY = [beating(number, MINUTE * number) for number in range(600)]


def test_the_floor_lies_below_the_newest_sign_of_life() -> None:
    found = marked(MINUTELY[5:200])
    assert found.floor == NOW - 5 * MINUTE - OVERLAP
    assert found.size == 120, "one run a minute for two hours, the floor itself left out"
    assert (found.total, found.full, found.key) == (195, NOW, KEY)


def test_a_run_that_waits_stays_above_the_floor() -> None:
    """It may settle without another sign of life: for want of one."""
    found = marked(MINUTELY[:200], waiting=["run0190"])
    assert found.floor < NOW - 190 * MINUTE
    assert found.size == 191
    assert found.digest == watermark.digest(item.id for item in MINUTELY[:190])


def test_a_run_that_is_to_be_looked_at_again_stays_above_the_floor() -> None:
    """Though it has settled."""
    found = gauge(MINUTELY[:200])
    found.wait_for(MINUTELY[190])
    found.wait_for(MINUTELY[180])
    found.wait_for(beating(190, None))
    assert found.mark(KEY, NOW).size == 191


def test_no_more_runs_than_fit_into_a_page() -> None:
    """The floor rises, whatever waits: many runs in a few minutes are a usual sweep."""
    burst = [beating(number, timedelta(seconds=number)) for number in range(2 * MOST)]
    found = marked(burst, waiting=[burst[-1].id])
    assert found.size <= MOST
    assert gauge(burst).above(found.floor) == found.digest
    again = [item for item in burst if item.heartbeat and item.heartbeat > found.floor]
    assert len(again) == found.size > MOST - 5


def test_runs_of_one_and_the_same_time() -> None:
    """A restored server gives all of them one: then only later ones are above the floor."""
    found = marked([beating(number, MINUTE) for number in range(MOST + 1)])
    assert (found.size, found.digest) == (0, watermark.digest([]))
    assert found.floor >= NOW - MINUTE


def test_a_clock_that_is_ahead_does_not_lift_the_floor() -> None:
    """A run from the year 2099 would hide all that come from now on."""
    found = marked([*MINUTELY[:50], beating(1000, -timedelta(days=26_000))])
    assert found.floor == NOW - OVERLAP


def test_runs_without_a_sign_of_life_count_only_in_all() -> None:
    found = marked([beating(1, None), beating(2, MINUTE)])
    assert (found.size, found.total) == (1, 2)


def test_no_runs_at_all() -> None:
    found = marked([])
    assert (found.floor, found.size, found.total) == (LEAST, 0, 0)


def test_a_window_never_lowers_the_floor() -> None:
    """What is below was not listed."""
    last = marked(MINUTELY[10:300])
    window = [item for item in MINUTELY if item.heartbeat and item.heartbeat > last.floor]
    barely = run("waits", heartbeat=last.floor + timedelta(milliseconds=500))
    found = marked([*window, barely], waiting=["waits"], last=last, total=310)
    assert found.floor == last.floor
    assert (found.total, found.full) == (310, last.full)


def test_more_runs_than_the_window_explains() -> None:
    """Runs that come in with old dates are not in the window, but they are counted."""
    last = marked(MINUTELY[5:300])
    window = tuple(item for item in MINUTELY if item.heartbeat and item.heartbeat > last.floor)
    assert len(window) == last.size + 5
    assert not last.lacks(Recent(window, 295 + 5))
    assert last.lacks(Recent(window, 295 + 6))
    assert not last.lacks(Recent(window, 290)), "others were deleted"
    assert not last.lacks(Recent(window, None)), "the server does not say"
    assert not replace(last, total=None).lacks(Recent(window, 1000))


def test_texts_and_back() -> None:
    odd = Watermark(Scope("wandb", "host:8080", "team/p j"), "r", NOW.replace(second=7), "abc", 3, None, NOW)
    marks = {mark.key: mark for mark in (odd, marked(MINUTELY[:9]))}
    texts = watermark.merged((), marks)
    assert watermark.read(texts) == marks
    assert all(len(text) < 200 for text in texts)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "1", "[" * 9999, '["wandb h p","r","d",1,2,1e99,3]', '["x","r","d",1,2,3,4]', "[1]"],
)
def test_texts_that_make_no_sense(text: str) -> None:
    assert watermark.read([text]) == {}


def test_fresh_ones_replace_and_the_oldest_go() -> None:
    old = {
        (where, "r"): replace(marked(MINUTELY[:9]), scope=where, rules="r", full=NOW - MINUTE * number)
        for number, where in enumerate(scope(f"team/project{index:03d}") for index in range(300))
    }
    kept = watermark.merged((), old)
    assert 100 < len(kept) < 300
    assert sum(map(len, kept)) <= CHARS
    newer = replace(old[scope("team/project299"), "r"], full=NOW + MINUTE)
    found = watermark.read(watermark.merged(kept, {newer.key: newer}))
    assert found[newer.key] == newer
    assert scope("team/project000") in {where for where, _ in found}


def test_other_rules_have_another_fingerprint() -> None:
    """With other rules other runs qualify, so all are looked at again."""
    same = watermark.fingerprint(rules("run_id"), Query())
    assert watermark.fingerprint(rules("run_id", "lr", limit=9), Query(machine=True)) == same
    others = [
        watermark.fingerprint(rules(states=frozenset({"failed"})), Query()),
        watermark.fingerprint(rules(users=frozenset({"kim"})), Query()),
        watermark.fingerprint(rules(settle_hours=1.0), Query()),
        watermark.fingerprint(rules(live=True), Query()),
        watermark.fingerprint(rules(counted=True), Query()),
        watermark.fingerprint(rules(), Query(users=("kim",))),
        watermark.fingerprint(rules(), Query(filters={"group": "a"})),
    ]
    assert len({same, *others}) == 8


def test_a_window_that_is_the_same_has_the_same_digest() -> None:
    """Whatever the times are, with fractions of a second and in any order."""
    chance = random.Random(5)
    for _ in range(50):
        count = chance.choice([1, 40, MOST, MOST + 1, 2 * MOST])
        times = [chance.uniform(0, chance.choice([1, 600, 30_000])) for _ in range(count)]
        runs = [beating(number, timedelta(seconds=seconds)) for number, seconds in enumerate(times)]
        mark = watermark.read(watermark.merged((), {KEY: marked(runs)}))[KEY]
        window = [item for item in runs if item.heartbeat and item.heartbeat > mark.floor]
        chance.shuffle(window)
        assert gauge(window).above(mark.floor) == mark.digest
        assert len(window) == mark.size
