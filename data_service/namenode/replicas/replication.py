"""Which blocks are copied, from where and to where, and which copies are under way.

Theory of operation. The block map keeps the under-replicated blocks in queues, those with one
good replica left first. At each tick a bounded number of them is looked at; a block gets at most
one copy order at a time, for all the replicas that it lacks. The source must be a good holder
that has fully reported, and obeys us; a stale one serves only when no fresh one exists. The number
of copies is bounded for each source and in all, so that the loss of a node cannot choke the
cluster. A copy ends when its targets report the block, or its source says that it failed; one that
does not end in time is forgotten. In its place another one begins at once, of what its source has:
the other nodes are as busy as they were. The block itself is planned anew from where it stands,
after a failure not before a pause that doubles each time. A copy that arrives late after all is a
surplus. A target that its source could not reach, though we hear its heartbeats, is avoided for a
while by all copies, and longer each time: else each block would try it for itself.
"""

from itertools import islice
from random import Random
from typing import Collection, Dict, Iterable, Iterator, List, NamedTuple, Optional, Set, Tuple

from data_service.namenode.replicas.block_map import BlockMap, rotate
from data_service.namenode.replicas.block_policy import BlockPolicy
from data_service.namenode.replicas.judgement import lacking
from data_service.namenode.replicas.node import Node
from data_service.namenode.replicas.nodes import Nodes
from data_service.namenode.replicas.placement import choose_targets
from data_service.namenode.replicas.service_state import DECOMMISSIONED, DRAINING
from data_service.protocol.blocks import Block
from data_service.protocol.health import LIVE
from data_service.protocol.nodes import REPLICATE, Command

_EXAMINED = 3000
_EXAMINED_BETWEEN = 1000
_TRIED = 650
"""Blocks of one queue that a tick looks at, and a copy that ended; and those of them that an idle
node has, for which a target is looked for: they bound the time when nothing can be done."""

_FAILURES_MAX = 10_000
_DOUBLINGS_MAX = 16


class Copy(NamedTuple):
    """A copy under way: its source, the targets that have not reported it, and its end in time."""

    source: Node
    targets: Tuple[Node, ...]
    deadline: float


class Failure(NamedTuple):
    """Copies of a block that failed one after the other: how many, the source of the last, and
    when the next may begin."""

    times: int
    source: Node
    until: float


class Replication:
    """The copies under way, in the order of their deadlines.

    `_freed` are the sources of those that ended since anything was planned: what other nodes have
    was looked at then, and could not be copied, unless there were too many copies in all
    (`_choked`).
    """

    def __init__(self, blocks: BlockMap, nodes: Nodes, policy: BlockPolicy) -> None:
        self._blocks = blocks
        self._nodes = nodes
        self._policy = policy
        self._copies: Dict[int, Copy] = {}
        self._failures: Dict[int, Failure] = {}
        self._freed: Set[Node] = set()
        self._choked = False

    def __len__(self) -> int:
        return len(self._copies)

    def __iter__(self) -> Iterator[int]:
        return iter(self._copies)

    def __contains__(self, block_id: int) -> bool:
        return block_id in self._copies

    def __repr__(self) -> str:
        return f"<Replication {len(self._copies)} copies under way>"

    def arriving(self, block_id: int) -> int:
        """How many replicas of a block are on their way."""
        copy = self._copies.get(block_id)
        return len(copy.targets) if copy is not None else 0

    def plan(self, now: float, random: Random) -> int:
        """Order copies of under-replicated blocks, the most urgent first; how many."""
        return self._plan_from(self._idle(self._nodes), _EXAMINED, now, random)

    def refill(self, now: float, random: Random) -> int:
        """Order others in the place of copies that ended; how many."""
        if not self._freed:
            return 0
        idle = self._idle(self._nodes if self._choked else self._freed)
        return self._plan_from(idle, _EXAMINED_BETWEEN, now, random)

    def _plan_from(self, idle: Set[Node], examined: int, now: float, random: Random) -> int:
        """Order copies of what these nodes have, until none of them is idle any more."""
        self._freed.clear()
        self._choked = False
        takers = self._nodes.takers()
        # Of three datanodes one is lost, say: then no block has where to go, and none is tried.
        anywhere = frozenset(takers)
        before = len(self._copies)
        for queue in self._blocks.under:
            tried = 0
            for block_id in list(islice(queue, examined)):
                if not idle or tried >= _TRIED:
                    break
                holders = self._blocks.holders(block_id)
                if not (idle.isdisjoint(holders) or anywhere.issubset(holders)):
                    self._choked = self._is_choked()
                    if self._choked:
                        return len(self._copies) - before
                    tried += 1
                    self._start(block_id, takers, now, random)
                    idle.difference_update(
                        [node for node in holders if not self._has_stream(node)])
                rotate(queue, block_id)
        return len(self._copies) - before

    def _idle(self, nodes: Iterable[Node]) -> Set[Node]:
        """Those of the nodes that may be the source of one more copy."""
        return {node for node in nodes if node.usable and self._has_stream(node)}

    def _has_stream(self, node: Node) -> bool:
        return node.streams < self._policy.max_replication_streams

    def _is_choked(self) -> bool:
        """Whether no further copy may begin anywhere."""
        return len(self._copies) >= self._policy.max_replications

    def _start(self, block_id: int, takers: List[Node], now: float, random: Random) -> None:
        if block_id in self._copies or self._pauses(block_id, now):
            return
        source = self._source(block_id)
        block = self._blocks.get(block_id)
        if source is None or block is None:
            return
        taken = self._blocks.everyone(block_id)
        holders = self._blocks.holders(block_id)
        free = [node for node in takers if node not in taken and block_id not in node.unknown
                and now >= node.avoided_until]
        count = lacking(self._blocks.redundancy(block_id), holders)
        staying = [node for node in holders if node.in_service or node.returns]
        targets = choose_targets(free, count, staying, "", block.length, random)
        if targets:
            self._order(block, source, targets, now)

    def spread(self, block_id: int, random: Random, now: float) -> bool:
        """Copy a block whose good replicas are all on one rack to another rack, if possible."""
        holders = self._blocks.holders(block_id)
        racks = {node.info.rack for node in holders}
        if len(racks) != 1 or block_id in self._copies or self._is_choked():
            return False
        source = self._source(block_id)
        block = self._blocks.get(block_id)
        taken = self._blocks.everyone(block_id)
        free = [node for node in self._nodes.takers()
                if node not in taken and node.info.rack not in racks and now >= node.avoided_until]
        redundancy = self._blocks.redundancy(block_id)
        if source is None or block is None or not redundancy.tolerates:
            return False
        targets = choose_targets(free, 1, holders, "", block.length, random)
        if targets:
            self._order(block, source, targets, now)
        return bool(targets)

    def _order(self, block: Block, source: Node, targets: List[Node], now: float) -> None:
        block_id = block.block_id
        for node in targets:
            node.expect(block_id, block.length)
        source.streams += 1
        source.outbox.copies[block_id] = Command(
            REPLICATE, (block,), tuple(node.target for node in targets))
        self._copies[block_id] = Copy(source, tuple(targets),
                                      now + self._policy.replication_seconds)

    def _source(self, block_id: int) -> Optional[Node]:
        """The least busy good holder, or None when all that may serve are busy.

        As in HDFS, who is on the way out comes first, since nobody writes to it, and who is to be
        stopped any moment last.
        """
        able = [node for node in self._blocks.holders(block_id)
                if node.usable and node.may_be_read]
        able = [node for node in able if node.liveness == LIVE] or able
        able = [node for node in able if node.service_state != DECOMMISSIONED] or able
        idle = [node for node in able if self._has_stream(node)]
        failure = self._failures.get(block_id)
        failed = failure.source if failure is not None else None
        return min(idle, default=None, key=lambda node: (
            node is failed, node.service_state not in DRAINING, node.streams, node.index))

    def failed(self, block_id: int, source: Node, now: float,
               unreached: Collection[str] = ()) -> None:
        """This node could not make its copy: another attempt begins soon, but not at once, unless
        it could not reach targets with these ids, which are avoided then."""
        copy = self._copies.get(block_id)
        if copy is None or copy.source is not source:
            return
        missed = [node for node in copy.targets if node.info.node_id in unreached]
        for node in missed:
            pause = self._policy.stale_seconds * 2 ** min(node.misses, _DOUBLINGS_MAX)
            node.avoided_until = now + min(pause, self._policy.replication_seconds)
            node.misses += 1
        if missed:
            self.cancel(block_id)
            return
        earlier = self._failures.pop(block_id, None)
        count = 1 if earlier is None else min(earlier.times + 1, _DOUBLINGS_MAX)
        self.cancel(block_id)
        pause = self._policy.heartbeat_seconds * 2 ** (count - 1)
        until = now + min(pause, self._policy.replication_seconds)
        self._failures[block_id] = Failure(count, source, until)
        if len(self._failures) > _FAILURES_MAX:
            del self._failures[next(iter(self._failures))]

    def _pauses(self, block_id: int, now: float) -> bool:
        failure = self._failures.get(block_id)
        return failure is not None and now < failure.until

    def arrived(self, block_id: int, node: Node) -> None:
        """A node reported that it has this block."""
        self._failures.pop(block_id, None)
        copy = self._copies.get(block_id)
        if copy is not None and node in copy.targets:
            node.misses = 0
            self._without(block_id, copy, node)

    def came_wrong(self, block_id: int, node: Node, now: float) -> None:
        """A node has the block with another content: if that was a copy, it was a bad one."""
        copy = self._copies.get(block_id)
        if copy is not None and node in copy.targets:
            self.failed(block_id, copy.source, now)

    def cancel(self, block_id: int) -> None:
        """The block was deleted, or the source's replica turned out to be corrupt."""
        self._failures.pop(block_id, None)
        copy = self._copies.pop(block_id, None)
        if copy is None:
            return
        self._freed.add(copy.source)
        copy.source.streams -= 1
        copy.source.outbox.copies.pop(block_id, None)
        for node in copy.targets:
            node.unexpect(block_id)

    def cancel_from(self, block_id: int, source: Node) -> None:
        """This node is no good source for the block any more."""
        copy = self._copies.get(block_id)
        if copy is not None and copy.source is source:
            self.cancel(block_id)

    def cancel_node(self, node: Node) -> None:
        """A node died or restarted: what it was sending or receiving will not end."""
        for block_id, copy in list(self._copies.items()):
            if copy.source is node:
                self.cancel(block_id)
            elif node in copy.targets:
                self._without(block_id, copy, node)

    def _without(self, block_id: int, copy: Copy, node: Node) -> None:
        node.unexpect(block_id)
        left = tuple(other for other in copy.targets if other is not node)
        self._copies[block_id] = copy._replace(targets=left)
        if not left:
            self.cancel(block_id)

    def expire(self, now: float) -> List[int]:
        """Forget the copies whose time is over; their blocks."""
        late: List[int] = []
        for block_id, copy in self._copies.items():
            if copy.deadline > now:
                break
            late.append(block_id)
        for block_id in late:
            self.cancel(block_id)
        return late

    def shift(self, seconds: float) -> None:
        """The namenode itself slept so long: all copies get that much longer."""
        for block_id, copy in self._copies.items():
            self._copies[block_id] = copy._replace(deadline=copy.deadline + seconds)

    def check(self) -> None:
        """Assert the bounds, and that streams and expectations match the copies."""
        assert len(self._copies) <= self._policy.max_replications, self
        streams: Dict[Node, int] = {}
        for block_id, copy in self._copies.items():
            streams[copy.source] = streams.get(copy.source, 0) + 1
            assert block_id in self._blocks and copy.targets, block_id
            assert copy.source not in copy.targets, block_id
            assert all(block_id in node.expected for node in copy.targets), block_id
        for node in self._nodes:
            assert node.streams == streams.get(node, 0), node
            assert node.streams <= self._policy.max_replication_streams, node
            assert set(node.outbox.copies) <= set(self._copies), node
