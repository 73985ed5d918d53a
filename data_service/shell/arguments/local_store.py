"""The disk of this machine as a place where files are; commands see it as they see the cluster."""

import errno
import os
import stat
from contextlib import contextmanager
from functools import lru_cache
from typing import BinaryIO, Callable, Dict, Iterator, Optional, Type

from data_service.protocol.files import (
    DIRECTORY,
    FILE,
    QUOTA_RESET,
    ContentSummary,
    FileStatus,
    QuotaUsage,
)
from data_service.shell.arguments import local_targets
from data_service.shell.arguments.stores import Creation, Space
from zookeeper.fabric.errors import (
    DfsError,
    DirectoryNotEmpty,
    IsADirectory,
    LocalFileError,
    NotADirectory,
    PathExists,
    PathNotFound,
)

LOCAL_BLOCK_BYTES = 32 << 20
"""What HDFS shows as the block size of a local file."""

CHUNK_BYTES = 1 << 20

Sink = Callable[[memoryview], object]
Progress = Optional[Callable[[int, int], None]]


class LocalStore:
    """The disk of this machine."""

    is_local = True
    uri = "file://"

    @property
    def directory(self) -> str:
        """Where relative paths start: the working directory of the process."""
        with _local_errors("."):
            return os.getcwd()

    def stat(self, path: str) -> FileStatus:
        """What the operating system knows of a path; symbolic links are followed."""
        with _local_errors(path):
            local_targets.check_open(path)
            return _status(os.path.basename(path), os.stat(path))

    def list(self, path: str) -> Iterator[FileStatus]:
        """The children of a directory, sorted by the bytes of their names."""
        with _local_errors(path):
            names = sorted(os.listdir(path), key=os.fsencode)
        for name in names:
            place = os.path.join(path, name)
            try:
                yield self.stat(place)
            except DfsError:
                if not os.path.lexists(place):
                    continue  # It went away meanwhile.
                # A link to nowhere: whoever wants what is behind it is told that nothing is.
                with _local_errors(place):
                    yield _status(name, os.lstat(place))

    def mkdir(self, path: str, parents: bool = False) -> None:
        """Make a directory; with `parents` also those above it, and an existing one is fine."""
        with _local_errors(path):
            if parents:
                os.makedirs(path, exist_ok=True)
            else:
                os.mkdir(path)

    def delete(self, path: str, recursive: bool = False) -> bool:
        """Delete a file or directory; False when there was nothing."""
        try:
            with _local_errors(path):
                if os.path.isdir(path) and not os.path.islink(path):
                    _remove_tree(path) if recursive else os.rmdir(path)
                else:
                    os.unlink(path)
        except (PathNotFound, NotADirectory):
            return False
        return True

    def rename(self, source: str, destination: str) -> None:
        """Rename; nothing may be at `destination`."""
        with _local_errors(destination):
            if os.path.lexists(destination):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
            os.rename(source, destination)

    def open(self, path: str) -> BinaryIO:
        """A local file to read, as a Python file object."""
        with _local_errors(path):
            return open(path, "rb")

    @contextmanager
    def create(self, path: str, creation: Creation = Creation()) -> Iterator[BinaryIO]:
        """A file to write, which appears at `path` whole, or not at all when the block fails.

        A symbolic link is replaced: see `behind`. What is no ordinary file (a pipe, /dev/null,
        standard output) is written into.
        """
        from data_service.filesystem.local import appearing

        with _local_errors(path):
            if not creation.overwrite and os.path.lexists(path):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
            if local_targets.is_stream(path):
                with local_targets.open_stream(path) as file:
                    yield file
                return
            with appearing(path, creation.overwrite) as descriptor:
                with open(descriptor, "wb", closefd=False) as file:
                    yield file

    def behind(self, path: str) -> str:
        """Where bytes go that are written to a name which a person chose: through its links."""
        with _local_errors(path):
            return local_targets.behind(path)

    def append(self, path: str) -> BinaryIO:
        """A local file to write behind its end."""
        with _local_errors(path):
            return open(path, "ab")

    def truncate(self, path: str, length: int) -> None:
        """Shorten a file."""
        with _local_errors(path):
            os.truncate(path, length)

    def concat(self, path: str, *_sources: str) -> None:
        """Not possible here: local files have no blocks to move."""
        raise LocalFileError(f"{path}: local files cannot be concatenated")

    def cat(self, path: str, sink: Sink, progress: Progress = None) -> None:
        """Give the bytes of a file to `sink`, in order."""
        done = 0
        with self.open(path) as file:
            while True:
                with _local_errors(path):
                    data = file.read(CHUNK_BYTES)
                if not data:
                    return
                sink(memoryview(data))
                done += len(data)
                if progress is not None:
                    progress(done, 0)

    def checksum(self, path: str) -> None:
        """None: this disk keeps no checksums, and to read all of a file is not what is asked."""

    def is_same(self, path: str, other: str) -> bool:
        """Whether both lead to one file or directory."""
        with _local_errors(path):
            return os.path.samefile(path, other)

    def access(self, path: str, bits: int) -> bool:
        """Whether this process may do all of `bits`: 4 read, 2 write, 1 execute."""
        return os.access(path, bits)

    def set_mode(self, path: str, mode: int) -> None:
        """Set the permission bits."""
        with _local_errors(path):
            os.chmod(path, mode)

    def set_owner(self, path: str, owner: str = "", group: str = "") -> None:
        """Set owner and group, where this user may do that and this machine knows the names."""
        try:
            with _local_errors(path):
                os.chown(path, _user_number(owner), _group_number(group))
        except LocalFileError as error:
            # The cluster's users need not exist here, and only root may give files away.
            if not isinstance(error.__cause__, PermissionError):
                raise

    def set_times(self, path: str, mtime_ms: int = -1, atime_ms: int = -1) -> None:
        """Set the times, in milliseconds since 1970; -1 leaves one as it is."""
        with _local_errors(path):
            found = os.stat(path)
            atime_ns = found.st_atime_ns if atime_ms == -1 else atime_ms * 1_000_000
            mtime_ns = found.st_mtime_ns if mtime_ms == -1 else mtime_ms * 1_000_000
            os.utime(path, ns=(atime_ns, mtime_ns))

    def set_replication(self, path: str, replication: int) -> None:
        """A file here has one replica, whatever anybody asks for."""

    def quota_usage(self, path: str) -> QuotaUsage:
        """A local disk has no quotas; nothing is counted."""
        return QuotaUsage(QUOTA_RESET, 0, QUOTA_RESET, 0)

    def content_summary(self, path: str) -> ContentSummary:
        """How much a tree holds."""
        directories = files = length = 0
        rest = [(path, self.stat(path))]
        while rest:
            place, status = rest.pop()
            if place != path and os.path.islink(place):
                files += 1  # What is behind it is not in this tree.
            elif status.is_directory:
                directories += 1
                rest += [(os.path.join(place, below.name), below) for below in self.list(place)]
            else:
                files += 1
                length += status.length
        return ContentSummary(directories, files, length, length)

    def space(self) -> Space:
        """The file system of `/`."""
        with _local_errors("/"):
            found = os.statvfs("/")
        capacity = found.f_blocks * found.f_frsize
        remaining = found.f_bavail * found.f_frsize
        return Space(capacity, capacity - found.f_bfree * found.f_frsize, remaining)


_FAMILY: Dict[int, Type[DfsError]] = {
    errno.ENOENT: PathNotFound,
    errno.EEXIST: PathExists,
    errno.ENOTDIR: NotADirectory,
    errno.EISDIR: IsADirectory,
    errno.ENOTEMPTY: DirectoryNotEmpty,
}


@contextmanager
def _local_errors(path: str) -> Iterator[None]:
    try:
        yield
    except DfsError:
        raise
    except OSError as error:
        kind = _FAMILY.get(error.errno or 0, LocalFileError)
        raise kind(f"{path}: {error.strerror or error}") from error


def _remove_tree(path: str) -> None:
    import shutil

    try:
        shutil.rmtree(path)
    except RecursionError:
        # Before Python 3.13; by plain paths it could be led out of the tree by a link.
        raise LocalFileError(f"{path}: the directories in it are too many in a row") from None


def _status(name: str, found: os.stat_result) -> FileStatus:
    directory = stat.S_ISDIR(found.st_mode)
    return FileStatus(
        name=name,
        inode_id=found.st_ino,
        kind=DIRECTORY if directory else FILE,
        length=0 if directory else found.st_size,
        replication=0 if directory else 1,
        block_size=0 if directory else LOCAL_BLOCK_BYTES,
        owner=_user_name(found.st_uid),
        group=_group_name(found.st_gid),
        mode=found.st_mode & 0o1777,
        mtime_ms=found.st_mtime_ns // 1_000_000,
        atime_ms=found.st_atime_ns // 1_000_000,
    )


@lru_cache(maxsize=None)
def _user_name(number: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


@lru_cache(maxsize=None)
def _group_name(number: int) -> str:
    import grp

    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def _user_number(name: str) -> int:
    """The number of a user; -1, which changes nothing, when this machine knows no such name."""
    import pwd

    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return -1


def _group_number(name: str) -> int:
    import grp

    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return -1
