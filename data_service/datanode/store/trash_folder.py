"""The trash of one directory: replicas that nobody claims, kept until they are old enough.

Their age is counted in seconds of use, as `layout.py` tells. What somebody else takes out of the
folder, or puts into it, is no trouble of the disk: people are invited to look here.
"""

import os
import time
from typing import List

from data_service.datanode.store import layout
from data_service.datanode.store.health import Health
from data_service.datanode.store.layout import META_SUFFIX
from data_service.datanode.store.volume_records import VolumeRecords
from data_service.protocol.blocks import Block
from zookeeper.fabric import disk, logs
from zookeeper.fabric.errors import DiskFailed, DiskFull

log = logs.get("trash")


class TrashFolder:
    """Errors are those of the volume that it belongs to."""

    def __init__(
        self, root: str, health: Health, records: VolumeRecords, system: disk.SystemCalls
    ) -> None:
        self._root = root
        self._health = health
        self._records = records
        self._system = system
        self._uptime_before = 0
        self._opened_at = time.monotonic()

    def open(self) -> None:
        """Begin to count the use of the directory, from where it was left."""
        self._uptime_before = self._records.read_hint(layout.UPTIME)
        self._opened_at = time.monotonic()

    def uptime(self) -> float:
        """Seconds for which datanodes have served the directory."""
        return self._uptime_before + time.monotonic() - self._opened_at

    def take_in(self, block: Block) -> None:
        """Put a replica that nobody claims aside, whole, where a person can still find it."""
        uptime = self.uptime()
        path = layout.replica_path(self._root, block.block_id, block.generation)
        with self._health.guard(path, "move to the trash"):
            for name in (path, path + META_SUFFIX):
                if os.path.lexists(name):
                    target = layout.trash_name(os.path.basename(name), uptime)
                    self._system.rename(name, self._path(target))
            disk.fsync_directory(self._path(), self._system)
            disk.fsync_directory(os.path.dirname(path), self._system)

    def empty(self, older_than_seconds: float) -> int:
        """Delete what has been in the trash for so much use; returns how many files went.

        A file there whose name says no time is somebody else's, and stays.
        """
        uptime = self.uptime()
        # A crash loses the use since the last time that it was saved: what is in the trash stays
        # so much longer, and never shorter.
        try:
            self._records.write_number(layout.UPTIME, int(uptime))
        except DiskFull as error:
            # To empty the trash is what a full disk needs most, and it needs no room.
            log.warning("uptime.not_saved", root=self._root, error=error.message)
        return sum(self._delete_if_old(name, uptime - older_than_seconds)
                   for name in self._names())

    def _names(self) -> List[str]:
        with self._health.guard(self._path(), "list"):
            return os.listdir(self._path())

    def _delete_if_old(self, name: str, limit: float) -> bool:
        since = layout.trashed_at(name)
        if since is None or since > limit:
            return False
        try:
            return self._health.unlink(self._path(name), self._system)
        except DiskFailed as error:
            if self._health.failed:
                raise
            log.warning("trash.stranger", root=self._root, problem=error.message)
            return False

    def _path(self, *names: str) -> str:
        return os.path.join(self._root, layout.TRASH, *names)

    def __repr__(self) -> str:
        return f"<TrashFolder of {self._root}, {self.uptime():.0f} s of use>"
