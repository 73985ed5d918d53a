"""How much memory the messages of all connections may take together, and who gives way.

Theory of operation. One message is bounded by its frame; a thousand of them are bounded here.
A connection holds what it has announced to send, or has not read of its reply yet, in an
`Account`. When all of them together would hold more than there is, somebody who keeps the process
waiting is hung up on: of those whose group (one principal on one host) holds much, the one that
has held for longest. Honest messages are over in a moment, so they are not met; one that has
to wait is at last refused as Busy. Small messages are not counted: there are too many, and the
limit of connections bounds them.
"""

import threading
import time
from typing import Callable, Dict, Hashable, List, Optional

from zookeeper.fabric.errors import Busy

UNCOUNTED_BYTES = 65536
"""A message of so many bytes at most is not counted."""

OBJECTS_TIMES = 7
OBJECTS_BYTES_MAX = 12 << 20
"""What a request becomes when it is taken apart: so many times its bytes (small numbers), and never
more than this, because the pieces of a request are bounded."""

REPLY_TIMES = 2
"""An answer and the message that it becomes."""

SHARE_PARTS = 4
"""A group that holds more than this part of all is the first to give way."""

_M_MMAP_THRESHOLD = -3
_LARGE_BYTES = 1 << 18

PATIENCE_SECONDS = 5.0
"""How long a message waits until those who give way have gone."""


def give_back_at_once() -> None:
    """Have the C library return the memory of every large message to the system when it is freed.

    Else it raises its own limit with each one, up to 32 MB, and keeps what lies below it: half a
    gigabyte stayed after a crowd of large messages had gone. Elsewhere than with glibc: nothing.
    """
    # Daemons alone need it, and a command starts sooner without.
    import ctypes

    try:
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
    except (AttributeError, OSError, TypeError):
        pass  # A C library without mallopt, or none that can be asked.


class Account:
    """What one connection holds. One thread uses it; `end` may be called by any."""

    def __init__(self, budget: "Budget", group: Hashable, end: Callable[[], None]) -> None:
        """`end` hangs up on the client, so that its thread comes back and releases."""
        self._budget = budget
        self.group = group
        self.end = end
        self.held = 0
        self.since = 0.0
        self.blocked = False
        """Whether its thread waits for the client's next bytes, or for it to read: it may go."""

    def hold_request(self, length: int) -> None:
        """Room for a message of this length that is to be received now; raises Busy."""
        if length > UNCOUNTED_BYTES:
            objects = min(OBJECTS_TIMES * length, OBJECTS_BYTES_MAX)
            self._budget.hold(self, length + objects)

    def hold_reply(self, length: int) -> None:
        """Room for a message of this length that is to be sent now; raises Busy."""
        if length > UNCOUNTED_BYTES:
            self._budget.hold(self, REPLY_TIMES * length)

    def settle(self) -> None:
        """The message is here, or sent: what is held now is no client's fault."""
        self.blocked = False

    def release(self) -> None:
        """The memory is free again."""
        if self.held:
            self._budget.release(self)


class Budget:
    """The memory for messages of one process; every method may be called by any thread."""

    def __init__(self, bytes_max: int, now: Callable[[], float] = time.monotonic) -> None:
        self._bytes_max = bytes_max
        self._now = now
        self._changed = threading.Condition()
        self._holders: Dict[Account, None] = {}
        self._leaving: Dict[Account, None] = {}
        self._used = 0

    @property
    def used(self) -> int:
        """Bytes that are held now."""
        return self._used

    def hold(self, account: Account, count: int) -> None:
        """Give a connection so many bytes more, once they are free; raises Busy."""
        if count > self._bytes_max:
            raise Busy(f"a message of {count} bytes; {self._bytes_max} are there for all")
        deadline = self._now() + PATIENCE_SECONDS
        with self._changed:
            while self._used + count > self._bytes_max:
                if not self._leaving:
                    self._dismiss(account)
                left = deadline - self._now()
                if left <= 0 or not self._changed.wait(left):
                    raise Busy("too many large messages at once; try again")
            self._used += count
            account.held += count
            account.since, account.blocked = self._now(), True
            self._holders[account] = None

    def release(self, account: Account) -> None:
        """See `Account.release`."""
        with self._changed:
            self._used -= account.held
            account.held, account.blocked = 0, False
            self._holders.pop(account, None)
            self._leaving.pop(account, None)
            self._changed.notify_all()

    def _dismiss(self, newcomer: Account) -> None:
        """Hang up on somebody; when all are being served, they are soon done."""
        victim = self._victim(newcomer)
        if victim is not None:
            self._leaving[victim] = None
            victim.end()

    def _victim(self, newcomer: Account) -> Optional[Account]:
        blocked = [one for one in self._holders if one.blocked and one is not newcomer]
        shares: Dict[Hashable, int] = {}
        for one in self._holders:
            shares[one.group] = shares.get(one.group, 0) + one.held
        limit = self._bytes_max // SHARE_PARTS
        greedy: List[Account] = [one for one in blocked if shares[one.group] > limit]
        return min(greedy or blocked, key=lambda one: one.since, default=None)

    def check(self) -> None:
        """Assert what must always hold."""
        with self._changed:
            assert self._used == sum(one.held for one in self._holders) <= self._bytes_max
            assert all(one in self._holders for one in self._leaving)

    def __repr__(self) -> str:
        return f"<Budget {self._used} of {self._bytes_max} bytes, {len(self._holders)} holders>"
