"""Durable file operations: what is done here is still so after a power cut.

A file's bytes are safe after fsync of the file, its name only after fsync of the directory that
holds it; between the two a power cut can leave the old name, the new one, or an empty file. So a
file is written under a temporary name, fsynced, renamed over the old one, and the directory is
fsynced: at every moment the old or the new content is there, whole. A failed fsync is never tried
again: the kernel may have dropped the bytes and would report success the second time.

Every change of a disk goes through one `SystemCalls`, so that a test can put a disk in its place
that forgets what was not synced. An OSError becomes DiskFull or DiskFailed here.
"""

import errno
import fcntl
import os
import re
import stat
from contextlib import contextmanager
from types import TracebackType
from typing import Iterator, NamedTuple, Optional, Type

from zookeeper.fabric.errors import CorruptData, DfsError, DiskFailed, DiskFull, StartRefused

TEMPORARY_SUFFIX = ".tmp"
"""Ends the names of unfinished files; whatever has such a name at a start can be deleted."""

NO_SPACE = errno.ENOSPC
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_CHANGE_OF_RIGHTS = (errno.EPERM, errno.EACCES, errno.EROFS, errno.ENOTSUP, errno.ENOSYS)
_READ_BYTES = 1 << 20
_LOCK_BYTES_MAX = 32
_OTHERS = stat.S_IRWXG | stat.S_IRWXO

INODES_MIN = 64
"""Fewer free inodes than this are none: each replica needs one, and many begin at a time."""

_OCTAL = re.compile(r"\\([0-7]{3})")
"""A space or another odd character in the system's table of mounts."""


class SystemCalls:
    """The calls of the operating system that this module makes, under their own names."""

    open = staticmethod(os.open)
    close = staticmethod(os.close)
    read = staticmethod(os.read)
    write = staticmethod(os.write)
    fsync = staticmethod(os.fsync)
    rename = staticmethod(os.rename)
    unlink = staticmethod(os.unlink)
    mkdir = staticmethod(os.mkdir)
    isdir = staticmethod(os.path.isdir)


SYSTEM = SystemCalls()


class Space(NamedTuple):
    """Bytes of a file system: all of them, and those that this process may still fill."""

    total: int
    free: int


@contextmanager
def disk_errors(path: str, operation: str = "use") -> Iterator[None]:
    """Turns an OSError of the body into DiskFull or DiskFailed, "cannot write /a: No space …"."""
    try:
        yield
    except DfsError:
        raise
    except OSError as error:
        failure = DiskFull if error.errno in _NO_ROOM else DiskFailed
        raise failure(f"cannot {operation} {path}: {error.strerror or error}") from error


def is_shortage(error: DfsError) -> bool:
    """Whether a disk was not even asked: this process, or its machine, has too many open files."""
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in (errno.EMFILE, errno.ENFILE)


def write_file(path: str, data: bytes, system: SystemCalls = SYSTEM) -> None:
    """Makes `data` the durable content of the file at `path`, in place of any older content.

    After an error or a power cut the old content or the new is there, whole. One writer a path at
    a time: whoever holds the lock of the directory.
    """
    temporary = path + TEMPORARY_SUFFIX
    with disk_errors(path, "write"):
        try:
            _write_synced(temporary, data, system)
            system.rename(temporary, path)
        except OSError:
            _discard(temporary, system)
            raise
    fsync_directory(_parent(path), system)


def read_file(path: str, limit: int, system: SystemCalls = SYSTEM) -> Optional[bytes]:
    """The content of the file at `path`, or None when there is no such file.

    Raises CorruptData for more than `limit` bytes: our own files have a known size.
    """
    with disk_errors(path, "read"):
        try:
            descriptor = system.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            data = bytearray()
            while len(data) <= limit:
                part = system.read(descriptor, min(_READ_BYTES, limit + 1 - len(data)))
                if not part:
                    return bytes(data)
                data += part
        finally:
            system.close(descriptor)
    raise CorruptData(f"{path} holds more than the {limit} bytes that it may hold")


def fsync_directory(path: str, system: SystemCalls = SYSTEM) -> None:
    """Makes the names in this directory durable: new, changed and removed ones."""
    with disk_errors(path, "sync directory"):
        descriptor = system.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            system.fsync(descriptor)
        finally:
            system.close(descriptor)


def make_directories(path: str, system: SystemCalls = SYSTEM) -> None:
    """Makes the directory durably, and those above it that are missing, open to the owner only.

    A directory that is already there is taken to be durable.
    """
    missing = []
    path = os.path.abspath(path)
    while not system.isdir(path):
        missing.append(path)
        path = _parent(path)
    for directory in reversed(missing):
        with disk_errors(directory, "make directory"):
            try:
                system.mkdir(directory, 0o700)
            except FileExistsError:
                # Another process may have been faster; a file in the way is an error.
                if not system.isdir(directory):
                    raise
        fsync_directory(_parent(directory), system)


def ensure_directory(path: str, system: SystemCalls = SYSTEM) -> bool:
    """Makes one directory, open to the owner only, unless it is there, which nobody else may read.

    Whether it was made; then its name is not durable yet.
    """
    with disk_errors(path, "make directory"):
        try:
            system.mkdir(path, 0o700)
        except FileExistsError:
            if not system.isdir(path):
                raise
            close_to_others(path)
            return False
    return True


def close_to_others(path: str) -> bool:
    """Takes from a file or directory what rights group and others have, whoever made it so.

    False when they keep them: it belongs to somebody else, or the disk takes no changes or rights.
    """
    with disk_errors(path, "protect"):
        mode = stat.S_IMODE(os.stat(path).st_mode)
        if not mode & _OTHERS:
            return True
        try:
            os.chmod(path, mode & ~_OTHERS)
        except OSError as error:
            if error.errno not in _NO_CHANGE_OF_RIGHTS:
                raise
            return False
        return not stat.S_IMODE(os.stat(path).st_mode) & _OTHERS


def is_locked(path: str, first: int, count: int) -> bool:
    """Whether another process has locked any of these bytes of the file at `path` (POSIX locks).

    Not to be asked while this process itself has locks on the file: they would be lost.
    """
    with disk_errors(path, "lock"):
        descriptor = os.open(path, os.O_RDWR)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, count, first)
        except (BlockingIOError, PermissionError):
            return True
        finally:
            os.close(descriptor)
    return False


def space(path: str) -> Space:
    """Size and room of the file system that holds `path`; the room leaves out root's reserve.

    A file system that counts its inodes, and has hardly any left, has no room either.
    """
    with disk_errors(path, "measure"):
        status = os.statvfs(path)
    free = status.f_bavail * status.f_frsize
    if status.f_files and status.f_favail < INODES_MIN:
        free = 0
    return Space(status.f_blocks * status.f_frsize, free)


def mount_point(path: str) -> str:
    """Where the file system is mounted that holds `path`, or would hold it once it is made."""
    path = os.path.realpath(path)
    while not os.path.ismount(path) and path != _parent(path):
        path = _parent(path)
    return path


def awaited_mount(path: str, table: str = "/etc/fstab") -> str:
    """The mount point at or above `path` that the system's table names and nothing is mounted at.

    Empty when there is none: a directory that shall be on a disk of its own, as this table says,
    is not the same directory as long as that disk is not there.
    """
    try:
        with open(table, encoding="utf-8", errors="surrogateescape") as file:
            rows = [line.split() for line in file if not line.lstrip().startswith("#")]
    except OSError:
        return ""  # Not every system has such a table.
    path = os.path.realpath(path)
    for row in rows:
        where = _OCTAL.sub(lambda match: chr(int(match.group(1), 8)), row[1]) if row[1:] else ""
        where = where.rstrip("/")
        inside = where.startswith("/") and os.path.commonpath([where, path]) == where
        if inside and not os.path.ismount(where):
            return where
    return ""


def take_directory(path: str) -> "DirectoryLock":
    """Makes a daemon's directory, unless it is there, and holds it for this process.

    Nobody but its owner may read the directory or what is directly in it from then on, whoever
    made it. Raises StartRefused when another process has it.
    """
    make_directories(path)
    lock = DirectoryLock(path)
    close_directory_to_others(path)
    return lock


def close_directory_to_others(path: str) -> None:
    """`close_to_others` for a directory and all that is directly in it, where that is possible."""
    close_to_others(path)
    with disk_errors(path, "list"), os.scandir(path) as entries:
        for entry in entries:
            if not entry.is_symlink():
                close_to_others(entry.path)


class DirectoryLock:
    """Holds a directory for this process, by flock on the file `lock` in it, which tells its pid.

    Raises StartRefused when another has it. The kernel releases it at `close` or when the process
    dies; the file stays, because removing it would let two processes lock two files of one name.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        with disk_errors(path, "lock"):
            self._descriptor: Optional[int] = os.open(
                os.path.join(path, "lock"), os.O_RDWR | os.O_CREAT, 0o600)
            try:
                self._take(self._descriptor)
            except BaseException:
                self.close()
                raise

    def _take(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, _LOCK_BYTES_MAX).decode("ascii", "replace").strip()
            process = f"process {holder}" if holder.isdigit() else "another process"
            if holder == str(os.getpid()):
                process += ", this one: is it named twice, or by two names?"
            raise StartRefused(f"{self.path} is in use by {process}") from None
        try:
            # In place: a full disk has no room for it otherwise. It is for people only.
            note = b"%d\n" % os.getpid()
            os.pwrite(descriptor, note, 0)
            os.ftruncate(descriptor, len(note))
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise

    def close(self) -> None:
        """Releases the directory; a second time does nothing."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __enter__(self) -> "DirectoryLock":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<DirectoryLock {self.path} {'free' if self._descriptor is None else 'held'}>"


def _parent(path: str) -> str:
    return os.path.dirname(os.path.abspath(path))


def _write_synced(path: str, data: bytes, system: SystemCalls) -> None:
    descriptor = system.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[system.write(descriptor, rest):]
        system.fsync(descriptor)
    finally:
        system.close(descriptor)


def _discard(path: str, system: SystemCalls) -> None:
    try:
        system.unlink(path)
    except OSError:
        # The error that brought us here says more; the next write starts the file afresh.
        pass
