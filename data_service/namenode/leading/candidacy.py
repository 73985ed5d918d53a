"""When a namenode claims leadership, by what the members of the metadata quorum tell it.

Theory of operation. Whoever leads proves itself to the members all the time, and they promise
nobody else an epoch until it has been silent for a while. So a namenode that stands by looks before
it claims: it asks every member how long ago a leader was heard there, and claims when a majority
has heard none for longer than the proof of any leader can last. A claim that is made too early, or
at the same time as another's, is refused by the members; looking first only keeps peace.

Of several that stand by the next one behind the last leader, in the order of config.ini, goes
first. (Who has the names to load yet is no candidate.) Who has just handed over lets any other one
go first, until one leads: then it stands by as they all do, since that one may be lost or hand over
in the next second. A namenode that was the last leader itself, as its address shows, is not waited
for by the members: its predecessor at this address is gone.
"""

from math import inf
from random import Random
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from metadata_service.leader.majorities import is_majority
from metadata_service.member.member_lease import LEASE_FACTOR, address_of
from metadata_service.quorum import BLANK, MemberStatus

LOOK_SECONDS = 0.2
"""The pause between two questions to a member."""

RANK_SECONDS = 0.2
CHANCE_SECONDS = 0.1
FORGET_SECONDS = 2.0
"""After so long without an answer nothing is known of a member."""


class Heard(NamedTuple):
    """What a member told, and when."""

    status: MemberStatus
    at: float


class Candidacy:
    """One namenode's. `own` is its address, one of `name_nodes` in the order of config.ini;
    `members` is how many metadata services config.ini names."""

    def __init__(
        self, own: str, name_nodes: Sequence[str], members: int, leader_seconds: float,
        random: Random,
    ) -> None:  # fmt: skip
        self.own = own
        self._name_nodes = tuple(name_nodes)
        self._members = members
        self.silence_seconds = leader_seconds * LEASE_FACTOR
        """How long a leader must have been silent at a member before another may claim."""
        self._random = random
        self._heard: Dict[str, Heard] = {}
        self._vacant_since: Optional[float] = None
        self._chance = 0.0
        self._yields_until = -inf

    def begin(self, yields_until: float) -> None:
        """Be a candidate anew: what was heard before counts no more, since whoever led then may
        have handed over to this one. Nothing is claimed before `yields_until`, unless another one
        has been heard to lead by then."""
        self._heard.clear()
        self._yields_until = yields_until

    def heard(self, member: str, status: MemberStatus, now: float) -> None:
        """The member at this address told this."""
        self._heard[member] = Heard(status, now)

    def claims(self, now: float) -> bool:
        """Whether to claim now; to be asked after every answer."""
        statuses = self._known(now)
        if self.leader(now):
            self._yields_until = -inf
        if now < self._yields_until or not self._is_vacant(statuses):
            self._vacant_since = None
            return False
        if self._vacant_since is None:
            self._vacant_since, self._chance = now, self._random.random()
        return now >= self._vacant_since + self._delay(statuses)

    def leader(self, now: float) -> str:
        """The address of another one who is heard to lead; empty when nobody is."""
        newest = _newest([one for one in self._known(now) if not self._is_silent(one)])
        return newest if newest != self.own else ""

    def missing(self, now: float) -> Tuple[str, ...]:
        """Who is not heard of those that decide, each an address and the beginning of the id of its
        disk, while no majority of them is: then nobody can lead. Another disk at the same address
        is not the one that is missed."""
        statuses = self._known(now)
        heard = {one.member_id for one in statuses}
        informed = [one for one in statuses if one.configuration.sets]
        if not informed or is_majority(_newest_of(informed).configuration, heard):
            return ()
        sets = _newest_of(informed).configuration.sets
        lost = {(address, member_id) for one in sets for member_id, address in one
                if member_id not in heard}
        return tuple([f"{address} (disk {member_id[:8]})" for address, member_id in sorted(lost)])

    def _known(self, now: float) -> List[MemberStatus]:
        return [one.status for one in self._heard.values() if now - one.at <= FORGET_SECONDS]

    def _is_vacant(self, statuses: List[MemberStatus]) -> bool:
        """Whether no leader is heard by so many members that a claim can be won."""
        free = {one.member_id for one in statuses if self._may_be_claimed(one)}
        informed = [one for one in statuses if one.configuration.sets]
        if not informed:
            # The very first start: whoever claims must make all of them one quorum.
            blank = [one for one in statuses if one.state == BLANK and one.member_id in free]
            return len(blank) == self._members
        return is_majority(_newest_of(informed).configuration, free)

    def _may_be_claimed(self, status: MemberStatus) -> bool:
        return self._is_silent(status) or address_of(status.owner) == self.own

    def _is_silent(self, status: MemberStatus) -> bool:
        return status.silent_seconds >= self.silence_seconds

    def _delay(self, statuses: List[MemberStatus]) -> float:
        if len(self._name_nodes) == 1:
            return 0.0
        return RANK_SECONDS * self._rank(statuses) + CHANCE_SECONDS * self._chance

    def _rank(self, statuses: List[MemberStatus]) -> int:
        """How many go first: the last leader itself is the last one."""
        own, former = self._name_nodes.index(self.own), _newest(statuses)
        if former not in self._name_nodes:
            return own
        return (own - self._name_nodes.index(former) - 1) % len(self._name_nodes)

    def __repr__(self) -> str:
        return f"<Candidacy of {self.own}, {len(self._heard)} members heard>"


def _newest_of(informed: List[MemberStatus]) -> MemberStatus:
    """The one that knows best who decides."""
    return max(informed, key=lambda one: (one.log_epoch, one.configuration.version))


def _newest(statuses: List[MemberStatus]) -> str:
    """The address of whom the newest epoch was promised; empty when nobody has been."""
    newest = max(statuses, key=lambda one: one.promised, default=None)
    return "" if newest is None else address_of(newest.owner)
