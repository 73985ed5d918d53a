"""The files that one client writes: how each is opened, completed, and given up with the client."""

import weakref
from typing import TYPE_CHECKING, Callable, Optional, Union

from data_service.filesystem.namenode_client import NameNodeClient
from data_service.filesystem.paths import named
from data_service.filesystem.reading.block_reader import BlockReader
from data_service.filesystem.reading.node_memory import NodeMemory
from data_service.filesystem.writing.lease_keeper import LeaseKeeper
from data_service.filesystem.writing.open_file import OpenFile, WriteOptions
from data_service.protocol.files import Begun, FileStatus, LocatedBlock, OpenedFile
from data_service.stubs.datanode_client import DataNodeClient
from zookeeper.fabric import logs
from zookeeper.fabric.errors import InvalidArgument, PathExists, PathNotFound

if TYPE_CHECKING:
    from data_service.filesystem.writing.file_writer import FileWriter

log = logs.get("filesystem")


class FilesBeingWritten:
    """Paths are absolute, and errors name theirs. Thread-safe.

    A lease that is not renewed for `lease_seconds` may be taken over. `on_warning` is told, in a
    sentence, of a file that has fewer replicas than asked for.
    """

    def __init__(
        self,
        namenode: NameNodeClient,
        datanodes: DataNodeClient,
        lease_seconds: float,
        memory: NodeMemory,
        on_warning: Callable[[str], None],
    ) -> None:
        self._namenode = namenode
        self._datanodes = datanodes
        self._memory = memory
        self._on_warning = on_warning
        self._asks_for_blocks_alone = False
        self._leases = LeaseKeeper(namenode, lease_seconds / 3)
        self._writers: "weakref.WeakSet[FileWriter]" = weakref.WeakSet()

    def create(self, path: str, options: WriteOptions, has_bytes: bool = False) -> OpenFile:
        """A new file, which appears when it is completed. With one that certainly `has_bytes` its
        first block comes along, which saves a call."""
        with named(path):
            answer = self._create(path, options, has_bytes)
        opened, first = answer if isinstance(answer, Begun) else (answer, None)
        return self._open(path, opened, options, first)

    def _create(
        self, path: str, options: WriteOptions, has_bytes: bool
    ) -> Union[OpenedFile, Begun]:
        calls = self._namenode.calls
        if not has_bytes or self._asks_for_blocks_alone:
            return calls.create(path, *options)
        try:
            return calls.create(path, *options, tuple(sorted(self._memory.avoided)))
        except InvalidArgument:
            # What is wrong with the rest is refused again; a namenode of an older release takes it.
            opened = calls.create(path, *options)
            self._asks_for_blocks_alone = True
            return opened

    def append(self, path: str, options: Optional[WriteOptions] = None) -> OpenFile:
        """A file to go on with behind its end; with `options`, one that is missing is made."""
        try:
            return self._open_end(path)
        except PathNotFound:
            if options is None:
                raise
        try:
            return self.create(path, options)
        except PathExists:
            # Somebody else made it meanwhile: it is not ours to replace.
            return self._open_end(path)

    def truncate(self, path: str, length: int, reader: BlockReader) -> None:
        """Shorten a file; the block that the new end lies in is written anew from `reader`."""
        with named(path):
            opened = self._namenode.calls.truncate(path, length)
        if opened is None:
            return
        file = self._open(path, opened)
        try:
            file.cut(length, reader)
            self.complete(file)
        except BaseException:
            file.abandon()
            raise

    def writer(self, file: OpenFile, written: int = 0, length: int = 0) -> "FileWriter":
        """A Python io object that writes the file; so many blocks and bytes are written already."""
        # With it comes tempfile, a tenth of the time that a command such as `ls` takes.
        from data_service.filesystem.writing.file_writer import FileWriter

        writer = FileWriter(file, lambda: self.complete(file), written, length)
        self._writers.add(writer)
        return writer

    def complete(self, file: OpenFile) -> FileStatus:
        """Make the file appear, whole."""
        with named(file.path):
            completed = file.complete()
        if completed.replicas < completed.status.replication:
            self._on_warning(
                f"{file.path}: only {completed.replicas} of {completed.status.replication} "
                "replicas, because no more datanodes could take it; the rest follows by itself"
            )
        return completed.status

    def close(self) -> None:
        """Give up what is still open, and renew no lease any more."""
        for writer in list(self._writers):
            if not writer.closed and not writer.inherited:
                log.warning("file.given_up", path=writer.path)
                writer.give_up("the FileSystem was closed before it")
        self._leases.close()

    def _open_end(self, path: str) -> OpenFile:
        with named(path):
            opened = self._namenode.calls.append(path)
        return self._open(path, opened)

    def _open(
        self,
        path: str,
        opened: OpenedFile,
        options: Optional[WriteOptions] = None,
        first: Optional[LocatedBlock] = None,
    ) -> OpenFile:
        return OpenFile(
            self._namenode,
            self._leases,
            path,
            opened,
            options,
            self._datanodes,
            self._memory,
            first,
        )
