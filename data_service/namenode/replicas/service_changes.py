"""Nodes that are taken out of service, or put back: then their blocks are judged anew.

That happens bit by bit. What lacks a replica by it is found a few ticks later; what is decided in
between looks at the nodes themselves, and is right.
"""

from data_service.namenode.replicas.block_map import BlockMap
from data_service.namenode.replicas.dead_nodes import DeadNodes
from data_service.namenode.replicas.node import Node
from data_service.namenode.replicas.row_sweep import RowSweep
from data_service.namenode.replicas.service_state import STANDINGS


class ServiceChanges:
    """Sets the service states of nodes. `unsettled`: those whose blocks are being judged."""

    def __init__(self, blocks: BlockMap, dead_nodes: DeadNodes) -> None:
        self._dead_nodes = dead_nodes
        self.unsettled = RowSweep(blocks, lambda block_id, node: blocks.rejudge(block_id))

    def __repr__(self) -> str:
        return f"<ServiceChanges of {len(self.unsettled)} nodes>"

    def put(self, node: Node, service_state: str) -> None:
        """From now on the node is in this service state."""
        assert service_state in STANDINGS, service_state
        node.service_state = service_state
        self.unsettled.begin(node)
        self._dead_nodes.release(node)

    def sweep(self) -> bool:
        """Judge some blocks of the node that changed first; whether there was any."""
        return self.unsettled.step()
