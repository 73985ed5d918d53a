"""What is to be seen in the peace after the faults: one thing goes wrong, and service goes on.

While everything fails nothing can be said of how long anybody waits. So in some runs, once all is
healed, one fault alone is played that a cluster has to live with, and its bounds are asserted.
"""

from typing import Callable, Dict, List

from data_service.namenode.leading.unheard import KEEPS_SECONDS
from metadata_service.quorum import OK as OK_STATE
from tests.simulation.auditor import STALE_SECONDS
from tests.simulation.client import RETRY_SECONDS, Client
from tests.simulation.data_node import DataNode
from tests.simulation.durable_record import DurableRecord
from tests.simulation.history import OK, History, Record
from tests.simulation.name_node import NameNode
from tests.simulation.network import Network
from tests.simulation.quorum.member import LEADER_SECONDS, MetadataMember
from tests.simulation.violation import Violation, demand
from tests.simulation.world import Script, World
from zookeeper.fabric.errors import DiskFull

EVERY = 10
"""In so many runs each act is played once."""

FULL_TURN, GRAY_TURN = 4, 7
"""In which of them."""

REST_SECONDS = 5.0
ROOM_SECONDS = 10.0
"""How long after its disks had room again a cluster may refuse changes."""

PEACE_SECONDS = 60.0
ASKED_SECONDS = RETRY_SECONDS + 5.0
TAKEOVER_SECONDS = 3 * LEADER_SECONDS + 2.5
GRAY_SECONDS = STALE_SECONDS + 3.0 + TAKEOVER_SECONDS
"""By then the datanodes have said that they do not hear the leader, and another one leads."""


def namenodes_of(seed: int) -> List[str]:
    """The namenodes of a run; three where two of them are to be deaf."""
    return [f"name_node_{number}" for number in range(3 if seed % EVERY == GRAY_TURN else 2)]


class Acts:
    """Those of one run. `step` does the next deed of the world."""

    def __init__(
        self, world: World, network: Network, step: Callable[[], None],
        namenodes: List[NameNode], datanodes: List[DataNode], members: List[MetadataMember],
        clients: List[Client], history: History, record: DurableRecord,
    ) -> None:  # fmt: skip
        self._world, self._network, self._step = world, network, step
        self._namenodes, self._datanodes, self._members = namenodes, datanodes, members
        self._client, self._history = clients[0], history
        self._record, self._asked = record, 0

    def play(self) -> None:
        """The act of this seed, if there is one; somebody leads."""
        acts: Dict[int, Callable[[], None]] = {
            FULL_TURN: self._fill_most, GRAY_TURN: self._deafen,
        }  # fmt: skip
        act = acts.get(self._world.seed % EVERY)
        if act is not None:
            act()

    # The disks of most members are full.

    def _fill_most(self) -> None:
        """Changes are refused, and reads answered, also by the next leader; until there is room."""
        self._await_peace()
        count = self._world.random.randint(len(self._members) // 2 + 1, len(self._members))
        filled = self._world.random.sample(self._members, count)
        self._world.note(f"full are the disks of {[member.name for member in filled]}")
        for member in filled:
            member.disk.full = True
        self._require_refusals()
        if self._world.chance(0.5):
            leader = self._leader()
            leader.crash()
            self._await(self._holders, TAKEOVER_SECONDS, "nobody leads on full disks")
            self._require_refusals()
            if not leader.up:
                leader.start()
        for member in filled:
            member.disk.full = False
        self._await_change("changes are refused although disks have room")

    def _require_refusals(self) -> None:
        for _ in range(2):
            made = self._make()
            demand(made.result is DiskFull, made, "while most disks are full")
            seen = self._answered(lambda: self._client.look("/"))
            demand(seen.outcome == OK, seen, "while most disks are full")

    def _await_change(self, complaint: str) -> None:
        self._await(lambda: self._make().outcome == OK, ROOM_SECONDS, complaint)

    def _make(self) -> Record:
        self._asked += 1
        path = f"/act{self._asked}"
        return self._answered(lambda: self._client.make(path))

    def _answered(self, question: Callable[[], Script]) -> Record:
        """What a client was told."""
        script = question()
        record = self._history.all[-1]
        self._client.spawn(script)
        self._await(lambda: record.outcome is not None, ASKED_SECONDS, f"{record} is not answered")
        return record

    # The leader hears the members, and not the datanodes.

    def _deafen(self) -> None:
        """Of three namenodes two are cut from most datanodes, one of which leads; the other would
        be the next. The third leads soon."""
        self._await_peace()
        self._pass(REST_SECONDS)
        leader = self._leader()
        turn = self._namenodes.index(leader)
        second, third = (self._namenodes[turn - 2], self._namenodes[turn - 1])
        if not self._may_judge(leader, third):
            return
        count = self._world.random.randint(len(self._datanodes) // 2 + 1, len(self._datanodes))
        cut = self._world.random.sample(self._datanodes, count)
        self._world.note(f"{leader.name} and {second.name} hear no more of {count} datanodes")
        for deaf in (leader, second):
            for datanode in cut:
                self._network.cut(deaf.name, datanode.name)
                self._network.cut(datanode.name, deaf.name)
        self._await(lambda: third.holds or second.holds, GRAY_SECONDS,
                    f"{leader.name} leads on, whom most datanodes do not hear")
        demand(not second.holds, second, "leads next, whom most datanodes do not hear")
        made = self._make()
        demand(made.outcome == OK, made, "by the namenode that most datanodes hear")
        self._network.heal()

    def _may_judge(self, leader: NameNode, third: NameNode) -> bool:
        """Whether the third knows all datanodes, and the leader would give way to it."""
        core, now = third.core, leader.clock()
        if core is None or now - leader.unheard._wished_at < KEEPS_SECONDS:
            return False
        nodes = list(core.state.blocks.census.nodes())
        return len(nodes) == len(self._datanodes) and all(node.reported for node in nodes)

    # Waiting.

    def _await_peace(self) -> None:
        """Everybody can be of use: one more fault is one alone."""

        def is_peace() -> bool:
            self._pass(0.5)
            return self._make().outcome == OK and self._all_are_in_step()

        self._await(is_peace, PEACE_SECONDS, "in peace there are no changes, or not at all members")

    def _all_are_in_step(self) -> bool:
        statuses = [member.status() for member in self._members]
        return (
            {status.state for status in statuses} == {OK_STATE}
            and len({(one.promised, one.log_epoch, one.configuration) for one in statuses}) == 1
            and len(statuses[0].configuration.sets) == 1
            and all(status.last.txid >= self._record.last_txid for status in statuses)
        )

    def _holders(self) -> List[NameNode]:
        return [one for one in self._namenodes if one.up and not one.paused and one.holds]

    def _leader(self) -> NameNode:
        self._await(self._holders, TAKEOVER_SECONDS, "nobody leads")
        return self._holders()[0]

    def _await(self, condition: Callable[[], object], seconds: float, complaint: str) -> None:
        deadline = self._world.now + seconds
        while not condition():
            if self._world.now > deadline:
                raise Violation(f"{complaint}, after {seconds:g} s")
            self._step()

    def _pass(self, seconds: float) -> None:
        end = self._world.now + seconds
        while self._world.now < end:
            self._step()
