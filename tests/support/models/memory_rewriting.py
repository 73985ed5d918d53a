"""Append, truncate and concat of a MemoryFileSystem."""

import io
from typing import Any, Callable, Optional, Type

from zookeeper.fabric.errors import InvalidArgument, PathNotFound


class MemoryRewriting:
    """The part of MemoryFileSystem that changes files which exist; it finds them by `_file`."""

    def append(self, path: str) -> Any:
        """As FileSystem.append."""
        self._called("append")
        inode = self._file(path)

        def done(data: bytes) -> None:
            inode.data += data

        return Writer(done)

    def truncate(self, path: str, length: int) -> None:
        """As FileSystem.truncate."""
        self._called("truncate")
        inode = self._file(path)
        assert length <= len(inode.data), "the command looks before"
        inode.data = inode.data[:length]

    def concat(self, path: str, *sources: str) -> None:
        """As FileSystem.concat."""
        self._called("concat")
        target = self._file(path)
        for source in sources:
            if source not in self._inodes:
                raise PathNotFound(f"File does not exist: {source}")
            if not self._inodes[source].data:
                raise InvalidArgument(
                    f"concat: source file {source} is invalid or empty or underConstruction"
                )
        for source in sources:
            target.data += self._inodes.pop(source).data


class Writer(io.BytesIO):
    """Bytes that become a file when the writer is closed without an error."""

    def __init__(self, done: Callable[[bytes], object]) -> None:
        super().__init__()
        self._done = done

    def __exit__(self, kind: Optional[Type[BaseException]], *rest: Any) -> None:
        if kind is not None:
            self.abandon()
        self.close()

    def abandon(self) -> None:
        """Close without making the file appear."""
        self._done = lambda data: None
        self.close()

    def close(self) -> None:
        """Make the file appear."""
        if not self.closed:
            data = self.getvalue()
            super().close()
            self._done(data)
