"""What goes wrong: a script of the world itself, drawn from the seed.

Every seed prefers other faults, so that rare ones meet each other (swarm testing): a run in which
everything happens at once mostly tests that nothing works at all.
"""

from typing import Callable, Dict, List

from tests.simulation.data_node import DataNode
from tests.simulation.durable_record import DurableRecord
from tests.simulation.name_node import NameNode
from tests.simulation.network import Network
from tests.simulation.quorum.disk_faults import DiskFaults
from tests.simulation.quorum.member import MetadataMember
from tests.simulation.services import ZOOKEEPER
from tests.simulation.takeovers import Takeovers
from tests.simulation.world import Process, World

PAUSE_SECONDS = (1.0, 2.0, 4.0)
"""About the time from one fault to the next: one of these for a whole run."""

GROWING_SECONDS = 4.0
"""So long after one namenode another one is restarted."""

TAKEOVERS_EVERY = 10
"""In so many runs there is one in which nothing but `takeovers.py` goes wrong."""


class Faults:
    """Breaks the cluster until `heal`."""

    def __init__(
        self, world: World, network: Network, processes: List[Process],
        datanodes: List[DataNode], members: List[MetadataMember], hosts: List[str],
        record: DurableRecord,
    ) -> None:  # fmt: skip
        self._world = world
        self._random = world.random
        self._network = network
        self._datanodes = datanodes
        self._members, self._hosts, self._record = members, hosts, record
        self._grows = len(hosts) < len(members)
        # Namenodes are what this is about: they come three times.
        self._namenodes = [p for p in processes if isinstance(p, NameNode)]
        self._zookeepers = [p for p in processes if p.name == ZOOKEEPER]
        self._victims = processes + self._namenodes * 2
        self._processes = processes
        self._over = False
        deeds: Dict[Callable[[], None], float] = {
            self._crash: 3.0, self._pause: 2.0, self._isolate: 2.0, self._cut_link: 2.0,
            self._cut_one_way: 2.0, self._split: 5.0, self._lose_datanode: 3.0, self._rot: 2.0,
            self._bad_network: 1.0, self._crash_all: 0.2, self._hand_over: 1.0,
        }  # fmt: skip
        self._disks = DiskFaults(world, members, record, world.note, self._seconds)
        if self._random.random() < 0.5:
            deeds.update({self._die: 2.0, self._cut_power: 1.0})
            # What the only member loses is lost.
            deeds.update(self._disks.deeds if len(members) > 1 else {})
        self._takeovers = Takeovers(
            world, network, members, self._namenodes, datanodes, record)
        deeds.update(self._takeovers.deeds)
        if self._grows:
            deeds[self._grow] = 3.0
        self._pause_seconds = self._random.choice(PAUSE_SECONDS)
        self._deeds = [deed for deed in deeds if self._random.random() < 0.6] or [self._crash]
        if world.seed % TAKEOVERS_EVERY == TAKEOVERS_EVERY - 1:
            self._deeds = list(self._takeovers.deeds)
        self._weights = [deeds[deed] for deed in self._deeds]
        network.loss = self._random.choice((0.0, 0.0, 0.01, 0.05))
        network.late = self._random.choice((0.0, 0.02, 0.1))
        network.repeat = self._random.choice((0.0, 0.05, 0.2))

    def begin(self) -> None:
        """Begin to break things."""
        self._world.at(self._random.random() * 2 * self._pause_seconds, self._next)

    def heal(self) -> None:
        """Everything works from now on, and every process runs."""
        self._over = True
        self._world.note("all is healed")
        self._network.heal()
        self._disks.heal()
        self._takeovers.heal()
        for namenode in self._namenodes:
            namenode.claimant.dies_writing = False
        for member in self._members:
            member.loses_power = False
        if self._grows:
            self._name_all()
            for namenode in self._namenodes:
                self._bounce(namenode)
        for process in self._processes:
            self._restart(process)
            self._wake(process)

    def _next(self) -> None:
        if not self._over:
            self._random.choices(self._deeds, self._weights)[0]()
            self._world.at(self._random.random() * 2 * self._pause_seconds, self._next)

    def _seconds(self) -> float:
        """How long a fault lasts: mostly short, sometimes longer than anybody waits."""
        return self._random.choice((0.3, 1.0, 4.0, 12.0)) * self._random.uniform(0.5, 1.5)

    def _crash(self) -> None:
        process = self._random.choice(self._victims)
        if process.up:
            process.crash()
            self._world.at(self._seconds(), lambda: self._restart(process))

    def _lose_datanode(self) -> None:
        """Crash a datanode until it is given up and its blocks are copied; then it returns."""
        datanode = self._random.choice(self._datanodes)
        if datanode.up:
            datanode.crash()
            seconds = self._random.choice((5.0, 14.0)) * self._random.uniform(0.9, 1.3)
            self._world.at(seconds, lambda: self._restart(datanode))

    def _crash_all(self) -> None:
        for process in self._processes:
            if process.up:
                process.crash()
                self._world.at(self._seconds(), lambda process=process: self._restart(process))

    def _pause(self) -> None:
        process = self._random.choice(self._victims)
        if process.up and not process.paused:
            process.pause()
            generation = process.generation
            self._world.at(
                self._seconds(),
                lambda: process.generation == generation and self._wake(process))

    def _hand_over(self) -> None:
        """An administrator wants the one that leads to let another one do so."""
        for namenode in self._namenodes:
            if namenode.up and namenode.holds:
                self._world.note(f"{namenode.name} shall hand over")
                namenode.hand_over()

    def _grow(self) -> None:
        """Every config.ini names all members; one namenode after the other starts anew with it."""
        if len(self._hosts) < len(self._members):
            self._name_all()
            for number, namenode in enumerate(self._namenodes):
                self._world.at(
                    number * GROWING_SECONDS,
                    lambda one=namenode: self._over or self._bounce(one))

    def _name_all(self) -> None:
        self._world.note("all members shall share the record")
        self._hosts[:] = [member.name for member in self._members]

    def _bounce(self, process: Process) -> None:
        if process.up:
            process.crash()
        process.start()

    def _die(self) -> None:
        """A namenode ends while it writes to the members."""
        for namenode in self._namenodes:
            namenode.claimant.dies_writing = True

    def _cut_power(self) -> None:
        """A member ends in the middle of its next transaction."""
        self._random.choice(self._members).loses_power = True

    def _restart(self, process: Process) -> None:
        if not process.up:
            process.start()

    def _wake(self, process: Process) -> None:
        if process.up and process.paused:
            process.resume()

    def _isolate(self) -> None:
        """Cut a process off from all others, or from some."""
        process = self._random.choice(self._victims)
        others = [other for other in self._processes if other is not process]
        count = self._random.choice((len(others), self._random.randint(1, len(others))))
        seconds = self._seconds()
        for other in self._random.sample(others, count):
            self._cut(process, other, seconds)
            self._cut(other, process, seconds)

    def _split(self) -> None:
        """Cut a namenode off from those who would tell it that another leads now."""
        namenode = self._random.choice(self._namenodes)
        seconds = 6.0 + self._seconds()
        members: List[Process] = list(self._members)
        judges = self._random.choice((
            members, members + self._zookeepers, self._zookeepers,
            self._random.sample(members, len(members) // 2),
        ))  # fmt: skip
        for judge in judges:
            self._cut(namenode, judge, seconds)
            self._cut(judge, namenode, seconds)

    def _cut_link(self) -> None:
        one, other = self._random.sample(self._processes, 2)
        seconds = self._seconds()
        self._cut(one, other, seconds)
        self._cut(other, one, seconds)

    def _cut_one_way(self) -> None:
        one, other = self._random.sample(self._processes, 2)
        self._cut(one, other, self._seconds())

    def _cut(self, source: Process, target: Process, seconds: float) -> None:
        self._world.note(f"{source.name} cannot reach {target.name} for {seconds:.1f} s")
        self._network.cut(source.name, target.name)
        self._world.at(
            seconds, lambda: self._over or self._network.mend(source.name, target.name))

    def _bad_network(self) -> None:
        network, before = self._network, self._network.loss
        network.loss = self._random.choice((0.1, 0.3))
        self._world.note(f"the network loses {network.loss}")

        def mend() -> None:
            if not self._over:
                network.loss = before

        self._world.at(self._seconds(), mend)

    def _rot(self) -> None:
        """Damage a replica; never the last good one, and one a block at a time.

        Nor one of a block that shall have a single replica: until the damage is found, the other
        one may be deleted as surplus.
        """
        datanode = self._random.choice(self._datanodes)
        for block_id in sorted(datanode.disk):
            replicas = [other.disk[block_id] for other in self._datanodes
                        if block_id in other.disk]
            spared = self._wanted(block_id) == 1
            if len(replicas) > 1 and not spared and all(replica.intact for replica in replicas):
                if self._random.random() < 0.5:
                    datanode.rot(block_id)
                    self._world.note(f"{datanode.name} block {block_id} rots")
                    return

    def _wanted(self, block_id: int) -> int:
        """How many replicas a block shall have; 0 while its file is being written."""
        row = self._record.tables["blocks"].get(block_id)
        return 0 if row is None else self._record.tables["inodes"][row[3]][9]
