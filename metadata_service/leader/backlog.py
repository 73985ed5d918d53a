"""Edits that wait to be sent, oldest first, within bounds."""

from collections import deque
from typing import Deque, List, NamedTuple

EDITS_MAX = 100_000
BYTES_MAX = 64 << 20
BATCH_EDITS_MAX = 1_000


class Pending(NamedTuple):
    """An edit and the text that it is sent as."""

    txid: int
    line: str


class Backlog:
    """Not thread-safe: its owner has a lock."""

    def __init__(self) -> None:
        self._edits: Deque[Pending] = deque()
        self._bytes = 0

    @property
    def full(self) -> bool:
        """Whether no more edits should be made for now."""
        return len(self._edits) >= EDITS_MAX or self._bytes >= BYTES_MAX

    def add(self, txid: int, line: str) -> None:
        """Put an edit behind all others."""
        self._edits.append(Pending(txid, line))
        self._bytes += len(line)

    def oldest(self, bytes_max: int) -> List[Pending]:
        """What is sent next: at least one, and as many as fit into one message."""
        batch: List[Pending] = []
        total = 0
        for pending in self._edits:
            total += len(pending.line) + 1
            if batch and (total > bytes_max or len(batch) >= BATCH_EDITS_MAX):
                break
            batch.append(pending)
        return batch

    def drop(self, txid: int) -> None:
        """Forget the edits up to this one."""
        while self._edits and self._edits[0].txid <= txid:
            self._bytes -= len(self._edits.popleft().line)

    def clear(self) -> None:
        """Forget all."""
        self._edits.clear()
        self._bytes = 0

    def check(self, first: int, last: int) -> None:
        """Assert that these, and no others, are here."""
        assert [pending.txid for pending in self._edits] == list(range(first, last + 1))
        assert self._bytes == sum(len(pending.line) for pending in self._edits)

    def __len__(self) -> int:
        return len(self._edits)
