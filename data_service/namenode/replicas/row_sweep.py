"""Going through all replicas of a datanode, bit by bit.

There is no list of the blocks of a node, and it may hold a hundred thousand of them: to look for
them all at once would stall every other call. So the rows of the block map are gone through in
steps of a few milliseconds, one node after the other.
"""

from typing import Callable, Dict

from data_service.namenode.replicas.block_map import BlockMap
from data_service.namenode.replicas.node import Node

_ROWS = 250
_SLICES = 80
_REPLICAS = 400
"""A step looks at up to `_SLICES` slices of `_ROWS` rows, fewer after `_REPLICAS` replicas."""


class RowSweep:
    """Calls `visit` with the id of every block of which a node has a good replica."""

    def __init__(self, blocks: BlockMap, visit: Callable[[int, Node], None]) -> None:
        self._blocks = blocks
        self._visit = visit
        self._next_row: Dict[Node, int] = {}

    def __len__(self) -> int:
        return len(self._next_row)

    def __contains__(self, node: object) -> bool:
        return node in self._next_row

    def __repr__(self) -> str:
        return f"<RowSweep of {len(self)} nodes>"

    def begin(self, node: Node) -> None:
        """Go through this node's replicas, also when they were gone through before."""
        self._next_row[node] = 0

    def end(self, node: Node) -> None:
        """Let the rest of them be."""
        self._next_row.pop(node, None)

    def step(self) -> bool:
        """Visit some replicas of the node that came first; whether there was any node."""
        if not self._next_row:
            return False
        node, row = next(iter(self._next_row.items()))
        visited = 0
        for _ in range(_SLICES):
            held = list(self._blocks.held_by(node, row, row + _ROWS))
            for block_id in held:
                self._visit(block_id, node)
            visited += len(held)
            row += _ROWS
            if visited >= _REPLICAS:
                break
        self._next_row[node] = row
        if row >= self._blocks.rows:
            del self._next_row[node]
        return True
