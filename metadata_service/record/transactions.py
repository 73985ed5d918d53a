"""Transactions on the one connection to a member's database, and the write-ahead log under them.

Theory of operation. Every transaction is synced (WAL, `synchronous=FULL`) when it ends. After a
failed write or sync nothing more is accepted until the process is started again: the kernel forgets
that pages were dirty, so a second sync that succeeds proves nothing.

The log has a number. It is committed as the first transaction of each new log, then written to
VERSION: whoever loses the log later has a database that knows a smaller number than VERSION.
"""

import os
import time
from contextlib import contextmanager
from typing import Iterator, Optional, Tuple

from metadata_service.record import version_file
from metadata_service.record.open_files import OpenFiles
from metadata_service.record.opening import NAME
from metadata_service.record.schema import LAYOUT, STATE, put
from metadata_service.record.sqlite import Connection, Cursor, close, roll_back, translated
from metadata_service.record.version_file import Version
from zookeeper.fabric import disk, logs
from zookeeper.fabric.errors import Busy, CorruptData, DfsError, DiskFailed, DiskFull
from zookeeper.fabric.figures import Family, Histogram, gauge, histogram

log = logs.get("metadata_db")

LOG_ROWS = 2_000
"""Rows written to the write-ahead log before its pages are copied into the database; each is about
one page of 4 KiB."""


class Transactions:
    """Not thread-safe: its owner has a lock."""

    def __init__(self, directory: str, connection: Connection, log_number: int) -> None:
        self.failure: Optional[DfsError] = None
        """What ended it until the next start; None while all is well."""
        self.identity = ("", "")
        """The cluster's id and the member's, which VERSION tells."""
        self._directory = directory
        self._connection = connection
        self._files = OpenFiles(os.path.join(directory, NAME))
        self._log_number = log_number
        self._log_rows = 0
        # Whether a log must be begun before anything is written, which the disk had no room for.
        self._log_due = True
        self._commits = Histogram()

    def require_sound(self) -> None:
        """Raises what ended it."""
        if self.failure is not None:
            raise self.failure

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """Commit what the block wrote with this cursor, durably, or roll all of it back and raise
        one of ours."""
        self.require_sound()
        try:
            with translated():
                # `Connection.execute` would make a new one for every statement.
                cursor = self._connection.cursor()
                cursor.execute("BEGIN IMMEDIATE")
                yield cursor
                began = time.monotonic()
                cursor.execute("COMMIT")
                self._commits.note(time.monotonic() - began)
            self._files.require_present()
        except Exception as error:
            self._roll_back()
            if isinstance(error, (DiskFailed, CorruptData)):
                self.fail(error)
            raise

    def wrote(self, rows: int) -> None:
        """So many rows were committed: begin a new log when this one is long. What was committed is
        durable in any case."""
        self._log_rows += rows
        if self._log_rows < LOG_ROWS:
            return
        try:
            self._begin_log()
        except (DiskFull, Busy) as error:
            log.warning("checkpoint.failed", directory=self._directory, error=error)
        except DfsError as error:
            self.fail(error)

    def begin_log_when_due(self) -> None:
        """Begin the log of this start, unless that has been done. Raises as `begin_log` does."""
        if self._log_due:
            self.begin_log()
            self._log_due = False

    def begin_log(self) -> None:
        """Copy the log into the database, and begin it again. Raises DiskFull, Busy, DiskFailed.

        A sync that failed must not be tried again, as if it had been the first one.
        """
        self.require_sound()
        try:
            self._begin_log()
        except (DiskFull, Busy):
            raise
        except DfsError as error:
            self.fail(error)
            raise

    def fail(self, error: BaseException) -> None:
        """Accept nothing more: what is on the disk is not known until the next start."""
        self.failure = DiskFailed(f"the database failed and takes no more edits: {error}")
        log.error("database.failed", directory=self._directory, error=error)

    def close(self) -> None:
        """Close the connection; SQLite copies the log into the database."""
        self.failure = self.failure or DiskFailed("the database has been closed")
        try:
            close(self._connection)
        except DfsError as error:
            # What was promised is durable in the log; the next start reads it there.
            log.warning("close.failed", directory=self._directory, error=error)

    def figures(self) -> Tuple[Family, ...]:
        """How large the database is, how long its disk takes."""
        path = os.path.join(self._directory, NAME)
        return (
            gauge("pyhdfs_database_bytes", "Size of the database.", _size(path)),
            gauge("pyhdfs_database_log_bytes", "Size of its log.", _size(path + "-wal")),
            gauge("pyhdfs_database_failed", "Whether it takes no edits any more.",
                  self.failure is not None),
            histogram("pyhdfs_commit_seconds", "How long it took to make a change durable.",
                      self._commits),
        )  # fmt: skip

    def __repr__(self) -> str:
        return f"<Transactions in {self._directory}, log {self._log_number}>"

    def _roll_back(self) -> None:
        try:
            roll_back(self._connection)
        except DfsError as error:
            self.fail(error)

    def _begin_log(self) -> None:
        """The file of the log is written over, not truncated: a sync of a file that grows takes
        twice as long (measured: 0.22 against 0.11 ms)."""
        with translated():
            self._connection.execute("PRAGMA wal_checkpoint(RESTART)")
        number = self._log_number + 1
        with self.transaction() as cursor:
            put(cursor, STATE, ("log", str(number)))
        self._log_number, self._log_rows = number, 0
        cluster_id, member_id = self.identity
        try:
            version_file.write(self._directory, Version(cluster_id, LAYOUT, number, member_id))
        except DiskFailed as error:
            if disk.is_shortage(error):
                # Too many connections, perhaps of strangers: nothing is wrong with the disk.
                raise Busy(error.message) from error
            raise


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0  # Nobody has written a log yet; or the file is gone, which commits tell.
