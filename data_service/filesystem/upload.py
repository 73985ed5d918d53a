"""`put`: a local file, or a stream of unknown length, into the cluster."""

import io
import os
import tempfile
import threading
from typing import BinaryIO, Callable, Iterator, List, Optional

from data_service.filesystem.local import local_errors
from data_service.filesystem.writer import Chunk, WritingFile
from data_service.protocol.checksums import CHUNK_BYTES, crc32
from zookeeper.fabric.errors import LocalFileError

Progress = Callable[[int, int], None]

SPOOL_MEMORY_BYTES = 4 * 1024 * 1024
"""A stream's block stays in memory up to this size, and then goes to a temporary file."""


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
        self._next = 0
        self._done = 0
        self._failures: List[BaseException] = []

    def send(self, descriptor: int, parallel: int) -> None:
        """Write all blocks of the open file with up to `parallel` threads; raises the failure."""
        with local_errors(self._path):
            self._size = os.fstat(descriptor).st_size
        self._descriptor = descriptor
        self._count = -(-self._size // self._file.block_size)
        helpers = [
            threading.Thread(target=self._send_blocks, name="put", daemon=True)
            for _ in range(min(parallel, self._count) - 1)
        ]
        for helper in helpers:
            helper.start()
        self._send_blocks()
        for helper in helpers:
            helper.join()
        if self._failures:
            raise self._failures[0]

    def _send_blocks(self) -> None:
        try:
            while not self._failures:
                with self._lock:
                    position, self._next = self._next, self._next + 1
                if position >= self._count:
                    return
                start = position * self._file.block_size
                size = min(self._file.block_size, self._size - start)
                self._file.write_block(position, size, lambda: self._chunks(start, size))
        except BaseException as failure:  # Raised again by `send`, in the caller's thread.
            self._failures.append(failure)

    def _chunks(self, start: int, size: int) -> Iterator[Chunk]:
        buffer = memoryview(bytearray(min(CHUNK_BYTES, size)))
        position, end = start, start + size
        while position < end:
            view = buffer[: end - position]
            with local_errors(self._path):
                count = os.preadv(self._descriptor, [view], position)
            if count != len(view):
                raise LocalFileError(f"{self._path}: it became shorter while it was read")
            yield view, crc32(view)
            position += count
            self._advance(count)

    def _advance(self, count: int) -> None:
        if self._failures:
            raise LocalFileError(f"{self._path}: the transfer was given up")
        if self._progress is not None:
            with self._lock:
                # A block that is sent again counts once.
                self._done = min(self._size, self._done + count)
                self._progress(self._done, self._size)


class FileWriter(io.RawIOBase):
    """An open file for writing: bytes in, blocks out. `close` makes the file appear.

    Each block is set aside (in memory, then in a temporary file) until it is full, and sent while
    the next one fills: a failed pipeline can then be repeated from the block's first byte.
    `on_close` is told once the file is complete, or given up (None).
    """

    def __init__(self, file: WritingFile, on_close: Callable[[bool], None]) -> None:
        super().__init__()
        self._file = file
        self._on_close = on_close
        self._spool = self._new_spool()
        self._filled = 0
        self._position = 0
        self._sender: Optional[threading.Thread] = None
        self._failures: List[BaseException] = []
        self.length = 0

    def writable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Bytes written so far."""
        return self.length

    def write(self, data: memoryview) -> int:  # type: ignore[override]
        """All of `data`; raises the failure of an earlier block."""
        self._checkClosed()
        view = memoryview(data).cast("B")
        total = len(view)
        while view:
            part = view[: self._file.block_size - self._filled]
            self._spool.write(part)
            self._filled += len(part)
            self.length += len(part)
            view = view[len(part) :]
            if self._filled == self._file.block_size:
                self._send_block()
        return total

    def close(self) -> None:
        """Send what is left and make the file appear; raises when it does not."""
        if self.closed:
            return
        try:
            if self._filled:
                self._send_block()
            self._await_sender()
        except BaseException:
            self.abandon()
            raise
        super().close()
        self._on_close(True)

    def abandon(self) -> None:
        """Close without making the file appear."""
        if not self.closed:
            super().close()
            self._spool.close()
            self._on_close(False)

    def __exit__(self, kind: Optional[type], *rest: object) -> None:
        # A with-block that failed must not make half a file appear.
        if kind is None:
            self.close()
        else:
            self.abandon()

    def _send_block(self) -> None:
        self._await_sender()
        spool, size, position = self._spool, self._filled, self._position
        self._spool, self._filled, self._position = self._new_spool(), 0, position + 1
        self._sender = threading.Thread(
            target=self._send, args=(position, size, spool), name="put", daemon=True
        )
        self._sender.start()

    def _send(self, position: int, size: int, spool: BinaryIO) -> None:
        try:
            with spool:
                self._file.write_block(position, size, lambda: _spooled_chunks(spool))
        except BaseException as failure:  # Raised again in the writer's thread.
            self._failures.append(failure)

    def _await_sender(self) -> None:
        if self._sender is not None:
            self._sender.join()
            self._sender = None
        if self._failures:
            raise self._failures[0]

    @staticmethod
    def _new_spool() -> BinaryIO:
        return tempfile.SpooledTemporaryFile(SPOOL_MEMORY_BYTES)  # type: ignore[return-value]


def _spooled_chunks(spool: BinaryIO) -> Iterator[Chunk]:
    spool.seek(0)
    while True:
        with local_errors("the temporary file of a block"):
            data = memoryview(spool.read(CHUNK_BYTES))
        if not data:
            return
        yield data, crc32(data)
