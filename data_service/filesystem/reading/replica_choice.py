"""Which replica of a block to read next, and when to give up.

Theory of operation. Replicas on this machine come first, those of datanodes that made trouble
lately last. What happened decides where a replica stands afterwards:

- damaged: never again, but for who wants the bytes as they are;
- the connection broke after bytes came, because the *reader* paused (a pager, slow work on each
  piece): nothing is wrong with it, and it is asked again at once, as often as it takes;
- it broke after bytes came, or came too slowly: behind all others, and again when they fail;
- the token is too old: it is for all of them, so the namenode is asked for another one at once; who
  finds that too old as well has a wrong clock, and is out as below;
- no byte came: out, until all others failed and the namenode was asked where the replicas are now.

When that was in vain, too, and somebody may come back (a datanode that restarts, or has its limit
of transfers), there is another round after a pause, as in HDFS, whose client makes three. A round
begins to count anew with every byte that comes.
"""

import os
import random
import time
from typing import Callable, Dict, List, NamedTuple, Optional, Set, Tuple

from data_service.filesystem.reading.node_memory import NodeMemory
from data_service.protocol.files import LocatedBlock
from data_service.protocol.nodes import Target
from zookeeper.fabric.errors import Busy, CorruptData, DfsError, TokenExpired, Unavailable

THIS_MACHINE = ("localhost", "127.0.0.1", "::1", os.uname().nodename)

PAUSES_SECONDS = (0.5, 1.0, 2.0, 4.0)
"""Before each further round: a restarted datanode serves again within that time."""

RETURN_SECONDS = 10.0
"""No round begins later than this after the first one, for datanodes that do not answer."""

Relocate = Callable[[LocatedBlock], Optional[LocatedBlock]]
Wait = Callable[[float], bool]
"""Waits so many seconds; true when the transfer is given up meanwhile."""


class Attempt(NamedTuple):
    """A replica to read; `hasty`: another one may be better, so not to wait long for this one."""

    target: Target
    located: LocatedBlock
    verify: bool = True
    hasty: bool = False


class ReplicaChoice:
    """The replicas of one block, for one read of it. Not for two threads at a time."""

    def __init__(
        self,
        located: LocatedBlock,
        memory: NodeMemory,
        relocate: Relocate,
        wait: Wait,
        busy_seconds: float,
        as_they_are: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._located = located
        self._memory = memory
        self._relocate = relocate
        self._wait = wait
        self._clock = clock
        self._busy_seconds = busy_seconds
        self._began: Optional[float] = None
        self._rounds = 0
        self._renewed = False
        self._as_they_are = as_they_are
        self._read_as_they_are: Set[Target] = set()
        self._queue = nearest_first(located.targets, memory)
        self._fresh = set(self._queue)
        self.problems: Dict[Target, DfsError] = {}

    def next(self) -> Optional[Attempt]:
        """The next replica, or None when there is no hope left."""
        while True:
            if self._queue:
                target = self._queue.pop(0)
                self._fresh.discard(target)
                avoided = self._memory.avoided
                hasty = any(other.node_id not in avoided for other in self._fresh)
                return Attempt(target, self._located, True, hasty)
            if not self._new_round():
                return self._unverified()

    def came(self, attempt: Attempt) -> None:
        """Bytes came: whatever was in vain before counts no more."""
        self._rounds = 0
        self._renewed = False
        self._began = None
        self._memory.forgive(attempt.target.node_id)

    def failed(self, attempt: Attempt, error: DfsError, some_came: bool, paused: bool) -> None:
        """An attempt ended by `error`; `paused`: the reader itself let it wait for long."""
        target = attempt.target
        self.problems[target] = error
        if isinstance(error, CorruptData) or not attempt.verify:
            return
        if some_came and paused:
            self._queue.insert(0, target)
            return
        if isinstance(error, TokenExpired) and not self._renewed:
            self._queue.clear()
            self._renewed = True
        elif isinstance(error, (Unavailable, TokenExpired)):
            self._memory.avoid(target.node_id)
        if some_came:
            self._queue.append(target)

    def _new_round(self) -> bool:
        """Ask the namenode once more, after a pause if that was done; whether to go on."""
        if self._rounds and not self._pause():
            return False
        self._rounds += 1
        again = self._relocate(self._located)
        if again is not None:
            self._located = again
        elif not self._any_busy():
            # There is no such block any more, or nobody to ask, and all that was known was tried.
            return False
        good = [target for target in self._located.targets
                if not isinstance(self.problems.get(target), CorruptData)]
        self._queue = nearest_first(tuple(good), self._memory)
        return bool(self._queue)

    def _pause(self) -> bool:
        """Wait before another round; False when that would be in vain, or was long enough."""
        busy, now = self._any_busy(), self._clock()
        passing = (Unavailable, TokenExpired)
        if not busy and not any(isinstance(error, passing) for error in self.problems.values()):
            return False
        if self._began is None:
            self._began = now
        if now - self._began > (self._busy_seconds if busy else RETURN_SECONDS):
            return False
        # A transfer that has to wait for its turn asks often: it may be short, and others wait.
        longest = 2 if busy else len(PAUSES_SECONDS)
        seconds = PAUSES_SECONDS[min(self._rounds, longest) - 1]
        # Many readers that were refused together must not come back together.
        return not self._wait(seconds * random.uniform(0.5, 1.0))

    def _any_busy(self) -> bool:
        return any(isinstance(error, Busy) for error in self.problems.values())

    def _unverified(self) -> Optional[Attempt]:
        """A damaged replica, for who wants its bytes as they are."""
        for target, error in self.problems.items() if self._as_they_are else ():
            if isinstance(error, CorruptData) and target not in self._read_as_they_are:
                self._read_as_they_are.add(target)
                return Attempt(target, self._located, False)
        return None


def nearest_first(targets: Tuple[Target, ...], memory: NodeMemory) -> List[Target]:
    """Replicas on this machine first, else in the namenode's order, which spreads the load; those
    of datanodes with which there was trouble last."""
    avoided = memory.avoided
    return sorted(
        targets,
        key=lambda target: (target.node_id in avoided, target.host not in THIS_MACHINE),
    )
