"""Make new parts known to a package: content types, relationships, free names."""

import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from runsheet.destinations.xlsx import markup as xml
from runsheet.destinations.xlsx.package import CONTENT_TYPES, Package, relations_name


@dataclass(frozen=True, slots=True)
class Addition:
    """A part to add, and how the part `parent` refers to it. `type` and `kind` are the content
    type and the type of the relationship, without their common beginnings."""

    name: str
    parent: str
    type: str
    kind: str
    id: str = ""


def register(package: Package, additions: Sequence[Addition]) -> tuple[list[Addition], dict[str, bytes]]:
    """Give the additions free relationship ids, and return with them the parts that make them
    known: content types and relationships."""
    types = package.document(CONTENT_TYPES)
    root = "application/vnd.openxmlformats-officedocument.spreadsheetml."
    overrides = "".join(
        f"<{types.prefix}Override PartName={xml.quoted('/' + item.name)} "
        f"ContentType={xml.quoted(f'{root}{item.type}+xml')}/>"
        for item in additions
    )
    edit = xml.insert_last(types.root, types.data, overrides.encode())
    parts = {CONTENT_TYPES: xml.splice(types.data, [edit])}
    named: list[Addition] = []
    for parent in dict.fromkeys(item.parent for item in additions):
        mine = [item for item in additions if item.parent == parent]
        given, data = _relate(package, parent, mine)
        named += given
        parts[relations_name(parent)] = data
    return named, parts


def _relate(package: Package, parent: str, items: Sequence[Addition]) -> tuple[list[Addition], bytes]:
    document = package.document(relations_name(parent))
    taken = {element.attrs.get("Id", "") for element in document.all("Relationships/Relationship")}
    free = (name for number in range(1, 1 << 16) if (name := f"rIdRunsheet{number}") not in taken)
    named = [replace(item, id=next(free)) for item in items]
    new = "".join(
        f"<{document.prefix}Relationship Id={xml.quoted(item.id)} "
        f"Type={xml.quoted(f'{xml.RELATIONS}/{item.kind}')} Target={xml.quoted('/' + item.name)}/>"
        for item in named
    )
    edit = xml.insert_last(document.root, document.data, new.encode())
    return named, xml.splice(document.data, [edit])


def free_name(package: Package, folder: str, stem: str, taken: Iterable[str] = ()) -> str:
    """A member's name that nobody has: `folder/stem.xml`, `folder/stem1.xml`, ... The plain one is
    where some readers look, whatever the relationships say."""
    used = {name.casefold() for name in taken}
    names = (posixpath.join(folder, f"{stem}{number or ''}.xml") for number in range(1 << 16))
    return next(name for name in names if not package.has(name) and name.casefold() not in used)
