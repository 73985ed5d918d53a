"""An OpenFile that keeps its blocks in memory."""

import threading
from typing import Any, Callable, Dict, Iterator, List

from data_service.protocol.checksums import CHUNK_BYTES, crc32

BLOCK_SIZE = 600_000


class Stored:
    """Takes the place of an OpenFile: keeps the blocks in memory."""

    inherited = False

    def __init__(self, repeat: bool = False) -> None:
        self.path = "/file"
        self.block_size = BLOCK_SIZE
        self.position = self.offset = 0
        self.blocks: Dict[int, bytes] = {}
        self.repeat = repeat
        self.errors: Dict[int, BaseException] = {}
        self.ends: List[str] = []
        self.threads: Dict[int, str] = {}
        self.gate = threading.Event()
        self.gate.set()

    def check_own(self) -> None:
        """No process is forked here."""

    def write_block(self, position: int, size: int, source: Callable[[], Iterator[Any]]) -> None:
        """Take a block in, twice if the first attempt is to fail."""
        self.threads[position] = threading.current_thread().name
        for _ in range(2 if self.repeat else 1):
            pieces = []
            for data, checksum in source():
                assert crc32(data) == checksum and len(data) <= CHUNK_BYTES
                pieces.append(bytes(data))
            assert all(len(piece) == CHUNK_BYTES for piece in pieces[:-1])
        self.gate.wait()
        if position in self.errors:
            raise self.errors[position]
        self.blocks[position] = b"".join(pieces)
        assert len(self.blocks[position]) == size

    def complete(self) -> Any:
        """The file appears."""
        self.ends.append("complete")
        return "status"

    def abandon(self) -> None:
        """The file is given up."""
        self.ends.append("abandon")

    def lose(self) -> None:
        """The file was forgotten."""
        self.ends.append("lose")

    def data(self) -> bytes:
        """All bytes in the order of the blocks."""
        assert sorted(self.blocks) == list(range(len(self.blocks)))
        return b"".join(self.blocks[position] for position in sorted(self.blocks))
