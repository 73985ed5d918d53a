"""The disk of a member: its transactions, and what may happen to them."""

import copy
import json
from typing import Any, Dict, Optional

from metadata_service.edits import TABLES
from metadata_service.member.member_core import Change
from metadata_service.member.member_record import Record
from metadata_service.quorum import NOBODY, START
from metadata_service.record.chain import Entry
from zookeeper.fabric.errors import CorruptData

Tables = Dict[str, Dict[Any, tuple]]

SOUND, ROTTEN_ROW, ROTTEN_EDIT = "sound", "a row is rotten", "an edit is rotten"


def blank_record(member_id: str) -> Record:
    """What a member knows whose directory was empty."""
    return Record("", member_id, 0, "", 0, START, START, START, NOBODY, ())


class ModelDisk:
    """What is durable; each transaction is carried out as a whole, or not at all.

    It may be `full`, or hang until `stalled_until` (in the world's seconds), or rot.
    """

    def __init__(self, member_id: str) -> None:
        self.record = blank_record(member_id)
        self.log: Dict[int, Entry] = {}
        self.tables: Tables = {name: {} for name in TABLES}
        self.full = False
        self.stalled_until = 0.0
        self.health = SOUND

    def digest(self, txid: int) -> Optional[str]:
        """The digest of a kept edit."""
        entry = self.log.get(txid)
        return None if entry is None else entry.digest

    def carry_out(self, change: Change) -> None:
        """One transaction."""
        old, new = self.record, change.record
        for txid in [txid for txid in self.log if txid > change.cut]:
            del self.log[txid]
        for entry in change.entries:
            self.log[entry.txid] = entry
        for txid in range(old.applied.txid + 1, new.applied.txid + 1):
            self._apply(self.log[txid])
        for txid in [txid for txid in self.log if txid <= new.base.txid]:
            del self.log[txid]
        self.record = new

    def _apply(self, entry: Entry) -> None:
        for table, key, row in entry.edit.changes:
            if row is None:
                self.tables[table].pop(key, None)
            else:
                self.tables[table][key] = row

    def lines(self, behind: int, upto: int) -> list:
        """The kept edits of these numbers, as they are; CorruptData when they are not whole."""
        if self.health == ROTTEN_EDIT:
            raise CorruptData("an edit of the log is not what was written")
        return [self.log[txid].line for txid in range(behind + 1, upto + 1) if txid in self.log]

    def rows(self) -> list:
        """All rows in order, as (table, row); CorruptData when one is not what was written."""
        if self.health == ROTTEN_ROW:
            raise CorruptData("a row is not what was written")
        return [(table, rows[key]) for table, rows in sorted(self.tables.items())
                for key in sorted(rows)]

    def copied(self) -> "ModelDisk":
        """Its content, to be put back one day."""
        return copy.deepcopy(self)

    def install(self, record: Record, rows: list) -> None:
        """An image takes the place of the tables; of the log, what goes on from there stays."""
        self.tables = {name: {} for name in TABLES}
        for table, row in rows:
            self.tables[table][row[0]] = row
        self.log = {txid: entry for txid, entry in self.log.items()
                    if record.base.txid < txid <= record.last.txid}
        self.record = record
        self.health = SOUND

    def rename(self, member_id: str) -> None:
        """Another member's from now on, whose rows nobody trusts."""
        self.record = self.record._replace(member_id=member_id, log_epoch=0, witness=())
        self.health = ROTTEN_ROW

    def __repr__(self) -> str:
        return f"<ModelDisk to {self.record.last.txid}, {self.health}>"


def digest_of(rows: list) -> str:
    """Two images with the same one have the same rows."""
    return json.dumps(rows)
