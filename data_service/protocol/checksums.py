"""Checksums: one CRC32 for each chunk of a block, made by the writer, verified by the reader.

A chunk is also the unit on the wire (one packet) and on disk (one checksum behind the data), so
a checksum is computed once by the client that writes and travels with its chunk, through every
datanode's disk, to the client that reads: damage anywhere between is seen by the one who reads.

The digest of a block is over its checksums. Its writer tells it to the namenode, which keeps it:
so no datanode on the way puts other checksums to other bytes unseen. But CRC32 can be forged: who
has the bytes, and computes for it, finds others with the same checksums. To exclude that takes a
cryptographic hash of all bytes, by all who write and read, which costs more than all else that
a reader does (measured: SHA-256 2.0 GB/s, BLAKE2b 1.4, CRC32 7.1).

The checksum of a whole file is another thing, and HDFS's: it is made of the CRC32s of every 512
bytes, so that two clusters that keep a file in blocks of one size give it one checksum.
"""

import struct
from typing import Iterator, NamedTuple, Sequence, Tuple
from zlib import crc32

from data_service.protocol.blocks import DIGEST_BYTES
from zookeeper.fabric.kinds import Natural

CHUNK_BYTES = 256 * 1024
"""Bytes a checksum covers. 128 to 512 KiB are fastest on the wire (cache-sized).

Measured with 1 GiB at replication 3: with 256 KiB a put takes 8 to 10 % less CPU than with 128,
and a read 8 to 13 %. It is part of the layout on disk: see `datanode/store/layout.py`.
"""

CHECKSUM_BYTES = 4
"""Bytes of one checksum."""

BYTES_PER_CRC = 512
"""Bytes of each CRC32 in the checksum of a file; HDFS's default for dfs.bytes-per-checksum."""


class BlockChecksum(NamedTuple):
    """A block's part of its file's checksum: the MD5 of its CRC32s, and how many there are."""

    md5: bytes
    crc_count: Natural


def chunk_count(length: int) -> int:
    """How many chunks, and checksums, a block of `length` bytes has."""
    return -(-length // CHUNK_BYTES)


def chunk_spans(offset: int, length: int, block_length: int) -> Iterator[Tuple[int, int]]:
    """(start, size) of every chunk that covers `length` bytes from `offset` of a block.

    Reads are verified chunk by chunk, so they start and end on chunk borders.
    """
    end = min(offset + length, block_length)
    start = offset - offset % CHUNK_BYTES if offset < end else end
    while start < end:
        yield start, min(CHUNK_BYTES, block_length - start)
        start += CHUNK_BYTES


def pack_checksums(checksums: Sequence[int]) -> bytes:
    """The checksums of chunks as they are sent: CHECKSUM_BYTES each."""
    return struct.pack(f"!{len(checksums)}I", *checksums)


def unpack_checksums(data: bytes) -> Tuple[int, ...]:
    """The reverse of `pack_checksums`; raises struct.error for bytes that are no multiple of it."""
    return tuple(checksum for (checksum,) in struct.iter_unpack("!I", data))


def block_digest(length: int, checksums: Sequence[int]) -> bytes:
    """The digest of a block of `length` bytes whose chunks have these checksums."""
    import hashlib  # A command that moves no bytes does not wait for it.

    whole = struct.pack("!Q", length) + pack_checksums(checksums)
    return hashlib.blake2b(whole, digest_size=DIGEST_BYTES).digest()


def small_crcs(data: memoryview) -> bytes:
    """The CRC32 of every BYTES_PER_CRC bytes, big-endian, the last of what is left over."""
    crcs = [crc32(data[start : start + BYTES_PER_CRC])
            for start in range(0, len(data), BYTES_PER_CRC)]
    return struct.pack(f"!{len(crcs)}I", *crcs)


__all__ = [
    "BYTES_PER_CRC",
    "CHECKSUM_BYTES",
    "CHUNK_BYTES",
    "BlockChecksum",
    "block_digest",
    "chunk_count",
    "chunk_spans",
    "crc32",
    "pack_checksums",
    "small_crcs",
    "unpack_checksums",
]
