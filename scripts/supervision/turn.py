"""One cluster.py at a time changes what runs; while it only waits, others may."""

import fcntl
import os
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from scripts.supervision.daemons import Failure, say

_FOLDER_MODE = 0o700  # Logs name users, paths and addresses.


@contextmanager
def turn(folder: Path) -> Iterator[None]:
    """Within the block nobody else changes what runs of this run folder: two starts at once would
    both find every daemon down. What was read before may be out of date. Raises Failure."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        os.chmod(folder, _FOLDER_MODE)
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise Failure(
            f"cannot keep logs and records in {folder}: {error.strerror}: be the user who "
            "owns it, or name another zookeeper_dir in config.ini, next to which it lies"
        ) from None
    try:
        if not _lock(descriptor):
            say("another cluster.py is at work here: waiting for its end")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)  # With it, the lock ends; as it does with the process.


def is_free(folder: Path) -> bool:
    """Whether nobody changes at this moment what runs of this run folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        return _lock(descriptor)
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
