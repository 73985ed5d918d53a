"""Whether a namenode may still speak as the one that leads: the rule.

Theory of operation. A namenode that was suspended does not know that another has led since: its
journal would refuse the next change, but it could still answer reads and command datanodes from an
old memory. So every answer needs a proof of leadership that is not old: members of the metadata
quorum that are a majority have said that they promised no newer epoch. A member that said so
promises none for longer than a proof lasts. So whoever has the promises of a majority, which meets
that of the proof, knows that no earlier leader can answer any more, and may change things at once.

A proof is dated by the moment before it was asked for, on a clock that goes on while a process, or
its machine, is suspended. The only namenode needs no proof to answer: nobody else can have led.
"""

from math import inf

RENEWALS = 5
"""How often a proof is renewed in the time that it lasts."""


class LeaderLease:
    """One term's lease of leadership. `seconds` is how long a proof lasts, `alone`: there is no
    other namenode."""

    def __init__(self, seconds: float, alone: bool) -> None:
        self.seconds = seconds
        self._alone = alone
        self._proved_at = -inf

    @property
    def renewal_seconds(self) -> float:
        """The pause between two questions for a proof."""
        return self.seconds / RENEWALS

    def holds(self, now: float) -> bool:
        """Whether leadership is proved as of now."""
        return self._alone or now - self._proved_at < self.seconds

    def age(self, now: float) -> float:
        """Seconds since the last proof was asked for; infinite before the first."""
        return now - self._proved_at

    def proved(self, asked_at: float) -> None:
        """A majority, the first of which was asked at that moment, has promised no newer epoch."""
        self._proved_at = max(asked_at, self._proved_at)

    def __repr__(self) -> str:
        return f"<LeaderLease of {self.seconds:g} s, proved at {self._proved_at:.1f}>"
