"""Whether a namenode may still speak as the one that leads.

Theory of operation. A namenode that was suspended does not know that another has led since: its
journal would refuse the next change, but it could still answer reads and command datanodes from an
old memory. So every answer needs a proof of leadership that is younger than the time in which
another can be elected. A thread renews it: the metadata service says that no newer epoch was
claimed; while that service is out of reach, the zookeeper, which elects nobody else as long as our
session lives, will do. Proofs are dated by the moment before they were asked for, on the monotonic
clock, which goes on while a process is suspended.
"""

import threading
import time
from typing import Callable

from zookeeper.fabric import logs
from zookeeper.fabric.errors import DfsError, Fenced, NotLeader, Unavailable

log = logs.get("office")

RENEWAL_SECONDS = 0.5
PROOF_SECONDS_MAX = 2.0
PATIENCE_SECONDS = 10.0
"""How long an answer waits for a proof, at most, before it is refused."""


class Office:
    """One term's claim to lead.

    `prove(seconds)` asks the metadata service within that time and raises Fenced or Unavailable;
    `elected` tells what the zookeeper said last.
    """

    def __init__(
        self,
        prove: Callable[[float], object],
        elected: Callable[[], bool],
        expiry_seconds: float,
        on_lost: Callable[[], None],
    ) -> None:
        self._prove = prove
        self._elected = elected
        self._proof_seconds = min(PROOF_SECONDS_MAX, expiry_seconds / 3)
        self._on_lost = on_lost
        self._renewed = threading.Condition()
        self._proved_at = time.monotonic()
        self._lost = threading.Event()
        self.fenced = False

    @property
    def lost(self) -> bool:
        """Whether the office is over for good."""
        return self._lost.is_set()

    def hold(self) -> None:
        """Begin to renew the proof, in a thread, until the office is lost."""
        threading.Thread(target=self._renew, name="office", daemon=True).start()

    def lose(self) -> None:
        """End it; whoever waits for a proof is refused."""
        self._lost.set()
        with self._renewed:
            self._renewed.notify_all()

    def require(self) -> None:
        """Return when leadership is proved as of now; raises NotLeader when it cannot be."""
        if self._is_proved():
            return
        with self._renewed:
            self._renewed.wait_for(lambda: self.lost or self._is_proved(), PATIENCE_SECONDS)
        if not self._is_proved():
            raise NotLeader("this namenode cannot be sure that it leads; ask again")

    def _is_proved(self) -> bool:
        return not self.lost and time.monotonic() - self._proved_at < self._proof_seconds

    def _renew(self) -> None:
        while not self._lost.wait(min(RENEWAL_SECONDS, self._proof_seconds / 2)):
            asked_at = time.monotonic()
            try:
                self._prove(self._proof_seconds)
            except Fenced as error:
                log.error("office.lost", error=error.message)
                self.fenced = True
                self.lose()
                self._on_lost()
                return
            except Unavailable:
                if not self._elected():
                    continue
            except DfsError as error:
                log.warning("office.not_proved", error=error.message)
                continue
            with self._renewed:
                self._proved_at = asked_at
                self._renewed.notify_all()

    def __repr__(self) -> str:
        age = time.monotonic() - self._proved_at
        return f"<Office {'lost' if self.lost else f'proved {age:.1f} s ago'}>"
