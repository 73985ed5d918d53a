"""What a namenode knows, and the lock that guards it; both outlive the terms in which it leads.

Theory of operation. A core is filled from the record once, and from then on it is kept: by whoever
follows the record while another namenode leads, and by the terms in which this one does. Who waits
for news under its lock belongs to it as well. A new one is begun only when what is in memory may
never become true.
"""

import secrets
import threading
import time
from random import Random
from typing import Callable, FrozenSet, Iterator, Mapping, Optional

from data_service.namenode.block_limits import policy_of
from data_service.namenode.replicas.blocks import Blocks
from data_service.namenode.state import State
from data_service.namenode.waiting import Waiting
from data_service.protocol.health import LIVE
from zookeeper.fabric.settings import Settings

SUPERGROUP = "supergroup"

SESSION_BITS = 62
"""Of the number of a datanode's session, which is drawn anew for each."""

PAUSE_SECONDS_MAX = 0.1
"""Others get no more time than this between two slices of long work."""


class Core:
    """`lock` guards `state`, `random`, and those who wait: `heartbeats` of sessions for orders,
    `writers` for replicas of blocks. `user` owns the root directory of a new file system."""

    def __init__(self, settings: Settings, cluster_id: str, user: str) -> None:
        own = settings.name_node
        blocks = Blocks(cluster_id, policy_of(settings), _sessions())
        self.cluster_id = cluster_id
        self.state = State(
            blocks, user, SUPERGROUP, own.lease_soft_seconds, own.lease_hard_seconds
        )
        self.random = Random()
        self.digest = ""
        """Of the last edit that was followed, in the chain of the record; empty when that is not
        known, since this namenode led."""
        self.lock = threading.Lock()
        self.heartbeats: Waiting[int] = Waiting()
        self.writers: Waiting[FrozenSet[int]] = Waiting()
        # Who wanted the lock. Not exact, for none is needed to count: it only tells of somebody.
        self._arrivals = 0

    def arrive(self) -> None:
        """Somebody wants the lock, whom long work leaves some time."""
        self._arrivals += 1

    def in_slices(self, step: Callable[[], bool]) -> None:
        """Do something long: a step, which takes the lock, after the other, while more is left.

        Who lets go of a lock and takes it at once has it before those that wait for it. So when
        somebody came meanwhile, as much time as the step took is left to the others.
        """
        while True:
            arrivals, started = self._arrivals, time.monotonic()
            if not step():
                return
            if self._arrivals != arrivals:
                time.sleep(min(time.monotonic() - started, PAUSE_SECONDS_MAX))

    def wake_ordered(self) -> None:
        """Datanodes may have orders: wake the heartbeats of those that do. Under the lock."""
        self.heartbeats.wake(self.state.blocks.has_orders)

    def wake_all(self) -> None:
        """Everybody who waits shall look whom he waits for."""
        with self.lock:
            self.writers.wake_all()
            self.heartbeats.wake_all()

    def see_zookeeper(self, registered: Optional[Mapping[str, str]]) -> None:
        """What the zookeeper says of datanodes (address -> node id), or None: out of reach."""
        with self.lock:
            self.state.blocks.monitor.zookeeper_view(registered, time.monotonic())

    def heard_of(self, registered: Mapping[str, str]) -> int:
        """How many of those that the zookeeper names report to this namenode, too."""
        with self.lock:
            nodes = list(self.state.blocks.census.nodes())
        live = {node.info.node_id for node in nodes if node.liveness == LIVE}
        return sum(node_id in live for node_id in registered.values())

    def __repr__(self) -> str:
        return f"<Core of cluster {self.cluster_id}: {self.state!r}>"


def _sessions() -> Iterator[int]:
    """Numbers that nobody can guess from one that he was given."""
    while True:
        yield 1 + secrets.randbits(SESSION_BITS)
