"""A copy of a zip archive in which only the named members differ.

Every other member goes over as raw bytes, header and all, in its order: zipfile could only unpack
and pack it again.
"""

import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO
from xml.parsers import expat

from runsheet.destinations.xlsx.markup import CHUNK, Unfit

LARGE = 1 << 30
"""The most that a worksheet may unpack to: 1 GiB, some 20 million cells. More is a zip bomb, or
nothing that a tick should work through."""

_CENTRAL = struct.Struct("<IHHHHHHIIIHHHHHII")
_LOCAL = struct.Struct("<IHHHHHIIIHH")
_END = struct.Struct("<IHHHHIIH")
_UTF8_NAME = 0x800
_MAX = 0xFFFFFFFF
_EPOCH = (0, 33)  # 1980-01-01, the first date a zip can hold: nobody needs the real one

Chunks = Callable[[], Iterable[bytes]]
"""The content of a member, made when it is written."""


def copy(archive: zipfile.ZipFile, file: IO[bytes], out: IO[bytes], changed: Mapping[str, Chunks]) -> None:
    """Write the archive, which was opened from `file`, to the empty file `out`, with the members
    of `changed` replaced in their places, or added at the end."""
    infos = archive.infolist()
    wanted = dict(changed)
    raw = {info.filename: entry for info, entry in zip(infos, _central(archive, file), strict=True)}
    entries: dict[str, bytes] = {}
    for name, start, end in _ranges(archive):
        if name in wanted:
            entries[name] = _write(out, _Entry.parse(raw[name]), wanted.pop(name))
        else:
            entries[name] = _moved(raw[name], out.tell())
            _copy_raw(file, out, start, end)
    for name, chunks in wanted.items():
        entries[name] = _write(out, _Entry.made(name), chunks)
    order = [*(info.filename for info in infos), *wanted]
    _finish(out, [entries[name] for name in order], archive.comment)


def _ranges(archive: zipfile.ZipFile) -> list[tuple[str, int, int]]:
    """The bytes of each member: up to the next one, or to the central directory."""
    infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
    stops = [*(info.header_offset for info in infos[1:]), archive.start_dir]
    return [(info.filename, info.header_offset, stop) for info, stop in zip(infos, stops, strict=True)]


def _copy_raw(file: IO[bytes], out: IO[bytes], start: int, end: int) -> None:
    while start < end:
        file.seek(start)
        chunk = file.read(min(CHUNK, end - start))
        if not chunk:
            raise Unfit("is damaged: it ends too early")
        start += len(chunk)
        out.write(chunk)


def _central(archive: zipfile.ZipFile, file: IO[bytes]) -> Iterator[bytes]:
    """The raw entries of the central directory, in the order of infolist()."""
    at = archive.start_dir
    for _ in archive.infolist():
        file.seek(at)
        head = file.read(_CENTRAL.size)
        entry = head + file.read(sum(_CENTRAL.unpack(head)[10:13]))
        at += len(entry)
        yield entry


@dataclass(frozen=True, slots=True)
class _Entry:
    """What of a central entry survives when its member is written anew."""

    name: bytes
    version: int = 20
    flags: int = 0
    date: tuple[int, int] = _EPOCH
    attributes: int = 0
    comment: bytes = b""

    @classmethod
    def parse(cls, raw: bytes) -> "_Entry":
        values = _CENTRAL.unpack_from(raw)
        name_end = _CENTRAL.size + values[10]
        comment = raw[name_end + values[11] :]
        name = raw[_CENTRAL.size : name_end]
        # Made by DOS, version 2.0: Unix' attributes would need its host byte kept as well.
        return cls(name, values[1], values[3] & _UTF8_NAME, (values[5], values[6]), values[15], comment)

    @classmethod
    def made(cls, name: str) -> "_Entry":
        return cls(name.encode(), flags=0 if name.isascii() else _UTF8_NAME)


def _write(out: IO[bytes], entry: _Entry, chunks: Chunks) -> bytes:
    """Write one member, deflated, and return its central entry.

    What is written is read along by a parser without handlers, which costs little: a part that
    is not well-formed must never reach the disk, whatever was wrong with us.
    """
    offset = out.tell()
    _write_local(out, entry, 0, 0, 0)
    crc = size = 0
    start = out.tell()
    deflate = zlib.compressobj(4, zlib.DEFLATED, -15)
    check = expat.ParserCreate()
    for chunk in chunks():
        check.Parse(chunk, False)
        crc = zlib.crc32(chunk, crc)
        size += len(chunk)
        out.write(deflate.compress(chunk))
    check.Parse(b"", True)
    out.write(deflate.flush())
    end = out.tell()
    if size > LARGE or end > _MAX:
        raise Unfit("would grow too large: begin a new workbook")
    out.seek(offset)
    _write_local(out, entry, crc, end - start, size)
    out.seek(end)
    lengths = (len(entry.name), 0, len(entry.comment))
    when = (8, *entry.date, crc, end - start, size)
    fixed = (0x02014B50, entry.version, 20, entry.flags, *when, *lengths, 0, 0, entry.attributes, offset)
    return _CENTRAL.pack(*fixed) + entry.name + entry.comment


def _write_local(out: IO[bytes], entry: _Entry, crc: int, packed: int, size: int) -> None:
    head = (0x04034B50, 20, entry.flags, 8, *entry.date, crc, packed, size, len(entry.name), 0)
    out.write(_LOCAL.pack(*head) + entry.name)


def _moved(raw: bytes, offset: int) -> bytes:
    """A central entry whose member now begins elsewhere. Some writers keep the offset in a zip64
    field even for small files; there it has its place after the sizes that are kept there too."""
    if offset > _MAX:
        raise Unfit("is larger than 4 GB")
    values = _CENTRAL.unpack_from(raw)
    if values[16] != _MAX:
        return raw[: _CENTRAL.size - 4] + struct.pack("<I", offset) + raw[_CENTRAL.size :]
    at = _CENTRAL.size + values[10]
    stop = at + values[11]
    while at + 4 <= stop:
        tag, length = struct.unpack_from("<HH", raw, at)
        if tag == 1:
            at += 4 + 8 * ((values[9] == _MAX) + (values[8] == _MAX))
            return raw[:at] + struct.pack("<Q", offset) + raw[at + 8 :]
        at += 4 + length
    raise Unfit("is damaged: a part has no place")


def _finish(out: IO[bytes], entries: Sequence[bytes], comment: bytes) -> None:
    start = out.tell()
    for entry in entries:
        out.write(entry)
    size = out.tell() - start
    count = len(entries)
    if start + size > _MAX or count > 0xFFFE:
        raise Unfit("is larger than 4 GB, or has too many parts")
    out.write(_END.pack(0x06054B50, 0, 0, count, count, size, start, len(comment)) + comment)
