"""When a namenode that leads gives way to another one, which the datanodes hear: the rule.

Theory of operation. A leader may be cut from datanodes and clients, and not from the members of the
record: then it goes on proving that it leads, of no use to anybody. So each datanode tells every
namenode, with each beat, for how long it has not heard the one that leads. One that stands by, is
level with the record, hears them, and hears most of them say that this is long, wishes to lead. It
says so to the members, again and again for as long as it is true. The leader finds it in their
answers when it proves itself, and hands over as if an administrator had told it to.

It does so only when it hears fewer datanodes itself than miss it. So it takes most of them to send
it away: a few that tell lies cannot. A namenode that is cut off itself wishes nothing, and nobody
does when all datanodes are down. A wish counts when a majority of the members tell of it, for who
cannot reach one could not lead. And who has wished does not give way for a minute: whatever is
wrong with the network, leadership does not go to and fro.
"""

from math import inf
from typing import Iterable, List, NamedTuple

from data_service.namenode.replicas.node import Node
from metadata_service.leader.allegiance import Wish

KEEPS_SECONDS = 60.0
"""A namenode that has wished to lead gives way to no other for so long."""


class Beat(NamedTuple):
    """The last beat of a datanode that is not dead: how long ago it came, and for how long the
    datanode had not heard the leader by then; in seconds."""

    age: float
    unheard_seconds: float


def beats_of(nodes: Iterable[Node], now: float) -> List[Beat]:
    """Those of these datanodes. The word of one that has not fully reported here does not count:
    it would not be of use to this namenode yet."""
    return [
        Beat(now - node.last_heartbeat, node.unheard_seconds if node.reported else 0.0)
        for node in nodes if not node.dead
    ]  # fmt: skip


class Unheard:
    """One namenode's; it outlives its terms. `own` is its address, `seconds` the silence that is
    long. `now` is monotonic seconds."""

    def __init__(self, own: str, seconds: float) -> None:
        self._own = own
        self._seconds = seconds
        self._wished_at = -inf

    def missed_by(self, beats: Iterable[Beat], now: float) -> int:
        """How many datanodes are heard here, while this namenode stands by, and miss the one that
        leads; 0 when to wish is not right: unless it hears half of all, and most of these do."""
        beats = list(beats)
        heard = [beat for beat in beats if self._is_fresh(beat)]
        missing = sum(1 for beat in heard if beat.unheard_seconds >= self._seconds)
        if 2 * len(heard) < len(beats) or 2 * missing <= len(heard):
            return 0
        self._wished_at = now
        return missing

    def gives_way(self, wish: Wish, beats: Iterable[Beat], led_since: float, now: float) -> bool:
        """Whether this namenode, which has led and could prove it since that moment, should hand
        over to the one that wishes."""
        if not wish.address or wish.address == self._own:
            return False
        if now - self._wished_at < KEEPS_SECONDS:
            return False
        if now - led_since < self._seconds:
            # Who was not answered before may have had no time to hear it.
            return False
        return sum(map(self._is_fresh, beats)) < wish.missed_by

    def _is_fresh(self, beat: Beat) -> bool:
        return beat.age < self._seconds

    def __repr__(self) -> str:
        return f"<Unheard for {self._seconds:g} s, by {self._own}>"
