"""The bytes of one block, set aside so that they can be sent again when a pipeline fails.

Theory of operation. Bytes gather in a buffer until they are a chunk, whose checksum is computed
then and there: whatever becomes of the chunk later, it is sent with that one. The first chunks of a
block are kept in memory, and when there are more of them than a few megabytes, all go to a
temporary file. Where there is no room for such a file, or no place that may be written (a
container's /tmp), the spool takes a little more into memory, and then says that it is full: the
writer ends its block there and goes on with another. So a client needs no disk at all, and never
more than a few megabytes of memory (HADOOP-1707).

Each chunk is written to the file by itself, while it is in the processor's cache, and read there
only when it has to be sent again (measured: four megabytes at a time take four to seven times as
much processor time).
"""

import errno
import os
import tempfile
import threading
from typing import BinaryIO, Iterator, List, Optional, Tuple

from data_service.filesystem.local import local_errors
from data_service.protocol.checksums import CHUNK_BYTES, crc32
from zookeeper.fabric import logs
from zookeeper.fabric.errors import LocalFileError
from zookeeper.fabric.forks import Forkable, watch

log = logs.get("spool")

MEMORY_BYTES = 16 * CHUNK_BYTES
"""What is kept in memory before there is a temporary file; a whole number of chunks."""

MEMORY_BYTES_MAX = 64 * CHUNK_BYTES
"""What is kept in memory where there is no room for a temporary file."""

SHARED_BYTES_MAX = 256 * CHUNK_BYTES
"""When all spools of the process keep so much in memory, each goes to its file at once: a gateway
has many. Where there is no room for files, a block ends earlier still."""

RESERVE_BYTES = 256 << 20
"""What is left free where the temporary files are, or a tenth where there is less in all: the files
of many uploads at once must not fill a disk on which others work, the metadata service perhaps."""

_SMALL_BYTES = 16 << 10
"""What the buffer has at first: a daemon gets memory for a whole chunk from the system each time,
which takes longer than to write a small file."""

_NAME = "the temporary file of a block"


class _SharedMemory(Forkable):
    """What all spools of this process keep in memory."""

    def __init__(self) -> None:
        self._bytes = 0
        self.forked()
        watch(self)

    def forked(self) -> None:
        """Another thread may have held the lock; a copy of what they keep is here, too."""
        self._lock = threading.Lock()

    @property
    def crowded(self) -> bool:
        """Whether it is as much as it should ever be."""
        return self._bytes >= SHARED_BYTES_MAX

    def note(self, chunks: int) -> None:
        """So many more are kept, or fewer."""
        with self._lock:
            self._bytes += chunks * CHUNK_BYTES


_shared = _SharedMemory()


class SpareFiles:
    """The temporary files of one writer that no block needs just now. May be used by any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: List[BinaryIO] = []
        self._closed = False

    def take(self) -> BinaryIO:
        """One with any bytes in it, or a new one; raises OSError."""
        with self._lock:
            if self._files:
                return self._files.pop()
        return tempfile.TemporaryFile(buffering=0)

    def give_back(self, file: BinaryIO) -> None:
        """What was taken, for another block."""
        with self._lock:
            if not self._closed:
                self._files.append(file)
                return
        file.close()

    def close(self) -> None:
        """Close them, and from now on all that come back."""
        with self._lock:
            self._closed, files, self._files = True, self._files, []
        for file in files:
            file.close()


class Spool:
    """Takes up to `size` bytes; they can be read from the start as often as it takes."""

    def __init__(self, size: int, files: SpareFiles) -> None:
        self._size = size
        self._files = files
        # Of the chunk that is not whole yet; else the last whole one still stands there.
        self._buffer = memoryview(b"")
        self._filled = 0
        self._checksums: List[int] = []
        self._stored = 0
        """How many chunks are in the file; those behind them are in memory."""
        self._memory: List[bytes] = []
        self._file: Optional[BinaryIO] = None
        self._roomless = False
        self.closed = False

    @property
    def length(self) -> int:
        """Bytes that were taken so far."""
        return len(self._checksums) * CHUNK_BYTES + self._filled

    @property
    def in_file(self) -> bool:
        """Whether there was so much that a part of it is in a file."""
        return self._stored > 0

    @property
    def full(self) -> bool:
        """Whether it takes no more: it has its size, or there is no room for more."""
        most = MEMORY_BYTES if _shared.crowded else MEMORY_BYTES_MAX
        return self.length == self._size or (
            self._roomless and len(self._memory) * CHUNK_BYTES >= most
        )

    def write(self, data: memoryview) -> int:
        """Take some of `data`: how many bytes; none only when it is full."""
        if self.full:
            return 0
        start = self._filled
        part = data[: min(CHUNK_BYTES - start, self._size - self.length)]
        if start + len(part) > len(self._buffer):
            self._enlarge(start + len(part))
        self._buffer[start : start + len(part)] = part
        self._filled += len(part)
        if self._filled == CHUNK_BYTES:
            self._keep()
        return len(part)

    def chunks(self, first: int = 0) -> Iterator[Tuple[memoryview, int]]:
        """All bytes from the chunk with the number `first` on, a chunk at a time, with its CRC32.

        A chunk is valid until the next one is asked for. Raises LocalFileError.
        """
        yield from self.whole_chunks(first)
        if self._filled:
            last = self._buffer[: self._filled]
            yield last, crc32(last)

    def whole_chunks(self, first: int) -> Iterator[Tuple[memoryview, int]]:
        """As `chunks`, without the last one while it lacks bytes."""
        read = memoryview(b"")
        for number in range(first, len(self._checksums)):
            checksum = self._checksums[number]
            if number == len(self._checksums) - 1 and not self._filled:
                yield self._buffer, checksum
            elif number >= self._stored:
                yield memoryview(self._memory[number - self._stored]), checksum
            else:
                read = read or memoryview(bytearray(CHUNK_BYTES))
                self._read(read, number * CHUNK_BYTES)
                if crc32(read) != checksum:
                    raise LocalFileError(f"{_NAME} was damaged")
                yield read, checksum

    def close(self) -> None:
        """Forget the bytes."""
        self.closed = True
        self._forget(len(self._memory))
        self._buffer = memoryview(b"")
        file, self._file = self._file, None
        if file is not None:
            self._files.give_back(file)

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Spool of {self.length} bytes, {self._stored} chunks in a file>"

    def _enlarge(self, wanted: int) -> None:
        buffer = memoryview(bytearray(_SMALL_BYTES if wanted <= _SMALL_BYTES else CHUNK_BYTES))
        buffer[: self._filled] = self._buffer[: self._filled]
        self._buffer = buffer

    def _keep(self) -> None:
        """The chunk in the buffer is whole: it goes where it can be had again."""
        kept = (len(self._memory) + 1) * CHUNK_BYTES
        to_file = self._stored or kept > MEMORY_BYTES or _shared.crowded
        if not (to_file and self._move_to_file() and self._store(self._buffer)):
            self._memory.append(bytes(self._buffer))
            _shared.note(1)
        self._checksums.append(crc32(self._buffer))
        self._filled = 0

    def _move_to_file(self) -> bool:
        """As much of what is in memory as there is room for; whether that was all."""
        kept = 0
        while kept < len(self._memory) and self._store(memoryview(self._memory[kept])):
            kept += 1
        self._forget(kept)
        return not self._memory

    def _forget(self, chunks: int) -> None:
        """The first ones in memory are kept there no longer."""
        del self._memory[:chunks]
        _shared.note(-chunks)

    def _store(self, chunk: memoryview) -> bool:
        """Write the next chunk of the file; whether there was room. Once there was none, never."""
        if self._roomless:
            return False
        try:
            if self._file is None:
                self._file = self._files.take()
            descriptor, position = self._file.fileno(), self._stored * CHUNK_BYTES
            _require_room(descriptor)
            while chunk:
                done = os.pwrite(descriptor, chunk, position)
                chunk, position = chunk[done:], position + done
        except OSError as error:
            # No directory, no room, no quota, no more open files: all the same from here.
            log.info("spool.no_room", reason=error.strerror or error)
            self._roomless = True
            return False
        self._stored += 1
        return True

    def _read(self, buffer: memoryview, position: int) -> None:
        assert self._file is not None, "nothing was moved to a file"
        done = 0
        while done < len(buffer):
            with local_errors(_NAME):
                count = os.preadv(self._file.fileno(), [buffer[done:]], position + done)
            if not count:
                raise LocalFileError(f"{_NAME} became shorter")
            done += count


def _require_room(descriptor: int) -> None:
    """Raise OSError when there is too little on the disk of a file to write more into it."""
    found = os.fstatvfs(descriptor)
    if found.f_bavail < min(RESERVE_BYTES // found.f_frsize, found.f_blocks // 10):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
