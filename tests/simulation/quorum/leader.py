"""A namenode as the quorum sees it: it claims, leads, numbers edits, answers, and hands over."""

from typing import Any, Callable, Dict, List, Optional

from data_service.namenode.leading.candidacy import LOOK_SECONDS, Candidacy
from metadata_service.edits import Edit, encode, join_lines, split_lines
from metadata_service.leader import recovery
from metadata_service.leader.majorities import is_majority
from metadata_service.quorum import MemberStatus, Proved, Stored
from tests.simulation.network import Network
from tests.simulation.quorum.decided import Decided
from tests.simulation.quorum.member import LEADER_SECONDS
from tests.simulation.quorum.reign import Lane, Reign
from tests.simulation.world import Bell, Process, Script
from zookeeper.fabric.errors import Busy, DfsError, DiskFull, Fenced, OutOfStep, Unavailable

CALL_SECONDS = 1.0
CLAIM_SECONDS = 2.0
RETRY_SECONDS = 0.2
PROOF_SECONDS = LEADER_SECONDS / 5
UNDECIDED_MAX = 4
NO_MAJORITY_SECONDS = 10.0
KEYS = 7


class Leader(Process):
    """A namenode that wants to lead, and does so when the members let it."""

    def __init__(
        self, network: Network, name: str, names: List[str], members: List[str], witness: Decided
    ) -> None:
        super().__init__(network.world, name)
        self.network, self.names, self.members = network, names, members
        self.witness = witness
        self.reign: Optional[Reign] = None
        self.quiet = False
        """Whether nobody wants changes any more."""
        self.dies_writing = False
        """Whether the next append is its last deed."""
        self.claims = 0
        """How often it has begun to claim."""
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
                status = yield self._ask(member, "status")
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
                self.reign = yield from self._claim()
            except DfsError as error:
                self.world.note(f"{self.name} does not lead: {error}")
                yield self.world.sleep(self.world.random.uniform(0.5, 1.0))
                continue
            yield from self._lead(self.reign)
            self.reign = None

    def _claim(self) -> Script:
        self.claims += 1
        owner = f"{self.name} {self.generation}.{self.claims}"
        known = yield from self._ask_all("status", (), self._counts)
        cluster_id = recovery.cluster_of(known)
        first = None
        if not cluster_id:
            first = recovery.first_configuration(self.members, known)
            if first is None:
                raise Unavailable("a new cluster begins with all of its members")
            cluster_id = recovery.first_cluster_id(first)
        epoch = recovery.next_epoch(known, 0)
        whole = len(self.members)
        answers = yield from self._ask_all(
            "claim", (cluster_id, epoch, owner),
            (lambda found: len(found) == whole) if first is not None else self._counts)
        members = recovery.counted(answers)
        configuration = recovery.newest_configuration(members)
        if first is not None:
            members = {status.member_id: status for status in answers.values()}
            configuration = first
        if not is_majority(configuration, members.keys()):
            raise Unavailable(f"no majority promised {epoch}")
        record = yield from self._record(epoch, answers, members, configuration)
        doubtful = recovery.contradicted(answers)
        return Reign(self.world, self.name, epoch, owner, cluster_id, configuration, record,
                     doubtful, self.witness)

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
                payload = yield self._ask(address, "undecided", epoch, begins[0].txid, 1 << 30)
            except Fenced:
                raise
            except DfsError as error:
                self.world.note(f"{self.name} cannot read {address}: {error.code}")
            else:
                lines = split_lines(payload)[: best.last.txid - begins[0].txid]
                upto = recovery.spared(configuration, members, best)
                record = recovery.record_of(best, begins, lines, upto)
                if record is not None:
                    return record
            del members[best.member_id]
        raise Unavailable("the record cannot be read from a majority of its members")

    def _ask(self, member: str, method: str, *args: Any) -> Any:
        return self.network.call(self, member, method, *args, timeout=CALL_SECONDS)

    def _ask_all(self, method: str, args: tuple, enough: Callable[[Any], bool]) -> Script:
        """Answers by address, once there are enough, or no more can come."""
        answers: Dict[str, MemberStatus] = {}
        refused: List[str] = []
        bell = Bell(self.world)

        def ask(member: str) -> Script:
            try:
                answers[member] = yield self._ask(member, method, *args)
            except DfsError:
                refused.append(member)
            bell.ring()

        for member in self.members:
            self.spawn(ask(member))
        deadline = self.clock() + CLAIM_SECONDS
        while not enough(answers) and len(answers) + len(refused) < len(self.members):
            if not (yield bell.wait(deadline - self.clock())):
                break
        if enough(answers):
            yield self.world.sleep(0.05)
        return dict(answers)

    # Leading.

    def _lead(self, reign: Reign) -> Script:
        """Until the reign is over."""
        for member in list(reign.lanes):
            self.spawn(self._keep(reign, reign.lanes[member]))
            self.spawn(self._prove(reign, reign.lanes[member]))
        self.spawn(self._work(reign))
        unable_since = self.clock()
        while not reign.over:
            yield reign.changed.wait(1.0)
            if self.holds(reign):
                unable_since = self.clock()
            elif (reign.allegiance.has_lost_some
                  and self.clock() - unable_since > LEADER_SECONDS):
                reign.end("left, and without a majority")
            elif self.clock() - unable_since > NO_MAJORITY_SECONDS:
                reign.end("no majority")
            if reign.established:
                reign.change_members(self.members, dict(self._statuses))
                self._keep_new_lanes(reign)

    def _keep_new_lanes(self, reign: Reign) -> None:
        for address, lane in reign.lanes.items():
            assert address in self.members, "addresses stay the same in this simulation"

    def _keep(self, reign: Reign, lane: Lane) -> Script:
        """Bring a member into step, and write to it."""
        while not reign.over:
            try:
                if not lane.joined:
                    yield from self._join(reign, lane)
                elif lane.version < reign.configuration.version:
                    yield from self._tell_configuration(reign, lane)
                elif lane.acked < reign.record.last.txid or lane.told < reign.decided:
                    yield from self._append(reign, lane)
                else:
                    yield reign.changed.wait(LOOK_SECONDS)
                    continue
            except DfsError as error:
                if isinstance(error, (OutOfStep, Fenced)):
                    lane.acked = -1
                if isinstance(error, Fenced):
                    reign.left(lane.member_id, self.clock())
                if not isinstance(error, (DiskFull, Busy)):
                    lane.joined = False
                self.world.note(f"{self.name} awaits {lane.address}: {error.code}")
                yield self.world.sleep(RETRY_SECONDS)
            reign.count()

    def _join(self, reign: Reign, lane: Lane) -> Script:
        status: MemberStatus = yield self._ask(lane.address, "status")
        reign.require_member(lane, status)
        if status.promised > reign.epoch:
            raise Fenced(f"{status.promised} has been promised")
        if (status.promised, status.owner) != (reign.epoch, reign.owner):
            status = yield self._ask(
                lane.address, "claim", reign.cluster_id, reign.epoch, reign.owner)
            reign.require_member(lane, status)
        acked, version = status.last.txid, status.configuration.version
        if self._must_adopt(status, reign):
            behind = recovery.resumes_at(status, reign.record)
            if behind is None:
                raise Unavailable(f"{lane.address} lacks too much, or is of another record")
            configuration = reign.configuration
            stored: Stored = yield self._ask(
                lane.address, "adopt", reign.epoch, reign.owner, behind,
                join_lines(reign.record.behind(behind.txid, 1 << 30)), reign.decided,
                configuration)
            acked, version = stored.last.txid, configuration.version
        elif not reign.record.has(status.last):
            raise OutOfStep(f"the log of {lane.address} is another one at {status.last}")
        if lane.member_id == status.member_id:
            lane.acked, lane.version, lane.joined = acked, version, True

    def _must_adopt(self, status: MemberStatus, reign: Reign) -> bool:
        """Whether the log of a member is not of this epoch yet, whatever is in it."""
        return status.log_epoch != reign.epoch

    def _tell_configuration(self, reign: Reign, lane: Lane) -> Script:
        configuration = reign.configuration
        yield self._ask(lane.address, "adopt", reign.epoch, reign.owner, reign.record.base, b"",
                        reign.decided, configuration)
        lane.version = max(lane.version, configuration.version)

    def _append(self, reign: Reign, lane: Lane) -> Script:
        decided, first = reign.decided, lane.acked
        payload = join_lines(reign.record.behind(first, 1 << 30))
        if self.dies_writing and payload:
            self.dies_writing = False
            self.world.at(self.world.random.random() * 0.04, self._die)
        stored: Stored = yield self._ask(
            lane.address, "append", reign.epoch, reign.record.place(first), payload, decided,
            reign.witness_for(lane))
        if not reign.record.has(stored.last):
            raise OutOfStep(f"the log of {lane.address} is another one at {stored.last}")
        lane.acked, lane.told = stored.last.txid, decided

    def _die(self) -> None:
        """While some members have what it wrote, and others have not."""
        if self.up:
            self.crash()
            seconds = self.world.random.choice((0.1, 1.0, 4.0))
            self.world.at(seconds, lambda: None if self.up else self.start())

    def _prove(self, reign: Reign, lane: Lane) -> Script:
        while not reign.over:
            asked_at = self.clock()
            try:
                proved: Proved = yield self._ask(
                    lane.address, "prove", reign.epoch, reign.decided)
            except DfsError:
                pass
            else:
                if proved.member_id != lane.member_id:
                    lane.joined = False
                elif self._has_adopted(lane):
                    reign.allegiance.answered(proved, self._dated(asked_at))
                proved_at = reign.allegiance.proved_at(reign.configuration)
                if proved_at is not None:
                    reign.lease.proved(proved_at)
                reign.look_at_allegiance(self.clock())
            yield self.world.sleep(PROOF_SECONDS)

    def _has_adopted(self, lane: Lane) -> bool:
        """Only then it is this leader whom a member promised the epoch, and not another."""
        return lane.acked >= 0

    def _dated(self, asked_at: float) -> float:
        """From when a proof counts: the question, whenever the answer came."""
        return asked_at

    def holds(self, reign: Reign) -> bool:
        """Whether this leader may answer anybody."""
        return reign.established and not reign.over and reign.lease.holds(self.clock())

    # What clients would see.

    def _work(self, reign: Reign) -> Script:
        """Number edits, some at once, while they can be decided."""
        handing_over = False
        while not reign.over:
            yield self.world.sleep(self.world.random.random() * self._eager)
            if self.quiet or not self.holds(reign):
                continue
            handing_over = handing_over or self.world.chance(self._hand_over_chance)
            undecided = reign.record.last.txid - reign.decided
            if handing_over and self._may_hand_over(reign):
                yield from self._hand_over(reign)
            elif not handing_over and undecided < UNDECIDED_MAX:
                for _ in range(self.world.random.randint(1, UNDECIDED_MAX - undecided)):
                    self._propose(reign)
                reign.changed.ring()

    _hand_over_chance = 0.02

    def _may_hand_over(self, reign: Reign) -> bool:
        """Whether all that was accepted is decided."""
        return reign.decided == reign.record.last.txid

    def _hand_over(self, reign: Reign) -> Script:
        reign.end("hands over")
        for member in self.members:
            try:
                yield self._ask(member, "release", reign.epoch)
            except DfsError as error:
                self.world.note(f"{self.name} could not release at {member}: {error.code}")

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
