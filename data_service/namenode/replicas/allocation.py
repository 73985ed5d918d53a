"""Which datanodes the replicas of a new block go to, and how many it can have at all.

Right after a start most datanodes have not come back yet. A block that is allocated or completed
then would have too few replicas for no reason, so for a settling time too few are none; and after
it, for a minute, while the zookeeper sees a datanode that has not reported here.
"""

from math import inf
from random import Random
from typing import AbstractSet, Iterable, Tuple

from data_service.namenode.replicas.block_map import BlockMap
from data_service.namenode.replicas.block_policy import BlockPolicy
from data_service.namenode.replicas.liveness import Liveness
from data_service.namenode.replicas.nodes import Nodes
from data_service.namenode.replicas.open_blocks import OpenBlocks
from data_service.namenode.replicas.placement import choose_targets, refusal
from data_service.protocol.blocks import Block
from data_service.protocol.health import LIVE
from data_service.protocol.nodes import Target
from data_service.protocol.redundancy import Redundancy
from zookeeper.fabric.errors import Busy, SafeMode


class Allocation:
    """Looks at the datanodes, and changes nothing."""

    def __init__(
        self,
        nodes: Nodes,
        liveness: Liveness,
        blocks: BlockMap,
        opened: OpenBlocks,
        policy: BlockPolicy,
    ) -> None:
        self._nodes = nodes
        self._liveness = liveness
        self._blocks = blocks
        self._opened = opened
        self._policy = policy
        self._started = -inf

    def start(self, now: float) -> None:
        """The settling time begins."""
        self._started = now

    def _is_settled(self, now: float) -> bool:
        """Whether who is not here yet will not come, or not soon."""
        passed = now - self._started
        if passed < self._policy.settling_seconds:
            return False
        return passed >= self._policy.awaited_seconds or not self._liveness.awaited()

    def choose(
        self,
        count: int,
        excluded: AbstractSet[str],
        writer_host: str,
        size: int,
        label: str,
        now: float,
        random: Random,
    ) -> Tuple[Target, ...]:
        """As `Blocks.choose_targets`."""
        running = [node for node in self._nodes if node.liveness == LIVE]
        # Who is about to leave is excluded by us, as others are by the writer.
        excluded = excluded | {node.info.node_id for node in running if not node.in_service}
        allowed = [node for node in running if node.info.node_id not in excluded]
        takers = [node for node in allowed if node.may_take_replicas]
        chosen = choose_targets(takers, count, (), writer_host, size, random)
        if len(chosen) < count and not self._is_settled(now):
            # Too few, but most likely only because they have not come back to us yet.
            raise SafeMode(f"Cannot add block to {label}. Name node has just started.")
        if not chosen and len(takers) < len(allowed):
            # After a hiccup all of them may begin a new session at once: that is soon over.
            raise Busy(f"Cannot add block to {label}: datanodes are still reporting; ask again")
        if not chosen:
            raise refusal(label, len(running), excluded, len(takers), size)
        return tuple(node.target for node in chosen)

    def attainable(
        self, block: Block, targets: Iterable[Target], redundancy: Redundancy, now: float
    ) -> int:
        """As `Blocks.attainable`."""
        if not self._is_settled(now):
            return redundancy.targets
        opened = self._opened.get(block.block_id)
        holders = self._blocks.holders(block.block_id) if opened is None else opened.replicas
        ids = [node.info.node_id for node in holders] + [target.node_id for target in targets]
        able = self._nodes.able(frozenset(ids), block.length)
        return min(redundancy.targets, max(redundancy.needed, able))

    def __repr__(self) -> str:
        return f"<Allocation of a namenode that started at {self._started}>"
