"""Which replicas a datanode has, in memory: every change of the table is one step under its lock.

Theory of operation. The table is filled by a scan of the disks at start, and changes when a write
is finished, a removal ordered, or a volume fails, which takes all of its replicas out. A replica
that turned out to be damaged stays in it, with what is wrong with it. Of a directory that was away
and came back, beside the copy that was made meanwhile, there may be *spares*: they go when the
replica in use has been read, or is ordered away, else they would fill the disk without being known.
"""

import heapq
import threading
from collections import Counter
from typing import Callable, Dict, List, NamedTuple, Optional, Set, Tuple

from data_service.datanode.store import layout
from data_service.datanode.store.found_replicas import Replica
from data_service.datanode.store.volume import Volume
from data_service.protocol.blocks import Block
from zookeeper.fabric.errors import (
    BlockMissing,
    Busy,
    DiskFailed,
    InvalidArgument,
    SessionExpired,
)


class Inventory(NamedTuple):
    """What a full block report tells: good replicas, and corrupt ones; and the digests of the good
    ones, in their order."""

    good: Tuple[Block, ...]
    corrupt: Tuple[Block, ...]
    digests: Tuple[bytes, ...]


class ReplicaMap:
    """The replicas by block id, and their bytes in all. May be used by any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._replicas: Dict[int, Replica] = {}
        self._spares: Dict[int, List[Replica]] = {}
        self._writing: Set[int] = set()
        self._used = 0
        self._counts: Counter[str] = Counter()
        """How many are in each directory, by its root."""

    def fill(self, found: Dict[int, Replica], spares: Dict[int, List[Replica]]) -> None:
        """Begin with what a scan found."""
        with self._lock:
            self._spares = spares
            self._replicas = found
            self._keep_working()

    def begin(self, block_id: int) -> None:
        """A replica is going to be written; InvalidArgument when the block is here already."""
        with self._lock:
            if block_id in self._replicas or block_id in self._writing:
                raise InvalidArgument(f"blk_{block_id} exists here already; blocks are immutable")
            self._writing.add(block_id)

    def end(self, block_id: int) -> None:
        """It is not being written any more."""
        with self._lock:
            self._writing.discard(block_id)

    def enter(self, replica: Replica) -> None:
        """There is this replica now; DiskFailed when its volume has failed."""
        with self._lock:
            if replica.volume.failed:
                raise DiskFailed(replica.volume.failed)
            self._put(replica)

    def find(self, block_id: int, generation: int) -> Replica:
        """A replica, good or corrupt; BlockMissing."""
        with self._lock:
            replica = self._replicas.get(block_id)
        if replica is None or replica.block.generation != generation:
            raise BlockMissing(f"blk_{block_id}_{generation} is not on this datanode")
        return replica

    def mark(self, block: Block, problem: str) -> Optional[Block]:
        """A good replica is corrupt from now on: what is known of it; None when it is gone, or
        known as corrupt already."""
        with self._lock:
            replica = self._replicas.get(block.block_id)
            if replica is None or replica.problem or replica.block[:2] != block[:2]:
                return None
            self._replicas[block.block_id] = replica._replace(problem=problem)
            return replica.block

    def heal(self, good: Replica) -> str:
        """A replica is not corrupt after all; what was wrong with it, "" when nothing was."""
        with self._lock:
            replica = self._replicas.get(good.block.block_id)
            if replica is None or not replica.problem or replica.volume is not good.volume:
                return ""
            self._put(good._replace(problem=""))
            return replica.problem

    def take_out(self, block: Block, holds: Callable[[], bool]) -> List[Replica]:
        """Remove a block's replica from the table, and its spares, if the order for it still holds:
        the replicas, none when it is not here. Raises SessionExpired, InvalidArgument, Busy.

        `holds` is asked under the lock that the inventory takes, too: an order that ended before
        an inventory is made takes nothing out after it.
        """
        with self._lock:
            if not holds():
                raise SessionExpired("the order was given in a session that ended")
            replica = self._replicas.get(block.block_id)
            if replica is None or replica.block.generation != block.generation:
                return []
            if block.length not in (0, replica.block.length) and not replica.problem:
                raise InvalidArgument(f"{replica.block} is here, and not {block}")
            if replica.volume.health.is_silent:
                raise Busy(f"{replica.volume.root} does not answer")
            del self._replicas[block.block_id]
            self._used -= replica.footprint
            self._counts[replica.volume.root] -= 1
            return [replica, *self._spares.pop(block.block_id, [])]

    def put_back(self, replica: Replica, spares: List[Replica]) -> None:
        """They could not be removed, and are still there; DiskFailed when their volume is not."""
        self.enter(replica)
        with self._lock:
            self._spares[replica.block.block_id] = spares

    def drop_failed(self) -> int:
        """Forget the replicas of volumes that have failed; how many these were."""
        with self._lock:
            before = len(self._replicas)
            self._keep_working()
            return before - len(self._replicas)

    # Spares.

    def doubles(self) -> List[Block]:
        """The replicas that lie in another directory of this datanode as well."""
        with self._lock:
            return [self._replicas[block_id].block for block_id in self._spares
                    if block_id in self._replicas]

    def spares(self, block_id: int) -> List[Replica]:
        """The other replicas of a block."""
        with self._lock:
            return list(self._spares.get(block_id, ()))

    def use_next(self, block_id: int) -> None:
        """The replica in use is damaged: use the next one, and keep the other behind all."""
        with self._lock:
            spares = self._spares.get(block_id)
            if spares and block_id in self._replicas and not spares[0].volume.failed:
                replica, spares[:] = spares[0], spares[1:] + [self._replicas[block_id]]
                self._put(replica)

    def forget_spare(self, spare: Replica) -> None:
        """It is not there any more."""
        block_id = spare.block.block_id
        with self._lock:
            left = [one for one in self._spares.pop(block_id, ()) if one is not spare]
            if left:
                self._spares[block_id] = left

    # Telling.

    def inventory(self) -> Inventory:
        """All replicas, for a full report."""
        replicas = self._all()
        good = [replica for replica in replicas if not replica.problem]
        return Inventory(
            tuple([replica.block for replica in good]),
            tuple([replica.block for replica in replicas if replica.problem]),
            tuple([replica.digest for replica in good]),
        )

    @property
    def used(self) -> int:
        """Bytes on disk of all replicas."""
        return self._used

    def count_in(self, root: str) -> int:
        """How many are in the directory with this root."""
        return self._counts[root]

    def good_after(self, block_id: int, limit: int) -> List[Block]:
        """The good replicas of the lowest ids above `block_id`, at most `limit`, in their order."""
        good = (r.block for r in self._all() if r.block.block_id > block_id and not r.problem)
        return heapq.nsmallest(limit, good)

    def good_on(self, volume: Volume, shard: str) -> List[Replica]:
        """The good replicas that should have their files in one folder of a volume."""
        return [
            r for r in self._all()
            if r.volume is volume and not r.problem and layout.shard_of(r.block.block_id) == shard
        ]

    def __len__(self) -> int:
        return len(self._replicas)

    def check(self) -> None:
        """Assert that the table and its sum agree, and that no failed volume is in it."""
        with self._lock:
            used = sum(replica.footprint for replica in self._replicas.values())
            assert self._used == used, f"{self._used} bytes used, not {used}"
            counts = Counter(replica.volume.root for replica in self._replicas.values())
            assert +self._counts == counts, f"{self._counts}, not {counts}"
            for block_id, replica in self._replicas.items():
                assert block_id == replica.block.block_id, "a replica under another id"
                assert not replica.volume.failed, "a replica of a failed volume"

    def __repr__(self) -> str:
        return f"<ReplicaMap {len(self._replicas)} replicas, {self._used} bytes>"

    def _all(self) -> List[Replica]:
        with self._lock:
            return list(self._replicas.values())

    def _put(self, replica: Replica) -> None:
        before = self._replicas.get(replica.block.block_id)
        self._used += replica.footprint - (before.footprint if before else 0)
        self._counts[replica.volume.root] += 1
        if before:
            self._counts[before.volume.root] -= 1
        self._replicas[replica.block.block_id] = replica

    def _keep_working(self) -> None:
        self._replicas = {key: r for key, r in self._replicas.items() if not r.volume.failed}
        self._used = sum(replica.footprint for replica in self._replicas.values())
        self._counts = Counter(replica.volume.root for replica in self._replicas.values())
