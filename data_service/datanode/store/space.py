"""How much may still be written into one directory: what is free, and what is promised already."""

import threading
from typing import Optional, Tuple

from data_service.datanode.store.disk_threads import DiskCall, DiskThread
from data_service.datanode.store.health import Health
from data_service.datanode.store.storage_directory import StorageDirectory
from zookeeper.fabric.errors import Busy

MEASURE_SECONDS = 1.0
"""How long the measure of a disk's room may take, which is microseconds of a healthy one."""

RECENT_SECONDS = 0.25
"""How old the measure of a disk with ample room may be when a writer's directory is chosen: for
each small block a thread that measures would cost more than anything else."""

AMPLE_BYTES = 4 << 30
"""Nobody writes so much in that time."""

PROMISE_BYTES_MAX = 256 << 20
"""For so many bytes of a replica room is set aside; a larger one looks for itself as it comes. What
a writer announces, and may never send, does not keep others out."""


class Space:
    """The space of a directory's disk besides its `reserved_bytes`. May be used by any thread."""

    def __init__(self, directory: StorageDirectory, health: Health, reserved_bytes: int) -> None:
        self.promised = 0
        self.reserved_bytes = reserved_bytes
        self._directory = directory
        self._health = health
        self._measuring = DiskThread(directory.root)
        self._ample = False
        self._counting = threading.Lock()

    def ask(self, for_writer: bool = False) -> DiskCall:
        """Begin to measure the disk, for `measured`; or for a writer, who looks again himself
        before he writes, take the measure of a moment ago."""
        recent_seconds = RECENT_SECONDS if for_writer and self._ample else 0.0
        return self._measuring.join(self._directory.measure, recent_seconds)

    def measured(self, asked: Optional[DiskCall] = None) -> Tuple[int, int, int]:
        """(device, capacity, bytes that may still be written) of the directory's disk.

        A disk that does not answer at once is Busy.
        """
        asked = asked or self.ask()
        self._ample = False
        device, total, free = asked.result(asked.began + MEASURE_SECONDS)
        if self._health.is_silent:
            raise Busy(f"{self._directory.root} does not answer")
        left = max(0, free - self.reserved_bytes)
        self._ample = left - self.promised > AMPLE_BYTES
        return device, total, left

    def free(self) -> int:
        """Bytes that may still be written, for whoever is at work on this disk anyway."""
        return max(0, self._directory.measure()[2] - self.reserved_bytes)

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

    def __repr__(self) -> str:
        return f"<Space of {self._directory.root}, {self.promised} bytes promised>"
