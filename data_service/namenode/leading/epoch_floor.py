"""What the next epoch must lie above, when datanodes have obeyed a later one than we claimed.

That happens after the metadata service's record was restored from an older backup: its count of
epochs is that of the backup, and datanodes refuse to obey. One of them says which epoch it knows;
then the term ends, and the next one is claimed above it. The record that this term loaded is
the newest there is, so nobody loses anything by that but a moment.
"""

from math import inf

from metadata_service.epochs import MARGIN, is_believable
from zookeeper.fabric.errors import StartRefused

PAUSE_SECONDS, PAUSE_SECONDS_MAX = 60.0, 86_400.0
"""From one such end of a term to the next, twice as long each time, unless there was none for as
long as the last: after a restore there are one or two, and who tells lies would have a term end
every minute."""


def require_own(known: int, own: int) -> None:
    """Raises StartRefused when a datanode that has obeyed epoch `known` cannot have obeyed a
    namenode of ours, which is of epoch `own`."""
    if known > own and not is_believable(known + MARGIN, own):
        raise StartRefused(
            f"this datanode obeyed a namenode of epoch {known}, and this one is of epoch {own}"
            ": it was another cluster's, or a false one. If this is the right namenode, stop "
            "the datanode, remove the file `epoch` in its directories, and start it again"
        )


class EpochFloor:
    """One namenode's; it outlives the terms. `value` is the least epoch to claim next."""

    def __init__(self) -> None:
        self.value = 0
        self._raised_at = -inf
        self._pause = 0.0

    def told(self, known: int, own: int, now: float) -> bool:
        """A datanode has obeyed epoch `known`, we are of epoch `own`: whether the term must end.

        Raises StartRefused when the datanode cannot have obeyed one of ours.
        """
        require_own(known, own)
        since = now - self._raised_at
        if known <= own or since < self._pause:
            return False
        self.value = max(self.value, known + MARGIN)
        calm = since > PAUSE_SECONDS_MAX
        self._pause = min(max(0.0 if calm else 2 * self._pause, PAUSE_SECONDS), PAUSE_SECONDS_MAX)
        self._raised_at = now
        return True

    def __repr__(self) -> str:
        return f"<EpochFloor {self.value}>"
