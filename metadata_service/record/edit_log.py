"""The edits that are kept, as a log in the database: dense, chained, pruned at its beginning.

A log that was pruned begins behind its `base`. Everything that writes runs inside a transaction of
the caller's, and nothing is remembered before that has been committed.
"""

from typing import Any, Iterator, List, NamedTuple, Optional

from metadata_service.edits import Edit, decode
from metadata_service.member.member_core import Change
from metadata_service.member.member_record import Record
from metadata_service.quorum import START, Place
from metadata_service.record.chain import following
from metadata_service.record.recent_entries import RecentEntries
from metadata_service.record.schema import JOURNAL, SQL, put, verified
from metadata_service.record.sqlite import Connection, Cursor
from zookeeper.fabric.errors import CorruptData

_DROP_BEHIND = "DELETE FROM journal WHERE txid > ?"
_DROP_UP_TO = "DELETE FROM journal WHERE txid <= ?"


class Span(NamedTuple):
    """How many edits a table has, the first txid, the last; zeros when there are none."""

    kept: int
    first: int
    last: int


class EditLog:
    """The log in an open database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._recent = RecentEntries()

    def last(self) -> Place:
        """Where the log ends; START when there are no edits in it."""
        last = span_of(self._connection).last
        return Place(last, next(self._rows(last - 1, 1))[2]) if last else START

    def digest(self, txid: int) -> Optional[str]:
        """The digest of a kept edit, or None when there is no such edit."""
        recent = self._recent.digest(txid)
        if recent is not None:
            return recent
        row = next(self._rows(txid - 1, 1), None)
        return str(row[2]) if row is not None and row[0] == txid else None

    def lines(self, txid: int, last: int) -> Iterator[str]:
        """The texts of the edits behind `txid`, up to `last`. Ones that are not kept any more are
        passed over."""
        recent = self.recent_lines(txid, last)
        if recent is not None:
            return iter(recent)
        return (row[3] for row in self._rows(txid, max(last - txid, 0)) if row[0] <= last)

    def recent_lines(self, txid: int, last: int) -> Optional[List[str]]:
        """The same, from memory; None when they are not all there."""
        return self._recent.lines(txid, last)

    def store(self, cursor: Cursor, before: Record, change: Change) -> List[Edit]:
        """Cut, store and prune as the change says; the edits that shall be applied."""
        after = change.record
        if change.cut < before.last.txid:
            cursor.execute(_DROP_BEHIND, (change.cut,))
        for entry in change.entries:
            row = (entry.txid, after.log_epoch, entry.digest, entry.line)
            put(cursor, JOURNAL, row)
        edits = self._edits(before.applied.txid, after.applied.txid, change)
        if after.base != before.base:
            cursor.execute(_DROP_UP_TO, (after.base.txid,))
        return edits

    def remember(self, change: Change) -> None:
        """The change has been committed."""
        self._recent.change(change.cut, change.entries, change.record.applied.txid)

    def _edits(self, txid: int, last: int, change: Change) -> List[Edit]:
        """The edits behind `txid` up to `last` of the log as it is after the change."""
        kept = min(last, change.cut)
        edits: List[Edit] = []
        if kept > txid:
            known = self._recent.unapplied(txid, kept)
            if known is None:
                known = [decode(row[3]) for row in self._rows(txid, kept - txid)]
            edits = known
        edits += [entry.edit for entry in change.entries if txid < entry.txid <= last]
        if len(edits) != last - txid:
            raise CorruptData(f"edits between {txid} and {last} are missing")
        return edits

    def _rows(self, txid: int, limit: int) -> Iterator[List[Any]]:
        found = self._connection.execute(SQL["journal"].behind, (txid, limit))
        return (row for row, _ in verified(JOURNAL, found))


def span_of(connection: Connection, table: str = "journal") -> Span:
    """Which edits a table has."""
    query = f"SELECT count(*), ifnull(min(txid), 0), ifnull(max(txid), 0) FROM {table}"
    return Span(*connection.execute(query).fetchone())


def check_chain(connection: Connection, base: str, limit: int) -> None:
    """Raise CorruptData unless the first `limit` edits follow the one with the digest `base`, and
    each other."""
    digest = base
    rows = connection.execute(SQL["journal"].first, (limit,))
    for (txid, _, found, line), _ in verified(JOURNAL, rows):
        digest = following(digest, line)
        if found != digest:
            raise CorruptData(f"edit {txid} does not follow the one before it")
