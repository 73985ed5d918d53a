"""A namenode process: what the zookeeper, the machine that leads, and callers have it do."""

from typing import Dict, List, Optional, Sequence

from data_service.namenode.leading import leadership
from data_service.namenode.leading.candidacy import LOOK_SECONDS, Candidacy
from data_service.namenode.leading.ending import Ending
from data_service.namenode.leading.following import LAG_SECONDS
from data_service.namenode.leading.leadership import Leadership
from data_service.namenode.leading.unheard import Unheard, beats_of
from data_service.namenode.replicas.blocks import Blocks
from tests.simulation.auditor import STALE_SECONDS
from tests.simulation.model_core import ModelCore
from tests.simulation.durable_record import DurableRecord
from tests.simulation.following import ModelFollowing, ModelReader
from tests.simulation.journal import ModelJournal
from tests.simulation.name_node_calls import NameNodeCalls
from tests.simulation.network import Network
from tests.simulation.quorum.claimant import Claimant
from tests.simulation.quorum.member import LEADER_SECONDS
from tests.simulation.services import Coordination
from tests.simulation.term import ModelTerm
from tests.simulation.world import Bell, Script
from zookeeper.fabric.errors import DfsError, DiskFull, Fenced, NotLeader, OutOfStep, SessionExpired

BEAT_SECONDS = 1.0


class NameNode(NameNodeCalls):
    """One of the namenodes that compete: the real `Leadership`, and scripts that carry it out."""

    def __init__(
        self, network: Network, record: DurableRecord, name: str, name_nodes: Sequence[str],
        hosts: List[str],
    ) -> None:  # fmt: skip
        super().__init__(network.world, name)
        self._network, self._record = network, record
        self._name_nodes, self._hosts = name_nodes, hosts
        self._forget()

    def _forget(self) -> None:
        # As config.ini names them at the start.
        self._members = list(self._hosts)
        self.claimant = Claimant(self, self._network, self._members, self._record)
        self._wake = Bell(self.world)
        self.leadership = Leadership(False, self.world.random)
        self._events: Dict[type, leadership.Event] = {}
        self._candidacy = Candidacy(
            self.name, self._name_nodes, len(self._members), LEADER_SECONDS, self.world.random
        )
        self._number: Optional[int] = None
        """Of the present candidacy, until it ends or a leader is missed."""
        self._coordination = Coordination(self, self._network.call, f"/name_nodes/{self.name}")
        self.unheard = Unheard(self.name, STALE_SECONDS)
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
            yield from self._wish(member, now)

    def _wish(self, member: str, now: float) -> Script:
        """Have the leader hear that this namenode should lead, if that is so."""
        core = self.core
        if core is None or not self._candidacy.leader(now) or not self._is_level(now):
            return
        missed_by = self.unheard.missed_by(beats_of(core.state.blocks.census.nodes(), now), now)
        if missed_by:
            try:
                yield self.claimant.ask(member, "wish", self.name, missed_by)
            except DfsError as error:
                self.world.note(f"{self.name} could not tell {member} its wish: {error.code}")

    def _is_level(self, now: float) -> bool:
        following = self._following
        return following is not None and now - following.level_at < LAG_SECONDS

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
            passes = isinstance(error, (Fenced, OutOfStep, DiskFull))
            assert error.retryable or passes, error
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
        self._begun = ModelTerm(
            self, core, journal, ending, self.unheard, self.hand_over)
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

    def standby(self) -> Optional[Blocks]:
        """What hears datanodes while no term leads it; None when one does. Raises NotLeader while
        there is nothing in memory."""
        if self.term is not None and not self.term.over:
            return None
        core = self.core
        if core is None or not core.cluster_id or core.state.blocks.leads:
            raise NotLeader(f"{self.name} knows nothing (yet)")
        return core.state.blocks
