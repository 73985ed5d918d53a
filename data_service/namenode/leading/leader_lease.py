"""Whether a namenode may still speak as the one that leads.

Theory of operation. A namenode that was suspended does not know that another has led since: its
journal would refuse the next change, but it could still answer reads and command datanodes from an
old memory. So every answer needs a proof of leadership that is younger than the time in which
another can be elected. A thread renews it: the metadata service says that no newer epoch was
claimed; while that service is out of reach, the zookeeper will do, which says that nobody else was
elected since. Proofs are dated by the moment before they were asked for, on the monotonic clock,
which goes on while a process is suspended.

The last proof of a leader outlives its epoch by a little: until then it may answer from the old
memory. So a new leader changes nothing for that long after its claim, and no old answer contradicts
a change that was acknowledged. Who is the only namenode need not wait: its predecessor listened at
the same address, which is free only since it is gone.
"""

import threading
import time
from typing import Callable, Tuple

from zookeeper.fabric import logs
from zookeeper.fabric.errors import DfsError, Fenced, NotLeader, Unavailable

log = logs.get("office")

RENEWAL_SECONDS = 0.5
PROOF_SECONDS_MAX = 2.0
CLOCK_DRIFT = 1.1
"""By how much the clock of an earlier leader may be slower than ours."""

PATIENCE_SECONDS = 10.0
"""How long an answer waits for a proof, at most, before it is refused."""


class Office:
    """One term's claim to lead.

    `prove(seconds)` asks the metadata service within that time and raises Fenced or Unavailable;
    `elected` tells the election that this namenode won last, and when the zookeeper, which said
    last that this is how it stands, was asked.
    To be made when the epoch has been claimed; `alone` when there is no other namenode.
    """

    def __init__(
        self,
        prove: Callable[[float], object],
        elected: Callable[[], Tuple[int, float]],
        expiry_seconds: float,
        alone: bool,
        on_lost: Callable[[], None],
    ) -> None:
        self._prove = prove
        self._elected = elected
        # The election in which no newer epoch had been claimed yet, as far as is known.
        self._election = -1
        self._proof_seconds = min(PROOF_SECONDS_MAX, expiry_seconds / 3)
        self._on_lost = on_lost
        self._renewed = threading.Condition()
        self._proved_at = time.monotonic()
        held_back = 0.0 if alone else self._proof_seconds * CLOCK_DRIFT
        self._changes_from = self._proved_at + held_back
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

    @property
    def may_change(self) -> bool:
        """Whether no earlier leader can answer any more."""
        return time.monotonic() >= self._changes_from

    def await_change(self) -> None:
        """Return when something may be changed, or the office is lost; at most a proof's life."""
        self._lost.wait(max(0.0, self._changes_from - time.monotonic()))

    def _is_proved(self) -> bool:
        return not self.lost and time.monotonic() - self._proved_at < self._proof_seconds

    def _renew(self) -> None:
        try:
            self._renew_until_lost()
        except Exception as error:
            # Without proofs a leader answers nobody: the term ends, and the next one tries again.
            log.error("office.failed", exc_info=True, error=type(error).__name__)
            self.lose()
            self._on_lost()

    def _renew_until_lost(self) -> None:
        while not self._lost.wait(min(RENEWAL_SECONDS, self._proof_seconds / 2)):
            asked_at = time.monotonic()
            election, _ = self._elected()
            try:
                # The zookeeper's word must not be too old when this takes all of its time.
                self._prove(self._proof_seconds / 2)
            except Fenced as error:
                log.error("office.lost", error=error.message)
                self.fenced = True
                self.lose()
                self._on_lost()
                return
            except Unavailable:
                election, asked_at = self._elected()
                if election != self._election:
                    continue  # Another may have led, and claimed an epoch, in between.
            except DfsError as error:
                log.warning("office.not_proved", error=error.message)
                continue
            self._election = election
            with self._renewed:
                self._proved_at = max(asked_at, self._proved_at)
                self._renewed.notify_all()

    def __repr__(self) -> str:
        age = time.monotonic() - self._proved_at
        return f"<Office {'lost' if self.lost else f'proved {age:.1f} s ago'}>"
