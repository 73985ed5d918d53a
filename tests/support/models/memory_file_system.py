"""A FileSystem in memory: the library's interface and errors, without a cluster behind it.

Commands of the shell are tested against it in process. `fail` makes the next calls of a method
raise; `health` and `nodes` are what `fsck` and `datanodes` tell.
"""

import copy
import io
import os
from dataclasses import replace
from hashlib import md5
from pathlib import Path
from typing import Any, BinaryIO, Callable, Dict, Iterator, List, Optional

from data_service.filesystem.conveniences import Conveniences
from data_service.filesystem.reading.file_checksum import FileChecksum, compose
from data_service.filesystem.local import appearing
from data_service.filesystem.open_modes import ENCODING, TextWriter, parse_mode
from data_service.filesystem.paths import AnyPath, resolve, text_of
from data_service.protocol.checksums import BlockChecksum, small_crcs
from data_service.protocol.files import DIRECTORY, FILE, QUOTA_RESET, ContentSummary, FileStatus
from tests.support.models.memory_attributes import MemoryAttributes
from tests.support.models.memory_cluster import MemoryCluster
from tests.support.models.memory_rewriting import MemoryRewriting, Writer
from zookeeper.fabric.errors import (
    DfsError,
    DirectoryNotEmpty,
    InvalidArgument,
    IsADirectory,
    LocalFileError,
    NotADirectory,
    PathExists,
    PathNotFound,
)
from zookeeper.fabric.settings import Address, NameNodeSettings, Settings

BLOCK_SIZE = 1024
START_MS = 1_763_631_551_000
"""The time of the first change: 2025-11-20 09:39:11 UTC. Each change is a minute later."""

Progress = Optional[Callable[[int, int], None]]


class Inode:
    """A file or directory."""

    def __init__(self, number: int, kind: str, time_ms: int, mode: int) -> None:
        self.number = number
        self.kind = kind
        self.time_ms = time_ms
        self.atime_ms: Optional[int] = None  # None: a second after the change.
        self.mode = mode
        self.data = b""
        self.replication = 1
        self.block_size = BLOCK_SIZE
        self.owner = "root"
        self.group = "supergroup"
        self.quotas = (QUOTA_RESET, QUOTA_RESET)


class MemoryFileSystem(MemoryRewriting, MemoryAttributes, MemoryCluster, Conveniences):
    """See the module."""

    def __init__(self, user: str = "root") -> None:
        super().__init__()
        self.user = user
        name_node = NameNodeSettings(
            hosts=(Address("localhost", 1800),), block_size=BLOCK_SIZE, replication_factor=1
        )
        self.settings = replace(Settings(), name_node=name_node)
        self.calls: List[str] = []
        self.closed = False
        self._umask = 0o022
        self._inodes: Dict[str, Inode] = {}
        self._failures: Dict[str, DfsError] = {}
        self._clock_ms = START_MS - 60_000
        self._inodes["/"] = self._inode(DIRECTORY, 0o755)

    def fail(self, method: str, error: DfsError) -> None:
        """Let every further call of `method` raise."""
        self._failures[method] = error

    def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True

    def ignoring_checksums(self) -> "MemoryFileSystem":
        """Nothing is ever damaged here."""
        return self

    # The namespace.

    def absolute(self, path: AnyPath) -> str:  # type: ignore[override]
        """As FileSystem.absolute, which the other methods here leave to the caller."""
        return resolve(text_of(path), f"/user/{self.user}")

    def stat(self, path: str) -> FileStatus:
        """As FileSystem.stat."""
        self._called("stat")
        path.encode("utf-8")  # A lone surrogate does not cross the wire.
        return self._status(path, self._find(path))

    def list(self, path: str) -> Iterator[FileStatus]:
        """As FileSystem.list."""
        self._called("list")
        inode = self._find(path)
        names = self._names(path) if inode.kind == DIRECTORY else []
        for name in names:
            child = self._join(path, name)
            yield self._status(child, self._inodes[child])
        if inode.kind == FILE:
            yield self._status(path, inode)

    def under_umask(self, umask: int) -> "MemoryFileSystem":
        """As FileSystem.under_umask; files and directories are shared."""
        other = copy.copy(self)
        other._umask = umask
        return other

    def mkdir(self, path: str, parents: bool = False, mode: Optional[int] = None) -> None:
        """As FileSystem.mkdir."""
        path = self.absolute(path)
        mode = 0o777 & ~self._umask if mode is None else mode
        self._called("mkdir")
        if path in self._inodes:
            if parents and self._inodes[path].kind == DIRECTORY:
                return
            raise PathExists(f"{path} already exists")
        self._require_parent(path, make=parents, mode=mode | 0o300)
        self._inodes[path] = self._inode(DIRECTORY, mode)

    def delete(self, path: str, recursive: bool = False) -> bool:
        """As FileSystem.delete."""
        self._called("delete")
        if path not in self._inodes:
            return False
        below = self._below(path)
        if len(below) > 1 and not recursive:
            raise DirectoryNotEmpty(f"{path} is non empty")
        for found in below:
            del self._inodes[found]
        return True

    def rename(self, source: str, destination: str) -> None:
        """As FileSystem.rename."""
        self._called("rename")
        self._find(source)
        if destination in self._inodes:
            raise PathExists(f"rename destination {destination} already exists")
        self._require_parent(destination)
        for found in self._below(source):
            self._inodes[destination + found[len(source) :]] = self._inodes.pop(found)

    def content_summary(self, path: str) -> ContentSummary:
        """As FileSystem.content_summary."""
        self._called("content_summary")
        self._find(path)
        found = [self._inodes[name] for name in self._below(path)]
        files = [inode for inode in found if inode.kind == FILE]
        return ContentSummary(
            len(found) - len(files),
            len(files),
            sum(len(inode.data) for inode in files),
            sum(len(inode.data) * inode.replication for inode in files),
        )

    # Bytes.

    def open(
        self,
        path: str,
        mode: str = "rb",
        *,
        overwrite: bool = True,
        replication: int = 0,
        block_size: int = 0,
        encoding: str = "",
    ) -> Any:
        """As FileSystem.open."""
        self._called("open")
        path = self.absolute(path)
        deed, text = parse_mode(mode)
        if deed == "r":
            reader = io.BytesIO(self._file(path).data)
            return io.TextIOWrapper(reader, encoding or ENCODING) if text else reader
        if path in self._inodes and (deed == "x" or not overwrite):
            raise PathExists(f"{path} already exists")
        writer = Writer(lambda data: self._write(path, data, overwrite, replication, block_size))
        return TextWriter(writer, encoding or ENCODING) if text else writer

    def put(
        self,
        local_path: str,
        path: str,
        *,
        overwrite: bool = False,
        replication: int = 0,
        block_size: int = 0,
        progress: Progress = None,
    ) -> FileStatus:
        """As FileSystem.put."""
        self._called("put")
        try:
            data = Path(local_path).read_bytes()
        except OSError as error:
            raise LocalFileError(f"{local_path}: {error.strerror}") from error
        return self._write(path, data, overwrite, replication, block_size)

    def put_stream(
        self,
        stream: BinaryIO,
        path: str,
        *,
        overwrite: bool = False,
        replication: int = 0,
        block_size: int = 0,
        progress: Progress = None,
    ) -> None:
        """As FileSystem.put_stream."""
        self._called("put_stream")
        data = b"".join(iter(lambda: stream.read(1000), b""))
        self._write(path, data, overwrite, replication, block_size)

    def get(
        self, path: str, local_path: str, *, overwrite: bool = False, progress: Progress = None
    ) -> None:
        """As FileSystem.get."""
        self._called("get")
        data = self._file(path).data
        if not overwrite and Path(local_path).exists():
            raise LocalFileError(f"{local_path}: File exists")
        with appearing(local_path, overwrite) as descriptor:
            os.write(descriptor, data)

    def cat(
        self, path: str, sink: Callable[[memoryview], object], progress: Progress = None
    ) -> None:
        """As FileSystem.cat."""
        self._called("cat")
        data = memoryview(self._file(path).data)
        for start in range(0, len(data), 1000):
            sink(data[start : start + 1000])

    def file_checksum(self, path: str) -> FileChecksum:
        """As FileSystem.file_checksum."""
        self._called("file_checksum")
        inode = self._file(path)
        blocks = [inode.data[start : start + inode.block_size]
                  for start in range(0, len(inode.data), inode.block_size)]
        sums = [small_crcs(memoryview(block)) for block in blocks]
        return compose([BlockChecksum(md5(crcs).digest(), len(crcs) // 4) for crcs in sums])

    # Within.

    def contents(self, path: str) -> bytes:
        """The bytes of a file, for a test to compare."""
        return self._file(path).data

    def tree(self) -> List[str]:
        """Every path but the root, for a test to compare."""
        return sorted(set(self._inodes) - {"/"})

    def write(self, path: str, data: bytes = b"", replication: int = 1) -> None:
        """Make a file with the directories above it, for a test to start from."""
        self._require_parent(path, make=True)
        self._write(path, data, True, replication, 0)

    def _called(self, method: str) -> None:
        self.calls.append(method)
        if method in self._failures:
            raise self._failures[method]

    def _inode(self, kind: str, mode: int) -> Inode:
        self._clock_ms += 60_000
        inode = Inode(len(self._inodes) + 1, kind, self._clock_ms, mode)
        inode.owner = self.user
        return inode

    def _find(self, path: str) -> Inode:
        assert path.startswith("/") and (path == "/" or not path.endswith("/")), path
        parts = path.split("/")[1:]
        for count in range(1, len(parts)):
            above = "/" + "/".join(parts[:count])
            if above in self._inodes and self._inodes[above].kind == FILE:
                raise NotADirectory(f"{above} (is not a directory)")
        if path not in self._inodes:
            raise PathNotFound(f"File does not exist: {path}")
        return self._inodes[path]

    def _file(self, path: str) -> Inode:
        inode = self._find(path)
        if inode.kind == DIRECTORY:
            raise IsADirectory(f"Path is not a file: {path}")
        return inode

    def _require_parent(self, path: str, make: bool = False, mode: int = 0o755) -> None:
        above = path.rpartition("/")[0] or "/"
        try:
            if self._find(above).kind == FILE:
                raise NotADirectory(f"{above} (is not a directory)")
        except PathNotFound:
            if not make:
                raise PathNotFound(f"Parent directory doesn't exist: {above}") from None
            self._require_parent(above, make=True, mode=mode)
            self._inodes[above] = self._inode(DIRECTORY, mode)

    def _write(
        self, path: str, data: bytes, overwrite: bool, replication: int, block_size: int
    ) -> FileStatus:
        if replication > 512:
            raise InvalidArgument(
                f"Requested replication factor of {replication} exceeds maximum of 512 for {path}"
            )
        self._require_parent(path, make=True)
        if path in self._inodes:
            if self._inodes[path].kind == DIRECTORY:
                raise IsADirectory(f"{path} already exists as a directory")
            if not overwrite:
                raise PathExists(f"{path} already exists")
        inode = self._inode(FILE, 0o666 & ~self._umask)
        inode.data = data
        inode.replication = replication or 1
        inode.block_size = block_size or BLOCK_SIZE
        self._inodes[path] = inode
        return self._status(path, inode)

    def _status(self, path: str, inode: Inode) -> FileStatus:
        is_file = inode.kind == FILE
        return FileStatus(
            path.rpartition("/")[2],
            inode.number,
            inode.kind,
            len(inode.data),
            inode.replication if is_file else 0,
            inode.block_size if is_file else 0,
            inode.owner,
            inode.group,
            inode.mode,
            inode.time_ms,
            inode.time_ms + 1000 if inode.atime_ms is None else inode.atime_ms,
        )

    def _names(self, path: str) -> List[str]:
        start = path.rstrip("/") + "/"
        names = [name[len(start) :] for name in self._inodes if name.startswith(start)]
        return sorted((n for n in names if n and "/" not in n), key=lambda n: n.encode())

    def _below(self, path: str) -> List[str]:
        start = path.rstrip("/") + "/"
        return sorted(name for name in self._inodes if name == path or name.startswith(start))

    @staticmethod
    def _join(path: str, name: str) -> str:
        return path.rstrip("/") + "/" + name
