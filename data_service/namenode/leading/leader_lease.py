"""Whether a namenode may still speak as the one that leads: the rule.

Theory of operation. A namenode that was suspended does not know that another has led since: its
journal would refuse the next change, but it could still answer reads and command datanodes from an
old memory. So every answer needs a proof of leadership that is younger than the time in which
another can be elected. It is renewed by the metadata service, which says that no newer epoch was
claimed; while that service is out of reach, the zookeeper will do, which says that nobody else was
elected since. Proofs are dated by the moment before they were asked for, on the monotonic clock,
which goes on while a process is suspended.

The last proof of a leader outlives its epoch by a little: until then it may answer from the old
memory. So a new leader changes nothing for that long after its claim, and no old answer contradicts
a change that was acknowledged. Who is the only namenode need not wait: its predecessor listened at
the same address, which is free only since it is gone.
"""

from typing import NamedTuple

PROOF_SECONDS_MAX = 2.0
RENEWAL_SECONDS = 0.5
CLOCK_DRIFT = 1.1
"""By how much the clock of an earlier leader may be slower than ours."""


class Election(NamedTuple):
    """The zookeeper's word: the last election that this namenode won, and when the zookeeper,
    which said last that this is how it stands, was asked."""

    number: int
    asked_at: float


class LeaderLease:
    """One term's lease of leadership; to be made when its epoch has been claimed.

    `expiry_seconds` is how long a session of the zookeeper lives, `alone`: there is no other
    namenode.
    """

    def __init__(self, expiry_seconds: float, alone: bool, now: float) -> None:
        self.seconds = min(PROOF_SECONDS_MAX, expiry_seconds / 3)
        self._proved_at = now
        # The election in which no newer epoch had been claimed yet, as far as is known.
        self._election = -1
        self._changes_from = now + (0.0 if alone else self.seconds * CLOCK_DRIFT)

    @property
    def renewal_seconds(self) -> float:
        """The pause between two questions for a proof."""
        return min(RENEWAL_SECONDS, self.seconds / 2)

    @property
    def question_seconds(self) -> float:
        """How long a question may take: the zookeeper's word must not be too old after it."""
        return self.seconds / 2

    def holds(self, now: float) -> bool:
        """Whether leadership is proved as of now."""
        return now - self._proved_at < self.seconds

    def seconds_to_change(self, now: float) -> float:
        """How long earlier leaders can answer yet: until then nothing may be changed."""
        return max(0.0, self._changes_from - now)

    def may_change(self, now: float) -> bool:
        """Whether no earlier leader can answer any more."""
        return now >= self._changes_from

    def proved(self, asked_at: float, before: Election) -> None:
        """The metadata service says that no newer epoch was claimed: asked at that moment, and
        `before` it this was the zookeeper's word."""
        self._election = before.number
        self._prove(asked_at)

    def unanswered(self, latest: Election) -> bool:
        """The metadata service does not answer; whether the zookeeper's latest word is a proof."""
        if latest.number != self._election:
            return False  # Another may have led, and claimed an epoch, in between.
        self._prove(latest.asked_at)
        return True

    def _prove(self, asked_at: float) -> None:
        self._proved_at = max(asked_at, self._proved_at)

    def __repr__(self) -> str:
        return f"<LeaderLease of {self.seconds:g} s, proved at {self._proved_at:.1f}>"
