"""What goes wrong with members, leaders and the network between them, drawn from the seed."""

from typing import Callable, Dict, List

from tests.simulation.network import Network
from tests.simulation.quorum.decided import Decided
from tests.simulation.quorum.disk_faults import DiskFaults
from tests.simulation.quorum.leader import Leader, want
from tests.simulation.quorum.member import MetadataMember
from tests.simulation.world import Process, World

PAUSE_SECONDS = (0.5, 1.5, 4.0)
"""About the time from one fault to the next: one of these for a whole run."""


class QuorumFaults:
    """Breaks things until `heal`."""

    def __init__(
        self, world: World, network: Network, members: List[MetadataMember],
        leaders: List[Leader], witness: Decided,
    ) -> None:  # fmt: skip
        self._world, self._random, self._network = world, world.random, network
        self._members, self._leaders, self._witness = members, leaders, witness
        self._processes: List[Process] = [*members, *leaders]
        self._over = True  # Until it begins: scenes are not disturbed.
        self.done: Dict[str, int] = {}
        self._disks = DiskFaults(world, members, witness, self._note, self._seconds)
        deeds: Dict[Callable[[], None], float] = {
            self._crash: 3.0, self._bounce: 2.0, self._cut_power: 3.0, self._die: 4.0,
            self._pause: 3.0, self._cut_link: 2.0, self._cut_one_way: 2.0, self._isolate: 3.0,
            self._split: 2.0, self._crash_all: 0.3, **self._disks.deeds, self._resize: 2.0,
        }  # fmt: skip
        self._deeds = [deed for deed in deeds if self._random.random() < 0.6] or [self._crash]
        self._weights = [deeds[deed] for deed in self._deeds]
        self._disturbs_changes = self._random.random() < 0.5
        witness.change_begins = self._change_begins
        self._seconds_between = self._random.choice(PAUSE_SECONDS)

    def begin(self) -> None:
        """Begin to break things."""
        self._over = False
        self._network.loss = self._random.choice((0.0, 0.0, 0.01, 0.05, 0.1))
        self._network.late = self._random.choice((0.0, 0.02, 0.1))
        self._network.repeat = self._random.choice((0.0, 0.05, 0.2))
        self._world.at(self._random.random() * 2 * self._seconds_between, self._next)

    def heal(self) -> None:
        """Everything works from now on, and every process runs."""
        self._over = True
        self._world.note("all is healed")
        self._network.heal()
        for member in self._members:
            member.loses_power = False
        for leader in self._leaders:
            leader.claimant.dies_writing = False
        want(self._leaders, self._members)
        self._disks.heal()
        for process in self._processes:
            if not process.up:
                process.start()
            if process.paused:
                process.resume()

    def _next(self) -> None:
        if not self._over:
            deed = self._random.choices(self._deeds, self._weights)[0]
            deed()
            self._world.at(self._random.random() * 2 * self._seconds_between, self._next)

    def _note(self, deed: str) -> None:
        self.done[deed] = self.done.get(deed, 0) + 1
        self._world.note(deed)

    def _seconds(self) -> float:
        return self._random.choice((0.3, 1.0, 3.0, 8.0)) * self._random.uniform(0.5, 1.5)

    def _later(self, deed: Callable[[], None]) -> None:
        self._world.at(self._seconds(), deed)

    # Processes and links.

    def _crash(self) -> None:
        process = self._random.choice(self._processes)
        if process.up:
            self._note("crash")
            process.crash()
            self._later(lambda: self._restart(process))

    def _bounce(self) -> None:
        """Somebody starts a process again at once."""
        process = self._random.choice(self._processes)
        if process.up and not process.paused:
            self._note("bounce")
            process.crash()
            process.start()

    def _cut_power(self) -> None:
        self._note("power cut in a transaction")
        self._random.choice(self._members).loses_power = True

    def _die(self) -> None:
        self._note("death of a leader that writes")
        for leader in self._leaders:
            leader.claimant.dies_writing = True

    def _change_begins(self) -> None:
        """Nothing is as delicate as a change of the members."""
        if self._disturbs_changes and not self._over and self._random.random() < 0.5:
            seconds = self._random.random() * 0.3
            deed = self._random.choice((self._split, self._isolate, self._crash, self._cut_power))
            # All may have been healed by then, and nobody would mend what is broken later.
            self._world.at(seconds, lambda: None if self._over else deed())

    def _crash_all(self) -> None:
        self._note("crash of all")
        for process in self._processes:
            if process.up:
                process.crash()
                self._later(lambda process=process: self._restart(process))

    def _restart(self, process: Process) -> None:
        if not process.up:
            process.start()

    def _pause(self) -> None:
        process = self._random.choice(self._processes)
        if process.up and not process.paused:
            self._note("pause")
            process.pause()
            generation = process.generation
            self._later(lambda: self._wake(process, generation))

    def _wake(self, process: Process, generation: int) -> None:
        if process.up and process.paused and process.generation == generation:
            process.resume()

    def _cut(self, links: List[tuple]) -> None:
        for source, target in links:
            self._network.cut(source, target)
        self._later(lambda: None if self._over else self._mend(links))

    def _mend(self, links: List[tuple]) -> None:
        for source, target in links:
            self._network.mend(source, target)

    def _cut_link(self) -> None:
        one, other = self._random.sample([p.name for p in self._processes], 2)
        self._note("cut")
        self._cut([(one, other), (other, one)])

    def _cut_one_way(self) -> None:
        one, other = self._random.sample([p.name for p in self._processes], 2)
        self._note("cut one way")
        self._cut([(one, other)])

    def _isolate(self) -> None:
        one = self._random.choice(self._processes).name
        self._note("isolation")
        others = [p.name for p in self._processes if p.name != one]
        self._cut([pair for other in others for pair in ((one, other), (other, one))])

    def _split(self) -> None:
        """Two sides, with at least a leader on each."""
        names = [m.name for m in self._members]
        self._random.shuffle(names)
        left = {self._leaders[0].name, *names[: self._random.randint(0, len(names))]}
        self._note("split")
        all_names = [p.name for p in self._processes]
        self._cut([(a, b) for a in all_names for b in all_names if (a in left) != (b in left)])

    # Members.

    def _resize(self) -> None:
        """Somebody has one member go on alone, or all of them share the record again."""
        disks = self._disks
        if len(self._leaders[0].hosts) == 1:
            self._note("growth to all")
            want(self._leaders, self._members)
        elif disks.one_was_chosen or disks.are_whole():  # Else it might be one that went back.
            self._note("shrinking to one")
            disks.one_was_chosen = True
            want(self._leaders, [self._random.choice(self._members)])
