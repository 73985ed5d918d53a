"""What the chunks of blocks must be: the checksums that match the digests of their writers.

Theory of operation. A datanode sends each chunk with a checksum, and one that wants to deceive
sends one that fits. So the checksums of all chunks are asked for before the first of them, and are
believed when their digest is the one that the block's writer told the namenode. From then on they
are those of every replica. A block of one chunk needs no question.
"""

from typing import Dict, Sequence, Tuple

from data_service.protocol.checksums import (
    CHECKSUM_BYTES,
    CHUNK_BYTES,
    block_digest,
    chunk_count,
    crc32,
    unpack_checksums,
)
from data_service.protocol.files import LocatedBlock
from zookeeper.fabric.calls import Receiving
from zookeeper.fabric.errors import CorruptData, ProtocolViolation
from zookeeper.fabric.packets import PACKET_BYTES_MAX

BLOCKS_KEPT = 64
"""Whose checksums are kept: 16 KiB for a block of 128 MiB."""


class BlockContents:
    """Of the blocks of one file. Thread-safe."""

    def __init__(self) -> None:
        self._checksums: Dict[int, Sequence[int]] = {}

    def needs(self, located: LocatedBlock) -> bool:
        """Whether the checksums of a block's chunks are still to be learned."""
        several = located.block.length > CHUNK_BYTES
        return several and bool(located.digest) and located.block.block_id not in self._checksums

    def learn(self, located: LocatedBlock, checksums: Sequence[int]) -> None:
        """What a datanode says of a block; raises CorruptData when its writer said otherwise."""
        if not located.digest:
            return
        if block_digest(located.block.length, checksums) != located.digest:
            raise CorruptData("this replica is not what the block's writer sent")
        self._checksums[located.block.block_id] = checksums
        while len(self._checksums) > BLOCKS_KEPT:
            self._checksums.pop(next(iter(list(self._checksums))), None)

    def of(self, located: LocatedBlock) -> Sequence[int]:
        """The checksums of a block, none where they are not known. Who reads it keeps them: other
        blocks may take its place here before he is done."""
        return self._checksums.get(located.block.block_id, ())

    def __repr__(self) -> str:
        return f"<BlockContents of {len(self._checksums)} blocks>"


def allows(located: LocatedBlock, known: Sequence[int], start: int, checksum: int) -> bool:
    """Whether the chunk at `start` of a block, whose checksums are `known`, may have this one; any
    one may where the block's writer told no digest."""
    if not located.digest:
        return True
    if known:
        return known[start // CHUNK_BYTES] == checksum
    several = located.block.length > CHUNK_BYTES
    return not several and block_digest(located.block.length, (checksum,)) == located.digest


def receive_checksums(body: Receiving, length: int) -> Tuple[int, ...]:
    """The checksums that a datanode sends of all chunks of a block of `length` bytes."""
    count = chunk_count(length)
    whole = CHECKSUM_BYTES * count
    # Room for one more than there should be: who has others is told from who sends anything.
    buffer = memoryview(bytearray(min(PACKET_BYTES_MAX, whole + CHECKSUM_BYTES)))
    data = b""
    while len(data) <= whole:
        packet = body.receive(buffer)
        if packet is None:
            break
        if crc32(packet[0]) != packet[1]:
            raise ProtocolViolation("the checksums of a replica were damaged on their way")
        data += packet[0]
    if len(data) != whole:
        raise CorruptData(f"a replica with other checksums than those of {count} chunks")
    return unpack_checksums(data)
