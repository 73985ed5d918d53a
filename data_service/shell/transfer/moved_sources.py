"""What moveFromLocal may delete once it is stored: just what was stored, and nothing else.

A log that grew meanwhile holds lines that are nowhere else, and behind a symbolic link are files
of somebody who moves nothing.
"""

import os
import stat
from typing import Dict, Tuple

from data_service.shell.arguments.items import Item
from data_service.shell.failures import INPUT_OUTPUT, PathError

CHANGED = "It changed while it was stored, and stays here"

Identity = Tuple[int, int, int, int]
"""Device, inode, bytes, time of the last change: another one is another content."""


class MovedSources:
    """The sources of one command. Several threads may note and remove, each its own files."""

    def __init__(self) -> None:
        self._noted: Dict[str, Identity] = {}

    def note(self, source: Item) -> None:
        """Remember a file as it is before it is read."""
        self._noted[source.path] = _identity(source)

    def remove(self, source: Item, target: Item) -> None:
        """Delete a file that is stored at `target`, or a directory that is empty by now.

        Raises PathError for what must stay. Of a link, the link goes and nothing behind it.
        """
        if _is_behind_link(source):
            return
        if not source.is_directory:
            noted = self._noted.pop(source.path)
            stored = target.refresh().found.length
            if noted != _identity(source) or stored != noted[2]:
                raise PathError(source.text, CHANGED)
        if not source.store.delete(source.path):
            raise PathError(source.text, INPUT_OUTPUT, deed="remove")


def _is_behind_link(source: Item) -> bool:
    """Whether a directory above it, the one that was named or one below that, is a link."""
    above = source.above
    while source.store.is_local and above is not None:
        if os.path.islink(above.path):
            return True
        above = above.above
    return False


def _identity(source: Item) -> Identity:
    if not source.store.is_local:
        status = source.refresh().found
        return 0, status.inode_id, status.length, status.mtime_ms
    try:
        found = os.stat(source.path)
    except OSError as error:
        raise PathError(source.text, error.strerror or INPUT_OUTPUT) from error
    if not stat.S_ISREG(found.st_mode):
        raise PathError(source.text, "Not an ordinary file, and stays here")
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
