"""What datanodes say about single replicas, and what it means.

One replica is judged by the recorded generation and length, and by the digest that the block's
writer told: with another one, or with none where that is needed, a datanode can claim what it likes
and it counts for nothing. What is older than what the node is
already known to hold demotes nothing (HDFS-2742, HDFS-16922). A replica of an unknown block is
remembered as unknown: it may belong to a file that is about to be known.

Whether a replica's bytes are good its datanode alone can tell: a reader's word has it look.
"""

from typing import Callable, Iterable

from data_service.namenode.replicas.block_map import (
    CHECKSUM,
    DIGEST,
    GENERATION,
    LENGTH,
    BlockMap,
    Mark,
)
from data_service.namenode.replicas.deletion import Deletions
from data_service.namenode.replicas.events import Events
from data_service.namenode.replicas.judgement import is_content
from data_service.namenode.replicas.node import Node, UnknownReplica
from data_service.namenode.replicas.open_blocks import OpenBlocks
from data_service.namenode.replicas.orders import Order
from data_service.namenode.replicas.replication import Replication
from data_service.namenode.replicas.verification import Verifications
from data_service.protocol.blocks import Block, SealedBlock, Told, sealed
from data_service.protocol.nodes import TRASH


UNKNOWN_MAX = 100_000
"""Replicas of unknown blocks that are remembered of one node: the others stay where they are, until
a later report finds room for them. So no node can fill the memory with what it claims."""

NEWS_MAX = 100_000
"""How many replicas may change while a full report is under way; then it is begun anew."""


class BlockReports:
    """Turns the news of datanodes into changes of the block map and the others."""

    def __init__(self, blocks: BlockMap, opened: OpenBlocks, replication: Replication,
                 deletions: Deletions, verifications: Verifications, events: Events,
                 digests_needed: bool = False) -> None:
        self._blocks = blocks
        self._opened = opened
        self._replication = replication
        self._deletions = deletions
        self._verifications = verifications
        self._events = events
        self._digests_needed = digests_needed
        self.on_unknown: Callable[[int], None] = lambda block_id: None

    # Incremental changes.

    def changes(self, node: Node, received: Iterable[Told], deleted: Iterable[Block],
                corrupt: Iterable[Block], now: float, verified: Iterable[Told] = ()) -> None:
        """Apply news at once, in the order deleted, received, corrupt, verified."""
        touched = node.report.touched if node.report is not None else set()
        for block in deleted:
            touched.add(block.block_id)
            self._deleted(node, block)
        for told in received:
            touched.add(told.block_id)
            self.has(node, told, now, False)
        for block in corrupt:
            touched.add(block.block_id)
            self._has_corrupt(node, block, now)
        for told in verified:
            touched.add(told.block_id)
            self._has_good(node, told, now)
        if len(touched) > NEWS_MAX:
            node.report = None

    def remembers(self, node: Node, block_id: int) -> bool:
        """Whether it matters that the node has a replica of this block: not when it has too many of
        blocks that nobody knows."""
        return (len(node.unknown) < UNKNOWN_MAX or block_id in node.unknown
                or block_id in self._blocks or block_id in self._opened
                or block_id in self._deletions)

    def _deleted(self, node: Node, block: Block) -> None:
        recorded = self._blocks.get(block.block_id)
        mark = self._blocks.marks.get(block.block_id, {}).get(node)
        held = mark or recorded
        if held is None or held.generation == block.generation:
            self.lacks(node, block.block_id)

    def lacks(self, node: Node, block_id: int) -> None:
        """The node has no replica of this block; the one confirmation that all trust."""
        if block_id in self._blocks:
            self._blocks.drop(block_id, node)
            self._replication.cancel_from(block_id, node)
        elif block_id in self._opened:
            self._opened.lacks(node, block_id)
        node.unknown.pop(block_id, None)
        node.unasked.discard(block_id)
        self._verifications.found_bad(node, block_id)
        self._deletions.gone(node, block_id)

    def has(self, node: Node, told: Told, now: float, in_full_report: bool) -> None:
        """The node has this replica."""
        block, digest = sealed(told).block, sealed(told).digest
        block_id = block.block_id
        node.outbox.supersede(block)
        recorded = self._blocks.get(block_id)
        unknown = node.unknown.get(block_id)
        if unknown is not None and unknown.refused:
            node.unknown[block_id] = unknown._replace(
                generation=block.generation, length=block.length)
            self.refuse(node, block_id)
        elif recorded is not None:
            self._judge(node, block, digest, recorded, in_full_report, now)
            if self._is_content(block_id, digest):
                self._replication.arrived(block_id, node)
            else:
                self._replication.came_wrong(block_id, node, now)
        elif block_id in self._deletions:
            self._deletions.found(node, block)
        elif block_id in self._opened:
            if not self._opened.may_have(node, block_id):
                node.unknown[block_id] = UnknownReplica(*block[1:], now)
                self.refuse(node, block_id)
            elif self._deletions.may_stay(node, block_id):
                node.unexpect(block_id)
                self._opened.has(node, block, digest)
        elif self.remembers(node, block_id):
            self.on_unknown(block_id)
            since, spoilt = now, False
            if unknown is not None:
                since = unknown.since
                if unknown.generation == block.generation:
                    # As for known ones: its name and length say nothing about its bytes.
                    spoilt, digest = unknown.spoilt, digest or unknown.digest
            node.unknown[block_id] = UnknownReplica(
                *block[1:], since, spoilt=spoilt, digest=digest
            )

    def _has_corrupt(self, node: Node, block: Block, now: float) -> None:
        """The node itself found that its replica does not match its checksums."""
        recorded = self._blocks.get(block.block_id)
        if recorded is not None and recorded.generation == block.generation:
            node.outbox.supersede(block)
            self._mark(node, block, CHECKSUM)
            return
        self.has(node, block, now, False)
        if block.block_id in self._opened:
            self._opened.spoil(node, block.block_id)
        else:
            self.spoil(node, block.block_id)

    def spoil(self, node: Node, block_id: int) -> None:
        """The replica that the node has of an unknown block does not match its checksums."""
        if block_id in node.unknown:
            node.unknown[block_id] = node.unknown[block_id]._replace(spoilt=True)

    def _has_good(self, node: Node, told: Told, now: float) -> None:
        """The node has read its replica, and it is good: also one that was marked before."""
        self.has(node, told, now, False)
        block, digest = sealed(told).block, sealed(told).digest
        block_id = block.block_id
        if self._blocks.get(block_id) == block and self._is_content(block_id, digest):
            mark = self._blocks.marks.get(block_id, {}).get(node)
            if mark is not None and mark.reason == CHECKSUM:
                # It is not removed any more: an order to do so has it looked at first.
                node.outbox.drop(block_id)
                self._blocks.put(block_id, node)
            # Who does not tell what he has read is no reason to remove anything.
            if digest or not self._blocks.digest(block_id):
                self._verifications.found_good(node, block_id, now)
        elif block_id in node.unknown:
            unknown = node.unknown[block_id]
            node.unknown[block_id] = unknown._replace(spoilt=False)

    def _is_content(self, block_id: int, digest: bytes) -> bool:
        return is_content(digest, self._blocks.digest(block_id), self._digests_needed)

    def _judge(self, node: Node, block: Block, digest: bytes, recorded: Block,
               in_full_report: bool, now: float) -> None:
        block_id = block.block_id
        holds = node in self._blocks.holders(block_id)
        mark = self._blocks.marks.get(block_id, {}).get(node)
        if block == recorded and not self._is_content(block_id, digest):
            self._mark(node, block, DIGEST)
        elif block == recorded and not digest and mark is not None and mark.reason == DIGEST:
            pass  # Nothing is told that could end the mark.
        elif block == recorded:
            # Its name and length say nothing about its bytes: only a confirmed deletion ends the
            # mark of a checksum error (HDFS-4799), or that its node has read it again.
            spoilt = mark is not None and mark.reason == CHECKSUM
            if spoilt:
                self._verifications.ask(node, block, now)
            if not (holds or spoilt) and self._deletions.may_stay(node, block_id):
                self._blocks.put(block_id, node)
                if block_id in self._blocks.excess:
                    node.unasked.add(block_id)
        elif not holds or in_full_report or block.generation >= recorded.generation:
            reason = LENGTH if block.generation == recorded.generation else GENERATION
            self._mark(node, block, reason)

    def suspected(self, node: Node, block: Block, now: float) -> bool:
        """A reader says that the node's replica does not match its checksums: it is verified.
        False when the node is not known to have this very replica."""
        block_id = block.block_id
        recorded = self._blocks.get(block_id)
        if recorded is None or node not in self._blocks.everyone(block_id):
            return False
        if block.generation != recorded.generation:
            return False
        if not self._verifications.is_good(node, block_id, now):
            self._verifications.ask(node, recorded, now)
        return True

    def _mark(self, node: Node, block: Block, reason: str) -> None:
        self._blocks.mark(block.block_id, node, Mark(reason, block.generation, block.length))
        self._verifications.found_bad(node, block.block_id)
        self._replication.cancel_from(block.block_id, node)
        self._events.note("replica.corrupt", block=block.name, node=node.info.node_id,
                          reason=reason)

    # Blocks that become known.

    def refuse(self, node: Node, block_id: int) -> None:
        """The id of an unknown replica was given to a block that is written to other nodes: no
        honest writer can have sent it here, so it counts for nothing, and is set aside."""
        unknown = node.unknown[block_id] = node.unknown[block_id]._replace(refused=True)
        replica = Block(block_id, unknown.generation, unknown.length)
        node.outbox.add(Order(replica, TRASH, 0, False))
        self._events.note("replica.refused", block=replica.name, node=node.info.node_id)

    def adopt(self, node: Node, block_id: int, now: float) -> None:
        """The id of an unknown replica has become known: take it for what it is."""
        unknown = node.unknown.get(block_id)
        if block_id in self._opened and not self._opened.may_have(node, block_id):
            self.refuse(node, block_id)
        elif (unknown is not None and not unknown.refused
              and self._deletions.may_stay(node, block_id)):
            del node.unknown[block_id]
            replica = SealedBlock(block_id, unknown.generation, unknown.length, unknown.digest)
            if unknown.spoilt:
                self._has_corrupt(node, replica.block, now)
            else:
                self.has(node, replica, now, True)

    def settle(
        self, node: Node, block: Block, digest: bytes, spoilt: bool, now: float
    ) -> None:
        """A replica that was reported while its block was being written, now committed."""
        recorded = self._blocks.get(block.block_id)
        assert recorded is not None, block
        if spoilt:
            self._mark(node, recorded, CHECKSUM)
        else:
            self._judge(node, block, digest, recorded, True, now)
