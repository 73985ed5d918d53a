"""Keeps a leader's lease: asks for proofs all the time, and lets those wait who need one."""

import threading
import time
from typing import Callable

from data_service.namenode.leading.ending import Ending
from data_service.namenode.leading.leader_lease import Election, LeaderLease
from zookeeper.fabric import logs
from zookeeper.fabric.errors import DfsError, Fenced, NotLeader, Unavailable

log = logs.get("leader_lease")

PATIENCE_SECONDS = 10.0
"""How long an answer waits for a proof, at most, before it is refused."""


class LeaseKeeper:
    """One term's. `prove(seconds)` asks the metadata service within that time and raises Fenced or
    Unavailable; `elected` is the zookeeper's last word. A newer epoch, and a defect, set `ending`:
    without proofs a leader answers nobody."""

    def __init__(
        self,
        lease: LeaderLease,
        prove: Callable[[float], object],
        elected: Callable[[], Election],
        ending: Ending,
    ) -> None:
        self.lease = lease
        self._prove = prove
        self._elected = elected
        self._ending = ending
        self._renewed = threading.Condition()

    def start(self) -> None:
        """Begin to renew the proof, in a thread, until the term is over."""
        threading.Thread(target=self._keep, name="leader-lease", daemon=True).start()

    def end(self) -> None:
        """The term is over: whoever waits for a proof is refused."""
        with self._renewed:
            self._renewed.notify_all()

    @property
    def holds(self) -> bool:
        """Whether leadership is proved as of now."""
        return not self._ending.is_set and self.lease.holds(time.monotonic())

    def require(self) -> None:
        """Return when leadership is proved as of now; raises NotLeader when it cannot be."""
        if self.holds:
            return
        with self._renewed:
            self._renewed.wait_for(lambda: self._ending.is_set or self.holds, PATIENCE_SECONDS)
        if not self.holds:
            raise NotLeader("this namenode cannot be sure that it leads; ask again")

    def await_change(self) -> None:
        """Return when something may be changed, or the term is over; at most a proof's life."""
        seconds = self.lease.seconds_to_change(time.monotonic())
        if seconds > 0:
            self._ending.wait(seconds)

    def _keep(self) -> None:
        try:
            while not self._ending.wait(self.lease.renewal_seconds):
                self._renew()
        except Exception as error:
            if not isinstance(error, Fenced):
                log.error("lease.failed", exc_info=True, error=type(error).__name__)
            self._ending.set(error)
            self.end()

    def _renew(self) -> None:
        asked_at, before = time.monotonic(), self._elected()
        try:
            self._prove(self.lease.question_seconds)
            self.lease.proved(asked_at, before)
        except Fenced as error:
            log.error("lease.lost", error=error.message)
            raise
        except Unavailable:
            self.lease.unanswered(self._elected())
        except DfsError as error:
            log.warning("lease.not_proved", error=error.message)
        with self._renewed:
            self._renewed.notify_all()

    def __repr__(self) -> str:
        return f"<LeaseKeeper {self.lease!r} {self._ending!r}>"
