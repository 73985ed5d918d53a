"""`put`: a local file, or a stream of unknown length, into the cluster."""

import io
import os
import tempfile
import threading
import warnings
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import BinaryIO, Callable, Iterator, Optional

from data_service.filesystem.local import Progress, local_errors
from data_service.filesystem.parallel import run_all
from data_service.filesystem.writer import Chunk, WritingFile
from data_service.protocol.checksums import CHUNK_BYTES, crc32
from data_service.protocol.messages import FileStatus
from zookeeper.fabric.errors import LocalFileError

SPOOL_MEMORY_BYTES = 4 * 1024 * 1024
"""A stream's block stays in memory up to this size, and then goes to a temporary file."""

_SPOOL_NAME = "the temporary file of a block"


class LocalBlocks:
    """A local file, cut into blocks that can be read again; several are sent at a time.

    Meanwhile one block's datanodes make it durable, the next one streams.
    """

    def __init__(
        self, file: WritingFile, local_path: str, progress: Optional[Progress] = None
    ) -> None:
        self._file = file
        self._path = local_path
        self._progress = progress
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._size = 0
        self._done = 0

    def send(self, descriptor: int, parallel: int) -> None:
        """Write all blocks of the open file, up to `parallel` at a time; raises the failure."""
        with local_errors(self._path):
            self._size = os.fstat(descriptor).st_size
        starts = range(0, self._size, self._file.block_size)
        tasks = [
            partial(self._send_block, descriptor, position, start)
            for position, start in enumerate(starts)
        ]
        run_all(tasks, parallel, self._stop)

    def _send_block(self, descriptor: int, position: int, start: int) -> None:
        size = min(self._file.block_size, self._size - start)
        self._file.write_block(position, size, lambda: self._chunks(descriptor, start, size))

    def _chunks(self, descriptor: int, start: int, size: int) -> Iterator[Chunk]:
        buffer = memoryview(bytearray(min(CHUNK_BYTES, size)))
        position, end = start, start + size
        while position < end:
            view = buffer[: end - position]
            with local_errors(self._path):
                count = os.preadv(descriptor, [view], position)
            if count != len(view):
                raise LocalFileError(f"{self._path}: it became shorter while it was read")
            if self._stop.is_set():
                raise LocalFileError(f"{self._path}: the transfer was given up")
            yield view, crc32(view)
            position += count
            if self._progress is not None:
                self._advance(self._progress, count)

    def _advance(self, progress: Progress, count: int) -> None:
        with self._lock:
            # A block that is sent again counts once.
            self._done = min(self._size, self._done + count)
            progress(self._done, self._size)


class FileWriter(io.RawIOBase):
    """An open file for writing: bytes in, blocks out. `close` makes the file appear.

    Each block is set aside (in memory, then in a temporary file) until it is full, and sent while
    the next one fills: a failed pipeline can then be repeated from the block's first byte. `flush`
    does nothing: a file appears whole or not at all, unless `hflush` asks for more. A writer that
    is given up by `abandon`, by an exception in its with-block, or by being forgotten before it was
    closed, leaves no file, or the file as it was appended to or flushed.

    `complete` makes the file appear once all of its blocks are written; `status` tells of it then.
    """

    def __init__(self, file: WritingFile, complete: Callable[[], FileStatus]) -> None:
        super().__init__()
        self._file = file
        self._complete = complete
        self._forgotten = False
        self._filled = 0
        self._position = file.position
        self._pool: Optional[ThreadPoolExecutor] = None
        self._sender: "Optional[Future[None]]" = None
        self._spool = _new_spool()
        self.length = file.offset
        self.status: Optional[FileStatus] = None

    @property
    def path(self) -> str:
        """Where the file will appear."""
        return self._file.path

    @property
    def inherited(self) -> bool:
        """Whether it is the parent's, and this a forked process."""
        return self._file.inherited

    def writable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Bytes in the file so far, with those that it is appended to."""
        self._checkClosed()
        return self.length

    def write(self, data: memoryview) -> int:  # type: ignore[override]
        """All of `data`; raises the failure of an earlier block."""
        self._checkClosed()
        self._file.check_own()
        if self._sender is not None and self._sender.done():
            self._await_sender()
        view = memoryview(data).cast("B")
        total = len(view)
        while view:
            part = view[: self._file.block_size - self._filled]
            with local_errors(_SPOOL_NAME):
                self._spool.write(part)
            self._filled += len(part)
            self.length += len(part)
            view = view[len(part) :]
            if self._filled == self._file.block_size:
                self._send_block()
        return total

    def hflush(self) -> None:
        """Make all bytes so far durable and visible to new readers; the file stays open.

        This ends the current block, however short, and a file has at most 10,000 blocks: for a
        flush now and then, not for one after each line. When it fails the writer is given up; what
        was flushed before stays.
        """
        self._checkClosed()
        self._file.check_own()
        try:
            if self._filled:
                self._send_block()
            self._await_sender()
            self._file.flush()
        except BaseException:
            self.abandon()
            raise

    def hsync(self) -> None:
        """The same as `hflush`: a block is always on the disks before it counts."""
        self.hflush()

    def close(self) -> None:
        """Send what is left and make the file appear; raises when it does not."""
        if self._forgotten:
            self._lose()
        if self.closed:
            return
        try:
            self._file.check_own()
            if self._filled:
                self._write_block(self._position, self._filled, self._spool)
            self._await_sender()
            self.status = self._complete()
        except BaseException:
            self.abandon()
            raise
        self._release()

    def abandon(self) -> None:
        """Close without making the file appear."""
        if not self.closed:
            self._release()
            self._file.abandon()

    def __exit__(self, kind: Optional[type], *rest: object) -> None:
        # A with-block that failed must not make half a file appear.
        if kind is None:
            self.close()
        else:
            self.abandon()

    def __del__(self) -> None:
        # The destructor that is inherited calls `close`, and half a file would appear.
        self._lose()

    def _dealloc_warn(self, _source: object) -> None:
        """Called by an io object around this one that is closed only because it is forgotten."""
        self._forgotten = True

    def _lose(self) -> None:
        if self._file.inherited:
            self._release()
        elif not self.closed:
            warnings.warn(f"{self._file.path} was never closed", ResourceWarning, source=self)
            self._release()
            self._file.lose()

    def _release(self) -> None:
        super().close()
        self._spool.close()
        if self._pool is not None:
            self._pool.shutdown(wait=False)

    def _send_block(self) -> None:
        self._await_sender()
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, "put")
        full = (self._position, self._filled, self._spool)
        self._spool, self._filled, self._position = _new_spool(), 0, self._position + 1
        self._sender = self._pool.submit(self._write_block, *full)

    def _write_block(self, position: int, size: int, spool: BinaryIO) -> None:
        with spool:
            self._file.write_block(position, size, lambda: _spooled_chunks(spool))

    def _await_sender(self) -> None:
        if self._sender is not None:
            self._sender.result()
            self._sender = None


def _new_spool() -> BinaryIO:
    return tempfile.SpooledTemporaryFile(SPOOL_MEMORY_BYTES)  # type: ignore[return-value]


def _spooled_chunks(spool: BinaryIO) -> Iterator[Chunk]:
    with local_errors(_SPOOL_NAME):
        spool.seek(0)
    while True:
        with local_errors(_SPOOL_NAME):
            data = memoryview(spool.read(CHUNK_BYTES))
        if not data:
            return
        yield data, crc32(data)
