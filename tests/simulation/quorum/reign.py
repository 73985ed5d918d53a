"""What a leader knows of the members in one epoch: how far each is, and so, what is decided."""

from typing import Any, Dict, List, Optional, Set

from data_service.namenode.leading.leader_lease import LeaderLease
from metadata_service.calls import Witness
from metadata_service.leader.allegiance import Allegiance, Wish
from metadata_service.leader.joint_change import (
    Joint,
    followed,
    next_configuration,
    wanted,
)
from metadata_service.leader.majorities import can_decide, reached
from metadata_service.leader.refusals import ending
from metadata_service.leader.ring import Ring
from metadata_service.quorum import DAMAGED, Configuration, MemberStatus
from tests.simulation.quorum.decided import Decided
from tests.simulation.quorum.member import LEADER_SECONDS
from tests.simulation.world import Bell, World
from zookeeper.fabric.errors import DiskFull, Unavailable

FENCED = "fenced"
"""Why a reign ends that another one has followed."""


class Lane:
    """A member as its leader sees it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.member_id = ""
        self.acked = -1
        self.version = 0
        self.joined = False
        self.told = 0
        self.room = True
        """What it says of its disk."""
        self.refusal: Optional[DiskFull] = None
        """Its answer to what it was sent last, if there was no room for that."""


class Reign:
    """One epoch of one leader; what is to be decided from what is known, by the real rules."""

    def __init__(
        self, world: World, name: str, epoch: int, owner: str, cluster_id: str,
        configuration: Configuration, record: Ring, doubtful: Set[str], witness: Decided,
    ) -> None:  # fmt: skip
        self.name, self.epoch, self.owner, self.cluster_id = name, epoch, owner, cluster_id
        self.configuration, self.record, self.doubtful = configuration, record, doubtful
        self.decided = 0
        self.established = self.over = False
        self.why = ""
        self.changed = Bell(world)
        self._world, self._witness = world, witness
        self._base = record.last
        self.allegiance = Allegiance(epoch)
        self.lease = LeaderLease(LEADER_SECONDS, False)
        self.candidates: Set[str] = set()
        """Who is wanted as a member, and is given the record already."""
        self._joint: Optional[Joint] = None
        self.lanes: Dict[str, Lane] = {}
        self.look_at_addresses(())

    def look_at_addresses(self, hosts: Any) -> None:
        """A lane for each member and each address that is to be one."""
        for address in (*hosts, *self.configuration.addresses):
            self.lanes.setdefault(address, Lane(address))

    def holds(self, now: float) -> bool:
        """Whether its leader may answer anybody."""
        return self.established and not self.over and self.lease.holds(now)

    def acknowledged(self) -> Dict[str, int]:
        """How far each member is that has adopted this epoch."""
        return {lane.member_id: lane.acked for lane in self.lanes.values() if lane.acked >= 0}

    def witness_for(self, lane: Lane) -> Witness:
        """What a member shall remember of the others."""
        return tuple([(one, self.epoch, txid) for one, txid in self.acknowledged().items()
                      if one != lane.member_id])

    def count(self) -> None:
        """Something was acknowledged, or the members changed: what is decided by now."""
        agreed = self.agreed()
        if self.over or agreed is None:
            return
        if not self.established and agreed >= self._base.txid:
            self.established = True
            self._witness.leads(self.name, self.epoch)
            self._world.note(f"{self.name} is established in {self.epoch} at {agreed}")
        if self.established and agreed > self.decided:
            start = max(self.decided, self.record.base.txid)
            lines = self.record.behind(start, 1 << 30)[: agreed - start]
            self._witness.decide(self.name, self.record.place(agreed), lines)
            self.decided = agreed
            self.changed.ring()

    def agreed(self) -> Optional[int]:
        """Up to which edit all is on majorities in this epoch."""
        return reached(self.configuration, self.acknowledged())

    @property
    def has_room(self) -> bool:
        """Whether the disks of a majority have room, as far as is known."""
        full = {lane.member_id for lane in self.lanes.values() if not lane.room}
        return not full or can_decide(self.configuration, full)

    def require_possible(self) -> None:
        """Raises DiskFull when too many disks are full for anything to be decided."""
        refusals = {lane.member_id: lane.refusal for lane in self.lanes.values() if lane.refusal}
        error = ending(self.configuration, refusals)
        if error is not None:
            raise error

    def wish(self, now: float) -> Wish:
        """Who would lead in its leader's place."""
        return self.allegiance.wish(self.configuration, now)

    def left(self, member_id: str, now: float) -> None:
        """A member has promised a later epoch."""
        self.allegiance.left(member_id, self.epoch + 1, now)
        self.look_at_allegiance(now)

    def look_at_allegiance(self, now: float) -> None:
        """When too few members are left, or some have been gone for long, this is over."""
        if self.allegiance.fenced_by(self.configuration):
            self.end(FENCED)
        elif self.allegiance.is_deserted(now):
            self.end("deserted")

    def end(self, why: str) -> None:
        """Nothing is written or answered any more."""
        if not self.over:
            self._world.note(f"the reign {self.epoch} of {self.name} ends: {why}")
            self.over, self.why = True, why
            self.changed.ring()

    def change_members(self, hosts: List[str], statuses: Dict[str, MemberStatus]) -> None:
        """Take the next step of a change of the members, when one is due."""
        now = self._world.now
        members = wanted(self.configuration, self.cluster_id, hosts, statuses).members
        self.candidates = {member_id for member_id, _ in members}
        self.look_at_addresses(hosts)
        stored = {lane.member_id: lane.version for lane in self.lanes.values() if lane.joined}
        self._joint = followed(
            self._joint, self.configuration, stored, self.record.last.txid, now)
        new = next_configuration(
            self.configuration, members, self.acknowledged(), self._joint, now)
        if new is None:
            return
        self._world.note(f"{self.name} goes on with {new}")
        self.configuration = new
        self.count()
        self.changed.ring()
        self._witness.change_begins()

    def require_member(self, lane: Lane, status: MemberStatus) -> None:
        """Note who is there; raises Unavailable when its word does not count."""
        lane.room = status.room
        if lane.member_id != status.member_id:
            lane.member_id, lane.acked, lane.version = status.member_id, -1, 0
        takes_part = status.member_id in self.configuration.ids | self.candidates
        if not takes_part or status.state == DAMAGED or status.member_id in self.doubtful:
            lane.acked = -1
            raise Unavailable(f"{lane.address} is {status.state}, or doubtful")

    def leave_removed(self, lane: Lane) -> None:
        """Who is no member any more, and shall not be one, is written to no longer."""
        if lane.joined and lane.member_id not in self.configuration.ids | self.candidates:
            lane.joined, lane.acked = False, -1
