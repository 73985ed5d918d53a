"""A cluster as a gateway sees it, made up: for tests of what is told of one."""

from types import MappingProxyType
from typing import Mapping, Tuple

from data_service.protocol.health import AilingMember, ClusterStatus, DataNodeStatus
from data_service.protocol.nodes import NodeStats
from data_service.web.figures.sightings import Look, Sighting
from zookeeper.fabric.figures import (
    CALL_SECONDS,
    CALL_TAG,
    HISTOGRAM,
    INFO,
    SECONDS,
    START_TIME,
    Family,
    Histogram,
    Sample,
    counter,
    gauge,
)
from zookeeper.fabric.identity import DATA_NODE, METADATA, NAME_NODE, ZOOKEEPER

STATUS = ClusterStatus(
    capacity=1000, used=200, remaining=700, safe_mode=False, safe_mode_reason="",
    under_replicated=0, corrupt=0, missing=0, pending_deletion=0, epoch=7, cluster_id="c", blocks=5,
)  # fmt: skip

ADDRESSES: Mapping[str, Tuple[str, ...]] = MappingProxyType({
    ZOOKEEPER: ("localhost:18861",),
    METADATA: ("localhost:18005",),
    NAME_NODE: ("localhost:1800",),
    DATA_NODE: ("localhost:1801", "localhost:1802", "localhost:1803"),
})


def node(
    port: int = 1801, state: str = "live", failed: int = 0, host: str = "localhost"
) -> DataNodeStatus:
    """A datanode as the namenode tells of it."""
    stats = NodeStats(300, 60, 210, 4, 1, failed, 3600)
    return DataNodeStatus(f"id-{port}", host, port, "/default-rack", state, stats, 0.4, 60.0, "0.1")


NODES = tuple([node(port) for port in (1801, 1802, 1803)])


def process(started: float = 100.0) -> Tuple[Family, ...]:
    """What every process tells of itself."""
    return (
        Family(INFO, "gauge", "Release.", (Sample((("version", "0.1.0"),), (1.0,)),)),
        gauge(START_TIME, "Start.", started),
    )


def calls(made: Mapping[str, Tuple[float, ...]], started: float = 100.0) -> Tuple[Family, ...]:
    """What a server tells of its calls, which took these seconds."""
    samples = []
    for name, seconds in made.items():
        found = Histogram()
        for one in seconds:
            found.note(one)
        samples.append(found.sample((CALL_TAG, name)))
    return (*process(started), Family(CALL_SECONDS, HISTOGRAM, "Calls.", tuple(samples), SECONDS))


def counters(started: float = 100.0, **values: float) -> Tuple[Family, ...]:
    """A process with these counters."""
    return (*process(started), *[counter(name, name, value) for name, value in values.items()])


def look(
    moment: float = 10.0,
    status: ClusterStatus = STATUS,
    nodes: Tuple[DataNodeStatus, ...] = NODES,
    down: Tuple[str, ...] = (),
    families: Mapping[str, Tuple[Family, ...]] = MappingProxyType({}),
    leads: bool = True,
    addresses: Mapping[str, Tuple[str, ...]] = ADDRESSES,
    ailing: Tuple[AilingMember, ...] = (),
) -> Look:
    """All daemons at one moment: those `down` do not answer, the others tell `families`."""
    sightings = []
    first = addresses[NAME_NODE][0]
    for role, places in addresses.items():
        for place in places:
            if place in down:
                sightings.append(Sighting(role, place, f"cannot reach {place}"))
            elif place == first and leads:
                told = families.get(place, process())
                sightings.append(
                    Sighting(role, place, "", False, 0.01, told, status, nodes, ailing))
            else:
                told = families.get(place, process())
                sightings.append(Sighting(role, place, "", False, 0.01, told))
    return Look(moment, 1000.0 + moment, tuple(sightings))
