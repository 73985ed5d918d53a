"""What can be set of a path in a MemoryFileSystem. The owner's class alone decides on access."""

from typing import Any

from data_service.protocol.messages import DIRECTORY
from zookeeper.fabric.errors import InvalidArgument, IsADirectory


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

    def stat(self, path: str) -> Any:
        """As FileSystem.stat."""
        raise NotImplementedError

    def _called(self, method: str) -> None:
        raise NotImplementedError

    def _find(self, path: str) -> Any:
        raise NotImplementedError
