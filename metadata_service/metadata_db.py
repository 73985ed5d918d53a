"""The durable record of the namespace: edits and image tables in one SQLite database.

Theory of operation. One transaction holds the edits of an append and their row changes; it is
synced (WAL, `synchronous=FULL`) before the append is answered. There is exactly one connection,
used under one lock by whichever thread serves the request: SQLite before 3.51.3, which stock
Pythons have, can corrupt a database that two connections write or checkpoint at once. For the same
reason `locking_mode=EXCLUSIVE` keeps other programs out. Input and output under this lock is the
lock's purpose, and a hand-over to a writing thread would cost more than the lock does.

What SQLite does not notice by itself is noticed here: a row carries the CRC32 of its values, the
log is searched for damage before SQLite drops what follows it (`write_ahead_log.py`), a lost log
or an old copy of the database is known by VERSION (`version_file.py`), and a directory that was
used before is never taken for a new one (`inspection.py`).

After a failed write or sync nothing more is accepted until the process is started again: the
kernel forgets that pages were dirty, so a second sync that succeeds proves nothing.
"""

import os
import threading
import time
from contextlib import contextmanager
from typing import Any, Iterator, Optional, Sequence, Tuple

from metadata_service import image_tables, version_file
from metadata_service.edit_log import EditLog, span_of
from metadata_service.edits import Edit, Table, decode, join_lines
from metadata_service.epochs import is_believable
from metadata_service.inspection import check_rows
from metadata_service.open_files import OpenFiles
from metadata_service.opening import NAME, opened_whole
from metadata_service.schema import LAYOUT, STATE, bounded, put, read_state
from metadata_service.spare_epoch import SpareEpoch
from metadata_service.sqlite import Connection, close, roll_back, translated
from metadata_service.version_file import Version
from zookeeper.fabric import logs
from zookeeper.fabric.errors import (
    CorruptData,
    DfsError,
    DiskFailed,
    DiskFull,
    Fenced,
    ProtocolViolation,
)
from zookeeper.fabric.figures import SIZES, Family, Histogram, gauge, histogram

log = logs.get("metadata_db")

LOG_ROWS = 2_000
"""Rows written to the write-ahead log before its pages are copied into the database; each is about
one page of 4 KiB."""


class MetadataDatabase:
    """An open database. Every method may be called from any thread."""

    def __init__(self, directory: str, connection: Connection, keep_edits: int) -> None:
        self._directory = directory
        self._connection = connection
        self._files = OpenFiles(os.path.join(directory, NAME))
        self._lock = threading.Lock()
        self._failure: Optional[DfsError] = None
        self._log_rows = 0
        # Whether a log must be begun before anything is written, which the disk had no room for.
        self._log_due = True
        with translated():
            state = read_state(connection)
            self._edits = EditLog(connection, keep_edits)
        self.cluster_id = state["cluster_id"]
        self._log_number = int(state["log"])
        noted = int(state["epoch"]), state["owner"]
        self._commits, self._batches = Histogram(), Histogram(SIZES)
        self._spare = SpareEpoch(directory, self.cluster_id)
        self._epoch, self._owner = max(noted, self._spare.read())
        # Whether the database itself has the newest epoch.
        self._epoch_noted = self._epoch == noted[0]
        with self._lock:
            self._prepare()

    @classmethod
    def open(cls, directory: str, keep_edits: int) -> "MetadataDatabase":
        """Open the database in `directory`, or create it in a directory that was never used.

        The caller holds the directory's lock. Raises StartRefused when anything is missing,
        damaged, foreign or too new: then nothing has been changed.
        """
        with opened_whole(directory) as connection:
            return cls(directory, connection, keep_edits)

    @property
    def status(self) -> Tuple[str, int, int]:
        """(cluster id, newest claimed epoch, last durable txid)."""
        with self._lock:
            return self.cluster_id, self._epoch, self._edits.span.last

    def claim_epoch(self, owner: str, above: Optional[int] = None, at_least: int = 0) -> int:
        """A new epoch, greater than every earlier one and durable; `owner` is told to people.

        With `above` it follows this epoch, and the call may be repeated: the same owner gets the
        same epoch again. Raises Fenced when another claimed it first, so that a request that
        arrives late cannot end the term of who leads by now. The epoch is `at_least` so large,
        unless that is too large to be believed. A full disk takes it, too, in its spare place.
        """
        with self._lock:
            epoch = self._epoch + 1
            if above is not None and self._epoch > above and self._owner == owner:
                return self._epoch
            if above not in (None, self._epoch):
                raise Fenced(f"epoch {self._epoch} has been claimed by {self._owner} meanwhile")
            if is_believable(at_least, epoch):
                epoch = max(epoch, at_least)
            elif at_least:
                log.error("epoch.implausible", epoch=at_least, known=self._epoch)
            try:
                self._begin_log_when_due()
                with self._transaction():
                    self._note_epoch(epoch, owner)
                self._epoch_noted = True
            except DiskFull as error:
                log.warning("disk.full", error=error.message, effect="no change until it has room")
                self._spare.write(epoch, owner)
                self._epoch_noted = False
            self._epoch, self._owner = epoch, owner
        log.info("epoch.claimed", epoch=epoch, owner=owner)
        return epoch

    def append(self, epoch: int, first_txid: int, lines: Sequence[str]) -> int:
        """Make encoded edits, numbered from `first_txid`, durable; returns the last durable txid.

        Edits that are here already are compared and passed over, so an append whose answer was
        lost may be sent again. Raises Fenced when a newer epoch was claimed, ProtocolViolation on
        a gap or on other content under a known txid, DiskFull (nothing happened) or DiskFailed.
        """
        edits = [decode(line) for line in lines]
        if not edits or any(edit.txid != first_txid + i for i, edit in enumerate(edits)):
            raise ProtocolViolation(f"edits from txid {first_txid} are not numbered densely")
        with self._lock:
            self._admit(epoch)
            last = self._edits.span.last
            known = last + 1 - first_txid
            if known < 0:
                raise ProtocolViolation(f"edits from {first_txid} come after {last}")
            if known:
                with translated():
                    self._edits.compare(first_txid, lines[:known])
            if known < len(edits):
                self._commit(epoch, edits[known:], lines[known:])
                self._checkpoint_when_due()
            return self._edits.span.last

    def load(self, table: Table, after: Any, limit: int, bytes_max: int) -> bytes:
        """Encoded rows in order of their keys, from behind key `after` (None: from the first).

        At most `limit` rows and, behind the first, `bytes_max` bytes; none at the end. Raises
        CorruptData when a row is not what was written.
        """
        with self._lock, translated():
            rows = image_tables.lines(self._connection, table, after, limit)
            return join_lines(bounded(rows, bytes_max))

    def edits_since(self, txid: int, limit: int, bytes_max: int) -> bytes:
        """Encoded edits behind `txid`, bounded as in `load`. Older ones may have been pruned."""
        with self._lock, translated():
            return join_lines(bounded(self._edits.behind(txid, limit), bytes_max))

    def checkpoint(self, epoch: int) -> int:
        """Copy the log into the database now, durably; the last txid that is in it.

        Then a sample of the rows is read back, as at a start: CorruptData when it is damaged.
        """
        with self._lock:
            self._admit(epoch)
            if self._failure is not None:
                raise self._failure
            self._begin_log_or_fail()
            with translated():
                check_rows(self._connection)
            return self._edits.span.last

    def figures(self) -> Tuple[Family, ...]:
        """How far the record has come, how large it is, how long its disk takes."""
        with self._lock:
            span, epoch = self._edits.span, self._epoch
            commits = histogram("pyhdfs_commit_seconds",
                                "How long it took to make a change durable.", self._commits)
            batches = histogram("pyhdfs_edits_in_commit",
                                "How many edits became durable at once.", self._batches)
        kept = span.last - span.first + 1 if span.last else 0
        path = os.path.join(self._directory, NAME)
        return (
            gauge("pyhdfs_last_txid", "The last edit that is durable.", span.last),
            gauge("pyhdfs_epoch", "The newest epoch that a namenode has claimed.", epoch),
            gauge("pyhdfs_edits_kept", "Edits that are kept behind the image.", kept),
            gauge("pyhdfs_database_bytes", "Size of the database.", _size(path)),
            gauge("pyhdfs_database_log_bytes", "Size of its log.", _size(path + "-wal")),
            gauge("pyhdfs_database_failed", "Whether it takes no edits any more.",
                  self._failure is not None),
            commits,
            batches,
        )  # fmt: skip

    def close(self) -> None:
        """End the last running call, then close; SQLite copies the log into the database."""
        with self._lock:
            self._failure = self._failure or DiskFailed("the database has been closed")
            try:
                close(self._connection)
            except DfsError as error:
                # What was promised is durable in the log; the next start reads it there.
                log.warning("close.failed", directory=self._directory, error=error)

    def check(self) -> None:
        """Assert what must always hold between the database and what is kept in memory."""
        with self._lock, translated():
            assert self._connection.in_transaction is False
            count, first, last = span_of(self._connection)
            assert EditLog(self._connection, 0).span == self._edits.span
            assert count == (last - first + 1 if last else 0)
            noted = int(read_state(self._connection)["epoch"])
            assert max(noted, self._spare.read()[0]) == self._epoch
            assert (noted == self._epoch) == self._epoch_noted

    def __repr__(self) -> str:
        failed = f", failed: {self._failure}" if self._failure else ""
        return f"<MetadataDatabase to txid {self._edits.span.last}, epoch {self._epoch}{failed}>"

    def _admit(self, epoch: int) -> None:
        if epoch < self._epoch:
            raise Fenced(f"epoch {epoch} is over, {self._epoch} has been claimed")
        if epoch > self._epoch:
            raise ProtocolViolation(f"epoch {epoch} was never claimed, {self._epoch} is the newest")

    def _commit(self, epoch: int, edits: Sequence[Edit], lines: Sequence[str]) -> None:
        self._begin_log_when_due()
        with self._transaction():
            if not self._epoch_noted:
                self._note_epoch(self._epoch, self._owner)
            span = self._edits.append(epoch, lines)
            rows = image_tables.apply(self._connection, edits)
        self._batches.note(len(edits))
        self._edits.span, self._epoch_noted = span, True
        self._log_rows += len(lines) + rows

    def _note_epoch(self, epoch: int, owner: str) -> None:
        put(self._connection, STATE, ("epoch", str(epoch)))
        put(self._connection, STATE, ("owner", owner))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Commit what the block wrote, durably, or roll all of it back and raise one of ours."""
        if self._failure is not None:
            raise self._failure
        try:
            with translated():
                self._connection.execute("BEGIN IMMEDIATE")
                yield
                began = time.monotonic()
                self._connection.execute("COMMIT")
                self._commits.note(time.monotonic() - began)
            self._files.require_present()
        except Exception as error:
            self._roll_back()
            if isinstance(error, (DiskFailed, CorruptData)):
                self._fail(error)
            raise

    def _roll_back(self) -> None:
        try:
            roll_back(self._connection)
        except DfsError as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """Accept nothing more: what is on the disk is not known until the next start."""
        self._failure = DiskFailed(f"the database failed and takes no more edits: {error}")
        log.error("database.failed", directory=self._directory, error=error)

    def _prepare(self) -> None:
        """What a start writes. On a full disk it is made good with the first change."""
        try:
            self._spare.prepare()
            self._begin_log_when_due()
        except DiskFull as error:
            log.warning("disk.full", error=error.message, effect="no change until it has room")

    def _begin_log_when_due(self) -> None:
        if self._log_due:
            self._begin_log_or_fail()
            self._log_due = False

    def _begin_log_or_fail(self) -> None:
        """A sync that failed must not be tried again, as if it had been the first one."""
        try:
            self._begin_log()
        except DiskFull:
            raise
        except DfsError as error:
            self._fail(error)
            raise

    def _checkpoint_when_due(self) -> None:
        """Begin a new log when this one is long. The append before it is durable in any case."""
        if self._log_rows < LOG_ROWS:
            return
        try:
            self._begin_log()
        except DiskFull as error:
            log.warning("checkpoint.failed", directory=self._directory, error=error)
        except DfsError as error:
            self._fail(error)

    def _begin_log(self) -> None:
        """Copy the log into the database, begin it again, and give it its number.

        The number is committed as the first transaction of the new log, then written to VERSION:
        whoever loses the log later has a database that knows a smaller number than VERSION. The
        file of the log is written over, not truncated: a sync of a file that grows takes twice as
        long (measured: 0.22 against 0.11 ms).
        """
        with translated():
            self._connection.execute("PRAGMA wal_checkpoint(RESTART)")
        number = self._log_number + 1
        with self._transaction():
            put(self._connection, STATE, ("log", str(number)))
        self._log_number = number
        self._log_rows = 0
        version_file.write(self._directory, Version(self.cluster_id, LAYOUT, number))


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0  # Nobody has written a log yet; or the file is gone, which commits tell.
