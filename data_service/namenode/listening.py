"""How datanodes tell a namenode of themselves: the same while it leads and while it stands by."""

import time
from typing import Any, Callable, FrozenSet, Iterable, Optional, Tuple

from data_service.namenode.namenode_core import Core
from data_service.namenode.replicas.blocks import Blocks
from data_service.namenode.waiting import Waiter
from data_service.protocol.blocks import Told
from data_service.protocol.nodes import NodeStats
from zookeeper.fabric.rpc import WAITING_SLICE_SECONDS

Operate = Callable[[Blocks], Any]


class Listener:
    """A namenode's ear. Who derives from it says who may be listened to, and what is ordered.

    `leads` is whether it is that of a namenode which leads, as long as it is not over: it does not
    change, so an answer cannot be of one time and say another.
    """

    leads = False

    def __init__(self, core: Core) -> None:
        self.core = core
        self.lock = core.lock

    @property
    def over(self) -> bool:
        """Whether nothing may be answered from it any more."""
        raise NotImplementedError

    @property
    def epoch(self) -> int:
        """In which this namenode leads, or the newest that it has heard of."""
        raise NotImplementedError

    def outlive(self, epoch: int) -> None:
        """A datanode has obeyed this epoch. Raises StartRefused when it was none of ours."""
        raise NotImplementedError

    def _admit(self) -> None:
        """Return when somebody may be answered now; raises NotLeader. Not under the lock."""

    def _require(self) -> None:
        """Raises NotLeader when it is over. Under the lock."""
        raise NotImplementedError

    def _hear(self, operation: Operate) -> Tuple[Any, bool]:
        """Run an operation that tells the block side something: (its result, whether there are
        new orders for datanodes). Under the lock."""
        raise NotImplementedError

    def _beat(
        self, session: int, stats: NodeStats, acknowledged: int, unheard_seconds: float
    ) -> Tuple[Any, ...]:
        """A datanode lives, and obeys the namenode of this epoch: the commands for it. Under the
        lock."""
        raise NotImplementedError

    def _orders(self, session: int) -> Tuple[Any, ...]:
        """The commands for a datanode that has waited for some. Under the lock."""
        raise NotImplementedError

    def tell_blocks(self, operation: Operate, told: Optional[Iterable[Told]] = None) -> Any:
        """Tell the block side something, of these replicas (None: of whichever); a file that waits
        for one of them looks again."""
        self.core.arrive()
        return self._tell_blocks(operation, None if told is None else ids(told))

    def tell_blocks_in_slices(
        self, operation: Callable[[Blocks], bool], told: Iterable[Told]
    ) -> None:
        """Tell it something long: a slice each time, until the operation says that it is done."""
        self.core.arrive()
        block_ids = ids(told)
        self.core.in_slices(lambda: not self._tell_blocks(operation, block_ids))

    def _tell_blocks(self, operation: Operate, told: Optional[FrozenSet[int]]) -> Any:
        self._admit()
        with self.lock:
            self._require()
            result, has_orders = self._hear(operation)
            if has_orders:
                self.core.wake_ordered()
            self.core.writers.wake(lambda blocks: told is None or not told.isdisjoint(blocks))
            return result

    def ask_blocks(self, operation: Operate) -> Any:
        """Ask the block side something, which is no news to anybody."""
        self.core.arrive()
        self._admit()
        with self.lock:
            self._require()
            return operation(self.core.state.blocks)

    def heartbeat(
        self,
        session: int,
        stats: NodeStats,
        wait_seconds: float,
        gone: Callable[[], bool] = lambda: False,
        acknowledged: int = 0,
        unheard_seconds: float = 0.0,
    ) -> Tuple[int, Tuple[Any, ...]]:
        """(epoch, commands): at once when there are commands, or the datanode does not know yet
        that this namenode leads; else when they come or time is up."""
        deadline = time.monotonic() + wait_seconds
        self.core.arrive()
        self._admit()
        with self.lock:
            self._require()
            commands = self._beat(session, stats, acknowledged, unheard_seconds)
            if not commands and not self._must_acknowledge(session):
                commands = self._await_orders(session, deadline, gone)
        if commands:
            self._admit()
        return self.epoch, commands

    def _await_orders(
        self, session: int, deadline: float, gone: Callable[[], bool]
    ) -> Tuple[Any, ...]:
        """The orders of a datanode when they come, none when time is up, or another one leads now
        than when it asked. Under the lock."""
        commands: Tuple[Any, ...] = ()
        waiter = Waiter(self.lock, session)
        self.core.heartbeats.add(waiter)
        try:
            while not commands and time.monotonic() < deadline and not gone():
                self._await(waiter, min(deadline - time.monotonic(), WAITING_SLICE_SECONDS))
                if self._must_acknowledge(session) or (self.over and not self.leads):
                    break
                self._require()
                commands = self._orders(session)
        finally:
            self.core.heartbeats.remove(waiter)
        return commands

    def _must_acknowledge(self, session: int) -> bool:
        return bool(self.core.state.blocks.must_acknowledge(session))

    def _await(self, waiter: "Waiter[Any]", seconds: float) -> None:
        """Wait, under the lock, until woken; not when the time is up or this is over."""
        if seconds > 0 and not self.over:
            waiter.wait(seconds)


def ids(blocks: Iterable[Told]) -> FrozenSet[int]:
    """The ids of these blocks."""
    return frozenset([block.block_id for block in blocks])
