"""Let a table or filter of a person grow with our rows and columns, as it does when they type."""

from collections.abc import Mapping

from runsheet.destinations.xlsx import markup as xml
from runsheet.destinations.xlsx.cell_xml import Area, escaped
from runsheet.destinations.xlsx.markup import Document, Edit
from runsheet.destinations.xlsx.rows import Block


def grown(area: Area, block: Block, ours: Area, *, wider: bool) -> Area:
    """The range of a table or filter after the block is written.

    It grows down when it has our header row in it and our rows touch its end; it grows to the
    right (`wider` allows it) when our new columns touch its side. Else it stays as it is.
    """
    if area.top != 1 or area.right < ours.left or area.left > ours.right:
        return area
    bottom, right = area.bottom, area.right
    if block.rows and area.bottom >= block.first - 1:
        bottom = max(bottom, block.area.bottom)
    if wider and block.titles and min(block.titles) == area.right + 1:
        right = max(block.titles)
    return Area(area.top, area.left, bottom, right)


def patched(document: Document, block: Block, ours: Area) -> bytes | None:
    """A table's part after the block is written; None when the table does not change.

    A table with a totals row is left as it is: its end is not where rows are added. Formulas of
    its calculated columns do not go into new rows: we write no formulas.
    """
    root = document.root
    if document.first("table/tableColumns") is None or root.attrs.get("totalsRowCount", "0") != "0":
        return None
    old = Area.parse(root.attrs["ref"])
    new = grown(old, block, ours, wider=_can_widen(document, block.titles))
    if new == old:
        return None
    edits = [xml.set_attrs(root, document.data, ref=str(new))]
    for element in document.all("table/autoFilter"):
        edits.append(xml.set_attrs(element, document.data, ref=str(new)))
    if new.right > old.right:
        edits.append(_add_columns(document, block.titles))
    return xml.splice(document.data, edits)


def _can_widen(document: Document, titles: Mapping[int, str]) -> bool:
    """Excel calls a workbook damaged when two columns of a table have one name, in upper or lower
    case, or when a name is not the header's text. Tables fed by a query have their own columns."""
    columns = document.all("table/tableColumns/tableColumn")
    names = [element.attrs.get("name", "") for element in columns] + list(titles.values())
    folded = {name.casefold() for name in names}
    ordinary = document.root.attrs.get("tableType", "worksheet") == "worksheet"
    has_header = document.root.attrs.get("headerRowCount", "1") != "0"
    fits = all(title.strip() and len(title) <= 255 for title in titles.values())
    return ordinary and has_header and fits and len(folded) == len(names)


def _add_columns(document: Document, titles: Mapping[int, str]) -> Edit:
    element = document.first("table/tableColumns")
    assert element is not None
    last = max((int(child.attrs.get("id", 0)) for child in element.children), default=0)
    new = "".join(
        f'<{document.prefix}tableColumn id="{last + count}" name={xml.quoted(escaped(titles[index]))}/>'
        for count, index in enumerate(sorted(titles), 1)
    )
    data = document.data
    tag = xml.opened(data[element.start : element.inner])
    tag = xml.with_attrs(tag, {"count": str(len(element.children) + len(titles))})
    body = data[element.inner : element.close]
    return Edit(element.start, element.end, [tag, body, new.encode(), xml.end_tag(tag)])
