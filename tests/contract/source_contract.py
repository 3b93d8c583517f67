"""What every source keeps (runsheet/sources/base.py). A source's test is a subclass with fixtures.

    class TestFolders(SourceContract):
        @pytest.fixture
        def source(self, clock): ...      # two runs at least, one of them in `damaged`
        @pytest.fixture
        def ids(self): return ["a", "b"]  # all run ids of its first project, oldest first

`damaged` are runs of which a part cannot be read; `lost` are those that cannot be read at all (they
are not among `ids`). Both must be named by a Skip. `unknown` is a project that does not exist.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from runsheet.clock import Clock
from runsheet.errors import NotFound, RunsheetError, Stopped
from runsheet.model import Run, Skip
from runsheet.sources.base import Query, Recent, Source, Watched


class QuickClock(Clock):
    """A clock on which waiting takes no time. `waits` are the waits asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []
        self._ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self._ahead

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self._ahead += max(0.0, seconds)
        return self.stopping


def split(found: Iterator[Run | Skip]) -> tuple[list[Run], list[Skip]]:
    """Runs and skips apart."""
    items = [*found]
    return [x for x in items if isinstance(x, Run)], [x for x in items if isinstance(x, Skip)]


class SourceContract:
    """The suite. Subclasses give `source` and `ids`, and what differs of the rest."""

    @pytest.fixture
    def clock(self) -> Clock:
        """The clock that `source` is made with."""
        return QuickClock()

    @pytest.fixture
    def damaged(self) -> list[str]:
        return []

    @pytest.fixture
    def lost(self) -> list[str]:
        return []

    @pytest.fixture
    def unknown(self, source: Source) -> str:
        return f"{source.projects()[0]}-that-does-not-exist"

    def test_projects_are_listed_once_and_in_a_stable_order(self, source: Source) -> None:
        first = source.projects()
        assert first
        assert len(set(first)) == len(first)
        assert source.projects() == first

    def test_each_run_comes_once_oldest_first(self, source: Source, ids: list[str]) -> None:
        runs, _ = split(source.runs(source.projects()[0], Query()))
        assert [run.id for run in runs] == ids

    def test_two_listings_are_equal(self, source: Source) -> None:
        project = source.projects()[0]
        assert [*source.runs(project, Query())] == [*source.runs(project, Query())]

    def test_runs_say_where_they_come_from(self, source: Source) -> None:
        runs, _ = split(source.runs(source.projects()[0], Query()))
        assert {run.scope.source for run in runs} == {source.name}
        assert all(run.scope.project for run in runs)

    def test_times_are_aware_and_texts_are_texts(self, source: Source) -> None:
        runs, _ = split(source.runs(source.projects()[0], Query()))
        for run in runs:
            for moment in (run.created, run.heartbeat):
                assert moment is None or moment.utcoffset() is not None
            texts = (run.name, run.state, run.group, run.job_type, run.sweep, run.notes, run.url)
            assert all(isinstance(text, str) for text in texts)
            assert "_wandb" not in run.config
            assert "_wandb" not in run.summary

    def test_the_machine_is_told_only_on_request(self, source: Source) -> None:
        runs, _ = split(source.runs(source.projects()[0], Query()))
        assert {run.machine for run in runs} == {""}

    def test_unreadable_runs_are_skipped_by_name(
        self, source: Source, damaged: list[str], lost: list[str]
    ) -> None:
        """And the others come all the same."""
        runs, skips = split(source.runs(source.projects()[0], Query()))
        for name in (*damaged, *lost):
            assert any(name in skip.what for skip in skips), name
        assert all(skip.reason for skip in skips)
        assert {run.id for run in runs} >= set(damaged)
        assert not {run.id for run in runs} & set(lost)

    def test_an_unknown_project_is_not_found(self, source: Source, unknown: str) -> None:
        with pytest.raises(NotFound) as caught:
            [*source.runs(unknown, Query())]
        assert unknown in str(caught.value)

    def test_a_stop_signal_ends_the_listing(self, source: Source, clock: Clock) -> None:
        project = source.projects()[0]
        clock.stop()
        with pytest.raises(Stopped):
            [*source.runs(project, Query())]

    def test_a_listing_may_be_left_early(self, source: Source) -> None:
        listing = source.runs(source.projects()[0], Query())
        assert next(iter(listing)) is not None
        del listing

    def test_close_may_be_repeated(self, source: Source) -> None:
        listed = [*source.runs(source.projects()[0], Query())]
        before = source.requests
        source.close()
        source.close()
        assert listed
        assert source.requests == before

    def test_close_before_any_use(self, source: Source) -> None:
        source.close()
        assert source.requests == 0

    def test_only_our_errors_come_out(self, source: Source, unknown: str) -> None:
        with pytest.raises(RunsheetError):
            [*source.runs(unknown, Query())]


ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
"""Before any heartbeat."""


def known(run: Run) -> tuple[object, ...]:
    """What a light run tells."""
    return run.scope, run.id, run.name, run.state, run.created, run.heartbeat, run.user, run.url


class WatchedContract:
    """What every source that tells cheaply of its runs keeps besides.

    Subclasses give `source`, with three runs at least in its first project, fewer than a page holds,
    each with a heartbeat of its own and with values, and as many in each other project, if there is any.
    """

    @pytest.fixture
    def project(self, source: Watched) -> str:
        return source.projects()[0]

    @pytest.fixture
    def whole(self, source: Watched, project: str) -> list[Run]:
        """All runs of the project; the source is logged in by now."""
        runs, _ = split(source.runs(project, Query()))
        assert len(runs) > 2
        return runs

    @pytest.fixture
    def latest(self, whole: list[Run]) -> list[Run]:
        """The runs by heartbeat, the last one first."""
        return sorted(whole, key=lambda run: run.heartbeat or ALWAYS, reverse=True)

    def test_it_is_watched(self, source: Watched) -> None:
        assert isinstance(source, Watched)

    def test_the_scope_is_that_of_the_runs(self, source: Watched, project: str, whole: list[Run]) -> None:
        assert {run.scope for run in whole} == {source.scope(project)}

    def test_light_runs_are_the_same_runs(self, source: Watched, project: str, whole: list[Run]) -> None:
        before = source.requests
        runs, skips = split(source.listed(project, Query()))
        assert source.requests == before + 1
        assert [known(run) for run in runs] == [known(run) for run in whole]
        assert skips == []
        assert not any(run.config or run.summary for run in runs)

    def test_recent_runs_come_latest_first(
        self, source: Watched, project: str, whole: list[Run], latest: list[Run]
    ) -> None:
        before = source.requests
        found = self.recent(source, project, latest[2].heartbeat)
        assert source.requests == before + 1
        assert [known(run) for run in found.runs] == [known(run) for run in latest[:2]]
        assert not any(run.config or run.summary for run in found.runs)
        assert found.total == len(whole)

    def test_nothing_is_recent(
        self, source: Watched, project: str, whole: list[Run], latest: list[Run]
    ) -> None:
        """Not even the run whose heartbeat was known already."""
        before = source.requests
        assert self.recent(source, project, latest[0].heartbeat) == Recent((), len(whole))
        assert source.requests == before + 1

    def test_all_runs_are_recent(self, source: Watched, project: str, latest: list[Run]) -> None:
        before = source.requests
        found = self.recent(source, project, (latest[-1].heartbeat or ALWAYS) - timedelta(seconds=1))
        assert [run.id for run in found.runs] == [run.id for run in latest]
        assert source.requests == before + 1

    def test_picked_runs_are_whole_and_in_the_order_asked_for(
        self, source: Watched, project: str, whole: list[Run]
    ) -> None:
        """Each once; and the one that nobody has is passed over."""
        before = source.requests
        wanted = [whole[2], whole[0]]
        ids = [whole[2].id, "gone", whole[0].id, whole[2].id]
        assert split(source.pick(project, Query(), ids)) == (wanted, [])
        assert source.requests == before + 1

    def test_nothing_is_picked(self, source: Watched, project: str, whole: list[Run]) -> None:
        before = source.requests
        assert [*source.pick(project, Query(), [])] == []
        assert source.requests == before

    def test_an_unknown_project_is_not_found_at_once(self, source: Watched, project: str) -> None:
        unknown = f"{project}-that-does-not-exist"
        with pytest.raises(NotFound):
            [*source.listed(unknown, Query())]
        with pytest.raises(NotFound):
            source.recent(unknown, Query(), ALWAYS)
        with pytest.raises(NotFound):
            [*source.pick(unknown, Query(), ["a"])]

    def test_projects_may_be_asked_for_at_the_same_time(self, source: Watched, whole: list[Run]) -> None:
        """Every request is counted, and nobody gets what another asked for."""
        projects = source.projects() * 6
        before = source.requests
        with ThreadPoolExecutor(6) as pool:
            lists = [*pool.map(lambda one: self.everything(source, one), projects)]
        assert source.requests == before + 4 * len(projects)
        for project, (runs, listed, found, picked) in zip(projects, lists, strict=True):
            assert {run.scope for run in runs} == {source.scope(project)}
            assert {run.id for run in runs} == {run.id for run in listed} == {run.id for run in found}
            assert picked == runs[:2]

    @staticmethod
    def everything(source: Watched, project: str) -> Sequence[list[Run]]:
        """What each way of asking gives: four requests."""
        runs, _ = split(source.runs(project, Query()))
        listed, _ = split(source.listed(project, Query()))
        recent = WatchedContract.recent(source, project, ALWAYS)
        picked, _ = split(source.pick(project, Query(), [run.id for run in runs[:2]]))
        return runs, listed, [*recent.runs], picked

    @staticmethod
    def recent(source: Watched, project: str, since: datetime | None) -> Recent:
        found = source.recent(project, Query(), since or ALWAYS)
        assert found is not None
        return found
