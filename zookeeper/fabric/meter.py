"""How often each call was made of a server, how long it took, and how often it failed."""

import threading
from typing import Dict, NamedTuple, Tuple

from zookeeper.fabric.calls import READS, Calls, call
from zookeeper.fabric.figures import (
    CALL_SECONDS,
    CALL_TAG,
    CALLS_FAILED,
    COUNTER,
    HISTOGRAM,
    SECONDS,
    Family,
    Histogram,
    Sample,
    counter,
)
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

    __slots__ = ("failed", "seconds", "slowest_seconds")

    def __init__(self) -> None:
        self.failed = 0
        self.seconds = Histogram()
        self.slowest_seconds = 0.0


class Meter:
    """One server's. Many threads note, any may look."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tallies: Dict[str, _Tally] = {}
        self._received = self._sent = 0

    def note(self, name: str, seconds: float, failed: bool) -> None:
        """A call is over."""
        with self._lock:
            tally = self._tallies.get(name)
            if tally is None:
                tally = self._tallies[name] = _Tally()
            tally.seconds.note(seconds)
            tally.failed += failed
            if seconds > tally.slowest_seconds:
                tally.slowest_seconds = seconds

    def carry(self, received: int, sent: int) -> None:
        """So many bytes came with a call, and went with its answer."""
        with self._lock:
            self._received += received
            self._sent += sent

    def metrics(self) -> Tuple[CallMetric, ...]:
        """All of them, by name."""
        with self._lock:
            return tuple([
                CallMetric(
                    name, one.seconds.count, one.failed, one.seconds.total, one.slowest_seconds
                )
                for name, one in sorted(self._tallies.items())
            ])

    def figures(self) -> Tuple[Family, ...]:
        """The same as figures, with the buckets of the seconds."""
        with self._lock:
            tallies = sorted(self._tallies.items())
            seconds = tuple([one.seconds.sample((CALL_TAG, name)) for name, one in tallies])
            failed = tuple([
                Sample(((CALL_TAG, name),), (one.failed,)) for name, one in tallies
            ])
        return (
            Family(CALL_SECONDS, HISTOGRAM, "How long calls took; some wait on purpose.",
                   seconds, SECONDS),
            Family(CALLS_FAILED, COUNTER, "Calls that were answered with an error.", failed),
            counter("pyhdfs_received_bytes_total", "What came in with calls, but for blocks.",
                    self._received),
            counter("pyhdfs_sent_bytes_total", "What went out with answers, but for blocks.",
                    self._sent),
        )  # fmt: skip

    def __repr__(self) -> str:
        return f"<Meter of {len(self._tallies)} calls>"


class ServerCalls(Calls):
    """What every server answers, whatever it serves."""

    @call(READS)
    def metrics(self) -> Tuple[CallMetric, ...]:
        """What was measured of each call since the start."""

    @call(READS)
    def figures(self) -> Tuple[Family, ...]:
        """What the process tells of itself in numbers; nothing in it is secret."""
