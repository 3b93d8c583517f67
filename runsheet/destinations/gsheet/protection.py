"""What people have protected from our account, in words. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from runsheet.destinations.a1 import letters
from runsheet.destinations.gsheet import marks
from runsheet.destinations.gsheet.document import quoted

Answer = Mapping[str, Any]


def locked(sheets: Sequence[Answer], tabs: Collection[int]) -> Iterator[str]:
    """The ranges that our account may not edit on the tabs with these ids, each with its description."""
    for sheet in sheets:
        if marks.tab_id(sheet) not in tabs:
            continue
        for item in sheet.get("protectedRanges", ()):
            if not (item.get("requestingUserCanEdit") or item.get("warningOnly")):
                yield _named(item, sheet["properties"])


def _named(item: Answer, properties: Answer) -> str:
    title, span = (
        quoted(properties["title"]),
        _a1(item.get("range", {}), properties.get("gridProperties", {})),
    )
    what = f"the protected range {title}!{span}" if span else f"the protected tab {title}"
    return f'{what} ("{item["description"]}")' if item.get("description") else what


def _a1(span: Answer, grid: Answer) -> str:
    """A range in A1 notation: "D:D" for whole columns, "2:5" for whole rows, "" for the whole tab."""
    rows, columns = _side(span, "Row", grid.get("rowCount")), _side(span, "Column", grid.get("columnCount"))
    first, last = (
        (letters(columns[end] - end) if columns else "") + (str(rows[end] + 1 - end) if rows else "")
        for end in (0, 1)
    )
    return first if rows and columns and first == last else f"{first}:{last}".strip(":")


def _side(span: Answer, axis: str, size: int | None) -> tuple[int, int] | None:
    """Where a range begins and ends, None when it is all there is."""
    start, end = span.get(f"start{axis}Index", 0), span.get(f"end{axis}Index", size)
    return None if end is None or (start == 0 and end == size) else (int(start), int(end))
