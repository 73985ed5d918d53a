"""Safe mode: after its start the namenode changes nothing until datanodes have reported.

While it is on there is no mutation of the namespace, no copy and no deletion of any kind. At
start it ends by itself: when the namespace is loaded and enough blocks have a reported replica,
and after a further extension in which the other reports come in. It never comes back by itself.
Turned on by hand it stays until it is turned off by hand. A namenode that stands by is in it all
the time, and counts meanwhile: when it takes over and the reports were in for long enough, nobody
has to wait.
"""

from math import ceil, inf
from typing import Optional

NEWS_SECONDS = 2.0
"""How long a replica that was just written may take to be told also to who stands by."""

STARTING = "starting"
MANUAL = "manual"
OFF = "off"

MANUAL_REASON = 'It was turned on manually. Use "dfsadmin -safemode leave" to turn it off.'


class SafeMode:
    """`update` is told how many committed blocks there are and how many have a replica.

    `calm_since` is when it ended, or when the namenode last slept: whoever was not heard of before
    may still be about to report.
    """

    def __init__(self, threshold: float, extension_seconds: float) -> None:
        self._threshold = threshold
        self._extension_seconds = extension_seconds
        self._state = STARTING
        self._loaded = False
        self._stands_by = False
        self._total = 0
        self._safe = 0
        self._reached: Optional[float] = None
        # When enough were reported for the last time.
        self._enough_at = -inf
        self.calm_since = 0.0

    def __repr__(self) -> str:
        return f"<SafeMode {self._state}, {self._safe} of {self._total} blocks reported>"

    @property
    def on(self) -> bool:
        """Whether the namenode is read-only now."""
        return self._state != OFF

    @property
    def _needed(self) -> int:
        # Rounded up: with few blocks "99.9 %" must not mean that one may be missing. The small
        # number keeps 0.999 x 1000 from becoming 1000.
        return ceil(self._total * self._threshold - 1e-9)

    def loaded(self) -> None:
        """Every committed block is known now; before this, no number means anything."""
        self._loaded = True

    def stand_by(self) -> None:
        """Another namenode leads: count what is there, and change nothing. Who led, and leads
        again, has waited for the reports already."""
        self._stands_by = True
        if self._state != STARTING:
            self._reached = -inf if self._state == OFF else None
        self._state = STARTING

    def lead(self) -> None:
        """It ends as that of a start does, from what was counted while this one stood by."""
        self._stands_by = False

    def would_last(self, now: float) -> bool:
        """Whether it would still be on if this namenode, which stands by, were to lead now."""
        if self._state != STARTING or not self._total:
            return False
        return self._reached is None or now - self._reached < self._extension_seconds

    def update(self, total: int, safe: int, now: float) -> bool:
        """Note the numbers; True when this ended the safe mode of the start.

        With no blocks there is nothing to wait for, so the extension is left out.
        """
        self._total, self._safe = total, safe
        if self._state != STARTING or not self._loaded:
            return False
        if safe < self._needed:
            if now - self._enough_at >= NEWS_SECONDS:
                self._reached = None
            return False
        self._enough_at = now
        if self._reached is None:
            self._reached = now
        if self._stands_by or (total and now - self._reached < self._extension_seconds):
            return False
        self._state = OFF
        self.calm_since = now
        return True

    def shift(self, seconds: float, now: float) -> None:
        """The namenode itself slept so long: the extension ends that much later."""
        if self._reached is not None:
            self._reached += seconds
        self.calm_since = now

    def enter(self) -> None:
        """Turn it on by hand."""
        self._state = MANUAL

    def leave(self, now: float) -> None:
        """Turn it off by hand, also before the reports are in."""
        if self._state != OFF:
            self._state = OFF
            self.calm_since = now

    def reason(self, now: float) -> str:
        """HDFS's sentence about why it is on and when it ends; empty when it is off."""
        if self._state == OFF:
            return ""
        if self._state == MANUAL:
            return MANUAL_REASON
        if not self._loaded:
            return "The namespace is being loaded."
        total = f"the threshold {self._threshold:.4f} of total blocks {self._total}. "
        end = "Safe mode will be turned off automatically "
        nodes = "The minimum number of live datanodes is not required. "
        if self._safe < self._needed:
            return (f"The reported blocks {self._safe} needs additional "
                    f"{self._needed - self._safe} blocks to reach {total}{nodes}{end}"
                    "once the thresholds have been reached.")
        since = now - self._reached if self._reached is not None else 0.0
        left = max(0, ceil(self._extension_seconds - since))
        return (f"The reported blocks {self._safe} has reached {total}{nodes}"
                f"In safe mode extension. {end}in {left} seconds.")
