"""What does harm only at the moment of a change of leaders, which chance hardly ever meets."""

from typing import Callable, Dict, List, Optional, Sequence

from tests.simulation.data_node import DataNode
from tests.simulation.durable_record import DurableRecord
from tests.simulation.name_node import NameNode
from tests.simulation.network import Network
from tests.simulation.world import Process, World

STALL_SECONDS = 5.0
"""Longer than another namenode needs to lead, and to choose for itself what is surplus."""

SLEEP_SECONDS = 4.5
"""Long enough for another one to lead, and to change something."""

AWAKE_SECONDS = 4.0


class Takeovers:
    """The deeds, and how often each is done beside the others."""

    def __init__(
        self, world: World, network: Network, members: Sequence[Process],
        namenodes: List[NameNode], datanodes: List[DataNode], record: DurableRecord,
    ) -> None:  # fmt: skip
        self._world, self._network, self._record = world, network, record
        self._members, self._namenodes, self._datanodes = members, namenodes, datanodes
        self._over = False
        self.deeds: Dict[Callable[[], None], float] = {
            self._await_order: 2.0, self._sleep_through: 1.0,
        }  # fmt: skip

    def heal(self) -> None:
        """Nothing is waited for any more, and every disk answers."""
        self._over = True
        self._expect_orders(lambda _datanode, _block_id: None)
        for datanode in self._datanodes:
            datanode.stalled_until = 0.0

    def _expect_orders(self, told: Callable[[DataNode, int], None]) -> None:
        for datanode in self._datanodes:
            datanode.told_to_delete = told

    def _await_order(self) -> None:
        """The next replica that is surplus is deleted late: when another namenode leads, of which
        its datanode does not hear (HDFS-1972)."""
        self._expect_orders(self._delay_order)

    def _delay_order(self, datanode: DataNode, block_id: int) -> None:
        leader = self._leader()
        is_surplus = block_id in self._record.tables["blocks"] and block_id in datanode.disk
        if leader is None or not is_surplus:
            return
        self._expect_orders(lambda _datanode, _block_id: None)
        self._world.note(f"{datanode.name} is late with an order, and {leader.name} hands over")
        datanode.stalled_until = self._world.now + STALL_SECONDS
        for other in self._namenodes:
            if other is not leader:
                self._cut(other, datanode, 2 * STALL_SECONDS)
        leader.hand_over()

    def _sleep_through(self) -> None:
        """Who leads is suspended until another one does, and wakes up where clients can ask it, and
        no member can tell it."""
        leader = self._leader()
        if leader is None:
            return
        self._world.note(f"{leader.name} sleeps, and then hears only of clients")
        leader.pause()
        generation = leader.generation
        self._world.at(SLEEP_SECONDS, lambda: self._wake(leader, generation))
        for member in self._members:
            self._cut(member, leader, SLEEP_SECONDS + AWAKE_SECONDS)
            self._cut(leader, member, SLEEP_SECONDS + AWAKE_SECONDS)

    @staticmethod
    def _wake(process: Process, generation: int) -> None:
        if process.up and process.paused and process.generation == generation:
            process.resume()

    def _leader(self) -> Optional[NameNode]:
        holders = [one for one in self._namenodes if one.up and not one.paused and one.holds]
        return holders[0] if holders else None

    def _cut(self, source: Process, target: Process, seconds: float) -> None:
        self._network.cut(source.name, target.name)
        self._world.at(
            seconds, lambda: self._over or self._network.mend(source.name, target.name))
