"""The directory that a volume lies in: locked by one process, and whose it is.

VERSION tells to which cluster and datanode it belongs. It is written last when a directory is
formatted: one that has it has all the rest, and one without it must be empty, since replicas
without a VERSION belong to somebody whose identity was lost.

A directory of the layout before is used as it is, and brought forward when the first replica is
written into it: from then on older software, which would take that one for damaged, refuses it. So
a full disk, which takes no new VERSION either, still serves what it has.
"""

import os
import threading
import uuid
from typing import Optional, Tuple

from data_service.datanode.store import layout
from data_service.datanode.store.health import Health
from data_service.datanode.store.layout import Version
from zookeeper.fabric import disk, logs
from zookeeper.fabric.errors import CorruptData, DfsError, DiskFailed, StartRefused

log = logs.get("volume")

_VERSION_BYTES = 4096


class StorageDirectory:
    """`version` is whose it is, with an empty node id as long as it is a new one.

    Errors are those of the volume that it belongs to.
    """

    def __init__(self, root: str, health: Health, system: disk.SystemCalls) -> None:
        self.root = root
        self.version = Version("", "", "", layout.LAYOUT_VERSION)
        self._health = health
        self._system = system
        self._device = 0
        self._lock: Optional[disk.DirectoryLock] = None
        # Every writer of a replica may be the first, and another thread learns of a cluster.
        self._changing = threading.Lock()

    def claim(self) -> None:
        """Lock the directory, if it is there already. Raises StartRefused."""
        with self._health.guard(self.root, "lock"):
            if os.path.isdir(self.root):
                self._lock = disk.DirectoryLock(self.root)
                self._device = os.stat(self.root).st_dev
                disk.close_directory_to_others(self.root)

    def identify(self) -> None:
        """Learn whose the directory is, and set right what an earlier process left there.

        Unfinished writes are dropped. Raises StartRefused when the directory is not one that this
        software can use.
        """
        with self._health.guard(self.root, "open"):
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

    def format(self, node_id: str) -> None:
        """Make a new directory one of the datanode `node_id`."""
        with self._health.guard(self.root, "format"):
            if self._lock is None:
                disk.make_directories(self.root)
                self._lock = disk.DirectoryLock(self.root)
            self._restore_folders()
        self._write_version(Version("", node_id, uuid.uuid4().hex, layout.LAYOUT_VERSION))

    def join_cluster(self, cluster_id: str) -> None:
        """Record, once, which cluster the directory belongs to."""
        with self._changing:
            if not self.version.cluster_id:
                self._write_version(self.version._replace(cluster_id=cluster_id))

    def bring_forward(self) -> None:
        """Make it a directory of the newest layout, durably, if it is not one yet."""
        if self.version.layout == layout.LAYOUT_VERSION:
            return
        with self._changing:
            older = self.version
            if older.layout != layout.LAYOUT_VERSION:
                self._write_version(older._replace(layout=layout.LAYOUT_VERSION))
                log.info("directory.brought_forward", root=self.root, layout=older.layout)

    def close(self) -> None:
        """Release the directory."""
        if self._lock is not None:
            self._lock.close()

    def is_itself(self) -> bool:
        """Whether this still is the directory that was opened; its folders are there then."""
        try:
            data = self._read_version()
            # Its cluster and its layout may be changing at this moment.
            if data is None or layout.decode_version(data)[1:3] != self.version[1:3]:
                return False
            self._restore_folders()
        except (OSError, DfsError):
            return False
        return True

    def measure(self) -> Tuple[int, int, int]:
        """(device, capacity, free bytes) of the disk it lies on; DiskFailed when it lies on another
        one than it did, or was emptied."""
        with self._health.guard(self.root, "measure"):
            device = os.stat(self.root).st_dev
            if self._device not in (0, device):
                raise DiskFailed(f"{self.root} is on another disk than it was: is it unmounted?")
            if self.version.node_id and not os.path.lexists(self.path(layout.VERSION)):
                raise DiskFailed(f"{self.root} has no {layout.VERSION} any more: was it emptied?")
            return (device, *disk.space(self.root))

    def path(self, *names: str) -> str:
        """Where something in the directory is."""
        return os.path.join(self.root, *names)

    def _restore_folders(self) -> None:
        """Make the folders that are not there: of a new directory, or emptied by hand."""
        folders = [self.path(name) for name in (layout.TMP, layout.TRASH, layout.FINALIZED)]
        folders += [self.path(layout.FINALIZED, shard) for shard in layout.SHARDS]
        made = [folder for folder in folders if disk.ensure_directory(folder)]
        if made:
            disk.fsync_directory(self.path(layout.FINALIZED))
            disk.fsync_directory(self.root)
            if self.version.node_id:
                log.warning("folders.restored", root=self.root, count=len(made))

    def _clear_tmp(self) -> None:
        """Drop unfinished writes; what else somebody put there stays."""
        for entry in list(os.scandir(self.path(layout.TMP))):
            if entry.is_dir(follow_symlinks=False):
                log.warning("tmp.stranger", root=self.root, name=entry.name)
            else:
                os.unlink(entry.path)

    def _read_version(self) -> Optional[bytes]:
        return disk.read_file(self.path(layout.VERSION), _VERSION_BYTES)

    def _write_version(self, version: Version) -> None:
        path = self.path(layout.VERSION)
        with self._health.guard(path, "write"):
            disk.write_file(path, layout.encode_version(version), self._system)
        self.version = version

    def _refuse_strangers(self) -> None:
        """A directory without VERSION must be empty, or one whose formatting was cut short."""
        known = {layout.TMP, layout.FINALIZED, layout.TRASH}
        # A new file system has a lost+found.
        ours = {"lock", layout.VERSION + disk.TEMPORARY_SUFFIX, "lost+found"}
        found = set(os.listdir(self.root)) - ours
        for name in sorted(found & known):
            for folder, _, files in os.walk(self.path(name)):
                if files:
                    raise self._refusal(f"it has no VERSION file, but there is {folder}/{files[0]}")
        for name in sorted(found - known):
            raise self._refusal(f"it is no datanode's directory, but there is {name}")

    def _refusal(self, reason: str) -> StartRefused:
        return StartRefused(f"{self.root} cannot be used: {reason}; move it away to start empty")

    def __repr__(self) -> str:
        return f"<StorageDirectory {self.root} of {self.version.node_id or 'nobody'}>"
