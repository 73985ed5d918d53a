"""Which datanodes a client had trouble with lately: they are asked last, for a while.

One that does not answer costs a time-out. It is paid once, or a few times, and not again for each
block of each file (HDFS keeps such a list for each open file, and one of a writer for 10 minutes).
It is an order of preference only: who has the only replica is asked whatever is remembered.
"""

import threading
import time
from typing import Callable, Dict, FrozenSet

from zookeeper.fabric.forks import Forkable, watch

AVOIDED_SECONDS = 60.0
"""How long trouble is remembered; a datanode that was restarted is asked again soon."""


class NodeMemory(Forkable):
    """The troubles of one FileSystem. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._until: Dict[str, float] = {}
        watch(self)

    def forked(self) -> None:
        """A thread of the parent's may have held the lock."""
        self._lock = threading.Lock()

    def avoid(self, node_id: str, seconds: float = AVOIDED_SECONDS) -> None:
        """There was trouble with a datanode."""
        with self._lock:
            self._until[node_id] = self._clock() + seconds

    def forgive(self, node_id: str) -> None:
        """A datanode did what it was asked for."""
        if node_id in self._until:
            with self._lock:
                self._until.pop(node_id, None)

    @property
    def avoided(self) -> FrozenSet[str]:
        """The ids of the datanodes to ask last."""
        if not self._until:
            return frozenset()
        with self._lock:
            now = self._clock()
            self._until = {node: until for node, until in self._until.items() if until > now}
            return frozenset(self._until)

    def __repr__(self) -> str:
        return f"<NodeMemory {sorted(self.avoided)}>"
