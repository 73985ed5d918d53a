"""How the members of the metadata quorum fare, as their leader sees it, in numbers."""

from typing import Tuple

from metadata_service.leader.lane import Lane
from metadata_service.leader.members import Members
from zookeeper.fabric.figures import COUNTER, GAUGE, HISTOGRAM, SECONDS, Family, gauge, tagged

MEMBER_TAG = "member"


def figures(members: Members, now: float) -> Tuple[Family, ...]:
    """Which of them lag, by how much, and how long each takes to store edits."""
    with members.changed:
        lanes, decided = list(members.lanes), members.decided
        samples = tuple([
            lane.appends.sample((MEMBER_TAG, lane.address)) for lane in lanes
        ])
        behind = {lane.address: float(decided - max(lane.acked, 0)) for lane in lanes}
        seconds = {lane.address: _seconds_behind(lane, decided, now) for lane in lanes}
        in_step = {lane.address: float(lane in members.in_step()) for lane in lanes}
        refused = {lane.address: float(lane.refusals) for lane in lanes}
    return (
        gauge("pyhdfs_decided_txid", "The last edit that a majority of the members has.", decided),
        tagged(GAUGE, "pyhdfs_member_edits_behind", "Decided edits that a member has not stored "
               "yet.", MEMBER_TAG, behind),
        tagged(GAUGE, "pyhdfs_member_seconds_behind", "For how long a member that lacks edits has "
               "not answered.", MEMBER_TAG, seconds),
        tagged(GAUGE, "pyhdfs_member_in_step", "Whether a member is written to, and counts.",
               MEMBER_TAG, in_step),
        tagged(COUNTER, "pyhdfs_member_refusals_total", "How often a member did not store what it "
               "was sent.", MEMBER_TAG, refused),
        Family("pyhdfs_member_append_seconds", HISTOGRAM, "How long a member took to store edits.",
               samples, SECONDS),
    )  # fmt: skip


def _seconds_behind(lane: Lane, decided: int, now: float) -> float:
    return max(now - lane.heard_at, 0.0) if lane.acked < decided else 0.0
