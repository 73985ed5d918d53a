"""Model datanodes with two namenodes: one leads, one stands by and follows its edits.

Both hear the same datanodes, each in sessions of its own, at different moments. The roles change
when the leader is killed, or hands over. What is told of a datanode in `ModelDataNode` is towards
who leads; what there is towards the other is kept aside, and exchanged with the roles.
"""

from collections import deque
from contextlib import contextmanager
from itertools import count
from random import Random
from typing import Any, Deque, Dict, Iterator, List, NamedTuple, Optional, Tuple

from data_service.namenode.replicas.blocks import Blocks
from data_service.protocol.blocks import Block
from data_service.protocol.redundancy import replicated
from tests.support.models.model_datanodes import (
    CAPACITY,
    CLUSTER_ID,
    ModelCluster,
    ModelDataNode,
    node_stats,
)

TOWARDS = ("session", "untold", "report_id", "reported")
"""What a datanode has once for each namenode."""


class News(Deque[Tuple[str, Block]]):
    """What is untold to one namenode; what comes is news to the other one as well."""

    other: "News"

    def append(self, change: Tuple[str, Block]) -> None:
        """Something happened."""
        super().append(change)
        deque.append(self.other, change)


class TwofoldDataNode(ModelDataNode):
    """A datanode of two namenodes; `aside` is what it has towards the one that stands by."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        first, second = News(), News()
        first.other, second.other = second, first
        self.untold = first
        self.aside: Dict[str, Any] = {
            "session": 0, "untold": second, "report_id": 0, "reported": 0}

    def start(self) -> None:
        """Nobody knows a new process."""
        super().start()
        self.aside["session"] = 0
        self.aside["untold"].clear()

    def turn_round(self) -> None:
        """Exchange what there is towards the two."""
        now = {name: getattr(self, name) for name in TOWARDS}
        for name, value in self.aside.items():
            setattr(self, name, value)
        self.aside = now


class Edit(NamedTuple):
    """Something that the namespace said to the block side, in edit `txid` or before it."""

    txid: int
    deletes: bool
    method: str
    args: Tuple[Any, ...]


class RecordedBlocks(Blocks):
    """While it leads, what the namespace says to it is put down as edits."""

    def __init__(self, cluster: "TwoNamenodes", number: int) -> None:
        super().__init__(CLUSTER_ID, cluster.policy, count((number << 32) + 1))
        self._cluster = cluster

    def _record(self, txid: int, deletes: bool, method: str, *args: Any) -> None:
        if self.leads:
            self._cluster.edits.append(Edit(txid, deletes, method, args))

    def track(self, block: Block, inode_id: int, redundancy: Any, txid: int = 0,
              digest: bytes = b"") -> None:
        """See Blocks."""
        self._record(self._cluster.txid, False, "track", block, inode_id, redundancy, txid, digest)
        super().track(block, inode_id, redundancy, txid, digest)

    def invalidate(self, block_id: int, txid: int) -> None:
        """See Blocks."""
        self._record(txid, True, "invalidate", block_id, txid)
        super().invalidate(block_id, txid)

    def forget(self, block_id: int) -> None:
        """See Blocks."""
        self._record(self._cluster.txid, False, "forget", block_id)
        super().forget(block_id)


class TwoNamenodes(ModelCluster):
    """`edits` are those that the standby has not followed yet."""

    def __init__(self, names: Tuple[str, ...], random: Random) -> None:
        self.made = 0
        self.edits: List[Edit] = []
        self.standby: Optional[RecordedBlocks] = None
        super().__init__(names, random)
        # Two namenodes shall not happen to choose the same surplus (HDFS-1972).
        self.stats = lambda: node_stats(CAPACITY - random.randrange(1000))
        self.nodes = {name: TwofoldDataNode(name) for name in names}

    def new_namenode(self) -> Blocks:
        """One that knows nothing, when both have died."""
        self.standby, self.edits, self.epoch = None, [], self.epoch + 1
        self.blocks = self._make()
        self.blocks.lead(self.epoch, self.now)
        self.forget_faults()
        return self.blocks

    def _make(self) -> RecordedBlocks:
        self.made += 1
        return RecordedBlocks(self, self.made)

    def forget_faults(self) -> None:
        """Who leads now may not have heard of what is rotten."""
        self.unheard_faults |= {(node.name, block_id) for node in self.nodes.values()
                                for block_id, replica in node.disk.items() if not replica.intact}

    # The standby.

    def begin_standby(self, rows: Dict[int, Tuple[Block, int]]) -> None:
        """A namenode is started, and loads what is durable: all that is tracked, and of these
        deleted blocks, how often they were wanted, those whose deletion is not."""
        for node in self.nodes.values():
            node.aside["session"] = 0
        self.edits = []
        self.standby = standby = self._make()
        for block, inode_id, redundancy in self.blocks.census.tracked():
            standby.track(block, inode_id, redundancy)
        for block_id, (block, wanted) in rows.items():
            txid = self.deleted_by[block_id]
            if txid <= self.durable_txid:
                standby.invalidate(block_id, 0)
                continue
            if wanted:
                standby.track(block, block_id, replicated(wanted))
            self.edits.append(Edit(txid, True, "invalidate", (block_id, txid)))
        standby.loaded(self.now)
        self.see()

    def follow(self, limit: int) -> None:
        """The standby carries out up to so many edits, none that is not durable."""
        while self.standby is not None and self.edits and limit:
            if self.edits[0].txid > self.durable_txid:
                return
            self._carry_out(self.edits.pop(0))
            limit -= 1

    def _carry_out(self, edit: Edit) -> None:
        getattr(self.standby, edit.method)(*edit.args)

    @contextmanager
    def turned_round(self) -> Iterator[None]:
        """What is done within is done towards the standby."""
        faults = set(self.unheard_faults)
        self._turn_round()
        try:
            yield
        finally:
            self._turn_round()
            self.unheard_faults = faults

    def _turn_round(self) -> None:
        assert self.standby is not None
        self.blocks, self.standby = self.standby, self.blocks  # type: ignore[assignment]
        for node in self.nodes.values():
            node.turn_round()

    # Who leads.

    def take_over(self) -> None:
        """The leader is dead: deletes that were not durable were never made, all else was."""
        for edit in self.edits:
            if not edit.deletes or edit.txid <= self.durable_txid:
                self._carry_out(edit)
        self._exchange()
        self.standby = None

    def hand_over(self) -> None:
        """The leader ends in good order, and stands by."""
        self.durable_txid = self.txid
        self.follow(len(self.edits))
        self.blocks.stand_by()
        self._exchange()

    def _exchange(self) -> None:
        self.edits = []
        self._turn_round()
        self.epoch += 1
        self.blocks.lead(self.epoch, self.now)
        self.forget_faults()

    # Time.

    def pass_time(self, seconds: float) -> None:
        """Both let time pass."""
        super().pass_time(seconds)
        if self.standby is not None:
            self.standby.monitor.tick(self.now, self.random)

    def see(self) -> None:
        """Both see the zookeeper."""
        super().see()
        if self.standby is not None:
            with self.turned_round():
                super().see()
