"""What a write left behind that met people at work, and what puts it right (P2). Pure.

Google Sheets has no condition on what a cell holds. So a batch that changes cells first copies each of
their rows, as they are at that very moment, to a place of its own: the *images*. Where an image is not
what the batch took the row to be, a person was there between our read and our write: either they
edited a cell (it gets back what they typed), or they sorted or moved rows, and the batch wrote into
another row than it meant (those cells get back what they held, and the run's values are still to be
written).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from runsheet.journal import Batch, Touched
from runsheet.ledger import Base
from runsheet.model import Cells, Foreign, RowId, Scope, Stored
from runsheet.stored import same

Image = Mapping[int, Stored]
"""What a row held: by index of the grid column."""


@dataclass(frozen=True, slots=True)
class Found:
    """A cell as it is `shown`, and as it would be without our mistake: as it is `meant`. `image` is the
    row of the images that holds the latter, None where both are the same."""

    shown: Stored
    meant: Stored
    image: int | None = None


@dataclass(slots=True)
class Repair:
    """`back`: cells to put back, by row index and key. `base`: what was really last written to live
    rows, where a batch missed them. `lost`: cells that could not be put back since their row cannot
    be found."""

    back: dict[int, dict[str, Found]] = field(default_factory=dict)
    base: dict[tuple[Scope, str], Base] = field(default_factory=dict)
    lost: int = 0


def text(value: Stored) -> str:
    """An id as `RowId` has it."""
    if value is None:
        return ""
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if whole and isinstance(value, float) else value).strip()


def intact(batch: Batch, images: Sequence[Image]) -> bool:
    """Whether all rows were what a batch took them to be, to judge by the images that it made."""
    if len(images) != len(batch.rows):
        return False
    return all(
        _is_there(row, image, batch.at)
        and all(
            same(cell.before, image.get(batch.at[key])) for key, cell in row.cells.items() if key in batch.at
        )
        for row, image in zip(batch.rows, images, strict=True)
    )


def moved(batch: Batch, cells: Cells, rows: Iterable[RowId]) -> list[RowId]:
    """Rows to look at besides those that the batch touched: they stood there, and stand elsewhere now."""
    wanted = {_shown(image, batch.at) for image in cells.images or ()} - {("", "")}
    return [row for row in rows if (row.run_id, row.project) in wanted and row.index not in cells.rows]


def read(batch: Batch, cells: Cells) -> Repair:
    """Compare the images of a batch with what it meant to write over.

    `cells` are those of all rows that the batch touched, and of those that `moved` names. Without
    images nothing is known, and nothing is done.
    """
    repair = Repair()
    images = cells.images or ()
    if len(images) != len(batch.rows):
        return repair
    for number, (row, image) in enumerate(zip(batch.rows, images, strict=True)):
        here = _is_there(row, image, batch.at)
        wrong = {
            key: image.get(batch.at[key]) if key in batch.at else None
            for key, cell in row.cells.items()
            if not here or (key in batch.at and not same(cell.before, image.get(batch.at[key])))
        }
        if not here and row.scope:
            old = {key: cell.before for key, cell in row.cells.items() if not cell.back}
            repair.base[row.scope, row.run_id] = old
        who = (row.run_id, row.project) if here else _shown(image, batch.at)
        index = _where(row.index, who, batch.at, cells)
        if index is None:
            repair.lost += len(wrong)
            continue
        for key, value in wrong.items():
            if key not in cells.rows[index]:
                continue  # The column is gone.
            now = cells.rows[index][key]
            if same(row.cells[key].after, now) and not same(value, now):
                repair.back.setdefault(index, {})[key] = Found(now, value, number)
    return repair


def _is_there(row: Touched, image: Image, at: Mapping[str, int]) -> bool:
    """Whether a row was the one that was meant. What a formula shows as its project nobody can tell."""
    run_id, project = _shown(image, at)
    unknown = "project" in at and isinstance(image.get(at["project"]), Foreign)
    return run_id == row.run_id and (unknown or project == row.project)


def _shown(image: Image, at: Mapping[str, int]) -> tuple[str, str]:
    """Which run a row showed."""
    run_id, project = (text(image.get(at[key])) if key in at else "" for key in ("run_id", "project"))
    return run_id, project


def _where(index: int, who: tuple[str, str], at: Mapping[str, int], cells: Cells) -> int | None:
    """Where a row is by now: where it was, or where its id stands; None when it is not found."""
    ids = {
        place: (text(row.get("run_id")), text(row.get("project")) if "project" in at else "")
        for place, row in cells.rows.items()
    }
    if ids.get(index) == who:
        return index
    return next((place for place, shown in ids.items() if shown == who and who[0]), None)
