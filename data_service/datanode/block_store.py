"""All replicas of a datanode, over one or several volumes.

Theory of operation. A replica is immutable once it is finalized, so readers need no lock: they
open it and keep the descriptor, and a removal only takes the name away. The table of replicas is
filled by a scan of the disks at start, before anything is reported or served, and changes only when
a write is finished or a removal ordered. A replica whose length or checksum file is wrong stays on
the disk, is listed as corrupt, and is never served.
"""

import os
import threading
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

from data_service.datanode import layout
from data_service.datanode.volume import ReplicaWriter, Volume
from data_service.protocol.blocks import Block
from data_service.protocol.checksums import CHUNK_BYTES, chunk_spans, crc32
from zookeeper.fabric import disk, logs
from zookeeper.fabric.errors import (
    BlockMissing,
    CorruptData,
    DiskFailed,
    DiskFull,
    InvalidArgument,
    StartRefused,
)

log = logs.get("block_store")


class Chunk(NamedTuple):
    """A part of a replica's data with the checksum that its writer computed."""

    offset: int
    size: int
    checksum: int


class Inventory(NamedTuple):
    """What a full block report tells: good replicas, and corrupt ones."""

    good: Tuple[Block, ...]
    corrupt: Tuple[Block, ...]


class _Replica(NamedTuple):
    block: Block
    volume: Volume
    problem: str


class OpenReplica:
    """A replica being read; close it. It stays readable when the replica is removed meanwhile."""

    def __init__(self, block: Block, descriptor: int, checksums: Sequence[int]) -> None:
        self.block = block
        self.descriptor = descriptor
        self._checksums = checksums

    def chunks(self, offset: int, length: int) -> Iterator[Chunk]:
        """The whole chunks that cover `length` bytes from `offset`."""
        for start, size in chunk_spans(offset, length, self.block.length):
            yield Chunk(start, size, self._checksums[start // CHUNK_BYTES])

    def verified(self, chunk: Chunk, buffer: memoryview) -> memoryview:
        """A chunk's bytes, read into `buffer`; raises CorruptData when they do not match."""
        data = buffer[: chunk.size]
        with disk.disk_errors(self.block.name, "read"):
            count = os.preadv(self.descriptor, [data], chunk.offset)
        if count != chunk.size or crc32(data) != chunk.checksum:
            raise CorruptData(f"{self.block.name}: checksum mismatch at byte {chunk.offset}")
        return data

    def __enter__(self) -> "OpenReplica":
        return self

    def __exit__(self, *_exception: object) -> None:
        os.close(self.descriptor)


class BlockStore:
    """The replicas of one datanode. Thread-safe; no lock is held during disk operations."""

    def __init__(self, directories: Sequence[str], reserved_bytes: int) -> None:
        self._volumes = [Volume(path, reserved_bytes) for path in directories]
        self._lock = threading.Lock()
        self._replicas: Dict[int, _Replica] = {}
        self._writing: Set[int] = set()
        self._used = 0
        self._epoch = 0

    @property
    def node_id(self) -> str:
        """The datanode's identity, the same in all its directories."""
        return self._working()[0].version.node_id

    @property
    def cluster_id(self) -> str:
        """The cluster that the directories belong to; empty before the first registration."""
        ids = {volume.version.cluster_id for volume in self._working()} - {""}
        return min(ids, default="")

    def open(self) -> None:
        """Lock and scan every directory; raises StartRefused.

        A directory whose disk fails costs its replicas only, as long as another one works.
        """
        node_id = ""
        for volume in self._volumes:
            try:
                node_id = volume.open(node_id)
            except (DiskFailed, DiskFull) as error:
                volume.fail(error.message)
        if not self._working():
            raise StartRefused(self._volumes[0].failed)
        for field in ("node_id", "cluster_id"):
            values = {getattr(volume.version, field) for volume in self._working()} - {""}
            if len(values) > 1:
                raise StartRefused(
                    f"the directories belong to different datanodes or clusters ({field}: "
                    f"{', '.join(sorted(values))}); check data_node_dir in config.ini"
                )
        self._epoch = max(volume.read_number(layout.EPOCH) for volume in self._working())
        self.rescan()

    def close(self) -> None:
        """Release the directories."""
        for volume in self._volumes:
            volume.close()

    def join_cluster(self, cluster_id: str) -> None:
        """Record which cluster this datanode belongs to, once and for ever."""
        for volume in self._working():
            volume.join_cluster(cluster_id)

    @property
    def epoch(self) -> int:
        """The newest namenode epoch that this datanode has obeyed; 0 for none."""
        return self._epoch

    def remember_epoch(self, epoch: int) -> None:
        """Never obey an older namenode from now on, also after a restart."""
        if epoch > self._epoch:
            for volume in self._working():
                volume.write_number(layout.EPOCH, epoch)
            self._epoch = epoch

    @property
    def scan_position(self) -> int:
        """The block id that the scanner looked at last, also before a restart."""
        return self._working()[0].read_number(layout.SCAN_POSITION)

    @scan_position.setter
    def scan_position(self, block_id: int) -> None:
        self._working()[0].write_number(layout.SCAN_POSITION, block_id)

    def rescan(self) -> None:
        """Fill the table from the disks. The first of two replicas of one block is kept."""
        found: Dict[int, _Replica] = {}
        for volume in self._working():
            try:
                for stored in volume.scan():
                    replica = _Replica(stored.block, volume, stored.problem)
                    other = found.setdefault(stored.block.block_id, replica)
                    if other is not replica and _better(replica, other):
                        found[stored.block.block_id] = replica
            except DiskFailed as error:
                volume.fail(error.message)
        with self._lock:
            self._replicas = {key: r for key, r in found.items() if not r.volume.failed}
            self._used = sum(map(_footprint, self._replicas.values()))

    def create(self, block_id: int, generation: int, size: int) -> ReplicaWriter:
        """Begin a replica of about `size` bytes, on the working volume with the most room."""
        room, volume = max(
            ((volume.space()[1], volume) for volume in self._working()), key=lambda pair: pair[0]
        )
        if room < max(size, CHUNK_BYTES):
            raise DiskFull(f"{size} bytes do not fit: {room} bytes free besides the reserve")
        with self._lock:
            if block_id in self._replicas or block_id in self._writing:
                raise InvalidArgument(f"blk_{block_id} exists here already; blocks are immutable")
            self._writing.add(block_id)
        try:
            return volume.create(block_id, generation)
        except (DiskFull, DiskFailed):
            self._stop_writing(block_id)
            raise

    def finish(self, writer: ReplicaWriter) -> Block:
        """Make a written replica real and durable; raises DiskFailed, and then it is not there."""
        try:
            block = writer.finish()
        finally:
            self._stop_writing(writer.block_id)
        with self._lock:
            replica = _Replica(block, writer.volume, "")
            self._replicas[block.block_id] = replica
            self._used += _footprint(replica)
        return block

    def discard(self, writer: ReplicaWriter) -> None:
        """Forget an unfinished replica."""
        writer.discard()
        self._stop_writing(writer.block_id)

    def read(self, block_id: int, generation: int) -> OpenReplica:
        """Open a replica; raises BlockMissing, CorruptData (then it counts as corrupt)."""
        replica = self._find(block_id, generation)
        if replica.problem:
            raise CorruptData(f"{replica.block.name}: {replica.problem}")
        try:
            block, checksums = replica.volume.read_meta(block_id, generation)
            return OpenReplica(block, replica.volume.open_data(block), checksums)
        except CorruptData as error:
            self.mark_corrupt(replica.block, error.message)
            raise

    def mark_corrupt(self, block: Block, problem: str) -> bool:
        """Never serve this replica again; False when it is gone or known as corrupt already."""
        with self._lock:
            replica = self._replicas.get(block.block_id)
            if replica is None or replica.problem or replica.block[:2] != block[:2]:
                return False
            self._replicas[block.block_id] = replica._replace(problem=problem)
        log.warning("replica.corrupt", block=block.name, problem=problem)
        return True

    def remove(self, block: Block) -> None:
        """Delete a replica for good, on the namenode's order; one that is not there is fine."""
        replica = self._take_out(block)
        if replica is not None:
            replica.volume.remove(replica.block)

    def move_to_trash(self, block: Block) -> None:
        """Set a replica aside that the namenode does not know."""
        replica = self._take_out(block)
        if replica is not None:
            replica.volume.move_to_trash(replica.block)

    def inventory(self) -> Inventory:
        """All replicas, for a full report."""
        with self._lock:
            replicas = list(self._replicas.values())
        good = tuple(replica.block for replica in replicas if not replica.problem)
        return Inventory(good, tuple(replica.block for replica in replicas if replica.problem))

    def empty_trash(self, older_than_seconds: float, wall_seconds: float) -> int:
        """Delete what has been in the trash for long enough; returns how many files went."""
        volumes = self._working()
        return sum(volume.empty_trash(older_than_seconds, wall_seconds) for volume in volumes)

    def usage(self) -> Tuple[int, int, int, int, int]:
        """(capacity, used, remaining, replicas, failed volumes); the first three in bytes.

        Directories on one disk share its space, which must not count twice.
        """
        spaces = {os.stat(volume.root).st_dev: volume.space() for volume in self._working()}
        capacity = sum(total for total, _ in spaces.values())
        remaining = sum(free for _, free in spaces.values())
        failed = sum(bool(volume.failed) for volume in self._volumes)
        with self._lock:
            return capacity, self._used, remaining, len(self._replicas), failed

    def check(self) -> None:
        """Assert that the table and its sum agree."""
        with self._lock:
            assert self._used == sum(map(_footprint, self._replicas.values())), "used bytes"
            for block_id, replica in self._replicas.items():
                assert block_id == replica.block.block_id, "a replica under another id"

    def __repr__(self) -> str:
        return f"<BlockStore {len(self._replicas)} replicas, {self._used} bytes, {self._volumes}>"

    def _working(self) -> List[Volume]:
        volumes = [volume for volume in self._volumes if not volume.failed]
        if not volumes:
            raise DiskFailed(f"no directory works any more: {self._volumes[0].failed}")
        return volumes

    def _find(self, block_id: int, generation: int) -> _Replica:
        with self._lock:
            replica = self._replicas.get(block_id)
        if replica is None or replica.block.generation != generation or replica.volume.failed:
            raise BlockMissing(f"blk_{block_id}_{generation} is not on this datanode")
        return replica

    def _take_out(self, block: Block) -> Optional[_Replica]:
        with self._lock:
            replica = self._replicas.get(block.block_id)
            if replica is None or replica.block.generation != block.generation:
                return None
            del self._replicas[block.block_id]
            self._used -= _footprint(replica)
            return replica

    def _stop_writing(self, block_id: int) -> None:
        with self._lock:
            self._writing.discard(block_id)


def _better(one: _Replica, other: _Replica) -> bool:
    """Whether `one` is the replica to keep: a good one, else the newer generation."""
    return (not one.problem, one.block.generation) > (not other.problem, other.block.generation)


def _footprint(replica: _Replica) -> int:
    return replica.block.length + layout.meta_bytes(replica.block.length)
