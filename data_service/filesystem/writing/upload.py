"""`put`: a local file into the cluster, several blocks at a time; or a stream, one by one."""

import itertools
import os
import stat
import threading
from functools import partial
from typing import BinaryIO, Iterator, Optional

from data_service.filesystem.local import Progress, local_errors
from data_service.filesystem.local_streams import pieces_of
from data_service.filesystem.parallel import run_all
from data_service.filesystem.writing.file_writer import FileWriter
from data_service.filesystem.writing.files_being_written import FilesBeingWritten
from data_service.filesystem.writing.open_file import Chunk, OpenFile, WriteOptions
from data_service.filesystem.writing.room import Room
from data_service.protocol.checksums import CHUNK_BYTES, crc32
from data_service.protocol.files import FileStatus
from zookeeper.fabric.errors import LocalFileError


class ShorterThanTold(LocalFileError):
    """A file ended before the size that the system tells of it, as some of /sys and of FUSE do."""


class Upload:
    """One file of the cluster, made of what is somewhere else."""

    def __init__(
        self,
        files: FilesBeingWritten,
        path: str,
        options: WriteOptions,
        progress: Optional[Progress] = None,
    ) -> None:
        self._files = files
        self._path = path
        self._options = options
        self._progress = progress

    def from_file(self, local_path: str, parallel: int, room: Room) -> FileStatus:
        """Of a local file, read to its end, whatever size the system tells of it."""
        with local_errors(local_path):
            stream = open(local_path, "rb", buffering=0)
        with stream:
            if has_size(stream):
                try:
                    return self._from_blocks(stream, local_path, parallel, room)
                except ShorterThanTold:
                    # Its blocks cannot be told in advance: it is read like a stream.
                    with local_errors(local_path):
                        stream.seek(0)
            return self.from_stream(stream, local_path)

    def from_stream(self, stream: BinaryIO, name: str) -> FileStatus:
        """Of what a stream yields; messages call it by this name."""
        writer = self._files.writer(self._files.create(self._path, self._options))
        return self._pour(pieces_of(stream, name), writer)

    def _from_blocks(
        self, stream: BinaryIO, local_path: str, parallel: int, room: Room
    ) -> FileStatus:
        """Of a file whose size is told, and what it grew by then."""
        file = self._files.create(self._path, self._options, has_bytes=True)
        try:
            with local_errors(local_path):
                room.check(file, os.fstat(stream.fileno()).st_size)
            blocks = LocalBlocks(file, local_path, self._progress)
            blocks.send(stream.fileno(), parallel)
            with local_errors(local_path):
                stream.seek(blocks.size)
            grown = pieces_of(stream, local_path)
            first = next(grown, None)
            if first is None:
                return self._files.complete(file)
            writer = self._files.writer(file, blocks.count, blocks.size)
        except BaseException:
            file.abandon()
            raise
        return self._pour(itertools.chain([first], grown), writer)

    def _pour(self, pieces: Iterator[bytes], writer: FileWriter) -> FileStatus:
        with writer:
            for piece in pieces:
                writer.write(piece)
                if self._progress is not None:
                    self._progress(writer.length, 0)
        assert writer.status is not None, "it is closed"
        return writer.status


def has_size(stream: BinaryIO) -> bool:
    """Whether an open file tells a size that may be true: 0 is what files of /proc tell."""
    with local_errors(stream.name):
        found = os.fstat(stream.fileno())
    return stat.S_ISREG(found.st_mode) and found.st_size > 0


class LocalBlocks:
    """A local file, cut into blocks that can be read again; several are sent at a time.

    Meanwhile one block's datanodes make it durable, the next one streams.
    """

    def __init__(
        self, file: OpenFile, local_path: str, progress: Optional[Progress] = None
    ) -> None:
        self._file = file
        self._path = local_path
        self._progress = progress
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._done = 0
        self.size = 0

    @property
    def count(self) -> int:
        """How many blocks the file has."""
        return -(-self.size // self._file.block_size)

    def send(self, descriptor: int, parallel: int) -> None:
        """Write the file up to the size that it has now, `parallel` blocks at a time.

        Raises ShorterThanTold when that was no true size, LocalFileError when it shrank.
        """
        with local_errors(self._path):
            self.size = os.fstat(descriptor).st_size
        starts = range(0, self.size, self._file.block_size)
        tasks = [
            partial(self._send_block, descriptor, position, start)
            for position, start in enumerate(starts)
        ]
        run_all(tasks, parallel, self._stop)

    def _send_block(self, descriptor: int, position: int, start: int) -> None:
        size = min(self._file.block_size, self.size - start)
        self._file.write_block(position, size, lambda: self._chunks(descriptor, start, size))

    def _chunks(self, descriptor: int, start: int, size: int) -> Iterator[Chunk]:
        buffer = memoryview(bytearray(min(CHUNK_BYTES, size)))
        position, end = start, start + size
        while position < end:
            view = buffer[: end - position]
            self._fill(descriptor, view, position)
            if self._stop.is_set():
                raise LocalFileError(f"{self._path}: the transfer was given up")
            yield view, crc32(view)
            position += len(view)
            if self._progress is not None:
                self._advance(self._progress, len(view))

    def _fill(self, descriptor: int, view: memoryview, position: int) -> None:
        """All of a chunk: one read may give less, and only one that gives nothing is the end."""
        while view:
            with local_errors(self._path):
                count = os.preadv(descriptor, [view], position)
                size = self.size if count else os.fstat(descriptor).st_size
            if size < self.size:
                raise LocalFileError(f"{self._path}: it became shorter while it was read")
            if not count:
                raise ShorterThanTold(f"{self._path}: it has fewer than the {size} bytes told")
            view, position = view[count:], position + count

    def _advance(self, progress: Progress, count: int) -> None:
        with self._lock:
            # A block that is sent again counts once.
            self._done = min(self.size, self._done + count)
            progress(self._done, self.size)
