"""Writing one replica: it becomes real in one step, or never was there.

Theory of operation. A replica is written below `tmp/`. At the end its checksums are appended to it,
the file is fsynced, renamed into `finalized/`, the directory is fsynced, and only then does
`finish` return. A crash before that leaves nothing that counts, a crash after it leaves all
(HDFS-5042, HDFS-11915: files vanished at a power loss because no directory was fsynced).

This relies on what Linux promises in fsync(2), that fsync of a file keeps its bytes and fsync of a
directory the names in it, and on a rename that a power cut leaves done or not done. It does not
rely on what ext4 and XFS do besides, where fsync of a file mostly keeps its name, too: so both
fsyncs are needed. Writers do not share those of directories: blocks that are written at the same
time have ids that follow each other, and lie in different folders. What these fsyncs have in common
is shared by the file system itself, whose journal takes them in one commit.
"""

import os
import uuid
from typing import List

from data_service.datanode.store import layout
from data_service.datanode.store.volume import Volume
from data_service.protocol.blocks import Block
from data_service.protocol.checksums import block_digest
from zookeeper.fabric import disk, logs
from zookeeper.fabric.errors import DiskFull, InvalidArgument

log = logs.get("replica_writer")

RESERVE_CHECK_BYTES = 8 * 1024 * 1024
"""How often, in bytes written, a writer looks whether the disk's reserve is reached."""

_CREATE = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC


class ReplicaWriter:
    """A replica of up to `size` bytes being written; ends with `finish` or `discard`.

    Room for `promised` of them was set aside; what is written, or never will be, is settled.
    Raises DiskFull, and DiskFailed when the volume has failed.
    """

    def __init__(
        self, volume: Volume, block_id: int, generation: int, size: int, promised: int = 0
    ) -> None:
        self.volume = volume
        self.block_id = block_id
        self.length = 0
        self._generation = generation
        self._size = size
        self._promised = promised
        self._checksums: List[int] = []
        self._path = volume.tmp_path(f"{uuid.uuid4().hex}.{block_id}")
        self._target = layout.replica_path(volume.root, block_id, generation)
        self._unchecked = RESERVE_CHECK_BYTES
        self._renaming = False
        volume.directory.bring_forward()
        with volume.guard(self._path, "create"):
            self._descriptor = volume.system.open(self._path, _CREATE, 0o600)

    def write(self, data: memoryview, checksum: int) -> None:
        """Append one chunk, whose checksum was verified."""
        if self.length + len(data) > self._size:
            raise InvalidArgument(f"more bytes than the {self._size} that were announced")
        self._unchecked += len(data)
        if self._unchecked >= RESERVE_CHECK_BYTES:
            self._unchecked = 0
            if self.volume.space.free() < len(data):
                raise DiskFull(f"{self.volume.root} has only its reserve of free space left")
        self._write_all(data)
        self.length += len(data)
        self._settle(len(data))
        self._checksums.append(checksum)

    @property
    def digest(self) -> bytes:
        """Of all that was written."""
        return block_digest(self.length, self._checksums)

    def finish(self) -> Block:
        """Make the replica real and durable, and return its block."""
        block = Block(self.block_id, self._generation, self.length)
        volume = self.volume
        self._write_all(memoryview(layout.encode_trailer(block, self._checksums)))
        self._sync_and_close()
        self._renaming = True
        with volume.guard(self._target, "rename to"):
            volume.system.rename(self._path, self._target)
            disk.fsync_directory(os.path.dirname(self._target), volume.system)
        self._settle(self._promised)
        return block

    def discard(self) -> None:
        """Forget what was written; never raises, because it follows an error already told."""
        self._settle(self._promised)
        self._close()
        if self.volume.failed:
            return
        for path in (self._path, self._target) if self._renaming else (self._path,):
            self._unlink(path)

    def _unlink(self, path: str) -> None:
        try:
            self.volume.system.unlink(path)
        except FileNotFoundError:
            pass  # Renamed already, or never renamed.
        except OSError as error:
            log.warning("replica.not_discarded", path=path, error=error.strerror)

    def _settle(self, size: int) -> None:
        settled = min(size, self._promised)
        self._promised -= settled
        self.volume.space.settle(settled)

    def _write_all(self, data: memoryview) -> None:
        with self.volume.guard(self._path, "write"):
            while data:
                data = data[self.volume.system.write(self._descriptor, data) :]

    def _sync_and_close(self) -> None:
        with self.volume.guard(self._path, "sync"):
            self.volume.system.fsync(self._descriptor)
            self._close()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            self.volume.system.close(descriptor)

    def __repr__(self) -> str:
        return f"<ReplicaWriter blk_{self.block_id}_{self._generation}, {self.length} bytes>"
