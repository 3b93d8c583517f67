"""Rows that follow their runs until those settle (P2): which have to be looked at, what changes. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from runsheet.ledger import Base, Ledger
from runsheet.merge import Verdict, merge
from runsheet.model import Column, Edit, Run, Scope, Stored
from runsheet.stored import CHANGED, Kept, digest, same

STAMP = 6
"""Characters of `stamp`."""


def stamp(run: Run) -> str:
    """How a run stands, in STAMP characters: a run that is resumed has another one. A light run has the
    same one as the whole run."""
    text = f"{run.state} {run.heartbeat}"
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:STAMP]


@dataclass(frozen=True, slots=True)
class Follower:
    """A run that has a row: who it is, how it stands, and what it says for each column (by key)."""

    scope: Scope
    run_id: str
    settled: bool
    stamp: str
    wanted: Mapping[str, Stored]


@dataclass(slots=True)
class Outcome:
    """What follows for one row. `kept`: cells that stay as a person left them. `base`: what is to be
    known as last written from now on, where that is not what is changed now. `end`: how the run
    and its row stand, now that it has settled."""

    edits: list[Edit] = field(default_factory=list)
    kept: int = 0
    base: Base = field(default_factory=dict)
    end: str = ""


def is_due(run: Follower, book: Ledger) -> bool:
    """Whether the cells of a run's row have to be looked at: it has something new to say, it has settled,
    or it goes on although it had settled."""
    base = book.base(run.scope, run.run_id)
    if base is not None:
        return run.settled or any(not same(base.get(key), value) for key, value in run.wanted.items())
    end = book.end(run.scope, run.run_id)
    return bool(end) and not (run.settled and end.startswith(run.stamp))


def follow(run: Follower, cells: Mapping[str, Stored], book: Ledger, columns: Sequence[Column]) -> Outcome:
    """Merge what a run says into its row, of which `cells` are the cells by key.

    A run that was resumed is live again if its row is as it was left. Else a person has been there: if the
    run settled long ago nobody can tell in which cell, and the row stays as it is.
    """
    outcome = Outcome()
    base = book.base(run.scope, run.run_id)
    if base is None:
        base = _resumed(run, cells, book, columns)
        outcome.base = dict(base or {})
    for key, value in run.wanted.items():
        shown = cells.get(key)
        if base is None:
            verdict = Verdict(shown, kept=not same(shown, value))
        else:
            verdict = merge(base.get(key), shown, value)
        outcome.kept += verdict.kept
        if not same(shown, verdict.value):
            outcome.edits.append(Edit(key, shown, verdict.value))
    if run.settled:
        outcome.end = run.stamp + _row_digest(run, base, outcome, book, columns)
    return outcome


def end(run: Follower, columns: Sequence[Column]) -> str:
    """What is noted of a settled run whose row is written as a whole."""
    return run.stamp + digest(_of(columns, run.wanted))


def _resumed(
    run: Follower, cells: Mapping[str, Stored], book: Ledger, columns: Sequence[Column]
) -> Base | None:
    """What was last written to the row of a run that had settled. If the row as a whole is as it was left,
    that is what it holds; else the book-keeping or the journal tells by cell, as long as they do."""
    if book.end(run.scope, run.run_id)[STAMP:] == digest(_of(columns, cells)):
        return dict(cells)
    if (was := book.was.get((run.scope, run.run_id))) is not None:
        return was
    added, later = book.added(run.scope, run.run_id), book.later(run.scope, run.run_id)
    if added is None:
        return None
    ours = {
        key: same(later[key], value) if key in later else added.is_ours(key, value)
        for key, value in cells.items()
        if key in later or key in added.keys
    }
    return {key: cells[key] if mine else CHANGED for key, mine in ours.items()}


def _row_digest(
    run: Follower, base: Base | None, outcome: Outcome, book: Ledger, columns: Sequence[Column]
) -> str:
    """The digest of what was last written to a row, with what is changed now. A cell that a person has
    edited makes it another than that of the row."""
    if base is None:
        return book.end(run.scope, run.run_id)[STAMP:]
    last: Base = {**base, **{edit.key: edit.after for edit in outcome.edits}}
    return digest(_of(columns, last))


def _of(columns: Sequence[Column], cells: Mapping[str, Kept]) -> Base:
    return {column.key: cells.get(column.key) for column in columns}
