"""Datanodes without bytes: they register, beat, report and obey, and keep block ids in memory.

A benchmark of the namenode needs millions of replicas, which no disk here could hold; what the
namenode sees of them is these calls (HDFS's NNThroughputBenchmark does it in this way). All are in
one process, so that an ordered copy needs no network: the target says that it has it. Each has its
own znode, and of each namenode a session and connections.

Of NODES datanodes each block is on all but one.
"""

import sys
import threading
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Callable, Iterable, List, Set, Tuple

from data_service.datanode.full_report import REPORT_BLOCKS
from data_service.protocol.blocks import Block, pack_blocks, unpack_blocks
from data_service.protocol.datanode_reports import PACKED_BLOCK_BYTES, DataNodeReports
from data_service.protocol.nodes import (
    DELETE,
    DELETE_CORRUPT,
    REPLICATE,
    REPORT,
    TRASH,
    Command,
    NodeInfo,
    NodeStats,
)
from scripts.benchmark.worker import Worker, serve
from zookeeper.coordinator import Coordinator
from zookeeper.fabric.calls import Perform
from zookeeper.fabric.errors import DfsError, SessionExpired, Unavailable
from zookeeper.fabric.handshake import credentials_of
from zookeeper.fabric.identity import DATA_NODE, NAME_NODE, server_at
from zookeeper.fabric.pools import RemotePool
from zookeeper.fabric.settings import Address, Settings, load

NODES = 4
"""One more than a block has replicas."""

CAPACITY = 1 << 50
PAUSE_SECONDS = 0.2
GRACE_SECONDS = 10.0
JOIN_SECONDS = 600.0


def tiny_datanodes(python: str, config: Path, packed_blocks: str) -> Worker:
    """The process of all of them, for the cluster of a config file."""
    return Worker(python, "scripts.benchmark.tiny_datanodes", str(config), packed_blocks)


class TinyDataNode:
    """One of them; `deliver` takes a copy of a block to the datanode with an id."""

    def __init__(
        self,
        settings: Settings,
        address: Address,
        packed_blocks: bytes,
        deliver: Callable[[str, Block], None],
    ) -> None:
        credentials = credentials_of(settings, server_at(DATA_NODE, address))
        self.node_id = f"tiny-{address.port}"
        self._life = uuid.uuid4().hex
        self._address = address
        self._deliver = deliver
        self._lock = threading.Lock()
        self._packed = packed_blocks
        self._gone: Set[int] = set()
        self._new: List[Block] = []
        self._coordinator = Coordinator(str(address), settings, credentials)
        self._coordinator.register(f"/data_nodes/{address}", self.node_id)
        self._coordinator.start()
        seconds = settings.data_node.heartbeat_seconds
        self._duties = [
            _Duty(self, RemotePool(NAME_NODE, one, credentials, settings.network).perform, seconds)
            for one in settings.name_node.hosts
        ]

    def await_report(self) -> None:
        """Wait until it is registered and has reported fully, to every namenode."""
        for duty in self._duties:
            if not duty.reported.wait(JOIN_SECONDS):
                raise Unavailable(f"{self.node_id} could not report in {JOIN_SECONDS:g} s")

    def stop(self) -> None:
        """Fall silent: no heartbeat any more, no znode."""
        for duty in self._duties:
            duty.stopping.set()
        self._coordinator.stop()

    def report(self) -> None:
        """Report fully, part by part."""
        for duty in self._duties:
            duty.report()

    def receive(self, block: Block) -> None:
        """A copy of a block arrived here."""
        with self._lock:
            self._new.append(block)
        for duty in self._duties:
            duty.tell((block,), ())

    def obey(self, command: Command) -> None:
        """What the namenode orders that leads."""
        if command.action in (DELETE, DELETE_CORRUPT, TRASH):
            with self._lock:
                self._gone.update(block.block_id for block in command.blocks)
            for duty in self._duties:
                duty.tell((), command.blocks)
        elif command.action == REPLICATE:
            for target in command.targets:
                self._deliver(target.node_id, command.blocks[0])

    def info(self) -> NodeInfo:
        """How it introduces itself."""
        host, port = self._address
        return NodeInfo(self.node_id, self._life, host, port, "/default-rack", "")

    def stats(self) -> NodeStats:
        """A disk that is never full."""
        return NodeStats(CAPACITY, 0, CAPACITY, len(self._packed) // PACKED_BLOCK_BYTES, 0, 0)

    def inventory(self) -> bytes:
        """All that it has, packed."""
        with self._lock:
            if self._gone or self._new:
                blocks = [*unpack_blocks(self._packed), *self._new]
                self._packed = pack_blocks(b for b in blocks if b.block_id not in self._gone)
                self._gone, self._new = set(), []
            return self._packed


class _Duty:
    """What a tiny datanode tells one namenode, in a thread of its own, from the beginning on."""

    def __init__(self, node: TinyDataNode, perform: Perform, heartbeat_seconds: float) -> None:
        self._node = node
        self._calls = DataNodeReports(perform)
        self._heartbeat_seconds = heartbeat_seconds
        self._cluster_id = ""
        self._session = 0
        self._epoch = 0
        self._reports = 0
        self.stopping = threading.Event()
        self.reported = threading.Event()
        threading.Thread(target=self._keep, name=node.node_id, daemon=True).start()

    def report(self) -> None:
        """Report fully, part by part."""
        packed = self._node.inventory()
        step = REPORT_BLOCKS * PACKED_BLOCK_BYTES
        parts = [b""] + [packed[at : at + step] for at in range(0, len(packed), step)]
        self._reports += 1
        for number, payload in enumerate(parts):
            self._calls.block_report(self._session, self._reports, number, len(parts), payload)
        self.reported.set()

    def tell(self, new: Tuple[Block, ...], gone: Tuple[Block, ...]) -> None:
        """What changed; to one that is down, the next full report says it."""
        with suppress(DfsError):
            self._calls.block_changes(self._session, new, gone, (), ())

    def _keep(self) -> None:
        while not self.stopping.is_set():
            try:
                if not self._session:
                    self._join()
                self._beat()
            except SessionExpired:
                self._session = 0
            except DfsError:
                # Not there yet, or busy for too long: what else a datanode does about it is none
                # of the namenode's load.
                self.stopping.wait(PAUSE_SECONDS)

    def _join(self) -> None:
        info = self._node.info()._replace(cluster_id=self._cluster_id)
        registration = self._calls.register(info)
        self._cluster_id = registration.cluster_id
        self._session = registration.session
        self._epoch = registration.epoch if registration.leads else 0
        self.report()

    def _beat(self) -> None:
        seconds = self._heartbeat_seconds
        calls = self._calls.within(seconds + GRACE_SECONDS)
        orders = calls.heartbeat(self._session, self._node.stats(), seconds, self._epoch)
        if orders.leads:
            self._epoch = orders.epoch
        for command in orders.commands:
            if command.action == REPORT:
                self.report()
            elif orders.leads:
                self._node.obey(command)


class Nodes:
    """All of them, as the benchmark orders them about: a method for each verb."""

    def __init__(self, config: str, packed_blocks: str) -> None:
        self._settings = load(config)
        self._packed_blocks = packed_blocks
        self._nodes: List[TinyDataNode] = []

    def join(self) -> None:
        """Begin; returns when each has reported fully."""
        with open(self._packed_blocks, "rb") as file:
            packed = file.read()
        for number, address in enumerate(self._settings.data_node.hosts):
            held = pack_blocks(held_by(number, unpack_blocks(packed)))
            self._nodes.append(TinyDataNode(self._settings, address, held, self._deliver))
        for node in self._nodes:
            node.await_report()

    def report(self) -> None:
        """Each reports fully once more, one after the other."""
        for node in self._nodes:
            node.report()

    def lose(self) -> None:
        """One of them falls silent."""
        self._nodes.pop().stop()

    def _deliver(self, node_id: str, block: Block) -> None:
        for node in self._nodes:
            if node.node_id == node_id:
                node.receive(block)


def held_by(number: int, blocks: Iterable[Block]) -> Iterable[Block]:
    """Those of the blocks that the datanode with this number has."""
    return (block for block in blocks if block.block_id % NODES != number)


if __name__ == "__main__":
    serve(Nodes(sys.argv[1], sys.argv[2]))
