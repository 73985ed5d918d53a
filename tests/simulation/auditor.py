"""Watches every deletion, every answer and every epoch while the cluster runs.

The auditor sees what no process sees: all disks, and the durable record at this very moment. It
is told of every removal before it happens and of every acknowledgement when it comes.
"""

from typing import Any, Dict, List, Tuple

from data_service.protocol.nodes import TRASH
from tests.simulation.durable_record import DurableRecord
from tests.simulation.violation import demand

STALE_SECONDS = 3.0
"""After this silence a datanode's replicas are no reason to remove others."""


class Auditor:
    """The rules for what happens on the way; `checks.py` has those for the end."""

    def __init__(self, record: DurableRecord) -> None:
        self._record = record
        self.datanodes: List[Any] = []
        self.namenodes: List[Any] = []
        self.lateness = 0.0
        self._epochs: Dict[str, int] = {}
        self._damage_heard: Dict[Tuple[str, int, str], float] = {}
        self._least_wanted: Dict[int, int] = {}
        self._edits_seen = 0
        self.removals = 0

    def removing(self, node: Any, order: Any) -> None:
        """A datanode is about to obey an order to remove a replica (HDFS-1972, HDFS-15200)."""
        self.removals += 1
        self._require_epoch(node.name, order.epoch)
        block = order.block
        replica = node.disk.get(block.block_id)
        if replica is None or replica.block.generation != block.generation:
            return
        row = self._record.tables["blocks"].get(block.block_id)
        if row is None:
            if block.block_id in self._record.deleted_ever or order.action == TRASH:
                return
        kept = [other.name for other in self.datanodes
                if other is not node and self._keeps(other, replica.block, order)]
        # The block of a file that is still written may be copied, and then have a surplus, too.
        wanted = 1
        if row is not None and replica.intact and replica.block == row[:3]:
            wanted = self._wanted(row[3])
        demand(len(kept) >= wanted, node, "removes", replica, "while", kept, "have it,", wanted,
               "are wanted:", order)

    def _keeps(self, node: Any, block: Any, order: Any) -> bool:
        """Whether a node has a good replica, as far as the giver of the order could know."""
        heard = self._damage_heard.get((node.name, block.block_id, order.giver.namenode))
        if heard is not None and heard > order.given_at:
            return True  # It was good then; by now it may even be removed, as a damaged one.
        replica = node.disk.get(block.block_id)
        if replica is None or replica.block != block:
            return False
        return self._is_fresh(node, order.given_at) and (replica.intact or heard is None)

    def _is_fresh(self, node: Any, given_at: float) -> bool:
        """Whether the giver of the order can have heard of the node lately (HDFS-15200).

        One that was suspended itself has heard nobody, and waits a while before it judges.
        """
        if node.up and not node.paused:
            return True
        limit = STALE_SECONDS + self.lateness
        slept = any(given_at - namenode.woke_at < 2 * limit for namenode in self.namenodes)
        return slept or given_at - node.silent_since < limit

    def _wanted(self, inode_id: int) -> int:
        """The least replication that the file ever durably had: an order may be a little old."""
        for edit in self._record.edits[self._edits_seen :]:
            for table, key, row in edit.changes:
                if table == "inodes" and row is not None:
                    least = self._least_wanted.get(key, row[9])
                    self._least_wanted[key] = min(least, row[9])
        self._edits_seen = len(self._record.edits)
        return self._least_wanted[inode_id]

    def look(self) -> None:
        """Two namenodes that could answer at one moment could contradict each other."""
        holders = [one.name for one in self.namenodes if one.up and not one.paused and one.holds]
        demand(len(holders) < 2, "two namenodes hold a lease at once:", holders)

    def learned(self, name: str, epoch: int) -> None:
        """A datanode obeys the namenode of this epoch from now on."""
        self._require_epoch(name, epoch)
        self._epochs[name] = epoch

    def _require_epoch(self, name: str, epoch: int) -> None:
        seen = self._epochs.get(name, 0)
        demand(epoch >= seen, name, "obeys epoch", epoch, "after", seen)

    def heard_of_damage(self, name: str, block_id: int, namenode: str) -> None:
        """This namenode was told that a replica is damaged."""
        if block_id in self._record.tables["blocks"]:
            key = (name, block_id, namenode)
            self._damage_heard.setdefault(key, self._record.world.now)
