"""A member of the metadata quorum in memory: the real `MemberCore`, and a disk that never fails."""

import itertools
from typing import Any, Dict, List, Optional, Tuple

from metadata_service.calls import Witness
from metadata_service.edits import TABLES, Edit, join_lines
from metadata_service.member.member_core import Change, MemberCore
from metadata_service.member.member_record import Record, alone
from metadata_service.quorum import (
    NOBODY,
    START,
    Configuration,
    MemberStatus,
    Place,
    Proved,
    Stored,
    Tail,
)
from metadata_service.record.chain import Entry

CLUSTER = "cluster"
LEASE_SECONDS = 1.65

BLANK = Record("", "m1", 0, "", 0, START, START, START, NOBODY, ())
ALONE = BLANK._replace(cluster_id=CLUSTER, configuration=alone("m1", "localhost:1"))


class MemoryLog:
    """Entries in a row, of which the first may be pruned."""

    def __init__(self) -> None:
        self.entries: Dict[int, Entry] = {}

    def digest(self, txid: int) -> Optional[str]:
        """See KeptLog."""
        entry = self.entries.get(txid)
        return entry.digest if entry else None

    def between(self, txid: int, last: int) -> List[Entry]:
        """The entries behind one edit up to another."""
        numbers = range(txid + 1, last + 1)
        return [self.entries[number] for number in numbers if number in self.entries]


class MemoryMember:
    """Answers as MemberCalls says. `now` is its clock, `room` its disk's."""

    def __init__(
        self,
        record: Record = ALONE,
        keep_edits: int = 1 << 30,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self.log = MemoryLog()
        self.tables: Dict[str, Dict[Any, Tuple[Any, ...]]] = {name: {} for name in TABLES}
        self.now = 0.0
        self.room = True
        self._settings = keep_edits, lease_seconds
        self.core = MemberCore(record, keep_edits, lease_seconds, self.now)

    def restart(self) -> None:
        """What is on the disk is still there."""
        self.core = MemberCore(self.core.record, *self._settings, self.now)

    @property
    def record(self) -> Record:
        """What it knows."""
        return self.core.record

    @property
    def lines(self) -> List[str]:
        """The texts of all edits that it keeps."""
        return [entry.line for entry in list(self.log.entries.values())]

    def status(self) -> MemberStatus:
        """See MemberCalls."""
        return self.core.status(self.room, self.now)

    def claim(self, cluster_id: str, epoch: int, owner: str) -> MemberStatus:
        """See MemberCalls."""
        self.carry_out(self.core.claim(cluster_id, epoch, owner, self.now))
        return self.status()

    def adopt(
        self, epoch: int, owner: str, behind: Place, payload: bytes, decided: int,
        configuration: Configuration,
    ) -> Stored:  # fmt: skip
        """See MemberCalls."""
        self.carry_out(self.core.adopt(
            epoch, owner, behind, payload, decided, configuration, self.log))
        return self.core.stored(self.room)

    def append(
        self, epoch: int, behind: Place, payload: bytes, decided: int, witness: Witness
    ) -> Stored:
        """See MemberCalls."""
        self.carry_out(self.core.append(epoch, behind, payload, decided, witness, self.log))
        return self.core.stored(self.room)

    def prove(self, epoch: int, decided: int) -> Proved:
        """See MemberCalls."""
        return self.core.prove(epoch, decided, self.room, self.now)

    def release(self, epoch: int) -> None:
        """See MemberCalls."""
        self.core.release(epoch)

    def pull(self, behind: Place, payload: bytes) -> Stored:
        """Take decided edits from another member."""
        self.carry_out(self.core.pull(behind, payload, self.log))
        return self.core.stored(self.room)

    def settle(self) -> None:
        """Apply what is decided."""
        self.carry_out(self.core.settle(self.log))

    def tail(self, txid: int, limit: int, _wait: float) -> Tail:
        """See MemberCalls; waits for nothing."""
        decided = self.core.decided
        behind = not self.record.base.txid <= txid <= decided
        found = [] if behind else self.log.between(txid, min(decided, txid + limit))
        return Tail(decided, join_lines(entry.line for entry in found), behind)

    def undecided(self, epoch: int, txid: int, limit: int) -> bytes:
        """See MemberCalls."""
        self.core.require_promise(epoch)
        self.core.require_kept(txid)
        found = self.log.between(txid, min(self.record.last.txid, txid + limit))
        return join_lines(entry.line for entry in found)

    def page(self, table: str, after: Any, limit: int) -> List[Tuple[Any, ...]]:
        """Some rows of an image table in the order of their keys."""
        rows = self.tables[table]
        keys = (key for key in sorted(rows) if after is None or key > after)
        return [rows[key] for key in itertools.islice(keys, limit)]

    def carry_out(self, change: Optional[Change]) -> None:
        """Do what was decided, all at once."""
        if change is None:
            return
        entries, before, after = self.log.entries, self.record, change.record
        assert change.cut >= before.applied.txid, "what was applied is never cut"
        for txid in range(change.cut + 1, before.last.txid + 1):
            del entries[txid]
        entries.update((entry.txid, entry) for entry in change.entries)
        for entry in self.log.between(before.applied.txid, after.applied.txid):
            self.apply(entry.edit)
        for txid in range(before.base.txid + 1, after.base.txid + 1):
            del entries[txid]
        self.core.done(change)
        self.check()

    def apply(self, edit: Edit) -> None:
        """Make an edit's changes."""
        for table, key, row in edit.changes:
            if row is None:
                self.tables[table].pop(key, None)
            else:
                self.tables[table][key] = row

    def check(self) -> None:
        """Assert that the log is where the record says."""
        self.core.check()
        base, last = self.record.base, self.record.last
        assert list(self.log.entries) == list(range(base.txid + 1, last.txid + 1))
        assert not self.log.entries or self.log.digest(last.txid) == last.digest
