"""Deleting blank rows, so that what a person types into one in that very second comes back. Pure.

As with changes (images.py) each row is copied aside in the batch that deletes it. Where the copy is not
blank, a row with what it holds is inserted again.
"""

import secrets
from collections.abc import Sequence
from dataclasses import replace

from runsheet.destinations.gsheet import batch, images, marks
from runsheet.destinations.gsheet.batch import Json
from runsheet.destinations.gsheet.marks import Mark
from runsheet.destinations.gsheet.standing import Standing


def passport(now: Standing) -> tuple[list[Json], Standing]:
    """Requests that let a batch pass only if the sheet is as it was read, floor included, and how it
    stands then."""
    tab, fresh = now.tab or 0, secrets.token_hex(8)
    floor = Mark(now.floor_id, images.KEY_FLOOR, "", now.rows - 1)
    requests = [*marks.swap(now.nonce, fresh), *marks.guard(tab, now.marks)]
    requests += images.guard_floor(tab, now.floor, floor)
    return requests, replace(now, nonce=fresh, floor=floor)


def delete(now: Standing, rows: Sequence[int]) -> tuple[list[Json], str, Standing]:
    """Requests that delete rows (descending), the name of the images that they leave, and how the sheet
    stands then."""
    requests, now = passport(now)
    tab, fresh = now.tab or 0, images.other(now.images)
    name = images.name(fresh, secrets.token_hex(4))
    requests += [batch.delete_tab(fresh)] if fresh in now.images else []
    requests += images.make(name, len(rows), now.columns)
    for place, row in enumerate(rows):
        source, target = images.span(tab, row, 0, now.columns), images.span(fresh, place, 0, now.columns)
        requests.append(images.copy(source, target))
    requests += [_delete_row(tab, row) for row in rows]
    requests += [batch.delete_tab(old) for old in now.images if old != fresh]
    floor = replace(now.floor, index=now.floor.index - len(rows)) if now.floor else None
    return requests, name, replace(now, images=(fresh,), rows=now.rows - len(rows), floor=floor)


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
