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


class Meter:
    """One server's. Many threads note, any may look."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._metrics: Dict[str, CallMetric] = {}

    def note(self, name: str, seconds: float, failed: bool) -> None:
        """A call is over."""
        with self._lock:
            known = self._metrics.get(name) or CallMetric(name, 0, 0, 0.0, 0.0)
            self._metrics[name] = CallMetric(
                name,
                known.made + 1,
                known.failed + failed,
                known.seconds + seconds,
                max(known.slowest_seconds, seconds),
            )

    def metrics(self) -> Tuple[CallMetric, ...]:
        """All of them, by name."""
        with self._lock:
            return tuple([self._metrics[name] for name in sorted(self._metrics)])

    def __repr__(self) -> str:
        return f"<Meter of {len(self._metrics)} calls>"


class ServerCalls(Calls):
    """What every server answers, whatever it serves."""

    @call(READS)
    def metrics(self) -> Tuple[CallMetric, ...]:
        """What was measured of each call since the start."""
