"""How much may still be written into one directory: what is free, and what is promised already."""

import threading
from typing import Optional, Tuple

from data_service.datanode.store.disk_threads import DiskCall, DiskThread
from data_service.datanode.store.health import Health
from data_service.datanode.store.storage_directory import StorageDirectory
from zookeeper.fabric.errors import Busy

MEASURE_SECONDS = 1.0
"""How long the measure of a disk's room may take, which is microseconds of a healthy one."""

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
        self._counting = threading.Lock()

    def ask(self) -> DiskCall:
        """Begin to measure the disk, for `measured`."""
        return self._measuring.join(self._directory.measure)

    def measured(self, asked: Optional[DiskCall] = None) -> Tuple[int, int, int]:
        """(device, capacity, bytes that may still be written) of the directory's disk.

        A disk that does not answer at once is Busy.
        """
        asked = asked or self.ask()
        device, total, free = asked.result(asked.began + MEASURE_SECONDS)
        if self._health.is_silent:
            raise Busy(f"{self._directory.root} does not answer")
        return device, total, max(0, free - self.reserved_bytes)

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
