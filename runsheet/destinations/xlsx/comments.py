"""Which rows of a worksheet people have commented."""

from runsheet.destinations.xlsx.cell_xml import place
from runsheet.destinations.xlsx.package import Package

KINDS = {"comments": "comments/commentList/comment", "threadedComment": "ThreadedComments/threadedComment"}
"""The kinds of parts that hold notes and comments, each with the path of one."""


def rows(package: Package, part: str) -> set[int]:
    """The rows (from 1) with a note or a comment."""
    found: set[int] = set()
    for relation in package.relations(part):
        if relation.kind in KINDS:
            items = package.document(relation.target).all(KINDS[relation.kind])
            found |= {place(item.attrs["ref"])[0] for item in items if "ref" in item.attrs}
    return found
