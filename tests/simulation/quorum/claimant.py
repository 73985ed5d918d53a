"""How a namenode of the simulation comes to reign over members: promises, the record, a reign."""

from typing import Any, Callable, Dict, List, Sequence

from metadata_service.edits import split_lines
from metadata_service.leader import recovery
from metadata_service.leader.majorities import is_majority
from metadata_service.quorum import MemberStatus
from tests.simulation.network import Network
from tests.simulation.quorum.decided import Decided
from tests.simulation.quorum.reign import Reign
from tests.simulation.world import Awaited, Bell, Process, Script
from zookeeper.fabric.errors import DfsError, Fenced, Unavailable

CALL_SECONDS = 1.0
CLAIM_SECONDS = 2.0


class Claimant:
    """That of one namenode, as `metadata_service/leader/claiming.py`: it asks `members`, and what
    it concludes from their answers the real functions decide."""

    def __init__(
        self, process: Process, network: Network, members: List[str], witness: Decided
    ) -> None:
        self._process, self._network = process, network
        self._members, self._witness = members, witness
        self.claims = 0
        """How often it has begun to claim."""
        self.dies_writing = False
        """Whether the next append of the namenode is its last deed."""

    def claim(self, at_least: int = 0) -> Script:
        """The reign over an epoch, which a majority has promised; raises Unavailable, Fenced."""
        process = self._process
        self.claims += 1
        owner = f"{process.name} {process.generation}.{self.claims}"
        known = yield from self._ask_all(self._members, "status", (), self._counts)
        cluster_id = recovery.cluster_of(known)
        first = None
        if not cluster_id:
            first = recovery.first_configuration(self._members, known)
            if first is None:
                raise Unavailable("a new cluster begins with all of its members")
            cluster_id = recovery.first_cluster_id(first)
        epoch = recovery.next_epoch(known, at_least)
        whole = len(self._members)
        asked = self._members
        if first is None:
            asked = recovery.without_strangers(asked, known)
        answers = yield from self._ask_all(
            asked, "claim", (cluster_id, epoch, owner),
            (lambda found: len(found) == whole) if first is not None else self._counts)
        members = recovery.counted(answers)
        configuration = recovery.newest_configuration(members)
        if first is not None:
            members = {status.member_id: status for status in answers.values()}
            configuration = first
        members = recovery.deciding(members, configuration)
        if not is_majority(configuration, members.keys()):
            raise Unavailable(f"no majority promised {epoch}")
        record = yield from self._record(epoch, answers, members, configuration)
        doubtful = recovery.contradicted(answers)
        return Reign(process.world, process.name, epoch, owner, cluster_id, configuration, record,
                     doubtful, self._witness)

    @staticmethod
    def _counts(answers: Dict[str, MemberStatus]) -> bool:
        members = recovery.counted(answers)
        return is_majority(recovery.newest_configuration(members), members.keys())

    def _record(self, epoch: int, answers: Any, members: Any, configuration: Any) -> Script:
        """The log that has all that is decided, read from a member that can read its own."""
        members = dict(members)
        while is_majority(configuration, members.keys()):
            best = recovery.latest(members)
            address = next(one for one in answers if answers[one].member_id == best.member_id)
            begins = recovery.bases(members, best)
            try:
                payload = yield self.ask(address, "undecided", epoch, begins[0].txid, 1 << 30)
            except Fenced:
                raise
            except DfsError as error:
                self._process.world.note(
                    f"{self._process.name} cannot read {address}: {error.code}")
            else:
                lines = split_lines(payload)[: best.last.txid - begins[0].txid]
                upto = recovery.spared(configuration, members, best)
                record = recovery.record_of(best, begins, lines, upto)
                if record is not None:
                    return record
            del members[best.member_id]
        raise Unavailable("the record cannot be read from a majority of its members")

    def ask(self, member: str, method: str, *args: Any) -> Awaited:
        """One question to one member."""
        return self._network.call(self._process, member, method, *args, timeout=CALL_SECONDS)

    def _ask_all(
        self, asked: Sequence[str], method: str, args: tuple, enough: Callable[[Any], bool]
    ) -> Script:
        """Answers by address, once there are enough, or no more can come."""
        process, world = self._process, self._process.world
        answers: Dict[str, MemberStatus] = {}
        refused: List[str] = []
        bell = Bell(world)

        def ask(member: str) -> Script:
            try:
                answers[member] = yield self.ask(member, method, *args)
            except DfsError:
                refused.append(member)
            bell.ring()

        for member in asked:
            process.spawn(ask(member))
        deadline = process.clock() + CLAIM_SECONDS
        while not enough(answers) and len(answers) + len(refused) < len(asked):
            if not (yield bell.wait(deadline - process.clock())):
                break
        if enough(answers):
            yield world.sleep(0.05)
        return dict(answers)

    def __repr__(self) -> str:
        return f"<Claimant {self._process.name}, {self.claims} claims>"
