"""The newest entries of a log, in memory: who follows asks for these, and they are applied next."""

from collections import deque
from itertools import islice
from typing import Deque, List, Optional, Sequence

from metadata_service.chain import Entry

ENTRIES_MAX = 4_000
BYTES_MAX = 8 << 20


class RecentEntries:
    """A dense run of entries, the last of them the log's last. Not thread-safe."""

    def __init__(self) -> None:
        self._entries: Deque[Entry] = deque()
        self._bytes = 0

    def change(self, cut: int, entries: Sequence[Entry]) -> None:
        """What was behind `cut` is gone, and these follow it."""
        while self._entries and self._entries[-1].txid > cut:
            self._bytes -= len(self._entries.pop().line)
        self._entries.extend(entries)
        self._bytes += sum([len(entry.line) for entry in entries])
        while len(self._entries) > ENTRIES_MAX or self._bytes > BYTES_MAX:
            self._bytes -= len(self._entries.popleft().line)

    def between(self, txid: int, last: int) -> Optional[List[Entry]]:
        """The entries behind `txid` up to `last`; None when they are not all here."""
        if last <= txid:
            return []
        if not self._entries or txid + 1 < self._entries[0].txid or last > self._entries[-1].txid:
            return None
        first = self._entries[0].txid
        # From the end that is nearer: most ask for the newest.
        if txid + 1 - first > len(self._entries) // 2:
            count = self._entries[-1].txid - txid
            newest = list(islice(reversed(self._entries), count))[::-1]
            return newest[: last - txid]
        return list(islice(self._entries, txid + 1 - first, last + 1 - first))

    def digest(self, txid: int) -> Optional[str]:
        """The digest of an entry; None when it is not here."""
        found = self.between(txid - 1, txid)
        return found[0].digest if found else None

    def __len__(self) -> int:
        return len(self._entries)
