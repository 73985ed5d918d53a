"""One member of the metadata quorum: what it promises, stores and applies, decided without a disk.

Theory of operation. A member stores edits at once, and changes its image tables only for those that
it knows as decided. So an edit that does not survive was never in an image, and there is nothing to
undo. What a member knows changes in one transaction: each method here says which (`Change`), raises
the error that refuses, or says None when nothing is to be written. Its caller carries the change
out, then calls `done`. Until then nothing has happened, except that a promise binds already.

A log is that of the leader in whose epoch it was adopted, and goes on only in that epoch. What is
decided was acknowledged by a majority in the epoch of its leader; every later majority of promises
meets that one, and the log of the highest (log epoch, length) among them has all of it.

A member that is alone decides by itself: what it has stored is decided, and applied in the same
transaction.
"""

from typing import NamedTuple, Optional, Protocol, Sequence

from metadata_service.epochs import check_told
from metadata_service.member.member_lease import MemberLease, address_of
from metadata_service.member.member_record import Record, Witness
from metadata_service.member.wishes import Wishes
from metadata_service.quorum import (
    BLANK,
    FULL,
    OK,
    STRANGER,
    Configuration,
    MemberStatus,
    Place,
    Proved,
    Stored,
)
from metadata_service.record.chain import Entry, entries_of
from zookeeper.fabric.errors import CorruptData, Fenced, OutOfStep, ProtocolViolation

APPLY_EDITS_MAX = 1_000
"""So many edits are applied in one transaction, at most, besides those that came with it."""

PRUNE_EDITS = 256
"""How many edits more than asked for are kept, to be removed together."""


class KeptLog(Protocol):
    """The log as it is stored."""

    def digest(self, txid: int) -> Optional[str]:
        """The digest of a kept edit, or None when there is no such edit."""


class Change(NamedTuple):
    """One transaction, after which the member is as `record` says: first the edits behind `cut` go,
    then `entries` are stored; those behind the place that was applied before, up to the new one,
    change the image; and those up to the record's base are forgotten."""

    record: Record
    cut: int
    entries: Sequence[Entry]
    decided: int


class MemberCore:
    """Not thread-safe: its owner has a lock. `now` is monotonic seconds."""

    def __init__(self, record: Record, keep_edits: int, lease_seconds: float, now: float) -> None:
        self.record = record
        self.decided = record.last.txid if record.is_alone else record.applied.txid
        self.lease = MemberLease(lease_seconds, record.owner, now)
        self.wishes = Wishes()
        self.still = False
        """Whether the image shall stay as it is for a while, for somebody who reads it."""
        self.halt: Optional[int] = None
        """The edit behind which none is applied for a while; None when there is no such."""
        self.trouble = ""
        """What ails the member besides what follows from its record: DAMAGED, DISPUTED."""
        self._keep_edits = keep_edits

    def status(self, room: bool, now: float) -> MemberStatus:
        """What it tells of itself."""
        record = self.record
        first = record.base.txid + 1 if record.last.txid > record.base.txid else 0
        return MemberStatus(
            record.cluster_id, record.member_id, record.promised, record.owner, record.log_epoch,
            first, record.last, record.applied, self.decided, record.configuration,
            record.witness, room, self.lease.silent_seconds(now), self._state(room),
        )  # fmt: skip

    def stored(self, room: bool) -> Stored:
        """What it answers a leader that sent edits."""
        return Stored(*self.record.last, self.record.applied.txid, room)

    # What a leader does.

    def claim(self, cluster_id: str, epoch: int, owner: str, now: float) -> Optional[Change]:
        """Promise an epoch to who claims it; see MemberCalls.claim. From the return on no proof of
        an earlier leader counts: call `done`, or `lease.withdraw` when nothing was written."""
        record = self.record
        if not self._is_blank and cluster_id != record.cluster_id:
            raise ProtocolViolation(
                f"this member is of cluster {record.cluster_id}, not of {cluster_id or 'none'}"
            )
        if (epoch, owner) == (record.promised, record.owner):
            return None
        if epoch <= record.promised:
            raise Fenced(f"epoch {record.promised} has been promised to {record.owner}")
        check_told(epoch, record.promised)
        self.lease.check_claim(owner, record.owner, now)
        self.wishes.check_claim(address_of(owner), now)
        self.lease.pledge(epoch)
        cluster_id = cluster_id if self._is_blank else record.cluster_id
        record = record._replace(cluster_id=cluster_id, promised=epoch, owner=owner)
        return Change(record, record.last.txid, (), self.decided)

    def adopt(
        self,
        epoch: int,
        owner: str,
        behind: Place,
        payload: bytes,
        decided: int,
        configuration: Configuration,
        log: KeptLog,
    ) -> Optional[Change]:
        """Make the log that of this epoch; see MemberCalls.adopt."""
        record = self.record
        self._require_owner(epoch, owner)
        if record.log_epoch == epoch:
            # Never cut: what was appended since may be decided.
            if configuration.version <= record.configuration.version:
                return None
            record = record._replace(configuration=configuration)
            return self._change(record, decided, record.last.txid, (), log)
        if not configuration.sets:
            raise ProtocolViolation("a log is adopted with the members that decide")
        if not record.cluster_id:
            raise OutOfStep("this member is of no cluster until an epoch of one is claimed here")
        self._require_unapplied(behind)
        entries = entries_of(behind, payload)
        cut = self._agreeing(behind, entries, log)
        self._require_undecided(cut)
        record = record._replace(
            promised=epoch, owner=owner, log_epoch=epoch, configuration=configuration
        )
        change = self._change(record, decided, cut, entries[cut - behind.txid :], log)
        self.lease.pledge(epoch)
        return change

    def append(
        self,
        epoch: int,
        behind: Place,
        payload: bytes,
        decided: int,
        witness: Witness,
        log: KeptLog,
    ) -> Optional[Change]:
        """Store the next edits of the log's leader; see MemberCalls.append."""
        record = self.record
        self._require_leader(epoch)
        entries = entries_of(behind, payload)
        last = record.last.txid
        if last < behind.txid:
            return None
        common = min(last, behind.txid + len(entries))
        known = common - behind.txid
        digest = entries[known - 1].digest if known else behind.digest
        if self.digest(common, log) != digest:
            raise OutOfStep(f"edit {common} here is another one, or not kept any more")
        if witness and witness != record.witness:
            record = record._replace(witness=witness)
        return self._change(record, decided, last, entries[known:] if known else entries, log)

    def prove(self, epoch: int, decided: int, room: bool, now: float) -> Proved:
        """Answer a leader that proves itself; see MemberCalls.prove."""
        promised = self.lease.prove(epoch, self.record.promised, now)
        if promised == epoch == self.record.log_epoch:
            self.decided = self._decided(decided, self.record.last.txid)
        record, wish = self.record, self.wishes.told(now)
        return Proved(record.member_id, promised, record.last.txid, room, *wish)

    def release(self, epoch: int) -> None:
        """See MemberCalls.release."""
        self.lease.release(epoch, self.record.promised)

    def require_promise(self, epoch: int) -> None:
        """Raises Fenced unless this is the epoch that was promised last."""
        if epoch != self.record.promised:
            raise Fenced(f"epoch {epoch} is over, {self.record.promised} has been promised")

    def require_kept(self, txid: int) -> None:
        """Raises OutOfStep unless every edit behind this one is kept, and this one was here."""
        record = self.record
        if not record.base.txid <= txid <= record.last.txid:
            raise OutOfStep(f"edits behind {record.base.txid} are kept, up to {record.last.txid}, "
                            f"not those behind {txid}")

    def digest(self, txid: int, log: KeptLog) -> Optional[str]:
        """That of an edit in the log, or of the one before its first; None when it is not kept."""
        record = self.record
        for place in (record.last, record.applied, record.base):
            if place.txid == txid:
                return place.digest
        return log.digest(txid) if record.base.txid < txid < record.last.txid else None

    # What it does by itself.

    def pull(self, behind: Place, payload: bytes, log: KeptLog) -> Optional[Change]:
        """Take edits that another member knows as decided, behind a place that both have.

        Only what differs is cut: an own tail that goes on from there may be decided, too. Neither
        the promise nor the log's epoch changes. Raises OutOfStep when the place is none of ours.
        """
        entries = entries_of(behind, payload)
        if behind.txid > self.record.last.txid:
            raise OutOfStep(f"edit {behind.txid} is behind the last one, {self.record.last.txid}")
        end = behind.txid + len(entries)
        if end <= self.record.applied.txid:
            return None
        cut = self._agreeing(behind, entries, log)
        if cut == end:
            return self._change(self.record, end, self.record.last.txid, (), log)
        self._require_undecided(cut)
        return self._change(self.record, end, cut, entries[cut - behind.txid :], log)

    def settle(self, log: KeptLog) -> Optional[Change]:
        """Apply some of the edits that are decided and are not yet; None when there are none."""
        change = self._change(self.record, self.decided, self.record.last.txid, (), log)
        return None if change.record == self.record else change

    def done(self, change: Change) -> None:
        """The change is durable."""
        self.record = change.record
        # A proof may have told of more meanwhile.
        self.decided = max(self.decided, change.decided)

    def check(self) -> None:
        """Assert what must always hold."""
        record = self.record
        assert record.log_epoch <= record.promised, "a log of an epoch that was never promised"
        assert record.base.txid <= record.applied.txid <= self.decided <= record.last.txid

    def __repr__(self) -> str:
        record = self.record
        return f"<MemberCore to txid {record.last.txid}, epoch {record.promised}>"

    @property
    def _is_blank(self) -> bool:
        return not self.record.configuration.version

    def _state(self, room: bool) -> str:
        if self.trouble:
            return self.trouble
        if self._is_blank:
            return BLANK
        if not self.record.is_member:
            return STRANGER
        return OK if room else FULL

    def _require_owner(self, epoch: int, owner: str) -> None:
        record = self.record
        if epoch < record.promised or (epoch == record.promised and owner != record.owner):
            raise Fenced(f"epoch {record.promised} has been promised to {record.owner}")
        if epoch > record.promised:
            check_told(epoch, record.promised)

    def _require_leader(self, epoch: int) -> None:
        record = self.record
        if epoch < record.promised:
            raise Fenced(f"epoch {epoch} is over, {record.promised} has been promised")
        if epoch > record.promised or epoch != record.log_epoch:
            raise OutOfStep(f"the log is of epoch {record.log_epoch}, not yet of {epoch}")

    def _require_unapplied(self, behind: Place) -> None:
        applied = self.record.applied
        if behind.txid < applied.txid:
            raise OutOfStep(f"edits up to {applied.txid} are decided, not only to {behind.txid}")

    def _known_digest(self, txid: int, log: KeptLog) -> str:
        digest = self.digest(txid, log)
        if digest is None:
            raise CorruptData(f"edit {txid} is missing")
        return digest

    def _agreeing(self, behind: Place, entries: Sequence[Entry], log: KeptLog) -> int:
        """The last edit that these, behind that place, and the log have in common. Raises OutOfStep
        when the place itself is none of the log's."""
        if self.digest(behind.txid, log) != behind.digest:
            raise OutOfStep(f"edit {behind.txid} here is another one, or not kept")
        # Logs agree up to some edit, and nowhere behind it.
        same, other = 0, min(self.record.last.txid - behind.txid, len(entries)) + 1
        while other - same > 1:
            middle = (same + other) // 2
            entry = entries[middle - 1]
            if self.digest(entry.txid, log) == entry.digest:
                same = middle
            else:
                other = middle
        return behind.txid + same

    def _require_undecided(self, cut: int) -> None:
        """Raises OutOfStep when something that is known as decided would go."""
        if cut < self.decided:
            raise OutOfStep(f"edits up to {self.decided} are decided, and these differ")

    def _decided(self, told: int, last: int) -> int:
        """Up to where all is decided of a log that ends at `last`, when the leader of its epoch
        tells so much."""
        return max(self.decided, min(told, last))

    def _change(
        self, record: Record, told: int, cut: int, entries: Sequence[Entry], log: KeptLog
    ) -> Change:
        """The change to `record` and a log that ends with these entries behind `cut`: it applies
        what is decided by then, and prunes the log."""

        def place(txid: int) -> Place:
            if entries and txid > cut:
                return entries[txid - cut - 1].place
            return Place(txid, self._known_digest(txid, log))

        last = place(cut + len(entries))
        applied, base = record.applied, record.base
        decided = last.txid if record.is_alone else self._decided(told, last.txid)
        upto = min(decided, applied.txid + max(APPLY_EDITS_MAX, len(entries)))
        if self.halt is not None:
            upto = min(upto, self.halt)
        if upto > applied.txid and not self.still:
            applied = last if upto == last.txid else place(upto)
        surplus = last.txid - base.txid - self._keep_edits
        if surplus >= PRUNE_EDITS:
            # A bit at a time, yet never slower than edits come in.
            upto = base.txid + min(surplus, max(PRUNE_EDITS, 2 * len(entries)))
            base = place(min(upto, applied.txid))
        record = record._replace(last=last, applied=applied, base=base)
        return Change(record, cut, entries, decided)
