"""Which replicas their datanodes shall read once more, and which they found good.

Theory of operation. Nobody but the datanode that holds a replica can say what is on its disk. A
reader who complains may have bad memory himself, or want a file to be lost; a good report that is
old says nothing of today. So where it matters the holder is told to verify: it reads the replica
and answers that it is good, or reports it corrupt, as its scanner would. An answer that does not
come is asked for again. No node is asked for more than it can read in a while.
"""

from typing import Iterable, List

from data_service.namenode.replicas.block_policy import BlockPolicy
from data_service.namenode.replicas.node import Node
from data_service.protocol.blocks import Block

_ASKED_MAX = 1000
_FOUND_MAX = 20_000


class Verifications:
    """What was asked of each node, and answered, is kept with the node."""

    def __init__(self, policy: BlockPolicy) -> None:
        self._policy = policy

    def ask(self, node: Node, block: Block, now: float) -> int:
        """Have the node verify its replica, unless it was told to a while ago; how many orders."""
        asked = node.verifying.get(block.block_id)
        if not node.session or (asked is not None and not self._is_late(asked, now)):
            return 0
        if asked is None and len(node.verifying) >= _ASKED_MAX:
            oldest = next(iter(node.verifying))
            if not self._is_late(node.verifying[oldest], now):
                return 0
            del node.verifying[oldest]
        # To the end, where the newest ones are.
        node.verifying.pop(block.block_id, None)
        node.verifying[block.block_id] = now
        node.outbox.verify[block.block_id] = block
        return 1

    def _is_late(self, asked: float, now: float) -> bool:
        return now - asked >= self._policy.replication_seconds

    def found_good(self, node: Node, block_id: int, now: float) -> None:
        """The node has read its replica, and it is good."""
        node.verifying.pop(block_id, None)
        node.verified.pop(block_id, None)
        node.verified[block_id] = now
        if len(node.verified) > _FOUND_MAX:
            del node.verified[next(iter(node.verified))]

    def found_bad(self, node: Node, block_id: int) -> None:
        """The replica is corrupt, or gone."""
        node.verified.pop(block_id, None)

    def is_good(self, node: Node, block_id: int, now: float) -> bool:
        """Whether the node has found its replica good lately."""
        found = node.verified.get(block_id)
        return found is not None and now - found < self._policy.verified_seconds

    def sure(self, nodes: Iterable[Node], block: Block, wanted: int, now: float) -> int:
        """Of nodes that have a block: 0 when `wanted` of them found it good, lately. Otherwise as
        many more as that takes are asked; how many orders that made, -1 for none."""
        doubtful: List[Node] = []
        good = 0
        for node in nodes:
            if self.is_good(node, block.block_id, now):
                good += 1
            else:
                doubtful.append(node)
        if good >= wanted:
            return 0
        return sum(self.ask(node, block, now) for node in doubtful[: wanted - good]) or -1
