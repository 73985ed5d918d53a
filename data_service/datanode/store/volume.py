"""One directory of a datanode, and the replicas in it.

What trouble with its disk means is told in `health.py`. Only a read that fails is looked at once
more: when the volume passes a probe, one replica is damaged; when not, the volume has failed and
none of its replicas is called damaged (HDFS-17342: an I/O error is not an absence).
"""

import os
import uuid
from contextlib import contextmanager
from typing import Callable, ContextManager, Iterator, NamedTuple, Set

from data_service.datanode.store import layout, replica_files
from data_service.datanode.store.disk_threads import DiskThread
from data_service.datanode.store.health import SHORTAGES, Health
from data_service.datanode.store.layout import META_SUFFIX
from data_service.datanode.store.replica_files import ReplicaFile
from data_service.datanode.store.space import Space
from data_service.datanode.store.storage_directory import StorageDirectory
from data_service.datanode.store.trash_folder import TrashFolder
from data_service.datanode.store.volume_records import VolumeRecords
from data_service.protocol.blocks import Block, parse_name
from data_service.protocol.checksums import block_digest
from zookeeper.fabric import disk, logs
from zookeeper.fabric.errors import Busy, CorruptData, DfsError, DiskFailed, DiskFull

log = logs.get("volume")


class Stored(NamedTuple):
    """A replica as a scan found it; `problem` says why it is corrupt, empty when it is not."""

    block: Block
    problem: str
    has_meta: bool
    digest: bytes = b""


def _nobody() -> None:
    """For a volume whose failure nobody has to hear of."""


class Volume:
    """A locked directory. Its operations raise DiskFailed, DiskFull, Busy, as `Health` tells.

    `on_failure` is called once, when the volume has failed; it must not raise.
    """

    def __init__(
        self,
        root: str,
        reserved_bytes: int,
        on_failure: Callable[[], None] = _nobody,
        system: disk.SystemCalls = disk.SYSTEM,
    ) -> None:
        self.root = root
        self.system = system
        self.health = Health(root, on_failure, lambda: self.directory.is_itself())
        self.directory = StorageDirectory(root, self.health, system)
        self.space = Space(self.directory, self.health, reserved_bytes)
        self.records = VolumeRecords(root, self.health, system)
        self.trash = TrashFolder(root, self.health, self.records, system)
        self.recording, self.maintenance = DiskThread(root), DiskThread(root)

    @property
    def failed(self) -> str:
        """Why the volume is not used any more; empty while it is."""
        return self.health.failed

    def fail(self, problem: str) -> None:
        """Never use the directory again until the datanode is started anew."""
        self.health.fail(problem)

    def guard(self, path: str, operation: str = "use") -> ContextManager[None]:
        """Turn trouble of the body into DiskFull, Busy, DiskFailed."""
        return self.health.guard(path, operation)

    def identify(self) -> None:
        """Learn whose the directory is; StartRefused."""
        self.directory.identify()
        if self.directory.version.node_id:
            self.trash.open()

    def probe(self) -> None:
        """Make sure that the directory is still there and its disk works; otherwise it fails."""
        if self.failed:
            raise DiskFailed(self.failed)
        with self.guard(self.root):
            if not self.directory.is_itself():
                raise DiskFailed(f"{self.root} is not the directory any more that it was")
            path = self.tmp_path(f"{uuid.uuid4().hex}.probe")
            try:
                disk.write_file(path, b"probe", self.system)
                self.system.unlink(path)
            except DiskFull:
                pass  # A full disk is a working one.

    def scan(self) -> Iterator[Stored]:
        """Every replica on the disk, with its length; its data is not read."""
        for shard in layout.SHARDS:
            names = self.names_in(shard)
            for name in sorted(names):
                is_meta = name.endswith(META_SUFFIX)
                data_name = name[: -len(META_SUFFIX)] if is_meta else name
                identity = parse_name(data_name)
                if identity is None or (is_meta and data_name in names):
                    continue
                if layout.shard_of(identity[0]) == shard:
                    has_meta = is_meta or name + META_SUFFIX in names
                    yield self._examine(*identity, has_meta)
                else:
                    log.warning("replica.misplaced", root=self.root, folder=shard, name=name)

    def names_in(self, shard: str) -> Set[str]:
        """The names of all files in one of the folders of replicas."""
        folder = self.directory.path(layout.FINALIZED, shard)
        with self.guard(folder, "list"):
            return set(os.listdir(folder))

    def _examine(self, block_id: int, generation: int, has_meta: bool) -> Stored:
        try:
            descriptor, block, checksums = self.open_replica(block_id, generation, has_meta)
        except CorruptData as error:
            return Stored(Block(block_id, generation, 0), error.message, has_meta)
        os.close(descriptor)
        return Stored(block, "", has_meta, block_digest(block.length, checksums))

    def open_replica(self, block_id: int, generation: int, has_meta: bool) -> ReplicaFile:
        """Open a replica; raises CorruptData also when a file of it is missing."""
        with self._reading(Block(block_id, generation, 0).name):
            return replica_files.open_replica(self.root, block_id, generation, has_meta)

    def read_data(self, descriptor: int, view: memoryview, offset: int, block: Block) -> int:
        """Read a part of a replica's data; how many bytes came. CorruptData when none can."""
        with self._reading(block.name):
            return os.preadv(descriptor, [view], offset)

    def remove(self, block: Block) -> None:
        """Delete a replica for good; one that is not there is fine."""
        path = layout.replica_path(self.root, block.block_id, block.generation)
        for name in (path, path + META_SUFFIX):
            if os.path.lexists(name):
                self.health.unlink(name, self.system)
        with self.guard(path, "remove"):
            disk.fsync_directory(os.path.dirname(path), self.system)

    def tmp_path(self, name: str) -> str:
        """A path for an unfinished file."""
        return self.directory.path(layout.TMP, name)

    @contextmanager
    def _reading(self, path: str) -> Iterator[None]:
        if self.health.is_silent:
            raise DiskFailed(f"{self.root} does not answer")
        try:
            with self.health.running():
                yield
        except DfsError:
            raise
        except OSError as error:
            raise self._unreadable(path, error) from error

    def _unreadable(self, path: str, error: OSError) -> DfsError:
        """What it means that a replica cannot be read."""
        message = f"cannot read {path}: {error.strerror or error}"
        if error.errno in SHORTAGES:
            return Busy(message)
        try:
            self.probe()
        except (DiskFailed, Busy) as failure:
            return failure
        return CorruptData(message)

    def __repr__(self) -> str:
        return f"<Volume {self.root}{' failed: ' + self.failed if self.failed else ''}>"
