"""The namenode's side of the metadata service: edits become durable in groups.

Theory of operation. `submit` numbers an edit and puts it into a queue: no input or output, for the
namenode calls it under its lock, so that the order of edits is the order in which they were
decided. `wait` makes it durable: of the threads that wait, one has the turn and sends the oldest
edits of everybody in one append; when the turn comes back, those whose edits are durable are woken,
and one more, which takes it next. No thread of our own stands between: hand-overs between threads
cost more than the append does. An edit that nobody waits for travels with the next one that
somebody waits for.

An append is safe to repeat: the service compares what it has already. So after a failure that
may pass (the service restarts, its disk is full) the same edits are sent again, until
`append_timeout_seconds` after the first attempt. Then, or when the service refuses (a newer epoch
exists), the journal has failed for ever: what the namenode holds in memory may never become
durable, so it must stop being the namenode. `on_failure` tells it, once.
"""

import math
import os
import threading
import time
from typing import Any, Callable, Iterator, List, Optional, Tuple

from metadata_service.backlog import Backlog, Pending
from metadata_service.calls import Appended, MetadataCalls, Status
from metadata_service.edits import (
    TABLES,
    Edit,
    Row,
    decode,
    decode_rows,
    encode,
    join_lines,
    split_lines,
)
from metadata_service.recent import recent
from metadata_service.waiters import Waiters
from zookeeper.fabric import logs
from zookeeper.fabric.calls import Call, Perform
from zookeeper.fabric.errors import (
    Busy,
    DeadlineExceeded,
    DfsError,
    DiskFull,
    Fenced,
    InternalError,
    NotLeader,
    ProtocolViolation,
    Unavailable,
)

log = logs.get("journal")

PAGE_ROWS = 5_000
ATTEMPTS = 3
"""An attempt may take this part of the whole timeout, so that one lost answer is survived."""

RETRY_SECONDS_MIN = 0.01
RETRY_SECONDS_MAX = 0.5


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
        self._once = MetadataCalls(perform)
        self._patiently = MetadataCalls(self._repeat)
        self._owner = owner
        self._timeout_seconds = append_timeout_seconds
        self._batch_bytes_max = frame_bytes_max // 2
        self._on_failure = on_failure
        self._lock = threading.Lock()
        self._waiters = Waiters(self._lock)
        self._backlog = Backlog()
        self._last_txid = 0
        self._durable_txid = 0
        self._turn_taken = False
        # While appends fail: since when, and when to try again after how long a pause.
        self._failing_since: Optional[float] = None
        self._retry_at = 0.0
        self._retry_seconds = 0.0
        self._room = True
        self._closed = threading.Event()
        self.failure: Optional[DfsError] = None
        self.trouble = ""
        """Why the service has not answered for a moment, for a person; empty when it has."""
        self.epoch = 0
        self.cluster_id = ""

    # Reading, before the namenode serves.

    def open(self, at_least: int = 0) -> int:
        """Claim a new epoch, which ends all earlier ones, and return it.

        `at_least`: what a zookeeper or a datanode knows of, should the service have lost it.
        The claim names the epoch that it follows, and itself, so that it may be repeated when its
        answer is lost: neither the repetition nor a request that arrives late fences anybody.
        Raises Unavailable when the service does not answer in time, Fenced when another namenode
        claimed a still newer epoch at the same moment.
        """
        newest = self._patiently.status().epoch
        claim = f"{self._owner} {os.urandom(4).hex()}"
        self.epoch = self._patiently.claim_epoch(claim, newest, at_least)
        status = self.confirm()
        self.cluster_id = status.cluster_id
        with self._lock:
            self._last_txid = self._durable_txid = status.last_txid
        return self.epoch

    def confirm(self) -> Status:
        """The service's status, if no newer epoch was claimed since; raises Fenced otherwise.

        What `load` gave is one consistent image only if this holds after it.
        """
        return self._unfenced(self._patiently.status())

    def prove(self, timeout: float) -> None:
        """Ask once whether this epoch still is the newest; raises Fenced or Unavailable.

        The answer tells of the disk, too: a change that met a full one would end the journal.
        """
        self._unfenced(self._once.within(timeout).status())

    def _unfenced(self, status: Status) -> Status:
        if status.epoch != self.epoch:
            raise Fenced(f"epoch {self.epoch} is over, {status.epoch} has been claimed")
        self._room = status.room
        return status

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

    def recent_edits(self, limit: int, seconds: float = math.inf) -> Iterator[Edit]:
        """The newest durable edits, at most `limit`, oldest first; fewer when fewer are kept.

        Those of more than `seconds` before the last one are left out, but for some.
        """
        last = self.durable_txid
        return recent(self._edits_behind, max(last - limit, 0), last, seconds)

    def _edits_behind(self, txid: int, limit: int) -> List[Edit]:
        lines = split_lines(self._patiently.edits_since(txid, limit))
        return [decode(line) for line in lines]

    # Writing.

    @property
    def durable_txid(self) -> int:
        """Every edit up to this one is durable."""
        return self._durable_txid

    @property
    def last_txid(self) -> int:
        """The newest edit that was submitted."""
        return self._last_txid

    @property
    def has_room(self) -> bool:
        """Whether the service's disk had room for more edits when it was last heard of."""
        return self._room

    def check_room(self) -> None:
        """Raises NotLeader, Busy or DiskFull when a change must not be accepted now.

        To be called before the change is applied: afterwards nothing may fail, and `submit` does
        not.
        """
        with self._lock:
            if self.failure is not None or not self.epoch:
                reason = self.failure.message if self.failure else "it is not open yet"
                raise NotLeader(f"the journal takes no edits: {reason}")
            if self._backlog.full:
                raise Busy("too many edits wait for the metadata service")
            if not self._room:
                raise DiskFull("the disk of the metadata service is nearly full, or is not there")

    def submit(self, edit: Edit) -> int:
        """Queue an edit and return its txid; its own txid is the next one, or 0 to be numbered.

        Never blocks on input or output. An edit that cannot be sent is a defect of the caller: the
        journal fails then, since the change was made in memory. After a failure edits go nowhere,
        which `wait` tells.
        """
        with self._lock:
            txid = self._last_txid = self._last_txid + 1
            if self.failure is not None:
                return txid
            try:
                line = self._encoded(edit, txid)
            except (TypeError, ValueError) as error:
                self._fail(InternalError(f"edit {txid} cannot be sent: {error}"))
                return txid
            self._backlog.add(txid, line)
            return txid

    def wait(self, txid: int, timeout: Optional[float] = None) -> None:
        """Return when edit `txid` is durable.

        Raises DeadlineExceeded after `timeout` seconds, Unavailable when the journal failed or was
        closed: in both cases the edit may become durable all the same, or be so already.
        """
        if txid <= self._durable_txid:
            return
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            batch = self._await_turn(txid, deadline)
            if batch is None:
                return
            self._send(batch, deadline)

    def checkpoint(self) -> int:
        """Have everything that is durable copied from the log into the database; the last txid."""
        return self._patiently.checkpoint(self.epoch)

    def close(self) -> None:
        """Take no more edits and send every waiting thread home. The pool stays the caller's."""
        self._closed.set()
        with self._lock:
            self.failure = self.failure or Unavailable("the journal has been closed")
            self._waiters.wake_all()

    def check(self) -> None:
        """Assert what must always hold."""
        with self._lock:
            assert self._durable_txid <= self._last_txid
            if self.failure is None:
                self._backlog.check(self._durable_txid + 1, self._last_txid)

    def __repr__(self) -> str:
        failed = f", failed: {self.failure}" if self.failure else ""
        return (
            f"<Journal epoch {self.epoch}, durable to {self._durable_txid} "
            f"of {self._last_txid}{failed}>"
        )

    def _encoded(self, edit: Edit, txid: int) -> str:
        if edit.txid not in (0, txid):
            raise ValueError(f"it is numbered {edit.txid}")
        line = encode(edit if edit.txid else edit._replace(txid=txid))
        if len(line) > self._batch_bytes_max:
            raise ValueError(f"it has {len(line)} bytes, {self._batch_bytes_max} are allowed")
        return line

    def _await_turn(self, txid: int, deadline: Optional[float]) -> Optional[List[Pending]]:
        """None once `txid` is durable; else the edits to send, and with them the turn."""
        heir = False
        with self._lock:
            try:
                while self._durable_txid < txid:
                    now = time.monotonic()
                    self._check_wait(txid, deadline, now)
                    if not self._turn_taken and now >= self._retry_at:
                        self._turn_taken = True
                        return self._backlog.oldest(self._batch_bytes_max)
                    # Who gives the turn back wakes its successor; nothing does at `_retry_at`.
                    until = [deadline, None if self._turn_taken else self._retry_at]
                    limits = [moment - now for moment in until if moment is not None]
                    heir = self._waiters.wait(txid, min(limits, default=None)) or heir
                return None
            finally:
                if heir and not self._turn_taken:
                    # It was woken to take the turn, and goes without it.
                    self._waiters.wake_next()

    def _check_wait(self, txid: int, deadline: Optional[float], now: float) -> None:
        """Raise what ends the wait for an edit that is not durable."""
        if self.failure is not None:
            raise Unavailable(f"the change may be lost: {self.failure.message}")
        if deadline is not None and now >= deadline:
            reason = f" ({self.trouble})" if self.trouble else ""
            raise DeadlineExceeded(
                f"the change was not recorded in time; it may be later{reason}"
            )
        if txid > self._last_txid:
            raise InternalError(f"edit {txid} was never submitted")

    def _send(self, batch: List[Pending], deadline: Optional[float]) -> None:
        """One attempt to append; whatever comes of it, the turn is given back."""
        started = time.monotonic()
        seconds = self._timeout_seconds / ATTEMPTS
        if deadline is not None:
            seconds = min(seconds, max(deadline - started, RETRY_SECONDS_MIN))
        failure: Optional[DfsError] = None
        try:
            appended = self._append(batch, seconds)
        except DfsError as error:
            failure = error
        with self._lock:
            self._turn_taken = False
            if failure is None:
                self._after_success(appended)
            else:
                self._after_failure(failure, started)
            self._waiters.wake(self._durable_txid)

    def _append(self, batch: List[Pending], seconds: float) -> Appended:
        """Have a batch recorded; raises errors of ours only."""
        payload = join_lines(pending.line for pending in batch)
        first, last = batch[0].txid, batch[-1].txid
        try:
            appended = self._once.within(seconds).append(self.epoch, first, payload)
            durable = appended.durable_txid
            if not last <= durable <= self._last_txid:
                raise ProtocolViolation(f"an append up to edit {last} was answered by {durable}")
        except DfsError:
            raise
        except Exception as error:  # A defect must fail the journal, not leave the turn taken.
            log.error("append.failed", exc_info=True, error=error)
            raise InternalError(f"the append broke: {error}") from error
        return appended

    def _after_success(self, appended: Appended) -> None:
        self._backlog.drop(appended.durable_txid)
        self._durable_txid = max(self._durable_txid, appended.durable_txid)
        self._failing_since, self.trouble = None, ""
        self._retry_at = self._retry_seconds = 0.0
        self._room = appended.room

    def _after_failure(self, error: DfsError, started: float) -> None:
        """Plan the next attempt, or give up. The first one is at once: perhaps only an idle
        connection had been broken by a restart of the service."""
        full = isinstance(error, DiskFull)
        if not error.retryable and not full:
            self._fail(error)
            return
        self._room = self._room and not full
        self.trouble = f"waits for the metadata service: {error.message}"
        if self._failing_since is None:
            self._failing_since = started
        now = time.monotonic()
        if now - self._failing_since >= self._timeout_seconds:
            self._fail(error)
            return
        self._retry_at = now + self._retry_seconds
        self._retry_seconds = min(
            max(2 * self._retry_seconds, RETRY_SECONDS_MIN), RETRY_SECONDS_MAX
        )
        log.warning("append.delayed", edits=len(self._backlog), error=error.message)

    def _fail(self, error: DfsError) -> None:
        """Under the lock: for ever from now on, the journal takes and sends nothing."""
        if self.failure is not None:
            return
        self.failure = error
        self._backlog.clear()
        self._waiters.wake_all()
        log.error("journal.failed", epoch=self.epoch, code=error.code, error=error.message)
        self._on_failure(error)

    def _repeat(self, call: Call, args: Tuple[Any, ...], _seconds: Optional[float]) -> Any:
        """Make a call that may be repeated, until it is answered or the time is over."""
        deadline = time.monotonic() + self._timeout_seconds
        pause = 0.0
        while True:
            try:
                result = self._perform(call, args, self._timeout_seconds / ATTEMPTS)
                self.trouble = ""
                return result
            except DfsError as error:
                trouble = f"waits for the metadata service: {error.message}"
                if not error.retryable or time.monotonic() >= deadline:
                    raise
                if self.trouble != trouble:  # Once is enough, however long it takes.
                    log.warning("metadata.awaited", method=call.name, error=error.message)
                self.trouble = trouble
            pause = min(max(2 * pause, RETRY_SECONDS_MIN), RETRY_SECONDS_MAX)
            if self._closed.wait(pause):
                raise Unavailable("the journal has been closed")
