"""The names of a cluster: what is asked about them and done to them, without a byte of a file."""

from contextlib import contextmanager
from typing import Callable, Iterator, List, Optional, Tuple, TypeVar

from data_service.filesystem.namenode_client import LIST_ROWS
from data_service.filesystem.paths import AnyPath, named, resolve, text_of
from data_service.protocol.files import (
    QUOTA_UNCHANGED,
    ContentSummary,
    Entry,
    FileStatus,
    Locations,
    QuotaUsage,
)
from data_service.protocol.health import FsckRow
from data_service.protocol.listings import check_covered, check_name
from data_service.protocol.namenode_calls import NameNodeCalls
from zookeeper.fabric.errors import NotADirectory

FILE_MODE, DIRECTORY_MODE = 0o666, 0o777
UMASK = 0o022
"""The bits that new files and directories do not get, unless somebody says otherwise."""

READ_WHOLE = 2**62

Row = TypeVar("Row")


class Names:
    """Files and directories by their paths, for a `user`.

    `umask` are the bits that new directories do not get.
    """

    def __init__(self, calls: NameNodeCalls, user: str, umask: int = UMASK) -> None:
        self.user = user
        self._calls = calls
        self._umask = umask

    @property
    def home(self) -> str:
        """The directory of the caller, where relative paths begin; it need not exist."""
        return f"/user/{self.user}"

    def absolute(self, path: AnyPath) -> str:
        """The path as the namenode knows it: from the root, without `//`, `.` and `..`.

        Raises TypeError for what is no text (bytes are none), InvalidArgument for a URI.
        """
        return resolve(text_of(path), self.home)

    def stat(self, path: AnyPath) -> FileStatus:
        """What the namenode knows of a path: name, length in bytes, owner, mode, mtime_ms, …

        Raises PathNotFound (NotADirectory below a file), PermissionDenied.
        """
        with self._named(path) as name:
            return self._calls.stat(name)

    def entry(self, path: AnyPath) -> Entry:
        """The same, with how many children a directory has."""
        with self._named(path) as name:
            return self._calls.entry(name)

    def list(self, path: AnyPath, after: str = "") -> Iterator[FileStatus]:
        """The children of a directory, or the file itself, sorted by name; fetched in pages.

        Those behind the name `after`, which need not be there. Errors are raised when the first one
        is asked for.
        """
        return self._paged(path, after, self._calls.list, lambda row: row.name)

    def entries(self, path: AnyPath, after: str = "") -> Iterator[Entry]:
        """The same, each with how many children a directory has."""
        return self._paged(path, after, self._calls.entries, lambda row: row.status.name)

    def _paged(
        self,
        path: AnyPath,
        after: str,
        page: Callable[[str, str, int], Tuple[List[Row], bool]],
        name_of: Callable[[Row], str],
    ) -> Iterator[Row]:
        more = True
        while more:
            with self._named(path) as name:
                rows, more = page(name, after, LIST_ROWS)
            for row in rows:
                after = name_of(row)
                check_name(after)
                yield row

    def mkdir(self, path: AnyPath, parents: bool = False, mode: Optional[int] = None) -> None:
        """Make a directory; with `parents` also those above it, and an existing one is fine."""
        bits = DIRECTORY_MODE & ~self._umask if mode is None else mode
        with self._named(path) as name:
            self._calls.mkdir(name, parents, bits)

    def delete(self, path: AnyPath, recursive: bool = False) -> bool:
        """Delete a file, or a directory (that must be empty unless `recursive`).

        False when there was nothing at `path`.
        """
        try:
            with self._named(path) as name:
                return self._calls.delete(name, recursive)
        except NotADirectory:
            return False  # Below a file there is nothing.

    def rename(self, source: AnyPath, destination: AnyPath, overwrite: bool = False) -> None:
        """Rename atomically; raises PathExists when something is at `destination`.

        With `overwrite` a file there is replaced by a file, an empty directory by a directory, and
        nobody ever sees neither. As os.rename does, this names the destination itself: a directory
        there is not moved into.
        """
        names = self.absolute(source), self.absolute(destination)
        with named(*names):
            # A namenode of an older release knows two arguments only.
            self._calls.rename(*names, *([True] if overwrite else []))

    def concat(self, path: AnyPath, *sources: AnyPath) -> None:
        """Move the content of the sources, in order, to the end of a file, and delete them.

        No byte is copied. All must be files in one directory that nobody writes.
        """
        with self._named(path) as name:
            self._calls.concat(name, tuple(map(self.absolute, sources)))

    def access(self, path: AnyPath, bits: int) -> bool:
        """Whether the caller may do all of `bits` to a path: 4 read, 2 write, 1 execute."""
        with self._named(path) as name:
            return self._calls.access(name, bits)

    def set_replication(self, path: AnyPath, replication: int) -> None:
        """Set how many replicas a file shall have; they come or go in the background."""
        with self._named(path) as name:
            self._calls.set_replication(name, replication)

    def set_mode(self, path: AnyPath, mode: int) -> None:
        """Set the permission bits, with the sticky bit; for the owner."""
        with self._named(path) as name:
            self._calls.set_mode(name, mode)

    def set_owner(self, path: AnyPath, owner: str = "", group: str = "") -> None:
        """Set owner and group; an empty one stays. Only the superuser gives files away."""
        with self._named(path) as name:
            self._calls.set_owner(name, owner, group)

    def set_times(self, path: AnyPath, mtime_ms: int = -1, atime_ms: int = -1) -> None:
        """Set the times, in milliseconds since 1970; -1 leaves one as it is."""
        with self._named(path) as name:
            self._calls.set_times(name, mtime_ms, atime_ms)

    def content_summary(self, path: AnyPath) -> ContentSummary:
        """How much a tree holds."""
        with self._named(path) as name:
            return self._calls.content_summary(name)

    def set_quota(
        self, path: AnyPath, names: int = QUOTA_UNCHANGED, space: int = QUOTA_UNCHANGED
    ) -> None:
        """Limit a directory: `names` files and directories, `space` bytes of all replicas.

        QUOTA_RESET lifts a limit. For the superuser.
        """
        with self._named(path) as name:
            self._calls.set_quota(name, names, space)

    def quota_usage(self, path: AnyPath) -> QuotaUsage:
        """The quotas of a directory, and what counts for them."""
        with self._named(path) as name:
            return self._calls.quota_usage(name)

    def block_locations(
        self, path: AnyPath, offset: int = 0, length: int = READ_WHOLE
    ) -> Locations:
        """The blocks that cover a range of a file, and who holds them; no byte is left out."""
        with self._named(path) as name:
            locations = self._calls.block_locations(name, offset, length)
        check_covered(name, locations, offset, length)
        return locations

    def fsck(self, path: AnyPath, after: str = "") -> Iterator[FsckRow]:
        """The health of every file and directory in a tree, fetched in pages.

        Those behind the path `after`, in the order of the tree.
        """
        more = True
        while more:
            with self._named(path) as name:
                rows, more = self._calls.fsck(name, after, LIST_ROWS)
            yield from rows
            after = rows[-1].path if rows else after

    def open_files(
        self, path: AnyPath = "/", everywhere: bool = False, after: int = 0
    ) -> Iterator[FsckRow]:
        """Files below a path that are being written, each with its writer and blocks so far.

        Of those in directories that the caller may look into; with `everywhere` all of them, which
        is for administrators. Those behind the one whose inode has the number `after`.
        """
        page = self._calls.list_open_files if everywhere else self._calls.open_files
        more = True
        while more:
            with self._named(path) as name:
                rows, after, more = page(name, after, LIST_ROWS)
            yield from rows

    # Within.

    @contextmanager
    def _named(self, path: AnyPath) -> Iterator[str]:
        """The path as the namenode knows it, which errors of the block then tell."""
        name = self.absolute(path)
        with named(name):
            yield name
