"""Where a datanode's directories live: on which disk each was, so that a missing disk is noticed.

Theory of operation. An empty directory may be a new disk, or the place where the disk is not
mounted. To take the second for the first would give the blocks up and fill the disk of the system
instead. So every directory remembers of all of them at which mount point their file systems were.
A directory that is empty now, and lies on another one than it did, has lost its disk.
"""

import json
from typing import Dict, Iterable, Optional

from zookeeper.fabric import disk
from zookeeper.fabric.errors import CorruptData

FILE_NAME = "directories"
"""The file in each directory that remembers where all of them were."""


def encode(mount_points: Dict[str, str]) -> bytes:
    """Directory -> mount point, as text."""
    return (json.dumps(mount_points, indent=1, sort_keys=True) + "\n").encode("ascii")


def decode(data: Optional[bytes]) -> Dict[str, str]:
    """The reverse; nothing when there is none yet. Raises CorruptData."""
    if data is None:
        return {}
    try:
        mount_points = json.loads(data)
    except ValueError:
        raise CorruptData(f"its file {FILE_NAME} is damaged") from None
    if type(mount_points) is not dict or not all(
        type(place) is str for place in mount_points.values()
    ):
        raise CorruptData(f"its file {FILE_NAME} is damaged")
    return mount_points


def lost_disk(root: str, mount_points: Dict[str, str]) -> str:
    """Why the empty directory `root` must not be used as a new one; empty when it may."""
    awaited = disk.awaited_mount(root)
    if awaited:
        return f"{root} is empty, and nothing is mounted at {awaited}, as /etc/fstab says: mount it"
    known, found = mount_points.get(root), disk.mount_point(root)
    # Both are at or above the directory. A disk that is mounted there by now is a new one.
    if known is None or len(known) <= len(found):
        return ""
    return (
        f"{root} is empty, and was on a disk mounted at {known} before: mount that disk; to begin "
        f"anew without it, remove the file {FILE_NAME} from the other directories of this datanode"
    )


def current(
    mount_points: Dict[str, str], roots: Iterable[str], working: Iterable[str]
) -> Dict[str, str]:
    """What is to be remembered: of those that work where they are, of the others where they were.

    Of directories that config.ini names no more, nothing.
    """
    kept = {root: mount_points[root] for root in roots if root in mount_points}
    return {**kept, **{root: disk.mount_point(root) for root in working}}
