"""Compares a member's log with those of its peers, and has it act on that; see `comparison.py`.

Mostly that costs no call: where a peer stands is in its status, and whether that is a place in the
own log is looked up. So of two that differ the one that is ahead finds it. The one that is behind
finds it when it takes edits that do not follow its own; only such a peer is asked.
"""

from typing import Dict, FrozenSet, Mapping, Optional, Protocol, Set

from metadata_service.calls import MemberCalls
from metadata_service.edits import decode_rows
from metadata_service.member.comparison import Common, common_edit, is_comparable, right_digest
from metadata_service.quorum import MemberStatus
from metadata_service.record.schema import JOURNAL
from zookeeper.fabric import logs
from zookeeper.fabric.errors import CorruptData, DfsError, ProtocolViolation

log = logs.get("catch_up")


class Member(Protocol):
    """The member whose log is compared."""

    def digest(self, txid: int) -> Optional[str]:
        """That of an edit in its log; None when it is not kept (any more)."""

    def distrust(self, error: CorruptData) -> None:
        """Its rows are not what was decided: it serves nobody until an image of a peer comes."""

    def dispute(self, disputed: bool) -> None:
        """Whether its log differs from that of a peer, and nobody can tell who is right."""


class Disputes:
    """Those of one member with its peers, by their addresses. Not thread-safe."""

    def __init__(self, member: Member, peers: Mapping[str, MemberCalls]) -> None:
        self._member = member
        self._peers = peers
        self._suspects: Set[str] = set()
        self._told: Set[str] = set()

    def suspect(self, peer: str) -> None:
        """Its edits do not follow those of this member."""
        self._suspects.add(peer)

    def look(self, own: MemberStatus, peers: Mapping[str, MemberStatus]) -> FrozenSet[str]:
        """The peers whose logs differ from that of this member, which knows of it then."""
        if not is_comparable(own):
            return frozenset()
        differing: Dict[str, int] = {}
        disputed = False
        for address, peer in peers.items():
            txid = self._differs_at(own, address, peer)
            if txid:
                differing[address] = txid
                right = self._right(own, peers, txid)
                if right not in (None, self._digest(own, txid)):
                    self._tell(address, txid, "most members have what that one has")
                    self._member.distrust(CorruptData(f"edit {txid} is another one than decided"))
                    return frozenset()
                disputed = disputed or right is None
                self._tell(address, txid, "nobody can tell which is right" if right is None
                           else "most members have what is here")
        self._member.dispute(disputed)
        self._told &= differing.keys()
        return frozenset(differing)

    def _differs_at(self, own: MemberStatus, address: str, peer: MemberStatus) -> int:
        """An edit that both have applied, and at which their logs differ; 0 when none is known."""
        common = common_edit(own, peer)
        if common is None or not (common.digest or address in self._suspects):
            return 0
        digests = {self._digest(own, common.txid), self._digest_of(address, common)} - {None}
        if len(digests) < 2:
            self._suspects.discard(address)
            return 0
        return common.txid

    def _right(
        self, own: MemberStatus, peers: Mapping[str, MemberStatus], txid: int
    ) -> Optional[str]:
        """The digest of this edit that most members have."""
        digests = {own.member_id: self._digest(own, txid) or ""}
        for address, peer in peers.items():
            common = common_edit(own, peer)
            if common is not None and peer.applied.txid >= txid:
                at = common if common.txid == txid else Common(txid, "")
                digest = self._digest_of(address, at)
                if digest is not None:
                    digests[peer.member_id] = digest
        return right_digest(own.configuration, digests)

    def _digest(self, own: MemberStatus, txid: int) -> Optional[str]:
        return own.applied.digest if txid == own.applied.txid else self._member.digest(txid)

    def _digest_of(self, address: str, common: Common) -> Optional[str]:
        if common.digest:
            return common.digest
        try:
            payload = self._peers[address].load(JOURNAL.name, common.txid - 1, 1)
            rows = decode_rows(payload)
            if not all(map(JOURNAL.accepts, rows)):
                raise ProtocolViolation(f"{address} sent odd rows of its log")
        except DfsError as error:
            log.debug("peer.not_compared", peer=address, error=error.message)
            return None
        return rows[0][2] if rows and rows[0][0] == common.txid else None

    def _tell(self, address: str, txid: int, verdict: str) -> None:
        """Once, for as long as it lasts."""
        if address not in self._told:
            log.error("peer.differs", peer=address, txid=txid, verdict=verdict)
        self._told.add(address)

    def __repr__(self) -> str:
        return f"<Disputes with {sorted(self._told)}>"
