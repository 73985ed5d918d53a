"""The names of a MemoryFileSystem: a FileSystem's calls about them, over a plain tree."""

from contextlib import contextmanager
from typing import Dict, Iterator, List, Optional, Tuple

from data_service.filesystem.names import DIRECTORY_MODE, UMASK
from data_service.filesystem.paths import AnyPath, named, resolve, text_of
from data_service.protocol.files import (
    DIRECTORY,
    FILE,
    NAME_QUOTA_MAX,
    QUOTA_UNCHANGED,
    ContentSummary,
    Entry,
    FileStatus,
    QuotaUsage,
)
from tests.support.models.nodes import (
    EXECUTE,
    NO_QUOTA,
    NO_QUOTAS,
    READ,
    WRITE,
    Caller,
    Directory,
    File,
    Node,
    count,
    require,
    require_owner,
)
from tests.support.models.tree import Tree
from zookeeper.fabric.errors import (
    DfsError,
    InvalidArgument,
    NotADirectory,
    PermissionDenied,
)

START_MS = 1_763_631_551_000
"""The time of the first change: 2025-11-20 09:39:11 UTC. Each new file is a minute later."""

MINUTE_MS = 60_000


class MemoryNames:
    """`calls` are the methods that were called; `fail` lets one of them raise."""

    def __init__(self, user: str) -> None:
        self.user = user
        self.calls: List[str] = []
        self._tree = Tree(user)
        self._who = Caller(user)
        self._umask = UMASK
        self._failures: Dict[str, DfsError] = {}
        self._tree.now_ms = self._tree.root.mtime_ms = START_MS - MINUTE_MS

    def fail(self, method: str, error: DfsError) -> None:
        """Let every further call of `method` raise."""
        self._failures[method] = error

    def absolute(self, path: AnyPath) -> str:
        """As FileSystem.absolute."""
        return resolve(text_of(path), f"/user/{self.user}")

    def stat(self, path: AnyPath) -> FileStatus:
        """As FileSystem.stat."""
        with self._at("stat", path) as name:
            return self._status(name, self._tree.find(name, self._who))

    def entry(self, path: AnyPath) -> Entry:
        """As FileSystem.entry."""
        with self._at("entry", path) as name:
            return self._entry(name, self._tree.find(name, self._who))

    @property
    def home(self) -> str:
        """As FileSystem.home."""
        return f"/user/{self.user}"

    def list(self, path: AnyPath, after: str = "") -> Iterator[FileStatus]:
        """As FileSystem.list."""
        for child, node in self._children("list", path, after):
            yield self._status(child, node)

    def entries(self, path: AnyPath, after: str = "") -> Iterator[Entry]:
        """As FileSystem.entries."""
        for child, node in self._children("entries", path, after):
            yield self._entry(child, node)

    def mkdir(self, path: AnyPath, parents: bool = False, mode: Optional[int] = None) -> None:
        """As FileSystem.mkdir."""
        with self._at("mkdir", path) as name:
            mode = DIRECTORY_MODE & ~self._umask if mode is None else mode
            _check_mode(mode)
            self._tick()
            self._tree.mkdir(name, parents, mode, self._who)

    def delete(self, path: AnyPath, recursive: bool = False) -> bool:
        """As FileSystem.delete."""
        with self._at("delete", path) as name:
            try:
                return self._tree.delete(name, recursive, self._who)
            except NotADirectory:
                return False

    def rename(self, source: AnyPath, destination: AnyPath, overwrite: bool = False) -> None:
        """As FileSystem.rename."""
        with self._at("rename", source, destination) as name:
            self._tree.rename(name, self.absolute(destination), self._who, overwrite)

    def access(self, path: AnyPath, bits: int) -> bool:
        """As FileSystem.access."""
        with self._at("access", path) as name:
            if not 0 <= bits <= 7:
                raise InvalidArgument("access must be between 0 and 7")
            return self._tree.find(name, self._who).allows(self._who, bits)

    def set_mode(self, path: AnyPath, mode: int) -> None:
        """As FileSystem.set_mode."""
        with self._at("set_mode", path) as name:
            _check_mode(mode)
            node = self._tree.find(name, self._who)
            require_owner(node, self._who)
            node.mode = mode

    def set_owner(self, path: AnyPath, owner: str = "", group: str = "") -> None:
        """As FileSystem.set_owner."""
        with self._at("set_owner", path) as name:
            node = self._tree.find(name, self._who)
            require_owner(node, self._who)
            foreign = owner not in ("", self.user) or group not in ("", *self._who.groups)
            if foreign and not self._who.superuser:
                raise PermissionDenied(f"{self.user} cannot give {path} away")
            node.owner, node.group = owner or node.owner, group or node.group

    def set_times(self, path: AnyPath, mtime_ms: int = -1, atime_ms: int = -1) -> None:
        """As FileSystem.set_times."""
        with self._at("set_times", path) as name:
            if min(mtime_ms, atime_ms) < -1:
                raise InvalidArgument(f"{mtime_ms}, {atime_ms}: not a time in milliseconds")
            node = self._tree.find(name, self._who)
            require(node, self._who, WRITE)
            node.atime_ms = _atime_ms(node) if atime_ms == -1 else atime_ms
            node.mtime_ms = node.mtime_ms if mtime_ms == -1 else mtime_ms

    def set_replication(self, path: AnyPath, replication: int) -> None:
        """As FileSystem.set_replication; the replicas are there at once."""
        with self._at("set_replication", path) as name:
            self._tree.set_replication(name, replication, self._who)

    def set_quota(
        self, path: AnyPath, names: int = QUOTA_UNCHANGED, space: int = QUOTA_UNCHANGED
    ) -> None:
        """As FileSystem.set_quota."""
        with self._at("set_quota", path) as name:
            if not self._who.superuser:
                raise PermissionDenied("Superuser privilege is required")
            if names < 1 and names != NO_QUOTA or space < NO_QUOTA:
                raise InvalidArgument(f"Invalid values for quota : {names} and {space}")
            self._tree.set_quota(name, names, space)

    def quota_usage(self, path: AnyPath) -> QuotaUsage:
        """As FileSystem.quota_usage."""
        with self._at("quota_usage", path) as name:
            node = self._tree.find(name, self._who)
            quotas = node.quotas if isinstance(node, Directory) else NO_QUOTAS
            if isinstance(node, Directory):
                require(node, self._who, READ | EXECUTE)
            if quotas == NO_QUOTAS and name != "/":
                return QuotaUsage(NO_QUOTA, 0, NO_QUOTA, 0)
            use = count(node)
            names = NAME_QUOTA_MAX if name == "/" and quotas[0] == NO_QUOTA else quotas[0]
            return QuotaUsage(names, use.names, quotas[1], use.space)

    def content_summary(self, path: AnyPath) -> ContentSummary:
        """As FileSystem.content_summary."""
        with self._at("content_summary", path) as name:
            node = self._tree.find(name, self._who)
            for _, below in self._tree.walk(name):
                if isinstance(below, Directory):
                    require(below, self._who, READ | EXECUTE)
            return ContentSummary(*count(node))

    # Within.

    @contextmanager
    def _at(self, method: str, path: AnyPath, *others: AnyPath) -> Iterator[str]:
        """A call that is about these paths, the first of them absolute."""
        self._called(method)
        names = [self.absolute(one) for one in (path, *others)]
        with named(*names[:2]):
            yield names[0]

    def _called(self, method: str) -> None:
        self.calls.append(method)
        if method in self._failures:
            raise self._failures[method]

    def _tick(self) -> None:
        self._tree.now_ms += MINUTE_MS

    def _children(self, method: str, path: AnyPath, after: str) -> Iterator[Tuple[str, Node]]:
        with self._at(method, path) as name:
            for child, node in [*self._tree.children(name, self._who)]:
                if child.rpartition("/")[2].encode() > after.encode():
                    yield child, node

    def _entry(self, path: str, node: Node) -> Entry:
        children = len(node.children) if isinstance(node, Directory) else 0
        return Entry(self._status(path, node), children)

    @staticmethod
    def _status(path: str, node: Node) -> FileStatus:
        kind, length, replication, block_size = DIRECTORY, 0, 0, 0
        if isinstance(node, File):
            kind, length = FILE, node.length
            replication, block_size = node.replication, node.block_size
        return FileStatus(
            path.rpartition("/")[2], node.number, kind, length, replication, block_size,
            node.owner, node.group, node.mode, node.mtime_ms, _atime_ms(node),
        )  # fmt: skip


def _atime_ms(node: Node) -> int:
    """A second after the change, unless somebody said otherwise."""
    return node.mtime_ms + 1000 if node.atime_ms is None else node.atime_ms


def _check_mode(mode: int) -> None:
    if not 0 <= mode <= 0o1777:
        raise InvalidArgument(f"mode {mode!r} is not between 0 and 1777")
