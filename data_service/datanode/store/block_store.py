"""All replicas of a datanode, over one or several volumes.

Theory of operation. A replica is immutable once it is finalized, so readers need no lock: they
open it and keep the descriptor, and a removal only takes the name away. The table of replicas is
filled by a scan of the disks at start, before anything is reported or served, and changes when a
write is finished, a removal ordered, or a volume fails, which takes all of its replicas out. A
replica whose length or checksum file is wrong stays on the disk, is listed as corrupt, and is
served to nobody who wants it to be right. A datanode without a working volume stays up: it has no
replicas and no room.
"""

import heapq
import threading
from typing import Callable, Dict, List, NamedTuple, Sequence, Set, Tuple

from data_service.datanode.store import layout
from data_service.datanode.store.found_replicas import Replica, collect
from data_service.datanode.store.open_replica import OpenReplica
from data_service.datanode.store.replica_writer import ReplicaWriter
from data_service.datanode.store.volume import Stored, Volume
from data_service.datanode.store.volumes import Volumes
from data_service.protocol.blocks import Block
from data_service.protocol.checksums import CHUNK_BYTES
from zookeeper.fabric import disk, logs
from zookeeper.fabric.errors import (
    BlockMissing,
    Busy,
    CorruptData,
    DiskFailed,
    DiskFull,
    InvalidArgument,
    SessionExpired,
)

log = logs.get("block_store")


class Inventory(NamedTuple):
    """What a full block report tells: good replicas, and corrupt ones."""

    good: Tuple[Block, ...]
    corrupt: Tuple[Block, ...]


class Usage(NamedTuple):
    """Bytes of the disks, bytes of replicas, bytes that may still be written; and counts."""

    capacity: int
    used: int
    remaining: int
    replicas: int
    failed_volumes: int


def _tell_nobody(_block: Block) -> None:
    """For a store whose owner does not want to hear of damage."""


def _always() -> bool:
    """For an order that cannot lapse."""
    return True


class BlockStore:
    """The replicas of one datanode. Thread-safe; no lock is held during disk operations.

    `on_corrupt` is told of each good replica that turns out to be damaged; it must not raise.
    """

    def __init__(
        self,
        directories: Sequence[str],
        reserved_bytes: int,
        on_corrupt: Callable[[Block], None] = _tell_nobody,
        system: disk.SystemCalls = disk.SYSTEM,
    ) -> None:
        self.volumes = Volumes(directories, reserved_bytes, self._drop_failed, system)
        self._on_corrupt = on_corrupt
        self._lock = threading.Lock()
        self._replicas: Dict[int, Replica] = {}
        # Of a directory that was away and came back, beside the copy that was made meanwhile. They
        # go when the one in use has been read, or is ordered away: else they would fill the disk
        # without being known.
        self._spares: Dict[int, List[Replica]] = {}
        self._writing: Set[int] = set()
        self._used = 0

    def open(self) -> None:
        """Lock and scan every directory; raises StartRefused."""
        self.volumes.open()
        found: Dict[int, Replica] = {}
        spares: Dict[int, List[Replica]] = {}
        scans: Dict[Volume, List[Stored]] = {}

        def scan(volume: Volume) -> None:
            scans[volume] = list(volume.scan())

        self.volumes.for_each(scan)
        for volume in self.volumes.working:
            collect(volume, scans[volume], found, spares)
        with self._lock:
            self._spares = spares
            self._replicas = {key: r for key, r in found.items() if not r.volume.failed}
            self._used = sum(replica.footprint for replica in self._replicas.values())

    def close(self) -> None:
        """Release the directories."""
        self.volumes.close()

    # Writing.

    def create(self, block_id: int, generation: int, size: int) -> ReplicaWriter:
        """Begin a replica of up to `size` bytes, on the working volume with the most room.

        Raises DiskFull when it has too little, DiskFailed, Busy, and InvalidArgument for a block
        that is here already.
        """
        with self._lock:
            if block_id in self._replicas or block_id in self._writing:
                raise InvalidArgument(f"blk_{block_id} exists here already; blocks are immutable")
            self._writing.add(block_id)
        try:
            return self._begin(block_id, generation, size)
        except BaseException:
            self._stop_writing(block_id)
            raise

    def finish(self, writer: ReplicaWriter) -> Block:
        """Make a written replica real and durable; after any error it is not there."""
        try:
            block = writer.finish()
            self._enter(Replica(block, writer.volume, ""))
        except BaseException:
            writer.discard()
            raise
        finally:
            self._stop_writing(writer.block_id)
        return block

    def discard(self, writer: ReplicaWriter) -> None:
        """Forget an unfinished replica."""
        writer.discard()
        self._stop_writing(writer.block_id)

    # Reading.

    def read(self, block_id: int, generation: int, as_it_is: bool = False) -> OpenReplica:
        """Open a replica; raises BlockMissing, CorruptData (then it counts as corrupt).

        With `as_it_is` also one that is known to be damaged, as far as it can be read at all.
        """
        replica = self._find(block_id, generation)
        if replica.problem and not as_it_is:
            raise CorruptData(f"{replica.block.name}: {replica.problem}")
        try:
            block, checksums = replica.volume.read_meta(block_id, generation)
            return OpenReplica(replica.volume, block, checksums, self.mark_corrupt)
        except CorruptData as error:
            # It may have been removed between the look into the table and the one at the disk.
            if not self.mark_corrupt(replica.block, error.message):
                self._find(block_id, generation)
            raise

    def mark_corrupt(self, block: Block, problem: str) -> bool:
        """Never serve this replica again; False when it is gone or known as corrupt already."""
        with self._lock:
            replica = self._replicas.get(block.block_id)
            if replica is None or replica.problem or replica.block[:2] != block[:2]:
                return False
            self._replicas[block.block_id] = replica._replace(problem=problem)
        log.warning("replica.corrupt", block=block.name, problem=problem)
        self._on_corrupt(replica.block)
        return True

    def verify(self, block: Block) -> bool:
        """Read all of a replica from its disk; whether it is good.

        What was found damaged before may be good after all: the reading can have failed. Raises
        BlockMissing, also for another length, and other errors when it cannot be told.
        """
        replica = self._find(block.block_id, block.generation)
        buffer = memoryview(bytearray(CHUNK_BYTES))
        try:
            stored, checksums = replica.volume.read_meta(*block[:2])
            with OpenReplica(replica.volume, stored, checksums, self.mark_corrupt) as opened:
                for chunk in opened.chunks(0, stored.length):
                    opened.verified(chunk, buffer)
        except CorruptData as error:
            self.mark_corrupt(replica.block, error.message)
            return False
        if stored != block:
            raise BlockMissing(f"{stored} is here, and not {block}")
        self._heal(replica._replace(block=stored))
        return True

    def doubles(self) -> List[Block]:
        """The replicas that lie in another directory of this datanode as well."""
        with self._lock:
            return [self._replicas[block_id].block for block_id in self._spares
                    if block_id in self._replicas]

    def settle_double(self, block: Block) -> bool:
        """Keep a good one of several replicas of a block, in use, and put its equals into the trash
        of their directories; whether there is a good one. Errors as in `verify`.

        Nothing goes before what stays has been read, and nothing is unlinked (HDFS-8486).
        """
        for _ in range(1 + len(self._spares.get(block.block_id, ()))):
            if self.verify(block):
                break
            self._use_next(block.block_id)
        else:
            return False
        with self._lock:
            spares = self._spares.pop(block.block_id, [])
        for spare in spares:
            if spare.block == block and not spare.volume.failed:
                spare.volume.trash.take_in(block)
                log.info("replica.double", block=block.name, root=spare.volume.root)
        return True

    # Removing.

    def remove(self, block: Block, holds: Callable[[], bool] = _always) -> None:
        """Delete a replica for good, on the namenode's order; one that is not there is fine.

        Raises SessionExpired when the order does not hold any more, and InvalidArgument when what
        is here has another length than the order says (0: it does not say). Whoever ends an order
        and makes the inventory afterwards finds in it all that the order will not remove.
        """
        self._take_out(block, holds, Volume.remove)

    def move_to_trash(self, block: Block, holds: Callable[[], bool] = _always) -> None:
        """Set a replica aside that the namenode does not know; as `remove`."""
        self._take_out(block, holds, lambda volume, one: volume.trash.take_in(one))

    # Telling.

    def inventory(self) -> Inventory:
        """All replicas, for a full report."""
        with self._lock:
            replicas = list(self._replicas.values())
        good = tuple(replica.block for replica in replicas if not replica.problem)
        return Inventory(good, tuple(replica.block for replica in replicas if replica.problem))

    @property
    def count(self) -> int:
        """How many replicas there are, good or corrupt."""
        return len(self._replicas)

    def good_after(self, block_id: int, limit: int) -> List[Block]:
        """The good replicas of the lowest ids above `block_id`, at most `limit`, in their order."""
        with self._lock:
            replicas = list(self._replicas.values())
        return heapq.nsmallest(
            limit, (r.block for r in replicas if r.block.block_id > block_id and not r.problem)
        )

    def good_on(self, volume: Volume, shard: str) -> List[Block]:
        """The good replicas that should have their files in one folder of a volume."""
        with self._lock:
            replicas = list(self._replicas.values())
        return [
            r.block for r in replicas
            if r.volume is volume and not r.problem and layout.shard_of(r.block.block_id) == shard
        ]

    def usage(self) -> Usage:
        """How full the datanode is; a volume that cannot say that has failed, or is silent."""
        capacity, remaining = self.volumes.choice.capacity()
        failed = self.volumes.in_trouble
        with self._lock:
            return Usage(capacity, self._used, remaining, len(self._replicas), failed)

    def check(self) -> None:
        """Assert that the table and its sum agree, and that no failed volume is in it."""
        with self._lock:
            used = sum(replica.footprint for replica in self._replicas.values())
            assert self._used == used, f"{self._used} bytes used, not {used}"
            for block_id, replica in self._replicas.items():
                assert block_id == replica.block.block_id, "a replica under another id"
                assert not replica.volume.failed, "a replica of a failed volume"

    def __repr__(self) -> str:
        return f"<BlockStore {len(self._replicas)} replicas, {self._used} bytes, {self.volumes}>"

    # Within.

    def _begin(self, block_id: int, generation: int, size: int) -> ReplicaWriter:
        tried: List[Volume] = []
        while True:
            volume, promised = self.volumes.choice.roomiest(size, tried)
            try:
                return ReplicaWriter(volume, block_id, generation, size, promised)
            except (DiskFull, DiskFailed) as error:
                # Another directory may take it. Nothing has been written, so nothing is lost.
                log.warning("volume.refused", root=volume.root, error=error.message)
                volume.space.settle(promised)
                tried.append(volume)
            except BaseException:
                volume.space.settle(promised)
                raise

    def _enter(self, replica: Replica) -> None:
        with self._lock:
            if replica.volume.failed:
                raise DiskFailed(replica.volume.failed)
            self._replicas[replica.block.block_id] = replica
            self._used += replica.footprint

    def _use_next(self, block_id: int) -> None:
        """The replica in use is damaged: use the next one, and keep the other behind all."""
        with self._lock:
            spares = self._spares.get(block_id)
            if spares and block_id in self._replicas and not spares[0].volume.failed:
                replica, spares[:] = spares[0], spares[1:] + [self._replicas[block_id]]
                self._used += replica.footprint - self._replicas[block_id].footprint
                self._replicas[block_id] = replica

    def _heal(self, good: Replica) -> None:
        """A replica that counts as damaged is not, as all of its bytes show."""
        with self._lock:
            replica = self._replicas.get(good.block.block_id)
            if replica is not None and replica.problem and replica.volume is good.volume:
                log.warning("replica.healed", block=good.block.name, problem=replica.problem)
                self._used += good.footprint - replica.footprint
                self._replicas[good.block.block_id] = good._replace(problem="")

    def _find(self, block_id: int, generation: int) -> Replica:
        with self._lock:
            replica = self._replicas.get(block_id)
        if replica is None or replica.block.generation != generation:
            raise BlockMissing(f"blk_{block_id}_{generation} is not on this datanode")
        return replica

    def _take_out(
        self, block: Block, holds: Callable[[], bool], action: Callable[[Volume, Block], None]
    ) -> None:
        with self._lock:
            # Under the lock that the inventory takes, too: an order that ended before an inventory
            # is made takes nothing out after it.
            if not holds():
                raise SessionExpired("the order was given in a session that ended")
            replica = self._replicas.get(block.block_id)
            if replica is None or replica.block.generation != block.generation:
                return
            if block.length not in (0, replica.block.length) and not replica.problem:
                raise InvalidArgument(f"{replica.block} is here, and not {block}")
            if replica.volume.health.is_silent:
                raise Busy(f"{replica.volume.root} does not answer")
            del self._replicas[block.block_id]
            self._used -= replica.footprint
            spares = self._spares.pop(block.block_id, [])
        try:
            for one in [replica] + [spare for spare in spares if not spare.volume.failed]:
                if one.block[:2] == replica.block[:2]:
                    action(one.volume, one.block)
        except (DiskFull, Busy, DiskFailed):
            # It is still there, and must not be told as gone: the order will be repeated.
            self._enter(replica)
            with self._lock:
                self._spares[block.block_id] = spares
            raise

    def _drop_failed(self) -> None:
        """A volume has failed: forget its replicas. The next full report is silent about them."""
        with self._lock:
            kept = {key: r for key, r in self._replicas.items() if not r.volume.failed}
            lost, self._replicas = len(self._replicas) - len(kept), kept
            self._used = sum(replica.footprint for replica in kept.values())
        log.error("replicas.lost", count=lost)

    def _stop_writing(self, block_id: int) -> None:
        with self._lock:
            self._writing.discard(block_id)
