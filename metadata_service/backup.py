"""A copy of the record in a directory of its own, written while edits go on; and put back.

Theory of operation. Pages of the tables come in one after the other, and between them the record
changes, so that together they are an image of no moment. But an edit holds whole rows: when all
edits since before the first page are carried out once more, in their order, the tables are what the
last of them left, whatever a page knew already. So nothing has to stand still for a backup, and
nobody has to keep an old state for it.

What is made is a directory as the metadata service itself has one. Its VERSION comes last: a copy
that was cut short has none, and is refused by whoever would use it.
"""

import os
import shutil
from contextlib import contextmanager
from typing import Dict, Iterator, NamedTuple, Sequence

from metadata_service import image_tables, version_file
from metadata_service.edit_log import following
from metadata_service.edits import TABLES, Row, Table, decode
from metadata_service.inspection import EVERY_ROW, check_rows, is_complete
from metadata_service.migrations import LAYOUTS
from metadata_service.opening import NAME, RESTORING, create
from metadata_service.schema import BASE, JOURNAL, LAYOUT, SQL, STATE, put, read_state, verified
from metadata_service.sqlite import LOOK_WITHOUT_LOG, Connection, close, connect, translated
from metadata_service.version_file import Version
from zookeeper.fabric import disk
from zookeeper.fabric.errors import CorruptData, ProtocolViolation, StartRefused

_EDITS_AT_ONCE = 1000
_LOG_PAGES = 1000
"""Pages after which SQLite empties its log into the database: it would become as large as that."""


class BackedUp(NamedTuple):
    """What a backup holds: whose record, the last edit in it, and how many rows, by table."""

    cluster_id: str
    last_txid: int
    rows: Dict[str, int]


class Backup:
    """A backup that is being written into `directory`, which holds nothing and is the caller's.

    First `begin`, then pages and edits, at last `finish`. Raises DiskFull, DiskFailed.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._connection: Connection = create(os.path.join(directory, NAME))
        with translated():
            self._connection.execute(f"PRAGMA wal_autocheckpoint={_LOG_PAGES}")
        self._cluster_id = self._digest = ""
        self._first_txid = self.last_txid = 0

    def begin(self, cluster_id: str, epoch: int, base: str, edits: Sequence[Row]) -> None:
        """Whose record it is, and the first edits of its log, behind that with the digest `base`.

        Pages that are added later must be of a moment when the first of them was durable.
        """
        self._cluster_id, self._digest = cluster_id, base
        self._first_txid = edits[0][0] if edits else 1
        state = {"cluster_id": cluster_id, "epoch": str(epoch), "owner": "backup", BASE: base}
        with self._transaction():
            for row in state.items():
                put(self._connection, STATE, row)
        self.add_edits(edits)

    def add_rows(self, table: Table, rows: Sequence[Row]) -> None:
        """A page of an image table, as it was at some moment since `begin`."""
        with self._transaction():
            for row in rows:
                _require(table, row)
                put(self._connection, table, row)

    def add_edits(self, rows: Sequence[Row]) -> None:
        """The rows of the log behind `last_txid`. Raises CorruptData when these are others: the
        record was put back from a backup meanwhile, or its log was pruned faster than it was read.
        """
        last, digest = self.last_txid, self._digest
        with self._transaction():
            for row in rows:
                _require(JOURNAL, row)
                digest = following(digest, row[3])
                if row[0] != (last + 1 if last else self._first_txid) or row[2] != digest:
                    raise CorruptData(
                        f"edit {row[0]} does not follow edit {last} of the backup: begin again"
                    )
                put(self._connection, JOURNAL, row)
                last = row[0]
        self.last_txid, self._digest = last, digest

    def finish(self) -> BackedUp:
        """Carry the edits out, compare all with its checksums, and make it one that may be used.

        Raises CorruptData when the disk gives back something else than was written.
        """
        txid = 0
        while txid < self.last_txid:
            txid = self._carry_out(txid)
        with translated():
            check_rows(self._connection, rows=EVERY_ROW)
            counts = {
                name: self._connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
                for name in TABLES
            }
            number = int(read_state(self._connection)["log"])
        self.close()
        version_file.write(self._directory, Version(self._cluster_id, LAYOUT, number))
        return BackedUp(self._cluster_id, self.last_txid, counts)

    def close(self) -> None:
        """Close the database. One that is not finished has no VERSION, and nobody takes it."""
        close(self._connection)

    def _carry_out(self, txid: int) -> int:
        """Some more of the edits, behind this one; the last of them."""
        rows = self._connection.execute(SQL[JOURNAL.name].behind, (txid, _EDITS_AT_ONCE))
        lines = [row for row, _ in verified(JOURNAL, rows.fetchall())]
        with self._transaction():
            image_tables.apply(self._connection, [decode(row[3]) for row in lines])
        return int(lines[-1][0])

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with translated():
            self._connection.execute("BEGIN IMMEDIATE")
            yield
            self._connection.execute("COMMIT")


def _require(table: Table, row: Row) -> None:
    if not table.accepts(row):
        raise ProtocolViolation(f"an odd row of {table.name} came from the metadata service")


def restore(backup: str, directory: str) -> None:
    """Put the backup of a record into the directory of a metadata service that has none.

    The caller holds the lock of that directory. Raises StartRefused when the backup is not whole,
    or when there is a record, which then stays as it is.
    """
    version = version_file.read(backup)
    source, path = os.path.join(backup, NAME), os.path.join(directory, NAME)
    if version is None or not os.path.exists(source):
        raise StartRefused(f"{backup} is no whole backup: there is no VERSION, or no {NAME} in it")
    if os.path.exists(source + "-wal"):
        raise StartRefused(f"{source} is in use, or was when it was copied: a backup is what "
                           "`client.py admin -backup` makes")
    copy = os.path.join(directory, RESTORING)
    begun = os.path.exists(copy)
    if os.path.exists(path) or (version_file.read(directory) is not None and not begun):
        raise StartRefused(f"{directory} has a record of its own: move it away first; nothing was "
                           "changed")
    with disk.disk_errors(copy, "write"):
        shutil.copyfile(source, copy)
        os.chmod(copy, 0o600)
        with open(copy, "rb+") as file:
            os.fsync(file.fileno())
    _check(copy, backup, version)
    version_file.write(directory, version)
    with disk.disk_errors(path, "write"):
        os.rename(copy, path)
    disk.fsync_directory(directory)


def _check(copy: str, backup: str, version: Version) -> None:
    """Raise StartRefused unless every row is what was written once; then there is no copy."""
    try:
        connection = connect(copy, LOOK_WITHOUT_LOG)
        try:
            with translated():
                whole = is_complete(connection, copy, version)
                if whole:
                    check_rows(connection, LAYOUTS[version.layout], EVERY_ROW)
        finally:
            connection.close()
    except CorruptData as error:
        os.remove(copy)
        raise StartRefused(f"the backup {backup} is damaged ({error.message}): take another one; "
                           "nothing was changed") from None
    if not whole:
        os.remove(copy)
        raise StartRefused(f"the backup {backup} holds no record: take another one")
