"""Keeps a leader's lease: asks for proofs all the time, and lets those wait who need one."""

import threading
import time
from typing import Callable

from data_service.namenode.leading.ending import Ending
from data_service.namenode.leading.leader_lease import LeaderLease
from zookeeper.fabric import logs
from zookeeper.fabric.errors import DfsError, Fenced, NotLeader, OutOfStep

log = logs.get("leader_lease")

PATIENCE_SECONDS = 10.0
"""How long an answer waits for a proof, at most, before it is refused."""

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def boottime() -> float:
    """Seconds on a clock that goes on while this process, or its machine, is suspended."""
    return time.clock_gettime(_CLOCK)


class LeaseKeeper:
    """One term's. `prove(seconds)` asks the members within that time; it raises Fenced or OutOfStep
    when the epoch is over, and errors that pass. The end of the epoch, and a defect, set `ending`:
    without proofs a leader answers nobody."""

    def __init__(
        self,
        lease: LeaderLease,
        prove: Callable[[float], object],
        ending: Ending,
    ) -> None:
        self.lease = lease
        self._prove = prove
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
        return not self._ending.is_set and self.lease.holds(boottime())

    @property
    def age(self) -> float:
        """Seconds since the last proof was asked for."""
        return self.lease.age(boottime())

    def require(self) -> None:
        """Return when leadership is proved as of now; raises NotLeader when it cannot be."""
        if self.holds:
            return
        with self._renewed:
            self._renewed.wait_for(lambda: self._ending.is_set or self.holds, PATIENCE_SECONDS)
        if not self.holds:
            raise NotLeader("this namenode cannot be sure that it leads; ask again")

    def _keep(self) -> None:
        try:
            while not self._ending.is_set:
                self._renew()
                self._ending.wait(self.lease.renewal_seconds)
        except Exception as error:
            if not isinstance(error, DfsError):
                log.error("lease.failed", exc_info=True, error=type(error).__name__)
            self._ending.set(error)
            with self._renewed:
                self._renewed.notify_all()

    def _renew(self) -> None:
        asked_at = boottime()
        try:
            self._prove(self.lease.seconds)
            self.lease.proved(asked_at)
        except (Fenced, OutOfStep) as error:
            log.error("lease.lost", error=error.message)
            raise
        except DfsError as error:
            log.debug("lease.not_proved", error=error.message)
        with self._renewed:
            self._renewed.notify_all()

    def __repr__(self) -> str:
        return f"<LeaseKeeper {self.lease!r} {self._ending!r}>"
