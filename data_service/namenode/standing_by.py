"""The face of a namenode that stands by: datanodes tell it what they have; nobody else gets in."""

import time
from typing import Any, Tuple

from data_service.namenode.listening import Listener, Operate
from data_service.namenode.namenode_core import Core
from data_service.protocol.nodes import NodeStats
from zookeeper.fabric.errors import NotLeader

NOTHING_DURABLE = -1
"""No order goes out by the word of a namenode that stands by."""


class Standby(Listener):
    """That of a core while no term leads it, until `end`. Whoever led it before, and does again,
    has another face: what is asked here is answered as by one that does not lead."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self._ended = False

    @property
    def over(self) -> bool:
        """Whether the core is led now, or is not this namenode's any more."""
        return self._ended or self.core.state.blocks.leads

    @property
    def epoch(self) -> int:
        """The last one in which this namenode led; 0: it never did."""
        return self.core.state.blocks.epoch

    def end(self) -> None:
        """What is in memory is worth nothing any more."""
        self._ended = True
        self.core.wake_all()

    def outlive(self, epoch: int) -> None:
        """A datanode has obeyed this epoch, as it should: another namenode leads."""

    def _require(self) -> None:
        if self.over:
            raise NotLeader("this namenode does not stand by any more; ask again")

    def _hear(self, operation: Operate) -> Tuple[Any, bool]:
        return operation(self.core.state.blocks), False

    def _beat(
        self, session: int, stats: NodeStats, acknowledged: int, unheard_seconds: float
    ) -> Tuple[Any, ...]:
        blocks = self.core.state.blocks
        return blocks.heartbeat(
            session, stats, time.monotonic(), NOTHING_DURABLE, acknowledged, unheard_seconds)

    def _orders(self, session: int) -> Tuple[Any, ...]:
        return self.core.state.blocks.take_commands(session, time.monotonic(), NOTHING_DURABLE)

    def __repr__(self) -> str:
        return f"<Standby {'over, ' if self.over else ''}of {self.core!r}>"
