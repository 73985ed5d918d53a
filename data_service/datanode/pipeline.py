"""The write pipeline: take a block in, pass it on while it comes, acknowledge when it is safe.

Theory of operation. Packets arrive from the client or the datanode before us. Each is sent on to
the next datanode from the same buffer, then verified, then written: nothing is stored before it is
forwarded, and no block is ever whole in memory. At the end mark each datanode makes its replica
durable at the same time as those after it, tells the namenode, waits for the datanodes after it,
and answers with the list of all that hold the block. Anything that goes wrong anywhere breaks the
whole pipeline off: the block is abandoned by the client and written again under a new id. A replica
is never resumed in the middle (HDFS-4660, HDFS-7065).
"""

import time
from contextlib import contextmanager
from typing import Callable, Iterator, Optional, Tuple

from data_service.datanode.store.block_store import BlockStore
from data_service.datanode.store.replica_writer import ReplicaWriter
from data_service.protocol.blocks import SealedBlock
from data_service.protocol.checksums import CHUNK_BYTES, crc32
from data_service.protocol.datanode_calls import Holders
from data_service.protocol.failures import seen_from_upstream
from zookeeper.fabric.calls import Sending
from zookeeper.fabric.errors import (
    CorruptData,
    DeadlineExceeded,
    DfsError,
    InvalidArgument,
    Unavailable,
)
from zookeeper.fabric.packets import PacketReader


BYTES_PER_SECOND_MIN = 16 << 10
"""Who sends a block more slowly than this holds room and a slot that others need: a writer has all
of a block before it begins to send."""

GRACE_SECONDS = 60.0
"""How much longer than at that rate a block may take."""


class Downstream:
    """The next datanode of a pipeline. `link` are the ids of this one and of that one; `begin`
    begins the call, and is None when this one is the last."""

    def __init__(
        self, link: Tuple[str, str], begin: Optional[Callable[[], Sending[Holders]]]
    ) -> None:
        self._link = link
        self._begin = begin
        self._body: Optional[Sending[Holders]] = None

    def open(self) -> None:
        """Begin to pass the block on; raises PipelineFailed that names the link, as the others."""
        if self._begin is not None:
            with self._blame():
                self._body = self._begin()

    def send(self, data: memoryview, checksum: int) -> None:
        """Pass one packet on."""
        if self._body is not None:
            with self._blame():
                self._body.send(data, checksum)

    def end(self) -> None:
        """Say that the block is whole."""
        if self._body is not None:
            with self._blame():
                self._body.end()

    def holders(self) -> Holders:
        """Wait until the datanodes downstream have the block; their ids."""
        if self._body is None:
            return ()
        with self._blame():
            return self._body.result()

    def close(self) -> None:
        """Hang up; unless `holders` returned, the datanodes downstream drop what they have."""
        if self._body is not None:
            self._body.close()

    @contextmanager
    def _blame(self) -> Iterator[None]:
        try:
            yield
        except DfsError as error:
            raise seen_from_upstream(self._link, error) from None


def receive_block(
    packets: PacketReader,
    store: BlockStore,
    block: Tuple[int, int, int],
    downstream: Downstream,
    report: Callable[[SealedBlock], None],
    digest: bytes = b"",
) -> Holders:
    """Run one datanode's part of a pipeline; the ids of the datanodes that hold the block.

    `block` is its id, generation, and how many bytes it may have; `report` tells the namenode of
    the finished replica, which has the `digest`, if it is known before. Raises PipelineFailed when
    a datanode downstream failed, CorruptData when the bytes were damaged on the way, or are others,
    DiskFull, DiskFailed.
    """
    writer = store.create(*block)
    try:
        try:
            downstream.open()
            _receive_packets(packets, writer, downstream, block[2])
            if digest and writer.digest != digest:
                raise CorruptData("these are not the bytes of which a copy was ordered")
            downstream.end()
        except BaseException:
            store.discard(writer)
            raise
        finished = store.finish(writer)
        report(SealedBlock(*finished, writer.digest))
        return (store.volumes.node_id,) + downstream.holders()
    finally:
        downstream.close()


def _receive_packets(
    packets: PacketReader, writer: ReplicaWriter, downstream: Downstream, size: int
) -> None:
    # To clear the memory for a whole chunk takes longer than to write a small block.
    buffer = memoryview(bytearray(min(CHUNK_BYTES, size)))
    last_size = CHUNK_BYTES
    began = time.monotonic()
    while True:
        packet = packets.receive(buffer)
        if packet is None:
            break
        if time.monotonic() - began > GRACE_SECONDS + writer.length / BYTES_PER_SECOND_MIN:
            raise DeadlineExceeded(f"after {writer.length} bytes the writer is too slow")
        data, checksum = packet
        if last_size != CHUNK_BYTES:
            raise InvalidArgument("a short chunk can only be the last one of a block")
        last_size = len(data)
        downstream.send(data, checksum)
        if crc32(data) != checksum:
            raise CorruptData("a packet was damaged on its way to this datanode")
        writer.write(data, checksum)
    if not packets.whole:
        raise Unavailable("the writer gave the block up")
