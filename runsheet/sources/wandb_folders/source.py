"""The source `folders`: W&B run folders on disk, without an account (air-gapped and offline runs).

The `.wandb` log of a folder is preferred; the files beside it fill what a cut or missing log does not
tell. All folders that hold a part of one run (it was resumed, or a folder was copied) give one Run.
A run without an exit record is "running", or "crashed" when it has been silent for five minutes, as
W&B has it. Its heartbeat is its last sign of life: the time of the last record, else what the
metadata or the summary says, else its start, else the time in the folder's name. Modification times
say nothing (a git checkout renews them).
"""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from runsheet.clock import Clock
from runsheet.errors import NotFound, ServiceError
from runsheet.model import Run, Skip
from runsheet.sources.base import Logged, Query, Rows, Stream
from runsheet.sources.wandb_folders import folder_tree, log_records, log_rows, run_facts
from runsheet.sources.wandb_folders.folder_tree import Folder
from runsheet.sources.wandb_folders.log_rows import Row
from runsheet.sources.wandb_folders.run_facts import Facts
from runsheet.sources.wandb_folders.run_files import Files
from runsheet.sources.wandb_folders.wandb_log import End, Log

logger = logging.getLogger(__name__)

_GUESSES = 10


class FolderSource:
    """Runs of all W&B folders in and below `directory`.

    `projects`: only runs of these, each "entity/project" or the project alone; empty for all.
    """

    name = "folders"
    requests = 0

    def __init__(self, directory: str | Path = ".", *, clock: Clock, projects: Sequence[str] = ()) -> None:
        self._directory = str(directory)
        self._clock = clock
        self._wanted = frozenset(projects)
        self._known: dict[tuple[str, str], tuple[Path, ...]] = {}

    def projects(self) -> tuple[str, ...]:
        return (self._directory,)

    def runs(self, project: str, query: Query) -> Iterator[Run | Skip]:
        """The runs below the directory `project`, oldest first by the times in their folders' names.

        Raises NotFound, AccessError or ServiceError if the directory cannot be read, ConfigError for
        filters, and Stopped between two runs.
        """
        query.refuse_filters()
        folders, skips = folder_tree.find(Path(project))
        yield from skips
        others: Counter[str] = Counter()
        by_id: dict[str, list[Folder]] = {}
        for folder in folders:
            by_id.setdefault(folder.id, []).append(folder)
        for group in by_id.values():
            self._clock.check()
            yield from self._group(group, query, others)
        if others:
            names = ", ".join(sorted(others))
            yield Skip(project, f"of other projects ({names})", count=others.total())

    def logged(self, run: Run) -> Logged:
        """See Recorded. A log that was cut is read as far as it goes."""
        counts: dict[Stream, Counter[str]] = {stream: Counter() for stream in Stream}
        for row in self._rows(run, tuple(Stream)):
            counts[row.stream].update(row.raw.keys())
        return Logged(counts[Stream.HISTORY], counts[Stream.SYSTEM])

    def rows(self, run: Run, stream: Stream, wanted: Callable[[str], bool] = lambda _key: True) -> Rows:
        """See Recorded. Those of a run that was resumed come part by part."""
        found = (row.sample(wanted) for row in self._rows(run, (stream,)))
        samples = [sample for sample in found if sample.values]
        if stream is Stream.SYSTEM:  # the client's threads overtake each other by some microseconds
            samples.sort(key=lambda sample: sample.time or 0.0)
        return Rows(tuple(samples))

    def close(self) -> None:
        """Nothing is held."""

    def _rows(self, run: Run, streams: Collection[Stream]) -> Iterator[Row]:
        """The rows of these streams. Raises as Recorded does, when the first is asked for or later."""
        for log in self._logs(run):
            self._clock.check()
            try:
                with log.open("rb") as stream:
                    yield from log_rows.read(self._clock.watched(Log(stream)), streams)
            except FileNotFoundError as error:
                raise NotFound(f"The log {log} of run {run.id} is gone.") from error
            except OSError as error:
                raise ServiceError(f"The log {log} cannot be read: {error.strerror}.") from error

    def _logs(self, run: Run) -> tuple[Path, ...]:
        """The logs that hold parts of a run: those that a listing has found, else they are looked for. Raises
        NotFound if no folder is of that run, and as `runs` does."""
        if (known := self._known.get((run.scope.project, run.id))) is not None:
            return known
        folders, _ = folder_tree.find(Path(self._directory))
        for facts in _merged([folder for folder in folders if folder.id == run.id]):
            if isinstance(facts, Facts) and facts.path == run.scope.project:
                return facts.logs
        raise NotFound(f"{self._directory} holds no run {run.id} of {run.scope.project} that can be read.")

    def _group(self, group: Sequence[Folder], query: Query, others: Counter[str]) -> Iterator[Run | Skip]:
        """The runs, mostly one, of the folders with one run id; those of `others` are counted."""
        for facts in _merged(group):
            if isinstance(facts, Skip):
                yield facts
            elif not self._is_wanted(facts.path):
                others[facts.path] += 1
            elif _is_of(facts, query.users):
                run = run_facts.run(
                    facts, self.name, self._clock.now(), machine=query.machine, gpus=query.gpus
                )
                self._known[run.scope.project, run.id] = facts.logs
                yield run

    def _is_wanted(self, path: str) -> bool:
        return not self._wanted or not self._wanted.isdisjoint((path, path.rpartition("/")[2]))


def _is_of(facts: Facts, users: Sequence[str]) -> bool:
    """Whether the run is one of these users', or nobody in particular is asked for."""
    return not users or facts.user.casefold() in {user.casefold() for user in users}


def _merged(group: Sequence[Folder]) -> Iterator[Facts | Skip]:
    """The runs, mostly one, of the folders with one run id, and the folders that tell nothing."""
    parts: list[Facts] = []
    for folder in group:
        facts = read(folder)
        if isinstance(facts, Skip):
            yield facts
        else:
            parts.append(facts)
    yield from map(run_facts.merge, run_facts.same(parts) if parts else ())


def read(folder: Folder) -> Facts | Skip:
    """What a folder tells about its run, or why it tells nothing."""
    facts, problem = _log(folder.log)
    files = Files(folder.path)
    more = files.metadata()
    if facts is None or problem or facts.exit_code is None:  # else the log tells all
        values = files.values()
        if facts and run_facts.is_later(values, facts):  # written after the place of the cut
            facts.summary |= values.summary
        run_facts.fill(more, values)
    reasons = "; ".join([problem, *files.problems] if problem else files.problems)
    if facts is None and not files.found:
        return Skip(folder.where, reasons or "holds neither a .wandb file nor config, summary or metadata")
    if reasons:
        logger.info("%s: read as far as it goes: %s", folder.where, reasons)
    facts = facts or Facts()
    run_facts.fill(facts, more)
    run_facts.fill(facts, Facts(id=folder.id, started=folder.time))
    facts.online = folder.online
    facts.logs = (folder.log,) if folder.log else ()
    facts.seen = facts.started if facts.seen is None else facts.seen
    return facts


def newest(directory: str | Path) -> str | None:
    """The "entity/project" (or project) of the newest run folder that records one, else None.

    Only the beginning of a few files is read. Raises as `FolderSource.runs` does.
    """
    folders, _ = folder_tree.find(Path(directory))
    for folder in folders[: -_GUESSES - 1 : -1]:
        try:
            facts = _first(folder.log) if folder.log else None
        except OSError:
            continue
        facts = facts or Files(folder.path).metadata()
        if facts.project:
            return facts.path
    return None


def _first(log: Path) -> Facts | None:
    with log.open("rb") as stream:
        return log_records.first_run(Log(stream))


def _log(path: Path | None) -> tuple[Facts | None, str]:
    """The facts of a log, and in words what is wrong with it ("" if nothing is)."""
    if path is None:
        return None, ""
    try:
        with path.open("rb") as stream:
            log = Log(stream)
            facts = log_records.read(log)
    except OSError as error:
        return None, f"its .wandb file cannot be read: {error.strerror}"
    if log.end is not End.WHOLE:
        return facts, f"its .wandb file is {log.end}"
    return facts, "" if facts else "its .wandb file holds no run yet"
