"""Watches every deletion, every answer and every epoch while the cluster runs.

The auditor sees what no process sees: all disks, and the durable record at this very moment. It
is told of every removal before it happens and of every acknowledgement when it comes.
"""

from typing import Any, Dict, List, Tuple

from data_service.protocol.messages import TRASH
from tests.simulation.services import MetadataService


class Violation(AssertionError):
    """A rule that may never be broken was."""


def demand(condition: bool, *facts: object) -> None:
    """Raise Violation with the facts unless the condition holds."""
    if not condition:
        raise Violation(" ".join(map(str, facts)))


class Auditor:
    """The rules for what happens on the way; `checks.py` has those for the end."""

    def __init__(self, metadata: MetadataService) -> None:
        self._metadata = metadata
        self.datanodes: List[Any] = []
        self._epochs: Dict[str, int] = {}
        self._damage_heard: Dict[Tuple[str, int, int], float] = {}
        self._least_wanted: Dict[int, int] = {}
        self._edits_seen = 0
        self.removals = 0

    def removing(self, node: Any, order: Any) -> None:
        """A datanode is about to obey an order to remove a replica (HDFS-1972, HDFS-15200)."""
        self.removals += 1
        seen = self._epochs.get(node.name, 0)
        demand(order.epoch >= seen, node, "obeys epoch", order.epoch, "after", seen)
        block = order.block
        replica = node.disk.get(block.block_id)
        if replica is None or replica.block.generation != block.generation:
            return
        row = self._metadata.tables["blocks"].get(block.block_id)
        if row is None:
            deleted = block.block_id in self._metadata.deleted_ever
            demand(deleted or order.action == TRASH, node, order, "is not recorded as deleted")
            return
        kept = [other.name for other in self.datanodes
                if other is not node and self._keeps(other, replica.block, order)]
        wanted = self._wanted(row[3]) if replica.intact and replica.block == row[:3] else 1
        demand(len(kept) >= wanted, node, "removes", replica, "while", kept, "have it,", wanted,
               "are wanted:", order)

    def _keeps(self, node: Any, block: Any, order: Any) -> bool:
        """Whether a node has a good replica, as far as the giver of the order could know."""
        replica = node.disk.get(block.block_id)
        if replica is None or replica.block != block:
            return False
        heard = self._damage_heard.get((node.name, block.block_id, order.epoch))
        return replica.intact or heard is None or heard > order.given_at

    def _wanted(self, inode_id: int) -> int:
        """The least replication that the file ever durably had: an order may be a little old."""
        for edit in self._metadata.edits[self._edits_seen :]:
            for table, key, row in edit.changes:
                if table == "inodes" and row is not None:
                    least = self._least_wanted.get(key, row[9])
                    self._least_wanted[key] = min(least, row[9])
        self._edits_seen = len(self._metadata.edits)
        return self._least_wanted[inode_id]

    def registered(self, name: str, epoch: int) -> None:
        """A datanode accepted a namenode of this epoch."""
        self._epochs[name] = max(epoch, self._epochs.get(name, 0))

    def heard_of_damage(self, name: str, block_id: int, session: int) -> None:
        """A namenode was told that a replica is damaged. Sessions name the epoch they are of."""
        if block_id in self._metadata.tables["blocks"]:
            key = (name, block_id, session >> 32)
            self._damage_heard.setdefault(key, self._metadata.world.now)
