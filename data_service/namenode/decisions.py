"""What a namenode decides, and the log that makes it durable, as one: whoever decides submits.

Theory of operation. All of it happens under one lock, and nothing in it waits. What is decided is
applied to memory at once, and its edit is submitted before anybody else can decide: so edits are
made and recorded in one order. What is left to do with the lock released is told by the answer:
wait until `depends` is durable, and only then reply.
"""

from random import Random
from typing import Any, Callable, Iterable, NamedTuple, Optional, Protocol, Tuple

from data_service.namenode.namespace.commits import Outcome
from data_service.namenode.namespace.retries import Op
from data_service.namenode.replicas.blocks import Blocks
from data_service.namenode.state import State
from data_service.protocol.health import DEAD, ClusterStatus
from data_service.protocol.nodes import NodeStats
from metadata_service.edits import Edit
from zookeeper.fabric.errors import DfsError
from zookeeper.fabric.kinds import INTEGER_MAX

Operation = Callable[[State], Outcome]


class EditLog(Protocol):
    """As much of a journal as decisions need."""

    epoch: int
    cluster_id: str

    @property
    def durable_txid(self) -> int:
        """Every edit up to this one is durable."""

    @property
    def has_room(self) -> bool:
        """Whether the disk of the record had room for more when it was last heard of."""

    def submit(self, edit: Edit) -> int:
        """Queue an edit, without waiting, and return its txid."""


class Decided(NamedTuple):
    """An answer that nobody may hear before edit `depends` is durable."""

    result: Any
    refusal: Optional[DfsError]
    depends: int

    def reply(self) -> Any:
        """The result; raises the refusal. To be called where no variable keeps the answer: a
        refusal leads to the variables on its way, and those would lead back to it."""
        refusal, result = self.refusal, self.result
        if refusal is None:
            return result
        del self
        try:
            raise refusal
        finally:
            del refusal


class Decisions:
    """A core's state with the log of one term. `now` is monotonic seconds, `wall_ms`
    dates an edit."""

    def __init__(self, state: State, log: EditLog, random: Random) -> None:
        self.closed = False
        """Whether nothing is decided any more: what was, only has to become durable."""
        self.state = state
        self.log = log
        self.random = random

    def decide(self, operation: Operation, wall_ms: int) -> Decided:
        """Run an operation and submit the edit that it made, if any."""
        self.state.commits.note_durable(self.log.durable_txid)
        try:
            outcome = operation(self.state)
        except DfsError as error:
            # A refusal, too, may rest on a change that is not durable yet. Where it was raised does
            # not matter to whoever hears it, and would keep alive the frames that lead there.
            refusal = self.state.explained(error).with_traceback(None)
            return Decided(None, refusal, self.state.commits.last_txid)
        self.submit(outcome, wall_ms)
        return Decided(outcome.result, None, outcome.depends)

    def submit(self, outcome: Outcome, wall_ms: int) -> None:
        """Have the edit of an outcome recorded, if it has one."""
        edit = outcome.edit
        if edit is not None:
            txid = self.log.submit(edit._replace(wall_ms=wall_ms))
            assert txid == edit.txid, "edits are submitted in the order of their making"

    def is_decided(self, op: Optional[Op]) -> bool:
        """Whether a call was decided before: to refuse it now would say that it was not done."""
        return op is not None and bool(self.state.commits.retries.get(op))

    def hear(self, operation: Callable[[Blocks], Any], now: float) -> Tuple[Any, bool]:
        """Run an operation that tells the block side something: (its result, whether there are
        new orders for datanodes). Copies that ended make room for others at once."""
        result = operation(self.state.blocks)
        return result, bool(self.state.blocks.monitor.refill(now, self.random))

    def beat(
        self, session: int, stats: NodeStats, now: float, acknowledged: int = 0,
        unheard_seconds: float = 0.0,
    ) -> Tuple[Any, ...]:  # fmt: skip
        """A datanode lives, and obeys the namenode of this epoch: the commands for it."""
        return self.state.blocks.heartbeat(
            session, stats, now, self.txid_for_orders, acknowledged, unheard_seconds)

    def orders(self, session: int, now: float) -> Tuple[Any, ...]:
        """The commands for a datanode that has waited for some."""
        return self.state.blocks.take_commands(session, now, self.txid_for_orders)

    @property
    def txid_for_orders(self) -> int:
        """Deletions that are recorded up to this edit may be ordered."""
        return self.log.durable_txid

    def cluster_status(self, now: float) -> ClusterStatus:
        """Capacity and health as of now."""
        blocks = self.state.blocks
        counts = blocks.census.counts()
        nodes = [node.stats for node in blocks.census.datanodes(now) if node.state != DEAD]
        return ClusterStatus(
            capacity=_sum(stats.capacity for stats in nodes),
            used=_sum(stats.used for stats in nodes),
            remaining=_sum(stats.remaining for stats in nodes),
            safe_mode=blocks.safe_mode,
            safe_mode_reason=blocks.safe_mode_reason(now) if blocks.safe_mode else "",
            under_replicated=counts.under_replicated,
            corrupt=counts.corrupt,
            missing=counts.missing,
            pending_deletion=counts.pending_deletion,
            epoch=self.log.epoch,
            cluster_id=self.log.cluster_id,
            blocks=counts.blocks,
            excess=counts.excess,
            corrupt_replicas=counts.corrupt_replicas,
            urgent=counts.urgent,
            lost_alone=counts.lost_alone,
            pending_replication=counts.pending_replication,
            removals=counts.removals,
        )

    def check(self) -> None:
        """Assert the invariants of the state."""
        self.state.check()

    def __repr__(self) -> str:
        return f"<Decisions of epoch {self.log.epoch}: {self.state!r}>"


def _sum(sizes: Iterable[int]) -> int:
    """Of what datanodes claim to have, as much as a message can tell: one that lies must not keep
    everybody from learning how the others are."""
    return min(sum(sizes), INTEGER_MAX)
