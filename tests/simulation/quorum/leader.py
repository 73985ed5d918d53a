"""A namenode as the quorum sees it: it claims, leads, numbers edits, answers, and hands over."""

from typing import Dict, List, Optional, Sequence

from data_service.namenode.leading.candidacy import LOOK_SECONDS, Candidacy
from metadata_service.edits import Edit, encode
from metadata_service.quorum import MemberStatus
from tests.simulation.network import Network
from tests.simulation.quorum.claimant import Claimant
from tests.simulation.quorum.decided import Decided
from tests.simulation.quorum.member import LEADER_SECONDS
from tests.simulation.quorum.reign import Reign
from tests.simulation.quorum.reigning import Reigning
from tests.simulation.world import Process, Script
from zookeeper.fabric.errors import DfsError

UNDECIDED_MAX = 4
KEYS = 7


class Leader(Process):
    """A namenode that wants to lead, and does so when the members let it."""

    def __init__(
        self, network: Network, name: str, names: List[str], members: List[str], witness: Decided
    ) -> None:
        super().__init__(network.world, name)
        self.names, self.members, self.witness = names, members, witness
        self.hosts = list(members)
        """The addresses of those who shall be members; who else was one is found all the same."""
        self.claimant = Claimant(self, network, members, witness)
        self.reign: Optional[Reign] = None
        self.quiet = False
        """Whether nobody wants changes any more."""
        self._eager = 0.15
        self.edits = self.reads = 0

    def on_start(self) -> None:
        """Nothing is known but who the members are."""
        self.reign = None
        self._candidacy = Candidacy(
            self.name, self.names, len(self.members), LEADER_SECONDS, self.world.random)
        self._statuses: Dict[str, MemberStatus] = {}
        for member in self.members:
            self.spawn(self._watch(member))
        self.spawn(self._campaign())
        self.spawn(self._answer())

    # Wanting to lead.

    def _watch(self, member: str) -> Script:
        while True:
            yield self.world.sleep(LOOK_SECONDS)
            try:
                status = yield self.claimant.ask(member, "status")
            except DfsError:
                self._statuses.pop(member, None)
                continue
            self._statuses[member] = status
            self._candidacy.heard(member, status, self.clock())

    def _campaign(self) -> Script:
        while True:
            yield self.world.sleep(LOOK_SECONDS / 4)
            if self.reign is not None or not self._candidacy.claims(self.clock()):
                continue
            try:
                self.reign = yield from self.claimant.claim()
            except DfsError as error:
                self.world.note(f"{self.name} does not lead: {error}")
                yield self.world.sleep(self.world.random.uniform(0.5, 1.0))
                continue
            yield from self._lead(self.reign)
            self.reign = None

    def _lead(self, reign: Reign) -> Script:
        """Until the reign is over."""
        reigning = Reigning(self, self.claimant, reign, self.hosts, self._statuses)
        reigning.begin()
        self.spawn(self._work(reign, reigning))
        yield from reigning.last()

    def holds(self, reign: Reign) -> bool:
        """Whether this leader may answer anybody."""
        return reign.holds(self.clock())

    # What clients would see.

    def _work(self, reign: Reign, reigning: Reigning) -> Script:
        """Number edits, some at once, while they can be decided."""
        handing_over = False
        while not reign.over:
            yield self.world.sleep(self.world.random.random() * self._eager)
            if self.quiet or not self.holds(reign):
                continue
            handing_over = handing_over or self.world.chance(self._hand_over_chance)
            undecided = reign.record.last.txid - reign.decided
            if handing_over and self._may_hand_over(reign):
                reign.end("hands over")
                yield from reigning.release()
            elif not handing_over and undecided < UNDECIDED_MAX:
                for _ in range(self.world.random.randint(1, UNDECIDED_MAX - undecided)):
                    self._propose(reign)
                reign.changed.ring()

    _hand_over_chance = 0.02

    def _may_hand_over(self, reign: Reign) -> bool:
        """Whether all that was accepted is decided."""
        return reign.decided == reign.record.last.txid

    def _propose(self, reign: Reign) -> None:
        self.edits += 1
        key, value = f"key{self.world.random.randrange(KEYS)}", self.world.random.randrange(1 << 20)
        row = None if self.world.chance(0.2) else (key, value)
        txid = reign.record.last.txid + 1
        name = f"{self.name}.{self.generation}"
        edit = Edit(txid, "set", name, self.edits, "", (("counters", key, row),))
        reign.record.add([encode(edit)])
        self.spawn(self._await(reign, txid))

    def _await(self, reign: Reign, txid: int) -> Script:
        """Tell the client that its change is durable, when it is."""
        while not reign.over:
            if reign.decided >= txid:
                if self.holds(reign):
                    self.witness.acknowledge(txid)
                return
            yield reign.changed.wait(1.0)

    def _answer(self) -> Script:
        """Answer readers, now and then, as of what is decided, while a proof holds."""
        while True:
            yield self.world.sleep(self.world.random.random() * 0.2)
            if self.reign is not None and self.holds(self.reign):
                self.reads += 1
                self.witness.answered(self.name, self.reign.decided)


def want(leaders: Sequence[Leader], members: Sequence[Process]) -> None:
    """These shall be the members, by the config.ini of every leader."""
    for leader in leaders:
        leader.hosts[:] = [member.name for member in members]
