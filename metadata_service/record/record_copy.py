"""A database that is filled with another one's rows: for a backup, or for a member without a whole
image.

Nobody looks into it before it is whole, so what is written need not be synced page by page.
"""

from typing import Dict, Mapping, Sequence

from metadata_service.edits import TABLES, Row, Table, decode
from metadata_service.member.member_record import place_text
from metadata_service.quorum import START, Place
from metadata_service.record import image_tables
from metadata_service.record.chain import following
from metadata_service.record.inspection import EVERY_ROW, check_rows
from metadata_service.record.opening import EMPTY, create
from metadata_service.record.schema import JOURNAL, SQL, STATE, put, read_state, verified
from metadata_service.record.sqlite import Connection, close, transaction, translated
from zookeeper.fabric.errors import CorruptData, DiskFailed, ProtocolViolation

_LOG_PAGES = 1000
"""Pages after which SQLite empties its log into the database: it would become as large as that."""


class RecordCopy:
    """A new database at `path`, where there is none. Raises DiskFull, DiskFailed."""

    def __init__(self, path: str) -> None:
        self._connection: Connection = create(path, EMPTY)
        with translated():
            self._connection.execute(f"PRAGMA wal_autocheckpoint={_LOG_PAGES}")
            self._connection.execute("PRAGMA synchronous=NORMAL")  # With the log, not each page.
        self.base, (self.last_txid, self._digest) = START, START
        """Where its log begins, and the last edit that it has."""

    @property
    def last(self) -> Place:
        """Where its log ends."""
        return Place(self.last_txid, self._digest)

    def set_state(self, rows: Mapping[str, str]) -> None:
        """Store these rows of the table `state`."""
        with transaction(self._connection):
            for row in rows.items():
                put(self._connection, STATE, row)

    def state(self) -> Dict[str, str]:
        """The rows of the table `state`."""
        with translated():
            return read_state(self._connection)

    def put_rows(self, table: Table, rows: Sequence[Row]) -> None:
        """Store a page of an image table. Raises ProtocolViolation for rows that are none of it."""
        with transaction(self._connection):
            for row in rows:
                _require(table, row)
                put(self._connection, table, row)

    def begin_log(self, base: Place) -> None:
        """The log begins behind this place."""
        self.base, (self.last_txid, self._digest) = base, base
        self.set_state({"base": place_text(base)})

    def add_edits(self, rows: Sequence[Row]) -> None:
        """Store the next rows of the log; raises CorruptData when they do not follow `last_txid`:
        the record is another one by now, or its log was pruned faster than it was read."""
        last, digest = self.last_txid, self._digest
        with transaction(self._connection):
            for row in rows:
                _require(JOURNAL, row)
                digest = following(digest, row[3])
                if row[0] != last + 1 or row[2] != digest:
                    raise CorruptData(
                        f"edit {row[0]} does not follow edit {last} of the copy: begin again"
                    )
                put(self._connection, JOURNAL, row)
                last = row[0]
        self.last_txid, self._digest = last, digest

    def carry_out(self, txid: int, limit: int) -> int:
        """Make the changes of some edits behind this one; the last of them."""
        with transaction(self._connection):
            rows = self._connection.execute(SQL[JOURNAL.name].behind, (txid, limit))
            edits = [row for row, _ in verified(JOURNAL, rows.fetchall())]
            image_tables.apply(self._connection.cursor(), [decode(row[3]) for row in edits])
        return int(edits[-1][0])

    def checked(self) -> Dict[str, int]:
        """Read everything back; how many rows each image table has. Raises CorruptData when the
        disk gives back something else than was written."""
        with translated():
            check_rows(self._connection, rows=EVERY_ROW)
            return {name: image_tables.count(self._connection, name) for name in TABLES}

    def settle(self) -> None:
        """Have all of it in its one file, on the disk: a close would keep a log that has no room
        there, without a word."""
        with translated():
            busy = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if busy:
            raise DiskFailed("a copy of the record could not be put into one file")

    def close(self) -> None:
        """Close it."""
        close(self._connection)

    def __repr__(self) -> str:
        return f"<RecordCopy to txid {self.last_txid}>"


def _require(table: Table, row: Row) -> None:
    if not table.accepts(row):
        raise ProtocolViolation(f"an odd row of {table.name} came from the metadata service")
