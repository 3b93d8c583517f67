"""The parts of a workbook file: read them, and follow how they refer to each other."""

import io
import posixpath
import zipfile
from dataclasses import dataclass
from typing import IO

from runsheet.destinations.xlsx import archive as xlsx_zip
from runsheet.destinations.xlsx.archive import LARGE, Chunks
from runsheet.destinations.xlsx.markup import STRICT, Document, Unfit

CONTENT_TYPES = "[Content_Types].xml"
SMALL = 1 << 26
"""The most that a part may unpack to that is read whole."""


@dataclass(frozen=True, slots=True)
class Relation:
    """One relationship of a part: `kind` is the last word of its type, `target` a member's name."""

    id: str
    kind: str
    target: str


class Package:
    """An open workbook file. Raises Unfit for everything that is not a plain workbook."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        _check_magic(file)
        self._zip = zipfile.ZipFile(file)
        self._infos = self._zip.infolist()
        self._by_name = {info.filename: info for info in self._infos}
        self._folded = {name.casefold(): name for name in self._by_name}
        self._check()

    @property
    def names(self) -> list[str]:
        return list(self._by_name)

    def has(self, name: str) -> bool:
        return name.casefold() in self._folded

    def open(self, name: str, limit: int = LARGE) -> IO[bytes]:
        """A part as a stream of at most `limit` bytes."""
        info = self._by_name[self._name(name)]
        if info.file_size > limit:
            raise Unfit(f"is too large: {name} unpacks to {info.file_size >> 20} MB")
        return self._zip.open(info)

    def read(self, name: str) -> bytes:
        """A small part, whole."""
        with self.open(name, SMALL) as part:
            return part.read()

    def document(self, name: str) -> Document:
        return Document(self.read(name))

    def relations(self, part: str) -> list[Relation]:
        """What a part refers to within the package; "" for the package itself."""
        name = relations_name(part)
        if not self.has(name):
            return []
        base = posixpath.dirname(part)
        return [
            _relation(element.attrs, base)
            for element in self.document(name).all("Relationships/Relationship")
            if element.attrs.get("TargetMode") != "External"
        ]

    def main_part(self) -> str:
        """The name of the workbook part."""
        kinds = {relation.kind: relation for relation in self.relations("")}
        if "origin" in kinds:
            raise Unfit("is digitally signed, and any change would break the signature")
        if "officeDocument" not in kinds or not self.has(kinds["officeDocument"].target):
            raise Unfit("is no workbook: it has no main part")
        return self._name(kinds["officeDocument"].target)

    def _name(self, name: str) -> str:
        try:
            return self._folded[name.casefold()]
        except KeyError:
            raise Unfit(f"is damaged: it has no part {name}") from None

    def _check(self) -> None:
        if len(self._folded) != len(self._infos):
            raise Unfit("is damaged: a part is there twice")
        if any(name.startswith("_xmlsignatures/") for name in self._folded):
            raise Unfit("is digitally signed, and any change would break the signature")
        if not self.has(CONTENT_TYPES):
            raise Unfit("is a zip archive, but no Excel workbook")
        if self.has("xl/workbook.bin"):
            raise Unfit("is a binary workbook (.xlsb): save it as .xlsx")
        if any(info.flag_bits & 1 or info.compress_type not in (0, 8) for info in self._infos):
            raise Unfit("is packed in a way that workbooks are not (a password, or a rare compression)")

    def copy(self, out: IO[bytes], changed: dict[str, Chunks]) -> None:
        """Write the package to `out`, an empty file, with the parts of `changed` replaced, or
        added. What is replaced is read while it is written."""
        named = {self._folded.get(name.casefold(), name): chunks for name, chunks in changed.items()}
        xlsx_zip.copy(self._zip, self._file, out, named)


def _check_magic(file: IO[bytes]) -> None:
    file.seek(0)
    head = file.read(8)
    if not head:
        raise Unfit("is an empty file: delete it, and it is made anew")
    if head == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        rest = file.read(1 << 20)
        if "EncryptedPackage".encode("utf-16-le") in rest:
            raise Unfit("is protected by a password: take the password to open it away (Excel: File, Info)")
        raise Unfit("is a workbook of the old kind (.xls): save it as .xlsx")
    if head[:4] != b"PK\x03\x04":
        raise Unfit("is no workbook, whatever its name says (perhaps CSV or HTML): save it as .xlsx")
    file.seek(0)


def _relation(attrs: dict[str, str], base: str) -> Relation:
    kind, target = attrs.get("Type", ""), attrs.get("Target", "")
    if kind.startswith(STRICT):
        raise Unfit('is in the rare "Strict Open XML" format: save it as an ordinary .xlsx')
    full = target[1:] if target.startswith("/") else posixpath.normpath(posixpath.join(base, target))
    return Relation(attrs.get("Id", ""), kind.rpartition("/")[2], full)


def relations_name(part: str) -> str:
    """The member that holds a part's relationships."""
    folder, name = posixpath.split(part)
    return posixpath.join(folder, "_rels", f"{name}.rels")


def whole(data: bytes) -> Chunks:
    """Bytes at hand as the content of a part."""
    return lambda: io.BytesIO(data)
