"""Forgetting what dead datanodes held, bit by bit.

What decides anything (its session, copies, orders) goes at once; its good replicas go in small
steps, or not at all while it is in maintenance. Until then its blocks do not lack
them, but they justify no removal of others. A node that returns in between just leaves the list,
and its full report sets right what was and what was not yet forgotten. In the end the node itself
is forgotten: at once when it never reported, or another disk is served at its address, else after
so long that nobody looks for it in a report any more.
"""

from math import inf
from data_service.namenode.replicas.block_map import BlockMap
from data_service.namenode.replicas.deletion import Deletions
from data_service.namenode.replicas.events import Events
from data_service.namenode.replicas.node import Node
from data_service.namenode.replicas.nodes import Nodes
from data_service.namenode.replicas.open_blocks import OpenBlocks
from data_service.namenode.replicas.replication import Replication
from data_service.namenode.replicas.row_sweep import RowSweep

KEPT_SECONDS = 7 * 86400.0
"""How long a dead node stands in reports, so that somebody can find out why it died."""


class DeadNodes:
    """Dead nodes with replicas that are not forgotten yet, and the next row to look at."""

    def __init__(self, nodes: Nodes, blocks: BlockMap, opened: OpenBlocks,
                 replication: Replication, deletions: Deletions,
                 events: Events) -> None:
        self._nodes = nodes
        self._blocks = blocks
        self._opened = opened
        self._replication = replication
        self._deletions = deletions
        self._events = events
        self._swept = RowSweep(blocks, blocks.drop)

    def __repr__(self) -> str:
        return f"<DeadNodes {len(self._swept)} being forgotten>"

    def add(self, node: Node) -> None:
        """A node died: what decides anything goes now."""
        self._events.note("node.dead", node=node.info.node_id, replicas=node.replicas)
        self._replication.cancel_node(node)
        self._deletions.forget(node)
        for block_id in self._opened:
            self._opened.lacks(node, block_id)
        for block_id in list(node.expected):
            node.unexpect(block_id)
        self.release(node)
        self._rejudge_marks(node)

    def release(self, node: Node) -> None:
        """Forget this node's replicas if it is dead, unless it is because somebody repairs it."""
        if node.dead and not node.returns:
            self._swept.begin(node)
        else:
            self._swept.end(node)

    def returned(self, node: Node) -> None:
        """A node registered, dead or not."""
        self._swept.end(node)
        self._rejudge_marks(node)

    def sweep(self) -> bool:
        """Forget some replicas of the node that died first; whether there was any."""
        return self._swept.step()

    def forget(self, now: float) -> None:
        """Forget the nodes that nobody will miss."""
        for node in [node for node in self._nodes if node.dead and node not in self._swept]:
            reported = node.last_report > -inf
            kept = KEPT_SECONDS if reported and not node.removed else 0.0
            if now - node.last_heartbeat >= kept and not node.replicas:
                for block_id, marks in list(self._blocks.marks.items()):
                    if node in marks:
                        self._blocks.drop(block_id, node)
                self._nodes.forget(node)

    def _rejudge_marks(self, node: Node) -> None:
        # Marks of a dead node are kept, for it may return with the same bytes, but not counted.
        for block_id, marks in list(self._blocks.marks.items()):
            if node in marks:
                self._blocks.rejudge(block_id)
