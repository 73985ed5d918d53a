"""How long a namenode waits before it tries again to lead."""

from random import Random

RETRY_SECONDS = 0.5
FAILED_PAUSE_SECONDS_MAX = 30.0

LOST_CLAIM_SECONDS = 1.0

LASTING_SECONDS = 60.0
"""A term that lasted for so long was no failure: the next pause is a short one again."""


class Pauses:
    """How long to wait after a failure: twice as long after each, up to a limit."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._next = RETRY_SECONDS

    def after_failure(self) -> float:
        """Seconds to wait now; namenodes that fail for one reason must not stay in step."""
        pause = self._next
        self._next = min(2 * pause, FAILED_PAUSE_SECONDS_MAX)
        return pause * self._random.uniform(0.75, 1.0)

    def after_lost_claim(self) -> float:
        """Seconds to wait now that another one was faster; two that try again must not be in
        step."""
        return LOST_CLAIM_SECONDS * self._random.uniform(0.5, 1.0)

    def after_term(self, seconds: float) -> float:
        """Seconds to wait now that a term is over that lasted for so long."""
        if seconds >= LASTING_SECONDS:
            self._next = RETRY_SECONDS
            return 0.0
        return self.after_failure()

    def __repr__(self) -> str:
        return f"<Pauses, next {self._next:g} s>"
