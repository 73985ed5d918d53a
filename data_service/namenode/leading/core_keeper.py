"""What one namenode has in memory, and who changes it at the moment: who follows, or a term.

Theory of operation. One thread, the one that leads, has the core loaded, followed, taken over and
given back; at any time it belongs to one of them. Everybody else asks who may be spoken to: the
namesystem of a term that serves, or who listens to datanodes while this namenode stands by.
"""

import threading
import time
from functools import partial
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from data_service.namenode.leading import leadership
from data_service.namenode.leading.ending import Ending
from data_service.namenode.leading.following import LAG_SECONDS, Following, Lag, catch_up
from data_service.namenode.leading.record_reader import RecordReader
from data_service.namenode.leading.term import Term
from data_service.namenode.leading.unheard import Unheard, beats_of
from data_service.namenode.listening import Listener
from data_service.namenode.namenode_core import Core
from data_service.namenode.namesystem import Namesystem
from data_service.namenode.standing_by import Standby
from metadata_service.ailments import Ailment
from metadata_service.calls import MemberCalls
from metadata_service.leader.journal import Journal
from metadata_service.leader.member_ways import MemberWays
from zookeeper.fabric import logs
from zookeeper.fabric.calls import Call
from zookeeper.fabric.errors import DfsError, OutOfStep
from zookeeper.fabric.figures import Family, Histogram, histogram
from zookeeper.fabric.settings import Address, Settings

log = logs.get("name_node")

PATIENCE_SECONDS = 3.0
"""How long an answer of the record may take beyond the wait for something new."""


class CoreKeeper:
    """That of the namenode at `address`. `members` are the ways to those of the record;
    `told` hears what comes of everything, in any thread; `show` makes known to people in which
    epoch this namenode leads, 0: not any more."""

    def __init__(
        self,
        settings: Settings,
        address: Address,
        user: str,
        members: MemberWays,
        told: Callable[[leadership.Event], None],
        show: Callable[[int], None],
    ) -> None:
        self._settings = settings
        self._address = address
        self._user = user
        self._members = members
        self._told = told
        self._show = show
        self._unheard = Unheard(str(address), settings.name_node.stale_seconds)
        self.changed = threading.Condition()
        """Under it the end or begin of a term is told."""
        self.namesystem: Optional[Namesystem] = None
        """That of the term that serves, if one does; it may be over."""
        self._stopping = False
        self._datanodes: Optional[Mapping[str, str]] = None
        self._standby: Optional[Standby] = None
        # `_core` is in memory while nobody follows; `_term` leads it.
        self._core: Optional[Core] = None
        self._following: Optional[Following] = None
        self._term: Optional[Term] = None
        self._journal: Optional[Journal] = None
        # Why nothing could be loaded, or followed, the last time.
        self._reason = ""
        self._claimed_at = 0.0
        self._takeovers = Histogram()

    def figures(self) -> Tuple[Family, ...]:
        """How often, and how fast, this namenode came to lead."""
        meaning = "From claiming leadership until this namenode serves."
        return (histogram("pyhdfs_takeover_seconds", meaning, self._takeovers),)

    @property
    def known_txid(self) -> int:
        """The last edit that is known here to be recorded, while a term runs; else 0."""
        journal = self._journal
        return journal.durable_txid if journal is not None else 0

    @property
    def delays(self) -> Dict[str, Tuple[float, float]]:
        """How long appends take at each member of the record; nothing while no term runs."""
        journal = self._journal
        return journal.delays() if journal is not None else {}

    @property
    def ailing(self) -> Tuple[Ailment, ...]:
        """What is wrong with members of the record, as the term finds them that runs."""
        journal = self._journal
        return journal.ailments() if journal is not None else ()

    @property
    def trouble(self) -> str:
        """Why the record does not answer the term, for a person; or empty."""
        journal = self._journal
        return journal.trouble if journal is not None else ""

    @property
    def standby(self) -> Optional[Standby]:
        """Who listens to datanodes while no term leads; None: nothing is in memory, or one does."""
        standby = self._standby
        return standby if standby is not None and not standby.over else None

    @property
    def lag(self) -> Optional[Lag]:
        """How far behind the record this namenode is while it stands by; None: it still loads."""
        following = self._following
        if self.standby is None or following is None:
            return None
        return following.lag(time.monotonic())

    @property
    def heard(self) -> Tuple[int, int]:
        """How many datanodes report to this namenode while it stands by, of how many that the
        zookeepers see."""
        standby, registered = self.standby, self._datanodes
        if standby is None or registered is None:
            return 0, 0
        return standby.core.heard_of(registered), len(registered)

    @property
    def lacks_reports(self) -> bool:
        """Whether this namenode, which stands by, would be in safe mode if it were to lead now."""
        standby = self.standby
        if standby is None:
            return False
        with standby.lock:
            return standby.core.state.blocks.safe_mode_would_last(time.monotonic())

    def missed_by(self) -> int:
        """How many datanodes miss the namenode that leads, when this one stands by and should take
        its place; else 0."""
        standby, lag, now = self.standby, self.lag, time.monotonic()
        if standby is None or lag is None or lag.seconds >= LAG_SECONDS:
            return 0
        with standby.lock:
            beats = beats_of(standby.core.state.blocks.census.nodes(), now)
        return self._unheard.missed_by(beats, now)

    def listener(self) -> Optional[Listener]:
        """Who hears datanodes now: the namesystem that serves, or who stands by."""
        namesystem = self.namesystem
        return self.standby if namesystem is None or namesystem.over else namesystem

    def see_zookeeper(self, registered: Optional[Mapping[str, str]]) -> None:
        """What the zookeeper says of datanodes (address -> node id), or None: out of reach."""
        with self.changed:
            self._datanodes = registered
            if self._standby is not None:
                self._standby.core.see_zookeeper(registered)

    # What the machine that leads wants.

    def follow(self, attempt: int) -> None:
        """With what is in memory, if anything is that is true; else the image is loaded."""
        core = self._unfollow()
        settings = self._settings

        def told(error: Optional[Exception]) -> None:
            if error is None:
                self._reason = ""
                self._stand_by(following.core)
                self._told(leadership.Loaded(attempt))
            else:
                self._lost(error)
                self._told(leadership.Lost(attempt, error))

        self._following = following = Following(
            RecordReader(self._record(), len(settings.name_node.hosts) > 1),
            core,
            lambda cluster_id: Core(settings, cluster_id, self._user),
            told,
            settings.name_node.replication_interval_seconds,
        )
        following.start()

    def take_over(self, attempt: int, at_least: int) -> None:
        """Claim an epoch, carry out what is left of the record, and begin a term."""
        self._claimed_at = time.monotonic()
        self._core = self._unfollow()
        try:
            self._begin_term(attempt, at_least)
        except Exception as error:
            defect = not isinstance(error, DfsError)  # It is shown with its place.
            log.warning("term.not_begun", exc_info=defect, error=error)
            if isinstance(error, OutOfStep):
                self._core = None
            self._stand_by(self._core)
            self._told(leadership.NotTakenOver(attempt, error))
        else:
            self._told(leadership.TookOver(attempt))

    def serve(self) -> None:
        """Let everybody in, to the term that has begun."""
        with self.changed:
            term = self._term
            if term is None or self._stopping:
                return
            seconds = round(time.monotonic() - self._claimed_at, 3)
            self._takeovers.note(seconds)
            log.info("term.begun", epoch=term.namesystem.journal.epoch, seconds=seconds)
            self.namesystem = term.namesystem
            self.changed.notify_all()
        self._show(term.namesystem.journal.epoch)

    def end_term(self) -> None:
        """Answer nothing any more. What is in memory stays, if all of it is recorded."""
        with self.changed:
            term, self._term = self._term, None
        if term is not None:
            log.info("term.ended", epoch=term.namesystem.journal.epoch)
            self._show(0)
            self._core = term.end()
            self._stand_by(self._core)
        self._journal = None
        with self.changed:
            self.namesystem = None
            self.changed.notify_all()

    def stop(self) -> None:
        """The process ends: so does everything."""
        with self.changed:
            self._stopping = True
        following = self._following
        if following is not None:
            following.stop()
        self.end_term()
        if self._journal is not None:
            self._journal.close()  # That of a term which has not begun yet.

    def _unfollow(self) -> Optional[Core]:
        """Nobody follows any more; what is in memory, if it is whole."""
        following, self._following = self._following, None
        if following is not None:
            return following.stop()
        core, self._core = self._core, None
        return core

    def _begin_term(self, attempt: int, at_least: int) -> None:
        settings, core = self._settings, self._core
        if core is None:
            raise OutOfStep("what was in memory is lost: it is loaded anew")
        ending = Ending(lambda error: self._told(leadership.TermOver(attempt, error)))
        self._journal = journal = Journal(
            self._members,
            str(self._address),
            settings.metadata.append_timeout_seconds,
            settings.network.max_frame_bytes,
            ending.set,
            settings.metadata.admit_new_disks,
        )
        try:
            own = journal.open(at_least)
            if not core.cluster_id:
                # There was nothing to load yet: this is the first term of a new cluster.
                core = self._core = Core(settings, journal.cluster_id, self._user)
                core.state.blocks.loaded(time.monotonic())
            if journal.cluster_id != core.cluster_id:
                raise OutOfStep(f"the record is that of cluster {journal.cluster_id} by now")
            catch_up(core, journal, RecordReader(self._record(journal.in_step), False))
            self._term = Term(
                settings, core, journal, ending,
                lambda known: self._told(leadership.Outlived(attempt, known, own)),
                self._unheard, lambda: self._told(leadership.HandOver()),
            )  # fmt: skip
            self._term.begin()
        except BaseException:
            # Of a term that cannot begin nothing is left behind.
            journal.close()
            self.end_term()
            raise

    def _record(self, first: Sequence[str] = ()) -> List[MemberCalls]:
        """The members, those at these addresses first: who may be lost is not waited for then."""
        seconds = self._settings.name_node.replication_interval_seconds + PATIENCE_SECONDS
        ways = self._members
        return [
            MemberCalls(partial(_perform, ways, address)).within(seconds)
            for address in sorted(ways.addresses, key=lambda one: one not in first)
        ]

    def _lost(self, error: Exception) -> None:
        """Nothing is in memory. The same reason is told of once, however often it is met."""
        if repr(error) != self._reason:
            _warn("following.ended", error)
        self._reason = repr(error)
        self._stand_by(None)

    def _stand_by(self, core: Optional[Core]) -> None:
        """This is in memory, and will be, whoever leads; None: nothing is, and nobody listens, as
        while there is no cluster yet."""
        core = core if core is not None and core.cluster_id else None
        with self.changed:
            before = self._standby
            if before is not None and before.core is core:
                return
            self._standby = None if core is None else Standby(core)
            if core is not None:
                core.see_zookeeper(self._datanodes)
        if before is not None:
            before.end()

    def __repr__(self) -> str:
        return f"<CoreKeeper of {self._address}: {self._term or self._following!r}>"


def _warn(event: str, error: Exception) -> None:
    """Of an error that is being handled: a defect is shown with its place."""
    if isinstance(error, DfsError):
        log.warning(event, error=error.message)
    else:
        log.error(event, exc_info=True, error=type(error).__name__)


def _perform(
    ways: MemberWays, address: str, call: Call, args: Tuple[Any, ...], seconds: Optional[float]
) -> Any:
    """A call of one member; all of them have a deadline here."""
    return ways.perform(address, call, args, seconds or PATIENCE_SECONDS)
