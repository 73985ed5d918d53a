"""Which members' logs differ at an edit that they have applied, and who of them is right.

What is applied was decided for ever, so all have the same there. Where two have not, a disk or a
memory gave back something else than was written, in a way that no checksum tells. The digest of an
edit stands for all before it; and right is the one that majorities of those who decide have.
"""

from typing import Mapping, NamedTuple, Optional

from metadata_service.leader.majorities import is_majority
from metadata_service.quorum import BLANK, DAMAGED, Configuration, MemberStatus


class Common(NamedTuple):
    """The last edit that two members have applied, and its digest in the peer's log: empty when
    the peer has to be asked for that."""

    txid: int
    digest: str


def is_comparable(own: MemberStatus) -> bool:
    """Whether a member's log counts beside those of others at all."""
    alone = own.configuration.is_of_only(own.member_id)
    return own.state not in (BLANK, DAMAGED) and bool(own.configuration.sets) and not alone


def common_edit(own: MemberStatus, peer: MemberStatus) -> Optional[Common]:
    """Where the log of this peer is compared with the own one; None when it is not."""
    txid = min(own.applied.txid, peer.applied.txid)
    if (
        not txid
        or peer.state in (BLANK, DAMAGED)
        or peer.cluster_id != own.cluster_id
        or peer.member_id not in own.configuration.ids - {own.member_id}
    ):
        return None
    return Common(txid, peer.applied.digest if peer.applied.txid == txid else "")


def right_digest(configuration: Configuration, digests: Mapping[str, str]) -> Optional[str]:
    """The digest that majorities have, by those that members have (member id -> digest); None when
    nobody can tell."""
    for digest in set(digests.values()):
        if is_majority(configuration, {one for one in digests if digests[one] == digest}):
            return digest
    return None
