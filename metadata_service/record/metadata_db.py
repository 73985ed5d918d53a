"""The durable record of the namespace: edits and image tables in one SQLite database.

Theory of operation. What a member decides (`member_core.py`) is carried out here, each decision in
one transaction: a promise, or the edits of an append with the row changes of those that are
decided. It is synced before anybody is answered. There is exactly one connection, used under one
lock by whichever thread serves the request: SQLite before 3.51.3, which stock Pythons have, can
corrupt a database that two connections write or checkpoint at once. For the same reason
`locking_mode=EXCLUSIVE` keeps other programs out. Input and output under this lock is the lock's
purpose, and a hand-over to a writing thread would cost more than the lock does.

A second lock guards what is in memory, and is never held while the disk works: a leader that proves
itself, and who asks for the status, need not wait for a slow disk.

What SQLite does not notice by itself is noticed here: a row carries the CRC32 of its values, the
log is searched for damage before SQLite drops what follows it (`write_ahead_log.py`), a lost log
or an old copy of the database is known by VERSION (`version_file.py`), and a directory that was
used before is never taken for a new one (`inspection.py`).
"""

import threading
import time
from typing import Any, Callable, Dict, Optional, Tuple, Type, TypeVar

from metadata_service.calls import Witness
from metadata_service.edits import TABLES, Table, join_lines
from metadata_service.member.member_core import Change, MemberCore
from metadata_service.member.member_lease import LEASE_FACTOR
from metadata_service.member.member_record import changed_rows, record_of
from metadata_service.quorum import Configuration, MemberStatus, Place, Proved, Stored, Tail
from metadata_service.record import image_tables
from metadata_service.record.edit_log import EditLog, span_of
from metadata_service.record.inspection import check_rows
from metadata_service.record.opening import opened_whole
from metadata_service.record.room import Room
from metadata_service.record.schema import STATE, bounded, put, read_state
from metadata_service.record.spare_promise import Promise, SparePromise, kept_beside, newest
from metadata_service.record.sqlite import Connection, translated
from metadata_service.record.transactions import Transactions
from zookeeper.fabric import logs
from zookeeper.fabric.errors import DiskFull, Unavailable
from zookeeper.fabric.figures import SIZES, Family, Histogram, gauge, histogram

log = logs.get("metadata_db")

LEASE_SECONDS = LEASE_FACTOR * 1.5
"""How long that is, by default."""

TAIL_SECONDS_MAX = 30.0
"""How long somebody may wait for the next edit in one call."""


Database = TypeVar("Database", bound="MetadataDatabase")


class MetadataDatabase:
    """An open database. Every method may be called from any thread."""

    def __init__(
        self, directory: str, connection: Connection, keep_edits: int, lease_seconds: float
    ) -> None:
        self._directory = directory
        self._keep_edits, self._lease_seconds = keep_edits, lease_seconds
        self._lock = threading.Lock()
        self._room = Room(directory)
        self._batches = Histogram(SIZES)
        # Guards what is in memory only. Who takes both takes `_lock` first.
        self._guard = threading.Lock()
        self._news = threading.Condition(self._guard)
        """For who follows, or waits for a place: more is decided, or applied."""
        self._lag = threading.Condition(self._guard)
        """For who applies what no append did."""
        self._closed = False
        with self._lock:
            self._use(connection)

    def _use(self, connection: Connection) -> None:
        """Go on with the database of this connection."""
        with translated():
            state = read_state(connection)
            edits = EditLog(connection)
            noted = record_of(state, edits.last())
        transactions = Transactions(self._directory, connection, int(state["log"]))
        spare = SparePromise(self._directory, noted.cluster_id)
        record = newest(noted, spare.read())
        core = MemberCore(record, self._keep_edits, self._lease_seconds, time.monotonic())
        with self._guard:
            self._connection, self._log, self._noted = connection, edits, noted
            self._transactions, self._spare, self._core = transactions, spare, core
        self._prepare()

    @classmethod
    def open(
        cls: Type[Database],
        directory: str,
        keep_edits: int,
        lease_seconds: float = LEASE_SECONDS,
        address: str = "",
        blank: bool = False,
    ) -> Database:
        """Open the database in `directory`, or create it in a directory that was never used: as the
        only member of a cluster of its own, at this address, or blank.

        The caller holds the directory's lock. Raises StartRefused when anything is missing,
        damaged, foreign or too new: then nothing has been changed.
        """
        with opened_whole(directory, address, blank) as connection:
            return cls(directory, connection, keep_edits, lease_seconds)

    @property
    def cluster_id(self) -> str:
        """The cluster's; empty in a member that is blank."""
        return self._core.record.cluster_id

    # What a leader calls: see MemberCalls.

    def status(self) -> MemberStatus:
        """What the member knows. Waits for no disk."""
        room = self._room.is_left()
        with self._guard:
            return self._core.status(room, time.monotonic())

    def claim(self, cluster_id: str, epoch: int, owner: str) -> MemberStatus:
        """Promise this epoch. A full disk takes it, too, in its spare place."""
        with self._lock:
            self._transactions.require_sound()
            with self._guard:
                change = self._core.claim(cluster_id, epoch, owner, time.monotonic())
            if change is not None:
                self._carry_out(change)
                log.info("epoch.promised", epoch=epoch, owner=owner)
            return self.status()

    def adopt(
        self, epoch: int, owner: str, behind: Place, payload: bytes, decided: int,
        configuration: Configuration,
    ) -> Stored:  # fmt: skip
        """Make the log that of this epoch. So does a full disk, unless there is more to store."""
        return self._change(
            lambda: self._core.adopt(
                epoch, owner, behind, payload, decided, configuration, self._log
            )
        )

    def append(
        self, epoch: int, behind: Place, payload: bytes, decided: int, witness: Witness
    ) -> Stored:
        """Make encoded edits durable behind that place, apply what is decided."""
        return self._change(
            lambda: self._core.append(epoch, behind, payload, decided, witness, self._log)
        )

    def pull(self, behind: Place, payload: bytes) -> Stored:
        """Take edits that another member knows as decided."""
        return self._change(lambda: self._core.pull(behind, payload, self._log))

    def settle(self) -> bool:
        """Apply some edits that are decided and not applied yet; whether there may be more."""
        self._change(lambda: self._core.settle(self._log))
        return self.has_lag()

    def prove(self, epoch: int, decided: int) -> Proved:
        """Hear of a leader that it lives. Waits for no disk."""
        room = self._room.is_left()
        with self._guard:
            self._transactions.require_sound()
            before = self._core.decided
            proved = self._core.prove(epoch, decided, room, time.monotonic())
            if self._core.decided > before:
                self._news.notify_all()
                self._lag.notify_all()
            return proved

    def release(self, epoch: int) -> None:
        """Hear of a leader that it has let go."""
        with self._guard:
            self._core.release(epoch)

    def wish(self, address: str, missed_by: int) -> None:
        """Hear of a namenode that it would lead."""
        with self._guard:
            self._core.wishes.file(address, missed_by, time.monotonic())

    # Reading.

    def tail(self, txid: int, limit: int, wait: float, bytes_max: int) -> Tail:
        """Decided edits behind `txid`, the first of which may be waited for."""
        with self._guard:
            self._news.wait_for(
                lambda: self._core.decided > txid or self._closed,
                max(0.0, min(wait, TAIL_SECONDS_MAX)),
            )
            if self._closed:
                raise Unavailable("the metadata service stops")
            record, decided = self._core.record, self._core.decided
            if not record.base.txid <= txid <= decided:
                return Tail(decided, b"", True)
            last = min(decided, txid + limit)
            lines = self._log.recent_lines(txid, last)
        if lines is None:
            with self._lock, translated():
                return Tail(decided, join_lines(bounded(self._log.lines(txid, last), bytes_max)),
                            txid < self._core.record.base.txid)  # fmt: skip
        return Tail(decided, join_lines(bounded(lines, bytes_max)), False)

    def undecided(self, epoch: int, txid: int, limit: int, bytes_max: int) -> bytes:
        """Every edit behind `txid`, for who holds the promise of `epoch`."""
        with self._lock, translated():
            self._core.require_promise(epoch)
            self._core.require_kept(txid)
            lines = self._log.lines(txid, min(self._core.record.last.txid, txid + limit))
            return join_lines(bounded(lines, bytes_max))

    def load(self, table: Table, after: Any, limit: int, bytes_max: int) -> bytes:
        """Encoded rows in order of their keys, from behind key `after` (None: from the first).

        At most `limit` rows and, behind the first, `bytes_max` bytes; none at the end. Raises
        CorruptData when a row is not what was written.
        """
        with self._lock, translated():
            rows = image_tables.lines(self._connection, table, after, limit)
            return join_lines(bounded(rows, bytes_max))

    def count_rows(self) -> Dict[str, int]:
        """How many rows each image table has."""
        with self._lock, translated():
            return {name: image_tables.count(self._connection, name) for name in TABLES}

    def stand_still(self) -> Place:
        """Apply no edits any more, for somebody who reads the image; where it stands."""
        with self._lock:
            self._core.still = True
            return self._core.record.applied

    def is_still(self) -> bool:
        """Whether it applies none."""
        return self._core.still

    def go_on(self) -> None:
        """Apply edits again."""
        with self._lock:
            self._core.still = False
        self.wake()

    def checkpoint(self, epoch: int) -> int:
        """Copy the log into the database now, durably; the last txid that is in it.

        Then a sample of the rows is read back, as at a start: CorruptData when it is damaged.
        """
        with self._lock:
            self._core.require_promise(epoch)
            self._transactions.begin_log()
            with translated():
                check_rows(self._connection)
            return self._core.record.last.txid

    def has_lag(self) -> bool:
        """Whether edits are decided that shall be applied and are not yet."""
        core = self._core
        upto = core.decided if core.halt is None else min(core.decided, core.halt)
        return upto > core.record.applied.txid and not core.still

    def await_lag(self, seconds: float) -> bool:
        """Wait, for so long at most, until there are edits to be applied; whether there are."""
        with self._guard:
            if not self.has_lag():
                self._lag.wait(seconds)
            return self.has_lag()

    def wake(self) -> None:
        """End the wait for lag."""
        with self._guard:
            self._lag.notify_all()

    def figures(self) -> Tuple[Family, ...]:
        """How far the record has come, how large it is, how long its disk takes."""
        with self._guard:
            record, decided = self._core.record, self._core.decided
        with self._lock:
            batches = histogram("pyhdfs_edits_in_commit",
                                "How many edits became durable at once.", self._batches)
            return (
                gauge("pyhdfs_last_txid", "The last edit that is durable.", record.last.txid),
                gauge("pyhdfs_epoch", "The newest epoch that a namenode has claimed.",
                      record.promised),
                gauge("pyhdfs_log_epoch", "In which epoch the log has been taken over.",
                      record.log_epoch),
                gauge("pyhdfs_edits_kept", "Edits that are kept behind the image.",
                      record.last.txid - record.base.txid),
                gauge("pyhdfs_edits_unapplied", "Decided edits that are not in the image yet.",
                      decided - record.applied.txid),
                *self._transactions.figures(),
                batches,
            )  # fmt: skip

    def end_waits(self) -> None:
        """Send home whoever waits for an edit, now and from now on: the service stops."""
        with self._guard:
            self._closed = True
            self._news.notify_all()

    def close(self) -> None:
        """End the last running call, then close."""
        self.end_waits()
        with self._lock:
            self._transactions.close()

    def check(self) -> None:
        """Assert what must always hold between the database and what is kept in memory."""
        with self._lock, translated():
            assert self._connection.in_transaction is False
            self._core.check()
            kept, first, last = span_of(self._connection)
            assert kept == (last - first + 1 if last else 0)
            noted = record_of(read_state(self._connection), EditLog(self._connection).last())
            assert noted == self._noted
            assert newest(noted, self._spare.read()) == self._core.record
            assert not kept or first == noted.base.txid + 1

    def __repr__(self) -> str:
        failure = self._transactions.failure
        failed = f", failed: {failure}" if failure else ""
        record = self._core.record
        return f"<MetadataDatabase to txid {record.last.txid}, epoch {record.promised}{failed}>"

    def _change(self, decide: Callable[[], Optional[Change]]) -> Stored:
        """Decide, and carry it out; where the member stands then."""
        with self._lock:
            self._transactions.require_sound()
            with translated():
                change = decide()
            if change is not None:
                self._carry_out(change)
            return self._core.stored(self._room.is_left())

    def _carry_out(self, change: Change) -> None:
        """Make a change durable: in the database, or if it is but a promise, beside it."""
        before = self._core.record
        try:
            self._commit(change)
        except DiskFull as error:
            rest = kept_beside(before, change)
            if rest is None:
                self._core.lease.withdraw()
                raise
            log.warning("disk.full", error=error.message, effect="no change until it has room")
            try:
                self._spare.write(Promise(rest.promised, rest.owner, rest.log_epoch))
            except DiskFull:
                self._core.lease.withdraw()
                raise
            change = change._replace(record=rest)
        with self._guard:
            self._log.remember(change)
            self._core.done(change)
            self._news.notify_all()
        if change.record.cluster_id != before.cluster_id:
            self._name()
            self._transactions.begin_log()

    def _commit(self, change: Change) -> None:
        rows = 0
        self._transactions.begin_log_when_due()
        with self._transactions.transaction() as cursor:
            edits = self._log.store(cursor, self._noted, change)
            if edits:
                rows = image_tables.apply(cursor, edits)
            for row in changed_rows(self._noted, change.record).items():
                put(cursor, STATE, row)
        self._noted = change.record
        if change.entries:
            self._batches.note(len(change.entries))
        self._transactions.wrote(len(change.entries) + rows)

    def _prepare(self) -> None:
        """What a start writes. On a full disk it is made good with the first change."""
        self._name()
        try:
            self._spare.prepare()
            self._transactions.begin_log_when_due()
        except DiskFull as error:
            log.warning("disk.full", error=error.message, effect="no change until it has room")

    def _name(self) -> None:
        """Whose directory this is: what lies beside the database is to say so."""
        record = self._core.record
        self._transactions.identity = (record.cluster_id, record.member_id)
        self._spare.cluster_id = record.cluster_id
