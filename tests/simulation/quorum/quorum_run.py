"""One run of the quorum: members and leaders, faults for a while, then peace, and all is right.

Real is what decides: each member's core with its lease, what a leader concludes from the answers
to its claim, what it counts as decided, how members change and catch up, and when a namenode
claims. Around that stand models of disks, locks, namenodes and the network. The edits are those of
a few counters: what they say does not matter here, only that all members agree on it.
"""

from typing import Dict, List, NamedTuple

from tests.simulation.violation import Violation, demand
from tests.simulation.network import Network
from tests.simulation.quorum.decided import Decided
from tests.simulation.quorum.leader import Leader
from tests.simulation.quorum.member import LEADER_SECONDS, MetadataMember
from tests.simulation.quorum.quorum_faults import QuorumFaults
from tests.simulation.quorum.scenes import Scenes
from tests.simulation.world import World

OPTION = "--quorum "
"""What tells scripts/simulate.py that a seed is meant to be run here."""

STEPS = 6000
"""Deeds of the world until everything is healed."""

QUIET_SECONDS = 60.0
LEADERLESS_SECONDS_MAX = 3 * LEADER_SECONDS
"""How long nobody may lead while all is well."""

MEMBERS = ["member_0", "member_1", "member_2"]
LEADERS = ["name_node_0", "name_node_1"]
CHECK_DEEDS = 40


class QuorumFigures(NamedTuple):
    """What a run came to."""

    seconds: float
    edits: int
    reads: int
    epochs: int
    faults: Dict[str, int]
    scene: str
    trace_hash: str


class QuorumRun:
    """A quorum in a world of its own. `run` raises what the first broken rule says."""

    def __init__(self, seed: int) -> None:
        self.world = World(seed)
        self.network = Network(self.world)
        self.decided = Decided()
        self.members = [MetadataMember(self.network, name, self.decided) for name in MEMBERS]
        for member in self.members:
            member.peers = [name for name in MEMBERS if name != member.name]
        self.leaders = [
            Leader(self.network, name, LEADERS, MEMBERS, self.decided) for name in LEADERS
        ]
        for process in (*self.members, *self.leaders):
            self.network.add(process)
        self.decided.holders = self._holders
        self.faults = QuorumFaults(
            self.world, self.network, self.members, self.leaders, self.decided)
        self.scenes = Scenes(
            self.world, self.network, self.members, self.leaders, self.decided)

    def run(self, steps: int = STEPS) -> QuorumFigures:
        """Perhaps a scene, faults for so many deeds, then peace until all is quiet; last checks."""
        for process in (*self.members, *self.leaders):
            process.start()
        scene = ""
        if self.world.seed % 2:
            self._await_leader()
            scene = self.scenes.play(self.world.seed // 2)
        elif self.world.chance(0.7):  # Else the very first start meets faults.
            self._await_leader()
        self.faults.begin()
        while self.world.deeds < steps:
            self.world.step()
        self.faults.heal()
        self._await_leader()
        self._await_quiet()
        return QuorumFigures(
            self.world.now, len(self.decided.lines), sum(one.reads for one in self.leaders),
            len(self.decided.epochs), self.faults.done, scene, self.world.trace_hash(),
        )  # fmt: skip

    def _holders(self) -> List[str]:
        """Who would answer now."""
        return [one.name for one in self.leaders
                if one.up and not one.paused and one.reign is not None and one.holds(one.reign)]

    def _await_leader(self) -> None:
        """All is well: somebody leads soon."""
        began = self.world.now
        limit = LEADERLESS_SECONDS_MAX + self._slack()
        while not self._holders():
            self.world.step()
            if self.world.now - began > limit:
                raise Violation(f"nobody has led for {self.world.now - began:.1f} s of peace")

    def _slack(self) -> float:
        """A claim that was lost in the faults waits; who lacks an image cannot promise yet."""
        well = all(member.status().state == "ok" for member in self.members)
        return 2.5 if well else 20.0

    def _await_quiet(self) -> None:
        """Every member is a member, and has everything."""
        for one in self.leaders:
            one.quiet = True
        deadline = self.world.now + QUIET_SECONDS
        while True:
            for _ in range(CHECK_DEEDS):
                self.world.step()
            reason = self._unrest()
            if not reason:
                break
            if self.world.now > deadline:
                raise Violation(f"not quiet after {QUIET_SECONDS} s of peace: {reason}")
        tables = self.decided.tables_at(len(self.decided.lines))
        for member in self.members:
            demand(member.disk.tables == tables, member.name, "has other rows than were decided")

    def _unrest(self) -> str:
        reign = next((one.reign for one in self.leaders if one.name in self._holders()), None)
        if reign is None:
            return "nobody leads"
        if len(reign.configuration.sets) != 1 or reign.decided != reign.record.last.txid:
            return f"{reign.configuration}, decided {reign.decided} of {reign.record.last.txid}"
        for member in self.members:
            status = member.status()
            if status.state != "ok" or member.core.record.member_id not in reign.configuration.ids:
                return f"{member.name} is {status.state}"
            if status.applied.txid != len(self.decided.lines):
                return f"{member.name} stands at {status.applied.txid} of {reign.decided}"
            if status.last != status.applied:
                return f"{member.name} has edits that are not decided"
        return ""


def run(seed: int, steps: int = STEPS) -> QuorumFigures:
    """A run of this seed; AssertionError with an explanation when a rule was broken."""
    quorum = QuorumRun(seed)
    with quorum.world.explaining(steps, OPTION):
        figures = quorum.run(steps)
    return figures
