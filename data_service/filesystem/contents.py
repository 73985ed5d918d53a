"""What a FileSystem does to the content of files: put, append, truncate, concat."""

import itertools
import os
import stat
from contextlib import suppress
from typing import (
    TYPE_CHECKING,
    Any,
    BinaryIO,
    Callable,
    Iterator,
    MutableSet,
    Optional,
    Tuple,
)

from data_service.filesystem.writing import room
from data_service.filesystem.writing.lease_keeper import LeaseKeeper
from data_service.filesystem.local import Progress, local_errors
from data_service.filesystem.local_streams import pieces_of
from data_service.filesystem.names import FILE_MODE, Names
from data_service.filesystem.reading.node_memory import NodeMemory
from data_service.filesystem.paths import AnyPath, named
from data_service.filesystem.reading.block_reader import BlockReader
from data_service.filesystem.writing.open_file import WriteOptions, OpenFile
from data_service.protocol.decoding import decode
from data_service.protocol.messages import (
    Completed,
    DataNodeStatus,
    FileStatus,
    OpenedFile,
    QuotaUsage,
)
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.errors import DfsError, PathExists, PathNotFound
from zookeeper.fabric.settings import Settings

if TYPE_CHECKING:
    from data_service.filesystem.writing.file_writer import FileWriter

class Writing(Names):
    """The part of FileSystem that writes. Modules that only this needs are imported late."""

    settings: Settings
    _leases: LeaseKeeper
    _credentials: Credentials
    _on_warning: Callable[[str], None]
    _writers: "MutableSet[FileWriter]"
    _memory: NodeMemory

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
        """Store a local file; when this returns, it is on its full number of datanodes, synced.

        It is read to its end, whatever size the system tells of it; what is appended meanwhile is
        stored, too. Raises LocalFileError when it becomes shorter.
        """
        options = WriteOptions(overwrite, replication, block_size, FILE_MODE & ~self._umask)
        local_path, path = os.fsdecode(local_path), self.absolute(path)
        with local_errors(local_path):
            stream = open(local_path, "rb", buffering=0)
        with stream:
            from data_service.filesystem.writing.upload import ShorterThanTold

            if has_size(stream):
                try:
                    return self._put_sized(stream, local_path, path, options, progress)
                except ShorterThanTold:
                    # Its blocks cannot be told in advance: it is read like a stream.
                    with local_errors(local_path):
                        stream.seek(0)
            return self._put_stream(stream, local_path, path, options, progress)

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
        """Store what `stream` yields, of any length; `progress` is told 0 as the total."""
        options = WriteOptions(overwrite, replication, block_size, FILE_MODE & ~self._umask)
        return self._put_stream(
            stream, "standard input", self.absolute(path), options, progress
        )

    def append(
        self, path: AnyPath, *, create: bool = False, replication: int = 0, block_size: int = 0
    ) -> Any:
        """A file as a Python io object: what is written goes behind its end.

        With `create` one that is missing is made. Until it is closed (or `hflush` is called)
        readers see what was there before. Raises AlreadyBeingCreated when another client writes
        the file.
        """
        path = self.absolute(path)
        try:
            return self._open_end(path)
        except PathNotFound:
            if not create:
                raise
        try:
            mode = FILE_MODE & ~self._umask
            return self._open_writer(path, WriteOptions(False, replication, block_size, mode))
        except PathExists:
            # Somebody else made it meanwhile: it is not ours to replace.
            return self._open_end(path)

    def truncate(self, path: AnyPath, length: int) -> None:
        """Shorten a file to `length` bytes; readers see the old content or the new one.

        The one block that the new end lies in is written anew. Raises InvalidArgument when the
        file is shorter, AlreadyBeingCreated when another client writes it.
        """
        path = self.absolute(path)
        row = self._change("truncate", path, length)
        if row is None:
            return
        file = self._writing(path, decode(OpenedFile, row))
        try:
            file.cut(length, self._block_reader(path))
            self._complete(file)
        except BaseException:
            file.abandon()
            raise

    def concat(self, path: AnyPath, *sources: AnyPath) -> None:
        """Move the content of the sources, in order, to the end of a file, and delete them.

        No byte is copied. All must be files in one directory that nobody writes.
        """
        self._change("concat", path, tuple(map(self.absolute, sources)))

    # Within.

    def _block_reader(self, path: str) -> BlockReader:
        raise NotImplementedError

    def datanodes(self) -> Tuple[DataNodeStatus, ...]:
        """Every datanode that the namenode knows."""
        raise NotImplementedError

    def _open_end(self, path: str) -> "FileWriter":
        opened = decode(OpenedFile, self._change("append", path))
        return self._writer(self._writing(path, opened))

    def _create(self, path: str, options: WriteOptions) -> OpenFile:
        opened = decode(OpenedFile, self._change("create", path, *options))
        return self._writing(path, opened, options)

    def _writing(
        self, path: str, opened: OpenedFile, options: Optional[WriteOptions] = None
    ) -> OpenFile:
        return OpenFile(
            self._namenode,
            self._leases,
            path,
            opened,
            options,
            self._credentials,
            self.settings.network,
            self._memory,
        )

    def _complete(self, file: OpenFile) -> FileStatus:
        with named(file.path):
            completed: Completed = file.complete()
        if completed.replicas < completed.status.replication:
            self._on_warning(
                f"{file.path}: only {completed.replicas} of {completed.status.replication} "
                "replicas, because no more datanodes could take it; the rest follows by itself"
            )
        return completed.status

    def _open_writer(self, path: str, options: WriteOptions) -> "FileWriter":
        return self._writer(self._create(path, options))

    def _writer(self, file: OpenFile, written: int = 0, length: int = 0) -> "FileWriter":
        from data_service.filesystem.writing.file_writer import FileWriter

        writer = FileWriter(file, lambda: self._complete(file), written, length)
        self._writers.add(writer)
        return writer

    def _put_sized(
        self,
        stream: BinaryIO,
        local_path: str,
        path: str,
        options: WriteOptions,
        progress: Optional[Progress],
    ) -> FileStatus:
        """Store a file whose size is told, several blocks at a time, and what it grew by then."""
        from data_service.filesystem.writing.upload import LocalBlocks

        file = self._create(path, options)
        try:
            with local_errors(local_path):
                self._check_fits(file, os.fstat(stream.fileno()).st_size)
            blocks = LocalBlocks(file, local_path, progress)
            blocks.send(stream.fileno(), self.settings.client.parallel_blocks)
            with local_errors(local_path):
                stream.seek(blocks.size)
            grown = pieces_of(stream, local_path)
            first = next(grown, None)
            if first is None:
                return self._complete(file)
            writer = self._writer(file, blocks.count, blocks.size)
        except BaseException:
            file.abandon()
            raise
        return _pour(itertools.chain([first], grown), writer, progress)

    def _check_fits(self, file: OpenFile, size: int) -> None:
        """Refuse what can never fit; of one block the namenode tells that itself, at once."""
        if size <= file.block_size:
            return
        room.check_block_count(file.path, size, file.block_size)
        room.check_room(file.path, size, file.opened, self.datanodes())
        room.check_quotas(file.path, size, file.opened, self._quotas_above(file.path))

    def _quotas_above(self, path: str) -> Iterator[QuotaUsage]:
        """Those that the caller may see. Not of the root: all that there is would be counted."""
        above = path.rpartition("/")[0]
        while above:
            with suppress(DfsError):
                yield self.quota_usage(above)
            above = above.rpartition("/")[0]

    def _put_stream(
        self,
        stream: BinaryIO,
        name: str,
        path: str,
        options: WriteOptions,
        progress: Optional[Progress],
    ) -> FileStatus:
        return _pour(pieces_of(stream, name), self._open_writer(path, options), progress)


def has_size(stream: BinaryIO) -> bool:
    """Whether an open file tells a size that may be true: 0 is what files of /proc tell."""
    with local_errors(stream.name):
        found = os.fstat(stream.fileno())
    return stat.S_ISREG(found.st_mode) and found.st_size > 0


def _pour(
    pieces: Iterator[bytes], writer: "FileWriter", progress: Optional[Progress]
) -> FileStatus:
    with writer:
        for piece in pieces:
            writer.write(piece)
            if progress is not None:
                progress(writer.length, 0)
    assert writer.status is not None, "it is closed"
    return writer.status
