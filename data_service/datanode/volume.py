"""One directory of a datanode: replicas are written, kept, read and removed here.

Theory of operation. A replica is written below `tmp/` and becomes real in one step: data and
checksums are fsynced, both are renamed into `finalized/`, the directory is fsynced, and only then
does `finish` return. A crash before that leaves nothing, a crash after it leaves all (HDFS-5042,
HDFS-11915: files vanished at a power loss because no directory was fsynced). After a failed fsync
the kernel may have dropped the bytes and forgotten the error, so nothing is retried: the volume
counts as failed, and the replicas come from elsewhere.
"""

import os
import uuid
from typing import Iterator, List, NamedTuple, Optional, Tuple

from data_service.datanode import layout
from data_service.datanode.layout import META_SUFFIX, Version
from data_service.protocol.blocks import Block, parse_name
from zookeeper.fabric import disk, logs
from zookeeper.fabric.errors import CorruptData, DiskFailed, DiskFull, StartRefused

log = logs.get("volume")

RESERVE_CHECK_BYTES = 8 * 1024 * 1024
"""How often, in bytes written, a writer looks whether the disk's reserve is reached."""

_CREATE = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC


class Stored(NamedTuple):
    """A replica as a scan found it; `problem` says why it is corrupt, empty when it is not."""

    block: Block
    problem: str


class Volume:
    """An open, locked directory. Raises DiskFailed, DiskFull, StartRefused (by `open`)."""

    def __init__(
        self, root: str, reserved_bytes: int, system: disk.SystemCalls = disk.SYSTEM
    ) -> None:
        self.root = root
        self.failed = ""
        self.system = system
        self._reserved = reserved_bytes
        self._lock: Optional[disk.DirectoryLock] = None
        self.version = Version("", "", "", layout.LAYOUT_VERSION)

    def open(self, node_id: str) -> str:
        """Lock the directory, create or check its structure, drop unfinished writes.

        A new directory becomes one of the datanode `node_id` (of a new one when that is empty).
        Returns the identity of the datanode that the directory belongs to.
        """
        disk.make_directories(self.root)
        self._lock = disk.DirectoryLock(self.root)
        path = self._path("VERSION")
        try:
            version = disk.read_file(path, 4096)
            if version is not None:
                self.version = layout.decode_version(version)
            else:
                self._format(path, node_id)
        except CorruptData as error:
            raise StartRefused(
                f"{self.root} cannot be used: {error.message}; move it away to start empty"
            ) from None
        for name in os.listdir(self._path(layout.TMP)):
            os.unlink(self._path(layout.TMP, name))
        return self.version.node_id

    def fail(self, problem: str) -> None:
        """Never use the directory again until the datanode is started anew."""
        self.failed = problem
        log.error("volume.failed", root=self.root, problem=problem)

    def close(self) -> None:
        """Release the directory."""
        if self._lock is not None:
            self._lock.close()

    def join_cluster(self, cluster_id: str) -> None:
        """Record, once, which cluster the directory belongs to."""
        if self.version.cluster_id != cluster_id:
            assert not self.version.cluster_id, "a datanode never changes its cluster"
            self.version = self.version._replace(cluster_id=cluster_id)
            data = layout.encode_version(self.version)
            disk.write_file(self._path("VERSION"), data, self.system)

    def read_number(self, name: str) -> int:
        """A number that was kept in the file `name` of the directory; 0 when there is none yet."""
        return layout.decode_number(name, disk.read_file(self._path(name), 64))

    def write_number(self, name: str, number: int) -> None:
        """Keep a number, durably."""
        disk.write_file(self._path(name), b"%d\n" % number, self.system)

    def scan(self) -> Iterator[Stored]:
        """Every replica on the disk, with its length; reads no data and no whole checksum file."""
        for shard in layout.SHARDS:
            folder = self._path(layout.FINALIZED, shard)
            with disk.disk_errors(folder):
                names = set(os.listdir(folder))
            for name in sorted(names):
                identity = parse_name(name.removesuffix(META_SUFFIX) if _is_meta(name) else name)
                if identity is None or (_is_meta(name) and name[: -len(META_SUFFIX)] in names):
                    continue
                yield self._examine(*identity)

    def _examine(self, block_id: int, generation: int) -> Stored:
        path = layout.replica_path(self.root, block_id, generation)
        try:
            block, _ = self.read_meta(block_id, generation)
            length = os.stat(path).st_size
        except FileNotFoundError:
            return Stored(Block(block_id, generation, 0), "its data is missing")
        except CorruptData as error:
            return Stored(Block(block_id, generation, 0), error.message)
        if length != block.length:
            return Stored(block, f"{length} bytes on disk, {block.length} written")
        return Stored(block, "")

    def read_meta(self, block_id: int, generation: int) -> Tuple[Block, Tuple[int, ...]]:
        """(block, checksums) from the `.meta` file; raises CorruptData also when it is missing."""
        path = layout.replica_path(self.root, block_id, generation) + META_SUFFIX
        try:
            with open(path, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            message = f"the checksums of blk_{block_id}_{generation} are missing"
            raise CorruptData(message) from None
        except OSError as error:
            raise DiskFailed(f"cannot read {path}: {error.strerror}") from None
        return layout.decode_meta(data, block_id, generation)

    def open_data(self, block: Block) -> int:
        """A descriptor of the replica's data; raises CorruptData when its length is wrong."""
        path = layout.replica_path(self.root, block.block_id, block.generation)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise CorruptData(f"the data of {block.name} is missing") from None
        except OSError as error:
            raise DiskFailed(f"cannot read {path}: {error.strerror}") from None
        length = os.fstat(descriptor).st_size
        if length != block.length:
            os.close(descriptor)
            raise CorruptData(f"{block.name} has {length} bytes on disk, {block.length} written")
        return descriptor

    def remove(self, block: Block) -> None:
        """Delete a replica for good; one that is not there is fine."""
        path = layout.replica_path(self.root, block.block_id, block.generation)
        with disk.disk_errors(path):
            for name in (path, path + META_SUFFIX):
                if os.path.lexists(name):
                    self.system.unlink(name)
        disk.fsync_directory(os.path.dirname(path), self.system)

    def move_to_trash(self, block: Block) -> None:
        """Put a replica that nobody claims aside, whole, where a person can still find it."""
        path = layout.replica_path(self.root, block.block_id, block.generation)
        with disk.disk_errors(path):
            for name in (path, path + META_SUFFIX):
                if os.path.lexists(name):
                    # Its time in the trash counts from now.
                    os.utime(name)
                    target = self._path(layout.TRASH, os.path.basename(name))
                    self.system.rename(name, target)
        disk.fsync_directory(self._path(layout.TRASH), self.system)
        disk.fsync_directory(os.path.dirname(path), self.system)

    def empty_trash(self, older_than_seconds: float, wall_seconds: float) -> int:
        """Delete what has been in the trash for long enough; returns how many files went."""
        removed = 0
        folder = self._path(layout.TRASH)
        with disk.disk_errors(folder):
            for name in os.listdir(folder):
                path = os.path.join(folder, name)
                if wall_seconds - os.stat(path).st_mtime > older_than_seconds:
                    os.unlink(path)
                    removed += 1
        return removed

    def space(self) -> Tuple[int, int]:
        """(capacity, bytes that may still be written) of the directory's disk."""
        total, free = disk.space(self.root)
        return total, max(0, free - self._reserved)

    def create(self, block_id: int, generation: int) -> "ReplicaWriter":
        """Begin a replica."""
        return ReplicaWriter(self, block_id, generation)

    def tmp_path(self, name: str) -> str:
        """A path for an unfinished file."""
        return self._path(layout.TMP, name)

    def _format(self, version_path: str, node_id: str) -> None:
        strangers = [name for name in os.listdir(self.root) if name != "lock"]
        if set(strangers) - {layout.TMP, layout.FINALIZED, layout.TRASH, "VERSION.tmp"}:
            raise StartRefused(
                f"{self.root} is not empty and no datanode's directory; choose another one "
                f"(found {sorted(strangers)[0]})"
            )
        for name in (layout.TMP, layout.TRASH):
            disk.make_directories(self._path(name))
        for shard in layout.SHARDS:
            os.makedirs(self._path(layout.FINALIZED, shard), mode=0o700, exist_ok=True)
        disk.fsync_directory(self._path(layout.FINALIZED))
        disk.fsync_directory(self.root)
        # VERSION is written last: a directory that has one has all the rest.
        identity = (node_id or uuid.uuid4().hex, uuid.uuid4().hex)
        self.version = Version("", *identity, layout.LAYOUT_VERSION)
        disk.write_file(version_path, layout.encode_version(self.version), self.system)

    def _path(self, *names: str) -> str:
        return os.path.join(self.root, *names)

    def __repr__(self) -> str:
        return f"<Volume {self.root}{' failed: ' + self.failed if self.failed else ''}>"


class ReplicaWriter:
    """A replica being written; ends with `finish` or `discard`."""

    def __init__(self, volume: Volume, block_id: int, generation: int) -> None:
        self.volume = volume
        self.block_id = block_id
        self.length = 0
        self._generation = generation
        self._checksums: List[int] = []
        self._path = volume.tmp_path(f"{uuid.uuid4().hex}.{block_id}")
        self._unchecked = RESERVE_CHECK_BYTES
        with disk.disk_errors(self._path, "create"):
            self._descriptor = volume.system.open(self._path, _CREATE, 0o600)

    def write(self, data: memoryview, checksum: int) -> None:
        """Append one chunk, whose checksum was verified."""
        self._unchecked += len(data)
        if self._unchecked >= RESERVE_CHECK_BYTES:
            self._unchecked = 0
            if self.volume.space()[1] < len(data):
                raise DiskFull(f"{self.volume.root} has only its reserve of free space left")
        self._write_all(self._descriptor, self._path, data)
        self.length += len(data)
        self._checksums.append(checksum)

    def finish(self) -> Block:
        """Make the replica real and durable, and return its block."""
        block = Block(self.block_id, self._generation, self.length)
        system, meta = self.volume.system, self._path + META_SUFFIX
        target = layout.replica_path(self.volume.root, self.block_id, self._generation)
        try:
            self._sync_and_close(self._descriptor, self._path)
            with disk.disk_errors(meta, "create"):
                self._descriptor = system.open(meta, _CREATE, 0o600)
            checksums = layout.encode_meta(block, self._checksums)
            self._write_all(self._descriptor, meta, memoryview(checksums))
            self._sync_and_close(self._descriptor, meta)
            with disk.disk_errors(target, "rename to"):
                # The data goes last: a replica whose data has its name has its checksums too.
                system.rename(meta, target + META_SUFFIX)
                system.rename(self._path, target)
            disk.fsync_directory(os.path.dirname(target), system)
        except DiskFailed as error:
            self.volume.fail(error.message)
            raise
        return block

    def discard(self) -> None:
        """Forget what was written; never raises, because it follows an error already told."""
        self._close()
        for path in (self._path, self._path + META_SUFFIX):
            try:
                self.volume.system.unlink(path)
            except FileNotFoundError:
                pass  # Not created yet, or renamed already.
            except OSError as error:
                log.warning("replica.not_discarded", path=path, error=error.strerror)

    def _write_all(self, descriptor: int, path: str, data: memoryview) -> None:
        with disk.disk_errors(path, "write"):
            while data:
                data = data[self.volume.system.write(descriptor, data) :]

    def _sync_and_close(self, descriptor: int, path: str) -> None:
        with disk.disk_errors(path, "sync"):
            self.volume.system.fsync(descriptor)
        self._close()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            self.volume.system.close(descriptor)


def _is_meta(name: str) -> bool:
    return name.endswith(META_SUFFIX)

