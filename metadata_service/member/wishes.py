"""Which namenodes ask to lead instead of the one that does, which hears of it with its next proof.

A wish is true for as long as it is said again and again. It forces nothing: who leads decides. But
while one stands, nobody else is promised an epoch, for others may be cut off as the leader is.
"""

from typing import Dict, NamedTuple, Tuple

from zookeeper.fabric.errors import Busy

WISH_SECONDS = 2.0
"""A wish that was not said again for so long is forgotten."""

WISHES_MAX = 16
"""Of so many namenodes wishes are known at a time; of others nothing is."""


class Said(NamedTuple):
    """How many datanodes miss the leader, as a namenode said at this moment."""

    missed_by: int
    at: float


class Wishes:
    """Those at one member, in memory only. `now` is monotonic seconds."""

    def __init__(self) -> None:
        self._by_address: Dict[str, Said] = {}

    def file(self, address: str, missed_by: int, now: float) -> None:
        """The namenode at this address asks to lead, since so many datanodes miss who does."""
        self._forget(now)
        if address in self._by_address or len(self._by_address) < WISHES_MAX:
            self._by_address[address] = Said(missed_by, now)

    def told(self, now: float) -> Tuple[str, int]:
        """Who wishes, and how many datanodes miss the leader; ("", 0) when nobody does. Of several
        the first by address, so that all members tell of the same one."""
        self._forget(now)
        address = min(self._by_address, default="")
        return (address, self._by_address[address].missed_by) if address else ("", 0)

    def check_claim(self, claimant: str, now: float) -> None:
        """Raises Busy when another namenode than this one wishes to lead."""
        address, _ = self.told(now)
        if address not in ("", claimant):
            raise Busy(f"most datanodes hear the namenode {address}, which is to lead next")

    def _forget(self, now: float) -> None:
        late = [one for one, wish in self._by_address.items() if now - wish.at > WISH_SECONDS]
        for address in late:
            del self._by_address[address]

    def __repr__(self) -> str:
        return f"<Wishes of {sorted(self._by_address)}>"
