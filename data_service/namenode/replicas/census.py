"""How many blocks are in which state, and how one of them is: what `report` and `fsck` tell."""

from itertools import chain
from typing import Iterator, NamedTuple, Tuple

from data_service.namenode.replicas.block_map import BlockMap
from data_service.namenode.replicas.deletion import Deletions
from data_service.namenode.replicas.judgement import CORRUPT, EXCESS, MISSING, UNDER
from data_service.namenode.replicas.node import Node
from data_service.namenode.replicas.nodes import Nodes
from data_service.namenode.replicas.open_blocks import OpenBlocks
from data_service.namenode.replicas.replication import Replication
from data_service.protocol.blocks import Block
from data_service.protocol.files import LocatedBlock
from data_service.protocol.health import (
    CORRUPT_REPLICA,
    EXCESS_REPLICA,
    LIVE_REPLICA,
    STALE,
    STALE_CONTENT,
    STALE_NODE,
    BlockHealth,
    DataNodeStatus,
    Health,
    Holder,
)
from data_service.protocol.nodes import Target
from data_service.protocol.redundancy import Redundancy


class Counts(NamedTuple):
    """How many blocks. `missing`, `corrupt`, `under_replicated` and `excess` exclude each other
    (see `Health`). `corrupt_replicas`: blocks with any corrupt replica. `pending_deletion`:
    deleted ones that some node may still hold. `unknown`: replicas of ids that nobody knows.
    `urgent`: one good replica is left, though more are wanted. `lost_alone`: missing or corrupt,
    and one replica was wanted. `removals`: replicas whose nodes have not confirmed that they went.
    """

    blocks: int
    under_replicated: int
    excess: int
    missing: int
    corrupt: int
    corrupt_replicas: int
    pending_deletion: int
    pending_replication: int
    unknown: int
    urgent: int
    lost_alone: int
    removals: int


class Census:
    """Reads the other parts of the block side, and changes none."""

    def __init__(
        self,
        blocks: BlockMap,
        opened: OpenBlocks,
        nodes: Nodes,
        replication: Replication,
        deletions: Deletions,
    ) -> None:
        self._blocks = blocks
        self._opened = opened
        self._nodes = nodes
        self._replication = replication
        self._deletions = deletions

    def counts(self) -> Counts:
        """The totals, kept up to date by every event: no block is looked at."""
        totals = self._blocks.totals
        return Counts(
            len(self._blocks),
            totals[UNDER],
            totals[EXCESS],
            totals[MISSING],
            totals[CORRUPT],
            len(self._blocks.marks),
            self._deletions.pending,
            len(self._replication),
            sum(len(node.unknown) for node in self._nodes),
            len(self._blocks.under[0]),
            self._blocks.lost_alone,
            sum(len(node.outbox) for node in self._nodes),
        )

    def health(self, block_id: int) -> Health:
        """The state of one committed block; raises KeyError for another id."""
        return Health(
            self._blocks.redundancy(block_id).targets,
            sum(1 for node in self._blocks.holders(block_id) if not node.dead),
            sum(1 for node in self._blocks.marks.get(block_id, ()) if not node.dead),
            int(block_id in self._blocks.leaving),
            self._replication.arriving(block_id),
        )

    def is_corrupt(self, block_id: int) -> bool:
        """Whether all replicas of a committed block are corrupt."""
        health = self.health(block_id)
        return health.live == 0 and health.leaving == 0 and health.corrupt > 0

    def locations(self, block_id: int) -> Tuple[Target, ...]:
        """Who to read a block from: fresh holders, then others; if there is none, who may still
        have it, then corrupt ones. Different blocks begin with different nodes."""
        opened = self._opened.get(block_id)
        good = tuple(opened.replicas) if opened is not None else self._blocks.holders(block_id)
        first = [node.target for node in good if node.replicas_count]
        start = block_id % len(first) if first else 0
        last = [node for node in good if node.may_be_read and not node.replicas_count]
        last.sort(key=lambda node: not node.in_service)
        if first or last:
            return tuple(first[start:] + first[:start] + [node.target for node in last])
        others = self._blocks.everyone(block_id)
        return tuple(node.target for node in reversed(others) if node.may_be_read)

    def locate(self, block: Block, offset: int) -> LocatedBlock:
        """A committed block that begins at this offset of its file, for a reader; no token."""
        block_id = block.block_id
        return LocatedBlock(
            block, offset, self.locations(block_id), self.is_corrupt(block_id), b"",
            digest=self._blocks.digest(block_id),
        )  # fmt: skip

    def examine(self, block: Block) -> BlockHealth:
        """A committed block with all its replicas."""
        return BlockHealth(block, self.health(block.block_id), tuple(self._holders(block.block_id)))

    def examine_open(self, block: Block, wanted: int) -> BlockHealth:
        """A block of a file that is being written, as far as its datanodes have told."""
        opened = self._opened.get(block.block_id)
        if opened is None:
            return BlockHealth(block, Health(wanted, 0, 0, 0), ())
        good = [node for node in opened.replicas if node not in opened.bad and not node.dead]
        length = max((opened.replicas[node] for node in good), default=block.length)
        holders = [_holder(node, _freshness(node)) for node in good]
        holders += [_holder(node, CORRUPT_REPLICA) for node in opened.bad if not node.dead]
        health = Health(wanted, len(good), len(holders) - len(good), 0)
        return BlockHealth(block._replace(length=length), health, tuple(holders))

    def datanodes(self, now: float) -> Tuple[DataNodeStatus, ...]:
        """A line of `report` for each datanode that ever registered, in the order of addresses."""
        nodes = sorted(self._nodes, key=lambda node: (node.info.host, node.info.port))
        return tuple(DataNodeStatus(node.info.node_id, node.info.host, node.info.port,
                                    node.info.rack, node.liveness, node.stats,
                                    now - node.last_heartbeat, now - node.last_report,
                                    node.info.version)
                     for node in nodes if not node.removed)

    def nodes(self) -> Iterator[Node]:
        """Every datanode that ever registered, in that order."""
        return iter(self._nodes)

    def live_nodes(self) -> int:
        """How many datanodes are neither stale nor dead."""
        return self._nodes.live()

    def waiting(self) -> Iterator[int]:
        """The under-replicated blocks, the most urgent first."""
        return chain.from_iterable(self._blocks.under)

    def copied(self) -> Iterator[int]:
        """The blocks of which copies are under way."""
        return iter(self._replication)

    def marked(self) -> Iterator[int]:
        """The blocks with corrupt replicas."""
        return iter(self._blocks.marks)

    def lost(self) -> Iterator[int]:
        """The blocks without a good replica. Nothing else asks for them, so all are looked at."""
        return chain(*map(self._blocks.judged_as, (MISSING, CORRUPT)))

    def tracked(self) -> Iterator[Tuple[Block, int, Redundancy]]:
        """Every committed block, with its inode and how it is kept."""
        return self._blocks.all()

    def deleted(self) -> Iterator[int]:
        """Every deleted id that is not forgotten."""
        return iter(self._deletions)

    def _holders(self, block_id: int) -> Iterator[Holder]:
        for node in self._blocks.holders(block_id):
            if not node.dead:
                yield _holder(node, _freshness(node))
        for node in self._blocks.marks.get(block_id, ()):
            if not node.dead:
                yield _holder(node, CORRUPT_REPLICA)
        leaver = self._blocks.leaving.get(block_id)
        if leaver is not None:
            yield _holder(leaver, EXCESS_REPLICA)


def _freshness(node: Node) -> str:
    if node.liveness == STALE:
        return STALE_NODE
    return LIVE_REPLICA if node.reported else STALE_CONTENT


def _holder(node: Node, state: str) -> Holder:
    info = node.info
    return Holder(info.node_id, info.host, info.port, info.rack, state)
