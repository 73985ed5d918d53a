"""What a datanode does for the namenode: register, report, beat, obey.

Theory of operation. The heartbeat is a long poll: the namenode answers when it has commands, or
when the interval is over, so a command arrives at once and a beat is never late by design. A full
report follows every registration; what happens to single replicas is told at once, and when that
fails it is kept and told before the next heartbeat. The namenode's epoch is remembered on disk, so
that an older namenode which wakes up can command nothing (HDFS-1972).

A call that got no answer may still run later, after newer ones. For a change that would be wrong:
so the session that it was sent in ends, which makes it void, and a new one begins with a full
report. With a session end the orders that were given in it, also those that wait for a slow disk:
the namenode counts on that, and may have decided otherwise since (HDFS-1972).
"""

import random
import threading
import time
from math import inf
from typing import Callable, Iterable

from data_service.datanode.description import NodeDescription
from data_service.datanode.full_report import FullReport
from data_service.datanode.incremental_report import (
    CORRUPT,
    Changes,
    IncrementalReport,
    as_arguments,
)
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
from zookeeper.fabric.errors import (
    DfsError,
    Fenced,
    InvalidArgument,
    NotLeader,
    SessionExpired,
    StartRefused,
    Unavailable,
)
from zookeeper.fabric.pools import LeaderPool
from zookeeper.fabric.settings import DataNodeSettings

log = logs.get("actor")

TELL_SECONDS_MAX = 10.0
"""How long a transfer may wait for the namenode to hear of its replica."""

NEW_EPOCH_SECONDS = 600.0
"""So long a namenode is new: what it has deleted is only set aside. One that should not lead at
all, or does not know yet what there is, destroys nothing in that time."""

_HEARTBEAT_GRACE_SECONDS = 10.0
_SESSION_PAUSE_SECONDS = 0.05
_OBEYED = (REPLICATE, DELETE, DELETE_CORRUPT, TRASH, VERIFY)

Obey = Callable[[Command, Callable[[], bool]], None]
"""Carries out a command, asking before each of its steps whether the command still holds."""


class NameNodeActor:
    """The datanode's side of its contract with one namenode, or with whichever of several leads.

    `description` tells of the datanode; `obey` must return soon; `joined` is told of each
    registration that was accepted. What has no lock belongs to the actor's one thread.
    """

    def __init__(
        self,
        namenode: LeaderPool,
        description: NodeDescription,
        store: BlockStore,
        settings: DataNodeSettings,
        obey: Obey,
        joined: Callable[[], None] = lambda: None,
    ) -> None:
        self._namenode = namenode
        self._calls = DataNodeReports(namenode.perform)
        self._description = description
        self._volumes = store.volumes
        self._heartbeat_seconds = settings.heartbeat_seconds
        self._obey = obey
        self._joined = joined
        self._changes = IncrementalReport(self._send_changes)
        self._report = FullReport(store, settings.block_report_seconds)
        self._stopping = threading.Event()
        self._registered = threading.Event()
        # The actor's thread begins sessions; any thread may end the one that it used.
        self._ending = threading.Lock()
        self._session = 0
        self._epoch_began = -inf
        self._trouble = ""
        self.refusal = ""

    def start(self) -> None:
        """Begin, in a thread."""
        threading.Thread(target=self._keep, name="actor", daemon=True).start()

    def stop(self) -> None:
        """End; the thread notices after its current call."""
        self._stopping.set()
        self._registered.set()
        self._namenode.close()

    def await_registration(self) -> None:
        """Wait for the first registration and full report; StartRefused when it is refused."""
        self._registered.wait()
        if self.refusal:
            raise StartRefused(self.refusal)

    def tell(self, kind: str, blocks: Iterable[Told]) -> None:
        """Tell the namenode of replicas RECEIVED, DELETED, found CORRUPT or VERIFIED, at once.

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
            calls.copy_failed(self._session, block.block_id, tuple(unreached))
        except DfsError as error:
            log.debug("failure.not_told", block=block.name, error=error.message)

    @property
    def obeys_new_epoch(self) -> bool:
        """Whether the namenode that commands has begun its epoch just now."""
        return time.monotonic() - self._epoch_began < NEW_EPOCH_SECONDS

    def report_again(self) -> None:
        """Something is not as the namenode knows it: a full report goes out after this beat."""
        self._report.ask()

    def __repr__(self) -> str:
        return f"<NameNodeActor session {self._session}, {self._changes!r}>"

    def _keep(self) -> None:
        while not self._stopping.is_set():
            try:
                self.attend()
            except SessionExpired:
                log.info("session.expired", session=self._session)
                self._session = 0
                pause = _SESSION_PAUSE_SECONDS
            except StartRefused as error:
                self._refused(error)
                pause = self._heartbeat_seconds
            except DfsError as error:
                self._note("namenode.out_of_reach", error.message)
                pause = self._heartbeat_seconds
            except Exception as error:
                # Also a defect of ours must not end this thread: who does not beat is dead.
                log.error("actor.failed", exc_info=True, error=type(error).__name__)
                pause = self._heartbeat_seconds
            else:
                self._note("", "")
                continue
            # Datanodes that lost the same namenode must not come back in step.
            self._stopping.wait(pause * random.uniform(0.5, 1.0))

    def attend(self) -> None:
        """Register and report when due, tell what is untold, beat once."""
        if not self._session:
            self._register()
        if self._report.is_due:
            self._report.send(self._calls, self._session, self._tell_corrupt)
            self._registered.set()
        self._changes.tell()
        self._beat()

    def _register(self) -> None:
        registration = self._calls.register(self._description.info())
        check_told(registration.epoch, self._volumes.epoch)
        # Of another cluster no epoch is remembered.
        self._volumes.join_cluster(registration.cluster_id)
        self._check_epoch(registration.epoch)
        self.report_again()
        self._session = registration.session
        self._joined()
        log.info("datanode.registered", session=self._session, epoch=registration.epoch)

    def _tell_corrupt(self, blocks: Iterable[Block]) -> None:
        self._changes.add(CORRUPT, blocks)
        self._changes.tell()

    def _send_changes(self, changes: Changes) -> None:
        session = self._session
        if not session:
            raise Unavailable("this datanode is not registered")
        try:
            self._calls.within(TELL_SECONDS_MAX).block_changes(session, *as_arguments(changes))
        except (Unavailable, SessionExpired):
            with self._ending:
                if self._session == session:
                    self._session = 0
            raise
        except InvalidArgument as error:
            # Repeating would be refused for ever; a full report says the same in another way.
            log.error("changes.refused", error=error.message)
            self.report_again()

    def _beat(self) -> None:
        interval = self._heartbeat_seconds
        session = self._session
        if not session:
            raise SessionExpired("a change could not be told")
        calls = self._calls.within(interval + _HEARTBEAT_GRACE_SECONDS)
        orders = calls.heartbeat(session, self._description.stats(), interval)
        check_told(orders.epoch, self._volumes.epoch)
        self._check_epoch(orders.epoch)
        for command in orders.commands:
            log.debug("command.received", action=command.action, blocks=len(command.blocks))
            if command.action == REPORT:
                self.report_again()
            elif command.action in _OBEYED:
                self._obey(command, lambda: self._session == session)
            else:
                log.warning("command.unknown", action=command.action)

    def _check_epoch(self, epoch: int) -> None:
        known = self._volumes.epoch
        if epoch < known:
            self._tell_epoch(known)
            self._namenode.turn()
            raise Fenced(f"a namenode of epoch {epoch} commands, {known} is known")
        # Of the first one that a datanode meets nothing is there yet.
        if epoch > known > 0:
            self._epoch_began = time.monotonic()
        self._volumes.remember_epoch(epoch)

    def _tell_epoch(self, known: int) -> None:
        """Tell a namenode that we obeyed a later one. Either it was deposed, and will notice; or
        its record is older than we are, restored from a backup, and it must begin a later epoch."""
        try:
            self._calls.within(TELL_SECONDS_MAX).epoch_known(known)
        except (Unavailable, NotLeader) as error:
            log.debug("epoch.not_told", epoch=known, error=error.message)

    def _refused(self, error: DfsError) -> None:
        """The namenode does not want this datanode (a clone, another cluster): say so, ask on."""
        self._note("datanode.refused", error.message)
        if not self._registered.is_set():
            self.refusal = error.message
            self._registered.set()

    def _note(self, trouble: str, error: str) -> None:
        """Log when the namenode goes out of reach, or comes back, and not at every attempt."""
        if trouble == self._trouble or self._stopping.is_set():
            return
        self._trouble = trouble
        if trouble:
            log.warning(trouble, error=error)
        else:
            log.info("namenode.reached")
