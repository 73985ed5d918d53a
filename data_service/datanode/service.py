"""What clients and other datanodes may ask of a datanode: take a block in, send one, sum one up."""

from contextlib import contextmanager
from typing import Any, Callable, Iterable, Iterator, Optional, Tuple

from data_service.datanode.access import Access
from data_service.datanode.incremental_report import RECEIVED
from data_service.datanode.pipeline import Downstream, receive_block
from data_service.datanode.store.activity import (
    BYTES_READ,
    HANDED_OVER,
    READ,
    READS_FAILED,
    WRITES_FAILED,
)
from data_service.datanode.store.block_store import BlockStore
from data_service.datanode.store.open_replica import Chunk, OpenReplica
from data_service.datanode.transfer_slots import TransferSlots
from data_service.protocol.blocks import Told
from data_service.protocol.checksums import CHUNK_BYTES, BlockChecksum, crc32
from data_service.protocol.datanode_calls import DataNodeCalls, Holders
from data_service.protocol.nodes import Targets
from data_service.stubs.datanode_client import DataNodeClient
from zookeeper.fabric import logs
from zookeeper.fabric.calls import Call, serves
from zookeeper.fabric.errors import DfsError, PermissionDenied
from zookeeper.fabric.figures import Family
from zookeeper.fabric.packets import PACKET_BYTES_MAX, PacketReader, PacketWriter
from zookeeper.fabric.rpc import Service
from zookeeper.fabric.settings import NetworkSettings

log = logs.get("data_node")

WRITERS_PATIENCE, READERS_PATIENCE = 0.25, 0.5
"""How much of the time after which it counts as stalled a transfer may wait for its turn: a writer,
for whom each datanode of a pipeline may wait in turn; and of the time for a call a reader."""


@serves(DataNodeCalls)
class DataNodeService(Service):
    """The calls of one connection; `tell` brings the namenode word of a replica.

    There is no way to delete.
    """

    def __init__(
        self,
        store: BlockStore,
        slots: TransferSlots,
        peers: DataNodeClient,
        tell: Callable[[str, Iterable[Told]], None],
        network: NetworkSettings,
        access: Access,
    ) -> None:
        self._store = store
        self._slots = slots
        self._peers = peers
        self._tell = tell
        self._network = network
        self._access = access

    def write_block(
        self,
        packets: PacketReader,
        block_id: int,
        generation: int,
        size: int,
        token: bytes,
        targets: Targets,
    ) -> Holders:
        """Take a block of up to `size` bytes in and pass it on to `targets`.

        The ids of all datanodes that hold it then.
        """
        block = (block_id, generation, size)
        permit = self._access.check_write(token, self.peer.principal, block, targets)
        patience = self._network.stall_timeout_seconds * WRITERS_PATIENCE
        with self._slots.hold(patience, len(targets), user=permit.user):
            with self._failures_counted(WRITES_FAILED):
                return receive_block(
                    packets,
                    self._store,
                    block,
                    self._downstream(*block, token, targets),
                    lambda finished: self._tell(RECEIVED, [finished]),
                    permit.digest,
                )

    def read_block(
        self,
        packets: PacketWriter,
        block_id: int,
        generation: int,
        offset: int,
        length: int,
        token: bytes,
        as_it_is: bool = False,
    ) -> None:
        """Send the chunks that cover `length` bytes from `offset`, with their stored checksums.

        They go from the disk's cache to the network unseen: it is the reader who verifies them, or
        who wants them `as_it_is`, since nothing better is left.
        """
        user = self._access.check_read(token, self.peer.principal, block_id, generation)
        activity = self._store.activity
        with self._slots.hold(
            self._readers_patience, interrupt=packets.interrupt, user=user
        ) as transfer, self._failures_counted(READS_FAILED), self._store.read(
            block_id, generation, as_it_is
        ) as replica:
            for chunk in replica.chunks(offset, length):
                transfer.touch()
                try:
                    packets.send_file(replica.descriptor, *chunk)
                except DfsError:
                    # The reader went away, or the disk failed: sendfile does not tell which.
                    _look_again(replica, chunk)
                    raise
                activity.note(BYTES_READ, chunk.size)
            activity.note(READ)

    def open_replica(
        self, packets: PacketWriter, block_id: int, generation: int, token: bytes
    ) -> None:
        """Hand a replica over to a reader on this machine, who reads and verifies it himself.

        It stays readable for him when it is removed meanwhile. His id of this datanode must be the
        one that comes with it: on another machine there may be a namesake.
        """
        self._access.check_read(token, self.peer.principal, block_id, generation)
        with self._store.read(block_id, generation) as replica:
            packets.hand_over(replica.descriptor, self._store.volumes.node_id.encode())
            _send_checksums(packets, replica)
        self._store.activity.note(HANDED_OVER)

    def chunk_checksums(
        self, packets: PacketWriter, block_id: int, generation: int, token: bytes
    ) -> None:
        """Send the checksums of all chunks, which the reader compares with the block's digest."""
        self._access.check_read(token, self.peer.principal, block_id, generation)
        with self._store.read(block_id, generation) as replica:
            _send_checksums(packets, replica)

    def block_checksum(
        self, block_id: int, generation: int, length: int, token: bytes
    ) -> BlockChecksum:
        """The MD5 of the CRC32s of a replica's first `length` bytes, and how many these are.

        The bytes are verified, and stay here.
        """
        user = self._access.check_read(token, self.peer.principal, block_id, generation)
        with self._slots.hold(self._readers_patience, user=user):
            with self._store.read(block_id, generation) as replica:
                return replica.checksum(length)

    def own_figures(self) -> Tuple[Family, ...]:
        """See Service."""
        return (*self._store.figures(), *self._slots.figures())

    @contextmanager
    def _failures_counted(self, deed: str) -> Iterator[None]:
        try:
            yield
        except DfsError:
            self._store.activity.note(deed)
            raise

    def note(
        self, call: Call, args: Tuple[Any, ...], seconds: float, error: Optional[Exception]
    ) -> None:
        """Tell also who was refused: he has no token for that, or he would not have asked."""
        super().note(call, args, seconds, error)
        if isinstance(error, PermissionDenied):
            caller, host = self.peer.principal, self.peer.host
            log.warning("call.refused", call=call.name, caller=caller, host=host, error=error)

    @property
    def _readers_patience(self) -> float:
        return self._network.call_timeout_seconds * READERS_PATIENCE

    def _downstream(
        self, block_id: int, generation: int, size: int, token: bytes, targets: Targets
    ) -> Downstream:
        own_id = self._store.volumes.node_id
        if not targets:
            return Downstream((own_id, ""), None)
        return Downstream(
            (own_id, targets[0].node_id),
            lambda: self._peers.write_block(block_id, generation, size, token, targets),
        )


def _send_checksums(packets: PacketWriter, replica: OpenReplica) -> None:
    rest = memoryview(replica.checksums())
    while rest:
        piece, rest = rest[:PACKET_BYTES_MAX], rest[PACKET_BYTES_MAX:]
        packets.send(piece, crc32(piece))


def _look_again(replica: OpenReplica, chunk: Chunk) -> None:
    """Verify a chunk that could not be sent: the store marks the replica if it is damaged."""
    try:
        replica.verified(chunk, memoryview(bytearray(CHUNK_BYTES)))
    except DfsError as error:
        log.warning("read.failed", block=replica.block.name, error=error.message)
