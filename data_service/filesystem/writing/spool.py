"""The bytes of one block, set aside so that they can be sent again when a pipeline fails.

Theory of operation. What comes is kept in memory, and moved to a temporary file each time that a
few megabytes have gathered. Where there is no room for such a file, or no place that may be written
(a container's /tmp), the spool takes a little more into memory, and then says that it is full: the
writer ends its block there and goes on with another. So a client needs no disk at all, and never
more than a few megabytes of memory (HADOOP-1707).
"""

import os
import tempfile
from typing import BinaryIO, Iterator, Optional, Tuple

from data_service.filesystem.local import local_errors
from data_service.protocol.checksums import CHUNK_BYTES, crc32
from zookeeper.fabric import logs
from zookeeper.fabric.errors import LocalFileError

log = logs.get("spool")

MEMORY_BYTES = 16 * CHUNK_BYTES
"""What gathers in memory before it goes to the temporary file; a whole number of chunks."""

MEMORY_BYTES_MAX = 64 * CHUNK_BYTES
"""What is kept in memory where there is no room for a temporary file."""

_NAME = "the temporary file of a block"


class Spool:
    """Takes up to `size` bytes; they can be read from the start as often as it takes."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._memory = bytearray()
        self._file: Optional[BinaryIO] = None
        self._stored = 0
        self._roomless = False
        self.closed = False

    @property
    def length(self) -> int:
        """Bytes that were taken so far."""
        return self._stored + len(self._memory)

    @property
    def full(self) -> bool:
        """Whether it takes no more: it has its size, or there is no room for more."""
        if self.length == self._size:
            return True
        if len(self._memory) < MEMORY_BYTES:
            return False
        if not self._roomless:
            self._move_to_file()
        return self._roomless and len(self._memory) >= MEMORY_BYTES_MAX

    def write(self, data: memoryview) -> int:
        """Take some of `data`: how many bytes; none only when it is full."""
        if self.full:
            return 0
        limit = MEMORY_BYTES_MAX if self._roomless else MEMORY_BYTES
        part = data[: min(limit - len(self._memory), self._size - self.length)]
        self._memory += part
        return len(part)

    def chunks(self) -> Iterator[Tuple[memoryview, int]]:
        """All bytes from the first one, a chunk at a time, each with its CRC32.

        A chunk is valid until the next one is asked for. Raises LocalFileError.
        """
        buffer = memoryview(bytearray(CHUNK_BYTES if self._stored else 0))
        for position in range(0, self._stored, CHUNK_BYTES):
            self._read(buffer, position)
            yield buffer, crc32(buffer)
        memory = memoryview(self._memory)
        for start in range(0, len(memory), CHUNK_BYTES):
            chunk = memory[start : start + CHUNK_BYTES]
            yield chunk, crc32(chunk)

    def close(self) -> None:
        """Forget the bytes."""
        self.closed = True
        self._memory = bytearray()
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Spool {self._stored} bytes in a file, {len(self._memory)} in memory>"

    def _move_to_file(self) -> None:
        """What is in memory goes to the file, all of it or nothing that counts."""
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(buffering=0)
            descriptor, data, done = self._file.fileno(), memoryview(self._memory), 0
            while done < len(data):
                done += os.pwrite(descriptor, data[done:], self._stored + done)
        except OSError as error:
            # No directory, no room, no quota, no more open files: all the same from here.
            log.info("spool.no_room", reason=error.strerror or error)
            self._roomless = True
            return
        self._stored += done
        self._memory = bytearray()

    def _read(self, buffer: memoryview, position: int) -> None:
        assert self._file is not None, "nothing was moved to a file"
        done = 0
        while done < len(buffer):
            with local_errors(_NAME):
                count = os.preadv(self._file.fileno(), [buffer[done:]], position + done)
            if not count:
                raise LocalFileError(f"{_NAME} became shorter")
            done += count
