"""The newest edits of a leader's log, for members that missed some of them.

What was decided long ago is not kept for anybody: who is further back fetches it from its peers.
"""

from typing import Dict, List, Sequence, Tuple

from metadata_service.quorum import Place
from metadata_service.record.chain import places

EDITS_MAX = 10_000
BYTES_MAX = 16 << 20


class Ring:
    """Edits in a row, from behind `base` to `last`. Not thread-safe: its owner has a lock."""

    def __init__(self, base: Place, lines: Sequence[str] = ()) -> None:
        self.base = self.last = base
        self._edits: Dict[int, Tuple[Place, str]] = {}
        self._bytes = 0
        self.add(lines)

    def add(self, lines: Sequence[str]) -> None:
        """Put edits behind the last one; the oldest go when there are too many, these never."""
        before = self.last.txid
        for place, line in zip(places(self.last, lines), lines):
            self._edits[place.txid] = place, line
            self._bytes += len(line)
            self.last = place
        while self.base.txid < before and self._is_full:
            self.base, line = self._edits.pop(self.base.txid + 1)
            self._bytes -= len(line)

    @property
    def _is_full(self) -> bool:
        return len(self._edits) > EDITS_MAX or self._bytes > BYTES_MAX

    def has(self, place: Place) -> bool:
        """Whether this is a place in it: who stands there can go on from there."""
        known, _ = self._edits.get(place.txid, (self.base, ""))
        return known == place

    def place(self, txid: int) -> Place:
        """Where the log stood after this edit. KeyError when it is not kept (any more)."""
        return self.base if txid == self.base.txid else self._edits[txid][0]

    def behind(self, txid: int, bytes_max: int) -> List[str]:
        """The edits behind this one, so many as fit, but at least one if there are any."""
        found: List[str] = []
        size = 0
        for number in range(txid + 1, self.last.txid + 1):
            line = self._edits[number][1]
            size += len(line) + 1
            if found and size > bytes_max:
                break
            found.append(line)
        return found

    def check(self) -> None:
        """Assert what must always hold."""
        assert list(self._edits) == list(range(self.base.txid + 1, self.last.txid + 1))
        assert self._bytes == sum(len(line) for _, line in self._edits.values())
        kept = [line for _, line in self._edits.values()]
        assert [place for place, _ in self._edits.values()] == list(places(self.base, kept))

    def __len__(self) -> int:
        return len(self._edits)

    def __repr__(self) -> str:
        return f"<Ring of the edits {self.base.txid + 1} to {self.last.txid}>"
