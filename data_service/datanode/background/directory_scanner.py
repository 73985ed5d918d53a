"""Whether all replicas still have their files: those that somebody removed by hand are noticed.

Theory of operation. A full report tells what the table of replicas holds, not what the disks do. A
replica whose file is gone would be found when somebody reads it, or when the scanner comes by,
which can take weeks. So the folders are listed in turn, all of them once in the time between two
full reports (HDFS's DirectoryScanner: six hours). What is missing counts as corrupt from then on,
and the namenode has it copied from a good replica. What is there and not in the table stays as it
is: the next start takes it in.
"""

import math
import threading
from typing import Optional, Set

from data_service.datanode.store import layout
from data_service.datanode.store.block_store import BlockStore
from data_service.datanode.store.volume import Volume
from zookeeper.fabric import logs
from zookeeper.fabric.errors import DfsError

log = logs.get("directory_scanner")

PAUSE_SECONDS_MIN = 0.5


class DirectoryScanner:
    """Lists one folder after the other, in one thread."""

    def __init__(self, store: BlockStore, period_seconds: float) -> None:
        self._store = store
        shards = len(layout.SHARDS)
        self._pause = max(period_seconds / shards, PAUSE_SECONDS_MIN)
        self._at_once = min(shards, math.ceil(shards * self._pause / period_seconds))
        self._next = 0
        self._stopping = threading.Event()

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._run, name="directory_scanner", daemon=True).start()

    def stop(self) -> None:
        """End."""
        self._stopping.set()

    def look(self) -> None:
        """Look into the folders whose turn it is."""
        for _ in range(self._at_once):
            shard = layout.SHARDS[self._next]
            self._next = (self._next + 1) % len(layout.SHARDS)
            for volume in self._store.volumes.working:
                # The table first: what is written meanwhile is not in it, and not missed.
                expected = self._store.replicas.good_on(volume, shard)
                if not expected or volume.health.is_silent:
                    continue
                found = self._names_in(volume, shard)
                if found is None:
                    continue
                for replica in expected:
                    if not found.issuperset(replica.file_names):
                        # One that was ordered away meanwhile is not in the table any more.
                        self._store.mark_corrupt(replica.block, "its file is gone")

    def _names_in(self, volume: Volume, shard: str) -> Optional[Set[str]]:
        """The names in a folder; None when it cannot be listed, which is no absence."""
        for attempt in (1, 2):
            try:
                return volume.names_in(shard)
            except DfsError as error:
                # A folder that was removed by hand has been made again by now.
                log.warning("folder.not_listed", root=volume.root, error=error.message)
                if volume.failed or attempt == 2:
                    break
        return None

    def _run(self) -> None:
        while not self._stopping.wait(self._pause):
            try:
                self.look()
            except Exception as error:
                # Also a defect must not end this thread.
                log.error("scan.failed", exc_info=True, error=type(error).__name__)

    def __repr__(self) -> str:
        return f"<DirectoryScanner before shard {layout.SHARDS[self._next]}>"
