"""What can be set of a path in a MemoryFileSystem. The owner's class alone decides on access."""

from typing import Any

from data_service.protocol.files import DIRECTORY, QUOTA_UNCHANGED, ContentSummary, QuotaUsage
from zookeeper.fabric.errors import InvalidArgument, IsADirectory, NotADirectory, PathNotFound


class MemoryAttributes:
    """The part of MemoryFileSystem that changes attributes; it finds inodes by `_find`."""

    def access(self, path: str, bits: int) -> bool:
        """As FileSystem.access."""
        self._called("access")
        return self._find(path).mode >> 6 & bits == bits

    def set_mode(self, path: str, mode: int) -> None:
        """As FileSystem.set_mode."""
        self._called("set_mode")
        self._find(path).mode = mode

    def set_owner(self, path: str, owner: str = "", group: str = "") -> None:
        """As FileSystem.set_owner."""
        self._called("set_owner")
        inode = self._find(path)
        inode.owner = owner or inode.owner
        inode.group = group or inode.group

    def set_times(self, path: str, mtime_ms: int = -1, atime_ms: int = -1) -> None:
        """As FileSystem.set_times."""
        self._called("set_times")
        inode = self._find(path)
        inode.atime_ms = self.stat(path).atime_ms if atime_ms == -1 else atime_ms
        inode.time_ms = inode.time_ms if mtime_ms == -1 else mtime_ms

    def set_replication(self, path: str, replication: int) -> None:
        """As FileSystem.set_replication; the replicas are there at once."""
        self._called("set_replication")
        inode = self._find(path)
        if inode.kind == DIRECTORY:
            raise IsADirectory(f"Path is not a file: {path}")
        if replication > 512:
            raise InvalidArgument(
                f"Requested replication factor of {replication} exceeds maximum of 512 for {path}"
            )
        inode.replication = replication

    def set_quota(
        self, path: str, names: int = QUOTA_UNCHANGED, space: int = QUOTA_UNCHANGED
    ) -> None:
        """As FileSystem.set_quota; but nothing is ever refused because of a quota."""
        self._called("set_quota")
        try:
            inode = self._find(path)
        except PathNotFound:
            raise PathNotFound(f"Directory does not exist: {path}") from None
        if inode.kind != DIRECTORY:
            raise NotADirectory(f"`{path}': Is not a directory")
        inode.quotas = tuple(
            old if new == QUOTA_UNCHANGED else new
            for old, new in zip(inode.quotas, (names, space))
        )

    def quota_usage(self, path: str) -> QuotaUsage:
        """As FileSystem.quota_usage, but for the root's own quota."""
        self._called("quota_usage")
        quotas, found = self._find(path).quotas, self.content_summary(path)
        return QuotaUsage(quotas[0], found.directories + found.files, quotas[1], found.space)

    def content_summary(self, path: str) -> ContentSummary:
        """As FileSystem.content_summary."""
        raise NotImplementedError

    def stat(self, path: str) -> Any:
        """As FileSystem.stat."""
        raise NotImplementedError

    def _called(self, method: str) -> None:
        raise NotImplementedError

    def _find(self, path: str) -> Any:
        raise NotImplementedError
