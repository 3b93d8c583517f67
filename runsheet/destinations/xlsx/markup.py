"""XML as bytes: find where things stand, splice something in, leave every other byte as it is.

An existing workbook is never parsed and written again: what a library does not know would be
lost. Here expat tells the byte offsets of elements, and an *edit* replaces a range of bytes.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Any
from xml.parsers import expat
from xml.sax.saxutils import escape

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
STRICT = "http://purl.oclc.org/ooxml/"

CHUNK = 1 << 16

_TAG = re.compile(rb"""<(?:[^>"']|"[^"]*"|'[^']*')*>""")
_ATTR = re.compile(rb"""\s+([^\s=/>]+)\s*=\s*("[^"]*"|'[^']*')""")
_PREFIX = re.compile(rb"<([^\s:/>]+:)?")
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class Unfit(Exception):
    """The workbook cannot be patched. The text completes a sentence that begins with its path."""


def parser(*, namespaces: bool = True) -> expat.XMLParserType:
    """A parser that stops at what a workbook never has: a DOCTYPE (entity bombs), or text that
    is not UTF-8, where the bytes we splice in would mean something else."""
    made = expat.ParserCreate(namespace_separator=" " if namespaces else None)
    made.buffer_text = True
    made.StartDoctypeDeclHandler = _no_doctype
    made.XmlDeclHandler = _only_utf8
    return made


def feed(
    made: expat.XMLParserType, source: IO[bytes], before: Callable[[bytes], None] = lambda _: None
) -> None:
    """Run the parser over a stream, chunk by chunk; `before` sees each chunk before it is parsed."""
    chunk = source.read(CHUNK)
    check_start(chunk)
    while chunk:
        before(chunk)
        made.Parse(chunk, False)
        chunk = source.read(CHUNK)
    made.Parse(b"", True)


def check_start(data: bytes) -> None:
    """Raise Unfit for UTF-16, which expat would read without a word."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in data[:4]:
        raise Unfit("is written in UTF-16, which cannot be extended in place: save it again with Excel")


def _no_doctype(*_: Any) -> None:
    raise Unfit("holds a document type, which no workbook has: it may be harmful")


def _only_utf8(_version: str, encoding: str | None, _standalone: int) -> None:
    if (encoding or "utf-8").lower() not in ("utf-8", "utf8"):
        raise Unfit(f"is written in {encoding}, which cannot be extended in place: save it again with Excel")


@dataclass(slots=True)
class Element:
    """One element and its place: `start` at "<", `inner` after the start tag, `close` at the end
    tag, `end` after it. `closed` means `<a/>`; then inner, close and end are the same."""

    path: str
    attrs: dict[str, str]
    start: int
    inner: int
    closed: bool
    close: int = 0
    end: int = 0
    text: str = ""
    children: list["Element"] = field(default_factory=list)


class Document:
    """A small part, whole in memory, with the places of its elements.

    Paths are like "workbook/sheets/sheet": local names for elements in the root's namespace,
    "uri name" for any other, so that extensions are never mistaken for the real thing.
    """

    def __init__(self, data: bytes) -> None:
        check_start(data)
        self.data = data
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self._parser = parser()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self.namespace = ""
        self._parser.Parse(data, True)
        self.root = self.elements[0]
        self.prefix = prefix_at(data, self.root.start)

    def all(self, path: str) -> list[Element]:
        return [element for element in self.elements if element.path == path]

    def first(self, *paths: str) -> Element | None:
        """The last-named path that exists, its first element: for "insert after one of these"."""
        found = [element for path in paths for element in self.all(path)[:1]]
        return found[-1] if found else None

    def raw(self, element: Element) -> bytes:
        return self.data[element.start : element.end]

    def _start(self, name: str, attrs: dict[str, str]) -> None:
        space, _, local = name.rpartition(" ")
        if not self._open:
            self.namespace = space
        step = local if space == self.namespace else name
        path = f"{self._open[-1].path}/{step}" if self._open else step
        at = self._parser.CurrentByteIndex
        tag = start_tag(self.data, at)
        inner = at + len(tag)
        element = Element(path, attrs, at, inner, tag.endswith(b"/>"), inner, inner)
        if self._open:
            self._open[-1].children.append(element)
        self.elements.append(element)
        self._open.append(element)

    def _end(self, _name: str) -> None:
        element = self._open.pop()
        if not element.closed:
            element.close = self._parser.CurrentByteIndex
            element.end = self.data.index(b">", element.close) + 1

    def _text(self, text: str) -> None:
        self._open[-1].text += text


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the bytes from `start` to `end` by `new`; start == end inserts."""

    start: int
    end: int
    new: Iterable[bytes]


@dataclass(frozen=True, slots=True)
class Made:
    """Bytes that are made each time somebody goes through them: they may be too many to hold."""

    make: Callable[[], Iterator[bytes]]

    def __iter__(self) -> Iterator[bytes]:
        return self.make()


def insert_last(element: Element, data: bytes, new: bytes) -> Edit:
    """Make `new` the last content of an element, opening it when it is `<a/>`."""
    if not element.closed:
        return Edit(element.close, element.close, [new])
    tag = data[element.start : element.end]
    return Edit(element.start, element.end, [opened(tag), new, end_tag(tag)])


def set_attrs(element: Element, data: bytes, **values: str) -> Edit:
    """Change or add attributes of a start tag."""
    tag = data[element.start : element.inner]
    return Edit(element.start, element.inner, [with_attrs(tag, values)])


def with_attrs(tag: bytes, values: dict[str, str]) -> bytes:
    """A start tag with attributes changed in place, or added at its end."""
    for name, value in values.items():
        new = quoted(value).encode()
        for match in _ATTR.finditer(tag):
            if match[1] == name.encode():
                tag = tag[: match.start(2)] + new + tag[match.end(2) :]
                break
        else:
            stop = len(tag) - (2 if tag.endswith(b"/>") else 1)
            tag = tag[:stop].rstrip() + f" {name}=".encode() + new + tag[stop:]
    return tag


def attribute(tag: bytes, name: str) -> str:
    """The raw value of an attribute of a start tag, "" without it."""
    found = (match[2][1:-1] for match in _ATTR.finditer(tag) if match[1] == name.encode())
    return next(found, b"").decode()


def start_tag(data: bytes, at: int) -> bytes:
    """The whole start tag at an offset; a ">" within quotes does not end it."""
    match = _TAG.match(data, at)
    if match is None:
        raise Unfit("is damaged: a tag does not end")
    return match[0]


def opened(tag: bytes) -> bytes:
    """`<a/>` as `<a>`."""
    return tag[:-2].rstrip() + b">" if tag.endswith(b"/>") else tag


def end_tag(tag: bytes) -> bytes:
    """The end tag that a start tag needs."""
    name = re.match(rb"<([^\s/>]+)", tag)
    assert name is not None
    return b"</" + name[1] + b">"


def prefix_at(data: bytes, at: int) -> str:
    """The namespace prefix of the tag at an offset, with its colon."""
    match = _PREFIX.match(data, at)
    return (match[1] or b"").decode() if match else ""


def splice(data: bytes, edits: Iterable[Edit]) -> bytes:
    """A small part with edits made; they must not overlap."""
    parts: list[bytes] = []
    at = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        parts += [data[at : edit.start], *edit.new]
        at = edit.end
    return b"".join([*parts, data[at:]])


def splice_stream(source: IO[bytes], edits: Iterable[Edit]) -> Iterator[bytes]:
    """The same for a part of any size, as chunks."""
    at = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        yield from _take(source, edit.start - at)
        for _ in _take(source, edit.end - edit.start):
            pass
        yield from edit.new
        at = edit.end
    while chunk := source.read(CHUNK):
        yield chunk


def slices(source: IO[bytes], spans: Sequence[tuple[int, int]]) -> list[bytes]:
    """Ranges of a part of any size, which may overlap; cut off where the part ends."""
    found = [bytearray() for _ in spans]
    ahead = sorted(range(len(spans)), key=spans.__getitem__, reverse=True)
    here: list[int] = []
    at = 0
    while (here or ahead) and (chunk := source.read(CHUNK)):
        after = at + len(chunk)
        while ahead and spans[ahead[-1]][0] < after:
            here.append(ahead.pop())
        for number in here:
            start, end = spans[number]
            found[number] += chunk[max(0, start - at) : max(0, end - at)]
        here = [number for number in here if spans[number][1] > after]
        at = after
    return [bytes(part) for part in found]


def _take(source: IO[bytes], count: int) -> Iterator[bytes]:
    while count > 0:
        chunk = source.read(min(CHUNK, count))
        if not chunk:
            raise Unfit("is damaged: a part ends too early")
        count -= len(chunk)
        yield chunk


def text(value: str) -> str:
    """A text as XML content. What XML cannot hold at all becomes a visible U+FFFD."""
    return escape(legal(value))


def legal(value: str) -> str:
    """A text with U+FFFD for what XML cannot hold."""
    return _ILLEGAL.sub("\ufffd", value)


def quoted(value: str) -> str:
    """A text as an attribute's value, with its quotes."""
    safe = text(value).replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;")
    return f'"{safe}"'
