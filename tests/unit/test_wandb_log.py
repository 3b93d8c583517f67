"""Everything before the place where a `.wandb` file ends is read, and how it ends is said.

Mutants tried: checksum not compared; padding at the end of a block not skipped; `first` accepted within
a record; the rest of a block lost when a read ends in it; a cut called whole.
"""

import io
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runsheet.sources.wandb_folders.wandb_log import _READ, BLOCK, End, Log
from tests.support.offline_runs import framed

SHORT, LONG = b"a record", b"x" * (BLOCK + 100)
RECORDS = [SHORT, LONG, b"", SHORT * 3]


def read(data: bytes) -> tuple[list[bytes], End]:
    log = Log(io.BytesIO(data))
    return list(log), log.end


def chunk(kind: int, body: bytes) -> bytes:
    return struct.pack("<IHB", zlib.crc32(bytes([kind]) + body), len(body), kind) + body


def test_all_records_come_back_in_order():
    assert read(framed(RECORDS)) == (RECORDS, End.WHOLE)


@pytest.mark.parametrize("room", range(16))
def test_records_that_end_near_the_end_of_a_block(room):
    """Fewer than 7 bytes at the end of a block are padding; exactly 7 hold an empty first chunk."""
    records = [b"y" * (BLOCK - 7 - 7 - room), b"first in the next block", b"another"]
    assert read(framed(records)) == (records, End.WHOLE)


def test_a_file_longer_than_one_read():
    records = [bytes([number % 256]) * 50_000 for number in range(_READ // 50_000 + 3)]
    assert read(framed(records)) == (records, End.WHOLE)


@pytest.mark.parametrize(
    ("data", "end"),
    [
        (b"", End.EMPTY),
        (framed([])[:4], End.CUT),
        (framed([]), End.WHOLE),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", End.POINTER),
        (b"\x89PNG\r\n", End.FOREIGN),
        (framed([SHORT]) + bytes(100), End.CUT),
        (framed([SHORT]) + chunk(3, b"a middle without a first"), End.DAMAGED),
        (framed([SHORT]) + chunk(2, b"a first") + chunk(1, b"and a full"), End.DAMAGED),
        (framed([SHORT]) + chunk(9, b"of no known type"), End.DAMAGED),
        (framed([SHORT]) + struct.pack("<IHB", zlib.crc32(b"abc"), 3, 9) + b"abc", End.DAMAGED),
        (framed([SHORT]) + chunk(2, b"a first, no last"), End.CUT_INSIDE),
        (framed([SHORT]) + b"\x01\x02\x03", End.CUT),
    ],
)
def test_how_files_end(data, end):
    records, found = read(data)
    assert found is end
    assert records in ([], [SHORT])


def test_a_length_that_runs_past_its_block_is_damage_and_not_a_cut():
    whole = framed([LONG])
    broken = whole[: 7 + 4] + b"\xff\xff" + whole[7 + 6 :]
    assert read(broken) == ([], End.DAMAGED)


@given(st.integers(min_value=0, max_value=len(framed(RECORDS)) - 1))
def test_a_cut_file_gives_the_records_before_the_cut(size):
    records, end = read(framed(RECORDS)[:size])
    assert records == RECORDS[: len(records)]
    complete = [count for count in range(len(RECORDS) + 1) if len(framed(RECORDS[:count])) <= size]
    assert len(records) == max(complete, default=0)
    if size not in {len(framed(RECORDS[:count])) for count in range(len(RECORDS) + 1)}:
        assert end in {End.EMPTY, End.CUT, End.CUT_INSIDE}


@given(st.integers(min_value=0, max_value=len(framed(RECORDS)) - 1), st.integers(min_value=1, max_value=255))
def test_a_changed_byte_never_changes_a_record(place, change):
    data = bytearray(framed(RECORDS))
    data[place] ^= change
    records, end = read(bytes(data))
    assert records == RECORDS[: len(records)]
    assert end is not End.WHOLE or records == RECORDS


@given(st.binary(max_size=300))
@settings(max_examples=50)
def test_no_bytes_make_it_raise(data):
    for content in (data, framed([]) + data):
        records, end = read(content)
        assert isinstance(end, End)
        assert sum(map(len, records)) <= len(content)
