"""One run: a cluster, faults for a while, then peace, and everything must be right.

Real is what decides: of a namenode its leadership, lease, state, chores, the queue of its journal
and what it concludes of the members of the record; of each member its core; of the zookeeper its
sessions. Around them stand models of all that does input and output: two or three namenodes that
compete, five datanodes with disks, four clients, three members (or a single one), a zookeeper and
a network between them. See `world.py` for how it is one thread and one seed, `quorum/` for the
members, and `acts.py` for what is played in the peace of some runs.
"""

from typing import List, NamedTuple

from tests.simulation import checks
from data_service.namenode.leading.leadership import Standing
from metadata_service.member.member_record import alone
from metadata_service.quorum import OK
from tests.simulation.acts import Acts, namenodes_of
from tests.simulation.auditor import Auditor
from tests.simulation.client import Client, Habits
from tests.simulation.data_node import DataNode
from tests.simulation.durable_record import DurableRecord
from tests.simulation.faults import Faults
from tests.simulation.history import History
from tests.simulation.name_node import NameNode
from tests.simulation.network import LATE_SECONDS, Network
from tests.simulation.quorum.member import LEADER_SECONDS, MetadataMember
from tests.simulation.services import ZooKeeper
from tests.simulation.violation import Violation
from tests.simulation.world import Process, World

STEPS = 7000
"""Deeds of the world until everything is healed."""

QUIET_SECONDS = 120.0
LEADERLESS_SECONDS = 3 * LEADER_SECONDS + 2.5
"""How long nobody may lead while all is well: a claim that was lost in the faults waits a while."""

PAUSE_SECONDS_MAX = 45.0
"""The same when somebody lacks an image, or has failed so often that it pauses."""

MEMBERS = ["member_0", "member_1", "member_2"]
ALONE, GROWS = 0.1, 0.5
"""How many runs have a single member at first, and how many of these have all of them later."""

DATANODES = 5
CLIENTS = 4
READY = (Standing.FOLLOWING, Standing.LEADING)
CHECK_DEEDS = 100
"""After so many deeds all invariants are asserted."""


class Figures(NamedTuple):
    """What a run came to."""

    seconds: float
    deeds: int
    edits: int
    epochs: int
    answers: int
    removals: int
    trace_hash: str


class Simulation:
    """A cluster in a world of its own. `run` raises what the first broken rule says."""

    def __init__(self, seed: int) -> None:
        self.world = World(seed)
        self.network = Network(self.world)
        self.zookeeper = ZooKeeper(self.world)
        self.record = DurableRecord(self.world, checks.FRESH)
        self.hosts: List[str] = list(MEMBERS)
        self.members = self._made_members()
        self.auditor = Auditor(self.record)
        self.history = History(self.record, self.network.repeated)
        names = namenodes_of(seed)
        self.namenodes = [
            NameNode(self.network, self.record, name, names, self.hosts)
            for name in names
        ]
        self.datanodes = [
            DataNode(self.network, self.auditor, f"node_{number}", names)
            for number in range(DATANODES)
        ]
        habits = Habits(self.world.random)
        self.clients = [
            Client(self.network, self.history, f"client_{number}", names, habits)
            for number in range(CLIENTS)
        ]
        self.processes: List[Process] = [
            self.zookeeper, *self.members, *self.namenodes, *self.datanodes, *self.clients,
        ]  # fmt: skip
        for process in self.processes:
            self.network.add(process)
        self.auditor.datanodes = list(self.datanodes)
        self.auditor.namenodes = list(self.namenodes)
        self.faults = Faults(
            self.world, self.network, self.processes, self.datanodes, self.members, self.hosts,
            self.record)
        self.acts = Acts(
            self.world, self.network, self._step, self.namenodes, self.datanodes, self.members,
            self.clients, self.history, self.record)
        self.auditor.lateness = LATE_SECONDS if self.network.late else 0.1

    def _made_members(self) -> List[MetadataMember]:
        names = MEMBERS
        if self.world.chance(ALONE):
            del self.hosts[1:]
            names = MEMBERS if self.world.chance(GROWS) else MEMBERS[:1]
        members = [MetadataMember(self.network, name, self.record) for name in names]
        for member in members:
            member.peers = [name for name in names if name != member.name]
        if len(self.hosts) == 1:
            # Where there are no others, a record begins with the first start.
            disk = members[0].disk
            disk.record = disk.record._replace(
                cluster_id="cluster-1", configuration=alone(disk.record.member_id, names[0]))
        return members

    def run(self, steps: int = STEPS) -> Figures:
        """Faults for so many deeds, then peace until all is quiet, then the last checks."""
        for process in self.processes:
            process.start()
        self.faults.begin()
        while self.world.deeds < steps:
            self._step()
        self.faults.heal()
        self._await_leader()
        self.acts.play()
        for client in self.clients:
            client.wanted = False
        self._await_leader()
        self._await_quiet()
        term = checks.leader_of(self.namenodes, self.record)
        assert term is not None
        checks.check_quiet(term, self.record, self.datanodes, self.history, self.members)
        return self._figures()

    def _step(self) -> None:
        self.world.step()
        if self.world.deeds % CHECK_DEEDS == 0:
            self.auditor.look()
            term = checks.leader_of(self.namenodes, self.record)
            if term is not None:
                checks.check_term(term, self.datanodes)

    def _await_leader(self) -> None:
        """All is well: somebody leads soon. It takes longer when an image is lacking."""
        well = all(member.status().state == OK for member in self.members)
        loaded = all(one.leadership.standing in READY for one in self.namenodes)
        deadline = self.world.now + (LEADERLESS_SECONDS if well and loaded else PAUSE_SECONDS_MAX)
        while not any(namenode.holds for namenode in self.namenodes):
            self._step()
            if self.world.now > deadline:
                raise Violation("nobody leads for long, although all is well")

    def _await_quiet(self) -> None:
        deadline = self.world.now + QUIET_SECONDS
        while True:
            for _ in range(CHECK_DEEDS):
                self._step()
            reason = self._unrest()
            if not reason:
                return
            if self.world.now > deadline:
                raise Violation(f"not quiet after {QUIET_SECONDS} s of peace: {reason}")

    def _unrest(self) -> str:
        term = checks.leader_of(self.namenodes, self.record)
        return checks.unrest(
            term, self.clients, self.datanodes, self.members, self.namenodes)

    def _figures(self) -> Figures:
        return Figures(
            self.world.now, self.world.deeds, self.record.last_txid, self.record.epoch,
            len(self.history.ended), self.auditor.removals, self.world.trace_hash(),
        )  # fmt: skip


def run(seed: int, steps: int = STEPS) -> Figures:
    """A run of this seed; AssertionError with an explanation when a rule was broken."""
    simulation = Simulation(seed)
    with simulation.world.explaining(steps):
        figures = simulation.run(steps)
    return figures
