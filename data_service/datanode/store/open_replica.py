"""A replica while it is read: its chunks, each with the checksum that its writer computed."""

import hashlib
import os
from typing import Callable, Iterator, NamedTuple

from data_service.datanode.store.replica_files import ReplicaFile
from data_service.datanode.store.volume import Volume
from data_service.protocol.blocks import Block
from data_service.protocol.checksums import (
    BYTES_PER_CRC,
    CHUNK_BYTES,
    BlockChecksum,
    block_digest,
    chunk_spans,
    crc32,
    pack_checksums,
    small_crcs,
)
from zookeeper.fabric.errors import CorruptData


class Chunk(NamedTuple):
    """A part of a replica's data with the checksum that its writer computed."""

    offset: int
    size: int
    checksum: int


class OpenReplica:
    """A replica being read; close it. It stays readable when the replica is removed meanwhile."""

    def __init__(
        self,
        volume: Volume,
        file: ReplicaFile,
        on_corrupt: Callable[[Block, str], object],
    ) -> None:
        self.descriptor, self.block, self._checksums = file
        self._on_corrupt = on_corrupt
        self._volume = volume

    def chunks(self, offset: int, length: int) -> Iterator[Chunk]:
        """The whole chunks that cover `length` bytes from `offset`."""
        for start, size in chunk_spans(offset, length, self.block.length):
            yield Chunk(start, size, self._checksums[start // CHUNK_BYTES])

    def checksums(self) -> bytes:
        """The stored checksums of all chunks, as they are sent."""
        return pack_checksums(self._checksums)

    def digest(self) -> bytes:
        """The digest of the block, as far as the stored checksums tell."""
        return block_digest(self.block.length, self._checksums)

    def verified(self, chunk: Chunk, buffer: memoryview) -> memoryview:
        """A chunk's bytes, read into `buffer`.

        Raises CorruptData when they do not match, which `on_corrupt` is told, too.
        """
        data = buffer[: chunk.size]
        try:
            count = self._volume.read_data(self.descriptor, data, chunk.offset, self.block)
            if count != chunk.size or crc32(data) != chunk.checksum:
                raise CorruptData(f"{self.block.name}: checksum mismatch at byte {chunk.offset}")
        except CorruptData as error:
            self._on_corrupt(self.block, error.message)
            raise
        return data

    def checksum(self, length: int) -> BlockChecksum:
        """What the first `length` bytes, each of them verified, add to their file's checksum.

        Raises CorruptData, also when the replica is shorter.
        """
        if length > self.block.length:
            raise CorruptData(f"{self.block.name} has {self.block.length} bytes, not {length}")
        buffer = memoryview(bytearray(min(CHUNK_BYTES, self.block.length)))
        md5 = hashlib.md5(usedforsecurity=False)
        for chunk in self.chunks(0, length):
            md5.update(small_crcs(self.verified(chunk, buffer)[: length - chunk.offset]))
        return BlockChecksum(md5.digest(), -(-length // BYTES_PER_CRC))

    def __enter__(self) -> "OpenReplica":
        return self

    def __exit__(self, *_exception: object) -> None:
        os.close(self.descriptor)
