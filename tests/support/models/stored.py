"""An OpenFile that keeps its blocks in memory."""

import threading
from types import SimpleNamespace
from typing import Any, Callable, Dict, Iterator, List, Optional

from data_service.protocol.checksums import CHUNK_BYTES, crc32
from zookeeper.fabric.errors import DfsError

BLOCK_SIZE = 600_000


class Attempt:
    """Takes the place of a BlockAttempt; raises the `errors` of the chunks with their numbers."""

    def __init__(self, position: int, errors: Dict[int, BaseException]) -> None:
        self.position = position
        self.errors = errors
        self.pieces: List[bytes] = []
        self.closed = False
        self.ended_by: Optional[DfsError] = None
        self.located = SimpleNamespace(block=SimpleNamespace(name=f"blk_{position}"))

    @property
    def chunks(self) -> int:
        """How many were sent."""
        return len(self.pieces)

    def send(self, data: memoryview, checksum: int) -> None:
        """The next chunk."""
        assert crc32(data) == checksum and not self.closed
        assert all(len(piece) == CHUNK_BYTES for piece in self.pieces)
        self.raise_at(len(self.pieces) + 1)
        self.pieces.append(bytes(data))

    def raise_at(self, number: int) -> None:
        """Raise what is to be raised there."""
        if number in self.errors:
            raise self.errors[number]

    def close(self) -> None:
        """Hang up."""
        self.closed = True


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
        self.attempts: List[Attempt] = []
        self.attempt_errors: Dict[int, Dict[int, BaseException]] = {}
        """Of a block's position: what is raised at which chunk, -1 for its end."""
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

    def begin_block(self, position: int) -> "Attempt":
        """Take a block in while it comes."""
        attempt = Attempt(position, self.attempt_errors.get(position, {}))
        self.attempts.append(attempt)
        attempt.closed = 0 in attempt.errors  # It never began.
        attempt.raise_at(0)
        return attempt

    def end_block(self, attempt: "Attempt") -> None:
        """The block is whole."""
        attempt.raise_at(-1)
        self.blocks[attempt.position] = b"".join(attempt.pieces)

    def abandon_attempt(self, attempt: "Attempt", error: Optional[DfsError]) -> None:
        """It does not become whole."""
        assert attempt.closed
        attempt.ended_by = error

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
