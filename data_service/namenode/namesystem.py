"""The namesystem of a namenode that serves: decisions under a lock, and replies that are durable.

Theory of operation. Every operation decides and applies under the lock, in memory only; the lock is
released, and the reply waits until the edits that it depends on are durable, so that no reply
reveals a change which a crash could still undo (DESIGN, promise 3). The namesystem knows nothing of
elections: it asks its lease before it speaks, and is told when it is over. Then what is in memory
may never become true, so it answers nothing more and sends home who waits.
"""

import threading
import time
from contextlib import suppress
from random import Random
from typing import Any, Callable, FrozenSet, Iterable, List, Mapping, Optional, Tuple

from data_service.namenode.dates import wall_ms
from data_service.namenode.decisions import Decided, Decisions, Operation
from data_service.namenode.figures import figures_of
from data_service.namenode.leading.ending import Ending
from data_service.namenode.leading.epoch_floor import require_own
from data_service.namenode.leading.lease_keeper import LeaseKeeper
from data_service.namenode.namespace.retries import Op
from data_service.namenode.namespace.tree_check import Unfinished
from data_service.namenode.replicas.blocks import Blocks
from data_service.namenode.waiting import Waiter, Waiting
from data_service.protocol.blocks import Told
from data_service.protocol.health import ClusterStatus
from data_service.protocol.nodes import NodeStats
from metadata_service.journal import Journal
from zookeeper.fabric.errors import NotEnoughReplicas, NotLeader, Unavailable
from zookeeper.fabric.figures import Family
from zookeeper.fabric.rpc import WAITING_SLICE_SECONDS
from zookeeper.fabric.settings import Settings

PAUSE_SECONDS_MAX = 0.1
"""Others get no more time than this between two slices of long work."""

PART_OF_CALL = 0.8
"""The refusal, which says why, must reach its caller before he gives up."""


def edit_seconds(settings: Settings) -> float:
    """How long an edit may take to be durable."""
    patience = PART_OF_CALL * settings.network.call_timeout_seconds
    return min(settings.metadata.append_timeout_seconds, patience)


def ids(blocks: Iterable[Told]) -> FrozenSet[int]:
    """The ids of these blocks."""
    return frozenset([block.block_id for block in blocks])


class Namesystem:
    """One term's. `lock` guards `decisions` and all that it holds. `on_later_epoch` is told, in any
    thread, which later epoch a datanode has obeyed."""

    def __init__(
        self,
        settings: Settings,
        decisions: Decisions,
        journal: Journal,
        lease: LeaseKeeper,
        ending: Ending,
        on_later_epoch: Callable[[int], None],
    ) -> None:
        self.decisions = decisions
        self.journal = journal
        self._lease = lease
        self._ending = ending
        self._on_later_epoch = on_later_epoch
        self._edit_seconds = edit_seconds(settings)
        self._complete_seconds = settings.name_node.complete_timeout_seconds
        self._round_seconds = settings.name_node.replication_interval_seconds
        self.lock = threading.Lock()
        # Heartbeats of these sessions, and writers of these blocks.
        self._heartbeats: Waiting[int] = Waiting()
        self._writers: Waiting[FrozenSet[int]] = Waiting()
        # Who wanted the lock. Not exact, for none is needed to count: it only tells of somebody.
        self._arrivals = 0

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
        """This term's source of chance, to be used under the lock only."""
        return self.decisions.random

    def end(self) -> None:
        """It is over: every waiting call is sent home with an error."""
        with self.lock:
            self._writers.wake_all()
            self._heartbeats.wake_all()

    def wake_ordered(self) -> None:
        """Datanodes may have orders: wake the heartbeats of those that do. Under the lock."""
        self._heartbeats.wake(self.decisions.state.blocks.has_orders)

    def read(self, operation: Operation) -> Any:
        """Run an operation that only looks; the reply waits for what it would reveal."""
        return self._decided(operation).reply()

    def change(self, operation: Operation, op: Optional[Op] = None) -> Any:
        """Run an operation that may make an edit; the reply waits until it is durable. DiskFull
        when the record has no room, but for a call `op` that is repeated and waits for it."""
        if self.journal.has_room or not self._is_decided(op):
            self.journal.check_room()
        self._lease.await_change()
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
            self._writers.add(waiter)
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
                self._writers.remove(waiter)

    def tell_blocks(
        self, operation: Callable[[Blocks], Any], told: Optional[Iterable[Told]] = None
    ) -> Any:
        """Tell the block side something, of these replicas (None: of whichever); a file that waits
        for one of them looks again."""
        self._arrivals += 1
        return self._tell_blocks(operation, None if told is None else ids(told))

    def tell_blocks_in_slices(
        self, operation: Callable[[Blocks], bool], told: Iterable[Told]
    ) -> None:
        """Tell it something long: a slice each time, until the operation says that it is done."""
        self._arrivals += 1
        block_ids = ids(told)
        self.in_slices(lambda: not self._tell_blocks(operation, block_ids))

    def in_slices(self, step: Callable[[], bool]) -> None:
        """Do something long: a step, which takes the lock, after the other, while more is left.

        Who lets go of a lock and takes it at once has it before those that wait for it. So when
        somebody came meanwhile, as much time as the step took is left to the others.
        """
        while True:
            arrivals, started = self._arrivals, time.monotonic()
            if not step():
                return
            if self._arrivals != arrivals:
                time.sleep(min(time.monotonic() - started, PAUSE_SECONDS_MAX))

    def _tell_blocks(
        self, operation: Callable[[Blocks], Any], told: Optional[FrozenSet[int]]
    ) -> Any:
        self._lease.require()
        with self.lock:
            self._require_term()
            result, has_orders = self.decisions.hear(operation, time.monotonic())
            if has_orders:
                self.wake_ordered()
            self._writers.wake(lambda blocks: told is None or not told.isdisjoint(blocks))
            return result

    def ask_blocks(self, operation: Callable[[Blocks], Any]) -> Any:
        """Ask the block side something, which is no news to anybody."""
        self._arrivals += 1
        self._lease.require()
        with self.lock:
            self._require_term()
            return operation(self.decisions.state.blocks)

    def heartbeat(
        self,
        session: int,
        stats: NodeStats,
        wait_seconds: float,
        gone: Callable[[], bool] = lambda: False,
    ) -> Tuple[int, Tuple[Any, ...]]:
        """(epoch, commands): at once when there are commands, else when they come or time is up."""
        deadline = time.monotonic() + wait_seconds
        self._arrivals += 1
        self._lease.require()
        with self.lock:
            self._require_term()
            commands = self.decisions.beat(session, stats, time.monotonic())
            if not commands:
                commands = self._await_orders(session, deadline, gone)
        if commands:
            self._lease.require()
        return self.journal.epoch, commands

    def _await_orders(
        self, session: int, deadline: float, gone: Callable[[], bool]
    ) -> Tuple[Any, ...]:
        """The orders of a datanode when they come, none when time is up. Under the lock."""
        commands: Tuple[Any, ...] = ()
        waiter = Waiter(self.lock, session)
        self._heartbeats.add(waiter)
        try:
            while not commands and time.monotonic() < deadline and not gone():
                self._await(waiter, min(deadline - time.monotonic(), WAITING_SLICE_SECONDS))
                self._require_term()
                commands = self.decisions.orders(session, time.monotonic())
        finally:
            self._heartbeats.remove(waiter)
        return commands

    def outlive(self, epoch: int) -> None:
        """A datanode has obeyed this epoch. Raises StartRefused when it was none of ours."""
        self._lease.require()
        require_own(epoch, self.journal.epoch)
        self._on_later_epoch(epoch)

    def cluster_status(self) -> ClusterStatus:
        """Capacity and health as of now."""
        self._lease.require()
        with self.lock:
            self._require_term()
            return self.decisions.cluster_status(time.monotonic())

    def figures(self) -> Tuple[Family, ...]:
        """What it tells of itself, as of now."""
        self._lease.require()
        with self.lock:
            self._require_term()
            found = figures_of(self.decisions, time.monotonic())
        return (*found, *self.journal.figures())

    def see_zookeeper(self, registered: Optional[Mapping[str, str]]) -> None:
        """What the zookeeper says of datanodes (address -> node id), or None: out of reach."""
        with self.lock:
            self.decisions.state.blocks.monitor.zookeeper_view(registered, time.monotonic())

    def _decided(self, operation: Operation) -> Decided:
        """What came of an operation; it is durable, and may be told."""
        self._arrivals += 1
        self._lease.require()
        try:
            decided = self._decide(operation)
        except Unfinished:
            decided = self._decide_in_slices(operation)
        if decided.depends > self.journal.durable_txid:
            self.journal.wait(decided.depends, self._edit_seconds)
        self._require_term()
        return decided

    def _decide(self, operation: Operation) -> Decided:
        with self.lock:
            self._require_term()
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

        self.in_slices(step)
        return decided.pop()

    def _is_decided(self, op: Optional[Op]) -> bool:
        with self.lock:
            return self.decisions.is_decided(op)

    def _require_term(self) -> None:
        if self.over:
            raise NotLeader("this namenode does not lead any more; another one does, or will soon")

    def _await(self, waiter: Waiter[Any], seconds: float) -> None:
        """Wait, under the lock, until woken; not when the time is up or the term is over."""
        if seconds > 0 and not self.over:
            waiter.wait(seconds)

    def __repr__(self) -> str:
        return f"<Namesystem {'over' if self.over else 'serving'}: {self.decisions!r}>"
