"""One term of leadership: the core, the journal that makes its decisions durable, and a lock.

Theory of operation. Every operation decides and applies under the lock, in memory only; the lock is
released, and the reply waits until the edits that it depends on are durable, so that no reply
reveals a change which a crash could still undo (DESIGN, promise 3). When the journal fails or is
fenced by a newer epoch, what is in memory may never become true: the term is over at once, answers
nothing more, and a new one starts from the durable record.
"""

import threading
import time
from random import Random
from typing import Any, Callable, Mapping, Optional, Tuple

from data_service.namenode.leading import memory
from data_service.namenode.block_limits import policy_of
from data_service.namenode.leading.epoch_floor import EpochFloor
from data_service.namenode.leading.housekeeping import Housekeeping, Rounds, record
from data_service.namenode.namespace.commits import Outcome
from data_service.namenode.namespace.retries import ENTRIES_MAX, KEEP_SECONDS, Op
from data_service.namenode.leading.leader_lease import Office
from data_service.namenode.replicas.blocks import Blocks
from data_service.namenode.state import State
from data_service.protocol.health import ClusterStatus
from data_service.protocol.nodes import NodeStats
from metadata_service.edits import TABLES
from metadata_service.journal import Journal
from zookeeper.fabric import logs
from zookeeper.fabric.errors import (
    CorruptData,
    DfsError,
    Fenced,
    NotEnoughReplicas,
    NotLeader,
    ProtocolViolation,
    Unavailable,
)
from zookeeper.fabric.rpc import WAITING_SLICE_SECONDS
from zookeeper.fabric.settings import Settings

log = logs.get("namenode")

RECENT_SECONDS = KEEP_SECONDS + 60
"""Edits of so long before the last one are read at start, for the retry cache."""

LEAP_BITS = 40
"""A term's first block lies up to 2^LEAP_BITS numbers behind the last one that is recorded."""

SESSION_BITS = 62

PART_OF_CALL = 0.8
Operation = Callable[[State], Outcome]


class Term:
    """From `load` to `end`, this namenode is the one that leads, in `journal.epoch`."""

    def __init__(
        self,
        settings: Settings,
        journal: Journal,
        user: str,
        elected: Callable[[], Tuple[int, float]],
        on_over: Callable[[], None],
        floor: Optional[EpochFloor] = None,
    ) -> None:
        self._floor = floor or EpochFloor()
        self._settings = settings.name_node
        self._round_seconds = self._settings.replication_interval_seconds
        expiry = settings.zookeeper.session_expiry_seconds
        alone = len(self._settings.hosts) == 1
        self._office = Office(journal.prove, elected, expiry, alone, on_over)
        # The refusal, which says why, must reach its caller before he gives up.
        patience = PART_OF_CALL * settings.network.call_timeout_seconds
        self._timeout = min(settings.metadata.append_timeout_seconds, patience)
        self.journal = journal
        self._on_over = on_over
        self._lock = threading.Lock()
        self._reported = threading.Condition(self._lock)
        self._ordered = threading.Condition(self._lock)
        self._random = Random()
        self._over = threading.Event()
        # How many times datanodes told of replicas: who waits for one compares it.
        self._reports = 0
        first_session = self._random.getrandbits(SESSION_BITS)
        blocks = Blocks(journal.cluster_id, journal.epoch, policy_of(settings), first_session)
        soft, hard = self._settings.lease_soft_seconds, self._settings.lease_hard_seconds
        self._state = State(blocks, user, "supergroup", soft, hard)
        self._housekeeping = Housekeeping(
            self._state, journal, self._office, self._lock, self._ordered, self._random,
            Rounds(self._round_seconds, self._timeout), self._is_over, on_over,
        )  # fmt: skip

    @property
    def over(self) -> bool:
        """Whether this term has ended; then nothing may be answered from it any more."""
        return self._is_over()

    def _is_over(self) -> bool:
        ended = self._over.is_set() or self._office.lost
        return ended or self.journal.failure is not None

    @property
    def fenced(self) -> bool:
        """Whether it was ended by a newer epoch."""
        return self._office.fenced or isinstance(self.journal.failure, Fenced)

    def load(self) -> None:
        """Read the image, check that no newer epoch began meanwhile, start housekeeping."""
        started = time.monotonic()
        with memory.of_an_image():
            self._load_image()
        self.journal.confirm()
        self._state.blocks.loaded(time.monotonic())
        seconds = round(time.monotonic() - started, 3)
        log.info("image.loaded", seconds=seconds, txid=self.journal.durable_txid)
        self._housekeeping.start()
        self._office.hold()

    def _load_image(self) -> None:
        tables = {name: self.journal.load(name) for name in TABLES}
        edits = self.journal.recent_edits(ENTRIES_MAX, RECENT_SECONDS)
        try:
            # The very first term of a cluster has nobody's numbers to stay clear of.
            leap = self._random.getrandbits(LEAP_BITS) if self.journal.epoch > 1 else 0
            self._state.load(tables, edits, self.journal.durable_txid, leap)
        except (CorruptData, ProtocolViolation):
            # Rows of two moments do not fit together: perhaps a newer namenode changes them.
            self.journal.confirm()
            raise

    def end(self) -> None:
        """Stop: every waiting call is sent home with an error, and the threads have ended."""
        self._over.set()
        self._office.lose()
        self.journal.close()
        with self._lock:
            self._reported.notify_all()
            self._ordered.notify_all()
        self._housekeeping.stop()

    def read(self, operation: Operation) -> Any:
        """Run an operation that only looks; the reply waits for what it would reveal."""
        return self._run(operation)

    def change(self, operation: Operation, op: Optional[Op] = None) -> Any:
        """Run an operation that may make an edit; the reply waits until it is durable. DiskFull
        when the record has no room, but for a call `op` that is repeated and waits for it."""
        if self.journal.has_room or not self._is_decided(op):
            self.journal.check_room()
        self._office.await_change()
        return self._run(operation)

    def _is_decided(self, op: Optional[Op]) -> bool:
        """Whether a call was decided before: to refuse it now would say that it was not done."""
        with self._lock:
            return op is not None and bool(self._state.commits.retries.get(op))

    def change_when_confirmed(
        self, operation: Operation, op: Op, gone: Callable[[], bool] = lambda: False
    ) -> Any:
        """Like `change`, but while replicas are not confirmed yet, wait for the datanodes; until
        `gone` says that the caller waits no more (Unavailable)."""
        deadline = time.monotonic() + self._settings.complete_timeout_seconds
        while True:
            with self._lock:
                reports = self._reports
            try:
                return self.change(operation, op)
            except NotEnoughReplicas:
                if gone():
                    raise Unavailable("the caller waits no more") from None
                with self._lock:
                    left = deadline - time.monotonic()
                    if left <= 0:
                        raise
                    if reports == self._reports:
                        # Time, too, changes what is possible: a datanode may be lost for good.
                        self._await(self._reported, min(left, self._round_seconds))

    def tell_blocks(self, operation: Callable[[Blocks], Any]) -> Any:
        """Run an operation of the block side; a file that waits for replicas looks again."""
        self._office.require()
        with self._lock:
            self._require_office()
            result = operation(self._state.blocks)
            # Copies that ended make room for others, which should not wait for the next tick.
            if self._state.blocks.refill(time.monotonic(), self._random):
                self._ordered.notify_all()
            self._reports += 1
            self._reported.notify_all()
            return result

    def heartbeat(
        self,
        session: int,
        stats: NodeStats,
        wait_seconds: float,
        gone: Callable[[], bool] = lambda: False,
    ) -> Tuple[int, Tuple[Any, ...]]:
        """(epoch, commands): at once when there are commands, else when they come or time is up."""
        deadline = time.monotonic() + wait_seconds
        self._office.require()
        with self._lock:
            self._require_office()
            blocks, durable = self._state.blocks, self.journal.durable_txid
            commands = blocks.heartbeat(session, stats, time.monotonic(), durable)
            while not commands and time.monotonic() < deadline and not gone():
                left = min(deadline - time.monotonic(), WAITING_SLICE_SECONDS)
                self._await(self._ordered, left)
                self._require_office()
                durable = self.journal.durable_txid
                commands = blocks.take_commands(session, time.monotonic(), durable)
        if commands:
            self._office.require()
        return self.journal.epoch, commands

    def outlive(self, epoch: int) -> None:
        """A datanode has obeyed this later epoch: if it can have, end the term for a later one.

        Raises StartRefused when it cannot."""
        self._office.require()
        if self._floor.told(epoch, self.journal.epoch, time.monotonic()):
            log.warning("epoch.surpassed", epoch=self.journal.epoch, known=epoch)
            self._office.lose()
            self._on_over()

    def cluster_status(self) -> ClusterStatus:
        """Capacity and health as of now."""
        self._office.require()
        now = time.monotonic()
        with self._lock:
            self._require_office()
            blocks = self._state.blocks
            counts = blocks.census.counts()
            nodes = [node for node in blocks.census.datanodes(now) if node.state != "dead"]
            return ClusterStatus(
                sum(node.stats.capacity for node in nodes),
                sum(node.stats.used for node in nodes),
                sum(node.stats.remaining for node in nodes),
                blocks.safe_mode,
                blocks.safe_mode_reason(now) if blocks.safe_mode else "",
                counts.under_replicated,
                counts.corrupt,
                counts.missing,
                counts.pending_deletion,
                self.journal.epoch,
                self.journal.cluster_id,
                counts.blocks,
                counts.excess,
                counts.corrupt_replicas,
                counts.urgent,
                counts.lost_alone,
                counts.pending_replication,
                counts.removals,
            )

    def see_zookeeper(self, registered: Optional[Mapping[str, str]]) -> None:
        """What the zookeeper says of datanodes (address -> node id), or None: out of reach."""
        with self._lock:
            self._state.blocks.zookeeper_view(registered, time.monotonic())

    @property
    def random(self) -> Random:
        """This term's source of chance, to be used under the lock only."""
        return self._random

    def _run(self, operation: Operation) -> Any:
        failure: Optional[DfsError] = None
        result: Any = None
        self._office.require()
        with self._lock:
            self._require_office()
            self._state.commits.note_durable(self.journal.durable_txid)
            try:
                outcome = operation(self._state)
                record(self.journal, outcome)
                result, depends = outcome.result, outcome.depends
            except DfsError as error:
                # A refusal, too, may rest on a change that is not durable yet.
                failure = self._state.explained(error)
                depends = self._state.commits.last_txid
        if depends > self.journal.durable_txid:
            self.journal.wait(depends, self._timeout)
        self._require_office()
        if failure is not None:
            raise failure
        return result

    def _require_office(self) -> None:
        if self.over:
            self._on_over()
            raise NotLeader("this namenode does not lead any more; another one does, or will soon")

    def _await(self, news: threading.Condition, seconds: float) -> bool:
        """Wait, under the lock, for news; False when the time is up or the term is over."""
        return seconds > 0 and not self._over.is_set() and news.wait(seconds)

    def check(self) -> None:
        """Assert the invariants of the whole core."""
        with self._lock:
            self._state.check()
