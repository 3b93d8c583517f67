"""Deleting blank rows, so that what a person types into one in that very second comes back. Pure.

As with changes (images.py) each row is copied aside in the batch that deletes it, which notes that in the
book-keeping. Where the copy is not blank, a row with what it holds is inserted again.
"""

import secrets
from collections.abc import Sequence

from runsheet.destinations.gsheet import batch, images, marks
from runsheet.destinations.gsheet.batch import Json
from runsheet.destinations.gsheet.marks import Mark
from runsheet.destinations.gsheet.standing import Standing


def passport(now: Standing) -> list[Json]:
    """Requests that let a batch pass only if the sheet is as it was read, floor included."""
    tab = now.tab or 0
    floor = Mark(now.floor_id, images.KEY_FLOOR, "", now.rows - 1)
    guards = [*marks.guard(tab, now.marks), *images.guard_floor(tab, now.floor, floor)]
    return [*marks.swap(now.nonce, secrets.token_hex(8)), *guards]


def delete(now: Standing, rows: Sequence[int]) -> tuple[list[Json], str]:
    """Requests that delete rows (descending), and the name of the images that they leave."""
    requests = passport(now)
    tab, fresh = now.tab or 0, images.other(now.image_tabs, now.images)
    name = images.name(fresh, secrets.token_hex(4))
    requests += [batch.delete_tab(fresh)] if fresh in now.images else []
    requests += images.make(name, now.image_tabs[fresh], len(rows), now.columns)
    for place, row in enumerate(rows):
        source, target = images.span(tab, row, 0, now.columns), images.span(fresh, place, 0, now.columns)
        requests.append(images.copy(source, target))
    requests += [_delete_row(tab, row) for row in rows]
    requests += [batch.delete_tab(old) for old in now.images if old != fresh]
    return requests, name


def restore(tab: int, name: str, places: Sequence[int], rows: Sequence[int], columns: int) -> list[Json]:
    """Requests that insert rows again with what is in the images: those at `places`, which stood at `rows`
    (descending) before all of them were deleted. Into new rows, so they can go anywhere."""
    source = images.tab_of(name)
    again = {rows[place]: place for place in places}
    gone = [row for row in rows if row not in again]
    requests = []
    for row in sorted(again):  # Those above are there again by then.
        at = row - sum(1 for other in gone if other < row)
        requests.append(batch.insert(tab, "ROWS", at, 1, inherit=at > 1))
        old, new = images.span(source, again[row], 0, columns), images.span(tab, at, 0, columns)
        requests.append(images.copy(old, new))
    return requests


def _delete_row(tab: int, row: int) -> Json:
    return {
        "deleteDimension": {
            "range": {"sheetId": tab, "dimension": "ROWS", "startIndex": row, "endIndex": row + 1}
        }
    }
