"""What the metadata service answers, and whom."""

from typing import Annotated, Tuple, Union

from metadata_service.quorum import (
    Configuration,
    Digest,
    Export,
    MemberStatus,
    Place,
    Proved,
    Stored,
    Tail,
)
from zookeeper.fabric.calls import READS, TELLS, Calls, call
from zookeeper.fabric.identity import METADATA, NAME_NODE
from zookeeper.fabric.kinds import INTEGER_MAX, Between, Label, Natural, PerhapsLabel, Printable

Epoch = Annotated[int, Between(1, INTEGER_MAX)]
Owner = Annotated[str, Printable(1, 200)]
Limit = Annotated[int, Between(1, INTEGER_MAX)]
Witness = Tuple[Tuple[str, int, int], ...]
"""(member id, log epoch, txid) of each other member, as far as it has acknowledged."""

PEERS = (NAME_NODE, METADATA)
"""Who reads decided edits and images: namenodes, and other members that catch up."""


class MemberCalls(Calls, who=(NAME_NODE,)):
    """What one member of a quorum answers the namenode that leads or wants to, and its peers."""

    @call(READS, who=PEERS)
    def status(self) -> MemberStatus:
        """What the member knows."""

    @call(TELLS)
    def claim(self, cluster_id: PerhapsLabel, epoch: Epoch, owner: Owner) -> MemberStatus:
        """Promise this epoch, durably, to this owner: `host:port nonce`, a fresh one each claim.

        The same claim may be repeated. Raises Fenced when as new an epoch has been promised to
        another, Busy while the lease of a leader may still run here.
        """

    @call(TELLS)
    def adopt(
        self,
        epoch: Epoch,
        owner: Owner,
        behind: Place,
        payload: bytes,
        decided: Natural,
        configuration: Configuration,
    ) -> Stored:
        """The log up to `behind` stays; the edits in the payload take the place of what follows,
        and it is the log of this epoch from now on.

        A log that is of this epoch already is never cut; only a later configuration is taken.
        Raises Fenced, or OutOfStep when the log differs at `behind`, or has applied more.
        """

    @call(TELLS)
    def append(
        self, epoch: Epoch, behind: Place, payload: bytes, decided: Natural, witness: Witness
    ) -> Stored:
        """The edits in the payload's lines are stored behind that place, durably.

        Edits that are here already are compared and passed over, so it may be sent again. Edits
        up to `decided` are applied to the image. An empty `witness` leaves the one of before. A log
        that ends before `behind` stays as it is, which the answer tells. Raises Fenced, OutOfStep
        when the log differs, DiskFull (nothing happened) or DiskFailed.
        """

    @call(TELLS)
    def prove(self, epoch: Epoch, decided: Natural) -> Proved:
        """The leader of this epoch lives, and this is decided. Nothing is written at once."""

    @call(TELLS)
    def release(self, epoch: Epoch) -> None:
        """The leader of this epoch answers nobody any more: claims are welcome."""

    @call(TELLS)
    def wish(self, address: Label, missed_by: Natural) -> None:
        """The namenode at this address would lead: so many datanodes, most of them, hear it and
        miss the one that does. That one learns of it when it proves itself, for a moment. Raises
        InvalidArgument when the member's config.ini names no such namenode."""

    @call(READS, who=PEERS, waits=True)
    def tail(self, txid: Natural, limit: Limit, wait: float) -> Tail:
        """Decided edits behind `txid`, at most `limit`; waits up to `wait` seconds for one."""

    @call(READS)
    def undecided(self, epoch: Epoch, txid: Natural, limit: Limit) -> bytes:
        """Lines of all edits behind `txid`, for who holds the promise of `epoch`: else Fenced.
        OutOfStep when they are not all kept."""

    @call(TELLS)
    def checkpoint(self, epoch: Epoch) -> Natural:
        """Copy the log into the database, read a sample back; the last txid that is in it."""

    @call(READS, who=PEERS)
    def load(
        self, table: str, after: Union[int, str, None], limit: Limit, export_id: PerhapsLabel = ""
    ) -> bytes:
        """Lines of rows behind key `after` (None: from the first), in order; none at the end.

        Of an image table, of the log (`journal`), or of what is known of it (`state`). With an
        export's id, of that export: SessionExpired when it has ended.
        """

    @call(TELLS, who=PEERS)
    def begin_export(self) -> Export:
        """Apply no edits for a while, so that pages of `load` are one image at one place."""

    @call(TELLS, who=PEERS)
    def end_export(self, export_id: PerhapsLabel) -> Digest:
        """Go on applying edits; the digest of the lines of all image tables in key order."""


class ScrubCalls(Calls, who=(NAME_NODE,)):
    """How members are compared with each other."""

    @call(READS, waits=True)
    def image_digest(self, epoch: Epoch, txid: Natural) -> Digest:
        """The same digest of the image that stands at this edit: OutOfStep when it is past it, or
        does not come to it soon. Every row is compared with its checksum: CorruptData."""

    @call(TELLS)
    def doubt(self, epoch: Epoch, digest: Digest) -> None:
        """The image that was digested last has this digest elsewhere: a member that found another
        one is damaged from now on."""
