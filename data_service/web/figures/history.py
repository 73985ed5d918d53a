"""The JSON of `/cluster/history`: how busy the cluster was, for an hour.

    {"interval_seconds": 10.0,
     "times_ms": [1764265200000, …],         the end of each interval, the oldest first
     "bytes_in": [1048576.0, …],             blocks written to all datanodes, bytes a second
     "bytes_out": […],                       blocks read from them, bytes a second
     "operations": […],                      calls that clients made of namenodes, a second
     "p50_ms": [0.2, …], "p99_ms": […],      how long these took; those that wait are left out
     "used": […], "capacity": […],           bytes
     "live": […]}                            datanodes

All lists have one length. What is not known of an interval is null: nobody answered, or, of the
latency, there was no call. Replicas count each for itself; a replica that a client on the same
machine reads as a file passes no datanode, and is not counted.
"""

from collections import deque
from typing import Any, Deque, Dict, Iterable, List, NamedTuple, Optional, Tuple

from data_service.protocol.health import LIVE
from data_service.protocol.namenode_calls import NameNodeCalls
from data_service.web.figures.datanode_rows import READ, WRITTEN
from data_service.web.figures.sightings import Look, Sighting
from zookeeper.fabric.calls import calls_of
from zookeeper.fabric.figures import CALL_SECONDS, CALL_TAG, Family, quantile, value_in
from zookeeper.fabric.identity import DATA_NODE, NAME_NODE

INTERVAL_SECONDS = 10.0
POINTS_MAX = 360
"""An hour of intervals."""

_CLIENT_CALLS = calls_of(NameNodeCalls)
_AT_ONCE = {name for name, call in _CLIENT_CALLS.items() if not call.waits}


class Point(NamedTuple):
    """One interval: a place in each list of the JSON."""

    times_ms: int
    bytes_in: Optional[float]
    bytes_out: Optional[float]
    operations: Optional[float]
    p50_ms: Optional[float]
    p99_ms: Optional[float]
    used: Optional[int]
    capacity: Optional[int]
    live: Optional[int]


class History:
    """The points of the last hour. Not thread-safe."""

    def __init__(self) -> None:
        self._points: Deque[Point] = deque(maxlen=POINTS_MAX)
        self._last: Optional[Look] = None

    def add(self, look: Look) -> None:
        """The cluster was seen once more; the first time says nothing of an interval."""
        if self._last is not None and look.moment > self._last.moment:
            self._points.append(point_of(self._last, look))
        self._last = look

    def record(self) -> Dict[str, Any]:
        """The JSON value; see above."""
        columns = zip(*self._points) if self._points else ([] for _ in Point._fields)
        return {
            "interval_seconds": INTERVAL_SECONDS,
            **{name: list(column) for name, column in zip(Point._fields, columns)},
        }

    def __repr__(self) -> str:
        return f"<History of {len(self._points)} points>"


def point_of(before: Look, after: Look) -> Point:
    """What happened between two looks."""
    seconds = after.moment - before.moment
    pairs = [pair for pair in _pairs(before, after) if pair[0].role == DATA_NODE]
    calls = [pair for pair in _pairs(before, after) if pair[0].role == NAME_NODE]
    counts, bounds = _buckets(calls, _AT_ONCE)
    made, _ = _buckets(calls, set(_CLIENT_CALLS))
    leader = after.leader
    status = None if leader is None else leader.status
    return Point(
        times_ms=int(1000 * after.wall),
        bytes_in=_rate(pairs, WRITTEN, seconds),
        bytes_out=_rate(pairs, READ, seconds),
        operations=round(sum(made) / seconds, 3) if calls else None,
        p50_ms=_milliseconds(quantile(bounds, counts, 0.50)),
        p99_ms=_milliseconds(quantile(bounds, counts, 0.99)),
        used=None if status is None else status.used,
        capacity=None if status is None else status.capacity,
        live=None if leader is None else sum(node.state == LIVE for node in leader.nodes),
    )


def increase(before: float, after: float, restarted: bool = False) -> float:
    """By how much a counter grew; one that begins anew, at a restart, grew from 0."""
    return after if restarted or after < before else after - before


Pair = Tuple[Sighting, Sighting]


def _pairs(before: Look, after: Look) -> Iterable[Pair]:
    """Those that answered both times."""
    earlier = {(one.role, one.address): one for one in before.sightings if one.up}
    for one in after.sightings:
        known = earlier.get((one.role, one.address))
        if one.up and known is not None:
            yield known, one


def _restarted(pair: Pair) -> bool:
    return pair[0].started != pair[1].started


def _rate(pairs: Iterable[Pair], name: str, seconds: float) -> Optional[float]:
    grown = [
        increase(value_in(first.families, name), value_in(last.families, name),
                 _restarted((first, last)))
        for first, last in pairs
    ]  # fmt: skip
    return round(sum(grown) / seconds, 1) if grown else None


def _buckets(
    pairs: Iterable[Pair], wanted: Iterable[str]
) -> Tuple[List[float], Tuple[float, ...]]:
    """How many of these calls were in each bucket, of all daemons together, and its bounds."""
    total: List[float] = []
    bounds: Tuple[float, ...] = ()
    names = frozenset(wanted)
    for first, last in pairs:
        earlier, restarted = _calls(first.families), _restarted((first, last))
        for name, values in _calls(last.families).items():
            if name not in names:
                continue
            before = earlier.get(name, ())
            if restarted or len(before) != len(values) or sum(before) > sum(values):
                before = (0.0,) * len(values)
            grown = [max(0.0, value - old) for value, old in zip(values, before)]
            total = [a + b for a, b in zip(total, grown)] if total else grown
        bounds = next((one.bounds for one in last.families if one.name == CALL_SECONDS), bounds)
    return total, bounds


def _calls(families: Iterable[Family]) -> Dict[str, Tuple[float, ...]]:
    """Call -> its buckets."""
    return {
        dict(sample.tags).get(CALL_TAG, ""): sample.values[:-1]
        for family in families if family.name == CALL_SECONDS for sample in family.samples
    }  # fmt: skip


def _milliseconds(seconds: Optional[float]) -> Optional[float]:
    return None if seconds is None else round(1000 * seconds, 3)
