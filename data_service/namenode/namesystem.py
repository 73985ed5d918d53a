"""The namesystem of a namenode that serves: decisions under a lock, and replies that are durable.

Theory of operation. Every operation decides and applies under the lock, in memory only; the lock is
released, and the reply waits until the edits that it depends on are durable, so that no reply
reveals a change which a crash could still undo (DESIGN, promise 3). The namesystem knows nothing of
elections: it asks its lease before it speaks, and is told when it is over. Then what is in memory
may never become true, so it answers nothing more and sends home who waits.
"""

import time
from contextlib import suppress
from random import Random
from typing import Any, Callable, Iterable, List, Optional, Tuple

from data_service.namenode.dates import wall_ms
from data_service.namenode.decisions import Decided, Decisions, Operation
from data_service.namenode.figures import figures_of
from data_service.namenode.leading.ending import Ending
from data_service.namenode.leading.epoch_floor import require_own
from data_service.namenode.leading.lease_keeper import LeaseKeeper
from data_service.namenode.listening import Listener, Operate, ids
from data_service.namenode.namenode_core import Core
from data_service.namenode.namespace.retries import Op
from data_service.namenode.namespace.tree_check import Unfinished
from data_service.namenode.waiting import Waiter
from data_service.protocol.blocks import Told
from data_service.protocol.health import ClusterStatus
from data_service.protocol.nodes import NodeStats
from metadata_service.leader.journal import Journal
from zookeeper.fabric import logs
from zookeeper.fabric.errors import DfsError, NotEnoughReplicas, NotLeader, Unavailable
from zookeeper.fabric.figures import Family, gauge
from zookeeper.fabric.settings import Settings

log = logs.get("namenode")

PART_OF_CALL = 0.8
"""The refusal, which says why, must reach its caller before he gives up."""


NEVER_SECONDS = 1e9
"""The age of a proof that there never was."""


def edit_seconds(settings: Settings) -> float:
    """How long an edit may take to be durable."""
    patience = PART_OF_CALL * settings.network.call_timeout_seconds
    return min(settings.metadata.append_timeout_seconds, patience)


class Namesystem(Listener):
    """One term's face of a core, whose lock guards `decisions`. `on_later_epoch` is told, in any
    thread, which later epoch a datanode has obeyed."""

    leads = True

    def __init__(
        self,
        settings: Settings,
        core: Core,
        decisions: Decisions,
        journal: Journal,
        lease: LeaseKeeper,
        ending: Ending,
        on_later_epoch: Callable[[int], None],
    ) -> None:
        super().__init__(core)
        self.decisions = decisions
        self.journal = journal
        self._lease = lease
        self._ending = ending
        self._on_later_epoch = on_later_epoch
        self._edit_seconds = edit_seconds(settings)
        self._complete_seconds = settings.name_node.complete_timeout_seconds
        self._round_seconds = settings.name_node.replication_interval_seconds

    @property
    def over(self) -> bool:
        """Whether nothing may be answered from it any more."""
        return self._ending.is_set

    @property
    def proved(self) -> bool:
        """Whether it is proved as of now that nobody else leads."""
        return self._lease.holds

    @property
    def random(self) -> Random:
        """The core's source of chance, to be used under the lock only."""
        return self.decisions.random

    @property
    def epoch(self) -> int:
        """The term's."""
        return self.journal.epoch

    def _admit(self) -> None:
        self._lease.require()

    def _hear(self, operation: Operate) -> Tuple[Any, bool]:
        return self.decisions.hear(operation, time.monotonic())

    def _beat(
        self, session: int, stats: NodeStats, acknowledged: int, unheard_seconds: float
    ) -> Tuple[Any, ...]:
        now = time.monotonic()
        return self.decisions.beat(session, stats, now, acknowledged, unheard_seconds)

    def _orders(self, session: int) -> Tuple[Any, ...]:
        return self.decisions.orders(session, time.monotonic())

    def drain(self, seconds: float) -> None:
        """Decide nothing any more, and wait, at most so long, until what was decided is durable:
        the calls that wait for it are still answered."""
        with self.lock:
            self.decisions.closed = True
            last_txid = self.decisions.state.commits.last_txid
        try:
            self.journal.wait(last_txid, seconds)
        except DfsError as error:
            log.warning("term.not_drained", error=error.message)

    def read(self, operation: Operation) -> Any:
        """Run an operation that only looks; the reply waits for what it would reveal."""
        return self._decided(operation).reply()

    def change(self, operation: Operation, op: Optional[Op] = None) -> Any:
        """Run an operation that may make an edit; the reply waits until it is durable. DiskFull
        when the record has no room, but for a call `op` that is repeated and waits for it."""
        if self.journal.has_room or not self._is_decided(op):
            self.journal.check_room()
        return self._decided(operation).reply()

    def change_when_confirmed(
        self,
        operation: Operation,
        op: Op,
        blocks: Iterable[Told],
        gone: Callable[[], bool] = lambda: False,
    ) -> Any:
        """Like `change`, but while replicas of these blocks are not confirmed yet, wait for the
        datanodes; until `gone` says that the caller waits no more (Unavailable)."""
        deadline = time.monotonic() + self._complete_seconds
        with suppress(NotEnoughReplicas):
            # Most often they have reported before their writer asks.
            return self.change(operation, op)
        waiter = Waiter(self.lock, ids(blocks))
        with self.lock:
            self.core.writers.add(waiter)
        try:
            while True:
                waiter.news = False
                try:
                    return self.change(operation, op)
                except NotEnoughReplicas:
                    if gone():
                        raise Unavailable("the caller waits no more") from None
                    with self.lock:
                        left = deadline - time.monotonic()
                        if left <= 0:
                            raise
                        if not waiter.news:
                            # Time, too, changes what is possible: a datanode may be lost for good.
                            self._await(waiter, min(left, self._round_seconds))
        finally:
            with self.lock:
                self.core.writers.remove(waiter)

    def outlive(self, epoch: int) -> None:
        """A datanode has obeyed this epoch. Raises StartRefused when it was none of ours."""
        self._lease.require()
        require_own(epoch, self.journal.epoch)
        self._on_later_epoch(epoch)

    def cluster_status(self) -> ClusterStatus:
        """Capacity and health as of now."""
        self._lease.require()
        with self.lock:
            self._require()
            return self.decisions.cluster_status(time.monotonic())

    def figures(self) -> Tuple[Family, ...]:
        """What it tells of itself, as of now."""
        self._lease.require()
        with self.lock:
            self._require()
            found = figures_of(self.decisions, time.monotonic())
        age = min(self._lease.age, NEVER_SECONDS)
        proof = gauge("pyhdfs_proof_age_seconds", "Since it was proved that this one leads.", age)
        return (*found, proof, *self.journal.figures())

    def _decided(self, operation: Operation) -> Decided:
        """What came of an operation; it is durable, and may be told."""
        self.core.arrive()
        self._lease.require()
        try:
            decided = self._decide(operation)
        except Unfinished:
            decided = self._decide_in_slices(operation)
        if decided.depends > self.journal.durable_txid:
            self.journal.wait(decided.depends, self._edit_seconds)
        self._require()
        return decided

    def _decide(self, operation: Operation) -> Decided:
        with self.lock:
            self._require()
            if self.decisions.closed:
                raise _led_by_another()
            return self.decisions.decide(operation, wall_ms())

    def _decide_in_slices(self, operation: Operation) -> Decided:
        """Go on with an operation that was unfinished until it is not."""
        decided: List[Decided] = []

        def step() -> bool:
            try:
                decided.append(self._decide(operation))
            except Unfinished:
                pass  # The next slice goes on from there.
            return not decided

        self.core.in_slices(step)
        return decided.pop()

    def _is_decided(self, op: Optional[Op]) -> bool:
        with self.lock:
            return self.decisions.is_decided(op)

    def _require(self) -> None:
        if self.over:
            raise _led_by_another()

    def __repr__(self) -> str:
        return f"<Namesystem {'over' if self.over else 'serving'}: {self.decisions!r}>"


def _led_by_another() -> NotLeader:
    return NotLeader("this namenode does not lead any more; another one does, or will soon")
