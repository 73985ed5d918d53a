"""One term of a namenode: its real decisions, chores and lease, and how scripts wait for them.

What is decided here in no other way than in a namenode's process: `Decisions`, `Chores`,
`LeaderLease`. What is here instead of threads, locks and the machine's clock is only waiting.
"""

from typing import Any, Callable, Dict, Optional

from data_service.namenode.chores import Chores
from data_service.namenode.decisions import Decisions, Operation
from data_service.namenode.leading.ending import Ending
from data_service.namenode.leading.unheard import Unheard, beats_of
from data_service.namenode.namespace.retries import Op
from data_service.namenode.replicas.blocks import Blocks
from data_service.protocol.nodes import NodeStats
from tests.simulation.model_core import TICK_SECONDS, ModelCore
from tests.simulation.journal import ModelJournal
from tests.simulation.world import Bell, Process, Script
from zookeeper.fabric.errors import DfsError, NotEnoughReplicas, NotLeader

PURGE_INODES = 4
SLICE_PAUSE_SECONDS = 0.02
PATIENCE_SECONDS = 3.0
COMPLETE_SECONDS = 3.0
WALL_MS = 1
DRAIN_SECONDS = 1.0
LOOK_SECONDS = 0.2


class ModelTerm:
    """In `journal.epoch`, which has been claimed; it may serve from `begin` until `end`."""

    def __init__(
        self, process: Process, core: ModelCore, journal: ModelJournal, ending: Ending,
        unheard: Unheard, hand_over: Callable[[], None],
    ) -> None:  # fmt: skip
        self.journal = journal
        self._process = process
        self._ending = ending
        self._unheard, self._hand_over = unheard, hand_over
        self._proved = Bell(process.world)
        self._reported = Bell(process.world)
        self._ordered = Bell(process.world)
        self._core = core
        self.state = core.state
        # What the answers of the members prove.
        self.lease = journal.reign.lease
        self.decisions = Decisions(self.state, journal, process.world.random)
        self.chores = Chores(self.decisions, PURGE_INODES)

    @property
    def over(self) -> bool:
        """Whether nothing may be answered any more."""
        return self._ending.is_set

    def begin(self) -> Script:
        """Check that no newer epoch began meanwhile, lead, keep house and lease. What is in memory
        has caught up with the record."""
        self._process.spawn(self._keep_lease())
        yield from self.journal.confirm()
        self.state.lead(self.journal.epoch, self._process.clock())
        for repeated in (self._round, self._record, self._purge):
            self._process.spawn(self._repeat(repeated))
        self._process.spawn(self._give_way())

    def drain(self) -> Script:
        """Decide nothing any more, and wait a while until what was decided is durable."""
        if self.over:
            return
        self.decisions.closed = True
        try:
            yield from self.journal.wait(self.state.commits.last_txid, DRAIN_SECONDS)
        except DfsError as error:
            self._process.world.note(f"{self._process.name} is not drained: {error.code}")

    def end(self) -> Optional[ModelCore]:
        """Stop: every waiting call is sent home with an error. What is in memory, if all of it is
        recorded."""
        self._ending.set(NotLeader("the term was ended"))
        recorded = self._is_recorded()
        if recorded:
            self.state.stand_by()
        self.journal.close()
        for bell in (self._proved, self._reported, self._ordered):
            bell.ring()
        return self._core if recorded else None

    def _is_recorded(self) -> bool:
        return self.journal.durable_txid >= self.state.commits.last_txid

    # Calls.

    def run(self, operation: Operation) -> Script:
        """Run an operation; the reply waits until what it reveals is durable."""
        yield from self._require_proof()
        self._require_term()
        if self.decisions.closed:
            raise NotLeader("this namenode hands over")
        decided = self.decisions.decide(operation, WALL_MS)
        yield from self.journal.wait(decided.depends)
        self._require_term()
        return decided.reply()

    def change(self, operation: Operation, op: Optional[Op] = None) -> Script:
        """The same for one that may make an edit; DiskFull, as Namesystem.change says it."""
        if self.journal.has_room or not self.decisions.is_decided(op):
            self.journal.check_room()
        return self.run(operation)

    def complete(self, operation: Operation, op: Op) -> Script:
        """Like a change, but while replicas are not confirmed yet, wait for the datanodes."""
        deadline = self._process.clock() + COMPLETE_SECONDS
        while True:
            try:
                return (yield from self.change(operation, op))
            except NotEnoughReplicas:
                left = deadline - self._process.clock()
                if left <= 0 or self.over:
                    raise
            yield self._reported.wait(min(left, TICK_SECONDS))

    def tell_blocks(self, operation: Callable[[Blocks], Any]) -> Script:
        """Tell the block side something; a file that waits for replicas looks again."""
        yield from self.require_command()
        self._require_term()
        result, has_orders = self.decisions.hear(operation, self._process.clock())
        if has_orders:
            self._ordered.ring()
        self._reported.ring()
        return result

    def tell_blocks_in_slices(self, operation: Callable[[Blocks], bool]) -> Script:
        """Tell it something long: a slice each time, and anything may happen in between."""
        while not (yield from self.tell_blocks(operation)):
            yield self._process.world.sleep(SLICE_PAUSE_SECONDS)

    @property
    def namenode(self) -> str:
        """Whose it is."""
        return self._process.name

    def heartbeat(
        self, session: int, stats: NodeStats, seconds: float, acknowledged: int,
        unheard_seconds: float,
    ) -> Script:  # fmt: skip
        """(epoch, commands, when they were given, whether this is who leads): at once when there
        are any, or the datanode does not know that, or in time."""
        clock = self._process.clock
        deadline = clock() + seconds
        yield from self.require_command()
        self._require_term()
        commands = self.decisions.beat(session, stats, clock(), acknowledged, unheard_seconds)
        must_acknowledge = self.state.blocks.must_acknowledge
        while not (commands or must_acknowledge(session)) and deadline > clock():
            if not (yield self._ordered.wait(deadline - clock())):
                break
            self._require_term()
            commands = self.decisions.orders(session, clock())
        given_at = self._process.world.now
        if commands:
            yield from self.require_command()
        return self.journal.epoch, commands, given_at, True

    def see_zookeeper(self, datanodes: Optional[Dict[str, str]]) -> None:
        """What the zookeeper says of datanodes, or None: out of reach."""
        self.state.blocks.monitor.zookeeper_view(datanodes, self._process.clock())

    def check(self) -> None:
        """Assert every invariant of the core."""
        self.decisions.check()
        self.journal.check()

    def _require_term(self) -> None:
        if self.over:
            raise NotLeader("this namenode does not lead any more")

    # The lease.

    @property
    def holds(self) -> bool:
        """Whether leadership is proved as of now."""
        return not self.over and self.lease.holds(self._process.clock())

    def _require_proof(self) -> Script:
        deadline = self._process.clock() + PATIENCE_SECONDS
        while not self.holds:
            left = deadline - self._process.clock()
            if left <= 0 or self.over:
                raise NotLeader("this namenode cannot be sure that it leads; ask again")
            yield self._proved.wait(left)

    def require_command(self) -> Script:
        """Return when this namenode may speak to datanodes."""
        yield from self._require_proof()

    def _keep_lease(self) -> Script:
        while not self.over:
            try:
                self.journal.require_reign()
            except DfsError as error:
                self._ending.set(error)
            self._proved.ring()
            yield self.journal.reign.changed.wait(LOOK_SECONDS)

    def _give_way(self) -> Script:
        """Hand over to a namenode that most datanodes hear instead of this one; as GivingWay."""
        clock = self._process.clock
        led_since, gives = clock(), False
        while not (self.over or gives):
            yield self._process.world.sleep(LOOK_SECONDS)
            now, wish = clock(), self.journal.reign.wish(clock())
            led_since = led_since if self.holds else now
            beats = beats_of(self.state.blocks.census.nodes(), now)
            gives = self._unheard.gives_way(wish, beats, led_since, now)
        if gives:
            self._process.world.note(f"{self.namenode} gives way to {wish.address}")
            self._hand_over()

    # Housekeeping.

    def _repeat(self, step: Callable[[], Script]) -> Script:
        while True:
            yield from self._sleep(TICK_SECONDS)
            if self.over:
                return
            try:
                yield from step()
            except DfsError as error:
                self._process.world.note(f"{self._process.name} housekeeping: {error.code}")

    def _round(self) -> Script:
        made = self.chores.round(self._process.clock(), WALL_MS)
        for event in made.events:
            self._process.world.note(f"{self._process.name}: {event.name} {event.fields}")
        if made.has_orders:
            self._ordered.ring()
        yield from ()

    def _record(self) -> Script:
        txid = self.chores.last_txid
        yield from self.journal.wait(txid)
        if self.chores.recorded(txid):
            self._ordered.ring()

    def _purge(self) -> Script:
        piece = self.chores.purge(WALL_MS)
        while piece is not None:
            yield from self.journal.wait(piece.txid)
            self._ordered.ring()
            goes_on = piece.is_whole and not self.over
            piece = self.chores.purge(WALL_MS) if goes_on else None

    def _sleep(self, seconds: float) -> Script:
        if seconds > 0:
            yield self._process.world.sleep(seconds)

    def __repr__(self) -> str:
        state = "over" if self.over else "loaded or loading"
        return f"<ModelTerm of {self._process.name}, epoch {self.journal.epoch}, {state}>"
