"""What the zookeeper answers, and whom: `roles.py` says where a daemon registers."""

import math
from typing import Annotated, NamedTuple, Optional, Tuple

from zookeeper.fabric.calls import READS, TELLS, Calls, call
from zookeeper.fabric.identity import DATA_NODE, NAME_NODE
from zookeeper.fabric.kinds import Label, Natural, Text
from zookeeper.sessions import Children, Znode


class _Seconds:
    """Times that end, longer than `least` or as long."""

    def __init__(self, least: float, most: float = math.inf) -> None:
        self._least, self._most = least, most

    def allows(self, value: float) -> bool:
        """Whether it is in the range."""
        return self._least <= value <= self._most

    def __str__(self) -> str:
        return f"{self._least:g} to {self._most:g} seconds"


Expiry = Annotated[float, _Seconds(0.001, 1e9)]
Patience = Annotated[float, _Seconds(0.0)]


class Opened(NamedTuple):
    """A new session, and after which silence it ends."""

    session_id: Label
    expiry_seconds: Expiry


class Leader(NamedTuple):
    """Who leads: in which epoch, and at which address."""

    epoch: Natural
    address: Text


DAEMONS = (NAME_NODE, DATA_NODE)
"""Who is registered. A user has nothing to keep alive here, and no session to crowd others with."""


class ZooKeeperCalls(Calls):
    """Sessions, and the znodes that live as long as they."""

    @call(TELLS, who=DAEMONS)
    def open_session(self, name: Text) -> Opened:
        """Begin a session. A restarted client must give the same name again."""

    @call(TELLS, who=DAEMONS)
    def heartbeat(self, session_id: Text) -> Tuple[Znode, ...]:
        """Say that the session's client is alive; what is still its own.

        The client compares that with what it wants to be registered: a znode may have gone to
        another session of its owner's.
        """

    @call(TELLS, who=DAEMONS)
    def close_session(self, session_id: Text) -> None:
        """End the session; its znodes go at once."""

    @call(TELLS, who=DAEMONS)
    def create(self, session_id: Text, path: Text, data: Text) -> None:
        """Register an ephemeral znode, or set the data of one's own."""

    @call(TELLS, who=DAEMONS)
    def remove(self, session_id: Text, path: Text) -> None:
        """Take back one's own znode."""

    @call(READS, who=DAEMONS)
    def children(self, parent_path: Text) -> Children:
        """The znodes directly below a path."""

    @call(READS, who=DAEMONS, waits=True)
    def watch(self, parent_path: Text, known_version: int, timeout_seconds: Patience) -> Children:
        """The same, after a change from `known_version` or the timeout (at most 30 s)."""

    @call(READS)
    def leader(self) -> Optional[Leader]:
        """Which namenode leads, as far as it is registered here; for people, as a hint.

        Who leads is decided by the members of the metadata quorum, and known to them first.
        """
