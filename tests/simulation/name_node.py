"""A namenode process: what the zookeeper, the machine that leads, and callers have it do."""

from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from data_service.namenode.leading import leadership
from data_service.namenode.leading.candidacy import LOOK_SECONDS, Candidacy
from data_service.namenode.leading.ending import Ending
from data_service.namenode.leading.leadership import Leadership
from data_service.namenode.namespace.commits import Outcome
from data_service.namenode.namespace.permissions import Caller
from data_service.namenode.namespace.retries import Op
from data_service.namenode.replicas.blocks import Blocks
from data_service.namenode.state import State
from data_service.protocol.blocks import Block
from data_service.protocol.files import Tail
from data_service.protocol.nodes import NodeInfo, NodeStats, Registration
from tests.simulation.model_core import ModelCore
from tests.simulation.durable_record import DurableRecord
from tests.simulation.following import ModelFollowing, ModelReader
from tests.simulation.journal import ModelJournal
from tests.simulation.network import Network
from tests.simulation.quorum.claimant import Claimant
from tests.simulation.quorum.member import LEADER_SECONDS
from tests.simulation.services import Coordination
from tests.simulation.term import ModelTerm
from tests.simulation.world import Bell, Process, Script
from zookeeper.fabric.errors import DfsError, Fenced, NotLeader, OutOfStep, SessionExpired

ROOT = Caller("root", frozenset(), True)
BEAT_SECONDS = 1.0
STANDBY_SECONDS = 0.3
"""So long a heartbeat waits for orders that cannot come."""

BLOCK_SIZE = 100


class NameNode(Process):
    """One of the namenodes that compete: the real `Leadership`, and scripts that carry it out."""

    def __init__(
        self, network: Network, record: DurableRecord, name: str, name_nodes: Sequence[str],
        members: List[str],
    ) -> None:  # fmt: skip
        super().__init__(network.world, name)
        self._network, self._record = network, record
        self._name_nodes, self._members = name_nodes, members
        self.claimant = Claimant(self, network, members, record)
        self._forget()

    def _forget(self) -> None:
        self._wake = Bell(self.world)
        self.leadership = Leadership(False, self.world.random)
        self._events: Dict[type, leadership.Event] = {}
        self._candidacy = Candidacy(
            self.name, self._name_nodes, len(self._members), LEADER_SECONDS, self.world.random
        )
        self._number: Optional[int] = None
        """Of the present candidacy, until it ends or a leader is missed."""
        self._coordination = Coordination(self, self._network.call, f"/name_nodes/{self.name}")
        # What is in memory while nobody follows; who follows; the term that is about to begin.
        self._core: Optional[ModelCore] = None
        self._following: Optional[ModelFollowing] = None
        self._begun: Optional[ModelTerm] = None
        self.term: Optional[ModelTerm] = None

    def on_start(self) -> None:
        """Know nothing."""
        self._forget()
        self.spawn(self._coordinate())
        for member in self._members:
            self.spawn(self._look(member))
        self.spawn(self._lead())

    # The session with the zookeeper; as `zookeeper/coordinator.py` keeps one.

    def _coordinate(self) -> Script:
        while True:
            try:
                yield from self._coordination.round()
                self._see(self._coordination.datanodes)
            except DfsError:
                if self._coordination.lost():
                    self._see(None)
            yield self.world.sleep(BEAT_SECONDS)

    # Standing by; as `leading/lookout.py` does it.

    def _look(self, member: str) -> Script:
        while True:
            yield self.world.sleep(LOOK_SECONDS)
            number = self._number
            if number is None:
                continue
            try:
                status = yield self.claimant.ask(member, "status")
            except DfsError:
                continue
            now = self.clock()
            self._candidacy.heard(member, status, now)
            if number == self._number and self._candidacy.claims(now):
                self._number = None
                self.world.note(f"{self.name} misses a leader")
                self._put(leadership.Vacant(number))

    def _see(self, datanodes: Optional[Dict[str, str]]) -> None:
        core = self.core
        if core is not None:
            core.state.blocks.monitor.zookeeper_view(datanodes, self.clock())

    @property
    def core(self) -> Optional[ModelCore]:
        """What is in memory while no term leads it."""
        return self._core if self._following is None else self._following.core

    # Leading; as `daemon.py` carries it out.

    def _put(self, event: leadership.Event) -> None:
        self._events.pop(type(event), None)
        self._events[type(event)] = event
        self._wake.ring()

    def _lead(self) -> Script:
        actions = self.leadership.start()
        while True:
            for action in actions:
                yield from self._carry_out(action)
            left = self.leadership.wake_at - self.clock()
            while not self._events and left > 0:
                yield self._wake.wait(min(left, BEAT_SECONDS))
                left = self.leadership.wake_at - self.clock()
            kind = next(iter(self._events), None)
            event = leadership.Woke() if kind is None else self._events.pop(kind)
            actions = self.leadership.handle(event, self.clock())
            self.leadership.check()

    def _carry_out(self, action: leadership.Action) -> Script:
        if isinstance(action, leadership.Campaign):
            self._candidacy.begin(self.clock() + action.yields)
            self._number = action.candidacy
        elif isinstance(action, leadership.Resign):
            self._number = None
        elif isinstance(action, leadership.Follow):
            self._follow(action.attempt)
        elif isinstance(action, leadership.TakeOver):
            yield from self._take_over(action.attempt, action.at_least)
        elif isinstance(action, leadership.Serve):
            assert self._begun is not None, "only a term that has begun is served"
            self.world.note(f"{self.name} leads in epoch {self._begun.journal.epoch}")
            self._see(self._coordination.datanodes)
            self.term = self._begun
        elif isinstance(action, leadership.EndTerm):
            if self._begun is not None:
                yield from self._begun.drain()
            self._end_term()
        elif isinstance(action, leadership.Refuse):
            raise AssertionError(f"{self.name} cannot use the record: {action.error!r}")

    def _follow(self, attempt: int) -> None:
        def told(error: Optional[DfsError]) -> None:
            if error is None:
                self._see(self._coordination.datanodes)
                self._put(leadership.Loaded(attempt))
            else:
                passes = isinstance(error, (OutOfStep, SessionExpired))
                assert error.retryable or passes, error
                self._put(leadership.Lost(attempt, error))

        reader = ModelReader(self, self._network, self._members)
        self._following = ModelFollowing(self, reader, self._unfollow(), told, self._record)
        self.spawn(self._following.run())

    def _unfollow(self) -> Optional[ModelCore]:
        following, self._following = self._following, None
        return self._core if following is None else following.stop()

    def _take_over(self, attempt: int, at_least: int) -> Script:
        self._core = self._unfollow()
        ending = Ending(lambda error: self._put(leadership.TermOver(attempt, error)))
        journal = ModelJournal(self, self.claimant, self._members, ending.set)
        try:
            yield from self._begin_term(journal, ending, at_least)
        except DfsError as error:
            assert error.retryable or isinstance(error, (Fenced, OutOfStep)), error
            journal.close()
            self._end_term()
            if isinstance(error, OutOfStep):
                self._core = None
            self._put(leadership.NotTakenOver(attempt, error))
        else:
            self._put(leadership.TookOver(attempt))

    def _begin_term(self, journal: ModelJournal, ending: Ending, at_least: int) -> Script:
        core = self._core
        if core is None:
            raise OutOfStep("what was in memory is lost")
        yield from journal.open(at_least)
        if not core.cluster_id:
            core = self._core = ModelCore(journal.cluster_id, self.world.random)
            core.state.blocks.loaded(self.clock())
        if journal.cluster_id != core.cluster_id:
            raise OutOfStep("the record is that of another cluster by now")
        reader = ModelReader(self, self._network, self._members)
        yield from journal.catch_up(core, reader.recorded)
        self._begun = ModelTerm(self, core, journal, ending)
        yield from self._begun.begin()

    def _end_term(self) -> None:
        term, self._begun, self.term = self._begun, None, None
        if term is not None:
            self.world.note(f"{self.name} ends epoch {term.journal.epoch}")
            self._core = term.end()

    def hand_over(self) -> None:
        """An administrator wants another one to lead."""
        self._put(leadership.HandOver())

    @property
    def holds(self) -> bool:
        """Whether it may answer anybody now."""
        return self.term is not None and self.term.holds

    def leading(self) -> ModelTerm:
        """The current term; raises NotLeader when there is none."""
        if self.term is None or self.term.over:
            raise NotLeader(f"{self.name} does not lead (yet)")
        return self.term

    def _read(self, operation: Callable[[State], Outcome]) -> Script:
        return self.leading().run(operation, False)

    def _change(self, operation: Callable[[State], Outcome]) -> Script:
        return self.leading().run(operation, True)

    # What clients ask.

    def exposed_stat(self, _source: str, path: str) -> Script:
        """FileStatus of a path."""
        return self._read(lambda state: state.reading.stat(ROOT, path))

    def exposed_list(self, _source: str, path: str) -> Script:
        """(the statuses of a directory's entries, whether more follow)."""
        return self._read(lambda state: state.reading.list(ROOT, path, "", 1000))

    def exposed_block_locations(self, _source: str, path: str) -> Script:
        """Locations of a whole file."""
        return self._read(lambda state: state.reading.block_locations(ROOT, path, 0, 1 << 40))

    def exposed_mkdir(self, _source: str, op: Op, path: str, parents: bool) -> Script:
        """Make a directory."""
        return self._change(lambda state: state.mkdir(
            ROOT, op, path, parents, 0o755, 1, self.clock()))

    def exposed_delete(self, _source: str, op: Op, path: str) -> Script:
        """Delete a path."""
        return self._change(lambda state: state.delete(ROOT, op, path, True, 1))

    def exposed_rename(self, _source: str, op: Op, path: str, target: str) -> Script:
        """Rename."""
        return self._change(lambda state: state.rename(
            ROOT, op, path, target, 1, self.clock()))

    def exposed_set_replication(self, _source: str, op: Op, path: str, count: int) -> Script:
        """Raise or lower how many replicas a file shall have."""
        return self._change(lambda state: state.set_replication(ROOT, op, path, count))

    def exposed_create(
        self, _source: str, op: Op, path: str, overwrite: bool, replication: int
    ) -> Script:
        """Open a file for writing."""
        return self._change(lambda state: state.writing.create(
            ROOT, op, path, overwrite, replication, BLOCK_SIZE, 0o644, self.clock()))

    def exposed_add_block(
        self, source: str, client_id: str, file_id: int, position: int, excluded: tuple
    ) -> Script:
        """The LocatedBlock for one position of an open file."""
        return self._change(lambda state: state.writing.add_block(
            client_id, file_id, position, excluded, source, self.clock(), self.world.random))

    def exposed_abandon_block(
        self, _source: str, client_id: str, file_id: int, block_id: int
    ) -> Script:
        """Give a block up."""
        return self._change(
            lambda state: state.writing.abandon_block(client_id, file_id, block_id))

    def exposed_complete(
        self, _source: str, op: Op, file_id: int, blocks: Tuple[Block, ...]
    ) -> Script:
        """Make a file appear."""
        return self.leading().complete(
            lambda state: state.writing.complete(ROOT, op, file_id, blocks, self.clock(), 1))

    def exposed_flush(
        self, _source: str, op: Op, file_id: int, blocks: Tuple[Block, ...]
    ) -> Script:
        """Make visible what was written so far."""
        return self.leading().complete(
            lambda state: state.writing.flush(ROOT, op, file_id, blocks, self.clock(), 1))

    def exposed_append(self, _source: str, op: Op, path: str) -> Script:
        """Open a file to write behind its end."""
        return self._change(lambda state: state.rewriting.append(ROOT, op, path, self.clock()))

    def exposed_resume_visible(
        self, _source: str, client_id: str, file_id: int, tail: tuple, blocks: tuple
    ) -> Script:
        """Present a file in progress that readers see."""
        return self._change(lambda state: state.rewriting.resume(
            ROOT, client_id, file_id, Tail(*tail), dict(blocks), self.clock()))

    def exposed_resume(
        self, _source: str, client_id: str, path: str, file_id: int, overwrite: bool,
        replication: int, replaces: int, blocks: tuple,
    ) -> Script:  # fmt: skip
        """Present a file in progress."""
        return self._change(lambda state: state.writing.resume(
            ROOT, client_id, path, file_id, overwrite, replication, BLOCK_SIZE, 0o644,
            replaces, dict(blocks), self.clock()))

    def exposed_abandon_file(self, _source: str, client_id: str, file_id: int) -> Script:
        """Give a file up."""
        return self._change(lambda state: state.writing.abandon_file(client_id, file_id))

    def exposed_renew_lease(self, _source: str, client_id: str) -> Script:
        """Keep all files that a client has open."""
        return self._read(lambda state: Outcome(
            state.writing.renew_lease(client_id, self.clock()), None, 0))

    def exposed_report_bad_block(self, _source: str, block: Block, node_id: str) -> Script:
        """A reader met a damaged replica."""
        return self.leading().tell_blocks(lambda blocks: blocks.report_bad(block, node_id))

    # What datanodes tell, whether this one leads or stands by.

    def _standby(self) -> Optional[Blocks]:
        """What hears datanodes while no term leads it; None when one does. Raises NotLeader while
        there is nothing in memory."""
        if self.term is not None and not self.term.over:
            return None
        core = self.core
        if core is None or not core.cluster_id or core.state.blocks.leads:
            raise NotLeader(f"{self.name} knows nothing (yet)")
        return core.state.blocks

    def _hear(self, operation: Callable[[Blocks], Any]) -> Any:
        standby = self._standby()
        return self.leading().tell_blocks(operation) if standby is None else operation(standby)

    def exposed_register(self, _source: str, info: NodeInfo) -> Any:
        """A datanode introduces itself."""
        standby = self._standby()
        if standby is None:
            return self._register_at(self.leading(), info)
        session = standby.register(info, self.clock())
        return Registration(session, standby.epoch, self.core.cluster_id, False)

    def _register_at(self, term: ModelTerm, info: NodeInfo) -> Script:
        session = yield from term.tell_blocks(lambda blocks: blocks.register(info, self.clock()))
        return Registration(session, term.journal.epoch, term.journal.cluster_id)

    def exposed_heartbeat(
        self, _source: str, session: int, stats: NodeStats, seconds: float, acknowledged: int
    ) -> Script:
        """(epoch, commands, when they were given, whether this one leads)."""
        standby = self._standby()
        if standby is None:
            return self.leading().heartbeat(session, stats, seconds, acknowledged)
        assert not standby.heartbeat(session, stats, self.clock(), -1, acknowledged)
        return self._beaten(standby.epoch)

    def _beaten(self, epoch: int) -> Script:
        yield self.world.sleep(STANDBY_SECONDS)
        return epoch, (), self.world.now, False

    def exposed_block_report(self, _source: str, *report: Any) -> Any:
        """One part of a full report."""
        standby = self._standby()
        if standby is None:
            return self.leading().tell_blocks_in_slices(
                lambda blocks: blocks.block_report(*report, self.clock())
            )
        while not standby.block_report(*report, self.clock()):
            pass
        return None

    def exposed_block_changes(
        self, _source: str, session: int, received: tuple, deleted: tuple, corrupt: tuple,
        verified: tuple,
    ) -> Script:  # fmt: skip
        """What happened to single replicas."""
        return self._hear(lambda blocks: blocks.block_changes(
            session, received, deleted, corrupt, self.clock(), verified))

    def exposed_copy_failed(self, _source: str, session: int, block_id: int) -> Script:
        """A copy that was ordered could not be made."""
        return self._hear(
            lambda blocks: blocks.copy_failed(session, block_id, self.clock()))
