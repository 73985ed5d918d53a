"""One term of a namenode: the real `State`, and what `term.py` and `office.py` do around it.

Those use threads, locks and the machine's clock; this is the same in virtual time, line by line.
"""

from typing import Any, Callable, Dict, Optional, Tuple

from data_service.namenode.namespace.commits import Outcome
from data_service.namenode.leading.leader_lease import CLOCK_DRIFT
from data_service.namenode.replicas.block_policy import BlockPolicy
from data_service.namenode.replicas.blocks import Blocks
from data_service.namenode.state import State
from data_service.protocol.nodes import NodeStats
from tests.simulation.auditor import STALE_SECONDS
from tests.simulation.journal import ModelJournal
from tests.simulation.services import EXPIRY_SECONDS
from tests.simulation.world import Bell, Process, Script
from zookeeper.fabric.errors import DfsError, Fenced, NotEnoughReplicas, NotLeader, Unavailable

LEASE_SOFT_SECONDS = 4.0
LEASE_HARD_SECONDS = 12.0
TICK_SECONDS = 1.0
POLICY = BlockPolicy(
    heartbeat_seconds=1.0, stale_seconds=STALE_SECONDS, dead_seconds=8.0, tick_seconds=TICK_SECONDS,
    safe_mode_threshold=0.999, safe_mode_extension_seconds=1.0, max_replications=20,
    max_replication_streams=2, replication_seconds=5.0, command_repeat_seconds=3.0,
    trash_grace_seconds=LEASE_HARD_SECONDS, return_grace_seconds=6.0,
)  # fmt: skip

PROOF_SECONDS = EXPIRY_SECONDS / 3
PATIENCE_SECONDS = 3.0
COMPLETE_SECONDS = 3.0

Operation = Callable[[State], Outcome]


class ModelTerm:
    """From `load` to `end`, its namenode leads in `journal.epoch`."""

    def __init__(
        self,
        process: Process,
        journal: ModelJournal,
        elected: Callable[[], Tuple[int, float]],
        on_over: Callable[[], None],
    ) -> None:
        self.journal = journal
        self.fenced = False
        self.serving = False
        self._process = process
        self._elected = elected
        self._on_over = on_over
        self._over = False
        self._election = -1
        self._proved_at = process.clock()
        self._changes_from = self._proved_at + PROOF_SECONDS * CLOCK_DRIFT
        self._proved = Bell(process.world)
        self._reported = Bell(process.world)
        self._ordered = Bell(process.world)
        self.random = process.world.random
        blocks = Blocks(journal.cluster_id, journal.epoch, POLICY)
        self.state = State(blocks, "root", "supergroup", LEASE_SOFT_SECONDS, LEASE_HARD_SECONDS)

    @property
    def over(self) -> bool:
        """Whether nothing may be answered any more."""
        return self._over or self.journal.failure is not None

    def load(self) -> Script:
        """Read the image, check that no newer epoch began meanwhile, keep house from now on."""
        tables, edits = yield from self.journal.load()
        try:
            self.state.load(tables, edits, self.journal.durable_txid)
        finally:
            # Rows that do not fit together may be those of two moments: another one leads now.
            yield from self.journal.confirm()
        self.state.blocks.loaded(self._process.clock())
        self.serving = True
        self._process.spawn(self._keep_house())
        self._process.spawn(self._renew())

    def end(self) -> None:
        """Stop: every waiting call is sent home with an error."""
        self._over = True
        self.journal.close()
        for bell in (self._proved, self._reported, self._ordered):
            bell.ring()

    # Calls.

    def run(self, operation: Operation, changes: bool) -> Script:
        """Run an operation; the reply waits until what it reveals is durable."""
        if changes:
            self.journal.check_open()
            yield from self.await_change()
        yield from self._require_proof()
        self.require_office()
        self.state.commits.note_durable(self.journal.durable_txid)
        failure: Optional[DfsError] = None
        result: Any = None
        try:
            outcome = operation(self.state)
            self._submit(outcome)
            result, depends = outcome.result, outcome.depends
        except DfsError as error:
            failure, depends = error, self.state.commits.last_txid
        yield from self.await_durable(depends)
        self.require_office()
        if failure is not None:
            raise failure
        return result

    def await_durable(self, txid: int) -> Script:
        """A reply waits here until no crash can undo what it tells."""
        yield from self.journal.wait(txid)

    def complete(self, operation: Operation) -> Script:
        """Like a change, but while replicas are not confirmed yet, wait for the datanodes."""
        deadline = self._process.clock() + COMPLETE_SECONDS
        while True:
            try:
                return (yield from self.run(operation, True))
            except NotEnoughReplicas:
                left = deadline - self._process.clock()
                if left <= 0 or self.over:
                    raise
            yield self._reported.wait(min(left, TICK_SECONDS))

    def tell_blocks(self, operation: Callable[[Blocks], Any]) -> Script:
        """Run an operation of the block side; a file that waits for replicas looks again."""
        yield from self.require_command()
        self.require_office()
        result = operation(self.state.blocks)
        if self.state.blocks.monitor.refill(self._process.clock(), self.random):
            self._ordered.ring()
        self._reported.ring()
        return result

    def heartbeat(self, session: int, stats: NodeStats, seconds: float) -> Script:
        """(epoch, commands, when they were given): at once when there are any, or in time."""
        clock = self._process.clock
        deadline = clock() + seconds
        yield from self.require_command()
        self.require_office()
        blocks = self.state.blocks
        commands = blocks.heartbeat(session, stats, clock(), self.durable_for_orders())
        while not commands and deadline > clock():
            if not (yield self._ordered.wait(deadline - clock())):
                break
            self.require_office()
            commands = blocks.take_commands(session, clock(), self.durable_for_orders())
        given_at = self._process.world.now
        if commands:
            yield from self.require_command()
        return self.journal.epoch, commands, given_at

    def durable_for_orders(self) -> int:
        """Deletions recorded up to this edit may be ordered."""
        return self.journal.durable_txid

    def see_zookeeper(self, datanodes: Optional[Dict[str, str]]) -> None:
        """What the zookeeper says of datanodes, or None: out of reach."""
        self.state.blocks.monitor.zookeeper_view(datanodes, self._process.clock())

    def require_office(self) -> None:
        """Raises NotLeader when the term is over."""
        if self.over:
            self._on_over()
            raise NotLeader("this namenode does not lead any more")

    # Office.

    def _is_proved(self) -> bool:
        age = self._process.clock() - self._proved_at
        return not self._over and age < PROOF_SECONDS

    def _require_proof(self) -> Script:
        deadline = self._process.clock() + PATIENCE_SECONDS
        while not self._is_proved():
            left = deadline - self._process.clock()
            if left <= 0 or self._over:
                raise NotLeader("this namenode cannot be sure that it leads; ask again")
            yield self._proved.wait(left)

    def require_command(self) -> Script:
        """Return when this namenode may speak to datanodes."""
        yield from self._require_proof()

    def may_change(self) -> bool:
        """Whether no earlier leader can answer any more."""
        return self._process.clock() >= self._changes_from

    def await_change(self) -> Script:
        """Return when something may be changed."""
        if not self.may_change():
            yield self._process.world.sleep(self._changes_from - self._process.clock())

    def _renew(self) -> Script:
        while not self._over:
            yield self._process.world.sleep(PROOF_SECONDS / 2)
            asked_at = self._process.clock()
            election, _ = self._elected()
            try:
                yield from self.journal.prove(PROOF_SECONDS / 2)
            except Fenced:
                self.fenced = True
                self._over = True
                self._on_over()
                return
            except Unavailable:
                election, asked_at = self._elected()
                if election != self._election:
                    continue
            self._election = election
            self._proved_at = max(asked_at, self._proved_at)
            self._proved.ring()

    # Housekeeping.

    def _keep_house(self) -> Script:
        while not self.over:
            yield self._process.world.sleep(TICK_SECONDS)
            if self.over:
                break
            events = self.state.blocks.monitor.tick(self._process.clock(), self.random)
            self.state.commits.note_durable(self.journal.durable_txid)
            made = self._housekeeping_edits()
            for event in events:
                self._process.world.note(f"{self._process.name}: {event.name} {event.fields}")
            try:
                # Also what nobody else waits for any more becomes durable.
                yield from self.journal.wait(self.state.commits.last_txid)
            except DfsError as error:
                self._process.world.note(f"{self._process.name} housekeeping: {error.code}")
            if events or made:
                self._ordered.ring()
        self._on_over()

    def _housekeeping_edits(self) -> Tuple[Outcome, ...]:
        state = self.state
        if state.blocks.safe_mode or not self.may_change():
            return ()
        outcomes = state.writing.expire_leases(self._process.clock())
        steps = (state.purge_step(4), state.forget_deleted(1000), state.store_access_times(1000))
        for step in steps:
            if step is not None:
                outcomes.append(step)
        for outcome in outcomes:
            self._submit(outcome)
        return tuple(outcomes)

    def _submit(self, outcome: Outcome) -> None:
        if outcome.edit is not None:
            self.journal.submit(outcome.edit)

    def __repr__(self) -> str:
        state = "over" if self.over else "serving" if self.serving else "loading"
        return f"<ModelTerm of {self._process.name}, epoch {self.journal.epoch}, {state}>"
