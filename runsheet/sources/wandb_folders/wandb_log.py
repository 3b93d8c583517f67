"""Read the framing of a `.wandb` file: bytes in, raw records out. Read-only, never raises on bytes.

wandb 0.30 and later no longer ship a reader in Python, so this is ours. The format is LevelDB's log:
a 7-byte file header, then blocks of 32 KiB (the header counts in the first) of chunks: crc32 of
type and body, length, type (full, first, middle, last), body. Fewer than 7 bytes at the end of a
block are padding. A run that is going on, or that was killed, ends anywhere: all records before the
place where reading stopped are good, and `Log.end` says what was found there.
"""

import struct
import zlib
from collections.abc import Iterator
from enum import StrEnum
from typing import BinaryIO

BLOCK = 32_768
_READ = 32 * BLOCK
_MAGIC = b":W&B\xe1\xbe"
_HEADER = len(_MAGIC) + 1  # the last byte is a version; 0 in every file from wandb 0.10 to 0.31
_POINTER = b"version https://git-lfs"
_CHUNK = struct.Struct("<IHB")
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_SEEDS = {kind: zlib.crc32(bytes([kind])) for kind in (_FULL, _FIRST, _MIDDLE, _LAST)}


class End(StrEnum):
    """How a log ended; the text completes "its .wandb file is ..."."""

    WHOLE = "whole"
    EMPTY = "empty"
    CUT = "cut in a payload"
    CUT_INSIDE = "cut inside a multi-part record"
    DAMAGED = "damaged (a checksum does not match)"
    POINTER = "a git-LFS pointer, not the file itself"
    FOREIGN = "not a W&B log"


class Log:
    """The records of one `.wandb` file, once, in order.

    `end` is meaningful after the iteration has ended. What a read raises (OSError) passes through.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.end = End.WHOLE

    def __iter__(self) -> Iterator[bytes]:
        parts: list[bytes] = []
        for kind, body in self._chunks():
            if (kind in (_FULL, _FIRST)) == bool(parts):  # a record starts in another one, or in none
                self.end = End.DAMAGED
                return
            if kind == _FULL:
                yield body
                continue
            parts.append(body)
            if kind == _LAST:
                yield b"".join(parts)
                parts.clear()
        if parts and self.end is End.WHOLE:
            self.end = End.CUT_INSIDE

    def _chunks(self) -> Iterator[tuple[int, bytes]]:
        """Type and body of each chunk; sets `end` and stops at the first that is not right."""
        for start, block in self._blocks():
            size = len(block)
            place = start
            while place + _CHUNK.size <= size:
                check, length, kind = _CHUNK.unpack_from(block, place)
                place += _CHUNK.size
                body = block[place : place + length]
                seed = _SEEDS.get(kind)
                if seed is None or len(body) < length or zlib.crc32(body, seed) != check:
                    self.end = _broken(kind, length, place, size)
                    return
                place += length
                yield kind, body
            if place < size < BLOCK and BLOCK - place >= _CHUNK.size:
                self.end = End.CUT  # in the head of a chunk

    def _blocks(self) -> Iterator[tuple[int, bytes]]:
        """Each block and where its chunks begin. Nothing if the file is not a log."""
        data = self._stream.read(_READ)
        if not data.startswith(_MAGIC) or len(data) < _HEADER:
            self.end = _foreign(data)
            return
        start = _HEADER
        while data:
            for place in range(0, len(data), BLOCK):
                yield start, data[place : place + BLOCK]
                start = 0
            data = self._stream.read(_READ)


def _foreign(data: bytes) -> End:
    """What a file is that does not begin as a log does."""
    if not data:
        return End.EMPTY
    if data.startswith(_POINTER):
        return End.POINTER
    return End.CUT if _MAGIC.startswith(data[:_HEADER]) or data.startswith(_MAGIC) else End.FOREIGN


def _broken(kind: int, length: int, place: int, size: int) -> End:
    """Why a chunk is no good: the file stops within it, or its bytes are not those written."""
    if kind == length == 0:
        return End.CUT  # zeros: room that was reserved and, after a power cut, never written
    return End.CUT if place + length > size and size < BLOCK else End.DAMAGED
