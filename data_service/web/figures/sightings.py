"""What was seen of the daemons of a cluster when all of them were asked."""

from typing import NamedTuple, Optional, Tuple

from data_service.protocol.health import AilingMember, ClusterStatus, DataNodeStatus
from zookeeper.fabric.figures import INFO, START_TIME, VERSION_TAG, Family, value_in
from zookeeper.fabric.identity import NAME_NODE


class Sighting(NamedTuple):
    """One daemon's answer, or the `error` in its place, a sentence.

    `barred` says that it is there, and does not let this gateway in. `seconds` is how long the
    answer took. `status`, `nodes` and `ailing`, what is wrong with metadata services, are what a
    namenode tells that leads.
    """

    role: str
    address: str
    error: str = ""
    barred: bool = False
    seconds: float = 0.0
    families: Tuple[Family, ...] = ()
    status: Optional[ClusterStatus] = None
    nodes: Tuple[DataNodeStatus, ...] = ()
    ailing: Tuple[AilingMember, ...] = ()

    @property
    def up(self) -> bool:
        """Whether it answered."""
        return not self.error

    @property
    def started(self) -> float:
        """When its process began, in seconds since 1970; 0 when that is not known."""
        return value_in(self.families, START_TIME)

    @property
    def version(self) -> str:
        """Its release, if that is known."""
        for family in self.families:
            if family.name == INFO and family.samples:
                return dict(family.samples[0].tags).get(VERSION_TAG, "")
        return ""

    def whole(self, name: str) -> Optional[int]:
        """A figure that is a whole number, if the daemon told it."""
        value = value_in(self.families, name, -1)
        return int(value) if value >= 0 else None


class Look(NamedTuple):
    """All daemons as they were at one moment: `moment` in monotonic seconds, `wall` in those since
    1970."""

    moment: float
    wall: float
    sightings: Tuple[Sighting, ...]

    def of(self, role: str) -> Tuple[Sighting, ...]:
        """Those of one role."""
        return tuple([one for one in self.sightings if one.role == role])

    @property
    def leader(self) -> Optional[Sighting]:
        """The namenode that leads, if one does."""
        found = [(one.status.epoch, one) for one in self.of(NAME_NODE) if one.status is not None]
        return max(found, key=lambda pair: pair[0])[1] if found else None
