"""How the members of the record change: what the leader does next, decided from what it knows.

Theory of operation. A decision needs a majority of every set of the configuration. Members change
in two steps within an epoch. First the configuration has two sets, the members of before and those
wanted: from then on all that is decided is on majorities of both. When majorities of both have
stored that, and what the old members may have decided alone is on a majority of the new ones, too,
the new ones go on by themselves. Whoever dies in between, the next leader meets either
configuration at a majority of whichever members its own needs. Until then the leader may also go
back: what two sets decided, the old one has.

What the old ones may have decided alone is all that was sent to anybody before majorities were
known to have stored the two sets. What was acknowledged is too little: a member that is the only
one applies what it stores at once, and its answer may still be on its way, or lost.

Wanted are the members that serve the addresses of config.ini. An address names a place; who is
there is told by the identity on the disk that answers: an emptied disk is another member.
"""

from typing import Dict, Mapping, NamedTuple, Optional, Sequence, Tuple

from metadata_service.leader.majorities import reached
from metadata_service.quorum import BEHIND, BLANK, OK, STRANGER, Configuration, MemberStatus

Members = Tuple[Tuple[str, str], ...]
"""(member id, address) of each."""

BEHIND_MAX = 1000
"""A member that lacks at most so many of the decided edits, which one append can bring, has caught
up; it would hold up everybody's changes for longer otherwise."""

JOINT_SECONDS_MAX = 10.0
"""For so long the new members have time to agree; then the old ones go on without them."""

_USABLE = (OK, STRANGER, BEHIND)
"""The states of members that can take part, or will when they have what they lack."""


class Wanted(NamedTuple):
    """The members to go on with; those of before, and why, while others cannot be admitted."""

    members: Members
    waits_for: str = ""


class Joint(NamedTuple):
    """What a leader notes of a configuration of two sets: since when there is one, in monotonic
    seconds, and where its record ended when majorities of both were first known to have stored it;
    None: they are not yet."""

    version: int
    since: float
    noted_txid: Optional[int] = None


def wanted(
    configuration: Configuration,
    cluster_id: str,
    hosts: Sequence[str],
    statuses: Mapping[str, MemberStatus],
    admits: bool = True,
) -> Wanted:
    """Who shall keep the record, by the addresses of config.ini and what answers at each.

    `admits`: whether another disk may take the place of a member's, as config.ini says.

    An address that does not answer stays its member's. The members stay as they are while a new
    one is out of reach, blank or foreign.
    """
    present = configuration.sets[0]
    known = {address: member_id for member_id, address in present}
    found: Dict[str, str] = {}
    for address in hosts:
        status = statuses.get(address)
        member_id = status.member_id if status is not None else known.get(address, "")
        trouble = _trouble(address, status, member_id, cluster_id)
        if not trouble and member_id in found:
            trouble = f"{address} and {found[member_id]} are one member, of a copied directory"
        if not (trouble or admits or member_id == known.get(address, member_id)):
            trouble = f"{address} has another disk, {member_id}, and admit_new_disks is no"
        if trouble and (member_id not in dict(present) or member_id in found):
            return Wanted(present, trouble)
        found[member_id] = address
    return Wanted(tuple(found.items()))


def _trouble(
    address: str, status: Optional[MemberStatus], member_id: str, cluster_id: str
) -> str:
    """Why who answers at this address cannot be one of the members; empty when he can."""
    if status is None:
        return "" if member_id else f"{address} does not answer"
    if status.state == BLANK:
        return f"{address} is filling its empty directory"
    if status.cluster_id != cluster_id:
        return f"{address} has the record of another cluster, {status.cluster_id}"
    if status.state not in _USABLE:
        return f"{address} is {status.state}"
    return ""


def followed(
    joint: Optional[Joint],
    configuration: Configuration,
    stored: Mapping[str, int],
    last_txid: int,
    now: float,
) -> Optional[Joint]:
    """What is to be noted by now; None while there is one set.

    `stored` tells which version of the configuration each member has stored in this epoch, and
    `last_txid` where the record ends, behind which nothing has been sent to anybody.
    """
    version, sets = configuration
    if len(sets) < 2:
        return None
    if joint is None or joint.version != version:
        joint = Joint(version, now)
    if joint.noted_txid is None and (reached(configuration, stored) or 0) >= version:
        joint = joint._replace(noted_txid=last_txid)
    return joint


def next_configuration(
    configuration: Configuration,
    members: Members,
    acknowledged: Mapping[str, int],
    joint: Optional[Joint],
    now: float,
) -> Optional[Configuration]:
    """The configuration to go on with, of the members that are `wanted`; None: with this one.

    `acknowledged` tells how far each member's log is known to go in this epoch, and `joint` is what
    was noted of this configuration.
    """
    version, sets = configuration
    if joint is not None:
        old, new = [Configuration(version + 1, (one,)) for one in sets]
        has = reached(new, acknowledged)
        if joint.noted_txid is not None and has is not None and has >= joint.noted_txid:
            return new
        return old if now - joint.since > JOINT_SECONDS_MAX else None
    (present,) = sets
    txid = reached(configuration, acknowledged)
    added = [member_id for member_id, _ in members if member_id not in dict(present)]
    if txid is None or frozenset(members) == frozenset(present):
        return None
    if any(acknowledged.get(member_id, -1) < max(txid - BEHIND_MAX, 0) for member_id in added):
        return None
    return Configuration(version + 1, (present, members))
