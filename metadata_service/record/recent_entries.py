"""The newest edits of a log, in memory: who follows asks for these, and they are applied next."""

from collections import deque
from itertools import islice
from typing import Deque, List, Optional, Sequence, Tuple

from metadata_service.edits import Edit
from metadata_service.record.chain import Entry

ENTRIES_MAX = 4_000
BYTES_MAX = 8 << 20


class RecentEntries:
    """A dense run of edits, the last of them the log's last. Not thread-safe."""

    def __init__(self) -> None:
        # (txid, digest, line) of each. Of these the garbage collector knows nothing; edits taken
        # apart, kept in their places, cost it a third of what an append takes.
        self._entries: Deque[Tuple[int, str, str]] = deque()
        self._unapplied: Deque[Edit] = deque()
        self._bytes = 0

    def change(self, cut: int, entries: Sequence[Entry], applied: int) -> None:
        """What was behind `cut` is gone, and these follow it; the image has all up to `applied`."""
        while self._entries and self._entries[-1][0] > cut:
            self._bytes -= len(self._entries.pop()[2])
        while self._unapplied and self._unapplied[-1].txid > cut:
            self._unapplied.pop()
        for entry in entries:
            self._entries.append((entry.txid, entry.digest, entry.line))
            self._bytes += len(entry.line)
            if entry.txid > applied:
                self._unapplied.append(entry.edit)
        while len(self._entries) > ENTRIES_MAX or self._bytes > BYTES_MAX:
            txid, _, line = self._entries.popleft()
            self._bytes -= len(line)
            applied = max(applied, txid)
        while self._unapplied and self._unapplied[0].txid <= applied:
            self._unapplied.popleft()

    def unapplied(self, txid: int, last: int) -> Optional[List[Edit]]:
        """The edits behind `txid`, up to which the image has them, up to `last`; None when they
        are not all here."""
        edits = self._unapplied
        if not edits or edits[0].txid != txid + 1 or edits[-1].txid < last:
            return None
        return list(islice(edits, last - txid))

    def lines(self, txid: int, last: int) -> Optional[List[str]]:
        """The texts of the edits behind `txid` up to `last`; None when they are not all here."""
        if last <= txid:
            return []
        if not self._entries or txid + 1 < self._entries[0][0] or last > self._entries[-1][0]:
            return None
        first, count = self._entries[0][0], self._entries[-1][0] - txid
        # From the end that is nearer: most ask for the newest.
        if txid + 1 - first > len(self._entries) // 2:
            newest = [line for _, _, line in islice(reversed(self._entries), count)][::-1]
            return newest[: last - txid]
        return [line for _, _, line in islice(self._entries, txid + 1 - first, last + 1 - first)]

    def digest(self, txid: int) -> Optional[str]:
        """The digest of an edit; None when it is not here."""
        if not self._entries or not self._entries[0][0] <= txid <= self._entries[-1][0]:
            return None
        return self._entries[txid - self._entries[-1][0] - 1][1]

    def __len__(self) -> int:
        return len(self._entries)
