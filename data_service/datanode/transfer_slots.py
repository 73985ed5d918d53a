"""How many transfers run at a time: who comes when they are many waits its turn, for a while.

Theory of operation. A transfer takes a slot. When none is free it queues, first come, first
served, and is answered Busy when its patience is over: then the caller tries another datanode, or
this one later. Two things keep the queue moving:

*No circle of waiting.* A datanode of a write pipeline keeps its slot while those after it wait for
theirs. If all slots of two datanodes were held by transfers that wait for each other, none would
ever go on. So the more datanodes come after, the fewer slots may be taken: the last of a pipeline
always finds one that no earlier one holds, it waits for nobody, and goes first.

*Nobody takes all.* One user has half of the slots, and of the places in the queue, by the same rule
about those that come after: what waits for its user's own transfers is overtaken.

*No slot for those who do nothing.* A reader who stopped to read, and holds a slot that another
one waits for, is cut off. It opens the block again where it was when it goes on.
"""

import threading
import time
from contextlib import contextmanager
from typing import Callable, Counter, Iterator, List, Optional, Set, Tuple

from zookeeper.fabric.errors import Busy
from zookeeper.fabric.figures import Family, gauge
from zookeeper.fabric.places import share_of

YIELD_SECONDS = 3.0
"""How long a reader may take nothing until it loses its slot to one who waits."""

WAITING_MIN = 64
"""So many may wait, or as many as may run if that is more; the next one is Busy at once."""

_LOOK_SECONDS = 0.2


class Transfer:
    """One that runs, or waits."""

    def __init__(
        self, user: str, nodes_after: int, interrupt: Optional[Callable[[], None]]
    ) -> None:
        self.user = user
        self.nodes_after = nodes_after
        self.interrupt = interrupt
        self.progress_at = time.monotonic()

    def touch(self) -> None:
        """It makes progress."""
        self.progress_at = time.monotonic()


class TransferSlots:
    """The slots of one datanode, at `address`. May be used by any thread."""

    def __init__(self, limit: int, address: str) -> None:
        self._limit = limit
        self._address = address
        self._changed = threading.Condition()
        self._running: Set[Transfer] = set()
        self._waiting: List[Transfer] = []
        self._users: Counter[str] = Counter()
        """How many run for each user."""

    @property
    def running(self) -> int:
        """How many transfers run."""
        return len(self._running)

    def figures(self) -> Tuple[Family, ...]:
        """How busy they are."""
        return (
            gauge("pyhdfs_transfers", "Transfers of blocks that run.", len(self._running)),
            gauge("pyhdfs_transfers_waiting", "Transfers of blocks that wait.", len(self._waiting)),
            gauge("pyhdfs_transfers_max", "Transfers that may run at once.", self._limit),
        )

    @contextmanager
    def hold(
        self,
        patience_seconds: float,
        nodes_after: int = 0,
        interrupt: Optional[Callable[[], None]] = None,
        user: str = "",
    ) -> Iterator[Transfer]:
        """Hold a slot while the block runs; raises Busy when none came free in time.

        It is for `user`, who has his share; without one it shares with nobody. `nodes_after` others
        come after this one in a pipeline. `interrupt`, called by another thread, must make the
        transfer fail soon: it is what a reader may be cut off with.
        """
        transfer = Transfer(user, nodes_after, interrupt)
        with self._changed:
            self._await_slot(transfer, time.monotonic() + patience_seconds)
        try:
            yield transfer
        finally:
            with self._changed:
                self._running.discard(transfer)
                self._users[user] -= 1
                if not self._users[user]:
                    del self._users[user]
                self._changed.notify_all()

    def _await_slot(self, transfer: Transfer, deadline: float) -> None:
        most = max(self._limit, WAITING_MIN)
        own = sum(1 for waiting in self._waiting if waiting.user == transfer.user)
        if len(self._waiting) >= most or (transfer.user and own >= share_of(most)):
            raise self._busy()
        self._waiting.append(transfer)
        try:
            while self._first() is not transfer:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise self._busy()
                self._cut_idle_off()
                self._changed.wait(min(left, _LOOK_SECONDS))
            # Before anybody else looks: the time that it waited is no idleness.
            transfer.touch()
            self._running.add(transfer)
            self._users[transfer.user] += 1
        finally:
            self._waiting.remove(transfer)
            self._changed.notify_all()

    def _first(self) -> Optional[Transfer]:
        """Who of those that wait may begin now; a reader overtakes nobody who has a share left."""
        overtakes = False
        for transfer in self._waiting if len(self._running) < self._limit else ():
            user, after = transfer.user, transfer.nodes_after
            if user and self._users[user] >= max(1, share_of(self._limit) - after):
                continue
            if len(self._running) < max(1, self._limit - after):
                if transfer.interrupt is None or not overtakes:
                    return transfer
            overtakes = True
        return None

    def _cut_idle_off(self) -> None:
        now = time.monotonic()
        for transfer in self._running:
            if transfer.interrupt and now - transfer.progress_at > YIELD_SECONDS:
                transfer.interrupt()
                transfer.interrupt = None

    def _busy(self) -> Busy:
        return Busy(f"{self._address} has reached its limit of transfers")

    def __repr__(self) -> str:
        return f"<TransferSlots {self.running} of {self._limit} run, {len(self._waiting)} wait>"
