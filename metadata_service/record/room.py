"""Whether the disk of a metadata service has room for more edits."""

import math
import time

from zookeeper.fabric import disk, logs
from zookeeper.fabric.errors import DiskFailed

log = logs.get("room")

RESERVE_BYTES = 8 << 20
"""Room on the disk below which the namenode is asked to accept no more changes. It is large
enough for the edits that the namenode has accepted already, and for emptying the log."""

ROOM_SECONDS = 0.1
"""How old the measure of that room may be: taken anew for every append, it was a tenth of each."""


class Room:
    """The room in one directory. Any thread may ask: two that measure at once find the same."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._measure_at = -math.inf
        self._room = True

    def is_left(self) -> bool:
        """Whether there is room for more edits, as it was a moment ago."""
        now = time.monotonic()
        if now >= self._measure_at:
            try:
                self._room = disk.space(self._directory).free >= RESERVE_BYTES
            except DiskFailed as error:
                # Reading goes on, of which the namenode needs to hear that nobody else leads.
                if self._room:
                    log.error("disk.not_measured", error=error.message, effect="no changes")
                self._room = False
            self._measure_at = now + ROOM_SECONDS
        return self._room

    def __repr__(self) -> str:
        return f"<Room in {self._directory}>"
