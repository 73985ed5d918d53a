"""What is wrong with the members of the metadata quorum, as their leader sees them."""

from typing import Tuple

from metadata_service.ailments import Ailment, Seen, ailment_of
from metadata_service.leader.lane import Lane
from metadata_service.leader.members import Members
from metadata_service.quorum import OK
from zookeeper.fabric.errors import DiskFull, OutOfStep


def ailments(members: Members, now: float) -> Tuple[Ailment, ...]:
    """Of each that ails, in the order of config.ini; from memory. `now` is in monotonic seconds."""
    with members.changed:
        there = members.in_step()
        seen = [_seen(lane, lane in there, members, now) for lane in members.lanes]
    return tuple([found for found in map(ailment_of, seen) if found is not None])


def _seen(lane: Lane, counts: bool, members: Members, now: float) -> Seen:
    return Seen(
        lane.address,
        OK if counts else lane.state,  # It may have been blank when it was dialled.
        "" if counts else lane.trouble,
        max(members.decided - lane.acked, 0) if lane.acked >= 0 else 0,
        lane.room and not isinstance(lane.refusal, DiskFull),
        max(now - line.asked_at if line.busy else 0.0 for line in (lane.writing, lane.proving)),
        lane.member_id in members.doubtful,
        not counts and isinstance(lane.refusal, OutOfStep),
        members.waits_for,
    )
