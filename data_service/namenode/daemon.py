"""The namenode daemon: what `leading/leadership.py` decides is carried out here.

Theory of operation. Everybody who learns something of leadership (the zookeeper's candidate, the
term that ends, a datanode that has obeyed another) puts it into an inbox. One thread takes it out,
asks the machine what to do, and does it: only this thread begins and ends terms.
"""

import argparse
import getpass
import random
import threading
import time
from functools import partial
from typing import Dict, List, Optional

from data_service.namenode.calls.audit import AuditLog
from data_service.namenode.calls.availability import Availability
from data_service.namenode.calls.delegations import Seals
from data_service.namenode.calls.service import NameNodeService
from data_service.namenode.calls.tokens import Tokens
from data_service.namenode.groups import Groups
from data_service.namenode.leading import leadership
from data_service.namenode.leading.ending import Ending
from data_service.namenode.leading.following import Following, catch_up
from data_service.namenode.leading.inbox import Inbox
from data_service.namenode.leading.leader_lease import Election
from data_service.namenode.leading.leadership import Leadership
from data_service.namenode.leading.record_reader import RecordReader
from data_service.namenode.leading.term import Term
from data_service.namenode.namenode_core import Core
from data_service.namenode.namesystem import Namesystem
from data_service.protocol.availability_calls import ACTIVE, STANDBY, ServiceState
from metadata_service.calls import MetadataCalls
from metadata_service.journal import Journal
from metadata_service.member_ways import MemberWays
from zookeeper.coordinator import Coordinator
from zookeeper.election import Leadership as Word
from zookeeper.fabric import daemon, logs
from zookeeper.fabric.auth import Credentials, Keyring
from zookeeper.fabric.errors import (
    Busy,
    DfsError,
    InvalidArgument,
    NotLeader,
    OutOfStep,
    StartRefused,
)
from zookeeper.fabric.handshake import credentials_of
from zookeeper.fabric.identity import NAME_NODE, Principal
from zookeeper.fabric.server import Server
from zookeeper.fabric.settings import Settings

log = logs.get("name_node")


class NameNode(daemon.Daemon):
    """One namenode process."""

    def __init__(self, settings: Settings, credentials: Credentials, index: int = 0) -> None:
        self._settings = settings
        self._credentials = credentials
        self.address = daemon.address_at(settings.name_node.hosts, index, "name_node_hosts")
        self._superuser = getpass.getuser()
        self._leadership = Leadership(len(settings.name_node.hosts) == 1, random.Random())
        self._inbox = Inbox()
        # What follows is told of, and its readers wait, under this.
        self._changed = threading.Condition()
        self._stopping = False
        self._refusal = ""
        self._leader = ""
        self._datanodes: Optional[Dict[str, str]] = None
        self._namesystem: Optional[Namesystem] = None
        # Of the thread `leading`. `_core` is in memory while nobody follows; `_term` leads it, and
        # `stop` ends both, too.
        self._core: Optional[Core] = None
        self._following: Optional[Following] = None
        self._term: Optional[Term] = None
        self._journal: Optional[Journal] = None
        self._coordinator = Coordinator(str(self.address), settings, credentials)
        self._metadata = MemberWays(settings.metadata.hosts, credentials, settings.network)
        self._server: Optional[Server] = None
        self._audit: Optional[AuditLog] = None

    def start(self) -> None:
        """Serve; returns when this namenode leads and has loaded the image, or another leads."""
        host = daemon.bind_host(self._settings, self.address)
        own = self._settings.name_node
        groups = Groups(self._settings.groups)
        if own.audit_log:
            self._audit = AuditLog(own.audit_log, own.audit_log_bytes, own.audit_log_files)
        security, credentials = self._settings.security, self._credentials
        seals = Seals(credentials.cluster_key, self._keyring, security)
        self._server = Server(
            f"{NAME_NODE}@{self.address}",
            host,
            self.address.port,
            lambda: NameNodeService(
                self.namesystem,
                groups.of,
                self._superuser,
                (own.replication_factor, own.block_size),
                own.name_node_dir,
                self._audit,
                Tokens(credentials.cluster_key, security.token_seconds),
                self._refresh,
                seals,
                Availability(self._state, self._hand_over),
            ),
            credentials,
            self._settings.network,
        )
        self._server.start()
        self._coordinator.register(f"/name_nodes/{self.address}", str(self.address))
        self._coordinator.watch("/data_nodes", self._on_datanodes)
        self._coordinator.start()
        threading.Thread(target=self._lead, name="leading", daemon=True).start()
        with self._changed:
            while not (self._namesystem or self._leader or self._refusal or self._stopping):
                self._changed.wait()
            if self._refusal:
                raise StartRefused(self._refusal)
            state = f"epoch={self._namesystem.journal.epoch}" if self._namesystem else "standby"
        self.ready = f"{self.address} {state}"

    def stop(self) -> None:
        """Finish running calls, resign, close."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._inbox.close()
        if self._server is not None:
            self._server.stop()
        if self._audit is not None:
            self._audit.close()
        following = self._following
        if following is not None:
            following.stop()
        self._end_term()
        if self._journal is not None:
            self._journal.close()  # That of a term which has not begun yet.
        self._coordinator.stop()
        self._metadata.close()

    def namesystem(self) -> Namesystem:
        """The namesystem that serves; raises NotLeader when there is none."""
        namesystem = self._namesystem
        if namesystem is None or namesystem.over:
            journal, trouble = self._journal, self._leadership.trouble
            trouble = journal.trouble if journal is not None and journal.trouble else trouble
            reason = f": it {trouble}" if trouble else ""
            raise NotLeader(f"the namenode {self.address} does not lead (yet){reason}")
        return namesystem

    def _keyring(self) -> Optional[Keyring]:
        """That of the server, which looks at its files every moment."""
        assert self._server is not None, "whoever calls was let in by it"
        return self._server.keyring

    def _state(self) -> ServiceState:
        try:
            namesystem = self.namesystem()
        except NotLeader:
            return ServiceState(STANDBY, 0, self._leadership.trouble)
        journal = namesystem.journal
        full = "" if journal.has_room else "records no change: the metadata service's disk is full"
        epoch = journal.epoch if namesystem.proved else 0
        return ServiceState(ACTIVE, epoch, journal.trouble or full)

    def _hand_over(self) -> None:
        if len(self._settings.name_node.hosts) == 1:
            raise InvalidArgument("there is no other namenode in name_node_hosts to hand over to")
        self.namesystem()
        self._inbox.put(leadership.HandOver())
        with self._changed:
            if not self._changed.wait_for(
                lambda: self._namesystem is None or self._stopping, leadership.HAND_OVER_SECONDS
            ):
                raise Busy("this namenode is busy with its leadership: see its log")

    def _refresh(self) -> None:
        """Read keys and the list of the revoked again, and act on them. Raises SettingsError."""
        self._credentials.read_again()
        if self._server is not None:
            self._server.look_at_keys()

    # What others tell.

    def _on_word(self, candidacy: int, word: Optional[Word]) -> None:
        if word is None:
            namesystem = self._namesystem
            serves = namesystem is not None and not namesystem.over
            effect = "no failover; service goes on" if serves else "nobody can be elected to lead"
            log.warning("zookeeper.out_of_reach", effect=effect)
            return
        log.info("leadership.told", leads=word.leads, epoch=word.epoch)
        with self._changed:
            self._leader = "" if word.leads else word.leader_data
            self._changed.notify_all()
        self._inbox.put(leadership.Elected(candidacy, word.leads, word.epoch))

    def _on_datanodes(self, registered: Optional[Dict[str, str]]) -> None:
        with self._changed:
            self._datanodes = _by_address(registered)
            core = self._known_core()
            if core is not None:
                core.see_zookeeper(self._datanodes)

    def _on_loaded(self) -> None:
        with self._changed:
            core = self._known_core()
            if core is not None:
                core.see_zookeeper(self._datanodes)

    def _known_core(self) -> Optional[Core]:
        following = self._following
        return self._core if following is None else following.core

    def _on_term_over(self, attempt: int, error: Exception) -> None:
        self._inbox.put(leadership.TermOver(attempt, error))

    def _elected(self) -> Election:
        return Election(*self._coordinator.led(NAME_NODE))

    # What the thread `leading` does.

    def _lead(self) -> None:
        actions = self._leadership.start()
        while True:
            for action in actions:
                self._carry_out(action)
            event = self._inbox.take(self._leadership.wake_at)
            if event is None:
                self._end_term()  # `stop` may have come before it was there.
                return
            actions = self._decide(event)

    def _decide(self, event: leadership.Event) -> List[leadership.Action]:
        now = time.monotonic()
        try:
            return self._leadership.handle(event, now)
        except Exception as error:
            # As in an action: what the machine cannot digest is one more event.
            log.error("leading.failed", exc_info=True, error=type(error).__name__)
            return self._leadership.handle(leadership.Failed(error), now)

    def _carry_out(self, action: leadership.Action) -> None:
        try:
            if isinstance(action, leadership.Campaign):
                told = partial(self._on_word, action.candidacy)
                self._coordinator.campaign(NAME_NODE, str(self.address), told)
            elif isinstance(action, leadership.Resign):
                self._coordinator.resign(NAME_NODE)
            elif isinstance(action, leadership.Follow):
                self._follow(action.attempt)
            elif isinstance(action, leadership.TakeOver):
                self._take_over(action.attempt, action.at_least)
            elif isinstance(action, leadership.Serve):
                self._serve()
            elif isinstance(action, leadership.EndTerm):
                self._end_term()
            else:
                self._refuse(action.error)
        except Exception as error:
            # Also a defect must not end this thread: this namenode would lead for ever, serve
            # nothing, and keep every other from leading.
            log.error("leading.failed", exc_info=True, error=type(error).__name__)
            self._inbox.put(leadership.Failed(error))

    def _follow(self, attempt: int) -> None:
        """With what is in memory, if anything is that is true; else the image is loaded."""
        core = self._unfollow()
        settings = self._settings
        patiently = MetadataCalls(self._metadata.perform).within(
            settings.metadata.append_timeout_seconds
        )

        def told(error: Optional[Exception]) -> None:
            event = leadership.Loaded(attempt) if error is None else leadership.Lost(attempt, error)
            if error is None:
                self._on_loaded()
            self._inbox.put(event)

        alone = len(settings.name_node.hosts) == 1
        self._following = Following(
            RecordReader(patiently, not alone),
            core,
            lambda cluster_id: Core(settings, cluster_id, self._superuser),
            told,
            settings.name_node.replication_interval_seconds,
        )
        self._following.start()

    def _unfollow(self) -> Optional[Core]:
        """Nobody follows any more; what is in memory, if it is whole."""
        following, self._following = self._following, None
        return following.stop() if following is not None else self._core

    def _take_over(self, attempt: int, at_least: int) -> None:
        self._core = self._unfollow()
        try:
            self._begin_term(attempt, at_least)
        except Exception as error:
            known = isinstance(error, DfsError)
            log.warning("term.not_begun", error=error, exc_info=not known)
            if isinstance(error, OutOfStep):
                self._core = None
            self._inbox.put(leadership.NotTakenOver(attempt, error))
        else:
            self._inbox.put(leadership.TookOver(attempt))

    def _begin_term(self, attempt: int, at_least: int) -> None:
        settings, core = self._settings, self._core
        if core is None:
            raise OutOfStep("what was in memory is lost: it is loaded anew")
        ending = Ending(partial(self._on_term_over, attempt))
        self._journal = journal = Journal(
            self._metadata,
            str(self.address),
            settings.metadata.append_timeout_seconds,
            settings.network.max_frame_bytes,
            ending.set,
        )
        try:
            own = journal.open(at_least)
            if journal.cluster_id != core.cluster_id:
                raise OutOfStep(f"the record is that of cluster {journal.cluster_id} by now")
            reader = RecordReader(MetadataCalls(self._metadata.perform), False)
            catch_up(core, reader, journal.durable_txid)
            self._term = Term(
                settings, core, journal, self._elected, ending,
                lambda known: self._inbox.put(leadership.Outlived(attempt, known, own)),
            )  # fmt: skip
            self._term.begin()
        except BaseException:
            # Of a term that cannot begin nothing is left behind.
            journal.close()
            self._end_term()
            raise

    def _serve(self) -> None:
        with self._changed:
            term = self._term
            if term is None or self._stopping:
                return
            log.info("term.begun", epoch=term.namesystem.journal.epoch)
            self._namesystem = term.namesystem
            self._changed.notify_all()

    def _end_term(self) -> None:
        with self._changed:
            term, self._term = self._term, None
        if term is not None:
            log.info("term.ended", epoch=term.namesystem.journal.epoch)
            self._core = term.end()
        with self._changed:
            self._namesystem = None
            self._changed.notify_all()

    def _refuse(self, error: Exception) -> None:
        log.error("image.refused", error=error)
        with self._changed:
            self._refusal = str(error)
            self._changed.notify_all()


def _by_address(registered: Optional[Dict[str, str]]) -> Optional[Dict[str, str]]:
    if registered is None:
        return None
    return {path.rpartition("/")[2]: node_id for path, node_id in registered.items()}


def _build(settings: Settings, arguments: argparse.Namespace) -> NameNode:
    return NameNode(settings, credentials_of(settings, Principal(NAME_NODE)), arguments.index)


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    daemon.add_index(parser, "namenode", "name_node_hosts")


def main(argv: Optional[List[str]] = None) -> int:
    """Run a namenode until it is told to stop; the process's exit status."""
    return daemon.run(
        NAME_NODE,
        "Owns the names of all files and knows where their blocks are.",
        argv,
        _build,
        _add_arguments,
    )
