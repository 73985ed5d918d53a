"""The namenode's journal in virtual time: the real `AppendQueue`, and calls over the network."""

from typing import Any, Callable, List, Optional

from data_service.namenode.state import State
from metadata_service.edits import Edit, decode
from metadata_service.leader.append_queue import AppendQueue, next_pause
from metadata_service.leader.backlog import Pending
from tests.simulation.network import Network
from tests.simulation.services import METADATA
from tests.simulation.world import Bell, Process, Script
from zookeeper.fabric.errors import DfsError, Fenced, OutOfStep, Unavailable

APPEND_SECONDS = 4.0
ATTEMPT_SECONDS = 1.2
BATCH_BYTES = 1 << 20
PAGE = 40


class ModelJournal:
    """One namenode's right to write edits, from `open` until it fails."""

    def __init__(
        self, process: Process, network: Network, on_failure: Callable[[DfsError], None]
    ) -> None:
        self._process = process
        self._network = network
        self._on_failure = on_failure
        self._failure_told = False
        self._changed = Bell(process.world)
        self._queue = AppendQueue(0, BATCH_BYTES, APPEND_SECONDS)
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

    def open(self, at_least: int) -> Script:
        """Claim a new epoch. Raises Unavailable, Fenced."""
        _, newest, _ = yield from self._ask("status")
        claim = f"{self._process.name} {self._process.world.random.getrandbits(32)}"
        self.epoch = yield from self._ask("claim_epoch", claim, newest, at_least)
        self.cluster_id, _, last_txid = yield from self.confirm()
        self._queue.last_txid = self._queue.durable_txid = last_txid

    def confirm(self) -> Script:
        """The service's status, if no newer epoch was claimed since; raises Fenced otherwise."""
        status = yield from self._ask("status")
        self._require_epoch(status)
        return status

    def prove(self, timeout: float) -> Script:
        """Ask once whether this epoch still is the newest; raises Fenced or Unavailable."""
        newest = yield self._call("prove", self.epoch, timeout=timeout)
        if newest != self.epoch:
            raise Fenced(f"epoch {self.epoch} is over, {newest} has been claimed")

    def release(self) -> Script:
        """Let others lead; the metadata service need not hear it."""
        try:
            yield self._call("release", self.epoch, timeout=ATTEMPT_SECONDS)
        except DfsError as error:
            self._process.world.note(f"{self._process.name} is not heard to go: {error.code}")

    def catch_up(self, state: State) -> Script:
        """Carry out what is recorded and not in memory yet."""
        if state.commits.last_txid > self.durable_txid:
            raise OutOfStep("the record lacks what was followed")
        while state.commits.last_txid < self.durable_txid:
            lines = yield from self._ask("edits_since", state.commits.last_txid, PAGE)
            state.replay([decode(line) for line in lines])

    def check_room(self) -> None:
        """Raises NotLeader when no change may be made any more."""
        self._queue.require_room()

    def submit(self, edit: Edit) -> int:
        """Queue an edit."""
        txid = self._queue.add(edit)
        self._tell_failure()
        return txid

    def wait(self, txid: int) -> Script:
        """Return when edit `txid` is durable; raises Unavailable, DeadlineExceeded."""
        deadline = self._process.clock() + APPEND_SECONDS
        while self._queue.durable_txid < txid:
            now = self._process.clock()
            self._queue.check_wait(txid, deadline, now)
            batch = self._queue.take(now)
            if batch is None:
                yield self._changed.wait(min(deadline, self._queue.next_take()) - now)
            else:
                yield from self._send(batch, deadline)

    def close(self) -> None:
        """Take no more edits."""
        self._queue.fail(Unavailable("the journal has been closed"))
        self._failure_told = True
        self._changed.ring()

    def check(self) -> None:
        """Assert what must always hold."""
        self._queue.check()

    def _send(self, batch: List[Pending], deadline: float) -> Script:
        started = self._process.clock()
        lines = tuple(pending.line for pending in batch)
        seconds = self._queue.attempt_seconds(deadline, started)
        try:
            durable = yield self._call(
                "append", self.epoch, batch[0].txid, lines, timeout=seconds)
        except DfsError as error:
            self._queue.refused(error, started, self._process.clock())
        else:
            self._queue.appended(durable, True)
        self._tell_failure()
        self._changed.ring()

    def _tell_failure(self) -> None:
        failure: Optional[DfsError] = self._queue.failure
        if failure is not None and not self._failure_told:
            self._failure_told = True
            self._process.world.note(f"{self._process.name} journal failed: {failure.code}")
            self._on_failure(failure)

    def _require_epoch(self, status: tuple) -> None:
        if status[1] != self.epoch:
            raise Fenced(f"epoch {self.epoch} is over, {status[1]} has been claimed")

    def _call(self, method: str, *args: Any, timeout: float = ATTEMPT_SECONDS) -> Any:
        return self._network.call(self._process, METADATA, method, *args, timeout=timeout)

    def _ask(self, method: str, *args: Any) -> Script:
        """A call that is repeated until it is answered or the time is over."""
        deadline = self._process.clock() + APPEND_SECONDS
        pause = 0.0
        while True:
            try:
                return (yield self._call(method, *args))
            except DfsError as error:
                if not error.retryable or self._process.clock() >= deadline:
                    raise
            pause = next_pause(pause)
            yield self._process.world.sleep(pause)
