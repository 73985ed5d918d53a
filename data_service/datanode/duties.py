"""What a datanode does for one namenode: register, report, beat, and obey it while it leads.

Theory of operation. The heartbeat is a long poll: the namenode answers when it has commands, or
when the interval is over, so a command arrives at once and a beat is never late by design. A full
report follows every registration; what happens to single replicas is told at once, and when that
fails it is kept and told before the next heartbeat. A namenode that stands by is told the same, so
that it can lead at once; it commands nothing. When one leads in a newer epoch than was known, what
others ordered is brought to its end and told, and only then its epoch is acknowledged with a beat.

A call that got no answer may still run later, after newer ones. For a change that would be wrong:
so the session that it was sent in ends, which makes it void, and a new one begins with a full
report. With a session end the orders that were given in it, also those that wait for a slow disk:
the namenode counts on that, and may have decided otherwise since (HDFS-1972).
"""

import random
import threading
from typing import Any, Callable, Iterable, Optional, Tuple

from data_service.datanode.description import NodeDescription
from data_service.datanode.full_report import FullReport
from data_service.datanode.incremental_report import (
    CORRUPT,
    Changes,
    IncrementalReport,
    as_arguments,
)
from data_service.datanode.namenode_line import NameNodeLine
from data_service.datanode.obedience import Obedience
from data_service.datanode.store.block_store import BlockStore
from data_service.protocol.blocks import Block, Told
from data_service.protocol.datanode_reports import DataNodeReports
from data_service.protocol.nodes import (
    DELETE,
    DELETE_CORRUPT,
    REPLICATE,
    REPORT,
    TRASH,
    VERIFY,
    Command,
)
from metadata_service.epochs import check_told
from zookeeper.fabric import logs
from zookeeper.fabric.calls import Call
from zookeeper.fabric.errors import (
    DfsError,
    Fenced,
    InvalidArgument,
    NotLeader,
    SessionExpired,
    StartRefused,
    Unavailable,
)
from zookeeper.fabric.settings import DataNodeSettings

log = logs.get("actor")

TELL_SECONDS_MAX = 10.0
"""How long a transfer may wait for the namenode to hear of its replica."""

REMOVALS_SECONDS_MAX = 5.0
"""How long removals that an earlier namenode ordered are awaited: a hung disk may hold one up for
ever. Then a new session begins, whose full report does not list what is being removed."""

TELL_PAUSE_SECONDS = 0.3
"""News for a namenode that nobody waits for are collected for so long, and sent together."""

INTERRUPT_SECONDS = 1.0
"""When another namenode leads, calls to the one before that last longer are given up."""

_HEARTBEAT_GRACE_SECONDS = 10.0
_SESSION_PAUSE_SECONDS = 0.05
_NOT_LEADER_PAUSE_SECONDS = 0.1
_OBEYED = (REPLICATE, DELETE, DELETE_CORRUPT, TRASH, VERIFY)

Obey = Callable[[Command, Callable[[], bool]], None]
"""Carries out a command, asking before each of its steps whether the command still holds."""


class Duties:
    """The datanode's side of its contract with one namenode.

    `description` tells of the datanode; `obey` must return soon; `heard` is told whenever the
    namenode has said something new: accepted or refused this datanode, or that it leads or not.
    What has no lock belongs to the one thread that attends.
    """

    def __init__(
        self,
        namenode: NameNodeLine,
        description: NodeDescription,
        store: BlockStore,
        settings: DataNodeSettings,
        obedience: Obedience,
        obey: Obey,
        heard: Callable[["Duties"], None] = lambda _: None,
    ) -> None:
        self._namenode = namenode
        self._calls = DataNodeReports(self._perform)
        self._description = description
        self._volumes = store.volumes
        self._heartbeat_seconds = settings.heartbeat_seconds
        self._obedience = obedience
        self._obey = obey
        self._heard = heard
        self._changes = IncrementalReport(self._send_changes, self._begin_anew)
        self._report = FullReport(store, settings.block_report_seconds)
        self._stopping = threading.Event()
        self._news_came = threading.Event()
        # The thread that attends begins sessions; any thread may end the one that it used.
        self._ending = threading.Lock()
        self.session = 0
        self._acknowledged = 0
        self._not_leader_pause = _NOT_LEADER_PAUSE_SECONDS
        self._trouble = ""
        self.leads = False
        """Whether the namenode said so when it was heard last, and is obeyed."""
        self.has_reported = False
        """Whether it ever knew all that is here."""
        self.refusal = ""
        """Why it does not want this datanode, if so."""

    def start(self, tells_by_itself: bool) -> None:
        """Begin, in a thread; in another one news are told, or else only by who calls `tell`."""
        threading.Thread(target=self._keep, name="actor", daemon=True).start()
        if tells_by_itself:
            threading.Thread(target=self._keep_telling, name="teller", daemon=True).start()

    def stop(self) -> None:
        """End; the threads notice after their current call."""
        self._stopping.set()
        self._news_came.set()
        self._namenode.close()

    def note(self, kind: str, blocks: Iterable[Told]) -> None:
        """There are replicas RECEIVED, DELETED, found CORRUPT or VERIFIED, to be told soon."""
        self._changes.add(kind, blocks)
        self._news_came.set()

    def tell(self, kind: str, blocks: Iterable[Told]) -> None:
        """Tell the namenode of them now, with all that was noted before.

        When it cannot be told now, it is told before the next heartbeat: nothing gets lost.
        """
        self._changes.add(kind, blocks)
        try:
            self._changes.tell()
        except DfsError as error:
            log.debug("change.kept", kind=kind, error=error.message)

    def tell_failure(self, block: Block, unreached: Iterable[str] = ()) -> None:
        """An ordered copy of a block was not made, as these datanodes could not be reached.

        When this is not heard, a timeout says it."""
        try:
            calls = self._calls.within(TELL_SECONDS_MAX)
            calls.copy_failed(self.session, block.block_id, tuple(unreached))
        except DfsError as error:
            log.debug("failure.not_told", block=block.name, error=error.message)

    def report_again(self) -> None:
        """Something is not as the namenode knows it: a full report goes out after this beat."""
        self._report.ask()

    def interrupt(self) -> None:
        """Another namenode leads: nobody shall wait for this one any more."""
        self._namenode.interrupt(INTERRUPT_SECONDS)

    def __repr__(self) -> str:
        return f"<Duties for {self._namenode!r}, session {self.session}, {self._changes!r}>"

    def _perform(self, call: Call, args: Tuple[Any, ...], seconds: Optional[float] = None) -> Any:
        """Make a call of the namenode; what it answers while it leads tells that it is there."""
        answer = self._namenode.perform(call, args, seconds)
        if self.leads:
            self._obedience.hear()
        return answer

    def _keep(self) -> None:
        while not self._stopping.is_set():
            pause = self._attend_once()
            # Datanodes that lost the same namenode must not come back in step.
            if pause:
                self._stopping.wait(pause * random.uniform(0.5, 1.0))

    def _attend_once(self) -> float:
        """How long to wait before the next time."""
        try:
            self.attend()
        except SessionExpired:
            log.info("session.expired", session=self.session)
            self.session = 0
            return _SESSION_PAUSE_SECONDS
        except StartRefused as error:
            self._refused(error)
        except NotLeader as error:
            self._said(False)
            self._note_trouble("namenode.out_of_reach", error.message)
            # It may be about to lead, and nothing is removed before we have heard of it.
            pause = self._not_leader_pause
            self._not_leader_pause = min(2 * pause, self._heartbeat_seconds)
            return pause
        except DfsError as error:
            self._note_trouble("namenode.out_of_reach", error.message)
        except Exception as error:
            # Also a defect of ours must not end this thread: who does not beat is dead.
            log.error("actor.failed", exc_info=True, error=type(error).__name__)
        else:
            self._not_leader_pause = _NOT_LEADER_PAUSE_SECONDS
            self._note_trouble("", "")
            return 0.0
        return self._heartbeat_seconds

    def _keep_telling(self) -> None:
        while not self._stopping.is_set():
            self._news_came.wait()
            self._stopping.wait(TELL_PAUSE_SECONDS)
            self._news_came.clear()
            try:
                self._changes.tell()
            except DfsError as error:
                log.debug("change.kept", error=error.message)
            except Exception as error:
                log.error("teller.failed", exc_info=True, error=type(error).__name__)

    def attend(self) -> None:
        """Register and report when due, tell what is untold, beat once."""
        if not self.session:
            self._register()
        if self._report.is_due:
            self._report.send(self._calls, self.session, self._tell_corrupt)
            self.has_reported = True
            self._heard(self)
        self._changes.tell()
        self._beat()

    def _register(self) -> None:
        self._acknowledged = 0
        registration = self._calls.register(self._description.info())
        if registration.leads:
            check_told(registration.epoch, self._obedience.epoch)
        # Of another cluster no epoch is remembered.
        self._volumes.join_cluster(registration.cluster_id)
        if registration.leads:
            self._learn(registration.epoch)
            # What is still being removed is not listed in the report that follows.
            self._acknowledged = registration.epoch
        self.report_again()
        self.session = registration.session
        self.refusal = ""
        self._said(registration.leads)
        log.info("datanode.registered", session=self.session, epoch=registration.epoch,
                 leads=registration.leads)

    def _tell_corrupt(self, blocks: Iterable[Block]) -> None:
        self._changes.add(CORRUPT, blocks)
        self._changes.tell()

    def _send_changes(self, changes: Changes) -> None:
        session = self.session
        if not session:
            raise Unavailable("this datanode is not registered")
        try:
            self._calls.within(TELL_SECONDS_MAX).block_changes(session, *as_arguments(changes))
        except (Unavailable, SessionExpired):
            self._end(session)
            raise
        except InvalidArgument as error:
            # Repeating would be refused for ever; a full report says the same in another way.
            log.error("changes.refused", error=error.message)
            self.report_again()

    def _begin_anew(self) -> None:
        log.warning("changes.too_many", namenode=self._namenode)
        self._end(self.session)

    def _end(self, session: int) -> None:
        with self._ending:
            if self.session == session:
                self.session = 0

    def _beat(self) -> None:
        interval = self._heartbeat_seconds
        session = self.session
        if not session:
            raise SessionExpired("a change could not be told")
        calls = self._calls.within(interval + _HEARTBEAT_GRACE_SECONDS)
        # What a report says that is due is not told yet.
        acknowledged = 0 if self._report.is_due else self._acknowledged
        stats = self._description.stats()
        # Whoever stands by learns from that whether the one that leads can be heard.
        unheard_seconds = self._obedience.unheard_seconds
        orders = calls.heartbeat(session, stats, interval, acknowledged, unheard_seconds)
        if orders.leads:
            self._turn_to(orders.epoch)
        self._said(orders.leads)
        for command in orders.commands:
            log.debug("command.received", action=command.action, blocks=len(command.blocks))
            if command.action == REPORT:
                self.report_again()
            elif orders.leads and command.action in _OBEYED:
                self._obey(command, lambda: self._holds(session, orders.epoch))
            else:
                log.warning("command.unknown", action=command.action, leads=orders.leads)

    def _holds(self, session: int, epoch: int) -> bool:
        return self.session == session and self._obedience.holds(epoch)

    def _turn_to(self, epoch: int) -> None:
        """The namenode leads in this epoch: obey it, and nobody else."""
        check_told(epoch, self._obedience.epoch)
        self._learn(epoch)
        if epoch == self._acknowledged:
            return
        if not self._obedience.await_earlier(REMOVALS_SECONDS_MAX):
            raise SessionExpired("what an earlier namenode ordered takes long to end")
        # The next beat says so, after all that is untold.
        self._acknowledged = epoch

    def _learn(self, epoch: int) -> None:
        known = self._obedience.epoch
        if epoch < known:
            self._said(False)
            self._tell_epoch(known)
            raise Fenced(f"a namenode of epoch {epoch} commands, {known} is known")
        self._obedience.learn(epoch)

    def _tell_epoch(self, known: int) -> None:
        """Tell a namenode that we obeyed a later one. Either it was deposed, and will notice; or
        its record is older than we are, restored from a backup, and it must begin a later epoch."""
        try:
            self._calls.within(TELL_SECONDS_MAX).epoch_known(known)
        except (Unavailable, NotLeader) as error:
            log.debug("epoch.not_told", epoch=known, error=error.message)

    def _refused(self, error: DfsError) -> None:
        """The namenode does not want this datanode (a clone, another cluster): say so, ask on."""
        self._note_trouble("datanode.refused", error.message)
        self.refusal = error.message
        self._said(False)

    def _said(self, leads: bool) -> None:
        self.leads = leads
        self._heard(self)

    def _note_trouble(self, trouble: str, error: str) -> None:
        """Log when the namenode goes out of reach, or comes back, and not at every attempt."""
        if trouble == self._trouble or self._stopping.is_set():
            return
        self._trouble = trouble
        if trouble:
            log.warning(trouble, namenode=self._namenode, error=error)
        else:
            log.info("namenode.reached", namenode=self._namenode)
