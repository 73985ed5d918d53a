"""The namenode's side of the metadata service: edits become durable in groups.

Theory of operation. `submit` numbers an edit and puts it into a queue: no input or output, for the
namenode calls it under its lock, so that the order of edits is the order in which they were
decided. `wait` makes it durable: of the threads that wait, one has the turn and sends the oldest
edits of everybody in one append; when the turn comes back, those whose edits are durable are woken,
and one more, which takes it next. No thread of our own stands between: hand-overs between threads
cost more than the append does. An edit that nobody waits for travels with the next one that
somebody waits for.

What is sent next, and when again, `append_queue.py` decides. When it has failed for ever,
what the namenode holds in memory may never become durable, so it must stop being the namenode:
`on_failure` tells it, once.
"""

import math
import os
import threading
import time
from typing import Any, Callable, Iterator, List, Optional, Tuple, Union

from metadata_service.append_queue import ATTEMPTS, RETRY_SECONDS_MAX, AppendQueue, next_pause
from metadata_service.backlog import Pending
from metadata_service.calls import MemberCalls
from metadata_service.chain import places
from metadata_service.edits import TABLES, Edit, Row, decode, decode_rows, join_lines, split_lines
from metadata_service.quorum import START, Stored
from metadata_service.recent import recent
from metadata_service.recovery import next_epoch
from metadata_service.waiters import Waiters
from zookeeper.fabric import logs
from zookeeper.fabric.calls import Call, Perform
from zookeeper.fabric.errors import (
    CorruptData,
    DfsError,
    Fenced,
    InternalError,
    NotLeader,
    ProtocolViolation,
    Unavailable,
)
from zookeeper.fabric.figures import SIZES, Family, Histogram, gauge, histogram

log = logs.get("journal")

PAGE_ROWS = 5_000


class Journal:
    """One namenode's right to write edits, from `open` until it fails or is closed.

    `perform` carries one call out, once. `on_failure(error)` is called in some
    thread, perhaps one that holds the caller's locks: it must neither block nor lock.
    """

    def __init__(
        self,
        perform: Perform,
        owner: str,
        append_timeout_seconds: float,
        frame_bytes_max: int,
        on_failure: Callable[[DfsError], None],
    ) -> None:
        self._perform = perform
        self._once = MemberCalls(perform)
        self._patiently = MemberCalls(self._repeat)
        self._owner = owner
        self._timeout_seconds = append_timeout_seconds
        self._on_failure = on_failure
        self._lock = threading.Lock()
        self._waiters = Waiters(self._lock)
        self._queue = AppendQueue(0, frame_bytes_max // 2, append_timeout_seconds)
        self._appends, self._batches = Histogram(), Histogram(SIZES)
        self._failure_told = False
        self._closed = threading.Event()
        self.epoch = 0
        self.cluster_id = ""
        self._first_txid, self._place = 0, START

    # Reading, before the namenode serves.

    def open(self, at_least: int = 0) -> int:
        """Claim a new epoch, which ends all earlier ones, and return it.

        `at_least`: what a zookeeper or a datanode knows of, should the service have lost it.
        The claim names itself, so that it may be repeated when its answer is lost.
        Raises Unavailable when the service does not answer in time, Fenced when another namenode
        claimed a still newer epoch at the same moment.
        """
        known = self._patiently.status()
        epoch = next_epoch({known.member_id: known}, at_least)
        owner = f"{self._owner} {os.urandom(4).hex()}"
        member = self._patiently.claim(known.cluster_id, epoch, owner)
        stored = self._patiently.adopt(
            epoch, owner, member.last, b"", member.last.txid, member.configuration
        )
        self.epoch, self.cluster_id = epoch, member.cluster_id
        self._first_txid, self._place = member.first_txid, stored.last
        with self._lock:
            self._queue.last_txid = self._queue.durable_txid = stored.last.txid
        self._await_applied(stored)
        return epoch

    def _await_applied(self, stored: Stored) -> None:
        """What `load` reads is whole when all edits have been applied."""
        deadline = time.monotonic() + self._timeout_seconds
        applied = stored.applied_txid
        while applied < self._place.txid:
            if time.monotonic() >= deadline:
                raise Unavailable("the metadata service has not applied all edits yet")
            if self._closed.wait(RETRY_SECONDS_MAX):
                raise Unavailable("the journal has been closed")
            applied = self._patiently.status().applied.txid

    def confirm(self) -> None:
        """Raises Fenced when a newer epoch was claimed meanwhile.

        What `load` gave is one consistent image only if this holds after it.
        """
        status = self._patiently.status()
        self._require_newest(status.promised, status.room)

    def prove(self, timeout: float) -> None:
        """Ask once whether this epoch still is the newest; raises Fenced or Unavailable.

        The answer tells of the disk, too: a change that met a full one would end the journal.
        """
        proved = self._once.within(timeout).prove(self.epoch, self.durable_txid)
        self._require_newest(proved.promised, proved.room)

    def _require_newest(self, promised: int, room: bool) -> None:
        if promised != self.epoch:
            raise Fenced(f"epoch {self.epoch} is over, {promised} has been claimed")
        self._queue.room = room

    def load(self, table: str) -> Iterator[Row]:
        """Every row of an image table in order of its key, fetched page by page."""
        after = None
        while True:
            rows = decode_rows(self._patiently.load(table, after, PAGE_ROWS))
            if not rows:
                return
            if not all(map(TABLES[table].accepts, rows)):
                raise ProtocolViolation(f"the metadata service sent odd rows of {table}")
            yield from rows
            after = rows[-1][0]

    def rows(self, table: str, after: Union[int, str, None], limit: int) -> bytes:
        """Lines of at most so many rows behind a key, as `load` of MemberCalls gives them."""
        return self._patiently.load(table, after, limit)

    def recent_edits(self, limit: int, seconds: float = math.inf) -> Iterator[Edit]:
        """The newest durable edits, at most `limit`, oldest first; fewer when fewer are kept.

        Those of more than `seconds` before the last one are left out, but for some.
        """
        last = self.durable_txid
        kept_behind = self._first_txid - 1 if self._first_txid else last
        return recent(self._edits_behind, max(last - limit, kept_behind), last, seconds)

    def _edits_behind(self, txid: int, limit: int) -> List[Edit]:
        tail = self._patiently.tail(txid, limit, 0.0)
        if tail.behind:
            raise CorruptData(f"the metadata service does not keep the edits behind {txid}")
        return [decode(line) for line in split_lines(tail.payload)]

    # Writing.

    @property
    def durable_txid(self) -> int:
        """Every edit up to this one is durable."""
        return self._queue.durable_txid

    @property
    def last_txid(self) -> int:
        """The newest edit that was submitted."""
        return self._queue.last_txid

    @property
    def has_room(self) -> bool:
        """Whether the service's disk had room for more edits when it was last heard of."""
        return self._queue.room

    @property
    def failure(self) -> Optional[DfsError]:
        """What ended it for ever, or None."""
        return self._queue.failure

    @property
    def trouble(self) -> str:
        """Why the service has not answered for a moment, for a person; empty when it has."""
        return self._queue.trouble

    def check_room(self) -> None:
        """Raises NotLeader, Busy or DiskFull when a change must not be accepted now.

        To be called before the change is applied: afterwards nothing may fail, and `submit` does
        not.
        """
        with self._lock:
            if not self.epoch:
                raise NotLeader("the journal takes no edits: it is not open yet")
            self._queue.require_room()

    def submit(self, edit: Edit) -> int:
        """Queue an edit and return its txid; its own txid is the next one, or 0 to be numbered.

        Never blocks on input or output. An edit that cannot be sent is a defect of the caller: the
        journal fails then, since the change was made in memory. After a failure edits go nowhere,
        which `wait` tells.
        """
        with self._lock:
            txid = self._queue.add(edit)
            self._tell_failure()
            return txid

    def wait(self, txid: int, timeout: Optional[float] = None) -> None:
        """Return when edit `txid` is durable.

        Raises DeadlineExceeded after `timeout` seconds, Unavailable when the journal failed or was
        closed: in both cases the edit may become durable all the same, or be so already.
        """
        if txid <= self.durable_txid:
            return
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        while True:
            batch = self._await_turn(txid, deadline)
            if batch is None:
                return
            self._send(batch, deadline)

    def checkpoint(self) -> int:
        """Have everything that is durable copied from the log into the database; the last txid."""
        return self._patiently.checkpoint(self.epoch)

    def figures(self) -> Tuple[Family, ...]:
        """How far it has come, and how long appends take."""
        with self._lock:
            waiting = self.last_txid - self.durable_txid
            return (
                gauge("pyhdfs_last_txid", "The last edit that was made.", self.last_txid),
                gauge("pyhdfs_edits_waiting", "Edits that are not durable yet.", waiting),
                gauge("pyhdfs_epoch", "In which epoch this namenode leads.", self.epoch),
                histogram("pyhdfs_append_seconds",
                          "How long the metadata service took for an append.", self._appends),
                histogram("pyhdfs_edits_in_append", "Edits of an append.", self._batches),
            )  # fmt: skip

    def close(self) -> None:
        """Take no more edits and send every waiting thread home. The pool stays the caller's."""
        self._closed.set()
        with self._lock:
            self._queue.fail(Unavailable("the journal has been closed"))
            self._failure_told = True
            self._waiters.wake_all()

    def check(self) -> None:
        """Assert what must always hold."""
        with self._lock:
            self._queue.check()

    def __repr__(self) -> str:
        failed = f", failed: {self.failure}" if self.failure else ""
        return (
            f"<Journal epoch {self.epoch}, durable to {self.durable_txid} "
            f"of {self.last_txid}{failed}>"
        )

    def _await_turn(self, txid: int, deadline: float) -> Optional[List[Pending]]:
        """None once `txid` is durable; else the edits to send, and with them the turn."""
        heir = False
        with self._lock:
            try:
                while self._queue.durable_txid < txid:
                    now = time.monotonic()
                    self._queue.check_wait(txid, deadline, now)
                    batch = self._queue.take(now)
                    if batch is not None:
                        return batch
                    left = min(deadline, self._queue.next_take()) - now
                    seconds = None if left == math.inf else left
                    heir = self._waiters.wait(txid, seconds) or heir
                return None
            finally:
                if heir and not self._queue.turn_taken:
                    # It was woken to take the turn, and goes without it.
                    self._waiters.wake_next()

    def _send(self, batch: List[Pending], deadline: float) -> None:
        """One attempt to append; whatever comes of it, the turn is given back."""
        started = time.monotonic()
        failure: Optional[DfsError] = None
        try:
            appended = self._append(batch, self._queue.attempt_seconds(deadline, started))
        except DfsError as error:
            failure = error
        with self._lock:
            self._appends.note(time.monotonic() - started)
            self._batches.note(len(batch))
            if failure is None:
                self._queue.appended(appended.last.txid, appended.room)
            else:
                self._queue.refused(failure, started, time.monotonic())
            self._waiters.wake(self._queue.durable_txid)
            self._tell_failure()
        if failure is not None and self.failure is None:
            log.warning("append.delayed", edits=len(batch), error=failure.message)

    def _tell_failure(self) -> None:
        """Under the lock: should the queue have failed for ever, all are woken and told, once."""
        error = self._queue.failure
        if error is None or self._failure_told:
            return
        self._failure_told = True
        self._waiters.wake_all()
        log.error("journal.failed", epoch=self.epoch, code=error.code, error=error.message)
        self._on_failure(error)

    def _append(self, batch: List[Pending], seconds: float) -> Stored:
        """Have a batch recorded; raises errors of ours only."""
        behind = self._place
        lines = [pending.line for pending in batch]
        try:
            # Who has the turn is the only one here.
            *_, last = places(behind, lines)
            stored = self._once.within(seconds).append(
                self.epoch, behind, join_lines(lines), behind.txid, ()
            )
            if stored.last != last:
                raise ProtocolViolation(
                    f"an append up to edit {last.txid} was answered by {stored.last.txid}"
                )
        except DfsError:
            raise
        except Exception as error:  # A defect must fail the journal, not leave the turn taken.
            log.error("append.failed", exc_info=True, error=error)
            raise InternalError(f"the append broke: {error}") from error
        self._place = last
        return stored

    def _repeat(self, call: Call, args: Tuple[Any, ...], _seconds: Optional[float]) -> Any:
        """Make a call that may be repeated, until it is answered or the time is over."""
        deadline = time.monotonic() + self._timeout_seconds
        pause = 0.0
        while True:
            try:
                result = self._perform(call, args, self._timeout_seconds / ATTEMPTS)
                self._queue.trouble = ""
                return result
            except DfsError as error:
                trouble = f"waits for the metadata service: {error.message}"
                if not error.retryable or time.monotonic() >= deadline:
                    raise
                if self.trouble != trouble:  # Once is enough, however long it takes.
                    log.warning("metadata.awaited", method=call.name, error=error.message)
                self._queue.trouble = trouble
            pause = next_pause(pause)
            if self._closed.wait(pause):
                raise Unavailable("the journal has been closed")
