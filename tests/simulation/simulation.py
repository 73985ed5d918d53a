"""One run: a cluster, faults for a while, then peace, and everything must be right.

Real is what decides: of a namenode its leadership, lease, state, chores and the queue of its
journal, of the zookeeper its sessions. Around them stand models of all that does input
and output: two namenodes that compete, five datanodes with disks, four clients, a metadata service,
a zookeeper and a network between them. See `world.py` for how it is one thread and one seed.
"""

from typing import List, NamedTuple

from tests.simulation import checks
from tests.simulation.auditor import Auditor, Violation
from tests.simulation.client import Client, Habits
from tests.simulation.data_node import DataNode
from tests.simulation.faults import Faults
from tests.simulation.history import History
from tests.simulation.name_node import NameNode
from tests.simulation.network import LATE_SECONDS, Network
from tests.simulation.services import MetadataService, ZooKeeper
from tests.simulation.world import Process, World

STEPS = 5000
"""Deeds of the world until everything is healed."""

QUIET_SECONDS = 120.0
NAMENODES = ["name_node_0", "name_node_1"]
DATANODES = 5
CLIENTS = 4
CHECK_DEEDS = 40
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
        self.metadata = MetadataService(self.world)
        self.auditor = Auditor(self.metadata)
        self.history = History(self.metadata, self.network.repeated)
        self.namenodes = [NameNode(self.network, name, NAMENODES) for name in NAMENODES]
        self.datanodes = [
            DataNode(self.network, self.auditor, f"node_{number}", NAMENODES)
            for number in range(DATANODES)
        ]
        habits = Habits(self.world.random)
        self.clients = [
            Client(self.network, self.history, f"client_{number}", NAMENODES, habits)
            for number in range(CLIENTS)
        ]
        self.processes: List[Process] = [
            self.zookeeper, self.metadata, *self.namenodes, *self.datanodes, *self.clients,
        ]  # fmt: skip
        for process in self.processes:
            self.network.add(process)
        self.auditor.datanodes = list(self.datanodes)
        self.auditor.namenodes = list(self.namenodes)
        self.faults = Faults(
            self.world, self.network, self.processes, self.datanodes, self.metadata)
        self.auditor.lateness = LATE_SECONDS if self.network.late else 0.1

    def run(self, steps: int = STEPS) -> Figures:
        """Faults for so many deeds, then peace until all is quiet, then the last checks."""
        for process in self.processes:
            process.start()
        self.faults.begin()
        while self.world.deeds < steps:
            self._step()
        self.faults.heal()
        for client in self.clients:
            client.wanted = False
        self._await_quiet()
        term = checks.leader_of(self.namenodes, self.metadata)
        assert term is not None
        checks.check_quiet(term, self.metadata, self.datanodes, self.history)
        return self._figures()

    def _step(self) -> None:
        self.world.step()
        if self.world.deeds % CHECK_DEEDS == 0:
            term = checks.leader_of(self.namenodes, self.metadata)
            if term is not None:
                checks.check_term(term, self.datanodes)

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
        term = checks.leader_of(self.namenodes, self.metadata)
        return checks.unrest(term, self.clients, self.datanodes)

    def _figures(self) -> Figures:
        return Figures(
            self.world.now, self.world.deeds, self.metadata.last_txid, self.metadata.epoch,
            len(self.history.ended), self.auditor.removals, self.world.trace_hash(),
        )  # fmt: skip


def run(seed: int, steps: int = STEPS) -> Figures:
    """A run of this seed; AssertionError with an explanation when a rule was broken."""
    simulation = Simulation(seed)
    with simulation.world.explaining(steps):
        figures = simulation.run(steps)
    return figures
