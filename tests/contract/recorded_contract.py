"""What every source keeps that has what runs logged (Recorded in runsheet/sources/base.py).

class TestTrackioRecorded(RecordedContract):
    @pytest.fixture
    def source(self): ...
    @pytest.fixture
    def run(self, source): ...      # a run of it, whole, with rows in both streams
    @pytest.fixture
    def history(self): ...          # the keys of the one stream
    @pytest.fixture
    def system(self): ...           # and of the other
"""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from runsheet.errors import NotFound
from runsheet.model import Run
from runsheet.sources.base import Logged, Recorded, Rows, Stream

GONE = "gone-meanwhile"
"""The id of a run that no source has."""

both = pytest.mark.parametrize("stream", [*Stream], ids=str)


class RecordedContract:
    """The suite. Subclasses give `source`, `run`, `history` and `system`."""

    @pytest.fixture
    def keys(self, history: set[str], system: set[str]) -> dict[Stream, set[str]]:
        """The keys expected in each stream; none of them is empty, or nothing would be tested."""
        assert history
        assert system
        return {Stream.HISTORY: history, Stream.SYSTEM: system}

    def test_it_is_recorded(self, source: Recorded) -> None:
        assert isinstance(source, Recorded)

    @both
    def test_logged_names_all_keys(
        self, source: Recorded, run: Run, stream: Stream, keys: dict[Stream, set[str]]
    ) -> None:
        assert {*told(source.logged(run), stream)} == keys[stream]

    @both
    def test_the_keys_of_rows_are_those_of_logged(self, source: Recorded, run: Run, stream: Stream) -> None:
        rows = source.rows(run, stream)
        assert {*counted(rows)} == {*told(source.logged(run), stream)}

    @both
    def test_each_key_is_counted(self, source: Recorded, run: Run, stream: Stream) -> None:
        """Or its count is 0, where nobody knows it."""
        rows, numbers = source.rows(run, stream), told(source.logged(run), stream)
        assert rows.total is None, "the run is to be short enough to come whole"
        assert {key: number for key, number in numbers.items() if number} == {
            key: number for key, number in counted(rows).items() if numbers[key]
        }

    @both
    def test_values_are_those_that_are_wanted(self, source: Recorded, run: Run, stream: Stream) -> None:
        """And rows without any are left out."""
        everything = source.rows(run, stream)
        for key in counted(everything):
            found = source.rows(run, stream, key.__eq__)
            expected = [(one.time, {key: one.values[key]}) for one in everything.samples if key in one.values]
            assert [(one.time, one.values) for one in found.samples] == expected

    @both
    def test_nothing_is_wanted(self, source: Recorded, run: Run, stream: Stream) -> None:
        assert source.rows(run, stream, lambda _key: False).samples == ()

    @both
    def test_no_row_is_empty(self, source: Recorded, run: Run, stream: Stream) -> None:
        rows = source.rows(run, stream)
        assert rows.samples
        assert all(one.values for one in rows.samples)

    @both
    def test_times_ascend(self, source: Recorded, run: Run, stream: Stream) -> None:
        """As far as they are known, and they are times of our days, in seconds."""
        times = [one.time for one in source.rows(run, stream).samples if one.time is not None]
        assert times == sorted(times)
        assert all(1e9 < time < 1e10 for time in times)

    @both
    def test_two_readings_are_equal(self, source: Recorded, run: Run, stream: Stream) -> None:
        assert same(source.rows(run, stream), source.rows(run, stream))

    @both
    def test_a_run_that_is_gone_is_not_found(self, source: Recorded, run: Run, stream: Stream) -> None:
        with pytest.raises(NotFound) as caught:
            source.rows(replace(run, id=GONE), stream)
        assert GONE in str(caught.value)

    def test_the_keys_of_a_run_that_is_gone_are_not_found(self, source: Recorded, run: Run) -> None:
        with pytest.raises(NotFound) as caught:
            source.logged(replace(run, id=GONE))
        assert GONE in str(caught.value)

    @both
    def test_a_project_that_is_gone_is_not_found(self, source: Recorded, run: Run, stream: Stream) -> None:
        lost = replace(run, scope=replace(run.scope, project=f"{run.scope.project}-{GONE}"))
        with pytest.raises(NotFound):
            source.rows(lost, stream)
        with pytest.raises(NotFound):
            source.logged(lost)

    def test_several_threads_may_read(self, source: Recorded, run: Run) -> None:
        expected = [source.rows(run, stream) for stream in Stream]
        logged = source.logged(run)
        with ThreadPoolExecutor(4) as pool:
            found = [*pool.map(lambda stream: source.rows(run, stream), [*Stream] * 4)]
            keys = [*pool.map(source.logged, [run] * 4)]
        assert all(same(one, other) for one, other in zip(found, expected * 4, strict=True))
        assert keys == [logged] * 4


def told(logged: Logged, stream: Stream) -> dict[str, int]:
    """What is told of the keys of a stream."""
    return dict(logged.history if stream is Stream.HISTORY else logged.system)


def counted(rows: Rows) -> Counter[str]:
    """In how many of the rows each key is."""
    return Counter(key for one in rows.samples for key in one.values)


def same(one: Rows, other: Rows) -> bool:
    """Whether they are equal, a NaN being equal to a NaN."""
    return repr(one) == repr(other)
