"""Which run is shown: the lines above a report of one run, and the same for programs. Pure."""

from collections.abc import Iterable, Iterator
from textwrap import wrap
from typing import Any

from runsheet.model import Run
from runsheet.reports.writing import WIDTH, plain

NOTE = "Note: "


def lines(run: Run, notes: Iterable[str] = ()) -> Iterator[str]:
    """Whose numbers follow, a rule, what a person should know about them, and a blank line.

    A name and an address are never cut, since both are there to be copied.
    """
    yield plain(f"Run: {run.name or run.id} ({run.id})")
    yield plain(f"State: {run.state}")
    if run.url:
        yield plain(f"URL: {run.url}")
    yield "-" * WIDTH
    for note in notes:
        yield from wrap(plain(f"{NOTE}{note}"), WIDTH, subsequent_indent=" " * len(NOTE))
    yield ""


def facts(run: Run) -> dict[str, Any]:
    """The same for JSON."""
    return {
        "id": run.id,
        "name": run.name,
        "project": run.scope.project,
        "source": run.scope.source,
        "host": run.scope.host or None,
        "state": run.state,
        "url": run.url or None,
    }
