"""Files of the client's own machine: their errors, and how one appears whole or not at all."""

import errno
import os
import stat
from contextlib import contextmanager, suppress
from typing import Callable, Iterator

from zookeeper.fabric.errors import DfsError, LocalFileError

Progress = Callable[[int, int], None]
"""Told (bytes done, bytes in all) now and then; may raise to stop the transfer."""

_PERMISSIONS = 0o777


class LocalNotFound(LocalFileError, FileNotFoundError):
    """There is no such file on the client's own machine."""


class LocalExists(LocalFileError, FileExistsError):
    """A file that is not to be overwritten is on the client's own machine."""


class LocalDenied(LocalFileError, PermissionError):
    """A file on the client's own machine is not the user's to read or write."""


class LocalIsADirectory(LocalFileError, IsADirectoryError):
    """A directory of the client's own machine is where a file was expected."""


_SIBLINGS = (
    (LocalNotFound, FileNotFoundError),
    (LocalExists, FileExistsError),
    (LocalDenied, PermissionError),
    (LocalIsADirectory, IsADirectoryError),
)


@contextmanager
def local_errors(path: str) -> Iterator[None]:
    """Turn an OSError into a LocalFileError that names the path as the user gave it."""
    try:
        yield
    except DfsError:
        raise
    except OSError as error:
        kind = next((own for own, system in _SIBLINGS if isinstance(error, system)), LocalFileError)
        raise kind.of(error, path) from error


@contextmanager
def appearing(path: str, replace: bool = True) -> Iterator[int]:
    """A descriptor to write; the file is at `path` when the block ends, or stays as it was.

    The bytes go to a temporary file beside it, which is renamed at the end and removed on any
    failure. Whatever is at `path` is replaced, a symbolic link too; mode and owner of a file stay.
    Unless `replace`, what somebody put there meanwhile stays, and FileExistsError is raised.
    Raises OSError.
    """
    # Nobody who may write to the folder can guess the name and put a link there, and it is of fixed
    # length: that of the file itself may be as long as names can be.
    temporary = os.path.join(os.path.dirname(path), f".pyhdfs-{os.urandom(8).hex()}.part")
    descriptor = -1
    # Inside of the try: a signal may be heard when the file is made and before it is known here.
    try:
        flags = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_WRONLY
        descriptor = os.open(temporary, flags, 0o666)
        _make_like(descriptor, path)
        yield descriptor
        if replace:
            os.rename(temporary, path)
        else:
            _take_free_name(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _make_like(descriptor: int, path: str) -> None:
    """Give a new file the owner, as far as that is possible, and mode of the one it replaces."""
    try:
        found = os.lstat(path)
    except OSError:
        return
    if stat.S_ISREG(found.st_mode):
        with suppress(PermissionError):
            os.fchown(descriptor, found.st_uid, found.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(found.st_mode) & _PERMISSIONS)


def _take_free_name(temporary: str, path: str) -> None:
    """Rename a file to a name that nothing has; raises FileExistsError."""
    try:
        # Looking first and renaming then would replace what comes in between.
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:
        # Not every file system has hard links. Whatever else is wrong, the rename meets it, too.
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        os.rename(temporary, path)
        return
    os.unlink(temporary)
