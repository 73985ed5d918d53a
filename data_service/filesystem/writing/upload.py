"""`put`: a local file into the cluster, several blocks at a time."""

import os
import threading
from functools import partial
from typing import Iterator, Optional

from data_service.filesystem.local import Progress, local_errors
from data_service.filesystem.parallel import run_all
from data_service.filesystem.writing.open_file import Chunk, OpenFile
from data_service.protocol.checksums import CHUNK_BYTES, crc32
from zookeeper.fabric.errors import LocalFileError


class ShorterThanTold(LocalFileError):
    """A file ended before the size that the system tells of it, as some of /sys and of FUSE do."""


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
