"""All replicas of a datanode, over one or several volumes.

Theory of operation. A replica is immutable once it is finalized, so readers need no lock: they
open it and keep the descriptor, and a removal only takes the name away. Which replicas there are is
in the ReplicaMap, which a scan of the disks fills at start, before anything is reported or served.
A replica whose length or trailer is wrong stays on the disk, is listed as corrupt, and is
served to nobody who wants it to be right. A datanode without a working volume stays up: it has no
replicas and no room.
"""

import time
from typing import Callable, Dict, List, NamedTuple, Sequence, Tuple

from data_service.datanode.store.activity import DAMAGED, REMOVED, VERIFIED, Activity
from data_service.datanode.store.found_replicas import Replica, collect
from data_service.datanode.store.open_replica import OpenReplica
from data_service.datanode.store.replica_map import ReplicaMap
from data_service.datanode.store.replica_writer import ReplicaWriter
from data_service.datanode.store.volume import Stored, Volume
from data_service.datanode.store.volumes import Volumes
from data_service.protocol.blocks import Block
from data_service.protocol.checksums import CHUNK_BYTES
from zookeeper.fabric import disk, logs
from zookeeper.fabric.errors import BlockMissing, Busy, CorruptData, DiskFailed, DiskFull
from zookeeper.fabric.figures import Family, gauge

log = logs.get("block_store")


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
        self.replicas = ReplicaMap()
        self.activity = Activity()
        self._on_corrupt = on_corrupt

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
        self.replicas.fill(found, spares)

    def close(self) -> None:
        """Release the directories."""
        self.volumes.close()

    # Writing.

    def create(self, block_id: int, generation: int, size: int) -> ReplicaWriter:
        """Begin a replica of up to `size` bytes, on the working volume with the most room.

        Raises DiskFull when it has too little, DiskFailed, Busy, and InvalidArgument for a block
        that is here already.
        """
        self.replicas.begin(block_id)
        try:
            return self._begin(block_id, generation, size)
        except BaseException:
            self.replicas.end(block_id)
            raise

    def finish(self, writer: ReplicaWriter) -> Block:
        """Make a written replica real and durable; after any error it is not there."""
        began = time.monotonic()
        try:
            block = writer.finish()
            self.replicas.enter(Replica(block, writer.volume, digest=writer.digest))
            self.activity.wrote(block.length, time.monotonic() - began)
        except BaseException:
            writer.discard()
            raise
        finally:
            self.replicas.end(writer.block_id)
        return block

    def discard(self, writer: ReplicaWriter) -> None:
        """Forget an unfinished replica."""
        writer.discard()
        self.replicas.end(writer.block_id)

    # Reading.

    def read(self, block_id: int, generation: int, as_it_is: bool = False) -> OpenReplica:
        """Open a replica; raises BlockMissing, CorruptData (then it counts as corrupt).

        With `as_it_is` also one that is known to be damaged, as far as it can be read at all.
        """
        replica = self.replicas.find(block_id, generation)
        if replica.problem and not as_it_is:
            raise CorruptData(f"{replica.block.name}: {replica.problem}")
        try:
            return self._open(replica)
        except CorruptData as error:
            # It may have been removed between the look into the table and the one at the disk.
            if not self.mark_corrupt(replica.block, error.message):
                self.replicas.find(block_id, generation)
            raise

    def mark_corrupt(self, block: Block, problem: str) -> bool:
        """Never serve this replica again; False when it is gone or known as corrupt already."""
        marked = self.replicas.mark(block, problem)
        if marked is None:
            return False
        log.warning("replica.corrupt", block=block.name, problem=problem)
        self.activity.note(DAMAGED)
        self._on_corrupt(marked)
        return True

    def verify(self, block: Block) -> bytes:
        """Read all of a replica from its disk: the digest of what was read, empty when that does
        not match its checksums.

        What was found damaged before may be good after all: the reading can have failed. Raises
        BlockMissing, also for another length, and other errors when it cannot be told.
        """
        replica = self.replicas.find(block.block_id, block.generation)
        buffer = memoryview(bytearray(CHUNK_BYTES))
        try:
            with self._open(replica) as opened:
                stored, digest = opened.block, opened.digest()
                for chunk in opened.chunks(0, stored.length):
                    opened.verified(chunk, buffer)
        except CorruptData as error:
            self.mark_corrupt(replica.block, error.message)
            return b""
        if stored != block:
            raise BlockMissing(f"{stored} is here, and not {block}")
        problem = self.replicas.heal(replica._replace(block=stored, digest=digest))
        if problem:
            log.warning("replica.healed", block=stored.name, problem=problem)
        self.activity.note(VERIFIED)
        return digest

    def settle_double(self, block: Block) -> bytes:
        """Keep a good one of several replicas of a block, in use, and put those that it stands for
        into the trash of their directories; its digest, as `verify`, and with the same errors.

        Nothing goes before what stays has been read, and nothing is unlinked (HDFS-8486).
        """
        for _ in range(1 + len(self.replicas.spares(block.block_id))):
            digest = self.verify(block)
            if digest:
                break
            self.replicas.use_next(block.block_id)
        else:
            return b""
        for spare in self.replicas.spares(block.block_id):
            if spare.is_replaced_by(block) and not spare.volume.failed:
                spare.volume.trash.take_in(spare.block)
                log.info("replica.double", block=spare.block.name, root=spare.volume.root)
                self.replicas.forget_spare(spare)
        return digest

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

    def figures(self) -> Tuple[Family, ...]:
        """What became of replicas, how many there are, and how each directory is."""
        return (
            gauge("pyhdfs_replicas", "Replicas on this datanode.", len(self.replicas)),
            gauge("pyhdfs_replica_bytes", "Room that its replicas take.", self.replicas.used),
            *self.volumes.figures(self.replicas.count_in),
            *self.activity.figures(),
        )

    def usage(self) -> Usage:
        """How full the datanode is; a volume that cannot say that has failed, or is silent."""
        capacity, remaining = self.volumes.choice.capacity()
        failed = self.volumes.in_trouble
        return Usage(capacity, self.replicas.used, remaining, len(self.replicas), failed)

    def __repr__(self) -> str:
        return f"<BlockStore {self.replicas!r}, {self.volumes}>"

    # Within.

    def _open(self, replica: Replica) -> OpenReplica:
        block_id, generation, _ = replica.block
        file = replica.volume.open_replica(block_id, generation, replica.has_meta)
        return OpenReplica(replica.volume, file, self.mark_corrupt)

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

    def _take_out(
        self, block: Block, holds: Callable[[], bool], action: Callable[[Volume, Block], None]
    ) -> None:
        found = self.replicas.take_out(block, holds)
        try:
            for one in found[:1] + [spare for spare in found[1:] if not spare.volume.failed]:
                if one.block[:2] == block[:2]:
                    action(one.volume, one.block)
        except (DiskFull, Busy, DiskFailed):
            # It is still there, and must not be told as gone: the order will be repeated.
            self.replicas.put_back(found[0], found[1:])
            raise
        self.activity.note(REMOVED, len(found))

    def _drop_failed(self) -> None:
        """A volume has failed: forget its replicas. The next full report is silent about them."""
        log.error("replicas.lost", count=self.replicas.drop_failed())
