"""The real block side with datanodes that do what a test tells them, for tests of the namespace."""

import hashlib
from itertools import count
from typing import Dict, Iterable, List, Sequence

from data_service.namenode.replicas.block_policy import BlockPolicy
from data_service.namenode.replicas.blocks import Blocks
from data_service.protocol.blocks import DIGEST_BYTES, Block, SealedBlock, Told
from data_service.protocol.nodes import (
    DELETE,
    DELETE_CORRUPT,
    REPLICATE,
    VERIFY,
    Command,
    NodeInfo,
    NodeStats,
    Target,
)

CLUSTER = "cluster-1"
STATS = NodeStats(1 << 50, 0, 1 << 50, 0, 0, 0)


def sealed(block: Block) -> SealedBlock:
    """The block with the digest of what every writer here writes into it."""
    content = hashlib.blake2b(repr(tuple(block)).encode(), digest_size=DIGEST_BYTES)
    return SealedBlock(*block, content.digest())


def report_fully(
    blocks: Blocks, session: int, report_id: int, listed: Sequence[Told], now: float
) -> None:
    """A full report of one part, which is taken in as a whole."""
    while not blocks.block_report(session, report_id, 0, 1, listed, now):
        pass


class Datanodes:
    """`count` datanodes that are registered and have reported what they hold."""

    def __init__(self, blocks: Blocks, count: int) -> None:
        self.blocks = blocks
        self.held: Dict[str, Dict[int, Block]] = {}
        self.sessions: Dict[str, int] = {}
        self.addresses: Dict[str, str] = {}
        for number in range(count):
            self.start(f"node-{number}")

    def start(self, node_id: str) -> None:
        """A datanode registers, and reports what it holds."""
        port = 1800 + len(self.sessions)
        info = NodeInfo(node_id, "first", "127.0.0.1", port, "/rack", CLUSTER)
        session = self.sessions[node_id] = self.blocks.register(info, 0.0)
        self.addresses[f"127.0.0.1:{port}"] = node_id
        self.blocks.monitor.zookeeper_view(self.addresses, 0.0)
        self.blocks.heartbeat(session, STATS, 0.0, 0)
        held = self.held.setdefault(node_id, {})
        report_fully(self.blocks, session, 1, list(map(sealed, held.values())), 0.0)

    def receive(self, block: Block, targets: Iterable[Target]) -> None:
        """The pipeline has written the block: each of these datanodes reports it."""
        for target in targets:
            self.held[target.node_id][block.block_id] = block
            session = self.sessions[target.node_id]
            self.blocks.block_changes(session, [sealed(block)], [], [], 0.0)

    def spoil(self, node_id: str, block: Block) -> None:
        """A datanode finds its replica damaged."""
        self.blocks.block_changes(self.sessions[node_id], [], [], [block], 0.0)

    def obey(self, durable_txid: int) -> List[int]:
        """Every datanode asks for orders and deletes what it is told to; the ids of the blocks."""
        deleted: List[int] = []
        for node_id, session in self.sessions.items():
            for command in self.blocks.heartbeat(session, STATS, 0.0, durable_txid):
                if command.action == VERIFY:
                    read = list(map(sealed, command.blocks))
                    self.blocks.block_changes(session, [], [], [], 0.0, read)
                elif command.action in (DELETE, DELETE_CORRUPT):
                    for block in command.blocks:
                        del self.held[node_id][block.block_id]
                        deleted.append(block.block_id)
                    self.blocks.block_changes(session, [], list(command.blocks), [], 0.0)
        return deleted

    def copies(self) -> List[Command]:
        """What copies every datanode is told to make; it makes none."""
        return [command for session in self.sessions.values()
                for command in self.blocks.heartbeat(session, STATS, 0.0, 0)
                if command.action == REPLICATE]

    def beat(self, node_id: str, remaining: int) -> None:
        """A heartbeat that tells how much room there is."""
        stats = STATS._replace(remaining=remaining)
        self.blocks.heartbeat(self.sessions[node_id], stats, 0.0, 0)


def new_blocks(settling_seconds: float = 0.0) -> Blocks:
    """A block side that leads, and leaves safe mode as soon as every block has been reported."""
    policy = BlockPolicy(safe_mode_extension_seconds=0.0, settling_seconds=settling_seconds)
    blocks = Blocks(CLUSTER, policy, count((1 << 32) + 1))
    blocks.lead(1, 0.0)
    return blocks
