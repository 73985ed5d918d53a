"""A small record that can be renewed on a disk that is full to the last byte.

Theory of operation. The file has two places of one size, which are allocated when it is made, while
there is room. A new record is written over the older one of the two, in place, and synced: that
needs no new block on a file system that writes in place (ext4, XFS, tmpfs; one that copies on
write may refuse it, and then the record stays as it was). Each place holds its number and the
checksum of its content, so that after a crash in the middle the other one counts.
"""

import os
import struct
import zlib
from typing import NamedTuple, Optional, Tuple

from zookeeper.fabric import disk
from zookeeper.fabric.errors import CorruptData, DiskFull

_HEADER = struct.Struct("!8sQII")
_MAGIC = b"PySpare1"


class _Place(NamedTuple):
    number: int
    content: bytes


class SpareRecord:
    """The file at `path`, for contents of up to `size` bytes. One writer at a time."""

    def __init__(self, path: str, size: int) -> None:
        self._path = path
        self._size = size
        self._place_bytes = -(-(_HEADER.size + size) // 4096) * 4096

    def prepare(self) -> None:
        """Make the file, unless it is there; needs room, and raises DiskFull without."""
        if not self._is_ready():
            disk.write_file(self._path, bytes(2 * self._place_bytes))

    def read(self) -> Optional[bytes]:
        """The newest content that is whole; None when none was ever written."""
        newest = max((place for place in self._places() if place), default=None)
        return None if newest is None else newest.content

    def write(self, content: bytes) -> None:
        """Make this the content, durably. Raises DiskFull or DiskFailed; then it may be either."""
        assert len(content) <= self._size, "more than the record was made for"
        if not self._is_ready():
            raise DiskFull(f"no room for {self._path}, nor was there when it was to be made")
        first, second = self._places()
        older = 0 if (first or _Place(0, b"")) <= (second or _Place(0, b"")) else 1
        number = 1 + max(place.number for place in (first, second, _Place(0, b"")) if place)
        head = _HEADER.pack(_MAGIC, number, len(content), zlib.crc32(b"%d:" % number + content))
        data = (head + content).ljust(self._place_bytes, b"\0")
        with disk.disk_errors(self._path, "write"):
            descriptor = os.open(self._path, os.O_WRONLY)
            try:
                if os.pwrite(descriptor, data, older * self._place_bytes) != len(data):
                    raise OSError(disk.NO_SPACE, os.strerror(disk.NO_SPACE))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def _is_ready(self) -> bool:
        try:
            return os.path.getsize(self._path) == 2 * self._place_bytes
        except OSError:
            return False

    def _places(self) -> Tuple[Optional[_Place], Optional[_Place]]:
        try:
            data = disk.read_file(self._path, 2 * self._place_bytes) or b""
        except CorruptData:
            data = b""  # Not a file of ours.
        half = self._place_bytes
        return self._decode(data[:half]), self._decode(data[half:])

    def _decode(self, data: bytes) -> Optional[_Place]:
        if len(data) != self._place_bytes:
            return None
        magic, number, length, checksum = _HEADER.unpack_from(data)
        content = data[_HEADER.size : _HEADER.size + length]
        whole = magic == _MAGIC and checksum == zlib.crc32(b"%d:" % number + content)
        return _Place(number, content) if whole else None

    def __repr__(self) -> str:
        return f"<SpareRecord {self._path}>"
