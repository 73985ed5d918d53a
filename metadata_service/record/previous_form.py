"""Keeps the files of a database as an older program wrote them, before it is carried forward.

They are in a folder beside it, whole or not at all: with them the older program can be gone back
to, though what was changed since is lost. A start that was cut short finds them there, and lets
them be: the database may be half of the new form by then, or look so. When the older program has
run since, VERSION is another one, since it tells of each start: then they are copied anew.
"""

import os
from typing import Sequence

from metadata_service.record import version_file
from metadata_service.record.room import RESERVE_BYTES
from zookeeper.fabric import disk, logs
from zookeeper.fabric.disk import SYSTEM, TEMPORARY_SUFFIX, SystemCalls
from zookeeper.fabric.errors import DiskFull

log = logs.get("migrations")

NAME = "previous"

_PIECE_BYTES = 1 << 20


def keep(
    directory: str, names: Sequence[str], layout: int, system: SystemCalls = SYSTEM
) -> None:
    """Copy these files of a database of this layout, which nobody has open, durably; those that are
    there. Without room for them it goes on without, and says so. Raises DiskFailed."""
    folder = os.path.join(directory, NAME)
    if system.isdir(folder):
        kept = version_file.read(folder)
        if kept is not None and kept == version_file.read(directory):
            return
        _make_way(directory, folder, system)
    sizes = [os.path.getsize(path) for path in _paths(directory, names) if os.path.exists(path)]
    needed = sum(sizes)
    # Carried forward it is written anew, too.
    if disk.space(directory).free < 2 * needed + RESERVE_BYTES:
        log.warning("previous.not_kept", directory=directory, bytes=needed, reason="no room")
        return
    beside = folder + TEMPORARY_SUFFIX
    try:
        _copy_all(directory, names, beside, system)
    except DiskFull as error:
        _remove(beside, names, system)
        log.warning("previous.not_kept", directory=directory, bytes=needed, reason=error.message)
        return
    with disk.disk_errors(folder, "make"):
        system.rename(beside, folder)
    disk.fsync_directory(directory, system)
    log.info("previous.kept", folder=folder, layout=layout, bytes=needed)


def _paths(directory: str, names: Sequence[str]) -> Sequence[str]:
    return [os.path.join(directory, name) for name in names]


def _make_way(directory: str, folder: str, system: SystemCalls) -> None:
    """What an earlier upgrade left stays, under a name with a number."""
    number = 2
    while system.isdir(f"{folder}-{number}"):
        number += 1
    with disk.disk_errors(folder, "rename"):
        system.rename(folder, f"{folder}-{number}")
    disk.fsync_directory(directory, system)


def _copy_all(directory: str, names: Sequence[str], folder: str, system: SystemCalls) -> None:
    _remove(folder, names, system)  # Of a start that was cut short.
    with disk.disk_errors(folder, "make"):
        if not system.isdir(folder):
            system.mkdir(folder, 0o700)
    for name, source in zip(names, _paths(directory, names)):
        with disk.disk_errors(os.path.join(folder, name), "write"):
            _copy(source, os.path.join(folder, name), system)
    disk.fsync_directory(folder, system)


def _copy(source: str, target: str, system: SystemCalls) -> None:
    try:
        reading = system.open(source, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        writing = system.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            piece = system.read(reading, _PIECE_BYTES)
            while piece:
                written = system.write(writing, piece)
                piece = piece[written:] or system.read(reading, _PIECE_BYTES)
            system.fsync(writing)
        finally:
            system.close(writing)
    finally:
        system.close(reading)


def _remove(folder: str, names: Sequence[str], system: SystemCalls) -> None:
    """The files of an unfinished copy; the folder itself is used again."""
    for path in _paths(folder, names):
        with disk.disk_errors(path, "remove"):
            try:
                system.unlink(path)
            except (FileNotFoundError, NotADirectoryError):
                continue
