"""Which replicas are deleted: decided here, never concluded from absence.

Theory of operation. Nearly every loss of data in the systems before us was a deletion decided on
stale knowledge (HDFS-1972, HDFS-4799, HDFS-15200), so there are four reasons and no others:

- its file was deleted. The id is buried under a *tombstone* until every node known to hold a
  replica has confirmed; orders go out only when the edit that deleted the file is durable. A node
  that is down may hold one too: for a grace time after it died, and after a start, when nobody
  knows who is missing, all ids are kept.
- it is *surplus*: every holder has fully reported in its present session and obeys nobody else any
  more, and as many other good replicas as wanted count, and their nodes have read them lately. One
  at a time for each block; what came unasked, when enough were there, goes first, for it may be a
  lie about the others.
  From the decision on, the replica counts for nothing; the decision is made again whenever the
  order is (re)sent. When a repetition finds too few others, the node's session is ended: then it
  drops all its orders and reports what it still has, and only then its replica counts again.
- it is *corrupt*, as its own node found and will find once more, and as many good ones as wanted
  count; or one does, and the corrupt one occupies the place of the copy that shall replace it
  (HDFS-3493). One of another length or an earlier generation goes to the trash. A
  replica of a generation later than the recorded one is never deleted: we may be the ones who are
  behind.
- its id is *unknown* although safe mode has been off for a grace time: it goes to the trash.
"""

from itertools import islice
from typing import Dict, Iterable, Iterator, List, NamedTuple, Set, Tuple

from data_service.namenode.replicas.block_map import CHECKSUM, BlockMap, Mark, rotate
from data_service.namenode.replicas.block_policy import BlockPolicy
from data_service.namenode.replicas.node import Node
from data_service.namenode.replicas.nodes import Nodes
from data_service.namenode.replicas.orders import Order
from data_service.namenode.replicas.placement import choose_surplus
from data_service.namenode.replicas.replication import Replication
from data_service.namenode.replicas.verification import Verifications
from data_service.protocol.blocks import Block
from data_service.protocol.nodes import DELETE, DELETE_CORRUPT, TRASH, Command

_EXAMINED = 1000
"""Blocks of each kind that a tick looks at, and orders of one node that it repeats."""


class Tombstone(NamedTuple):
    """A deleted id: the edit that deleted it, and the nodes that have not confirmed that their
    replica is gone."""

    txid: int
    waiting: Tuple[Node, ...]


class Deletions:
    """Tombstones, and the decisions about surplus, corrupt and unknown replicas."""

    def __init__(self, blocks: BlockMap, nodes: Nodes, replication: Replication,
                 verifications: Verifications, policy: BlockPolicy) -> None:
        self._verifications = verifications
        self._blocks = blocks
        self._nodes = nodes
        self._replication = replication
        self._policy = policy
        self._tombstones: Dict[int, Tombstone] = {}
        self._lowered_txid = 0
        self._started = 0.0
        self._confirmed: Dict[int, None] = {}

    def __len__(self) -> int:
        return len(self._tombstones)

    def __contains__(self, block_id: int) -> bool:
        return block_id in self._tombstones

    def __iter__(self) -> Iterator[int]:
        return iter(self._tombstones)

    def __repr__(self) -> str:
        return f"<Deletions {len(self)} tombstones, {len(self._confirmed)} confirmed>"

    def start(self, now: float) -> None:
        """From now on datanodes come back, in any order, or turn to us; not all have yet."""
        self._started = now

    # Deleted files.

    @property
    def pending(self) -> int:
        """How many deleted ids some node, as far as all are known, may still hold."""
        return len(self._tombstones) - len(self._confirmed)

    def bury(self, block_id: int, txid: int, replicas: Iterable[Tuple[Node, Block]]) -> None:
        """The block is deleted by edit `txid`; these replicas of it are known."""
        if block_id not in self._tombstones:
            self._tombstones[block_id] = Tombstone(txid, ())
            self._confirmed[block_id] = None
        for node, replica in replicas:
            self.found(node, replica)

    def found(self, node: Node, replica: Block) -> None:
        """A node has a replica of a deleted block: it is told to delete it."""
        block_id = replica.block_id
        tombstone = self._tombstones[block_id]
        if node not in tombstone.waiting:
            self._tombstones[block_id] = tombstone._replace(waiting=tombstone.waiting + (node,))
            self._confirmed.pop(block_id, None)
            node.outbox.drop(block_id)
        node.outbox.add(Order(replica, DELETE, tombstone.txid, False))

    def gone(self, node: Node, block_id: int) -> None:
        """A node has no replica of this block (any more)."""
        node.outbox.drop(block_id)
        tombstone = self._tombstones.get(block_id)
        if tombstone is not None and node in tombstone.waiting:
            waiting = tuple(other for other in tombstone.waiting if other is not node)
            self._tombstones[block_id] = tombstone._replace(waiting=waiting)
            if not waiting:
                self._confirmed[block_id] = None

    def confirmed(self, limit: int, now: float) -> Tuple[int, ...]:
        """Up to `limit` ids whose tombstones every holder confirmed, the longest known first.

        Only when all nodes have reported: before, an unheard holder is still possible. One
        that returns after the grace time has an unknown block, which goes to its trash.
        """
        grace = self._policy.return_grace_seconds
        if now - self._started < grace or not self._nodes.all_reported(now, grace):
            return ()
        return tuple(islice(self._confirmed, limit))

    def drop_tombstone(self, block_id: int) -> List[Tuple[Node, Block]]:
        """Every holder confirmed, as far as whoever decided it had heard: here some may be late.
        What they still have, as far as is known here, is of an unknown block now."""
        left = [(node, node.outbox.drop(block_id))
                for node in self._tombstones.pop(block_id).waiting]
        self._confirmed.pop(block_id, None)
        return [(node, order.block) for node, order in left if order is not None]

    # Files that want fewer replicas.

    def hold_surplus(self, txid: int) -> None:
        """Edit `txid` lowers a replication: what is surplus by it stays until it is durable."""
        self._lowered_txid = max(txid, self._lowered_txid)

    # Nodes that come and go.

    def new_session(self, node: Node) -> None:
        """A node registered, or obeys somebody else from now on: it has dropped its orders, so a
        leaving replica may be there still."""
        for block_id in node.outbox.ids():
            if self._blocks.leaving.get(block_id) is node:
                self._blocks.put(block_id, node)
        node.outbox.keep_only(self._tombstones.__contains__)

    def forget(self, node: Node) -> None:
        """A node died: nobody waits for it; should it return, it reports what it has."""
        for block_id in node.outbox.ids():
            if self._blocks.leaving.get(block_id) is node:
                self._blocks.drop(block_id, node)
            self.gone(node, block_id)
        # What was refused once would count if it came back as if it were new.
        node.unknown = {block_id: unknown for block_id, unknown in node.unknown.items()
                          if unknown.refused}

    # Decisions.

    def plan(self, now: float, calm_since: float) -> int:
        """Order what is due, how many (also what must be verified for it); `calm_since` is when
        safe mode ended or the namenode last slept."""
        ordered = 0
        for block_id in list(islice(self._blocks.excess, _EXAMINED)):
            ordered += self._plan_surplus(block_id, now)
        for block_id in list(islice(self._blocks.marks, _EXAMINED)):
            ordered += self._plan_corrupt(block_id, now)
        for node in self._nodes:
            if node.unknown and node.usable:
                ordered += self._plan_trash(node, now, calm_since)
        return ordered

    def _plan_surplus(self, block_id: int, now: float) -> int:
        rotate(self._blocks.excess, block_id)
        if block_id in self._blocks.leaving or block_id in self._replication:
            return 0
        holders = [node for node in self._blocks.holders(block_id) if node.in_service]
        wanted = self._blocks.redundancy(block_id).targets
        spare = sum(1 for node in holders if node.replicas_count) > wanted
        candidates = [node for node in holders if spare or not node.replicas_count]
        if not candidates:
            return 0
        victim = choose_surplus(candidates, holders, wanted, block_id)
        block = self._blocks.get(block_id)
        if block is None or not victim.session or not self._is_surplus(block_id, victim):
            return 0
        kept = (node for node in holders if node is not victim and node.replicas_count)
        asked = self._verifications.sure(kept, block, wanted, now)
        if asked:
            return max(0, asked)
        self._blocks.leave(block_id, victim)
        victim.outbox.add(Order(block, DELETE, self._lowered_txid, False))
        return 1

    def _is_surplus(self, block_id: int, victim: Node) -> bool:
        """Whether the block is kept as wanted without this node's replica, by fresh knowledge."""
        if not all(node.usable or node.dead for node in self._blocks.everyone(block_id)):
            return False
        others = [node for node in self._blocks.holders(block_id)
                  if node is not victim and node.replicas_count]
        return len(others) >= self._blocks.redundancy(block_id).targets

    def _plan_corrupt(self, block_id: int, now: float) -> int:
        ordered = 0
        marks = self._blocks.marks[block_id]
        # Behind the others, so that blocks which cannot be helped do not hide those that can.
        self._blocks.marks[block_id] = self._blocks.marks.pop(block_id)
        for node, mark in marks.items():
            if node.session and block_id not in node.outbox and self._is_useless(block_id, mark):
                replica = Block(block_id, mark.generation, mark.length)
                action = DELETE_CORRUPT if mark.reason == CHECKSUM else TRASH
                node.outbox.add(Order(replica, action, 0, False))
                ordered += 1
        block = self._blocks.get(block_id)
        if block is not None and not self._blocks.holders(block_id):
            # Nothing is left but what was found corrupt: perhaps it was the reading that failed.
            ordered += sum(self._verifications.ask(node, block, now) for node in marks
                           if marks[node].reason == CHECKSUM)
        return ordered

    def _is_useless(self, block_id: int, mark: Mark) -> bool:
        """Whether a corrupt replica can go."""
        block = self._blocks.get(block_id)
        if block is None or mark.generation > block.generation:
            return False
        good = sum(1 for node in self._blocks.holders(block_id) if node.replicas_count)
        if good >= self._blocks.redundancy(block_id).targets:
            return True
        if not good or block_id in self._replication:
            return False
        taken: Set[Node] = set(self._blocks.everyone(block_id))
        return not any(node not in taken and node.free >= block.length
                       for node in self._nodes.takers())

    def _plan_trash(self, node: Node, now: float, calm_since: float) -> int:
        ordered = 0
        for block_id, unknown in list(islice(node.unknown.items(), _EXAMINED)):
            if now - max(unknown.since, calm_since) < self._policy.trash_grace_seconds:
                break
            # To the end, where new ones are: the head is always the one known longest.
            del node.unknown[block_id]
            node.unknown[block_id] = unknown._replace(since=now)
            replica = Block(block_id, unknown.generation, unknown.length)
            node.outbox.add(Order(replica, TRASH, 0, False))
            ordered += 1
        return ordered

    # Sending.

    def commands(self, node: Node, now: float, durable_txid: int) -> Tuple[Command, ...]:
        """The orders to put into this node's heartbeat reply."""
        if not node.outbox.ready:
            return ()
        return node.outbox.take(durable_txid, now + self._policy.command_repeat_seconds,
                                lambda order: self._still_right(node, order))

    def _still_right(self, node: Node, order: Order) -> bool:
        """Decide again, at the last moment. A wrong order that was never sent is withdrawn."""
        block_id = order.block.block_id
        if block_id in self._tombstones:
            return True
        if self._blocks.leaving.get(block_id) is node:
            right = self._is_surplus(block_id, node)
            if not right and not order.repeated:
                self._blocks.put(block_id, node)
        else:
            mark = self._blocks.marks.get(block_id, {}).get(node)
            right = (self._is_useless(block_id, mark) if mark is not None
                     else order.action == TRASH and block_id in node.unknown)
        if not right and not order.repeated:
            node.outbox.drop(block_id)
        return right

    def may_stay(self, node: Node, block_id: int) -> bool:
        """Whether a replica that a node reports can count: not when the node was told to delete
        it, since it may obey at any moment. An order that was never sent is withdrawn."""
        if node.outbox.is_sent(block_id):
            return False
        node.outbox.drop(block_id)
        return True

    def repeat(self, now: float) -> Tuple[Node, ...]:
        """Queue unconfirmed orders again; the nodes whose session must end instead.

        Such a node was told to delete a replica that has become needed since. It may have, or
        may do so any moment: only after it starts over is its replica known to stay.
        """
        doubtful: List[Node] = []
        for node in self._nodes:
            if not node.outbox.sent:
                continue
            late = [order.block.block_id for order in node.outbox.overdue(now, _EXAMINED)]
            if any(self._blocks.leaving.get(block_id) is node
                   and not self._is_surplus(block_id, node) for block_id in late):
                doubtful.append(node)
        return tuple(doubtful)

    def check(self) -> None:
        """Assert that all that waits has an order, and that all orders have a reason."""
        for block_id, tombstone in self._tombstones.items():
            assert block_id not in self._blocks, block_id
            assert all(block_id in node.outbox for node in tombstone.waiting), block_id
            assert (block_id in self._confirmed) == (not tombstone.waiting), block_id
        for block_id, node in self._blocks.leaving.items():
            assert block_id in node.outbox and not node.dead, (block_id, node)
