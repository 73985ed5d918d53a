"""That the rows of a member are not to be trusted, as a note in its directory.

A flipped bit that a comparison with the other members has found is in no checksum, so a start does
not meet it again. What has been found must outlive the process: the member would serve, and decide,
until somebody compares it the next time. The note lies beside the database, which accepts nothing
any more by then, and goes when another image takes the database's place.
"""

import os
from typing import Optional

from zookeeper.fabric import disk
from zookeeper.fabric.disk import SYSTEM, SystemCalls

NAME = "damaged"
_BYTES_MAX = 4096


def note(directory: str, why: str) -> None:
    """Remember it, and why, durably. Raises DiskFull, DiskFailed."""
    text = why.encode("utf-8", "replace")[:_BYTES_MAX]
    disk.write_file(os.path.join(directory, NAME), text)


def noted(directory: str) -> Optional[str]:
    """Why its rows are not to be trusted; None when they are. Raises DiskFailed, CorruptData."""
    found = disk.read_file(os.path.join(directory, NAME), _BYTES_MAX)
    return None if found is None else found.decode("utf-8", "replace")


def forget(directory: str, system: SystemCalls = SYSTEM) -> None:
    """Its rows are others by now, or nobody else has any. Raises DiskFailed."""
    path = os.path.join(directory, NAME)
    with disk.disk_errors(path, "remove"):
        try:
            system.unlink(path)
        except FileNotFoundError:
            return
    disk.fsync_directory(directory, system)
