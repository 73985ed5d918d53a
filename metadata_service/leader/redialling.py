"""When a connection that was lost is dialled anew: at once, unless it was lost soon after it had
come.

One that lasted may just have been idle on a gateway, or its process been started again. But a
member that has too few places for connections ends one for each that comes; two ends that dial at
once would do nothing else.
"""

from math import inf

from metadata_service.leader.append_queue import next_pause

LASTING_SECONDS = 1.0
"""Who is lost sooner after it was dialled is dialled less and less often."""


class Redialling:
    """Of one connection. `now` is monotonic seconds."""

    def __init__(self) -> None:
        self._opened_at = self._due_at = -inf
        self._pause = 0.0

    def opened(self, now: float) -> None:
        """It has been dialled."""
        self._opened_at, self._due_at = now, inf

    def is_due(self, now: float) -> bool:
        """Of a connection that is not there: whether it is to be dialled now."""
        if self._due_at == inf:  # It was lost since.
            lasted = now - self._opened_at >= LASTING_SECONDS
            self._pause = 0.0 if lasted else next_pause(self._pause)
            self._due_at = now + self._pause
        return now >= self._due_at

    def seconds_left(self, now: float) -> float:
        """How long to wait until it is due."""
        return 0.0 if self.is_due(now) else self._due_at - now

    def __repr__(self) -> str:
        return f"<Redialling after {self._pause} s>"
