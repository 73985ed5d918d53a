"""One directory of a datanode: who it belongs to, what is in it, and whether its disk still works.

Theory of operation. Every disk operation runs under a guard that tells three kinds of trouble
apart. A full disk fails one write (DiskFull). A shortage of this process, such as too many open
files, says nothing of the disk (Busy). Anything else fails the whole volume for good, because after
a failed write or fsync the kernel may have dropped bytes and forgotten the error: nothing is tried
again, and its replicas come from elsewhere. Only a read that fails is looked at once more: when the
volume passes a probe, one replica is damaged; when not, the volume has failed and none of its
replicas is called damaged (HDFS-17342: an I/O error is not an absence).
"""

import errno
import os
import threading
import time
import uuid
from contextlib import contextmanager
from typing import Callable, Iterator, List, NamedTuple, Optional, Tuple

from data_service.datanode import layout
from data_service.datanode.layout import META_SUFFIX, Version
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

_SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.EINTR)
_NUMBER_BYTES = 64
_VERSION_BYTES = 4096


class Stored(NamedTuple):
    """A replica as a scan found it; `problem` says why it is corrupt, empty when it is not."""

    block: Block
    problem: str


def _nobody() -> None:
    """For a volume whose failure nobody has to hear of."""


class Volume:
    """A locked directory. Its operations raise DiskFailed, DiskFull, Busy, as told above.

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
        self.failed = ""
        self.system = system
        self.version = Version("", "", "", layout.LAYOUT_VERSION)
        self.promised = 0
        self._counting = threading.Lock()
        self._reserved = reserved_bytes
        self._on_failure = on_failure
        self._lock: Optional[disk.DirectoryLock] = None
        self._uptime_before = 0
        self._opened_at = time.monotonic()

    # Life of the directory.

    def open(self) -> None:
        """Lock the directory and learn whose it is; `version.node_id` is empty for a new one.

        Unfinished writes of an earlier process are dropped. Raises StartRefused.
        """
        with self.guard(self.root, "open"):
            disk.make_directories(self.root)
            self._lock = disk.DirectoryLock(self.root)
            data = self._read_version()
            if data is None:
                self._refuse_strangers()
                return
            try:
                self.version = layout.decode_version(data)
            except CorruptData as error:
                raise self._refusal(error.message) from None
            for name in os.listdir(self._path(layout.TMP)):
                os.unlink(self._path(layout.TMP, name))
        self._uptime_before = self._read_position(layout.UPTIME)
        self._opened_at = time.monotonic()

    def format(self, node_id: str) -> None:
        """Make a new directory one of the datanode `node_id`."""
        with self.guard(self.root, "format"):
            for name in (layout.TMP, layout.TRASH):
                disk.make_directories(self._path(name))
            for shard in layout.SHARDS:
                os.makedirs(self._path(layout.FINALIZED, shard), mode=0o700, exist_ok=True)
            disk.fsync_directory(self._path(layout.FINALIZED))
            disk.fsync_directory(self.root)
        # VERSION is written last: a directory that has one has all the rest.
        self._write_version(Version("", node_id, uuid.uuid4().hex, layout.LAYOUT_VERSION))

    def join_cluster(self, cluster_id: str) -> None:
        """Record, once, which cluster the directory belongs to."""
        if not self.version.cluster_id:
            self._write_version(self.version._replace(cluster_id=cluster_id))

    def fail(self, problem: str) -> None:
        """Never use the directory again until the datanode is started anew."""
        if not self.failed:
            self.failed = problem
            log.error("volume.failed", root=self.root, problem=problem)
            self._on_failure()

    def close(self) -> None:
        """Release the directory."""
        if self._lock is not None:
            self._lock.close()

    @contextmanager
    def guard(self, path: str, operation: str = "use") -> Iterator[None]:
        """Turn trouble of the body into DiskFull, Busy, or the failure of the volume."""
        try:
            with disk.disk_errors(path, operation):
                yield
        except DiskFailed as error:
            cause = error.__cause__
            if isinstance(cause, OSError) and cause.errno in _SHORTAGES:
                raise Busy(error.message) from cause
            self.fail(error.message)
            raise

    def probe(self) -> None:
        """Make sure that the directory is still there and its disk works; otherwise it fails."""
        if self.failed:
            raise DiskFailed(self.failed)
        with self.guard(self.root):
            try:
                present = self._read_version() == layout.encode_version(self.version)
            except CorruptData:
                present = False
            if not present:
                raise DiskFailed(f"{self.root} is not the directory any more that it was")
            path = self.tmp_path(f"{uuid.uuid4().hex}.probe")
            try:
                disk.write_file(path, b"probe", self.system)
                self.system.unlink(path)
            except DiskFull:
                pass  # A full disk is a working one.

    # Small facts.

    def read_number(self, name: str) -> int:
        """A number that was kept in the file `name`; 0 when there is none yet; CorruptData."""
        with self.guard(self._path(name), "read"):
            return layout.decode_number(name, disk.read_file(self._path(name), _NUMBER_BYTES))

    def write_number(self, name: str, number: int) -> None:
        """Keep a number, durably."""
        path = self._path(name)
        with self.guard(path, "write"):
            disk.write_file(path, layout.encode_number(number), self.system)

    def read_scan_position(self) -> int:
        """The block id that the scanner looked at last; 0 when nobody knows."""
        return self._read_position(layout.SCAN_POSITION)

    def space(self) -> Tuple[int, int, int]:
        """(device, capacity, bytes that may still be written) of the directory's disk."""
        with self.guard(self.root, "measure"):
            total, free = disk.space(self.root)
            return os.stat(self.root).st_dev, total, max(0, free - self._reserved)

    def promise(self, size: int) -> None:
        """Set room aside for a replica that is going to be written."""
        with self._counting:
            self.promised += size

    def settle(self, size: int) -> None:
        """So much of what was promised is on the disk now, or is not needed any more."""
        with self._counting:
            self.promised = max(0, self.promised - size)

    # Replicas.

    def scan(self) -> Iterator[Stored]:
        """Every replica on the disk, with its length; its data is not read."""
        for shard in layout.SHARDS:
            folder = self._path(layout.FINALIZED, shard)
            with self.guard(folder, "list"):
                names = set(os.listdir(folder))
            for name in sorted(names):
                is_meta = name.endswith(META_SUFFIX)
                data_name = name[: -len(META_SUFFIX)] if is_meta else name
                identity = parse_name(data_name)
                if identity is None or (is_meta and data_name in names):
                    continue
                if layout.shard_of(identity[0]) == shard:
                    yield self._examine(*identity)
                else:
                    log.warning("replica.misplaced", folder=folder, name=name)

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
        try:
            return os.stat(path).st_size
        except OSError as error:
            raise self._unreadable(path, error) from error

    def read_meta(self, block_id: int, generation: int) -> Tuple[Block, Tuple[int, ...]]:
        """(block, checksums) from the `.meta` file; raises CorruptData also when it is missing."""
        path = layout.replica_path(self.root, block_id, generation) + META_SUFFIX
        try:
            with open(path, "rb") as file:
                header = file.read(layout.HEADER_BYTES)
                block = layout.decode_header(header, block_id, generation)
                # One byte more than there should be: a file that is too long is damaged, too.
                rest = file.read(layout.meta_bytes(block.length) - len(header) + 1)
        except OSError as error:
            raise self._unreadable(path, error) from error
        return layout.decode_meta(header + rest, block_id, generation)

    def open_data(self, block: Block) -> int:
        """A descriptor of the replica's data; raises CorruptData when its length is wrong."""
        path = layout.replica_path(self.root, block.block_id, block.generation)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise self._unreadable(path, error) from error
        length = os.fstat(descriptor).st_size
        if length != block.length:
            os.close(descriptor)
            raise CorruptData(f"{block.name} has {length} bytes on disk, {block.length} written")
        return descriptor

    def read_data(self, descriptor: int, view: memoryview, offset: int, block: Block) -> int:
        """Read a part of a replica's data; how many bytes came. CorruptData when none can."""
        try:
            return os.preadv(descriptor, [view], offset)
        except OSError as error:
            raise self._unreadable(block.name, error) from error

    def remove(self, block: Block) -> None:
        """Delete a replica for good; one that is not there is fine."""
        path = layout.replica_path(self.root, block.block_id, block.generation)
        with self.guard(path, "remove"):
            for name in (path, path + META_SUFFIX):
                if os.path.lexists(name):
                    self.system.unlink(name)
            disk.fsync_directory(os.path.dirname(path), self.system)

    # The trash.

    def move_to_trash(self, block: Block) -> None:
        """Put a replica that nobody claims aside, whole, where a person can still find it."""
        path = layout.replica_path(self.root, block.block_id, block.generation)
        uptime = self.uptime()
        with self.guard(path, "move to the trash"):
            for name in (path, path + META_SUFFIX):
                if os.path.lexists(name):
                    target = layout.trash_name(os.path.basename(name), uptime)
                    self.system.rename(name, self._path(layout.TRASH, target))
            disk.fsync_directory(self._path(layout.TRASH), self.system)
            disk.fsync_directory(os.path.dirname(path), self.system)

    def empty_trash(self, older_than_seconds: float) -> int:
        """Delete what has been in the trash for so much use; returns how many files went.

        A file there whose name says no time is somebody else's, and stays.
        """
        uptime = self.uptime()
        # A crash loses the use since the last time that it was saved: what is in the trash stays
        # so much longer, and never shorter.
        self.write_number(layout.UPTIME, int(uptime))
        return sum(self._delete_if_old(name, uptime - older_than_seconds)
                   for name in self._trash())

    def uptime(self) -> float:
        """Seconds for which datanodes have served this directory."""
        return self._uptime_before + time.monotonic() - self._opened_at

    def _trash(self) -> List[str]:
        with self.guard(self._path(layout.TRASH), "list"):
            return os.listdir(self._path(layout.TRASH))

    def _delete_if_old(self, name: str, limit: float) -> bool:
        since = layout.trashed_at(name)
        if since is None or since > limit:
            return False
        path = self._path(layout.TRASH, name)
        with self.guard(path, "remove"):
            self.system.unlink(path)
        return True

    def tmp_path(self, name: str) -> str:
        """A path for an unfinished file."""
        return self._path(layout.TMP, name)

    # Within.

    def _unreadable(self, path: str, error: OSError) -> DfsError:
        """What it means that a replica cannot be read."""
        message = f"cannot read {path}: {error.strerror or error}"
        if error.errno in _SHORTAGES:
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

    def _read_position(self, name: str) -> int:
        try:
            return self.read_number(name)
        except CorruptData as error:
            # Nothing but a little work depends on it.
            log.warning("number.damaged", root=self.root, problem=error.message)
            return 0

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
