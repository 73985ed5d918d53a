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
from typing import Callable, Dict, List, Optional, Tuple, Type, TypeVar, Union

from metadata_service.ailments import Ailment
from metadata_service.edits import Edit
from metadata_service.leader.ailing_members import ailments
from metadata_service.leader.allegiance import NO_WISH, Wish
from metadata_service.leader.append_queue import ATTEMPTS, AppendQueue, next_pause
from metadata_service.leader.backlog import Pending
from metadata_service.leader.claiming import lead
from metadata_service.leader.lane import Ways
from metadata_service.leader.member_figures import figures
from metadata_service.leader.members import SILENCE_SECONDS, Members
from metadata_service.leader.proofs import Proofs
from metadata_service.leader.record_rows import RecordRows
from metadata_service.leader.scrub import Scrubbing
from metadata_service.leader.verdict import Verdict
from metadata_service.leader.waiters import Waiters
from metadata_service.quorum import Place
from zookeeper.fabric import logs
from zookeeper.fabric.errors import (
    Busy,
    DfsError,
    InternalError,
    NotLeader,
    OutOfStep,
    Unavailable,
)
from zookeeper.fabric.figures import SIZES, Family, Histogram, gauge, histogram

log = logs.get("journal")

Result = TypeVar("Result")

CONFIRM_SECONDS = 1.5
"""So long one try to confirm an epoch takes at most. Who is there answers at once; when too few of
the others stand by it, another epoch is to be claimed, and nobody leads until then."""


class Journal:
    """One namenode's right to write edits, from `open` until it fails or is closed.

    `ways` lead to the members of the metadata quorum. `on_failure(error)` is called in some
    thread, perhaps one that holds the caller's locks: it must neither block nor lock.
    """

    def __init__(
        self,
        ways: Ways,
        owner: str,
        append_timeout_seconds: float,
        frame_bytes_max: int,
        on_failure: Callable[[DfsError], None],
        admits_disks: bool = True,
    ) -> None:
        self._ways = ways
        self._owner = owner
        self._timeout_seconds = append_timeout_seconds
        self._frame_bytes_max = frame_bytes_max
        self._on_failure = on_failure
        self._admits_disks = admits_disks
        self._lock = threading.Lock()
        self._waiters = Waiters(self._lock)
        self._queue = AppendQueue(0, frame_bytes_max // 2, append_timeout_seconds)
        self._appends, self._batches = Histogram(), Histogram(SIZES)
        self._failure_told = False
        self._closed = threading.Event()
        self._members: Optional[Members] = None
        self._proofs: Optional[Proofs] = None
        self._rows: Optional[RecordRows] = None
        self._scrubbing: Optional[Scrubbing] = None
        self.epoch = 0
        self.cluster_id = ""

    # Reading, before the namenode serves.

    def open(self, at_least: int = 0) -> int:
        """Claim a new epoch, which ends all earlier ones, and return it.

        `at_least`: what a datanode knows of, should the members have lost it.
        All that may have been decided before is so now, and nothing else ever will be. Raises
        Unavailable when no majority of the members answers in time, Fenced when another namenode
        claimed a still newer epoch at the same moment, Busy while another may lead: to claim again
        and again would only have the others promise epochs that nobody leads.
        """
        members = self._patiently(lambda seconds: self._lead(at_least, seconds), Busy)
        proofs = Proofs(members)
        self._members, self._proofs = members, proofs
        self._rows = RecordRows(members, proofs, self._timeout_seconds, self._closed)
        self._scrubbing = Scrubbing(members)
        if len(members.lanes) > 1:
            self._scrubbing.start()
        with self._lock:
            self._queue.last_txid = self._queue.durable_txid = members.decided
        self.epoch, self.cluster_id = members.reign.epoch, members.reign.cluster_id
        if self._closed.is_set():
            members.close()
        return self.epoch

    def _lead(self, at_least: int, seconds: float) -> Members:
        owner = f"{self._owner} {os.urandom(4).hex()}"
        silence = min(SILENCE_SECONDS, self._timeout_seconds / ATTEMPTS)
        return lead(
            self._ways, owner, at_least, seconds, self._frame_bytes_max // 2, silence,
            self._admits_disks,
        )  # fmt: skip

    def confirm(self) -> None:
        """Raises Fenced when a newer epoch was claimed meanwhile. After it the members know what is
        decided."""
        self._patiently(lambda seconds: self.prove(min(seconds, CONFIRM_SECONDS)))

    def prove(self, timeout: float) -> float:
        """Ask once whether this epoch still is the newest; since when, in monotonic seconds, that
        is known, which is not before this call. Raises what the renewal of Proofs raises.

        The answers tell of the disks, too: a change that met full ones would end the journal.
        """
        if self._members is None or self._proofs is None:
            raise NotLeader("the journal is not open yet")
        proved_at = self._proofs.renew(timeout)
        self._queue.room = self._members.has_room
        return proved_at

    @property
    def wish(self) -> Wish:
        """Which other namenode would lead in place of this one, as of the last proof."""
        return self._proofs.wish if self._proofs is not None else NO_WISH

    @property
    def risk(self) -> str:
        """See Members."""
        return self._members.risk if self._members is not None else ""

    @property
    def in_step(self) -> Tuple[str, ...]:
        """The addresses of the members that are written to, and so answer."""
        return tuple(lane.address for lane in self._members.in_step()) if self._members else ()

    @property
    def waits_for(self) -> str:
        """See Members."""
        return self._members.waits_for if self._members is not None else ""

    def ailments(self) -> Tuple[Ailment, ...]:
        """What is wrong with members of the record, though nothing need come of it."""
        return ailments(self._members, time.monotonic()) if self._members is not None else ()

    def delays(self) -> Dict[str, Tuple[float, float]]:
        """See Members."""
        return self._members.delays() if self._members is not None else {}

    def compare_members(self) -> Verdict:
        """Have all members compare their images, which takes some seconds a million files."""
        if self._scrubbing is None:
            raise NotLeader("the journal is not open yet")
        return self._scrubbing.now()

    def kept_behind(self, txid: int, digest: str) -> Optional[List[str]]:
        """Lines of the edits behind this one that are kept in memory, some of them; None when they
        are not (any more). Raises OutOfStep when edit `txid` has another digest; no digest is that
        of any."""
        if self._members is None:
            raise NotLeader("the journal is not open yet")
        with self._members.changed:
            record = self._members.record
            if not record.base.txid <= txid <= record.last.txid:
                return None
            if digest and not record.has(Place(txid, digest)):
                raise OutOfStep(f"edit {txid} of the record is another one than was followed")
            return record.behind(txid, self._frame_bytes_max)

    def rows(self, table: str, after: Union[int, str, None], limit: int) -> bytes:
        """Lines of at most so many rows behind a key, as `load` of MemberCalls gives them."""
        return self._opened.rows(table, after, limit)

    def checkpoint(self) -> int:
        """Have everything that is durable copied from the log into the database; the last txid."""
        return self._opened.checkpoint()

    @property
    def _opened(self) -> RecordRows:
        if self._rows is None:
            raise NotLeader("the journal is not open yet")
        return self._rows

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
        """Why nothing has become durable for a moment, for a person; empty when it has."""
        away = self._members.trouble if self._members is not None else ""
        return self._queue.trouble or (away and f"waits for the metadata service: {away}")

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

        Raises DeadlineExceeded after `timeout` seconds, or when the journal failed or was
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

    def figures(self) -> Tuple[Family, ...]:
        """How far it has come, how long appends take, and how the members fare."""
        members = self._members
        of_members = figures(members, time.monotonic()) if members is not None else ()
        with self._lock:
            waiting = self.last_txid - self.durable_txid
            return (
                *of_members,
                gauge("pyhdfs_last_txid", "The last edit that was made.", self.last_txid),
                gauge("pyhdfs_edits_waiting", "Edits that are not durable yet.", waiting),
                gauge("pyhdfs_epoch", "In which epoch this namenode leads.", self.epoch),
                histogram("pyhdfs_append_seconds",
                          "How long the metadata service took for an append.", self._appends),
                histogram("pyhdfs_edits_in_append", "Edits of an append.", self._batches),
            )  # fmt: skip

    def close(self) -> None:
        """Take no more edits, send every waiting thread home, and let go of the members: whoever
        wants to lead may. To be called when this namenode answers nobody any more."""
        self._closed.set()
        with self._lock:
            self._queue.fail(Unavailable("the journal has been closed"))
            self._failure_told = True
            self._waiters.wake_all()
        if self._members is not None and self._proofs is not None:
            # The other way round the members would be hung up on before they are told.
            self._proofs.release()
            self._members.close()

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
            room = self._append(batch, self._queue.attempt_seconds(deadline, started))
        except DfsError as error:
            failure = error
        with self._lock:
            self._appends.note(time.monotonic() - started)
            self._batches.note(len(batch))
            if failure is None:
                self._queue.appended(batch[-1].txid, room)
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
        if self._members is not None:
            self._members.close()  # What could not be decided is not sent any more.
        log.error("journal.failed", epoch=self.epoch, code=error.code, error=error.message)
        self._on_failure(error)

    def _append(self, batch: List[Pending], seconds: float) -> bool:
        """Have a batch recorded; whether there is room for more. Raises errors of ours only."""
        members = self._members
        try:
            if members is None:
                raise NotLeader("the journal is not open yet")
            members.append(batch[0].txid, [pending.line for pending in batch], seconds)
            return members.has_room
        except DfsError:
            raise
        except Exception as error:  # A defect must fail the journal, not leave the turn taken.
            log.error("append.failed", exc_info=True, error=error)
            raise InternalError(f"the append broke: {error}") from error

    def _patiently(
        self, attempt: Callable[[float], Result], *final: Type[DfsError]
    ) -> Result:
        """What an attempt within so many seconds gives, made again until the time is over, unless
        it raises one of the `final` errors."""
        deadline = time.monotonic() + self._timeout_seconds
        pause = 0.0
        while True:
            try:
                result = attempt(self._timeout_seconds / ATTEMPTS)
                self._queue.trouble = ""
                return result
            except DfsError as error:
                trouble = f"waits for the metadata service: {error.message}"
                over = isinstance(error, final) or time.monotonic() >= deadline
                if over or not error.retryable:
                    raise
                if self._queue.trouble != trouble:  # Once is enough, however long it takes.
                    log.warning("metadata.awaited", error=error.message)
                self._queue.trouble = trouble
            pause = next_pause(pause)
            if self._closed.wait(pause):
                raise Unavailable("the journal has been closed")
