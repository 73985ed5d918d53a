"""Puts the files of a record aside that cannot be used any more, for a person to look at.

Only the newest few stay: each is as large as the record, and what fills the disk helps nobody.

A directory without the files is that of a new, blank member. A note that names the folder is there
before the first file moves, and tells a start to move the rest: a directory that is half empty
would be taken for one that lost its database.
"""

import os
import shutil
from typing import List, Tuple

from metadata_service.record import distrust, spare_promise, version_file
from metadata_service.record.opening import NAME
from zookeeper.fabric import disk, logs
from zookeeper.fabric.disk import SYSTEM, SystemCalls
from zookeeper.fabric.moments import now

log = logs.get("setting_aside")

NOTE = "moving"
_NOTE_BYTES_MAX = 255
KEPT = 2
"""So many folders of one word stay."""

_FILES = (NAME, NAME + "-wal", NAME + "-shm", spare_promise.NAME, version_file.NAME,
          distrust.NAME)


def set_aside(directory: str, word: str, system: SystemCalls = SYSTEM) -> str:
    """Move the record in `directory`, which nobody has open, into a folder there whose name begins
    with this word; its path. Raises DiskFull, DiskFailed."""
    moment = int(now())
    while system.isdir(os.path.join(directory, f"{word}-{moment}")):
        moment += 1  # What was put aside before stays what it is.
    name = f"{word}-{moment}"
    disk.write_file(os.path.join(directory, NOTE), name.encode("ascii"), system)
    return _move(directory, name, system)


def resume(directory: str) -> None:
    """Before a directory is looked at: finish what was cut short."""
    note = disk.read_file(os.path.join(directory, NOTE), _NOTE_BYTES_MAX)
    if note is not None:
        _move(directory, note.decode("ascii"), SYSTEM)


def keep_newest(directory: str, word: str) -> None:
    """Remove what was put aside by this word long ago. What cannot be removed is only told of."""
    found: List[Tuple[int, str]] = []
    for name in os.listdir(directory):
        begin, _, moment = name.rpartition("-")
        if begin == word and moment.isascii() and moment.isdecimal():
            found.append((int(moment), os.path.join(directory, name)))
    for _, folder in sorted(found)[:-KEPT]:
        try:
            shutil.rmtree(folder)
        except OSError as error:
            log.warning("record.not_removed", folder=folder, error=error.strerror)
        else:
            log.warning("record.removed", folder=folder, because=f"{KEPT} newer ones are there")


def _move(directory: str, name: str, system: SystemCalls) -> str:
    folder = os.path.join(directory, name)
    with disk.disk_errors(folder, "make"):
        if not system.isdir(folder):
            system.mkdir(folder, 0o700)
    disk.fsync_directory(directory, system)
    for file in _FILES:
        with disk.disk_errors(os.path.join(directory, file), "move"):
            try:
                system.rename(os.path.join(directory, file), os.path.join(folder, file))
            except FileNotFoundError:
                continue
    disk.fsync_directory(folder, system)
    disk.fsync_directory(directory, system)
    with disk.disk_errors(directory, "write"):
        system.unlink(os.path.join(directory, NOTE))
    disk.fsync_directory(directory, system)
    log.warning("record.set_aside", folder=folder)
    return folder
