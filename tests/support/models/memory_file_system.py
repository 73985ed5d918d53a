"""A FileSystem in memory: the library's interface and errors over a plain tree, with no cluster.

Commands of the shell are tested against it in process, and it keeps the same contract as the real
one (tests/contract). `health` and `nodes` are what `fsck` and `datanodes` tell.
"""

import copy
import io
import os
from dataclasses import replace
from hashlib import md5
from pathlib import Path
from typing import Any, BinaryIO, Callable, Iterator, List, Optional, Set, Tuple, Type

from data_service.filesystem.conveniences import Conveniences
from data_service.filesystem.local import LocalExists, Progress, appearing, local_errors
from data_service.filesystem.names import FILE_MODE, READ_WHOLE
from data_service.filesystem.open_modes import ENCODING, TextWriter, parse_mode
from data_service.filesystem.paths import AnyPath, named
from data_service.filesystem.reading.file_checksum import FileChecksum, compose
from data_service.protocol.checksums import BlockChecksum, small_crcs
from data_service.protocol.files import FileStatus, LocatedBlock, Locations
from tests.support.models.memory_cluster import MemoryCluster
from tests.support.models.memory_names import MemoryNames
from tests.support.models.nodes import READ, WRITE, Caller, File, check_replication
from zookeeper.fabric.errors import (
    AlreadyBeingCreated,
    InvalidArgument,
)
from zookeeper.fabric.settings import Address, NameNodeSettings, Settings

BLOCK_SIZE = 1024


class MemoryFileSystem(MemoryNames, MemoryCluster, Conveniences):
    """See the module. Whoever makes it is its superuser."""

    def __init__(self, user: str = "root") -> None:
        MemoryNames.__init__(self, user)
        MemoryCluster.__init__(self)
        name_node = NameNodeSettings(
            hosts=(Address("localhost", 1800),), block_size=BLOCK_SIZE, replication_factor=1
        )
        self.settings = replace(Settings(), name_node=name_node)
        self.closed = False
        self._written: Set[str] = set()

    def __enter__(self) -> "MemoryFileSystem":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True

    def ignoring_checksums(self) -> "MemoryFileSystem":
        """Nothing is ever damaged here."""
        return self

    def under_umask(self, umask: int) -> "MemoryFileSystem":
        """As FileSystem.under_umask; files and directories are shared."""
        other = copy.copy(self)
        other._umask = umask
        return other

    def as_user(self, user: str, *groups: str) -> "MemoryFileSystem":
        """The same files for somebody else, who is no superuser."""
        other = copy.copy(self)
        other.user, other._who = user, Caller(user, frozenset(groups), False)
        return other

    # Bytes.

    def open(
        self,
        path: AnyPath,
        mode: str = "rb",
        *,
        overwrite: bool = True,
        replication: int = 0,
        block_size: int = 0,
        permission: Optional[int] = None,
        encoding: Optional[str] = None,
        errors: Optional[str] = None,
        newline: Optional[str] = None,
    ) -> Any:
        """As FileSystem.open."""
        deed, text = parse_mode(mode)
        if not text and (encoding, errors, newline) != (None, None, None):
            raise ValueError(f"mode {mode!r}: bytes have no encoding, errors or newline")
        file: Any
        with self._at("open", path) as name:
            if deed == "r":
                file = io.BufferedReader(_Bytes(self._tree.file(name, self._who, READ).content))
            elif deed == "a":
                options = {"replication": replication, "block_size": block_size}
                file = self.append(name, create=True, **options)
            else:
                overwrite = overwrite and deed == "w"
                file = self._create(name, overwrite, replication, block_size, permission)
        if not text:
            return file
        try:
            kind = io.TextIOWrapper if deed == "r" else TextWriter
            return kind(file, encoding or ENCODING, errors, newline)
        except LookupError:
            getattr(file, "abandon", file.close)()
            raise

    def append(
        self, path: AnyPath, *, create: bool = False, replication: int = 0, block_size: int = 0
    ) -> Any:
        """As FileSystem.append."""
        with self._at("append", path) as name:
            if create and self._tree.get(name, self._who) is None:
                return self._create(name, False, replication, block_size)
            old = self._tree.file(name, self._who, WRITE).content
            self._take(name)
            return Writer(
                name, old, lambda data: self._tree.set_content(name, data), self._written
            )

    def truncate(self, path: AnyPath, length: int) -> None:
        """As FileSystem.truncate."""
        with self._at("truncate", path) as name:
            if length < 0:
                raise InvalidArgument(f"Cannot truncate to a negative file size: {length}.")
            content = self._tree.file(name, self._who, WRITE).content
            self._check_free(name)
            if length > len(content):
                raise InvalidArgument(
                    f"Cannot truncate to a larger file size. Current size: {len(content)}, "
                    f"truncate size: {length}."
                )
            if length < len(content):
                self._tick()
                self._tree.set_content(name, content[:length], self._who)

    def concat(self, path: AnyPath, *sources: AnyPath) -> None:
        """As FileSystem.concat."""
        with self._at("concat", path) as name:
            names = [self.absolute(source) for source in sources]
            for one in (name, *names):
                self._check_free(one)
            self._tick()
            self._tree.concat(name, names, self._who)

    def put(
        self,
        local_path: AnyPath,
        path: AnyPath,
        *,
        overwrite: bool = False,
        replication: int = 0,
        block_size: int = 0,
        progress: Optional[Progress] = None,
    ) -> FileStatus:
        """As FileSystem.put."""
        local_path = os.fsdecode(local_path)
        with self._at("put", path) as name:
            with local_errors(local_path):
                data = Path(local_path).read_bytes()
            with self._create(name, overwrite, replication, block_size) as file:
                file.write(data)
            return self._status(name, self._tree.find(name))

    def put_stream(
        self,
        stream: BinaryIO,
        path: AnyPath,
        *,
        overwrite: bool = False,
        replication: int = 0,
        block_size: int = 0,
        progress: Optional[Progress] = None,
    ) -> FileStatus:
        """As FileSystem.put_stream."""
        with self._at("put_stream", path) as name:
            with self._create(name, overwrite, replication, block_size) as file:
                for piece in iter(lambda: stream.read(1000), b""):
                    file.write(piece)
            return self._status(name, self._tree.find(name))

    def get(
        self,
        path: AnyPath,
        local_path: AnyPath,
        *,
        overwrite: bool = False,
        progress: Optional[Progress] = None,
    ) -> None:
        """As FileSystem.get."""
        local_path = os.fsdecode(local_path)
        with self._at("get", path) as name:
            if not overwrite and os.path.lexists(local_path):
                raise LocalExists.of(FileExistsError(17, "File exists"), local_path)
            data = self._tree.file(name, self._who, READ).content
            with local_errors(local_path), appearing(local_path, overwrite) as descriptor:
                os.write(descriptor, data)

    def cat(
        self,
        path: AnyPath,
        sink: Callable[[memoryview], object],
        progress: Optional[Progress] = None,
    ) -> None:
        """As FileSystem.cat."""
        with self._at("cat", path) as name:
            data = memoryview(self._tree.file(name, self._who, READ).content)
        for start in range(0, len(data), 1000):
            sink(data[start : start + 1000])

    def file_checksum(self, path: AnyPath) -> FileChecksum:
        """As FileSystem.file_checksum."""
        with self._at("file_checksum", path) as name:
            file = self._tree.file(name, self._who, READ)
            blocks = [file.content[start : start + file.block_size]
                      for start in range(0, len(file.content), file.block_size)]
            sums = [small_crcs(memoryview(block)) for block in blocks]
            return compose([BlockChecksum(md5(crcs).digest(), len(crcs) // 4) for crcs in sums])

    def block_locations(
        self, path: AnyPath, offset: int = 0, length: int = READ_WHOLE
    ) -> Locations:
        """As FileSystem.block_locations; nobody holds them."""
        with self._at("block_locations", path) as name:
            file, start = self._tree.file(name, self._who, READ), 0
            if offset < 0 or length < 0:
                raise InvalidArgument("offset and length must be integers from 0")
            located: List[LocatedBlock] = []
            for health in self._blocks(name, file):
                end = start + health.block.length
                if max(start, offset) < min(end, offset + length):
                    located.append(LocatedBlock(health.block, start, (), False, b""))
                start = end
            return Locations(self._status(name, file), tuple(located))

    # For a test to prepare, and to compare with.

    def contents(self, path: str) -> bytes:
        """The bytes of a file."""
        return bytes(self._tree.file(path).content)

    def tree(self) -> List[str]:
        """Every path but the root."""
        return sorted(path for path, _ in self._tree.walk() if path != "/")

    def node(self, path: str) -> Any:
        """A file or directory itself."""
        return self._tree.find(path)

    def write(self, path: str, data: bytes = b"", replication: int = 1) -> None:
        """Make a file with the directories above it."""
        self._tick()
        self._tree.add(path, self._file(data, replication, 0), True)

    # Within.

    def _below(self, path: str) -> Iterator[Tuple[str, Any]]:
        self._tree.find(path, self._who)
        return self._tree.walk(path)

    def _file(
        self, data: bytes, replication: int, block_size: int, permission: Optional[int] = None
    ) -> File:
        mode = FILE_MODE & ~self._umask if permission is None else permission
        file = File(data, replication or 1, mode, self.user)
        file.block_size = block_size or BLOCK_SIZE
        return file

    def _create(
        self,
        path: str,
        overwrite: bool,
        replication: int,
        block_size: int,
        permission: Optional[int] = None,
    ) -> "Writer":
        check_replication(path, replication or 1)
        if block_size < 0:
            raise InvalidArgument(f"block size {block_size} is not possible")
        self._tree.check_new(path, overwrite, self._who)
        self._take(path)

        def appear(data: bytes) -> None:
            if self._tree.get(path) is file:
                self._tree.set_content(path, data)
            else:
                self._tick()
                file.content = data
                self._tree.add(path, file, overwrite, self._who)

        file = self._file(b"", replication, block_size, permission)
        return Writer(path, b"", appear, self._written)

    def _take(self, path: str) -> None:
        self._check_free(path)
        self._written.add(path)

    def _check_free(self, path: str) -> None:
        if path in self._written:
            raise AlreadyBeingCreated(f"{path}: this file lease is currently owned by somebody")


class _Bytes(io.BytesIO):
    """Bytes to read, of which nothing can be written."""

    def writable(self) -> bool:
        """Not."""
        return False


class Writer(io.BytesIO):
    """Bytes that become a file when the writer is closed without an error.

    `appear` is told the whole content; `written` are the paths that somebody writes.
    """

    def __init__(
        self, path: str, old: bytes, appear: Callable[[bytes], object], written: Set[str]
    ) -> None:
        super().__init__()
        self.path = path
        self._old = old
        self._appear = appear
        self._written = written

    def __exit__(self, kind: Optional[Type[BaseException]], *rest: Any) -> None:
        if kind is not None:
            self.abandon()
        self.close()

    def readable(self) -> bool:
        """Not."""
        return False

    def seekable(self) -> bool:
        """Not."""
        return False

    def tell(self) -> int:
        """Where the next byte will be in the file."""
        return len(self._old) + super().tell()

    def hflush(self) -> None:
        """As FileWriter.hflush."""
        with named(self.path):
            self._appear(self._old + self.getvalue())

    def abandon(self) -> None:
        """Close without making the file appear."""
        self._appear = lambda data: None
        self.close()

    def close(self) -> None:
        """Make the file appear."""
        if not self.closed:
            data = self._old + self.getvalue()
            super().close()
            self._written.discard(self.path)
            with named(self.path):
                self._appear(data)
