"""What a leader of the simulation does for the members in one epoch: writes, proves, changes."""

from typing import Dict, List, Set

from metadata_service.edits import join_lines
from metadata_service.leader import recovery
from metadata_service.quorum import MemberStatus, Proved, Stored
from tests.simulation.quorum.claimant import Claimant
from tests.simulation.quorum.member import LEADER_SECONDS
from tests.simulation.quorum.reign import Lane, Reign
from tests.simulation.world import Process, Script
from zookeeper.fabric.errors import Busy, DfsError, DiskFull, Fenced, OutOfStep, Unavailable

LOOK_SECONDS = 0.2
RETRY_SECONDS = 0.2
PROOF_SECONDS = LEADER_SECONDS / 5
NO_MAJORITY_SECONDS = 10.0


class Reigning:
    """As `leader/members.py` and its keepers. `hosts` are the addresses of those wanted as
    members, which may change, and `statuses` what each that answers tells, kept by who watches
    them. After so much patience without a majority the reign is over."""

    def __init__(
        self, process: Process, claimant: Claimant, reign: Reign, hosts: List[str],
        statuses: Dict[str, MemberStatus], patience_seconds: float = NO_MAJORITY_SECONDS,
    ) -> None:  # fmt: skip
        self._process, self._world = process, process.world
        self._claimant, self._ask = claimant, claimant.ask
        self._reign, self._hosts, self._statuses = reign, hosts, statuses
        self._unable_since = process.clock()
        self._patience_seconds = patience_seconds
        self._kept: Set[str] = set()

    def begin(self) -> None:
        """Bring every member into step that is not looked after yet, and ask it for proofs."""
        for address, lane in list(self._reign.lanes.items()):
            if address not in self._kept:
                self._kept.add(address)
                self._process.spawn(self._keep(self._reign, lane))
                self._process.spawn(self._configure(self._reign, lane))
                self._process.spawn(self._prove(self._reign, lane))

    def last(self) -> Script:
        """Until the reign is over."""
        reign = self._reign
        self._unable_since = self._process.clock()
        while not reign.over:
            yield reign.changed.wait(LOOK_SECONDS)
            self._look(self._process.clock())

    def _look(self, now: float) -> None:
        reign = self._reign
        if reign.holds(now):
            self._unable_since = now
        elif reign.allegiance.has_lost_some and now - self._unable_since > LEADER_SECONDS:
            reign.end("left, and without a majority")
        elif now - self._unable_since > self._patience_seconds:
            reign.end("no majority")
        if reign.established:
            reign.change_members(self._hosts, dict(self._statuses))
            self.begin()

    def _keep(self, reign: Reign, lane: Lane) -> Script:
        """Bring a member into step, and write to it."""
        while not reign.over:
            try:
                reign.leave_removed(lane)
                if not lane.joined:
                    yield from self._join(reign, lane)
                elif lane.acked < reign.record.last.txid or lane.told < reign.decided:
                    yield from self._append(reign, lane)
                else:
                    yield reign.changed.wait(LOOK_SECONDS)
                    continue
            except DfsError as error:
                lane.refusal = error if isinstance(error, DiskFull) else None
                if isinstance(error, (OutOfStep, Fenced)):
                    lane.acked = -1
                if isinstance(error, Fenced):
                    reign.left(lane.member_id, self._process.clock())
                if not isinstance(error, (DiskFull, Busy)):
                    lane.joined = False
                self._world.note(f"{self._process.name} awaits {lane.address}: {error.code}")
                yield self._world.sleep(RETRY_SECONDS)
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
            lane.acked, lane.version, lane.joined, lane.refusal = acked, version, True, None

    def _must_adopt(self, status: MemberStatus, reign: Reign) -> bool:
        """Whether the log of a member is not of this epoch yet, whatever is in it."""
        return status.log_epoch != reign.epoch

    def _configure(self, reign: Reign, lane: Lane) -> Script:
        """Have a member store who decides by now, beside what is written to it."""
        while not reign.over:
            if not lane.joined or lane.version >= reign.configuration.version:
                yield reign.changed.wait(LOOK_SECONDS)
                continue
            try:
                yield from self._tell_configuration(reign, lane)
            except DfsError as error:
                self._world.note(f"{lane.address} is configured later: {error.code}")
                yield self._world.sleep(RETRY_SECONDS)

    def _tell_configuration(self, reign: Reign, lane: Lane) -> Script:
        configuration = reign.configuration
        yield self._ask(lane.address, "adopt", reign.epoch, reign.owner, reign.record.base, b"",
                        reign.decided, configuration)
        lane.version = max(lane.version, configuration.version)
        reign.changed.ring()

    def _append(self, reign: Reign, lane: Lane) -> Script:
        decided, first = reign.decided, lane.acked
        payload = join_lines(reign.record.behind(first, 1 << 30))
        if self._claimant.dies_writing and payload:
            self._claimant.dies_writing = False
            self._world.at(self._world.random.random() * 0.04, self._die)
        stored: Stored = yield self._ask(
            lane.address, "append", reign.epoch, reign.record.place(first), payload, decided,
            reign.witness_for(lane))
        if not reign.record.has(stored.last):
            raise OutOfStep(f"the log of {lane.address} is another one at {stored.last}")
        lane.acked, lane.told = stored.last.txid, decided
        lane.room, lane.refusal = stored.room, None

    def _die(self) -> None:
        """While some members have what it wrote, and others have not."""
        process = self._process
        if process.up:
            process.crash()
            seconds = self._world.random.choice((0.1, 1.0, 4.0))
            self._world.at(seconds, lambda: None if process.up else process.start())

    def _prove(self, reign: Reign, lane: Lane) -> Script:
        while not reign.over:
            asked_at = self._process.clock()
            try:
                proved: Proved = yield self._ask(
                    lane.address, "prove", reign.epoch, reign.decided)
            except DfsError:
                pass
            else:
                lane.room = proved.room
                if proved.member_id != lane.member_id:
                    lane.joined = False
                elif self._has_adopted(lane):
                    reign.allegiance.answered(proved, self._dated(asked_at))
                proved_at = reign.allegiance.proved_at(reign.configuration)
                if proved_at is not None:
                    reign.lease.proved(proved_at)
                reign.look_at_allegiance(self._process.clock())
            yield self._world.sleep(PROOF_SECONDS)

    def _has_adopted(self, lane: Lane) -> bool:
        """Only then it is this leader whom a member promised the epoch, and not another."""
        return lane.acked >= 0

    def _dated(self, asked_at: float) -> float:
        """From when a proof counts: the question, whenever the answer came."""
        return asked_at

    def release(self) -> Script:
        """Let others lead; a member that does not hear it lets its lease run out."""
        for member in list(self._reign.lanes):
            try:
                yield self._ask(member, "release", self._reign.epoch)
            except DfsError as error:
                self._world.note(
                    f"{self._process.name} could not release at {member}: {error.code}")

    def __repr__(self) -> str:
        return f"<Reigning of {self._process.name} in {self._reign.epoch}>"
