"""The datanode daemon: serves blocks to clients and datanodes, obeys the namenode."""

import argparse
import threading
import time
from typing import Any, Callable, List, Optional, Tuple

from data_service.datanode.store.block_store import BlockStore
from data_service.datanode.actor import NameNodeActor
from data_service.datanode.incremental_report import CORRUPT, DELETED, RECEIVED, VERIFIED
from data_service.datanode.store.open_replica import Chunk, OpenReplica
from data_service.datanode.pipeline import Downstream, receive_block
from data_service.datanode.background.directory_scanner import DirectoryScanner
from data_service.datanode.copying import copy_block, open_pipeline, unreached_targets
from data_service.datanode.background.block_scanner import BlockScanner
from data_service.datanode.transfer_slots import TransferSlots
from data_service.datanode.background.trash_emptier import TrashEmptier
from data_service.datanode.background.verifier import Verifier
from data_service.protocol.blocks import Block
from data_service.protocol.checksums import CHUNK_BYTES
from data_service.protocol.failures import seen_from_upstream
from data_service.protocol.messages import DELETE_CORRUPT, REPLICATE, TRASH, VERIFY, Command
from data_service.protocol.validation import check_integers, check_targets
from zookeeper.coordinator import Coordinator
from zookeeper.fabric import daemon, logs
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.errors import BlockMissing, DfsError, InvalidArgument, SessionExpired
from zookeeper.fabric.identity import DATA_NODE, NAME_NODE
from zookeeper.fabric.remote import LeaderPool
from zookeeper.fabric.rpc import Service, answers_with_body, takes_body
from zookeeper.fabric.server import Server
from zookeeper.fabric.settings import Settings
from zookeeper.fabric.stream import PacketReader, PacketWriter

log = logs.get("data_node")

WRITERS_PATIENCE, READERS_PATIENCE = 0.25, 0.5
"""How much of the time after which it counts as stalled a transfer may wait for its turn: a writer,
for whom each datanode of a pipeline may wait in turn; and of the time for a call a reader."""

ORDERS_MAX = 32
"""Orders that are carried out at a time, those that a hung disk holds up among them."""

_Targets = Tuple[Tuple[str, str, int], ...]


class DataNode(daemon.Daemon):
    """One datanode process: `index` into data_node_hosts tells which."""

    def __init__(self, settings: Settings, index: int, credentials: Credentials) -> None:
        own = settings.data_node
        self.settings = settings
        self.credentials = credentials
        self.address = daemon.address_at(own.hosts, index, "data_node_hosts")
        self.store = BlockStore(
            own.directories_of(self.address),
            own.reserved_bytes,
            lambda block: self.actor.tell(CORRUPT, [block]),
        )
        self._slots = TransferSlots(own.max_streams, str(self.address))
        self._copies = threading.BoundedSemaphore(settings.name_node.max_replication_streams)
        self._orders = threading.BoundedSemaphore(ORDERS_MAX)
        namenode = LeaderPool(NAME_NODE, settings.name_node.hosts, credentials, settings.network)
        self.actor = NameNodeActor(
            self.address,
            own,
            self.store,
            namenode,
            self._obey,
            lambda: self._slots.running,
            self._join,
        )
        self._verifier = Verifier(self.store, self.actor.tell, self.actor.report_again)
        self._block_scanner = BlockScanner(
            self.store, own.scan_period_seconds, own.scan_bytes_per_second
        )
        self._directory_scanner = DirectoryScanner(self.store, own.block_report_seconds)
        self._trash_emptier = TrashEmptier(self.store.volumes, own.trash_seconds)
        self._server: Optional[Server] = None
        self._coordinator: Optional[Coordinator] = None

    def start(self) -> None:
        """Open the store, serve, register; returns after the first full block report."""
        self.store.open()
        host = daemon.bind_host(self.settings, self.address)
        self._server = Server(
            f"{DATA_NODE}@{self.address}",
            host,
            self.address.port,
            lambda: DataNodeService(self),
            self.credentials,
            self.settings.network,
        )
        self._server.start()
        self.actor.start()
        self._block_scanner.start()
        self._directory_scanner.start()
        self._trash_emptier.start()
        self.actor.await_registration()
        self._verifier.start()
        usage = self.store.usage()
        self.ready = (
            f"{self.address} blocks={usage.replicas} used={usage.used} "
            f"remaining={usage.remaining}"
        )

    def stop(self) -> None:
        """Finish running transfers, say goodbye, release the directories."""
        if self._server is not None:
            self._server.stop()
        self._block_scanner.stop()
        self._directory_scanner.stop()
        self._trash_emptier.stop()
        self._verifier.stop()
        self.actor.stop()
        if self._coordinator is not None:
            self._coordinator.stop()
        self.store.close()

    def _join(self) -> None:
        """A namenode knows this datanode: let the zookeeper see it, too. Not before, or one that
        is refused would take over what the datanode has that lives at its address."""
        if self._coordinator is None:
            self._coordinator = Coordinator(str(self.address), self.settings, self.credentials)
            self._coordinator.register(f"/data_nodes/{self.address}", self.store.volumes.node_id)
            self._coordinator.start()

    def write_block(
        self, packets: PacketReader, block: Tuple[int, int, int], token: bytes, targets: _Targets
    ) -> Tuple[str, ...]:
        """This datanode's part of a write pipeline; the ids of all that hold the block then."""
        patience = self.settings.network.stall_timeout_seconds * WRITERS_PATIENCE
        with self._slots.hold(patience, len(targets)):
            return self._write_block(packets, block, token, targets)

    def _write_block(
        self, packets: PacketReader, block: Tuple[int, int, int], token: bytes, targets: _Targets
    ) -> Tuple[str, ...]:
        block_id, generation, size = block
        writer = self.store.create(block_id, generation, size)
        try:
            downstream = self._downstream(block, token, targets)
        except BaseException:
            self.store.discard(writer)
            raise
        return receive_block(
            packets,
            self.store,
            writer,
            downstream,
            lambda finished: self.actor.tell(RECEIVED, [finished]),
        )

    def read_block(
        self,
        packets: PacketWriter,
        block_id: int,
        generation: int,
        offset: int,
        length: int,
        as_it_is: bool,
    ) -> None:
        """Send the chunks that cover a range of a replica, with their stored checksums.

        They go from the disk's cache to the network unseen: it is the reader who verifies them, or
        who wants them `as_it_is`, since nothing better is left.
        """
        with self._slots.hold(
            self._readers_patience, interrupt=packets.interrupt
        ) as transfer, self.store.read(block_id, generation, as_it_is) as replica:
            for chunk in replica.chunks(offset, length):
                transfer.touch()
                try:
                    packets.send_file(replica.descriptor, *chunk)
                except DfsError:
                    # The reader went away, or the disk failed: sendfile does not tell which.
                    _look_again(replica, chunk)
                    raise

    def block_checksum(self, block_id: int, generation: int, length: int) -> Tuple[bytes, int]:
        """The MD5 of the CRC32s of a replica's first `length` bytes, and how many these are."""
        with self._slots.hold(self._readers_patience):
            with self.store.read(block_id, generation) as replica:
                return replica.checksum(length)

    @property
    def _readers_patience(self) -> float:
        return self.settings.network.call_timeout_seconds * READERS_PATIENCE

    def _downstream(
        self, block: Tuple[int, int, int], token: bytes, targets: _Targets
    ) -> Downstream:
        own_id = self.store.volumes.node_id
        if not targets:
            return Downstream(own_id, "", None)
        link = (own_id, targets[0][0])
        try:
            body = open_pipeline(*block, token, targets, self.credentials, self.settings.network)
        except DfsError as error:
            raise seen_from_upstream(link, error) from None
        return Downstream(*link, body)

    def _obey(self, command: Command, holds: Callable[[], bool]) -> None:
        """Carry out a command in a thread of its own, so that heartbeats go on."""
        action = self._replicate if command.action == REPLICATE else self._remove
        try:
            if command.action == VERIFY:
                self._verifier.order(command.blocks)
                return
            if not self._orders.acquire(blocking=False):
                raise RuntimeError(f"{ORDERS_MAX} are being carried out")
            try:
                threading.Thread(
                    target=self._carry_out, args=(action, command, holds), name="order", daemon=True
                ).start()
            except RuntimeError:
                self._orders.release()
                raise
        except RuntimeError as error:
            # The namenode repeats what was not done.
            log.warning("command.dropped", action=command.action, error=error)

    def _carry_out(
        self,
        action: Callable[[Command, Callable[[], bool]], None],
        command: Command,
        holds: Callable[[], bool],
    ) -> None:
        try:
            action(command, holds)
        finally:
            self._orders.release()

    def _remove(self, command: Command, holds: Callable[[], bool]) -> None:
        take_out = self.store.move_to_trash if command.action == TRASH else self.store.remove
        removed: List[Block] = []
        for block in command.blocks:
            try:
                if command.action == DELETE_CORRUPT and self._is_good_after_all(block):
                    self.actor.tell(VERIFIED, [block])
                    continue
                take_out(block, holds)
                removed.append(block)
            except SessionExpired as error:
                log.info("command.lapsed", action=command.action, reason=error.message)
                break
            except DfsError as error:
                log.error("replica.not_removed", block=block.name, error=error.message)
                # It is here, whatever was told meanwhile.
                self.actor.report_again()
        log.info("replicas.removed", action=command.action, count=len(removed))
        self.actor.tell(DELETED, removed)

    def _is_good_after_all(self, block: Block) -> bool:
        """Look once more before a replica is removed for its damage: only the reading failed."""
        try:
            return self._verifier.verify(block)
        except BlockMissing:
            return False

    def _replicate(self, command: Command, holds: Callable[[], bool]) -> None:
        if not command.blocks or not command.targets:
            log.warning("command.malformed", action=command.action)
            return
        if not holds():
            return
        block = command.blocks[0]
        if not self._copies.acquire(blocking=False):
            log.info("copy.dropped", block=block.name, reason="enough copies run")
            self.actor.tell_failure(block)
            return
        started = time.monotonic()
        try:
            copy_block(
                self.store, block, command.targets, self.credentials, self.settings.network
            )
            log.info("copy.done", block=block.name, seconds=round(time.monotonic() - started, 3))
        except DfsError as error:
            log.warning("copy.failed", block=block.name, error=error.message)
            self.actor.tell_failure(block, unreached_targets(error, command.targets))
        finally:
            self._copies.release()


class DataNodeService(Service):
    """What clients and other datanodes may ask of a datanode. There is no way to delete."""

    def __init__(self, node: DataNode) -> None:
        self._node = node

    @takes_body
    def exposed_write_block(
        self,
        packets: PacketReader,
        block_id: int,
        generation: int,
        size: int,
        token: bytes,
        targets: Tuple[Any, ...],
    ) -> Tuple[str, ...]:
        """Take a block of up to `size` bytes in and pass it on to `targets`."""
        check_integers(block_id, generation, size)
        check_targets(targets)
        _check_token(token)
        block = (block_id, generation, size)
        return self._node.write_block(packets, block, token, targets)

    @answers_with_body
    def exposed_read_block(
        self,
        packets: PacketWriter,
        block_id: int,
        generation: int,
        offset: int,
        length: int,
        token: bytes,
        as_it_is: bool = False,
    ) -> None:
        """Send the chunks that cover `length` bytes from `offset`, damaged ones if so wanted."""
        check_integers(block_id, generation, offset, length)
        _check_token(token)
        self._node.read_block(packets, block_id, generation, offset, length, as_it_is is True)

    def exposed_block_checksum(
        self, block_id: int, generation: int, length: int, token: bytes
    ) -> Tuple[bytes, int]:
        """A block's part of its file's checksum; its bytes are verified, and stay here."""
        check_integers(block_id, generation, length)
        _check_token(token)
        return self._node.block_checksum(block_id, generation, length)


def _check_token(token: bytes) -> None:
    if type(token) is not bytes:
        raise InvalidArgument("expected a block token")


def _look_again(replica: OpenReplica, chunk: Chunk) -> None:
    """Verify a chunk that could not be sent: the store marks the replica if it is damaged."""
    try:
        replica.verified(chunk, memoryview(bytearray(CHUNK_BYTES)))
    except DfsError as error:
        log.warning("read.failed", block=replica.block.name, error=error.message)


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "index", type=int, help="which datanode to be: index into data_node_hosts, from 0"
    )


def main(argv: Optional[List[str]] = None) -> int:
    """Run one datanode until it is told to stop; the process's exit status."""
    return daemon.run(
        DATA_NODE,
        "Keeps blocks and serves them; its index in data_node_hosts tells which datanode it is.",
        argv,
        lambda settings, arguments, credentials: DataNode(settings, arguments.index, credentials),
        _add_arguments,
    )
