"""How often each call was made of a server, how long it took, and how often it failed."""

import threading
from typing import Dict, NamedTuple, Tuple

from zookeeper.fabric.calls import READS, Calls, call
from zookeeper.fabric.kinds import Label, Natural


class CallMetric(NamedTuple):
    """What was measured of one call since the server's start; `seconds` are those of all together.

    A call that waits on purpose, as a heartbeat does, takes as long as it waits.
    """

    name: Label
    made: Natural
    failed: Natural
    seconds: float
    slowest_seconds: float


class _Tally:
    """What a CallMetric tells, while it grows."""

    __slots__ = ("made", "failed", "seconds", "slowest_seconds")

    def __init__(self) -> None:
        self.made = self.failed = 0
        self.seconds = self.slowest_seconds = 0.0


class Meter:
    """One server's. Many threads note, any may look."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tallies: Dict[str, _Tally] = {}

    def note(self, name: str, seconds: float, failed: bool) -> None:
        """A call is over."""
        with self._lock:
            tally = self._tallies.get(name)
            if tally is None:
                tally = self._tallies[name] = _Tally()
            tally.made += 1
            tally.failed += failed
            tally.seconds += seconds
            if seconds > tally.slowest_seconds:
                tally.slowest_seconds = seconds

    def metrics(self) -> Tuple[CallMetric, ...]:
        """All of them, by name."""
        with self._lock:
            return tuple([
                CallMetric(name, one.made, one.failed, one.seconds, one.slowest_seconds)
                for name, one in sorted(self._tallies.items())
            ])

    def __repr__(self) -> str:
        return f"<Meter of {len(self._tallies)} calls>"


class ServerCalls(Calls):
    """What every server answers, whatever it serves."""

    @call(READS)
    def metrics(self) -> Tuple[CallMetric, ...]:
        """What was measured of each call since the start."""
