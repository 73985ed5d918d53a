"""What a journal decides: which edits are sent next, when again, and when all is over.

Theory of operation. Edits are numbered and queued in the order of their making. One append is under
way at a time: whoever takes it (`take`) has the turn, and gives it back with what came of it
(`appended` or `refused`). An append is safe to repeat: the service compares what it has already. So
after a failure that may pass the same edits are sent again, until `timeout_seconds` after the first
attempt. Then, or when the service refuses for good, the queue has failed for ever.
"""

from math import inf
from typing import List, Optional

from metadata_service.edits import Edit, encode
from metadata_service.leader.backlog import Backlog, Pending
from zookeeper.fabric.errors import (
    Busy,
    DeadlineExceeded,
    DfsError,
    DiskFull,
    InternalError,
    NotLeader,
)

ATTEMPTS = 3
"""An attempt may take this part of the whole timeout, so that one lost answer is survived."""

RETRY_SECONDS_MIN = 0.01
RETRY_SECONDS_MAX = 0.5


def next_pause(seconds: float) -> float:
    """How long to wait after the next failure, when it was so long after this one."""
    return min(max(2 * seconds, RETRY_SECONDS_MIN), RETRY_SECONDS_MAX)


FULL_SECONDS = 2.0
"""So long an edit waits for room on the disks. Who asked for it waits, too, and can only be refused
by the next term, which takes no changes then, and knows which edits there are."""


class AppendQueue:
    """One journal's, behind edit `last_txid`. Not thread-safe: its owner has a lock. `now` is
    monotonic seconds."""

    def __init__(self, last_txid: int, batch_bytes_max: int, timeout_seconds: float) -> None:
        self.last_txid = self.durable_txid = last_txid
        self.batch_bytes_max = batch_bytes_max
        self._timeout_seconds = timeout_seconds
        self.backlog = Backlog()
        self.room = True
        """Whether the service's disk had room for more when it was last heard of."""
        self.turn_taken = False
        # While appends fail: since when, and when to try again after how long a pause.
        self._failing_since: Optional[float] = None
        # And since when for want of room.
        self._full_since: Optional[float] = None
        self._retry_at = 0.0
        self._retry_seconds = 0.0
        self.failure: Optional[DfsError] = None
        self.trouble = ""
        """Why the service has not answered for a moment, for a person; empty when it has."""

    def require_room(self) -> None:
        """Raises NotLeader, Busy or DiskFull when a change must not be accepted now."""
        if self.failure is not None:
            raise NotLeader(f"the journal takes no edits: {self.failure.message}")
        if self.backlog.full:
            raise Busy("too many edits wait for the metadata service")
        if not self.room:
            raise DiskFull("the disk of the metadata service is nearly full, or is not there")

    def add(self, edit: Edit) -> int:
        """Queue an edit and return its txid; its own txid is the next one, or 0 to be numbered.

        One that cannot be sent is a failure, since the change was made in memory. After a failure
        edits go nowhere.
        """
        txid = self.last_txid = self.last_txid + 1
        if self.failure is not None:
            return txid
        try:
            self.backlog.add(txid, self._encoded(edit, txid))
        except (TypeError, ValueError) as error:
            self.fail(InternalError(f"edit {txid} cannot be sent: {error}"))
        return txid

    def check_wait(self, txid: int, deadline: float, now: float) -> None:
        """Raise what ends the wait for an edit that is not durable (deadline inf: never)."""
        if self.failure is not None:
            # No word of an outage: somebody is there, and the change can be asked for again.
            raise DeadlineExceeded(f"the change may be lost: {self.failure.message}")
        if now >= deadline:
            reason = f" ({self.trouble})" if self.trouble else ""
            raise DeadlineExceeded(
                f"the change was not recorded in time; it may be later{reason}"
            )
        if txid > self.last_txid:
            raise InternalError(f"edit {txid} was never submitted")

    def take(self, now: float) -> Optional[List[Pending]]:
        """The edits to send now, and with them the turn; None when it is taken or too early."""
        if self.turn_taken or now < self._retry_at:
            return None
        self.turn_taken = True
        return self.backlog.oldest(self.batch_bytes_max)

    def next_take(self) -> float:
        """When to try to take again, unless woken (inf: who has the turn wakes his successor)."""
        return inf if self.turn_taken else self._retry_at

    def attempt_seconds(self, deadline: float, now: float) -> float:
        """How long one attempt may take whose caller waits until then."""
        return min(self._timeout_seconds / ATTEMPTS, max(deadline - now, RETRY_SECONDS_MIN))

    def appended(self, durable_txid: int, room: bool) -> None:
        """All edits up to this one are durable; the turn is free."""
        self.turn_taken = False
        self.backlog.drop(durable_txid)
        self.durable_txid = max(self.durable_txid, durable_txid)
        self._failing_since, self._full_since, self.trouble = None, None, ""
        self._retry_at = self._retry_seconds = 0.0
        self.room = room

    def refused(self, error: DfsError, started: float, now: float) -> None:
        """An attempt from `started` on failed; the turn is free. Plan the next one, or give up.

        The first is at once: perhaps only an idle connection had been broken by a restart of the
        service.
        """
        self.turn_taken = False
        full = isinstance(error, DiskFull)
        if not error.retryable and not full:
            self.fail(error)
            return
        self.room = self.room and not full
        self.trouble = f"waits for the metadata service: {error.message}"
        if self._failing_since is None:
            self._failing_since = started
        if not full:
            self._full_since = None
        elif self._full_since is None:
            self._full_since = now
        waits_for_room = 0.0 if self._full_since is None else now - self._full_since
        if now - self._failing_since >= self._timeout_seconds or waits_for_room >= FULL_SECONDS:
            self.fail(error)
            return
        self._retry_at = now + self._retry_seconds
        self._retry_seconds = next_pause(self._retry_seconds)

    def fail(self, error: DfsError) -> None:
        """For ever from now on, it takes and sends nothing; what failed first counts."""
        if self.failure is None:
            self.failure = error
            self.backlog.clear()

    def check(self) -> None:
        """Assert what must always hold."""
        assert self.durable_txid <= self.last_txid
        if self.failure is None:
            self.backlog.check(self.durable_txid + 1, self.last_txid)

    def __repr__(self) -> str:
        return f"<AppendQueue durable to {self.durable_txid} of {self.last_txid}>"

    def _encoded(self, edit: Edit, txid: int) -> str:
        if edit.txid not in (0, txid):
            raise ValueError(f"it is numbered {edit.txid}")
        line = encode(edit if edit.txid else edit._replace(txid=txid))
        if len(line) > self.batch_bytes_max:
            raise ValueError(f"it has {len(line)} bytes, {self.batch_bytes_max} are allowed")
        return line
