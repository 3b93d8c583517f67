"""Let runs back in whose rows a person deleted (P4): the next tick appends them again."""

from collections.abc import Collection
from dataclasses import dataclass

from runsheet import ledger, safety
from runsheet.columns import Choice
from runsheet.destinations.base import Destination
from runsheet.errors import Changed, ServiceError
from runsheet.model import Content, Plan
from runsheet.strays import Strays

ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Forgotten:
    """`back`: ids that the next tick may append; `standing`: their rows are there, so nothing was
    done; `unknown`: no run of that id was ever added."""

    back: tuple[str, ...]
    standing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def forget(destination: Destination, ids: Collection[str] | None) -> Forgotten:
    """Forget that these runs were added; all whose rows are gone when `ids` is None.

    Raises ServiceError when the sheet changes again and again, SheetError when it cannot be told which run a
    row is, and what the destination raises.
    """
    for _ in range(ATTEMPTS):
        try:
            shape = destination.read()
            content = destination.content(shape)
            safety.check_ids(shape, Strays(shape, Choice(()), ledger.titles(content.notes or ())))
            outcome = _choose(content, ids)
            if outcome.back:
                notes = tuple(ledger.forget(outcome.back))
                # Without watermarks the next tick looks at all runs again.
                plan = Plan(shape, content, owned=shape.owned, notes=notes, watermarks=())
                list(destination.apply(plan))
            return outcome
        except Changed:
            continue
    raise ServiceError("the sheet changed again and again: try again")


def _choose(content: Content, ids: Collection[str] | None) -> Forgotten:
    book = ledger.parse(content.notes or ())
    known = {run_id for group in (*book.ids.values(), *book.found.values()) for run_id in group}
    shown = {row.run_id for row in content.rows}
    wanted = sorted(known - shown) if ids is None else list(dict.fromkeys(ids))
    return Forgotten(
        back=tuple(run_id for run_id in wanted if run_id in known - shown),
        standing=tuple(run_id for run_id in wanted if run_id in shown),
        unknown=tuple(run_id for run_id in wanted if run_id not in known | shown),
    )
