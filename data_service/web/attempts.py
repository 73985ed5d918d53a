"""How often somebody may try to prove who he is: rules without clocks or sockets.

A web password has 256 bits, so nobody guesses one. But each attempt costs the namenode a handshake,
and what is wrong is often tried again and again: by a program that was given an old password, by a
page whose session is over. So failures fill vessels that leak: one for each claim on its host, one
for the host. A claim that was good here lately is not met by what others on its host do.
"""

from collections import OrderedDict
from typing import Hashable, NamedTuple, Optional


class Limit(NamedTuple):
    """So many failures at once, and then so many a second."""

    failures: float
    per_second: float


CLAIM = Limit(5.0, 0.5)
HOST = Limit(50.0, 5.0)

VESSELS_MAX = 10_000
"""What more did is forgotten, of those first who did nothing for longest."""


class _Vessel(NamedTuple):
    level: float = 0.0
    at: float = 0.0
    good: bool = False

    def leaked(self, limit: Limit, now: float) -> float:
        """The level at `now`."""
        return max(0.0, self.level - limit.per_second * (now - self.at))


class Attempts:
    """Counts failures of claims from hosts; `now` is in monotonic seconds. Not thread-safe."""

    def __init__(self) -> None:
        self._vessels: "OrderedDict[Hashable, _Vessel]" = OrderedDict()

    def begin(self, host: str, claim: bytes, now: float) -> bool:
        """Whether this claim (its digest) from this host may be tried: then `end` says how that
        went. Until then it counts as a failure, or many at once would pass."""
        own, shared = self._of(host, claim), self._of(host)
        level, others = own.leaked(CLAIM, now), shared.leaked(HOST, now)
        if level > CLAIM.failures - 1 or not own.good and others > HOST.failures - 1:
            return False
        self._put((host, claim), _Vessel(level + 1, now, own.good))
        self._put((host, b""), _Vessel(others + 1, now))
        return True

    def end(self, host: str, claim: bytes, good: Optional[bool], now: float) -> None:
        """Whether it was good; None when nobody could tell."""
        own, shared = self._of(host, claim), self._of(host)
        level, others = own.leaked(CLAIM, now), shared.leaked(HOST, now)
        if good is False:
            self._put((host, claim), _Vessel(level, now))
            return
        undone = _Vessel(max(0.0, level - 1), now, own.good)
        self._put((host, claim), _Vessel(0.0, now, True) if good else undone)
        self._put((host, b""), _Vessel(max(0.0, others - 1), now))

    def _of(self, host: str, claim: bytes = b"") -> _Vessel:
        return self._vessels.get((host, claim), _Vessel())

    def _put(self, key: Hashable, vessel: _Vessel) -> None:
        self._vessels[key] = vessel
        self._vessels.move_to_end(key)
        if len(self._vessels) > VESSELS_MAX:
            self._vessels.popitem(last=False)
