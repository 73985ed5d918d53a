"""What a member does that lacks something its peers have: decided from what all of them tell.

It takes edits that a peer has applied, which are decided for ever; or the whole image, when it has
none of its own that is right, or the peer keeps no edits that are so old. Whether edits come from
a leader or from a peer makes no difference to what they are, so nothing is agreed on with anybody.

A member that decides alone lacks nothing. What others have beyond its record was never decided by
those who decide now: a person put the record back from a backup, or had this member go on alone.
Whoever keeps a record of before that is asked by nobody: he promised no epoch as late as those that
the others have promised since.
"""

from typing import AbstractSet, Mapping, NamedTuple, Optional, Tuple

from metadata_service.epochs import is_believable
from metadata_service.quorum import BEHIND, BLANK, DAMAGED, DISPUTED, FULL, OK, MemberStatus

WAIT, PULL, IMAGE, RENEW = "wait", "pull", "image", "renew"
"""Nothing is to be done now; take edits; take an image; give up the identity, as the disk went back
in time: be another member, whose rows nobody trusts until an image has come."""


_MEMBERS = (OK, FULL, BEHIND, DISPUTED)
"""The states of those whose promises bind a leader."""


class Step(NamedTuple):
    """What to do next, with which peer (an address), and why, for a person."""

    deed: str
    peer: str = ""
    why: str = ""


Mark = Tuple[int, int]
"""(epoch of a log, txid): how far a member had the log of which leader."""


def next_step(
    own: MemberStatus,
    acknowledged: Mark,
    peers: Mapping[str, MemberStatus],
    stuck: bool,
    pruned: bool,
    shunned: AbstractSet[str] = frozenset(),
) -> Step:
    """What this member does next; `peers` are what others told before it looked at itself.

    `acknowledged` is the furthest that it knows to have said that it has. It is `stuck` when it got
    no edits since it looked before, and `pruned` when a peer had none that follow its own.
    From those at the `shunned` addresses nothing is taken.
    """
    if own.configuration.is_of_only(own.member_id):
        return Step(WAIT)
    for address, peer in peers.items():
        for member_id, log_epoch, txid in peer.witness:
            if member_id == own.member_id and (log_epoch, txid) > acknowledged:
                return Step(RENEW, address, f"knows that edit {txid} of epoch {log_epoch} was here")
    clusters = {status.cluster_id for status in peers.values() if status.state != BLANK}
    if own.state == BLANK and len(clusters) > 1:
        return Step(WAIT, "", "the others keep records of different clusters")
    best, status = _best(own, peers, shunned)
    if status is None:
        return Step(WAIT, "", "no other member has a whole record" if own.state in (BLANK, DAMAGED)
                    else "")
    if own.state in (BLANK, DAMAGED):
        # Its own edits must follow the image: by its word they may have been decided.
        if own.log_epoch and status.applied.txid < _keeps_from(own) - 1:
            return Step(WAIT, "", "no other member has applied what it has acknowledged")
        return Step(IMAGE, best, f"is {own.state}")
    # What it has stored behind what it has applied may be others than those that were decided.
    if not stuck or status.applied.txid <= own.applied.txid:
        return Step(WAIT)
    why = f"has applied edits to {own.applied.txid} of {status.applied.txid}"
    if pruned or _keeps_from(status) > own.applied.txid + 1:
        return Step(IMAGE, best, why)
    return Step(PULL, best, why)


def _best(
    own: MemberStatus, peers: Mapping[str, MemberStatus], shunned: AbstractSet[str]
) -> Tuple[str, Optional[MemberStatus]]:
    """The peer that has applied most of the same record, by the log of the latest epoch; one whose
    log another contradicts only if there is no other."""
    found = {
        address: status
        for address, status in peers.items()
        if address not in shunned
        and status.state not in (BLANK, DAMAGED)
        and own.cluster_id in ("", status.cluster_id)
        and own.member_id != status.member_id
        and status.promised >= _least_promise(own, status, peers)
    }

    def rank(address: str) -> Tuple[bool, int, int]:
        status = found[address]
        return status.state != DISPUTED, status.log_epoch, status.applied.txid

    best = max(found, key=rank, default="")
    return best, found.get(best)


def _least_promise(
    own: MemberStatus, peer: MemberStatus, peers: Mapping[str, MemberStatus]
) -> int:
    """The epoch that this peer must have promised, if what it has shall be what is decided today:
    a later one that others have promised may be that of another record. What no namenode can have
    come to since is left out, for it would shut out everybody.

    Only members count, whose leader hears of such promises and unites them in one epoch.
    """
    known = [
        one.promised for one in (own, *peers.values())
        if one.state in _MEMBERS and one.cluster_id == peer.cluster_id
    ]
    return max([one for one in known if is_believable(one, peer.promised)], default=0)


def _keeps_from(status: MemberStatus) -> int:
    """The first edit that it keeps; the next one, when it keeps none."""
    return status.first_txid or status.last.txid + 1
