"""The datanode daemon: serves blocks to clients and datanodes, does its duties for the namenode."""

import argparse
import threading
import time
from typing import Any, Callable, List, Optional, Tuple

from data_service.datanode.block_store import BlockStore
from data_service.datanode.duties import Duties
from data_service.datanode.pipeline import Downstream, receive_block
from data_service.datanode.scanner import Scanner
from data_service.datanode.replicator import copy_block, open_pipeline
from data_service.protocol.blocks import Block
from data_service.protocol.failures import pipeline_failure
from data_service.protocol.messages import DELETE, REPLICATE, Command
from data_service.protocol.validation import check_integers, check_targets
from zookeeper.coordinator import Coordinator
from zookeeper.fabric import daemon, logs
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.errors import (
    Busy,
    CorruptData,
    DfsError,

)
from zookeeper.fabric.remote import LeaderPool
from zookeeper.fabric.rpc import Service, answers_with_body, takes_body
from zookeeper.fabric.server import Server
from zookeeper.fabric.settings import Settings
from zookeeper.fabric.stream import PacketReader, PacketWriter

log = logs.get("data_node")

COPIES_MAX = 4
"""Commanded copies that run at a time; the namenode repeats what was not done."""

ORDERS_WAITING_MAX = 100


class DataNode(daemon.Daemon):
    """One datanode process: `index` into data_node_hosts tells which."""

    def __init__(self, settings: Settings, index: int, credentials: Credentials) -> None:
        self.settings = settings
        self.address = daemon.address_at(settings.data_node.hosts, index, "data_node_hosts")
        directories = settings.data_node.directories_of(self.address)
        self.store = BlockStore(directories, settings.data_node.reserved_bytes)
        self.credentials = credentials
        self._streams = threading.BoundedSemaphore(settings.data_node.max_streams)
        self._running = 0
        self._lock = threading.Lock()
        self._copies = threading.BoundedSemaphore(COPIES_MAX)
        namenode = LeaderPool(
            "name_node", settings.name_node.hosts, credentials, settings.network
        )
        self.duties = Duties(
            self.address,
            settings.data_node,
            self.store,
            namenode,
            self._obey,
            lambda: self._running,
        )
        own = settings.data_node
        self._scanner = Scanner(
            self.store,
            own.scan_period_seconds,
            own.scan_bytes_per_second,
            lambda block: self.duties.tell("corrupt", [block]),
        )
        self._server: Optional[Server] = None
        self._coordinator: Optional[Coordinator] = None

    def start(self) -> None:
        """Open the store, serve, register; returns after the first full block report."""
        self.store.open()
        host = daemon.bind_host(self.settings, self.address)
        self._server = Server(
            f"data_node@{self.address}",
            host,
            self.address.port,
            lambda: DataNodeService(self),
            self.credentials,
            self.settings.network,
        )
        self._server.start()
        self._coordinator = Coordinator(str(self.address), self.settings, self.credentials)
        self._coordinator.register(f"/data_nodes/{self.address}", self.store.node_id)
        self._coordinator.start()
        self.duties.start()
        self._scanner.start()
        self.duties.await_registration()
        _, used, remaining, blocks, _ = self.store.usage()
        self.ready = f"{self.address} blocks={blocks} used={used} remaining={remaining}"

    def stop(self) -> None:
        """Finish running transfers, say goodbye, release the directories."""
        if self._server is not None:
            self._server.stop()
        if self._coordinator is not None:
            self._coordinator.stop()
        self._scanner.stop()
        self.duties.stop()
        self.store.close()

    def write_block(
        self,
        packets: PacketReader,
        block: Tuple[int, int, int],
        token: bytes,
        targets: Tuple[Tuple[str, str, int], ...],
    ) -> Tuple[str, ...]:
        """This datanode's part of a write pipeline; the ids of all that hold the block then."""
        block_id, generation, size = block
        writer = self.store.create(block_id, generation, size)
        try:
            downstream = self._downstream(block, token, targets)
        except DfsError:
            self.store.discard(writer)
            raise
        return receive_block(
            packets,
            self.store,
            writer,
            downstream,
            lambda finished: self.duties.tell("received", [finished]),
        )

    def read_block(
        self, packets: PacketWriter, block_id: int, generation: int, offset: int, length: int
    ) -> None:
        """Send the chunks that cover a range of a replica, with their stored checksums."""
        try:
            replica = self.store.read(block_id, generation)
        except CorruptData:
            self.duties.tell("corrupt", [Block(block_id, generation, 0)])
            raise
        with replica:
            for chunk in replica.chunks(offset, length):
                packets.send_file(replica.descriptor, *chunk)

    def stream(self, transfer: Callable[[], Any]) -> Any:
        """Run a transfer within the limit of how many may run; raises Busy."""
        if not self._streams.acquire(blocking=False):
            raise Busy(f"{self.address} has reached its limit of transfers")
        try:
            with self._lock:
                self._running += 1
            return transfer()
        finally:
            with self._lock:
                self._running -= 1
            self._streams.release()

    def _downstream(
        self, block: Tuple[int, int, int], token: bytes, targets: Tuple
    ) -> Downstream:
        if not targets:
            return Downstream(self.store.node_id, "", None)
        link = (self.store.node_id, targets[0][0])
        try:
            body = open_pipeline(
                *block, token, targets, self.credentials, self.settings.network
            )
        except DfsError as error:
            raise pipeline_failure(link, error.message) from None
        return Downstream(*link, body)

    def _obey(self, command: Command) -> None:
        """Carry out a command in a thread of its own, so that heartbeats go on."""
        action = self._replicate if command.action == REPLICATE else self._remove
        try:
            threading.Thread(target=action, args=(command,), name="order", daemon=True).start()
        except RuntimeError as error:
            log.warning("command.dropped", action=command.action, error=error)

    def _remove(self, command: Command) -> None:
        delete = command.action == DELETE
        removed: List[Block] = []
        for block in command.blocks:
            try:
                (self.store.remove if delete else self.store.move_to_trash)(block)
                removed.append(block)
            except DfsError as error:
                log.error("replica.not_removed", block=block.name, error=error.message)
        log.info("replicas.removed", action=command.action, count=len(removed))
        self.duties.tell("deleted", removed)

    def _replicate(self, command: Command) -> None:
        block = command.blocks[0]
        if not self._copies.acquire(blocking=False):
            log.info("copy.dropped", block=block.name, reason="enough copies run")
            return
        started = time.monotonic()
        try:
            body = open_pipeline(
                *block, b"", command.targets, self.credentials, self.settings.network
            )
            assert body is not None, "a copy has a target"
            try:
                copy_block(self.store, block, body)
            finally:
                body.close()
            log.info("copy.done", block=block.name, seconds=round(time.monotonic() - started, 3))
        except CorruptData:
            self.duties.tell("corrupt", [block])
        except DfsError as error:
            log.warning("copy.failed", block=block.name, error=error.message)
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
        targets: tuple,
    ) -> Tuple[str, ...]:
        """Take a block of about `size` bytes in and pass it on to `targets`."""
        check_integers(block_id, generation, size)
        check_targets(targets)
        block = (block_id, generation, size)
        return self._node.stream(
            lambda: self._node.write_block(packets, block, token, targets)
        )

    @answers_with_body
    def exposed_read_block(
        self,
        packets: PacketWriter,
        block_id: int,
        generation: int,
        offset: int,
        length: int,
        token: bytes,
    ) -> None:
        """Send the chunks that cover `length` bytes from `offset`."""
        check_integers(block_id, generation, offset, length)
        self._node.stream(
            lambda: self._node.read_block(packets, block_id, generation, offset, length)
        )


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "index", type=int, help="which datanode to be: index into data_node_hosts, from 0"
    )


def main(argv: Optional[List[str]] = None) -> int:
    """Run one datanode until it is told to stop; the process's exit status."""
    return daemon.run(
        "data_node",
        "Keeps blocks and serves them; its index in data_node_hosts tells which datanode it is.",
        argv,
        lambda settings, arguments, credentials: DataNode(settings, arguments.index, credentials),
        _add_arguments,
    )
