"""One directory of a datanode: who it belongs to, and what is in it.

What trouble with its disk means is told in `health.py`. Only a read that fails is looked at once
more: when the volume passes a probe, one replica is damaged; when not, the volume has failed and
none of its replicas is called damaged (HDFS-17342: an I/O error is not an absence).
"""

import os
import threading
import uuid
from contextlib import contextmanager
from typing import Callable, ContextManager, Iterator, NamedTuple, Optional, Set, Tuple

from data_service.datanode.store import layout
from data_service.datanode.store.disk_threads import DiskCall, DiskThread
from data_service.datanode.store.health import SHORTAGES, Health
from data_service.datanode.store.layout import META_SUFFIX, Version
from data_service.datanode.store.volume_records import VolumeRecords
from data_service.datanode.store.trash_folder import TrashFolder
from data_service.protocol.blocks import Block, parse_name
from zookeeper.fabric import disk, logs
from zookeeper.fabric.errors import (
    Busy,
    CorruptData,
    DfsError,
    DiskFailed,
    DiskFull,
    StartRefused,
)

log = logs.get("volume")

MEASURE_SECONDS = 1.0
"""How long the measure of a disk's room may take, which is microseconds of a healthy one."""

PROMISE_BYTES_MAX = 256 << 20
"""For so many bytes of a replica room is set aside; a larger one looks for itself as it comes. What
a writer announces, and may never send, does not keep others out."""

SILENT_SECONDS = 30.0
"""How long an operation may run until its disk counts as silent: longer than any of a busy one."""

_VERSION_BYTES = 4096


class Stored(NamedTuple):
    """A replica as a scan found it; `problem` says why it is corrupt, empty when it is not."""

    block: Block
    problem: str


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
        self.version = Version("", "", "", layout.LAYOUT_VERSION)
        self.health = Health(root, on_failure, self._is_itself)
        self.recording, self.maintenance = DiskThread(root), DiskThread(root)
        self._measuring = DiskThread(root)
        self.promised = 0
        self._device = 0
        self._counting = threading.Lock()
        self._reserved = reserved_bytes
        self._lock: Optional[disk.DirectoryLock] = None
        self.records = VolumeRecords(root, self.health, system)
        self.trash = TrashFolder(root, self.health, self.records, system)

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

    # Life of the directory.

    def open(self) -> None:
        """Lock the directory and learn whose it is; `version.node_id` is empty for a new one.

        Unfinished writes of an earlier process are dropped. Raises StartRefused.
        """
        self.claim()
        self.identify()

    def claim(self) -> None:
        """Lock the directory, if it is there already. Raises StartRefused."""
        with self.guard(self.root, "lock"):
            if os.path.isdir(self.root):
                self._lock = disk.DirectoryLock(self.root)
                self._device = os.stat(self.root).st_dev
                disk.close_directory_to_others(self.root)

    def identify(self) -> None:
        """Learn whose the directory is, and set right what an earlier process left there.

        Raises StartRefused when it is not one that this software can use.
        """
        with self.guard(self.root, "open"):
            if self._lock is None:
                return
            try:
                data = self._read_version()
                if data is not None:
                    self.version = layout.decode_version(data)
            except CorruptData as error:
                raise self._refusal(error.message) from None
            if data is None:
                self._refuse_strangers()
                return
            self._restore_folders()
            self._clear_tmp()
        self.trash.open()

    def format(self, node_id: str) -> None:
        """Make a new directory one of the datanode `node_id`."""
        with self.guard(self.root, "format"):
            if self._lock is None:
                disk.make_directories(self.root)
                self._lock = disk.DirectoryLock(self.root)
            self._restore_folders()
        # VERSION is written last: a directory that has one has all the rest.
        self._write_version(Version("", node_id, uuid.uuid4().hex, layout.LAYOUT_VERSION))

    def join_cluster(self, cluster_id: str) -> None:
        """Record, once, which cluster the directory belongs to."""
        if not self.version.cluster_id:
            self._write_version(self.version._replace(cluster_id=cluster_id))

    def close(self) -> None:
        """Release the directory."""
        if self._lock is not None:
            self._lock.close()

    def probe(self) -> None:
        """Make sure that the directory is still there and its disk works; otherwise it fails."""
        if self.failed:
            raise DiskFailed(self.failed)
        with self.guard(self.root):
            if not self._is_itself():
                raise DiskFailed(f"{self.root} is not the directory any more that it was")
            path = self.tmp_path(f"{uuid.uuid4().hex}.probe")
            try:
                disk.write_file(path, b"probe", self.system)
                self.system.unlink(path)
            except DiskFull:
                pass  # A full disk is a working one.

    # Room.

    def ask_for_space(self) -> DiskCall:
        """Begin to measure the disk, for `space`."""
        return self._measuring.join(self._measure)

    def space(self, asked: Optional[DiskCall] = None) -> Tuple[int, int, int]:
        """(device, capacity, bytes that may still be written) of the directory's disk.

        A disk that does not answer at once is Busy.
        """
        asked = asked or self.ask_for_space()
        device, total, free = asked.result(asked.began + MEASURE_SECONDS)
        if self.is_silent:
            raise Busy(f"{self.root} does not answer")
        return device, total, max(0, free - self._reserved)

    def free(self) -> int:
        """Bytes that may still be written, for whoever is at work on this disk anyway."""
        return max(0, self._measure()[2] - self._reserved)

    @property
    def is_silent(self) -> bool:
        """Whether the disk has not answered for so long that nobody should wait for it."""
        return self.health.silent_seconds() > SILENT_SECONDS

    def promise(self, size: int) -> int:
        """Set room aside for a replica that is going to be written; for how many bytes of it."""
        size = min(size, PROMISE_BYTES_MAX)
        with self._counting:
            self.promised += size
        return size

    def settle(self, size: int) -> None:
        """So much of what was promised is on the disk now, or is not needed any more."""
        with self._counting:
            self.promised = max(0, self.promised - size)

    # Replicas.

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
                    yield self._examine(*identity)
                else:
                    log.warning("replica.misplaced", root=self.root, folder=shard, name=name)

    def names_in(self, shard: str) -> Set[str]:
        """The names of all files in one of the folders of replicas."""
        folder = self._path(layout.FINALIZED, shard)
        with self.guard(folder, "list"):
            return set(os.listdir(folder))

    def _examine(self, block_id: int, generation: int) -> Stored:
        path = layout.replica_path(self.root, block_id, generation)
        try:
            block, _ = self.read_meta(block_id, generation)
            length = self._length(path)
        except CorruptData as error:
            return Stored(Block(block_id, generation, 0), error.message)
        if length != block.length:
            return Stored(block, f"{length} bytes on disk, {block.length} written")
        return Stored(block, "")

    def _length(self, path: str) -> int:
        with self._reading(path):
            return os.stat(path).st_size

    def read_meta(self, block_id: int, generation: int) -> Tuple[Block, Tuple[int, ...]]:
        """(block, checksums) from the `.meta` file; raises CorruptData also when it is missing."""
        path = layout.replica_path(self.root, block_id, generation) + META_SUFFIX
        with self._reading(path), open(path, "rb") as file:
            header = file.read(layout.HEADER_BYTES)
            block = layout.decode_header(header, block_id, generation)
            # One byte more than there should be: a file that is too long is damaged, too.
            rest = file.read(layout.meta_bytes(block.length) - len(header) + 1)
        return layout.decode_meta(header + rest, block_id, generation)

    def open_data(self, block: Block) -> int:
        """A descriptor of the replica's data; raises CorruptData when its length is wrong."""
        path = layout.replica_path(self.root, block.block_id, block.generation)
        with self._reading(path):
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        length = os.fstat(descriptor).st_size
        if length != block.length:
            os.close(descriptor)
            raise CorruptData(f"{block.name} has {length} bytes on disk, {block.length} written")
        return descriptor

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
        return self._path(layout.TMP, name)

    # Within.

    def _measure(self) -> Tuple[int, int, int]:
        with self.guard(self.root, "measure"):
            device = os.stat(self.root).st_dev
            if self._device not in (0, device):
                raise DiskFailed(f"{self.root} is on another disk than it was: is it unmounted?")
            if self.version.node_id and not os.path.lexists(self._path(layout.VERSION)):
                raise DiskFailed(f"{self.root} has no {layout.VERSION} any more: was it emptied?")
            return (device, *disk.space(self.root))

    def _is_itself(self) -> bool:
        """Whether this still is the directory that was opened; its folders are there then."""
        try:
            if self._read_version() != layout.encode_version(self.version):
                return False
            self._restore_folders()
        except (OSError, DfsError):
            return False
        return True

    def _restore_folders(self) -> None:
        """Make the folders that are not there: of a new directory, or emptied by hand."""
        folders = [self._path(name) for name in (layout.TMP, layout.TRASH, layout.FINALIZED)]
        folders += [self._path(layout.FINALIZED, shard) for shard in layout.SHARDS]
        made = [folder for folder in folders if disk.ensure_directory(folder)]
        if made:
            disk.fsync_directory(self._path(layout.FINALIZED))
            disk.fsync_directory(self.root)
            if self.version.node_id:
                log.warning("folders.restored", root=self.root, count=len(made))

    def _clear_tmp(self) -> None:
        """Drop unfinished writes; what else somebody put there stays."""
        for entry in list(os.scandir(self._path(layout.TMP))):
            if entry.is_dir(follow_symlinks=False):
                log.warning("tmp.stranger", root=self.root, name=entry.name)
            else:
                os.unlink(entry.path)

    @contextmanager
    def _reading(self, path: str) -> Iterator[None]:
        if self.is_silent:
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

    def _read_version(self) -> Optional[bytes]:
        return disk.read_file(self._path(layout.VERSION), _VERSION_BYTES)

    def _write_version(self, version: Version) -> None:
        path = self._path(layout.VERSION)
        with self.guard(path, "write"):
            disk.write_file(path, layout.encode_version(version), self.system)
        self.version = version

    def _refuse_strangers(self) -> None:
        """A directory without VERSION must be empty, or one whose formatting was cut short."""
        known = {layout.TMP, layout.FINALIZED, layout.TRASH}
        # A new file system has a lost+found.
        ours = {"lock", layout.VERSION + disk.TEMPORARY_SUFFIX, "lost+found"}
        found = set(os.listdir(self.root)) - ours
        for name in sorted(found & known):
            for folder, _, files in os.walk(self._path(name)):
                if files:
                    raise self._refusal(f"it has no VERSION file, but there is {folder}/{files[0]}")
        for name in sorted(found - known):
            raise self._refusal(f"it is no datanode's directory, but there is {name}")

    def _refusal(self, reason: str) -> StartRefused:
        return StartRefused(f"{self.root} cannot be used: {reason}; move it away to start empty")

    def _path(self, *names: str) -> str:
        return os.path.join(self.root, *names)

    def __repr__(self) -> str:
        return f"<Volume {self.root}{' failed: ' + self.failed if self.failed else ''}>"
