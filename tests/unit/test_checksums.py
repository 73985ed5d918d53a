"""Chunks: which of them cover a range of a block."""

import zlib
from random import Random
from typing import List, Tuple

import pytest

from data_service.protocol.checksums import (
    BYTES_PER_CRC,
    CHUNK_BYTES,
    chunk_count,
    chunk_spans,
    crc32,
    small_crcs,
)


@pytest.mark.parametrize("length, count", [
    (0, 0), (1, 1), (CHUNK_BYTES - 1, 1), (CHUNK_BYTES, 1), (CHUNK_BYTES + 1, 2),
    (128 << 20, 512), ((128 << 20) + 1, 513)])
def test_every_started_chunk_counts(length: int, count: int) -> None:
    assert chunk_count(length) == count
    assert len(list(chunk_spans(0, length, length))) == count


@pytest.mark.parametrize("offset, length, block_length, spans", [
    (0, 1, 1, [(0, 1)]),
    (0, 0, 100, []),
    (100, 1, 100, []),
    (99, 1000, 100, [(0, 100)]),
    (CHUNK_BYTES - 1, 2, 3 * CHUNK_BYTES, [(0, CHUNK_BYTES), (CHUNK_BYTES, CHUNK_BYTES)]),
    (CHUNK_BYTES, 1, CHUNK_BYTES + 7, [(CHUNK_BYTES, 7)]),
    (2**62, 2**62, 10, []),
])
def test_spans(offset: int, length: int, block_length: int, spans: List[Tuple[int, int]]) -> None:
    assert list(chunk_spans(offset, length, block_length)) == spans


def test_spans_cover_any_range_by_whole_chunks() -> None:
    random = Random(1)
    for _ in range(300):
        block_length = random.choice([0, 1, CHUNK_BYTES, random.randrange(5 * CHUNK_BYTES)])
        offset, length = random.randrange(block_length + 2), random.randrange(3 * CHUNK_BYTES)
        spans = list(chunk_spans(offset, length, block_length))
        ends = [start + size for start, size in spans]
        assert all(start % CHUNK_BYTES == 0 for start, _ in spans)
        assert all(end % CHUNK_BYTES == 0 or end == block_length for end in ends)
        assert [start for start, _ in spans[1:]] == ends[:-1], "a gap"
        wanted = range(offset, min(offset + length, block_length))
        if wanted:
            assert spans[0][0] <= wanted[0] < spans[0][0] + CHUNK_BYTES
            assert ends[-1] - CHUNK_BYTES <= wanted[-1] < ends[-1]
        else:
            assert spans == []


def test_the_checksum_is_the_standard_one() -> None:
    assert crc32(b"123456789") == zlib.crc32(b"123456789") == 0xCBF43926


@pytest.mark.parametrize("length", [0, 1, 511, 512, 513, 1024, CHUNK_BYTES - 1, CHUNK_BYTES])
def test_small_crcs_are_those_of_every_512_bytes(length: int) -> None:
    data = Random(length).randbytes(length)
    crcs = small_crcs(memoryview(data))
    pieces = [data[start : start + BYTES_PER_CRC] for start in range(0, length, BYTES_PER_CRC)]
    assert crcs == b"".join(zlib.crc32(piece).to_bytes(4, "big") for piece in pieces)
