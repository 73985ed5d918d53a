"""An open file for reading: a seekable io object over verified blocks."""

import io
from typing import Iterator, Optional, Sequence

from data_service.filesystem.reading.block_reader import BlockReader
from data_service.protocol.checksums import CHUNK_BYTES
from data_service.protocol.files import LocatedBlock, Locations

READ_AHEAD_BYTES = 8 * CHUNK_BYTES
"""What the first read after a seek asks for; a sequential reader asks for the rest of the block."""


class FileReader(io.RawIOBase):
    """Reads one version of a file, whatever happens to its path meanwhile.

    Wrap it in io.BufferedReader for small reads. Raises BlockMissing when a block has no good
    replica. Not for two threads at a time.
    """

    mode = "rb"

    def __init__(self, locations: Locations, reader: BlockReader, name: str = "") -> None:
        super().__init__()
        self.name = name
        self.status = locations.status
        self._blocks = locations.blocks
        self._reader = reader
        self._position = 0
        self._buffer = memoryview(bytearray(min(CHUNK_BYTES, locations.status.length)))
        self._pieces: Optional[Iterator[memoryview]] = None
        self._piece = memoryview(b"")
        self._sequential = False

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """The offset of the next byte."""
        self._checkClosed()
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move; a position after the end reads nothing."""
        self._checkClosed()
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.status.length}
        if whence not in base:
            raise ValueError(f"invalid whence: {whence}")
        position = base[whence] + offset
        if position < 0:
            raise ValueError(f"negative seek position {position}")
        if position != self._position:
            self._drop()
            self._sequential = False
            self._position = position
        return position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Up to len(buffer) bytes; 0 at the end of the file."""
        self._checkClosed()
        if not self._piece:
            self._piece = self._next_piece()
        view = memoryview(buffer).cast("B")
        count = min(len(view), len(self._piece))
        view[:count] = self._piece[:count]
        self._piece = self._piece[count:]
        self._position += count
        return count

    def write(self, _data: object) -> int:
        """Not of a file that is read; raises io.UnsupportedOperation."""
        self._checkClosed()
        raise io.UnsupportedOperation("not writable")

    def close(self) -> None:
        """Release the connection in use."""
        self._drop()
        super().close()

    def _next_piece(self) -> memoryview:
        """The verified bytes at the position, or nothing at the end of the file."""
        while self._position < self.status.length:
            if self._pieces is None:
                self._pieces = self._open()
            piece = next(self._pieces, None)
            if piece is not None:
                return piece
            self._pieces, self._sequential = None, True
        return memoryview(b"")

    def _open(self) -> Iterator[memoryview]:
        located = self._blocks[block_index(self._blocks, self._position)]
        offset = self._position - located.offset
        rest = located.block.length - offset
        length = rest if self._sequential else min(rest, READ_AHEAD_BYTES)
        return self._reader.read(located, offset, length, self._buffer)

    def _drop(self) -> None:
        pieces, self._pieces = self._pieces, None
        self._piece = memoryview(b"")
        if pieces is not None:
            pieces.close()  # type: ignore[attr-defined]


def block_index(blocks: Sequence[LocatedBlock], position: int) -> int:
    """Which block holds the byte at `position`, which must be inside of the file."""
    low, high = 0, len(blocks) - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if blocks[middle].offset <= position else (low, middle - 1)
    return low
