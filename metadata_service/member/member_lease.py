"""When a member may promise a new epoch: not while the leader that it promised the last may lead.

Theory of operation. A leader leads for as long as a majority has answered its proofs recently. A
member that answers one lets nobody else claim for a while longer than the leader makes of the
answer. So who has the promises of a majority knows that no proof is valid any more. After its start
a member cannot know whether it had just answered, so it behaves as if it had.

A promise is durable only after a moment, in which a proof must not be answered as if there were
none: from the decision on, it counts (`pledge`).
"""

from math import inf

from zookeeper.fabric.errors import Busy, Fenced

LEASE_FACTOR = 1.1
"""How much longer a member lets nobody else claim than a leader makes of its answer: clocks differ
in how fast they go."""


def address_of(owner: str) -> str:
    """Of the claim `host:port nonce`, who made it."""
    return owner.split(" ", 1)[0]


class MemberLease:
    """Of one member. `now` is monotonic seconds; nothing here is kept on the disk."""

    def __init__(self, seconds: float, owner: str, now: float) -> None:
        self.seconds = seconds
        self._answered_at = now if owner else -inf
        self._released = 0
        self._pledged = 0

    def silent_seconds(self, now: float) -> float:
        """How long ago a proof was answered; infinite when the leader let go, or there was none."""
        return now - self._answered_at

    def check_claim(self, claimant: str, owner: str, now: float) -> None:
        """Raises Busy while the owner of the last promise may still lead, unless it is himself:
        a process that listens at its address has no predecessor that still does."""
        left = self.seconds - self.silent_seconds(now)
        if left > 0 and address_of(claimant) != address_of(owner):
            raise Busy(f"the lease of {address_of(owner)} may run for another {left:.1f} seconds")

    def pledge(self, epoch: int) -> None:
        """A promise of this epoch is being made durable: from now on nobody else leads by us."""
        self._pledged = max(self._pledged, epoch)

    def withdraw(self) -> None:
        """The promise could not be made durable, and nobody was told of it."""
        self._pledged = 0

    def prove(self, epoch: int, promised: int, now: float) -> int:
        """The epoch that is promised, to tell the leader of `epoch`: when it is that one, durably,
        the lease runs anew. Raises Fenced when that leader has let go itself."""
        if epoch == self._released:
            raise Fenced(f"the leader of epoch {epoch} has let go")
        if self._pledged > epoch:
            return self._pledged
        if promised == epoch:
            self._answered_at = now
        return promised

    def release(self, epoch: int, promised: int) -> None:
        """The leader of `epoch` answers nobody any more: claims are welcome, if it is the last."""
        if epoch == promised:
            self._answered_at, self._released = -inf, epoch
