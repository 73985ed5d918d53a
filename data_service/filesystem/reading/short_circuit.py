"""Replicas on the reader's own machine, read as files: their datanodes only open them.

Theory of operation. What a datanode sends goes through its disk's cache, a socket, and the reader's
memory; an open file saves the socket, half of the work. A datanode hands it over its Unix socket,
after the handshake that every reader goes through, beside the checksums of the chunks: which of its
files this is, and what lies there behind the data, stays its own affair. The reader verifies as
ever. A replica that is removed meanwhile stays readable, as for a datanode that is sending it.

Whatever is the matter, the replica is asked for as on any other machine. Where nobody answers on a
Unix socket (the datanode is elsewhere, or in a container, or of an older release, or has that
switched off) that is remembered for a while: a name to look up for each block is no gain. Only a
wait that was in vain counts at once, since the same datanode would be waited for again.
"""

import os
import stat
import time
from functools import partial
from typing import Callable, Iterator, Optional, Sequence, Tuple

from data_service.filesystem.reading.block_contents import receive_checksums
from data_service.filesystem.reading.node_memory import NodeMemory
from data_service.protocol.checksums import CHUNK_BYTES, chunk_spans
from data_service.protocol.files import LocatedBlock
from data_service.protocol.nodes import Target
from data_service.stubs.datanode_client import DataNodeClient
from zookeeper.fabric import logs
from zookeeper.fabric.errors import (
    BlockMissing,
    Busy,
    CorruptData,
    DeadlineExceeded,
    DfsError,
    DiskFailed,
    ProtocolViolation,
    TokenExpired,
    Unavailable,
)

log = logs.get("reader")

ELSEWHERE_SECONDS = 60.0
"""How long it is remembered that a datanode hands no files over."""

NAME_BYTES_MAX = 1024
"""What the id of a datanode may have, which comes beside a file that it hands over."""

_OF_THE_REPLICA = (BlockMissing, Busy, CorruptData, DiskFailed)
"""What is the matter with one replica, and says nothing of the others on its datanode."""


class LocalReplica:
    """The chunks of a replica that cover a range of its block, read from an open file; close it.

    `on_trouble` is told when the file cannot be read.
    """

    def __init__(
        self,
        descriptor: int,
        checksums: Sequence[int],
        spans: Iterator[Tuple[int, int]],
        on_trouble: Callable[[], None],
    ) -> None:
        self._descriptor = descriptor
        self.checksums = checksums
        self._spans = spans
        self._on_trouble = on_trouble

    def receive(self, buffer: memoryview) -> Optional[Tuple[memoryview, int]]:
        """The next chunk and its CRC32, not verified; None behind the last one. Raises Unavailable
        when it cannot be read: its datanode can tell what that means."""
        span = next(self._spans, None)
        if span is None:
            return None
        start, size = span
        data = buffer[:size]
        try:
            count = os.preadv(self._descriptor, [data], start)
        except OSError as error:
            if error.errno is None:
                raise  # Of a signal handler, not of the system.
            raise self._unreadable(error.strerror or str(error)) from None
        if count != size:
            raise self._unreadable(f"{count} bytes where {size} should be")
        return data, self.checksums[start // CHUNK_BYTES]

    def close(self) -> None:
        """Close the file; may be called again."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _unreadable(self, problem: str) -> Unavailable:
        self._on_trouble()
        return Unavailable(f"a replica on this machine cannot be read: {problem}")


class ShortCircuit:
    """How the blocks of one cluster are read on this machine. Thread-safe."""

    def __init__(
        self, datanodes: DataNodeClient, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._datanodes = datanodes
        self._elsewhere = NodeMemory(clock)

    def read_block(
        self, target: Target, located: LocatedBlock, offset: int, length: int
    ) -> Optional[LocalReplica]:
        """The chunks that cover `length` bytes from `offset` of a block, from a datanode on this
        machine; None when it has to be asked by its port. Raises DeadlineExceeded and
        TokenExpired."""
        if target.node_id in self._elsewhere.avoided:
            return None
        forget = partial(self._elsewhere.avoid, target.node_id, ELSEWHERE_SECONDS)
        try:
            descriptor, checksums = self._open(target, located)
        except _OF_THE_REPLICA:
            return None
        except TokenExpired:
            raise  # Its port would say the same.
        except DfsError as error:
            log.debug("short_circuit.off", node=target.node_id, error=error.message)
            forget()
            if isinstance(error, DeadlineExceeded):
                raise
            return None
        spans = chunk_spans(offset, length, located.block.length)
        return LocalReplica(descriptor, checksums, spans, forget)

    def _open(self, target: Target, located: LocatedBlock) -> Tuple[int, Tuple[int, ...]]:
        """The open file of a replica, and the checksums of its chunks."""
        block = located.block
        buffer = memoryview(bytearray(NAME_BYTES_MAX))
        node = self._datanodes.here(target)
        body = node.open_replica(block.block_id, block.generation, located.token)
        try:
            packet = body.receive_file(buffer)
            if packet is None:
                raise ProtocolViolation(f"the datanode {target.node_id} handed no file over")
            name, descriptor = bytes(packet[0]), packet[1]
            try:
                if name != target.node_id.encode():
                    raise Unavailable("another datanode has this name on this machine")
                checksums = receive_checksums(body, block.length)
                _require_bytes(descriptor, block.length)
            except BaseException:
                os.close(descriptor)
                raise
        finally:
            body.close()
        return descriptor, checksums


def _require_bytes(descriptor: int, length: int) -> None:
    """Raise CorruptData for anything but a file with so many bytes, behind which others may be."""
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_size < length:
        raise CorruptData(f"an open file of {found.st_size} bytes, not {length}")
