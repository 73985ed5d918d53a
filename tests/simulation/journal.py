"""The namenode's journal in virtual time: the real `AppendQueue` before the members' quorum."""

from math import inf
from typing import Callable, Dict, List, Optional

from data_service.namenode.leading.following import digest_behind
from metadata_service.edits import Edit, decode
from metadata_service.leader.append_queue import ATTEMPTS, AppendQueue, next_pause
from metadata_service.leader.backlog import Pending
from metadata_service.quorum import MemberStatus, Place
from tests.simulation.model_core import ModelCore
from tests.simulation.quorum.claimant import Claimant
from tests.simulation.quorum.reign import FENCED, Reign
from tests.simulation.quorum.reigning import Reigning
from tests.simulation.world import Bell, Process, Script
from zookeeper.fabric.errors import DfsError, Fenced, NotLeader, OutOfStep, Unavailable

APPEND_SECONDS = 4.0
ATTEMPT_SECONDS = APPEND_SECONDS / ATTEMPTS
BATCH_BYTES = 1 << 20
PAGE = 40
LOOK_SECONDS = 0.1
WATCH_SECONDS = 1.0
"""How often it is looked who serves the addresses of the members."""


class ModelJournal:
    """One namenode's right to write edits, from `open` until it fails. As `leader/journal.py`, with
    the members that serve `hosts`."""

    def __init__(
        self, process: Process, claimant: Claimant, hosts: List[str],
        on_failure: Callable[[DfsError], None],
    ) -> None:  # fmt: skip
        self._process, self._claimant, self._hosts = process, claimant, hosts
        self._on_failure = on_failure
        self._failure_told = False
        self._changed = Bell(process.world)
        self._queue = AppendQueue(0, BATCH_BYTES, APPEND_SECONDS)
        self._statuses: Dict[str, MemberStatus] = {}
        self._reign: Optional[Reign] = None
        self._reigning: Optional[Reigning] = None
        self.epoch = 0
        self.cluster_id = ""

    @property
    def durable_txid(self) -> int:
        """Every edit up to this one is durable."""
        return self._queue.durable_txid

    @property
    def last_txid(self) -> int:
        """The newest edit that was submitted."""
        return self._queue.last_txid

    @property
    def has_room(self) -> bool:
        """Whether the service has room."""
        return self._queue.room

    @property
    def reign(self) -> Reign:
        """Over the members; raises NotLeader before it was opened."""
        if self._reign is None:
            raise NotLeader("the journal is not open yet")
        return self._reign

    # Before the namenode serves.

    def open(self, at_least: int) -> Script:
        """Claim a new epoch. Raises Unavailable, Fenced."""
        yield from self._patiently(lambda: self._lead(at_least))
        reign = self.reign
        self.epoch, self.cluster_id = reign.epoch, reign.cluster_id
        self._queue.last_txid = self._queue.durable_txid = reign.decided

    def _lead(self, at_least: int) -> Script:
        self._reign = reign = yield from self._claimant.claim(at_least)
        self._reigning = Reigning(
            self._process, self._claimant, reign, self._hosts, self._statuses, inf)
        self._reigning.begin()
        self._process.spawn(self._reigning.last())
        for host in self._hosts:
            self._process.spawn(self._watch(reign, host))
        try:
            yield from self._await_decided(lambda: reign.established, ATTEMPT_SECONDS)
        except DfsError:
            reign.end("not established")
            raise

    def _watch(self, reign: Reign, host: str) -> Script:
        while not reign.over:
            try:
                self._statuses[host] = yield self._claimant.ask(host, "status")
            except DfsError:
                self._statuses.pop(host, None)
            yield self._process.world.sleep(WATCH_SECONDS)

    def confirm(self) -> Script:
        """Raises Fenced when a newer epoch was claimed meanwhile."""
        began, reign = self._process.clock(), self.reign

        def is_proved() -> bool:
            proved_at = reign.allegiance.proved_at(reign.configuration)
            return proved_at is not None and proved_at >= began

        yield from self._patiently(lambda: self._await(is_proved, ATTEMPT_SECONDS))
        self.require_reign()

    def require_reign(self) -> None:
        """Raises what has ended the epoch, Fenced or OutOfStep; else notes what members tell."""
        reign = self.reign
        self._queue.room = reign.has_room
        if reign.over:
            kind = Fenced if reign.why == FENCED else OutOfStep
            raise kind(f"epoch {reign.epoch} is over: {reign.why}")

    def catch_up(self, core: ModelCore, recorded: Callable[[int], Script]) -> Script:
        """Carry out what is recorded and not in memory yet; `recorded` asks members for it."""
        state = core.state
        yield from self.confirm()
        while state.commits.last_txid < self.durable_txid:
            lines = self._kept_behind(Place(state.commits.last_txid, core.digest))
            if lines is None:
                lines = yield from recorded(state.commits.last_txid)
            core.digest = digest_behind(core.digest, lines)
            state.replay([decode(line) for line in lines])
        if state.commits.last_txid > self.durable_txid:
            raise OutOfStep("the record lacks what was followed")
        core.digest = ""

    def _kept_behind(self, place: Place) -> Optional[List[str]]:
        record = self.reign.record
        if not record.base.txid <= place.txid <= record.last.txid:
            return None
        if place.digest and not record.has(place):
            raise OutOfStep("another edit was followed than is recorded")
        return record.behind(place.txid, BATCH_BYTES)

    # Writing.

    def check_room(self) -> None:
        """Raises NotLeader when no change may be made any more."""
        self._queue.require_room()

    def submit(self, edit: Edit) -> int:
        """Queue an edit."""
        txid = self._queue.add(edit)
        self._tell_failure()
        return txid

    def wait(self, txid: int, seconds: float = APPEND_SECONDS) -> Script:
        """Return when edit `txid` is durable; raises Unavailable, DeadlineExceeded."""
        deadline = self._process.clock() + seconds
        while self._queue.durable_txid < txid:
            now = self._process.clock()
            self._queue.check_wait(txid, deadline, now)
            batch = self._queue.take(now)
            if batch is None:
                yield self._changed.wait(min(deadline, self._queue.next_take()) - now)
            else:
                yield from self._send(batch, deadline)

    def close(self) -> None:
        """Take no more edits, and let go of the members."""
        self._queue.fail(Unavailable("the journal has been closed"))
        self._failure_told = True
        self._changed.ring()
        if self._reign is not None and self._reigning is not None:
            self._reign.end("closed")
            self._process.spawn(self._reigning.release())

    def check(self) -> None:
        """Assert what must always hold."""
        self._queue.check()

    def _send(self, batch: List[Pending], deadline: float) -> Script:
        started = self._process.clock()
        seconds = self._queue.attempt_seconds(deadline, started)
        try:
            yield from self._append(batch, seconds)
        except DfsError as error:
            self._queue.refused(error, started, self._process.clock())
        else:
            self._queue.appended(batch[-1].txid, self.reign.has_room)
        self._tell_failure()
        self._changed.ring()

    def _append(self, batch: List[Pending], seconds: float) -> Script:
        record = self.reign.record
        known = record.last.txid + 1 - batch[0].txid
        assert known >= 0, "edits follow the last ones"
        record.add([pending.line for pending in batch[known:]])
        goal = record.last.txid
        self.reign.changed.ring()
        yield from self._await_decided(lambda: self.reign.decided >= goal, seconds)

    def _tell_failure(self) -> None:
        failure: Optional[DfsError] = self._queue.failure
        if failure is not None and not self._failure_told:
            self._failure_told = True
            self._process.world.note(f"{self._process.name} journal failed: {failure.code}")
            self.reign.end("the journal failed")
            self._on_failure(failure)

    # Waiting.

    def _await_decided(self, condition: Callable[[], bool], seconds: float) -> Script:
        """The same; raises DiskFull when the disks of too many members are full for it."""

        def is_decided() -> bool:
            if condition():
                return True
            self.reign.require_possible()
            return False

        return self._await(is_decided, seconds)

    def _await(self, condition: Callable[[], bool], seconds: float) -> Script:
        """Until it is so; raises what ended the reign, and Unavailable when the time is up."""
        deadline = self._process.clock() + seconds
        while not condition():
            self.require_reign()
            left = deadline - self._process.clock()
            if left <= 0:
                raise Unavailable("no majority of the members has answered")
            yield self.reign.changed.wait(min(left, LOOK_SECONDS))

    def _patiently(self, attempt: Callable[[], Script]) -> Script:
        """What is repeated until it succeeds or the time is over."""
        deadline = self._process.clock() + APPEND_SECONDS
        pause = 0.0
        while True:
            try:
                return (yield from attempt())
            except DfsError as error:
                if not error.retryable or self._process.clock() >= deadline:
                    raise
            pause = next_pause(pause)
            yield self._process.world.sleep(pause)

    def __repr__(self) -> str:
        return f"<ModelJournal of {self._process.name}, epoch {self.epoch}>"
