"""Forgetting what dead datanodes held, bit by bit.

A node may have held a hundred thousand blocks: to forget them all at once would stall every
other call. What decides anything (its session, copies, orders) goes at once; its good replicas
go in slices of rows of the block map, a few with each tick. Until then they still count, and
nothing is concluded from them: a dead node is never usable. A node that returns in between just
leaves the list, and its full report sets right what was and what was not yet forgotten.
"""

from typing import Dict

from data_service.namenode.replicas.block_map import BlockMap
from data_service.namenode.replicas.nodes import Node

_ROWS = 20_000
_SLICES = 10
_REPLICAS = 5_000
"""A tick looks at up to `_SLICES` slices of `_ROWS` rows, fewer after `_REPLICAS` replicas."""


class DeadNodes:
    """Dead nodes with replicas that are not forgotten yet, and the next row to look at."""

    def __init__(self, blocks: BlockMap) -> None:
        self._blocks = blocks
        self._next_row: Dict[Node, int] = {}

    def __repr__(self) -> str:
        return f"<DeadNodes {len(self._next_row)} being forgotten>"

    def add(self, node: Node) -> None:
        """A node died."""
        self._next_row[node] = 0
        self._rejudge_marks(node)

    def returned(self, node: Node) -> None:
        """A node registered, dead or not."""
        self._next_row.pop(node, None)
        self._rejudge_marks(node)

    def sweep(self) -> None:
        """Forget some replicas of the node that died first."""
        if not self._next_row:
            return
        node, row = next(iter(self._next_row.items()))
        forgotten = 0
        for _ in range(_SLICES):
            held = list(self._blocks.held_by(node, row, row + _ROWS))
            for block_id in held:
                self._blocks.drop(block_id, node)
            forgotten += len(held)
            row += _ROWS
            if forgotten >= _REPLICAS:
                break
        self._next_row[node] = row
        if row >= self._blocks.rows:
            del self._next_row[node]

    def _rejudge_marks(self, node: Node) -> None:
        # Marks of a dead node are kept, for it may return with the same bytes, but not counted.
        for block_id, marks in list(self._blocks.marks.items()):
            if node in marks:
                self._blocks.rejudge(block_id)
