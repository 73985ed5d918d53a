"""What the metadata service answers, and whom."""

from typing import Annotated, NamedTuple, Optional, Union

from zookeeper.fabric.calls import READS, TELLS, Calls, call
from zookeeper.fabric.identity import NAME_NODE
from zookeeper.fabric.kinds import INTEGER_MAX, Between, Length, Natural

Epoch = Annotated[int, Between(1, INTEGER_MAX)]
Txid = Annotated[int, Between(1, INTEGER_MAX)]
Owner = Annotated[str, Length(0, 200)]
Limit = Annotated[int, Between(1, INTEGER_MAX)]


class Status(NamedTuple):
    """The newest claimed epoch, the last durable txid, and whether there is room for edits."""

    cluster_id: str
    epoch: Natural
    last_txid: Natural
    room: bool


class Appended(NamedTuple):
    """The last durable txid after an append, and whether there is room for more edits."""

    durable_txid: Natural
    room: bool


class MetadataCalls(Calls, who=(NAME_NODE,)):
    """Everything that a namenode may ask; nobody else may."""

    @call(TELLS)
    def claim_epoch(
        self, owner: Owner, above: Optional[Natural] = None, at_least: Natural = 0
    ) -> Epoch:
        """A new epoch, durable and greater than all before: appends of older ones are Fenced.

        With `above`, the newest epoch that the caller has seen, it may be repeated under the same
        owner. `at_least` is what others than this service know of, which may have been restored
        from a backup since. Errors as in `MetadataDatabase.claim_epoch`.
        """

    @call(TELLS)
    def append(self, epoch: Natural, first_txid: Txid, payload: bytes) -> Appended:
        """The edits in the payload's lines become durable.

        All of them are, or an error is raised and none is; the same append may be sent again.
        Errors as in `MetadataDatabase.append`.
        """

    @call(TELLS)
    def checkpoint(self, epoch: Natural) -> Natural:
        """Copy the log into the database, read a sample back; the last txid that is in it."""

    @call(READS)
    def status(self) -> Status:
        """How far the record has come."""

    @call(READS)
    def load(self, table: str, after: Union[int, str, None], limit: Limit) -> bytes:
        """Lines of rows behind key `after` (None: from the first), in order; none at the end.

        Of an image table, of the log (`journal`), or of what is known of it (`state`).
        """

    @call(READS)
    def edits_since(self, txid: Natural, limit: Limit) -> bytes:
        """Lines of the edits that are kept behind `txid`, in order; none at the end."""
