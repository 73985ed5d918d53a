"""The newest promise, when it could not be written into the database because the disk is full.

To lead takes a durable promise, and to read files takes a leader. So that files can be read from a
cluster whose record is on a full disk, a promise may be written over an older one here, and also
that the log, as it is, has been taken over by that leader. The database takes both over with the
first change that it has room for.
"""

import json
import os
from typing import NamedTuple, Optional

from metadata_service.member.member_core import Change
from metadata_service.member.member_record import Record
from zookeeper.fabric.errors import CorruptData
from zookeeper.fabric.spare import SpareRecord

NAME = "epoch.spare"
_BYTES_MAX = 4000


class Promise(NamedTuple):
    """The epoch that was promised, to whom, and in which epoch the log is."""

    promised: int
    owner: str
    log_epoch: int


def newest(record: Record, spare: Promise) -> Record:
    """The record, unless what was promised beside it is newer."""
    if (spare.promised, spare.log_epoch) <= (record.promised, record.log_epoch):
        return record
    if spare.log_epoch < record.log_epoch:
        raise CorruptData("the log is of a later epoch than what lies beside the database says")
    return record._replace(
        promised=spare.promised, owner=spare.owner, log_epoch=spare.log_epoch
    )


def kept_beside(before: Record, change: Change) -> Optional[Record]:
    """What is known after a change of which only the promise is kept; None when there is more to
    it than that, or no promise."""
    new = change.record
    rest = newest(before, Promise(new.promised, new.owner, new.log_epoch))
    is_more = change.entries or change.cut < before.last.txid
    is_all = rest == new._replace(applied=before.applied)
    return None if is_more or not is_all or rest == before else rest


class SparePromise:
    """The promise of one cluster's member that is kept beside its database."""

    def __init__(self, directory: str, cluster_id: str) -> None:
        self.cluster_id = cluster_id
        """Of whose member."""
        self._record = SpareRecord(os.path.join(directory, NAME), _BYTES_MAX)

    def prepare(self) -> None:
        """Set room aside for it; raises DiskFull."""
        self._record.prepare()

    def read(self) -> Promise:
        """What is here; of epoch 0 when there is nothing of this cluster. Raises CorruptData."""
        content = self._record.read()
        if content is None:
            return Promise(0, "", 0)
        try:
            # Before there were several members, who held the promise had the log.
            cluster_id, epoch, owner, *log_epoch = json.loads(content)
        except ValueError:
            raise CorruptData(f"{NAME} holds no epoch") from None
        if cluster_id != self.cluster_id:
            return Promise(0, "", 0)
        return Promise(int(epoch), str(owner), int(log_epoch[0] if log_epoch else epoch))

    def write(self, promise: Promise) -> None:
        """Make this the promise, durably. Raises DiskFull, DiskFailed."""
        self._record.write(json.dumps([self.cluster_id, *promise]).encode("ascii"))

    def __repr__(self) -> str:
        return f"<SparePromise in {self._record}>"
